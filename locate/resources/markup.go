package resources

import (
	"bytes"
	"html"
	"slices"
	"sort"
	"strings"
	"sync"

	"telltale/locate/reading"
)

// markup is XML or HTML as text. It is read for places alone, so that what a parser would refuse
// only makes a name shorter.
type markup struct {
	text  []byte
	html  bool
	once  sync.Once
	saved []markupScan
	long  reading.Last[longToken]
}

// longToken is a token that is longer than every, and the pass that has come to it.
type longToken struct {
	token
	scan markupScan
}

func newXML(text []byte) syntax  { return &markup{text: text} }
func newHTML(text []byte) syntax { return &markup{text: text, html: true} }

// markupScan is a pass over markup, one tag or text after the other.
type markupScan struct {
	text  []byte
	html  bool
	at    int
	stack []openTag
	below int
}

// openTag is an element that is open.
type openTag struct {
	name  span
	label span // the value of its attribute name, by which many formats tell elements apart
}

type span struct{ start, end int32 }

func (s span) of(text []byte) []byte { return text[s.start:s.end] }

// token is what a pass reads.
type token struct {
	start, end int
	kind       tokenKind
	name       span
	attrs      []span // name and value by turns
	label      span   // of a start tag: the value of its attribute name, or empty
	selfClosed bool
}

type tokenKind int8

const (
	textToken tokenKind = iota
	startTag
	endTag
	otherTag // a comment, an instruction, a document type
)

// next reads a token. It does not change the stack.
func (s *markupScan) next(attrs []span) (t token) {
	t.start = s.at
	rest := s.text[s.at:]
	until := func(mark string, kind tokenKind) token {
		n := bytes.Index(rest, []byte(mark))
		if n < 0 {
			n = len(rest) - len(mark)
		}
		t.end, t.kind = s.at+n+len(mark), kind
		return t
	}
	switch {
	case s.raw() != "":
		n := indexFold(rest, "</"+s.raw())
		if n > 0 {
			t.end = s.at + n
			return t
		}
		if n < 0 {
			t.end = len(s.text)
			return t
		}
	case rest[0] != '<' || len(rest) == 1 || !tagStart(rest[1]):
		n := bytes.IndexByte(rest[1:], '<')
		if n < 0 {
			n = len(rest) - 1
		}
		t.end = s.at + 1 + n
		return t
	}
	switch {
	case bytes.HasPrefix(rest, []byte("<!--")):
		return until("-->", otherTag)
	case bytes.HasPrefix(rest, []byte("<![CDATA[")):
		return until("]]>", textToken)
	case rest[1] == '!' || rest[1] == '?':
		return until(">", otherTag)
	}
	t = s.tag(t, attrs)
	t.label, _ = t.attr(s.text, "name", "id", "key")
	return t
}

