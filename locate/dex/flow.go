package dex

// What a register is known to hold.
const (
	unknown = iota
	aText   // a string; n is its id
	aNumber // n is its value
	aSum    // what code puts together; n is its index in flow.sums
)

// A datum is what is known of a register.
type datum struct {
	is byte
	n  uint32
}

// A sum is a StringBuilder, or a string that was added up.
type sum struct {
	pieces []piece
	fixed  bool // it is a string, which nobody can change
	used   bool // it became part of another
}

// A piece is one operand of a sum. One that is not known is a gap.
type piece struct {
	is   byte // unknown, aText, aNumber (in decimal digits) or aChar
	text uint32
}

// aChar is a piece that is a character; text is its UTF-16 unit.
const aChar = aSum

// maxPieces bounds a sum: code that appends one to itself doubles it each time.
// maxCopied bounds the pieces that one method copies from sum to sum.
const (
	maxPieces = 256
	maxCopied = 1 << 16
)

// A role is what a method does with strings.
type role byte

const (
	other role = iota
	initBuilder
	initBuilderText
	appendText
	appendChar
	appendNumber
	appendOther
	toString
	concat
	valueOf
)

// roles gives each method that adds strings up its role, by id.
func (p *part) roles() []role {
	roles := make([]role, p.methods.n)
	names := map[uint32]string{} // of types
	for id := range roles {
		m, _ := p.member(p.methods, uint32(id))
		class, ok := names[m.class]
		if !ok {
			s, _ := p.typeString(m.class)
			class = p.text(s)
			names[m.class] = class
		}
		switch class {
		case "Ljava/lang/StringBuilder;", "Ljava/lang/StringBuffer;", "Ljava/lang/String;", "Ljava/lang/Object;", "Lkotlin/jvm/internal/Intrinsics;":
			roles[id] = roleOf(class, p.text(m.name)+p.shorty(m.kind))
		}
	}
	return roles
}

// shorty is the short form of a prototype: the letter of what it returns, then of each parameter.
func (p *part) shorty(id uint32) string {
	at, ok := p.protos.row(id)
	if !ok {
		return ""
	}
	return p.text(u32(p.data, at))
}

// roleOf is the role of a method of a class, by its name and shorty.
func roleOf(class, method string) role {
	switch class {
	case "Ljava/lang/String;":
		switch method {
		case "concatLL":
			return concat
		case "valueOfLL", "toStringL":
			return valueOf
		}
		return other
	case "Ljava/lang/Object;":
		if method == "toStringL" {
			return toString
		}
		return other
	case "Lkotlin/jvm/internal/Intrinsics;":
		if method == "stringPlusLLL" {
			return concat
		}
		return other
	}
	switch method {
	case "<init>V", "<init>VI":
		return initBuilder
	case "<init>VL":
		return initBuilderText
	case "appendLL":
		return appendText
	case "appendLC":
		return appendChar
	case "appendLI", "appendLJ":
		return appendNumber
	case "toStringL":
		return toString
	}
	if len(method) > 6 && method[:6] == "append" {
		return appendOther
	}
	return other
}

// flow follows the registers of a method in straight lines: where branches may meet, it
// forgets everything. Registers beyond 255 are not followed, const-string cannot reach them.
type flow struct {
	p     *part
	roles []role
	final map[uint32]uint32 // constant static fields, and their strings

	regs   [256]datum
	result datum // of the call just done
	used   int   // registers that the method has, of those followed
	sums   []sum
	copied int      // pieces, from sum to sum
	joins  []uint64 // bits of the units that branches lead to
	args   []uint32 // registers of a call

	// call and put are told what a call and a field get; nil: not wanted.
	call func(method uint32, args []datum, at int)
	put  func(field uint32, value datum, at int)
}

func (p *part) flow(final map[uint32]uint32) *flow {
	return &flow{p: p, roles: p.roles(), final: final}
}

// run follows a method. f.sums has what it added up, until the next run.
func (f *flow) run(item int) {
	f.sums, f.copied = f.sums[:0], 0
	insns, ok := f.p.insns(item)
	if !ok {
		return
	}
	base := item + codeHeader
	f.used = min(int(u16(f.p.data, item)), len(f.regs))
	if !f.findJoins(insns) {
		return
	}
	f.forget()
	for unit, end := 0, len(insns)/2; unit < end; {
		n := step(insns, unit)
		if n == 0 {
			return
		}
		if f.joins[unit>>6]&(1<<(unit&63)) != 0 {
			f.forget()
		}
		f.step(insns[2*unit:2*(unit+n)], base+2*unit)
		unit += n
	}
}

// forget drops what is known of all registers.
func (f *flow) forget() {
	clear(f.regs[:f.used])
	f.result = datum{}
}

