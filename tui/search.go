package tui

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"telltale/capture"
	"telltale/capture/filter"
	"telltale/flow"
	"telltale/flow/plain"
	"telltale/policy"
)

// search is the filter: what was typed, and which flows it picks. It goes through
// the capture beside the loop, in parts, so that matches show while it is still at
// work, and goes on with the flows that come later. All views show what
// it picks: flows, and the hosts and violations that these flows belong to. A person
// may also want to see one device alone; then only its flows are picked.
type search struct {
	typed   string
	filter  *filter.Filter // nil: no filter
	off     bool           // kept, but not applied
	mistake error          // what is wrong with what is being typed; the former filter stays
	only    netip.Addr     // the device that is shown alone; invalid: every one
	quiet   bool           // questions of DNS are hidden: a device asks thousands

	narrowed, former string // what a key has put in the place of what was typed

	generation int // counts filters, so that answers to a former one are known
	found      found
	next       flow.ID     // everything up to it was looked at
	open       []flow.ID   // to be looked at again: had not ended, or were not there yet; sorted
	words      [][]flow.ID // for each word, the flows in which the index has it
	asked      time.Time   // when the index was asked for them
	busy       bool
	done       bool // has come to the end once
	fresh      bool // news came since the last look
	cancel     context.CancelFunc
}

// found is what a filter picks.
type found struct {
	ids        []flow.ID // ascending
	hosts      map[string]int
	violations map[string]int
	verdicts   map[string]hostVerdict // the heaviest of the flows of each host
	devices    map[netip.Addr]int     // what the filter picks of each, also where one is shown alone
}

func newFound() found {
	return found{ids: []flow.ID{}, hosts: map[string]int{}, violations: map[string]int{}, verdicts: map[string]hostVerdict{}, devices: map[netip.Addr]int{}}
}

const (
	// slice is how often a look at the capture tells what it has found.
	slice = 60 * time.Millisecond
	// wordsPace is how often flows that came later are searched for words: their
	// bodies are found by the index, which is asked as a whole.
	wordsPace = 2 * time.Second
)

// filters reports whether what was typed decides what is shown.
func (s *search) filters() bool { return s.filter != nil && !s.off }

// on reports whether a part of the capture is shown, not all of it.
func (s *search) on() bool { return s.filters() || s.restricted() }

// restricted reports whether a key has taken flows out of what is shown.
func (s *search) restricted() bool { return s.only.IsValid() || s.quiet }

// everything is the filter that picks every flow.
var everything, _ = filter.Parse("")

// applied returns the filter that flows have to pass, for a look of its own.
func (s *search) applied() *filter.Filter {
	if s.filters() {
		return s.filter.Clone()
	}
	return everything.Clone()
}

// hits returns what is picked; false when everything is shown.
func (s *search) hits() (found, bool) { return s.found, s.on() }

// ids returns the flows that are picked, nil when all are shown.
func (s *search) ids() []flow.ID {
	if !s.on() {
		return nil
	}
	return s.found.ids
}

// before returns what dropping a filter comes back to: what was typed before a key
// narrowed it, else nothing.
func (s *search) before(typed string) string {
	if s.narrowed == "" || typed != s.narrowed {
		return ""
	}
	s.narrowed = ""
	return s.former
}

// set takes over what was typed. A mistake leaves the former filter in force.
func (s *search) set(m *model, typed string) tea.Cmd {
	s.typed, s.mistake = typed, nil
	if typed == "" {
		s.off = false
		s.restart(nil)
		return m.applySearch()
	}
	f, err := filter.Parse(typed)
	if err != nil {
		s.mistake = err
		return nil
	}
	f.NameDevices(m.cfg.Store.DeviceOf)
	f.NameApps(m.cfg.Store.AppOf)
	s.off = false
	s.restart(f)
	return m.applySearch()
}

