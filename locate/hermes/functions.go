package hermes

import (
	"encoding/binary"
	"strconv"
)

// A function is one entry of the table of functions.
type function struct {
	code    span
	address int    // of its code, were each function's behind that of the one before it
	name    uint32 // id of a string; empty for one without a name
	frame   uint32 // how many registers it has
	info    uint32 // where its tables of exceptions and debug information stand; 0 without
	parent  int32  // the function that makes it; -1 without
	module  int32  // index in useIndex.modules; -1 without
	shared  bool   // an earlier function has the same code
	catches bool   // it has a table of exceptions
	debug   bool   // it has debug information
}

// The flags of a function's header, and the size of the whole header by version, with its flags.
const (
	flagCatches  = 1 << 3
	flagDebug    = 1 << 4
	flagOverflow = 1 << 5

	largeHeaderTo96 = 31
	largeHeader98   = 37
	largeHeader99   = 36
)

// allFunctions reads the table of functions at the first call.
func (b *Bytecode) allFunctions() []function {
	b.functionsOnce.Do(func() {
		if b.set == nil {
			return
		}
		table, size := b.layout.functions, b.layout.functionSize()
		b.functions = make([]function, 0, table.len()/size)
		address, furthest := 0, 0
		for at := table.start; at < table.end; at += size {
			f := b.readFunction(b.data[at : at+size])
			f.address, f.parent, f.module = address, -1, -1
			address += f.code.len()
			if f.code.start < 0 || f.code.end > len(b.data) || f.code.start > f.code.end {
				f.code = span{}
			}
			f.shared = f.code.start < furthest
			furthest = max(furthest, f.code.end)
			b.functions = append(b.functions, f)
		}
	})
	return b.functions
}

// readFunction reads an entry of the table, and the large header that it may send to.
func (b *Bytecode) readFunction(entry []byte) function {
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(entry[4*i:]) }
	flags := entry[len(entry)-1]
	if b.layout.has(98) {
		if flags&flagOverflow != 0 {
			return b.readLarge98(int(word(1)>>14&0xff)<<24 | int(word(0)&0xffffff))
		}
		return newFunction(word(0)&(1<<25-1), word(1)&(1<<14-1), word(1)>>14&0xff, uint32(entry[8]), 0, flags)
	}
	if flags&flagOverflow != 0 {
		return b.readLarge96(int(word(2)&(1<<25-1))<<16 | int(word(0)&(1<<25-1)))
	}
	return newFunction(word(0)&(1<<25-1), word(1)&(1<<15-1), word(1)>>15, word(2)>>25, word(2)&(1<<25-1), flags)
}

func newFunction(start, size, name, frame, info uint32, flags byte) function {
	return function{
		code: span{int(start), int(start) + int(size)}, name: name, frame: frame, info: info,
		catches: flags&flagCatches != 0, debug: flags&flagDebug != 0,
	}
}

func (b *Bytecode) readLarge96(at int) function {
	if at < 0 || at > len(b.data)-largeHeaderTo96 {
		return function{}
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(b.data[at+4*i:]) }
	return newFunction(word(0), word(2), word(3), word(5), uint32(at+largeHeaderTo96), b.data[at+largeHeaderTo96-1])
}

func (b *Bytecode) readLarge98(at int) function {
	size := largeHeader98
	if b.layout.has(99) {
		size = largeHeader99
	}
	if at < 0 || at > len(b.data)-size {
		return function{}
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(b.data[at+4*i:]) }
	return newFunction(word(0), word(3), word(4), word(7), uint32(at+size), b.data[at+size-1])
}

// visitCode calls visit for the instructions of a function in their order, until it returns
// false, the code ends, or there is an opcode that the version does not have.
func (b *Bytecode) visitCode(f *function, visit func(o *opcode, at int) bool) {
	for at := f.code.start; at < f.code.end; {
		o := &b.set[b.data[at]]
		if o.size == 0 || at+int(o.size) > f.code.end || !visit(o, at) {
			return
		}
		at += int(o.size)
	}
}

// functionName is how a function is called for people: by its name, or by its number and the
// nearest function around it that has one, or the module that it belongs to.
func (b *Bytecode) functionName(id int) string {
	functions := b.allFunctions()
	name := "function " + strconv.Itoa(id)
	for around, depth := id, 0; around >= 0 && depth < maxNesting; around, depth = int(functions[around].parent), depth+1 {
		own := b.nameText(int(functions[around].name))
		switch {
		case own != "" && around == id:
			return own
		case own != "" && around != b.layout.global:
			return name + " in " + own
		}
	}
	if m := functions[id].module; m >= 0 {
		name += " of module " + b.index().modules[m].id
	}
	return name
}

// maxNesting bounds how far functions around a function are followed: parents of a damaged file may
// go round in a circle.
const maxNesting = 64
