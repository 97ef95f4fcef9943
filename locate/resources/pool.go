package resources

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"telltale/locate/reading"
)

// The chunks that Android's compiled resources are made of (ResourceTypes.h of the Android
// Open Source Project, from where all that is known of them here comes).
const (
	chunkPool        = 0x0001
	chunkTable       = 0x0002
	chunkXML         = 0x0003
	chunkNamespace   = 0x0100
	chunkElement     = 0x0102
	chunkElementEnd  = 0x0103
	chunkText        = 0x0104
	chunkLastXML     = 0x017f
	chunkResourceIDs = 0x0180
	chunkPackage     = 0x0200
	chunkType        = 0x0201

	chunkHeader = 8 // bytes: type, size of the header, size of all
	noString    = 0xffffffff
)

// chunk is a header: what it says, and what of it can be true.
type chunk struct {
	kind   int
	at     int // in the file
	header int // bytes
	end    int // in the file, at most the end of what holds the chunk
}

// chunkAt reads the header at an offset; ok is false where it does not fit before end, or
// would not lead on.
func chunkAt(data []byte, at, end int) (c chunk, ok bool) {
	if at < 0 || at > end-chunkHeader || end > len(data) {
		return c, false
	}
	size := int64(u32(data, at+4))
	c = chunk{kind: u16(data, at), at: at, header: u16(data, at+2), end: end}
	if size < chunkHeader || int64(c.header) > size {
		return c, false
	}
	if size < int64(end-at) {
		c.end = at + int(size)
	}
	return c, true
}

func u16(data []byte, at int) int    { return int(binary.LittleEndian.Uint16(data[at:])) }
func u32(data []byte, at int) uint32 { return binary.LittleEndian.Uint32(data[at:]) }

// pool is a table of strings (ResStringPool_header). Its strings are read where they are
// asked for.
type pool struct {
	data    []byte // the file
	count   int
	offsets int // in the file, of the table
	first   int // in the file, of the strings
	end     int // in the file, behind the strings
	utf8    bool
	sort    sync.Once
	sorted  []int32 // the numbers by where their strings stand
	texts   map[uint32]string
	left    int // bytes of text that may still be taken out of it
	last    reading.Last[string]
}

// unfolds bounds how many times its size the strings of a file may add up to: several may share bytes.
const unfolds = 8

// readPool reads the head of a pool. It tolerates what Android does: a count that
// reaches into the strings, a longer header, styles that are elsewhere.
func readPool(data []byte, c chunk) (*pool, error) {
	const least = 28
	if c.end-c.at < least {
		return nil, fmt.Errorf("the string pool at 0x%x has %d bytes, expected at least %d", c.at, c.end-c.at, least)
	}
	count, styles := u32(data, c.at+8), u32(data, c.at+12)
	starts, stylesStart := int64(u32(data, c.at+20)), int64(u32(data, c.at+24))
	p := &pool{data: data, offsets: c.at + max(c.header, chunkHeader), end: c.end,
		utf8: u32(data, c.at+16)&(1<<8) != 0}
	p.left = p.most()
	if c.header < least {
		p.offsets = c.at + least
	}
	size := int64(c.end - c.at)
	if count > 0 && starts >= size {
		return nil, fmt.Errorf("the string pool at 0x%x says that its strings start at 0x%x, behind its end (0x%x)", c.at, starts, size)
	}
	p.first = c.at + int(min(starts, size))
	if styles > 0 && stylesStart > starts && stylesStart < size {
		p.end = c.at + int(stylesStart)
	}
	p.count = int(min(int64(count), int64(max(c.end-p.offsets, 0)/4)))
	if int64(p.count) < int64(count) {
		return nil, fmt.Errorf("the string pool at 0x%x says that it has %d strings, there is room for %d", c.at, count, p.count)
	}
	return p, nil
}

// span returns where the bytes of a string stand, without lengths and end.
func (p *pool) span(i uint32) (start, end int, ok bool) {
	if uint64(i) >= uint64(p.count) {
		return 0, 0, false
	}
	at := int64(p.first) + int64(u32(p.data, p.offsets+4*int(i)))
	if at >= int64(p.end)-1 {
		return 0, 0, false
	}
	if p.utf8 {
		start, end, ok = p.span8(int(at))
	} else {
		start, end, ok = p.span16(int(at))
	}
	if !ok {
		return 0, 0, false
	}
	return start, end, true
}

// span8 reads the two lengths of a string in UTF-8, in UTF-16 units and in bytes.
func (p *pool) span8(at int) (start, end int, ok bool) {
	length := 0
	for range 2 {
		if at >= p.end {
			return 0, 0, false
		}
		length = int(p.data[at])
		at++
		if length&0x80 != 0 {
			if at >= p.end {
				return 0, 0, false
			}
			length = length&0x7f<<8 | int(p.data[at])
			at++
		}
	}
	// Fifteen bits do not hold the length of a long string; Android looks for its end.
	for n := length; at+n < p.end; n += 1 << 15 {
		if p.data[at+n] == 0 {
			return at, at + n, true
		}
	}
	return at, at + length, at+length <= p.end
}

