package proxy

import (
	"errors"
	"net"
	"net/netip"
	"sync"

	"telltale/flow"
)

// transparentMode takes connections that the firewall of this machine leads to it: those
// of a hotspot's devices, which know nothing of it. Linux tells where they were going.
var transparentMode = Mode{
	Name:   modeTransparent,
	Help:   "transparent port: connections that nftables leads here, of a hotspot's devices (Linux)",
	Port:   "8081",
	accept: (*Proxy).acceptTransparent,
}

// ServeTransparent accepts connections that the firewall redirects to l, and questions of
// DNS that it redirects to dns, until [Proxy.Shutdown], then returns nil. Any other end
// is an error, also that this system does not tell where a connection was going. It
// closes both. A nil dns is none.
func (p *Proxy) ServeTransparent(l net.Listener, dns net.PacketConn) error {
	if !redirects {
		l.Close()
		if dns != nil {
			dns.Close()
		}
		return errNotRedirected
	}
	var reader sync.WaitGroup
	if dns != nil {
		reader.Go(func() { p.readQuestions(dns) })
	}
	err := p.serve(l, transparentMode)
	if dns != nil {
		dns.Close()
	}
	reader.Wait()
	return err
}

// errNotRedirected is the answer of systems other than Linux.
var errNotRedirected = errors.New("proxy: the transparent port needs Linux: other systems do not tell where a redirected connection was going")

// acceptTransparent serves a connection to where the device meant it to go.
func (p *Proxy) acceptTransparent(c *connection) {
	at := addrPort(c.account.raw.LocalAddr())
	to, err := originalDestination(c.account.raw)
	if err != nil || to == at {
		f := c.tunnel()
		f.Server.Destination = at
		f.Outcome, f.Error = flow.DestinationDenied, "the connection was made to the transparent port itself: it takes what the firewall redirects to it (telltale setup hotspot)"
		p.observe(c, f)
		abort(c)
		return
	}
	p.meet(c, &Way{Mode: modeTransparent, Own: []netip.Addr{at.Addr()}}, to, "", answering{
		context: p.base,
		accept:  func() error { return nil }, // the kernel did
		refuse:  func(error) { abort(c) },
	})
}

// abort ends a connection by a reset, as a server that refuses it would have.
func abort(c *connection) {
	if t, ok := c.account.raw.(*net.TCPConn); ok {
		t.SetLinger(0) //nolint:errcheck // it is closed in any case
	}
	c.Close()
}

// readQuestions takes in datagrams of DNS that were redirected. Where they were going is
// not told: they are questions to telltale, which answers from the same socket, so that
// the firewall puts the address back that was asked.
func (p *Proxy) readQuestions(dns net.PacketConn) {
	ways := map[netip.Addr]*Way{} // by our address on the client's link
	buf := make([]byte, datagramSize)
	for failed := 0; failed < maxErrors; {
		n, from, err := dns.ReadFrom(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			failed++
			continue
		}
		failed = 0
		p.receiveRedirected(dns, ways, from, buf[:n])
	}
}

// maxLinks bounds the addresses of this machine that are remembered.
const maxLinks = 256

// receiveRedirected passes a question on, from a client that may use the proxy.
func (p *Proxy) receiveRedirected(dns net.PacketConn, ways map[netip.Addr]*Way, from net.Addr, payload []byte) {
	u, ok := from.(*net.UDPAddr)
	if !ok {
		return
	}
	client := netip.AddrPortFrom(u.AddrPort().Addr().Unmap(), u.AddrPort().Port())
	own, err := p.guard.network.route(client.Addr())
	if err != nil || !p.guard.allows(client.Addr()) {
		p.books.drop(modeTransparent, dropUnknown, amountOf(payload))
		return
	}
	w := ways[own]
	if w == nil {
		if len(ways) >= maxLinks {
			clear(ways)
		}
		w = &Way{Mode: modeTransparent, Own: []netip.Addr{own}}
		ways[own] = w
	}
	p.Receive(Datagram{
		Way: w, Client: client, Destination: netip.AddrPortFrom(own, dnsPort), Payload: payload,
		Answer: func(answer []byte) { dns.WriteTo(answer, u) }, //nolint:errcheck // as good as lost on the way
	})
}
