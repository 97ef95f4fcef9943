package compare

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"telltale/policy"
)

// Question is what has to be known before a violation that does not show any more may
// be called fixed.
type Question string

// The questions, in the order in which they are asked. Each is put where it applies.
const (
	// WasRead asks whether the capture after could be read to its end.
	WasRead Question = "read-to-the-end"
	// WasObserved asks whether it was recorded without experiments, which may be what keeps
	// something from happening. It is put where the answer is no, and not where the capture
	// before was recorded with the same.
	WasObserved Question = "without-experiments"
	// WasUsed asks whether it has flows of the app.
	WasUsed Question = "same-app"
	// WasAnswered asks whether most of its exchanges completed: an app that gets no
	// answers does not do what it does elsewhere. It is put where the answer is no.
	WasAnswered Question = "answered"
	// WasContacted asks of a rule about content whether the host was contacted and
	// could be read, and of one about contacts whether it was left alone: so too of a
	// rule about content where the contact itself broke the policy.
	WasContacted Question = "host"
	// WasInPhase asks whether it has one of the phases in which the violation
	// happened, where it happened in no other time.
	WasInPhase Question = "same-phase"
	// WasLongEnough asks whether the app was in use for as long as it took before.
	WasLongEnough Question = "long-enough"
	// WasDone asks whether the app did the nearest and at least half of what it did before the
	// violation, where that was regular.
	WasDone Question = "same-use"
	// WasReadable asks whether most connections to the hosts of that could be read.
	WasReadable Question = "readable"
)

// An Answer is the answer to one question, with what it goes by. Fields that do not
// belong to the question are zero.
type Answer struct {
	Question Question
	Yes      bool // it speaks for a fix

	// WasUsed: the app, and its flows in the capture after. App is "" where anybody's
	// flows count, and OwnApp is set where it is the app that the policy names.
	App    string
	OwnApp bool
	Flows  int
	// WasContacted, WasReadable, WasAnswered: of so many Flows to the Host, or to all hosts
	// concerned, so many could not be read or did not complete.
	Host   string
	Unread int
	Failed int
	// Rule is under which rule the host is still contacted against the policy.
	Rule policy.Rule
	// WasObserved: the experiments, and how many of the Flows they altered.
	Experiments []string
	Altered     int
	// WasInPhase: the phases in which it happened, and those of them that were seen.
	Phases, Seen []string
	// WasLongEnough: First is how long it took to appear, Interval the median between
	// its flows where it has at least three. Needed is their sum, Had for how long the
	// app was in use afterwards. Untimed says that nobody knows: a side has no
	// times, or more recordings, apps, phases or devices than can be told apart.
	First, Interval, Needed, Had time.Duration
	Untimed                      bool
	// WasDone: the requests that came before it, and which of them were made again.
	Made, Missed []Companion
}

// inquiry is one violation that is gone.
type inquiry struct {
	*Violation
	before, after *side
	trace         *trace
	in            scope
}

// ask puts every question that applies.
func ask(v *Violation, before, after *side) []Answer {
	t := before.traces[v.ID]
	if t == nil {
		t = &trace{} // totals that no recorder saw: nothing can be shown
	}
	q := inquiry{v, before, after, t, scopeOf(before.knowsApp, t.sender)}
	var out []Answer
	for _, put := range []func() (Answer, bool){q.read, q.observed, q.used, q.answered, q.contacted, q.inPhase, q.longEnough, q.done, q.readable} {
		if a, ok := put(); ok {
			out = append(out, a)
		}
	}
	return out
}

func (q *inquiry) read() (Answer, bool) {
	return Answer{Question: WasRead}, q.after.Damaged
}

func (q *inquiry) used() (Answer, bool) {
	a := Answer{Question: WasUsed, Flows: q.after.use(q.in).flows, App: q.in.app}
	if a.App == ownApp {
		a.App, a.OwnApp = "", true
	}
	a.Yes = a.Flows > 0
	return a, true
}

func (q *inquiry) answered() (Answer, bool) {
	s := q.after.Summary
	return Answer{Question: WasAnswered, Flows: s.Flows, Failed: s.Health.Failed}, 2*s.Health.Failed > s.Flows
}

func (q *inquiry) contacted() (Answer, bool) {
	f := q.Before.Finding
	a := Answer{Question: WasContacted, Host: f.Host}
	h := q.after.host(f.Host)
	if h != nil {
		a.Flows, a.Unread = h.Flows, h.Unread
	}
	// Who must not be contacted at all is not contacted for the sake of a test.
	unwanted := q.before.host(f.Host)
	if f.Rule.OfContact() || h == nil && unwanted != nil && unwanted.Rule.OfContact() {
		if h != nil && h.Verdict == policy.Violation && h.Rule.OfContact() {
			a.Rule = h.Rule
		}
		a.Yes = a.Unread == 0 && a.Rule == ""
		return a, true
	}
	a.Yes = a.Flows > a.Unread
	if f.Rule == policy.ValueLeaked || f.Rule == policy.IdentifierLeaked {
		a.Yes = a.Yes && 2*a.Unread <= a.Flows
	}
	return a, true
}

