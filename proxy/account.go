package proxy

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"telltale/coverage"
	"telltale/flow"
)

// account sees to it that an accepted connection ends in exactly one way. It
// counts the flows that the connection became and who still works on it: the
// socket, and every request in its handler. When the last of them lets go and
// no flow came of it, the account records the one row that says so.
type account struct {
	proxy *Proxy
	raw   net.Conn // changed by replace only
	mode  string
	count bool // it is a connection in the books of its mode; in those of QUIC datagrams are
	from  netip.AddrPort
	start time.Time

	refs   atomic.Int32
	closed atomic.Bool
	cut    atomic.Bool  // by the end of the audit
	left   atomic.Bool  // the client ended its direction, or both
	busy   atomic.Int32 // tunnels and answers under way: not to be cut by a shutdown
	flows  atomic.Int32 // flows recorded, or begun by a request
	used   atomic.Bool  // a request came inside TLS
	active atomic.Int32 // times that HTTP/2 became active: first of all, and with a first stream

	arrivals arrivals

	ready atomic.Pointer[ahead] // dialled before the client was answered, and not in use yet

	mu      sync.Mutex
	last    *connection  // what is known of it so far
	outcome flow.Outcome // of the row, should no flow come
	reason  string
	since   time.Time // when that was so
}

// open takes an accepted socket in.
func (p *Proxy) open(raw net.Conn, m Mode) {
	if c := p.account(p.shape(raw), flow.Client{Addr: addrPort(raw.RemoteAddr())}, m.Name); c != nil {
		go p.start(c, m)
	}
}

// shape puts what stands in front of the sockets of clients, if anything does, in front of
// one.
func (p *Proxy) shape(raw net.Conn) net.Conn {
	if p.cfg.Shape == nil {
		return raw
	}
	return p.cfg.Shape(raw)
}

// account opens the account of a socket. It returns nil when the audit is ending: the
// socket was closed then, and that recorded.
func (p *Proxy) account(raw net.Conn, client flow.Client, mode string) *connection {
	return p.enrol(&account{proxy: p, raw: raw, from: client.Addr, mode: mode, count: mode != modeHTTP, start: time.Now()}, client)
}

// enrol puts an account on the books, and returns its connection like account.
func (p *Proxy) enrol(a *account, client flow.Client) *connection {
	a.refs.Store(1)
	c := &connection{Conn: a.raw, mode: a.mode, client: client, account: a, start: a.start}
	a.expect(c, flow.Abandoned, "the client connected and sent nothing")
	p.mu.Lock()
	p.accounts[a] = struct{}{}
	closing := p.closing.Load()
	p.mu.Unlock()
	if a.count {
		p.books.begin(a.mode, coverage.TCP, oneConnection)
	}
	if closing {
		a.expect(c, flow.Abandoned, "the proxy was shutting down")
		p.guard.admit(a.from.Addr())
		c.Close()
		return nil
	}
	return c
}

// oneConnection is how connections are counted.
var oneConnection = coverage.Amount{Units: 1}

// start runs a mode on a connection.
func (p *Proxy) start(c *connection, m Mode) {
	defer p.contain(c)
	if e := p.guard.enter(c.client.Addr.Addr(), false); e.why != "" {
		p.turnAway(c, e)
		return
	}
	m.accept(p, c)
}

// contain is the last resort: a bug met by one client's input must not end the audit of
// the others.
func (p *Proxy) contain(c *connection) {
	if e := recover(); e != nil {
		p.logPanic(e)
		c.Close()
	}
}

// replace puts the socket of a client that was answered in the place of what stood for
// it. An audit that has ended meanwhile has closed that, and it closes the socket.
func (a *account) replace(raw net.Conn) {
	a.proxy.mu.Lock()
	defer a.proxy.mu.Unlock()
	if a.raw = raw; a.cut.Load() {
		raw.Close()
	}
}

// expect says what to record if the connection ends before it becomes a flow.
func (a *account) expect(c *connection, o flow.Outcome, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last, a.outcome, a.reason, a.since = c, o, reason, time.Now()
}

// idle reports whether nothing is under way: no request has come yet and no
// tunnel is open.
func (a *account) idle() bool { return a.busy.Load() == 0 && a.flows.Load() == 0 }

// hold keeps the account open until the matching release.
func (a *account) hold() { a.refs.Add(1) }

func (a *account) release() {
	if a.refs.Add(-1) == 0 {
		a.finish()
	}
}

// close closes the socket, once.
func (a *account) close() error {
	if a.closed.Swap(true) {
		return net.ErrClosed
	}
	err := a.raw.Close()
	a.release()
	return err
}

func (a *account) finish() {
	if a.flows.Load() == 0 {
		a.mu.Lock()
		last := a.last // a handshake over QUIC may end while it is told of
		a.mu.Unlock()
		f := last.tunnel()
		f.Outcome, f.Error = a.verdict(time.Now())
		if last.standsIn() && (f.Outcome == flow.ClientSilent && !last.faulty() || f.Outcome == flow.Abandoned) {
			last.unused(f)
		}
		if f.Outcome == flow.ClientSilent {
			go a.settle(last, f)
			return
		}
		a.proxy.observe(last, f)
	}
	a.forget()
}

// forget takes the account off the books.
func (a *account) forget() {
	p := a.proxy
	a.dropReady()
	p.guard.leave(a.from.Addr())
	if a.count {
		p.books.settle(a.mode, coverage.TCP, oneConnection)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.accounts, a)
	if p.emptied != nil && len(p.accounts) == 0 {
		p.emptyOnce.Do(func() { close(p.emptied) })
	}
}

// eager is how soon a client closes that does not like our certificate. One that
// keeps an unused connection for longer has nothing against it.
const eager = 10 * time.Second

// verdict says how a connection ended that carried nothing.
func (a *account) verdict(now time.Time) (flow.Outcome, string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	unused := now.Sub(a.since)
	switch {
	case a.cut.Load() && a.outcome != flow.ClientDenied: // who was asked for a password was answered
		return flow.Abandoned, "the audit ended before the client made a request"
	case a.outcome == flow.ClientSilent && a.active.Load() > 1:
		return flow.Malformed, "refused: the client's requests broke the rules of HTTP/2 on fields (RFC 9113, 8.2 and 8.3)"
	case a.outcome == flow.ClientSilent && unused >= eager:
		return flow.Abandoned, fmt.Sprintf("the client accepted TLS and made no request in the %v before the connection was closed", unused.Round(time.Second))
	case a.outcome == flow.ClientSilent && a.last.h2 != nil && !a.left.Load(): // http.Server ended it
		return flow.Malformed, "refused: what the client sent broke the rules of HTTP/2 on connections (RFC 9113, 3.4 and 5.4.1)"
	}
	return a.outcome, a.reason
}

// lastWords is told how reading from a client ended, and how many bytes of a
// request had come by then. It matters only if there was no request before.
func (a *account) lastWords(c *connection, err error, partial int) {
	if a.flows.Load() > 0 {
		return
	}
	switch alert := alertOf(err); {
	case alert != noAlert:
		outcome, why := c.judgeAlert(alert, true)
		a.expect(c.alerted(alert), outcome, why)
	case partial > 0:
		a.expect(c, flow.Abandoned, fmt.Sprintf("the client went away %d bytes into its first request", partial))
	}
}
