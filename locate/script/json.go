package script

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// A scanner walks over JSON (RFC 8259) without decoding it: a source map is mostly the text of
// its sources, of which one line is asked for.
type scanner struct {
	src []byte
	pos int
}

// fail says what was expected, and where.
func (s *scanner) fail(want string) error {
	if s.pos >= len(s.src) {
		return fmt.Errorf("ends at byte %d, where %s was expected", len(s.src), want)
	}
	return fmt.Errorf("%q at byte %d, where %s was expected", s.src[s.pos], s.pos, want)
}

// peek returns the next byte that is no space, 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// expect takes one byte.
func (s *scanner) expect(c byte) error {
	if s.peek() != c {
		return s.fail(fmt.Sprintf("%q", c))
	}
	s.pos++
	return nil
}

// text takes a string, and returns what stands between its quotes.
func (s *scanner) text() (span, error) {
	if err := s.expect('"'); err != nil {
		return span{}, err
	}
	start := s.pos
	for s.pos < len(s.src) {
		i := bytes.IndexByte(s.src[s.pos:], '"')
		if i < 0 {
			break
		}
		s.pos += i + 1
		slashes := 0
		for k := s.pos - 2; k >= start && s.src[k] == '\\'; k-- {
			slashes++
		}
		if slashes%2 == 0 {
			return span{int32(start), int32(s.pos - 1)}, nil
		}
	}
	s.pos = len(s.src)
	return span{}, s.fail("the end of a string")
}

// skip takes any value.
func (s *scanner) skip() error {
	depth := 0
	for {
		switch c := s.peek(); c {
		case 0:
			return s.fail("a value")
		case '"':
			if _, err := s.text(); err != nil {
				return err
			}
		case '{', '[':
			depth++
			s.pos++
			continue
		case '}', ']':
			depth--
			s.pos++
		case ',', ':':
			s.pos++
			if depth == 0 {
				s.pos--
				return s.fail("a value")
			}
			continue
		default:
			start := s.pos
			for s.pos < len(s.src) && classes[s.src[s.pos]] != isSpace && !bytes.ContainsRune([]byte(`,:{}[]"`), rune(s.src[s.pos])) {
				s.pos++
			}
			if s.pos == start {
				return s.fail("a value")
			}
		}
		if depth <= 0 {
			if depth < 0 {
				return s.fail("a value")
			}
			return nil
		}
	}
}

// object calls visit for each member of an object, which takes its value.
func (s *scanner) object(visit func(key string) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	for {
		key, err := s.text()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := visit(string(s.src[key.start:key.end])); err != nil {
			return err
		}
		if s.peek() == ',' {
			s.pos++
			continue
		}
		return s.expect('}')
	}
}

// array calls visit for each element of an array, which takes it. null is an empty array.
func (s *scanner) array(visit func() error) error {
	if s.peek() == 'n' {
		return s.skip()
	}
	if err := s.expect('['); err != nil {
		return err
	}
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		if err := visit(); err != nil {
			return err
		}
		if s.peek() == ',' {
			s.pos++
			continue
		}
		return s.expect(']')
	}
}

// texts takes an array of strings. What is no string, null most often, is an empty span.
func (s *scanner) texts() ([]span, error) {
	var spans []span
	err := s.array(func() error {
		if s.peek() != '"' {
			spans = append(spans, span{})
			return s.skip()
		}
		t, err := s.text()
		spans = append(spans, t)
		return err
	})
	return spans, err
}

// number takes a whole number; 0 for anything else.
func (s *scanner) number() (int, error) {
	s.peek()
	start := s.pos
	if err := s.skip(); err != nil {
		return 0, err
	}
	return whole(s.src[start:s.pos]), nil
}

// whole returns a whole number of 31 bits, 0 for any other text.
func whole(text []byte) int {
	n, err := strconv.ParseInt(string(text[:min(len(text), 12)]), 10, 32)
	if err != nil {
		return 0
	}
	return int(n)
}

// unquoted returns what a string of JSON means, given what stands between its quotes.
func unquoted(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw)
	}
	quoted := make([]byte, 0, len(raw)+2)
	quoted = append(append(append(quoted, '"'), raw...), '"')
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return string(raw)
	}
	return text
}

// maybeText takes a string and returns what it means; "" for anything else.
func (s *scanner) maybeText() (string, error) {
	if s.peek() != '"' {
		return "", s.skip()
	}
	t, err := s.text()
	return unquoted(s.src[t.start:t.end]), err
}

// values takes an array, and returns where its elements are.
func (s *scanner) values() ([]span, error) {
	var spans []span
	err := s.array(func() error {
		s.peek()
		start := s.pos
		err := s.skip()
		spans = append(spans, span{int32(start), int32(s.pos)})
		return err
	})
	return spans, err
}
