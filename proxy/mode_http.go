package proxy

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"telltale/flow"
)

// The names of the modes, as in [flow.Flow.Mode].
const (
	modeHTTP        = "http"
	modeSOCKS5      = "socks5"
	modeTransparent = "transparent"
	modeWireGuard   = "wireguard"
)

// httpMode is the explicit HTTP proxy: the device is told to use it, in its
// settings or by a PAC file.
var httpMode = Mode{
	Name:   modeHTTP,
	Help:   "explicit HTTP proxy: set in the device's Wi-Fi settings or by a PAC file",
	Port:   "8080",
	accept: (*Proxy).acceptHTTP,
}

// established answers a CONNECT.
const established = "HTTP/1.1 200 Connection established\r\n\r\n"

// acceptHTTP reads the first request. A CONNECT is served at once, without
// http.Server, since most connections consist of one; everything else goes there.
func (p *Proxy) acceptHTTP(c *connection) {
	c.SetReadDeadline(time.Now().Add(p.waits.head))
	if err := c.fill(); err != nil {
		c.Close() // the account says that nothing came
		return
	}
	if looksTLS(c.early) {
		p.refuseTLS(c, "TLS was spoken to the proxy's own port: set the proxy as an HTTP proxy, without TLS to it")
		return
	}
	p.serveFirst(c)
}

// serveFirst serves a connection of which something was read that is not TLS.
func (p *Proxy) serveFirst(c *connection) {
	s := newStream(c, c)
	for {
		h, err := s.first()
		if err != nil {
			p.abandoned(s)
			return
		}
		method, target, _ := h.request()
		if h.refused != nil || method != http.MethodConnect {
			c.SetReadDeadline(time.Time{})
			p.hand(s)
			return
		}
		s.begin()
		verdict := p.authorize(c, h)
		if verdict == granted {
			c.SetReadDeadline(time.Time{})
			p.connect(c, target, h, append(s.held, c.early...))
			return
		}
		if p.challenge(c, h, verdict) != nil {
			c.Close()
			return
		}
		s.end()
	}
}

// abandoned closes a connection that ended within its first head.
func (p *Proxy) abandoned(s *stream) {
	if n := len(s.held); n > 0 && s.c.account.idle() {
		s.c.account.expect(s.c, flow.Abandoned,
			fmt.Sprintf("the client stopped, or went away, %d bytes into its first request", n))
	}
	s.c.Close()
}

// connect serves a CONNECT to a target that parseTarget takes. early is what
// came behind it.
func (p *Proxy) connect(front *connection, target string, h head, early []byte) {
	c := front.toward(target, h, early)
	c.account.expect(c, flow.Abandoned, "the client asked for a tunnel and sent nothing through it")
	establish := func() error {
		_, err := c.Conn.Write([]byte(established))
		return err
	}
	switch f, d := p.admitted(c); d.Admission {
	case Block:
		p.block(c, f, d, refuser{accept: establish, refuse: func(f *flow.Flow) string {
			return refuseCONNECT(c, f, target, d)
		}})
	case PassThrough:
		p.passThrough(c, d.Why)
	default:
		if establish() != nil {
			c.Close()
			return
		}
		p.enter(c)
	}
}

// refuseCONNECT answers a CONNECT that is blocked, and puts the answer into its flow.
func refuseCONNECT(c *connection, f *flow.Flow, target string, d Decision) (what string) {
	if d.Refusal == Unresolved {
		host, _ := flow.SplitHostPort(target)
		f.Response = reply(c, http.StatusBadGateway, noSuchName(host)+orWhy(d.Why))
		return "answered 502 in the place of the server, as for a name that does not exist"
	}
	f.Response = reply(c, http.StatusForbidden, d.refusal(target))
	return "answered 403 in the place of the server"
}

// noSuchName is what a proxy says of a name that it does not find.
func noSuchName(host string) string { return "the name " + host + " could not be found" }

// passThrough answers a CONNECT like any proxy that looks at nothing: the server
// is dialled first, so that the client hears when that fails.
func (p *Proxy) passThrough(c *connection, why string) {
	t, err := p.dialFor(c)
	if err != nil {
		t.flow.Outcome, t.flow.Failure = failureOf(err)
		t.flow.Error = err.Error()
		t.flow.Response = reply(c, statusOf(t.flow), err.Error())
		p.observe(c, t.flow)
		c.Close()
		return
	}
	if _, err := c.Conn.Write([]byte(established)); err != nil {
		t.up.Close()
		c.Close()
		return
	}
	p.carry(t, flow.PassedThrough, why)
}

// statusOf returns what a client is answered when its server was not reached.
func statusOf(f *flow.Flow) int {
	switch {
	case f.Outcome == flow.DestinationDenied || f.Outcome == flow.Blocked:
		return http.StatusForbidden
	case f.Failure == flow.FailureTimeout:
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

func orWhy(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

// reply answers on a connection that http.Server does not have, asks the client to
// close it, and returns what to record of the answer.
func reply(c *connection, status int, text string, header ...string) *flow.Response {
	text = "telltale: " + text + "\n"
	c.SetWriteDeadline(time.Now().Add(closeTimeout))
	fmt.Fprintf(c, "HTTP/1.1 %d %s\r\n%sContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, http.StatusText(status), strings.Join(header, ""), len(text), text)
	linger(c)
	return &flow.Response{Status: status, Proto: "HTTP/1.1", Body: flow.Body{Size: int64(len(text)), Truncated: true}}
}

// isHome reports whether a request to authority, on a connection that arrived at
// local, is meant for the proxy itself. A request that was sent directly, without
// a whole URL, may name whatever our port is reached under: an emulator calls this
// machine 10.0.2.2, a router laptop.fritz.box.
func isHome(authority string, local net.Addr, directly bool) bool {
	if isSetup(authority) || authority == "" {
		return true
	}
	at := addrPort(local)
	host, port := flow.SplitHostPort(authority)
	if port == "" {
		port = "80"
	}
	if port != strconv.Itoa(int(at.Port())) {
		return false
	}
	if directly {
		return true
	}
	name := flow.CanonicalHost(host)
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr == at.Addr().WithZone("")
	}
	return name == "localhost" && at.Addr().IsLoopback() || isOwnName(name)
}

// isSetup reports whether an authority names the set-up page.
func isSetup(authority string) bool { return flow.CanonicalHost(authority) == flow.SetupHost }
