package resources

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"telltale/locate/reading"
)

// table is resources.arsc: a pool of strings that all share, and packages of resources.
type table struct {
	data     []byte
	pool     *pool // nil where the table has none
	packages []tablePackage
	damage   string

	once sync.Once
	uses tableUses
}

// tablePackage is a ResTable_package.
type tablePackage struct {
	id       uint32
	types    *pool
	keys     *pool
	idOffset int // by which the ids of types are above their numbers in types
	chunks   []typeChunk
}

// typeChunk is a ResTable_type: the resources of one type in one configuration.
type typeChunk struct {
	chunk
	id, flags byte
	count     int
	entries   int // where they begin in the file
}

func openTable(data []byte) (reading.Document, error) {
	t, err := readTable(data)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// readTable reads the heads of the chunks.
func readTable(data []byte) (*table, error) {
	head, ok := chunkAt(data, 0, len(data))
	if !ok || head.kind != chunkTable || head.header < 12 {
		return nil, fmt.Errorf("the resource table does not begin with its header")
	}
	t := &table{data: data}
	for at := head.header; at < head.end; {
		c, ok := chunkAt(data, at, head.end)
		if !ok {
			t.damaged("a chunk at 0x%x is cut off", at)
			break
		}
		at = c.end
		var err error
		switch {
		case c.kind == chunkPool && t.pool == nil:
			t.pool, err = readPool(data, c)
		case c.kind == chunkPackage:
			err = t.readPackage(c)
		}
		if err != nil {
			return nil, err
		}
	}
	if t.pool == nil {
		return nil, fmt.Errorf("the resource table has no string pool")
	}
	return t, nil
}

func (t *table) damaged(format string, args ...any) {
	if t.damage == "" {
		t.damage = "the resource table is damaged: " + fmt.Sprintf(format, args...)
	}
}

// readPackage reads the heads of the chunks of a package.
func (t *table) readPackage(c chunk) error {
	const least = 284
	if c.end-c.at < least || c.header < least {
		return fmt.Errorf("the package at 0x%x has a header of %d bytes, expected at least %d", c.at, c.header, least)
	}
	p := tablePackage{id: u32(t.data, c.at+8)}
	if c.header >= least+4 && c.end-c.at >= least+4 {
		p.idOffset = int(u32(t.data, c.at+284) & 0xff)
	}
	var err error
	if p.types, err = t.poolAt(c, u32(t.data, c.at+268), "types"); err != nil {
		return err
	}
	if p.keys, err = t.poolAt(c, u32(t.data, c.at+276), "names"); err != nil {
		return err
	}
	for at := c.at + c.header; at < c.end; {
		in, ok := chunkAt(t.data, at, c.end)
		if !ok {
			t.damaged("a chunk at 0x%x is cut off", at)
			break
		}
		if at = in.end; in.kind != chunkType {
			continue
		}
		if in.end-in.at < 24 || in.header < 20 {
			t.damaged("the type at 0x%x has a header of %d bytes", in.at, in.header)
			continue
		}
		p.chunks = append(p.chunks, t.typeAt(in))
	}
	t.packages = append(t.packages, p)
	return nil
}

func (t *table) poolAt(c chunk, offset uint32, what string) (*pool, error) {
	if offset == 0 {
		return nil, nil
	}
	at := int64(c.at) + int64(offset)
	if at < int64(c.end) {
		if in, ok := chunkAt(t.data, int(at), c.end); ok && in.kind == chunkPool {
			return readPool(t.data, in)
		}
	}
	return nil, fmt.Errorf("the package at 0x%x says that the names of its %s are at 0x%x, where no string pool is", c.at, what, at)
}

// The flags of a ResTable_type.
const (
	sparse   = 1
	offset16 = 2
)

// typeAt reads the head of a type.
func (t *table) typeAt(in chunk) typeChunk {
	c := typeChunk{chunk: in, id: t.data[in.at+8], flags: t.data[in.at+9]}
	width := 4
	if c.flags&offset16 != 0 && c.flags&sparse == 0 {
		width = 2
	}
	count, fit := int64(u32(t.data, in.at+12)), int64(max(in.end-in.at-in.header, 0)/width)
	if count > fit {
		t.damaged("the type at 0x%x says that it has %d entries, there is room for %d", in.at, count, fit)
		count = fit
	}
	c.count = int(count)
	c.entries = int(min(int64(in.at)+int64(u32(t.data, in.at+16)), int64(in.end)))
	return c
}

// at returns where the entry of a number in the table of offsets stands, and the entry's own number.
func (c *typeChunk) at(data []byte, n int) (at, index int, ok bool) {
	offset, index := int64(0), n
	table := c.chunk.at + c.header
	switch {
	case c.flags&sparse != 0:
		index, offset = u16(data, table+4*n), 4*int64(u16(data, table+4*n+2))
	case c.flags&offset16 != 0:
		if offset = 4 * int64(u16(data, table+2*n)); offset == 4*0xffff {
			return 0, 0, false
		}
	default:
		if offset = int64(u32(data, table+4*n)); offset == noString {
			return 0, 0, false
		}
	}
	if offset += int64(c.entries); offset+8 > int64(c.end) {
		return 0, 0, false
	}
	return int(offset), index, true
}

// resource is a value of the table, and whose it is.
type resource struct {
	pack  int // index of the package
	chunk int // index of the type in it
	index int // of the entry in the type
	key   uint32
	value value
	item  uint32 // of a bag: the name of the item
	nth   int    // of a bag: its number; -1 of a plain value
}

// The flags of a ResTable_entry.
const (
	complexEntry = 1
	compactEntry = 8
)

// visit calls f for every value, until it returns false. Entries may share bytes: it stops
// when there are more than the file has room for.
func (t *table) visit(f func(*resource) bool) {
	left := len(t.data)
	var r resource
	for p := range t.packages {
		for c := range t.packages[p].chunks {
			in := &t.packages[p].chunks[c]
			for n := range in.count {
				at, index, ok := in.at(t.data, n)
				if !ok {
					continue
				}
				r = resource{pack: p, chunk: c, index: index, nth: -1}
				if !t.entry(&r, at, in.end, &left, f) {
					return
				}
			}
		}
	}
}

// entry calls f for the value, or the values, of an entry.
func (t *table) entry(r *resource, at, end int, left *int, f func(*resource) bool) bool {
	if *left--; *left < 0 {
		return false
	}
	size, flags := u16(t.data, at), u16(t.data, at+2)
	if flags&compactEntry != 0 {
		r.key = uint32(size)
		r.value = value{kind: byte(flags >> 8), data: u32(t.data, at+4), start: at + 4, end: at + 8}
		return f(r)
	}
	r.key = u32(t.data, at+4)
	if flags&complexEntry == 0 {
		if at+size+8 <= end {
			r.value = t.valueAt(at + size)
			return f(r)
		}
		return true
	}
	const item = 12 // bytes
	if at+16 > end || at+size > end {
		return true
	}
	count := int(min(int64(u32(t.data, at+12)), int64(end-at-size)/item))
	for i := range count {
		if *left--; *left < 0 {
			return false
		}
		from := at + size + i*item
		r.item, r.nth, r.value = u32(t.data, from), i, t.valueAt(from+4)
		if !f(r) {
			return false
		}
	}
	return true
}

// valueAt reads a Res_value.
func (t *table) valueAt(at int) value {
	return value{kind: t.data[at+3], data: u32(t.data, at+4), start: at + 4, end: at + 8}
}

// id returns the number by which code and XML name a resource.
func (t *table) id(r *resource) uint32 {
	p := &t.packages[r.pack]
	return p.id<<24 | uint32(p.chunks[r.chunk].id)<<16 | uint32(r.index)&0xffff
}

// name returns the name of a resource: "string/app_name".
func (t *table) name(r *resource) string {
	p := &t.packages[r.pack]
	return p.typeName(p.chunks[r.chunk].id) + "/" + p.keys.peek(r.key)
}

func (p *tablePackage) typeName(id byte) string {
	return p.types.peek(uint32(int(id) - 1 - p.idOffset))
}

// peek returns a string without keeping it; "?" where there is none.
func (p *pool) peek(i uint32) string {
	if p != nil {
		if start, end, ok := p.span(i); ok {
			return clip(string(p.decode(start, min(end, start+4*maxSection), nil)), maxSection)
		}
	}
	return "?"
}

// section names a value with its configuration: "string/api_url (fr-rCA)".
func (t *table) section(r *resource) string {
	s := t.name(r)
	if r.nth >= 0 {
		s += bagItem(r.item, r.nth)
	}
	c := &t.packages[r.pack].chunks[r.chunk]
	if config := configName(t.data[c.chunk.at+20 : min(c.chunk.at+c.header, c.end)]); config != "" {
		s += " (" + config + ")"
	}
	return clip(s, maxSection)
}

// bagItem names an item of an array, of plurals, or of a style.
func bagItem(name uint32, nth int) string {
	quantities := [...]string{"other", "zero", "one", "two", "few", "many"}
	switch {
	case name>>16 == 0x0200: // of an array
		return "[" + strconv.Itoa(nth) + "]"
	case name>>16 == 0x0100 && name&0xffff >= 4 && int(name&0xffff)-4 < len(quantities):
		return "/" + quantities[name&0xffff-4]
	case attributeNames[name] != "":
		return "/android:" + attributeNames[name]
	}
	return "/0x" + hex8(name)
}

// Names makes a [Resolve] of an app's resource table, in the form of APKs or of bundles.
func Names(data []byte) (Resolve, error) {
	if !isTable("", data) && isProtoTable(data) {
		return protoNames(data), nil
	}
	t, err := readTable(data)
	if err != nil {
		return nil, err
	}
	return t.resolve, nil
}

// resolve finds the name of a resource by its id.
func (t *table) resolve(id uint32) string {
	for p := range t.packages {
		pack := &t.packages[p]
		if pack.id != id>>24 {
			continue
		}
		for c := range pack.chunks {
			if in := &pack.chunks[c]; uint32(in.id) == id>>16&0xff {
				if key, ok := in.key(t.data, int(id&0xffff)); ok {
					return pack.typeName(in.id) + "/" + pack.keys.peek(key)
				}
			}
		}
	}
	return ""
}

// key returns the name of the entry of an index.
func (c *typeChunk) key(data []byte, index int) (key uint32, ok bool) {
	first, last := index, index+1
	if c.flags&sparse != 0 {
		first, last = 0, c.count
	}
	for n := first; n < min(last, c.count); n++ {
		if at, is, ok := c.at(data, n); ok && is == index {
			if u16(data, at+2)&compactEntry != 0 {
				return uint32(u16(data, at)), true
			}
			return u32(data, at+4), true
		}
	}
	return 0, false
}

// Kind names the format.
func (t *table) Kind() string { return "Android resource table" }

// Texts calls visit for the strings that are values.
func (t *table) Texts(visit func(reading.Text) bool) {
	t.pool.visit(func(start, end int, value []byte) bool {
		return visit(reading.Text{Start: start, End: end, Value: value, Whole: true})
	})
}

// Notes says what could not be read.
func (t *table) Notes() (notes []string) {
	if t.damage != "" {
		notes = append(notes, t.damage)
	}
	if damage := t.pool.damage(); damage != "" {
		notes = append(notes, "the resource table is damaged: "+damage)
	}
	return notes
}

// Settings returns the values of resources by their names, whatever their type.
func (t *table) Settings(names []string) (out []reading.Setting) {
	wanted := make([]map[uint32]string, len(t.packages))
	for p := range t.packages {
		wanted[p] = t.packages[p].keys.named(names)
	}
	t.visit(func(r *resource) bool {
		name := wanted[r.pack][r.key]
		if name == "" || r.nth >= 0 {
			return true
		}
		s := reading.Setting{Name: name, Known: r.value.literal(), Start: r.value.start, End: r.value.end}
		if r.value.kind == typeString {
			if start, end, ok := t.pool.span(r.value.data); ok {
				r.value.text = strings.Clone(string(t.pool.decode(start, end, nil)))
				s.Start, s.End = start, end
			}
		}
		if s.Known {
			s.Value = r.value.write(nil)
		}
		out = append(out, s)
		return true
	})
	return out
}

// named returns the numbers of the strings that are among names.
func (p *pool) named(names []string) map[uint32]string {
	found := map[uint32]string{}
	if p == nil {
		return found
	}
	for i := range p.count {
		if start, end, ok := p.span(uint32(i)); ok && end-start < maxSection {
			if name := among(names, p.decode(start, end, nil)); name != "" {
				found[uint32(i)] = name
			}
		}
	}
	return found
}
