package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"telltale/coverage"
	"telltale/flow"
)

// quicServer is where the tests' clients believe their server to be.
const quicServer = "192.0.2.1:443"

// quicMode sets what becomes of QUIC.
func quicMode(m QUICMode) func(*Config) {
	return func(c *Config) {
		c.QUIC = m
		c.waits.sweep, c.waits.oneShot = 10*time.Millisecond, 50*time.Millisecond
	}
}

// leadsTo makes the tests' server a server on loopback.
func (r *rig) leadsTo(port string) {
	r.proxy.cfg.Resolve = append(r.proxy.cfg.Resolve, Resolve{Host: "192.0.2.1", Port: "443", Addr: netip.MustParseAddr("127.0.0.1"), ToPort: port})
}

// phoneWire is the UDP socket of a program on a device at the other end of a tunnel.
type phoneWire struct {
	d       *device
	from    net.Addr
	queue   chan []byte
	done    chan struct{}
	once    sync.Once
	refused atomic.Int32
	deaf    atomic.Bool // nothing comes back
}

func (r *rig) phoneWire(port uint16) *phoneWire {
	w := &phoneWire{d: r.device(port), queue: make(chan []byte, 4096), done: make(chan struct{})}
	w.from = net.UDPAddrFromAddrPort(netip.MustParseAddrPort(quicServer))
	return w
}

func (w *phoneWire) WriteTo(b []byte, to net.Addr) (int, error) {
	w.d.r.proxy.Receive(Datagram{
		Way: tunnelWay, Client: w.d.addr, Device: "phone", Destination: addrPortOf(to), Payload: b,
		Answer: func(b []byte) {
			if w.deaf.Load() {
				return
			}
			select {
			case w.queue <- bytes.Clone(b):
			default:
			}
		},
		Refuse: func() { w.refused.Add(1) },
	})
	return len(b), nil
}

func addrPortOf(a net.Addr) netip.AddrPort {
	ap := a.(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

func (w *phoneWire) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-w.queue:
		return copy(b, d), w.from, nil
	case <-w.done:
		return 0, nil, net.ErrClosed
	}
}

func (w *phoneWire) SetReadDeadline(t time.Time) error {
	if !t.IsZero() {
		w.Close()
	}
	return nil
}

func (w *phoneWire) Close() error                     { w.once.Do(func() { close(w.done) }); return nil }
func (w *phoneWire) LocalAddr() net.Addr              { return net.UDPAddrFromAddrPort(w.d.addr) }
func (w *phoneWire) SetDeadline(time.Time) error      { return nil }
func (w *phoneWire) SetWriteDeadline(time.Time) error { return nil }
func (w *phoneWire) SetReadBuffer(int) error          { return nil }
func (w *phoneWire) SetWriteBuffer(int) error         { return nil }

// quicClient is a program on a device that speaks HTTP/3.
type quicClient struct {
	*http.Client
	wire *phoneWire
	h3   *http3.Transport
	quic *quicgo.Transport
}

func (r *rig) quicClient(port uint16, edit ...func(*http3.Transport)) *quicClient {
	r.t.Helper()
	c := &quicClient{wire: r.phoneWire(port)}
	c.quic = &quicgo.Transport{Conn: c.wire}
	c.h3 = &http3.Transport{
		TLSClientConfig:    &tls.Config{RootCAs: r.ca.pool()},
		QUICConfig:         &quicgo.Config{MaxIdleTimeout: patience, DisablePathMTUDiscovery: true},
		DisableCompression: true,
		Dial: func(ctx context.Context, _ string, t *tls.Config, q *quicgo.Config) (*quicgo.Conn, error) {
			return c.quic.Dial(ctx, c.wire.from, t, q)
		},
	}
	for _, f := range edit {
		f(c.h3)
	}
	c.Client = &http.Client{Transport: c.h3, Timeout: patience}
	r.t.Cleanup(c.stop)
	return c
}

func (c *quicClient) stop() {
	c.h3.Close()
	c.quic.Close()
	c.wire.Close()
}

