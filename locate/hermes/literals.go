package hermes

import (
	"encoding/binary"
	"math"
	"strconv"
)

// The kinds of values in the literal buffers: a sequence of values of one kind begins with a
// byte 0kkknnnn, or with 1kkknnnn nnnnnnnn, n being how many follow
// (SerializedLiteralGenerator.h of facebook/hermes).
const (
	literalNull      = 0 // of keys: a private name
	literalTrue      = 1
	literalFalse     = 2
	literalNumber    = 3 // 8 bytes
	literalLong      = 4 // id of a string, 4 bytes
	literalShort     = 5 // 2 bytes
	literalByte      = 6 // 1 byte, until version 96
	literalUndefined = 6 // nothing, since version 98
	literalInteger   = 7 // 4 bytes
)

// A literal is one value of a literal buffer.
type literal struct {
	value
	span // where it stands; its sequence's head where it takes no bytes
}

// visitLiterals calls visit for count values of a buffer from an offset on, until it returns
// false or the buffer ends.
func (b *Bytecode) visitLiterals(buffer span, offset, count int, visit func(int, literal) bool) {
	at := buffer.start + offset
	for i := 0; i < count && at >= buffer.start && at < buffer.end; {
		head := b.data[at]
		kind, many, here := head>>4&7, int(head&15), at
		at++
		if head >= 0x80 {
			if at >= buffer.end {
				return
			}
			many = many<<8 | int(b.data[at])
			at++
		}
		if many == 0 {
			return // no compiler writes such a sequence
		}
		width := literalWidth(kind, b.layout.has(98))
		for ; many > 0 && i < count; many, i = many-1, i+1 {
			if width > buffer.end-at {
				return
			}
			l := literal{b.literalValue(kind, b.data[at:at+width]), span{here, here + 1}}
			if width > 0 {
				l.span = span{at, at + width}
			}
			if at += width; !visit(i, l) {
				return
			}
		}
	}
}

func literalWidth(kind byte, newer bool) int {
	switch kind {
	case literalNumber:
		return 8
	case literalLong, literalInteger:
		return 4
	case literalShort:
		return 2
	case literalByte:
		if !newer {
			return 1
		}
	}
	return 0
}

func (b *Bytecode) literalValue(kind byte, raw []byte) value {
	switch kind {
	case literalTrue:
		return value{kind: isTrue}
	case literalFalse:
		return value{kind: isFalse}
	case literalNull:
		return value{kind: isNull}
	case literalNumber:
		return value{kind: isNumber, bits: binary.LittleEndian.Uint64(raw)}
	case literalInteger:
		return integer(int32(binary.LittleEndian.Uint32(raw)))
	case literalLong:
		return value{kind: isString, id: binary.LittleEndian.Uint32(raw)}
	case literalShort:
		return value{kind: isString, id: uint32(binary.LittleEndian.Uint16(raw))}
	}
	if len(raw) == 1 {
		return value{kind: isString, id: uint32(raw[0])}
	}
	return value{kind: isUndefined}
}

// objectBuffers is which literals an instruction makes an object of.
type objectBuffers struct {
	keys, values int // offsets
	count        int
}

// objectBuffersAt reads the operands of an instruction that makes an object of literals.
func (b *Bytecode) objectBuffersAt(o *opcode, code []byte) (objectBuffers, bool) {
	last := len(o.operands) - 1
	if !b.layout.has(98) {
		if last < 4 {
			return objectBuffers{}, false
		}
		return objectBuffers{o.operand(code, 3), o.operand(code, 4), o.operand(code, 2)}, true
	}
	if o.operands[last] == 'b' {
		last-- // how an object with a type is made
	}
	shape := o.operand(code, last-1)
	if shape >= b.layout.shapes.len()/8 {
		return objectBuffers{}, false
	}
	entry := b.data[b.layout.shapes.start+8*shape:]
	return objectBuffers{
		keys:   int(binary.LittleEndian.Uint32(entry)),
		values: o.operand(code, last),
		count:  int(binary.LittleEndian.Uint32(entry[4:])),
	}, true
}

// valuesOfObjects is the buffer of the values of object literals.
func (l *layout) valuesOfObjects() span {
	if l.has(98) {
		return l.arrays
	}
	return l.values
}

// operand returns an operand that is a number, a register or an id.
func (o *opcode) operand(code []byte, i int) int {
	raw := code[o.at[i]:]
	switch o.at[i+1] - o.at[i] {
	case 1:
		return int(raw[0])
	case 2:
		return int(binary.LittleEndian.Uint16(raw))
	}
	return int(binary.LittleEndian.Uint32(raw))
}

func integer(n int32) value {
	return value{kind: isNumber, bits: math.Float64bits(float64(n))}
}

// number writes a number about as JavaScript does.
func (v value) number() string {
	n := math.Float64frombits(v.bits)
	if n == math.Trunc(n) && math.Abs(n) < 1e21 {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return strconv.FormatFloat(n, 'g', -1, 64)
}
