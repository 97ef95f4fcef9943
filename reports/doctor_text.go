package reports

import (
	"fmt"
	"io"
	"strings"

	"telltale/flow"
)

// verdictWords say the verdict of an examination in one word.
var verdictWords = map[string]string{Readable: "READABLE", Unread: "UNREAD", Unclear: "UNCLEAR", Empty: "EMPTY"}

func writeDoctorText(w io.Writer, e *examined) error {
	s := &screen{width: defaultWidth, color: e.Color}
	if e.Width > 0 {
		s.width = min(max(e.Width, minWidth), maxWidth)
	}
	verdict := e.verdict()
	word := verdictWords[verdict]
	color := map[string]string{Readable: green, Unread: red, Unclear: yellow, Empty: yellow}[verdict]
	s.labelled(0, len(word)+2, s.paint(color, word), len(word), Wrap(e.opening(onTerminal), s.width-len(word)-2))
	s.examined(e)
	for i, p := range e.patients {
		if i == textDevices {
			s.more(len(e.patients)-i, "devices")
			break
		}
		s.patient(e, p)
	}
	s.steps("What to do", e.steps())
	s.troubles("Towards servers", e.towardsServers(onTerminal))
	s.troubles("Clients that were turned away", e.turnedAway(onTerminal))
	s.troubles("The clock", e.clock(onTerminal))
	s.list("What else could not be read", e.elsewhere())
	s.list("What this capture cannot tell", e.unseen(onTerminal))
	_, err := io.WriteString(w, s.String())
	return err
}

// opening is the finding as a sentence begins. Names of programs keep their spelling.
func (e *examined) opening(st style) string {
	finding := e.finding(st)
	for _, p := range e.patients {
		for _, d := range p.diagnoses {
			if strings.HasPrefix(finding, titleOf(e.Report, d, st)) && startsWithName(d) {
				return finding
			}
		}
	}
	return capital(finding)
}

// examined writes what was looked at.
func (s *screen) examined(e *examined) {
	s.WriteByte('\n')
	for i, c := range e.Captures {
		if i == textNotes {
			s.more(len(e.Captures)-i, "captures")
			break
		}
		line := fmt.Sprintf("%s, %s", captureName(e.Report, c.File, onTerminal), plural(c.Entries, "entry", "entries"))
		if c.Producer != "" {
			line += ", by " + onTerminal.data(e.clipped(c.Producer, maxText))
		}
		s.field(0, "capture", line)
	}
	s.field(0, "seen", e.seen())
}

// seen says how much was recorded; of a device that was picked, it stands with the device.
func (e *Examination) seen() string {
	sum := e.Summary
	if e.Device != "" || sum.First.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s to %s, %s", plural(sum.Flows, "flow", "flows"), plural(len(sum.Hosts), "host", "hosts"), between(sum.First, sum.Last))
}

// patient writes what works on a device, and why the rest does not.
func (s *screen) patient(e *examined, p patient) {
	s.heading("Device " + deviceName(e.Report, p.device, onTerminal))
	for _, sign := range p.signs {
		color := map[string]string{"yes": green, "no": red, "part": yellow}[sign.State]
		if color == "" {
			color = yellow
		}
		s.labelled(2, 5, s.paint(color, sign.State), len(sign.State), Wrap(sign.Text, s.width-7))
	}
	for i, d := range p.diagnoses {
		s.WriteByte('\n')
		s.diagnosis(e.Report, i+1, d, withoutDevice(findings(e.Report, d, onTerminal)))
	}
}

// withoutDevice leaves out what the heading says.
func withoutDevice(facts []fact) []fact {
	if len(facts) > 0 && facts[0].Label == "Device" {
		return facts[1:]
	}
	return facts
}

// troubles writes a section of troubles with their steps.
func (s *screen) troubles(title string, all []trouble) {
	if len(all) == 0 {
		return
	}
	s.heading(title)
	for _, t := range all {
		s.labelled(2, 2, "-", 1, Wrap(t.Text, s.width-4))
		for _, step := range t.Next {
			s.labelled(4, 3, "->", 2, Wrap(step, s.width-7))
		}
	}
}

// steps writes a section of steps.
func (s *screen) steps(title string, steps []string) {
	if len(steps) == 0 {
		return
	}
	s.heading(title)
	for i, step := range steps {
		label := fmt.Sprintf("%d.", i+1)
		s.labelled(2, len(label)+1, label, len(label), Wrap(step, s.width-3-len(label)))
	}
}

// elsewhere says what else could not be read.
func (e *Examination) elsewhere() []string {
	var out []string
	for _, u := range otherwise(e.outcomes()) {
		if e.Untold > 0 && e.Device == "" && (u.why == outcomes[flow.Tunnelled] || u.why == outcomes[flow.UpstreamFailed]) {
			u.why = "no content in the capture"
		}
		out = append(out, plural(u.connections, "connection", "connections")+": "+u.why+".")
	}
	return out
}

func writeDoctorMarkdown(w io.Writer, e *examined) error {
	m := &markdown{r: e.Report}
	m.line("# %s: %s", capital(strings.ToLower(verdictWords[e.verdict()])), e.finding(inMarkdown))
	m.WriteByte('\n')
	for i, c := range e.Captures {
		if i == textNotes {
			m.line("- … and %d more", len(e.Captures)-i)
			break
		}
		m.line("- Capture: %s, %s", captureName(e.Report, c.File, inMarkdown), plural(c.Entries, "entry", "entries"))
	}
	if seen := e.seen(); seen != "" {
		m.line("- Seen: %s", seen)
	}
	for i, p := range e.patients {
		if i == textDevices {
			m.line("\n… and %d more devices; `--format json` has them all.", len(e.patients)-i)
			break
		}
		m.patient(p)
	}
	if steps := e.steps(); len(steps) > 0 {
		m.heading("What to do")
		m.sentences(steps)
	}
	m.troubles("Towards servers", e.towardsServers(inMarkdown))
	m.troubles("Clients that were turned away", e.turnedAway(inMarkdown))
	m.troubles("The clock", e.clock(inMarkdown))
	if rest := e.elsewhere(); len(rest) > 0 {
		m.heading("What else could not be read")
		m.items(rest, budgetList)
	}
	if rest := e.unseen(inMarkdown); len(rest) > 0 {
		m.heading("What this capture cannot tell")
		m.items(rest, budgetWorth)
	}
	_, err := io.WriteString(w, m.String())
	return err
}

// patient writes what works on a device, and why the rest does not.
func (m *markdown) patient(p patient) {
	m.heading("Device " + deviceName(m.r, p.device, inMarkdown))
	marks := map[string]string{"yes": "✓", "no": "✗", "part": "◐", "?": "?"}
	for _, sign := range p.signs {
		m.line("- %s %s", marks[sign.State], sign.Text)
	}
	for _, d := range p.diagnoses {
		m.WriteByte('\n')
		m.WriteString(diagnosisInMarkdown(m.r, d, "###", withoutDevice(findings(m.r, d, inMarkdown))))
	}
}

// sentences writes a list of our own sentences.
func (m *markdown) sentences(texts []string) {
	for _, text := range texts {
		m.line("- %s", prose(text))
	}
}

// troubles writes a section of troubles with their steps.
func (m *markdown) troubles(title string, all []trouble) {
	if len(all) == 0 {
		return
	}
	m.heading(title)
	for _, t := range all {
		m.line("- %s", t.Text)
		for _, step := range t.Next {
			m.line("  - %s", step)
		}
	}
}
