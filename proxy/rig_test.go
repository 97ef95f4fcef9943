package proxy

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"telltale/flow"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// testAuthority signs leaves, as the program's authority does.
type testAuthority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	mu   sync.Mutex
	made map[string]*tls.Certificate
}

func newTestAuthority(tb testing.TB) *testAuthority {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(tb, err)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	must(tb, err)
	cert, err := x509.ParseCertificate(der)
	must(tb, err)
	return &testAuthority{cert: cert, key: key, made: map[string]*tls.Certificate{}}
}

// Leaf implements Leafer.
func (a *testAuthority) Leaf(name string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.made[name]; c != nil {
		return c, nil
	}
	if name == "" || name == "refuse.test" {
		return nil, fmt.Errorf("no leaf for %q", name)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(a.made)) + 2),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 1, 0),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		tmpl.IPAddresses = []net.IP{ip}
	} else {
		tmpl.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, a.key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	c := &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: a.key}
	a.made[name] = c
	return c, nil
}

func (a *testAuthority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// file writes the authority's certificate for programs that want a file.
func (a *testAuthority) file(t *testing.T) string {
	name := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600))
	return name
}

// tape records flows, and complains about what a recorder must never be given.
type tape struct {
	tb     testing.TB
	mu     sync.Mutex
	next   flow.ID
	flows  map[flow.ID]*flow.Flow
	ended  map[flow.ID]int
	change chan struct{}
}

func newTape(tb testing.TB) *tape {
	return &tape{tb: tb, flows: map[flow.ID]*flow.Flow{}, ended: map[flow.ID]int{}, change: make(chan struct{})}
}

// NextID implements Recorder.
func (t *tape) NextID() flow.ID {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next++
	return t.next
}

// Observe implements Recorder.
func (t *tape) Observe(f *flow.Flow) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case f.ID == 0 || f.ID > t.next:
		t.tb.Errorf("flow with an ID that was not given out: %d", f.ID)
	case t.ended[f.ID] > 0:
		t.tb.Errorf("flow %d observed after its end: %s", f.ID, f.Outcome)
	}
	if f.Ended() {
		t.ended[f.ID]++
	}
	t.flows[f.ID] = f
	close(t.change)
	t.change = make(chan struct{})
}

// all returns the newest state of every flow, in the order of their IDs.
func (t *tape) all() []*flow.Flow {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]*flow.Flow, 0, len(t.flows))
	for _, f := range t.flows {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *flow.Flow) int { return int(a.ID - b.ID) })
	return out
}

// wait waits until a condition on the flows holds.
func (t *tape) wait(what string, cond func([]*flow.Flow) bool) []*flow.Flow {
	t.tb.Helper()
	timeout := time.After(patience)
	for {
		t.mu.Lock()
		change := t.change
		t.mu.Unlock()
		flows := t.all()
		if cond(flows) {
			return flows
		}
		select {
		case <-change:
		case <-timeout:
			for _, f := range flows {
				t.tb.Logf("flow %d: %s %s %s %q", f.ID, f.Kind, f.URL(), f.Outcome, f.Error)
			}
			t.tb.Fatalf("waited in vain for %s", what)
		}
	}
}

// ending waits for exactly n flows to have ended.
func (t *tape) ending(n int) []*flow.Flow {
	t.tb.Helper()
	return t.wait(fmt.Sprintf("%d ended flows", n), func(flows []*flow.Flow) bool {
		ended := 0
		for _, f := range flows {
			if f.Ended() {
				ended++
			}
		}
		if ended > n {
			t.tb.Fatalf("%d flows ended, want %d", ended, n)
		}
		return ended == n && len(flows) == n
	})
}

// one waits for the one flow there must be.
func (t *tape) one() *flow.Flow {
	t.tb.Helper()
	return t.ending(1)[0]
}

// rig is a proxy at work on loopback.
type rig struct {
	*tape
	t     testing.TB
	ca    *testAuthority
	proxy *Proxy
	addr  string
}

// newRig starts a proxy. The cleanup shuts it down and looks for leaks.
func newRig(t testing.TB, edit ...func(*Config)) *rig {
	t.Helper()
	before := goleak.IgnoreCurrent()
	r := &rig{tape: newTape(t), t: t, ca: newTestAuthority(t)}
	cfg := Config{
		Leafer: r.ca, Recorder: r.tape, AllowLocal: true, UpstreamRoots: r.ca.pool(), BodyLimit: 1 << 20,
		DialTimeout: patience, Log: slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	cfg.waits.spare = 50 * time.Millisecond
	for _, f := range edit {
		f(&cfg)
	}
	var err error
	r.proxy, err = New(cfg)
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- r.proxy.Serve(l) }()
	until(t, "the proxy to serve", func() bool { return r.proxy.openListeners() > 0 })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience/2)
		defer cancel()
		if err := r.proxy.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		for _, f := range r.all() {
			if !f.Ended() {
				t.Errorf("flow %d has no end: %s", f.ID, f.URL())
			}
		}
		goleak.VerifyNone(t, before)
	})
	return r
}

// shutdown ends the audit.
func (r *rig) shutdown() {
	r.t.Helper()
	must(r.t, r.proxy.Shutdown(context.Background()))
}

