package cmd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/reports"
)

// eventPage is how many flows one look at the capture fetches.
const eventPage = 500

// eventLog tells an audit as JSON lines. It is a reader like any other: it is
// woken when something happened and asks the capture for a page, so a slow reader
// of its output slows no traffic.
type eventLog struct {
	out   *json.Encoder
	audit *audit
	stop  func()
	// wanted says whether anybody listens; nil: somebody always does. What happens while
	// nobody does is not told later.
	wanted func() bool
	reveal bool         // never-send values are shown
	idle   bool         // nobody listened when it was last called
	from   atomic.Int64 // the flow that had ended last when somebody came
	err    error
	seq    capture.Seq
	// violations are what was told of them, by ID.
	violations map[string]reports.Violation
	// devices and diagnoses are what was told of each device, by address.
	devices   map[string]string // its name
	diagnoses map[string]*toldDiagnoses
	appSeen   bool // by some device, as of when diagnoses were last made
}

// toldDiagnoses is what was told of why connections of one device cannot be read.
type toldDiagnoses struct {
	evidence *diagnosis.Evidence            // that it was made of
	found    map[string]diagnosis.Diagnosis // by their keys
}

func startEvents(w io.Writer, a *audit) *eventLog {
	l := newEventLog(w, a)
	l.reveal = a.flags.report.reveal
	l.print(a.listening())
	l.stop = follow(a.store, l.tell)
	return l
}

func newEventLog(w io.Writer, a *audit) *eventLog {
	return &eventLog{
		out: reports.NewLines(w), audit: a,
		violations: map[string]reports.Violation{}, devices: map[string]string{}, diagnoses: map[string]*toldDiagnoses{},
	}
}

// listening is the first event: where devices find this audit.
func (a *audit) listening() map[string]any {
	e := map[string]any{"event": "listening", "time": stamp(time.Now()), "proxy": a.address(), "ca": a.authority.CertPath(), "capture": a.path}
	for way, at := range a.ways.addresses() {
		e[way] = at
	}
	if t := a.ways.tunnel; t != nil {
		e["wireguard_config"] = t.config
	}
	if a.feed != nil {
		e["feed"] = a.feed.url()
	}
	return e
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// print writes one line. After the first failure (a reader that went away) the
// rest is silent: the audit goes on.
func (l *eventLog) print(event any) {
	if l.err == nil {
		if err := l.out.Encode(event); err != nil {
			l.err = fmt.Errorf("cannot write events: %w", err)
		}
	}
}

// tell prints what is new since it was last called.
func (l *eventLog) tell() {
	if l.wanted != nil && !l.catchUp() {
		return
	}
	sum := l.audit.store.Summary()
	l.tellDevices(sum)
	l.tellFlows()
	l.tellViolations(sum)
	l.tellDiagnoses(sum, time.Now())
}

// catchUp reports whether anybody listens. When somebody does again, flows that ended before
// they came are passed over; how devices and violations stand is told anew.
func (l *eventLog) catchUp() bool {
	if !l.wanted() {
		l.idle = true
		return false
	}
	if l.idle {
		l.idle = false
		l.seq = max(l.seq, capture.Seq(l.from.Load()))
		clear(l.devices)
		clear(l.violations)
		clear(l.diagnoses)
	}
	return true
}

// join notes from where on somebody listens who has just come.
func (l *eventLog) join() {
	if last, err := l.audit.store.LastEnded(context.Background()); err == nil {
		l.from.Store(int64(last))
	}
}

// tellDevices prints each device when it is first seen, and again when it gets another
// name.
func (l *eventLog) tellDevices(sum capture.Summary) {
	for _, d := range sum.Health.Devices {
		name, known := l.devices[d.Addr]
		if known && name == d.Name {
			continue
		}
		l.devices[d.Addr] = d.Name
		at := d.First
		if known {
			at = time.Now()
		}
		l.print(map[string]any{"event": "device", "time": stamp(at), "client": d.Addr, "name": l.text(d.Name)})
	}
}

// diagnosisEvent is the object of contract section 7.
type diagnosisEvent struct {
	Event  string `json:"event"`
	Time   string `json:"time"`
	Client string `json:"client"`
	Name   string `json:"name"`
	reports.Diagnosis
	// Gone is set when what was told before no longer holds: the device trusts the
	// authority now, say.
	Gone bool `json:"gone,omitempty"`
}

// tellDiagnoses prints each diagnosis when it is first made, when its certainty
// changes, and when it no longer holds; not for each connection. A device of which
// nothing new was seen is not asked again, unless the audit is over (now is zero), or the
// app was found on another.
func (l *eventLog) tellDiagnoses(sum capture.Summary, now time.Time) {
	pol := l.audit.policy.Load()
	diagnose := diagnose(pol, sum, l.mask(), now)
	seen := appSeen(pol, sum)
	again := now.IsZero() || seen != l.appSeen
	l.appSeen = seen
	for _, d := range sum.Health.Devices {
		told := l.diagnoses[d.Addr]
		if told == nil {
			told = &toldDiagnoses{}
			l.diagnoses[d.Addr] = told
		}
		if told.evidence == d.Evidence && !again {
			continue
		}
		told.evidence = d.Evidence
		l.tellChanges(d, told, diagnose(d))
	}
}

func (l *eventLog) tellChanges(d capture.Device, told *toldDiagnoses, found []diagnosis.Diagnosis) {
	event := func(of diagnosis.Diagnosis, gone bool) {
		l.print(diagnosisEvent{
			Event: "diagnosis", Time: stamp(time.Now()), Client: d.Addr, Name: l.text(d.Name), Diagnosis: reports.NewDiagnosis(of, l.mask()), Gone: gone,
		})
	}
	now := map[string]diagnosis.Diagnosis{}
	for _, f := range found {
		now[f.Key] = f
		if told.found[f.Key].Certainty != f.Certainty {
			event(f, false)
		}
	}
	var gone []diagnosis.Diagnosis
	for key, before := range told.found {
		if _, still := now[key]; !still {
			gone = append(gone, before)
		}
	}
	slices.SortFunc(gone, func(a, b diagnosis.Diagnosis) int {
		return cmp.Or(cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.App, b.App), cmp.Compare(a.Key, b.Key))
	})
	for _, before := range gone {
		event(before, true)
	}
	told.found = now
}

