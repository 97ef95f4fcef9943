package tui

import (
	"fmt"
	"slices"

	tea "github.com/charmbracelet/bubbletea"

	"telltale/capture"
	"telltale/policy"
)

// This file shows what people and programs said of violations, what is still to be
// told, and lets a person acknowledge a violation.

// Told is how far people were told, and what the user's programs say while they run.
type Told struct {
	Waiting int      // messages that are not delivered yet
	Failed  int      // messages that were given up
	Output  []string // last lines of the programs, each with its program's name
}

// violationOf returns the row of a violation, nil where it has none.
func (m *model) violationOf(id string) *capture.Violation {
	for _, rows := range [][]capture.Violation{m.news.sum.Violations, m.news.sum.Waivers} {
		if i := slices.IndexFunc(rows, func(v capture.Violation) bool { return v.ID == id }); i >= 0 {
			return &rows[i]
		}
	}
	return nil
}

// annotationsOf returns what was said of a violation so far.
func (m *model) annotationsOf(id string) []capture.Annotation {
	if v := m.violationOf(id); v != nil {
		return v.Annotations
	}
	return nil
}

// acknowledged returns who acknowledged last; false where nobody did.
func acknowledged(all []capture.Annotation) (by capture.Annotation, ok bool) {
	for _, a := range all {
		if a.Kind == capture.Acknowledged {
			by, ok = a, true
		}
	}
	return by, ok
}

// violationHere returns the violation that is selected or open: its ID and its name.
func (m *model) violationHere() (id, name string) {
	var of policy.Finding
	switch s, ok := m.selected(); {
	case ok && s.violation != nil:
		id, of = s.violation.ID, s.violation.Finding
	case m.detail != nil && m.detail.recorded != nil && len(m.detail.recorded.Judgement.Findings) > 0:
		of = m.detail.recorded.Judgement.Findings[0]
		id = of.Fingerprint()
	default:
		return "", ""
	}
	return id, string(of.Rule) + ", " + of.Host
}

// acknowledge notes, beside the loop, that the person knows of a violation.
func (m *model) acknowledge() tea.Cmd {
	id, name := m.violationHere()
	by, done := acknowledged(m.annotationsOf(id))
	switch {
	case id == "":
		m.status = status{text: "no violation is here that could be acknowledged"}
		return nil
	case m.cfg.Acknowledge == nil:
		m.status = status{text: "this capture cannot be written, so its violations cannot be acknowledged"}
		return nil
	case done:
		m.status = status{text: "it was acknowledged already, " + authorText(by.Author) + " at " + clock(by.Time)}
		return nil
	}
	return func() tea.Msg {
		if err := m.awaited(func() error { return m.cfg.Acknowledge(id) }); err != nil {
			return statusMsg{"not acknowledged: " + sentence(err), true}
		}
		return statusMsg{text: "acknowledged: " + name + ". It counts all the same; nobody else is called on about it"}
	}
}

// authorText says how, or by which program, something was said.
func authorText(author string) string {
	switch author {
	case "screen":
		return "on the screen"
	case "command line":
		return "on the command line"
	case "link":
		return "by the link of a message"
	case "":
		return "by somebody"
	}
	return "by " + author
}

// annotations writes what was said of a violation.
func (p *paper) annotations(all []capture.Annotation) {
	for _, a := range all {
		name, text := string(a.Kind), authorText(a.Author)+", "+a.Time.Local().Format("2006-01-02 15:04:05")
		if a.Kind == capture.Excused {
			text = "until " + a.Until.Local().Format("2006-01-02 15:04") + ", " + text
		}
		if a.Text != "" {
			text += ": " + a.Text
		}
		p.fact(name, text)
	}
}

// saidOf returns what was said of the violations of a flow, by their IDs, and a number
// that another annotation changes.
func (m *model) saidOf(j policy.Judgement) (of map[string][]capture.Annotation, state int64) {
	of = map[string][]capture.Annotation{}
	for _, f := range j.Findings {
		id := f.Fingerprint()
		if of[id] = m.annotationsOf(id); len(of[id]) > 0 {
			state += int64(len(of[id])) + of[id][len(of[id])-1].Time.UnixNano()
		}
	}
	return of, state
}

// toldAlarm says that messages were given up, "" when none was.
func (m *model) toldAlarm() string {
	if n := m.news.told.Failed; n > 0 {
		return m.theme.warning.Render("! " + plural(n, "message") + " not delivered (P)")
	}
	return ""
}

// announceOutput shows the newest line of a program, where nothing else is being said.
func (m *model) announceOutput(before, now []string) {
	free := m.status.text == "" || m.status.text == m.outputShown
	if len(now) == 0 || !free || m.panel != nil || slices.Equal(before, now) {
		return
	}
	m.outputShown = "(P) " + now[len(now)-1]
	m.status = status{text: m.outputShown}
}

// openTold shows the messages that wait, and what programs say.
func (m *model) openTold() {
	m.open(&pager{title: "Messages and programs", text: toldText})
}

func toldText(m *model, width int) []string {
	p := &paper{theme: &m.theme, width: max(20, width-2), mask: m.mask(false)}
	told := m.news.told
	p.heading("Messages")
	switch {
	case m.cfg.Told == nil:
		p.prose("Nobody is told by this audit: the policy's section notify, or --notify, says whom to tell.", m.theme.dim)
	case told.Waiting == 0 && told.Failed == 0:
		p.prose("None is waiting.", m.theme.dim)
	}
	if told.Waiting > 0 {
		p.prose(fmt.Sprintf("%s not delivered yet. What cannot be delivered is tried again, also at the next start.", plural(told.Waiting, "message")), m.theme.bar)
	}
	if told.Failed > 0 {
		p.prose(fmt.Sprintf("%s given up: `telltale notify list` says why, `telltale notify retry` sends again.", plural(told.Failed, "message")), m.theme.warning)
	}
	p.heading("Output of programs")
	if len(told.Output) == 0 {
		p.prose("None so far. Programs of the policy's section on write here while they run; it is not kept.", m.theme.dim)
	}
	for _, line := range told.Output {
		p.prose(line, m.theme.bar)
	}
	return p.lines
}
