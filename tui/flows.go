package tui

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"

	tea "github.com/charmbracelet/bubbletea"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/plain"
	"telltale/policy"
	"telltale/policy/catalog"
)

// flowsView lists flows in the order in which they began. It holds a window of the
// capture around the cursor, never the capture: the next window is fetched before
// the cursor comes to the edge of this one.
type flowsView struct {
	rows   []flowRow // the window, in ID order
	cursor int       // in rows
	top    int       // first row on the screen, in rows
	height int
	follow bool // the newest flow has the cursor

	atStart, atEnd bool    // the window holds the first, or the newest, flow
	below          int     // flows that came since the person stopped following
	left           flow.ID // the newest flow when following stopped
	busy           bool    // a window is on its way
	stale          bool    // news came meanwhile
	widest         int     // columns of the longest host so far
	wanted         flow.ID // where the cursor goes with the next window; 0: it stays
}

// flowRow is one flow as the table shows it: harmless text, secrets masked.
type flowRow struct {
	id                                       flow.ID
	host                                     string
	time, method, status, protocol, hostText string
	path, size, duration, verdict, sender    string
	weight                                   policy.Verdict
	warning                                  bool
	open, failed                             bool
	altered                                  bool // by an experiment
	dimmed                                   bool // the device does it by itself
}

// flowsMsg is a window that was fetched.
type flowsMsg struct {
	at             flow.ID // around which it lies
	rows           []flowRow
	atStart, atEnd bool
	generation     int // of the search under which it was asked for
	err            error
}

// reach is how many screens the window has on each side of the cursor.
const reach = 4

var flowColumns = []column{
	{title: "", width: 1},
	{title: "TIME", width: 8, rank: 3},
	{title: "METHOD", width: 7, rank: 1},
	{title: "STATUS", width: 7},
	{title: "PROTO", width: 9, rank: 6},
	{title: "HOST", width: 24, flex: 2, host: true},
	{title: "PATH", width: 14, flex: 4, rank: 2},
	{title: "SIZE", width: 6, right: true, rank: 4},
	{title: "TOOK", width: 6, right: true, rank: 5},
	{title: "DEVICE", width: 14, flex: 1, rank: 8},
	{title: "VERDICT", width: 20, rank: 7},
}

// senderColumn is the index of DEVICE, which says nothing where there is one.
const senderColumn = 9

func (v *flowsView) resize(height int) {
	v.height = max(1, height)
	v.clamp()
}

func (v *flowsView) clamp() {
	v.cursor = max(0, min(v.cursor, len(v.rows)-1))
	v.top = max(0, min(v.top, v.cursor, len(v.rows)-v.height))
	if v.cursor >= v.top+v.height {
		v.top = v.cursor - v.height + 1
	}
}

// load fetches the window that the screen needs now. One is on its way at a time.
func (v *flowsView) load(m *model) tea.Cmd {
	if v.busy {
		v.stale = true
		return nil
	}
	v.busy, v.stale = true, false
	w := window{
		store: m.cfg.Store, ctx: m.ctx, size: reach * max(v.height, 10), ids: m.search.ids(), generation: m.search.generation,
		mask: m.mask(false), at: v.anchor(),
	}
	return w.fetch
}

// anchor returns the flow around which the next window lies; 0 is the newest.
func (v *flowsView) anchor() flow.ID {
	switch {
	case v.wanted != 0:
		return v.wanted
	case v.follow || len(v.rows) == 0:
		return newest
	}
	return v.rows[v.cursor].id
}

// newest stands for the end of the capture, first for its beginning.
const (
	newest flow.ID = 1<<63 - 1
	oldest flow.ID = 1
)

// window is one request to the capture.
type window struct {
	store      *capture.Store
	ctx        context.Context
	at         flow.ID
	size       int
	ids        []flow.ID // that the filter picks; nil: all
	generation int
	mask       mask
}

