package har

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// plain marks the bytes of a string that stand for themselves.
var plain = func() (table [256]bool) {
	for c := range table {
		table[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return
}()

// str passes a string. It returns the first limit bytes of its decoded form,
// valid until the next read, and the size of the whole. Invalid UTF-8 stays as it
// is. A lone surrogate from U+DC80 to U+DCFF becomes the byte that it stands for:
// so Python, and mitmproxy with it, write bytes that are no UTF-8 (PEP 383); any
// other lone surrogate becomes U+FFFD. The last two bytes are left in s.tail.
func (s *scanner) str(limit int) ([]byte, int64, error) {
	s.pos++ // the quote
	window := s.buf[s.pos:]
	i := plainRun(window)
	if i == len(window) || window[i] != '"' {
		return s.longString(limit)
	}
	s.pos += i + 1
	if i >= 2 {
		s.tail = [2]byte{window[i-2], window[i-1]}
	}
	return window[:min(i, limit)], int64(i), nil
}

// longString is str for strings with escapes or across the window's end.
func (s *scanner) longString(limit int) ([]byte, int64, error) {
	s.text = s.text[:0]
	var size int64
	for {
		if !s.more(1) {
			return nil, 0, s.unexpected("the end of a string")
		}
		if len(s.text) >= limit {
			size += s.pass()
		}
		window := s.buf[s.pos:]
		n := plainRun(window)
		size += s.add(window[:n], limit)
		s.pos += n
		if n == len(window) {
			continue
		}
		switch c := window[n]; c {
		case '"':
			s.pos++
			return s.text, size, nil
		case '\\':
			var short [utf8.UTFMax]byte
			decoded, err := s.escape(short[:0])
			if err != nil {
				return nil, 0, err
			}
			size += s.add(decoded, limit)
		default:
			return nil, 0, s.unexpected("a character of a string (control characters are written as escapes)")
		}
	}
}

// pass passes what of the window is plain or a short escape, where nothing of it is
// kept, and returns the size of its decoded form. Most of a HAR is such text.
func (s *scanner) pass() (size int64) {
	window := s.buf[s.pos:]
	n := 0
	for {
		run := plainRun(window[n:])
		size += s.add(window[n:n+run], 0)
		n += run
		if n+1 >= len(window) || window[n] != '\\' || escapes[window[n+1]] == 0 {
			break
		}
		s.tail = [2]byte{s.tail[1], escapes[window[n+1]]}
		size++
		n += 2
	}
	s.pos += n
	return size
}

// plainRun returns how many bytes from the start of b stand for themselves. It looks
// at eight at a time: a byte below a space, a quote or a backslash sets the highest
// bit of its place in the sums ("Bit Twiddling Hacks", S. E. Anderson, determining if a
// word has a byte less than n, or equal to n). A carry may set that of a byte behind one,
// never before, so that the first one is right.
func plainRun(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; n+8 <= len(b); n += 8 {
		word := binary.LittleEndian.Uint64(b[n:])
		quote, slash := word^ones*'"', word^ones*'\\'
		special := ((word-ones*' ')&^word | (quote-ones)&^quote | (slash-ones)&^slash) & highs
		if special != 0 {
			return n + bits.TrailingZeros64(special)/8
		}
	}
	for n < len(b) && plain[b[n]] {
		n++
	}
	return n
}

// add appends decoded bytes as far as the limit goes.
func (s *scanner) add(b []byte, limit int) int64 {
	if room := limit - len(s.text); room > 0 {
		s.text = append(s.text, b[:min(len(b), room)]...)
	}
	switch n := len(b); {
	case n >= 2:
		s.tail = [2]byte{b[n-2], b[n-1]}
	case n == 1:
		s.tail = [2]byte{s.tail[1], b[0]}
	}
	return int64(len(b))
}

// escapes maps the letter of a short escape to what it stands for.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape passes one escape sequence, or two that make one character, and appends
// what it stands for.
func (s *scanner) escape(to []byte) ([]byte, error) {
	if !s.more(2) {
		s.pos = len(s.buf)
		return nil, s.unexpected("the rest of an escape")
	}
	c := s.buf[s.pos+1]
	if c != 'u' {
		if escapes[c] == 0 {
			s.pos++
			return nil, s.unexpected(`an escape (one of "\/bfnrtu)`)
		}
		s.pos += 2
		return append(to, escapes[c]), nil
	}
	r, ok := s.hex(2)
	if !ok {
		s.pos = min(s.pos+2, len(s.buf))
		return nil, s.unexpected("four hexadecimal digits")
	}
	s.pos += 6
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(to, r), nil
	}
	if s.more(6) && s.buf[s.pos] == '\\' && s.buf[s.pos+1] == 'u' {
		if low, ok := s.hex(2); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				s.pos += 6
				return utf8.AppendRune(to, pair), nil
			}
		}
	}
	if r >= 0xdc80 && r <= 0xdcff {
		return append(to, byte(r)), nil
	}
	return utf8.AppendRune(to, utf8.RuneError), nil
}

// hex reads four hexadecimal digits that begin n bytes on.
func (s *scanner) hex(n int) (rune, bool) {
	if !s.more(n + 4) {
		return 0, false
	}
	var r rune
	for _, c := range s.buf[s.pos+n : s.pos+n+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
