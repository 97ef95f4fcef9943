package har

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxDepth bounds nesting, as encoding/json does.
const maxDepth = 10_000

// windowSize is how much of the file is in memory at a time.
const windowSize = 64 << 10

// scanner reads JSON (RFC 8259) from a stream, forward only, in memory that does
// not depend on the input: a string of a gigabyte is measured and cut, never
// held. It differs from encoding/json/jsontext, against which it is tested, in
// that it knows lines, keeps the bytes that lone surrogates stand for, and does
// not mind invalid UTF-8 or duplicate names.
//
// Its errors stick: after the first, every method returns it.
type scanner struct {
	r          io.Reader
	buf        []byte // the window; buf[pos:] is unread
	pos        int
	base       int64 // offset of buf[0]
	line       int   // 1-based line of buf[pos]
	lineStart  int64 // offset of the line's first byte
	depth      int
	readErr    error // why no more can be read; io.EOF at the end
	err        *Error
	text       []byte // decoded form of the string read last
	name       []byte // of the member read last
	tail       [2]byte
	keeping    bool   // the bytes that are passed go to kept
	keepFrom   int    // where in buf they start
	kept       []byte // see raw
	keptBudget int
}

// start is the offset of the first byte of r, where something was cut off.
func newScanner(r io.Reader, start int64) *scanner {
	return &scanner{r: r, buf: make([]byte, 0, windowSize), base: start, line: 1}
}

func (s *scanner) offset() int64 { return s.base + int64(s.pos) }

// more makes sure that n bytes are unread in the window, n being small, and
// reports whether the input has them.
func (s *scanner) more(n int) bool {
	for len(s.buf)-s.pos < n {
		if s.readErr != nil {
			return false
		}
		if s.keeping {
			s.keep()
			s.keepFrom = 0
		}
		s.base += int64(s.pos)
		rest := copy(s.buf[:cap(s.buf)], s.buf[s.pos:])
		s.pos = 0
		read, err := s.r.Read(s.buf[rest:cap(s.buf)])
		s.buf, s.readErr = s.buf[:rest+read], err
	}
	return true
}

// keep appends what was passed since keepFrom, as far as the budget goes.
func (s *scanner) keep() {
	passed := s.buf[s.keepFrom:s.pos]
	s.kept = append(s.kept, passed[:min(len(passed), max(s.keptBudget, 0))]...)
	s.keptBudget -= len(passed)
	s.keepFrom = s.pos
}

// fail records that something else was expected at the current place.
func (s *scanner) fail(format string, args ...any) error {
	if s.err != nil {
		return s.err
	}
	s.err = &Error{Line: s.line, Column: int(s.offset()-s.lineStart) + 1, Offset: s.offset(), Message: fmt.Sprintf(format, args...)}
	return s.err
}

// unexpected fails at the current byte, or at the end of the input.
func (s *scanner) unexpected(expected string) error {
	if s.err != nil {
		return s.err
	}
	if s.more(1) {
		return s.fail("expected %s, found %s", expected, s.found())
	}
	if s.readErr == nil || s.readErr == io.EOF {
		return s.fail("the file ends here, expected %s", expected)
	}
	cause := s.readErr
	if errors.Is(cause, io.ErrUnexpectedEOF) {
		_ = s.fail("the compressed data ends early, expected %s", expected)
		return s.err
	}
	_ = s.fail("cannot read on, expected %s", expected)
	s.err.Err = cause
	return s.err
}

// found describes what stands at the current place in a few words.
func (s *scanner) found() string {
	s.more(9)
	rest := s.buf[s.pos:]
	for _, word := range []string{"NaN", "Infinity", "-Infinity", "undefined"} {
		if strings.HasPrefix(string(rest), word) {
			return word + ", which JSON does not have"
		}
	}
	if c := rest[0]; c < ' ' || c > '~' {
		return fmt.Sprintf("the byte 0x%02x", c)
	}
	return fmt.Sprintf("%q", rest[0])
}

// space passes white space and counts lines. It reports false at the end.
func (s *scanner) space() bool {
	for {
		for i, c := range s.buf[s.pos:] {
			switch c {
			case '\n':
				s.line++
				s.lineStart = s.base + int64(s.pos+i) + 1
			case ' ', '\t', '\r':
			default:
				s.pos += i
				return true
			}
		}
		s.pos = len(s.buf)
		if !s.more(1) {
			return false
		}
	}
}

// The kinds of values, as their first byte.
const (
	kindObject = '{'
	kindArray  = '['
	kindString = '"'
	kindNumber = '0'
	kindTrue   = 't'
	kindFalse  = 'f'
	kindNull   = 'n'
)

// kind returns the kind of the next value without passing it. 0 means that there
// is no value: the next call fails.
func (s *scanner) kind() byte {
	if s.err != nil || !s.space() {
		return 0
	}
	switch c := s.buf[s.pos]; c {
	case '{', '[', '"', 't', 'f', 'n':
		return c
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return kindNumber
	}
	return 0
}

