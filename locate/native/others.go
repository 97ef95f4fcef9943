package native

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"telltale/locate/reading"
)

// maxMembers is how many members of a static archive are opened.
const maxMembers = 10_000

// openArchive opens the object files in a static library (ar): a header of 60 bytes stands
// before each.
func openArchive(file string, data []byte) (reading.Document, error) {
	d := &document{data: data}
	members := 0
	for at := len(magicAr); at+60 <= len(data) && members < maxMembers; members++ {
		header := data[at : at+60]
		size, err := strconv.Atoi(strings.TrimSpace(string(header[48:58])))
		at += 60
		if err != nil || size < 0 || size > len(data)-at {
			d.notes = append(d.notes, fmt.Sprintf("the archive is damaged at %#x: the members from there on are not read", at-60))
			break
		}
		name, start := strings.TrimRight(strings.TrimSpace(string(header[:16])), "/"), at
		if n, err := strconv.Atoi(strings.TrimPrefix(name, "#1/")); err == nil && n >= 0 && n <= size && strings.HasPrefix(name, "#1/") {
			name, start = string(cstring(data[at:at+n])), at+n // BSD keeps long names there
		}
		body := data[start : at+size]
		if bytes.HasPrefix(body, []byte(magicELF)) || isMachO(body) {
			if err := d.open(start, at+size, name); err != nil {
				d.notes = append(d.notes, fmt.Sprintf("the member %q cannot be read: %v", name, err))
			}
		}
		at += size + size&1
	}
	if len(d.images) == 0 {
		if len(d.notes) == 0 {
			d.notes = []string{"no member of the archive is native code"}
		}
		d.kind = "static library"
		return d, nil
	}
	d.describe(file)
	d.kind, d.identity = strings.Replace(d.kind, "native code", "static library", 1), reading.Identity{}
	return d, nil
}

// openStore recognises Xamarin's assemblies.blob, which newer versions keep in a library.
func openStore(data []byte) *document {
	d := &document{kind: ".NET assembly store (Xamarin)", data: data}
	if bytes.Contains(data, []byte(magicXALZ)) {
		d.notes = []string{"its assemblies are compressed by Xamarin (XALZ, LZ4): texts in them are not seen"}
	}
	return d
}

// A literals is a file whose texts stand in a table.
type literals struct {
	document
	section string
	wide    bool     // they are UTF-16, else UTF-8
	bounds  [][2]int // from, to; in their order in the file
	last    reading.Last[string]
}

// Texts visits the literals.
func (l *literals) Texts(visit func(reading.Text) bool) {
	var scratch []byte
	for _, b := range l.bounds {
		value := l.data[b[0]:b[1]]
		if l.wide {
			scratch = appendUTF16(scratch[:0], value)
			value = scratch
		}
		if !visit(reading.Text{Start: b[0], End: b[1], Value: value, Whole: true}) {
			return
		}
	}
}

// Place tells the bounds of the literal.
func (l *literals) Place(start, _ int) reading.Place {
	i, found := slices.BinarySearchFunc(l.bounds, start, func(b [2]int, at int) int { return b[0] - at })
	if !found {
		i--
	}
	if i < 0 || start >= l.bounds[i][1] {
		return reading.Place{}
	}
	b := l.bounds[i]
	p := reading.Place{Section: l.section, LiteralStart: b[0], LiteralEnd: b[1]}
	if l.wide {
		if p.Literal, found = l.last.At(start); !found {
			p.Literal = string(appendUTF16(nil, l.data[b[0]:b[1]]))
			l.last.Keep(b[0], b[1], p.Literal)
		}
	}
	return p
}

// sort puts the literals in the order of the file; those that overlap another are left out.
func (l *literals) sort() {
	slices.SortFunc(l.bounds, func(a, b [2]int) int { return a[0] - b[0] })
	end := 0
	l.bounds = slices.DeleteFunc(l.bounds, func(b [2]int) bool {
		if b[0] < end {
			return true
		}
		end = b[1]
		return false
	})
}

// openMetadata opens global-metadata.dat, in which Unity's IL2CPP keeps the literals of C#: a
// table of length and index, and the bytes. The versions are those of Unity 5.3 to 2023.
func openMetadata(data []byte) (reading.Document, error) {
	const oldest, newest = 16, 31
	if !bytes.HasPrefix(data, []byte(magicUnity)) {
		return noted(data, "IL2CPP metadata (Unity)", "it does not begin as IL2CPP metadata does: the app encrypts it, so the literals of its code are not seen"), nil
	}
	if len(data) < 24 {
		return nil, fmt.Errorf("the header of IL2CPP metadata ends after %d bytes", len(data))
	}
	field := func(at int) int { return int(binary.LittleEndian.Uint32(data[at:])) }
	v := field(4)
	kind := fmt.Sprintf("IL2CPP metadata (Unity), version %d", v)
	if v < oldest || v > newest {
		return noted(data, kind, "this version of IL2CPP metadata is not known: where its literals begin and end is not known"), nil
	}
	table, size, texts, textsSize := field(8), field(12), field(16), field(20)
	if table+size > len(data) || texts+textsSize > len(data) {
		return nil, fmt.Errorf("the table of literals is at %#x+%#x and their texts at %#x+%#x, beyond the end of the file (%#x)", table, size, texts, textsSize, len(data))
	}
	l := &literals{document: document{kind: kind, data: data}, section: "string literals"}
	for at := table; at+8 <= table+size; at += 8 {
		n, index := field(at), field(at+4)
		if index > textsSize || n > textsSize-index {
			return nil, fmt.Errorf("literal %d is at %#x+%#x, beyond the end of the texts (%#x)", (at-table)/8, index, n, textsSize)
		}
		if n > 0 {
			l.bounds = append(l.bounds, [2]int{texts + index, texts + index + n})
		}
	}
	l.sort()
	return l, nil
}
