package unwrap

import (
	"bytes"
	"encoding/binary"
	"math"
)

const (
	plistMagic   = "bplist00"
	plistTrailer = 32 // bytes
	maxObjects   = 100_000
)

// plist takes a binary property list apart, the format of Apple's CFBinaryPList.c, and
// reports whether it is one.
func (w *walk) plist(data []byte) bool {
	if !bytes.HasPrefix(data, []byte(plistMagic)) || len(data) < len(plistMagic)+plistTrailer {
		return false
	}
	trailer := data[len(data)-plistTrailer:]
	p := plistWalk{walk: w, data: data[:len(data)-plistTrailer], left: maxObjects,
		offsetSize: int(trailer[6]), refSize: int(trailer[7])}
	table := binary.BigEndian.Uint64(trailer[24:])
	if p.offsetSize < 1 || p.offsetSize > 8 || p.refSize < 1 || p.refSize > 8 || table >= uint64(len(p.data)) {
		return false
	}
	p.offsets = p.data[table:]
	n := len(w.steps)
	w.push(step{kind: atFormat, label: "plist"})
	w.push(step{kind: atJSON})
	w.within("", func() { p.object(binary.BigEndian.Uint64(trailer[16:]), 0) })
	w.pop(n)
	return true
}

// plistWalk is one pass over a binary property list.
type plistWalk struct {
	*walk
	data, offsets       []byte
	offsetSize, refSize int
	left                int // objects; a list can hold itself
}

// number reads a big-endian number.
func number(b []byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

// find returns the kind, the count and the content of an object, which may be cut.
func (p *plistWalk) find(ref uint64) (kind byte, count int, content []byte, ok bool) {
	if p.left--; p.left < 0 || ref >= uint64(len(p.offsets)/p.offsetSize) {
		return 0, 0, nil, false
	}
	at := number(p.offsets[int(ref)*p.offsetSize:][:p.offsetSize])
	if at >= uint64(len(p.data)) {
		return 0, 0, nil, false
	}
	kind, count, content = p.data[at]>>4, int(p.data[at]&0x0f), p.data[at+1:]
	if count == 0x0f && kind > 3 { // a whole number holds the count
		if len(content) == 0 || content[0]>>4 != 1 || content[0]&0x0f > 2 {
			return 0, 0, nil, false
		}
		size := 1 << (content[0] & 0x0f)
		if len(content) < 1+size {
			return 0, 0, nil, false
		}
		count, content = int(min(number(content[1:1+size]), math.MaxInt32)), content[1+size:]
	}
	return kind, count, content, true
}

// object shows an object and what is in it.
func (p *plistWalk) object(ref uint64, level int) {
	kind, count, content, ok := p.find(ref)
	if !ok || level > maxMessages || p.over {
		return
	}
	switch size := 1 << (count & 7); kind {
	case 1:
		if size <= 8 && len(content) >= size {
			p.number(number(content[:size]), 0, 64)
		}
	case 2:
		switch {
		case size == 4 && len(content) >= size:
			p.number(0, float64(math.Float32frombits(binary.BigEndian.Uint32(content))), 32)
		case size == 8 && len(content) >= size:
			p.number(0, math.Float64frombits(binary.BigEndian.Uint64(content)), 64)
		}
	case 4:
		data := content[:min(count, len(content))]
		p.within("", func() { p.content(mediaType{}, data) })
	case 5, 6:
		if text := p.str(kind, count, content); len(text) > 0 {
			p.leaf(text)
		}
	case 0xa, 0xc:
		for i := range min(count, len(content)/p.refSize) {
			p.at(step{kind: atElement, index: i}, func() { p.object(number(content[i*p.refSize:][:p.refSize]), level+1) })
		}
	case 0xd:
		count = min(count, len(content)/p.refSize/2)
		for i := range count {
			p.member(number(content[i*p.refSize:][:p.refSize]), number(content[(count+i)*p.refSize:][:p.refSize]), level)
		}
	}
}

// member shows a key of a dictionary and its value.
func (p *plistWalk) member(key, value uint64, level int) {
	kind, count, content, ok := p.find(key)
	if !ok {
		return
	}
	name := p.str(kind, count, content)
	p.at(step{kind: atMember}, func() { p.name(name) })
	p.at(step{kind: atMember, name: name}, func() { p.object(value, level+1) })
}

// str returns the text of a string, in UTF-8.
func (p *plistWalk) str(kind byte, count int, content []byte) []byte {
	switch kind {
	case 5:
		return content[:min(count, len(content))]
	case 6:
		content = content[:min(count, len(content)/2)*2]
		if len(content)*2 > p.walk.left {
			return nil
		}
		text := p.keep(appendUTF16(p.room(2*len(content)), content, true))
		p.walk.left -= len(text)
		p.appeared(text)
		return text
	}
	return nil
}
