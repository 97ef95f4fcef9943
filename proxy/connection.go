package proxy

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"time"

	"telltale/flow"
)

// earlySize is the first buffer of a connection: a CONNECT and most
// ClientHellos fit.
const earlySize = 2 << 10

// connection is what is known of one accepted client connection before its
// requests are read. It is filled in by the way in and by TLS acceptance, and is
// constant once requests are served on it. As a net.Conn it is the accepted
// socket, preceded by what was read ahead of it.
type connection struct {
	net.Conn // the accepted socket, or TLS over it where that was looked into
	mode     string
	client   flow.Client
	asked    string // host:port of the destination; "" when requests carry it (absolute-form)
	secure   bool   // TLS was accepted: requests are https

	destination netip.AddrPort // of the client's packets, where the way in sees them
	names       []string       // for which the client was given that address, newest first
	local       netip.AddrPort // what the client connected to, where that is not the socket's address
	own         bool           // that is an address of telltale's own in a way in that sees packets

	decision Decision // what was decided last about it as a whole
	marks    marks    // what experiments do to it, where it is not blocked
	shown    bool     // the client was shown decision.Leaf

	speech    string // of a connection of QUIC: its version; "" over TCP
	account   *account
	start     time.Time      // when it was accepted, or its tunnel asked for
	connect   head           // the CONNECT that asked for it; zero for none
	early     []byte         // read from the socket, not yet by a reader
	begun     moment         // when the socket became this connection
	slow      *marks         // what slowed the CONNECT; nil for nothing
	earlySlow *marks         // what slowed the early bytes
	records   *recordSniffer // what the client's TLS records say in plain text; nil after the handshake
	stream    *stream        // its HTTP/1 requests; nil for HTTP/2
	h2        *tls.Conn      // the TLS over it, where http.Server speaks HTTP/2
}

// toward returns the connection that a client asked to be opened to asked, on
// the socket of c. early is what was read behind the request for it.
func (c *connection) toward(asked string, connect head, early []byte) *connection {
	inside := &connection{
		Conn: c.account.raw, mode: c.mode, client: flow.Client{Addr: c.client.Addr, Device: c.client.Device},
		asked: asked, account: c.account, start: time.Now(), connect: connect, early: early,
		slow: connect.slow, earlySlow: c.earlySlow.with(connect.slow),
	}
	if s := c.account.shaped(); s != nil && connect.raw != "" {
		inside.begun.read, inside.begun.wrote = s.Slowed() // requests may have come before
	}
	return inside
}

// Read returns what was read ahead first.
func (c *connection) Read(p []byte) (n int, err error) {
	if len(c.early) > 0 {
		n = copy(p, c.early)
		c.gaveEarly()
		if c.early = c.early[n:]; len(c.early) == 0 {
			c.early, c.earlySlow = nil, nil // the buffer must not live as long as the connection
		}
	} else {
		if n, err = c.Conn.Read(p); n > 0 {
			c.came()
		}
		c.noteEnd(err)
	}
	if c.records != nil {
		c.records.feed(p[:n])
	}
	return n, err
}

// Write sends p.
func (c *connection) Write(p []byte) (int, error) {
	if c.records != nil {
		c.records.sent += len(p)
	}
	n, err := c.Conn.Write(p)
	c.noteEnd(err)
	return n, err
}

// noteEnd takes note of a client that has ended the connection.
func (c *connection) noteEnd(err error) {
	if err != nil && !errors.Is(err, net.ErrClosed) && !isTimeout(err) {
		c.account.left.Store(true)
	}
}

// Close closes the socket. Whoever took the connection over calls it.
func (c *connection) Close() error {
	if c.Conn != c.account.raw {
		return c.Conn.Close() // TLS, which says good-bye and then closes the socket
	}
	if c.h2 != nil && c.account.flows.Load() == 0 {
		c.seeEnd()
	}
	return c.account.close()
}

// seeEnd notes whether the client ended a connection of HTTP/2: by closing it, which
// Read sees, or by a closure alert, which is the last that crypto/tls reads ever after.
func (c *connection) seeEnd() {
	c.Conn.SetReadDeadline(past)
	_, err := c.h2.Read(make([]byte, 1))
	c.noteEnd(err)
}

// CloseWrite ends our direction and leaves the other open.
func (c *connection) CloseWrite() error { return closeWrite(c.Conn) }

// closeWrite half-closes a connection of any kind that can be.
func closeWrite(c net.Conn) error {
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return nil
}

// LocalAddr returns the address that the client connected to.
func (c *connection) LocalAddr() net.Addr {
	if c.local.IsValid() {
		return net.TCPAddrFromAddrPort(c.local)
	}
	return c.Conn.LocalAddr()
}

// fill reads once more ahead.
func (c *connection) fill() error {
	n := len(c.early)
	if cap(c.early)-n < earlySize/4 {
		grown := make([]byte, n, max(earlySize, 2*cap(c.early)))
		copy(grown, c.early)
		c.early = grown
	}
	m, err := c.Conn.Read(c.early[n:cap(c.early)])
	c.early = c.early[:n+m]
	if m > 0 {
		c.cameEarly()
		return nil // an error will come again
	}
	return err
}

// head returns the header lines of the HTTP/1 request being served, spelled and
// ordered as the client sent them. For HTTP/2 it is nil: HPACK leaves names in
// lower case, and http.Server does not keep their order.
func (c *connection) head() []flow.Field {
	if c.stream == nil {
		return nil
	}
	return c.stream.current.fields()
}

// tunnel returns a flow for the connection as a whole, without an outcome.
func (c *connection) tunnel() *flow.Flow {
	f := &flow.Flow{
		Kind: flow.Tunnel, Mode: c.mode, Client: c.client,
		Server: flow.Server{Asked: c.asked}, Times: flow.NoTimes(c.start),
	}
	if c.client.Hello != nil {
		f.Server.SNI = c.client.Hello.ServerName
	}
	if c.speech != "" {
		f.Kind, f.Speech = flow.UDP, c.speech
	}
	f.Server.Destination, f.Server.Resolved = c.destination, resolvedBy(c.names, f.Server.SNI)
	if c.connect.raw != "" {
		// Its User-Agent is all that names the app of a connection that
		// cannot be read. It has no URL: the flow makes one of what was asked.
		f.Request = &flow.Request{Method: "CONNECT", Header: c.connect.fields()}
	}
	c.marks.put(f)
	return f
}

// observe gives the recorder a state of a flow. The caller does not touch f
// again.
func (p *Proxy) observe(c *connection, f *flow.Flow) flow.ID {
	if f.ID == 0 {
		f.ID = p.cfg.Recorder.NextID()
		c.account.flows.Add(1)
	}
	if f.Ended() {
		if f.Times.End.IsZero() {
			f.Times.End = time.Now()
		}
		c.slowed(f)
	}
	if c.judgeFault(f); f.Outcome == flow.ClientRefused {
		p.servings.forget(c.client.Addr.Addr())
	}
	p.cfg.Recorder.Observe(f)
	return f.ID
}

// addrPort returns a socket's address, IPv4 as IPv4.
func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	ap, _ := netip.ParseAddrPort(a.String())
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
