package capture

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"telltale/flow"
	"telltale/policy"
)

// sampleSlack is by how much the samples of a violation may outgrow
// MaxReferences before they are sorted and cut.
const sampleSlack = 256

// violationTotal gathers the flows of one fingerprint.
type violationTotal struct {
	finding     policy.Finding
	id          flow.ID // flow with the lowest ID: the one that describes it
	method, url string
	app         string
	appID       flow.ID
	count       int
	span        span
	// samples are the flows with the lowest IDs, MaxReferences of them and some
	// slack, unsorted. References and the interval come from them.
	samples []sample

	// What samples say, made anew when a summary asks after a change. Never
	// changed in place: summaries share it.
	references []Reference
	interval   time.Duration
	fresh      bool
}

type sample struct {
	Reference
	start time.Time
}

func (v *violationTotal) clone() *violationTotal {
	c := *v
	c.samples = slices.Clone(v.samples)
	return &c
}

func (v *violationTotal) add(f *flow.Flow, finding policy.Finding) {
	if v.count == 0 || f.ID < v.id {
		v.finding, v.id, v.method, v.url = finding, f.ID, f.Method(), f.URL()
	}
	if app := f.UserAgent(); app != "" && (v.app == "" || f.ID < v.appID) {
		v.app, v.appID = app, f.ID
	}
	v.count++
	v.span.add(f)
	v.fresh = false
	r := Reference{Capture: f.Origin.Capture, Entry: f.Origin.Entry, Line: f.Origin.Line, ID: f.ID}
	if r.Capture == "" {
		r.Entry = int(f.ID)
	}
	v.samples = append(v.samples, sample{r, f.Times.Start})
	if len(v.samples) >= MaxReferences+sampleSlack {
		v.cut()
	}
}

// cut sorts the samples by flow and forgets those beyond MaxReferences.
func (v *violationTotal) cut() {
	slices.SortFunc(v.samples, func(a, b sample) int { return cmp.Compare(a.ID, b.ID) })
	if len(v.samples) > MaxReferences {
		clear(v.samples[MaxReferences:])
		v.samples = v.samples[:MaxReferences]
	}
}

func (v *violationTotal) refresh() {
	if v.fresh {
		return
	}
	v.cut()
	v.references = make([]Reference, len(v.samples))
	starts := make([]time.Time, len(v.samples))
	for i, s := range v.samples {
		v.references[i], starts[i] = s.Reference, s.start
	}
	v.interval = medianInterval(starts)
	v.fresh = true
}

// medianInterval returns the median time between neighbours, 0 for fewer than
// three moments. It sorts its argument.
func medianInterval(starts []time.Time) time.Duration {
	if len(starts) < 3 {
		return 0
	}
	slices.SortFunc(starts, time.Time.Compare)
	gaps := make([]time.Duration, len(starts)-1)
	for i := range gaps {
		gaps[i] = starts[i+1].Sub(starts[i])
	}
	slices.Sort(gaps)
	if n := len(gaps); n%2 == 0 {
		return (gaps[n/2-1] + gaps[n/2]) / 2
	}
	return gaps[len(gaps)/2]
}

func (v *violationTotal) row(id string) Violation {
	v.refresh()
	return Violation{
		ID: id, Finding: v.finding, Count: v.count, Method: v.method, URL: v.url, App: v.app,
		First: v.span.first, Last: v.span.last, Interval: v.interval, Flows: slices.Clip(v.references),
	}
}

// violationRows lists violations by severity, rule and host; the fingerprint
// settles what is left.
func violationRows(own, base map[string]*violationTotal) []Violation {
	out := make([]Violation, 0, len(own)+len(base))
	rows(own, base, func(id string, v *violationTotal) { out = append(out, v.row(id)) })
	slices.SortFunc(out, func(a, b Violation) int {
		return cmp.Or(
			cmp.Compare(severityRank(b.Finding.Severity), severityRank(a.Finding.Severity)),
			strings.Compare(string(a.Finding.Rule), string(b.Finding.Rule)),
			strings.Compare(a.Finding.Host, b.Finding.Host),
			strings.Compare(a.Finding.Subject, b.Finding.Subject),
			strings.Compare(a.ID, b.ID),
		)
	})
	return out
}
