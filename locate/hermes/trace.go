package hermes

import (
	"encoding/binary"
)

// What is known of a value.
type kind uint8

const (
	isUnknown   kind = iota
	isString         // id: of the table
	isNumber         // bits: of a float64
	isTrue           //
	isFalse          //
	isNull           //
	isUndefined      //
	isSum            // id: in tracer.sums
	isArray          // id: offset in the literals, bits: how many
	isObject         // id: in tracer.objects
	isClosure        // id: of a function
	isMember         // id: the name by which it was read from something
)

// A value is what is known of a register's content. A constant has the instruction that made it.
type value struct {
	kind kind
	id   uint32
	bits uint64
	from uint32 // offset of the instruction in the file
}

// constant reports whether a value can be part of a text that is put together.
func (v value) constant() bool { return v.kind == isString || v.kind == isNumber || v.kind == isSum }

// A tracer follows values through the code of one function, in the order of the code. At a
// place to which something jumps, it knows what was known before the first of those
// jumps and was not set again since.
type tracer struct {
	b *Bytecode
	// onCall is called for each call: args begin with "this".
	onCall func(callee value, args []value)
	// onAdd makes a value of an addition; nil: unknown.
	onAdd func(left, right value) value
	// onResult makes a value of a call; nil: unknown.
	onResult func(callee value, args []value, at int) value
	// objects, where they are followed.
	withObjects bool
	wanted      map[uint32]bool // names of properties that count
	objects     []object
	budget      int // of literals

	function  *function
	here      uint32 // offset of the instruction in the code
	ended     bool   // the instruction before it does not go on
	registers [1024]value
	known     [1024]uint32 // the stretch of code in which a register was set; 0 if it is not known
	setAt     [1024]uint32 // the offset of the instruction that set it
	stretch   uint32
	log       []write  // in the order of the code
	targets   []uint64 // a bit for each byte of the code that a forward jump leads to
	firstJump []uint32 // for those, where the first of the jumps is
	args      []value
}

// A write is that an instruction set a register.
type write struct {
	register uint16
	at       uint32
}

func newTracer(b *Bytecode) *tracer {
	return &tracer{b: b, stretch: 1, budget: literalsPerByte * len(b.data)}
}

// run goes through a function.
func (t *tracer) run(id int) {
	f := &t.b.allFunctions()[id]
	t.function, t.objects, t.ended = f, t.objects[:0], false
	t.forget()
	t.findTargets(f)
	t.b.visitCode(f, func(o *opcode, at int) bool {
		t.here = uint32(at - f.code.start)
		switch {
		case t.isTarget(t.here):
			t.rejoin(t.firstJump[t.here])
		case t.ended:
			t.forget() // a handler of exceptions, or a case of a switch
		}
		t.ended = false
		t.step(o, at)
		return true
	})
}

// findTargets finds where the jumps of a function lead to.
func (t *tracer) findTargets(f *function) {
	size := f.code.len() + 1
	if len(t.firstJump) < size {
		t.firstJump, t.targets = make([]uint32, size), make([]uint64, size/64+1)
	}
	clear(t.targets[:size/64+1])
	t.b.visitCode(f, func(o *opcode, at int) bool {
		if o.means == branch || o.means == jump {
			t.jump(o, at-f.code.start)
		}
		return true
	})
}

// jump remembers where an instruction leads to. Jumps back are no matter: what is known
// before a loop holds in its first turn.
func (t *tracer) jump(o *opcode, here int) {
	code := t.b.data[t.function.code.start+here:]
	for i, kind := range o.operands {
		var by int
		switch kind {
		case 'j':
			by = int(int8(code[o.at[i]]))
		case 'J':
			by = int(int32(binary.LittleEndian.Uint32(code[o.at[i]:])))
		default:
			continue
		}
		if to := here + by; by > 0 && to < t.function.code.len() && !t.isTarget(uint32(to)) {
			t.targets[to/64] |= 1 << (to % 64)
			t.firstJump[to] = uint32(here)
		}
	}
}

func (t *tracer) isTarget(at uint32) bool { return t.targets[at/64]>>(at%64)&1 == 1 }

