package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"telltale/coverage"
	"telltale/flow"
)

// tunnelWay is the way in of devices at the other end of a tunnel.
var tunnelWay = &Way{Mode: modeWireGuard, Own: []netip.Addr{netip.MustParseAddr("10.70.0.1")}}

var tunnelPeer = netip.MustParseAddr("10.70.0.2")

// knock opens a connection to an address as a device in a tunnel does. The error is what
// it was refused with.
func (r *rig) knock(to string, edit ...func(*Arrival)) (*peer, error) {
	r.t.Helper()
	near, far := tcpPair(r.t)
	must(r.t, far.SetDeadline(time.Now().Add(patience)))
	answer := make(chan error, 2)
	a := Arrival{
		Way: tunnelWay, Client: netip.AddrPortFrom(tunnelPeer, addrPort(far.LocalAddr()).Port()), Device: "phone",
		Destination: netip.MustParseAddrPort(to),
		Accept:      func() (net.Conn, error) { answer <- nil; return near, nil },
		Refuse:      func(err error) { near.Close(); answer <- err },
	}
	for _, f := range edit {
		f(&a)
	}
	go r.proxy.Arrive(a)
	select {
	case err := <-answer:
		return &peer{Conn: far, t: r.t, br: bufio.NewReader(far)}, err
	case <-time.After(patience):
		r.t.Fatalf("%s: neither accepted nor refused", to)
		return nil, nil
	}
}

// knocked is knock for what must be accepted.
func (r *rig) knocked(to string) *peer {
	r.t.Helper()
	c, err := r.knock(to)
	must(r.t, err)
	return c
}

// leads makes an invented address lead to a server of the test.
func leads(from, to string) func(*Config) {
	at := netip.MustParseAddrPort(from)
	_, port, _ := net.SplitHostPort(to)
	return func(c *Config) {
		c.Resolve = append(c.Resolve, Resolve{Host: at.Addr().String(), Port: portOf(from), Addr: netip.MustParseAddr("127.0.0.1"), ToPort: port})
	}
}

// named starts a TLS server that has a certificate for a name.
func (r *rig) named(name string, h http.HandlerFunc) *url.URL {
	r.t.Helper()
	leaf, err := r.ca.Leaf(name)
	must(r.t, err)
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{*leaf}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	r.t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	must(r.t, err)
	return u
}

func serverTest(c *tls.Config) { c.ServerName = "server.test" }

func portOf(hostport string) string {
	_, port, _ := net.SplitHostPort(hostport)
	return port
}

// counting is a listener's server that counts its connections.
func counting(n *atomic.Int32, serve func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) { n.Add(1); serve(c) }
}

// Everything that comes out of a tunnel and is TCP has one row, with the address it was
// going to; and the books say so.
func TestEveryArrivalIsAccountedFor(t *testing.T) {
	ca := newTestAuthority(t)
	server := &rig{t: t, ca: ca}
	secure := server.named("server.test", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "secret") })
	plain := server.plainOrigin(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "plain") })
	echo := server.listener(func(c net.Conn) { io.Copy(c, c) })
	greeter := server.listener(func(c net.Conn) { io.WriteString(c, "220 ready\r\n"); io.Copy(io.Discard, c) })
	r := newRig(t,
		func(c *Config) { c.Leafer, c.UpstreamRoots = ca, ca.pool() },
		leads("192.0.2.1:443", secure.Host), leads("192.0.2.1:80", plain.Host), leads("192.0.2.2:7", echo), leads("192.0.2.3:25", greeter),
		leads("192.0.2.4:443", secure.Host), leads("192.0.2.9:9", "127.0.0.1:1"),
		verdicts(map[string]Admission{"192.0.2.5": Block, "192.0.2.4": PassThrough}, nil),
	)
	r.ca = ca
	get := func(c *peer) string {
		c.say("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
		_, body := c.answer()
		return body
	}
	sorts := map[string]struct {
		to      string
		outcome flow.Outcome
		talk    func(*peer)
	}{
		"decrypted": {"192.0.2.1:443", flow.Completed, func(c *peer) {
			if got := get(r.handshake(c, serverTest)); got != "secret" {
				t.Errorf("decrypted: %q", got)
			}
		}},
		"clear": {"192.0.2.1:80", flow.Completed, func(c *peer) {
			if got := get(c); got != "plain" {
				t.Errorf("clear: %q", got)
			}
		}},
		"opaque": {"192.0.2.2:7", flow.Tunnelled, func(c *peer) {
			c.say("\x00ping")
			if b := make([]byte, 5); c.mustRead(b) != "\x00ping" {
				t.Errorf("opaque: %q", b)
			}
		}},
		"server first": {"192.0.2.3:25", flow.Tunnelled, func(c *peer) {
			if b := make([]byte, 11); c.mustRead(b) != "220 ready\r\n" {
				t.Errorf("server first: %q", b)
			}
		}},
		"silent":        {"192.0.2.2:7", flow.Abandoned, func(*peer) {}},
		"passed":        {"192.0.2.4:443", flow.PassedThrough, func(c *peer) { r.handshakeFails(c) }},
		"page":          {"10.70.0.1:80", flow.Served, func(c *peer) { get(c) }},
		"not spoken to": {"10.70.0.1:443", flow.UpstreamFailed, func(c *peer) { c.closedSilently() }},
		"dead":          {"192.0.2.9:9", flow.UpstreamFailed, nil},
		"blocked":       {"192.0.2.5:443", flow.Blocked, nil},
	}
	for name, sort := range sorts {
		c, err := r.knock(sort.to)
		if (err != nil) != (sort.talk == nil) {
			t.Fatalf("%s: %v", name, err)
		}
		if sort.talk != nil {
			sort.talk(c)
		}
		c.Close()
	}
	got := map[string]*flow.Flow{}
	for _, f := range r.ending(len(sorts)) {
		got[f.Server.Destination.String()+" "+string(f.Outcome)] = f
		if f.Mode != modeWireGuard || f.Client.Device != "phone" || f.Client.Addr.Addr() != tunnelPeer {
			t.Errorf("flow %d: %s %+v", f.ID, f.Mode, f.Client)
		}
	}
	for name, sort := range sorts {
		f := got[sort.to+" "+string(sort.outcome)]
		if f == nil {
			t.Errorf("%s: no row", name)
		}
	}
	until(t, "the books to be balanced", func() bool {
		recorded, underWay := r.proxy.Recorded(modeWireGuard)
		return recorded[coverage.TCP].Units == int64(len(sorts)) && underWay[coverage.TCP].Units == 0
	})
}

