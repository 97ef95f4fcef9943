package tui

import (
	"context"
	"slices"

	tea "github.com/charmbracelet/bubbletea"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/plain"
	"telltale/policy"
)

// detail shows one flow, on tabs. It stands over the view from which it was opened
// and steps through the flows of that view.
type detail struct {
	from     selection // what was opened
	recorded *capture.Recorded
	judged   *policy.Policy // in force when it was read; nil: not all flows were judged yet
	frames   []flow.Frame
	trouble  string // why a part could not be loaded
	tab      int
	revealed bool
	busy     bool

	width, height int
	lines         []string // of the tab, wrapped
	written       written  // what they are of
	top           int
}

// written says what the lines of a detail are of.
type written struct {
	recorded  *capture.Recorded
	tab       int
	width     int
	revealed  bool
	policy    *policy.Policy
	explained explanation
	said      int64 // as model.saidOf
	altered   int   // as model.sharesOf
}

// linesMsg are the lines of a tab, written beside the loop: a body of a megabyte
// takes a while.
type linesMsg struct {
	written written
	lines   []string
}

// tabs of the detail. A tab draws its lines for a width.
var detailTabs = []struct {
	name string
	draw func(p *paper, d *detail)
}{
	{"Why", drawWhy},
	{"Request", drawRequest},
	{"Response", drawResponse},
	{"TLS", drawTLS},
	{"Timing", drawTiming},
}

// maxFrames is how many WebSocket messages a detail shows.
const maxFrames = 500

// detailMsg is a flow that was loaded with its bodies.
type detailMsg struct {
	of       *detail
	recorded *capture.Recorded
	judged   *policy.Policy // in force when the reading began
	frames   []flow.Frame
	err      error
	none     bool // there is no flow further in that direction
}

// openDetail opens what the cursor stands on.
func (m *model) openDetail() tea.Cmd {
	if m.view == inDevices {
		m.openPage()
		return nil
	}
	s, ok := m.selected()
	if !ok || m.detail != nil {
		return nil
	}
	if s.domain {
		return m.onlyThis()
	}
	m.list().hold()
	if m.view == inFlows && m.flows.follow { // to come back to where it was opened
		m.flows.follow, m.flows.left = false, m.news.last
	}
	m.detail = &detail{from: s}
	m.layout()
	return m.detail.load(m, func(l loader) (flow.ID, error) { return l.start(s) })
}

// load finds a flow and reads it with its bodies, beside the loop.
func (d *detail) load(m *model, find func(loader) (flow.ID, error)) tea.Cmd {
	if d.busy {
		return nil
	}
	d.busy = true
	l := loader{m.ctx, m.cfg.Store, m.search.ids()}
	msg := detailMsg{of: d, judged: m.desk.policy}
	if m.loading != nil {
		msg.judged = nil
	}
	return func() tea.Msg {
		id, err := find(l)
		if err != nil || id == 0 {
			msg.err, msg.none = err, err == nil
			return msg
		}
		msg.recorded, msg.frames, msg.err = l.flow(id)
		return msg
	}
}

// refresh reads a flow again that has not ended or was judged anew.
func (d *detail) refresh(m *model) tea.Cmd {
	if d.recorded == nil || d.recorded.Flow.Ended() && d.judged == m.desk.policy {
		return nil
	}
	id := d.recorded.Flow.ID
	return d.load(m, func(loader) (flow.ID, error) { return id, nil })
}

// step goes to the next or previous flow of what was opened.
func (d *detail) step(m *model, by int) tea.Cmd {
	if d.recorded == nil {
		return nil
	}
	from, at := d.from, d.recorded.Flow.ID
	return d.load(m, func(l loader) (flow.ID, error) { return l.beside(from, at, by) })
}

// takeDetail takes over a flow that was loaded.
func (m *model) takeDetail(msg detailMsg) tea.Cmd {
	d := m.detail
	if d == nil || d != msg.of {
		return nil // it was closed meanwhile
	}
	d.busy = false
	switch {
	case msg.none && d.recorded == nil:
		m.detail = nil
		m.status = status{text: "the capture holds no flow of it"}
	case msg.none:
		m.status = status{text: "no flow further in this direction"}
	case msg.err != nil && msg.recorded == nil:
		m.detail = nil
		m.status = status{text: "cannot read the flow: " + msg.err.Error(), trouble: true}
	default:
		if d.recorded == nil || d.recorded.Flow.ID != msg.recorded.Flow.ID {
			d.top, d.revealed = 0, false
		}
		d.recorded, d.frames, d.judged, d.trouble = msg.recorded, msg.frames, msg.judged, ""
		if msg.err != nil {
			d.trouble = msg.err.Error()
		}
		if m.view == inFlows {
			m.flows.wanted = msg.recorded.Flow.ID
		}
		return d.write(m)
	}
	m.layout()
	return nil
}

