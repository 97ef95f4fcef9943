package diagnosis_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	neturl "net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"telltale/diagnosis"
	"telltale/flow"
	"telltale/proxy"
)

const patience = 30 * time.Second

// authority signs a leaf for each name, valid in the time that it is told.
type authority struct {
	cert     *x509.Certificate
	key      *ecdsa.PrivateKey
	from, to time.Time
	mu       sync.Mutex
	made     map[string]*tls.Certificate
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "diagnosis test CA"},
		NotBefore: now.AddDate(-2, 0, 0), NotAfter: now.AddDate(2, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &authority{cert: cert, key: key, from: now.Add(-time.Hour), to: now.AddDate(0, 1, 0), made: map[string]*tls.Certificate{}}
}

// Leaf implements proxy.Leafer.
func (a *authority) Leaf(name string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.made[name]; c != nil {
		return c, nil
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(a.made)) + 2), NotBefore: a.from, NotAfter: a.to, DNSNames: []string{name},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, a.key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	c := &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: a.key}
	a.made[name] = c
	return c, nil
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// file writes the certificate for programs that want one.
func (a *authority) file(t testing.TB) string {
	name := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600))
	return name
}

// device is a real proxy on loopback, and the collector of what comes through it.
type device struct {
	t      testing.TB
	ca     *authority
	addr   string
	mu     sync.Mutex
	last   flow.ID
	flows  map[flow.ID]*flow.Flow
	change chan struct{}
}

// NextID implements proxy.Recorder.
func (d *device) NextID() flow.ID {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last++
	return d.last
}

// Observe implements proxy.Recorder.
func (d *device) Observe(f *flow.Flow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flows[f.ID] = f
	close(d.change)
	d.change = make(chan struct{})
}

// newDevice starts a proxy for which every name of .test is one server of its own.
func newDevice(t testing.TB) *device {
	t.Helper()
	d := &device{t: t, ca: newAuthority(t), flows: map[flow.ID]*flow.Flow{}, change: make(chan struct{})}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }))
	upstream := newAuthority(t)
	server.TLS = &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return upstream.Leaf(h.ServerName) }}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	to := netip.MustParseAddrPort(server.Listener.Addr().String())
	p, err := proxy.New(proxy.Config{
		Leafer: d.ca, Recorder: d, AllowLocal: true, UpstreamRoots: upstream.pool(), DialTimeout: patience,
		Resolve: []proxy.Resolve{{Host: "*", Port: "*", Addr: to.Addr(), ToPort: strconv.Itoa(int(to.Port()))}},
		Home:    http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "home") }),
	})
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	d.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- p.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		p.Shutdown(ctx) //nolint:errcheck // clients may still be connected
		<-served
	})
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ended waits for n flows to have ended, and returns all.
func (d *device) ended(n int) []*flow.Flow {
	d.t.Helper()
	timeout := time.After(patience)
	for {
		d.mu.Lock()
		var flows []*flow.Flow
		ended := 0
		for id := flow.ID(1); id <= d.last; id++ {
			if f := d.flows[id]; f != nil {
				flows = append(flows, f)
				if f.Ended() {
					ended++
				}
			}
		}
		change := d.change
		d.mu.Unlock()
		if ended >= n {
			return flows
		}
		select {
		case <-change:
		case <-timeout:
			d.t.Fatalf("%d flows ended, want %d", ended, n)
		}
	}
}

// diagnose waits for n flows and says what they show.
func (d *device) diagnose(n int, known diagnosis.Known) []diagnosis.Diagnosis {
	d.t.Helper()
	var c diagnosis.Collector
	for _, f := range d.ended(n) {
		c.Add(f)
	}
	return diagnosis.Of(c.Evidence(), known)
}

// get requests a page as a Go program with a User-Agent, through the proxy.
func (d *device) get(agent, url string, config *tls.Config) error {
	d.t.Helper()
	transport := &http.Transport{
		Proxy: http.ProxyURL(&neturl.URL{Scheme: "http", Host: d.addr}), TLSClientConfig: config,
		ProxyConnectHeader: http.Header{"User-Agent": {agent}}, DisableKeepAlives: true,
	}
	req, err := http.NewRequest(http.MethodGet, url, nil)
	must(d.t, err)
	req.Header.Set("User-Agent", agent)
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Do(req)
	if err == nil {
		io.Copy(io.Discard, resp.Body) //nolint:errcheck // the client's trouble
		resp.Body.Close()
	}
	return err
}
