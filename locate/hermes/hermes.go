// Package hermes reads the bytecode of React Native apps (Hermes), as the compilers write it
// that npm hands out: hermes-engine 0.2 to 0.11, react-native 0.69 to 0.82 and hermes-compiler,
// bytecode versions 62 to 99.
//
// It knows the layout of the file (layout.go), its table of strings, which may share their
// bytes (strings.go), the literals of objects and arrays (literals.go) and enough of the
// instructions (opcodes.txt) to tell which functions use a string, which constants they put together
// (joined.go), what they set (settings.go) and which module of Metro they belong to
// (modules.go). Where a file has debug information, a place has its line in the source.
//
// Strings are glued together in the file: a letter before or behind a string's bounds belongs
// to another one. A [reading.Place] in the section "string storage" without bounds of a literal
// is such a seam: no string of the app holds those bytes.
//
// It promises to read each table once and nothing else in Open; what the code says is indexed
// at the first question about it. It takes no memory that the file's size does not allow. It
// executes nothing, follows values through straight-line code of one function only, and leaves
// the source map of the compiler to package script, for which [Bytecode.MapPosition] says where to look.
//
// To debug it, compare with the compiler's own view:
//
//	hermesc -b -dump-bytecode -pretty-disassemble=0 main.jsbundle
package hermes

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the compiler writes such a hash; nothing is proven with it
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"telltale/locate/reading"
)

// magic begins a bytecode file, and deltaMagic its delta form, which is made to be compared.
const (
	magic      = "\xc6\x1f\xbc\x03\xc1\x03\x19\x1f"
	deltaMagic = "\x39\xe0\x43\xfc\x3e\xfc\xe6\xe0"
)

// footerSize is that of the hash at the end of the file, which versions since 76 have.
const footerSize = sha1.Size

// Is reports whether a file is Hermes bytecode, by its first bytes.
func Is(_ string, head []byte) bool {
	return bytes.HasPrefix(head, []byte(magic)) || bytes.HasPrefix(head, []byte(deltaMagic))
}

// Bytecode is one file of Hermes bytecode. It is a [reading.Document], a [reading.Joiner] and
// a [reading.Setter]; [Open] returns it.
type Bytecode struct {
	data    []byte
	version int
	delta   bool
	layout  *layout         // nil where the tables are not understood
	set     *instructionSet // nil where the code is not
	notes   []string
	told    int // how many strings Texts tells: all, where they do not overlap beyond reason

	whole func() string // what the hash says of the file; "" when nothing

	stringsOnce sync.Once
	bySite      stringsBySite
	wide        reading.Last[string] // a string that is UTF-16

	functionsOnce sync.Once
	functions     []function

	usesOnce sync.Once
	uses     useIndex

	byCodeOnce sync.Once
	byCode     []uint32 // functions by where their code is, of those that share it the first

	debugOnce sync.Once
	debug     debugInfo
}

// Open reads the tables of a file. The error says what is wrong with it, and where: it is no
// bytecode, or a known version's tables go beyond the end of the file. What is merely not
// understood is no error, Notes says it.
func Open(_ string, data []byte) (reading.Document, error) {
	if !Is("", data) {
		return nil, errors.New("the file does not begin with the magic number of Hermes bytecode")
	}
	if len(data) < atVersion+4 {
		return nil, fmt.Errorf("the header takes %d bytes, the file has %d", headerSize, len(data))
	}
	b := &Bytecode{
		data: data, delta: bytes.HasPrefix(data, []byte(deltaMagic)),
		version: int(binary.LittleEndian.Uint32(data[atVersion:])),
	}
	b.whole = sync.OnceValue(b.checkHash)
	if b.delta {
		b.notes = append(b.notes, "the file is in Hermes' delta form, whose tables are not read")
		return b, nil
	}
	b.set = instructionsOf(b.version)
	if b.set == nil {
		b.openUnknown()
	} else {
		l, err := newLayout(data, b.version)
		if err != nil {
			return nil, err
		}
		b.layout = l
	}
	if b.layout != nil {
		b.checkTables()
	}
	return b, nil
}

// openUnknown takes the tables of a version that is not known, where they make sense by the
// layout of one of the known versions beside it.
func (b *Bytecode) openUnknown() {
	b.notes = append(b.notes, fmt.Sprintf("bytecode version %d is not known: which code uses a text cannot be told", b.version))
	var odd error
	for _, near := range nearestVersions(b.version) {
		l, err := newLayout(b.data, near)
		if err == nil {
			err = plausible(b.data, l)
		}
		if err == nil {
			b.layout = l
			return
		}
		if odd == nil {
			odd = fmt.Errorf("read as version %d, %w", near, err)
		}
	}
	b.notes = append(b.notes, fmt.Sprintf("its table of strings was not found: %v", odd))
}

