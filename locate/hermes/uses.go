package hermes

import (
	"encoding/binary"
	"slices"
)

// A use is an instruction that uses a string.
type use struct {
	function uint32
	offset   uint32 // of the instruction in the function's code
}

// A useIndex says which code uses which string, and which functions make up which module.
type useIndex struct {
	first   []uint32 // where the uses of each string begin in uses; one more at the end
	uses    []use
	modules []module
	members []uint32 // functions of the modules, module by module
}

// Bounds by the file's size: damaged or hostile code may name the same literals over and over,
// and functions may all have the same code.
const (
	literalsPerByte = 2 // literals of buffers
	codePerByte     = 4 // bytes of code
)

// A usePair is a use before they are sorted.
type usePair struct {
	string uint32
	use
}

// index reads all code at the first call.
func (b *Bytecode) index() *useIndex {
	b.usesOnce.Do(func() {
		if b.set == nil {
			return
		}
		pairs := b.collectUses()
		b.uses.first = make([]uint32, b.stringCount()+1)
		for _, p := range pairs {
			b.uses.first[p.string]++
		}
		sum := uint32(0)
		for i, n := range b.uses.first {
			b.uses.first[i] = sum
			sum += n
		}
		b.uses.uses = make([]use, len(pairs))
		next := slices.Clone(b.uses.first)
		for _, p := range pairs {
			b.uses.uses[next[p.string]] = p.use
			next[p.string]++
		}
		b.uses.modules = b.findModules()
		b.uses.members = b.placeInModules(b.uses.modules)
	})
	return &b.uses
}

// collectUses goes through all code once: for strings, and for which function makes which.
func (b *Bytecode) collectUses() []usePair {
	functions, count := b.allFunctions(), b.stringCount()
	pairs := make([]usePair, 0, min(len(b.data)/16, 8*count))
	budget, code := literalsPerByte*len(b.data), codePerByte*len(b.data)
	for i := range functions {
		f := &functions[i]
		if code -= f.code.len(); code < 0 {
			break
		}
		b.visitCode(f, func(o *opcode, at int) bool {
			if o.fn != 0 {
				if made := o.functionID(b.data[at:]); made < len(functions) && made != i && functions[made].parent < 0 {
					functions[made].parent = int32(i)
				}
			}
			here := use{uint32(i), uint32(at - f.code.start)}
			b.stringsOf(o, at, &budget, func(id int) {
				pairs = append(pairs, usePair{uint32(id), here})
			})
			return true
		})
	}
	return pairs
}

// stringsOf calls visit for the strings of the table that an instruction uses, by itself or
// through literals. The budget is of literals.
func (b *Bytecode) stringsOf(o *opcode, at int, budget *int, visit func(id int)) {
	if o.str != 0 {
		if id := o.stringID(b.data[at:]); id < b.stringCount() {
			visit(id)
		}
		return
	}
	if o.means == switchStrings {
		b.visitCases(o, at, budget, visit)
		return
	}
	if o.means != newArrayBuffer && o.means != newObjectBuffer {
		return
	}
	each := func(_ int, l literal) bool {
		if *budget--; l.kind == isString && int(l.id) < b.stringCount() {
			visit(int(l.id))
		}
		return *budget > 0
	}
	code := b.data[at:]
	if o.means == newArrayBuffer {
		b.visitLiterals(b.layout.arrays, o.operand(code, 3), o.operand(code, 2), each)
		return
	}
	if object, ok := b.objectBuffersAt(o, code); ok {
		b.visitLiterals(b.layout.keys, object.keys, object.count, each)
		b.visitLiterals(b.layout.valuesOfObjects(), object.values, object.count, each)
	}
}

// visitCases calls visit for the strings of a switch: its table stands behind the code, on a
// multiple of 4, and has the id of a string and a jump for each case.
func (b *Bytecode) visitCases(o *opcode, at int, budget *int, visit func(id int)) {
	table := (at + o.operand(b.data[at:], 2) + 3) &^ 3
	for range o.operand(b.data[at:], 4) {
		if *budget--; *budget < 0 || table < 0 || table > len(b.data)-8 {
			return
		}
		if id := int(binary.LittleEndian.Uint32(b.data[table:])); id < b.stringCount() {
			visit(id)
		}
		table += 8
	}
}

// stringID and functionID read the ids that an instruction has.
func (o *opcode) stringID(code []byte) int   { return readID(code[o.str:], o.strWide) }
func (o *opcode) functionID(code []byte) int { return readID(code[o.fn:], o.fnWide) }

func readID(raw []byte, width uint8) int {
	switch width {
	case 1:
		return int(raw[0])
	case 2:
		return int(binary.LittleEndian.Uint16(raw))
	}
	return int(binary.LittleEndian.Uint32(raw))
}

// usesOf returns the instructions that use a string.
func (b *Bytecode) usesOf(id int) []use {
	index := b.index()
	if id+1 >= len(index.first) {
		return nil
	}
	return index.uses[index.first[id]:index.first[id+1]]
}
