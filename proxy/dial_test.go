package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"telltale/flow"
)

// knows is a resolver that knows these names alone.
func knows(m map[string]string) func(context.Context, string) ([]netip.Addr, error) {
	return func(ctx context.Context, host string) ([]netip.Addr, error) {
		var addrs []netip.Addr
		for s := range strings.FieldsSeq(m[host]) {
			addrs = append(addrs, netip.MustParseAddr(s))
		}
		if addrs == nil {
			return noNames(ctx, host)
		}
		return addrs, nil
	}
}

// TestNamesCannotGetRoundTheGuard: not by an answer of DNS that is local, and not
// by one that is local the second time.
func TestNamesCannotGetRoundTheGuard(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AllowLocal = false })
	var reached atomic.Int32
	u := r.origin(func(w http.ResponseWriter, r *http.Request) { reached.Add(1) })
	var asked atomic.Int32
	r.proxy.dialer.lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
		if host == "turns.test" && asked.Add(1) == 1 {
			return nil, &net.DNSError{Err: "try again", Name: host, IsTemporary: true}
		}
		return knows(map[string]string{"turns.test": "127.0.0.1", "local.test": "127.0.0.1 ::1", "nat64.test": "64:ff9b::7f00:1"})(ctx, host)
	}
	n := 0
	for _, target := range []string{"local.test", "nat64.test", "turns.test", "turns.test", "127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "localhost."} {
		want := flow.DestinationDenied
		if n == 2 || target == "localhost." {
			want = flow.UpstreamFailed // the resolver did not know it
		}
		c := r.tunnel(target + ":" + u.Port())
		c.say("GET / HTTP/1.1\r\nHost: example.test\r\n\r\n")
		resp, body := c.answer()
		c.Close()
		n++
		f := r.ending(n)[n-1]
		equal(t, target, f.Outcome, want)
		if want == flow.DestinationDenied {
			equal(t, target, fmt.Sprint(resp.StatusCode, f.Status(), f.Failure), "403 403")
			if !strings.Contains(body, "may not reach through the proxy") || f.Server.Dialed.IsValid() {
				t.Errorf("%s: %q, dialled %v", target, body, f.Server.Dialed)
			}
		}
	}
	// What is neither TLS nor HTTP passes the same guard.
	c := r.tunnel("local.test:" + u.Port())
	c.say("\x10\x0c\x00\x04MQTT")
	c.closed()
	equal(t, "tunnel", r.ending(n + 1)[n].Outcome, flow.DestinationDenied)
	equal(t, "reached", reached.Load(), 0)
}

func TestResolveRules(t *testing.T) {
	loop := netip.MustParseAddr("127.0.0.1")
	other := netip.MustParseAddr("192.0.2.1")
	d := newDialer(&Config{Resolve: []Resolve{
		{Host: "a.test", Port: "443", Addr: loop, ToPort: "8443"},
		{Host: "a.test", Port: "*", Addr: loop},
		{Host: "*", Port: "81", Addr: other},
		{Host: "2001:db8::1", Port: "1", Addr: other},
		{Host: "bad.test", Port: "*", Addr: other, ToPort: "x"},
	}}, newNetwork())
	for asked, want := range map[string]string{
		"a.test:443": "127.0.0.1:8443", "A.Test.:443": "127.0.0.1:8443", "a.test:80": "127.0.0.1:80",
		"b.test:81": "192.0.2.1:81", "b.test:80": "", "[2001:db8::1]:1": "192.0.2.1:1",
		"b.test:": `error "" is no port`, "b.test:0": `error "0" is no port`, "b.test:99999": `error "99999" is no port`, "bad.test:1": `error "x" is no port`,
	} {
		host, port := flow.SplitHostPort(asked)
		got, _, err := d.named(host, port)
		if err != nil {
			got = "error " + err.Error()
		}
		equal(t, asked, got, want)
	}
}

// TestResolveMayBeLocal: the operator said so.
func TestResolveMayBeLocal(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.AllowLocal = false
		c.Resolve = []Resolve{{Host: "retrieval.test", Port: "443", Addr: netip.MustParseAddr("127.0.0.1")}}
	})
	leaf, err := r.ca.Leaf("retrieval.test")
	must(t, err)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{*leaf}})
	must(t, err)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) })}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	_, r.proxy.cfg.Resolve[0].ToPort, _ = net.SplitHostPort(l.Addr().String())
	_, body := fetch(t, r.client(), request(t, "GET", "https://retrieval.test/x", nil))
	equal(t, "host", body, "retrieval.test")
	f := r.one()
	equal(t, "asked", f.Server.Asked, "retrieval.test:443")
	equal(t, "dialled", f.Server.Dialed.String(), l.Addr().String())
	equal(t, "certificate", f.Server.TLS.Certificate.DNSNames, []string{"retrieval.test"})
	equal(t, "no DNS", f.Times.DNS, flow.Unmeasured)
}

// TestAnAddressThatDoesNotAnswerIsPassedOver (RFC 8305).
func TestAnAddressThatDoesNotAnswerIsPassedOver(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	d := newDialer(&Config{AllowLocal: true}, newNetwork())
	d.lookup = knows(map[string]string{"two.test": "127.0.0.9 127.0.0.1", "none.test": "127.0.0.9 127.0.0.8"})
	c, out, err := d.dial(context.Background(), phone, "two.test:"+port)
	must(t, err)
	c.Close()
	equal(t, "dialled", out.Addr, "127.0.0.1:"+port)
	if out.DNS < 0 || out.Connect < 0 {
		t.Errorf("times %+v", out)
	}
	_, out, err = d.dial(context.Background(), phone, "none.test:"+port)
	_, class := failureOf(err)
	equal(t, "class", class, flow.FailureRefused)
	equal(t, "the first is named", out.Addr, "127.0.0.9:"+port)
}

