package pretty

import (
	"encoding/xml"
	"errors"
	"html"
	"io"
	"strings"
)

// markupFormat returns XML or HTML when the type or the text says so.
func markupFormat(t mediaType, text string) string {
	head := strings.ToLower(strings.TrimLeft(text[:min(len(text), 256)], " \t\r\n"))
	switch {
	case t.is("text/html", "application/xhtml+xml"), strings.HasPrefix(head, "<!doctype html"), strings.HasPrefix(head, "<html"):
		return HTML
	case t.is("text/xml", "application/xml", "+xml"), strings.HasPrefix(head, "<?xml"):
		return XML
	}
	return ""
}

// piece is a part of markup as it stands in the text.
type piece struct {
	what     pieceKind
	text     string
	selfDone bool // an element that closes itself
}

type pieceKind int

const (
	opening pieceKind = iota
	closing
	between // text
	aside   // comment, processing instruction, directive
)

// maxPieces bounds what is kept of a text in memory.
const maxPieces = 500_000

// markup shows XML that is well formed, one element a line, and reports whether it
// was. Spelling, order and entities stay as they are; space around text goes.
func (p *page) markup(text string, isHTML bool) bool {
	pieces, err := pieces(text, isHTML)
	if err != nil {
		if !isHTML {
			p.note("the XML is not well formed, so it is shown as it is: %v", err)
		}
		return false
	}
	level := 0
	for i := 0; i < len(pieces); i++ {
		it := pieces[i]
		if it.what == closing {
			level--
		}
		p.line(level)
		p.piece(it)
		if it.what != opening || it.selfDone {
			continue
		}
		// An element of text alone stays on its line.
		switch {
		case i+1 < len(pieces) && pieces[i+1].what == closing:
			p.piece(pieces[i+1])
			i++
		case i+2 < len(pieces) && pieces[i+1].what == between && pieces[i+2].what == closing && !strings.Contains(pieces[i+1].text, "\n"):
			p.piece(pieces[i+1])
			p.piece(pieces[i+2])
			i += 2
		default:
			level++
		}
	}
	return true
}

// pieces parts a text that is well formed.
func pieces(text string, isHTML bool) ([]piece, error) {
	d := xml.NewDecoder(strings.NewReader(text))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // it is UTF-8 by now
	if isHTML {
		d.Entity = xml.HTMLEntity
	}
	var out []piece
	var open []xml.Name
	at, elements := int64(0), 0
	for {
		token, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		raw := text[at:d.InputOffset()]
		at = d.InputOffset()
		switch token := token.(type) {
		case xml.StartElement:
			open = append(open, token.Name)
			elements++
			out = append(out, piece{what: opening, text: raw, selfDone: strings.HasSuffix(raw, "/>")})
		case xml.EndElement:
			if len(open) == 0 || open[len(open)-1] != token.Name {
				return nil, errors.New("an element ends that is not open: " + token.Name.Local)
			}
			open = open[:len(open)-1]
			if raw != "" { // nothing stands there for <a/>
				out = append(out, piece{what: closing, text: raw})
			}
		case xml.CharData:
			if raw = strings.TrimSpace(raw); raw != "" {
				out = append(out, piece{what: between, text: raw})
			}
		default:
			out = append(out, piece{what: aside, text: raw})
		}
		if len(out) > maxPieces {
			return nil, errors.New("too many elements")
		}
	}
	if len(open) > 0 {
		return nil, errors.New("an element does not end: " + open[len(open)-1].Local)
	}
	if elements == 0 {
		return nil, errors.New("no element")
	}
	return out, nil
}

// piece shows a part of markup on the current line and, when it has several, on
// lines below.
func (p *page) piece(it piece) {
	switch it.what {
	case opening, closing:
		p.tag(it.text)
		return
	case aside:
		p.run(Comment, it.text)
		return
	}
	p.run(String, p.maskEntities(it.text))
}

// maskEntities hides values that entities spell.
func (p *page) maskEntities(s string) string {
	if p.opts.Mask == nil || strings.IndexByte(s, '&') < 0 {
		return s
	}
	text := html.UnescapeString(s)
	if masked := p.mask(text); masked != text {
		return html.EscapeString(masked)
	}
	return s
}

// run shows text that may have line breaks.
func (p *page) run(class Class, s string) {
	indent := 0
	if p.open {
		indent = p.doc.Lines[len(p.doc.Lines)-1].Indent - p.indent
	}
	for i := 0; ; i++ {
		line, rest, more := strings.Cut(s, "\n")
		if i > 0 {
			p.line(max(indent, 0))
			line = strings.TrimLeft(line, " \t")
		}
		p.add(class, strings.TrimSuffix(line, "\r"))
		if !more {
			return
		}
		s = rest
	}
}

// tag shows a tag: name, attributes, values. A line break in it is a space.
func (p *page) tag(s string) {
	if !p.open {
		return
	}
	s = strings.NewReplacer("\r\n", " ", "\n", " ").Replace(s)
	for i, class := 0, Key; i < len(s); {
		end := i + 1
		switch c := s[i]; c {
		case '<', '>', '/', '=', '?':
			p.add(Punctuation, s[i:end])
		case ' ', '\t':
			class = Plain
			p.add(Punctuation, " ")
		case '"', '\'':
			if n := strings.IndexByte(s[end:], c); n >= 0 {
				end += n + 1
			} else {
				end = len(s)
			}
			p.add(String, p.maskEntities(s[i:end]))
		default:
			for end < len(s) && strings.IndexByte("<>/=?'\" \t", s[end]) < 0 {
				end++
			}
			p.add(class, s[i:end])
		}
		i = end
	}
}
