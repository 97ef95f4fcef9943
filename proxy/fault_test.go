package proxy

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"telltale/flow"
)

// expired signs certificates that have expired.
func (a *testAuthority) expired(name string) (*tls.Certificate, error) {
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(99), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
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
	return &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: a.key}, nil
}

const (
	faultWhat  = "showed the client a certificate that has expired: clock-skew expired"
	faultError = "the client refused the certificate, as it should: a certificate that has expired: clock-skew expired. "
)

// faultRig is a proxy that shows certificates with a fault while on is set.
func faultRig(t testing.TB, on *atomic.Bool, edit ...func(*Config)) *rig {
	var r *rig
	r = newRig(t, append([]func(*Config){func(c *Config) {
		c.Admit = func(f *flow.Flow) Decision {
			if f.Request != nil && f.Request.URL != "" || !on.Load() {
				return Decision{}
			}
			return Decision{
				LeafBy: []string{"clock-skew expired"}, LeafWhat: faultWhat,
				Leaf: func(name string) (*tls.Certificate, error) { return r.ca.expired(name) },
			}
		}
	}}, edit...)...)
	return r
}

func switchedOn() *atomic.Bool {
	on := new(atomic.Bool)
	on.Store(true)
	return on
}

// refusedFault checks the row of a client that refused a certificate with a fault.
func refusedFault(t *testing.T, f *flow.Flow, how, alert string) {
	t.Helper()
	equal(t, "outcome", f.Outcome, flow.Simulated)
	equal(t, "error", f.Error, faultError+how)
	equal(t, "marks", fmt.Sprint(f.Experiments, f.Altered), fmt.Sprint([]string{"clock-skew expired"}, []string{faultWhat}))
	if f.Client.Hello == nil || !strings.Contains(f.Client.Hello.Alert, alert) || alert == "" && f.Client.Hello.Alert != "" {
		t.Errorf("hello %+v, want alert %q", f.Client.Hello, alert)
	}
}

func TestFaultIsRefused(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			r := faultRig(t, switchedOn())
			c := tls.Client(r.tunnel("example.test:443"), &tls.Config{RootCAs: r.ca.pool(), ServerName: "example.test", MaxVersion: version})
			var invalid x509.CertificateInvalidError
			if err := c.Handshake(); !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
				t.Fatalf("the client saw %v", err)
			}
			c.Close()
			f := r.one()
			refusedFault(t, f, "It said "+f.Client.Hello.Alert+".", "(4")
		})
	}
}

// A client may look at the certificate when TLS is done, and then say so or go away.
func TestFaultIsRefusedLate(t *testing.T) {
	for name, c := range map[string]struct {
		alpn string
		end  func(*tls.Conn)
		how  string
	}{
		"closed":          {"http/1.1", func(c *tls.Conn) { c.Close() }, "It accepted TLS, and closed the connection without a request."},
		"closed, h2":      {"h2", func(c *tls.Conn) { c.Close() }, "It accepted TLS, and closed the connection without a request."},
		"closed, no ALPN": {"", func(c *tls.Conn) { c.Close() }, "It accepted TLS, and closed the connection without a request."},
		"reset":           {"http/1.1", func(c *tls.Conn) { c.NetConn().Close() }, "It accepted TLS, and closed the connection without a request."},
	} {
		t.Run(name, func(t *testing.T) {
			on := new(atomic.Bool)
			r := faultRig(t, on)
			u := r.origin(answers)
			fetch(t, r.client(), request(t, "GET", u.String(), nil)) // what it used before is no excuse
			r.ending(1)
			on.Store(true)
			cfg := &tls.Config{InsecureSkipVerify: true}
			if c.alpn != "" {
				cfg.NextProtos = []string{c.alpn}
			}
			tc := tls.Client(r.tunnel(u.Host), cfg)
			must(t, tc.Handshake())
			c.end(tc)
			refusedFault(t, r.ending(2)[1], c.how, "")
		})
	}
}

// An alert within TLS 1.3 comes when crypto/tls has done its part of the handshake, or
// before; curl and openssl say theirs in their own ways.
func TestFaultIsRefusedByPrograms(t *testing.T) {
	for name, args := range map[string][]string{
		"curl":            {"curl", "-sS", "--max-time", "20"},
		"curl TLS 1.2":    {"curl", "-sS", "--max-time", "20", "--tls-max", "1.2"},
		"curl h1":         {"curl", "-sS", "--max-time", "20", "--http1.1"},
		"openssl":         {"openssl", "s_client", "-verify_return_error", "-connect", "example.test:443", "-servername", "example.test"},
		"openssl TLS 1.2": {"openssl", "s_client", "-tls1_2", "-verify_return_error", "-connect", "example.test:443", "-servername", "example.test"},
	} {
		t.Run(name, func(t *testing.T) {
			program, err := exec.LookPath(args[0])
			if err != nil {
				t.Skip(err)
			}
			r := faultRig(t, switchedOn())
			if args[0] == "curl" {
				args = append(args, "--proxy", "http://"+r.addr, "--cacert", r.ca.file(t), "https://example.test/")
			} else {
				args = append(args, "-proxy", r.addr, "-CAfile", r.ca.file(t))
			}
			out, err := exec.Command(program, args[1:]...).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "expired") {
				t.Errorf("%v: %s", err, out)
			}
			refusedFault(t, r.one(), "It said certificate_expired (45).", "certificate_expired (45)")
		})
	}
}

