package tui

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

	"telltale/capture/filter"
	"telltale/flow/plain"
	"telltale/policy"
)

// filterLine is the panel in which a filter is typed. What it finds shows as it is
// typed.
type filterLine struct {
	input  textinput.Model
	before string // the filter to come back to
	off    bool   // and whether it was off
}

func (m *model) openFilter() tea.Cmd {
	in := newInput("/", m.search.typed)
	in.Placeholder = `words, or an expression: host endsWith ".google.com" and status >= 400`
	cmd := in.Focus()
	m.open(&filterLine{input: in, before: m.search.typed, off: m.search.off})
	if m.detail != nil || m.view&inLists == 0 { // it shows what it picks in a list
		view := m.view
		if view&inLists == 0 {
			view = inFlows
		}
		return tea.Batch(cmd, m.show(view))
	}
	return cmd
}

func (p *filterLine) update(m *model, msg tea.Msg) (cmd tea.Cmd, done bool) {
	if key, ok := msg.(tea.KeyMsg); ok {
		switch key.String() {
		case "enter":
			return nil, m.search.mistake == nil
		case "esc", "ctrl+c":
			return p.restore(m), true
		case "tab":
			p.complete()
			return m.search.set(m, p.input.Value()), false
		}
	}
	was := m.search.typed
	p.input, cmd = typeInto(p.input, msg)
	if p.input.Value() != was {
		cmd = tea.Batch(cmd, m.search.set(m, p.input.Value()))
	}
	return cmd, false
}

// restore comes back to the filter that there was.
func (p *filterLine) restore(m *model) tea.Cmd {
	cmd := m.search.set(m, p.before)
	if p.off {
		return tea.Batch(cmd, m.search.toggle(m))
	}
	return cmd
}

func (p *filterLine) lines(m *model, width, _ int) []string {
	t := &m.theme
	in := t.dressed(p.input)
	in.Width = max(10, width-3)
	lines := []string{ruled(t, "Filter", width), in.View()}
	for _, line := range p.said(m, width-2) {
		lines = append(lines, "  "+line)
	}
	return append(lines, t.key.Render("enter")+" keep  "+t.key.Render("tab")+" complete  "+t.key.Render("esc")+" as before")
}

// said says what is wrong, what can be asked for, or what was found.
func (p *filterLine) said(m *model, room int) []string {
	t := &m.theme
	switch {
	case m.search.mistake != nil:
		text := plain.Text(m.search.mistake.Error())
		if m.search.filter != nil {
			text += " (the list shows the filter before)"
		}
		return []string{t.warning.Render(cut(text, room))}
	case m.search.filter == nil:
		var lines []string
		for _, line := range wrap("fields: "+fieldNames(), max(20, room)) {
			lines = append(lines, t.dim.Render(line))
		}
		return lines[:min(3, len(lines))]
	}
	if name, ok := half(m.search.typed); ok && m.search.filter.Words() != nil {
		return []string{t.warning.Render(cut("looked for as words; an expression compares with ==: "+name+` == "…"`, room))}
	}
	text := plural(len(m.search.found.ids), "flow")
	if !m.search.done {
		text += fmt.Sprintf(" so far, %d %% searched", m.search.percent(m))
	}
	return []string{text + t.dim.Render(fmt.Sprintf(" of %s on %s", count(m.news.sum.Flows), plural(len(m.search.found.hosts), "host")))}
}

// half returns the field with which a text begins that looks like a comparison and
// is none: `host=a.example`.
func half(typed string) (field string, ok bool) {
	for _, f := range filter.Fields {
		rest, ok := strings.CutPrefix(strings.TrimSpace(typed), f.Name)
		if rest = strings.TrimSpace(rest); ok && (strings.HasPrefix(rest, "=") || strings.HasPrefix(rest, "~")) {
			return f.Name, true
		}
	}
	return "", false
}

func fieldNames() string {
	names := make([]string, len(filter.Fields))
	for i, f := range filter.Fields {
		names[i] = f.Name
	}
	return strings.Join(names, " ")
}

// complete takes over the first offer, or the next one.
func (p *filterLine) complete() {
	text := p.input.Value()
	before := string([]rune(text)[:p.input.Position()])
	offers := filter.Complete(text, len(before))
	if len(offers) == 0 {
		return
	}
	offer := offers[0]
	p.input.SetValue(text[:offer.Start] + offer.Text + text[offer.End:])
	p.input.SetCursor(utf8.RuneCountInString(text[:offer.Start] + offer.Text))
}

// question is a panel that one key answers.
type question struct {
	title   string
	text    []string
	answers []answer
	again   func(m *model) tea.Cmd // what ctrl+c does; nil: it goes back
}

type answer struct {
	key, word string
	do        func(m *model) tea.Cmd
}

func (q *question) update(m *model, msg tea.Msg) (cmd tea.Cmd, done bool) {
	key, ok := msg.(tea.KeyMsg)
	if !ok {
		return nil, false
	}
	switch s := key.String(); {
	case s == "ctrl+c" && q.again != nil:
		m.panel = nil
		return q.again(m), true
	case s == "esc" || s == "ctrl+c":
		return nil, true
	}
	for _, a := range q.answers {
		if a.key == key.String() {
			m.panel = nil
			return a.do(m), true
		}
	}
	return nil, false
}

