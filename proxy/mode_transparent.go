package proxy

import (
	"errors"
	"net"
	"net/netip"

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
	if dns == nil {
		return p.serve(l, transparentMode)
	}
	questions := make(chan error, 1)
	go func() {
		err := p.readQuestions(dns)
		if err != nil {
			l.Close()
		}
		questions <- err
	}()
	err := p.serve(l, transparentMode)
	dns.Close()
	if unread := <-questions; unread != nil {
		return unread
	}
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
