package diagnosis_test

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
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	neturl "net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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

// until waits for a condition on the flows, all of which have ended then.
func (d *device) until(what string, holds func([]*flow.Flow) bool) []*flow.Flow {
	d.t.Helper()
	timeout := time.After(patience)
	for {
		d.mu.Lock()
		flows, open := slices.Collect(maps.Values(d.flows)), false
		for _, f := range flows {
			open = open || !f.Ended()
		}
		change := d.change
		d.mu.Unlock()
		if !open && holds(flows) {
			return flows
		}
		select {
		case <-change:
		case <-timeout:
			for _, f := range flows {
				d.t.Logf("%s %s %s", f.Kind, f.URL(), f.Outcome)
			}
			d.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// contacts waits until a host was contacted n times, and says what all flows show.
func (d *device) contacts(host string, n int, known diagnosis.Known) []diagnosis.Diagnosis {
	d.t.Helper()
	flows := d.until(fmt.Sprintf("%d contacts with %s", n, host), func(flows []*flow.Flow) bool {
		met := 0
		for _, f := range flows {
			if f.Host() == host {
				met++
			}
		}
		return met >= n
	})
	return diagnosis.Of(collect(flows...), known)
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

// trusting is the TLS of a program that trusts the authority, and pins some hosts.
func (d *device) trusting(pinned ...string) *tls.Config {
	return &tls.Config{RootCAs: d.ca.pool(), VerifyConnection: func(c tls.ConnectionState) error {
		if slices.Contains(pinned, c.ServerName) {
			return errors.New("pin")
		}
		return nil
	}}
}

// want complains unless there is exactly one diagnosis, this one.
func want(t *testing.T, got []diagnosis.Diagnosis, cause diagnosis.Cause, certainty diagnosis.Certainty, words string) {
	t.Helper()
	if len(got) != 1 || got[0].Cause != cause || got[0].Certainty != certainty {
		t.Errorf("got %+v, want %s, %s", got, cause, certainty)
		return
	}
	check(t, string(cause), got[0])
	if text := got[0].Title + "\n" + strings.Join(append(got[0].Evidence, got[0].Next...), "\n"); !strings.Contains(text, words) {
		t.Errorf("%q is not in:\n%s", words, text)
	}
}

// A program of Go's TLS, which pins as apps do.
func TestPinsAreDiagnosed(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	for range 3 {
		must(t, d.get(iosApp, "https://cdn.test/", d.trusting("api.test")))
		if d.get(iosApp, "https://api.test/", d.trusting("api.test")) == nil {
			t.Error("the pin did not hold")
		}
	}
	want(t, d.contacts("api.test", 3, diagnosis.Known{}), diagnosis.AppPinning, diagnosis.Likely, "bad_certificate (42)")
}

// OkHttp checks its pins when the handshake is over.
func TestLatePinsAreDiagnosed(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	must(t, d.get(androidApp, "https://cdn.test/", d.trusting()))
	for range 4 {
		d.late(androidApp, "api.test:443")
	}
	want(t, d.contacts("api.test", 4, diagnosis.Known{}), diagnosis.AppPinning, diagnosis.Likely, "without a request 4 times")
}

// An app that trusts the system's authorities alone, beside a browser that trusts ours.
func TestIgnoredUserCertificatesAreDiagnosed(t *testing.T) {
	t.Parallel()
	d := newDevice(t)
	must(t, d.get(chrome, "https://news.test/", d.trusting()))
	for range 2 {
		if d.get(androidApp, "https://api.test/", nil) == nil || d.get(androidApp, "https://cdn.test/", nil) == nil {
			t.Error("the app trusts us")
		}
	}
	d.contacts("cdn.test", 2, diagnosis.Known{})
	want(t, d.contacts("api.test", 2, diagnosis.Known{}), diagnosis.UserCAIgnored, diagnosis.Likely, "4 times for 2 hosts: api.test, cdn.test")
}

// The errors of crypto/tls on which codeOf relies are those that the proxy records.
func TestNoCommonTLSIsDiagnosed(t *testing.T) {
	t.Parallel()
	t.Run("cipher", func(t *testing.T) {
		d := newDevice(t)
		config := &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_RC4_128_SHA}, InsecureSkipVerify: true} //nolint:gosec // as an old client does
		if d.get("Old/1", "https://a.test/", config) == nil {
			t.Error("the proxy speaks RC4")
		}
		want(t, d.contacts("a.test", 1, diagnosis.Known{}), diagnosis.NoCommonTLS, diagnosis.Certain, "no cipher in common")
	})
	t.Run("version", func(t *testing.T) {
		d := newDevice(t)
		c := d.connect("Old/1", "a.test:443")
		hello := append([]byte{3, 0}, make([]byte, 32+1)...)             // SSL 3.0, random, no session
		hello = append(hello, 0, 2, 0, 5, 1, 0)                          // RC4, no compression
		hello = append([]byte{1, 0, 0, byte(len(hello))}, hello...)      // ClientHello
		c.Write(append([]byte{22, 3, 0, 0, byte(len(hello))}, hello...)) //nolint:errcheck // the flow tells
		io.Copy(io.Discard, c)                                           //nolint:errcheck // until it is closed
		want(t, d.contacts("a.test", 1, diagnosis.Known{}), diagnosis.NoCommonTLS, diagnosis.Certain, "nothing newer than SSL 3.0")
	})
}

// connect opens a tunnel.
func (d *device) connect(agent, target string) net.Conn {
	d.t.Helper()
	c, err := net.Dial("tcp", d.addr)
	must(d.t, err)
	d.t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n\r\n", target, target, agent)
	head := bufio.NewReader(c)
	for {
		line, err := head.ReadString('\n')
		must(d.t, err)
		if line == "\r\n" {
			return c
		}
	}
}

// late accepts TLS and closes the connection.
func (d *device) late(agent, target string) {
	d.t.Helper()
	config := d.trusting()
	config.ServerName, _, _ = strings.Cut(target, ":")
	c := tls.Client(d.connect(agent, target), config)
	must(d.t, c.Handshake())
	c.Close()
}

// program returns the path of a program, or skips the test.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s on this machine", name)
	}
	return path
}