func (q *inquiry) inPhase() (Answer, bool) {
	if !q.trace.marked || len(q.trace.firsts) == 0 {
		return Answer{}, false
	}
	a := Answer{Question: WasInPhase}
	for _, f := range q.trace.firsts {
		a.Phases = append(a.Phases, f.phase)
	}
	slices.Sort(a.Phases)
	a.Phases = slices.Compact(a.Phases)
	seen := map[string]bool{}
	for w := range q.after.usesBy(q.in, true) {
		seen[w.phase] = true
	}
	for _, phase := range a.Phases {
		if seen[phase] {
			a.Seen = append(a.Seen, phase)
		}
	}
	a.Yes = len(a.Seen) > 0
	return a, true
}

// longEnough compares for each phase, where the violation happens in phases alone, and
// takes the one that speaks best for a fix: in one of them it would have shown.
func (q *inquiry) longEnough() (Answer, bool) {
	used := q.after.use(q.in)
	if used.flows == 0 {
		return Answer{}, false // said already
	}
	if !q.trace.timed || q.before.crowded || q.after.crowded {
		return Answer{Question: WasLongEnough, Untimed: true}, true
	}
	firsts := q.delays()
	had := map[string]time.Duration{}
	for w, s := range q.after.usesBy(q.in, q.trace.marked) {
		had[w.phase] = max(had[w.phase], s.length())
	}
	var best Answer
	for _, phase := range slices.Sorted(maps.Keys(firsts)) {
		if _, seen := had[phase]; !seen {
			continue
		}
		a := Answer{Question: WasLongEnough, First: firsts[phase], Had: had[phase], Untimed: used.first == untimed}
		if q.Before.Count >= 3 {
			a.Interval = q.Before.Interval
		}
		if q.trace.marked {
			a.Seen = []string{phase}
		}
		a.Needed = a.First + a.Interval
		a.Yes = !a.Untimed && a.Had >= a.Needed
		if best.Question == "" || cmp.Compare(a.Had-a.Needed, best.Had-best.Needed) > 0 {
			best = a
		}
	}
	return best, best.Question != "" // no phase of it was seen: said already
}

// delays returns how long the violation took to appear, from the first flow of the app
// on: by phase where it happens in phases alone, else under "". Of several recordings
// the longest counts: what never took longer would have shown by then.
func (q *inquiry) delays() map[string]time.Duration {
	appeared := map[where]int64{}
	for _, f := range q.trace.firsts {
		key := where{session: f.session}
		if q.trace.marked {
			key.phase = f.phase
		}
		if at, ok := appeared[key]; !ok || f.at < at {
			appeared[key] = f.at
		}
	}
	out := map[string]time.Duration{}
	uses, anybody := q.before.usesBy(q.in, q.trace.marked), q.before.usesBy(scope{}, q.trace.marked)
	for key, at := range appeared {
		start, ok := uses[key]
		if !ok || start.first == untimed {
			start = anybody[key] // the violation itself is in it
		}
		out[key.phase] = max(out[key.phase], max(between(start.first, at), 0))
	}
	return out
}

func (q *inquiry) done() (Answer, bool) {
	company := q.company()
	if len(company) == 0 {
		return Answer{}, false
	}
	a := Answer{Question: WasDone}
	for _, c := range company {
		if q.after.did(q.in, c.Action) {
			a.Made = append(a.Made, c)
		} else {
			a.Missed = append(a.Missed, c)
		}
	}
	// The nearest one is the likeliest trigger: many others are what the app does anyway.
	a.Yes = 2*len(a.Made) >= len(company) && q.after.did(q.in, company[0].Action)
	return a, true
}

// company returns the companions at the level of detail that both sides have.
func (q *inquiry) company() []Companion {
	var out []Companion
	for _, c := range q.trace.company {
		c.Action = coarse(c.Action, q.after.common)
		if !slices.ContainsFunc(out, func(o Companion) bool { return o.Action == c.Action }) {
			out = append(out, c)
		}
	}
	return out
}

func (q *inquiry) readable() (Answer, bool) {
	a := Answer{Question: WasReadable}
	var seen []string
	for _, c := range q.company() {
		if slices.Contains(seen, c.Host()) {
			continue
		}
		seen = append(seen, c.Host())
		if h := q.after.host(c.Host()); h != nil {
			a.Flows += h.Flows
			a.Unread += h.Unread
		}
	}
	a.Host = strings.Join(seen, ", ")
	a.Yes = 2*a.Unread <= a.Flows
	return a, a.Flows > 0
}
