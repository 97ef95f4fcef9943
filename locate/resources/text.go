package resources

import (
	"bytes"
	"encoding/binary"
	"sort"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"telltale/locate/reading"
)

// textFile is a file of text.
type textFile struct {
	kind   string
	size   int
	text   []byte    // in UTF-8
	wide   *wideText // nil unless the file is in UTF-16
	syntax syntax    // nil where none is known
	once   sync.Once
	lines  []int32 // where each line begins, in text
}

// syntax is what a kind of text says of its parts.
type syntax interface {
	// section names what stands at an offset of the text, and bounds its literal (both 0 where
	// there is none).
	section(at int) (name string, start, end int)
	// settings calls visit for what the text sets of these names, in its order.
	settings(names []string, visit func(reading.Setting))
}

// openText reads a file of text; make gives its syntax, and may be nil.
func openText(kind string, data []byte, make func(text []byte) syntax) *textFile {
	f := &textFile{kind: kind, size: len(data), text: data}
	if w := wideOf(data); w != nil {
		f.wide, f.text = w, w.decode()
	}
	if make != nil {
		f.syntax = make(f.text)
	}
	return f
}

// Kind names the format.
func (f *textFile) Kind() string { return f.kind }

// Texts calls visit for the file, which is one text.
func (f *textFile) Texts(visit func(reading.Text) bool) {
	visit(reading.Text{Start: 0, End: f.size, Value: f.text})
}

// Notes returns nothing: text hides nothing.
func (f *textFile) Notes() []string { return nil }

// Place names line, column, and what the syntax says of the place.
func (f *textFile) Place(start, _ int) (p reading.Place) {
	at := min(max(start, 0), f.size)
	if f.wide != nil {
		at = f.wide.toText(at)
	}
	p.Line, p.Column = f.position(at)
	if f.syntax == nil {
		return p
	}
	var from, to int
	p.Section, from, to = f.syntax.section(at)
	if p.Section = clip(p.Section, maxSection); to > from {
		p.LiteralStart, p.LiteralEnd = f.inFile(from), f.inFile(to)
		if f.wide != nil {
			p.Literal = string(f.text[from:to])
		}
	}
	return p
}

// inFile turns an offset in the text into one in the file.
func (f *textFile) inFile(at int) int {
	if f.wide != nil {
		return f.wide.toFile(at)
	}
	return at
}

// position returns line and column of an offset in the text.
func (f *textFile) position(at int) (line, column int) {
	f.once.Do(func() {
		f.lines = append(make([]int32, 0, 1+bytes.Count(f.text, []byte("\n"))), 0)
		for at := 0; ; {
			n := bytes.IndexByte(f.text[at:], '\n')
			if n < 0 {
				return
			}
			at += n + 1
			f.lines = append(f.lines, int32(at))
		}
	})
	line = sort.Search(len(f.lines), func(n int) bool { return int(f.lines[n]) > at })
	before := f.text[f.lines[line-1]:at]
	if line == 1 {
		before = bytes.TrimPrefix(before, []byte("\xef\xbb\xbf"))
	}
	return line, 1 + utf8.RuneCount(before)
}

// Settings returns what the syntax finds of the names.
func (f *textFile) Settings(names []string) (out []reading.Setting) {
	if f.syntax == nil || len(names) == 0 {
		return nil
	}
	f.syntax.settings(names, func(s reading.Setting) {
		s.Start, s.End = f.inFile(s.Start), f.inFile(s.End)
		out = append(out, s)
	})
	return out
}

// wideText is a text in UTF-16, with a mark of the order of its bytes at its start.
type wideText struct {
	data  []byte
	order binary.ByteOrder
}

func wideOf(data []byte) *wideText {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		return &wideText{data, binary.LittleEndian}
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		return &wideText{data, binary.BigEndian}
	}
	return nil
}

// next reads the character at an offset of the file.
func (w *wideText) next(at int) (r rune, size int) {
	r = rune(w.order.Uint16(w.data[at:]))
	if utf16.IsSurrogate(r) {
		if at+4 <= len(w.data) {
			if both := utf16.DecodeRune(r, rune(w.order.Uint16(w.data[at+2:]))); both != utf8.RuneError {
				return both, 4
			}
		}
		return utf8.RuneError, 2
	}
	return r, 2
}

const orderMark = 2 // bytes

func (w *wideText) decode() []byte {
	text := make([]byte, 0, len(w.data)/2)
	for at := orderMark; at+2 <= len(w.data); {
		r, size := w.next(at)
		text = utf8.AppendRune(text, r)
		at += size
	}
	return text
}

// toText turns an offset in the file into one in the text.
func (w *wideText) toText(file int) (text int) {
	for at := orderMark; at+2 <= len(w.data) && at < file; {
		r, size := w.next(at)
		if at+size > file {
			break
		}
		at, text = at+size, text+utf8.RuneLen(r)
	}
	return text
}

// toFile turns an offset in the text into one in the file.
func (w *wideText) toFile(text int) int {
	at := orderMark
	for n := 0; at+2 <= len(w.data) && n < text; {
		r, size := w.next(at)
		at, n = at+size, n+utf8.RuneLen(r)
	}
	return at
}
