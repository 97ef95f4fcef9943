package proxy

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"telltale/flow"
)

// badLeaf signs a certificate that has something wrong with it.
func badLeaf(t *testing.T, ca *testAuthority, edit func(*x509.Certificate), selfSigned bool) tls.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(99), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	edit(tmpl)
	parent := ca.cert
	if selfSigned {
		parent = tmpl
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, ca.key.Public(), ca.key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: ca.key}
}

// tlsOrigin serves over TLS with a configuration of the test's.
func tlsOrigin(t testing.TB, cfg *tls.Config, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.TLS = cfg
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestCertificatesOfServers(t *testing.T) {
	for name, x := range map[string]struct {
		edit       func(*x509.Certificate)
		selfSigned bool
		invalid    string
	}{
		"expired":     {func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) }, false, "expired"},
		"wrong name":  {func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"other.test"} }, false, "other.test|IP SANs"},
		"self-signed": {func(*x509.Certificate) {}, true, "unknown authority"},
		"not yet":     {func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) }, false, "not yet valid"},
	} {
		for _, insecure := range []bool{false, true} {
			t.Run(fmt.Sprint(name, "/", insecure), func(t *testing.T) {
				r := newRig(t, func(c *Config) { c.InsecureUpstream = insecure })
				addr := tlsOrigin(t, &tls.Config{Certificates: []tls.Certificate{badLeaf(t, r.ca, x.edit, x.selfSigned)}},
					func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
				resp, body := fetch(t, r.client(), request(t, "GET", "https://"+addr+"/", nil))
				f := r.one()
				s := f.Server.TLS
				if s == nil || s.Certificate == nil || s.Version == 0 {
					t.Fatalf("TLS %+v, error %q", s, f.Error)
				}
				matches := false
				for part := range strings.SplitSeq(x.invalid, "|") {
					matches = matches || strings.Contains(s.Invalid, part)
				}
				if !matches {
					t.Errorf("invalid because %q", s.Invalid)
				}
				equal(t, "unverified", s.Unverified, insecure)
				equal(t, "digest", len(s.Certificate.SHA256), 64)
				equal(t, "dialled", f.Server.Dialed.String(), addr)
				if insecure {
					equal(t, "flow", fmt.Sprint(resp.StatusCode, body, f.Outcome), "200okcompleted")
					return
				}
				equal(t, "flow", fmt.Sprint(resp.StatusCode, f.Outcome, f.Failure), "502upstream-failedcertificate")
				if !strings.Contains(body, "certificate of 127.0.0.1 is not valid") {
					t.Errorf("page %q", body)
				}
			})
		}
	}
}

func TestInsecureRecordsAValidCertificateAsSuch(t *testing.T) {
	r := newRig(t, func(c *Config) { c.InsecureUpstream = true })
	u := r.origin(func(http.ResponseWriter, *http.Request) {})
	fetch(t, r.client(), request(t, "GET", u.String(), nil))
	s := r.one().Server.TLS
	equal(t, "TLS", fmt.Sprint(s.Unverified, s.Invalid), "true")
}

func TestHandshakesThatFail(t *testing.T) {
	r := newRig(t)
	plain := r.plainOrigin(func(http.ResponseWriter, *http.Request) {})
	closes := r.listener(func(c net.Conn) { c.Read(make([]byte, 1)) })
	for i, addr := range []string{plain.Host, closes} {
		resp, _ := fetch(t, r.client(), request(t, "GET", "https://"+addr+"/", nil))
		f := r.ending(i + 1)[i]
		got := fmt.Sprint(resp.StatusCode, f.Failure)
		if got != "502tls" && got != "502reset" || i == 0 && got != "502tls" {
			t.Errorf("%s: %s %q", addr, got, f.Error)
		}
		equal(t, "dialled", f.Server.Dialed.String(), addr)
	}
}

// TestOldTLSIsSeen: that is what the rule weak-tls is for.
func TestOldTLSIsSeen(t *testing.T) {
	r := newRig(t)
	leaf, _ := r.ca.Leaf("127.0.0.1")
	addr := tlsOrigin(t, &tls.Config{Certificates: []tls.Certificate{*leaf}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10},
		func(http.ResponseWriter, *http.Request) {})
	resp, _ := fetch(t, r.client(), request(t, "GET", "https://"+addr+"/", nil))
	equal(t, "status", resp.StatusCode, 200)
	equal(t, "version", r.one().Server.TLS.Version, uint16(tls.VersionTLS10))
}

