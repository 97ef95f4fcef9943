package pretty

import (
	"strings"

	"telltale/flow"
)

// form shows application/x-www-form-urlencoded (WHATWG URL, 5.1) as one line a
// pair. Broken percent signs stand for themselves.
func (p *page) form(text string) {
	for pair := range strings.SplitSeq(strings.TrimRight(text, "\r\n"), "&") {
		if pair == "" {
			continue
		}
		p.line(0)
		if !p.open {
			continue
		}
		name, value, has := strings.Cut(pair, "=")
		name = unpercent(name)
		p.add(Key, p.mask(name))
		switch {
		case !has:
			continue
		case value != "" && p.hides(name):
			p.add(Punctuation, " = ")
			p.add(String, flow.Redacted)
		default:
			p.add(Punctuation, " = ")
			p.value(p.mask(unpercent(value)))
		}
	}
}

// value shows a text value on the current line, or below it when it is JSON.
func (p *page) value(text string) {
	if len(text) > 2 && (text[0] == '{' || text[0] == '[') && !p.tookOut(text) {
		if end, err := p.scanner(text).value(0); err == nil && end == len(text) {
			shown := p.nested(1, func() {
				p.add(Comment, "JSON:")
				p.values(text, false)
			})
			if shown {
				return
			}
		}
	}
	p.add(String, text)
}

// unpercent decodes percent encoding, with a plus sign for a space.
func unpercent(s string) string { return flow.Unpercent(strings.ReplaceAll(s, "+", " ")) }

// events shows an event stream (WHATWG HTML, 9.2): field names, and data that is
// JSON in its shape.
func (p *page) events(text string) {
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		line = strings.TrimSuffix(line, "\r")
		p.line(0)
		name, value, has := strings.Cut(line, ":")
		switch {
		case !p.open:
		case line != "" && name == "":
			p.add(Comment, line)
		case has:
			p.add(Key, name)
			p.add(Punctuation, ": ")
			p.value(strings.TrimPrefix(value, " "))
		default:
			p.add(Key, name)
		}
	}
}
