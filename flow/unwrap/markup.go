package unwrap

import (
	"bytes"
	"strings"
)

// isMarkup reports whether text starts as XML or HTML does.
func isMarkup(text []byte) bool {
	if len(text) < 4 || text[0] != '<' || bytes.IndexByte(text, '>') < 0 {
		return false
	}
	if text[1] == '?' || text[1] == '!' {
		return true
	}
	name := text[1:]
	end := bytes.IndexAny(name[:min(len(name), maxNameShown)], " \t\r\n/>")
	if end <= 0 {
		return false
	}
	for _, c := range name[:end] {
		if !isWordByte(c) && c != ':' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

func markupFormat(t mediaType, text []byte) string {
	start := strings.ToLower(string(text[:min(len(text), 15)]))
	if strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html") || t.is("text/html") {
		return "html"
	}
	return "xml"
}

// markup takes XML or HTML apart: the texts between tags, and attributes. It does not
// check the grammar.
func (w *walk) markup(text []byte, format string) {
	n := len(w.steps)
	w.push(step{kind: atFormat, label: format})
	m := markupWalk{walk: w, base: len(w.steps)}
	for len(text) > 0 && !w.over {
		var between []byte
		tag := bytes.IndexByte(text, '<')
		if tag < 0 {
			tag = len(text)
		}
		between, text = text[:tag], text[tag:]
		m.text(bytes.TrimSpace(between))
		if len(text) > 0 {
			text = m.tag(text)
		}
	}
	w.pop(n)
}

// markupWalk is one pass over markup.
type markupWalk struct {
	*walk
	base int    // steps to the root
	key  []byte // of a property list: the name of the value that comes
}

// text shows what stands between two tags.
func (m *markupWalk) text(text []byte) {
	if len(text) == 0 {
		return
	}
	top := len(m.steps) - 1
	if m.value == nil || top < m.base {
		m.leaf(text)
		return
	}
	// In a property list, a key names the value behind it.
	if string(m.steps[top].name) == "key" {
		m.key = text
		m.name(text)
		return
	}
	if m.key != nil {
		m.steps[top].name, m.key = m.key, nil
	}
	m.leaf(text)
}

// tag reads what starts with "<", and returns what is behind it.
func (m *markupWalk) tag(text []byte) []byte {
	for _, section := range [...]struct{ open, end string }{{"<!--", "-->"}, {"<![CDATA[", "]]>"}} {
		if rest, ok := bytes.CutPrefix(text, []byte(section.open)); ok {
			inner, rest, _ := bytes.Cut(rest, []byte(section.end))
			m.text(bytes.TrimSpace(inner))
			return rest
		}
	}
	end := TagEnd(text)
	tag, rest := text[1:end], text[min(end+1, len(text)):]
	if len(tag) == 0 {
		return rest
	}
	if tag[0] == '/' {
		m.up()
		return rest
	}
	closed := tag[len(tag)-1] == '/'
	at := bytes.IndexAny(tag, " \t\r\n/")
	if at < 0 {
		at = len(tag)
	}
	m.down(tag[:at])
	m.attributes(tag[at:])
	if closed || tag[0] == '?' || tag[0] == '!' || isVoid(tag[:at]) {
		m.up()
	}
	return rest
}

// TagEnd returns where the ">" of a tag stands, behind its "<"; one in quotes is none, and
// without any it is the end of the text.
func TagEnd[T string | []byte](text T) int {
	quote := byte(0)
	for i := range len(text) {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i
		}
	}
	return len(text)
}

func (m *markupWalk) down(name []byte) {
	if len(m.steps)-m.base < maxLevels {
		m.push(step{kind: atTag, name: name})
	}
}

func (m *markupWalk) up() { m.pop(max(len(m.steps)-1, m.base)) }

// isVoid reports whether HTML has no end tag for the element (WHATWG HTML, 13.1.2).
func isVoid(name []byte) bool {
	switch strings.ToLower(string(name)) {
	case "br", "hr", "img", "input", "link", "meta", "source", "wbr":
		return true
	}
	return false
}

// attributes shows the values of attributes.
func (m *markupWalk) attributes(text []byte) {
	for !m.over {
		text = bytes.TrimLeft(text, " \t\r\n/?")
		name, rest, ok := bytes.Cut(text, []byte("="))
		if !ok {
			return
		}
		name = bytes.TrimSpace(name)
		if i := bytes.LastIndexAny(name, " \t\r\n"); i >= 0 {
			name = name[i+1:]
		}
		rest = bytes.TrimLeft(rest, " \t\r\n")
		var value []byte
		if len(rest) > 0 && (rest[0] == '"' || rest[0] == '\'') {
			value, text, _ = bytes.Cut(rest[1:], rest[:1])
		} else {
			end := bytes.IndexAny(rest, " \t\r\n")
			if end < 0 {
				end = len(rest)
			}
			value, text = rest[:end], rest[end:]
		}
		m.at(step{kind: atTag, name: name}, func() { m.leaf(value) })
	}
}
