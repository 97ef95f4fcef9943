package dex

import (
	"slices"
	"sort"

	"telltale/locate/reading"
)

// The most users of a string that are described, and other strings of each.
const (
	maxUsers   = 16
	maxStrings = 64
	// maxTried bounds the strings of a class that are looked at for them.
	maxTried = 1 << 10
	// maxSibling is the length in bytes beyond which a string recognises nothing.
	maxSibling = 200
)

// Place finds the string at a place, and who uses it.
func (d *document) Place(start, _ int) reading.Place {
	if known, ok := d.last.At(start); ok {
		return known
	}
	place := reading.Place{}
	for _, p := range d.parts {
		at := start - p.base
		if at < 0 || at >= len(p.data) {
			continue
		}
		if id, ok := p.stringAt(at); ok {
			p.placeString(&place, id)
		} else if place.Section == "" {
			place.Section = p.section(at)
			if m, ok := p.methodAt(at); ok {
				place.Users = []reading.User{p.codeUser(m, at, noIndex)}
			}
		}
	}
	sort.SliceStable(place.Users, func(i, k int) bool { return !place.Users[i].Obfuscated && place.Users[k].Obfuscated })
	if start >= place.LiteralStart && start < place.LiteralEnd {
		place.Users = slices.Clip(place.Users)
		d.last.Keep(place.LiteralStart, place.LiteralEnd, place)
	}
	return place
}

// placeString adds what is known of a string.
func (p *part) placeString(place *reading.Place, id uint32) {
	start, end := p.stringBounds(id)
	place.Section = "string table"
	place.LiteralStart, place.LiteralEnd = p.base+start, p.base+end
	if !ascii(p.data[start:end]) {
		place.Literal = p.text(id)
	}
	last := use{owner: -1}
	for _, u := range p.uses().of(id) {
		if u.by == last.by && u.owner == last.owner && u.by != byField {
			continue // the same method once more
		}
		last = u
		if len(place.Users) == maxUsers {
			place.More++
			continue
		}
		place.Users = append(place.Users, p.user(u, id))
	}
	if len(place.Users) == 0 {
		place.Section += p.nameOf(id)
	}
}

// user describes a use of a string.
func (p *part) user(u use, text uint32) reading.User {
	switch u.by {
	case byField:
		return p.memberUser("field ", p.fields, u.field, u.owner, u.at, text)
	case byTag:
		t := p.uses().tags[u.owner]
		prefix := "annotation @" + simpleName(p.typeName(t.kind)) + " of "
		if t.on.n == 0 {
			return p.classUser(prefix, t.class, u.at, text)
		}
		return p.memberUser(prefix, t.on, t.member, t.class, u.at, text)
	}
	return p.codeUser(u.owner, u.at, text)
}

// codeUser describes the method with an index in code, and its instruction at a place.
func (p *part) codeUser(i, at int, text uint32) reading.User {
	code := p.code()
	m := code.methods[i]
	user := p.memberUser("", p.methods, m.id, int(m.class), at, noIndex)
	user.Strings = p.siblings(i, int(m.class), text)
	if user.File != "" {
		user.Line = p.line(m.item, uint32(at-m.item-codeHeader)/2)
	}
	return user
}

// memberUser describes a field or method of a class.
func (p *part) memberUser(prefix string, t table, id uint32, class, at int, text uint32) reading.User {
	user := p.classUser(prefix, class, at, text)
	if m, ok := p.member(t, id); ok {
		user.Name += "." + p.text(m.name)
	}
	return user
}

// classUser describes a class. No text, no other strings.
func (p *part) classUser(prefix string, id, at int, text uint32) reading.User {
	class := p.class(id)
	name := p.typeName(class.kind)
	user := reading.User{
		Name: prefix + name, Package: packageOf(name), Obfuscated: shortened(name),
		File: p.sourceFile(class), Offset: p.base + at,
	}
	if text != noIndex {
		user.Strings = p.siblings(-1, id, text)
	}
	return user
}

