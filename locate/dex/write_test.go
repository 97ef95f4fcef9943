package dex

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
)

// pool gives names their ids in a file that is being written. What it is asked for on a first
// pass is what the file will have.
type pool struct {
	strings       map[string]uint32
	types, protos []string
	fields        [][3]string // class, type, name
	methods       [][3]string // class, shorty, name
}

func (p *pool) str(s string) uint16 {
	id, ok := p.strings[s]
	if !ok {
		p.strings[s] = 0
	}
	return uint16(id)
}

func (p *pool) typ(descriptor string) uint16 {
	p.str(descriptor)
	return add(&p.types, descriptor)
}

func (p *pool) proto(shorty string) uint16 {
	p.str(shorty)
	return add(&p.protos, shorty)
}

func (p *pool) field(class, kind, name string) uint16 {
	p.typ(class)
	p.typ(kind)
	p.str(name)
	return add(&p.fields, [3]string{class, kind, name})
}

func (p *pool) method(class, name, shorty string) uint16 {
	p.typ(class)
	p.proto(shorty)
	p.str(name)
	return add(&p.methods, [3]string{class, shorty, name})
}

func add[T comparable](list *[]T, item T) uint16 {
	if i := slices.Index(*list, item); i >= 0 {
		return uint16(i)
	}
	*list = append(*list, item)
	return uint16(len(*list) - 1)
}

// What a file is written from.
type (
	classSpec struct {
		name, source string // the descriptor, and "" for none
		statics      []staticSpec
		methods      []methodSpec
		tags         []tagSpec
	}
	staticSpec struct {
		name, value string
		final       bool
	}
	methodSpec struct {
		name  string
		lines [][2]int // unit and line
		code  func(p *pool) []uint16
	}
	tagSpec struct {
		kind, method, value string // on the class if there is no method, "(m)": on a parameter of m
	}
)

// mutf8 encodes as class files do.
func mutf8(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, unit8(u)...)
	}
	return b
}

func unit8(u uint16) []byte {
	switch {
	case u != 0 && u < 0x80:
		return []byte{byte(u)}
	case u < 0x800:
		return []byte{0xc0 | byte(u>>6), 0x80 | byte(u&0x3f)}
	}
	return []byte{0xe0 | byte(u>>12), 0x80 | byte(u>>6&0x3f), 0x80 | byte(u&0x3f)}
}