// findJoins marks where branches lead; false if the code is too tangled to be followed.
func (f *flow) findJoins(insns []byte) bool {
	end := len(insns) / 2
	f.joins = append(f.joins[:0], make([]uint64, end/64+1)...)
	effort := end + 64
	mark := func(unit int) {
		if unit >= 0 && unit < end {
			f.joins[unit>>6] |= 1 << (unit & 63)
		}
	}
	for unit := 0; unit < end; {
		n := step(insns, unit)
		if n == 0 {
			return true
		}
		at := 2 * unit
		switch op := insns[at]; {
		case op == opGoto:
			mark(unit + int(int8(insns[at+1])))
		case op == opGoto+1 || op >= opIfFirst && op <= opIfLast:
			mark(unit + int(int16(u16(insns, at+2))))
		case op == opGoto32:
			mark(unit + int(int32(u32(insns, at+2))))
		case op == opPackedSwitch || op == opSparseSwitch:
			table := unit + int(int32(u32(insns, at+2)))
			if table < 0 || table >= end {
				break
			}
			size := step(insns, table)
			if effort -= size; effort < 0 {
				return false
			}
			// The targets are the last half of a sparse table, and all of a packed one.
			first := table + 4
			if op == opSparseSwitch {
				first = table + 2 + (size-2)/2
			}
			for t := first; t+2 <= table+size; t += 2 {
				mark(unit + int(int32(u32(insns, 2*t))))
			}
		}
		unit += n
	}
	return true
}

// step follows one instruction.
func (f *flow) step(in []byte, at int) {
	op, a := in[0], int(in[1])
	result := f.result
	f.result = datum{}
	switch {
	case op == opNop:
		return
	case op == opConstString:
		f.set(a, datum{aText, u16(in, 2)})
	case op == opConstStringWide:
		f.set(a, datum{aText, u32(in, 2)})
	case op == opConst4:
		f.set(a&15, datum{aNumber, uint32(int32(int8(in[1])) >> 4)})
	case op == opConst16:
		f.set(a, datum{aNumber, uint32(int32(int16(u16(in, 2))))})
	case op == opConst:
		f.set(a, datum{aNumber, u32(in, 2)})
	case op >= opMoveObject && op <= opMoveObject16, op >= opMove && op < opMove+3:
		f.move(in)
	case op == opMoveResultObj || op == opMoveResult:
		f.set(a, result)
	case op == opNewInstance:
		f.set(a, datum{})
	case op == opCheckCast:
	case op == opSgetObject:
		value := datum{}
		if text, ok := f.final[u16(in, 2)]; ok {
			value = datum{aText, text}
		}
		f.set(a, value)
	case op >= opIput && op <= opIput+6:
		f.store(u16(in, 2), f.get(a&15), at)
	case op >= opSput && op <= opSput+6:
		f.store(u16(in, 2), f.get(a), at)
	case op >= opInvokeVirtual && op <= opInvokeInterface, op >= opInvokeVirtualR && op <= opInvokeInterfR:
		f.invoke(in, at)
	case op == opMoveException, op >= opReturnVoid && op <= opReturnObject, op >= opThrow && op <= opGoto32:
		f.forget()
	default:
		f.overwrite(in)
	}
}

// move copies a register.
func (f *flow) move(in []byte) {
	switch len(in) {
	case 2:
		f.set(int(in[1]&15), f.get(int(in[1]>>4)))
	case 4:
		f.set(int(in[1]), f.get(int(u16(in, 2))))
	default:
		f.set(int(u16(in, 2)), f.get(int(u16(in, 4))))
	}
}

// overwrite forgets the registers that an instruction writes.
func (f *flow) overwrite(in []byte) {
	dest := shapes[in[0]].dest
	register := int(in[1])
	switch dest &^ destWide {
	case destNone:
		return
	case destA:
		register &= 15
	case destAAAA:
		register = int(u16(in, 2))
	}
	f.set(register, datum{})
	if dest&destWide != 0 {
		f.set(register+1, datum{})
	}
}

func (f *flow) set(register int, d datum) {
	if register < f.used {
		f.regs[register] = d
	}
}

func (f *flow) get(register int) datum {
	if register < f.used {
		return f.regs[register]
	}
	return datum{}
}

// store sees a field get a value. Who else may change it from then on is not known.
func (f *flow) store(field uint32, value datum, at int) {
	f.escape(value)
	if f.put != nil {
		f.put(field, value, at)
	}
}

// escape ends what is known of a sum that others get hold of: they may append to it.
func (f *flow) escape(d datum) {
	if d.is == aSum && !f.sums[d.n].fixed {
		f.add(d, piece{})
	}
}
