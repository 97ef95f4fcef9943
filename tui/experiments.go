package tui

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	tea "github.com/charmbracelet/bubbletea"

	"telltale/capture"
	"telltale/flow"
	"telltale/policy"
)

// This file says which experiments alter the traffic: in the top line, beside the
// verdict, at flows, hosts and violations. It switches them beside the loop; the panel
// for that is in lab.go.

// alteredMark stands beside the mark of what an experiment altered.
const alteredMark = "≠"

// inForce is what Config.Experiments said at one moment.
type inForce struct {
	turn    int64 // a later question has a larger number
	list    []Experiment
	refused []Refusal
	forms   []string
}

// asker asks Config.Experiments, beside the loop. It numbers the answers: one that was
// asked for before a switch must not hide what the switch did.
type asker struct {
	of   Experiments // nil: nothing is live
	turn atomic.Int64
}

func (a *asker) ask() inForce {
	if a.of == nil {
		return inForce{}
	}
	turn := a.turn.Add(1)
	return inForce{turn, a.of.List(), a.of.Refused(), a.of.Forms()}
}

// takeInForce takes over what is in force, unless something newer is known.
func (m *model) takeInForce(x inForce) {
	if x.turn > m.lab.turn {
		m.lab = x
	}
}

// names are those of the experiments that are on, as flows name them, and of the hosts
// that are refused.
func (x *inForce) names() []string {
	var names []string
	for _, e := range x.list {
		if e.On {
			names = append(names, e.called())
		}
	}
	switch n := len(x.refused); n {
	case 0:
	case 1:
		r := Experiment{Name: "refuse " + x.refused[0].Host, Variants: x.forms, Variant: x.refused[0].Form}
		names = append(names, r.called())
	default:
		names = append(names, "refuse "+plural(n, "host"))
	}
	return names
}

// called is the name of an experiment that is on, with its variant and its hosts: "slow
// edge", "offline @*.example.com". A refusal in its usual form is that alone.
func (e *Experiment) called() string {
	name := e.Name
	refuses := name == enforcement || strings.HasPrefix(name, "refuse ")
	if usual := len(e.Variants) > 0 && e.Variant == e.Variants[0]; e.Variant != "" && !(refuses && usual) {
		name += " " + e.Variant
	}
	if len(e.Hosts) > 0 {
		name += " @" + strings.Join(e.Hosts, ",")
	}
	return name
}

// enforcement is the name of the experiment that refuses what the policy forbids.
const enforcement = "enforce"

// withExperiments reports whether anything of this audit was altered, or may have been.
func (m *model) withExperiments() bool {
	return m.news.sum.Altered > 0 || len(m.news.sum.Experiments) > 0 || len(m.lab.names()) > 0
}

// marker names the experiments in force: "EXPERIMENT offline, enforce"; "" for none.
func (m *model) marker() string {
	names := m.lab.names()
	if len(names) == 0 {
		return ""
	}
	return markerWord + " " + m.shown(strings.Join(names, ", "))
}

// markerWord begins the marker, and is what always has room.
const markerWord = "EXPERIMENT"

// verdictLine is the verdict with the experiments in force beside it: whatever else gives
// way, the top line says that there is one.
func (m *model) verdictLine(room int) string {
	marker := m.marker()
	if marker == "" {
		return m.verdictText(room)
	}
	const gap = "  "
	least := min(width(marker), len(markerWord)+1)
	verdict := m.verdictText(room - least - len(gap))
	others := 0 // for what stands at the right
	if alarms := m.alarms(); len(alarms) > 0 {
		others = width(alarms[0]) + len(gap)
	} else if room >= 80 {
		others = len("● rec 10m00s") + len(gap)
	}
	own := max(least, room-width(verdict)-len(gap)-others)
	return verdict + gap + m.theme.warning.Render(cut(marker, own))
}

// besideVerdict is what stands beside a verdict in an audit with experiments. While one is in
// force the marker says so of violations.
func (m *model) besideVerdict(clean bool) string {
	if m.withExperiments() && (clean || len(m.lab.names()) == 0) {
		return ", with experiments"
	}
	return ""
}

// switchedMsg is the end of a switch.
type switchedMsg struct {
	now inForce
	say string
	err error
}

// change switches something, beside the loop. One switch is under way at a time.
func (m *model) change(say string, run func(Experiments) error) tea.Cmd {
	if m.switching {
		return nil
	}
	m.switching = true
	m.status = status{text: "switching …"}
	asker := m.feed.experiments
	return func() tea.Msg {
		msg := switchedMsg{say: say}
		ended := m.awaited(func() error {
			msg.err = run(asker.of)
			msg.now = asker.ask()
			return nil
		})
		if ended != nil {
			return nil
		}
		return msg
	}
}

// takeSwitched takes over what a switch did.
func (m *model) takeSwitched(msg switchedMsg) tea.Cmd {
	m.switching = false
	m.takeInForce(msg.now)
	m.status = status{text: msg.say}
	if msg.err != nil {
		m.status = status{text: sentence(msg.err), trouble: true}
	}
	return nil
}

// alteredText says how many of a row's flows were altered, in a cell of alteredWidth.
func alteredText(n, all int) string {
	switch text := count(n) + " of " + count(all); {
	case n == 0:
		return ""
	case n >= all:
		return "all"
	case width(text) <= alteredWidth:
		return text
	}
	return count(n)
}

const alteredWidth = 7

// alteredColumn stands in the tables of an audit with experiments.
var alteredColumn = column{title: "ALTERED", width: alteredWidth, right: true, rank: 2}

// withAltered adds the column behind that of the flows, and room for one more mark in the
// first.
func withAltered(columns []column) []column {
	i := slices.IndexFunc(columns, func(c column) bool { return c.title == "FLOWS" })
	columns = slices.Insert(slices.Clone(columns), i+1, alteredColumn)
	columns[0].width++
	return columns
}

