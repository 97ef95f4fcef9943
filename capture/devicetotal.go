package capture

import (
	"cmp"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"telltale/diagnosis"
	"telltale/flow"
	"telltale/flow/plain"
	"telltale/policy"
	"telltale/useragent"
)

// deviceTotal sums the flows of one client address.
type deviceTotal struct {
	addr           netip.Addr
	name           string  // that a flow carries
	nameID         flow.ID // the first one that does
	agents         useragent.Namer
	known          nameSet // User-Agents that agents has, at most maxKnownAgents
	flows, refused int
	altered        int
	verdicts       verdictCounts
	hosts          nameSet
	span           span
	unread         int
	quicRefused    int
	questions      int
	outcomes       map[flow.Outcome]int // of the unread
	apps           []string             // sorted; never changed in place
	refusal        Refusal
	refusalID      flow.ID
	served         map[string]time.Time // never changed in place: summaries share it
	evidence       *diagnosis.Collector
}

func newDevice(addr netip.Addr) *deviceTotal {
	return &deviceTotal{addr: addr, evidence: &diagnosis.Collector{}}
}

func (d *deviceTotal) clone() *deviceTotal {
	c := *d
	c.evidence, c.hosts, c.known = d.evidence.Clone(), d.hosts.over(), d.known.over()
	c.outcomes = maps.Clone(d.outcomes)
	return &c
}

func (d *deviceTotal) add(f *flow.Flow) {
	d.span.add(f)
	d.evidence.Add(f)
	if name := f.Client.Device; name != "" && (d.name == "" || f.ID < d.nameID) {
		d.name, d.nameID = plain.Name(name, MaxDeviceName), f.ID
	}
	if app := appOf(f); app != "" && !d.known.has(app) {
		d.addAgent(app)
	}
	if f.Outcome == flow.Served && f.Kind != flow.DNS && f.Status() < 400 {
		d.addServed(f)
	}
}

// maxKnownAgents bounds which User-Agents are remembered: others are only read again.
const maxKnownAgents = 64

// addAgent takes a User-Agent that may be new.
func (d *deviceTotal) addAgent(userAgent string) {
	d.agents.Add(userAgent)
	d.apps = insertFirst(d.apps, userAgent, MaxApps)
	if d.known.len() < maxKnownAgents {
		d.known.add(strings.Clone(userAgent)) // else all of the header that it was cut from stays in memory
	}
}

// addContact counts a contact with a host.
func (d *deviceTotal) addContact(f *flow.Flow, verdict policy.Verdict, host string) {
	d.flows++
	if len(f.Experiments) > 0 {
		d.altered++
	}
	if f.Kind == flow.DNS {
		d.questions++
	}
	if f.Outcome == flow.QUICRefused {
		d.quicRefused++
	}
	if f.Unread() {
		d.unread++
		if d.outcomes == nil {
			d.outcomes = map[flow.Outcome]int{}
		}
		d.outcomes[f.Outcome]++
	}
	if f.Outcome == flow.ClientRefused && len(f.Experiments) == 0 {
		d.addRefusal(f)
	}
	d.verdicts.add(verdict)
	d.hosts.add(host)
}

// addRefusal counts a handshake in which the device refused our certificate.
func (d *deviceTotal) addRefusal(f *flow.Flow) {
	d.refused++
	if f.ID < d.refusalID {
		return
	}
	d.refusalID, d.refusal = f.ID, Refusal{At: f.Times.Start, Host: f.Host()}
	if f.Client.Hello != nil {
		d.refusal.Alert = f.Client.Hello.Alert
	}
}

// addServed notes when a page was first served. Of more than MaxServed it keeps
// those that were served first, and of equals the first in sorting order, which
// does not depend on the order of the flows: a page that was dropped only comes
// back when it turns out to have been served before one that was kept.
func (d *deviceTotal) addServed(f *flow.Flow) {
	path, start := pathOf(f.URL()), f.Times.Start
	if at, ok := d.served[path]; ok && !start.Before(at) {
		return
	}
	served := make(map[string]time.Time, len(d.served)+1)
	maps.Copy(served, d.served)
	served[path] = start
	if len(served) > MaxServed {
		last := path
		for p, at := range served {
			if cmp.Or(at.Compare(served[last]), strings.Compare(p, last)) > 0 {
				last = p
			}
		}
		delete(served, last)
	}
	d.served = served
}

// maxPath is how much of a path is kept: ours are short.
const maxPath = 64

// pathOf returns the path of a URL, "/" for none.
func pathOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Path == "" {
		return "/"
	}
	return u.Path[:min(len(u.Path), maxPath)]
}

func (d *deviceTotal) row() Device {
	evidence := d.evidence.Evidence()
	return Device{
		Addr: d.addr.String(), Flows: d.flows, Altered: d.altered, Hosts: d.hosts.len(), First: d.span.first, Last: d.span.last,
		Allowed: d.verdicts.allowed, Ignored: d.verdicts.ignored, Waived: d.verdicts.waived, Violating: d.verdicts.violating,
		Decrypted: evidence.Trusted(), Unread: d.unread, Outcomes: maps.Clone(d.outcomes), Refused: d.refused, Refusal: d.refusal, Served: d.served,
		Apps: slices.Clip(d.apps), Evidence: evidence, QUICRefused: d.quicRefused, Questions: d.questions,
	}
}

// nameSet is a set of names to which names are added and from which none is taken.
type nameSet struct {
	below map[string]struct{} // of the set over which it lies; never changed
	own   map[string]struct{} // those that below lacks
}

// over returns a set that starts from s, which must not change while it is used.
func (s nameSet) over() nameSet {
	if len(s.below) == 0 {
		return nameSet{below: s.own}
	}
	below := maps.Clone(s.below)
	maps.Copy(below, s.own)
	return nameSet{below: below}
}

func (s nameSet) has(name string) bool {
	_, below := s.below[name]
	_, own := s.own[name]
	return below || own
}

func (s *nameSet) add(name string) {
	if s.has(name) {
		return
	}
	if s.own == nil {
		s.own = map[string]struct{}{}
	}
	s.own[name] = struct{}{}
}

func (s nameSet) len() int { return len(s.below) + len(s.own) }

// clientSet is the first MaxClients of some addresses. It is never changed in place.
type clientSet struct {
	addrs []netip.Addr // sorted
	names []string     // likewise
}

// with returns the set with another address.
func (s clientSet) with(addr netip.Addr) clientSet {
	if !addr.IsValid() {
		return s
	}
	addr = clientAddr(addr)
	i, found := slices.BinarySearchFunc(s.addrs, addr, netip.Addr.Compare)
	if found || i >= MaxClients {
		return s
	}
	end := min(len(s.addrs), MaxClients-1)
	return clientSet{
		addrs: slices.Concat(s.addrs[:i], []netip.Addr{addr}, s.addrs[i:end]),
		names: slices.Concat(s.names[:i], []string{addr.String()}, s.names[i:end]),
	}
}

// clientAddr returns the address by which a device is known.
func clientAddr(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }
