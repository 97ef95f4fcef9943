package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"telltale/flow"
)

// Arrive serves a connection that a device is opening. Its server is dialled before the
// device is answered, so that a dead server looks dead to it; what was dialled is then
// used for what the device sends. Every arrival ends in a flow.
//
// Arrive returns when the connection was handed on or has ended, which takes as long as
// dialling does; it takes over what Accept returns, or Conn. One of Accept and Refuse is
// called, once.
func (p *Proxy) Arrive(a Arrival) {
	pending := newUnanswered(p.base, a)
	p.dialer.network.through(a.Way, a.Client.Addr())
	c := p.account(pending, flow.Client{Addr: a.Client, Device: a.Device}, a.Way.Mode)
	if c == nil {
		return // the audit is ending, and that is recorded
	}
	defer p.contain(c)
	if e := p.guard.enter(a.Client.Addr(), true); e.why != "" {
		p.turnAway(c, e)
		return
	}
	c.account.expect(c, flow.Abandoned, "the client went away before it was answered")
	accept := func() error { return pending.accept(c) }
	answer := answering{context: pending.context, accept: accept, refuse: pending.refuse, pending: a.Accept != nil}
	if !answer.pending {
		answer.open = accept
	}
	p.meet(c, a.Way, a.Destination, a.Asked, answer)
}

// answering is how a client hears whether its server was reached.
type answering struct {
	context context.Context // ends when the client is not to be answered any more
	accept  func() error    // called once, or refuse is
	refuse  func(error)
	pending bool         // the client has no connection yet
	open    func() error // makes readable what a client sends that has one; nil where it is
}

// meet serves a connection of a way in that knows where it goes: the address to, or the
// host:port asked where the client named it. It takes c over.
func (p *Proxy) meet(c *connection, w *Way, to netip.AddrPort, asked string, answer answering) {
	p.direct(c, to, asked)
	switch {
	case to.IsValid() && w.owns(to.Addr()):
		p.meetOwn(c, to, answer)
		return
	case isSetup(c.asked):
		p.accepted(c, answer, p.enter)
		return
	case p.isFrontDoor(to):
		c.asked, c.destination, c.names, c.local = "", netip.AddrPort{}, nil, to
		p.accepted(c, answer, p.acceptHTTP)
		return
	}
	f, d := p.admitted(c)
	if d.Admission == Block {
		p.block(c, f, d, p.refuserOf(c, d, answer))
		return
	}
	if !p.prepare(c, f, answer) {
		return
	}
	p.accepted(c, answer, func(c *connection) {
		if d.Admission == PassThrough {
			p.tunnel(c, flow.PassedThrough, d.Why)
			return
		}
		p.enter(c)
	})
}

// refuserOf returns how a client hears that its connection is blocked.
func (p *Proxy) refuserOf(c *connection, d Decision, answer answering) refuser {
	r := refuser{
		accept: answer.accept, open: answer.open,
		refuse: func(*flow.Flow) string {
			answer.refuse(&blockedError{c.asked, d})
			return "refused the connection in the place of the server"
		},
	}
	if answer.pending {
		r.await = func() {
			p.awaitLeaving(answer.context)
			answer.refuse(ErrUnanswered)
		}
	}
	return r
}

// awaitLeaving waits until a client that is not answered gives its connection up, or is
// taken to have done so.
func (p *Proxy) awaitLeaving(ctx context.Context) {
	timer := time.NewTimer(unansweredFor)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-p.stopping:
	case <-timer.C:
	}
}

// direct notes where a connection goes. An address that stands in for a name is that
// name to everything behind.
func (p *Proxy) direct(c *connection, to netip.AddrPort, asked string) {
	c.destination = to
	if c.asked = asked; asked == "" {
		c.asked = to.String()
	}
	if !to.IsValid() {
		return
	}
	c.names = p.names.of(c.client.Addr.Addr(), to.Addr())
	if name, ok := p.names.standIn(to.Addr()); ok {
		c.asked, c.names = net.JoinHostPort(name, strconv.Itoa(int(to.Port()))), []string{name}
	}
}

// meetOwn serves a connection to telltale itself: to its resolver, or to the set-up page
// and the proxy, on whatever port.
func (p *Proxy) meetOwn(c *connection, to netip.AddrPort, answer answering) {
	c.asked = net.JoinHostPort(flow.SetupHost, strconv.Itoa(int(to.Port())))
	if to.Port() == dnsPort {
		p.accepted(c, answer, p.serveDNS)
		return
	}
	c.own = true
	p.accepted(c, answer, p.enter)
}

// enterOwn serves HTTP in clear to telltale itself, as the front door does: a device in the
// tunnel may have telltale set as its proxy, too.
func (p *Proxy) enterOwn(c *connection) {
	c.local = c.destination
	c.asked, c.destination, c.names = "", netip.AddrPort{}, nil
	p.serveFirst(c)
}

// accepted answers the client and serves it.
func (p *Proxy) accepted(c *connection, answer answering, serve func(*connection)) {
	if err := answer.accept(); err != nil {
		c.Close()
		return
	}
	c.account.expect(c, flow.Abandoned, "the client connected and sent nothing")
	serve(c)
}

