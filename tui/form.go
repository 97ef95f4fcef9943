package tui

import (
	"slices"
	"strings"
	"unicode"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

	"telltale/flow/plain"
)

// A form is a panel with a few fields to fill in. Enter submits it, esc leaves.
type form struct {
	title  string
	fields []*field
	at     int // the field that has the keys
	// changed is called after each change of a field: previews are made there.
	changed func(m *model, f *form)
	preview []string
	brief   []string // of the preview, what matters most where there is little room
	// submit does what the form is for. A problem keeps the form open.
	submit  func(m *model, f *form) (cmd tea.Cmd, problem string)
	verb    string // what enter does
	problem string
}

// A field is a line of text, perhaps with proposals, or a box to tick.
type field struct {
	label     string
	input     textinput.Model
	proposals []string // the up and down keys go through them
	proposal  int
	box       bool
	ticked    bool
	help      string
}

func textField(label, value string, proposals ...string) *field {
	return &field{label: label, input: newInput("", value), proposals: proposals, proposal: slices.Index(proposals, value)}
}

// newInput returns a line to type in, with the cursor at its end.
func newInput(prompt, value string) textinput.Model {
	in := textinput.New()
	in.Prompt = prompt
	in.SetValue(value)
	in.CursorEnd()
	return in
}

// typeInto takes over what was typed or pasted, but no character that does not show
// as itself: nobody wants one in a pattern that looks right.
func typeInto(in textinput.Model, msg tea.Msg) (textinput.Model, tea.Cmd) {
	before := in
	in, cmd := in.Update(msg)
	shows := func(s string) bool { return plain.Text(s) == strings.ReplaceAll(s, `\`, `\\`) }
	if shows(in.Value()) {
		return in, cmd
	}
	in.SetValue(strings.Map(func(r rune) rune {
		if plain.Shows(r) || unicode.Is(unicode.M, r) {
			return r
		}
		return -1
	}, in.Value()))
	if !shows(in.Value()) {
		return before, cmd
	}
	return in, cmd
}

// dressed gives a line its styles: its own are those of another screen.
func (t *theme) dressed(in textinput.Model) textinput.Model {
	in.PromptStyle, in.TextStyle, in.PlaceholderStyle = t.key, t.bar, t.dim
	in.Cursor.Style, in.Cursor.TextStyle = t.selected, t.bar
	return in
}

func boxField(label string, ticked bool, help string) *field {
	return &field{label: label, box: true, ticked: ticked, help: help}
}

// value returns what stands in the field.
func (f *field) value() string { return strings.TrimSpace(f.input.Value()) }

func (f *field) propose(by int) {
	n := len(f.proposals)
	f.proposal = ((f.proposal+by)%n + n) % n
	f.input.SetValue(f.proposals[f.proposal])
	f.input.CursorEnd()
}

// openForm shows a form with the cursor in its first field.
func (m *model) openForm(f *form) tea.Cmd {
	cmd := f.focus(0)
	if f.changed != nil {
		f.changed(m, f)
	}
	m.open(f)
	return cmd
}

func (f *form) focus(at int) tea.Cmd {
	f.at = (at + len(f.fields)) % len(f.fields)
	var cmd tea.Cmd
	for i, field := range f.fields {
		field.input.Blur()
		if i == f.at && !field.box {
			cmd = field.input.Focus()
		}
	}
	return cmd
}

func (f *form) update(m *model, msg tea.Msg) (cmd tea.Cmd, done bool) {
	here := f.fields[f.at]
	key, isKey := msg.(tea.KeyMsg)
	if !isKey {
		here.input, cmd = here.input.Update(msg) // its cursor blinks
		return cmd, false
	}
	f.problem = ""
	switch s := key.String(); {
	case s == "esc" || s == "ctrl+c":
		return nil, true
	case s == "enter":
		cmd, f.problem = f.submit(m, f)
		return cmd, f.problem == ""
	case s == "tab" || s == "down" && len(here.proposals) == 0:
		return f.focus(f.at + 1), false
	case s == "shift+tab" || s == "up" && len(here.proposals) == 0:
		return f.focus(f.at - 1), false
	case s == "down":
		here.propose(1)
	case s == "up":
		here.propose(-1)
	case here.box && s == " ":
		here.ticked = !here.ticked
	case !here.box:
		here.input, cmd = typeInto(here.input, msg)
	}
	if f.changed != nil {
		f.changed(m, f)
	}
	return cmd, false
}

func (f *form) lines(m *model, width, height int) []string {
	t := &m.theme
	lines := []string{ruled(t, f.title, width)}
	labels := 0
	for _, field := range f.fields {
		labels = max(labels, len(field.label))
	}
	room := max(1, min(len(f.fields), height-2)) // on a small screen, those around the one that has the keys
	first := max(0, min(f.at-room/2, len(f.fields)-room))
	for i := first; i < first+room; i++ {
		lines = append(lines, f.fields[i].line(t, i == f.at, labels, width))
	}
	foot := f.hint(t)
	if f.problem != "" {
		foot = t.violation.Render("! " + f.problem)
	}
	preview := f.preview
	if left := max(0, height-1-len(lines)); len(preview) > left {
		preview = f.brief[:min(len(f.brief), left)]
	}
	return append(append(lines, preview...), foot)
}

func (f *field) line(t *theme, here bool, labels, width int) string {
	label := pad(f.label, labels) + "  "
	mark := "  "
	if here {
		mark = t.key.Render("▸ ")
	}
	if f.box {
		box := "[ ] "
		if f.ticked {
			box = "[x] "
		}
		return mark + box + label + t.dim.Render(f.help)
	}
	in := t.dressed(f.input)
	in.Width = max(5, width-labels-6)
	return mark + t.dim.Render(label) + in.View()
}

func (f *form) hint(t *theme) string {
	parts := []string{t.key.Render("enter") + " " + f.verb}
	here := f.fields[f.at]
	if len(here.proposals) > 1 {
		parts = append(parts, t.key.Render("↑ ↓")+" other proposal")
	}
	if here.box {
		parts = append(parts, t.key.Render("space")+" tick")
	}
	if len(f.fields) > 1 {
		parts = append(parts, t.key.Render("tab")+" next field")
	}
	return strings.Join(append(parts, t.key.Render("esc")+" cancel"), "  ")
}

// ruled draws a line with a title in it.
func ruled(t *theme, title string, n int) string {
	line := "── " + title + " "
	return t.rule.Render("── ") + t.title.Render(title) + " " + t.rule.Render(strings.Repeat("─", max(0, n-width(line))))
}
