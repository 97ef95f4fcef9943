package script

import (
	"bytes"

	"telltale/locate/reading"
)

// Texts calls visit for each string, each template and each comment. Strings and
// templates are decoded; what a template has filled in stands as "${name}", or as "${}"
// where it is more than a name. A comment is marked as one.
func (d *Doc) Texts(visit func(reading.Text) bool) {
	l := d.lexer()
	var read decoder
	var open templates
	for {
		switch k := l.next(); k {
		case ended:
			open.rest(d.src, visit)
			return
		case str, remark:
			in := inside(d.src, l.tok)
			text := reading.Text{Start: int(in.start), End: int(in.end), Whole: true, Comment: k == remark}
			text.Value = d.src[in.start:in.end]
			if k == str {
				text.Value = read.of(text.Value)
			}
			if !visit(text) {
				return
			}
		case chunk:
			if text, whole := open.add(d.src, l.tok); whole && !visit(text) {
				return
			}
		}
	}
}

// A decoder decodes literals, one after another, in one buffer.
type decoder struct{ buf []byte }

// of returns what a literal means. It is good until the next one is decoded.
func (d *decoder) of(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	d.buf = decoded(raw, d.buf)
	return d.buf
}

// templates are those that were begun and have not ended, the outermost first.
type templates struct {
	chunks []token
	buf    []byte
	read   decoder
}

// add takes the next piece of a template, and returns the template once it has ended.
func (t *templates) add(src []byte, piece token) (reading.Text, bool) {
	text := src[piece.start:piece.end]
	t.chunks = append(t.chunks, piece)
	if bytes.HasSuffix(text, []byte("${")) {
		return reading.Text{}, false
	}
	// Pieces that begin with } belong to the last one that begins with `.
	first := len(t.chunks) - 1
	for first > 0 && src[t.chunks[first].start] != '`' {
		first--
	}
	whole := t.text(src, t.chunks[first:])
	t.chunks = t.chunks[:first]
	return whole, true
}

// rest visits the pieces of templates that never ended.
func (t *templates) rest(src []byte, visit func(reading.Text) bool) {
	for i := range t.chunks {
		if !visit(t.text(src, t.chunks[i:i+1])) {
			return
		}
	}
}

// text puts the pieces of a template together.
func (t *templates) text(src []byte, chunks []token) reading.Text {
	first, last := inside(src, chunks[0]), inside(src, chunks[len(chunks)-1])
	whole := reading.Text{Start: int(first.start), End: int(last.end), Whole: true}
	if len(chunks) == 1 {
		whole.Value = t.read.of(src[first.start:first.end])
		return whole
	}
	t.buf = t.buf[:0]
	for i, c := range chunks {
		in := inside(src, c)
		if i > 0 {
			t.buf = append(t.buf, "${"...)
			t.buf = append(t.buf, hole(src[chunks[i-1].end:c.start])...)
			t.buf = append(t.buf, '}')
		}
		t.buf = append(t.buf, t.read.of(src[in.start:in.end])...)
	}
	whole.Value = t.buf
	return whole
}

// hole returns the code of a template's hole where it is a name, nothing else.
func hole(code []byte) []byte {
	if len(code) > 128 {
		return nil
	}
	code = bytes.TrimSpace(code)
	for _, c := range code {
		if classes[c] > isDigit && c != '.' {
			return nil
		}
	}
	return code
}
