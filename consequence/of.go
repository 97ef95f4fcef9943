package consequence

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"telltale/capture"
	"telltale/flow"
	"telltale/policy"
)

// maxRows bounds hosts, and kinds of requests, that are told apart.
const maxRows = 10_000

// Of returns what followed the experiments of a capture, nil where there was none. It reads
// the flows once, and twice where the capture does not tell when experiments were switched.
func Of(ctx context.Context, store *capture.Store) (*Result, error) {
	sum := store.Summary()
	if len(sum.Experiments) == 0 && sum.Altered == 0 {
		return nil, nil
	}
	story, err := store.Story(ctx)
	if err != nil {
		return nil, fmt.Errorf("what followed the experiments: %w", err)
	}
	each := func(judge bool, visit func(capture.Recorded)) error {
		return store.Scan(ctx, capture.ScanOptions{Judge: judge}, func(batch []capture.Recorded) error {
			for _, r := range batch {
				visit(r)
			}
			return nil
		})
	}
	r, err := of(story, each)
	if err != nil {
		return nil, fmt.Errorf("what followed the experiments: %w", err)
	}
	return r, nil
}

// of is Of for flows that each calls its argument with.
func of(story capture.Story, each func(judge bool, visit func(capture.Recorded)) error) (*Result, error) {
	switches, set := inOrder(story.Switches)
	derived := false
	if len(switches) == 0 || set {
		traces := newTraces()
		if err := each(false, func(r capture.Recorded) { traces.add(r.Flow) }); err != nil {
			return nil, err
		}
		if switches, derived = traces.switches(), true; len(switches) == 0 {
			return nil, nil
		}
	}
	a := newAnalysis(switches)
	if a.set = set; !derived {
		a.recorded = recordedOf(story)
	}
	if err := each(true, a.add); err != nil {
		return nil, err
	}
	if !derived {
		a.watched(story)
	}
	r := a.result()
	r.Derived, r.ClockSet = derived, a.set
	return r, nil
}

// An analysis counts flows by segment.
type analysis struct {
	segments []segment
	more     int
	slowed   bool // durations are wanted
	crowded  bool
	hosts    map[string]*hostTotal
	kinds    map[policy.Shape]*kindTotal
	totals   []total // of segments

	first, last time.Time // of flows
	recorded    recorded
	// inside counts flows in times that were recorded, outside others.
	inside, outside int
	set             bool // the clock was set back
	quiet           clock
}

// A total counts all contacts of one segment.
type total struct {
	flows, altered                int
	requests, abandoned, timeouts int
	clients                       clients // what is ignored left out
	// latest is that of the host that was contacted last, second that of another one: whether
	// a host is the only one that was contacted since some time.
	latest, second int64
	host           string
	refusals       []refusal // the first, in order
	cut            bool      // there were more
}

// A refusal is a contact that was taken.
type refusal struct {
	at     int64
	host   string
	client netip.Addr
}

func newAnalysis(switches []capture.Switch) *analysis {
	a := &analysis{hosts: map[string]*hostTotal{}, kinds: map[policy.Shape]*kindTotal{}}
	a.segments, a.more = segmentsOf(switches)
	a.totals = make([]total, len(a.segments))
	for _, s := range a.segments {
		a.slowed = a.slowed || isSlowed(s.experiments)
	}
	return a
}

// add counts one flow.
func (a *analysis) add(r capture.Recorded) {
	f := r.Flow
	if f.Times.Start.IsZero() || !f.IsContact() {
		return
	}
	i := find(a.segments, f.Times.Start)
	if i < 0 {
		return
	}
	what := fateOf(f)
	if s := a.segments; (what.taken || what.trusted || what.altered) && s[i].quiet() && i+1 < len(s) {
		i++ // it was under way when an experiment was switched on that took it
	}
	a.span(f)
	if a.recorded.covers(f.Times.Start) {
		a.inside++
	} else {
		a.outside++
	}
	at := f.Times.Start.UnixMicro()
	if from := a.segments[i].from; at < from.UnixMicro() && i > 0 {
		at = from.UnixMicro()
	}
	a.totals[i].add(f, what, at)
	ignored := r.Judgement.Verdict == policy.Ignored
	if !ignored {
		a.totals[i].clients.add(clientOf(f))
	}
	if h := a.host(f.Host()); h != nil {
		h.noise = h.noise && ignored
		h.row(i).add(f, what, at)
		if a.segments[i].quiet() && !f.IsPrelude() {
			h.quiet.add(at, tenth)
		}
	}
	if f.IsPrelude() {
		return
	}
	if k := a.kind(policy.ShapeOf(f)); k != nil {
		k.noise = k.noise && ignored
		k.row(i).add(f, what, at, a.slowed)
		if a.segments[i].quiet() {
			k.quiet.add(at, tenth)
		}
	}
}

// tenth is a tenth of a second in microseconds.
const tenth = 100_000

func (a *analysis) span(f *flow.Flow) {
	if a.first.IsZero() || f.Times.Start.Before(a.first) {
		a.first = f.Times.Start
	}
	for _, t := range [...]time.Time{f.Times.Start, f.Times.End} {
		if t.After(a.last) {
			a.last = t
		}
	}
}

// watched takes in how long the capture was recorded: what did not happen in that time did
// not happen.
func (a *analysis) watched(story capture.Story) {
	if s := story.Started; !s.IsZero() && (a.first.IsZero() || s.Before(a.first)) {
		a.first = s
	}
	end := story.Started.Add(story.Watched)
	if n := len(a.recorded); n > 0 {
		end = a.recorded[n-1].To
	}
	if end.After(a.last) {
		a.last = end
	}
}

