package dex

// The opcodes that matter here: what loads, moves, adds up or hands on a string, and what code
// branches by. After "Dalvik bytecode".
const (
	opNop             = 0x00
	opMove            = 0x01 // to 0x09: move, -wide, -object, each in three forms
	opMoveObject      = 0x07
	opMoveObject16    = 0x09
	opMoveResult      = 0x0a
	opMoveResultWide  = 0x0b
	opMoveResultObj   = 0x0c
	opMoveException   = 0x0d
	opReturnVoid      = 0x0e // to 0x11: the returns
	opReturnObject    = 0x11
	opConst4          = 0x12
	opConst16         = 0x13
	opConst           = 0x14
	opConstString     = 0x1a
	opConstStringWide = 0x1b // const-string/jumbo
	opCheckCast       = 0x1f
	opNewInstance     = 0x22
	opThrow           = 0x27
	opGoto            = 0x28
	opGoto32          = 0x2a
	opPackedSwitch    = 0x2b
	opSparseSwitch    = 0x2c
	opIfFirst         = 0x32
	opIfLast          = 0x3d
	opIput            = 0x59
	opIputObject      = 0x5b
	opIputBoolean     = 0x5c
	opSgetObject      = 0x62
	opSput            = 0x67
	opSputObject      = 0x69
	opSputBoolean     = 0x6a
	opInvokeVirtual   = 0x6e
	opInvokeStatic    = 0x71
	opInvokeInterface = 0x72
	opInvokeVirtualR  = 0x74 // the same with a range of registers
	opInvokeStaticR   = 0x77
	opInvokeInterfR   = 0x78
)

// shape is what is known of an opcode.
type shape struct {
	width byte // units of 16 bits, 0 if there is no such opcode
	dest  byte // the register that it writes: none, or one of the following
}

// Which register an instruction writes.
const (
	destNone byte = iota
	destA         // vA, of 4 bits
	destAA        // vAA, of 8 bits
	destAAAA      // vAAAA, of 16 bits
	destWide = 4  // added: the next one, too
)

// shapes has a row for each opcode.
var shapes = func() (s [256]shape) {
	for _, r := range []struct {
		from, to int
		shape
	}{
		{0x00, 0x00, shape{1, destNone}},
		{0x01, 0x01, shape{1, destA}}, {0x02, 0x02, shape{2, destAA}}, {0x03, 0x03, shape{3, destAAAA}},
		{0x04, 0x04, shape{1, destA + destWide}}, {0x05, 0x05, shape{2, destAA + destWide}}, {0x06, 0x06, shape{3, destAAAA + destWide}},
		{0x07, 0x07, shape{1, destA}}, {0x08, 0x08, shape{2, destAA}}, {0x09, 0x09, shape{3, destAAAA}},
		{0x0a, 0x0a, shape{1, destAA}}, {0x0b, 0x0b, shape{1, destAA + destWide}}, {0x0c, 0x0d, shape{1, destAA}},
		{0x0e, 0x11, shape{1, destNone}},                                                                                              // returns
		{0x12, 0x12, shape{1, destA}}, {0x13, 0x13, shape{2, destAA}}, {0x14, 0x14, shape{3, destAA}}, {0x15, 0x15, shape{2, destAA}}, // const
		{0x16, 0x16, shape{2, destAA + destWide}}, {0x17, 0x17, shape{3, destAA + destWide}},
		{0x18, 0x18, shape{5, destAA + destWide}}, {0x19, 0x19, shape{2, destAA + destWide}},
		{0x1a, 0x1a, shape{2, destAA}}, {0x1b, 0x1b, shape{3, destAA}}, {0x1c, 0x1c, shape{2, destAA}},
		{0x1d, 0x1e, shape{1, destNone}}, {0x1f, 0x1f, shape{2, destNone}}, // monitor-*, check-cast
		{0x20, 0x20, shape{2, destA}}, {0x21, 0x21, shape{1, destA}}, {0x22, 0x22, shape{2, destAA}}, {0x23, 0x23, shape{2, destA}},
		{0x24, 0x26, shape{3, destNone}}, {0x27, 0x28, shape{1, destNone}}, {0x29, 0x29, shape{2, destNone}}, {0x2a, 0x2c, shape{3, destNone}},
		{0x2d, 0x31, shape{2, destAA}}, {0x32, 0x3d, shape{2, destNone}}, // cmp, if
		{0x44, 0x44, shape{2, destAA}}, {0x45, 0x45, shape{2, destAA + destWide}}, {0x46, 0x4a, shape{2, destAA}}, {0x4b, 0x51, shape{2, destNone}}, // arrays
		{0x52, 0x52, shape{2, destA}}, {0x53, 0x53, shape{2, destA + destWide}}, {0x54, 0x58, shape{2, destA}}, {0x59, 0x5f, shape{2, destNone}}, // fields
		{0x60, 0x60, shape{2, destAA}}, {0x61, 0x61, shape{2, destAA + destWide}}, {0x62, 0x66, shape{2, destAA}}, {0x67, 0x6d, shape{2, destNone}},
		{0x6e, 0x72, shape{3, destNone}}, {0x74, 0x78, shape{3, destNone}}, // invoke
		// Whether arithmetic is wide is not told apart: forgetting a register too many does no harm.
		{0x7b, 0x8f, shape{1, destA + destWide}}, {0x90, 0xaf, shape{2, destAA + destWide}},
		{0xb0, 0xcf, shape{1, destA + destWide}}, {0xd0, 0xd7, shape{2, destA}}, {0xd8, 0xe2, shape{2, destAA}},
		{0xfa, 0xfb, shape{4, destNone}}, {0xfc, 0xfd, shape{3, destNone}}, {0xfe, 0xff, shape{2, destAA}},
	} {
		for op := r.from; op <= r.to; op++ {
			s[op] = r.shape
		}
	}
	return s
}()

// step is how many units the instruction or the table at a place in code takes; 0 if it is none
// or goes beyond the end. insns has two bytes for each unit.
func step(insns []byte, unit int) int {
	at := 2 * unit
	left := len(insns)/2 - unit
	n := int(shapes[insns[at]].width)
	if insns[at] == opNop && insns[at+1] != 0 && left >= 4 {
		size := int(u16(insns, at+2))
		switch insns[at+1] {
		case 1: // of packed-switch
			n = 4 + 2*size
		case 2: // of sparse-switch
			n = 2 + 4*size
		case 3: // of fill-array-data
			n = int(min(4+(int64(size)*int64(u32(insns, at+4))+1)/2, int64(left)+1))
		}
	}
	if n > left {
		return 0
	}
	return n
}
