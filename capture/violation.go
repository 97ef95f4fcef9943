package capture

import (
	"cmp"
	"slices"
	"strings"

	"telltale/attribution"
	"telltale/cadence"
	"telltale/flow"
	"telltale/policy"
)

// violationTotal gathers the flows of one fingerprint.
type violationTotal struct {
	fingerprint string
	finding     policy.Finding
	id          flow.ID // flow with the lowest ID, but for preludes: the one that describes it
	lead        lead    // of that one, the least of all
	method, url string
	app         string
	appID       flow.ID
	count       int
	altered     int
	experiments []string // that altered them: the first MaxExperiments
	last        flow.ID  // highest
	span        span
	clients     clientSet
	phases      phaseSet
	samples     samples
	series      cadence.Series
	unnamed     unnamedApps
	evidence    evidenceSet
}

func newViolation(fingerprint string) *violationTotal {
	return &violationTotal{fingerprint: fingerprint}
}

func (v *violationTotal) clone() *violationTotal {
	c := *v
	c.samples, c.series = v.samples.clone(), v.series.Clone()
	return &c
}

func (v *violationTotal) add(f *flow.Flow, trace attribution.Trace, finding policy.Finding) {
	v.unnamed.add(trace)
	v.evidence = v.evidence.with(finding.Evidence)
	if v.count == 0 || v.describedBetterBy(f, finding) {
		v.finding, v.id, v.method, v.url, v.lead = finding, f.ID, f.Method(), f.URL(), leadOf(f)
	}
	if app := appOf(f); app != "" && (v.app == "" || f.ID < v.appID) {
		v.app, v.appID = strings.Clone(app), f.ID
	}
	v.count++
	if len(f.Experiments) > 0 {
		v.altered++
		for _, name := range f.Experiments {
			v.experiments = insertFirst(v.experiments, name, MaxExperiments)
		}
	}
	v.last = max(v.last, f.ID)
	v.span.add(f)
	v.clients = v.clients.with(f.Client.Addr.Addr())
	v.phases = v.phases.with(f.Phase)
	r := Reference{
		Capture: f.Origin.Capture, Entry: f.Origin.Entry, Line: f.Origin.Line, ID: f.ID,
		Destination: f.Server.AddressedTo(), Resolved: f.Server.Resolved,
	}
	if r.Capture == "" {
		r.Entry = int(f.ID)
	}
	v.samples.add(r, f.Times.Start)
	v.series.Add(f.Times.Start)
}

// lead is how far a flow only leads up to what a violation is.
type lead int8

const (
	contacting lead = iota // the contact itself
	meant                  // a tunnel that an experiment ended before anything was asked in it
	asked                  // a prelude: the question of DNS, say
)

func leadOf(f *flow.Flow) lead {
	switch refused := f.Outcome == flow.Blocked || f.Outcome == flow.Simulated; {
	case f.IsPrelude():
		return asked
	case f.Kind == flow.Tunnel && refused && len(f.Experiments) > 0:
		return meant
	}
	return contacting
}

// isPrelude reports whether nothing of the violation is more than what leads up to contacts: it
// is a part of the one in which its host was contacted, where there is one.
func (v *violationTotal) isPrelude() bool { return v.lead != contacting }

// describedBetterBy reports whether a flow says more of the violation than the one that
// does now. Of a crowd, the heaviest decides, so that it does not hide it.
func (v *violationTotal) describedBetterBy(f *flow.Flow, finding policy.Finding) bool {
	if a, b := severityRank(finding.Severity), severityRank(v.finding.Severity); a != b && isCrowd(finding.Host) {
		return a > b
	}
	if lead := leadOf(f); v.lead != lead {
		return lead < v.lead
	}
	return f.ID < v.id
}

func (v *violationTotal) row(book *attribution.Book) Violation {
	rhythm, _ := v.series.Rhythm()
	finding := v.finding
	finding.Evidence = v.evidence.behind(finding.Evidence)
	return Violation{
		ID: v.fingerprint, Finding: finding, Count: v.count, Altered: v.altered, Experiments: v.experiments, Method: v.method, URL: v.url, App: v.app,
		First: v.span.first, Last: v.span.last, LastFlow: v.last, Interval: v.samples.interval(), Rhythm: rhythm,
		Clients: slices.Clip(v.clients.names), Phases: v.phases.names(), Flows: v.samples.handOut(), Attributed: v.unnamed.attributed(book),
	}
}

// violationRows lists violations by severity, rule and host; the fingerprint
// settles what is left.
func violationRows(t *table[string, violationTotal], book *attribution.Book) []Violation {
	sorted := t.sorted(func(a, b *violationTotal) int {
		return cmp.Or(
			cmp.Compare(severityRank(b.finding.Severity), severityRank(a.finding.Severity)),
			strings.Compare(string(a.finding.Rule), string(b.finding.Rule)),
			strings.Compare(a.finding.Host, b.finding.Host),
			strings.Compare(a.finding.Subject, b.finding.Subject),
			strings.Compare(a.fingerprint, b.fingerprint),
		)
	})
	out := make([]Violation, 0, len(sorted))
	told := contactsOf(sorted)
	of := map[string]int{} // their places in out
	for _, v := range sorted {
		if by := told[v.finding.Host]; by != nil && v.isPrelude() && v.finding.Rule.OfContact() {
			continue
		} else if by == v {
			of[v.finding.Host] = len(out)
		}
		out = append(out, v.row(book))
	}
	for _, v := range sorted {
		if at, ok := of[v.finding.Host]; ok && v.isPrelude() && v.finding.Rule.OfContact() {
			out[at].include(v)
		}
	}
	return out
}

// contactsOf returns for each host the first violation by its being contacted in which
// there was a connection. What only led up to connections is a part of it: by itself, a
// question of DNS does not tell that a request will be a captive-portal probe.
func contactsOf(sorted []*violationTotal) map[string]*violationTotal {
	of := map[string]*violationTotal{}
	for _, v := range sorted {
		if v.finding.Rule.OfContact() && !v.isPrelude() && of[v.finding.Host] == nil {
			of[v.finding.Host] = v
		}
	}
	return of
}

// include counts what led up to a violation.
func (v *Violation) include(prelude *violationTotal) {
	v.Count += prelude.count
	v.Altered += prelude.altered
	for _, name := range prelude.experiments {
		v.Experiments = insertFirst(v.Experiments, name, MaxExperiments)
	}
	v.LastFlow = max(v.LastFlow, prelude.last)
	if prelude.span.first.Before(v.First) {
		v.First = prelude.span.first
	}
	if prelude.span.last.After(v.Last) {
		v.Last = prelude.span.last
	}
}
