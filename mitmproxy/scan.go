package mitmproxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// The types of netstrings, the letters behind them.
const (
	kindBytes = ','
	kindText  = ';'
	kindInt   = '#'
	kindFloat = '^'
	kindBool  = '!'
	kindNull  = '~'
	kindList  = ']'
	kindDict  = '}'
)

// maxLengthDigits is how many digits mitmproxy reads before it gives up on a length.
const maxLengthDigits = 12

// scanner passes typed netstrings. The type stands behind the value, so a reader
// has to know what to expect: dict and list pass the members of what ought to be
// one, and say afterwards what it was. Every value lies within its parent, which is
// where the end parameters come from; nothing is allocated by a length alone.
type scanner struct {
	r   *bufio.Reader
	off int64  // bytes passed
	buf []byte // the last scalar
}

func newScanner(r io.Reader) *scanner { return &scanner{r: bufio.NewReaderSize(r, 64<<10)} }

// fail returns damage at the place that was reached.
func (s *scanner) fail(format string, args ...any) *Error {
	return &Error{Offset: s.off, Message: fmt.Sprintf(format, args...)}
}

// misfit returns damage at the byte that was just passed.
func (s *scanner) misfit(format string, c byte) *Error {
	e := s.fail(format, c)
	e.Offset--
	return e
}

const endsEarly = "the file ends in the middle of this flow"

// broken returns the error for a file that ended, or could not be read further.
func (s *scanner) broken(err error) *Error {
	e := s.fail(endsEarly)
	e.fatal = true
	if err != io.EOF {
		e.Message, e.Err = "the file cannot be read further", err
		return e
	}
	e.hint = "whatever wrote the file was stopped or its disk was full; the flows before this one are whole"
	return e
}

func (s *scanner) byte() (byte, error) {
	c, err := s.r.ReadByte()
	if err != nil {
		return 0, s.broken(err)
	}
	s.off++
	return c, nil
}

// open passes the length of a value that has to end, with its type, before end, and
// returns where its payload ends.
func (s *scanner) open(end int64) (int64, error) {
	var n int64
	for digits := 0; ; digits++ {
		if s.off >= end {
			return 0, s.fail("expected the length of a value, found the end of what it stands in")
		}
		c, err := s.byte()
		if err != nil {
			return 0, err
		}
		if c == ':' && digits > 0 {
			break
		}
		if c < '0' || c > '9' || digits == maxLengthDigits {
			return 0, s.misfit("expected the length of a value, found %q", c)
		}
		n = n*10 + int64(c-'0')
	}
	if n >= end-s.off {
		return 0, s.fail("a value of %d bytes does not fit into the %d that are left of what it stands in", n, max(end-s.off-1, 0))
	}
	return s.off + n, nil
}

// close passes what is left of a value and returns its type.
func (s *scanner) close(end int64) (byte, error) {
	const step = 1 << 30 // fits an int everywhere
	for s.off < end {
		n, err := s.r.Discard(int(min(end-s.off, step)))
		s.off += int64(n)
		if err != nil {
			return 0, s.broken(err)
		}
	}
	kind, err := s.byte()
	if err != nil {
		return 0, err
	}
	switch kind {
	case kindBytes, kindText, kindInt, kindFloat, kindBool, kindNull, kindList, kindDict:
		return kind, nil
	}
	return 0, s.misfit("expected the type of a value, one of , ; # ^ ! ~ ] }, found %q", kind)
}

// value is a value as it was passed.
type value struct {
	kind byte
	data []byte // its first bytes, valid until the next read
	size int64  // of the whole
}

// whole reports whether data is all of the value.
func (v value) whole() bool { return int64(len(v.data)) == v.size }

// value passes any value and keeps its first bytes, as many as limit says.
func (s *scanner) value(end, limit int64) (value, error) {
	stop, err := s.open(end)
	if err != nil {
		return value{}, err
	}
	size := stop - s.off
	keep := min(size, limit)
	s.buf = s.buf[:0]
	for int64(len(s.buf)) < keep { // grows with what is there, not with what was claimed
		part := min(keep-int64(len(s.buf)), 64<<10)
		window, err := s.r.Peek(int(part))
		if err != nil {
			s.off += int64(len(window))
			return value{}, s.broken(err)
		}
		s.buf = append(s.buf, window...)
		n, _ := s.r.Discard(len(window)) // they were peeked
		s.off += int64(n)
	}
	kind, err := s.close(stop)
	return value{kind: kind, data: s.buf, size: size}, err
}

// skip passes any value.
func (s *scanner) skip(end int64) error {
	_, err := s.value(end, 0)
	return err
}

// maxName is how much of a member's name is kept; no name that is known is longer.
const maxName = 64

// dict passes a value and calls member for each member while it looks like a dict;
// member passes the member's value. It reports whether the value was one.
func (s *scanner) dict(end int64, member func(name string, end int64) error) (bool, error) {
	return s.sequence(end, kindDict, func(end int64) error { return s.member(end, member) })
}

// member passes one member of a dict.
func (s *scanner) member(end int64, member func(name string, end int64) error) error {
	name, err := s.value(end, maxName)
	if err != nil {
		return err
	}
	if name.kind != kindText && name.kind != kindBytes {
		return s.fail("expected a member of a dict to have a name, found one of type %q", name.kind)
	}
	return member(string(name.data), end)
}

// list passes a value and calls element for each element while it looks like a list;
// element passes it. It reports whether the value was one.
func (s *scanner) list(end int64, element func(end int64) error) (bool, error) {
	return s.sequence(end, kindList, element)
}

// sequence passes a value as a row of others. Only damage inside a value that is
// what it should be is damage: a byte string where a dict was expected is not.
func (s *scanner) sequence(end int64, kind byte, each func(end int64) error) (bool, error) {
	stop, err := s.open(end)
	if err != nil {
		return false, err
	}
	var inside error
	for s.off < stop && inside == nil {
		inside = each(stop)
	}
	if beyondRepair(inside) {
		return false, inside
	}
	found, err := s.close(stop)
	if err != nil || found != kind {
		return false, err
	}
	return true, inside
}

// beyondRepair reports whether nothing can be read behind an error.
func beyondRepair(err error) bool {
	var damage *Error
	return err != nil && !(errors.As(err, &damage) && !damage.fatal)
}
