package native

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"

	"telltale/locate/reading"
)

// Mach-O: the constants of <mach-o/loader.h>, <mach-o/fat.h> and <mach-o/nlist.h> that
// matter here.
const (
	lcSegment        = 0x1
	lcSymtab         = 0x2
	lcSegment64      = 0x19
	lcEncryption     = 0x21
	lcFunctionStarts = 0x26
	lcEncryption64   = 0x2c

	typeZeroFill = 1          // of a section: nothing is in the file
	typeCString  = 2          // literals, zero-terminated
	instructions = 0x80000400 // a section's attributes that say it is code

	nStab = 0xe0
	nType = 0x0e
	nSect = 0x0e

	maxSlices = 30 // of a fat file: a Java class has the same magic, and a version from 45 on there
)

// cpus are names of cputype.
var cpus = map[uint32]string{7: "x86", 0x01000007: "x86-64", 12: "arm", 0x0100000c: "arm64", 0x0200000c: "arm64_32"}

// isMachO reports whether a thin Mach-O file begins.
func isMachO(head []byte) bool {
	if len(head) < 4 {
		return false
	}
	switch binary.LittleEndian.Uint32(head) {
	case 0xfeedface, 0xfeedfacf, 0xcefaedfe, 0xcffaedfe:
		return true
	}
	return false
}

// isFat reports whether a fat file begins.
func isFat(head []byte) bool {
	if len(head) < 8 {
		return false
	}
	magic, n := binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:])
	return (magic == 0xcafebabe || magic == 0xcafebabf) && n > 0 && n <= maxSlices
}

// openFat opens each slice of a fat file.
func openFat(file string, data []byte) (reading.Document, error) {
	d := &document{data: data}
	each, wide := 20, data[3] == 0xbf
	if wide {
		each = 32
	}
	n := int(binary.BigEndian.Uint32(data[4:]))
	if 8+n*each > len(data) {
		return nil, fmt.Errorf("the fat header has %d slices, and the file ends after %d bytes", n, len(data))
	}
	for i := range n {
		row := data[8+i*each:]
		offset, size := uint64(binary.BigEndian.Uint32(row[8:])), uint64(binary.BigEndian.Uint32(row[12:]))
		if wide {
			offset, size = binary.BigEndian.Uint64(row[8:]), binary.BigEndian.Uint64(row[16:])
		}
		if offset > uint64(len(data)) || size > uint64(len(data))-offset {
			d.notes = append(d.notes, fmt.Sprintf("slice %d is at %#x+%#x, beyond the end of the file (%#x)", i+1, offset, size, len(data)))
			continue
		}
		if d.overlaps(int(offset), int(offset+size)) {
			d.notes = append(d.notes, fmt.Sprintf("slice %d at %#x stands in another one", i+1, offset))
			continue
		}
		if !isMachO(data[offset : offset+size]) {
			d.notes = append(d.notes, fmt.Sprintf("slice %d at %#x is no Mach-O", i+1, offset))
			continue
		}
		if err := d.open(int(offset), int(offset+size), ""); err != nil {
			d.notes = append(d.notes, fmt.Sprintf("slice %d cannot be read: %v", i+1, err))
		}
	}
	if len(d.images) == 0 {
		return nil, fmt.Errorf("no slice of the fat file can be read: %s", strings.Join(d.notes, "; "))
	}
	d.describe(file)
	return d, nil
}

// overlaps reports whether an image has some of the bytes.
func (d *document) overlaps(from, to int) bool {
	return slices.ContainsFunc(d.images, func(m *image) bool { return from < m.base+len(m.data) && m.base < to })
}

// A macho is what reads a Mach-O file's load commands.
type macho struct {
	*image
	wide    bool   // 64 bits
	text    uint64 // where __TEXT is in memory
	symtab  []byte // the commands; nil without
	starts  []byte
	objects []bool // of each section, by its number: it has no code
}

// readMachO reads the header and the load commands.
func (m *image) readMachO() error {
	o := &macho{image: m}
	if len(m.data) < 28 {
		return fmt.Errorf("the Mach-O header ends after %d bytes", len(m.data))
	}
	m.program, m.order = "Mach-O", binary.LittleEndian
	if m.data[0] == 0xfe {
		m.order = binary.BigEndian
	}
	o.wide = m.order.Uint32(m.data)&1 != 0
	at := 28
	if o.wide {
		at = 32
	}
	cpu := m.order.Uint32(m.data[4:])
	if m.arch = cpus[cpu]; m.arch == "" {
		m.arch = fmt.Sprintf("processor %#x", cpu)
	}
	if m.arch == "arm64" && m.order.Uint32(m.data[8:])&0xff == 2 {
		m.arch = "arm64e"
	}
	n, size := m.order.Uint32(m.data[16:]), uint64(m.order.Uint32(m.data[20:]))
	if !m.inside(uint64(at), size) {
		return fmt.Errorf("the load commands take %#x bytes from %#x, beyond the end of the file (%#x)", size, at, len(m.data))
	}
	commands := m.data[at : at+int(size)]
	for i := range n {
		if len(commands) < 8 || m.order.Uint32(commands[4:]) < 8 || uint64(m.order.Uint32(commands[4:])) > uint64(len(commands)) {
			return fmt.Errorf("load command %d of %d at %#x goes beyond the end of the commands", i+1, n, at+int(size)-len(commands))
		}
		length := m.order.Uint32(commands[4:])
		o.command(commands[:length])
		commands = commands[length:]
	}
	for i := range m.regions {
		if r := &m.regions[i]; r.start < m.encrypted[1] && r.end > m.encrypted[0] {
			r.texts, r.code = false, false
		}
	}
	m.symbols = sync.OnceValue(o.readSymbols)
	m.refs = sync.OnceValue(m.readRefs)
	m.findDart()
	return nil
}