// object calls member for each member with its name, cut at maxName and valid
// until the next read; member has to pass the value.
func (s *scanner) object(member func(name []byte) error) error {
	if err := s.open('{', "an object"); err != nil {
		return err
	}
	for first := true; ; first = false {
		if !s.space() {
			return s.unexpected(`"}" or a further member of the object`)
		}
		c := s.buf[s.pos]
		if c == '}' && first {
			break
		}
		if !first {
			if c == '}' {
				break
			}
			if c != ',' {
				return s.unexpected(`"," or "}"`)
			}
			s.pos++
			if !s.space() {
				return s.unexpected("a member name in quotes")
			}
		}
		if s.buf[s.pos] != '"' {
			return s.unexpected("a member name in quotes")
		}
		name, _, err := s.str(maxName)
		if err != nil {
			return err
		}
		s.name = append(s.name[:0], name...) // the window may move before the colon
		if !s.space() || s.buf[s.pos] != ':' {
			return s.unexpected(`":" after the member name`)
		}
		s.pos++
		if err := member(s.name); err != nil {
			return err
		}
	}
	s.pos++
	s.depth--
	return nil
}

// maxName is more than the longest member name that anything here looks for.
const maxName = 128

// array calls element for each element, which has to pass it.
func (s *scanner) array(element func() error) error {
	if err := s.open('[', "an array"); err != nil {
		return err
	}
	for first := true; ; first = false {
		if !s.space() {
			return s.unexpected(`"]" or a further element of the array`)
		}
		c := s.buf[s.pos]
		if c == ']' {
			break
		}
		if !first {
			if c != ',' {
				return s.unexpected(`"," or "]"`)
			}
			s.pos++
		}
		if err := element(); err != nil {
			return err
		}
	}
	s.pos++
	s.depth--
	return nil
}

func (s *scanner) open(bracket byte, what string) error {
	if s.err != nil {
		return s.err
	}
	if !s.space() || s.buf[s.pos] != bracket {
		return s.unexpected(what)
	}
	if s.depth++; s.depth > maxDepth {
		return s.fail("nested deeper than %d levels", maxDepth)
	}
	s.pos++
	return nil
}

// skip passes one value of any kind.
func (s *scanner) skip() error {
	switch s.kind() {
	case kindObject:
		return s.object(func([]byte) error { return s.skip() })
	case kindArray:
		return s.array(s.skip)
	case kindString:
		_, _, err := s.str(0)
		return err
	}
	_, err := s.scalar()
	return err
}

// scalar passes a number, true, false or null and returns its spelling, valid
// until the next read.
func (s *scanner) scalar() ([]byte, error) {
	switch s.kind() {
	case kindNumber:
		return s.number()
	case kindTrue:
		return s.literal("true")
	case kindFalse:
		return s.literal("false")
	case kindNull:
		return s.literal("null")
	}
	return nil, s.unexpected("a value")
}

func (s *scanner) literal(word string) ([]byte, error) {
	s.more(len(word))
	for i := 0; i < len(word); i++ {
		if s.pos+i >= len(s.buf) || s.buf[s.pos+i] != word[i] {
			s.pos = min(s.pos+i, len(s.buf))
			return nil, s.unexpected("the rest of " + word)
		}
	}
	s.pos += len(word)
	return []byte(word), nil
}

// maxNumber bounds the digits of a number that are returned; the rest, which no
// float64 could hold, is passed.
const maxNumber = 400

// number passes a number (RFC 8259, 6).
func (s *scanner) number() ([]byte, error) {
	s.text = s.text[:0]
	s.accept("-")
	switch {
	case s.accept("0"):
	case !s.digits():
		return nil, s.unexpected("a digit")
	}
	if s.accept(".") && !s.digits() {
		return nil, s.unexpected("a digit")
	}
	if s.accept("eE") {
		s.accept("+-")
		if !s.digits() {
			return nil, s.unexpected("a digit")
		}
	}
	return s.text, nil
}

// accept passes one byte if it is one of set.
func (s *scanner) accept(set string) bool {
	if !s.more(1) || strings.IndexByte(set, s.buf[s.pos]) < 0 {
		return false
	}
	if len(s.text) < maxNumber {
		s.text = append(s.text, s.buf[s.pos])
	}
	s.pos++
	return true
}

// digits passes the digits that follow and reports whether there are any.
func (s *scanner) digits() bool {
	some := false
	for {
		n := s.pos
		for n < len(s.buf) && s.buf[n] >= '0' && s.buf[n] <= '9' {
			n++
		}
		digits := s.buf[s.pos:n]
		s.text = append(s.text, digits[:min(len(digits), maxNumber-min(len(s.text), maxNumber))]...)
		some = some || len(digits) > 0
		s.pos = n
		if n < len(s.buf) || !s.more(1) {
			return some
		}
	}
}

// raw passes one value and returns its bytes as they stand in the file, or nil
// when it is longer than limit. The result is the caller's.
func (s *scanner) raw(limit int) ([]byte, error) {
	if s.kind() == 0 {
		return nil, s.unexpected("a value")
	}
	s.keeping, s.keepFrom, s.kept, s.keptBudget = true, s.pos, nil, limit
	err := s.skip()
	s.keep()
	s.keeping = false
	if err != nil || s.keptBudget < 0 {
		return nil, err
	}
	return s.kept, nil
}

// end makes sure that nothing but white space follows, and that the input can be
// read to its end: where it was packed, a checksum stands there.
func (s *scanner) end() error {
	if s.err != nil {
		return s.err
	}
	if s.space() || s.readErr != io.EOF {
		return s.unexpected("the end of the file")
	}
	return nil
}
