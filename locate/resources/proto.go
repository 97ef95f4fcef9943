package resources

import (
	"fmt"
	"math"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a message (Resources.proto and Configuration.proto of aapt2), with the
// place of its bytes in the file.
type field struct {
	number     protowire.Number
	varint     uint64 // or the bits of a fixed number
	start, end int    // of the content
}

// fields calls visit for each field of the message between start and end. The error says where
// the message is damaged.
func fields(data []byte, start, end int, visit func(field) error) error {
	for at := start; at < end; {
		number, kind, n := protowire.ConsumeTag(data[at:end])
		if n < 0 {
			return fmt.Errorf("the message at 0x%x is damaged at 0x%x: %w", start, at, protowire.ParseError(n))
		}
		at += n
		f := field{number: number, start: at}
		switch kind {
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(data[at:end])
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(data[at:end])
			f.varint = uint64(v)
		case protowire.BytesType:
			var b []byte
			b, n = protowire.ConsumeBytes(data[at:end])
			f.start = at + n - len(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, data[at:end])
		}
		if n < 0 {
			return fmt.Errorf("the message at 0x%x is damaged at 0x%x: %w", start, at, protowire.ParseError(n))
		}
		at += n
		f.end = at
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}

// beginsWith reports whether data begins with a message in one of the fields, which itself begins with
// a field of bytes or a message.
func beginsWith(data []byte, numbers ...protowire.Number) bool {
	number, kind, n := protowire.ConsumeTag(data)
	if n < 0 || kind != protowire.BytesType {
		return false
	}
	known := false
	for _, want := range numbers {
		known = known || number == want
	}
	size, m := protowire.ConsumeVarint(data[n:])
	if !known || m < 0 || size < 2 || size > math.MaxInt32 || len(data) <= n+m {
		return false
	}
	in := data[n+m:]
	number, kind, n = protowire.ConsumeTag(in)
	if n < 0 || number > 5 || kind != protowire.BytesType {
		return false
	}
	inner, m := protowire.ConsumeVarint(in[n:])
	return m > 0 && inner <= size
}

func isProtoXML(data []byte) bool   { return beginsWith(data, 1) }
func isProtoTable(data []byte) bool { return beginsWith(data, 1, 2) }

// openProtoXML reads an XmlNode.
func openProtoXML(data []byte) *compiled {
	return &compiled{kind: "Android XML (protobuf)", data: data, parse: func() *tree {
		x := protoXML{data: data}
		if err := x.node(0, len(data), -1); err != nil {
			x.tree.damage = "the compiled XML is damaged: " + err.Error()
		}
		return &x.tree
	}}
}

// protoXML is one pass over the nodes.
type protoXML struct {
	data  []byte
	tree  tree
	depth int
}

func (x *protoXML) text(f field) string {
	return strings.ToValidUTF8(string(x.data[f.start:f.end]), "\uFFFD")
}

// node reads an XmlNode: an element, or a text.
func (x *protoXML) node(start, end, parent int) error {
	if x.depth >= maxNesting {
		return fmt.Errorf("elements nest deeper than %d levels at 0x%x", maxNesting, start)
	}
	x.depth++
	defer func() { x.depth-- }()
	line := 0
	_ = fields(x.data, start, end, func(f field) error { // source, which comes last
		if f.number == 3 {
			return fields(x.data, f.start, f.end, func(f field) error {
				if f.number == 1 {
					line = int(f.varint & math.MaxInt32)
				}
				return nil
			})
		}
		return nil
	})
	return fields(x.data, start, end, func(f field) error {
		switch {
		case parent < 0 && (f.number == 2 || len(x.tree.nodes) > 0): // there is one root, and it is an element
		case f.number == 1:
			return x.element(f.start, f.end, parent, line)
		case f.number == 2:
			v := value{kind: typeString, text: x.text(f), start: f.start, end: f.end}
			x.tree.nodes = append(x.tree.nodes, node{parent: parent, isText: true, line: line, value: v})
		}
		return nil
	})
}

// element reads an XmlElement.
func (x *protoXML) element(start, end, parent, line int) error {
	at := len(x.tree.nodes)
	x.tree.nodes = append(x.tree.nodes, node{parent: parent, line: line})
	return fields(x.data, start, end, func(f field) error {
		n := &x.tree.nodes[at]
		switch f.number {
		case 1:
			var p prefix
			err := fields(x.data, f.start, f.end, func(f field) error {
				switch f.number {
				case 1:
					p.name = x.text(f)
				case 2:
					p.space = x.text(f)
				}
				return nil
			})
			if len(x.tree.prefixes) < 100 {
				x.tree.prefixes = append(x.tree.prefixes, p)
			}
			return err
		case 2:
			n.space = x.text(f)
		case 3:
			n.name = x.text(f)
		case 4:
			a, err := x.attribute(f.start, f.end)
			n.attrs = append(n.attrs, a)
			return err
		case 5:
			return x.node(f.start, f.end, at)
		}
		return nil
	})
}

// attribute reads an XmlAttribute; what it was compiled to goes before its text.
func (x *protoXML) attribute(start, end int) (a attribute, err error) {
	raw, item := value{kind: typeString}, value{}
	compiled := false
	err = fields(x.data, start, end, func(f field) error {
		switch f.number {
		case 1:
			a.space = x.text(f)
		case 2:
			a.name = x.text(f)
		case 3:
			raw.text, raw.start, raw.end = x.text(f), f.start, f.end
		case 5:
			if name := attributeNames[uint32(f.varint)]; name != "" {
				a.space, a.name = androidSpace, name
			}
		case 6:
			compiled = true
			var err error
			item, err = itemAt(x.data, f.start, f.end)
			if item.kind == typeString {
				item.text = strings.ToValidUTF8(string(x.data[item.start:item.end]), "\uFFFD")
			}
			return err
		}
		return nil
	})
	if a.value = raw; compiled {
		a.value = item
	}
	return a, err
}

// itemAt reads an Item. Of a string it takes the place alone.
func itemAt(data []byte, start, end int) (v value, err error) {
	err = fields(data, start, end, func(f field) error {
		switch f.number {
		case 1: // Reference
			v = value{kind: typeReference, start: f.start, end: f.end}
			return fields(data, f.start, f.end, func(f field) error {
				switch f.number {
				case 1:
					if f.varint == 1 {
						v.kind = typeAttribute
					}
				case 2:
					v.data = uint32(f.varint)
				case 3:
					v.name = clip(strings.ToValidUTF8(string(data[f.start:f.end]), ""), maxSection)
				}
				return nil
			})
		case 2, 3, 4, 5: // String, RawString, StyledString, FileReference
			v = value{kind: typeString, start: f.end, end: f.end}
			return fields(data, f.start, f.end, func(f field) error {
				if f.number == 1 {
					v.start, v.end = f.start, f.end
				}
				return nil
			})
		case 7:
			return fields(data, f.start, f.end, func(f field) error {
				v = primitive(f)
				return nil
			})
		}
		return nil
	})
	return v, err
}

// primitives are the types of the fields of a Primitive.
var primitives = map[protowire.Number]byte{1: typeNull, 2: typeNull, 3: typeFloat, 4: typeFloat, 5: typeFloat, 6: typeDecimal, 7: typeHex,
	8: typeBoolean, 9: typeFirstColor, 10: typeFirstColor + 1, 11: typeFirstColor + 2, 12: typeLastColor, 13: typeDimension, 14: typeFraction}

func primitive(f field) value {
	v := value{kind: primitives[f.number], data: uint32(f.varint), start: f.start, end: f.end}
	if f.number == 2 {
		v.data = 1 // @empty
	}
	return v
}
