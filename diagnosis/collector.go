package diagnosis

import (
	"cmp"
	"slices"
	"strings"

	"telltale/flow"
)

// Limits of what is kept of one device. Of more, those that come first in sorting
// order are kept, which does not depend on the order of the flows: what was dropped
// could never have come back. Counts of the whole device are exact all the same.
const (
	MaxClients = 64  // programs: User-Agent and TLS stack
	MaxServers = 128 // hosts of each, and names asked by DNS
)

// maxText bounds the bytes that are kept of a User-Agent, from its beginning, and of a
// host, to its end; longer ones that agree there are one.
const maxText = 256

// Collector counts the flows of one device. The zero value is ready. One goroutine at
// a time uses it.
type Collector struct {
	state  state
	own    *owner    // of the parts that nobody else sees; nil: none
	cached *Evidence // of state; nil when something was added since
}

// owner marks the parts of a state that belong to one collector alone, which may
// change them in place. All others were handed out, and are copied first.
type owner struct{ _ byte } // of some size: else all owners would be equal

// state is what was counted.
type state struct {
	counts
	test    testCounts
	page    span // the set-up page was opened
	fetched span // the certificate or profile was fetched
	profile bool // as Apple's profile
	tunnel  bool // the device came through the tunnel, which every app uses
	clients list[*client]
	lookups list[*lookup]
}

// testCounts are the requests of the set-up page that test whether the certificate is
// trusted: to flow.SetupHost by https.
type testCounts struct {
	trusted span
	refused refusals
}

// client is one program of the device: one User-Agent and one TLS stack.
type client struct {
	own          *owner
	agent, stack string
	flows        int // contacts, tests and pages
	counts
	test    testCounts
	offered uint16 // highest TLS version of hellos that failed
	servers list[*server]
}

// server is a host as one client sees it.
type server struct {
	own  *owner
	name string
	counts
}

// lookup is a name that was asked for by DNS.
type lookup struct {
	own  *owner
	name string
	span
}

// list holds parts in the order of their keys, and counts the flows of those that
// found no place.
type list[T any] struct {
	own   *owner // of the slice
	parts []T
	more  int
}

// Add counts one flow in its final state, or in the state it has now.
func (c *Collector) Add(f *flow.Flow) {
	if f.Outcome == flow.ClientDenied {
		return
	}
	host := f.Host()
	asked := host == flow.SetupHost && flow.CanonicalHost(f.Server.Asked) == host
	if host == "" && f.Outcome != flow.Served || f.IsControl() {
		return // a port scan, garbage, what keeps the network working
	}
	if c.own == nil {
		c.own = new(owner)
	}
	c.cached = nil
	c.state.tunnel = c.state.tunnel || f.Mode == "wireguard"
	at := nanos(f.Times.Start)
	switch {
	case f.Kind == flow.DNS && f.Outcome == flow.Served: // we answered: it leads nowhere
	case f.Kind == flow.DNS:
		c.addName(host, at)
	case f.Outcome == flow.Served:
		c.addServed(f, at)
	case asked:
		c.addTest(f, at)
	default:
		c.addContact(f, host, at)
	}
}

func (c *Collector) addContact(f *flow.Flow, host string, at int64) {
	w, code := reading(f)
	c.state.counts.add(w, at, code)
	client := c.client(f)
	if client == nil {
		return
	}
	client.counts.add(w, at, code)
	if w == wasFailed {
		for _, v := range versions(f) {
			client.offered = max(client.offered, v)
		}
	}
	if server := c.server(client, host); server != nil {
		server.counts.add(w, at, code)
		server.lookup |= lookupOf(f)
	}
}

// reading says how a contact went.
func reading(f *flow.Flow) (what, int16) {
	switch {
	case f.Kind != flow.HTTP && f.Kind != flow.WebSocket && f.Kind != flow.Tunnel || f.Speech == flow.SpeechDNS: // packets, which trust nothing
		return wasOther, 0
	case f.ShownFault(): // whether it takes our own certificate was not asked
		return wasOther, 0
	case f.Readable() && (f.Client.TLS != 0 || f.Client.Hello != nil): // a file may know one without the other
		return wasRead, 0
	case f.Readable():
		return wasPlain, 0
	case len(f.Experiments) > 0: // the experiment may be why it went as it did
		return wasOther, 0
	}
	switch f.Outcome {
	case flow.ClientRefused:
		return wasRefused, codeOf(f)
	case flow.ClientSilent:
		return wasSilent, 0
	case flow.HandshakeFailed:
		return wasFailed, codeOf(f)
	case flow.PassedThrough:
		return wasPassed, 0
	}
	return wasOther, 0
}

// lookupOf says how names are looked up at a flow's server, if it is a resolver.
func lookupOf(f *flow.Flow) lookupWays {
	switch port := f.Port(); {
	case port == "53":
		return inClear
	case port == "853" && f.Kind == flow.UDP:
		return overQUIC // RFC 9250, 4.1.1
	case port == "853":
		return overTLS // RFC 7858, 3.1
	}
	return overHTTPS
}

// versions returns the TLS versions that the client offered.
func versions(f *flow.Flow) []uint16 {
	if f.Client.Hello == nil {
		return nil
	}
	return f.Client.Hello.Versions
}

// addServed counts a page or file that telltale answered with itself.
func (c *Collector) addServed(f *flow.Flow, at int64) {
	if f.Client.TLS != 0 {
		c.addTest(f, at)
	} else {
		c.client(f) // what it is, the browser says
	}
	if f.Status() >= 400 {
		return
	}
	switch path := f.Path(); {
	case path == "/" || path == "":
		c.state.page.add(at)
	case isAuthority(path):
		c.state.fetched.add(at)
		c.state.profile = c.state.profile || strings.HasSuffix(path, ".mobileconfig")
	}
}