// restart forgets what was found and begins with another filter.
func (s *search) restart(f *filter.Filter) {
	s.stop()
	s.filter, s.found, s.next, s.open, s.words, s.asked = f, newFound(), 0, nil, nil, time.Time{}
	s.done = false
	s.generation++
}

// stop gives up the look that is under way.
func (s *search) stop() {
	if s.cancel != nil {
		s.cancel()
	}
	s.busy, s.cancel = false, nil
}

// toggle switches the filter off and on.
func (s *search) toggle(m *model) tea.Cmd {
	if s.filter == nil {
		m.status = status{text: "no filter: / makes one"}
		return nil
	}
	s.stop() // its answer would be of another generation
	s.off = !s.off
	s.generation++
	if s.restricted() { // flows are looked for in any case
		s.restart(s.filter)
	}
	return m.applySearch()
}

// restrict shows one device alone; an invalid address shows every one again.
func (s *search) restrict(m *model, only netip.Addr) tea.Cmd {
	s.only = only
	s.restart(s.filter)
	return m.applySearch()
}

// hideQuestions takes questions of DNS out of every list, or shows them again.
func (s *search) hideQuestions(m *model) tea.Cmd {
	s.quiet = !s.quiet
	m.status = status{text: "questions of DNS are shown again"}
	if s.quiet {
		m.status = status{text: "questions of DNS are hidden, in every list: h or esc shows them again"}
	}
	s.restart(s.filter)
	return m.applySearch()
}

// applySearch shows what a changed filter leaves.
func (m *model) applySearch() tea.Cmd {
	m.derive()
	return m.refresh()
}

// more goes on through the capture when there is something to look at.
func (s *search) more(m *model) tea.Cmd {
	if !s.on() || s.busy || s.done && (!s.fresh || s.next >= m.news.last && len(s.open) == 0) {
		return nil
	}
	words := s.filters() && s.filter.Words() != nil
	if s.done && words && m.cfg.Now().Sub(s.asked) < wordsPace {
		return nil // the next news asks again
	}
	ctx, cancel := context.WithCancel(m.ctx)
	s.busy, s.fresh, s.cancel = true, false, cancel
	if s.done {
		s.words = nil // what came since has to be asked for
	}
	if s.words == nil {
		s.asked = m.cfg.Now()
	}
	look := &look{
		ctx: ctx, store: m.cfg.Store, filter: s.applied(), only: s.only, quiet: s.quiet, words: s.words, after: s.next, again: s.open, generation: s.generation,
		parts: make(chan searchMsg, 1),
	}
	return tea.Batch(look.run, look.next)
}

// searchMsg is what a look has brought since its last one.
type searchMsg struct {
	generation int
	found      found
	words      [][]flow.ID
	next       flow.ID
	again      []flow.ID // were looked at again, before anything else
	open       []flow.ID
	more       tea.Cmd // waits for the next part; nil: the look is over
	err        error
}

// take takes over what a look brought.
func (s *search) take(m *model, msg searchMsg) tea.Cmd {
	if msg.generation != s.generation {
		return nil
	}
	if s.busy = msg.more != nil; !s.busy {
		s.stop() // nothing is under way, but its context is still there
	}
	if msg.err != nil {
		if m.ctx.Err() == nil {
			m.status = status{text: "the search stopped: " + msg.err.Error(), trouble: true}
		}
		return nil // the next news tries again
	}
	s.words = msg.words
	s.found.drop(msg.again)
	s.found.add(msg.found)
	if len(msg.again) > 0 {
		s.open = nil
	}
	s.next, s.open = max(s.next, msg.next), append(s.open, msg.open...)
	slices.Sort(s.open)
	s.done = s.done || !s.busy
	m.derive()
	return tea.Batch(m.refresh(), msg.more)
}

// drop takes flows out again. Who reads the former list keeps it.
func (f *found) drop(ids []flow.ID) {
	if len(ids) == 0 {
		return
	}
	f.ids = slices.DeleteFunc(slices.Clone(f.ids), func(id flow.ID) bool {
		_, gone := slices.BinarySearch(ids, id)
		return gone
	})
}

