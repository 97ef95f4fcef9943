package proxy

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/flow"
)

// Connections without a request are one flow each.
func TestConnectionsWithoutRequest(t *testing.T) {
	for _, tc := range []struct {
		name    string
		run     func(*rig)
		outcome flow.Outcome
		words   string
	}{
		{"nothing", func(r *rig) { r.dial().Close() }, flow.Abandoned, "sent nothing"},
		{"half a request line", func(r *rig) { c := r.dial(); c.say("GET /x"); c.Close() }, flow.Abandoned, "6 bytes into its first request"},
		{"half a CONNECT", func(r *rig) { c := r.dial(); c.say("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n"); c.Close() }, flow.Abandoned, "bytes into its first request"},
		{"garbage", func(r *rig) {
			c := r.dial()
			c.say("\x00\x01\x02\xff\xfe\r\n\r\n")
			if s := c.status(); s != 400 {
				r.t.Errorf("answered %d", s)
			}
			c.closed()
		}, flow.Malformed, "refused: "},
		{"SOCKS", func(r *rig) { c := r.dial(); c.say("\x05\x01\x00"); equal(r.t, "status", c.status(), 400) }, flow.Malformed, "SOCKS was spoken"},
		{"garbage without a line", func(r *rig) { c := r.dial(); c.say("\xff\xfe\x00"); equal(r.t, "status", c.status(), 400) }, flow.Malformed, "neither HTTP nor TLS"},
		{"TLS to the proxy's port", func(r *rig) {
			tc := tls.Client(r.dial(), &tls.Config{ServerName: "proxy.test"})
			if err := tc.Handshake(); err == nil || !strings.Contains(err.Error(), "unexpected message") {
				r.t.Errorf("handshake: %v", err)
			}
		}, flow.Malformed, "TLS was spoken to the proxy's own port"},
		{"a tunnel for nothing", func(r *rig) { r.tunnel("example.test:443").Close() }, flow.Abandoned, "sent nothing through it"},
		{"half a request in a tunnel", func(r *rig) { c := r.tunnel("example.test:80"); c.say("GET / HTTP/1.1\r\nHo"); c.Close() }, flow.Abandoned, "18 bytes into its first request"},
		{"half a ClientHello", func(r *rig) {
			c := r.tunnel("example.test:443")
			c.Conn.Write(helloOf(r.t, &tls.Config{ServerName: "half.test"})[:100])
			c.Close()
		}, flow.HandshakeFailed, "went away 100 bytes into its ClientHello"},
		{"garbage for a ClientHello", func(r *rig) {
			c := r.tunnel("example.test:443")
			c.say("\x16\x03\x01\x00\x05hello")
			c.alert(noAlert)
		}, flow.HandshakeFailed, "the TLS handshake failed"},
		{"a record of 64 KiB", func(r *rig) {
			c := r.tunnel("example.test:443")
			go c.Conn.Write(append([]byte{22, 3, 1, 0xff, 0xff}, make([]byte, 1<<20)...)) //nolint:errcheck // it is cut off
			io.Copy(io.Discard, c.br)
		}, flow.HandshakeFailed, "the TLS handshake failed"},
		{"an authority that signs nothing", func(r *rig) {
			c := r.tunnel("example.test:443")
			if err := tls.Client(c, &tls.Config{ServerName: "refuse.test"}).Handshake(); err == nil {
				r.t.Error("handshake succeeded")
			}
		}, flow.HandshakeFailed, `no leaf for "refuse.test"`},
		{"an unknown CA", func(r *rig) {
			r.refuses(&tls.Config{ServerName: "pinned.test"})
		}, flow.ClientRefused, "bad_certificate (42)"},
		{"an unknown CA under TLS 1.2", func(r *rig) {
			r.refuses(&tls.Config{ServerName: "pinned.test", MaxVersion: tls.VersionTLS12})
		}, flow.ClientRefused, "bad_certificate (42)"},
		{"a pin", func(r *rig) {
			r.refuses(&tls.Config{ServerName: "pinned.test", RootCAs: r.ca.pool(), VerifyConnection: func(tls.ConnectionState) error { return errors.New("pin") }})
		}, flow.ClientRefused, "It may pin its certificates"},
		{"a close at the certificate", func(r *rig) {
			c := r.tunnel("example.test:443")
			r.refusesOn(c, &tls.Config{ServerName: "pinned.test", RootCAs: r.ca.pool(), VerifyConnection: func(tls.ConnectionState) error { c.Close(); return errors.New("pin") }})
		}, flow.ClientRefused, "closed the connection when it saw our certificate"},
		{"no common version", func(r *rig) {
			c := r.tunnel("example.test:443")
			c.Conn.Write(helloOfSSL3())
			c.alert(70) // protocol_version
		}, flow.HandshakeFailed, "the TLS handshake failed"},
		{"silence after TLS", func(r *rig) {
			c := r.handshake(r.tunnel("example.test:443"), func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })
			c.Close()
		}, flow.ClientSilent, "closed the connection without a request"},
		{"silence after TLS without ALPN", func(r *rig) { r.handshake(r.tunnel("example.test:443")).Close() }, flow.ClientSilent, "closed the connection without a request"},
		{"silence after HTTP/2", func(r *rig) {
			c := r.handshake(r.tunnel("example.test:443"), func(c *tls.Config) { c.NextProtos = []string{"h2"} })
			c.say(http2Preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00")
			c.br.Peek(9) // the server's settings
			c.Close()
		}, flow.ClientSilent, "closed the connection without a request"},
		{"HTTP/2 that breaks its framing", func(r *rig) {
			c := r.handshake(r.tunnel("example.test:443"), func(c *tls.Config) { c.NextProtos = []string{"h2"} })
			c.say(http2Preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x01\x00\x00\x00\x00\x00\x00x") // DATA of no stream
			io.Copy(io.Discard, c.br)
		}, flow.Malformed, "broke the rules of HTTP/2 on connections"},
		{"HTTP/2 without its preface", func(r *rig) {
			c := r.handshake(r.tunnel("example.test:443"), func(c *tls.Config) { c.NextProtos = []string{"h2"} })
			c.say("GET / HTTP/1.1\r\nHost: example.test\r\n\r\n")
			io.Copy(io.Discard, c.br)
		}, flow.Malformed, "broke the rules of HTTP/2 on connections"},
		{"an alert after TLS", func(r *rig) {
			c := r.tunnel("example.test:443")
			tc := tls.Client(c, &tls.Config{RootCAs: r.ca.pool(), ServerName: "example.test", NextProtos: []string{"http/1.1"}, MaxVersion: tls.VersionTLS12})
			must(r.t, tc.Handshake())
			c.Conn.Write(alertRecord(46)) // does not decrypt: a reset in other words
			tc.Close()
		}, flow.ClientSilent, "closed the connection without a request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			tc.run(r)
			f := r.one()
			if f.Kind != flow.Tunnel || f.Outcome != tc.outcome || !strings.Contains(f.Error, tc.words) {
				t.Errorf("recorded %s %s %q", f.Kind, f.Outcome, f.Error)
			}
			if !f.Client.Addr.IsValid() || f.Times.End.Before(f.Times.Start) {
				t.Errorf("client %v, times %v", f.Client.Addr, f.Times)
			}
		})
	}
}

