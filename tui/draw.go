package tui

import (
	"fmt"
	"strings"
	"time"

	"telltale/capture"
	"telltale/flow/plain"
)

// Below tiny lines the screen keeps to the verdict and the list.
const tiny = 14

// area is how the lines of the screen are shared out.
type area struct {
	head, body, panel, foot int
}

// split shares the lines out. A panel takes what it needs and leaves a row.
func (m *model) split() area {
	a := area{head: 3, foot: len(m.drawFoot())}
	switch {
	case m.height < tiny:
		a.head = 2
	case m.bannered():
		a.head = 4
	}
	if m.height < 6 {
		a.foot = 0
	}
	left := max(1, m.height-a.head-a.foot)
	if m.panel != nil {
		want := len(m.panel.lines(m, m.width, left))
		a.panel = min(want, max(1, left-2))
	}
	a.body = max(1, left-a.panel)
	return a
}

// layout tells the parts their sizes.
func (m *model) layout() {
	body := m.split().body
	rows := max(1, body-1) // below the titles of the table
	m.violations.list.resize(rows)
	m.hosts.list.resize(rows)
	m.flows.resize(rows)
	m.devices.list.resize(rows)
	if m.detail != nil {
		m.detail.resize(m.width, body)
	}
	if m.page != nil {
		m.page.resize(body)
	}
}

// draw returns the lines of the screen, exactly as many as it has.
func (m *model) draw() []string {
	a := m.split()
	lines := screen(m.drawHead(a.head), m.width, a.head)
	lines = append(lines, screen(m.drawBody(a.body), m.width, a.body)...)
	if a.panel > 0 {
		lines = append(lines, screen(m.panel.lines(m, m.width, a.panel), m.width, a.panel)...)
	}
	if a.foot > 0 {
		lines = append(lines, m.drawFoot()...)
	}
	return lines[:min(len(lines), m.height)]
}

func (m *model) drawBody(height int) []string {
	switch {
	case m.detail != nil:
		return m.detail.draw(m, m.width)
	case m.page != nil:
		return m.page.draw(m, m.width)
	case m.loading != nil && m.news.sum.Flows == 0:
		return m.loading.draw(m, m.width)
	}
	switch m.view {
	case inConnect:
		return m.connect.draw(m, m.width, height)
	case inViolations:
		return m.violations.draw(m, m.width, height)
	case inHosts:
		return m.hosts.draw(m, m.width, height)
	case inDevices:
		return m.devices.draw(m, m.width, height)
	}
	return m.flows.draw(m, m.width, height)
}

// emptyText says why a view has no rows.
func (m *model) emptyText(width int, text string) []string {
	switch {
	case m.news.err != nil:
		text = "The capture cannot be read: " + m.shown(m.news.err.Error())
	case m.search.filters() && m.search.done:
		text = "Nothing here matches the filter: f switches it off, esc drops it."
	case m.search.quiet && !m.search.only.IsValid() && m.search.done:
		text = "Nothing but questions of DNS is here: h shows them again."
	case m.search.on() && m.search.done:
		text = "Nothing of " + plain.Text(m.nameOf(m.search.only.String())) + " is here: esc shows every device again."
	case m.search.on():
		text = "Searching …"
	case m.news.sum.Flows == 0 && m.cfg.Live:
		text = "Nothing was seen yet. c shows how to connect a device."
	}
	return m.dimText(width, text)
}

// dimText stands where a view has no rows.
func (m *model) dimText(width int, text string) []string {
	lines := []string{""}
	for _, line := range wrap(text, max(10, width-4)) {
		lines = append(lines, "  "+m.theme.dim.Render(line))
	}
	return lines
}

// drawHead draws the verdict, the figures and the tabs. On a small screen the
// verdict and the figures share a line.
func (m *model) drawHead(height int) []string {
	verdict := m.verdictLine(m.width)
	if height < 3 {
		room := m.width - width(verdict) - 1
		right := fitParts(m.alarms(), room)
		if right == "" {
			right = m.figures(room)
		}
		return []string{sides(verdict, right, m.width), m.tabs()}
	}
	lines := []string{sides(verdict, m.recording(m.width-width(verdict)-2), m.width), m.figures(m.width)}
	if height > 3 {
		lines = append(lines, m.banner(m.width))
	}
	return append(lines, m.tabs())
}

