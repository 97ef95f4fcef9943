package resources

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"telltale/locate/reading"
)

// maxPath bounds how deep a place is named: what is deeper has the name of what holds it.
const maxPath = 100

// every is how far apart the states are from which a place is looked for, in bytes.
const every = 8 << 10

// jsonText is JSON, with the comments and the missing quotes that tools tolerate.
type jsonText struct {
	text  []byte
	once  sync.Once
	saved []jsonScan // the states at about each multiple of every
	long  reading.Last[namedPlace]
}

func newJSON(text []byte) syntax { return &jsonText{text: text} }

// jsonScan is a pass over JSON, one token after the other.
type jsonScan struct {
	text  []byte
	at    int
	stack []jsonLevel
	below int // levels beyond maxPath
	// start and end bound the last text or scalar, without quotes.
	start, end int
	isKey      bool
	quoted     bool
}

// jsonLevel is an object or an array that is open.
type jsonLevel struct {
	array      bool
	named      bool // an object: its key was read
	index      int32
	start, end int32 // of the key
}

// next reads a token; scalar says that it was a text, a number or a word.
func (s *jsonScan) next() (scalar bool) {
	c := s.text[s.at]
	switch c {
	case ' ', '\t', '\r', '\n', ':':
		for s.at++; s.at < len(s.text) && s.text[s.at] == ' '; s.at++ {
		}
	case '{', '[':
		s.at++
		if len(s.stack) >= maxPath {
			s.below++
			return false
		}
		s.stack = append(s.stack, jsonLevel{array: c == '['})
	case '}', ']':
		s.at++
		if s.below > 0 {
			s.below--
		} else if len(s.stack) > 0 {
			s.stack = s.stack[:len(s.stack)-1]
		}
	case ',':
		s.at++
		if top := s.top(); top != nil {
			top.index++
			top.named = false
		}
	case '"', '\'':
		s.start = s.at + 1
		s.end = closing(s.text, s.start, c)
		s.at, s.quoted = min(s.end+1, len(s.text)), true
		s.take()
		return true
	case '/':
		s.at = afterComment(s.text, s.at)
	default:
		s.start = s.at
		for s.at++; s.at < len(s.text) && !endsWord[s.text[s.at]]; s.at++ {
		}
		s.end, s.quoted = s.at, false
		s.take()
		return true
	}
	return false
}

// endsWord are the bytes behind a number or a word.
var endsWord = func() (table [256]bool) {
	for _, c := range []byte(" \t\r\n:,{}[]\"'/") {
		table[c] = true
	}
	return table
}()

// top is the innermost level that has a name here; nil where there is none.
func (s *jsonScan) top() *jsonLevel {
	if len(s.stack) == 0 || s.below > 0 {
		return nil
	}
	return &s.stack[len(s.stack)-1]
}

// take makes a scalar the key of its object, where it is one.
func (s *jsonScan) take() {
	s.isKey = false
	if top := s.top(); top != nil && !top.array && !top.named {
		top.named, s.isKey = true, true
		top.start, top.end = int32(s.start), int32(s.end)
	}
}

// closing returns where a text ends whose first byte is at start.
func closing(text []byte, start int, quote byte) int {
	end := start - 1
	for at := start; at < len(text); {
		if end < at { // the quote that was found was escaped
			n := bytes.IndexByte(text[at:], quote)
			if n < 0 {
				break
			}
			end = at + n
		}
		slash := bytes.IndexByte(text[at:end], '\\')
		if slash < 0 {
			return end
		}
		at += slash + 2
	}
	return len(text)
}

// afterComment returns what follows the comment, or the slash, at an offset.
func afterComment(text []byte, at int) int {
	rest := text[at:]
	n := 0
	switch {
	case bytes.HasPrefix(rest, []byte("//")):
		n = bytes.IndexByte(rest, '\n')
	case bytes.HasPrefix(rest, []byte("/*")):
		if n = bytes.Index(rest[2:], []byte("*/")); n >= 0 {
			n += 4
		}
	default:
		n = 1
	}
	if n < 0 {
		return len(text)
	}
	return at + n
}