// closedSilently waits for the end of a connection on which nothing is said.
func (c *peer) closedSilently() {
	c.t.Helper()
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		c.t.Errorf("read: %v, want the end", err)
	}
}

func (c *peer) mustRead(b []byte) string {
	c.t.Helper()
	if _, err := io.ReadFull(c, b); err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}

// handshakeFails speaks TLS to a server that is not telltale.
func (r *rig) handshakeFails(c *peer) {
	r.t.Helper()
	if err := tls.Client(c, &tls.Config{ServerName: "other.test"}).Handshake(); err == nil {
		r.t.Error("trusted a stranger")
	}
}

// The connection that was dialled before the device was answered is the one that is used:
// the server sees one, whatever is spoken.
func TestArrivalUsesWhatWasDialled(t *testing.T) {
	ca := newTestAuthority(t)
	server := &rig{t: t, ca: ca}
	var conns atomic.Int32
	leaf, err := ca.Leaf("server.test")
	must(t, err)
	secure := server.listener(counting(&conns, func(c net.Conn) {
		tc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*leaf}})
		br := bufio.NewReader(tc)
		for {
			if _, err := http.ReadRequest(br); err != nil {
				return
			}
			io.WriteString(tc, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	}))
	echo := server.listener(counting(&conns, func(c net.Conn) { io.Copy(c, c) }))
	r := newRig(t, func(c *Config) { c.Leafer, c.UpstreamRoots = ca, ca.pool() }, leads("192.0.2.1:443", secure), leads("192.0.2.2:7", echo))
	r.ca = ca
	c := r.handshake(r.knocked("192.0.2.1:443"), serverTest)
	for range 3 {
		c.say("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		c.status()
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("three exchanges made %d connections", n)
	}
	// A second connection of the device finds an idle one in the pool: what was dialled
	// for it is closed, and leaves its place.
	d := r.handshake(r.knocked("192.0.2.1:443"), serverTest)
	d.say("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	d.status()
	c.Close()
	d.Close()
	conns.Store(0)
	e := r.knocked("192.0.2.2:7")
	e.say("\x00")
	e.mustRead(make([]byte, 1))
	e.Close()
	if n := conns.Load(); n != 1 {
		t.Errorf("a tunnel made %d connections", n)
	}
	r.ending(5)
	r.proxy.exchange.pools.rest(netip.Addr{})
	until(t, "all places to be free", func() bool {
		p := &r.proxy.dialer.places
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.total == 0
	})
}

// A client that speaks late, when the server was listened to in vain, still uses what was
// dialled for it.
func TestLateClientUsesWhatWasDialled(t *testing.T) {
	var conns atomic.Int32
	server := (&rig{t: t}).listener(counting(&conns, func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c)) //nolint:errcheck // the test's
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	}))
	r := newRig(t, leads("192.0.2.1:80", server))
	c := r.knocked("192.0.2.1:80")
	until(t, "the server to be listened to", func() bool {
		r.proxy.mu.Lock()
		defer r.proxy.mu.Unlock()
		for a := range r.proxy.accounts {
			return a.ready.Load() == nil
		}
		return false
	})
	c.say("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	if status := c.status(); status != 200 || conns.Load() != 1 {
		t.Errorf("status %d over %d connections", status, conns.Load())
	}
	r.one()
}

