package proxy

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"

	"telltale/flow"
	"telltale/wire/dns"
)

// This file and refuse_request.go carry decisions out: what is done with a contact that
// is blocked, in whatever way it came in.

// marks are what experiments did to a contact. The zero value is nothing. The lists are
// never changed once they are made: flows keep them.
type marks struct {
	by   []string // sorted
	what []string
}

// add notes what a decision says of a contact that is not blocked.
func (m *marks) add(d Decision) { m.note(d.By, d.What) }

// note notes what was done, and which experiments did it. What was noted before is not
// noted twice.
func (m *marks) note(by []string, what ...string) {
	if len(by) > 0 {
		all := append(slices.Clone(m.by), by...)
		slices.Sort(all)
		m.by = slices.Compact(all)
	}
	for _, one := range what {
		if one != "" && !slices.Contains(m.what, one) {
			m.what = append(slices.Clip(m.what), one)
		}
	}
}

// put adds them to a flow.
func (m marks) put(f *flow.Flow) {
	if len(m.by) == 0 && len(m.what) == 0 {
		return
	}
	all := marks{f.Experiments, f.Altered}
	all.note(m.by, m.what...)
	f.Experiments, f.Altered = all.by, all.what
}

// mark notes in a flow what a decision says of a contact that is not blocked.
func (d Decision) mark(f *flow.Flow) {
	var m marks
	m.add(d)
	m.put(f)
}

// outcome is that of a contact that is blocked.
func (d Decision) outcome() flow.Outcome { return cmp.Or(d.Outcome, flow.Blocked) }

// seal makes f the flow of a contact that is blocked. what was done to the client.
func (d Decision) seal(f *flow.Flow, what string) {
	f.Outcome, f.Failure, f.Error = d.outcome(), "", d.Why
	marks{d.By, []string{what + orWhy(d.Why)}}.put(f)
}

// admit asks what is to be done with a contact, if there is somebody to be asked.
func (p *Proxy) admit(f *flow.Flow) Decision {
	if p.cfg.Admit == nil {
		return Decision{}
	}
	return p.cfg.Admit(f)
}

// admitted asks what is to be done with a connection, by what is known of it. The flow is
// that of the connection as a whole.
func (p *Proxy) admitted(c *connection) (*flow.Flow, Decision) {
	f := c.tunnel()
	d := p.admit(f)
	c.decide(d)
	c.marks.put(f)
	return f, d
}

// decide notes what was decided about a connection.
func (c *connection) decide(d Decision) {
	if c.decision = d; d.Admission != Block {
		c.marks.add(d)
	}
}

// standsIn reports whether telltale is in the place of the server: no server was
// reached, or will be, by what was decided last about the connection.
func (c *connection) standsIn() bool {
	return c.decision.Admission == Block && c.decision.Refusal == Answered
}

// errStandsIn keeps a connection on which telltale is in the place of the server from
// being forwarded.
var errStandsIn = errors.New("telltale is in the place of the server")

// ErrUnanswered is what [Arrival.Refuse] is given where the device is to be told nothing,
// as if its packets had been lost.
var ErrUnanswered = errors.New("the connection is left unanswered")

// refusal says for people that a contact with what was asked for is refused.
func (d Decision) refusal(asked string) string {
	switch {
	case d.Forbidden:
		return "the policy forbids " + asked + orWhy(d.Why)
	case d.Outcome == flow.Simulated:
		return "an experiment refuses " + asked + orWhy(d.Why)
	}
	return asked + " is refused" + orWhy(d.Why)
}

// reason is Why, or what is known without it.
func (d Decision) reason() string {
	switch {
	case d.Why != "":
		return d.Why
	case d.Forbidden:
		return "the policy forbids it"
	}
	return "refused"
}

// blockedError is what a client is refused with that is not let connect.
type blockedError struct {
	asked    string
	decision Decision
}

func (e *blockedError) Error() string { return e.decision.refusal(e.asked) }

// refuser is how a way in shows its client a refusal.
type refuser struct {
	// refuse says that the connection is refused, or that there is no such name, and
	// returns what that was, in words. It may put an answer into f. It does not close.
	refuse func(f *flow.Flow) (what string)
	accept func() error // nil where the client was accepted already
	// open makes the socket of a client readable that was accepted before anybody asked. Nil
	// where it is.
	open func() error
	// await blocks until a client that has not been accepted goes away. Nil where it was, or
	// where its socket says so.
	await func()
}

// block ends a connection as was decided, or is in the place of its server. f is the flow
// of the connection as a whole. It takes c over.
func (p *Proxy) block(c *connection, f *flow.Flow, d Decision, r refuser) {
	switch d.Refusal {
	case Silent:
		p.hang(c, f, d, r)
		return
	case Reset, Answered:
		if r.accept != nil {
			if err := r.accept(); err != nil {
				d.seal(f, "was about to accept the connection in the place of the server")
				p.observe(c, f)
				c.Close()
				return
			}
		}
	}
	switch d.Refusal {
	case Reset:
		p.resetAtOnce(c, d)
	case Answered:
		c.account.expect(c, flow.Abandoned, "the client sent nothing") // see unused
		p.enter(c)
	default:
		d.seal(f, r.refuse(f))
		p.observe(c, f)
		c.Close()
	}
}

// unansweredFor is how long a device that opens a connection is left without an answer.
// Systems give up before (Linux after 127 s), and do not say so.
const unansweredFor = 130 * time.Second

