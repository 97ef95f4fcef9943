package dex

// A code is what the methods of a part load, from one pass over all of them.
type code struct {
	methods []method
	loads   []load // in the order of the methods, and of each one's code
	broken  int    // methods whose code makes no sense, at least from some instruction on
	cut     bool   // not all of it was followed, see spending
}

// A method is one that has code.
type method struct {
	id    uint32 // in the table of methods
	class uint32 // in the table of classes
	item  int    // its code_item, in part.data
	first int    // of its loads; they end where the next method's begin
}

// A load is an instruction that loads a string.
type load struct {
	text uint32 // id of the string
	at   int    // of the instruction, in part.data
}

// loadsOf are the loads of a method, by its index.
func (c *code) loadsOf(i int) []load {
	end := len(c.loads)
	if i+1 < len(c.methods) {
		end = c.methods[i+1].first
	}
	return c.loads[c.methods[i].first:end]
}

// spending bounds work on tables that may all point to the same place: methods may share
// code, and classes their members. No real file has each of its bytes shared four times.
type spending struct{ left int }

func (p *part) spending() *spending { return &spending{4*len(p.data) + 1<<16} }

// spend reports whether n units of work may still be done.
func (s *spending) spend(n int) bool {
	s.left -= n
	return s.left >= 0
}

// readCode walks the code of all classes.
func (p *part) readCode() *code {
	c := &code{}
	budget := p.spending()
	for id := range p.classes.n {
		p.eachMethod(id, budget, func(m method) {
			m.first = len(c.loads)
			c.methods = append(c.methods, m)
			insns, ok := p.insns(m.item)
			if !ok {
				c.broken++
				return
			}
			if !budget.spend(len(insns)) {
				return
			}
			if !c.load(insns, m.item+codeHeader) {
				c.broken++
			}
		})
	}
	c.cut = budget.left < 0
	return c
}

// load notes the strings that code loads; false if part of it makes no sense.
func (c *code) load(insns []byte, base int) bool {
	for unit, end := 0, len(insns)/2; unit < end; {
		n := step(insns, unit)
		if n == 0 {
			return false
		}
		switch at := 2 * unit; insns[at] {
		case opConstString:
			c.loads = append(c.loads, load{u16(insns, at+2), base + at})
		case opConstStringWide:
			c.loads = append(c.loads, load{u32(insns, at+2), base + at})
		}
		unit += n
	}
	return true
}

// codeHeader is the size of a code_item before its instructions.
const codeHeader = 16

// insns are the instructions of a code_item.
func (p *part) insns(item int) ([]byte, bool) {
	if item < 0 || item > len(p.data)-codeHeader {
		return nil, false
	}
	n := int64(u32(p.data, item+12)) * 2
	if n == 0 || n > int64(len(p.data)-item-codeHeader) {
		return nil, false
	}
	return p.data[item+codeHeader:][:n], true
}

// eachMethod calls visit for the methods of a class that have code, in their order.
func (p *part) eachMethod(id int, budget *spending, visit func(method)) {
	class := p.class(id)
	if class.data == 0 {
		return
	}
	c := cursor{data: p.data, at: class.data}
	statics, instances := c.uleb(), c.uleb()
	direct, virtual := c.uleb(), c.uleb()
	for range int64(statics) + int64(instances) {
		if c.uleb(); c.bad || !budget.spend(2) {
			return
		}
		c.uleb() // access flags
	}
	for _, n := range []uint32{direct, virtual} {
		var last uint32
		for range n {
			last += c.uleb()
			c.uleb() // access flags
			item := int(c.uleb())
			if c.bad || !budget.spend(3) {
				return
			}
			if item != 0 {
				visit(method{id: last, class: uint32(id), item: item})
			}
		}
	}
}

// staticFields calls visit for the ids of a class's static fields, in their order, which is
// the order of its static values, until it returns false.
func (p *part) staticFields(c class, budget *spending, visit func(field, flags uint32) bool) {
	if c.data == 0 {
		return
	}
	members := cursor{data: p.data, at: c.data}
	n := members.uleb()
	for range 3 {
		members.uleb() // how many other members there are
	}
	var field uint32
	for range n {
		field += members.uleb()
		flags := members.uleb()
		if members.bad || !budget.spend(2) || !visit(field, flags) {
			return
		}
	}
}

// A constant is a static field that holds a string from the start.
type constant struct {
	field uint32
	final bool
	text  uint32
	at    int // of the value, in part.data
}

// accFinal is the access flag of a field that is never changed.
const accFinal = 0x10

// constants appends the static fields of a class that hold strings from the start.
func (p *part) constants(dst []constant, c class, budget *spending) []constant {
	if c.values == 0 {
		return dst
	}
	first := len(dst)
	last := -1
	values := cursor{data: p.data, at: c.values}
	values.values(budget, func(i int, text uint32, at int) {
		if i > last {
			dst = append(dst, constant{field: uint32(i), text: text, at: at})
			last = i
		}
	})
	// So far field is the place among the values: it becomes the field's id.
	i, k := 0, first
	p.staticFields(c, budget, func(field, flags uint32) bool {
		if k < len(dst) && int(dst[k].field) == i {
			dst[k].field, dst[k].final = field, flags&accFinal != 0
			k++
		}
		i++
		return k < len(dst)
	})
	return dst[:k]
}