func (d *detail) selection() selection {
	s := d.from
	if d.recorded != nil {
		s.flow, s.host = d.recorded.Flow.ID, d.recorded.Flow.Host()
	}
	return s
}

func (d *detail) turn(m *model, by int) tea.Cmd {
	d.tab = (d.tab + by + len(detailTabs)) % len(detailTabs)
	d.top, d.lines = 0, nil
	return d.write(m)
}

// reveal shows secrets, or hides them again.
func (d *detail) reveal(m *model) tea.Cmd {
	if m.cfg.Reveal {
		m.status = status{text: "secrets are shown everywhere: --reveal was given"}
		return nil
	}
	d.revealed = !d.revealed
	m.status = status{text: "secrets are masked again"}
	if d.revealed {
		m.status = status{text: "secrets of this flow are shown: r masks them again"}
	}
	return d.write(m)
}

func (d *detail) resize(width, height int) {
	d.width, d.height = width, height
	d.scroll(0)
}

func (d *detail) scroll(by int) { d.top = max(0, min(d.top+by, len(d.lines)-d.room())) }

// room returns how many lines of the tab fit below the title and the tabs.
func (d *detail) room() int { return max(1, d.height-2) }

// asked returns what the lines should be of.
func (d *detail) asked(m *model) written {
	_, said := m.saidOf(d.recorded.Judgement)
	_, altered := m.sharesOf(d)
	return written{d.recorded, d.tab, d.width, d.revealed, m.desk.policy, m.explain(d.recorded.Flow), said, altered}
}

// write writes the tab, beside the loop; scrolling only cuts from it.
func (d *detail) write(m *model) tea.Cmd {
	if d.recorded == nil || d.width == 0 {
		return nil
	}
	of, shown := d.asked(m), *d
	said, _ := m.saidOf(d.recorded.Judgement)
	shares, _ := m.sharesOf(d)
	p := &paper{shares: shares, theme: &m.theme, width: d.width - 2, mask: m.mask(d.revealed), said: said, policy: m.desk.policy, explained: of.explained, apps: m.cfg.Store.Attribution(), now: m.news.at, timer: m.timerOf(d.recorded.Flow.Host())}
	return func() tea.Msg {
		detailTabs[of.tab].draw(p, &shown)
		return linesMsg{of, p.lines}
	}
}

// takeLines takes over a tab that was written, unless another one is shown by now.
func (m *model) takeLines(msg linesMsg) tea.Cmd {
	if d := m.detail; d != nil && d.recorded != nil && msg.written == d.asked(m) {
		d.lines, d.written = msg.lines, msg.written
		d.scroll(0)
	}
	return nil
}

func (d *detail) draw(m *model, width int) []string {
	t := &m.theme
	if d.recorded == nil {
		return []string{"", "  …"}
	}
	lines := []string{d.title(m, width), d.tabLine(t, width)}
	for i := d.top; i < min(len(d.lines), d.top+d.room()); i++ {
		lines = append(lines, " "+d.lines[i])
	}
	return lines
}

// title names the flow: its verdict, number, method and URL.
func (d *detail) title(m *model, screen int) string {
	f, v := d.recorded.Flow, d.recorded.Judgement.Verdict
	mark := verdicts[v].mark
	if len(f.Experiments) > 0 {
		mark += alteredMark
	}
	text := mark + " " + f.Method() + " " + m.mask(d.revealed).url(f.URL())
	end := " → " + statusText(f)
	more := ""
	if hidden := len(d.lines) - d.room(); hidden > 0 {
		more = m.theme.dim.Render(percentText(d.top, hidden))
	}
	return sides(m.theme.verdictStyle(v).Render(cut(plain.Text(text), screen-6-width(end))+end), more, screen)
}