// A client that looks at nothing is told on with each request.
func TestFaultIsAccepted(t *testing.T) {
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		r := faultRig(t, switchedOn())
		u := r.origin(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Alt-Svc", `h3=":443"`)
			io.WriteString(w, "hello")
		})
		c := r.client(proto, func(tr *http.Transport) { tr.TLSClientConfig.InsecureSkipVerify = true })
		for range 2 {
			_, body := fetch(t, c, request(t, "GET", u.String(), nil))
			equal(t, "answer", body, "hello")
		}
		for _, f := range r.ending(2) {
			equal(t, "outcome", f.Outcome, flow.Completed)
			equal(t, "marks", fmt.Sprint(f.Experiments, f.Altered), fmt.Sprint([]string{"clock-skew expired"}, []string{faultWhat}))
			if len(f.Notes) != 2 || f.Notes[0] != flow.NoteAcceptedFault {
				t.Errorf("notes %q", f.Notes)
			}
		}
	})
}

// A session that was made with the good certificate does not get round the bad one, and the
// bad one makes none.
func TestFaultAndSessions(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			on := new(atomic.Bool)
			r := faultRig(t, on)
			u := r.origin(answers)
			cache := tls.NewLRUClientSessionCache(8)
			visit := func(insecure bool) (resumed bool, err error) {
				tc := tls.Client(r.tunnel(u.Host), &tls.Config{
					RootCAs: r.ca.pool(), ServerName: "127.0.0.1", ClientSessionCache: cache, MaxVersion: version, InsecureSkipVerify: insecure,
				})
				defer tc.Close()
				if err := tc.Handshake(); err != nil {
					return false, err
				}
				io.WriteString(tc, "GET / HTTP/1.1\r\nHost: "+u.Host+"\r\nConnection: close\r\n\r\n")
				_, err = io.ReadAll(tc)
				return tc.ConnectionState().DidResume, err
			}
			_, err := visit(false)
			must(t, err)
			if resumed, err := visit(false); err != nil || !resumed {
				t.Fatalf("the good session: resumed %v, %v", resumed, err)
			}
			on.Store(true)
			if resumed, err := visit(false); err == nil {
				t.Errorf("the bad certificate was not seen: resumed %v", resumed)
			}
			cache = tls.NewLRUClientSessionCache(8)
			_, err = visit(true)
			must(t, err)
			on.Store(false)
			if resumed, err := visit(true); err != nil || resumed {
				t.Errorf("a session of the bad certificate: resumed %v, %v", resumed, err)
			}
			r.ending(5)
		})
	}
}

// A certificate that cannot be made is trouble of the handshake, not an experiment that
// took place.
func TestFaultThatCannotBeMade(t *testing.T) {
	r := newRig(t, quiet, func(c *Config) {
		c.Admit = func(*flow.Flow) Decision {
			return Decision{LeafBy: []string{"x"}, LeafWhat: "showed", Leaf: func(string) (*tls.Certificate, error) { return nil, errors.New("no key") }}
		}
	})
	c := tls.Client(r.tunnel("example.test:443"), &tls.Config{InsecureSkipVerify: true})
	if c.Handshake() == nil {
		t.Error("the client was shown something")
	}
	c.Close()
	f := r.one()
	equal(t, "flow", fmt.Sprint(f.Outcome, f.Experiments, f.Altered), "handshake-failed[] []")
	if !strings.Contains(f.Error, "no key") {
		t.Errorf("error %q", f.Error)
	}
}

// What was shown no certificate of ours names no experiment.
func TestFaultNotShown(t *testing.T) {
	slow := "passed over a slow link"
	for name, tc := range map[string]struct {
		edit func(*Config)
		cfg  *tls.Config
		want flow.Outcome
	}{
		"another protocol": {cfg: &tls.Config{NextProtos: []string{"mqtt"}}, want: flow.Tunnelled},
		"passed through":   {edit: func(c *Config) { c.Admit = passing(c.Admit) }, cfg: &tls.Config{}, want: flow.PassedThrough},
		"no common ground": {cfg: &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_RC4_128_SHA}}, want: flow.HandshakeFailed}, //nolint:gosec // meant to fail
	} {
		t.Run(name, func(t *testing.T) {
			edits := []func(*Config){func(c *Config) { c.Admit = slowedBy(c.Admit, slow) }}
			if tc.edit != nil {
				edits = append(edits, tc.edit)
			}
			r := faultRig(t, switchedOn(), edits...)
			addr := r.listener(func(c net.Conn) { io.Copy(c, c) })
			p := r.tunnel(addr)
			tc.cfg.ServerName, tc.cfg.InsecureSkipVerify = "push.test", true
			p.Write(helloOf(t, tc.cfg))
			io.ReadFull(p, make([]byte, 5))
			p.Close()
			f := r.one()
			equal(t, "row", fmt.Sprint(f.Outcome, f.Experiments, f.Altered), fmt.Sprint(tc.want, []string{"slow edge"}, []string{slow}))
		})
	}
}

