package hermes

// An object is what code sets of an object: of the names that are asked for.
type object struct {
	properties []property
	call       value  // the function that it is handed to; zero without one
	into       uint32 // the object that Object.assign puts it into, made later; 0 without
}

// A property is a name of an object with its value.
type property struct {
	name  uint32 // id of a string
	value value
	at    span // where the value stands in the file
	index int  // of the key in the object's shape
}

// Bounds of what is followed of one object literal and in one function.
const (
	maxKeys       = 1 << 12
	maxProperties = 1 << 9
	maxObjects    = 1 << 14
)

// makeObject begins an object with the literals that an instruction gives it.
func (t *tracer) makeObject(o *opcode, code []byte) value {
	if len(t.objects) >= maxObjects {
		return value{}
	}
	var made object
	if o.means == newObjectBuffer {
		if buffers, ok := t.b.objectBuffersAt(o, code); ok {
			made.properties = t.literalProperties(buffers)
		}
	}
	t.objects = append(t.objects, made)
	return value{kind: isObject, id: uint32(len(t.objects) - 1)}
}

func (t *tracer) literalProperties(from objectBuffers) []property {
	var properties []property
	count := min(from.count, maxKeys, max(t.budget, 0))
	indexes := make([]int32, 0, min(count, 64)) // of each key, in properties
	t.b.visitLiterals(t.b.layout.keys, from.keys, count, func(i int, l literal) bool {
		t.budget--
		index := int32(-1)
		if l.kind == isString && t.wanted[l.id] {
			index = int32(len(properties))
			properties = append(properties, property{name: l.id, index: i})
		}
		indexes = append(indexes, index)
		return true
	})
	t.b.visitLiterals(t.b.layout.valuesOfObjects(), from.values, count, func(i int, l literal) bool {
		if t.budget--; i < len(indexes) && indexes[i] >= 0 {
			p := &properties[indexes[i]]
			p.value, p.at = l.value, t.siteOf(l.value, l.span)
		}
		return true
	})
	return properties
}

// siteOf is where a value stands: a string in the string storage, all else where the code has it.
func (t *tracer) siteOf(v value, code span) span {
	if v.kind == isString && len(t.b.bytes(int(v.id))) > 0 {
		return t.b.string(int(v.id)).span
	}
	return code
}

// put sets a property of an object that is followed, or of one that is not.
func (t *tracer) put(o *opcode, code []byte, at int) {
	if !t.withObjects {
		return
	}
	to, v := t.register(o.operand(code, 0)), t.register(o.operand(code, 1))
	p := property{value: v, at: t.siteOf(v, span{at, at + int(o.size)}), index: -1}
	switch o.means {
	case putByID:
		p.name = uint32(o.stringID(code))
	case putByValue:
		key := t.register(o.operand(code, 1))
		if key.kind != isString {
			return
		}
		v = t.register(o.operand(code, 2))
		p.name, p.value, p.at = key.id, v, t.siteOf(v, p.at)
	case putSlot:
		p.index = o.operand(code, 2)
	}
	if o.means != putSlot && !t.wanted[p.name] {
		return
	}
	if to.kind != isObject {
		// Of an object from elsewhere only a constant says anything.
		if o.means != putSlot && p.value.literal() && len(t.objects) < maxObjects {
			t.objects = append(t.objects, object{properties: []property{p}})
		}
		return
	}
	into := &t.objects[to.id]
	for i := range into.properties {
		had := &into.properties[i]
		if o.means == putSlot && had.index == p.index || o.means != putSlot && had.name == p.name {
			had.value, had.at = p.value, p.at
			return
		}
	}
	if o.means != putSlot && len(into.properties) < maxProperties {
		into.properties = append(into.properties, p)
	}
}

// literal reports whether a value is one that a setting may have and that is known.
func (v value) literal() bool {
	switch v.kind {
	case isString, isNumber, isTrue, isFalse, isNull:
		return true
	}
	return false
}
