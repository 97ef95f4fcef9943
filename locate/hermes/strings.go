package hermes

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// A stored is a string of the table: where it stands, and whether it is UTF-16 (wide) or ASCII.
type stored struct {
	span
	wide bool
}

// longString is the length in the table that sends to the table of long strings.
const longString = 255

func (b *Bytecode) stringCount() int {
	if b.layout == nil {
		return 0
	}
	return b.layout.strings.len() / 4
}

// string returns where a string stands. One that is not in the table, or would stand beyond the
// string storage, is empty.
func (b *Bytecode) string(id int) stored {
	s := b.entry(id)
	if s.end > b.layout.storage.end {
		return stored{}
	}
	return s
}

// entry returns where a string stands by the table, which may be damaged.
func (b *Bytecode) entry(id int) stored {
	if id < 0 || id >= b.stringCount() {
		return stored{}
	}
	entry := binary.LittleEndian.Uint32(b.data[b.layout.strings.start+4*id:])
	wide, offset, length := entry&1 == 1, int(entry>>1&(1<<23-1)), int(entry>>24)
	if length == longString {
		if offset >= b.layout.overflow.len()/8 {
			return stored{}
		}
		long := b.data[b.layout.overflow.start+8*offset:]
		offset, length = int(binary.LittleEndian.Uint32(long)), int(binary.LittleEndian.Uint32(long[4:]))
	}
	if wide {
		length *= 2
	}
	start := b.layout.storage.start + offset
	return stored{span{start, start + length}, wide}
}

// bytes returns the bytes of a string.
func (b *Bytecode) bytes(id int) []byte {
	s := b.string(id)
	return b.data[s.start:s.end]
}

// appendString appends a string in UTF-8.
func (b *Bytecode) appendString(to []byte, id int) []byte {
	if b.string(id).wide {
		return appendUTF16(to, b.bytes(id))
	}
	return append(to, b.bytes(id)...)
}

// text returns a string in UTF-8.
func (b *Bytecode) text(id int) string { return string(b.appendString(nil, id)) }

// longestName is how much of a name is told, in bytes: any string may be one.
const longestName = 1 << 10

// nameText returns a string that is a name, in UTF-8.
func (b *Bytecode) nameText(id int) string {
	raw := b.bytes(id)
	raw = raw[:min(len(raw), longestName)]
	if b.string(id).wide {
		return string(appendUTF16(nil, raw))
	}
	return string(raw)
}

// is reports whether a string reads so. It only ever looks for ASCII.
func (b *Bytecode) is(id int, want string) bool {
	return string(b.bytes(id)) == want && !b.string(id).wide
}

// appendUTF16 appends text that is UTF-16 with the low byte first, in UTF-8.
func appendUTF16(to, wide []byte) []byte {
	for len(wide) >= 2 {
		r := rune(binary.LittleEndian.Uint16(wide))
		wide = wide[2:]
		if utf16.IsSurrogate(r) {
			low := rune(0)
			if len(wide) >= 2 {
				low = rune(binary.LittleEndian.Uint16(wide))
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				wide = wide[2:]
			}
		}
		to = utf8.AppendRune(to, r)
	}
	return to
}

// stringsBySite finds the strings that hold a range of bytes.
type stringsBySite struct {
	ids    []uint32 // by their starts
	starts []uint32
	reach  []uint32 // how far the strings up to this one go
}

// indexStrings sorts the strings by where they stand.
func (b *Bytecode) indexStrings() {
	ids := make([]uint32, 0, b.stringCount())
	keys := make([]uint64, 0, b.stringCount())
	for id := range b.stringCount() {
		if s := b.string(id); s.len() > 0 {
			keys = append(keys, uint64(s.start)<<32|uint64(id))
		}
	}
	slices.Sort(keys)
	starts, reach, furthest := make([]uint32, len(keys)), make([]uint32, len(keys)), uint32(0)
	for i, key := range keys {
		id := uint32(key)
		ids = append(ids, id)
		starts[i] = uint32(key >> 32)
		furthest = max(furthest, uint32(b.string(int(id)).end))
		reach[i] = furthest
	}
	b.bySite = stringsBySite{ids, starts, reach}
}

// Bounds of how many strings are looked at and named for one place.
const (
	maxCandidates = 1 << 10
	maxLooked     = 1 << 12
	maxHolders    = 8
)

// holders returns the ids of the strings that hold a range of bytes, the shortest first.
func (b *Bytecode) holders(start, end int) []int {
	b.stringsOnce.Do(b.indexStrings)
	index := &b.bySite
	at, exact := slices.BinarySearch(index.starts, uint32(start))
	for exact && at < len(index.starts) && index.starts[at] == uint32(start) {
		at++
	}
	var found []int
	least := at - maxLooked
	for at--; at >= max(least, 0) && int(index.reach[at]) >= end && len(found) < maxCandidates; at-- {
		id := int(index.ids[at])
		if s := b.string(id); s.end >= end && !(s.wide && (start-s.start)%2 != 0) {
			found = append(found, id)
		}
	}
	slices.SortStableFunc(found, func(x, y int) int { return b.string(x).len() - b.string(y).len() })
	return found[:min(len(found), maxHolders)]
}

// hasSuffix reports whether a string that is ASCII ends so.
func (b *Bytecode) hasSuffix(id int, end string) bool {
	return !b.string(id).wide && bytes.HasSuffix(b.bytes(id), []byte(end))
}