func (q *question) lines(m *model, width, height int) []string {
	t := &m.theme
	text := q.text
	if room := max(0, height-2); len(text) > room {
		text = slices.Clone(text[:room])
		if room > 1 {
			text[room-1] = t.dim.Render("  … " + plural(len(q.text)-room+1, "line") + " more")
		}
	}
	lines := append([]string{ruled(t, q.title, width)}, text...)
	parts := make([]string, len(q.answers))
	for i, a := range q.answers {
		parts[i] = t.key.Render(a.key) + " " + a.word
	}
	return append(lines, strings.Join(append(parts, t.key.Render("esc")+" back"), "  "))
}

// openWrite asks before the policy file is written, and shows what changes.
func (m *model) openWrite() tea.Cmd {
	if !m.desk.unsaved() {
		m.status = status{text: "nothing to write: the policy file says what is in force"}
		return nil
	}
	m.open(&question{
		title: "Write " + plain.Text(m.desk.cfg.File), text: m.diffLines(policy.DiffLines(m.desk.saved, m.desk.text)),
		answers: []answer{{"enter", "write the file", func(m *model) tea.Cmd { return m.desk.write(m) }}},
	})
	return nil
}

// leave ends the program, after a question where something would be lost.
func (m *model) leave() tea.Cmd {
	quit := func(*model) tea.Cmd { return tea.Quit }
	switch {
	case m.desk.busy:
		m.open(&question{
			title: "Quit", text: []string{"  A decision is still being applied."},
			answers: []answer{{"q", "quit without it", quit}}, again: quit,
		})
		return nil
	case !m.desk.unsaved():
		return tea.Quit
	}
	m.open(&question{
		title: "Quit", text: []string{fmt.Sprintf("  Decisions are not written to %s yet.", plain.Text(m.desk.cfg.File))},
		answers: []answer{
			{"w", "write them and quit", func(m *model) tea.Cmd { m.leaving = true; return m.desk.write(m) }},
			{"q", "quit without them", func(m *model) tea.Cmd { return m.desk.discard(m) }},
		},
		again: func(m *model) tea.Cmd { return m.desk.discard(m) },
	})
	return nil
}

// leaveIfSaved ends the program when nothing would be lost any more.
func (m *model) leaveIfSaved(msg deskMsg) tea.Cmd {
	if msg.err == nil && (m.leaving && msg.policy == nil || msg.leave) {
		return tea.Quit
	}
	m.leaving = false
	return nil
}

// openPhase asks for the name of the phase that begins now.
func (m *model) openPhase() tea.Cmd {
	phases := []string{"before consent", "after consent", "in the background", ""}
	return m.openForm(&form{
		title: "Mark a phase: flows carry its name from now on", verb: "begin the phase; an empty name ends one",
		fields: []*field{textField("phase", m.news.phase, phases...)},
		submit: func(m *model, f *form) (tea.Cmd, string) {
			name, store := f.fields[0].value(), m.cfg.Store
			say := "phase: " + name
			if name == "" {
				say = "the phase has ended"
			}
			return func() tea.Msg { store.Mark(name); return statusMsg{text: say} }, ""
		},
	})
}

// openExport asks for the formats and the name of reports.
func (m *model) openExport() tea.Cmd {
	if m.loading != nil {
		m.status = status{text: "the capture is still being read: a report would not know all of it"}
		return nil
	}
	fields := []*field{textField("file", m.cfg.Reports.Base)}
	for _, format := range m.cfg.Reports.Formats {
		fields = append(fields, boxField(format.Ext, format.Ext == ".md", format.Help))
	}
	return m.openForm(&form{
		title: "Write reports", verb: "write", fields: fields,
		submit: func(m *model, f *form) (tea.Cmd, string) {
			var files []string
			for i, format := range m.cfg.Reports.Formats {
				if f.fields[i+1].ticked {
					files = append(files, f.fields[0].value()+format.Ext)
				}
			}
			if len(files) == 0 || f.fields[0].value() == "" {
				return nil, "tick a format and name a file"
			}
			m.status = status{text: "writing …"}
			return m.export(files), ""
		},
	})
}

// existMsg says which of the files of an export exist already.
type existMsg struct{ files, exist []string }

// export writes reports, after a question where a file would be lost.
func (m *model) export(files []string) tea.Cmd {
	write := m.writeReports(files)
	return func() tea.Msg {
		var exist []string
		for _, file := range files {
			if _, err := os.Lstat(file); err == nil {
				exist = append(exist, file)
			}
		}
		if len(exist) > 0 {
			return existMsg{files, exist}
		}
		return write()
	}
}

// askOverwrite asks before files are replaced.
func (m *model) askOverwrite(msg existMsg) {
	m.status = status{}
	m.open(&question{
		title:   "Write reports",
		text:    []string{"  " + plain.Text(strings.Join(msg.exist, ", ")) + ": there is such a file already."},
		answers: []answer{{"o", "overwrite", func(m *model) tea.Cmd { return m.writeReports(msg.files) }}},
	})
}

func (m *model) writeReports(files []string) tea.Cmd {
	write := m.cfg.Reports.Write
	return func() tea.Msg {
		if err := m.awaited(func() error { return write(files) }); err != nil {
			return statusMsg{sentence(err), true}
		}
		return statusMsg{text: "wrote " + strings.Join(absolute(files), ", ")}
	}
}

// absolute names files as they can be found from anywhere.
func absolute(files []string) []string {
	folder, err := os.Getwd()
	if err != nil {
		return files
	}
	all := make([]string, len(files))
	for i, file := range files {
		if all[i] = file; !filepath.IsAbs(file) {
			all[i] = filepath.Join(folder, file)
		}
	}
	return all
}
