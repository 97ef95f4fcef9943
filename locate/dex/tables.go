package dex

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
)

// The sizes of a header: until version 040, and with the fields of a container.
const (
	headerSize    = 0x70
	containerSize = 0x78
)

// noIndex stands where a table has no entry to point to.
const noIndex = 0xffffffff

// table is one of the tables of ids: n rows of size bytes from off.
type table struct{ off, n, size int }

// part is one DEX: alone in its file, or in a container or wrapper.
type part struct {
	base int    // of data in the file
	data []byte // a container's as a whole: its offsets count from there
	head int    // of the header in data

	strings, types, protos, fields, methods, classes table

	ordered func() []uint32 // ids of strings by their place
	code    func() *code
	uses    func() *uses
	names   func() []byte // what each string names, see readNames
	placed  func() []int  // indexes of methods by the place of their code
	cut     atomic.Bool   // something was left out to stay in proportion
}

// u16 and u32 read a number; the caller knows that it is there.
func u16(data []byte, at int) uint32 { return uint32(binary.LittleEndian.Uint16(data[at:])) }
func u32(data []byte, at int) uint32 { return binary.LittleEndian.Uint32(data[at:]) }

// openPart reads the header at head and checks the tables. next is where the header of the next
// part of a container would be.
func openPart(data []byte, base, head int) (p *part, next int, err error) {
	if len(data)-head < headerSize {
		return nil, 0, fmt.Errorf("the header at %#x goes beyond the end of the file (%#x)", base+head, base+len(data))
	}
	h := data[head:]
	if string(h[:4]) != "dex\n" {
		return nil, 0, fmt.Errorf("no DEX header is at %#x", base+head)
	}
	if tag := u32(h, 0x28); tag != 0x12345678 {
		return nil, 0, fmt.Errorf("the mark of the byte order is %#x and not 0x12345678", tag)
	}
	size := int(u32(h, 0x20))
	if size < headerSize || size > len(data)-head {
		return nil, 0, fmt.Errorf("the header says that %d bytes follow, and the file has %d", size, len(data)-head)
	}
	p = &part{base: base, data: data, head: head}
	for i, t := range []struct {
		name string
		*table
		size int
	}{
		{"strings", &p.strings, 4}, {"types", &p.types, 4}, {"prototypes", &p.protos, 12},
		{"fields", &p.fields, 8}, {"methods", &p.methods, 8}, {"classes", &p.classes, 32},
	} {
		n, off := int64(u32(h, 0x38+8*i)), int64(u32(h, 0x3c+8*i))
		if n > 0 && off+n*int64(t.size) > int64(len(data)) {
			return nil, 0, fmt.Errorf("the table of %s has %d rows from %#x, beyond the end of the file (%#x)", t.name, n, off, len(data))
		}
		*t.table = table{int(off), int(n), t.size}
	}
	if err := p.checkStrings(); err != nil {
		return nil, 0, err
	}
	p.ordered = sync.OnceValue(p.orderStrings)
	p.code = sync.OnceValue(p.readCode)
	p.uses = sync.OnceValue(p.readUses)
	p.names = sync.OnceValue(p.readNames)
	p.placed = sync.OnceValue(p.placeMethods)
	return p, head + size, nil
}

// checkStrings finds strings that are not in the file, and more of them than it can hold: so
// that everything that reads each string once reads in proportion to the file.
func (p *part) checkStrings() error {
	total := 0
	for id := range p.strings.n {
		at := int(u32(p.data, p.strings.off+4*id))
		if at >= len(p.data) {
			return fmt.Errorf("string id %d points to %#x, beyond the end of the file (%#x)", id, at, len(p.data))
		}
		n, _, ok := uleb(p.data, at)
		if total += int(n); !ok || total > len(p.data) {
			return fmt.Errorf("string id %d at %#x is longer than the file (%#x) can hold", id, at, len(p.data))
		}
	}
	return nil
}

// row is where a row of a table is; ok is false if there is none.
func (t table) row(id uint32) (at int, ok bool) {
	return t.off + int(id)*t.size, int64(id) < int64(t.n)
}

// stringOf is the id of the string that a type's row names.
func (p *part) typeString(id uint32) (uint32, bool) {
	at, ok := p.types.row(id)
	if !ok {
		return 0, false
	}
	return u32(p.data, at), true
}

// typeName is a class as Java writes it: "com.novoda.merlin.Endpoint"; "" if it is none.
func (p *part) typeName(id uint32) string {
	s, ok := p.typeString(id)
	if !ok {
		return ""
	}
	return className(p.text(s))
}

// member is a row of the table of fields or of methods.
type member struct{ class, kind, name uint32 }

// member reads a row of t; the zero member stands for none.
func (p *part) member(t table, id uint32) (member, bool) {
	at, ok := t.row(id)
	if !ok {
		return member{}, false
	}
	return member{u16(p.data, at), u16(p.data, at+2), u32(p.data, at+4)}, true
}

// class is a row of class_defs.
type class struct {
	kind, source              uint32 // ids of the type, and of the source file's name
	annotations, data, values int
}

// class reads a row of the table of classes; id is in it.
func (p *part) class(id int) class {
	at := p.classes.off + id*p.classes.size
	return class{
		kind: u32(p.data, at), source: u32(p.data, at+16),
		annotations: int(u32(p.data, at+20)), data: int(u32(p.data, at+24)), values: int(u32(p.data, at+28)),
	}
}

// A cursor reads numbers one after the other. Beyond the end it gives zeros, and bad is set.
type cursor struct {
	data []byte
	at   int
	bad  bool
}

func (c *cursor) uleb() uint32 {
	v, next, ok := uleb(c.data, c.at)
	c.at, c.bad = next, c.bad || !ok
	return v
}

func (c *cursor) sleb() int32 {
	from := c.at
	v := c.uleb()
	if bits := 7 * (c.at - from); bits > 0 && bits < 32 {
		return int32(v<<(32-bits)) >> (32 - bits)
	}
	return int32(v)
}

func (c *cursor) byte() byte {
	if c.bad = c.bad || c.at < 0 || c.at >= len(c.data); c.bad {
		return 0
	}
	c.at++
	return c.data[c.at-1]
}

func (c *cursor) u32() uint32 {
	if c.bad = c.bad || c.at < 0 || len(c.data)-c.at < 4; c.bad {
		return 0
	}
	c.at += 4
	return u32(c.data, c.at-4)
}

func (c *cursor) skip(n int) {
	if c.bad = c.bad || n < 0 || n > len(c.data)-c.at; !c.bad {
		c.at += n
	}
}

// uleb reads a number of up to five bytes (LEB128) and says where it ends.
func uleb(data []byte, at int) (v uint32, next int, ok bool) {
	if at < 0 {
		return 0, at, false
	}
	for shift := 0; shift < 35; shift += 7 {
		if at >= len(data) {
			return 0, at, false
		}
		b := data[at]
		at++
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v, at, true
		}
	}
	return 0, at, false
}
