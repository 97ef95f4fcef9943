package dex

// The types of an encoded_value that matter here.
const (
	valueString     = 0x17
	valueArray      = 0x1c
	valueAnnotation = 0x1d
	valueNull       = 0x1e
	valueBoolean    = 0x1f
)

// maxDepth is how deep arrays and annotations in values are followed.
const maxDepth = 16

// values reads an encoded_array, and calls visit for each string in it, also in arrays
// and annotations in it: index counts the values of the array itself.
func (c *cursor) values(budget *spending, visit func(index int, text uint32, at int)) {
	for i := range c.uleb() {
		if c.bad || !budget.spend(1) {
			return
		}
		c.value(0, budget, func(text uint32, at int) { visit(int(i), text, at) })
	}
}

// value reads one encoded_value.
func (c *cursor) value(depth int, budget *spending, visit func(text uint32, at int)) {
	at := c.at
	head := c.byte()
	size := int(head>>5) + 1
	switch head & 0x1f {
	case valueString:
		var id uint32
		for i := range size {
			id |= uint32(c.byte()) << (8 * i)
		}
		if !c.bad {
			visit(id, at)
		}
	case valueArray:
		for range c.uleb() {
			if c.nested(depth, budget) {
				return
			}
			c.value(depth+1, budget, visit)
		}
	case valueAnnotation:
		c.annotation(depth, budget, visit)
	case valueNull, valueBoolean:
	default:
		c.skip(size)
	}
}

// annotation reads an encoded_annotation.
func (c *cursor) annotation(depth int, budget *spending, visit func(text uint32, at int)) {
	c.uleb() // its type
	for range c.uleb() {
		if c.nested(depth, budget) {
			return
		}
		c.uleb() // the element's name
		c.value(depth+1, budget, visit)
	}
}

// nested reports whether a value in another cannot be read.
func (c *cursor) nested(depth int, budget *spending) bool {
	c.bad = c.bad || depth >= maxDepth || !budget.spend(1)
	return c.bad
}

// A tag is an annotation, and what it is on.
type tag struct {
	kind   uint32 // its type
	on     table  // of fields or methods; the zero table for the class itself
	member uint32 // in it
}

// annotations calls visit for the strings in all annotations of a class. The annotation's type
// is told with each.
func (p *part) annotations(c class, budget *spending, visit func(t tag, text uint32, at int)) {
	if c.annotations == 0 {
		return
	}
	dir := cursor{data: p.data, at: c.annotations}
	ofClass, fields, methods, parameters := dir.u32(), dir.u32(), dir.u32(), dir.u32()
	if dir.bad {
		return
	}
	if ofClass != 0 {
		p.annotationSet(int(ofClass), tag{}, budget, visit)
	}
	for _, list := range []struct {
		on      table
		n       uint32
		ofParts bool // of parameters: a list of sets
	}{{p.fields, fields, false}, {p.methods, methods, false}, {p.methods, parameters, true}} {
		for range list.n {
			t := tag{on: list.on, member: dir.u32()}
			set := int(dir.u32())
			if dir.bad || !budget.spend(8) {
				return
			}
			if !list.ofParts {
				p.annotationSet(set, t, budget, visit)
				continue
			}
			sets := cursor{data: p.data, at: set}
			for range sets.u32() {
				set := int(sets.u32())
				if sets.bad || !budget.spend(4) {
					break
				}
				if set != 0 {
					p.annotationSet(set, t, budget, visit)
				}
			}
		}
	}
}

// annotationSet reads an annotation_set_item.
func (p *part) annotationSet(at int, t tag, budget *spending, visit func(t tag, text uint32, at int)) {
	set := cursor{data: p.data, at: at}
	for range set.u32() {
		item := cursor{data: p.data, at: int(set.u32())}
		if set.bad || !budget.spend(4) {
			return
		}
		item.byte() // who sees it
		ahead := item
		t.kind = ahead.uleb()
		item.annotation(0, budget, func(text uint32, at int) { visit(t, text, at) })
	}
}