// host returns the row of a host, nil where there is no room.
func (a *analysis) host(name string) *hostTotal {
	h := a.hosts[name]
	switch {
	case h != nil:
	case len(a.hosts) >= maxRows:
		a.crowded = true
	default:
		name = strings.Clone(name)
		h = &hostTotal{name: name, noise: true}
		a.hosts[name] = h
	}
	return h
}

// kind returns the row of a kind of request, nil where there is no room.
func (a *analysis) kind(shape policy.Shape) *kindTotal {
	k := a.kinds[shape]
	switch {
	case k != nil:
	case len(a.kinds) >= maxRows:
		a.crowded = true
	default:
		shape = policy.Shape{Host: strings.Clone(shape.Host), Method: strings.Clone(shape.Method), Path: strings.Clone(shape.Path)}
		k = &kindTotal{noise: true}
		a.kinds[shape] = k
	}
	return k
}

func (t *total) add(f *flow.Flow, what fate, at int64) {
	t.flows++
	if len(f.Experiments) > 0 {
		t.altered++
	}
	if f.Request != nil {
		t.requests++
		if f.Outcome == flow.Abandoned {
			t.abandoned++
		}
		if f.Failure == flow.FailureTimeout || f.Status() == 504 || f.Status() == 408 {
			t.timeouts++
		}
	}
	host := f.Host()
	switch {
	case host == t.host:
		t.latest = max(t.latest, at)
	case at > t.latest || t.host == "" || at == t.latest && host < t.host:
		t.second, t.latest, t.host = t.latest, at, strings.Clone(host)
	default:
		t.second = max(t.second, at)
	}
	if what.taken {
		t.refused(refusal{at, host, clientOf(f)})
	}
}

// maxRefusals is how many refusals of a stretch are kept to name the one before a contact.
const maxRefusals = 4096

func (t *total) refused(r refusal) {
	order := func(a, b refusal) int {
		if a.at != b.at {
			return int(max(min(a.at-b.at, 1), -1))
		}
		return cmp.Or(strings.Compare(a.host, b.host), a.client.Compare(b.client))
	}
	if n := len(t.refusals); n == maxRefusals {
		t.cut = true
		if order(r, t.refusals[n-1]) >= 0 {
			return
		}
		t.refusals = t.refusals[:n-1]
	}
	r.host = strings.Clone(r.host)
	i, _ := slices.BinarySearchFunc(t.refusals, r, order)
	t.refusals = slices.Insert(t.refusals, i, r)
}

func (r *hostRow) add(f *flow.Flow, what fate, at int64) {
	if f.IsPrelude() {
		r.addPrelude(f, what, at)
		return
	}
	r.flows++
	first := r.first
	if r.first.earliest(at, f.ID); r.first != first {
		r.firstClient = clientOf(f)
	}
	r.last.latest(at, f.ID)
	if what.open {
		r.open++
	}
	if what.trusted {
		r.trusted++
		r.firstTrusted.earliest(at, f.ID)
	}
	if !what.taken {
		r.untaken++
		r.firstUntaken.earliest(at, f.ID)
		switch {
		case what.altered:
			r.altered++
			r.firstAltered.earliest(at, f.ID)
		case what.answered:
			r.answered++
			r.firstAnswered.earliest(at, f.ID)
		}
		if what.good && !what.altered {
			r.good++
		}
		return
	}
	r.tries++
	r.lastTaken.latest(at, f.ID)
	switch {
	case what.distrusted:
		r.distrusted++
	case f.Outcome == flow.Blocked:
		r.blocked++
	case f.Outcome == flow.Simulated:
		r.simulated++
	}
	before := r.taken
	if r.taken.earliest(at, f.ID); r.taken != before {
		r.done, r.takenClient = doneTo(f), clientOf(f)
	}
	r.at.add(at, 1)
}

// addPrelude counts what only leads up to contacts.
func (r *hostRow) addPrelude(f *flow.Flow, what fate, at int64) {
	r.preludes++
	if !what.taken {
		r.questions.add(at, 1)
		if what.answered {
			r.preludesAnswered++
		}
		first := r.firstPrelude
		if r.firstPrelude.earliest(at, f.ID); r.firstPrelude != first {
			r.preludeClient = clientOf(f)
		}
		return
	}
	r.preludesTaken++
	r.lastPrelude.latest(at, f.ID)
	before := r.preludeTaken
	if r.preludeTaken.earliest(at, f.ID); r.preludeTaken != before {
		r.preludeDone, r.preludeBlocked, r.preludeTakenClient = doneTo(f), f.Outcome == flow.Blocked, clientOf(f)
	}
	r.preludeTries.add(at, 1)
}

// doneTo is what an experiment did to a flow, in words.
func doneTo(f *flow.Flow) string {
	if len(f.Altered) == 0 {
		return ""
	}
	return strings.Clone(f.Altered[len(f.Altered)-1])
}

func (r *kindRow) add(f *flow.Flow, what fate, at int64, lengths bool) {
	r.flows++
	r.first.earliest(at, f.ID)
	r.last.latest(at, f.ID)
	if !what.taken && !what.altered && !what.open {
		r.judged++
		if what.good {
			r.good++
		}
	}
	if what.answered && !what.taken {
		r.firstAnswered.earliest(at, f.ID)
	}
	if lengths && !what.taken && f.Ended() && f.Kind == flow.HTTP {
		r.lengths.add(f.Duration(), 1)
	}
}