// A device that is refused hears why, in a way that can be told on.
func TestArrivalRefused(t *testing.T) {
	r := newRig(t, leads("192.0.2.9:9", "127.0.0.1:1"), func(c *Config) { c.AllowLocal = false })
	_, err := r.knock("192.0.2.9:9")
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a dead server: %v", err)
	}
	_, err = r.knock("127.0.0.1:22")
	var denied *deniedError
	if !errors.As(err, &denied) {
		t.Errorf("this machine: %v", err)
	}
	_, err = r.knock("192.0.2.9:9", func(a *Arrival) {
		a.Accept = func() (net.Conn, error) { t.Error("a dead server was accepted"); return nil, io.EOF }
	})
	if err == nil {
		t.Error("no error")
	}
	want := []flow.Outcome{flow.UpstreamFailed, flow.DestinationDenied, flow.UpstreamFailed}
	for i, f := range r.ending(3) {
		if f.Outcome != want[i] || f.Error == "" {
			t.Errorf("flow %d: %s %q", i, f.Outcome, f.Error)
		}
	}
}

// A device that is gone when its server was reached has a row.
func TestArrivalNotAccepted(t *testing.T) {
	echo := (&rig{t: t}).listener(func(c net.Conn) { io.Copy(c, c) })
	r := newRig(t, leads("192.0.2.2:7", echo))
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.proxy.Arrive(Arrival{
			Way: tunnelWay, Client: netip.AddrPortFrom(tunnelPeer, 9), Destination: netip.MustParseAddrPort("192.0.2.2:7"),
			Accept: func() (net.Conn, error) { return nil, errors.New("gone") },
		})
	}()
	if f := r.one(); f.Outcome != flow.Abandoned || !strings.Contains(f.Error, "before it was answered") {
		t.Errorf("%s %q", f.Outcome, f.Error)
	}
	<-done
}

// While a server is being dialled, the end of the audit is not waited for.
func TestArrivalAtTheEnd(t *testing.T) {
	asked := make(chan struct{})
	r := newRig(t)
	r.proxy.dialer.lookup = func(ctx context.Context, _ string) ([]netip.Addr, error) {
		close(asked)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	refused := make(chan error, 1)
	done := make(chan struct{})
	arrival := Arrival{
		Way: tunnelWay, Client: netip.AddrPortFrom(tunnelPeer, 9), Asked: "slow.test:443",
		Accept: func() (net.Conn, error) { return nil, errors.New("no") }, Refuse: func(err error) { refused <- err },
	}
	go func() { defer close(done); r.proxy.Arrive(arrival) }()
	<-asked
	r.shutdown()
	<-done
	if err := <-refused; err == nil {
		t.Error("no reason")
	}
	r.proxy.Arrive(arrival) // and one that comes after the end
	if err := <-refused; err == nil {
		t.Error("no reason")
	}
	for _, f := range r.ending(2) {
		if f.Outcome != flow.Abandoned {
			t.Errorf("%s %q", f.Outcome, f.Error)
		}
	}
}

// A storm of connections that are never finished is bounded for one device, and leaves
// room for another.
func TestArrivalStorm(t *testing.T) {
	r := newRig(t, func(c *Config) { c.PerClient = 50; c.DialTimeout = 100 * time.Millisecond })
	r.proxy.dialer.lookup = func(ctx context.Context, _ string) ([]netip.Addr, error) { <-ctx.Done(); return nil, ctx.Err() }
	var refused atomic.Int32
	var wg sync.WaitGroup
	for i := range 500 {
		wg.Go(func() {
			r.proxy.Arrive(Arrival{
				Way: tunnelWay, Client: netip.AddrPortFrom(tunnelPeer, uint16(i+1)), Asked: "slow.test:443",
				Refuse: func(error) { refused.Add(1) },
			})
		})
	}
	wg.Wait()
	denied := 0
	for _, f := range r.ending(500) {
		if f.Outcome == flow.ClientDenied {
			denied++
		}
	}
	if refused.Load() != 500 || denied == 0 {
		t.Errorf("%d refused, %d for being too many", refused.Load(), denied)
	}
}