func leb(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

// file is a file that is being written. Offsets count from base, where it will stand.
type file struct {
	pool
	bytes.Buffer
	base    int
	version string
	size    int // of the header
}

func (f *file) put(values ...any) int {
	at := f.base + f.Len()
	for _, v := range values {
		if b, ok := v.([]byte); ok {
			f.Write(b)
			continue
		}
		binary.Write(f, binary.LittleEndian, v)
	}
	return at
}

func (f *file) align() {
	for f.Len()%4 != 0 {
		f.WriteByte(0)
	}
}

// write makes a DEX of classes, with further strings that nothing uses.
func write(version string, base int, extra []string, classes ...classSpec) []byte {
	f := &file{base: base, version: version, size: headerSize}
	if version >= "041" {
		f.size = containerSize
	}
	f.strings = map[string]uint32{}
	for _, s := range extra {
		f.str(s)
	}
	f.Write(make([]byte, f.size))
	for _, c := range classes {
		f.class(c, nil)
	}
	names := slices.SortedFunc(maps.Keys(f.strings), func(a, b string) int { return bytes.Compare(mutf8(a), mutf8(b)) })
	var offsets []uint32
	for i, s := range names {
		f.strings[s] = uint32(i)
		offsets = append(offsets, uint32(f.put(leb(len(utf16.Encode([]rune(s)))), mutf8(s), []byte{0})))
	}
	var defs []byte
	for _, c := range classes {
		defs = f.class(c, defs)
	}
	f.align()
	var heads [12]uint32
	table := func(i, n int, rows func()) {
		heads[2*i], heads[2*i+1] = uint32(n), uint32(f.base+f.Len())
		rows()
	}
	table(0, len(names), func() { f.put(offsets) })
	table(1, len(f.types), func() {
		for _, t := range f.types {
			f.put(uint32(f.str(t)))
		}
	})
	table(2, len(f.protos), func() {
		for _, s := range f.protos {
			f.put(uint32(f.str(s)), uint32(0), uint32(0))
		}
	})
	table(3, len(f.fields), func() {
		for _, m := range f.fields {
			f.put(f.typ(m[0]), f.typ(m[1]), uint32(f.str(m[2])))
		}
	})
	table(4, len(f.methods), func() {
		for _, m := range f.methods {
			f.put(f.typ(m[0]), f.proto(m[1]), uint32(f.str(m[2])))
		}
	})
	table(5, len(classes), func() { f.put(defs) })
	mapOff := f.put(uint32(3), uint16(0), uint16(0), uint32(1), uint32(f.base), uint16(0x2002), uint16(0), uint32(1), uint32(f.base+f.size), uint16(1), uint16(0), uint32(1), heads[1])
	return f.header(heads, mapOff)
}

// header fills the header in.
func (f *file) header(heads [12]uint32, mapOff int) []byte {
	data := f.Bytes()
	copy(data, "dex\n"+f.version+"\x00")
	for i, v := range append([]uint32{uint32(len(data)), uint32(f.size), 0x12345678, 0, 0, uint32(mapOff)}, heads[:]...) {
		binary.LittleEndian.PutUint32(data[0x20+4*i:], v)
	}
	if f.size == containerSize {
		binary.LittleEndian.PutUint32(data[0x74:], uint32(f.base))
	}
	return data
}

// class writes what belongs to a class and appends its row. With nil it only fills the pool.
func (f *file) class(c classSpec, defs []byte) []byte {
	source, values, data, tags := uint32(noIndex), 0, 0, 0
	if c.source != "" {
		source = uint32(f.str(c.source))
	}
	var members, array []byte
	last := 0
	members = append(append(append(append(members, leb(len(c.statics))...), 0), leb(len(c.methods))...), 0)
	for _, s := range c.statics {
		id := int(f.field(c.name, "Ljava/lang/String;", s.name))
		members = append(append(members, leb(id-last)...), map[bool]byte{true: 0x18, false: 8}[s.final])
		last = id
		v := f.str(s.value)
		array = append(array, valueString|1<<5, byte(v), byte(v>>8))
	}
	last = 0
	for _, m := range c.methods {
		id := int(f.method(c.name, m.name, "V"))
		members = append(append(append(members, leb(id-last)...), 1), leb(f.code(m))...)
		last = id
	}
	if len(c.statics) > 0 {
		values = f.put(leb(len(c.statics)), array)
	}
	data = f.put(members)
	if len(c.tags) > 0 {
		tags = f.annotations(c)
	}
	return append(defs, binaryOf(uint32(f.typ(c.name)), uint32(1), uint32(noIndex), uint32(0), source, uint32(tags), uint32(data), uint32(values))...)
}

// code writes a code_item.
func (f *file) code(m methodSpec) int {
	debug := 0
	if len(m.lines) > 0 {
		debug = f.put(leb(m.lines[0][1]), []byte{0})
		unit, line := 0, m.lines[0][1]
		for _, l := range m.lines {
			f.put([]byte{dbgStartLocal, 0, 1, 1, dbgAdvancePC}, leb(l[0]-unit), []byte{dbgAdvanceLine, byte(l[1]-line) & 0x7f, dbgSpecial + 4})
			unit, line = l[0], l[1]
		}
		f.put([]byte{dbgEnd})
	}
	insns := m.code(&f.pool)
	f.align()
	return f.put(uint16(16), uint16(0), uint16(0), uint16(0), uint32(debug), uint32(len(insns)), insns)
}

// annotations writes those of a class and its methods.
func (f *file) annotations(c classSpec) int {
	sets := map[string]int{}
	for _, t := range c.tags {
		v, name := f.str(t.value), f.str("value")
		item := f.put([]byte{1}, leb(int(f.typ(t.kind))), []byte{1}, leb(int(name)), []byte{valueArray, 1, valueString | 1<<5, byte(v), byte(v >> 8)})
		f.align()
		sets[t.method] = f.put(uint32(1), uint32(item))
	}
	var methods, parameters []uint32
	for method, set := range sets {
		if name, ok := strings.CutPrefix(method, "("); ok {
			list := f.put(uint32(2), uint32(0), uint32(set))
			parameters = append(parameters, uint32(f.method(c.name, strings.TrimSuffix(name, ")"), "V")), uint32(list))
		} else if method != "" {
			methods = append(methods, uint32(f.method(c.name, method, "V")), uint32(set))
		}
	}
	return f.put(uint32(sets[""]), uint32(0), uint32(len(methods)/2), uint32(len(parameters)/2), methods, parameters)
}

func binaryOf(values ...uint32) (b []byte) {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// Instructions.
func constString(register byte, id uint16) []uint16 {
	return []uint16{uint16(register)<<8 | opConstString, id}
}
func const4(register, n byte) []uint16 {
	return []uint16{uint16(n&15)<<12 | uint16(register)<<8 | opConst4}
}
func newInstance(r byte, t uint16) []uint16 { return []uint16{uint16(r)<<8 | opNewInstance, t} }
func moveResult(register byte) []uint16     { return []uint16{uint16(register)<<8 | opMoveResultObj} }
func invoke(op byte, method uint16, registers ...uint16) []uint16 {
	args := uint16(0)
	for i, r := range registers {
		args |= r << (4 * i)
	}
	return []uint16{uint16(len(registers))<<12 | uint16(op), method, args}
}

var returnVoid = []uint16{opReturnVoid}

func join(parts ...[]uint16) []uint16 { return slices.Concat(parts...) }