// siblings are the other strings of a method, then those of its class's other methods and static
// fields. Without a method, they are the class's.
func (p *part) siblings(method, class int, text uint32) []string {
	var texts []string
	seen := map[uint32]bool{text: true}
	add := func(id uint32) {
		if seen[id] || len(texts) == maxStrings {
			return
		}
		seen[id] = true
		if !p.shortText(id) {
			return
		}
		if start, end := p.stringBounds(id); end > start && end-start <= maxSibling {
			texts = append(texts, p.text(id))
		}
	}
	addAll := func(loads []load) {
		for _, l := range loads[:min(len(loads), maxTried)] {
			add(l.text)
		}
	}
	code := p.code()
	if method >= 0 {
		addAll(code.loadsOf(method))
	}
	for _, c := range p.constants(nil, p.class(class), &spending{maxTried}) {
		add(c.text)
	}
	// The methods stand in the order of their classes.
	first := sort.Search(len(code.methods), func(i int) bool { return int(code.methods[i].class) >= class })
	for i := first; i < min(len(code.methods), first+maxTried) && int(code.methods[i].class) == class && len(texts) < maxStrings; i++ {
		addAll(code.loadsOf(i))
	}
	return texts
}

// simpleName is a class without its package.
func simpleName(class string) string {
	if pack := packageOf(class); pack != "" {
		return class[len(pack)+1:]
	}
	return class
}

// named are what a string may be the name of.
var named = [...]string{"", ", as the name of a type", ", as the name of a field", ", as the name of a method", ", as the name of a source file"}

// nameOf says what a string names that no code loads; "" if it names nothing either.
func (p *part) nameOf(id uint32) string { return named[p.names()[id]] }

// readNames notes for each string what it names, as an index of named: the first that fits.
func (p *part) readNames() []byte {
	names := make([]byte, p.strings.n)
	for _, t := range []struct {
		table
		at   int // of the name in a row
		what byte
	}{{p.types, 0, 1}, {p.fields, 4, 2}, {p.methods, 4, 3}, {p.classes, 16, 4}} {
		for i := range t.n {
			if id := u32(p.data, t.off+t.size*i+t.at); int64(id) < int64(len(names)) && names[id] == 0 {
				names[id] = t.what
			}
		}
	}
	return names
}

// methodAt finds the method whose code holds a byte.
func (p *part) methodAt(at int) (index int, ok bool) {
	methods, order := p.code().methods, p.placed()
	n := sort.Search(len(order), func(n int) bool { return methods[order[n]].item > at }) - 1
	if n < 0 {
		return 0, false
	}
	index = order[n]
	insns, ok := p.insns(methods[index].item)
	return index, ok && at < methods[index].item+codeHeader+len(insns)
}

// placeMethods gives the methods by where their code is; of those that share it, the first.
func (p *part) placeMethods() []int {
	methods := p.code().methods
	order := make([]int, len(methods))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return methods[a].item - methods[b].item })
	return slices.CompactFunc(order, func(a, b int) bool { return methods[a].item == methods[b].item })
}

// sections are the names of what a map_list lists.
var sections = map[uint32]string{
	0x0000: "header", 0x0001: "table of strings", 0x0002: "table of types", 0x0003: "table of prototypes",
	0x0004: "table of fields", 0x0005: "table of methods", 0x0006: "table of classes", 0x0007: "call sites", 0x0008: "method handles",
	0x1000: "map", 0x1001: "type lists", 0x1002: "annotations", 0x1003: "annotations",
	0x2000: "class data", 0x2001: "code", 0x2002: "string table", 0x2003: "debug information",
	0x2004: "annotations", 0x2005: "static values", 0x2006: "annotations", 0xf000: "hidden API flags",
}

// maxSections is how many sections of a file are looked at. There are 21 types, each at most once.
const maxSections = 64

// section names the part of the file that a place belongs to, by the map.
func (p *part) section(at int) string {
	list := cursor{data: p.data, at: int(u32(p.data, p.head+0x34))}
	name, best := "", -1
	for range min(list.u32(), maxSections) {
		kind := list.u32() & 0xffff
		list.u32() // how many items
		off := int(list.u32())
		if list.bad {
			break
		}
		if off <= at && off > best {
			name, best = sections[kind], off
		}
	}
	return name
}
