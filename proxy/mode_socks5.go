package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"telltale/flow"
)

// socks5Mode is SOCKS version 5 (RFC 1928): for emulators, test runners and programs
// that have a setting for it.
var socks5Mode = Mode{
	Name:   modeSOCKS5,
	Help:   "SOCKS5, TCP and UDP: set in an emulator, a test runner or a program",
	Port:   "1080",
	accept: (*Proxy).acceptSOCKS5,
}

// ServeSOCKS5 accepts connections of SOCKS5 clients from l until [Proxy.Shutdown], then
// returns nil. Any other end is an error. It closes l.
func (p *Proxy) ServeSOCKS5(l net.Listener) error { return p.serve(l, socks5Mode) }

// socksWay is the way in of all CONNECTs. Each relay of datagrams is one of its own.
var socksWay = &Way{Mode: modeSOCKS5}

// acceptSOCKS5 greets a client and does what it requests.
func (p *Proxy) acceptSOCKS5(c *connection) {
	c.SetReadDeadline(time.Now().Add(p.waits.head))
	methods, err := readSOCKS(c, parseGreeting)
	if err != nil {
		p.noSOCKS(c, err)
		return
	}
	if !p.logIn(c, methods) {
		return
	}
	r, err := readSOCKS(c, parseSOCKSRequest)
	c.SetReadDeadline(time.Time{})
	var bad *socksError
	switch {
	case errors.As(err, &bad):
		p.refuseSOCKS(c, r, bad)
	case err != nil:
		c.Close()
	case r.command == commandConnect:
		p.connectSOCKS(c, r)
	case r.command == commandAssociate:
		p.associate(c)
	case r.command == commandBind:
		p.refuseSOCKS(c, r, &socksError{socksNoCommand, "the client asked for a port to be called at (BIND), which is not offered"})
	default:
		p.refuseSOCKS(c, r, &socksError{socksNoCommand, fmt.Sprintf("a command (%d) that RFC 1928 does not know", r.command)})
	}
}

// readSOCKS reads ahead until a message is whole, and takes it out of what was read.
func readSOCKS[T any](c *connection, parse func([]byte) (T, int, error)) (T, error) {
	for {
		v, n, err := parse(c.early)
		if err == nil {
			c.early = c.early[n:]
			return v, nil
		}
		if !errors.Is(err, errShort) {
			return v, err
		}
		if err := c.fill(); err != nil {
			if len(c.early) > 0 {
				c.account.expect(c, flow.Abandoned, fmt.Sprintf("the client stopped, or went away, %d bytes into a message of SOCKS5", len(c.early)))
			}
			return v, err
		}
	}
}

// logIn agrees on a method of authentication and carries it out. Where none is asked
// for, a client that insists on its password may give any.
func (p *Proxy) logIn(c *connection, methods []byte) bool {
	open, password := false, false
	for _, m := range methods {
		open, password = open || m == methodOpen, password || m == methodLogin
	}
	switch {
	case open && p.cfg.User == "":
		return say(c, socksVersion, methodOpen)
	case !password:
		c.Write([]byte{socksVersion, methodNone}) //nolint:errcheck // it is refused in any case
		p.denySOCKS(c, noCredentials)
		return false
	}
	c.account.expect(c, flow.ClientDenied, noCredentials)
	if !say(c, socksVersion, methodLogin) {
		return false
	}
	l, err := readSOCKS(c, parseLogin)
	if err != nil {
		c.Close()
		return false
	}
	verdict := granted
	if p.cfg.User != "" {
		verdict = p.guard.tries.judge(c.client.Addr.Addr(), p.guard.knowsLogin(l.user, l.password))
	}
	if verdict != granted {
		c.Write([]byte{loginVersion, 1}) //nolint:errcheck // it is refused in any case
		p.denySOCKS(c, refusals[verdict].why)
		return false
	}
	c.account.expect(c, flow.Abandoned, "the client connected and asked for nothing")
	return say(c, loginVersion, 0)
}