// fetch reads the flows on both sides of the anchor. It runs beside the loop.
func (w window) fetch() tea.Msg {
	msg := flowsMsg{at: w.at, generation: w.generation}
	var page []capture.Recorded
	if w.ids != nil {
		page, msg.atStart, msg.atEnd, msg.err = w.picked()
	} else {
		page, msg.atStart, msg.atEnd, msg.err = w.around()
	}
	msg.rows = make([]flowRow, len(page))
	for i, r := range page {
		msg.rows[i] = newFlowRow(r, w.mask)
	}
	return msg
}

func (w window) around() (page []capture.Recorded, atStart, atEnd bool, err error) {
	before := w.at
	if before != newest {
		before++ // with the anchor itself
	}
	page, err = w.store.Flows(w.ctx, capture.Query{Before: before, Last: true, Limit: w.size})
	atStart, atEnd = len(page) < w.size, w.at == newest
	if err != nil || atEnd {
		return page, atStart, atEnd, err
	}
	after, err := w.store.Flows(w.ctx, capture.Query{After: w.at, Limit: w.size})
	return append(page, after...), atStart, len(after) < w.size, err
}

// picked reads flows that the filter picked.
func (w window) picked() (page []capture.Recorded, atStart, atEnd bool, err error) {
	i, _ := slices.BinarySearch(w.ids, w.at)
	from, to := max(0, i-w.size), min(len(w.ids), i+w.size)
	if from == to {
		return nil, true, true, nil
	}
	page, err = w.store.Flows(w.ctx, capture.Query{IDs: w.ids[from:to], Limit: to - from})
	return page, from == 0, to == len(w.ids), err
}

// take takes over a window. The row under the cursor keeps its line.
func (v *flowsView) take(m *model, msg flowsMsg) tea.Cmd {
	v.busy = false
	if msg.err != nil {
		if m.ctx.Err() == nil {
			m.status = status{text: "cannot read the capture: " + msg.err.Error(), trouble: true}
		}
		return nil
	}
	if msg.generation != m.search.generation || !msg.serves(v) {
		return v.load(m) // asked for under another filter, or before the cursor went elsewhere
	}
	v.adopt(msg)
	v.countBelow(m)
	if v.stale {
		return v.load(m)
	}
	return nil
}

// serves reports whether the window is where the cursor is by now.
func (msg *flowsMsg) serves(v *flowsView) bool {
	at := v.anchor()
	if v.wanted != 0 || at == newest {
		return at == msg.at
	}
	n := len(msg.rows)
	return n == 0 || (msg.atStart || at >= msg.rows[0].id) && (msg.atEnd || at <= msg.rows[n-1].id)
}

// adopt replaces the rows and finds the cursor's place in them.
func (v *flowsView) adopt(msg flowsMsg) {
	line := v.cursor - v.top
	target := v.anchor()
	for i := v.top; i < min(len(v.rows), v.top+v.height); i++ {
		if v.rows[i].id == target {
			line, v.wanted = i-v.top, 0 // it is on the screen: it keeps its line
		}
	}
	v.rows, v.atStart, v.atEnd = msg.rows, msg.atStart, msg.atEnd
	for _, r := range v.rows {
		v.widest = max(v.widest, len(r.hostText))
	}
	i, _ := slices.BinarySearchFunc(v.rows, target, func(r flowRow, id flow.ID) int { return cmp.Compare(r.id, id) })
	v.cursor = min(i, len(v.rows)-1)
	switch {
	case target == newest:
		v.top = len(v.rows) - v.height
	case v.wanted != 0:
		v.top = v.cursor - v.height/2
	default:
		v.top = v.cursor - line
	}
	v.wanted = 0
	v.clamp()
}

// countBelow counts what the person has not seen because the list stays.
func (v *flowsView) countBelow(m *model) {
	if v.follow || !m.cfg.Live {
		v.left, v.below = m.news.last, 0
		return
	}
	if bottom := min(len(v.rows), v.top+v.height) - 1; bottom >= 0 {
		v.left = max(v.left, v.rows[bottom].id) // seen by now
	}
	if ids := m.search.ids(); ids != nil {
		i, _ := slices.BinarySearch(ids, v.left+1)
		v.below = len(ids) - i
		return
	}
	v.below = int(max(0, m.news.last-v.left))
}