// rejoin forgets what was set after a jump to here.
func (t *tracer) rejoin(jump uint32) {
	for n := len(t.log); n > 0 && t.log[n-1].at > jump; n-- {
		if last := t.log[n-1]; t.setAt[last.register] == last.at {
			t.known[last.register] = 0
		}
		t.log = t.log[:n-1]
	}
}

func (t *tracer) forget() {
	t.stretch++
	t.log = t.log[:0]
}

func (t *tracer) register(i int) value {
	if i < 0 || i >= len(t.registers) || t.known[i] != t.stretch {
		return value{}
	}
	return t.registers[i]
}

func (t *tracer) set(i int, v value) {
	if i >= 0 && i < len(t.registers) {
		t.registers[i], t.known[i], t.setAt[i] = v, t.stretch, t.here
		t.log = append(t.log, write{uint16(i), t.here})
	}
}

// step does what one instruction does to what is known.
func (t *tracer) step(o *opcode, at int) {
	code := t.b.data[at:]
	switch o.means {
	case other:
		if o.operands != "" && o.operands[0] == 'r' {
			t.set(int(code[1]), value{})
		}
	case inert:
	case scatters:
		for i, kind := range o.operands {
			if kind == 'r' {
				t.set(int(code[o.at[i]]), value{})
			}
		}
	case move:
		t.set(o.operand(code, 0), t.register(o.operand(code, 1)))
	case add:
		var sum value
		if t.onAdd != nil {
			sum = t.onAdd(t.register(o.operand(code, 1)), t.register(o.operand(code, 2)))
			sum.from = uint32(at)
		}
		t.set(int(code[1]), sum)
	case putByID, putSlot, putByValue:
		t.put(o, code, at)
	case callArgs, callFrame:
		t.call(o, code, at)
	case branch:
	case jump, ends, switchStrings:
		t.ended = true
	case catches:
		t.forget()
	default:
		t.set(int(code[1]), t.make(o, code, at))
	}
}

// make is the value that an instruction makes from nothing but itself.
func (t *tracer) make(o *opcode, code []byte, at int) value {
	v := value{from: uint32(at)}
	switch o.means {
	case loadString:
		v.kind, v.id = isString, uint32(o.stringID(code))
	case loadZero:
		v.kind = isNumber
	case loadInt:
		n := int32(code[2])
		if o.operands[1] == 'i' {
			n = int32(binary.LittleEndian.Uint32(code[2:]))
		}
		v.kind, v.bits = isNumber, integer(n).bits
	case loadDouble:
		v.kind, v.bits = isNumber, binary.LittleEndian.Uint64(code[2:])
	case loadTrue:
		v.kind = isTrue
	case loadFalse:
		v.kind = isFalse
	case loadNull:
		v.kind = isNull
	case loadUndefined:
		v.kind = isUndefined
	case getByID:
		v.kind, v.id = isMember, uint32(o.stringID(code))
	case closure:
		v.kind, v.id = isClosure, uint32(o.functionID(code))
	case newArrayBuffer:
		v.kind, v.id, v.bits = isArray, uint32(o.operand(code, 3)), uint64(o.operand(code, 2))
	case newObject, newObjectBuffer:
		if t.withObjects {
			return t.makeObject(o, code)
		}
	}
	return v
}

// The arguments of a call that does not name their registers stand at the end of the
// frame, "this" first, below what the virtual machine keeps there (StackFrameLayout of
// facebook/hermes).
const keptInFrame = 7

// call hands a call on, and sets what comes of it.
func (t *tracer) call(o *opcode, code []byte, at int) {
	t.args = t.args[:0]
	if o.means == callArgs {
		for i := 2; i < len(o.operands); i++ {
			t.args = append(t.args, t.register(o.operand(code, i)))
		}
	} else {
		this := int(t.function.frame) - keptInFrame
		for i := range min(o.operand(code, 2), maxArguments) {
			t.args = append(t.args, t.register(this-i))
		}
	}
	callee := t.register(o.operand(code, 1))
	if t.onCall != nil {
		t.onCall(callee, t.args)
	}
	var result value
	if t.onResult != nil {
		result = t.onResult(callee, t.args, at)
		result.from = uint32(at)
	}
	t.set(int(code[1]), result)
}

// maxArguments bounds the arguments of a call that are looked at.
const maxArguments = 32
