package native

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
)

// ELF: the constants of the System V ABI that matter here.
const (
	ptLoad    = 1
	ptDynamic = 2

	shtProgbits = 1
	shtSymtab   = 2
	shtNote     = 7
	shtNobits   = 8
	shtDynsym   = 11

	shfAlloc = 2
	shfExec  = 4

	dtSoname = 14
	dtStrtab = 5
	dtStrsz  = 10

	sttObject = 1
	sttFunc   = 2
)

// machines are names of e_machine.
var machines = map[uint16]string{3: "x86", 8: "MIPS", 40: "arm", 62: "x86-64", 183: "arm64", 243: "RISC-V"}

// maxSections is how many sections are read: object files have one for each function.
const maxSections = 1 << 16

// maxName is the length beyond which a name of a symbol or section is cut.
const maxName = 512

// An elf is what reads an ELF file's tables.
type elf struct {
	*image
	wide     bool // 64 bits
	sections []section
	segments []segment
}

// section and segment are rows of the tables.
type (
	section struct {
		name, kind, link uint32
		flags, address   uint64
		offset, size     uint64
	}
	segment struct {
		kind, flags           uint32
		offset, address, size uint64
	}
)

// readELF reads the header and the tables, by the System V ABI.
func (m *image) readELF() error {
	e := &elf{image: m}
	if len(m.data) < 52 {
		return fmt.Errorf("the ELF header ends after %d bytes", len(m.data))
	}
	m.program, m.order = "ELF", binary.LittleEndian
	if m.data[5] == 2 {
		m.order = binary.BigEndian
	}
	if e.wide = m.data[4] == 2; e.wide && len(m.data) < 64 {
		return fmt.Errorf("the ELF header ends after %d bytes", len(m.data))
	}
	machine := m.order.Uint16(m.data[18:])
	if m.arch = machines[machine]; m.arch == "" {
		m.arch = fmt.Sprintf("machine %d", machine)
	}
	segmentErr := e.readSegments()
	sectionErr := e.readSections()
	switch {
	case segmentErr != nil && len(e.sections) == 0:
		return segmentErr
	case sectionErr != nil && len(e.segments) == 0:
		return sectionErr
	case sectionErr != nil:
		m.lost = append(m.lost, sectionErr.Error()+": its parts are told apart by segments alone")
	}
	for _, s := range e.segments {
		if s.kind == ptLoad && s.size > 0 {
			m.regions = append(m.regions, region{
				name: "segment " + flags(s.flags), start: int(s.offset), end: int(s.offset + s.size), address: s.address,
				texts: len(e.sections) == 0, code: len(e.sections) == 0 && s.flags&1 != 0,
			})
		}
	}
	e.nameSections()
	e.readNotes()
	e.readSoname()
	m.symbols = sync.OnceValue(e.readSymbols)
	m.refs = sync.OnceValue(m.readRefs)
	m.findDart()
	return nil
}

// flags writes what a segment allows, as readelf does.
func flags(f uint32) string {
	b := []byte("---")
	for i, bit := range []uint32{4, 2, 1} {
		if f&bit != 0 {
			b[i] = "RWX"[i]
		}
	}
	return string(b)
}

// word reads a number of 4 bytes, or of 8 in a file of 64 bits; the caller knows that it is there.
func (e *elf) word(at int) uint64 {
	if e.wide {
		return e.order.Uint64(e.data[at:])
	}
	return uint64(e.order.Uint32(e.data[at:]))
}

// pick is the offset of a field: in files of 32 bits, or of 64.
func (e *elf) pick(narrow, wide int) int {
	if e.wide {
		return wide
	}
	return narrow
}

// inside reports whether size bytes from an offset are in the image.
func (m *image) inside(offset, size uint64) bool {
	return offset <= uint64(len(m.data)) && size <= uint64(len(m.data))-offset
}

// readSegments reads the program headers.
func (e *elf) readSegments() error {
	off := e.word(e.pick(28, 32))
	each := uint64(e.order.Uint16(e.data[e.pick(42, 54):]))
	n := uint64(e.order.Uint16(e.data[e.pick(44, 56):]))
	if n == 0 || off == 0 {
		return fmt.Errorf("it has no program headers")
	}
	if each < uint64(e.pick(32, 56)) || !e.inside(off, n*each) {
		return fmt.Errorf("the %d program headers at %#x go beyond the end of the file (%#x)", n, off, len(e.data))
	}
	for i := range n {
		at := int(off + i*each)
		s := segment{
			kind: e.order.Uint32(e.data[at:]), flags: e.order.Uint32(e.data[at+e.pick(24, 4):]),
			offset: e.word(at + e.pick(4, 8)), address: e.word(at + e.pick(8, 16)), size: e.word(at + e.pick(16, 32)),
		}
		if !e.inside(s.offset, 0) {
			continue
		}
		s.size = min(s.size, uint64(len(e.data))-s.offset)
		e.segments = append(e.segments, s)
	}
	return nil
}

// readSections reads the section headers. Packers and strippers remove them.
func (e *elf) readSections() error {
	off := e.word(e.pick(32, 40))
	each := uint64(e.order.Uint16(e.data[e.pick(46, 58):]))
	n := uint64(e.order.Uint16(e.data[e.pick(48, 60):]))
	size := uint64(e.pick(40, 64))
	if off == 0 {
		return nil
	}
	if n == 0 && e.inside(off, size) {
		n = e.word(int(off) + e.pick(20, 32)) // more than fit there
	}
	if each < size || n > uint64(len(e.data))/size || !e.inside(off, n*each) {
		return fmt.Errorf("the %d section headers at %#x go beyond the end of the file (%#x)", n, off, len(e.data))
	}
	if n > maxSections {
		e.lost = append(e.lost, fmt.Sprintf("it has %d sections, of which the first %d are told apart", n, maxSections))
	}
	for i := range min(n, maxSections) {
		at := int(off + i*each)
		e.sections = append(e.sections, section{
			name: e.order.Uint32(e.data[at:]), kind: e.order.Uint32(e.data[at+4:]),
			flags: e.word(at + 8), address: e.word(at + e.pick(12, 16)), offset: e.word(at + e.pick(16, 24)),
			size: e.word(at + e.pick(20, 32)), link: e.order.Uint32(e.data[at+e.pick(24, 40):]),
		})
	}
	return nil
}

