// Package native reads compiled code, and what else an app has that is neither Java nor
// JavaScript: ELF and Mach-O (thin, fat, and in static archives), Dart snapshots of Flutter in
// them, the assemblies of .NET and Xamarin, and Unity's metadata.
//
// It knows which section of a file a text stands in, where the text begins and ends, and for
// arm64 and x86-64 which function refers to it, where a symbol or the table of functions names
// one. It reads no other instructions. What is encrypted by the App Store (FairPlay), packed or
// compressed is recognised and named in Notes.
//
// It promises that a file without section headers is read by its segments, that tables that lie
// cost no more time and memory than the file has bytes, and that nothing is executed.
//
// To debug it, compare with `readelf -p .rodata FILE`, `strings -t x FILE`, `otool -l FILE`.
package native

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path"
	"slices"
	"strings"

	"telltale/locate/reading"
)

// The magic numbers, as they stand in a file.
const (
	magicELF     = "\x7fELF"
	magicAr      = "!<arch>\n"
	magicUnity   = "\xaf\x1b\xb1\xfa"
	magicUnityFS = "UnityFS\x00"
	magicStore   = "XABA"
	magicXALZ    = "XALZ"
	magicPE      = "MZ"
)

// Is reports whether a file is one of those formats, by its first bytes. Of Windows' format
// only assemblies are meant, and of Unity's metadata also a file that hides its magic.
func Is(file string, head []byte) bool {
	for _, magic := range []string{magicELF, magicAr, magicUnity, magicUnityFS, magicStore, magicXALZ} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	switch strings.ToLower(path.Ext(file)) {
	case ".dll", ".exe":
		if bytes.HasPrefix(head, []byte(magicPE)) {
			return true
		}
	}
	return isMachO(head) || isFat(head) || path.Base(file) == "global-metadata.dat"
}

// Open reads the headers and tables. The error says what is wrong with them, and where.
func Open(file string, data []byte) (reading.Document, error) {
	head := data[:min(len(data), 16)]
	switch {
	case bytes.HasPrefix(head, []byte(magicELF)), isMachO(head):
		d := &document{data: data}
		if err := d.open(0, len(data), ""); err != nil {
			return nil, err
		}
		d.describe(file)
		return d, nil
	case isFat(head):
		return openFat(file, data)
	case bytes.HasPrefix(head, []byte(magicAr)):
		return openArchive(file, data)
	case bytes.HasPrefix(head, []byte(magicPE)):
		return openAssembly(data)
	case bytes.HasPrefix(head, []byte(magicUnityFS)):
		return noted(data, "Unity asset bundle", "it is a Unity asset bundle, mostly compressed (LZMA, LZ4): texts in it are not seen"), nil
	case bytes.HasPrefix(head, []byte(magicStore)):
		return openStore(data), nil
	case bytes.HasPrefix(head, []byte(magicXALZ)):
		return noted(data, ".NET assembly (compressed by Xamarin)", "it is compressed by Xamarin (XALZ, LZ4): texts in it are not seen"), nil
	case bytes.HasPrefix(head, []byte(magicUnity)), path.Base(file) == "global-metadata.dat":
		return openMetadata(data)
	}
	return nil, fmt.Errorf("no native code: it begins with %q", head)
}

// document is a file with one image, or several.
type document struct {
	kind     string
	data     []byte
	images   []*image
	notes    []string
	identity reading.Identity
}

// An image is the code for one processor: a file, a slice of a fat file, a member of an archive.
type image struct {
	name    string // of the member of an archive; ""
	arch    string // "arm64", "x86-64", …
	program string // "ELF", "Mach-O"
	data    []byte // its bytes
	base    int    // of data in the file
	order   binary.ByteOrder

	regions   []region // by their place
	encrypted [2]int   // from, to: what FairPlay encrypted; both 0 where nothing is
	soname    string
	buildID   string
	dart      dart
	golang    bool // its names are Go's
	lost      []string

	symbols func() []symbol
	refs    func() *refs
	last    reading.Last[reading.Place] // of a literal; by its place in data
}

// A region is a section of an image, or a segment where it has no sections.
type region struct {
	name       string
	start, end int    // in image.data
	address    uint64 // where it is in memory
	texts      bool   // it may hold literals
	code       bool
}

// A symbol names some addresses.
type symbol struct {
	from, to uint64 // to is from where the end is not known
	name     []byte // in image.data: a table may name the same long text for each
	function bool
}