func (p *pool) span16(at int) (start, end int, ok bool) {
	length := u16(p.data, at)
	at += 2
	if length&0x8000 != 0 {
		if at > p.end-2 {
			return 0, 0, false
		}
		length = length&0x7fff<<16 | u16(p.data, at)
		at += 2
	}
	return at, at + 2*length, at+2*length <= p.end
}

// decode returns a string in UTF-8: the bytes of the file where they are that, else in buf.
func (p *pool) decode(start, end int, buf []byte) []byte {
	raw := p.data[start:end]
	if p.utf8 {
		if bytes.IndexByte(raw, 0xed) < 0 { // first of a surrogate
			return raw
		}
		return appendModified(buf[:0], raw)
	}
	buf = buf[:0]
	for i := 0; i < len(raw); i += 2 {
		r := rune(u16(raw, i))
		switch {
		case r < utf8.RuneSelf:
			buf = append(buf, byte(r))
			continue
		case utf16.IsSurrogate(r):
			second := rune(0)
			if i+3 < len(raw) {
				second = rune(u16(raw, i+2))
			}
			if r = utf16.DecodeRune(r, second); r != utf8.RuneError {
				i += 2
			}
		}
		buf = utf8.AppendRune(buf, r)
	}
	return buf
}

// literal returns a string in UTF-8, the same one for all places in it.
func (p *pool) literal(start, end int) string {
	said, ok := p.last.At(start)
	if !ok {
		said = string(p.decode(start, end, nil))
		p.last.Keep(start, end, said)
	}
	return said
}

// appendModified turns modified UTF-8, in which a character beyond the basic plane is two
// surrogates of three bytes, into UTF-8.
func appendModified(buf, raw []byte) []byte {
	for i := 0; i < len(raw); {
		if high, ok := surrogate(raw[i:]); ok {
			if low, ok := surrogate(raw[i+3:]); ok {
				if r := utf16.DecodeRune(high, low); r != utf8.RuneError {
					buf = utf8.AppendRune(buf, r)
					i += 6
					continue
				}
			}
		}
		buf = append(buf, raw[i])
		i++
	}
	return buf
}

func surrogate(b []byte) (rune, bool) {
	if len(b) < 3 || b[0] != 0xed || b[1]&0xe0 != 0xa0 || b[2]&0xc0 != 0x80 {
		return 0, false
	}
	return 0xd000 | rune(b[1]&0x3f)<<6 | rune(b[2]&0x3f), true
}

// text returns a string by its number, "" where there is none. It keeps what it has decoded.
func (p *pool) text(i uint32) string {
	if t, ok := p.texts[i]; ok {
		return t
	}
	start, end, ok := p.span(i)
	if !ok || p.left < end-start {
		return ""
	}
	p.left -= end - start
	if p.texts == nil {
		p.texts = map[uint32]string{}
	}
	t := string(p.decode(start, end, nil))
	p.texts[i] = t
	return t
}

// visit calls f for every string, in the order of the table, until it returns false.
func (p *pool) visit(f func(start, end int, value []byte) bool) {
	left := p.most()
	var buf []byte
	for i := range p.count {
		start, end, ok := p.span(uint32(i))
		if !ok {
			continue
		}
		if left -= end - start; left < 0 {
			return
		}
		value := p.decode(start, end, buf)
		if !p.utf8 {
			buf = value
		}
		if !f(start, end, value) {
			return
		}
	}
}

// find returns the number of the string that holds an offset.
func (p *pool) find(at int) (i uint32, ok bool) {
	if at < p.first || at >= p.end {
		return 0, false
	}
	p.sort.Do(func() {
		p.sorted = make([]int32, 0, p.count)
		for i := range p.count {
			if _, _, ok := p.span(uint32(i)); ok {
				p.sorted = append(p.sorted, int32(i))
			}
		}
		slices.SortStableFunc(p.sorted, func(a, b int32) int { return p.offset(a) - p.offset(b) })
	})
	n := sort.Search(len(p.sorted), func(n int) bool { return p.first+p.offset(p.sorted[n]) > at })
	if n == 0 {
		return 0, false
	}
	i = uint32(p.sorted[n-1]) // of strings that share bytes, the shortest
	start, end, _ := p.span(i)
	return i, at >= start && at < end
}

func (p *pool) offset(i int32) int { return int(u32(p.data, p.offsets+4*int(i))) }

// damage says which strings cannot be read; "" where all can.
func (p *pool) damage() string {
	lost, size := 0, 0
	for i := range p.count {
		start, end, ok := p.span(uint32(i))
		if !ok {
			lost++
		}
		size += end - start
	}
	switch {
	case lost > 0:
		return fmt.Sprintf("%d of %d strings lie outside of the string pool", lost, p.count)
	case size > p.most():
		return fmt.Sprintf("the strings share bytes, so that they add up to %d bytes: not all were read", size)
	}
	return ""
}

// most is how many bytes of text are taken out of the pool at most.
func (p *pool) most() int { return unfolds*len(p.data) + 1<<16 }