// noTexts are sections of data that hold tables alone.
var noTexts = []string{".eh_frame", ".eh_frame_hdr", ".gcc_except_table", ".got", ".got.plt", ".plt", ".gopclntab", ".relro_padding"}

// nameSections makes regions of the sections.
func (e *elf) nameSections() {
	index := int(e.order.Uint16(e.data[e.pick(50, 62):]))
	if index == 0xffff && len(e.sections) > 0 {
		index = int(e.sections[0].link)
	}
	for _, s := range e.sections {
		if s.kind == 0 || s.kind == shtNobits || s.size == 0 || !e.inside(s.offset, s.size) {
			continue
		}
		name := ""
		if index < len(e.sections) {
			name = string(e.text(e.sections[index], s.name))
		}
		e.golang = e.golang || name == ".gopclntab" || name == ".go.buildinfo"
		code := s.flags&shfExec != 0
		if blob := e.data[s.offset : s.offset+s.size]; name == "payload" && bytes.HasPrefix(blob, []byte(magicStore)) {
			e.lost = append(e.lost, openStore(blob).notes...)
		}
		e.regions = append(e.regions, region{
			name: name, start: int(s.offset), end: int(s.offset + s.size), address: s.address, code: code,
			texts: s.kind == shtProgbits && s.flags&shfAlloc != 0 && !code && !slices.Contains(noTexts, name),
		})
	}
}

// text is a name in a table of strings.
func (e *elf) text(table section, at uint32) []byte {
	if uint64(at) >= table.size || !e.inside(table.offset, table.size) {
		return nil
	}
	return cstring(e.data[table.offset+uint64(at) : table.offset+table.size])
}

// cstring is the text up to a zero, cut where it is longer than any name.
func cstring(b []byte) []byte {
	b = b[:min(len(b), maxName)]
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return b
}

// readNotes finds the build id: the note of type 3 of the owner GNU.
func (e *elf) readNotes() {
	for _, s := range e.sections {
		if s.kind != shtNote || s.size < 16 || !e.inside(s.offset, s.size) {
			continue
		}
		note := e.data[s.offset : s.offset+s.size]
		name, size := e.order.Uint32(note), uint64(e.order.Uint32(note[4:]))
		if name == 4 && e.order.Uint32(note[8:]) == 3 && string(note[12:16]) == "GNU\x00" && size <= 64 && 16+size <= s.size {
			e.buildID = hex.EncodeToString(note[16 : 16+size])
		}
	}
}

// readSoname finds the name that the dynamic section gives the library.
func (e *elf) readSoname() {
	var soname, table, size uint64
	if i := slices.IndexFunc(e.segments, func(s segment) bool { return s.kind == ptDynamic }); i >= 0 {
		s, each := e.segments[i], uint64(e.pick(8, 16))
		for at := s.offset; at+each <= s.offset+s.size; at += each {
			value := e.word(int(at + each/2))
			switch e.word(int(at)) {
			case dtSoname:
				soname = value
			case dtStrtab:
				table = value
			case dtStrsz:
				size = value
			}
		}
	}
	for _, s := range e.segments {
		if s.kind == ptLoad && soname > 0 && table >= s.address && table-s.address < s.size {
			offset := s.offset + table - s.address
			e.soname = string(e.text(section{offset: offset, size: min(size, uint64(len(e.data))-offset)}, uint32(soname)))
			return
		}
	}
}

// readSymbols reads the tables of symbols, by address. Without section headers there are none.
func (e *elf) readSymbols() []symbol {
	var all []symbol
	each, rows := uint64(e.pick(16, 24)), uint64(0)
	for _, s := range e.sections {
		if s.kind != shtSymtab && s.kind != shtDynsym || !e.inside(s.offset, s.size) || uint64(s.link) >= uint64(len(e.sections)) {
			continue
		}
		if rows += s.size / each; rows > uint64(len(e.data))/each {
			break // the tables overlap
		}
		for at := s.offset; at+each <= s.offset+s.size; at += each {
			kind := e.data[int(at)+e.pick(12, 4)] & 15
			if kind != sttFunc && kind != sttObject {
				continue
			}
			from, size := e.word(int(at)+e.pick(4, 8)), e.word(int(at)+e.pick(8, 16))
			if e.arch == "arm" && kind == sttFunc {
				from &^= 1 // Thumb
			}
			name := e.text(e.sections[s.link], e.order.Uint32(e.data[at:]))
			if len(name) == 0 || name[0] == '$' || from == 0 || from+size < from {
				continue
			}
			all = append(all, symbol{from: from, to: from + size, name: name, function: kind == sttFunc})
		}
	}
	return sortSymbols(all)
}

// sortSymbols orders symbols by address, each name once.
func sortSymbols(all []symbol) []symbol {
	slices.SortStableFunc(all, func(a, b symbol) int {
		switch {
		case a.from < b.from:
			return -1
		case a.from > b.from:
			return 1
		}
		return bytes.Compare(a.name, b.name)
	})
	return slices.CompactFunc(all, func(a, b symbol) bool { return a.from == b.from && bytes.Equal(a.name, b.name) })
}