func (c *quicClient) get(t testing.TB, url string) string {
	t.Helper()
	resp, err := c.Get(url)
	must(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	return string(b)
}

// A client whose QUIC is refused hears of it at once, by the one thing that makes it give
// up; what it said of itself is recorded, in one row.
func TestQUICRefused(t *testing.T) {
	r := newRig(t, quicMode(QUICBlock))
	r.proxy.names.learn(tunnelPeer, "api.example.test", []netip.Addr{netip.MustParseAddr("192.0.2.1")})
	c := r.quicClient(5000)
	_, err := c.Get("https://h3.example.test/")
	var refused *quicgo.VersionNegotiationError
	if !errors.As(err, &refused) {
		t.Fatalf("the client says %v", err)
	}
	f := r.one()
	if f.Kind != flow.UDP || f.Outcome != flow.QUICRefused || f.Speech != "QUIC v1" || f.Server.SNI != "h3.example.test" ||
		f.Server.Asked != quicServer || f.Server.Destination.String() != quicServer || f.Server.Resolved != "api.example.test" || f.Client.Device != "phone" {
		t.Errorf("%+v", f)
	}
	if h := f.Client.Hello; h == nil || !slices.Equal(h.ALPN, []string{"h3"}) || !strings.HasPrefix(h.JA4, "q13d") {
		t.Errorf("hello %+v", h)
	}
	if f.DatagramsSent < 2 || f.DatagramsReceived == 0 || len(f.Altered) != 1 || c.wire.refused.Load() == 0 {
		t.Errorf("%d datagrams and %d answers, %d refusals, altered %q", f.DatagramsSent, f.DatagramsReceived, c.wire.refused.Load(), f.Altered)
	}
	r.balanced(coverage.UDP, f.DatagramsSent, f.Sent)
}

// What is refused, and what is said of it, by what is seen first.
func TestQUICOfOtherKinds(t *testing.T) {
	unknown := "\xc0\x12\x34\x56\x78\x08destined\x00" + strings.Repeat("\x00", 1200)
	for name, tc := range map[string]struct {
		first, to, speech string
		answers           bool
		outcome           flow.Outcome
	}{
		"an unknown version":    {unknown, quicServer, "QUIC version 0x12345678", true, flow.QUICRefused},
		"on another port":       {unknown, "192.0.2.1:8999", "QUIC version 0x12345678", true, flow.QUICRefused},
		"v1 full of garbage":    {"\xc0\x00\x00\x00\x01\x08destined\x00" + strings.Repeat("\x07", 1200), quicServer, "QUIC v1", true, flow.QUICRefused},
		"gQUIC":                 {"\x0ddestinedQ043\x01" + strings.Repeat("x", 1200), quicServer, "gQUIC Q043", false, flow.QUICRefused},
		"an open connection":    {"\x41" + strings.Repeat("x", 40), quicServer, "QUIC", false, flow.QUICRefused},
		"telltale's own":        {unknown, "10.70.0.1:443", "QUIC version 0x12345678", true, flow.DestinationDenied},
		"many":                  {unknown, "224.0.0.1:443", "QUIC version 0x12345678", false, flow.DestinationDenied},
		"another protocol, 443": {"\x01" + strings.Repeat("x", 40), "203.0.113.1:443", "", false, flow.DestinationDenied},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, quicMode(QUICBlock), verdicts(map[string]Admission{"203.0.113.1": Block}, nil))
			d := r.device(5000)
			for range 2 {
				d.send(tc.to, tc.first)
			}
			if tc.outcome == flow.DestinationDenied && tc.speech == "" {
				tc.outcome = flow.Blocked
			}
			r.shutdown()
			f := r.one()
			if f.Outcome != tc.outcome || f.Speech != tc.speech || f.DatagramsSent != 2 {
				t.Errorf("%s %q %q, %d sent", f.Outcome, f.Speech, f.Error, f.DatagramsSent)
			}
			if got := len(d.answers) > 0; got != tc.answers {
				t.Errorf("answered: %v", got)
			}
		})
	}
}

// The policy forbids a host by the name in the hello; then nothing is passed in any mode.
func TestQUICBlockedByPolicy(t *testing.T) {
	for _, mode := range []QUICMode{QUICBlock, QUICPass, QUICIntercept} {
		r := newRig(t, quicMode(mode), verdicts(nil, map[string]Admission{"h3.example.test": Block}))
		c := r.quicClient(5000)
		var refused *quicgo.VersionNegotiationError
		if _, err := c.Get("https://h3.example.test/"); !errors.As(err, &refused) {
			t.Fatalf("mode %d: the client says %v", mode, err)
		}
		r.shutdown()
		if f := r.one(); f.Outcome != flow.Blocked || f.Error != "by SNI" || f.Server.SNI != "h3.example.test" || f.Server.Dialed.IsValid() {
			t.Errorf("mode %d: %+v", mode, f)
		}
	}
}