// text masks a text.
func (l *eventLog) text(s string) string {
	if mask := l.mask(); mask != nil {
		return mask(s)
	}
	return s
}

func (l *eventLog) tellFlows() {
	for l.err == nil {
		page, next, err := l.audit.store.Ended(context.Background(), l.seq, eventPage)
		if err != nil {
			l.err = errors.Join(l.err, fmt.Errorf("cannot read the capture for events: %w", err))
			return
		}
		for _, r := range page {
			l.print(newFlowEvent(r, l.audit.store.Attribution(), l.mask()))
		}
		l.seq = next
		if len(page) < eventPage {
			return
		}
	}
}

// mask hides the policy's never-send values. A feed leaves this machine: it never reveals.
func (l *eventLog) mask() func(string) string {
	return masker(l.audit.policy.Load(), l.reveal)
}

// violationEvent is the object of contract section 7.
type violationEvent struct {
	Event string `json:"event"`
	Time  string `json:"time"`
	reports.Violation
	// Gone is set when what was told before is none any more: it is a part of another, as
	// a question of DNS is of the probe for a captive portal to which it led, or the policy
	// was changed.
	Gone bool `json:"gone,omitempty"`
}

// tellViolations prints each violation when there is one more flow of it, and those told
// before that are none any more.
func (l *eventLog) tellViolations(sum capture.Summary) {
	now := make(map[string]bool, len(sum.Violations))
	for _, v := range sum.Violations {
		now[v.ID] = true
		if told, known := l.violations[v.ID]; known && told.Count == v.Count {
			continue
		}
		told := reports.NewViolation(v, sum.Health.Devices, l.mask())
		l.violations[v.ID] = told
		l.print(violationEvent{Event: "violation", Time: stamp(v.Last), Violation: told})
	}
	for _, id := range slices.Sorted(maps.Keys(l.violations)) {
		if !now[id] {
			l.print(violationEvent{Event: "violation", Time: stamp(time.Now()), Violation: l.violations[id], Gone: true})
			delete(l.violations, id)
		}
	}
}

// finish tells the rest and the summary, which is the last line.
func (l *eventLog) finish(doc *reports.Report) error {
	l.stop()
	l.tell()
	l.tellDiagnoses(l.audit.store.Summary(), time.Time{})
	l.print(struct {
		Event   string `json:"event"`
		Time    string `json:"time"`
		Verdict string `json:"verdict"`
		reports.Summary
		Experiments []string `json:"experiments,omitempty"`
	}{"summary", stamp(time.Now()), doc.Verdict, reports.NewSummary(doc), experimentNames(doc.Summary)})
	return l.err
}
