package resources

import (
	"fmt"
)

// openBinaryXML reads the head of Android's binary XML. Like Android, it does not look
// at the type and the size that the file itself claims, which packers falsify: it goes from
// chunk to chunk, and takes the first string pool.
func openBinaryXML(data []byte) (*compiled, error) {
	if len(data) < chunkHeader {
		return nil, fmt.Errorf("the binary XML has %d bytes, expected a header of %d", len(data), chunkHeader)
	}
	x := &binaryXML{data: data}
	for at := max(u16(data, 2), chunkHeader); ; {
		c, ok := chunkAt(data, at, len(data))
		if !ok {
			return nil, fmt.Errorf("the binary XML has no string pool up to 0x%x, where a chunk is cut off or damaged", at)
		}
		at = c.end
		if c.kind == chunkPool {
			var err error
			if x.pool, err = readPool(data, c); err != nil {
				return nil, err
			}
			x.at = at
			return &compiled{kind: "Android binary XML", data: data, pool: x.pool, parse: x.parse}, nil
		}
	}
}

// binaryXML is one pass over the chunks behind the string pool.
type binaryXML struct {
	data []byte
	pool *pool
	at   int // of the first chunk behind the pool
	ids  int // in the file, of the resource ids of attribute names
	idsN uint32
	tree tree
	open []int // the elements that are open
}

// maxNesting bounds how deep elements nest.
const maxNesting = 200

func (x *binaryXML) parse() *tree {
	t := &x.tree
	for at := x.at; at < len(x.data); {
		c, ok := chunkAt(x.data, at, len(x.data))
		if !ok {
			if len(x.open) > 0 || len(t.nodes) == 0 {
				x.damaged("a chunk at 0x%x is cut off", at)
			}
			break
		}
		if at = c.end; c.kind == chunkResourceIDs {
			x.ids, x.idsN = c.at+max(c.header, chunkHeader), 0
			x.idsN = uint32(max(c.end-x.ids, 0) / 4)
		}
		if c.kind >= chunkNamespace && c.kind <= chunkLastXML && !x.node(c) {
			break
		}
	}
	if len(x.open) > 0 {
		x.damaged("the element <%s> is not closed", t.nodes[x.open[0]].name)
	}
	if damage := x.pool.damage(); damage != "" {
		x.damaged("%s", damage)
	}
	return t
}

func (x *binaryXML) damaged(format string, args ...any) {
	if x.tree.damage == "" {
		x.tree.damage = "the binary XML is damaged: " + fmt.Sprintf(format, args...)
	}
}

// node reads the chunk of a node, and reports whether more may follow.
func (x *binaryXML) node(c chunk) bool {
	const nodeHeader = 16 // with the line and the comment
	body := c.at + max(c.header, nodeHeader)
	line := 0
	if c.at+12 <= c.end {
		line = int(u32(x.data, c.at+8) & 0xffffff)
	}
	switch c.kind {
	case chunkNamespace:
		if body+8 <= c.end && len(x.tree.prefixes) < 100 {
			x.tree.prefixes = append(x.tree.prefixes, prefix{x.pool.text(u32(x.data, body)), x.pool.text(u32(x.data, body+4))})
		}
	case chunkElement:
		if body+20 > c.end {
			x.damaged("the element at 0x%x has %d bytes", c.at, c.end-c.at)
			return true
		}
		if len(x.open) >= maxNesting {
			x.damaged("elements nest deeper than %d levels at 0x%x", maxNesting, c.at)
			return false
		}
		n := node{parent: x.parent(), line: line, space: x.pool.text(u32(x.data, body)), name: x.pool.text(u32(x.data, body+4))}
		n.attrs = x.attributes(c, body)
		x.open = append(x.open, len(x.tree.nodes))
		x.tree.nodes = append(x.tree.nodes, n)
	case chunkElementEnd:
		if len(x.open) > 0 {
			x.open = x.open[:len(x.open)-1]
		}
		return len(x.open) > 0 // Android overlooks what is behind the root
	case chunkText:
		if body+4 <= c.end && len(x.open) > 0 {
			v := value{kind: typeString, data: u32(x.data, body)}
			x.string(&v)
			x.tree.nodes = append(x.tree.nodes, node{parent: x.parent(), isText: true, line: line, value: v})
		}
	}
	return true
}

func (x *binaryXML) parent() int {
	if len(x.open) == 0 {
		return -1
	}
	return x.open[len(x.open)-1]
}

func (x *binaryXML) string(v *value) {
	v.text = x.pool.text(v.data)
	v.start, v.end, _ = x.pool.span(v.data)
}

// attributes reads those of an element (ResXMLTree_attrExt, ResXMLTree_attribute).
func (x *binaryXML) attributes(c chunk, body int) []attribute {
	const least = 20
	start, stride, count := body+u16(x.data, body+8), u16(x.data, body+10), u16(x.data, body+12)
	stride = max(stride, least)
	if fit := max(c.end-start, 0) / stride; count > fit {
		x.damaged("the element at 0x%x says that it has %d attributes, there is room for %d", c.at, count, fit)
		count = fit
	}
	attrs := make([]attribute, 0, count)
	for i := range count {
		at := start + i*stride
		a := attribute{space: x.pool.text(u32(x.data, at))}
		a.name = x.pool.text(u32(x.data, at+4))
		if name := x.knownName(u32(x.data, at+4)); name != "" {
			a.space, a.name = androidSpace, name
		}
		a.value = value{kind: x.data[at+15], data: u32(x.data, at+16), start: at + 16, end: at + 20}
		if raw := u32(x.data, at+8); a.value.kind == typeString || raw != noString && a.value.kind == typeNull && a.value.data == 0 {
			if a.value.kind != typeString {
				a.value.kind, a.value.data = typeString, raw
			}
			x.string(&a.value)
		}
		attrs = append(attrs, a)
	}
	return attrs
}

// knownName returns the name of an attribute by its resource id, which is what Android
// looks at: the string may be empty, or another.
func (x *binaryXML) knownName(i uint32) string {
	if i >= x.idsN {
		return ""
	}
	id := u32(x.data, x.ids+4*int(i))
	if name, ok := attributeNames[id]; ok {
		return name
	}
	if id>>16 == 0x0101 && x.pool.text(i) == "" {
		return "attr_0x" + hex8(id)
	}
	return ""
}