// verdictText says the verdict of this moment. Details give way where there is no room.
func (m *model) verdictText(room int) string {
	s, t := m.news.sum, &m.theme
	switch {
	case m.loading != nil:
		return t.title.Render("… READING")
	case len(s.Violations) > 0:
		word := "VIOLATIONS"
		if len(s.Violations) == 1 {
			word = "VIOLATION"
		}
		return t.violation.Render(fmt.Sprintf("✗ %s %s", count(len(s.Violations)), word) + m.besideVerdict(false))
	case s.Flows == 0 && !m.cfg.Live:
		return t.warning.Render("? NOTHING RECORDED")
	case s.Flows == 0:
		return t.warning.Render("? NOTHING SEEN YET")
	}
	style, text, detail := t.allowed, "✓ CLEAN", ""
	if n := unread(s); n > 0 {
		style, detail = t.warning, fmt.Sprintf(", but %s not readable", count(n))
	}
	if m.unproven {
		style, text, detail = t.warning, "? INCONCLUSIVE", ", not all could be read"
	}
	if beside := m.besideVerdict(true); beside != "" {
		style, text = t.warning, text+beside
		if width(text+detail) > room {
			detail = ""
		}
	}
	return style.Render(text + detail)
}

// unread counts the connections whose content could not be read.
func unread(s capture.Summary) (n int) {
	for _, outcomes := range s.Health.Unread {
		for _, c := range outcomes {
			n += c
		}
	}
	return n
}

// recording says which capture this is, under which policy, and how well it does.
func (m *model) recording(room int) string {
	t := &m.theme
	parts := m.alarms()
	if m.news.phase != "" {
		parts = append(parts, t.waived.Render("phase: "+m.shown(m.news.phase)))
	}
	parts = append(parts, t.dim.Render(m.shown(m.cfg.Capture)))
	if m.cfg.Live && m.news.err == nil {
		parts = append(parts, t.violation.Render("●")+" rec "+m.elapsed())
	}
	return fitParts(parts, room)
}

// alarms say what a person must not miss: trouble, and what leaving would lose.
func (m *model) alarms() (parts []string) {
	t := &m.theme
	switch {
	case m.news.err != nil:
		parts = append(parts, t.violation.Render("! recording stopped"))
	case len(m.news.problems) > 0:
		parts = append(parts, t.warning.Render("! "+plural(len(m.news.problems), "problem")))
	}
	if alarm := m.coverageAlarm(); alarm != "" {
		parts = append(parts, alarm)
	}
	if alarm := m.toldAlarm(); alarm != "" {
		parts = append(parts, alarm)
	}
	if m.desk.unsaved() {
		parts = append(parts, t.warning.Render("● policy not written (w)"))
	}
	if m.trouble.count > 0 && !m.bannered() && m.page == nil {
		parts = append(parts, t.warning.Render("! "+diagnosesText(m.trouble.count)+" (D)"))
	}
	return parts
}

// fitParts joins the parts that there is room for; the first ones matter most.
func fitParts(parts []string, room int) string {
	line := ""
	for _, part := range parts {
		joined := part
		if line != "" {
			joined = line + "  " + part
		}
		if width(joined) <= room {
			line = joined
		}
	}
	return line
}

func (m *model) elapsed() string {
	if m.news.sum.First.IsZero() {
		return "waiting"
	}
	return m.news.at.Sub(m.news.sum.First).Truncate(time.Second).String()
}

// figures are the totals, the most important ones first.
func (m *model) figures(room int) string {
	s, t := m.news.sum, &m.theme
	parts := []string{plural(s.Flows, "flow"), plural(len(s.Hosts), "host"), plural(len(s.Health.Devices), "device")}
	if m.cfg.Live {
		parts = append(parts, m.rate.String())
	}
	if n := m.news.told.Waiting; n > 0 {
		parts = append(parts, plural(n, "message")+" waiting")
	}
	if s.Health.Open > 0 {
		parts = append(parts, count(s.Health.Open)+" open")
	}
	if n := unread(s); n > 0 {
		parts = append(parts, count(n)+" not readable")
	}
	if s.Health.Failed > 0 {
		parts = append(parts, count(s.Health.Failed)+" failed")
	}
	line := ""
	for i, p := range parts {
		if i > 0 {
			p = " · " + p
		}
		if width(line+p) > room {
			return t.dim.Render(line)
		}
		line += p
	}
	if policy := " · policy: " + plain.Text(m.desk.policy.Name()); room-width(line) >= 24 {
		line += cut(policy, room-width(line))
	}
	return t.dim.Render(line)
}

