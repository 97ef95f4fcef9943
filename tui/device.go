package tui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/flow/plain"
)

// devicePage is what is known of one device: its diagnoses, how far it is in being
// connected, its figures. It stands over the list of devices.
type devicePage struct {
	addr   string
	lines  []string
	top    int
	height int
}

// openPage opens the device under the cursor.
func (m *model) openPage() {
	if d, ok := m.device(); ok {
		m.devices.list.hold()
		m.openPageOf(d.Addr)
	}
}

// openPageOf opens the page of a device. The list has its cursor there when it is
// left.
func (m *model) openPageOf(addr string) {
	m.page = &devicePage{addr: addr}
	if i := slices.Index(m.devices.list.keys, addr); i >= 0 && i != m.devices.list.cursor {
		m.devices.list.move(i - m.devices.list.cursor)
	}
	m.page.write(m)
	m.layout()
}

// step goes to the device below or above in the list.
func (p *devicePage) step(m *model, by int) {
	keys := m.devices.list.keys
	i := slices.Index(keys, p.addr) + by
	if i < 0 || i >= len(keys) {
		m.status = status{text: "no device further in this direction"}
		return
	}
	m.openPageOf(keys[i])
}

func (p *devicePage) resize(height int) {
	p.height = height
	p.scroll(0)
}

func (p *devicePage) scroll(by int) { p.top = max(0, min(p.top+by, len(p.lines)-p.room())) }

// room returns how many lines fit below the title.
func (p *devicePage) room() int { return max(1, p.height-2) }

// write writes the page anew, which drawing only cuts from. No page writes nothing.
func (p *devicePage) write(m *model) {
	if p == nil {
		return
	}
	d := m.devices.rows[p.addr]
	out := &paper{theme: &m.theme, width: m.width - 2, mask: m.mask(false)}
	found := m.news.diagnoses[p.addr]
	for _, x := range found {
		out.diagnosis(x)
	}
	if m.cfg.Connect != nil && len(m.cfg.Connect.Places) > 0 {
		out.heading("Set-up")
		checks := m.checklist(d, m.cfg.Connect.Places[m.connect.place])
		for i := range checks {
			if checks[i].Diagnosed { // it stands above
				checks[i].Advice = nil
			}
		}
		for _, line := range m.steps(checks, out.width+2) {
			out.lines = append(out.lines, strings.TrimPrefix(line, "  "))
		}
	}
	out.device(d)
	if len(found) == 0 && d.Unread > 0 {
		out.blank()
		out.prose("There is no diagnosis of what could not be read.", m.theme.dim)
	}
	p.lines = out.lines
	p.scroll(0)
}

// diagnosis writes why something cannot be read: what it is, what to do, and what
// speaks for it.
func (p *paper) diagnosis(d diagnosis.Diagnosis) {
	p.blank()
	style := p.theme.warning
	p.prose("! "+capital(d.Title)+" · "+string(d.Certainty), style)
	p.item("", aboutText(d))
	p.items("What to do", numbered, d.Next)
	p.items("What was seen", bullet, d.Evidence)
	if hosts := len(d.Hosts); hosts > 0 {
		text := strings.Join(d.Hosts, ", ")
		if d.MoreHosts > 0 {
			text += " and " + count(d.MoreHosts) + " more"
		}
		p.items(plural(hosts+d.MoreHosts, "host"), unmarked, []string{text})
	}
}

// aboutText says what a diagnosis is about: an app, its connections and their time.
func aboutText(d diagnosis.Diagnosis) string {
	text := "connections that never came"
	if d.Connections > 0 {
		text = plural(d.Connections, "connection")
	}
	if d.App != "" {
		text += " of " + d.App
	}
	switch first, last := clock(d.First), clock(d.Last); first {
	case "":
		return text
	case last:
		return text + ", at " + first
	default:
		return text + ", " + first + " to " + last
	}
}

