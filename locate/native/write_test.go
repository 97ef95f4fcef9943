package native

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// A part is a section that is written, in the order of the file.
type part struct {
	name  string
	kind  uint32
	flags uint64
	body  []byte
	link  uint32
}

// base is where the files that are written would be in memory.
const base = 0x10000

// packedBytes writes numbers one after the other.
func packedBytes(order binary.ByteOrder, values ...any) []byte {
	var b bytes.Buffer
	for _, v := range values {
		if raw, ok := v.([]byte); ok {
			b.Write(raw)
		} else if s, ok := v.(string); ok {
			b.WriteString(s)
		} else {
			binary.Write(&b, order, v)
		}
	}
	return b.Bytes()
}

// symbolELF is a row of a symbol table.
type symbolELF struct {
	name       string
	kind       byte
	from, size uint64
}

// writeELF64 writes a library with code at 0x10040+…, literals, and symbols. Sections stand behind
// the header in their order.
func writeELF64(machine uint16, parts []part, symbols ...symbolELF) []byte {
	order := binary.LittleEndian
	names, table := []byte{0}, make([]byte, 24)
	for _, s := range symbols {
		table = append(table, packedBytes(order, uint32(len(names)), s.kind, byte(0), uint16(1), s.from, s.size)...)
		names = append(append(names, s.name...), 0)
	}
	parts = slices.Clone(parts)
	parts = append(parts, part{name: ".dynsym", kind: shtDynsym, body: table, link: uint32(len(parts) + 2)}, part{name: ".dynstr", kind: 3, body: names})
	headings := []byte{0}
	body := make([]byte, 64+56)
	var rows []byte
	for _, p := range append(parts, part{name: ".shstrtab", kind: 3}) {
		if p.name == ".shstrtab" {
			p.body = slices.Concat(headings, []byte(".shstrtab\x00"))
		}
		address := uint64(0)
		if p.flags&shfAlloc != 0 {
			address = base + uint64(len(body))
		}
		rows = append(rows, packedBytes(order, uint32(len(headings)), p.kind, p.flags, address, uint64(len(body)), uint64(len(p.body)), p.link, uint32(0), uint64(1), uint64(0))...)
		headings = append(append(headings, p.name...), 0)
		body = append(body, p.body...)
	}
	n := uint16(len(parts) + 2)
	copy(body, packedBytes(order, magicELF, []byte{2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, uint16(3), machine, uint32(1), uint64(0), uint64(64), uint64(len(body)), uint32(0), uint16(64), uint16(56), uint16(1), uint16(64), n, n-1))
	copy(body[64:], packedBytes(order, uint32(ptLoad), uint32(5), uint64(0), uint64(base), uint64(base), uint64(len(body)), uint64(len(body)), uint64(4096)))
	return append(append(body, make([]byte, 64)...), rows...)
}

// The addresses of what writeELF64 puts first: 16 bytes of code, then literals.
const (
	codeAt = base + 64 + 56
	dataAt = codeAt + 16
)

// arm64Ref is ADRP and ADD of an address for code at another, then RET.
func arm64Ref(at, target uint64) []byte {
	pages := uint32(target>>12 - at>>12)
	adrp := 0x90000000 | pages&3<<29 | pages>>2<<5
	add := 0x91000000 | uint32(target&0xfff)<<10
	return packedBytes(binary.LittleEndian, adrp, add, uint32(0xd65f03c0), uint32(0xd503201f))
}

// x86Ref is LEA RAX, [RIP+…] of an address for code at another.
func x86Ref(at, target uint64) []byte {
	return packedBytes(binary.LittleEndian, []byte{0x48, 0x8d, 0x05}, int32(target-at-7), bytes.Repeat([]byte{0x90}, 9))
}

// library is an ELF file whose function refers to a host; the host is the second literal.
func library(machine uint16) []byte {
	literals := "\x00first text\x00clients3.google.com\x00\x01\x02ab\x00w\x00i\x00d\x00e\x00r\x00\x00\x00\x00"
	target := uint64(dataAt + 12)
	code := x86Ref(codeAt, target)
	if machine == 183 {
		code = arm64Ref(codeAt, target)
	}
	return writeELF64(machine, []part{
		{name: ".text", kind: shtProgbits, flags: shfAlloc | shfExec, body: code},
		{name: ".rodata", kind: shtProgbits, flags: shfAlloc, body: []byte(literals)},
	}, symbolELF{"Java_com_facebook_react_Probe_send", sttFunc, codeAt, 16}, symbolELF{"kFirst", sttObject, dataAt + 1, 11})
}

// sectionMachO is a section of a Mach-O file that is written.
type sectionMachO struct {
	segment, name string
	flags         uint32
	body          []byte
}

// writeMachO writes a program of 64 bits. cryptid is that of all bytes from the sections on.
func writeMachO(cpu, subtype, cryptid uint32, sections ...sectionMachO) []byte {
	order := binary.LittleEndian
	name := func(s string) []byte { return append([]byte(s), make([]byte, 16-len(s))...) }
	size := 72 + 80*len(sections) + 24 + 16 + 24
	head := 32 + size
	var rows, body []byte
	for _, s := range sections {
		at := uint64(head + len(body))
		rows = append(rows, packedBytes(order, name(s.name), name(s.segment), base+at, uint64(len(s.body)), uint32(at), uint32(0), uint32(0), uint32(0), s.flags, make([]byte, 12))...)
		body = append(body, s.body...)
	}
	end := uint32(head + len(body))
	// One function, at the first section; the names; the function starts.
	symbols := packedBytes(order, uint32(1), byte(0x0f), byte(1), uint16(0), uint64(base+head))
	tail := packedBytes(order, symbols, "\x00_ask\x00", binary.AppendUvarint(nil, uint64(head)), byte(16), byte(0))
	commands := packedBytes(order,
		uint32(lcSegment64), uint32(72+80*len(sections)), name("__TEXT"), uint64(base), uint64(end), uint64(0), uint64(end), uint32(5), uint32(5), uint32(len(sections)), uint32(0), rows,
		uint32(lcSymtab), uint32(24), end, uint32(1), end+16, uint32(6),
		uint32(lcFunctionStarts), uint32(16), end+22, uint32(len(tail)-22),
		uint32(lcEncryption64), uint32(24), uint32(head), end-uint32(head), cryptid, uint32(0))
	return packedBytes(order, uint32(0xfeedfacf), cpu, subtype, uint32(2), uint32(4), uint32(size), uint32(0), uint32(0), commands, body, tail)
}

// program is a Mach-O file for arm64 whose function refers to a host.
func program(cryptid uint32) []byte {
	at := uint64(base + 32 + 72 + 160 + 24 + 16 + 24)
	return writeMachO(0x0100000c, 0, cryptid,
		sectionMachO{"__TEXT", "__text", instructions, arm64Ref(at, at+16+6)},
		sectionMachO{"__TEXT", "__cstring", typeCString, []byte("other\x00clients3.google.com\x00")},
	)
}

// fat puts files into one.
func fat(files ...[]byte) []byte {
	head := packedBytes(binary.BigEndian, uint32(0xcafebabe), uint32(len(files)))
	at := uint32(len(head) + 20*len(files))
	var body []byte
	for _, f := range files {
		head = append(head, packedBytes(binary.BigEndian, uint32(0), uint32(0), at+uint32(len(body)), uint32(len(f)), uint32(0))...)
		body = append(body, f...)
	}
	return append(head, body...)
}

// archive puts files into a static library, under BSD's long names.
func archive(files ...[]byte) []byte {
	all := []byte(magicAr)
	for _, f := range files {
		body := append([]byte("probe.o\x00"), f...)
		header := bytes.Repeat([]byte(" "), 60)
		copy(header, "#1/8")
		copy(header[48:], []byte(fmtInt(len(body))))
		copy(header[58:], "`\n")
		all = append(append(all, header...), body...)
		if len(body)%2 == 1 {
			all = append(all, '\n')
		}
	}
	return all
}

// metadata is a global-metadata.dat with literals.
func metadata(version uint32, texts ...string) []byte {
	order := binary.LittleEndian
	var table, all []byte
	for _, s := range texts {
		table = append(table, packedBytes(order, uint32(len(s)), uint32(len(all)))...)
		all = append(all, s...)
	}
	return packedBytes(order, magicUnity, version, uint32(24), uint32(len(table)), uint32(24+len(table)), uint32(len(all)), table, all)
}

// assembly is a .NET assembly with literals in its heap #US.
func assembly(texts ...string) []byte {
	order := binary.LittleEndian
	heap := []byte{0}
	for _, s := range texts {
		body := widen(s)
		n := len(body) + 1
		switch {
		case n < 0x80:
			heap = append(heap, byte(n))
		default:
			heap = append(heap, byte(n>>8)|0x80, byte(n))
		}
		heap = append(append(heap, body...), 0)
	}
	version := []byte("v4.0.30319\x00\x00")
	streams := packedBytes(order, uint32(0), uint32(0), "#~\x00\x00", uint32(16+len(version)+4+12+12), uint32(len(heap)), "#US\x00")
	return packedBytes(order, "MZ", make([]byte, 62), "BSJB", uint16(1), uint16(1), uint32(0), uint32(len(version)), version, uint16(0), uint16(2), streams, heap)
}

// widen writes a text in UTF-16.
func widen(s string) (b []byte) {
	for _, r := range s {
		b = binary.LittleEndian.AppendUint16(b, uint16(r))
	}
	return b
}