func TestLocalAddressesOfANameAreLeftOut(t *testing.T) {
	d := newDialer(&Config{}, newNetwork())
	d.timeout = time.Millisecond
	d.lookup = knows(map[string]string{"mixed.test": "127.0.0.1 192.0.2.1"})
	_, out, err := d.dial(context.Background(), phone, "mixed.test:9")
	if outcome, _ := failureOf(err); outcome != flow.UpstreamFailed || out.Addr.Addr() == netip.MustParseAddr("127.0.0.1") {
		t.Errorf("dialled %v: %v", out.Addr, err)
	}
}

func TestNamesAreMappedForDNS(t *testing.T) {
	for in, want := range map[string]string{"Example.Test": "Example.Test", "b\u00fccher.test": "xn--bcher-kva.test"} {
		equal(t, in, resolvable(in), want)
	}
}

func TestInterleave(t *testing.T) {
	var got []string
	addrs, _ := knows(map[string]string{"x": "2001:db8::1 2001:db8::2 2001:db8::3 192.0.2.1"})(context.Background(), "x")
	for _, a := range interleave(addrs) {
		got = append(got, a.String())
	}
	equal(t, "order", got, []string{"2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3"})
}

func TestFailureClasses(t *testing.T) {
	op := func(errno syscall.Errno) error {
		return &dialError{"h:1", "connect to", &net.OpError{Op: "dial", Net: "tcp", Err: errno}}
	}
	for _, x := range []struct {
		err     error
		outcome flow.Outcome
		class   string
	}{
		{&dialError{"h", "resolve", &net.DNSError{Err: "no such host", Name: "h"}}, flow.UpstreamFailed, flow.FailureDNS},
		{asDNSError(context.DeadlineExceeded, "h"), flow.UpstreamFailed, flow.FailureDNS},
		{op(syscall.ECONNREFUSED), flow.UpstreamFailed, flow.FailureRefused},
		{op(wsaConnRefused), flow.UpstreamFailed, flow.FailureRefused},
		{op(syscall.ECONNRESET), flow.UpstreamFailed, flow.FailureReset},
		{op(wsaConnReset), flow.UpstreamFailed, flow.FailureReset},
		{op(syscall.EHOSTUNREACH), flow.UpstreamFailed, flow.FailureUnreachable},
		{op(syscall.ETIMEDOUT), flow.UpstreamFailed, flow.FailureTimeout},
		{context.DeadlineExceeded, flow.UpstreamFailed, flow.FailureTimeout},
		{context.Canceled, flow.Abandoned, ""},
		{&deniedError{netip.MustParseAddr("::1"), "loopback"}, flow.DestinationDenied, ""},
		{&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "h"}}, flow.UpstreamFailed, flow.FailureCertificate},
		{x509.UnknownAuthorityError{}, flow.UpstreamFailed, flow.FailureCertificate},
		{&handshakeError{host: "h", err: errors.New("tls: no")}, flow.UpstreamFailed, flow.FailureTLS},
		{&handshakeError{host: "h", err: io.EOF}, flow.UpstreamFailed, flow.FailureTLS},
		{&handshakeError{host: "h", err: context.DeadlineExceeded}, flow.UpstreamFailed, flow.FailureTimeout},
		{io.EOF, flow.UpstreamFailed, flow.FailureReset},
		{errors.New("http: server closed idle connection"), flow.UpstreamFailed, flow.FailureReset},
		{io.ErrUnexpectedEOF, flow.UpstreamFailed, flow.FailureTruncated},
		{&viaError{"p", 407}, flow.UpstreamFailed, flow.FailureRefused},
		{&viaError{"p", 504}, flow.UpstreamFailed, flow.FailureTimeout},
		{&viaError{"p", 502}, flow.UpstreamFailed, flow.FailureUnreachable},
		{errors.New("malformed HTTP response"), flow.UpstreamFailed, flow.FailureProtocol},
	} {
		outcome, class := failureOf(fmt.Errorf("wrapped: %w", x.err))
		equal(t, x.err.Error(), fmt.Sprint(outcome, " ", class), fmt.Sprint(x.outcome, " ", x.class))
	}
	for err, want := range map[error]string{
		errors.New("stream error: INTERNAL_ERROR"): flow.FailureTruncated, io.EOF: flow.FailureTruncated,
		io.ErrUnexpectedEOF: flow.FailureTruncated, syscall.ECONNRESET: flow.FailureReset, context.DeadlineExceeded: flow.FailureTimeout,
	} {
		_, class := bodyFailure(err)
		equal(t, err.Error(), class, want)
	}
}

func TestErrorsAreFitForAHeader(t *testing.T) {
	got := oneLine("a\r\nSet-Cookie: x\x00é" + strings.Repeat("y", 600))
	if len(got) != 500 || strings.ContainsAny(got, "\r\n\x00") || !strings.HasPrefix(got, "a??Set-Cookie: x??y") {
		t.Errorf("%q", got)
	}
}