// run runs a program behind the proxy, whatever it thinks of it.
func (d *device) run(env []string, name string, args ...string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), append(env, "https_proxy=http://"+d.addr, "no_proxy=")...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	d.t.Logf("%s: %v: %.300s", name, err, out)
}

// What programs really send: the table of docs/diagnosis.md.
func TestProgramsAreDiagnosed(t *testing.T) {
	t.Parallel()
	past := func(a *authority) { a.from, a.to = time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, -1, 0) }
	future := func(a *authority) { a.from, a.to = time.Now().AddDate(0, 1, 0), time.Now().AddDate(0, 2, 0) }
	const request = `const [h,p]=process.argv[1].split(":");require("http").request({host:h,port:p,method:"CONNECT",path:"a.test:443",headers:{"User-Agent":"node"}})
.on("connect",(r,s)=>{const t=require("tls").connect({socket:s,servername:"a.test"},()=>t.write("GET / HTTP/1.1\r\nHost: a.test\r\nUser-Agent: node\r\nConnection: close\r\n\r\n"));t.on("error",()=>{});t.resume()}).end()`
	for _, test := range []struct {
		name, program string
		valid         func(*authority)
		trust         bool
		run           func(d *device, path, ca string)
		cause         diagnosis.Cause // "" when it is read
		certainty     diagnosis.Certainty
		words         string
	}{
		{"curl trusts", "curl", nil, true, (*device).curl, "", "", ""},
		{"curl does not", "curl", nil, false, (*device).curl, diagnosis.NotInstalled, diagnosis.Possible, "unknown_ca (48)"},
		{"curl, the certificate is past", "curl", past, true, (*device).curl, diagnosis.WrongClock, diagnosis.Likely, "certificate_expired (45)"},
		{"curl, it is not valid yet", "curl", future, true, (*device).curl, diagnosis.WrongClock, diagnosis.Likely, "bad_certificate (42)"},
		{"openssl does not", "openssl", nil, false, func(d *device, path, _ string) {
			d.run(nil, path, "s_client", "-proxy", d.addr, "-connect", "a.test:443", "-servername", "a.test", "-verify_return_error")
		}, diagnosis.NotInstalled, diagnosis.Possible, "unknown_ca (48)"},
		{"node trusts", "node", nil, true, func(d *device, path, ca string) {
			d.run([]string{"NODE_EXTRA_CA_CERTS=" + ca}, path, "-e", request, d.addr)
		}, "", "", ""},
		{"node does not", "node", nil, false, func(d *device, path, _ string) { d.run(nil, path, "-e", request, d.addr) },
			diagnosis.NotInstalled, diagnosis.Possible, "NODE_EXTRA_CA_CERTS"},
		{"wget does not, and leaves late", "wget", nil, false, func(d *device, path, _ string) { d.run(nil, path, "-q", "-t1", "-O-", "https://a.test/") },
			diagnosis.NotInstalled, diagnosis.Possible, "--ca-certificate"},
		{"python does not", "python3", nil, false, func(d *device, path, _ string) {
			d.run(nil, path, "-c", "import urllib.request as u; u.urlopen('https://a.test/')")
		}, diagnosis.NotInstalled, diagnosis.Possible, "unknown_ca (48)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := program(t, test.program)
			d := newDevice(t)
			if test.valid != nil {
				test.valid(d.ca)
			}
			ca := ""
			if test.trust {
				ca = d.ca.file(t)
			}
			test.run(d, path, ca)
			got := d.contacts("a.test", 1, diagnosis.Known{})
			if test.cause == "" {
				if len(got) != 0 {
					t.Errorf("got %+v", got)
				}
				return
			}
			want(t, got, test.cause, test.certainty, test.words)
		})
	}
}

