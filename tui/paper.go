package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"telltale/attribution"
	"telltale/capture"
	"telltale/flow/plain"
	"telltale/flow/pretty"
	"telltale/policy"
)

// paper is what a tab of the detail writes on: lines of a width, wrapped.
type paper struct {
	theme     *theme
	width     int
	mask      mask
	policy    *policy.Policy
	explained explanation // why the flow could not be read
	apps      *attribution.Book
	said      map[string][]capture.Annotation // of violations, by their IDs
	shares    map[string]string               // of violations, how much of them was altered
	timer     string                          // what repeats at the host of the flow; "" for nothing
	now       time.Time
	lines     []string
}

// labels is the width of the names in front of facts.
const labels = 14

func (p *paper) blank() {
	if len(p.lines) > 0 {
		p.lines = append(p.lines, "")
	}
}

// heading begins a part.
func (p *paper) heading(text string) {
	p.blank()
	p.lines = append(p.lines, p.theme.title.Render(plain.Text(text)))
}

// prose writes sentences of ours, which may quote a capture.
func (p *paper) prose(text string, style lipgloss.Style) {
	for _, line := range plain.Lines(p.mask.text(text)) {
		for _, part := range wrap(line, p.width) {
			p.lines = append(p.lines, style.Render(part))
		}
	}
}

// fact writes a name and a value; a value without text writes nothing.
func (p *paper) fact(name, value string) {
	p.styled(name, value, p.theme.bar)
}

func (p *paper) styled(name, value string, style lipgloss.Style) {
	if value == "" {
		return
	}
	label := p.theme.name.Render(pad(p.mask.shown(name), labels)) + " " // it may be the type of a record
	for _, part := range wrap(plain.Text(p.mask.text(value)), max(10, p.width-labels-1)) {
		p.lines = append(p.lines, label+style.Render(part))
		label = strings.Repeat(" ", labels+1)
	}
}

// field writes a header field.
func (p *paper) field(name, value string) {
	label := p.theme.name.Render(plain.Text(name)) + ": "
	for i, part := range wrap(label+plain.Text(value), max(10, p.width-2)) {
		if i > 0 {
			part = "  " + part
		}
		p.lines = append(p.lines, part)
	}
}

// document writes a body.
func (p *paper) document(d pretty.Document) {
	for _, note := range d.Notes {
		p.prose(capital(note)+".", p.theme.warning)
	}
	for _, line := range d.Lines {
		p.documentLine(line)
	}
	if len(d.Notes) > 0 && len(d.Lines) > manyLines { // who has come to the end wants to know why it ends there
		p.prose(capital(d.Notes[len(d.Notes)-1])+".", p.theme.warning)
	}
}

// manyLines is how many lines put the notes of a body out of sight.
const manyLines = 200

// documentLine breaks first and colours then: a line that is scrolled to on its own
// has its own colours.
func (p *paper) documentLine(line pretty.Line) {
	indent := strings.Repeat("  ", min(line.Indent, 20))
	var text strings.Builder
	for _, s := range line.Spans {
		text.WriteString(s.Text)
	}
	spans, used := line.Spans, 0 // bytes of the first span that are written
	for _, part := range strings.Split(ansi.Hardwrap(text.String(), max(10, p.width-len(indent)), true), "\n") {
		out := indent
		for part != "" && len(spans) > 0 {
			n := min(len(part), len(spans[0].Text)-used)
			out += p.theme.class(spans[0].Class).Render(part[:n])
			part, used = part[n:], used+n
			if used == len(spans[0].Text) {
				spans, used = spans[1:], 0
			}
		}
		p.lines = append(p.lines, out)
	}
}

// class returns the style of a part of a body.
func (t *theme) class(c pretty.Class) lipgloss.Style {
	switch c {
	case pretty.Key:
		return t.name
	case pretty.String:
		return t.str
	case pretty.Number:
		return t.number
	case pretty.Literal:
		return t.literal
	case pretty.Punctuation, pretty.Comment, pretty.Offset:
		return t.dim
	case pretty.Escape:
		return t.warning
	}
	return t.bar
}

// percentText says how far down a text is.
func percentText(top, hidden int) string {
	switch {
	case top <= 0:
		return "top"
	case top >= hidden:
		return "end"
	}
	return fmt.Sprintf("%d %%", top*100/hidden)
}