// say sends some bytes, or closes the connection where that fails.
func say(c *connection, b ...byte) bool {
	_, err := c.Write(b)
	if err != nil {
		c.Close()
	}
	return err == nil
}

// denySOCKS records a client without the right credentials.
func (p *Proxy) denySOCKS(c *connection, why string) {
	linger(c)
	f := c.tunnel()
	f.Outcome, f.Error = flow.ClientDenied, why
	p.observe(c, f)
	c.Close()
}

// connectSOCKS serves a CONNECT.
func (p *Proxy) connectSOCKS(front *connection, r socksRequest) {
	c := front.toward(r.asked, head{}, front.early)
	if _, port := flow.SplitHostPort(r.asked); port == "0" {
		p.refuseSOCKS(front, r, &socksError{socksFailed, "a request for port 0"})
		return
	}
	c.account.expect(c, flow.Abandoned, "the client asked for a connection and went away before it was made")
	p.meet(c, socksWay, r.to, r.asked, answering{
		context: p.base,
		accept: func() error {
			_, err := c.Conn.Write(socksAnswer(socksGranted, netip.AddrPort{}))
			return err
		},
		refuse: func(err error) {
			c.SetDeadline(time.Now().Add(closeTimeout))
			c.Conn.Write(socksAnswer(replyTo(err), netip.AddrPort{})) //nolint:errcheck // it is refused in any case
			linger(c)
		},
	})
}

// replyTo returns the code that fits why a server was not reached.
func replyTo(err error) socksReply {
	var blocked *blockedError
	outcome, class := failureOf(err)
	switch {
	case errors.As(err, &blocked) && blocked.decision.Refusal == Unresolved:
		return socksNoHost
	case errors.As(err, &blocked), outcome == flow.DestinationDenied:
		return socksForbidden
	case class == flow.FailureRefused:
		return socksRefused
	case class == flow.FailureUnreachable:
		return socksNoNetwork
	case class == flow.FailureDNS, class == flow.FailureTimeout:
		return socksNoHost
	}
	return socksFailed
}

// refuseSOCKS answers a request that is not served, and records it.
func (p *Proxy) refuseSOCKS(c *connection, r socksRequest, bad *socksError) {
	c.SetDeadline(time.Now().Add(closeTimeout))
	c.Write(socksAnswer(bad.reply, netip.AddrPort{})) //nolint:errcheck // it is refused in any case
	linger(c)
	f := c.tunnel()
	f.Server.Asked = r.asked
	f.Outcome, f.Error = flow.Malformed, "refused: "+bad.reason
	p.observe(c, f)
	c.Close()
}

// noSOCKS records a client that speaks something else than SOCKS5, and tells it in its
// own words.
func (p *Proxy) noSOCKS(c *connection, err error) {
	var bad *socksError
	if !errors.As(err, &bad) {
		c.Close() // it went away, which the account says
		return
	}
	f := c.tunnel()
	f.Outcome = flow.Malformed
	switch {
	case c.early[0] == socks4Version:
		f.Server.Asked = parseSOCKS4(c.early)
		f.Error = "SOCKS4 was spoken to the port of SOCKS5: set the client to version 5 (socks5:// or socks5h://)"
		c.Write([]byte{0, 91, 0, 0, 0, 0, 0, 0}) //nolint:errcheck // a courtesy to whom is refused
		linger(c)
	case looksTLS(c.early):
		p.refuseTLS(c, "TLS was spoken to the port of SOCKS5: set the client to plain SOCKS5, without TLS to the proxy")
		return
	case sniffText(c.early) == http1Proto:
		f.Error = "HTTP was spoken to the port of SOCKS5: set this address as a SOCKS5 proxy, or the port of the HTTP proxy as the HTTP proxy"
		f.Response = reply(c, http.StatusBadRequest, "this is a SOCKS5 proxy: set it as such, or use the port of the HTTP proxy")
	default:
		f.Error = "refused: " + bad.reason
	}
	p.observe(c, f)
	c.Close()
}

// relay passes the datagrams of one association between its client and the world.
type relay struct {
	p      *Proxy
	way    *Way
	client netip.Addr
	conn   *net.UDPConn
	used   bool // a datagram came from the client; written by read
}