// slowedBy adds to decisions what is true of connections in any case.
func slowedBy(admit func(*flow.Flow) Decision, what string) func(*flow.Flow) Decision {
	return func(f *flow.Flow) Decision {
		d := admit(f)
		d.By, d.What = []string{"slow edge"}, what
		return d
	}
}

// passing forwards what has a hello unread.
func passing(admit func(*flow.Flow) Decision) func(*flow.Flow) Decision {
	return func(f *flow.Flow) Decision {
		d := admit(f)
		if f.Client.Hello != nil {
			d.Admission = PassThrough
		}
		return d
	}
}

// A client that says no word about the certificate that it was shown was shown it all the
// same; what it refused names all that was done, each thing once.
func TestFaultBesideOthers(t *testing.T) {
	slow := "passed over a slow link"
	r := faultRig(t, switchedOn(), func(c *Config) { c.Admit = slowedBy(c.Admit, slow) })
	c := tls.Client(r.tunnel("example.test:443"), &tls.Config{RootCAs: r.ca.pool(), ServerName: "example.test"})
	if c.Handshake() == nil {
		t.Error("the client took it")
	}
	c.Close()
	f := r.one()
	equal(t, "row", fmt.Sprint(f.Outcome, f.Experiments, f.Altered), fmt.Sprint(flow.Simulated, []string{"clock-skew expired", "slow edge"}, []string{slow, faultWhat}))
	equal(t, "error", f.Error, faultError+"It said "+f.Client.Hello.Alert+".")
}

// QUIC that is forwarded shows nothing of ours, nor does a handshake that finds no common
// ground.
func TestFaultNotShownOverQUIC(t *testing.T) {
	var r *rig
	admit := func(f *flow.Flow) Decision {
		if f.Client.Hello == nil {
			return Decision{}
		}
		return Decision{LeafBy: []string{"clock-skew expired"}, LeafWhat: faultWhat,
			Leaf: func(name string) (*tls.Certificate, error) { return r.ca.expired(name) }}
	}
	r = newRig(t, quicMode(QUICPass), func(c *Config) { c.Admit = admit })
	r.leadsTo(r.h3Origin(answers))
	c := r.quicClient(5000)
	resp, err := c.Get("https://h3.example.test/")
	must(t, err)
	resp.Body.Close()
	c.stop()
	r.shutdown()
	f := r.one()
	equal(t, "row", fmt.Sprint(f.Outcome, f.Experiments, f.Altered), "passed-through[] []")
}

func TestFaultOverHTTP3(t *testing.T) {
	on := new(atomic.Bool)
	var r *rig
	r = h3Rig(t, answers, func(c *Config) {
		c.Admit = func(f *flow.Flow) Decision {
			if f.Request != nil || !on.Load() {
				return Decision{}
			}
			return Decision{LeafBy: []string{"clock-skew expired"}, LeafWhat: faultWhat,
				Leaf: func(name string) (*tls.Certificate, error) { return r.ca.expired(name) }}
		}
	})
	sessions := tls.NewLRUClientSessionCache(8)
	visit := func(port uint16, edit func(*tls.Config)) error {
		c := r.quicClient(port, func(tr *http3.Transport) {
			tr.TLSClientConfig.ClientSessionCache = sessions
			edit(tr.TLSClientConfig)
		})
		defer c.stop()
		resp, err := c.Get("https://h3.example.test/")
		if err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		return err
	}
	must(t, visit(5000, func(*tls.Config) {}))
	r.ending(1)
	on.Store(true)
	if err := visit(5001, func(*tls.Config) {}); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("the client saw %v", err)
	}
	f := r.ending(2)[1]
	refusedFault(t, f, "It said "+f.Client.Hello.Alert+".", "(4")
	must(t, visit(5002, func(c *tls.Config) { c.InsecureSkipVerify = true; c.ClientSessionCache = nil }))
	f = r.ending(3)[2]
	equal(t, "accepted", fmt.Sprint(f.Outcome, f.Experiments, f.Altered, f.Notes), fmt.Sprint(flow.Completed, []string{"clock-skew expired"}, []string{faultWhat}, []string{flow.NoteAcceptedFault}))
	r.shutdown()
}
