// Package script reads JavaScript as apps carry it, and source maps.
//
// It reads source files, what bundlers make of them (Metro, webpack, Browserify, esbuild), and the
// binary archives of modules that React Native calls RAM bundles. It takes the code apart into
// tokens and keeps open brackets, and has no grammar beyond that: it says where a
// string ends, which module and property it belongs to, what strings the code adds up, and what an
// object sets a property to. It does not run or understand code, and bytecode is not its job.
//
// It promises that broken code is read on as well as can be, in time and memory in proportion to
// the file; that a module's bounds and a string's are those that a parser finds
// in code that is whole; and that Open costs next to nothing: the file is looked at when a
// question needs it.
//
// To see why a place has no module, look at what the bundle has around it: a bundler whose form
// is not known has none at all. Lines end with a line feed, as source maps of bundlers count
// them. A file of 2 GiB or more is refused.
package script

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"sync"

	"telltale/locate/reading"
)

// names are the endings of files that hold JavaScript or what becomes it.
var names = []string{".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".mts", ".cts", ".jsbundle", ".bundle"}

// Is reports whether a file is JavaScript, by its path and its first bytes: by its name, if it
// does not begin as binary files do, and whatever its name, if it begins as a bundle of
// React Native. Bytecode has names of JavaScript too, and is none.
func Is(file string, head []byte) bool {
	head = bytes.TrimPrefix(head, []byte("\ufeff"))
	if isRAM(head) {
		return true
	}
	if isBinary(head) {
		return false
	}
	for _, start := range []string{"var __BUNDLE_START_TIME__=", "__d(function", "__d((function"} {
		if bytes.HasPrefix(head, []byte(start)) {
			return true
		}
	}
	base := strings.ToLower(path.Base(file))
	return slices.ContainsFunc(names, func(end string) bool { return strings.HasSuffix(base, end) })
}

// isBinary reports whether bytes are no text: they hold a control character that text has not.
func isBinary(head []byte) bool {
	for _, c := range head[:min(len(head), 512)] {
		if c < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != '\v' && c != 0x1b {
			return true
		}
	}
	return false
}

// A Doc is a file of JavaScript. It is safe for concurrent use.
type Doc struct {
	*file

	source *Map // nil without one
}

// A file is what Docs of one file share.
type file struct {
	path string
	src  []byte
	code int          // where code begins: behind the table of a RAM bundle
	ram  []ramSegment // of a RAM bundle

	once  sync.Once
	index *index

	evidenceOnce sync.Once
	evidence     map[int32][]Named

	long     reading.Last[lexer]    // behind a token that is longer than checkEvery
	meant    reading.Last[string]   // a literal whose escapes are decoded
	siblings reading.Last[[]string] // of an object
}

// Open reads a file. The error says what is wrong with it, and where; code that is broken is none.
func Open(file string, data []byte) (reading.Document, error) {
	d, err := open(file, data)
	if err != nil {
		return nil, err // and not a nil *Doc, which is a Document that is not nil
	}
	return d, nil
}

func open(name string, data []byte) (*Doc, error) {
	if len(data) >= math.MaxInt32 {
		return nil, fmt.Errorf("JavaScript of %d bytes: 2 GiB and more are not read", len(data))
	}
	f := &file{path: name, src: data}
	if isRAM(data) {
		if err := f.readRAM(); err != nil {
			return nil, err
		}
		return &Doc{file: f}, nil
	}
	if isBinary(data) {
		return nil, errors.New("binary data, not JavaScript: it holds control characters near its start")
	}
	return &Doc{file: f}, nil
}

// WithMap returns the document with a source map, by which Place tells where code came from.
func (d *Doc) WithMap(m *Map) *Doc { return &Doc{file: d.file, source: m} }

// Kind names the format.
func (d *Doc) Kind() string {
	switch {
	case d.ram != nil:
		return "React Native bundle (JavaScript, RAM)"
	case bytes.HasPrefix(bytes.TrimSpace(d.src[:min(len(d.src), 64)]), []byte("var __BUNDLE_START_TIME__=")):
		return "React Native bundle (JavaScript)"
	}
	switch strings.ToLower(path.Ext(d.path)) {
	case ".ts", ".tsx", ".mts", ".cts":
		return "TypeScript"
	}
	return "JavaScript"
}

// Notes is nil: all text can be read.
func (d *Doc) Notes() []string { return nil }

// lexer returns a reader of all code of the file.
func (f *file) lexer() lexer {
	return lexer{state: state{pos: f.code}, src: f.src, parts: f.ram != nil}
}

// MapName returns what the file says of its source map: a file name, a URL, or a data URL; ""
// where it says nothing. The last such comment counts (ECMA-426, "Linking generated code to
// source maps").
func (d *Doc) MapName() string {
	const mark = "# sourceMappingURL="
	tail := d.src[d.code:]
	i := bytes.LastIndex(tail, []byte(mark))
	if i < 2 || (string(tail[i-2:i]) != "//" && string(tail[i-2:i]) != "/*") {
		return ""
	}
	name := tail[i+len(mark):]
	if end := bytes.IndexAny(name, " \t\r\n*'\"`"); end >= 0 {
		name = name[:end]
	}
	return string(name)
}
