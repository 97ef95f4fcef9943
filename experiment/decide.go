package experiment

import (
	"slices"
	"strings"

	"telltale/flow"
	"telltale/proxy"
)

// stage is how much of a contact is known when it is decided about.
type stage string

const (
	atConnection stage = "connection" // a destination
	atHandshake  stage = "handshake"  // a ClientHello
	atRequest    stage = "request"
	atQuestion   stage = "question" // of DNS
	atDatagram   stage = "datagram" // of UDP, and packets of other protocols
	atQUIC       stage = "quic"     // UDP that was found to be QUIC
)

// contact is a flow that is decided about.
type contact struct {
	*flow.Flow
	host, port string
	stage      stage
}

func contactOf(f *flow.Flow) *contact {
	c := &contact{Flow: f, host: f.Host(), port: f.Port(), stage: atConnection}
	switch {
	case f.Request != nil && f.Kind != flow.Tunnel: // which has the CONNECT that opened it
		c.stage = atRequest
	case f.Kind == flow.DNS:
		c.stage = atQuestion
	case f.Kind == flow.UDP && (f.Client.Hello != nil || strings.Contains(f.Speech, "QUIC")):
		c.stage = atQUIC
	case f.Kind == flow.UDP, f.Kind == flow.ICMP, f.Kind == flow.IP:
		c.stage = atDatagram
	case f.Client.Hello != nil:
		c.stage = atHandshake
	}
	return c
}

// isHTTP reports whether the contact is, or may become, a request over TCP.
func (c *contact) isHTTP() bool {
	return c.stage == atConnection || c.stage == atHandshake || c.stage == atRequest
}

// Decide says what is done with a contact: the question of [proxy.Config.Admit], of which
// it answers the part that is done on purpose. Of what is in force, this decides, in this
// order: a person's refusal of a host; enforcement; offline; consent-refused;
// captive-portal, until the device has signed in; flaky, for the share that it hits;
// server-error. What one of them blocks, no later one sees. bad-certificate and
// clock-skew go with server-error, whose answer needs a handshake first; no-quic refuses
// QUIC that none of those before it has blocked. slow decides nothing: the sockets
// themselves say what it slowed.
//
// Telltale's own page is never touched.
func (s *Set) Decide(f *flow.Flow) proxy.Decision {
	now := s.now.Load()
	if now == nil || now.idle || s.isOwn(f) {
		return proxy.Decision{}
	}
	c := contactOf(f)
	if d, ok := now.refuse(c, s.cfg.Forbids); ok {
		return s.lasting(now, c, d)
	}
	var d proxy.Decision
	for _, p := range now.played {
		if !p.concerns(c) {
			continue
		}
		d = merge(d, p.decide(c))
		if d.Admission == proxy.Block {
			break
		}
	}
	return s.lasting(now, c, d)
}

// isOwn reports whether a contact is one with telltale itself: what was asked for counts,
// as in [flow.Flow.IsContact].
func (s *Set) isOwn(f *flow.Flow) bool {
	if f.Outcome == flow.Served || f.IsControl() {
		return true
	}
	asked := flow.CanonicalHost(f.Server.Asked)
	return asked == flow.SetupHost || s.cfg.Portal != "" && asked == flow.CanonicalHost(flow.Authority(s.cfg.Portal))
}

// concerns reports whether a simulation is meant for the host of a contact.
func (p *played) concerns(c *contact) bool {
	if len(p.spec.Hosts) == 0 {
		return true
	}
	for _, host := range p.spec.Hosts {
		if host.Match(c.host, c.port) {
			return true
		}
	}
	return false
}

// merge adds what a later simulation does to what those before it do. Where it blocks,
// nothing is left to be cut off.
func merge(d, next proxy.Decision) proxy.Decision {
	if next.Admission != proxy.Block && next.Cut == 0 {
		next.Cut, next.CutBy, next.Why = d.Cut, d.CutBy, d.Why
	}
	if next.Leaf == nil {
		next.Leaf, next.LeafBy, next.LeafWhat = d.Leaf, d.LeafBy, d.LeafWhat
	}
	next.By = slices.Concat(d.By, next.By)
	slices.Sort(next.By)
	switch {
	case next.What == "":
		next.What = d.What
	case d.What != "":
		next.What = d.What + "; " + next.What
	}
	return next
}

// refuse applies what a person, or the policy, forbids.
func (n *force) refuse(c *contact, forbids func(*flow.Flow) (bool, string)) (proxy.Decision, bool) {
	for i := range n.refusals {
		if r := &n.refusals[i]; r.host.Match(c.host, c.port) {
			return r.decision(c, r.why), true
		}
	}
	if n.enforce == nil || c.IsLookup() { // which no policy forbids
		return proxy.Decision{}, false
	}
	forbidden, why := forbids(c.Flow)
	if !forbidden {
		return proxy.Decision{}, false
	}
	d := n.enforce.decision(c, why)
	d.Forbidden = true
	return d, true
}

// hung is how a contact is never answered. Its name resolves, to an address that stands for
// it: the device connects, and hears nothing.
func hung(c *contact) proxy.Refusal {
	if c.stage == atQuestion {
		return proxy.Answered
	}
	return proxy.Silent
}

// decision is a refusal in the form that was asked for.
func (r *refusal) decision(c *contact, why string) proxy.Decision {
	d := proxy.Decision{Admission: proxy.Block, Why: why, By: []string{r.name}}
	switch r.form {
	case FormDNS:
		d.Refusal = proxy.Unresolved
	case FormHang:
		d.Refusal = hung(c)
	case FormReset:
		d.Refusal = proxy.Reset
	case FormForbidden, FormNoContent:
		d.Refusal = proxy.Answered
		if c.stage == atRequest {
			d.Answer = statusAnswer(string(r.form)) //nolint:bodyclose // package proxy closes it
		}
	}
	return d
}