// section names a place as JSONPath (RFC 9535) does: "$.client[0].api_key".
func (j *jsonText) section(at, _ int) (name string, start, end int) {
	j.once.Do(func() {
		s := jsonScan{text: j.text}
		for next := 0; s.at < len(s.text); s.next() {
			if s.at >= next {
				state := s
				state.stack = slices.Clone(s.stack)
				j.saved = append(j.saved, state)
				next = s.at + every
			}
		}
	})
	if known, ok := j.long.At(at); ok {
		return known.name, known.start, known.end
	}
	n, _ := slices.BinarySearchFunc(j.saved, at, func(s jsonScan, at int) int { return s.at - at - 1 })
	if n == 0 {
		return "", 0, 0
	}
	s := j.saved[n-1]
	s.stack = slices.Clone(s.stack)
	s.start, s.end = 0, 0
	for s.at <= at && s.at < len(s.text) {
		s.next()
	}
	if at >= s.start && at < s.end {
		start, end = s.start, s.end
	}
	name = s.path()
	if end-start > every {
		j.long.Keep(start, end, namedPlace{name, start, end})
	}
	return name, start, end
}

// namedPlace is what a syntax says of a literal.
type namedPlace struct {
	name       string
	start, end int
}

func (s *jsonScan) path() string {
	var b strings.Builder
	b.WriteByte('$')
	for _, l := range s.stack {
		if b.Len() > maxSection {
			break
		}
		switch {
		case l.array:
			b.WriteString("[" + strconv.Itoa(int(l.index)) + "]")
		case l.named:
			key := clipBytes(s.text[l.start:l.end], 60)
			if isName(key) {
				b.WriteString("." + key)
			} else {
				b.WriteString("['" + key + "']")
			}
		}
	}
	return b.String()
}

// isName reports whether a key needs no quotes.
func isName(key string) bool {
	for i, r := range key {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return key != ""
}

// settings finds keys with a scalar value.
func (j *jsonText) settings(names []string, visit func(reading.Setting)) {
	s := jsonScan{text: j.text}
	wanted := ""
	for s.at < len(s.text) {
		c := s.text[s.at]
		switch {
		case !s.next():
			if c == '{' || c == '[' || c == ',' {
				wanted = ""
			}
		case s.isKey:
			wanted = among(names, s.text[s.start:s.end])
		case wanted != "":
			value := string(s.text[s.start:s.end])
			if s.quoted {
				value = unescape(value)
			}
			visit(reading.Setting{Name: wanted, Value: value, Known: true, Start: s.start, End: s.end})
			wanted = ""
		}
	}
}

// among returns the name that a key is, "" where it is none.
func among(names []string, key []byte) string {
	for _, name := range names {
		if string(key) == name {
			return name
		}
	}
	return ""
}

// unescape resolves the escapes of a text as C, Java and JSON have them.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return string(appendUnescaped(nil, []byte(s)))
}

func appendUnescaped(out, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'x':
			r, size := hexRune(s[i+1:], 2)
			if size == 0 {
				r = 'x'
			}
			out, i = utf8.AppendRune(out, r), i+size
		case 'u':
			r, size := escapedRune(s[i+1:])
			out, i = utf8.AppendRune(out, r), i+size
		default:
			out = append(out, s[i])
		}
	}
	return out
}

// escapedRune reads what follows \u: four digits, a pair of them, or digits in braces.
func escapedRune(s []byte) (r rune, size int) {
	if len(s) > 2 && s[0] == '{' {
		if n := bytes.IndexByte(s[:min(len(s), 10)], '}'); n > 1 {
			if r, size := hexRune(s[1:], n-1); size > 0 {
				return r, n + 1
			}
		}
		return 'u', 0
	}
	if r, size = hexRune(s, 4); size == 0 {
		return 'u', 0
	}
	if utf16.IsSurrogate(r) && len(s) >= 10 && s[4] == '\\' && s[5] == 'u' {
		if low, ok := hexRune(s[6:], 4); ok > 0 {
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				return both, 10
			}
		}
	}
	return r, size
}

// hexRune reads n hexadecimal digits; size is 0 where they lack.
func hexRune(s []byte, n int) (r rune, size int) {
	if len(s) < n {
		return 0, 0
	}
	v, err := strconv.ParseUint(string(s[:n]), 16, 31)
	if err != nil {
		return 0, 0
	}
	return rune(v), n
}
