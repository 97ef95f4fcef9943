package policy

import (
	"strings"

	"telltale/flow"
)

// A Shape is what contacts of one kind share.
type Shape struct {
	Host   string // canonical
	Method string // as [flow.Flow.Method] returns it
	Path   string // with "*" for what looks like an identifier, a number or a date; "" without a request
}

// String returns the shape as people write a request: "HEAD clients3.google.com/generate_204".
func (s Shape) String() string { return s.Method + " " + s.Host + s.Path }

// Bounds of the path of a shape: what is longer names nothing that a server has.
const (
	maxShapeSegments = 16
	maxShapeSegment  = 64
)

// ShapeOf returns the shape of a flow: without the query, and without what changes in the
// path from one request to the next. It goes by the look of the words:
//
//	/v1/users/8812/photos/5f2b9c01d3.jpg → /v1/users/*/photos/*.jpg
//	/generate_204                        → /generate_204
//
// It is pure, and the shape of a shape is itself.
func ShapeOf(f *flow.Flow) Shape {
	return Shape{Host: f.Host(), Method: f.Method(), Path: shapeOfPath(f.Path())}
}

// shapeOfPath copies a path only where something in it changes.
func shapeOfPath(path string) string {
	var room [128]byte
	out, written, segments := room[:0], 0, 0 // written: bytes of path that are in out, or have a star there
	for start := 0; start < len(path); {
		end := start + strings.IndexByte(path[start:], '/')
		if end < start {
			end = len(path)
		}
		if segments++; segments > maxShapeSegments+1 { // one is before the first slash
			return string(append(append(out, path[written:start]...), '*'))
		}
		segment := path[start:end]
		if shape := shapeOfSegment(segment); shape != segment {
			out = append(append(out, path[written:start]...), shape...)
			written = end
		}
		start = end + 1
	}
	if written == 0 {
		return path
	}
	return string(append(out, path[written:]...))
}

// maxWordLike is how long a segment without a digit may be that is a name in any case, in
// bytes.
const maxWordLike = 15

// redactedOf begins what stands for a value in a copy of a flow in which equal values have
// equal masks: flow.Redacted with a colon and the mask before its bracket.
const redactedOf = "[redacted:"

// isPlainSegment reports whether a segment is one that has nothing that varies: most are.
func isPlainSegment(s string) bool {
	if len(s) > maxWordLike {
		return false
	}
	for i := range len(s) {
		if isDigit(s[i]) || s[i] == '@' {
			return false
		}
	}
	return true
}

// shapeOfSegment puts a star in the place of each run of words that vary.
func shapeOfSegment(s string) string {
	if isPlainSegment(s) {
		return s
	}
	l := lookOf(s)
	switch {
	case strings.Contains(s, redactedOf): // a value that somebody took out
		return "*"
	case l.digits == 0 && l.length <= maxWordLike && len(s) <= maxShapeSegment && strings.IndexByte(s, '@') < 0:
		return s // nothing below would change it
	case l.digits == len(s), len(s) > maxShapeSegment, strings.IndexByte(s, '@') >= 0, l.isToken():
		return "*"
	}
	stem := s
	if i := strings.LastIndexByte(s, '.'); i > 0 {
		stem = s[:i]
	}
	numeric := lookOf(stem).letters() == 0 && strings.IndexByte(s, '*') < 0
	var b strings.Builder
	for left, varied := s, false; left != ""; {
		word := strings.IndexFunc(left, isWordCharacter)
		if word < 0 {
			return b.String() + left
		}
		separators := left[:word]
		end := strings.IndexFunc(left[word:], func(c rune) bool { return !isWordCharacter(c) })
		if end < 0 {
			end = len(left) - word
		}
		look := lookOf(left[word : word+end])
		switch vary := look.varies(numeric, varied); {
		case !vary:
			b.WriteString(left[:word+end])
			varied = false
		case !varied:
			b.WriteString(separators + "*")
			varied = true
		}
		left = left[word+end:]
	}
	return b.String()
}

// isWordCharacter reports whether a character is part of a word: letters of other scripts
// are, too.
func isWordCharacter(c rune) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// A look is what characters a text is made of, separators left out.
type look struct {
	length, digits, hex, upper, lower int
	turns                             int // from a digit to a letter, or back
	cases                             int // from an upper-case letter to a lower-case one, or back
}

func lookOf(s string) (l look) {
	var before byte // kind of the character before: 0 for none
	for i := 0; i < len(s); i++ {
		c, kind := s[i], byte(0)
		switch {
		case c >= '0' && c <= '9':
			kind = '0'
			l.digits++
			l.hex++
		case c >= 'a' && c <= 'z':
			kind = 'a'
			l.lower++
		case c >= 'A' && c <= 'Z':
			kind = 'A'
			l.upper++
		case c >= 0x80:
			kind = 'a'
		default:
			continue
		}
		if c|0x20 >= 'a' && c|0x20 <= 'f' {
			l.hex++
		}
		l.length++
		switch {
		case before == 0 || before == kind:
		case before == '0' || kind == '0':
			l.turns++
		default:
			l.cases++
		}
		before = kind
	}
	return l
}

func (l look) letters() int { return l.length - l.digits }

// isToken reports whether a whole segment is one value, whatever separates its parts: a
// UUID, a MAC address, base64url.
func (l look) isToken() bool {
	return l.hex == l.length && l.length >= 12 && l.digits > 0 ||
		l.length >= 12 && l.digits >= 2 && l.turns >= 4 && l.upper > 0 && l.lower > 0 ||
		l.length >= 20 && l.digits > 0 && (l.turns+l.cases)*5 >= l.length*2
}

// varies reports whether a word looks like a value and not like a name. numeric says that
// there are no letters in its segment, varied that the word before is a value.
func (l look) varies(numeric, varied bool) bool {
	switch {
	case l.length == l.digits: // "204" in "generate_204" is a name
		return numeric || varied || l.digits > 3
	case l.hex == l.length && (l.length >= 8 && l.digits > 0 || l.length == 4 && varied): // the second: part of a UUID
		return true
	case l.digits > 0:
		return l.digits >= 5 || l.turns >= 3 && l.length >= 6
	}
	return l.length >= 32 || l.length >= 16 && l.cases*5 >= l.length*2
}
