package policy

import (
	"strings"

	"telltale/flow"
)

// maxHidden is the length up to which a text is taken apart to keep what holds no value,
// in bytes. What is longer is no URL, name or sentence.
const maxHidden = 8 << 10

// separators stand between the parts of a text, the outermost first: words, the parts of a
// URL, its parameters, their names and values, segments of a path, and values of JSON.
var separators = []string{" \t\r\n", "?#", "&;", "=", "/", `"'<>,`}

// hidden returns a text without what still holds a value when it is taken apart as the
// search does: encodings that the readings do not undo, or not as deep. The smallest part
// that holds one is replaced, which can be the whole text.
func (p *Policy) hidden(text string) string {
	switch {
	case !p.forms.stands(text): // nearly always
		return text
	case len(text) > maxHidden:
		return flow.Redacted
	}
	return p.forms.hide(text, separators)
}

// hide replaces the parts that hold a value, of a text that does.
func (s *secretForms) hide(text string, separators []string) string {
	if len(separators) == 0 {
		return flow.Redacted
	}
	if n := authorityEnd(text); n > 0 && n < len(text) && !s.stands(text[:n]) {
		if left := text[:n] + s.hide(text[n:], separators); !s.stands(left) {
			return left
		}
	}
	var b strings.Builder
	for rest := text; rest != ""; {
		n := strings.IndexAny(rest, separators[0])
		part := rest
		if n >= 0 {
			part = rest[:n]
		}
		switch {
		case len(part) == len(text): // it has none of these separators
			return s.hide(text, separators[1:])
		case s.stands(part):
			b.WriteString(s.hide(part, separators[1:]))
		default:
			b.WriteString(part)
		}
		rest = rest[len(part):]
		if n >= 0 {
			b.WriteByte(rest[0])
			rest = rest[1:]
		}
	}
	if left := b.String(); !s.stands(left) {
		return left
	}
	return flow.Redacted // it goes over a separator
}

// authorityEnd returns where the authority of a URL ends (RFC 3986, 3.2), 0 for any other
// text. What is read over the slashes of a path must not take the host away, by which the
// request is judged.
func authorityEnd(text string) int {
	i := strings.Index(text, "://")
	if i <= 0 || strings.ContainsAny(text[:i], " \t\r\n?#&;=/\"'<>,") {
		return 0
	}
	i += len("://")
	if n := strings.IndexAny(text[i:], "/?# \t\r\n\"'<>,"); n >= 0 {
		return i + n
	}
	return len(text)
}

// stands reports whether the search finds a value in a text, be it a URL or a body.
func (s *secretForms) stands(text string) bool {
	if len(text) < minSecret {
		return false
	}
	request := flow.Request{URL: text, Body: flow.Body{Content: []byte(text), Decoded: true}}
	return s.held(&flow.Flow{Kind: flow.HTTP, Request: &request}) != nil
}