// prepare dials the server of a connection in advance. Otherwise the client is refused,
// and f recorded.
func (p *Proxy) prepare(c *connection, f *flow.Flow, answer answering) bool {
	conn, d, err := p.dialer.dial(answer.context, c.client.Addr.Addr(), c.asked)
	if err == nil {
		c.account.ready.Store(&ahead{conn, d, time.Now()})
		return true
	}
	f.Outcome, f.Failure = failureOf(err)
	f.Server.Dialed, f.Times.DNS, f.Times.Connect = d.Addr, d.DNS, d.Connect
	if f.Error = err.Error(); c.account.cut.Load() {
		f.Outcome, f.Failure, f.Error = flow.Abandoned, "", "the audit ended while the server was being reached"
	}
	p.observe(c, f)
	answer.refuse(err)
	c.Close()
	return false
}

// isFrontDoor reports whether an address is that of a listener of the HTTP mode: a
// device may have the set-up page open under the address of this machine, or still use
// its proxy.
func (p *Proxy) isFrontDoor(to netip.AddrPort) bool {
	if !to.IsValid() {
		return false
	}
	p.mu.Lock()
	found := false
	for l, mode := range p.listeners {
		at := addrPort(l.Addr())
		if mode == modeHTTP && at.Port() == to.Port() && (at.Addr().IsUnspecified() || at.Addr() == to.Addr()) {
			found = true
		}
	}
	p.mu.Unlock()
	return found && p.guard.network.owns(to.Addr())
}

// ahead is a connection to a server that was dialled before the client was answered.
type ahead struct {
	net.Conn
	dialed dialed
	since  time.Time
}

// readyFor is how long such a connection may wait for the client to speak. Servers that
// expect the client to do so end connections on which it does not.
const readyFor = 5 * time.Second

// takeReady returns the connection that was dialled in advance, once; nil if there is
// none, or it is too old to be relied on.
func (a *account) takeReady() *ahead {
	r := a.ready.Swap(nil)
	if r != nil && time.Since(r.since) > readyFor {
		r.Close()
		return nil
	}
	return r
}

// leave gives a connection that was dialled in advance back, on which the server was
// silent a moment ago, and closes any other.
func (t *transit) leave() {
	if !t.ahead {
		t.up.Close()
		return
	}
	t.c.account.ready.Store(&ahead{t.up, dialed{t.flow.Server.Dialed, t.flow.Times.DNS, t.flow.Times.Connect}, time.Now()})
}

// dropReady closes the connection that was dialled in advance, if nobody took it.
func (a *account) dropReady() {
	if a.ready.Load() == nil {
		return
	}
	if r := a.ready.Swap(nil); r != nil {
		r.Close()
	}
}

// accountKey finds the account of the connection for which something is dialled.
type accountKey struct{}

// readyIn returns the connection that was dialled in advance for the trip, or the
// connection, of ctx. It is nil for none.
func readyIn(ctx context.Context) *ahead {
	if t := tripOf(ctx); t != nil {
		if t.moved() {
			return nil // it leads elsewhere
		}
		return t.c.account.takeReady()
	}
	if a, ok := ctx.Value(accountKey{}).(*account); ok {
		return a.takeReady()
	}
	return nil
}

// errAnswered is met by who accepts a connection that was refused already.
var errAnswered = errors.New("the client was refused already")

// unanswered stands in the place of the socket of a client that was not answered yet.
// Of the methods of net.Conn it has those that are called until then.
type unanswered struct {
	net.Conn
	arrival Arrival
	context context.Context
	cancel  context.CancelFunc

	decided atomic.Bool              // whether the client is answered or refused
	inside  atomic.Pointer[net.Conn] // what Accept returned
}

func newUnanswered(ctx context.Context, a Arrival) *unanswered {
	u := &unanswered{arrival: a}
	u.context, u.cancel = context.WithCancel(ctx)
	return u
}

// accept answers the client, and puts its connection in the place of u. It waits for a
// client that went away no longer than u is open.
func (u *unanswered) accept(c *connection) error {
	if u.decided.Swap(true) {
		return errAnswered
	}
	defer u.cancel() // nobody waits for it any more
	conn := u.arrival.Conn
	if u.arrival.Accept != nil {
		var err error
		if conn, err = u.acceptInTime(c.account.proxy); err != nil {
			return err
		}
	}
	conn = c.account.proxy.shape(conn)
	u.inside.Store(&conn)
	c.Conn = conn
	c.account.replace(conn)
	return nil
}

// acceptInTime returns what Accept does, unless u is closed first. What is accepted later
// is closed.
func (u *unanswered) acceptInTime(p *Proxy) (net.Conn, error) {
	type accepted struct {
		conn net.Conn
		err  error
	}
	came := make(chan accepted, 1)
	go func() {
		a := accepted{err: errNotServed}
		defer func() {
			if e := recover(); e != nil {
				p.logPanic(e)
			}
			came <- a
		}()
		a.conn, a.err = u.arrival.Accept()
	}()
	select {
	case a := <-came:
		return a.conn, a.err
	case <-u.context.Done():
		go func() {
			if a := <-came; a.err == nil {
				a.conn.Close()
			}
		}()
		return nil, u.context.Err()
	}
}

// refuse tells the client that it is not served.
func (u *unanswered) refuse(why error) {
	if u.decided.Swap(true) {
		return
	}
	if u.arrival.Refuse != nil {
		u.arrival.Refuse(why)
	}
	if u.arrival.Conn != nil {
		u.arrival.Conn.Close()
	}
}

// errNotServed is what a client is refused with when nobody said more.
var errNotServed = errors.New("the connection is not served")

// Close ends the wait.
func (u *unanswered) Close() error {
	u.cancel()
	u.refuse(errNotServed)
	if conn := u.inside.Load(); conn != nil {
		return (*conn).Close()
	}
	return nil
}

// RemoteAddr returns the client's address.
func (u *unanswered) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(u.arrival.Client) }
