package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"telltale/flow"
	"telltale/wire/clienthello"
)

// drainTime is what one direction of a tunnel gets after the other broke: the
// bytes on their way still arrive, and a peer that is gone does not hold it open.
const drainTime = 5 * time.Second

// transit is a connection that is forwarded without being read.
type transit struct {
	c     *connection
	up    net.Conn
	prior []byte // read from up, not forwarded yet
	flow  *flow.Flow
	watch bool             // look for a ClientHello in passing
	seal  func(*flow.Flow) // changes the row when all was forwarded; may be nil
	ahead bool             // up was dialled before the client was answered, and can still be used otherwise
}

// dialFor reaches the server that c asked for, over TLS if c was decrypted: what
// came encrypted goes on so. On an error the transit has no server, but its flow
// knows what was tried.
func (p *Proxy) dialFor(c *connection) (*transit, error) {
	t := &transit{c: c, flow: c.tunnel(), watch: c.client.Hello == nil}
	if c.standsIn() {
		return t, errStandsIn
	}
	var d dialed
	var err error
	if c.secure {
		t.up, d, err = p.dialSecure(c, t.flow)
	} else if r := c.account.takeReady(); r != nil {
		t.up, d, t.ahead = r.Conn, r.dialed, true
	} else {
		t.up, d, err = p.dialer.dial(p.base, c.client.Addr.Addr(), c.asked)
	}
	t.flow.Server.Dialed, t.flow.Times.DNS, t.flow.Times.Connect = d.Addr, d.DNS, d.Connect
	return t, err
}

// dialSecure greets the server as the client greeted us, and notes in f what it
// showed. No protocol is offered, as the client offered none.
func (p *Proxy) dialSecure(c *connection, f *flow.Flow) (net.Conn, dialed, error) {
	pools := p.exchange.pools
	ctx := context.WithValue(p.base, accountKey{}, c.account)
	conn, err := pools.dialTLS(ctx, pools.clientTLS(nil), c.client.Addr.Addr(), c.asked, f.Server.SNI)
	if err == nil {
		sc := serverConnOf(conn)
		f.Server.TLS, f.Times.TLS = sc.tls, sc.tlsTime
		return conn, sc.dialed, nil
	}
	var shake *handshakeError
	var undialled *undialedError
	switch {
	case errors.As(err, &shake):
		f.Server.TLS = shake.server
		return nil, shake.dialed, err
	case errors.As(err, &undialled):
		return nil, undialled.dialed, err
	}
	return nil, notDialed(), err
}

// tunnel forwards what is neither TLS nor HTTP, or what must not be read.
func (p *Proxy) tunnel(c *connection, o flow.Outcome, why string) {
	t, err := p.dialFor(c)
	if err != nil {
		p.undialled(t, err)
		return
	}
	p.carry(t, o, why)
}

// undialled records a tunnel whose server was not reached.
func (p *Proxy) undialled(t *transit, err error) {
	if errors.Is(err, errStandsIn) {
		p.resetFor(t.c, t.c.decision)
		return
	}
	t.flow.Outcome, t.flow.Failure = failureOf(err)
	t.flow.Error = err.Error()
	p.observe(t.c, t.flow)
	t.c.Close()
}

// carry forwards in both directions until both have ended, and records it. It
// closes both connections.
func (p *Proxy) carry(t *transit, o flow.Outcome, why string) {
	t.c.account.busy.Add(1)
	defer t.c.account.busy.Add(-1)
	stop := context.AfterFunc(p.base, func() { t.up.Close() })
	defer stop()
	open := *t.flow
	open.Outcome = flow.Open
	id := p.observe(t.c, &open)

	sent := make(chan int64, 1)
	go func() { sent <- t.upload() }()
	received := t.download()

	f := *t.flow
	f.ID, f.Outcome, f.Error = id, o, why
	f.Sent, f.Received = <-sent, received
	if hello := t.c.client.Hello; hello != nil {
		f.Client.Hello, f.Server.SNI = hello, hello.ServerName
	}
	t.up.Close()
	if t.seal != nil {
		t.seal(&f)
	}
	p.observe(t.c, &f)
	t.c.Close()
}

// upload forwards from the client to the server and returns how many bytes did.
func (t *transit) upload() int64 {
	n, err := t.uploadEarly()
	if err == nil {
		var m int64
		m, err = io.Copy(t.up, t.c.Conn) // the socket itself, so that the kernel can move the bytes
		n += m
	}
	if err == nil {
		err = closeWrite(t.up)
	}
	if err != nil {
		t.up.SetReadDeadline(time.Now().Add(drainTime))
	}
	return n
}

// uploadEarly forwards what was read ahead, and looks for a ClientHello in the
// first bytes of a connection that nobody looked into.
func (t *transit) uploadEarly() (n int64, err error) {
	c := t.c
	for err == nil {
		var m int
		m, err = t.up.Write(c.early[n:])
		n += int64(m)
		if err != nil || !t.watch {
			break
		}
		hello, state := clienthello.OverTLS(c.early)
		if state == clienthello.Whole {
			c.client.Hello = hello
		}
		if state != clienthello.Partial {
			break
		}
		err = c.fill()
	}
	c.early = nil
	if err == io.EOF {
		err = nil // the copy that follows meets it again
	}
	return n, err
}

// download forwards from the server to the client.
func (t *transit) download() int64 {
	m, err := t.c.Write(t.prior)
	n := int64(m)
	if err == nil {
		var m int64
		m, err = io.Copy(t.c.Conn, t.up)
		n += m
	}
	if err == nil {
		err = closeWrite(t.c)
	}
	if err != nil {
		t.c.SetReadDeadline(time.Now().Add(drainTime))
	}
	return n
}

// linger ends our direction and reads what the client still sends, for a moment:
// closing a socket with unread bytes resets it, and the reset can overtake what
// was written last.
func linger(c net.Conn) {
	c.SetDeadline(time.Now().Add(time.Second))
	if closeWrite(c) == nil {
		io.Copy(io.Discard, io.LimitReader(c, 8<<20)) //nolint:errcheck // nobody wants it
	}
}