// move moves the cursor and fetches the next window in time.
func (v *flowsView) move(m *model, by int) tea.Cmd {
	was := v.follow
	v.follow = false
	if was {
		v.left = m.news.last
	}
	v.cursor += by
	v.clamp()
	if by > 0 && v.atEnd && v.cursor == len(v.rows)-1 && m.cfg.Live {
		v.follow = true
	}
	v.countBelow(m)
	margin := v.height * (reach / 2)
	if !v.atStart && v.cursor < margin || !v.atEnd && v.cursor >= len(v.rows)-margin {
		return v.load(m)
	}
	return nil
}

// scroll moves what is shown; the cursor comes along where it must.
func (v *flowsView) scroll(m *model, by int) tea.Cmd {
	was := v.follow
	v.top = max(0, min(v.top+by, len(v.rows)-v.height))
	to := max(v.top, min(v.cursor, v.top+v.height-1))
	cmd := v.move(m, to-v.cursor)
	v.follow = v.follow || was && by > 0
	return cmd
}

// jump goes to a flow, the first one or the newest.
func (v *flowsView) jump(m *model, to flow.ID) tea.Cmd {
	v.follow = to == newest && m.cfg.Live
	if !v.follow {
		v.left = m.news.last
	}
	v.wanted = to
	return v.load(m)
}

func (v *flowsView) selected() (selection, bool) {
	if v.cursor < 0 || v.cursor >= len(v.rows) {
		return selection{}, false
	}
	r := v.rows[v.cursor]
	return selection{host: r.host, flow: r.id, listed: true}, true
}

func (v *flowsView) draw(m *model, screen, height int) []string {
	if len(v.rows) == 0 {
		return m.emptyText(screen, "No flow.")
	}
	columns, alone := flowColumns, len(m.news.sum.Health.Devices) < 2 || m.search.only.IsValid()
	if alone {
		columns = slices.Delete(slices.Clone(columns), senderColumn, senderColumn+1)
	}
	if m.withExperiments() || slices.ContainsFunc(v.rows, func(r flowRow) bool { return r.altered }) { // room for a second mark
		columns = slices.Clone(columns)
		columns[0].width++
	}
	widths := fitColumns(columns, screen-2, v.widest)
	place := v.place(m)
	head := cut(drawHead(&m.theme, columns, widths), screen-width(place)-1)
	lines := []string{sides(head, place, screen)}
	for i := v.top; i < min(len(v.rows), v.top+v.height) && len(lines) < height; i++ {
		cells := v.rows[i].cells(m)
		if alone {
			cells = slices.Delete(cells, senderColumn, senderColumn+1)
		}
		lines = append(lines, drawRow(&m.theme, columns, widths, cells, i == v.cursor))
	}
	return lines
}

// place says where in the list the screen is, and what it does not show.
func (v *flowsView) place(m *model) string {
	switch {
	case v.follow:
		return m.theme.allowed.Render("following ↓")
	case v.below > 0:
		return m.theme.warning.Render("↓ " + count(v.below) + " new (G)")
	}
	at, of := int(v.rows[v.cursor].id), int(m.news.last)
	if ids := m.search.ids(); ids != nil {
		i, _ := slices.BinarySearch(ids, v.rows[v.cursor].id)
		at, of = min(i+1, len(ids)), len(ids)
	}
	return m.theme.dim.Render(count(at) + "/" + count(of))
}

