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
	runes  []int32 // how many characters are before each multiple of every
}

// syntax is what a kind of text says of its parts.
type syntax interface {
	// section names what stands at an offset of the text, whose line begins at another, and
	// bounds its literal (both 0 where there is none).
	section(at, line int) (name string, start, end int)
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
	p.Section, from, to = f.syntax.section(at, int(f.lines[p.Line-1]))
	if p.Section = clip(p.Section, maxSection); to > from {
		p.LiteralStart, p.LiteralEnd = f.inFile(from), f.inFile(to)
		if f.wide != nil {
			p.Literal = f.wide.literal(f.text, from, to)
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
	f.once.Do(f.index)
	line = sort.Search(len(f.lines), func(n int) bool { return int(f.lines[n]) > at })
	column = 1 + f.before(at) - f.before(int(f.lines[line-1]))
	if line == 1 && at > 0 && bytes.HasPrefix(f.text, []byte("\xef\xbb\xbf")) {
		column--
	}
	return line, column
}

// index notes where lines begin, and counts characters.
func (f *textFile) index() {
	f.lines = append(make([]int32, 0, 1+bytes.Count(f.text, []byte("\n"))), 0)
	for at := 0; ; {
		n := bytes.IndexByte(f.text[at:], '\n')
		if n < 0 {
			break
		}
		at += n + 1
		f.lines = append(f.lines, int32(at))
	}
	count := 0
	for at := 0; at <= len(f.text); at += every {
		f.runes = append(f.runes, int32(count))
		count += characters(f.text[at:min(at+every, len(f.text))])
	}
}

// before counts the characters before an offset.
func (f *textFile) before(at int) int {
	n := at / every
	return int(f.runes[n]) + characters(f.text[n*every:at])
}

// characters counts those that begin in a part of a text.
func characters(part []byte) (n int) {
	for _, c := range part {
		if c&0xc0 != 0x80 {
			n++
		}
	}
	return n
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
	marks []wideMark // at about each multiple of every
	last  reading.Last[string]
}

// wideMark is one place, as an offset in the file and in the text.
type wideMark struct{ file, text int }

func wideOf(data []byte) *wideText {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		return &wideText{data: data, order: binary.LittleEndian}
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		return &wideText{data: data, order: binary.BigEndian}
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
		if at >= orderMark+every*len(w.marks) {
			w.marks = append(w.marks, wideMark{at, len(text)})
		}
		r, size := w.next(at)
		text = utf8.AppendRune(text, r)
		at += size
	}
	return text
}

// toText turns an offset in the file into one in the text.
func (w *wideText) toText(file int) (text int) {
	m := w.mark(func(m wideMark) bool { return m.file > file })
	for m.file+2 <= len(w.data) && m.file < file {
		r, size := w.next(m.file)
		if m.file+size > file {
			break
		}
		m = wideMark{m.file + size, m.text + utf8.RuneLen(r)}
	}
	return m.text
}

// toFile turns an offset in the text into one in the file.
func (w *wideText) toFile(text int) int {
	m := w.mark(func(m wideMark) bool { return m.text > text })
	for m.file+2 <= len(w.data) && m.text < text {
		r, size := w.next(m.file)
		m = wideMark{m.file + size, m.text + utf8.RuneLen(r)}
	}
	return m.file
}

// mark returns the last mark that is not beyond a place.
func (w *wideText) mark(beyond func(wideMark) bool) wideMark {
	n := sort.Search(len(w.marks), func(n int) bool { return beyond(w.marks[n]) })
	if n == 0 {
		return wideMark{file: orderMark}
	}
	return w.marks[n-1]
}

// literal returns a part of the text, the same one for all places in it.
func (w *wideText) literal(text []byte, from, to int) string {
	said, ok := w.last.At(from)
	if !ok || len(said) != to-from {
		said = string(text[from:to])
		w.last.Keep(from, to, said)
	}
	return said
}