func numbered(i int) string { return fmt.Sprintf("%d. ", i+1) }
func bullet(int) string     { return "· " }
func unmarked(int) string   { return "" }

// items writes a list below its title.
func (p *paper) items(title string, mark func(i int) string, texts []string) {
	if len(texts) == 0 {
		return
	}
	p.lines = append(p.lines, "  "+p.theme.name.Render(title))
	for i, text := range texts {
		p.item("  "+mark(i), text)
	}
}

// item writes a text behind its mark, and below itself.
func (p *paper) item(mark, text string) {
	for _, line := range plain.Lines(p.mask.text(text)) {
		for _, part := range wrap(line, max(10, p.width-2-width(mark))) {
			p.lines = append(p.lines, "  "+mark+part)
			mark = strings.Repeat(" ", width(mark))
		}
	}
}

// device writes the figures of a device.
func (p *paper) device(d capture.Device) {
	p.heading("Device")
	p.fact("name", cmp.Or(d.Name, "none; N gives one")+namedBy[d.Named])
	p.fact("address", d.Addr)
	p.fact("flows", figuresOf(d))
	p.fact("hosts", count(d.Hosts))
	p.fact("TLS", tlsText(d))
	p.fact("seen", clock(d.First)+" to "+clock(d.Last))
	for i, app := range d.Apps {
		p.fact([]string{"apps", ""}[min(i, 1)], app)
	}
}

// namedBy says whose name a device has.
var namedBy = map[capture.NameSource]string{
	capture.NamedByPerson: " (given by a person)",
	capture.NamedByPolicy: " (given by the policy)",
	capture.NamedByAgent:  " (from its User-Agent)",
}

// figuresOf counts the contacts of a device by verdict.
func figuresOf(d capture.Device) string {
	parts := []string{}
	for _, x := range []struct {
		n    int
		word string
	}{{d.Violating, "violating"}, {d.Waived, "waived"}, {d.Allowed, "allowed"}, {d.Ignored, "ignored"}} {
		if x.n > 0 {
			parts = append(parts, count(x.n)+" "+x.word)
		}
	}
	if len(parts) == 0 {
		return count(d.Flows)
	}
	return count(d.Flows) + ": " + strings.Join(parts, ", ")
}

// tlsText says what of a device's TLS could be read.
func tlsText(d capture.Device) string {
	text := "nothing was read yet"
	if !d.Decrypted.IsZero() {
		text = "read since " + clock(d.Decrypted)
	}
	if d.Unread > 0 {
		text += "; " + plural(d.Unread, "contact") + " not readable"
	}
	if d.Refused > 0 {
		text += fmt.Sprintf("; it refused the certificate %s, last for %s at %s", times(d.Refused), d.Refusal.Host, clock(d.Refusal.At))
	}
	return text
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return count(n) + " times"
}

func (p *devicePage) draw(m *model, screen int) []string {
	t := &m.theme
	d := m.devices.rows[p.addr]
	mark, verdict, style := m.deviceVerdict(d)
	more := ""
	if hidden := len(p.lines) - p.room(); hidden > 0 {
		more = t.dim.Render(percentText(p.top, hidden))
	}
	end := " · " + verdict
	title := style.Render(cut(m.shown(mark+" "+nameAndAddress(d)), screen-6-width(end)) + end)
	at := slices.Index(m.devices.list.keys, p.addr) + 1
	where := t.dim.Render(fmt.Sprintf("device %d of %d  esc back ", at, len(m.devices.list.keys)))
	tls, readable := deviceTLS(t, d)
	facts := t.dim.Render(fmt.Sprintf("  %s · %s · TLS ", plural(d.Flows, "flow"), plural(d.Hosts, "host"))) + readable.Render(tls)
	lines := []string{sides(title, more, screen), sides(facts, where, screen)}
	for i := p.top; i < min(len(p.lines), p.top+p.room()); i++ {
		lines = append(lines, " "+p.lines[i])
	}
	return lines
}
