package experiment

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"telltale/ca"
	"telltale/flow"
	"telltale/proxy"
)

// record keeps the last state of each flow, in the order in which they began.
type record struct {
	mu      sync.Mutex
	flows   []*flow.Flow
	changed chan struct{} // closed at the next observation
}

func newRecord() *record { return &record{changed: make(chan struct{})} }

func (r *record) NextID() flow.ID {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flows = append(r.flows, &flow.Flow{Outcome: flow.Served})
	return flow.ID(len(r.flows))
}

func (r *record) Observe(f *flow.Flow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flows[f.ID-1] = f
	close(r.changed)
	r.changed = make(chan struct{})
}

// await returns the contacts when they hold some words, or else after a minute.
func (r *record) await(words string) string {
	late := time.After(time.Minute)
	for {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		kept := r.contacts()
		if strings.Contains(kept, words) {
			return kept
		}
		select {
		case <-changed:
		case <-late:
			return kept
		}
	}
}

// contacts returns those of the flows that are contacts, a line each.
func (r *record) contacts() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, f := range r.flows {
		if f.IsContact() {
			fmt.Fprintf(&b, "%s %s %s %q %q\n", f.Method(), f.URL(), f.Outcome, f.Experiments, f.Altered)
		}
	}
	return b.String()
}

// wire is a proxy that carries out what a set decides, with a server behind it.
type wire struct {
	*Set
	record *record
	ca     *ca.Authority
	client *http.Client
}

func newWire(t *testing.T) *wire {
	t.Helper()
	authority, err := ca.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Alt-Svc", `h3=":443"`)
		io.WriteString(w, "hello")
	})
	plain, secure := httptest.NewServer(hello), httptest.NewTLSServer(hello)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate()) // for example.com
	cfg := config(t)
	cfg.Authority = authority
	w := &wire{Set: New(cfg), record: newRecord(), ca: authority}
	to := func(s *httptest.Server) netip.AddrPort { return netip.MustParseAddrPort(s.Listener.Addr().String()) }
	p, err := proxy.New(proxy.Config{
		Leafer: authority, Recorder: w.record, Admit: w.Decide, Modify: w.Modifier, Home: w.PortalHandler(),
		AllowLocal: true, UpstreamRoots: roots, BodyLimit: 1 << 10,
		Resolve: []proxy.Resolve{
			{Host: "*", Port: "80", Addr: to(plain).Addr(), ToPort: fmt.Sprint(to(plain).Port())},
			{Host: "*", Port: "443", Addr: to(secure).Addr(), ToPort: fmt.Sprint(to(secure).Port())},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(l) }()
	trust := x509.NewCertPool()
	trust.AddCert(authority.Certificate())
	transport := &http.Transport{
		Proxy:             http.ProxyURL(&url.URL{Scheme: "http", Host: l.Addr().String()}),
		TLSClientConfig:   &tls.Config{RootCAs: trust},
		DisableKeepAlives: true,
	}
	w.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := errors.Join(p.Shutdown(ctx), <-served); err != nil {
			t.Error(err)
		}
		plain.Close()
		secure.Close()
	})
	return w
}

// get asks for a URL: the status with what came, or the error.
func (w *wire) get(target string) (string, error) {
	resp, err := w.client.Get(target)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return fmt.Sprintf("%d %s", resp.StatusCode, body), err
}