// h3Origin starts a server of HTTP/3 on loopback and returns its port.
func (r *rig) h3Origin(h http.HandlerFunc, protocols ...string) string {
	r.t.Helper()
	pc, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(r.t, err)
	tr := &quicgo.Transport{Conn: pc}
	cfg := &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: func(i *tls.ClientHelloInfo) (*tls.Certificate, error) { return r.ca.Leaf(i.ServerName) }}
	cfg = http3.ConfigureTLSConfig(cfg)
	if len(protocols) > 0 {
		cfg.NextProtos = protocols
	}
	l, err := tr.Listen(cfg, nil)
	must(r.t, err)
	s := &http3.Server{Handler: h}
	done := make(chan struct{})
	go func() { defer close(done); s.ServeListener(l) }() //nolint:errcheck // ends with the test
	r.t.Cleanup(func() { s.Close(); l.Close(); tr.Close(); pc.Close(); <-done })
	_, port, _ := net.SplitHostPort(pc.LocalAddr().String())
	return port
}

// QUIC that is passed reaches its server as it is, and has one row by its name. So have
// hosts that are not to be decrypted, where others are.
func TestQUICPassed(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit []func(*Config)
		why  string
	}{
		{"all", []func(*Config){quicMode(QUICPass)}, "--quic pass"},
		{"a host", []func(*Config){quicMode(QUICIntercept), verdicts(nil, map[string]Admission{"h3.example.test": PassThrough})}, "by SNI"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, tc.edit...)
			r.leadsTo(r.h3Origin(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "from the server") }))
			c := r.quicClient(5000)
			if got := c.get(t, "https://h3.example.test/"); got != "from the server" {
				t.Errorf("got %q", got)
			}
			c.stop()
			r.shutdown()
			f := r.one()
			if f.Outcome != flow.PassedThrough || !strings.Contains(f.Error, tc.why) || f.Server.SNI != "h3.example.test" || f.Speech != "QUIC v1" ||
				f.Sent < 2400 || f.Received < 1000 || f.Server.Dialed.Addr().String() != "127.0.0.1" {
				t.Errorf("%+v", f)
			}
		})
	}
}

// DNS over QUIC hides names: it is named, and it is nothing that can be decrypted.
func TestDNSOverQUIC(t *testing.T) {
	for _, tc := range []struct {
		mode    QUICMode
		outcome flow.Outcome
	}{{QUICBlock, flow.QUICRefused}, {QUICIntercept, flow.Tunnelled}} {
		r := newRig(t, quicMode(tc.mode))
		r.leadsTo(r.h3Origin(nil, "doq"))
		c := r.quicClient(5000)
		conn, err := c.quic.Dial(t.Context(), c.wire.from, &tls.Config{ServerName: "dns.test", NextProtos: []string{"doq"}, RootCAs: r.ca.pool()}, nil)
		if (err == nil) != (tc.outcome == flow.Tunnelled) {
			t.Fatalf("mode %d: dial: %v", tc.mode, err)
		}
		if err == nil {
			conn.CloseWithError(0, "")
		}
		c.stop()
		r.shutdown()
		if f := r.one(); f.Outcome != tc.outcome || f.Speech != "DNS over QUIC" || f.Server.SNI != "dns.test" {
			t.Errorf("mode %d: %s %q %q", tc.mode, f.Outcome, f.Speech, f.Error)
		}
	}
}

// A client may use one port for several servers at one address. Each name has a row.
func TestQUICNamesOfOnePort(t *testing.T) {
	r := newRig(t, quicMode(QUICBlock), func(c *Config) { c.waits.oneShot = patience })
	c := r.quicClient(5000)
	for _, name := range []string{"one", "one", "two", "two", "three", "three", "three"} { // a hello may come in pieces that are not joined
		if _, err := c.Get("https://" + name + ".example.test/"); err == nil {
			t.Fatal("not refused")
		}
	}
	c.stop()
	r.shutdown()
	var names []string
	for _, f := range r.ending(3) {
		names = append(names, f.Server.SNI)
		if f.Outcome != flow.QUICRefused {
			t.Errorf("%s: %s", f.Server.SNI, f.Outcome)
		}
	}
	slices.Sort(names)
	if want := []string{"one.example.test", "three.example.test", "two.example.test"}; !slices.Equal(names, want) {
		t.Errorf("names %q", names)
	}
}

