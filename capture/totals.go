package capture

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"telltale/attribution"
	"telltale/exposure"
	"telltale/flow"
	"telltale/policy"
)

// totals are the sums behind a [Summary]. Flows that ended are added for good.
// Open ones are added at the moment of a summary to totals that lie over the
// permanent ones, so nothing is ever subtracted. Every rule by which totals
// choose (first flow, heaviest finding, which references to keep) depends on
// the flows alone and not on the order in which they were added.
type totals struct {
	flows                          int
	verdicts                       verdictCounts
	failed, nameless, denied, open int
	span                           span
	activity                       activityTotal
	hosts                          table[string, hostTotal]
	violations, waivers            table[string, violationTotal]
	devices                        table[netip.Addr, deviceTotal]
	phases                         phaseTotals
	shapes                         table[policy.Shape, shapeTotal]
	subtracted                     int
	lookups                        int
	cut                            int
	cutBytes                       int64
	omitted                        int
	altered                        int
	experiments                    experimentTotals
	manyHosts, manyViolations      bool // some are counted together: see maxRows
	manyShapes                     bool // likewise
	// Books are shared by totals that lie over each other: to learn a flow twice changes
	// nothing in them.
	book   *attribution.Book
	values *exposure.Book
}

// verdictCounts counts contacts by verdict.
type verdictCounts struct{ allowed, ignored, waived, violating int }

func (c *verdictCounts) add(v policy.Verdict) {
	switch v {
	case policy.Allowed:
		c.allowed++
	case policy.Ignored:
		c.ignored++
	case policy.Waived:
		c.waived++
	case policy.Violation:
		c.violating++
	}
}

func newTotals() *totals {
	return &totals{
		hosts: newTable[string, hostTotal](), devices: newTable[netip.Addr, deviceTotal](),
		violations: newTable[string, violationTotal](), waivers: newTable[string, violationTotal](),
		shapes: newTable[policy.Shape, shapeTotal](), book: attribution.NewBook(), values: exposure.NewBook(),
	}
}

// over returns totals that start from t and leave it as it is. t must not change
// while they are used.
func (t *totals) over() *totals {
	c := *t
	c.activity = t.activity.clone()
	c.hosts, c.devices = t.hosts.over(), t.devices.over()
	c.violations, c.waivers = t.violations.over(), t.waivers.over()
	c.phases, c.shapes = slices.Clone(t.phases), t.shapes.over()
	c.experiments = slices.Clone(t.experiments)
	return &c
}

// add counts one flow.
func (t *totals) add(f *flow.Flow, j policy.Judgement) {
	if !f.Ended() {
		t.open++
	}
	if f.Outcome == flow.ClientDenied {
		t.denied++
		return
	}
	contact := f.IsContact()
	var device *deviceTotal
	if addr := f.Client.Addr.Addr(); addr.IsValid() {
		device = t.devices.row(clientAddr(addr), newDevice, (*deviceTotal).clone)
		device.add(f)
	}
	if f.Outcome == flow.Served {
		return
	}
	if !contact {
		switch {
		case f.IsLookup():
			t.lookups++
		case f.IsControl(): // packets of the network's upkeep, which are rows
		case flow.CanonicalHost(f.Server.Asked) != flow.SetupHost: // else the set-up page tested whether it is trusted
			t.nameless++
		}
		return
	}
	t.flows++
	t.span.add(f)
	t.activity.add(f.Times.Start)
	if (f.Outcome == flow.UpstreamFailed || f.Outcome == flow.Abandoned) && len(f.Experiments) == 0 {
		t.failed++
	}
	name := j.Host
	if name == "" {
		name = f.Host()
	}
	trace := t.book.Learn(f)
	host := t.hosts.row(t.hostRow(name), newHost, (*hostTotal).clone)
	t.phases.add(f, j, !host.phases.has(f.Phase))
	host.add(f, j, trace)
	t.addExperiments(f, host)
	t.addShape(f, j, trace)
	t.addSent(f, j, name)
	if j.Subtracted {
		t.subtracted++
	}
	if device != nil {
		device.addContact(f, j.Verdict, host.name)
	}
	t.addVerdict(f, j, trace)
}