// TestNamesNeverShareAConnection: the SNI goes out as the client sent it, to the
// host that was asked for, and what was opened for one pair serves no other.
func TestNamesNeverShareAConnection(t *testing.T) {
	r := newRig(t)
	var mu sync.Mutex
	var conns []string // SNI and client's port of each request
	h := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		conns = append(conns, r.TLS.ServerName+" "+r.RemoteAddr)
	}
	leaf, err := r.ca.Leaf("127.0.0.1")
	must(t, err)
	cfg := &tls.Config{Certificates: []tls.Certificate{*leaf}, GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return r.ca.Leaf(h.ServerName) // asked when there is one
	}}
	addr := tlsOrigin(t, cfg, h)
	ask := func(sni, host string) {
		tc := tls.Client(r.tunnel(addr), &tls.Config{RootCAs: r.ca.pool(), ServerName: sni, NextProtos: []string{"http/1.1"}})
		fmt.Fprintf(tc, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
		io.ReadAll(tc)
		tc.Close()
	}
	ask("a.test", "a.test")
	ask("a.test", "b.test") // the Host header is no reason for another connection
	ask("b.test", "a.test")
	ask("127.0.0.1", "a.test") // no SNI
	ask("a.test", "a.test")
	flows := r.ending(5)
	mu.Lock()
	defer mu.Unlock()
	port := func(i int) string { _, p, _ := strings.Cut(conns[i], " "); return p }
	for i, sni := range []string{"a.test", "a.test", "b.test", "", "a.test"} {
		if !strings.HasPrefix(conns[i], sni+" ") {
			t.Errorf("request %d came with SNI %q, want %q", i, conns[i], sni)
		}
		equal(t, "recorded SNI", flows[i].Server.SNI, sni)
		equal(t, "outcome", flows[i].Outcome, flow.Completed)
	}
	if port(0) != port(1) || port(0) != port(4) || port(0) == port(2) || port(2) == port(3) || port(0) == port(3) {
		t.Errorf("connections: %q", conns)
	}
	equal(t, "url", flows[2].URL(), "https://a.test/")
}

func TestPoolsAreApartAndBounded(t *testing.T) {
	cfg := &Config{}
	ps := newPools(cfg, newDialer(cfg, newNetwork()))
	device := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	start := time.Now()
	at := func(i int) time.Time { return start.Add(time.Duration(i) * time.Second) }
	first := ps.get(poolKey{device: device(0)}, at(0))
	if ps.get(poolKey{device: device(0)}, at(0)) != first {
		t.Error("a pool is not found again")
	}
	for _, k := range []poolKey{{device: device(1)}, {device: device(0), speech: speaksH2}, {device: device(0), sni: "a.test"}} {
		if ps.get(k, at(1)) == first {
			t.Errorf("%+v shares a pool", k)
		}
	}
	for i := range 3 * maxPools {
		ps.get(poolKey{device: device(i)}, at(i))
		ps.get(poolKey{device: device(0)}, at(i)) // in use
	}
	equal(t, "pools", len(ps.pools), maxPools)
	if ps.get(poolKey{device: device(0)}, at(0)) != first {
		t.Error("a pool in use was given up")
	}
	ps.close()
	equal(t, "pools after the end", len(ps.pools), 0)
}

// TestSessionsAreResumed, and the certificate is still known then.
func TestSessionsAreResumed(t *testing.T) {
	r := newRig(t)
	resumed := make(chan bool, 2)
	u := r.origin(func(w http.ResponseWriter, r *http.Request) {
		resumed <- r.TLS.DidResume
		w.Header().Set("Connection", "close")
	})
	for i := range 2 {
		fetch(t, r.client(onlyH1), request(t, "GET", u.String(), nil))
		equal(t, "resumed", <-resumed, i == 1)
		f := r.ending(i + 1)[i]
		if f.Server.TLS.Certificate == nil || f.Server.TLS.Invalid != "" {
			t.Errorf("TLS %+v", f.Server.TLS)
		}
	}
}

func TestGoproxyHasNoWayOut(t *testing.T) {
	cfg := &Config{Recorder: new(counter)}
	e := newExchange(cfg, newDialer(cfg, newNetwork())).engine
	if e.ConnectDial != nil || e.Tr.Proxy != nil || e.Verbose || !e.KeepAcceptEncoding {
		t.Error("goproxy is not set up as it must be")
	}
	if _, err := e.Tr.DialContext(context.Background(), "tcp", "127.0.0.1:1"); err == nil {
		t.Error("goproxy can dial")
	}
	if _, err := e.Tr.DialTLSContext(context.Background(), "tcp", "127.0.0.1:1"); err == nil {
		t.Error("goproxy can dial")
	}
}
