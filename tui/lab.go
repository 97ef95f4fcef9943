package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"telltale/capture"
)

// lab is the panel in which experiments are switched: a list of those that there are,
// and of the hosts that are refused.
type lab struct {
	at     int
	key    string            // of the row that has the cursor, which stays with it
	choice map[string]string // variants of experiments that are off
}

// labRow is an experiment, or a refusal.
type labRow struct {
	Experiment
	refusal bool // Name is the host, Variant the form
}

func (r *labRow) key() string {
	if r.refusal {
		return "refuse " + r.Name
	}
	return r.Name
}

// openLab shows the experiments: to switch them, or those that a capture holds.
func (m *model) openLab() {
	if m.cfg.Experiments == nil {
		m.open(&pager{title: "Experiments", text: pastText})
		return
	}
	m.open(&lab{choice: map[string]string{}})
}

// pastText says which experiments were in force when a capture was recorded.
func pastText(m *model, width int) []string {
	p := &paper{theme: &m.theme, width: max(20, width-2), mask: m.mask(false)}
	p.prose("Nothing is live: experiments alter traffic while it is recorded.", m.theme.dim)
	all := m.news.sum.Experiments
	if len(all) == 0 {
		p.blank()
		p.prose("None was in force in this capture: what it holds was observed.", m.theme.bar)
		return p.lines
	}
	p.heading("In this capture")
	for _, e := range all {
		text := fmt.Sprintf("%s: altered %s to %s", e.Name, plural(e.Flows, "flow"), plural(e.Hosts, "host"))
		if len(e.Periods) > 0 {
			text += ", in force " + periodsText(e.Periods)
		}
		p.item("· ", text)
	}
	return p.lines
}

// periodsText writes times of day: "12:01:00–12:03:00, from 12:05:00".
func periodsText(all []capture.Period) string {
	var texts []string
	for _, p := range all {
		if p.To.IsZero() {
			texts = append(texts, "from "+clock(p.From))
			continue
		}
		texts = append(texts, clock(p.From)+"–"+clock(p.To))
	}
	return strings.Join(firstOf(texts), ", ")
}

// rows returns what the panel lists, and brings the cursor back to its row.
func (l *lab) rows(m *model) []labRow {
	rows := make([]labRow, 0, len(m.lab.list)+len(m.lab.refused))
	for _, e := range m.lab.list {
		rows = append(rows, labRow{Experiment: e})
	}
	for _, r := range m.lab.refused {
		rows = append(rows, labRow{refusal: true, Experiment: Experiment{
			Name: r.Host, Variants: m.lab.forms, Variant: r.Form, On: true,
			Help: "All contacts with it are refused, whatever the policy says.",
		}})
	}
	for i := range rows {
		if rows[i].Flows == 0 {
			rows[i].Flows = m.alteredBy(rows[i].key())
		}
	}
	if i := slices.IndexFunc(rows, func(r labRow) bool { return r.key() == l.key }); i >= 0 {
		l.at = i
	}
	l.move(rows, 0)
	return rows
}

// alteredBy counts the contacts that an experiment altered, in whatever variant.
func (m *model) alteredBy(name string) (n int) {
	for _, e := range m.news.sum.Experiments {
		if e.Name == name || strings.HasPrefix(e.Name, name+" ") {
			n += e.Flows
		}
	}
	return n
}

func (l *lab) move(rows []labRow, by int) {
	l.at = max(0, min(l.at+by, len(rows)-1))
	if l.key = ""; len(rows) > 0 {
		l.key = rows[l.at].key()
	}
}

// variant is what is in force, or would be: "" where there is one alone.
func (l *lab) variant(r *labRow) string {
	switch chosen := l.choice[r.Name]; {
	case r.On:
		return r.Variant
	case chosen != "" && (r.Variants == nil || slices.Contains(r.Variants, chosen)):
		return chosen
	case len(r.Variants) > 0:
		return r.Variants[0]
	}
	return ""
}

func (l *lab) update(m *model, msg tea.Msg) (cmd tea.Cmd, done bool) {
	key, ok := msg.(tea.KeyMsg)
	if !ok {
		return nil, false
	}
	m.status = status{}
	rows := l.rows(m)
	switch s := key.String(); s {
	case "esc", "ctrl+c", "q", "X":
		return nil, true
	case "enter", " ":
		if len(rows) > 0 {
			return l.toggle(m, &rows[l.at]), false
		}
	case "right", "l", "v":
		return l.vary(m, rows, 1), false
	case "left", "h":
		return l.vary(m, rows, -1), false
	default:
		by := map[action]int{moveUp: -1, moveDown: 1, pageUp: -m.height / 2, pageDown: m.height / 2, goFirst: -len(rows), goLast: len(rows)}
		l.move(rows, by[find(s, inFlows)])
	}
	return nil, false
}

// toggle switches an experiment on or off, and ends a refusal.
func (l *lab) toggle(m *model, r *labRow) tea.Cmd {
	switch {
	case r.refusal:
		return m.lift(Refusal{Host: r.Name})
	case r.On:
		l.choice[r.Name] = r.Variant // it comes back as it was
		return m.change(r.called()+" is off", func(e Experiments) error { return e.Switch(r.Name, "", false) })
	}
	return l.begin(m, r, l.variant(r))
}

