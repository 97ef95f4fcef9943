package capture

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"telltale/flow"
	"telltale/policy"
)

// totals are the sums behind a [Summary]. Flows that ended are added for good.
// Open ones are added at the moment of a summary to totals that lie over the
// permanent ones, so nothing is ever subtracted. Every rule by which totals
// choose (first flow, heaviest finding, which references to keep) depends on
// the flows alone and not on the order in which they were added.
type totals struct {
	base *totals // read-only; nil for the permanent totals

	flows, allowed, ignored, waived, violating int
	failed, nameless, denied, open             int
	span                                       span
	hosts                                      map[string]*hostTotal
	violations, waivers                        map[string]*violationTotal
	devices                                    map[netip.Addr]*deviceTotal
}

func newTotals(base *totals) *totals {
	t := &totals{
		base: base, hosts: map[string]*hostTotal{}, devices: map[netip.Addr]*deviceTotal{},
		violations: map[string]*violationTotal{}, waivers: map[string]*violationTotal{},
	}
	if base != nil {
		t.flows, t.allowed, t.ignored, t.waived, t.violating = base.flows, base.allowed, base.ignored, base.waived, base.violating
		t.failed, t.nameless, t.denied, t.open = base.failed, base.nameless, base.denied, base.open
		t.span = base.span
	}
	return t
}

// row returns the entry of one of the maps, made or copied from the base when it
// is touched for the first time.
func row[K comparable, V any](own, base map[K]*V, key K, clone func(*V) *V) *V {
	v, ok := own[key]
	if ok {
		return v
	}
	if b, ok := base[key]; ok {
		v = clone(b)
	} else {
		v = new(V)
	}
	own[key] = v
	return v
}

// rows calls f with every entry, own ones before those of the base.
func rows[K comparable, V any](own, base map[K]*V, f func(K, *V)) {
	for k, v := range own {
		f(k, v)
	}
	for k, v := range base {
		if _, ok := own[k]; !ok {
			f(k, v)
		}
	}
}

func (t *totals) bases() *totals {
	if t.base != nil {
		return t.base
	}
	return &totals{}
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
	if addr := f.Client.Addr.Addr(); addr.IsValid() {
		addr = addr.Unmap().WithZone("")
		row(t.devices, t.bases().devices, addr, (*deviceTotal).clone).add(f, contact)
	}
	if f.Outcome == flow.Served {
		return
	}
	if !contact {
		t.nameless++
		return
	}
	t.flows++
	t.span.add(f)
	if f.Outcome == flow.UpstreamFailed || f.Outcome == flow.Abandoned {
		t.failed++
	}
	name := j.Host
	if name == "" {
		name = f.Host()
	}
	row(t.hosts, t.bases().hosts, name, (*hostTotal).clone).add(f, j)
	t.addVerdict(f, j)
}

func (t *totals) addVerdict(f *flow.Flow, j policy.Judgement) {
	switch j.Verdict {
	case policy.Allowed:
		t.allowed++
	case policy.Ignored:
		t.ignored++
	case policy.Waived:
		t.waived++
		t.addFindings(t.waivers, t.bases().waivers, f, j.Findings)
	case policy.Violation:
		t.violating++
		t.addFindings(t.violations, t.bases().violations, f, j.Findings)
	}
}

func (t *totals) addFindings(own, base map[string]*violationTotal, f *flow.Flow, findings []policy.Finding) {
	for i, finding := range findings {
		id := finding.Fingerprint()
		if counted := slices.ContainsFunc(findings[:i], func(g policy.Finding) bool { return g.Fingerprint() == id }); counted {
			continue // one flow counts once in a violation, however often it breaks the rule
		}
		row(own, base, id, (*violationTotal).clone).add(f, finding)
	}
}

