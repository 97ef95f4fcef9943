package dex

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// stringBounds is where the characters of a string stand in data. An id that is not in the table
// has an empty one.
func (p *part) stringBounds(id uint32) (start, end int) {
	at, ok := p.strings.row(id)
	if !ok {
		return 0, 0
	}
	units, start, ok := uleb(p.data, int(u32(p.data, at)))
	if !ok {
		return 0, 0
	}
	// A UTF-16 unit takes up to three bytes, then a zero follows. The count is only a bound.
	end = int(min(int64(len(p.data)), int64(start)+3*int64(units)))
	if i := bytes.IndexByte(p.data[start:end], 0); i >= 0 {
		end = start + i
	}
	return start, end
}

// shortText reports whether a string may be short enough for a sibling, without looking for its end.
func (p *part) shortText(id uint32) bool {
	at, ok := p.strings.row(id)
	if !ok {
		return false
	}
	units, _, ok := uleb(p.data, int(u32(p.data, at)))
	return ok && units <= maxSibling
}

// text is a string in UTF-8.
func (p *part) text(id uint32) string {
	start, end := p.stringBounds(id)
	if value := p.data[start:end]; !ascii(value) {
		return string(appendUTF8(nil, value))
	}
	return string(p.data[start:end])
}

// ascii reports whether bytes are the same in MUTF-8 and ASCII.
func ascii(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&0x8080808080808080 != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// appendUTF8 decodes MUTF-8: a zero is 0xC0 0x80, and characters beyond U+FFFF are two
// surrogates of three bytes each. What is neither becomes U+FFFD.
func appendUTF8(dst, b []byte) []byte {
	for len(b) > 0 {
		unit, n := mutf8Unit(b)
		b = b[n:]
		if utf16.IsSurrogate(unit) && len(b) > 0 {
			if low, m := mutf8Unit(b); utf16.DecodeRune(unit, low) != utf8.RuneError {
				unit, b = utf16.DecodeRune(unit, low), b[m:]
			}
		}
		dst = utf8.AppendRune(dst, unit)
	}
	return dst
}

// mutf8Unit reads one UTF-16 unit from b, which is not empty.
func mutf8Unit(b []byte) (unit rune, n int) {
	next := func(i int) (rune, bool) {
		if i < len(b) && b[i]&0xc0 == 0x80 {
			return rune(b[i] & 0x3f), true
		}
		return 0, false
	}
	switch c := b[0]; {
	case c < 0x80:
		return rune(c), 1
	case c&0xe0 == 0xc0:
		if x, ok := next(1); ok {
			return rune(c&0x1f)<<6 | x, 2
		}
	case c&0xf0 == 0xe0:
		x, ok1 := next(1)
		y, ok2 := next(2)
		if ok1 && ok2 {
			return rune(c&0x0f)<<12 | x<<6 | y, 3
		}
	}
	return utf8.RuneError, 1
}

// orderStrings gives the ids by where their strings are.
func (p *part) orderStrings() []uint32 {
	ids := make([]uint32, p.strings.n)
	for i := range ids {
		ids[i] = uint32(i)
	}
	slices.SortFunc(ids, func(a, b uint32) int { return p.stringOffset(a) - p.stringOffset(b) })
	return ids
}

func (p *part) stringOffset(id uint32) int { return int(u32(p.data, p.strings.off+4*int(id))) }

// stringAt finds the string that holds the byte at an offset in data.
func (p *part) stringAt(at int) (id uint32, ok bool) {
	ids := p.ordered()
	i, found := slices.BinarySearchFunc(ids, at, func(id uint32, at int) int { return p.stringOffset(id) - at })
	if !found {
		i--
	}
	if i < 0 {
		return 0, false
	}
	start, end := p.stringBounds(ids[i])
	return ids[i], at >= start && at < end
}