// isAuthority reports whether a path of the set-up page is the certificate in one of
// its forms: /ca.pem and its like, and Android's /9f8c2c5a.0.
func isAuthority(path string) bool {
	return strings.HasPrefix(path, "/ca.") || strings.HasSuffix(path, ".0")
}

// addTest counts a connection by which the set-up page tests the certificate.
func (c *Collector) addTest(f *flow.Flow, at int64) {
	add := func(t *testCounts) {
		switch {
		case len(f.Experiments) > 0:
		case f.Client.TLS != 0 && f.Readable():
			t.trusted.add(at)
		case f.Outcome == flow.ClientRefused:
			t.refused.add(at, codeOf(f))
		}
	}
	add(&c.state.test)
	if client := c.client(f); client != nil {
		add(&client.test)
	}
}

func (c *Collector) addName(host string, at int64) {
	name := clipHost(host)
	i, found := slices.BinarySearchFunc(c.state.lookups.parts, name, func(l *lookup, name string) int { return cmp.Compare(l.name, name) })
	if !found {
		c.state.lookups.insert(c.own, i, MaxServers, func() *lookup { return &lookup{own: c.own, name: strings.Clone(name)} }, (*lookup).size)
	}
	if l := c.state.lookups.at(c.own, i, MaxServers, (*lookup).owned); l != nil {
		l.add(at)
	}
}

// client returns the program that made a flow, to be changed; nil when it has no place.
func (c *Collector) client(f *flow.Flow) *client {
	agent, stack := clip(f.UserAgent()), stackOf(f)
	i, found := slices.BinarySearchFunc(c.state.clients.parts, agent, func(p *client, agent string) int {
		return cmp.Or(cmp.Compare(p.agent, agent), cmp.Compare(p.stack, stack))
	})
	if !found {
		c.state.clients.insert(c.own, i, MaxClients, func() *client {
			return &client{own: c.own, agent: strings.Clone(agent), stack: strings.Clone(stack)}
		}, (*client).size)
	}
	p := c.state.clients.at(c.own, i, MaxClients, (*client).owned)
	if p != nil {
		p.flows++
	}
	return p
}

// server returns the host of a program, to be changed; nil when it has no place.
func (c *Collector) server(p *client, host string) *server {
	name := clipHost(host)
	i, found := slices.BinarySearchFunc(p.servers.parts, name, func(s *server, name string) int { return cmp.Compare(s.name, name) })
	if !found {
		p.servers.insert(c.own, i, MaxServers, func() *server { return &server{own: c.own, name: strings.Clone(name)} }, (*server).size)
	}
	return p.servers.at(c.own, i, MaxServers, (*server).owned)
}

// stackOf names the TLS stack of the client: the middle of its JA4, a digest of its
// cipher suites, which does not depend on the host, on ALPN or on extensions.
func stackOf(f *flow.Flow) string {
	if f.Client.Hello == nil {
		return ""
	}
	_, rest, _ := strings.Cut(f.Client.Hello.JA4, "_")
	stack, _, _ := strings.Cut(rest, "_")
	return clip(stack)
}

func clip(s string) string { return s[:min(len(s), maxText)] }

// clipHost keeps the end of a host, which tells whose it is.
func clipHost(s string) string { return s[max(0, len(s)-maxText):] }

// insert makes a place at i for a new part, if it is among the first limit; what then
// is one too many goes.
func (l *list[T]) insert(own *owner, i, limit int, create func() T, size func(T) int) {
	if i >= limit {
		l.more++
		return
	}
	if l.own != own {
		l.parts, l.own = slices.Clone(l.parts), own
	}
	if len(l.parts) == limit {
		l.more += size(l.parts[limit-1])
		l.parts = l.parts[:limit-1]
	}
	l.parts = slices.Insert(l.parts, i, create())
}

// at returns the part at i to be changed: the collector's own, or a copy that takes
// its place.
func (l *list[T]) at(own *owner, i, limit int, owned func(T, *owner) (T, bool)) (none T) {
	if i >= limit {
		return none
	}
	part, same := owned(l.parts[i], own)
	if same {
		return part
	}
	if l.own != own {
		l.parts, l.own = slices.Clone(l.parts), own
	}
	l.parts[i] = part
	return part
}

func (p *client) owned(own *owner) (*client, bool) {
	if p.own == own {
		return p, true
	}
	d := *p
	d.own = own
	return &d, false
}

func (s *server) owned(own *owner) (*server, bool) {
	if s.own == own {
		return s, true
	}
	d := *s
	d.own = own
	return &d, false
}

func (l *lookup) owned(own *owner) (*lookup, bool) {
	if l.own == own {
		return l, true
	}
	d := *l
	d.own = own
	return &d, false
}

func (p *client) size() int { return p.flows }
func (s *server) size() int { return s.all.count }
func (l *lookup) size() int { return l.count }

// Clone returns a collector that goes on from c and leaves it as it is. They share
// what neither of them changes.
func (c *Collector) Clone() *Collector {
	c.share()
	d := *c
	return &d
}

// Evidence returns what was counted so far. It costs nothing while nothing was added.
func (c *Collector) Evidence() *Evidence {
	if c.cached == nil {
		c.share()
		c.cached = &Evidence{state: c.state}
	}
	return c.cached
}

// share ends the ownership of all parts, as somebody else is to see them.
func (c *Collector) share() { c.own = nil }
