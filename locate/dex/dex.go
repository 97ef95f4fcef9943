// Package dex reads the bytecode of Android apps: DEX 035 to 041, containers of version 041
// among them, and the DEX files that an ODEX or VDEX wraps. After "Dalvik executable format" and
// "Dalvik bytecode" of source.android.com/docs/core/runtime.
//
// It knows which class's code loads a string, at which line, and which field or annotation holds
// it; what the code adds up out of several; and what a call hands to a method with a telling
// name. Registers are followed in straight lines only: what comes together over a branch or over
// two methods is not known to it. CDEX and unknown versions are named in Notes and not read.
//
// It promises that reading a file takes time and memory in proportion to its size, whatever its
// tables claim; where that cuts something off, Notes says so. Code that makes no sense costs its
// method alone.
//
// To debug it, compare with `dexdump -d FILE`: the offsets of its instructions are User.Offset.
package dex

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"telltale/locate/reading"
)

// Is reports whether a file is DEX, or a wrapper of DEX files, by its first bytes. The path does
// not matter: apps hide bytecode under other names.
func Is(_ string, head []byte) bool {
	for _, magic := range []string{"dex\n", "dey\n", "cdex", "vdex"} {
		if len(head) >= 8 && string(head[:4]) == magic {
			return true
		}
	}
	return false
}

// document is a file: one DEX, or several in a container or VDEX.
type document struct {
	kind  string
	data  []byte
	parts []*part
	notes []string
	last  reading.Last[reading.Place] // of a string
}

// Open reads the header and the tables. The error says what is wrong with them, and where.
func Open(_ string, data []byte) (reading.Document, error) {
	if len(data) < 8 {
		return nil, fmt.Errorf("a DEX header ends after %d bytes", len(data))
	}
	switch string(data[:4]) {
	case "dex\n":
		return openDEX(data)
	case "dey\n":
		return openODEX(data)
	case "vdex":
		return openVDEX(data)
	case "cdex":
		return &document{
			kind: "Android bytecode (compact DEX " + version(data[4:7]) + ")", data: data,
			notes: []string{"it is compact DEX, a form that Android makes on the device: which code uses a string is not read"},
		}, nil
	}
	return nil, fmt.Errorf("no DEX: it begins with %q", data[:4])
}

// version is the number in a magic as a printable text.
func version(digits []byte) string {
	for _, c := range digits {
		if c < '0' || c > '9' {
			return "of an unknown version"
		}
	}
	return string(digits)
}

// openDEX opens a DEX file, or a container of several (version 041).
func openDEX(data []byte) (reading.Document, error) {
	d := &document{kind: "Android bytecode (DEX " + version(data[4:7]) + ")", data: data}
	v := string(data[4:7])
	if v < "035" || v > "041" || data[7] != 0 {
		d.notes = []string{fmt.Sprintf("its version %q of DEX is not known: only its bytes are searched", v)}
		return d, nil
	}
	for at := 0; ; {
		p, next, err := openPart(data, 0, at)
		if err != nil {
			if at == 0 {
				return nil, err
			}
			d.notes = append(d.notes, fmt.Sprintf("part %d of the container cannot be read: %v", len(d.parts)+1, err))
			return d, nil
		}
		d.parts = append(d.parts, p)
		if v < "041" || next <= at || next >= len(data) {
			return d, nil
		}
		if len(d.parts) == maxParts {
			d.notes = append(d.notes, fmt.Sprintf("only the first %d parts of the container are read", maxParts))
			return d, nil
		}
		at = next
	}
}

// openODEX opens what dexopt of Android 4 and before made: a header of 40 bytes, then a DEX.
func openODEX(data []byte) (reading.Document, error) {
	if len(data) < 40 {
		return nil, fmt.Errorf("an ODEX header ends after %d bytes", len(data))
	}
	offset, length := int64(u32(data, 8)), int64(u32(data, 12))
	if offset+length > int64(len(data)) || length < headerSize {
		return nil, fmt.Errorf("the ODEX header points to %#x+%#x, beyond the end of the file (%#x)", offset, length, len(data))
	}
	inner := data[offset : offset+length]
	if string(inner[:4]) != "dex\n" {
		return nil, fmt.Errorf("the ODEX header points to %#x, where no DEX is", offset)
	}
	p, _, err := openPart(inner, int(offset), 0)
	if err != nil {
		return nil, err
	}
	return &document{kind: "Android bytecode (ODEX)", data: data, parts: []*part{p}}, nil
}

// maxParts is how many DEX files of a container or VDEX are read. They may share all of their
// data, so that each costs as much as the file.
const maxParts = 100

// openVDEX opens the DEX files that dex2oat of Android 8 to 11 kept in a VDEX. They are found by
// their magic: the sections around them differ between all versions.
func openVDEX(data []byte) (reading.Document, error) {
	d := &document{kind: "Android bytecode (VDEX " + version(data[4:7]) + ")", data: data}
	for at := 4; len(d.parts) < maxParts; {
		i := bytes.Index(data[at:], []byte("dex\n0"))
		if i < 0 || len(data)-at-i < headerSize {
			break
		}
		at += i
		size := int(u32(data, at+0x20))
		if size < headerSize || size > len(data)-at {
			at++
			continue
		}
		p, _, err := openPart(data[at:at+size], at, 0)
		if err != nil {
			at++
			continue
		}
		d.parts = append(d.parts, p)
		at += size
	}
	if len(d.parts) == 0 {
		d.notes = []string{"it holds no DEX that can be read: its bytecode is in the app's package, or compact"}
	}
	return d, nil
}

func (d *document) Kind() string { return d.kind }

// Notes reads all code, once, to say what of it makes no sense.
func (d *document) Notes() []string {
	notes := slices.Clip(d.notes)
	for _, p := range d.parts {
		code := p.code()
		if code.broken > 0 {
			notes = append(notes, fmt.Sprintf("the code of %d of its %d methods makes no sense (packed, encrypted or damaged): the strings that it uses are not known", code.broken, len(code.methods)))
		}
		if code.cut || p.cut.Load() {
			notes = append(notes, "its tables repeat the same code so often that not all of it was followed")
		}
		if n := p.shortened(); n > p.classes.n/3 && n > 1 {
			notes = append(notes, fmt.Sprintf("the names of %d of its %d classes were shortened%s: they do not tell whose code it is", n, p.classes.n, p.compiler()))
		}
	}
	return notes
}

// Texts visits the string table of each part.
func (d *document) Texts(visit func(reading.Text) bool) {
	var scratch []byte
	for _, p := range d.parts {
		for id := range p.strings.n {
			start, end := p.stringBounds(uint32(id))
			value := p.data[start:end]
			if !ascii(value) {
				scratch = appendUTF8(scratch[:0], value)
				value = scratch
			}
			if !visit(reading.Text{Start: p.base + start, End: p.base + end, Value: value, Whole: true}) {
				return
			}
		}
	}
}

// compiler names R8 by the marker that it leaves among the strings: `~~R8{…"version":"8.1.56"}`.
func (p *part) compiler() string {
	// Strings are sorted, and hardly any begins with a tilde or later: the last few hold it.
	for id := p.strings.n - 1; id >= 0 && id > p.strings.n-1000; id-- {
		marker := p.text(uint32(id))
		if !strings.HasPrefix(marker, "~~R8{") {
			continue
		}
		if _, rest, ok := strings.Cut(marker, `"version":"`); ok {
			if v, _, ok := strings.Cut(rest, `"`); ok && len(v) < 40 {
				return " by R8 " + v
			}
		}
		return " by R8"
	}
	return ""
}