// command takes a load command in. One that is too short for what it should say says nothing.
func (o *macho) command(c []byte) {
	kind := o.order.Uint32(c)
	switch {
	case kind == lcSegment64 && len(c) >= 72, kind == lcSegment && len(c) >= 56:
		o.segment(c, kind == lcSegment64)
	case kind == lcSymtab && len(c) >= 24:
		o.symtab = c
	case kind == lcFunctionStarts && len(c) >= 16:
		o.starts = c
	case (kind == lcEncryption || kind == lcEncryption64) && len(c) >= 20:
		offset, size := uint64(o.order.Uint32(c[8:])), uint64(o.order.Uint32(c[12:]))
		if id := o.order.Uint32(c[16:]); id != 0 && offset < uint64(len(o.data)) {
			o.encrypted = [2]int{int(offset), int(min(offset+size, uint64(len(o.data))))}
		}
	}
}

// number reads 4 bytes, or 8.
func (o *macho) number(b []byte, wide bool) uint64 {
	if wide {
		return o.order.Uint64(b)
	}
	return uint64(o.order.Uint32(b))
}

// segment takes a segment and its sections in.
func (o *macho) segment(c []byte, wide bool) {
	name := trimmed(c[8:24])
	word, each, head := 4, 68, 56
	if wide {
		word, each, head = 8, 80, 72
	}
	address := o.number(c[24:], wide)
	offset, size := o.number(c[24+2*word:], wide), o.number(c[24+3*word:], wide)
	if name == "__TEXT" {
		o.text = address
	}
	if size > 0 && o.inside(offset, 0) {
		o.regions = append(o.regions, region{name: name, start: int(offset), end: int(min(offset+size, uint64(len(o.data)))), address: address})
	}
	for c = c[head:]; len(c) >= each; c = c[each:] {
		o.section(c, wide, word)
	}
}

// section takes a section in.
func (o *macho) section(c []byte, wide bool, word int) {
	section, segment := trimmed(c[:16]), trimmed(c[16:32])
	address, size := o.number(c[32:], wide), o.number(c[32+word:], wide)
	offset := uint64(o.order.Uint32(c[32+2*word:]))
	flags := o.order.Uint32(c[32+2*word+16:])
	code := flags&instructions != 0
	o.objects = append(o.objects, !code)
	if size == 0 || offset == 0 || flags&0xff == typeZeroFill || !o.inside(offset, size) {
		return
	}
	o.golang = o.golang || section == "__gopclntab" || section == "__go_buildinfo"
	r := region{name: segment + "," + section, start: int(offset), end: int(offset + size), address: address, code: code}
	r.texts = !code && (flags&0xff == typeCString || flags&0xff == 0) && !tables(segment, section)
	o.regions = append(o.regions, r)
}

// tables reports whether a section of data holds tables and names of the language alone.
func tables(segment, section string) bool {
	if segment == "__DWARF" || segment == "__LLVM" {
		return true
	}
	for _, prefix := range []string{"__objc_", "__swift5_", "__unwind", "__eh_frame", "__got", "__gopclntab", "__chain", "__init_offsets", "__gcc_except"} {
		if strings.HasPrefix(section, prefix) {
			return true
		}
	}
	return false
}

// trimmed is a name of 16 bytes, padded with zeros.
func trimmed(b []byte) string { return string(bytes.TrimRight(b[:16], "\x00")) }

// readSymbols reads the table of symbols. Functions end where the next one starts, by the table
// of function starts, and without it their ends are not known.
func (o *macho) readSymbols() []symbol {
	if o.symtab == nil {
		return nil
	}
	offset, n := uint64(o.order.Uint32(o.symtab[8:])), uint64(o.order.Uint32(o.symtab[12:]))
	names, size := uint64(o.order.Uint32(o.symtab[16:])), uint64(o.order.Uint32(o.symtab[20:]))
	each := uint64(12)
	if o.wide {
		each = 16
	}
	if !o.inside(offset, n*each) || !o.inside(names, size) {
		return nil
	}
	starts := o.functionStarts()
	var all []symbol
	for i := range n {
		row := o.data[offset+i*each:]
		kind, number := row[4], int(row[5])
		if kind&nStab != 0 || kind&nType != nSect || number == 0 || number > len(o.objects) {
			continue
		}
		at := uint64(o.order.Uint32(row))
		if at >= size {
			continue
		}
		from := o.number(row[8:], o.wide)
		s := symbol{from: from, to: from, name: bytes.TrimPrefix(cstring(o.data[names+at:names+size]), []byte("_")), function: !o.objects[number-1]}
		if k, ok := slices.BinarySearch(starts, from); s.function && ok && k+1 < len(starts) {
			s.to = starts[k+1]
		}
		if len(s.name) > 0 {
			all = append(all, s)
		}
	}
	all = sortSymbols(all)
	if o.golang && starts == nil {
		// Go's linker writes no such table, and names all functions or none.
		for i := range len(all) - 1 {
			if all[i].function {
				all[i].to = all[i+1].from
			}
		}
	}
	return all
}

// functionStarts are the addresses of functions, each as its distance from the one before.
func (o *macho) functionStarts() []uint64 {
	if o.starts == nil {
		return nil
	}
	offset, size := uint64(o.order.Uint32(o.starts[8:])), uint64(o.order.Uint32(o.starts[12:]))
	if !o.inside(offset, size) {
		return nil
	}
	var starts []uint64
	address := o.text
	for rest := o.data[offset : offset+size]; len(rest) > 0; {
		delta, n := binary.Uvarint(rest)
		if n <= 0 || delta == 0 {
			break
		}
		address += delta
		starts = append(starts, address)
		rest = rest[n:]
	}
	return starts
}
