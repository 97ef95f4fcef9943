package locate

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// How much a snippet keeps on either side of a match, in bytes. It is far more than is shown:
// what marks a secret may stand long before it, and is needed to hide it. A listing has up to
// some hundred thousand leads, each with a snippet of its own.
const (
	sideOfSearch  = 1 << 10
	sideOfListing = 256
)

// snippet returns what stands around a range of a view, in one line.
func (v view) snippet(from, to int) Snippet {
	// A view that is as long as what is looked at was cut out of something longer; undoing a form
	// may have lost a character at its end.
	return around(v.text, from, to, sideOfSearch, v.start >= lookBehind, len(v.text)-v.end >= lookAhead-1)
}

// line is snippet within the line of a text.
func (v view) line(from, to int) Snippet {
	start, end := max(0, from-sideOfSearch-1), min(len(v.text), to+sideOfSearch+1)
	if i := bytes.LastIndexByte(v.text[start:from], '\n'); i >= 0 {
		start += i + 1
	}
	if i := bytes.IndexByte(v.text[to:end], '\n'); i >= 0 {
		end = to + i
	}
	return around(v.text[start:end], from-start, to-start, sideOfSearch, false, false)
}

// around returns what stands around a range of a text, with at most so many bytes on either side.
// The text may have been cut before or behind already. An ellipsis stands for what was cut off.
func around(text []byte, from, to, side int, cutBefore, cutBehind bool) Snippet {
	before, after := text[:from], text[to:]
	if len(before) > side {
		before, cutBefore = before[len(before)-side:], true
	}
	if i := bytes.LastIndexFunc(before, unprintable); i >= 0 {
		r, size := utf8.DecodeRune(before[i:])
		before, cutBefore = before[i+size:], r == utf8.RuneError
	}
	if len(after) > side {
		after, cutBehind = after[:side], true
	}
	if i := bytes.IndexFunc(after, unprintable); i >= 0 {
		r, _ := utf8.DecodeRune(after[i:])
		after, cutBehind = after[:i], r == utf8.RuneError
	}
	out := Snippet{oneLine(before), oneLine(text[from:to]), oneLine(after)}
	if cutBefore {
		out.Before = "…" + oneLine(behindCut(before))
	}
	if cutBehind {
		out.After = oneLine(beforeCut(after)) + "…"
	}
	return out
}

// delimiters are the characters at which both keys and values that are named like one end.
const delimiters = "\"'` \t\n\r<>\\"

func isDelimiter(c byte) bool { return strings.IndexByte(delimiters, c) >= 0 }

// behindCut leaves out of a text whose beginning was cut off what may be the rest of a secret:
// the token that the cut splits, and a value whose name stands before the cut or in that token.
func behindCut(text []byte) []byte {
	gives := func(i int) bool { return i < len(text) && (text[i] == ':' || text[i] == '=') }
	for i, inside := 0, false; i < len(text); i++ {
		if !isDelimiter(text[i]) {
			inside = true
			continue
		}
		end := i
		for end < len(text) && isDelimiter(text[end]) {
			end++
		}
		if inside && !gives(i-1) && !gives(end) {
			return text[i:]
		}
		i = end - 1
	}
	return nil
}

// beforeCut leaves out the token that is split where the end of a text was cut off: too little
// of a key may be left to be known as one.
func beforeCut(text []byte) []byte { return text[:bytes.LastIndexAny(text, delimiters)+1] }

// unprintable reports whether a character is none of a text: what stands beyond it has
// nothing to do with the match.
func unprintable(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == utf8.RuneError || r == 0x7f
}

// oneLine returns a text with its spaces and line ends as single spaces, and without the
// halves of characters that a cut has left.
func oneLine(text []byte) string {
	valid := strings.ToValidUTF8(string(text), "")
	out := strings.Join(strings.Fields(valid), " ")
	if out != "" && strings.TrimLeft(valid, " \t\r\n") != valid {
		out = " " + out
	}
	if out != "" && strings.TrimRight(valid, " \t\r\n") != valid {
		out += " "
	}
	return out
}

// Masked is a snippet with what is secret hidden. Mask sees all of it at once: a value that
// begins before the match may end in it. It comes before what is shown is cut by [Snippet.Fit] or
// [Snippet.Near]: nobody knows half of a secret.
func (s Snippet) Masked(mask func(string) string) Snippet {
	whole := s.Before + s.Match + s.After
	hidden := mask(whole)
	if hidden == whole {
		return s
	}
	match, at := mask(s.Match), len(mask(s.Before))
	if match != "" {
		if i := nearest(hidden, match, at); i >= 0 {
			return Snippet{hidden[:i], match, hidden[i+len(match):]}
		}
	}
	for at = min(at, len(hidden)); at < len(hidden) && !utf8.RuneStart(hidden[at]); {
		at++
	}
	return Snippet{Before: hidden[:at], After: hidden[at:]}
}

// nearest returns where part stands in s next to an offset, -1 where it does not.
func nearest(s, part string, offset int) int {
	best := -1
	for from := 0; from <= len(s)-len(part); {
		i := strings.Index(s[from:], part)
		if i < 0 {
			break
		}
		at := from + i
		if best < 0 || distance(at, offset) < distance(best, offset) {
			best = at
		}
		from = at + 1
	}
	return best
}

func distance(a, b int) int { return max(a-b, b-a) }

// Fit cuts a snippet to some columns of a screen, an ellipsis at each end that is cut; cells
// says how many columns a character takes. The match stays as long as it fits.
func (s Snippet) Fit(columns int, cells func(rune) int) Snippet {
	s.Match = headOf(s.Match, columns, cells)
	room := max(0, columns-columnsOf(s.Match, cells))
	before, after := columnsOf(s.Before, cells), columnsOf(s.After, cells)
	left := min(before, max(room/2, room-after))
	s.Before = tailOf(s.Before, left, cells)
	s.After = headOf(s.After, room-columnsOf(s.Before, cells), cells)
	return s
}

// Near cuts what stands on either side of the match to so many characters.
func (s Snippet) Near(characters int) Snippet {
	one := func(rune) int { return 1 }
	s.Before, s.After = tailOf(s.Before, characters, one), headOf(s.After, characters, one)
	return s
}

// columnsOf returns the columns of a text.
func columnsOf(s string, cells func(rune) int) int {
	n := 0
	for _, r := range s {
		n += cells(r)
	}
	return n
}

// headOf returns the beginning of a text, in at most some columns.
func headOf(s string, columns int, cells func(rune) int) string {
	if columnsOf(s, cells) <= columns {
		return s
	}
	n := 0
	for i, r := range s {
		if n += cells(r); n > columns-1 {
			return s[:i] + strings.Repeat("…", min(columns, 1))
		}
	}
	return s
}

// tailOf returns the end of one.
func tailOf(s string, columns int, cells func(rune) int) string {
	if columnsOf(s, cells) <= columns {
		return s
	}
	n, at := 0, len(s)
	for at > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:at])
		if n += cells(r); n > columns-1 {
			break
		}
		at -= size
	}
	for at < len(s) { // a mark without its letter
		r, size := utf8.DecodeRuneInString(s[at:])
		if cells(r) > 0 {
			break
		}
		at += size
	}
	return strings.Repeat("…", min(columns, 1)) + s[at:]
}