// add takes over more of what was found. Who reads the former list keeps it.
func (f *found) add(more found) {
	sorted := len(f.ids) == 0 || len(more.ids) == 0 || more.ids[0] > f.ids[len(f.ids)-1]
	if sorted {
		f.ids = append(f.ids, more.ids...)
	} else {
		f.ids = slices.Concat(f.ids, more.ids)
		slices.Sort(f.ids)
		f.ids = slices.Compact(f.ids)
	}
	for name, n := range more.hosts {
		f.hosts[name] += n
	}
	for id, n := range more.violations {
		f.violations[id] += n
	}
	for name, v := range more.verdicts {
		f.judge(name, v)
	}
	for addr, n := range more.devices {
		f.devices[addr] += n
	}
}

// shown returns what is filtered by. What a key has put there is text of the capture.
func (s *search) shown(m *model) string {
	if s.typed == s.narrowed {
		return m.shown(s.typed)
	}
	return plain.Text(s.typed)
}

// badge says on the line of the tabs which device is shown alone, what is filtered
// and how far the search is. What was typed gives way to the count, and the count to
// the name of the device.
func (s *search) badge(m *model, room int) string {
	only, typed := "", ""
	if s.only.IsValid() {
		only = "only " + plain.Text(m.nameOf(s.only.String()))
	}
	if s.quiet {
		only = strings.Join(nonEmpty("no DNS", only), ", ")
	}
	if s.filter != nil && (!s.off || only == "") {
		typed = "/" + s.shown(m)
	}
	if only == "" && typed == "" {
		return ""
	}
	style, state := m.theme.warning, plural(len(s.found.ids), "flow")
	switch {
	case !s.on():
		style, state = m.theme.dim, "(off)"
	case typed != "" && s.mistake != nil:
		state = "?"
	case !s.done:
		state = fmt.Sprintf("%s, %d %%", count(len(s.found.ids)), s.percent(m))
	}
	if only != "" && typed != "" {
		only = cut(only, max(13, room/2))
	}
	text := strings.Join(nonEmpty(only, typed), " ")
	if only != "" && width(only)+width(state)+2 > room {
		return style.Render(cut(text, room))
	}
	return style.Render(cut(text, max(2, room-width(state)-2)) + "  " + state)
}

func (s *search) percent(m *model) int64 {
	if m.news.last == 0 {
		return 0
	}
	return min(99, int64(s.next)*100/int64(m.news.last))
}

func (f *found) take(r capture.Recorded) {
	f.ids = append(f.ids, r.Flow.ID)
	if r.Judgement.Host != "" {
		f.hosts[r.Judgement.Host]++
		f.judge(r.Judgement.Host, verdictOf(r.Judgement))
	}
	if r.Judgement.Verdict != policy.Violation {
		return
	}
	for _, finding := range r.Judgement.Findings {
		f.violations[finding.Fingerprint()]++
	}
}

// hostVerdict is the verdict of flows to a host, and the rule that they break.
type hostVerdict struct {
	verdict policy.Verdict
	rule    policy.Rule
	grave   bool // it is more than a warning
}

func verdictOf(j policy.Judgement) hostVerdict {
	return hostVerdict{j.Verdict, j.Rule(), len(j.Findings) > 0 && j.Findings[0].Severity == policy.SeverityError}
}

// judge keeps the heavier verdict of a host, of equals the first.
func (f *found) judge(host string, v hostVerdict) {
	was, ok := f.verdicts[host]
	heavier := v.verdict.Weight() - was.verdict.Weight()
	if !ok || heavier > 0 || heavier == 0 && v.grave && !was.grave {
		f.verdicts[host] = v
	}
}

// again starts the filter anew: what it picks may depend on the policy.
func (s *search) again() { s.restart(s.filter) }
