package redact

import (
	"html"
	"strings"

	"telltale/flow/unwrap"
)

// markup masks XML and HTML: texts between tags, which the tag names, attributes, comments
// and scripts. It does not check the grammar.
func (m *masker) markup(s string) string {
	w := markupWalk{masker: m, isHTML: looksLikeHTML(s)}
	for s != "" {
		tag := strings.IndexByte(s, '<')
		if tag < 0 {
			tag = len(s)
		}
		w.between(s[:tag])
		if s = s[tag:]; s != "" {
			s = w.tag(s)
		}
	}
	return w.out.String()
}

type markupWalk struct {
	*masker
	isHTML bool
	out    strings.Builder
	name   string // of the last tag that was opened
	key    string // of a property list: the name of the value that comes
	// unclosed says that a script had no end: there is none behind it, either.
	unclosed bool
}

func looksLikeHTML(s string) bool {
	head := strings.ToLower(s[:min(len(s), 1<<10)])
	return strings.Contains(head, "<!doctype html") || strings.Contains(head, "<html") || strings.Contains(head, "<head") || strings.Contains(head, "<body") || strings.Contains(head, "<div")
}

// between masks a text between two tags.
func (w *markupWalk) between(s string) {
	trimmed := strings.TrimSpace(s)
	if trimmed == "" {
		w.out.WriteString(s)
		return
	}
	if strings.EqualFold(w.name, "script") || strings.EqualFold(w.name, "style") {
		w.out.WriteString(w.masker.text(s))
		return
	}
	name := w.name
	if w.isHTML {
		name = "" // "code" and "address" are tags of HTML
	}
	if w.key != "" && name != "key" {
		name, w.key = w.key, ""
	}
	if name == "key" && !w.isHTML {
		w.key, name = trimmed, ""
	}
	w.write(name, s)
}

// write masks a text with character references.
func (w *markupWalk) write(name, s string) {
	plain := html.UnescapeString(s)
	masked := w.masker.value(name, plain)
	if masked == plain {
		w.out.WriteString(s)
		return
	}
	w.out.WriteString(html.EscapeString(masked))
}

// tag masks what begins with "<", and returns what follows.
func (w *markupWalk) tag(s string) string {
	for _, section := range [...]struct{ open, end string }{{"<!--", "-->"}, {"<![CDATA[", "]]>"}} {
		if rest, ok := strings.CutPrefix(s, section.open); ok {
			inner, rest, closed := strings.Cut(rest, section.end)
			w.out.WriteString(section.open)
			name := ""
			if section.open != "<!--" && !w.isHTML {
				name = w.name
			}
			w.out.WriteString(w.masker.value(name, inner))
			if closed {
				w.out.WriteString(section.end)
			}
			return rest
		}
	}
	end := unwrap.TagEnd(s)
	tag := s[1:end]
	at := strings.IndexAny(tag, " \t\r\n")
	if at < 0 {
		at = len(tag)
	}
	name := strings.TrimSuffix(tag[:at], "/")
	w.out.WriteString("<" + tag[:at])
	w.attributes(tag[at:])
	rest := s[end:]
	if rest != "" {
		w.out.WriteByte('>')
		rest = rest[1:]
	}
	w.name = ""
	if name != "" && isAlphanumeric(name[0]) {
		w.name = name[strings.IndexByte(name, ':')+1:]
	}
	// What stands in a script may look like a tag.
	if !w.unclosed && (strings.EqualFold(w.name, "script") || strings.EqualFold(w.name, "style")) {
		if n := closing(rest, w.name); n >= 0 {
			w.between(rest[:n])
			return rest[n:]
		}
		w.unclosed = true
	}
	return rest
}

// closing returns where the end tag of a name stands, in any case, -1 where there is none.
func closing(s, name string) int {
	for from := 0; ; {
		n := strings.Index(s[from:], "</")
		if n < 0 {
			return -1
		}
		from += n + 2
		if len(s)-from >= len(name) && strings.EqualFold(s[from:from+len(name)], name) {
			return from - 2
		}
	}
}

// attributes masks the values of attributes. That of "value" and "content" is named by
// another: <input name="csrf" value="…">, <meta name="…" content="…">.
func (w *markupWalk) attributes(s string) {
	named := ""
	eachAttribute(s, func(_, name, val string) {
		switch strings.ToLower(name) {
		case "name", "property", "id", "key":
			if named == "" || strings.EqualFold(name, "name") {
				named = val
			}
		case "type":
			if strings.EqualFold(val, "password") && named == "" {
				named = "password"
			}
		}
	})
	rest := eachAttribute(s, func(before, name, val string) {
		w.out.WriteString(before)
		switch strings.ToLower(name) {
		case "value", "content", "data-value":
			name = named
		case "name", "property", "id", "class", "type", "key", "http-equiv":
			name = ""
		}
		w.write(name, val)
	})
	w.out.WriteString(w.masker.plain(rest))
}

// eachAttribute calls visit with each attribute that has a value, and with what stands
// before the value since the one before, and returns what follows the last.
func eachAttribute(s string, visit func(before, name, val string)) (rest string) {
	start := 0
	for i := 0; ; {
		n := strings.IndexByte(s[i:], '=')
		if n < 0 {
			return s[start:]
		}
		i += n
		nameEnd := len(strings.TrimRight(s[:i], " \t\r\n"))
		nameStart := strings.LastIndexAny(s[:nameEnd], " \t\r\n\"'/?") + 1
		name := s[nameStart:nameEnd]
		i++
		for i < len(s) && strings.IndexByte(" \t\r\n", s[i]) >= 0 {
			i++
		}
		end := i
		if i < len(s) && (s[i] == '"' || s[i] == '\'') {
			quote := s[i]
			i++
			for end = i; end < len(s) && s[end] != quote; end++ {
			}
		} else {
			for end < len(s) && strings.IndexByte(" \t\r\n", s[end]) < 0 {
				end++
			}
		}
		visit(s[start:i], name, s[i:end])
		start, i = end, end
		if i < len(s) && (s[i] == '"' || s[i] == '\'') {
			i++
		}
	}
}