// Damaged and invented openings end in a row each, in every mode, and in nothing worse.
func TestQUICGarbage(t *testing.T) {
	const ports, each = 20, 8
	for _, mode := range []QUICMode{QUICBlock, QUICPass, QUICIntercept} {
		r := newRig(t, quicMode(mode), quiet)
		random := rand.New(rand.NewPCG(uint64(mode), 1))
		var bytesSent int64
		for port := range uint16(ports) {
			d := r.device(5000 + port)
			d.answers = make(chan string, 1000)
			for range each {
				b := make([]byte, 1200+random.IntN(100))
				for i := range b {
					b[i] = byte(random.Uint32())
				}
				version := []byte{0, 0, 0, 1}
				if random.IntN(3) == 0 {
					version = []byte{0x6b, 0x33, 0x43, 0xcf}
				}
				b[0] |= 0xc0
				copy(b[1:], version)
				b[5] = byte(random.IntN(24))
				bytesSent += int64(len(b))
				d.send("127.0.0.1:9", string(b))
			}
		}
		r.shutdown()
		for _, f := range r.ending(ports) {
			if f.Speech == "" && f.Outcome == flow.Completed {
				t.Errorf("mode %d: %s", mode, f.Outcome)
			}
		}
		r.balanced(coverage.UDP, ports*each, bytesSent)
	}
}

// A client with as many connections open as it may have gets no more, and a row that
// says why.
func TestHTTP3Limit(t *testing.T) {
	r := h3Rig(t, nil, quiet, func(c *Config) { c.PerClient = 1 })
	c := r.quicClient(5000)
	cfg := &tls.Config{ServerName: "h3.example.test", NextProtos: []string{"h3"}, RootCAs: r.ca.pool()}
	conn, err := c.quic.Dial(t.Context(), c.wire.from, cfg, nil)
	must(t, err)
	second := r.quicClient(5001)
	if _, err := second.quic.Dial(t.Context(), second.wire.from, cfg, nil); err == nil {
		t.Error("connected")
	}
	if f := r.one(); f.Outcome != flow.ClientDenied || f.Client.Addr.Port() != 5001 || f.Speech != "QUIC v1" {
		t.Errorf("%s %q of %v", f.Outcome, f.Error, f.Client.Addr)
	}
	conn.CloseWithError(0x100, "")
	r.ending(2)
}

// Where many handshakes are under way clients prove their addresses, and one client has so
// many and no more.
func TestHTTP3Handshakes(t *testing.T) {
	r := h3Rig(t, nil, quiet)
	for range freelyValidated {
		if _, ok := r.proxy.http3.begin(phone); !ok {
			t.Fatal("no place")
		}
	}
	cfg := &tls.Config{ServerName: "h3.example.test", NextProtos: []string{"h3"}, RootCAs: r.ca.pool()}
	c := r.quicClient(5000)
	conn, err := c.quic.Dial(t.Context(), c.wire.from, cfg, nil)
	must(t, err)
	conn.CloseWithError(0x100, "")
	r.ending(1)
	until(t, "the handshake's place to be free", func() bool {
		r.proxy.http3.mu.Lock()
		defer r.proxy.http3.mu.Unlock()
		return r.proxy.http3.total == freelyValidated
	})
	for range maxHandshakes {
		r.proxy.http3.begin(tunnelPeer)
	}
	second := r.quicClient(5001)
	if _, err := second.quic.Dial(t.Context(), second.wire.from, cfg, nil); err == nil {
		t.Error("connected")
	}
	if f := r.ending(2)[1]; f.Outcome != flow.ClientDenied || !strings.Contains(f.Error, "handshakes of QUIC") {
		t.Errorf("%s %q", f.Outcome, f.Error)
	}
}

// A name that the policy forbids ends what its client's port was let through for.
func TestQUICForbiddenNameOfOnePort(t *testing.T) {
	r := newRig(t, quicMode(QUICPass), verdicts(nil, map[string]Admission{"bad.example.test": Block}))
	r.leadsTo(r.h3Origin(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }))
	c := r.quicClient(5000)
	if got := c.get(t, "https://good.example.test/"); got != "ok" {
		t.Errorf("got %q", got)
	}
	if _, err := c.Get("https://bad.example.test/"); err == nil {
		t.Error("the forbidden server answered")
	}
	c.stop()
	r.shutdown()
	blocked := 0
	for _, f := range r.ending(2) {
		if f.Outcome == flow.Blocked && f.Server.SNI == "bad.example.test" {
			blocked++
		}
	}
	if blocked != 1 {
		t.Errorf("%d rows of the forbidden name", blocked)
	}
}
