package hermes

import (
	"encoding/binary"
	"fmt"
)

// The fields of the file's header that all versions have at the same place, and its size
// (BytecodeFileFormat.h of facebook/hermes).
const (
	headerSize          = 128
	atVersion           = 8
	atFileLength        = 32
	atGlobalFunction    = 36
	atFunctionCount     = 40
	atStringKindCount   = 44
	atIdentifierCount   = 48
	atStringCount       = 52
	atOverflowCount     = 56
	atStringStorageSize = 60
	atRest              = 64 // from here on they differ
)

// staticModules is the option that says that the table of CommonJS modules has no names.
const staticModules = 1 << 1

// A span is a range of bytes of the file.
type span struct{ start, end int }

func (s span) len() int { return s.end - s.start }

// A section is a part of the file, with its name.
type section struct {
	name string
	span
}

// A layout is where the parts of a file are.
type layout struct {
	version    int // whose layout it is; that of the file or the nearest
	fileLength int // as the header has it
	global     int // id of the function that is the script itself
	segment    int // id of the segment, where a bundle is split

	functions, strings, overflow, storage span
	arrays                                span // values of array literals; since 98 of objects too
	keys, values                          span // of object literals; values until 96
	shapes                                span // since 98: which keys an object literal has
	debugInfo                             int  // offset, 0 without

	sections []section // in the order of the file
}

// has reports whether a file is at least of a version.
func (l *layout) has(version int) bool { return l.version >= version }

// functionSize is the size of a function's entry in their table.
func (l *layout) functionSize() int {
	if l.has(98) {
		return 12
	}
	return 16
}

// A sizer lays the parts of a file one behind the other, each on a multiple of 4.
type sizer struct {
	data []byte
	at   int // in the file
	next int // field of the header
	l    *layout
	err  error
}

// field returns the next number of the header.
func (s *sizer) field() int {
	v := binary.LittleEndian.Uint32(s.data[s.next:])
	s.next += 4
	return int(v)
}

// part takes the next part of the file: count entries of a size.
func (s *sizer) part(name string, count, size int) span {
	s.at = (s.at + 3) &^ 3
	if s.err != nil || s.at > len(s.data) || count > (len(s.data)-s.at)/size {
		if s.err == nil {
			s.err = fmt.Errorf("the %s of %d times %d bytes at %#x goes beyond the end of the file (%#x)",
				name, count, size, s.at, len(s.data))
		}
		return span{}
	}
	part := span{s.at, s.at + count*size}
	s.at = part.end
	if part.len() > 0 {
		s.l.sections = append(s.l.sections, section{name, part})
	}
	return part
}

// newLayout reads the header of a file as that of a version. The error says which part of the
// file cannot be where the header has it.
func newLayout(data []byte, version int) (*layout, error) {
	if len(data) < headerSize {
		return nil, fmt.Errorf("the header takes %d bytes, the file has %d", headerSize, len(data))
	}
	number := func(at int) int { return int(binary.LittleEndian.Uint32(data[at:])) }
	l := &layout{version: version, fileLength: number(atFileLength), global: number(atGlobalFunction)}
	s := &sizer{data: data, next: atRest, l: l}
	s.part("header", 1, headerSize)
	l.functions = s.part("function headers", number(atFunctionCount), l.functionSize())
	s.part("string kinds", number(atStringKindCount), 4)
	s.part("identifier hashes", number(atIdentifierCount), 4)
	l.strings = s.part("string table", number(atStringCount), 4)
	l.overflow = s.part("table of long strings", number(atOverflowCount), 8)
	l.storage = s.part("string storage", number(atStringStorageSize), 1)
	s.rest()
	if s.err != nil {
		return nil, s.err
	}
	l.closeSections(len(data))
	return l, nil
}

// rest takes the parts behind the string storage, whose fields differ between versions.
func (s *sizer) rest() {
	l := s.l
	var bigints, bigintBytes int
	if l.has(89) {
		bigints, bigintBytes = s.field(), s.field()
	}
	regexps, regexpBytes := s.field(), s.field()
	arrays, keys, values := s.field(), s.field(), s.field() // since 98 the last counts shapes
	if l.has(98) {
		s.field() // how many switches over strings there are
	}
	l.segment = s.field()
	modules, sources := s.field(), 0
	if l.has(84) {
		sources = s.field()
	}
	l.debugInfo = s.field()
	moduleSize := 8
	if s.data[s.next]&staticModules != 0 && !l.has(83) {
		moduleSize = 4
	}
	if l.has(98) {
		l.arrays = s.part("literal values", arrays, 1)
		l.keys = s.part("object keys", keys, 1)
		l.shapes = s.part("object shapes", values, 8)
	} else {
		l.arrays = s.part("array literals", arrays, 1)
		l.keys = s.part("object keys", keys, 1)
		l.values = s.part("object values", values, 1)
	}
	s.part("big integers", bigints, 8)
	s.part("big integer storage", bigintBytes, 1)
	s.part("regular expressions", regexps, 8)
	s.part("regular expression storage", regexpBytes, 1)
	s.part("CommonJS modules", modules, moduleSize)
	s.part("function sources", sources, 8)
}

// closeSections names what lies behind the tables: code, debug information, what was appended.
func (l *layout) closeSections(size int) {
	end := 0
	if n := len(l.sections); n > 0 {
		end = l.sections[n-1].end
	}
	length := min(max(l.fileLength, end), size)
	if l.debugInfo < end || l.debugInfo > length {
		l.debugInfo = 0
	}
	code := length
	if l.debugInfo > 0 {
		code = l.debugInfo
	}
	for _, s := range []section{
		{"code", span{end, code}}, {"debug information", span{code, length}}, {appended, span{length, size}},
	} {
		if s.len() > 0 {
			l.sections = append(l.sections, s)
		}
	}
}

// appended names the section of bytes that stand behind what the header calls the file.
const appended = "after the bytecode"

// sectionOf names the part of the file that holds a byte; "" between two parts.
func (l *layout) sectionOf(at int) string {
	for _, s := range l.sections {
		if at >= s.start && at < s.end {
			return s.name
		}
	}
	return ""
}
