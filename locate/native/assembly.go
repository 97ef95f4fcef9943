package native

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"telltale/locate/reading"
)

// openAssembly opens a .NET assembly: its literals are in the heap #US, each behind its length.
// After ECMA-335, II.24.2.
func openAssembly(data []byte) (reading.Document, error) {
	root := bytes.Index(data, []byte("BSJB"))
	if root < 0 {
		return noted(data, "Windows program", "it is a program for Windows and no .NET assembly: only its bytes are searched"), nil
	}
	l := &literals{document: document{kind: ".NET assembly", data: data}, section: "#US", wide: true}
	heap, base, err := userStrings(data, root)
	if err != nil {
		return nil, err
	}
	for at := 1; at < len(heap); {
		n, size := blobLength(heap[at:])
		if size == 0 || n > len(heap)-at-size {
			return nil, fmt.Errorf("the literal at %#x goes beyond the end of its heap", base+at)
		}
		at += size
		if n > 2 { // the last byte is no character
			l.bounds = append(l.bounds, [2]int{base + at, base + at + n&^1})
		}
		at += n
	}
	return l, nil
}

// userStrings finds the heap of literals among the streams of the metadata; it may be missing.
func userStrings(data []byte, root int) (heap []byte, base int, err error) {
	damaged := fmt.Errorf("the metadata at %#x goes beyond the end of the file (%#x)", root, len(data))
	if len(data)-root < 20 {
		return nil, 0, damaged
	}
	version := int64(binary.LittleEndian.Uint32(data[root+12:]))
	at := int64(root) + 16 + version
	if version > 255 || at+4 > int64(len(data)) {
		return nil, 0, damaged
	}
	streams := int(binary.LittleEndian.Uint16(data[at+2:]))
	rest := data[at+4:]
	for range streams {
		if len(rest) < 12 {
			return nil, 0, damaged
		}
		offset, size := int64(binary.LittleEndian.Uint32(rest)), int64(binary.LittleEndian.Uint32(rest[4:]))
		name := rest[8:min(len(rest), 40)]
		n := bytes.IndexByte(name, 0)
		if n < 0 || 8+n/4*4+4 > len(rest) {
			return nil, 0, damaged
		}
		if string(name[:n]) == "#US" {
			from := int64(root) + offset
			if from+size > int64(len(data)) {
				return nil, 0, damaged
			}
			return data[from : from+size], int(from), nil
		}
		rest = rest[8+n/4*4+4:]
	}
	return nil, 0, nil
}

// blobLength reads a length of one, two or four bytes; size is 0 if none is there.
func blobLength(b []byte) (n, size int) {
	switch {
	case len(b) >= 1 && b[0]&0x80 == 0:
		return int(b[0]), 1
	case len(b) >= 2 && b[0]&0xc0 == 0x80:
		return int(b[0]&0x3f)<<8 | int(b[1]), 2
	case len(b) >= 4 && b[0]&0xe0 == 0xc0:
		return int(binary.BigEndian.Uint32(b) & 0x1fffffff), 4
	}
	return 0, 0
}

// appendUTF16 appends UTF-16 (little endian) as UTF-8.
func appendUTF16(dst, b []byte) []byte {
	for len(b) >= 2 {
		r := rune(binary.LittleEndian.Uint16(b))
		b = b[2:]
		if utf16.IsSurrogate(r) && len(b) >= 2 {
			if pair := utf16.DecodeRune(r, rune(binary.LittleEndian.Uint16(b))); pair != utf8.RuneError {
				r, b = pair, b[2:]
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}