// alert reads a plain alert and fails the test if it is not the one wanted, noAlert
// being any.
func (c *peer) alert(want alert) {
	c.t.Helper()
	b := make([]byte, 7)
	if _, err := io.ReadFull(c.br, b); err != nil || b[0] != recordAlert || want != noAlert && alert(b[6]) != want {
		c.t.Errorf("read % x, %v; want alert %v", b, err, want)
	}
}

// refuses opens a tunnel and expects the client's own handshake to fail.
func (r *rig) refuses(cfg *tls.Config) { r.refusesOn(r.tunnel("example.test:443"), cfg) }

func (r *rig) refusesOn(c *peer, cfg *tls.Config) {
	r.t.Helper()
	tc := tls.Client(c, cfg)
	if err := tc.Handshake(); err == nil {
		r.t.Error("handshake succeeded")
	}
	c.Close()
}

// A refusal names the host by all that is known, and the app by its CONNECT.
func TestRefusalKeepsFacts(t *testing.T) {
	r := newRig(t)
	r.refuses(&tls.Config{ServerName: "pinned.test", NextProtos: []string{"h2"}})
	f := r.one()
	if f.Server.Asked != "example.test:443" || f.Server.SNI != "pinned.test" || f.UserAgent() != "TestApp/1.0" || f.Method() != "CONNECT" {
		t.Errorf("server %+v, user agent %q", f.Server, f.UserAgent())
	}
	if h := f.Client.Hello; h == nil || h.Alert != "bad_certificate (42)" || !strings.HasPrefix(h.JA4, "t13d") || h.ALPN[0] != "h2" {
		t.Errorf("hello %+v", h)
	}
	if f.URL() != "https://example.test" || !f.IsContact() || f.Readable() {
		t.Errorf("URL %s", f.URL())
	}
}

// OpenSSL says in plain text under TLS 1.3 what it does not like.
func TestOpenSSLRefuses(t *testing.T) {
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl on this machine")
	}
	for _, version := range []string{"-tls1_3", "-tls1_2"} {
		t.Run(version, func(t *testing.T) {
			r := newRig(t)
			out, err := exec.Command(path, "s_client", "-proxy", r.addr, "-connect", "example.test:443", "-servername", "example.test",
				version, "-verify_return_error").CombinedOutput()
			if err == nil {
				t.Errorf("openssl was content: %s", out)
			}
			f := r.one()
			if f.Outcome != flow.ClientRefused || f.Client.Hello.Alert != "unknown_ca (48)" || !strings.Contains(f.Error, "does not know the authority") {
				t.Errorf("recorded %s %+v %q", f.Outcome, f.Client.Hello, f.Error)
			}
		})
	}
}

