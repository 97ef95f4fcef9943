package tui

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"telltale/capture"
	"telltale/flow/plain"
)

// connectView shows how a device is connected, and ticks off what it has done.
type connectView struct {
	place int
	top   int
	of    string // address of the device whose steps are shown; "": none was seen yet

	proxy bool           // the proxy is shown, where there is a tunnel too
	peers []TunnelDevice // of the tunnel
	peer  int            // the one that is shown
}

// next goes to the next address of this machine.
func (c *connectView) next(m *model) {
	if n := len(m.cfg.Connect.Places); n > 0 {
		c.place = (c.place + 1) % n
	}
}

func (c *connectView) scroll(by int) { c.top = max(0, c.top+by) }

func (c *connectView) draw(m *model, width, height int) []string {
	t := &m.theme
	if len(m.cfg.Connect.Places) == 0 {
		return []string{"", t.warning.Render("  This machine has no address that a phone can reach: is it in a network?")}
	}
	if d, _ := m.device(); d.Addr != c.of {
		c.of, c.top = d.Addr, 0
	}
	place := m.cfg.Connect.Places[c.place]
	qr := c.qr(m, place)
	left := max(0, width-columnsOf(qr)-3)
	beside := left >= 44 && height >= len(qr)
	if !beside {
		left = width - 1
	}
	text := c.about(m, place, left)
	switch {
	case beside && len(qr) > 0:
		text = columns(text, qr, left)
	case columnsOf(qr) < width && len(qr) < height:
		text = append(append(text, ""), qr...)
	case c.tunnelShown(m) && len(c.peers) > 0:
		text = slices.Insert(text, min(2, len(text)), c.unfit(m, qr, width)...)
	default:
		text = append(append(text, ""), qr...)
	}
	c.top = max(0, min(c.top, len(text)-height))
	text = text[c.top:]
	if len(text) > height {
		text = append(text[:height-1], t.dim.Render("  ↓ "+plural(len(text)-height+1, "line")+" more"))
	}
	return text
}

// columnsOf returns the width of the widest line.
func columnsOf(lines []string) (n int) {
	for _, line := range lines {
		n = max(n, width(line))
	}
	return n
}

// columns puts the code to the right of the text.
func columns(text, code []string, left int) []string {
	out := make([]string, max(len(text), len(code)))
	for i := range out {
		if i < len(text) {
			out[i] = text[i]
		}
		if i < len(code) {
			out[i] = pad(out[i], left) + " " + code[i]
		}
	}
	return out
}

// about is what stands beside the code.
func (c *connectView) about(m *model, place Place, n int) []string {
	if c.tunnelShown(m) {
		return c.tunnelText(m, place, n)
	}
	return c.text(m, place, n)
}

// unfit says what to do where the code has no room: half of a code cannot be scanned.
func (c *connectView) unfit(m *model, qr []string, n int) (lines []string) {
	text := "The configuration is too long for a code: y copies it."
	if len(qr) > 0 {
		text = fmt.Sprintf("The code needs a screen of %d columns and %d lines: make it larger, or copy the configuration (y).",
			columnsOf(qr)+1, len(qr)+1+m.split().head+1) // a line of air, and the keys
	}
	for _, line := range indented("", text, n) {
		lines = append(lines, m.theme.warning.Render(line))
	}
	return lines
}

func (c *connectView) qr(m *model, place Place) []string {
	dark, inverse := place.QR, place.QRInverse
	if c.tunnelShown(m) {
		dark, inverse = nil, nil
		if c.peer < len(c.peers) {
			dark, inverse = c.peers[c.peer].QR, c.peers[c.peer].QRInverse
		}
	}
	if !m.theme.colours {
		return inverse
	}
	out := make([]string, len(dark))
	for i, line := range dark {
		out[i] = m.theme.qr.Render(line)
	}
	return out
}

