package proxy

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"telltale/flow"
)

// The page that a device opened before its tunnel was up stays there; and the proxy that
// it still has in its settings goes on.
func TestFrontDoorThroughTheTunnel(t *testing.T) {
	r := newRig(t)
	plain := r.plainOrigin(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "through") })
	c := r.knocked(r.addr)
	c.say("GET /ca.pem HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", r.addr)
	c.status()
	d := r.knocked(r.addr)
	d.say("GET %s/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", plain)
	if _, body := d.answer(); body != "through" {
		t.Errorf("got %q", body)
	}
	flows := r.ending(2)
	if flows[0].Outcome != flow.Served || flows[1].Outcome != flow.Completed || flows[1].Server.Destination.IsValid() {
		t.Errorf("%s, %s %v", flows[0].Outcome, flows[1].Outcome, flows[1].Server.Destination)
	}
}

// A device that has telltale set as its proxy under the address of the tunnel's end is
// served as at the front door: a URL that names telltale is the page, others lead on.
func TestProxyInsideTheTunnel(t *testing.T) {
	own := tunnelWay.Own[0].String()
	r := newRig(t)
	plain := r.plainOrigin(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "through") })
	for _, tc := range []struct {
		port, request string
		status        int
		outcome       flow.Outcome
		host          string
	}{
		{"8080", "GET " + plain.String() + "/ HTTP/1.1\r\nHost: " + plain.Host + "\r\n", 200, flow.Completed, "127.0.0.1"},
		{"80", "GET " + plain.String() + "/ HTTP/1.1\r\nHost: " + plain.Host + "\r\n", 200, flow.Completed, "127.0.0.1"},
		{"8080", "GET http://" + own + ":8080/ HTTP/1.1\r\nHost: " + own + ":8080\r\n", 404, flow.Served, ""},
		{"8080", "GET http://" + own + "/ HTTP/1.1\r\nHost: " + own + "\r\n", 404, flow.Served, ""},
		{"80", "GET http://setup.telltale/ HTTP/1.1\r\nHost: setup.telltale\r\n", 404, flow.Served, ""},
		{"80", "GET / HTTP/1.1\r\nHost: x.test:81\r\n", 404, flow.Served, ""},
		{"8080", "CONNECT x.test HTTP/1.1\r\nHost: x.test\r\n", 400, flow.Malformed, "x.test"},
	} {
		t.Run(tc.port+" "+tc.request, func(t *testing.T) {
			r := newRig(t)
			c := r.knocked(net.JoinHostPort(own, tc.port))
			c.say("%sConnection: close\r\n\r\n", tc.request)
			if got := c.status(); got != tc.status {
				t.Errorf("status %d", got)
			}
			f := r.one()
			if f.Outcome != tc.outcome || tc.host != "" && f.Host() != tc.host || f.IsContact() != (tc.host != "") {
				t.Errorf("%s %s %q: %+v", f.Outcome, f.Host(), f.Error, f.Server)
			}
		})
	}
	c := r.knocked(net.JoinHostPort(own, "8080"))
	c.say("CONNECT %s HTTP/1.1\r\nHost: h\r\n\r\n", plain.Host)
	if got := c.status(); got != 200 {
		t.Fatalf("status %d", got)
	}
	c.say("GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", plain.Host)
	if _, body := c.answer(); body != "through" {
		t.Errorf("got %q", body)
	}
	if f := r.one(); f.Outcome != flow.Completed || f.Server.Asked != plain.Host || f.Mode != modeWireGuard {
		t.Errorf("%+v", f)
	}
}

// What is connected to is told by the name that led there: of several the one that the
// client claims; and an address that stands in for a name is that name.
func TestArrivalNames(t *testing.T) {
	ca := newTestAuthority(t)
	server := &rig{t: t, ca: ca}
	secure := server.origin(func(w http.ResponseWriter, r *http.Request) {})
	r := newRig(t, func(c *Config) {
		c.Leafer, c.UpstreamRoots = ca, ca.pool()
		c.InsecureUpstream = true
		c.Resolve = []Resolve{{Host: "named.test", Port: "*", Addr: netip.MustParseAddr("127.0.0.1"), ToPort: secure.Port()}}
	}, leads("192.0.2.1:443", secure.Host))
	r.ca = ca
	at := netip.MustParseAddr("192.0.2.1")
	r.proxy.names.learn(tunnelPeer, "old.test", []netip.Addr{at})
	r.proxy.names.learn(tunnelPeer, "new.test", []netip.Addr{at})
	standIn := r.proxy.names.standInFor("named.test").String() + ":443"
	for _, ask := range []struct{ to, sni, asked, resolved string }{
		{"192.0.2.1:443", "old.test", "192.0.2.1:443", "old.test"},
		{"192.0.2.1:443", "third.test", "192.0.2.1:443", "new.test"},
		{"192.0.2.1:443", "", "192.0.2.1:443", "new.test"},
		{standIn, "named.test", "named.test:443", "named.test"},
	} {
		before := len(r.all())
		c := r.handshake(r.knocked(ask.to), func(c *tls.Config) { c.ServerName = ask.sni; c.InsecureSkipVerify = true })
		c.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		c.status()
		c.Close()
		f := r.ending(before + 1)[before]
		s := f.Server
		if f.Outcome != flow.Completed || s.Asked != ask.asked || s.Resolved != ask.resolved || s.Destination.String() != ask.to {
			t.Errorf("%s as %q: %s asked %s, resolved %s, destination %s", ask.to, ask.sni, f.Outcome, s.Asked, s.Resolved, s.Destination)
		}
	}
}