// until waits for a condition of which no flow tells.
func until(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	for end := time.Now().Add(patience); !cond(); runtime.Gosched() {
		if time.Now().After(end) {
			tb.Fatalf("waited in vain for %s", what)
		}
	}
}

func (p *Proxy) openListeners() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.listeners)
}

// testLog fails a test for what the proxy complains about.
type testLog struct{ testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	l.Errorf("the proxy logged: %s", b)
	return len(b), nil
}

// origin starts a TLS server of HTTP/1.1 and HTTP/2 with a leaf of the rig's authority.
func (r *rig) origin(h http.HandlerFunc) *url.URL {
	r.t.Helper()
	leaf, err := r.ca.Leaf("127.0.0.1")
	must(r.t, err)
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{Certificates: []tls.Certificate{*leaf}}
	s.StartTLS()
	r.t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	must(r.t, err)
	return u
}

// plainOrigin starts a server of HTTP/1.1 in clear.
func (r *rig) plainOrigin(h http.HandlerFunc) *url.URL {
	r.t.Helper()
	s := httptest.NewServer(h)
	r.t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	must(r.t, err)
	return u
}

// listener starts a server of any protocol.
func (r *rig) listener(serve func(net.Conn)) string {
	r.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(r.t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { defer c.Close(); serve(c) })
		}
	})
	r.t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

// client returns an HTTP client that goes through the proxy and trusts it.
func (r *rig) client(edit ...func(*http.Transport)) *http.Client {
	proxyURL := &url.URL{Scheme: "http", Host: r.addr}
	tr := &http.Transport{Proxy: http.ProxyURL(proxyURL), TLSClientConfig: &tls.Config{RootCAs: r.ca.pool()}, ForceAttemptHTTP2: true}
	for _, f := range edit {
		f(tr)
	}
	r.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

// dial connects to the proxy.
func (r *rig) dial() *peer {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	must(r.t, err)
	must(r.t, c.SetDeadline(time.Now().Add(patience)))
	r.t.Cleanup(func() { c.Close() })
	return &peer{Conn: c, t: r.t, br: bufio.NewReader(c)}
}

// tunnel connects to the proxy and opens a tunnel.
func (r *rig) tunnel(target string) *peer {
	r.t.Helper()
	c := r.dial()
	c.say("CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: TestApp/1.0\r\n\r\n", target, target)
	if status := c.status(); status != 200 {
		r.t.Fatalf("CONNECT %s: %d", target, status)
	}
	return c
}

// atOnce opens a tunnel with the first bytes that are written into it, however long
// that takes: a server that speaks first is not asked for what it has to say.
func (r *rig) atOnce(target string) *early {
	r.t.Helper()
	return &early{peer: r.dial(), target: target}
}

// early is a client that does not wait until its tunnel is open.
type early struct {
	*peer
	target string // "" once it is asked for
	opened bool
}

func (c *early) Write(b []byte) (int, error) {
	if c.target == "" {
		return c.peer.Write(b)
	}
	ask := fmt.Appendf(nil, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: TestApp/1.0\r\n\r\n", c.target, c.target)
	c.target = ""
	n, err := c.peer.Write(append(ask, b...))
	return max(0, n-len(ask)), err
}

func (c *early) Read(b []byte) (int, error) {
	if !c.opened {
		c.opened = true
		if status := c.status(); status != http.StatusOK {
			return 0, fmt.Errorf("CONNECT: %d", status)
		}
	}
	return c.peer.Read(b)
}

// peer is a client that speaks bytes.
type peer struct {
	net.Conn
	t  testing.TB
	br *bufio.Reader
}

func (c *peer) Read(b []byte) (int, error) { return c.br.Read(b) }

func (c *peer) say(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.Conn, format, args...); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// answer reads a response with its content.
func (c *peer) answer() (*http.Response, string) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		c.t.Fatalf("read a response: %v", err)
	}
	if resp.StatusCode == http.StatusContinue {
		return c.answer()
	}
	if resp.StatusCode == 200 && resp.ContentLength < 0 && resp.Header.Get("Content-Type") == "" {
		return resp, "" // of a CONNECT
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("read a body: %v", err)
	}
	return resp, string(body)
}

func (c *peer) status() int {
	c.t.Helper()
	resp, _ := c.answer()
	return resp.StatusCode
}

// closed fails the test unless the proxy ends the connection without a word.
func (c *peer) closed() {
	c.t.Helper()
	if b, err := io.ReadAll(c.br); len(b) > 0 || isTimeout(err) {
		c.t.Fatalf("read %q, %v; want an end", b, err)
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// quiet is for tests that provoke trouble.
func quiet(c *Config) { c.Log = nil }

// syncLogger writes to a buffer that is read after the connections have ended.
func syncLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(&lockedWriter{w: w}, nil))
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// handshake speaks TLS over a tunnel.
func (r *rig) handshake(c net.Conn, edit ...func(*tls.Config)) *peer {
	r.t.Helper()
	cfg := &tls.Config{RootCAs: r.ca.pool(), ServerName: "example.test"}
	for _, f := range edit {
		f(cfg)
	}
	tc := tls.Client(c, cfg)
	must(r.t, tc.Handshake())
	return &peer{Conn: tc, t: r.t, br: bufio.NewReader(tc)}
}

func (c *peer) CloseWrite() { closeWrite(c.Conn) }
