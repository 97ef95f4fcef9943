package tui

import (
	"github.com/charmbracelet/lipgloss"

	"telltale/policy"
)

// theme is the table of styles. It uses the sixteen colours that every terminal
// has and its owner chose; a mark or a word always says the same as the colour.
type theme struct {
	colours bool // whether the screen has any

	title    lipgloss.Style // names of things
	dim      lipgloss.Style // what matters less
	key      lipgloss.Style // a key that can be pressed
	selected lipgloss.Style // the row under the cursor
	bar      lipgloss.Style // header and tabs
	rule     lipgloss.Style // lines between parts

	violation lipgloss.Style
	warning   lipgloss.Style
	allowed   lipgloss.Style
	ignored   lipgloss.Style
	waived    lipgloss.Style

	name    lipgloss.Style // of a header field, a key of JSON
	str     lipgloss.Style
	number  lipgloss.Style
	literal lipgloss.Style
	added   lipgloss.Style // line of a diff
	removed lipgloss.Style
	qr      lipgloss.Style // dark modules on a light ground
}

func themeOf(r *lipgloss.Renderer, colours bool) theme {
	plain := func() lipgloss.Style { return r.NewStyle() }
	in := func(light, dark string) lipgloss.Style {
		if !colours {
			return plain()
		}
		return plain().Foreground(lipgloss.AdaptiveColor{Light: light, Dark: dark})
	}
	red, yellow, green := in("1", "9"), in("3", "11"), in("2", "10")
	blue, magenta, cyan, grey := in("4", "12"), in("5", "13"), in("6", "14"), in("8", "8")
	t := theme{
		colours: colours,

		title:    plain().Bold(true),
		dim:      grey,
		key:      cyan.Bold(true),
		selected: plain().Reverse(true),
		bar:      plain(),
		rule:     grey,

		violation: red.Bold(true),
		warning:   yellow,
		allowed:   green,
		ignored:   grey,
		waived:    magenta,

		name:    blue,
		str:     green,
		number:  cyan,
		literal: magenta,
		added:   green,
		removed: red,
		qr:      plain(),
	}
	if colours {
		t.qr = plain().Foreground(lipgloss.Color("0")).Background(lipgloss.Color("15"))
	}
	return t
}

// verdicts says how each verdict looks: the mark, the word and the style.
var verdicts = map[policy.Verdict]struct {
	mark, word string
	style      func(*theme) lipgloss.Style
}{
	policy.Violation: {"✗", "violation", func(t *theme) lipgloss.Style { return t.violation }},
	policy.Waived:    {"~", "waived", func(t *theme) lipgloss.Style { return t.waived }},
	policy.Allowed:   {"✓", "allowed", func(t *theme) lipgloss.Style { return t.allowed }},
	policy.Ignored:   {"·", "ignored", func(t *theme) lipgloss.Style { return t.ignored }},
	policy.Unjudged:  {" ", "–", func(t *theme) lipgloss.Style { return t.dim }},
}

// verdictStyle returns the style of a verdict.
func (t *theme) verdictStyle(v policy.Verdict) lipgloss.Style { return verdicts[v].style(t) }