func newFlowRow(r capture.Recorded, secrets mask) flowRow {
	f := r.Flow
	row := flowRow{
		id: f.ID, host: f.Host(), time: clock(f.Times.Start), method: secrets.shown(f.Method()), protocol: secrets.shown(f.Protocol()),
		hostText: secrets.shown(withPort(f)), size: bytesText(f.BytesSent() + f.BytesReceived()), status: statusText(f),
		verdict: verdictWord(r.Judgement.Verdict, r.Judgement.Rule()), weight: r.Judgement.Verdict,
		open: !f.Ended(), failed: !harmless[f.Outcome], altered: len(f.Experiments) > 0,
	}
	if sender := deviceOf(f); sender.IsValid() {
		row.sender = sender.String()
	}
	if n, ok := catalog.NoiseOf(sighting(f)); ok && r.Judgement.Verdict != policy.Unjudged {
		row.verdict = marked(row.verdict, r.Judgement.Verdict, n.Class)
		row.dimmed = n.Class == catalog.ClassNoise && r.Judgement.Verdict != policy.Violation
	}
	if r.Judgement.Subtracted {
		row.verdict, row.dimmed = "with app closed, too", true
	}
	if f.Outcome == flow.Served {
		row.verdict = "set-up page"
	}
	if len(r.Judgement.Findings) > 0 {
		row.warning = r.Judgement.Findings[0].Severity == policy.SeverityWarning
	}
	row.path = plain.Text(withoutHost(secrets.url(f.URL()), f.Host()))
	if f.Request == nil || row.path == "" {
		row.path = secrets.shown(cmp.Or(wordless(f), f.Error, string(f.Outcome)))
	}
	if f.Ended() && f.Kind != flow.Contact {
		row.duration = durationText(f.Duration())
	}
	return row
}

// withPort names the server, with its port where that is none of the usual ones.
func withPort(f *flow.Flow) string {
	switch port := f.Port(); {
	case port == "", port == "80", port == "443", f.Kind == flow.DNS:
		return f.Host()
	default:
		return net.JoinHostPort(f.Host(), port)
	}
}

// statusText says how a flow ended in one word.
func statusText(f *flow.Flow) string {
	if f.Status() > 0 && (f.Outcome == flow.Completed || f.Outcome == flow.Open || f.Outcome == flow.Served || f.Outcome == flow.Blocked || f.Outcome == flow.Simulated) {
		return fmt.Sprint(f.Status())
	}
	if q := f.DNS; q != nil && f.Outcome == flow.Completed {
		switch word := codeWords[q.Code]; {
		case word != "":
			return word
		case q.Code == "NOERROR" && len(q.Answers) == 0:
			return "empty"
		}
	}
	return outcomeWords[f.Outcome]
}

// harmless are the outcomes of which nobody needs to be warned.
var harmless = map[flow.Outcome]bool{flow.Completed: true, flow.Seen: true, flow.QUICRefused: true}

// outcomeWords are the outcomes in a word that fits a table.
var outcomeWords = map[flow.Outcome]string{
	flow.Open:              "…",
	flow.Completed:         "done",
	flow.ClientRefused:     "refused",
	flow.ClientSilent:      "silent",
	flow.HandshakeFailed:   "no TLS",
	flow.UpstreamFailed:    "failed",
	flow.PassedThrough:     "passed",
	flow.Tunnelled:         "unread",
	flow.Blocked:           "blocked",
	flow.Simulated:         "faked",
	flow.DestinationDenied: "denied",
	flow.ClientDenied:      "denied",
	flow.Malformed:         "broken",
	flow.Abandoned:         "left",
	flow.Served:            "served",
	flow.QUICRefused:       "to TCP",
	flow.Seen:              "seen",
}

// cells returns the cells of flowColumns.
func (r *flowRow) cells(m *model) []cell {
	t := &m.theme
	style := t.verdictStyle(r.weight)
	mark := verdicts[r.weight].mark
	if r.warning {
		mark, style = "!", t.warning
	}
	state, title, text := t.bar, t.title, t.bar
	if r.dimmed {
		state, title, text = t.dim, t.dim, t.dim
	}
	if r.altered {
		mark += alteredMark
	}
	if r.open || r.failed {
		state = t.warning
	}
	return []cell{
		{mark, style},
		{r.time, t.dim},
		{r.method, text},
		{r.status, state},
		{r.protocol, t.dim},
		{r.hostText, title},
		{r.path, text},
		{r.size, text},
		{r.duration, t.dim},
		{plain.Text(m.nameOf(r.sender)), t.dim},
		{r.verdict, style},
	}
}

// toggleFollow follows new flows, or stops.
func (v *flowsView) toggleFollow(m *model) tea.Cmd {
	switch {
	case !m.cfg.Live:
		m.status = status{text: "nothing new comes into a capture that was recorded before"}
		return nil
	case v.follow:
		v.follow, v.left = false, m.news.last
		return nil
	}
	return v.jump(m, newest)
}
