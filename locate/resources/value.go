package resources

import (
	"math"
	"strconv"
)

// The types of a value (Res_value in ResourceTypes.h).
const (
	typeNull             = 0x00
	typeReference        = 0x01
	typeAttribute        = 0x02
	typeString           = 0x03
	typeFloat            = 0x04
	typeDimension        = 0x05
	typeFraction         = 0x06
	typeDynamicReference = 0x07
	typeDynamicAttribute = 0x08
	typeDecimal          = 0x10
	typeHex              = 0x11
	typeBoolean          = 0x12
	typeFirstColor       = 0x1c
	typeLastColor        = 0x1f
)

// value is what an attribute or a resource has.
type value struct {
	kind byte // type… of above
	data uint32
	text string // of a string
	name string // of a reference that is by name: "string/app_name"
	// start and end are the bytes of the string, or of the number.
	start, end int
}

// Resolve gives a resource its name, as "string/app_name"; "" where it is not known.
type Resolve func(id uint32) string

// write returns the value as it would stand in XML before it was compiled. What is no
// string, reference or plain number is as aapt2 writes it: "#ff0000ff", "16dp".
func (v *value) write(resolve Resolve) string {
	switch v.kind {
	case typeString:
		return v.text
	case typeReference, typeDynamicReference:
		return "@" + v.target(resolve)
	case typeAttribute, typeDynamicAttribute:
		return "?" + v.target(resolve)
	case typeNull:
		if v.data == 1 {
			return "@empty"
		}
		return "@null"
	case typeFloat:
		return strconv.FormatFloat(float64(math.Float32frombits(v.data)), 'g', -1, 32)
	case typeDimension:
		return complexNumber(v.data, 1) + unit(v.data, "px", "dp", "sp", "pt", "in", "mm")
	case typeFraction:
		return complexNumber(v.data, 100) + unit(v.data, "%", "%p")
	case typeDecimal:
		return strconv.Itoa(int(int32(v.data)))
	case typeBoolean:
		return strconv.FormatBool(v.data != 0)
	}
	if v.kind >= typeFirstColor && v.kind <= typeLastColor {
		return "#" + hex8(v.data)
	}
	return "0x" + strconv.FormatUint(uint64(v.data), 16)
}

// literal reports whether the value is in the file itself.
func (v *value) literal() bool {
	switch v.kind {
	case typeNull, typeReference, typeAttribute, typeDynamicReference, typeDynamicAttribute:
		return false
	}
	return true
}

func (v *value) target(resolve Resolve) string {
	if v.name != "" {
		return v.name
	}
	if v.data == 0 {
		return "null"
	}
	if resolve != nil {
		if name := resolve(v.data); name != "" {
			return name
		}
	}
	return "0x" + hex8(v.data)
}

func hex8(n uint32) string {
	const digits = "0123456789abcdef"
	var b [8]byte
	for i := range b {
		b[i] = digits[n>>(28-4*i)&15]
	}
	return string(b[:])
}

// complexNumber reads a mantissa of 24 bits whose point is at one of four places.
func complexNumber(data uint32, times float64) string {
	points := [4]float64{1 << 8, 1 << 15, 1 << 23, 1 << 31}
	n := float64(int32(data&0xffffff00)) / points[data>>4&3] * times
	return strconv.FormatFloat(n, 'g', 6, 64)
}

func unit(data uint32, names ...string) string {
	if i := int(data & 15); i < len(names) {
		return names[i]
	}
	return ""
}