// The sniffer finds an alert in plain text wherever the records are cut, and none
// where there is none.
func TestRecordSniffer(t *testing.T) {
	hello := helloInRecords(t, 100)
	ccs := []byte{20, 3, 3, 0, 1, 1}
	for _, tc := range []struct {
		name string
		b    []byte
		want alert
	}{
		{"nothing", nil, noAlert},
		{"a hello", hello, noAlert},
		{"an alert", alertRecord(48), 48},
		{"an alert behind others", slices.Concat(hello, ccs, alertRecord(46)), 46},
		{"content that looks like one", slices.Concat([]byte{23, 3, 3, 0, 7}, alertRecord(48)), noAlert},
		{"an encrypted alert", []byte{21, 3, 3, 0, 19, 2, 48, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, noAlert},
		{"half an alert", alertRecord(48)[:6], noAlert},
		{"an empty record first", slices.Concat([]byte{22, 3, 3, 0, 0}, alertRecord(42)), 42},
	} {
		for size := 1; size <= len(tc.b)+1; size++ {
			s := recordSniffer{alert: noAlert}
			for part := range slices.Chunk(tc.b, size) {
				s.feed(part)
			}
			if s.alert != tc.want {
				t.Errorf("%s, cut by %d: %v, want %v", tc.name, size, s.alert, tc.want)
			}
		}
	}
}

// Every alert of the registry has a verdict that names it, and only those about
// certificates are refusals of ours.
func TestJudgeAlert(t *testing.T) {
	refusals := []alert{41, 42, 43, 44, 45, 46, 48, 49, 111, 113, 114}
	for a := range alertNames {
		want := flow.HandshakeFailed
		if slices.Contains(refusals, a) {
			want = flow.ClientRefused
		}
		outcome, words := judgeAlert(a, false)
		if outcome != want || !strings.Contains(words, a.String()) {
			t.Errorf("%v: %s %q, want %s", a, outcome, words, want)
		}
		if outcome == flow.ClientRefused && !strings.Contains(words, "an untrusted CA looks the same") {
			t.Errorf("%v: %q claims more than is known", a, words)
		}
	}
	for _, a := range []alert{alertCloseNotify, alertUserCanceled} {
		if outcome, _ := judgeAlert(a, true); outcome != flow.ClientRefused {
			t.Errorf("%v at the sight of our certificate: %s", a, outcome)
		}
	}
	if got := alert(200).String(); got != "unknown (200)" {
		t.Errorf("an unknown alert is %q", got)
	}
	if got := noAlert.String(); got != "" {
		t.Errorf("no alert is %q", got)
	}
}

// An alert that comes when the handshake is over, as under TLS 1.3 the verdict on
// our certificate may, is the last word of a connection without a request.
func TestAlertAfterHandshake(t *testing.T) {
	c := &connection{account: &account{}, client: flow.Client{Hello: &flow.ClientHello{ServerName: "late.test"}}}
	a := c.account
	a.expect(c, flow.ClientSilent, silentReason)
	a.lastWords(c, &net.OpError{Op: "remote error", Err: tls.AlertError(46)}, 0)
	if outcome, why := a.verdict(time.Now()); outcome != flow.ClientRefused || !strings.Contains(why, "certificate_unknown (46)") {
		t.Errorf("%s %q", outcome, why)
	}
	if got := a.last.client.Hello; got.Alert != "certificate_unknown (46)" || got.ServerName != "late.test" || c.client.Hello.Alert != "" {
		t.Errorf("hello %+v, before %+v", got, c.client.Hello)
	}
	// Behind a request it is no longer one.
	a.expect(c, flow.ClientSilent, silentReason)
	a.flows.Store(1)
	a.lastWords(c, &net.OpError{Op: "remote error", Err: tls.AlertError(46)}, 0)
	if outcome, _ := a.verdict(time.Now()); outcome != flow.ClientSilent {
		t.Errorf("behind a request: %s", outcome)
	}
}

// helloOf returns what crypto/tls sends first.
func helloOf(tb testing.TB, cfg *tls.Config) []byte {
	tb.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go func() {
		tls.Client(client, cfg).Handshake() //nolint:errcheck // it is cut off
		client.Close()
	}()
	header := make([]byte, 5)
	_, err := io.ReadFull(server, header)
	must(tb, err)
	body := make([]byte, binary.BigEndian.Uint16(header[3:]))
	_, err = io.ReadFull(server, body)
	must(tb, err)
	return append(header, body...)
}

// helloInRecords is the same cut into records of at most size bytes.
func helloInRecords(tb testing.TB, size int) (b []byte) {
	whole := helloOf(tb, &tls.Config{ServerName: "example.test"})
	for part := range slices.Chunk(whole[5:], size) {
		b = append(append(b, recordHandshake, 3, 1, byte(len(part)>>8), byte(len(part))), part...)
	}
	return b
}

// helloOfSSL3 is a ClientHello of a version that nobody speaks any more, with one
// cipher suite.
func helloOfSSL3() []byte {
	msg := append([]byte{3, 0}, make([]byte, 32+1)...) // random, no session
	msg = append(msg, 0, 2, 0, 5, 1, 0)
	return append([]byte{recordHandshake, 3, 0, 0, byte(4 + len(msg)), 1, 0, 0, byte(len(msg))}, msg...)
}