// summary writes the totals out, sorted, sharing nothing that will change.
func (t *totals) summary() Summary {
	b := t.bases()
	s := Summary{
		Flows: t.flows, Allowed: t.allowed, Ignored: t.ignored, Waived: t.waived, Violating: t.violating,
		First: t.span.first, Last: t.span.last,
		Health: Health{Failed: t.failed, Nameless: t.nameless, Denied: t.denied, Open: t.open, Unread: map[string]map[flow.Outcome]int{}},
	}
	s.Hosts = make([]Host, 0, len(t.hosts)+len(b.hosts))
	rows(t.hosts, b.hosts, func(name string, h *hostTotal) {
		s.Hosts = append(s.Hosts, h.row(name))
		if len(h.unread) > 0 {
			s.Health.Unread[name] = maps.Clone(h.unread)
		}
	})
	slices.SortFunc(s.Hosts, func(a, b Host) int { return strings.Compare(a.Name, b.Name) })
	s.Violations = violationRows(t.violations, b.violations)
	s.Waivers = violationRows(t.waivers, b.waivers)
	var addrs []netip.Addr
	devices := map[netip.Addr]Device{}
	rows(t.devices, b.devices, func(addr netip.Addr, d *deviceTotal) {
		addrs = append(addrs, addr)
		devices[addr] = d.row(addr)
	})
	slices.SortFunc(addrs, netip.Addr.Compare)
	for _, addr := range addrs {
		s.Health.Devices = append(s.Health.Devices, devices[addr])
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

// hostTotal sums the flows to one host.
type hostTotal struct {
	worst            weighed
	flows, violating int
	sent, received   int64
	span             span
	apps             []string // sorted
	unread           map[flow.Outcome]int
	unreadCount      int
}

// weighed is the judgement that decides a host's verdict: the heaviest, and of
// equals that of the first flow.
type weighed struct {
	verdict  policy.Verdict
	severity int
	id       flow.ID
	rule     policy.Rule
	category string
	source   policy.Source
}

func weigh(f *flow.Flow, j policy.Judgement) weighed {
	w := weighed{verdict: j.Verdict, id: f.ID, category: j.Category, source: j.Source, rule: j.Rule()}
	for _, finding := range j.Findings {
		w.severity = max(w.severity, severityRank(finding.Severity))
	}
	return w
}

func (w weighed) heavierThan(o weighed) bool {
	if a, b := w.verdict.Weight(), o.verdict.Weight(); a != b {
		return a > b
	}
	if w.severity != o.severity {
		return w.severity > o.severity
	}
	return w.id < o.id
}

func severityRank(s policy.Severity) int {
	switch s {
	case policy.SeverityError:
		return 2
	case policy.SeverityWarning:
		return 1
	}
	return 0
}

func (h *hostTotal) clone() *hostTotal {
	c := *h
	c.apps, c.unread = slices.Clone(h.apps), maps.Clone(h.unread)
	return &c
}

func (h *hostTotal) add(f *flow.Flow, j policy.Judgement) {
	if w := weigh(f, j); h.flows == 0 || w.heavierThan(h.worst) {
		h.worst = w
	}
	h.flows++
	if j.Verdict == policy.Violation {
		h.violating++
	}
	h.sent += f.BytesSent()
	h.received += f.BytesReceived()
	h.span.add(f)
	if !f.Readable() {
		if h.unread == nil {
			h.unread = map[flow.Outcome]int{}
		}
		h.unread[f.Outcome]++
		h.unreadCount++
	}
	h.addApp(f.UserAgent())
}

// addApp keeps the first MaxApps names in sorting order: which ones are kept
// must not depend on which flow ended first.
func (h *hostTotal) addApp(app string) {
	if app == "" {
		return
	}
	i, found := slices.BinarySearch(h.apps, app)
	if found || i >= MaxApps {
		return
	}
	h.apps = slices.Insert(h.apps, i, app)
	h.apps = h.apps[:min(len(h.apps), MaxApps)]
}

func (h *hostTotal) row(name string) Host {
	return Host{
		Name: name, Verdict: h.worst.verdict, Rule: h.worst.rule, Category: h.worst.category, Source: h.worst.source,
		Flows: h.flows, Violating: h.violating, Unread: h.unreadCount, First: h.span.first, Last: h.span.last,
		BytesSent: h.sent, BytesReceived: h.received, Apps: slices.Clone(h.apps),
	}
}

// deviceTotal sums the flows of one client address.
type deviceTotal struct {
	name           string
	nameID         flow.ID // flow that named it
	flows, refused int
	span           span
	decrypted      time.Time
}

func (d *deviceTotal) clone() *deviceTotal { c := *d; return &c }

func (d *deviceTotal) add(f *flow.Flow, contact bool) {
	d.span.add(f)
	if name := f.Client.Device; name != "" && (d.name == "" || f.ID < d.nameID) {
		d.name, d.nameID = name, f.ID
	}
	if contact {
		d.flows++
	}
	if f.Outcome == flow.ClientRefused {
		d.refused++
	}
	if f.Client.TLS != 0 && f.Request != nil && (d.decrypted.IsZero() || f.Times.Start.Before(d.decrypted)) {
		d.decrypted = f.Times.Start
	}
}

func (d *deviceTotal) row(addr netip.Addr) Device {
	return Device{Addr: addr.String(), Name: d.name, Flows: d.flows, First: d.span.first, Last: d.span.last, Decrypted: d.decrypted, Refused: d.refused}
}
