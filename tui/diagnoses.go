package tui

import (
	"cmp"
	"slices"

	tea "github.com/charmbracelet/bubbletea"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/flow"
	"telltale/flow/plain"
)

// trouble is the diagnosis that matters most of all that keep something of an app
// from being read.
type trouble struct {
	device capture.Device
	worst  diagnosis.Diagnosis
	count  int // of these diagnoses
}

// worst finds it, among those of the device that is shown alone or of every one. What
// the system of a device refuses is no trouble: nobody can change it, and no app is
// behind it.
func (m *model) worst() (t trouble) {
	if len(m.news.diagnoses) == 0 {
		return t
	}
	for _, d := range m.news.sum.Health.Devices {
		if m.search.only.IsValid() && d.Addr != m.search.only.String() {
			continue
		}
		for _, x := range m.news.diagnoses[d.Addr] {
			if x.Cause == diagnosis.SystemPinning {
				continue
			}
			if t.count++; t.count == 1 || weightier(x, t.worst) {
				t.device, t.worst = d, x
			}
		}
	}
	return t
}

// certainties are in the order in which they matter.
var certainties = []diagnosis.Certainty{diagnosis.Certain, diagnosis.Likely, diagnosis.Possible}

// weightier reports whether a diagnosis matters more than another one: by its cause,
// its certainty, and then the newer one.
func weightier(a, b diagnosis.Diagnosis) bool {
	return cmp.Or(
		cmp.Compare(slices.Index(diagnosis.Causes, a.Cause), slices.Index(diagnosis.Causes, b.Cause)),
		cmp.Compare(slices.Index(certainties, a.Certainty), slices.Index(certainties, b.Certainty)),
		b.Last.Compare(a.Last),
	) < 0
}

// bannered reports whether there is a line for the diagnosis. Where everything
// about it is shown, or one flow, there is none.
func (m *model) bannered() bool {
	return m.trouble.count > 0 && m.height >= tiny+2 && m.detail == nil && m.page == nil
}

// banner says what keeps something from being read, and where more stands.
func (m *model) banner(screen int) string {
	x := m.trouble
	text := "! "
	if len(m.news.sum.Health.Devices) > 1 {
		text += cut(plain.Text(m.nameOf(x.device.Addr)), 24) + ": "
	}
	text += m.shown(x.worst.Title) + " (" + string(x.worst.Certainty) + ")"
	end := ""
	for _, end = range x.ends(&m.theme) {
		if width(text)+width(end)+2 <= screen {
			break
		}
	}
	return m.theme.warning.Render(cut(text, screen-width(end)-2)) + "  " + end
}

// ends are what may stand behind a diagnosis, the longest first.
func (x *trouble) ends(t *theme) []string {
	key, verb := t.key.Render("D"), t.dim.Render(" what to do")
	if x.count == 1 {
		return []string{key + verb, key}
	}
	of := t.dim.Render("  1 of " + diagnosesText(x.count))
	return []string{key + verb + of, key + verb, key}
}

func diagnosesText(n int) string {
	if n == 1 {
		return "1 diagnosis"
	}
	return count(n) + " diagnoses"
}

// diagnosisText says in a cell what keeps a device from being read.
func (m *model) diagnosisText(found []diagnosis.Diagnosis) string {
	switch len(found) {
	case 0:
		return ""
	case 1:
		return m.shown(found[0].Title)
	}
	return "(" + count(len(found)) + ") " + m.shown(found[0].Title)
}

// showDiagnosis opens the page of the device whose diagnosis explains what is shown:
// the flow that is open, else what matters most.
func (m *model) showDiagnosis() tea.Cmd {
	addr := m.trouble.device.Addr
	if addr == "" {
		for _, d := range m.news.sum.Health.Devices {
			if len(m.news.diagnoses[d.Addr]) > 0 {
				addr = d.Addr
				break
			}
		}
	}
	if m.detail != nil && m.detail.recorded != nil {
		if of := deviceOf(m.detail.recorded.Flow).String(); len(m.news.diagnoses[of]) > 0 {
			addr = of
		}
	}
	if addr == "" {
		m.status = status{text: "no diagnosis: nothing is known to keep traffic of an app from being read"}
		return nil
	}
	cmd := m.show(inDevices)
	m.openPageOf(addr)
	return cmd
}

// An explanation is a diagnosis as the detail of a flow tells it.
type explanation struct{ title, certainty, next string }

// explain returns the diagnosis that explains why a flow could not be read, the zero
// value where there is none.
func (m *model) explain(f *flow.Flow) (e explanation) {
	if f.Readable() {
		return e
	}
	secrets := m.mask(false) // diagnoses name hosts and apps masked
	host, app := secrets.text(f.Host()), secrets.text(f.UserAgent())
	for _, d := range m.news.diagnoses[deviceOf(f).String()] {
		if d.Connections == 0 || !slices.Contains(d.Hosts, host) {
			continue
		}
		own := d.App != "" && d.App == app // another app may be refused there too
		if e.title != "" && !own {
			continue
		}
		e = explanation{title: d.Title, certainty: string(d.Certainty)}
		if len(d.Next) > 0 {
			e.next = d.Next[0]
		}
		if own {
			break
		}
	}
	return e
}

// explainAgain writes the detail of a flow anew when another diagnosis explains it.
func (m *model) explainAgain() tea.Cmd {
	if d := m.detail; d != nil && d.recorded != nil && d.lines != nil && d.written != d.asked(m) {
		return d.write(m)
	}
	return nil
}

// explanation writes why a flow could not be read.
func (p *paper) explanation(e explanation) {
	if e.title == "" {
		return
	}
	p.heading("Why it could not be read")
	p.prose(capital(e.title)+" ("+e.certainty+").", p.theme.warning)
	if e.next != "" {
		p.prose("Next: "+e.next, p.theme.bar)
	}
	p.prose("D shows what speaks for it, and every step.", p.theme.dim)
}
