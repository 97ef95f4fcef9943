package plist

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf16"

	"telltale/plist/elements"
)

// costOfValue is what a value costs (its size in memory) of what a binary property list may unfold to, besides
// the bytes of its text; unfolds is how many times its size that is, beyond allowance.
// Objects may be shared, so that small files unfold to huge ones: it is why no general
// reader is used.
const (
	costOfValue = 96
	unfolds     = 16
	allowance   = 1 << 20
)

const trailerSize = 32

// binaryList is a binary property list: a header, objects, a table of their offsets, and a trailer.
type binaryList struct {
	data    []byte
	objects []byte // data without the trailer
	table   int    // offset of the table
	count   uint64 // of objects
	size    int    // bytes of an entry of the table
	refSize int    // bytes of a reference to an object
	budget  int
}

func readBinary(data []byte) (*Value, error) {
	b := &binaryList{data: data, budget: allowance + unfolds*len(data)}
	if len(data) < 8+trailerSize || string(data[:7]) != "bplist0" {
		return nil, elements.Errorf(0, "the binary property list is cut off, or of a version that is not known, expected version 0").WithHint("copy it again")
	}
	trailer := data[len(data)-trailerSize:]
	b.objects = data[:len(data)-trailerSize]
	b.size, b.refSize = int(trailer[6]), int(trailer[7])
	b.count = binary.BigEndian.Uint64(trailer[8:])
	top, table := binary.BigEndian.Uint64(trailer[16:]), binary.BigEndian.Uint64(trailer[24:])
	room := uint64(len(b.objects))
	if b.size < 1 || b.size > 8 || b.refSize < 1 || b.refSize > 8 || table > room || b.count > (room-table)/uint64(b.size) {
		return nil, elements.Errorf(0, "the end of the binary property list is damaged, expected a table of objects").WithHint("the file seems to be cut off: copy it again")
	}
	b.table = int(table)
	v, err := b.object(top, 0)
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// limit is an error of a list that unfolds to more than is read.
func limit(at uint64, what string) error {
	return elements.Limitf(0, "the binary property list is damaged, or larger than is read, at byte %d: %s", at, what)
}

func damaged(at uint64, what string) error {
	return elements.Errorf(0, "the binary property list is damaged at byte %d: %s", at, what)
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
func (b *binaryList) object(ref uint64, depth int) (v Value, err error) {
	if ref >= b.count {
		return v, elements.Errorf(0, "the binary property list names object %d, expected one below %d", ref, b.count)
	}
	entry := b.table + int(ref)*b.size
	at := number(b.data[entry : entry+b.size])
	if at >= uint64(len(b.objects)) {
		return v, damaged(at, "an object lies behind the end")
	}
	if b.budget -= costOfValue; b.budget < 0 || depth > elements.MaxDepth {
		// Whether they do so without end, or are only many, is not known.
		return v, limit(at, "its objects refer to each other without end, or to too many")
	}
	marker := b.data[at]
	if marker>>4 < 4 || marker>>4 == 8 {
		return b.scalar(at)
	}
	start, n, err := b.length(at)
	if err != nil {
		return v, err
	}
	switch marker >> 4 {
	case 0x4:
		return b.bytes(start, n)
	case 0x5:
		return b.text(start, n, 1)
	case 0x6:
		return b.text(start, n, 2)
	case 0xa, 0xc:
		v.Kind, v.Start = Array, int(at)
		v.Items, err = b.refs(start, n, depth)
		v.End = int(start) + len(v.Items)*b.refSize
		return v, err
	case 0xd:
		v.Start = int(at)
		return b.dictionary(v, start, n, depth)
	}
	return v, damaged(at, fmt.Sprintf("the type of an object is 0x%02x", marker))
}

// secondsTo2001 is what dates count from, in Unix time.
const secondsTo2001 = 978307200

// scalar reads an object whose marker has its size.
func (b *binaryList) scalar(at uint64) (v Value, err error) {
	marker := b.data[at]
	size := 1 << (marker & 0x0f & 7)
	switch marker >> 4 {
	case 0x0:
		v.Kind, v.Truth = Boolean, marker == 0x09
		if marker != 0x08 && marker != 0x09 {
			v.Kind = Other
		}
		v.Start, v.End = int(at), int(at)+1
		return v, nil
	case 0x8:
		v.Kind, size = Other, int(marker&0x0f)+1
	}
	v.Start, v.End = int(at)+1, int(at)+1+size
	if v.End > len(b.objects) {
		return v, damaged(at, "a number is cut off")
	}
	raw := b.data[v.Start:v.End]
	switch marker >> 4 {
	case 0x1:
		v.Kind = Number
		if size > 8 {
			raw = raw[size-8:]
		}
		v.Text = strconv.FormatUint(number(raw), 10)
		if size >= 8 {
			v.Text = strconv.FormatInt(int64(number(raw)), 10)
		}
	case 0x2, 0x3:
		v.Kind = Number
		if marker>>4 == 0x3 {
			v.Kind = Date
		}
		v.Text = real(raw, v.Kind)
	}
	return v, nil
}

// real writes a number with a point, or a date.
func real(raw []byte, kind Kind) string {
	f := math.Float64frombits(number(raw))
	switch {
	case len(raw) == 4:
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(number(raw)))), 'g', -1, 32)
	case len(raw) != 8:
		return ""
	case kind == Date && math.Abs(f) < 1e11:
		return time.Unix(int64(f)+secondsTo2001, 0).UTC().Format(time.RFC3339)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// length reads how many elements an object has, and where they start.
func (b *binaryList) length(at uint64) (start, n uint64, err error) {
	n = uint64(b.data[at] & 0x0f)
	if n != 0x0f {
		return at + 1, n, nil
	}
	room := uint64(len(b.objects))
	if at+1 >= room || b.data[at+1]>>4 != 0x1 {
		return 0, 0, damaged(at, "a length is missing")
	}
	size := uint64(1) << (b.data[at+1] & 0x0f)
	if size > 8 || at+2+size > room {
		return 0, 0, damaged(at, "a length is cut off")
	}
	return at + 2 + size, number(b.data[at+2 : at+2+size]), nil
}

// take returns the bytes of an object, and charges for what becomes of them.
func (b *binaryList) take(start, n, width uint64, what string) ([]byte, error) {
	room := uint64(len(b.objects))
	if start > room || n > (room-start)/width {
		return nil, damaged(start, "a "+what+" is cut off")
	}
	if b.budget -= int(n); b.budget < 0 {
		return nil, limit(start, "its texts are too many")
	}
	return b.data[start : start+n*width], nil
}

func (b *binaryList) bytes(start, n uint64) (v Value, err error) {
	raw, err := b.take(start, n, 1, "piece of data")
	v.Kind, v.Start, v.End = Data, int(start), int(start)+len(raw)
	v.Text = base64.StdEncoding.EncodeToString(raw)
	return v, err
}

// text reads ASCII, or UTF-16 in big-endian order.
func (b *binaryList) text(start, n, width uint64) (v Value, err error) {
	raw, err := b.take(start, n, width, "text")
	v.Kind, v.Start, v.End, v.Text = Text, int(start), int(start)+len(raw), string(raw)
	if width == 2 {
		units := make([]uint16, len(raw)/2)
		for i := range units {
			units[i] = binary.BigEndian.Uint16(raw[2*i:])
		}
		v.Text = string(utf16.Decode(units))
	}
	return v, err
}

// refs reads n references, and the objects that they name.
func (b *binaryList) refs(start, n uint64, depth int) ([]Value, error) {
	size := uint64(b.refSize)
	room := uint64(len(b.objects))
	if start > room || n > (room-start)/size {
		return nil, damaged(start, "a collection is cut off")
	}
	var items []Value
	for i := range n {
		v, err := b.object(number(b.data[start+i*size:start+(i+1)*size]), depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	return items, nil
}

func (b *binaryList) dictionary(v Value, start, n uint64, depth int) (Value, error) {
	v.Kind = Dictionary
	if n > math.MaxInt32 {
		return v, damaged(start, "a dictionary is cut off")
	}
	keys, err := b.refs(start, n, depth)
	if err != nil {
		return v, err
	}
	v.Items, err = b.refs(start+n*uint64(b.refSize), n, depth)
	v.End = int(start) + 2*len(keys)*b.refSize
	seen := map[string]bool{}
	for i := range keys {
		k := &keys[i]
		if k.Kind != Text || seen[k.Text] {
			return v, damaged(start, "a key is no text, or stands there twice")
		}
		seen[k.Text] = true
		v.Keys = append(v.Keys, Key{Name: k.Text, Start: k.Start, End: k.End})
	}
	return v, err
}