// begin switches an experiment on, or to another variant.
func (l *lab) begin(m *model, r *labRow, variant string) tea.Cmd {
	now := Experiment{Name: r.Name, Variants: r.Variants, Variant: variant, Hosts: r.Hosts}
	return m.change(now.called()+" is on: what it alters is marked "+alteredMark, func(e Experiments) error { return e.Switch(r.Name, variant, true) })
}

// vary goes to the next variant. What is on changes at once.
func (l *lab) vary(m *model, rows []labRow, by int) tea.Cmd {
	if len(rows) == 0 {
		return nil
	}
	r := &rows[l.at]
	n := len(r.Variants)
	if n < 2 {
		m.status = status{text: r.Name + " has no variants"}
		return nil
	}
	next := r.Variants[(slices.Index(r.Variants, l.variant(r))+by+n)%n]
	switch {
	case r.refusal:
		cmd, problem := m.submitRefusal(r.Name, next)
		if problem != "" {
			m.status = status{text: problem, trouble: true}
		}
		return cmd
	case r.On:
		return l.begin(m, r, next)
	}
	l.choice[r.Name] = next
	return nil
}

var labColumns = []column{
	{title: "", width: 3},
	{title: "NAME", width: 15, host: true},
	{title: "VARIANT", width: 17, rank: 1},
	{title: "FLOWS", width: 6, right: true, rank: 2},
	{title: "ONLY", width: 12, flex: 2, rank: 3},
	{title: "WHAT IT DOES", width: 36, flex: 5, rank: 4},
}

// aboutLines is the room of what is said on the chosen row.
const aboutLines = 3

func (l *lab) lines(m *model, width, height int) []string {
	t, rows := &m.theme, l.rows(m)
	lines := []string{ruled(t, "Experiments", width)}
	if len(rows) == 0 {
		return append(lines, "  "+t.dim.Render("There is none that could be switched."), t.key.Render("esc")+" back")
	}
	room := max(1, height-2)
	about := max(0, min(aboutLines, room-5)) // titles and four rows come first
	titles := min(1, max(0, room-about-2))
	shown := min(len(rows), max(1, room-about-titles))
	first := max(0, min(l.at-shown/2, len(rows)-shown))
	longest := 0
	for i := range rows {
		longest = max(longest, len(rows[i].key()))
	}
	widths := fitColumns(labColumns, width-2, longest)
	if titles > 0 {
		head, place := drawHead(t, labColumns, widths), ""
		if shown < len(rows) {
			place = t.dim.Render(fmt.Sprintf("%d/%d", l.at+1, len(rows)))
		}
		lines = append(lines, sides(cut(head, width-len(place)-1), place, width))
	}
	for i := first; i < first+shown; i++ {
		lines = append(lines, drawRow(t, labColumns, widths, l.cells(m, &rows[i]), i == l.at))
	}
	lines = append(lines, l.about(m, &rows[l.at], width, about)...)
	return append(lines, l.foot(t, &rows[l.at]))
}

// cells returns the cells of labColumns.
func (l *lab) cells(m *model, r *labRow) []cell {
	t := &m.theme
	mark, style, flows := "[ ]", t.bar, ""
	if r.On {
		mark, style = "[x]", t.warning
	}
	if r.Flows > 0 || r.On && !r.refusal {
		flows = count(r.Flows)
	}
	return []cell{
		{mark, style},
		{m.shown(r.key()), style},
		plainCell(m.shown(l.variant(r))),
		plainCell(flows),
		{m.shown(strings.Join(r.Hosts, ", ")), t.dim},
		{m.shown(r.Help), t.dim},
	}
}

// about says in at most n lines what the chosen row does, and fills them: the panel keeps
// its size.
func (l *lab) about(m *model, r *labRow, screen, n int) []string {
	if n == 0 {
		return nil
	}
	text := ""
	if r.Help != "" {
		text = strings.TrimSuffix(capital(r.Help), ".") + "."
	}
	if r.refusal || r.Name == enforcement {
		if words := formWords[l.variant(r)]; words != "" {
			text += " In this form " + words + "."
		}
	}
	if len(r.Hosts) > 0 {
		text += " For these alone: " + strings.Join(r.Hosts, ", ") + "."
	}
	if r.Flows > 0 {
		text += fmt.Sprintf(" It altered %s so far.", plural(r.Flows, "flow"))
	}
	if r.Note != "" {
		text += " It " + r.Note + "."
	}
	lines := wrap(m.shown(strings.TrimSpace(text)), max(10, screen-4))
	if len(lines) > n {
		lines = append(lines[:n-1], strings.Join(lines[n-1:], " "))
	}
	out := make([]string, n)
	for i, line := range lines {
		out[i] = "  " + m.theme.dim.Render(cut(line, screen-4))
	}
	return out
}

func (l *lab) foot(t *theme, r *labRow) string {
	space, variant := "switch on", "variant"
	switch {
	case r.refusal:
		space, variant = "lift", "form"
	case r.On:
		space = "switch off"
	}
	parts := []string{t.key.Render("space") + " " + space}
	if len(r.Variants) > 1 {
		parts = append(parts, t.key.Render("← →")+" "+variant)
	}
	return strings.Join(append(parts, t.key.Render("esc")+" back"), "  ")
}
