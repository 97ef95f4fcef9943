package script

import (
	"bytes"
	"strings"

	"telltale/locate/reading"
)

// Settings returns what the code sets of these names: properties of object literals,
// {reachabilityUrl: ""}, and what is assigned to a property, x.reachabilityUrl = "". A property that is
// named after its variable, {reachabilityUrl}, counts where a call gets the object: else it is a
// pattern that takes the value.
//
// A value is known where it is one literal, a minifier's !0 and !1 among them. Call is the function
// that gets the object, directly or in an object or array: "configure" of both NetInfo.configure({…})
// and (0, r(d[1]).configure)({…}). What copies objects is passed over, as in
// configure(Object.assign({}, {…})), where a call around it gets the copy. Call is "" for an
// object that is no argument, and for an assignment.
func (d *Doc) Settings(names []string) []reading.Setting {
	s := setter{lexer: d.lexer(), wanted: make(map[string]bool, len(names))}
	for _, n := range names {
		if n != "" {
			s.wanted[n] = true
			s.first[n[0]] |= 1 << min(len(n), 63)
		}
	}
	for {
		switch s.next() {
		case ended:
			return s.out
		case remark:
		default:
			s.token()
		}
	}
}

// A setter looks for names that get a value.
type setter struct {
	lexer
	wanted map[string]bool
	first  [256]uint64 // by first byte, the lengths of wanted names
	out    []reading.Setting
	member bool // the word before is a property: a.word
	named  bool // the token before may be a wanted name
}

// token looks at what follows a wanted name.
func (s *setter) token() {
	t := s.tok
	if s.named && t.kind == punct {
		name := span{s.before.start, s.before.end}
		switch top := s.top(); {
		case t.op == ':' && top != nil && top.kind == '{' && top.key == name: // no choice: a ? b : c
			s.value(name, s.call())
		case t.op == '=' && s.member:
			s.value(name, "")
		case (t.op == ',' && top != nil || t.op == '}') && s.before.kind == word && !s.member:
			s.shorthand()
		}
	}
	s.member = false
	s.named = false
	switch t.kind {
	case word, str:
		s.member = t.kind == word && s.before.kind == punct && (s.before.op == '.' || s.before.op == opOptional)
		s.named = s.wants(s.nameOf(span{t.start, t.end}))
	}
}

// nameOf returns a property's name without its quotes.
func (s *setter) nameOf(at span) []byte {
	text := s.src[at.start:at.end]
	if len(text) > 1 && classes[text[0]] == isQuote {
		return text[1 : len(text)-1]
	}
	return text
}

func (s *setter) wants(name []byte) bool {
	return len(name) > 0 && s.first[name[0]]&(1<<min(len(name), 63)) != 0 && s.wanted[string(name)]
}

// mostSettings is how many are told. An app has a handful.
const mostSettings = 1 << 12

// value reads ahead what a name is set to, and keeps it.
func (s *setter) value(name span, call string) {
	if len(s.out) == mostSettings {
		return
	}
	// A copy reads ahead; of what it shares, it changes no more than the innermost bracket.
	l := s.lexer
	if top := s.top(); top != nil {
		defer func(was frame) { *top = was }(*top)
	}
	l.next()
	set := reading.Setting{Name: string(s.nameOf(name)), Call: call, Start: int(l.tok.start), End: int(l.tok.end)}
	if value, ok := s.literal(&l); ok {
		set.End = int(l.tok.end)
		if set.Known = s.ends(&l, l.tok.end); set.Known {
			set.Value = value
		}
	}
	s.out = append(s.out, set)
}

// ends reports whether a value has ended: the next token does not go on with it.
func (s *setter) ends(l *lexer, end int32) bool {
	switch k := l.next(); k {
	case ended, remark:
		return true
	case punct:
		return l.tok.op == ',' || l.tok.op == ';' || l.tok.op == '}' || l.tok.op == ')' || l.tok.op == ']'
	case word, str, chunk, number:
		return l.tok.op != kwBetween && bytes.IndexByte(s.src[end:l.tok.start], '\n') >= 0
	}
	return false
}

// literal returns the value of the literal that l has read the first token of.
func (s *setter) literal(l *lexer) (string, bool) {
	t := l.tok
	text := l.text(t)
	in := inside(s.src, t)
	switch t.kind {
	case str:
		return string(decoded(s.src[in.start:in.end], nil)), true
	case chunk:
		return string(decoded(s.src[in.start:in.end], nil)), len(text) > 1 && text[len(text)-1] == '`'
	case number:
		return string(text), true
	case word:
		switch string(text) {
		case "true", "false", "null", "undefined":
			return string(text), true
		case "void":
			l.next()
			return "undefined", l.tok.kind == number
		}
	case punct:
		return signed(l, t.op)
	}
	return "", false
}

// signed returns the value of !0, !1 and of a number with a sign.
func signed(l *lexer, op byte) (string, bool) {
	if op != '!' && op != '-' || l.next() != number {
		return "", false
	}
	text := string(l.text(l.tok))
	switch {
	case op == '-':
		return "-" + text, true
	case text == "0":
		return "true", true
	case text == "1":
		return "false", true
	}
	return "", false
}

// shorthand keeps a property that is named after the variable that it is set to.
func (s *setter) shorthand() {
	in := s.closed // the token has closed its object
	if s.tok.op == ',' {
		in = *s.top()
	}
	call := s.call()
	if in.kind != '{' || call == "" || len(s.out) == mostSettings {
		return
	}
	at := span{s.before.start, s.before.end}
	s.out = append(s.out, reading.Setting{
		Name: string(s.nameOf(at)), Call: call, Start: int(at.start), End: int(at.end),
	})
}

// call returns who gets the object that is read, "" for nobody.
func (s *setter) call() string {
	first := ""
	for i := len(s.frames) - 1; i >= 0; i-- {
		switch f := s.frames[i]; f.kind {
		case '{', '[':
			continue
		case '(':
			if f.params || f.head {
				return first
			}
			name := string(s.src[f.name.start:f.name.end])
			if name != "" && !copies(name) {
				return name
			}
			// Brackets around a value are nobody's.
			if first == "" {
				first = name
			}
		default:
			return first
		}
	}
	return first
}

// copies reports whether a function hands on the objects that it gets: Object.assign, and what
// compilers write for {...a}.
func copies(name string) bool {
	switch name {
	case "assign", "freeze", "default", "_extends", "__assign":
		return true
	}
	return strings.HasPrefix(name, "_objectSpread")
}
