package filter

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A token is a piece of what was typed.
type token struct {
	kind       tokenKind
	text       string // as typed, quotes included
	start, end int    // in bytes
	spaced     bool   // white space, or nothing, stands before it
	closed     bool   // of quoted: it ends with its quote
}

type tokenKind int

const (
	name   tokenKind = iota // letters, digits, _ and $
	quoted                  // in ", ' or `
	symbol                  // an operator, a bracket or any other character
)

// symbols are the operators of more than one character, which a scan keeps whole.
var symbols = []string{"==", "!=", "<=", ">=", "&&", "||"}

// comparisons are the operators that compare, as symbols and as words.
var (
	comparisons     = []string{"==", "!=", "<", "<=", ">", ">="}
	textComparisons = []string{"contains", "startsWith", "endsWith", "matches"}
)

// scan splits a text into tokens, whatever it holds.
func scan(s string) []token {
	var all []token
	spaced := true
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if unicode.IsSpace(r) {
			spaced = true
			i += size
			continue
		}
		t := token{kind: symbol, start: i, end: i + size, spaced: spaced}
		switch {
		case isNameRune(r):
			t.kind = name
			if n := strings.IndexFunc(s[i:], func(r rune) bool { return !isNameRune(r) }); n >= 0 {
				t.end = i + n
			} else {
				t.end = len(s)
			}
		case r == '"' || r == '`' || r == '\'':
			t.kind = quoted
			t.end, t.closed = quotedEnd(s, i)
		default:
			for _, op := range symbols {
				if strings.HasPrefix(s[i:], op) {
					t.end = i + len(op)
				}
			}
		}
		t.text = s[t.start:t.end]
		all = append(all, t)
		i, spaced = t.end, false
	}
	return all
}

func isNameRune(r rune) bool {
	return r == '_' || r == '$' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

// quotedEnd returns where the quoted text that starts at i ends. Backslashes
// escape in " and ', as in expressions.
func quotedEnd(s string, i int) (end int, closed bool) {
	quote := s[i]
	for j := i + 1; j < len(s); j++ {
		switch {
		case s[j] == '\\' && quote != '`':
			j++
		case s[j] == quote:
			return j + 1, true
		}
	}
	return len(s), false
}

// isAttempt reports whether a text that is no valid expression was meant as one,
// so that it is a mistake and not a search for words. Only an operator of the
// language in its place says so: fields are English words, and URLs are full of
// signs.
func isAttempt(text string) bool {
	s := shape(scan(text))
	for i, t := range s {
		switch {
		case t.kind == symbol && slices.Contains(comparisons, t.text) && s.isComparison(i),
			t.kind == symbol && t.text == "=" && s.isField(i-1) && s.apart(i),
			t.kind == symbol && (t.text == "&&" || t.text == "||") && i > 0 && s.apart(i),
			t.kind == name && s.isTextComparison(i),
			t.kind == name && t.text == "in" && s.isMembership(i),
			t.kind == name && isFunction(t.text) && s.isCall(i):
			return true
		}
	}
	return false
}

type shape []token

func (s shape) at(i int) token {
	if i < 0 || i >= len(s) {
		return token{kind: -1, spaced: true}
	}
	return s[i]
}

// apart reports whether white space, or the end, is on both sides.
func (s shape) apart(i int) bool { return s[i].spaced && s.at(i+1).spaced }

// starts reports whether an operand can begin at i: not in the midst of a URL.
func (s shape) starts(i int) bool {
	if s[i].spaced {
		return true
	}
	return slices.Contains([]string{"(", "[", ",", "!", "&&", "||", "=="}, s[i-1].text)
}

func (s shape) isField(i int) bool {
	_, known := fieldByName[s.at(i).text]
	return known && s[i].kind == name && s.starts(i)
}

// isComparison judges ==, != and the like: after a field, beside a quoted text,
// or with space around. `a==b` counts when it is all of a word; `x<y` and the
// padding of base64 do not.
func (s shape) isComparison(i int) bool {
	prev, next := s.at(i-1), s.at(i+1)
	long := len(s[i].text) == 2
	switch {
	case i == 0:
		return false
	case s.isField(i - 1), s.apart(i):
		return true
	case long && next.kind == quoted, long && prev.kind == quoted && prev.closed && next.kind == name:
		return true
	}
	whole := prev.kind == name && prev.spaced && next.kind == name && s.at(i+2).spaced
	return long && whole && !s[i].spaced && !next.spaced
}

// isTextComparison judges contains, startsWith and the like. "page contains errors"
// is a search; `host contains google` lacks quotes.
func (s shape) isTextComparison(i int) bool {
	exact := slices.Contains(textComparisons, s[i].text)
	alike := exact || slices.ContainsFunc(textComparisons, func(op string) bool { return strings.EqualFold(op, s[i].text) })
	if !alike || i == 0 || !s.apart(i) && s.at(i+1).kind != quoted {
		return false
	}
	prev := s[i-1]
	if strings.EqualFold(prev.text, "not") && i > 1 {
		i--
		prev = s[i-1]
	}
	return s.isField(i-1) || exact && (prev.text == ")" || prev.kind == quoted || s.hasOperandAfter(prev))
}

// hasOperandAfter reports whether a quoted text follows the operator that stands
// after prev, with or without a `not`.
func (s shape) hasOperandAfter(prev token) bool {
	i := slices.IndexFunc(s, func(t token) bool { return t.start == prev.start }) + 1
	if s.at(i).text == "not" {
		i++
	}
	return s.at(i+1).kind == quoted
}

// isMembership judges `in`: "error in handshake" is a search, `status in [` is not.
func (s shape) isMembership(i int) bool {
	prev, next := i-1, s.at(i+1)
	if s.at(prev).text == "not" {
		prev--
	}
	if s.isField(prev) {
		return next.kind == -1 || next.text == "[" || next.text == "(" || next.kind == quoted || next.kind == name && next.text[0] <= '9'
	}
	return s.at(prev).kind == quoted && s.at(i+1).kind == name && s.isField(i+1)
}

// isCall judges `lower(host`: a function of the language around a field, or the
// beginning of it.
func (s shape) isCall(i int) bool {
	open := s.at(i + 1)
	return s.starts(i) && open.text == "(" && !open.spaced && (s.at(i+2).kind == -1 || s.isField(i+2))
}