// associate serves a UDP ASSOCIATE: a relay on the address at which the client found us,
// for as long as its connection lasts (RFC 1928, 6 and 7).
func (p *Proxy) associate(c *connection) {
	defer c.Close()
	c.account.expect(c, flow.Abandoned, "the client asked for a relay of datagrams and sent none through it")
	r, leave, err := p.newRelay(c)
	if err != nil {
		p.refuseSOCKS(c, socksRequest{}, &socksError{socksFailed, err.Error()})
		return
	}
	defer leave()
	done := make(chan struct{})
	go func() { defer close(done); r.read() }()
	ended := make(chan struct{})
	go func() { // a relay that was used is no work that a shutdown waits for
		select {
		case <-p.stopping:
			c.account.cut.Store(true)
			c.account.raw.Close()
		case <-ended:
		}
	}()
	if _, err := c.Write(socksAnswer(socksGranted, addrPort(r.conn.LocalAddr()))); err == nil {
		io.Copy(io.Discard, c) //nolint:errcheck // its end is all that matters
	}
	close(ended)
	r.conn.Close()
	<-done
	p.talks.finish(func(v *conversation) bool { return v.key.way == r.way })
	if r.used {
		c.account.flows.Add(1) // the flows of its datagrams are the connection's
	}
}

// maxRelays bounds the relays of one client.
const maxRelays = 64

// enterRelay takes a place for a relay of a client, which leave gives back.
func (ts *talks) enterRelay(client netip.Addr) (leave func(), ok bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.relays[client] >= maxRelays {
		return nil, false
	}
	if ts.relays == nil {
		ts.relays = map[netip.Addr]int{}
	}
	ts.relays[client]++
	return func() {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		if ts.relays[client]--; ts.relays[client] == 0 {
			delete(ts.relays, client)
		}
	}, true
}

// newRelay opens a relay. leave gives its places back, among those of the client and among
// the open files.
func (p *Proxy) newRelay(c *connection) (r *relay, leave func(), err error) {
	client := c.client.Addr.Addr()
	done, ok := p.talks.enterRelay(client)
	if !ok {
		return nil, nil, fmt.Errorf("the client has %d relays of datagrams open", maxRelays)
	}
	place, err := p.dialer.places.take(client)
	if err != nil {
		done()
		return nil, nil, err
	}
	leave = func() { place(); done() }
	at := addrPort(c.account.raw.LocalAddr()).Addr()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		leave()
		return nil, nil, err
	}
	return &relay{p: p, way: &Way{Mode: modeSOCKS5}, client: client, conn: conn}, leave, nil
}

// read takes in what the client sends, until the relay is closed.
func (r *relay) read() {
	buf := make([]byte, packetSize)
	for failed := 0; failed < maxErrors; {
		n, from, err := r.conn.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case len(buf) < datagramSize && n == len(buf): // cut; see mapping.read
			buf = make([]byte, datagramSize)
			r.p.books.drop(modeSOCKS5, dropLong, amountOf(buf[:n]))
			continue
		case err != nil:
			failed++
			continue
		}
		failed = 0
		r.take(netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), buf[:n])
	}
}

// take passes one datagram on.
func (r *relay) take(from netip.AddrPort, b []byte) {
	defer r.p.survive(func() { r.p.books.drop(modeSOCKS5, dropBug, amountOf(b)) })
	e, payload, dropped := parseSOCKSDatagram(b)
	if from.Addr().WithZone("") != r.client.WithZone("") {
		dropped = dropStranger
	}
	if dropped != "" {
		r.p.books.drop(modeSOCKS5, dropped, amountOf(b))
		return
	}
	r.used = true
	r.p.Receive(Datagram{
		Way: r.way, Client: from, Destination: e.to, Asked: e.asked, Payload: payload,
		Answer: func(answer []byte) {
			packet := append(appendEndpoint([]byte{0, 0, 0}, e), answer...)
			r.conn.WriteToUDPAddrPort(packet, from) //nolint:errcheck // as good as lost on the way
		},
	})
}
