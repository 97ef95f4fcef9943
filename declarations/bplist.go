package declarations

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf16"
)

// maxUnfolded bounds what a binary property list holds once its references are followed,
// in bytes of text and costOfValue for each value: objects may be shared, so that small
// files unfold to huge ones. It is why no general reader is used, which would unfold them.
const (
	maxUnfolded = 1 << 20
	costOfValue = 32
)

// bplist is a binary property list (CFBinaryPList.c of Apple's open CoreFoundation): a
// header, objects, a table of their offsets, and a trailer of 32 bytes.
type bplist struct {
	*reader
	data    []byte
	objects []byte // data without the trailer
	table   int    // offset of the table
	count   uint64 // of objects
	size    int    // bytes of an entry of the table
	refSize int    // bytes of a reference to an object
	budget  int
}

const trailerSize = 32

func (r *reader) readBinary(d *Declaration, data []byte) error {
	b := &bplist{reader: r, data: data, budget: maxUnfolded}
	if len(data) < 8+trailerSize || string(data[:7]) != "bplist0" {
		return r.errorAt(0, "the binary property list is cut off, or of a version that is not known, expected version 0", "copy it again")
	}
	trailer := data[len(data)-trailerSize:]
	b.objects = data[:len(data)-trailerSize]
	b.size, b.refSize = int(trailer[6]), int(trailer[7])
	b.count = binary.BigEndian.Uint64(trailer[8:])
	top, table := binary.BigEndian.Uint64(trailer[16:]), binary.BigEndian.Uint64(trailer[24:])
	room := uint64(len(b.objects))
	if b.size < 1 || b.size > 8 || b.refSize < 1 || b.refSize > 8 || table > room || b.count > (room-table)/uint64(b.size) {
		return r.errorAt(0, "the end of the binary property list is damaged, expected a table of objects", "the file seems to be cut off: copy it again")
	}
	b.table = int(table)
	v, err := b.object(top, 0)
	if err != nil {
		return err
	}
	return r.readPrivacy(d, &v)
}

func (b *bplist) damaged(at uint64, what string) error {
	return b.errorAt(0, fmt.Sprintf("the binary property list is damaged at byte %d: %s", at, what), "")
}

// number reads a big-endian number; the caller has checked that it is there.
func number(p []byte) uint64 {
	var n uint64
	for _, c := range p {
		n = n<<8 | uint64(c)
	}
	return n
}

// object reads the object with a number.
func (b *bplist) object(ref uint64, depth int) (v value, err error) {
	if ref >= b.count {
		return v, b.errorAt(0, fmt.Sprintf("the binary property list names object %d, expected one below %d", ref, b.count), "")
	}
	entry := b.table + int(ref)*b.size
	at := number(b.data[entry : entry+b.size])
	if at >= uint64(len(b.objects)) {
		return v, b.damaged(at, "an object lies behind the end")
	}
	if b.budget -= costOfValue; b.budget < 0 || depth > maxDepth {
		return v, b.damaged(at, "its objects refer to each other without end, or to too many")
	}
	marker := b.data[at]
	switch marker >> 4 {
	case 0x0:
		v.kind, v.truth = boolean, marker == 0x09
		if marker != 0x08 && marker != 0x09 {
			v.kind = other
		}
		return v, nil
	case 0x1, 0x2, 0x3, 0x8:
		v.kind = other
		return v, nil
	}
	start, n, err := b.length(at)
	if err != nil {
		return v, err
	}
	switch marker >> 4 {
	case 0x4:
		v.kind = other
		return v, nil
	case 0x5:
		return b.text(start, n, 1)
	case 0x6:
		return b.text(start, n, 2)
	case 0xa, 0xc:
		v.kind = array
		v.items, err = b.refs(start, n, depth)
		return v, err
	case 0xd:
		return b.dictionary(start, n, depth)
	}
	return v, b.damaged(at, fmt.Sprintf("the type of an object is 0x%02x", marker))
}

// length reads how many elements an object has, and where they start.
func (b *bplist) length(at uint64) (start, n uint64, err error) {
	n = uint64(b.data[at] & 0x0f)
	if n != 0x0f {
		return at + 1, n, nil
	}
	room := uint64(len(b.objects))
	if at+1 >= room || b.data[at+1]>>4 != 0x1 {
		return 0, 0, b.damaged(at, "a length is missing")
	}
	size := uint64(1) << (b.data[at+1] & 0x0f)
	if size > 8 || at+2+size > room {
		return 0, 0, b.damaged(at, "a length is cut off")
	}
	return at + 2 + size, number(b.data[at+2 : at+2+size]), nil
}

// text reads ASCII, or UTF-16 in big-endian order.
func (b *bplist) text(start, n, width uint64) (v value, err error) {
	room := uint64(len(b.objects))
	if start > room || n > (room-start)/width {
		return v, b.damaged(start, "a text is cut off")
	}
	if b.budget -= int(n); b.budget < 0 {
		return v, b.damaged(start, "its texts are too many")
	}
	raw := b.data[start : start+n*width]
	v.kind, v.text = text, string(raw)
	if width == 2 {
		units := make([]uint16, n)
		for i := range units {
			units[i] = binary.BigEndian.Uint16(raw[2*i:])
		}
		v.text = string(utf16.Decode(units))
	}
	return v, nil
}

// refs reads n references, and the objects that they name.
func (b *bplist) refs(start, n uint64, depth int) ([]value, error) {
	size := uint64(b.refSize)
	room := uint64(len(b.objects))
	if start > room || n > (room-start)/size {
		return nil, b.damaged(start, "a collection is cut off")
	}
	var items []value
	for i := range n {
		v, err := b.object(number(b.data[start+i*size:start+(i+1)*size]), depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	return items, nil
}

func (b *bplist) dictionary(start, n uint64, depth int) (v value, err error) {
	v.kind = dictionary
	if n > math.MaxInt32 {
		return v, b.damaged(start, "a dictionary is cut off")
	}
	keys, err := b.refs(start, n, depth)
	if err != nil {
		return v, err
	}
	v.items, err = b.refs(start+n*uint64(b.refSize), n, depth)
	seen := map[string]bool{}
	for i := range keys {
		if keys[i].kind != text || seen[keys[i].text] {
			return v, b.damaged(start, "a key is no text, or stands there twice")
		}
		seen[keys[i].text] = true
		v.keys = append(v.keys, keys[i].text)
	}
	return v, err
}