func (d *detail) tabLine(t *theme, width int) string {
	line := ""
	for i, tab := range detailTabs {
		if i == d.tab {
			line += t.title.Render("[" + tab.name + "]")
		} else {
			line += t.dim.Render(" " + tab.name + " ")
		}
	}
	return sides(line, t.dim.Render("flow "+count(int(d.recorded.Flow.ID))+"  esc back "), width)
}

// click opens the tab at a column.
func (d *detail) click(m *model, column int) tea.Cmd {
	at := 0
	for i, tab := range detailTabs {
		at += width(tab.name) + 2
		if column < at {
			return d.turn(m, i-d.tab)
		}
	}
	return nil
}

// loader reads flows for a detail.
type loader struct {
	ctx   context.Context
	store *capture.Store
	ids   []flow.ID // that the filter picks; nil: all
}

// start returns the flow with which something opens.
func (l loader) start(s selection) (flow.ID, error) {
	switch {
	case s.violation != nil && l.ids != nil:
		return pick(l.picked(s.violation), newest, -1), nil
	case s.flow != 0:
		return s.flow, nil
	}
	return l.one(capture.Query{Host: s.host, Last: true})
}

// beside returns the flow before or behind another one: of the violation, of the
// host, of what the filter picks, or of all. 0: there is none.
func (l loader) beside(s selection, at flow.ID, by int) (flow.ID, error) {
	q := capture.Query{After: at}
	if by < 0 {
		q = capture.Query{Before: at, Last: true}
	}
	switch {
	case s.violation != nil:
		return pick(l.picked(s.violation), at, by), nil
	case s.listed && l.ids != nil:
		return pick(l.ids, at, by), nil
	case !s.listed:
		q.Host = s.host
	}
	return l.one(q)
}

// pick returns the ID beside another one in ascending order, 0 for none.
func pick(ids []flow.ID, at flow.ID, by int) flow.ID {
	i, found := slices.BinarySearch(ids, at)
	if by < 0 || found {
		i += by
	}
	if i < 0 || i >= len(ids) {
		return 0
	}
	return ids[i]
}

// picked returns the flows of a violation, as far as the filter picks them.
func (l loader) picked(v *capture.Violation) []flow.ID {
	ids := make([]flow.ID, 0, len(v.Flows)+1)
	for _, r := range v.Flows {
		ids = append(ids, r.ID)
	}
	ids = append(ids, v.LastFlow) // of more than can be listed, the newest all the same
	slices.Sort(ids)
	return slices.DeleteFunc(slices.Compact(ids), func(id flow.ID) bool { return !l.picks(id) })
}

// picks reports whether the filter picks a flow.
func (l loader) picks(id flow.ID) bool {
	_, found := slices.BinarySearch(l.ids, id)
	return l.ids == nil || found
}

// one returns the first flow that the query and the filter pick, or the last one where the query
// wants that. 0: there is none.
func (l loader) one(q capture.Query) (flow.ID, error) {
	if q.Limit = 1; l.ids != nil {
		q.Limit = 500
	}
	for {
		page, err := l.store.Flows(l.ctx, q)
		if err != nil {
			return 0, err
		}
		if q.Last {
			slices.Reverse(page)
		}
		for _, r := range page {
			if l.picks(r.Flow.ID) {
				return r.Flow.ID, nil
			}
		}
		if len(page) < q.Limit {
			return 0, nil
		}
		if end := page[len(page)-1].Flow.ID; q.Last {
			q.Before = end
		} else {
			q.After = end
		}
	}
}

// flow reads a flow with its bodies and messages. What cannot be read of them
// leaves the rest.
func (l loader) flow(id flow.ID) (*capture.Recorded, []flow.Frame, error) {
	r, err := l.store.Flow(l.ctx, id)
	if err != nil {
		return nil, nil, err
	}
	f := *r.Flow
	r.Flow = &f
	var troubles [3]error
	if f.Request != nil {
		request := *f.Request
		request.Body.Content, troubles[0] = l.store.Content(l.ctx, request.Body)
		f.Request = &request
	}
	if f.Response != nil {
		response := *f.Response
		response.Body.Content, troubles[1] = l.store.Content(l.ctx, response.Body)
		f.Response = &response
	}
	var frames []flow.Frame
	if f.Kind == flow.WebSocket {
		frames, troubles[2] = l.store.Frames(l.ctx, id, 0, maxFrames)
	}
	for _, trouble := range troubles {
		if trouble != nil {
			return &r, frames, trouble
		}
	}
	return &r, frames, nil
}