func tagStart(c byte) bool {
	return c == '/' || c == '!' || c == '?' || c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// raw names the element whose content is no markup: a script in HTML.
func (s *markupScan) raw() string {
	if s.html && len(s.stack) > 0 {
		switch name := s.stack[len(s.stack)-1].name.of(s.text); {
		case len(name) == 6 && bytes.EqualFold(name, []byte("script")):
			return "script"
		case len(name) == 5 && bytes.EqualFold(name, []byte("style")):
			return "style"
		}
	}
	return ""
}

func indexFold(data []byte, mark string) int {
	for at := 0; ; {
		n := bytes.IndexByte(data[at:], '<')
		if n < 0 {
			return -1
		}
		if at += n; len(data)-at >= len(mark) && strings.EqualFold(string(data[at:at+len(mark)]), mark) {
			return at
		}
		at++
	}
}

// endsName are the bytes behind the name of a tag or an attribute.
var endsName = func() (table [256]bool) {
	for _, c := range []byte(" \t\r\n=>/\"'<") {
		table[c] = true
	}
	return table
}()

// tag reads a start or end tag with its attributes.
func (s *markupScan) tag(t token, attrs []span) token {
	text, at := s.text, s.at+1
	if t.kind = startTag; text[at] == '/' {
		t.kind = endTag
		at++
	}
	word := func() span {
		from := at
		for at < len(text) && !endsName[text[at]] {
			at++
		}
		return span{int32(from), int32(at)}
	}
	t.name, t.attrs = word(), attrs[:0]
	for at < len(text) {
		switch c := text[at]; c {
		case '>':
			t.end = at + 1
			return t
		case '<':
			t.end = at
			return t
		case '/':
			t.selfClosed = at+1 < len(text) && text[at+1] == '>'
			at++
		case ' ', '\t', '\r', '\n', '=':
			at++
		case '"', '\'':
			from := at + 1
			n := bytes.IndexByte(text[from:], c)
			if n < 0 {
				n = len(text) - from
			}
			at = min(from+n+1, len(text))
			if len(t.attrs)%2 == 1 {
				t.attrs = append(t.attrs, span{int32(from), int32(from + n)})
			}
		default:
			w := word()
			if len(t.attrs)%2 == 1 && text[w.start-1] != '=' { // the one before has no value
				t.attrs = append(t.attrs, span{w.start, w.start})
			}
			t.attrs = append(t.attrs, w)
		}
	}
	t.end = at
	return t
}

// void lists elements of HTML that have no end tag (the HTML standard, "Void elements").
var void = []string{"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}

// apply changes the stack as a token says.
func (s *markupScan) apply(t *token) {
	s.at = t.end
	name := t.name.of(s.text)
	switch t.kind {
	case startTag:
		switch {
		case t.selfClosed || s.html && slices.Contains(void, strings.ToLower(string(name))):
		case len(s.stack) >= maxPath:
			s.below++
		default:
			s.stack = append(s.stack, openTag{t.name, t.label})
		}
	case endTag:
		if s.below > 0 {
			s.below--
			return
		}
		for i := len(s.stack) - 1; i >= 0; i-- { // one that matches none closes nothing
			if open := s.stack[i].name.of(s.text); bytes.Equal(open, name) || s.html && bytes.EqualFold(open, name) {
				s.stack = s.stack[:i]
				return
			}
		}
	}
}

// attr returns the value of an attribute, whatever its prefix.
func (t *token) attr(text []byte, names ...string) (v span, ok bool) {
	for _, name := range names {
		for i := 0; i+1 < len(t.attrs); i += 2 {
			key := t.attrs[i].of(text)
			if n := bytes.LastIndexByte(key, ':'); string(key[n+1:]) == name {
				return t.attrs[i+1], true
			}
		}
	}
	return span{}, false
}

// section names a place by the elements around it: "resources/string (api_url)".
func (m *markup) section(at, _ int) (name string, start, end int) {
	m.once.Do(func() {
		s := markupScan{text: m.text, html: m.html}
		var attrs []span
		for next := 0; s.at < len(s.text); {
			if s.at >= next {
				state := s
				state.stack = slices.Clone(s.stack)
				m.saved = append(m.saved, state)
				next = s.at + every
			}
			t := s.next(attrs)
			attrs = t.attrs
			s.apply(&t)
		}
	})
	if l, ok := m.long.At(at); ok {
		return l.scan.place(&l.token, at)
	}
	n, _ := slices.BinarySearchFunc(m.saved, at, func(s markupScan, at int) int { return s.at - at - 1 })
	if n == 0 {
		return "", 0, 0
	}
	s := m.saved[n-1]
	s.stack = slices.Clone(s.stack)
	for s.at < len(s.text) {
		t := s.next(nil)
		if t.end > at {
			if t.end-t.start > every {
				s.stack = slices.Clip(s.stack) // so that it is copied where it grows
				m.long.Keep(t.start, t.end, longToken{t, s})
			}
			return s.place(&t, at)
		}
		s.apply(&t)
	}
	return s.path(), 0, 0
}

// place names what a token has at an offset.
func (s *markupScan) place(t *token, at int) (name string, start, end int) {
	switch t.kind {
	case textToken:
		return s.path(), t.start, t.end
	case startTag:
		s.stack = append(s.stack, openTag{t.name, t.label})
		n := sort.Search(len(t.attrs)/2, func(n int) bool { return int(t.attrs[2*n].start) > at })
		if n > 0 {
			name, v := t.attrs[2*n-2], t.attrs[2*n-1]
			if at < int(max(name.end, v.end)) {
				return s.labelled("/@" + clipBytes(name.of(s.text), 60)), int(v.start), int(v.end)
			}
		}
	case otherTag:
		if bytes.HasPrefix(s.text[t.start:], []byte("<!--")) {
			return s.labelled("/comment()"), 0, 0
		}
	}
	return s.path(), 0, 0
}

func (s *markupScan) path() string { return s.labelled("") }

// labelled writes the path, what is in the element, and the element's own name.
func (s *markupScan) labelled(inside string) string {
	var names []string
	for _, open := range s.stack {
		names = append(names, clipBytes(open.name.of(s.text), 60))
	}
	path := strings.Join(names, "/")
	if len(path) > maxSection/2 { // the end of a path tells more
		path = "…" + strings.ToValidUTF8(path[len(path)-maxSection/2:], "")
	}
	path += inside
	if len(s.stack) > 0 {
		if label := s.stack[len(s.stack)-1].label.of(s.text); len(label) > 0 {
			path += " (" + clipBytes(label, 80) + ")"
		}
	}
	return strings.TrimPrefix(path, "/")
}

// settings finds elements whose name, or attribute name, is asked for: their value is an
// attribute of that name, or the text in them.
func (m *markup) settings(names []string, visit func(reading.Setting)) {
	s := markupScan{text: m.text, html: m.html}
	wanted := ""
	set := func(name string, v span) {
		visit(reading.Setting{Name: name, Value: html.UnescapeString(string(v.of(s.text))), Known: true, Start: int(v.start), End: int(v.end)})
	}
	var attrs []span
	for s.at < len(s.text) {
		t := s.next(attrs)
		attrs = t.attrs
		switch t.kind {
		case startTag:
			if wanted = among(names, t.label.of(s.text)); wanted == "" {
				wanted = among(names, t.name.of(s.text))
			}
			if v, ok := t.attr(s.text, "value", "content", "resource"); ok && wanted != "" {
				set(wanted, v)
				wanted = ""
			}
			for i := 0; i+1 < len(t.attrs); i += 2 {
				key := t.attrs[i].of(s.text)
				if name := among(names, key[bytes.LastIndexByte(key, ':')+1:]); name != "" {
					set(name, t.attrs[i+1])
				}
			}
		case textToken:
			from := t.start + len(s.text[t.start:t.end]) - len(bytes.TrimLeft(s.text[t.start:t.end], " \t\r\n"))
			to := t.start + len(bytes.TrimRight(s.text[t.start:t.end], " \t\r\n"))
			if wanted != "" && to > from {
				set(wanted, span{int32(from), int32(to)})
				wanted = ""
			}
		case endTag:
			wanted = ""
		}
		s.apply(&t)
	}
}