// noted is a document of which nothing can be read but what it is.
func noted(data []byte, kind, note string) *document {
	return &document{kind: kind, data: data, notes: []string{note}}
}

// open adds the image in some bytes of the file.
func (d *document) open(from, to int, name string) error {
	m := &image{name: name, data: d.data[from:to], base: from}
	read := m.readMachO
	if bytes.HasPrefix(m.data, []byte(magicELF)) {
		read = m.readELF
	}
	if err := read(); err != nil {
		return err
	}
	slices.SortStableFunc(m.regions, func(a, b region) int { return a.start - b.start })
	d.images = append(d.images, m)
	return nil
}

// describe sets what the file is, and what of it cannot be read.
func (d *document) describe(file string) {
	var archs []string
	program, what := "", "native code"
	for _, m := range d.images {
		program = m.program
		if !slices.Contains(archs, m.arch) {
			archs = append(archs, m.arch)
		}
		if m.dart.hash != "" || m.dart.found {
			what = "Dart AOT snapshot (Flutter)"
		}
		if d.identity.ID == "" {
			d.identity.ID, d.identity.Build = m.soname, m.buildID
			if m.dart.hash != "" {
				d.identity.Name, d.identity.Build = "Dart "+m.dart.features, m.dart.hash
			}
		}
		if m.encrypted[1] > 0 {
			d.notes = append(d.notes, fmt.Sprintf("the code of this binary is encrypted by the App Store (FairPlay), so its own strings cannot be seen: bytes %d to %d", m.base+m.encrypted[0], m.base+m.encrypted[1]))
		}
		for _, lost := range m.lost {
			if !slices.Contains(d.notes, lost) {
				d.notes = append(d.notes, lost)
			}
		}
	}
	d.kind = fmt.Sprintf("%s (%s, %s)", what, program, strings.Join(archs, " + "))
	if what != "native code" {
		d.kind = what
	}
	if note := packed(path.Base(file), d.data); note != "" {
		d.notes = append(d.notes, note)
	}
}

func (d *document) Kind() string               { return d.kind }
func (d *document) Notes() []string            { return d.notes }
func (d *document) Identity() reading.Identity { return d.identity }

// Texts visits the runs of printable characters in sections of data.
func (d *document) Texts(visit func(reading.Text) bool) {
	for _, m := range d.images {
		end := 0 // regions of a hostile file overlap
		for _, r := range m.regions {
			if !r.texts || r.end <= end {
				continue
			}
			if !runs(m.data, max(r.start, end), r.end, m.base, m.golang, visit) {
				return
			}
			end = r.end
		}
	}
}

// Place tells the section, the bounds of the text, and the functions that refer to it.
func (d *document) Place(start, end int) reading.Place {
	for _, m := range d.images {
		if start >= m.base && start < m.base+len(m.data) {
			return m.place(start-m.base, end-m.base)
		}
	}
	return reading.Place{}
}

// place does so in an image.
func (m *image) place(start, end int) reading.Place {
	if p, ok := m.last.At(start); ok && m.base+end <= p.LiteralEnd && (p.Literal == "" || (m.base+start-p.LiteralStart)%2 == 0) {
		return p
	}
	r, ok := m.region(start)
	if !ok {
		return reading.Place{}
	}
	p := reading.Place{Section: r.name}
	if m.name != "" {
		p.Section = m.name + ": " + r.name
	}
	if start >= m.encrypted[0] && start < m.encrypted[1] {
		return p // whatever was found there is chance
	}
	from, to, wide := literal(m.data, start, min(end, r.end), r.start, r.end)
	if to == 0 || m.golang || to-from > maxSingle {
		// Go and Rust store texts without a zero between them: code refers to where one begins.
		from, to = m.begin(r, start), start+1
	} else {
		p.LiteralStart, p.LiteralEnd = m.base+from, m.base+to
		if wide {
			p.Literal = string(narrow(nil, m.data[from:to]))
		}
	}
	p.Users, p.More = m.users(r, from, to)
	if p.LiteralEnd > 0 {
		m.last.Keep(from, to, p)
	}
	return p
}

// maxSingle is the length from which what stands between zeros is rather several texts.
const maxSingle = 1 << 12

// region finds the part of the image that holds a byte: the smallest, as sections stand in
// segments.
func (m *image) region(at int) (found region, ok bool) {
	for _, r := range m.regions {
		if at >= r.start && at < r.end && (!ok || r.end-r.start <= found.end-found.start) {
			found, ok = r, true
		}
	}
	return found, ok
}