// text is what stands beside the code: where the proxy is and, until a device was
// seen, how to connect one; from then on what it has done.
func (c *connectView) text(m *model, place Place, n int) []string {
	t := &m.theme
	other := ""
	proxy := "  Proxy   " + t.title.Render(place.Host) + "  port " + t.title.Render(place.Port)
	if len(m.cfg.Connect.Places) > 1 && width(proxy)+22 <= n {
		other = t.dim.Render("  (n: another address)")
	}
	lines := []string{
		proxy + other,
		"  Page    " + t.title.Render(place.Page),
	}
	if m.cfg.Connect.Tunnel != nil {
		lines = append(lines, t.dim.Render("  t shows the tunnel, for every app"))
	}
	if addr, err := netip.ParseAddr(place.Host); err == nil && addr.IsLoopback() {
		for _, line := range indented("", "Only programs on this machine reach that address.", n) {
			lines = append(lines, t.warning.Render(line))
		}
	}
	guides := c.guides(m, place, n)
	if len(m.news.sum.Health.Devices) == 0 {
		return append(append(lines, guides...), "", t.dim.Render("  ○ Waiting for a device …"))
	}
	return append(append(lines, c.checks(m, place, n)...), guides...)
}

// guides draws the steps for each platform.
func (c *connectView) guides(m *model, place Place, n int) (lines []string) {
	for _, guide := range m.cfg.Connect.Guides(place) {
		lines = append(lines, "", "  "+m.theme.title.Render(guide.Name))
		for i, step := range guide.Steps {
			lines = append(lines, indented(string(rune('1'+i))+". ", step, n)...)
		}
	}
	return lines
}

// checks draws the list of steps of the device that is meant.
func (c *connectView) checks(m *model, place Place, n int) []string {
	device, _ := m.device()
	title := "  " + m.theme.title.Render(cut(m.shown("Device "+nameAndAddress(device)), n-2))
	lines := []string{"", title}
	if more := len(m.news.sum.Health.Devices) - 1; more > 0 {
		others := m.theme.dim.Render("  " + plural(more, "more device") + " (4)")
		if width(title)+width(others) <= n {
			lines[1] += others
		} else {
			lines = append(lines, others)
		}
	}
	checks := m.checklist(device, place)
	lines = append(lines, m.steps(checks, n)...)
	if !slices.ContainsFunc(checks, Check.open) {
		lines = append(lines, indented("", "Use the app now. 1 shows violations, 2 hosts, 3 flows.", n)...)
	}
	return lines
}

// checklist returns how far a device is in being connected.
func (m *model) checklist(device capture.Device, place Place) []Check {
	return m.cfg.Connect.Checklist(device, place, m.news.diagnoses[device.Addr], m.cfg.Now())
}

// open reports whether the step is still to be done.
func (c Check) open() bool { return c.State == CheckWaiting || c.State == CheckTrouble }

// steps draws a checklist.
func (m *model) steps(checks []Check, n int) (lines []string) {
	t := &m.theme
	for _, check := range checks {
		mark, style := checkMark(t, check.State)
		for i, part := range wrap(m.shown(check.Text), max(10, n-4)) {
			if i > 0 {
				mark = "  "
			}
			lines = append(lines, "  "+style.Render(mark+part))
		}
		for _, advice := range check.Advice {
			lines = append(lines, indented("  ", m.mask(false).text(advice), n)...)
		}
	}
	return lines
}

// checkMark returns how a state is shown.
func checkMark(t *theme, state CheckState) (mark string, style lipgloss.Style) {
	switch state {
	case CheckDone:
		return "✓ ", t.allowed
	case CheckSkipped:
		return "– ", t.dim
	case CheckTrouble:
		return "✗ ", t.violation
	}
	return "○ ", t.dim
}

// indented wraps a text behind its number.
func indented(number, text string, n int) []string {
	var lines []string
	for _, line := range plain.Lines(text) {
		for _, part := range wrap(line, max(10, n-2-len(number))) {
			lines = append(lines, "  "+number+part)
			number = strings.Repeat(" ", len(number))
		}
	}
	return lines
}
