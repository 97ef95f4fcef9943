package resources

import (
	"bytes"

	"telltale/locate/reading"
)

// sourceFile is source code of a language like C: Java, Kotlin, Swift, Dart, Objective-C.
type sourceFile struct {
	*textFile
	quotes
}

// quotes are what a language's quotes mean.
type quotes struct {
	single    bool // those of one stroke hold texts, not characters
	rawBlocks bool // between three of them, a backslash is a backslash
}

// literals is a pass over the literals of source code.
type literals struct {
	quotes
	text []byte
	at   int
}

// literal is one of them.
type literal struct {
	start, end int  // between the quotes
	raw        bool // a backslash is a backslash
	// follows says that nothing but blanks, comments and "+" is between it and the one before.
	follows bool
}

// next returns the next literal.
func (l *literals) next() (lit literal, ok bool) {
	text := l.text
	lit.follows = true
	for l.at < len(text) {
		c := text[l.at]
		if ordinary[c] {
			lit.follows, lit.raw = false, false
			l.at++
			for l.at < len(text) && ordinary[text[l.at]] {
				l.at++
			}
			continue
		}
		switch {
		case c == '"' || c == '\'' && l.single:
			l.read(&lit, c)
			return lit, true
		case c == '\'': // a character
			near := text[:min(len(text), l.at+longestCharacter)]
			end := closing(near, l.at+1, '\'')
			if end == len(near) { // an apostrophe in what is no comment to us
				end = l.at
			}
			l.at, lit.follows = min(end+1, len(text)), false
		case c == '/':
			after := afterComment(text, l.at)
			lit.follows = lit.follows && after > l.at+1
			l.at = after
		case c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '+' || c == '@':
			l.at++
		case (c == 'r' || c == '#') && l.at+1 < len(text) && (text[l.at+1] == '"' || c == 'r' && text[l.at+1] == '\'' && l.single) && !l.inWord():
			lit.raw = true
			l.at++
		default:
			lit.follows, lit.raw = false, false
			l.at++
		}
	}
	return lit, false
}

// longestCharacter is how long a character is with its quotes, in bytes: '\u{10ffff}'.
const longestCharacter = 12

// ordinary are the bytes of code that neither begin a literal or a comment nor may stand
// between two literals that are added up.
var ordinary = func() (table [256]bool) {
	for i := range table {
		table[i] = bytes.IndexByte([]byte("\"'/ \t\r\n+@r#"), byte(i)) < 0
	}
	return table
}()

// inWord reports whether a letter stands before the place.
func (l *literals) inWord() bool {
	if l.at == 0 {
		return false
	}
	c := l.text[l.at-1]
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

var threeDouble, threeSingle = []byte(`"""`), []byte(`'''`)

// read reads a literal up to its quote, or to its three quotes.
func (l *literals) read(lit *literal, quote byte) {
	three := threeDouble
	if quote == '\'' {
		three = threeSingle
	}
	if bytes.HasPrefix(l.text[l.at:], three) {
		lit.start, lit.raw = l.at+3, lit.raw || l.rawBlocks
		n := bytes.Index(l.text[lit.start:], three)
		if n < 0 {
			n = len(l.text) - lit.start
		}
		lit.end = lit.start + n
		l.at = min(lit.end+3, len(l.text))
		return
	}
	lit.start = l.at + 1
	for at := lit.start; ; at++ {
		for at < len(l.text) && inLiteral[l.text[at]] {
			at++
		}
		switch {
		case at >= len(l.text):
			lit.end, l.at = len(l.text), len(l.text)
		case l.text[at] == '\n': // it does not end: a mistake, or no text
			lit.end, l.at = at, at
		case l.text[at] == quote:
			lit.end, l.at = at, at+1
		default:
			if l.text[at] == '\\' && !lit.raw {
				at++
			}
			continue
		}
		lit.end = min(lit.end, len(l.text))
		return
	}
}

// inLiteral are the bytes that cannot end a literal.
var inLiteral = func() (table [256]bool) {
	for i := range table {
		table[i] = bytes.IndexByte([]byte("\"'\\\n"), byte(i)) < 0
	}
	return table
}()

// Joined calls visit for texts whose literals the code adds up, or writes side by side, and for
// those with escapes.
func (f *sourceFile) Joined(visit func(reading.Joined) bool) {
	l := literals{text: f.text, quotes: f.quotes}
	var value []byte
	var parts []reading.Part
	escaped := false
	flush := func() bool {
		if len(parts) > 1 || escaped {
			how := "strings added up"
			if len(parts) == 1 {
				how = "a string with escapes"
			}
			return visit(reading.Joined{Value: value, Parts: parts, How: how, Sure: true})
		}
		return true
	}
	for {
		lit, ok := l.next()
		if !ok || !lit.follows || len(value) > maxLine {
			if !flush() || !ok {
				return
			}
			value, parts, escaped = value[:0], parts[:0], false
		}
		if !ok {
			return
		}
		parts = append(parts, reading.Part{At: len(value), Start: f.inFile(lit.start), End: f.inFile(lit.end)})
		raw := f.text[lit.start:lit.end]
		if lit.raw || bytes.IndexByte(raw, '\\') < 0 {
			value = append(value, raw...)
			continue
		}
		value, escaped = appendUnescaped(value, raw), true
	}
}