// plausible says what is odd in a layout that was guessed.
func plausible(data []byte, l *layout) error {
	if l.fileLength > len(data) {
		return fmt.Errorf("the file would have %d bytes and has %d", l.fileLength, len(data))
	}
	if l.strings.len() == 0 || l.storage.len() == 0 {
		return errors.New("it would have no strings")
	}
	kinds := 0
	for _, s := range l.sections {
		if s.name == "string kinds" {
			for at := s.start; at < s.end; at += 4 {
				kinds += int(binary.LittleEndian.Uint32(data[at:]) & (1<<30 - 1))
			}
		}
	}
	if count := l.strings.len() / 4; kinds != count {
		return fmt.Errorf("it would have kinds for %d strings and %d strings", kinds, count)
	}
	return nil
}

// textsPerByte bounds how long all strings are together, by the file's size.
const textsPerByte = 8

// checkTables notes what is wrong inside of the tables.
func (b *Bytecode) checkTables() {
	if b.layout.fileLength > len(b.data) {
		b.notes = append(b.notes, fmt.Sprintf("the file is cut off: its header says %d bytes, it has %d",
			b.layout.fileLength, len(b.data)))
	}
	bad, first := 0, ""
	length := 0
	for id := range b.stringCount() {
		s := b.entry(id)
		if length += b.string(id).len(); length <= textsPerByte*len(b.data) {
			b.told = id + 1
		}
		if s.end > b.layout.storage.end {
			if bad++; bad == 1 {
				first = fmt.Sprintf("string id %d points to %#x, beyond the end of the string storage (%#x)",
					id, s.end, b.layout.storage.end)
			}
		}
	}
	if b.told < b.stringCount() {
		b.notes = append(b.notes, fmt.Sprintf("its %d strings overlap beyond reason: only %d of them are looked at", b.stringCount(), b.told))
	}
	if bad > 1 {
		first += fmt.Sprintf(", and %d more strings do", bad-1)
	}
	if bad > 0 {
		b.notes = append(b.notes, first)
	}
}

// checkHash compares the hash at the end of the file with its bytes.
func (b *Bytecode) checkHash() string {
	if b.set == nil || b.version < 76 || b.layout.fileLength > len(b.data) || b.layout.fileLength < headerSize+footerSize {
		return ""
	}
	body, footer := b.data[:b.layout.fileLength-footerSize], b.data[b.layout.fileLength-footerSize:b.layout.fileLength]
	//nolint:gosec // as above
	if sum := sha1.Sum(body); !bytes.Equal(sum[:], footer) {
		return "the file was changed after it was compiled: its hash does not match"
	}
	return ""
}

// Kind implements [reading.Document].
func (b *Bytecode) Kind() string {
	if b.delta {
		return "Hermes bytecode (delta form, version " + strconv.Itoa(b.version) + ")"
	}
	return "Hermes bytecode (version " + strconv.Itoa(b.version) + ")"
}

// Notes implements [reading.Document].
func (b *Bytecode) Notes() []string {
	notes := slices.Clone(b.notes)
	if changed := b.whole(); changed != "" {
		notes = append(notes, changed)
	}
	return notes
}

// Segment is the number of the segment, where a bundle is split into several; else 0.
func (b *Bytecode) Segment() int {
	if b.layout == nil {
		return 0
	}
	return b.layout.segment
}

// MapPosition is where the compiler's source map (-output-source-map) has an address, which
// is the Offset of a [reading.User]: it has one line for each segment, and its columns are
// addresses. Both are counted from 1, as all of package reading.
func (b *Bytecode) MapPosition(address int) (line, column int) {
	return b.Segment() + 1, address + 1
}

// Texts implements [reading.Document]: one text for each string of the table, with its own
// bounds, though strings share their bytes. Then come the runs of printable bytes behind the
// bytecode. Where the table was not understood, they are all.
func (b *Bytecode) Texts(visit func(reading.Text) bool) {
	rest := span{0, len(b.data)}
	if b.layout != nil {
		rest.start = len(b.data)
		if last := len(b.layout.sections) - 1; last >= 0 && b.layout.sections[last].name == appended {
			rest = b.layout.sections[last].span
		}
		if !b.visitStrings(visit) {
			return
		}
	}
	b.visitRuns(rest, visit)
}

func (b *Bytecode) visitStrings(visit func(reading.Text) bool) bool {
	var wide []byte
	for id := range b.told {
		s := b.string(id)
		if s.len() == 0 {
			continue
		}
		value := b.data[s.start:s.end]
		if s.wide {
			wide = appendUTF16(wide[:0], value)
			value = wide
		}
		if !visit(reading.Text{Start: s.start, End: s.end, Value: value, Whole: true}) {
			return false
		}
	}
	return true
}

// shortestRun is how many printable bytes make a text, where nothing else bounds it.
const shortestRun = 4

func (b *Bytecode) visitRuns(in span, visit func(reading.Text) bool) {
	start := in.start
	for at := in.start; at <= in.end; at++ {
		if at < in.end && (b.data[at] >= ' ' && b.data[at] != 0x7f || b.data[at] == '\t') {
			continue
		}
		if at-start >= shortestRun {
			value := b.data[start:at]
			if !utf8.Valid(value) {
				value = []byte(strings.ToValidUTF8(string(value), "\uFFFD"))
			}
			if !visit(reading.Text{Start: start, End: at, Value: value}) {
				return
			}
		}
		start = at + 1
	}
}