func (d *device) curl(path, ca string) {
	args := []string{"-sS", "-x", "http://" + d.addr, "https://a.test/"}
	if ca != "" {
		args = append(args, "--cacert", ca)
	}
	d.run(nil, path, args...)
}

// Chromium as a phone: without the certificate, then with it, with an app beside it that
// ignores it and then pins one host.
func TestChromiumIsDiagnosed(t *testing.T) {
	t.Parallel()
	browser, certutil := program(t, "chromium"), program(t, "certutil")
	d := newDevice(t)
	home := t.TempDir()
	store := "sql:" + filepath.Join(home, ".pki", "nssdb")
	must(t, os.MkdirAll(filepath.Join(home, ".pki", "nssdb"), 0o700))
	d.run(nil, certutil, "-d", store, "-N", "--empty-password")
	visit := func(url string) {
		d.run([]string{"HOME=" + home}, browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
			"--user-data-dir="+filepath.Join(home, "profile"), "--user-agent="+chrome, "--proxy-server=http://"+d.addr, "--dump-dom", url)
	}
	visit("https://news.test/")
	of := func(cause diagnosis.Cause, all []diagnosis.Diagnosis) []diagnosis.Diagnosis {
		return slices.DeleteFunc(all, func(d diagnosis.Diagnosis) bool { return d.Cause != cause })
	}
	got := d.contacts("news.test", 1, diagnosis.Known{})
	want(t, of(diagnosis.NotInstalled, got), diagnosis.NotInstalled, diagnosis.Likely, "certificate_unknown (46)")
	if len(got) != 1 {
		t.Errorf("untrusted: %+v", got)
	}

	d.run(nil, certutil, "-d", store, "-A", "-t", "C,,", "-n", "telltale", "-i", d.ca.file(t))
	visit("https://news.test/trusted")
	d.until("a page that is read", func(flows []*flow.Flow) bool {
		return slices.ContainsFunc(flows, func(f *flow.Flow) bool { return f.Readable() && f.Host() == "news.test" })
	})
	for range 2 {
		if d.get(androidApp, "https://api.test/", nil) == nil {
			t.Error("the app trusts us")
		}
	}
	want(t, of(diagnosis.UserCAIgnored, d.contacts("api.test", 2, diagnosis.Known{})), diagnosis.UserCAIgnored, diagnosis.Likely, "Chrome can be read")

	must(t, d.get(androidApp, "https://cdn.test/", d.trusting()))
	d.contacts("cdn.test", 1, diagnosis.Known{})
	got = d.contacts("api.test", 2, diagnosis.Known{})
	want(t, of(diagnosis.AppPinning, got), diagnosis.AppPinning, diagnosis.Likely, "cdn.test")
	if len(of(diagnosis.NotInstalled, got)) > 0 {
		t.Errorf("trusted: %+v", got)
	}
}