// addVerdict counts what the judge says of a contact.
func (t *totals) addVerdict(f *flow.Flow, j policy.Judgement, trace attribution.Trace) {
	t.verdicts.add(j.Verdict)
	switch j.Verdict {
	case policy.Violation:
		t.addFindings(&t.violations, f, trace, j.Findings)
		t.addFindings(&t.waivers, f, trace, j.Excused)
	case policy.Waived:
		t.addFindings(&t.waivers, f, trace, j.Findings)
	}
}

// addSent counts what a flow sent to a host.
func (t *totals) addSent(f *flow.Flow, j policy.Judgement, host string) {
	if f.Omitted {
		t.omitted++
	}
	if r := f.Request; r != nil && r.Body.Truncated && r.Body.Size > 0 && (!f.Omitted || len(r.Body.Content) > 0 || r.Body.Digest != "") {
		t.cut++
		t.cutBytes += r.Body.Size
	}
	if len(f.Exposures) > 0 {
		shown := *f
		shown.Exposures = j.Exposures(f)
		t.values.Learn(&shown, policy.Receiver(host))
	}
}

func (t *totals) addFindings(rows *table[string, violationTotal], f *flow.Flow, trace attribution.Trace, findings []policy.Finding) {
	var counted []string
	for _, finding := range findings {
		finding = t.violationRow(rows, finding)
		id := finding.Fingerprint()
		if slices.Contains(counted, id) {
			continue // one flow counts once in a violation, however often it breaks the rule
		}
		counted = append(counted, id)
		rows.row(id, newViolation, (*violationTotal).clone).add(f, trace, finding)
	}
}

// summary writes the totals out, sorted, with the names that name gives to devices. What
// it hands out will not change.
func (t *totals) summary(name func(*deviceTotal) (string, NameSource)) Summary {
	shapes, rhythms := t.shapeRows()
	s := Summary{
		Shapes: shapes, Trails: t.values.Trails(), Subtracted: t.subtracted, Altered: t.altered,
		Flows: t.flows, Allowed: t.verdicts.allowed, Ignored: t.verdicts.ignored, Waived: t.verdicts.waived, Violating: t.verdicts.violating,
		First: t.span.first, Last: t.span.last, Activity: t.activity.activity(),
		Violations: violationRows(&t.violations, t.book), Waivers: violationRows(&t.waivers, t.book), Phases: t.phases.rows(),
		Health: Health{
			Failed: t.failed, Nameless: t.nameless, Denied: t.denied, Open: t.open, Lookups: t.lookups, Cut: t.cut, CutBytes: t.cutBytes, Omitted: t.omitted,
			Unread: map[string]map[flow.Outcome]int{}, QUICRefused: map[string]int{}, Notes: t.crowdNotes(),
		},
	}
	hosts := t.hosts.sorted(func(a, b *hostTotal) int { return strings.Compare(a.name, b.name) })
	s.Hosts = make([]Host, len(hosts))
	for i, h := range hosts {
		s.Hosts[i] = h.row(t.book)
		s.Hosts[i].Rhythm = rhythms[h.name]
		if h.quicRefused > 0 {
			s.Health.QUICRefused[h.name] = h.quicRefused
		}
		if h.unreadCount > 0 {
			s.Health.Unread[h.name] = h.shownUnread()
		}
	}
	devices := t.devices.sorted(func(a, b *deviceTotal) int { return a.addr.Compare(b.addr) })
	for _, d := range devices {
		row := d.row()
		row.Name, row.Named = name(d)
		s.Health.Devices = append(s.Health.Devices, row)
	}
	return s
}

// span is the time from the first to the last of some flows.
type span struct{ first, last time.Time }

func (s *span) add(f *flow.Flow) {
	start, end := f.Times.Start, f.Times.End
	if end.IsZero() {
		end = start
	}
	if !start.IsZero() && (s.first.IsZero() || start.Before(s.first)) {
		s.first = start
	}
	if end.After(s.last) {
		s.last = end
	}
}