// hang leaves a client without an answer for as long as it stays, and counts what it sends.
func (p *Proxy) hang(c *connection, f *flow.Flow, d Decision, r refuser) {
	what := "never answered the connection in the place of the server"
	open := *f
	d.seal(&open, what)
	open.Outcome, open.Error = flow.Open, ""
	f.ID = p.observe(c, &open)
	switch {
	case r.await != nil:
		r.await()
	case r.open == nil || r.open() == nil:
		f.Sent = p.swallow(c)
	}
	d.seal(f, what)
	p.observe(c, f)
	c.Close()
}

// swallow reads what a client sends until it goes away, or the audit ends.
func (p *Proxy) swallow(c *connection) (n int64) {
	c.SetDeadline(time.Time{})
	stop := p.whenStopping(func() {
		c.account.cut.Store(true)
		c.account.raw.Close()
	})
	defer stop()
	buf := smallBuffers.Get().(*[smallBuffer]byte)
	defer smallBuffers.Put(buf)
	for {
		m, err := c.Read(buf[:])
		n += int64(m)
		if err != nil {
			return n
		}
	}
}

// whenStopping calls f when the audit is about to end, unless stop is called before. After
// stop it does not run.
func (p *Proxy) whenStopping(f func()) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-p.stopping:
			f()
		case <-done:
		}
	}()
	return func() { close(done); <-ended }
}

// resetAtOnce resets a connection that was accepted at the client's first bytes. A
// ClientHello is read, for the name in it.
func (p *Proxy) resetAtOnce(c *connection, d Decision) {
	c.SetReadDeadline(time.Now().Add(p.waits.head))
	if len(c.early) > 0 || c.fill() == nil {
		if looksTLS(c.early) {
			c.SetReadDeadline(time.Now().Add(p.waits.handshake))
			readHello(c) //nolint:errcheck // the name in it is welcome, and not needed
		}
	}
	p.resetFor(c, d)
}

// resetFor resets a connection because of a decision.
func (p *Proxy) resetFor(c *connection, d Decision) {
	f := c.tunnel()
	f.Sent = int64(len(c.early))
	d.seal(f, "reset the connection in the place of the server")
	p.observe(c, f)
	c.account.reset()
}

// unused makes f the flow of a connection on which telltale was in the place of the
// server, and of which nothing came.
func (c *connection) unused(f *flow.Flow) {
	what := "accepted the connection in the place of the server"
	if c.secure {
		what += ", and TLS"
	}
	c.decision.seal(f, what+"; no request came")
}

// reset ends a connection by a reset, as far as its socket can do that.
func (a *account) reset() {
	lingerNot(a.raw)
	a.close() // it is over in any case
}

// lingerNot makes the end of a socket a reset. What wraps a socket is looked into.
func lingerNot(c net.Conn) {
	for c != nil {
		if l, ok := c.(interface{ SetLinger(int) error }); ok {
			l.SetLinger(0) //nolint:errcheck // it is closed in any case
			return
		}
		w, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return
		}
		c = w.NetConn()
	}
}

// abort ends a connection by a reset, as a server that refuses it would have.
func abort(c *connection) { c.account.reset() }

// blocked answers a question that is not let through, or leaves it without an answer, and
// reports whether that was so. ruled is set for a name under a --resolve rule: such a name is
// refused where it is contacted, and not before.
func (in *inquiry) blocked(ruled bool) bool {
	if in.p.cfg.Admit == nil {
		return false
	}
	d := in.p.cfg.Admit(in.flow)
	if d.Admission != Block {
		in.marks.add(d)
		return false
	}
	if ruled && d.Refusal == Refused {
		return false
	}
	in.marks.note(d.By)
	why := d.Why
	switch d.Refusal {
	case Unresolved:
		in.alter("answered NXDOMAIN in the place of DNS" + orWhy(why))
		in.say(dns.NameError)
	case Silent:
		in.alter("never answered the question in the place of DNS" + orWhy(why))
	case Reset, Answered:
		in.lead(why)
	default:
		why = d.reason()
		in.alter("answered REFUSED in the place of the resolver: " + why)
		in.say(dns.Refused)
	}
	in.end(d.outcome(), "", why)
	return true
}

// lead gives the address that stands for a name, so that the device connects to telltale
// and to nobody else. Of other types than A there is nothing.
func (in *inquiry) lead(why string) {
	if !in.query.Is("A") {
		in.alter("answered with no record in the place of DNS" + orWhy(why))
		in.say(dns.NoError)
		return
	}
	a := in.p.names.standInFor(in.name)
	in.alter("answered with the stand-in " + a.String() + " in the place of DNS" + orWhy(why))
	in.give([]netip.Addr{a})
}

// block ends the forwarding of a conversation as was decided.
func (v *conversation) block(d Decision) {
	v.mu.Lock()
	defer v.mu.Unlock()
	what := "forwarded no datagram"
	if v.stage == opened {
		what = "forwarded no more datagrams"
	}
	d.seal(&v.draft, what)
	v.stage, v.holds = shut, d.Holds
	v.silent = v.silent || d.Refusal == Silent
	v.awaited = d.Refusal == Answered
}

// unblock takes back what was decided before it was known that QUIC is spoken, where its
// requests may be answered. It reports whether the conversation is one that is forwarded.
func (v *conversation) unblock() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.awaited {
		v.awaited, v.stage, v.holds = false, unopened, nil
		v.draft.Outcome, v.draft.Error, v.draft.Altered, v.draft.Experiments = "", "", nil, nil
	}
	return v.stage != shut
}
