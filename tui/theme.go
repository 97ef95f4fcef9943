package tui

import (
	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

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
	active   lipgloss.Style // the tab that is open
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

// colour is one of the sixteen, for terminals with a light and a dark ground.
func colour(light, dark string) lipgloss.AdaptiveColor {
	return lipgloss.AdaptiveColor{Light: light, Dark: dark}
}

func themeOf(r *lipgloss.Renderer) theme {
	style := r.NewStyle
	red, yellow, green := colour("1", "9"), colour("3", "11"), colour("2", "10")
	blue, magenta, cyan, grey := colour("4", "12"), colour("5", "13"), colour("6", "14"), colour("8", "8")
	return theme{
		colours: r.ColorProfile() != termenv.Ascii,

		title:    style().Bold(true),
		dim:      style().Foreground(grey),
		key:      style().Foreground(cyan).Bold(true),
		selected: style().Reverse(true),
		bar:      style(),
		active:   style().Bold(true).Underline(true),
		rule:     style().Foreground(grey),

		violation: style().Foreground(red).Bold(true),
		warning:   style().Foreground(yellow),
		allowed:   style().Foreground(green),
		ignored:   style().Foreground(grey),
		waived:    style().Foreground(magenta),

		name:    style().Foreground(blue),
		str:     style().Foreground(green),
		number:  style().Foreground(cyan),
		literal: style().Foreground(magenta),
		added:   style().Foreground(green),
		removed: style().Foreground(red),
		qr:      style().Foreground(lipgloss.Color("0")).Background(lipgloss.Color("15")),
	}
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