// A tab is a view that a click on the tab line opens.
type tab struct {
	view scope
	text string // with the margin that shows which one is open
}

// tabLengths are the forms of the tabs that are not open, the longest first.
var tabLengths = []func(key, name, count string) string{
	func(key, name, count string) string { return strings.TrimSpace(key + " " + name + " " + count) },
	func(key, name, _ string) string { return key + " " + name },
	func(key, _, _ string) string { return key },
}

// tabRow returns the tabs as long as there is room, and what is shown of all beside
// them. The open one always has its name.
func (m *model) tabRow() (tabs []tab, badge string) {
	wish := width(m.search.badge(m, m.width))
	if wish > 0 {
		least := m.width / 4
		if m.search.filter != nil { // what was typed is longer than a name
			least = m.width / 2
		}
		wish = min(wish, least) + 1
	}
	used := 0
	for _, form := range tabLengths {
		tabs, used = m.tabList(form), 0
		for _, tab := range tabs {
			used += width(tab.text)
		}
		if used+wish <= m.width {
			break
		}
	}
	return tabs, m.search.badge(m, max(m.width/4, m.width-used-1))
}

func (m *model) tabList(closed func(key, name, count string) string) []tab {
	s := m.news.sum
	var tabs []tab
	add := func(view scope, key, name, count string) {
		text := " " + closed(key, name, count) + " "
		if view == m.view {
			text = "[" + tabLengths[0](key, name, count) + "]"
		}
		tabs = append(tabs, tab{view, text})
	}
	add(inViolations, "1", "Violations", count(len(s.Violations)))
	add(inHosts, "2", "Hosts", count(len(s.Hosts)))
	add(inFlows, "3", "Flows", count(s.Flows))
	add(inDevices, "4", "Devices", count(len(s.Health.Devices)))
	if m.cfg.Connect != nil {
		add(inConnect, "c", "Connect", "")
	}
	return tabs
}

func (m *model) tabs() string {
	var b strings.Builder
	tabs, badge := m.tabRow()
	for _, tab := range tabs {
		style := m.theme.dim
		if tab.view == m.view {
			style = m.theme.title
		}
		b.WriteString(style.Render(tab.text))
	}
	if badge == "" {
		return b.String()
	}
	return sides(cut(b.String(), m.width-width(badge)-1), badge, m.width)
}

// tabAt returns the view whose tab stands at a column, 0 for none.
func (m *model) tabAt(column int) scope {
	tabs, _ := m.tabRow()
	at := 0
	for _, tab := range tabs {
		at += width(tab.text)
		if column < at {
			return tab.view
		}
	}
	return 0
}

// drawFoot draws the bottom: what happened, in a few lines where it needs them,
// else what can be done.
func (m *model) drawFoot() []string {
	const most = 3
	style, text := m.theme.bar, m.mask(m.detail != nil && m.detail.revealed).shown(m.status.text)
	switch {
	case text == "" && m.panel != nil:
		return nil // the panel says which keys there are
	case text == "":
		return []string{hints(&m.theme, m.scope(), m.width)}
	case m.status.trouble:
		style, text = m.theme.violation, "! "+text
	}
	lines := wrap(text, m.width)
	switch {
	case m.height < tiny:
		lines = []string{text}
	case len(lines) > most:
		lines = append(lines[:most-1], strings.Join(lines[most-1:], " "))
	}
	for i := range lines {
		lines[i] = style.Render(cut(lines[i], m.width))
	}
	return lines
}

// rate is how many flows a second came in lately.
type rate struct {
	seen []sample
}

type sample struct {
	at    time.Time
	flows int
}

// rateWindow is what lately means.
const rateWindow = 5 * time.Second

func (r *rate) add(at time.Time, flows int) {
	r.seen = append(r.seen, sample{at, flows})
	for len(r.seen) > 2 && at.Sub(r.seen[1].at) >= rateWindow {
		r.seen = r.seen[1:]
	}
}

func (r *rate) perSecond() float64 {
	if len(r.seen) < 2 {
		return 0
	}
	first, last := r.seen[0], r.seen[len(r.seen)-1]
	seconds := last.at.Sub(first.at).Seconds()
	if seconds <= 0 {
		return 0
	}
	return float64(last.flows-first.flows) / seconds
}

func (r *rate) String() string {
	n := r.perSecond()
	if n > 0 && n < 10 {
		return fmt.Sprintf("%.1f/s", n)
	}
	return fmt.Sprintf("%.0f/s", n)
}
