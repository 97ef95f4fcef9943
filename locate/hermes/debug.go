package hermes

import (
	"encoding/binary"
	"sort"
)

// debugInfo is the part of the file that says where code comes from.
type debugInfo struct {
	files     span // entries of 8 bytes: offset and length in names
	names     span
	regions   span // entries of 12 bytes: from which location on it is which file
	locations span
}

// A location is where an instruction stood in the source.
type location struct {
	file         string
	line, column int // from 1
}

// openDebug reads the header of the debug information at the first call. Damage leaves it empty.
func (b *Bytecode) openDebug() *debugInfo {
	b.debugOnce.Do(func() {
		at := b.layout.debugInfo
		fields := 5
		switch {
		case b.layout.has(98):
			fields = 4
		case b.layout.has(94):
			fields = 7
		}
		if at == 0 || at > len(b.data)-4*fields {
			return
		}
		field := func(i int) int { return int(binary.LittleEndian.Uint32(b.data[at+4*i:])) }
		next := at + 4*fields
		take := func(count, size int) span {
			if next < 0 || count > (len(b.data)-next)/size {
				next = -1
				return span{}
			}
			part := span{next, next + count*size}
			next = part.end
			return part
		}
		var d debugInfo
		d.files, d.names, d.regions = take(field(0), 8), take(field(1), 1), take(field(2), 12)
		d.locations = take(field(fields-1), 1)
		if fields > 4 { // the locations are the first of several kinds of data
			d.locations.end = min(d.locations.end, d.locations.start+field(3))
		}
		if next >= 0 {
			b.debug = d
		}
	})
	return &b.debug
}

// locate says where an instruction of a function stood in the source.
func (b *Bytecode) locate(f *function, offset uint32) (location, bool) {
	d := b.openDebug()
	at, ok := b.debugOffset(f)
	if !ok || at >= d.locations.len() {
		return location{}, false
	}
	r := &numbers{data: b.data[d.locations.start+at : d.locations.end]}
	r.next() // the function
	line, column := r.next(), r.next()
	if b.layout.has(98) {
		r.next() // the environment
	}
	address, fileAt := int64(0), at
	for !r.bad {
		here := at + r.read
		by := r.next()
		if address += by; by < 0 || address > int64(offset) || r.bad {
			break
		}
		if b.nextLocation(r, &line, &column) {
			fileAt = here
		}
	}
	file := b.fileOf(fileAt)
	if line < 1 || column < 0 || file == "" {
		return location{}, false
	}
	return location{file, int(line), int(column)}, true
}

// nextLocation reads how a location differs from the one before it. False: it is the same.
func (b *Bytecode) nextLocation(r *numbers, line, column *int64) bool {
	by := r.next()
	switch {
	case b.layout.has(98):
		if by&1 == 0 {
			return false
		}
		*column += r.next()
		if by&2 != 0 {
			r.next() // the statement
		}
		if by&4 != 0 {
			r.next() // the environment
		}
		*line += by >> 3
	case b.layout.has(94):
		*column += r.next()
		r.next() // the scope
		r.next() // and its register
		if by&1 != 0 {
			r.next()
		}
		*line += by >> 1
	default:
		*column += r.next()
		if by&1 != 0 {
			r.next()
		}
		*line += by >> 1
	}
	return true
}

// debugOffset is where the locations of a function begin.
func (b *Bytecode) debugOffset(f *function) (int, bool) {
	if !f.debug || f.info == 0 {
		return 0, false
	}
	at := (int(f.info) + 3) &^ 3
	if f.catches {
		if at > len(b.data)-4 {
			return 0, false
		}
		at += 4 + 12*int(binary.LittleEndian.Uint32(b.data[at:]))
	}
	if at < 0 || at > len(b.data)-4 {
		return 0, false
	}
	offset := binary.LittleEndian.Uint32(b.data[at:])
	return int(offset), offset != 1<<32-1
}

// fileOf names the source file of the locations at an offset; "" where nothing does.
func (b *Bytecode) fileOf(at int) string {
	d := b.openDebug()
	region := func(n int) []byte { return b.data[d.regions.start+12*n:] }
	n := sort.Search(d.regions.len()/12, func(n int) bool { return int(binary.LittleEndian.Uint32(region(n))) > at }) - 1
	if n < 0 {
		return ""
	}
	id := int(binary.LittleEndian.Uint32(region(n)[4:]))
	if id >= d.files.len()/8 {
		return ""
	}
	entry := b.data[d.files.start+8*id:]
	offset, length := int(binary.LittleEndian.Uint32(entry)), binary.LittleEndian.Uint32(entry[4:])
	wide, size := length>>31 == 1, int(length&(1<<31-1))
	if wide {
		size *= 2
	}
	if offset > d.names.len() || size > d.names.len()-offset {
		return ""
	}
	name := b.data[d.names.start+offset : d.names.start+offset+size]
	if wide {
		return string(appendUTF16(nil, name))
	}
	return string(name)
}

// numbers reads signed LEB128 numbers.
type numbers struct {
	data []byte
	read int
	bad  bool
}

func (n *numbers) next() int64 {
	var v int64
	for shift := uint(0); shift < 64 && n.read < len(n.data); shift += 7 {
		b := n.data[n.read]
		n.read++
		v |= int64(b&0x7f) << shift
		if b < 0x80 {
			if shift+7 < 64 && b&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return v
		}
	}
	n.bad = true
	return 0
}