func TestSimulationsOnTheWire(t *testing.T) {
	var (
		unknown  x509.UnknownAuthorityError
		mismatch x509.HostnameError
		invalid  x509.CertificateInvalidError
	)
	for _, tt := range []struct {
		flag, target string
		status       string // what comes
		err          any    // or the error, for errors.As
		record       string // what is kept of it
	}{
		{"offline", "http://example.com/", "502 ", nil, `GET http://example.com/ simulated ["offline"]`},
		{"server-error=500", "http://example.com/", "500 <html>", nil, `simulated ["server-error 500"] ["answered 500 in the place of the server: server-error 500: the server is in trouble"]`},
		{"server-error", "https://example.com/", "503 <html>", nil, `GET https://example.com/ simulated ["server-error 503"]`},
		{"server-error@b.example", "https://example.com/", "200 hello", nil, `GET https://example.com/ completed [] []`},
		{"bad-certificate", "https://example.com/", "", &unknown, `simulated ["bad-certificate unknown-authority"] ["showed the client a certificate signed by an authority that nobody knows: bad-certificate unknown-authority"]`},
		{"bad-certificate=wrong-name", "https://example.com/", "", &mismatch, `simulated ["bad-certificate wrong-name"]`},
		{"bad-certificate=self-signed", "https://example.com/", "", &unknown, `simulated ["bad-certificate self-signed"]`},
		{"clock-skew", "https://example.com/", "", &invalid, `simulated ["clock-skew expired"]`},
		{"clock-skew=not-yet-valid", "https://example.com/", "", &invalid, `simulated ["clock-skew not-yet-valid"]`},
		{"captive-portal", "https://example.com/", "", &mismatch, `["captive-portal"]`},
		{"captive-portal", "http://example.com/x", "302 ", nil, `simulated ["captive-portal"] ["redirected to the sign-in page in the place of the server: captive-portal: the device has not signed in"]`},
		{"no-quic", "https://example.com/", "200 hello", nil, `completed ["no-quic"] ["took the offer of HTTP/3 out of the answer (Alt-Svc): no-quic"]`},
	} {
		t.Run(tt.flag+" "+tt.target, func(t *testing.T) {
			w := newWire(t)
			on(t, w.Set, tt.flag)
			got, err := w.get(tt.target)
			switch {
			case tt.err != nil && !errors.As(err, tt.err):
				t.Errorf("got %q, %v; want a %T", got, err, tt.err)
			case tt.err == nil && (err != nil || !strings.HasPrefix(got, tt.status)):
				t.Errorf("got %q, %v; want %q", got, err, tt.status)
			}
			if kept := w.record.await(tt.record); !strings.Contains(kept, tt.record) {
				t.Errorf("kept\n%swant %s", kept, tt.record)
			}
		})
	}
}

// A device is led to the page, signs in, and is let through.
func TestCaptivePortalOnTheWire(t *testing.T) {
	w := newWire(t)
	on(t, w.Set, "captive-portal")
	resp, err := w.client.Get("http://example.com/news")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	page, err := w.client.Get(resp.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(page.Body)
	page.Body.Close()
	if err != nil || page.StatusCode != 200 {
		t.Fatal(page.Status, err)
	}
	done, err := w.client.PostForm("http://setup.telltale/portal", url.Values{"token": {tokenIn(string(text))}, "url": {"http://example.com/news"}})
	if err != nil {
		t.Fatal(err)
	}
	text, err = io.ReadAll(done.Body)
	done.Body.Close()
	if err != nil || !bytes.Contains(text, []byte("Go on to example.com")) {
		t.Errorf("%s %s %v", done.Status, text, err)
	}
	for _, target := range []string{"http://example.com/news", "https://example.com/"} {
		if got, err := w.get(target); got != "200 hello" {
			t.Errorf("%s: %q %v", target, got, err)
		}
	}
}

// A client that takes any certificate reaches the page over HTTPS, too.
func TestCaptivePortalForWhoTakesAnyCertificate(t *testing.T) {
	w := newWire(t)
	on(t, w.Set, "captive-portal")
	var seen *x509.Certificate
	w.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(c tls.ConnectionState) error { //nolint:gosec // that is what is tried
		seen = c.PeerCertificates[0]
		return nil
	}}
	resp, err := w.client.Get("https://example.com/x")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusFound || !strings.HasPrefix(resp.Header.Get("Location"), "http://setup.telltale/portal?url=https%3A") {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	if seen == nil || seen.VerifyHostname("setup.telltale") != nil || seen.VerifyHostname("example.com") == nil {
		t.Errorf("shown %v", seen)
	}
	const words = "showed the client the certificate of the sign-in page: captive-portal"
	if kept := w.record.await(words); !strings.Contains(kept, words) {
		t.Errorf("kept %s", kept)
	}
}
