package capture

import (
	"slices"
	"time"

	"telltale/flow"
	"telltale/policy"
)

// eventOfViolation is the kind of the events that are made here, as in package event.
const eventOfViolation = "violation"

// eventGap is how far the numbers of events go on behind a session that did not come to
// its end: more than it can have handed out of those that the file lacks.
const eventGap = 1 << 20

// maxToldOf bounds how many violations are remembered as told of that the totals no longer
// have, since the policy has changed.
const maxToldOf = 4 * maxRows

// teller notices violations that somebody is to be told of. It counts flows as totals do,
// and those that are open at their first state that breaks the policy. It belongs to the
// worker's goroutine.
type teller struct {
	rows  table[string, tally]
	hosts map[string]struct{} // that a violation by contact is known of, questions of DNS excepted
	told  map[string]int      // of each violation that was told of: the count at which it is again
}

// tally is what is counted of a violation.
type tally struct {
	count, altered int
	first          time.Time
}

func newTally(string) *tally { return new(tally) }

func (t *tally) clone() *tally {
	c := *t
	return &c
}

func (t *tally) add(f *flow.Flow) {
	t.count++
	if len(f.Experiments) > 0 {
		t.altered++
	}
	if start := f.Times.Start; !start.IsZero() && (t.first.IsZero() || start.Before(t.first)) {
		t.first = start
	}
}

// restart counts anew by totals and the flows that are open. What was told of before is
// not told of again.
func (t *teller) restart(of *totals, open map[flow.ID]openFlow, live map[flow.ID]*entry) {
	t.rows, t.hosts = newTable[string, tally](), map[string]struct{}{}
	for _, v := range of.violations.list {
		row := t.rows.row(v.fingerprint, newTally, (*tally).clone)
		row.count, row.altered, row.first = v.count, v.altered, v.span.first
		if v.finding.Rule.OfContact() && v.lead != asked {
			t.hosts[v.finding.Host] = struct{}{}
		}
	}
	for _, e := range live {
		e.counted = nil
	}
	for id, o := range open {
		e := live[id]
		if e == nil {
			e = new(entry) // of an earlier session: it does not come again
		}
		t.count(e, o.flow, o.judgement, func(policy.Finding, string, *tally) {})
	}
	for id := range t.told {
		if len(t.told) <= maxToldOf {
			break
		}
		if !t.rows.has(id) {
			delete(t.told, id)
		}
	}
}

// count counts a state of a flow, and calls visit with the violations that it is new to.
func (t *teller) count(e *entry, f *flow.Flow, j policy.Judgement, visit func(policy.Finding, string, *tally)) {
	if j.Verdict != policy.Violation || f.Outcome == flow.ClientDenied || f.Outcome == flow.Served || !f.IsContact() {
		return
	}
	for _, own := range j.Findings {
		finding, _ := countedAs(&t.rows, own)
		id := finding.Fingerprint()
		if slices.Contains(e.counted, id) {
			continue
		}
		e.counted = append(e.counted, id)
		row := t.rows.row(id, newTally, (*tally).clone)
		row.add(f)
		visit(finding, id, row)
	}
}

// due reports whether somebody is to be told of a violation now, and notes that it is done.
// What only led up to a connection is a part of the violation that this is, as in summaries.
func (t *teller) due(f *flow.Flow, finding policy.Finding, id string, count int) bool {
	if finding.Rule.OfContact() {
		if !f.IsPrelude() {
			t.hosts[finding.Host] = struct{}{}
		} else if _, known := t.hosts[finding.Host]; known {
			return false
		}
	}
	if at, told := t.told[id]; told && count < at {
		return false
	}
	t.told[id] = tenfold(count)
	return true
}

// tenfold returns the first of 10, 100, 1000, … above a count.
func tenfold(count int) int {
	n := 10
	for n <= count {
		n *= 10
	}
	return n
}

// tell counts a state of a flow, and calls visit with what somebody is to be told of it. Its
// number and its device are left to visit.
func (t *teller) tell(e *entry, f *flow.Flow, j policy.Judgement, visit func(id string, o Occurrence)) {
	t.count(e, f, j, func(finding policy.Finding, id string, row *tally) {
		if t.due(f, finding, id, row.count) {
			visit(id, Occurrence{Flow: f, Judgement: j, Finding: finding, Count: row.count, Altered: row.altered, First: row.first})
		}
	})
}

// A Retelling notices in a recording what somebody was to be told of while it was made: it
// counts as a store that records does. It is of one goroutine.
type Retelling struct{ teller teller }

// Retell starts with nothing counted.
func Retell() *Retelling {
	return &Retelling{teller{rows: newTable[string, tally](), hosts: map[string]struct{}{}, told: map[string]int{}}}
}

// Occurrences takes the next flow, in the order of their IDs, and returns what
// somebody was told of then. Their Seq is 0 and their Device "".
func (r *Retelling) Occurrences(f *flow.Flow, j policy.Judgement) (all []Occurrence) {
	r.teller.tell(new(entry), f, j, func(_ string, o Occurrence) { all = append(all, o) })
	return all
}

// news makes the events of a batch, and those that the audit itself has announced.
func (k *worker) news(batch []*entry) (events []Event) {
	add := func(e Event, document []byte) {
		if document == nil {
			return
		}
		e.Seq, e.Time, e.Document = k.nextEvent, k.store.opts.Now().UTC().Truncate(time.Microsecond), document
		k.nextEvent++
		events = append(events, e)
	}
	if k.teller != nil {
		for _, e := range batch {
			k.teller.tell(e, e.flow, e.judged, func(id string, o Occurrence) {
				o.Seq, o.Device = k.nextEvent, k.store.DeviceOf(e.flow)
				add(Event{Kind: eventOfViolation, Subject: id, Flow: e.flow.ID, Count: o.Count}, k.store.opts.Tell(o))
			})
		}
	}
	for _, a := range k.store.events.announcements() {
		add(Event{Kind: a.kind, Subject: a.subject}, a.document(k.nextEvent))
	}
	return events
}