// insertAltered puts the cell of that column into a row.
func insertAltered(columns []column, cells []cell, c cell) []cell {
	i := slices.IndexFunc(columns, func(c column) bool { return c.title == alteredColumn.title })
	if c.text != "" {
		cells[0].text += alteredMark
	}
	return slices.Insert(cells, i, c)
}

// experimented says, at the top of a tab, that what it shows was altered.
func (p *paper) experimented(f *flow.Flow) {
	if len(f.Experiments) == 0 {
		return
	}
	p.prose(alteredMark+" Altered by "+strings.Join(f.Experiments, ", ")+": it shows what happens then, not what happens otherwise.", p.theme.warning)
}

// altered writes what telltale changed on the wire, and by which experiments.
func (p *paper) altered(f *flow.Flow) {
	by := ""
	switch what := f.Altered; {
	case len(f.Experiments) == 1:
		by = "by " + f.Experiments[0]
	case len(f.Experiments) > 1:
		p.styled("experiments", strings.Join(f.Experiments, ", "), p.theme.warning)
	case len(what) == 0:
		return
	}
	for _, altered := range f.Altered {
		if by != "" {
			altered = by + ": " + altered
		}
		p.styled("altered", altered, p.theme.warning)
	}
	if len(f.Altered) == 0 {
		p.styled("altered", by, p.theme.warning)
	}
}

// sharesOf says of the violations of a flow, by their IDs, how much of them was altered,
// and a number that another share changes. They stand on the first tab alone: the others
// need not be written again for them.
func (m *model) sharesOf(d *detail) (of map[string]string, state int) {
	if d.tab != 0 {
		return nil, 0
	}
	of = map[string]string{}
	for _, f := range d.recorded.Judgement.Findings {
		v := m.violationOf(f.Fingerprint())
		if text := shareText(v); text != "" {
			of[v.ID] = text
			state += v.Count + v.Altered*1_000_003
		}
	}
	return of, state
}

// shareText says how much of a violation was altered: "2 of 3 flows, by experiments"; "" for
// nothing.
func shareText(v *capture.Violation) string {
	if v == nil || v.Altered == 0 {
		return ""
	}
	return fmt.Sprintf("%s of %s, by experiments", count(v.Altered), plural(v.Count, "flow"))
}

// refusalOf returns what refuses a host, the narrowest first: the host itself, one of the
// patterns that it is offered for, or another that names it.
func (m *model) refusalOf(host string, patterns []string) (Refusal, bool) {
	for _, p := range append([]string{host}, patterns...) {
		if i := slices.IndexFunc(m.lab.refused, func(r Refusal) bool { return r.Host == p }); i >= 0 {
			return m.lab.refused[i], true
		}
	}
	for _, r := range m.lab.refused {
		if p, err := policy.ParsePattern(r.Host); err == nil && p.Match(host, "") {
			return r, true
		}
	}
	return Refusal{}, false
}

// refuse asks in which form the host that is selected is to be refused; where it is
// refused already, that ends.
func (m *model) refuse() tea.Cmd {
	s, ok := m.selected()
	patterns := m.patternsOf(s)
	switch {
	case m.cfg.Experiments == nil:
		m.status = status{text: "nothing is live: no contact can be refused"}
		return nil
	case m.switching:
		return nil
	case !ok || s.host == "":
		m.status = status{text: "nothing is selected that could be refused"}
		return nil
	case len(patterns) == 0:
		m.status = status{text: "no pattern can name this: " + s.host, trouble: true}
		return nil
	}
	m.list().hold() // the cursor stays with what is refused
	if r, ok := m.refusalOf(s.host, patterns); ok {
		return m.lift(r)
	}
	forms := m.lab.forms
	if len(forms) == 0 {
		m.status = status{text: "there is no form in which a contact can be refused", trouble: true}
		return nil
	}
	return m.openForm(&form{
		title:  "Refuse " + m.shown(s.host) + " (an experiment)",
		verb:   "refuse",
		fields: []*field{textField("host", patterns[0], patterns...), textField("form", forms[0], forms...)},
		changed: func(m *model, f *form) {
			f.preview = nil
			for _, text := range []string{formWords[f.fields[1].value()], m.covers(f.fields[0].value())} {
				if text != "" {
					f.preview = append(f.preview, m.theme.dim.Render("  "+text))
				}
			}
			f.brief = f.preview
		},
		submit: func(m *model, f *form) (tea.Cmd, string) {
			return m.submitRefusal(f.fields[0].value(), f.fields[1].value())
		},
	})
}

func (m *model) submitRefusal(host, form string) (tea.Cmd, string) {
	if _, err := policy.ParsePattern(host); err != nil {
		return nil, m.shown(sentence(err))
	}
	if !slices.Contains(m.lab.forms, form) {
		return nil, "form: one of " + strings.Join(m.lab.forms, ", ")
	}
	say := fmt.Sprintf("%s is refused from now on (%s): R lifts it, X shows it", host, form)
	return m.change(say, func(e Experiments) error { return e.Refuse(host, form) }), ""
}

// lift ends a refusal.
func (m *model) lift(r Refusal) tea.Cmd {
	return m.change(r.Host+" is no longer refused", func(e Experiments) error { return e.Refuse(r.Host, "") })
}

// formWords say what an app meets in each form of refusal.
var formWords = map[string]string{
	"refused": "the connection is refused, as far as the way in can show that",
	"dns":     "its name does not resolve",
	"403":     "each request is answered 403 in the place of the server",
	"204":     "each request is answered 204, as if all were well",
	"hang":    "nothing answers until the app gives up",
	"reset":   "the connection breaks",
}
