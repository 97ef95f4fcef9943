package hermes

import (
	"crypto/sha1"
	"encoding/binary"
	"testing"
	"unicode/utf16"
)

// A program is a bytecode file in the making: a small writer of what the compiler writes.
type program struct {
	version   int
	strings   []string // the id of each is its index
	storage   string   // where they are looked for, before they are put behind it
	functions []routine
	arrays    []byte // since 98 values of objects too
	keys      []byte
	values    []byte
	shapes    [][2]uint32
	segment   uint32
	static    bool // the table of CommonJS modules has no names
	tail      string
}

// A routine is a function of a program.
type routine struct {
	name  int
	frame int
	code  []byte
	table []uint32 // of a switch, behind the code
	large bool     // its header does not fit into the table
}

// emitter writes instructions of a version.
type emitter struct {
	t    testing.TB
	set  *instructionSet
	code []byte
}

func emit(t testing.TB, version int) *emitter {
	return &emitter{t: t, set: instructionsOf(version)}
}

// op appends an instruction.
func (e *emitter) op(name string, operands ...int) *emitter {
	e.t.Helper()
	for number := range e.set {
		o := &e.set[number]
		if o.name != name {
			continue
		}
		if len(operands) != len(o.operands) {
			e.t.Fatalf("%s has %d operands, not %d", name, len(o.operands), len(operands))
		}
		code := make([]byte, o.size)
		code[0] = byte(number)
		for i, v := range operands {
			switch o.at[i+1] - o.at[i] {
			case 1:
				code[o.at[i]] = byte(v)
			case 2:
				binary.LittleEndian.PutUint16(code[o.at[i]:], uint16(v))
			case 4:
				binary.LittleEndian.PutUint32(code[o.at[i]:], uint32(v))
			}
		}
		e.code = append(e.code, code...)
		return e
	}
	e.t.Fatalf("there is no %s", name)
	return nil
}

// writer appends the parts of a file.
type writer struct{ out []byte }

func (w *writer) align() {
	for len(w.out)%4 != 0 {
		w.out = append(w.out, 0)
	}
}

func (w *writer) words(words ...uint32) {
	for _, v := range words {
		w.out = binary.LittleEndian.AppendUint32(w.out, v)
	}
}

func (w *writer) part(b []byte) {
	w.align()
	w.out = append(w.out, b...)
}

// bytes writes the file.
func (p program) bytes() []byte {
	w := &writer{out: make([]byte, headerSize)}
	copy(w.out, magic)
	binary.LittleEndian.PutUint32(w.out[atVersion:], uint32(p.version))
	entry := 16
	if p.version >= 98 {
		entry = 12
	}
	headers := len(w.out)
	w.part(make([]byte, entry*len(p.functions)))
	w.words(uint32(len(p.strings))) // one kind
	small, long, storage := p.stringTables()
	w.words(small...)
	w.words(long...)
	w.part(storage)
	w.part(p.arrays)
	w.part(p.keys)
	w.part(p.values)
	w.align()
	for _, shape := range p.shapes {
		w.words(shape[:]...)
	}
	w.align()
	for i, f := range p.functions {
		header := p.writeFunction(w, entry, f)
		copy(w.out[headers+i*entry:], header)
	}
	w.align()
	debug := uint32(len(w.out))
	w.words(0, 0, 0, 0, 0, 0, 0)
	length := uint32(len(w.out))
	if p.version >= 76 {
		length += footerSize
	}
	p.fillHeader(w.out, length, debug, len(small), len(long)/2, len(storage))
	if p.version >= 76 {
		sum := sha1.Sum(w.out)
		w.out = append(w.out, sum[:]...)
	}
	return append(w.out, p.tail...)
}

func (p program) stringTables() (small, long []uint32, storage []byte) {
	storage = []byte(p.storage)
	for _, s := range p.strings {
		text, wide := []byte(s), uint32(0)
		units := len(s)
		if !plainASCII(s) {
			wide, text = 1, nil
			encoded := utf16.Encode([]rune(s))
			units = len(encoded)
			for _, u := range encoded {
				text = binary.LittleEndian.AppendUint16(text, u)
			}
			if len(storage)%2 != 0 {
				storage = append(storage, '|')
			}
		}
		at := indexOf(storage, text)
		if at < 0 {
			at = len(storage)
			storage = append(storage, text...)
		}
		if units < longString {
			small = append(small, wide|uint32(at)<<1|uint32(units)<<24)
			continue
		}
		small = append(small, wide|uint32(len(long)/2)<<1|longString<<24)
		long = append(long, uint32(at), uint32(units))
	}
	return small, long, storage
}

func plainASCII(s string) bool {
	for _, c := range []byte(s) {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

func indexOf(in, what []byte) int {
	for at := 0; at+len(what) <= len(in); at++ {
		if string(in[at:at+len(what)]) == string(what) {
			return at
		}
	}
	return -1
}

// writeFunction appends the code of a function and returns its header.
func (p program) writeFunction(w *writer, size int, f routine) []byte {
	header := make([]byte, size)
	start, length := uint32(len(w.out)), uint32(len(f.code))
	w.out = append(w.out, f.code...)
	w.align()
	w.words(f.table...)
	word := func(i int, v uint32) { binary.LittleEndian.PutUint32(header[4*i:], v) }
	name, frame := uint32(f.name), uint32(f.frame)
	if !f.large {
		word(0, start)
		if p.version >= 98 {
			word(1, length|name<<14)
			header[8] = byte(frame)
		} else {
			word(1, length|name<<15)
			word(2, frame<<25)
		}
		return header
	}
	w.align()
	at := uint32(len(w.out))
	if p.version >= 98 {
		word(0, at&0xffffff)
		word(1, at>>24<<14)
		w.words(start, 0, 0, length, name, 0, 0, frame)
		rest := 4
		if p.version == 98 {
			rest = 5
		}
		w.out = append(w.out, make([]byte, rest)...)
	} else {
		word(0, at&0xffff)
		word(2, at>>16)
		w.words(start, 0, length, name, at, frame, 0)
		w.out = append(w.out, 0, 0, 0)
	}
	header[len(header)-1] = flagOverflow
	return header
}

func (p program) fillHeader(out []byte, length, debug uint32, strings, long, storage int) {
	w := &writer{}
	w.words(length, 0, uint32(len(p.functions)), 1, 0, uint32(strings), uint32(long), uint32(storage))
	if p.version >= 89 {
		w.words(0, 0) // big integers
	}
	w.words(0, 0, uint32(len(p.arrays)), uint32(len(p.keys))) // regular expressions before them
	if p.version >= 98 {
		w.words(uint32(len(p.shapes)), 0)
	} else {
		w.words(uint32(len(p.values)))
	}
	w.words(p.segment, 0)
	if p.version >= 84 {
		w.words(0) // sources of functions
	}
	w.words(debug)
	if p.static {
		w.words(staticModules)
	}
	copy(out[atFileLength:], w.out)
}
