package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"telltale/flow"
)

// A request of every kind that devices make gets through, and is one flow.
func TestRequestsGetThrough(t *testing.T) {
	for _, tc := range []struct {
		name   string
		secure bool
		http2  bool
		proto  string
	}{
		{"clear", false, false, "HTTP/1.1"},
		{"TLS", true, false, "HTTP/1.1"},
		{"HTTP/2", true, true, "HTTP/2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			answer := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello "+r.URL.Path) }
			u := r.plainOrigin(answer)
			if tc.secure {
				u = r.origin(answer)
			}
			c := r.client(func(tr *http.Transport) { tr.ForceAttemptHTTP2 = tc.http2 })
			for range 3 {
				resp, err := c.Get(u.String() + "/a")
				must(t, err)
				b, err := io.ReadAll(resp.Body)
				must(t, err)
				resp.Body.Close()
				if string(b) != "hello /a" {
					t.Errorf("got %q", b)
				}
			}
			for _, f := range r.ending(3) {
				if f.Outcome != flow.Completed || f.Request.Proto != tc.proto || f.Request.URL != u.String()+"/a" || f.Server.Asked != u.Host {
					t.Errorf("flow %+v of %+v", f, f.Request)
				}
				if tc.secure && (f.Client.TLS != tls.VersionTLS13 || f.Client.Hello == nil || !strings.HasPrefix(f.Client.Hello.JA4, "t13i")) {
					t.Errorf("client %+v %+v", f.Client, f.Client.Hello)
				}
			}
		})
	}
}

// untouched is a server that no byte of a refused message may reach.
func (r *rig) untouched() string {
	return r.listener(func(c net.Conn) { r.t.Error("a refused message reached the server") })
}

// handshake speaks TLS over a tunnel.
func (r *rig) handshake(c *peer, edit ...func(*tls.Config)) *peer {
	r.t.Helper()
	cfg := &tls.Config{RootCAs: r.ca.pool(), ServerName: "example.test"}
	for _, f := range edit {
		f(cfg)
	}
	tc := tls.Client(c, cfg)
	must(r.t, tc.Handshake())
	return &peer{Conn: tc, t: r.t, br: bufio.NewReader(tc)}
}

// Every ambiguous message is answered with its status, on every way in, ends the
// connection, is recorded with its reason, and reaches no server.
func TestAmbiguousMessages(t *testing.T) {
	ways := []struct {
		name string
		open func(*rig) *peer
	}{
		{"to the proxy", func(r *rig) *peer { return r.dial() }},
		{"in a tunnel", func(r *rig) *peer { return r.tunnel(r.untouched()) }},
		{"under TLS", func(r *rig) *peer {
			return r.handshake(r.tunnel(r.untouched()), func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })
		}},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			for _, tc := range ambiguous {
				t.Run(tc.name, func(t *testing.T) {
					if way.name == "in a tunnel" && sniff([]byte(tc.head)) != http1Proto {
						t.Skip("is no HTTP to a tunnel, and forwarded unread")
					}
					r := newRig(t)
					c := way.open(r)
					var sending sync.WaitGroup
					sending.Go(func() { io.WriteString(c.Conn, tc.head) })
					resp, body := c.answer()
					sending.Wait()
					if resp.StatusCode != tc.want.status || !strings.Contains(body, tc.want.reason) {
						t.Errorf("answered %d %q, want %d %q", resp.StatusCode, body, tc.want.status, tc.want.reason)
					}
					c.closed()
					f := r.one()
					if f.Outcome != flow.Malformed || f.Error != "refused: "+tc.want.reason || f.Status() != tc.want.status {
						t.Errorf("recorded %s %q %d", f.Outcome, f.Error, f.Status())
					}
				})
			}
		})
	}
}

// A refusal does not overtake the answer to the request before it, even if both
// came in one segment.
func TestPipelinedRefusal(t *testing.T) {
	r := newRig(t)
	release := make(chan struct{})
	u := r.origin(func(w http.ResponseWriter, r *http.Request) { <-release; io.WriteString(w, r.URL.Path) })
	c := r.handshake(r.tunnel(u.Host), func(c *tls.Config) { c.ServerName = "127.0.0.1" })
	c.say("GET /1 HTTP/1.1\r\nHost: h\r\nX-Spelt-lIKE: this\r\n\r\nGET /2 HTTP/1.1\r\nhost: h\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
	close(release)
	for _, want := range []string{"/1", "/2"} {
		if resp, body := c.answer(); resp.StatusCode != 200 || body != want {
			t.Errorf("%d %q, want %q", resp.StatusCode, body, want)
		}
	}
	if resp, _ := c.answer(); resp.StatusCode != 400 {
		t.Errorf("%d, want 400", resp.StatusCode)
	}
	c.closed()
	flows := r.ending(3)
	if h := flows[0].Request.Header; len(h) != 2 || h[1].Name != "X-Spelt-lIKE" {
		t.Errorf("header of the first: %v", h)
	}
	if h := flows[1].Request.Header; len(h) != 1 || h[0].Name != "host" {
		t.Errorf("header of the second: %v", h)
	}
	if flows[2].Outcome != flow.Malformed || flows[2].Request.URL != "https://a/3" {
		t.Errorf("the third: %s %+v", flows[2].Outcome, flows[2].Request)
	}
}

// Broken framing in content ends the request as malformed.
func TestBrokenContent(t *testing.T) {
	r := newRig(t)
	u := r.origin(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	c := r.handshake(r.tunnel(u.Host), func(c *tls.Config) { c.ServerName = "127.0.0.1" })
	c.say("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5 \r\nhello\r\n0\r\n\r\n")
	if status := c.status(); status != 400 {
		t.Errorf("answered %d", status)
	}
	c.closed()
	if f := r.one(); f.Outcome != flow.Malformed || !strings.Contains(f.Error, errChunk.reason) {
		t.Errorf("recorded %s %q", f.Outcome, f.Error)
	}
}

// A CONNECT inside a tunnel would open a way past the proxy.
func TestNestedConnect(t *testing.T) {
	t.Run("HTTP/1.1", func(t *testing.T) {
		r := newRig(t)
		c := r.handshake(r.tunnel(r.untouched()))
		c.say("CONNECT inner.test:443 HTTP/1.1\r\nHost: inner.test:443\r\n\r\n")
		if status := c.status(); status != 400 {
			t.Errorf("answered %d", status)
		}
		if f := r.one(); f.Outcome != flow.Malformed || !strings.Contains(f.Error, errNested.reason) || f.Host() != "127.0.0.1" {
			t.Errorf("recorded %s %q %s", f.Outcome, f.Error, f.Host())
		}
	})
	t.Run("HTTP/2", func(t *testing.T) {
		r := newRig(t)
		target := r.untouched()
		c := r.client()
		req, err := http.NewRequest(http.MethodConnect, "https://"+target, nil)
		must(t, err)
		req.Host = "inner.test:443"
		resp, err := c.Do(req)
		must(t, err)
		resp.Body.Close()
		if f := r.one(); resp.StatusCode != 400 || f.Outcome != flow.Malformed || !strings.Contains(f.Error, errNested.reason) {
			t.Errorf("answered %d, recorded %s %q", resp.StatusCode, f.Outcome, f.Error)
		}
	})
}

// What HTTP/2 leaves to the application to refuse.
func TestHTTP2Refusals(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*http.Request)
		want *malformed
	}{
		{"a head of a megabyte", func(r *http.Request) { r.Header.Set("X-Big", strings.Repeat("x", 1<<20)) }, errLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			req, err := http.NewRequest("GET", "https://"+r.untouched(), nil)
			must(t, err)
			tc.edit(req)
			resp, err := r.client().Do(req)
			must(t, err)
			resp.Body.Close()
			if f := r.one(); resp.StatusCode != tc.want.status || resp.ProtoMajor != 2 || f.Outcome != flow.Malformed || f.Error != "refused: "+tc.want.reason {
				t.Errorf("answered %s %d, recorded %s %q", resp.Proto, resp.StatusCode, f.Outcome, f.Error)
			}
		})
	}
}

// A CONNECT to nowhere is answered, and recorded under the name that was asked for.
func TestBadConnect(t *testing.T) {
	for _, tc := range []struct {
		target string
		want   *malformed
	}{
		{"example.test", errTargetPort},
		{"example.test:0", errTargetPort},
		{"example.test:70000", errTargetPort},
		{":443", errTargetEmpty},
		{"/path", errTargetPort},
		{"[::1:443", errTargetHost},
		{"a..b:443", errTargetHost},
		{strings.Repeat("a", 300) + ":443", errTargetLong},
	} {
		t.Run(tc.target, func(t *testing.T) {
			r := newRig(t)
			c := r.dial()
			c.say("CONNECT %s HTTP/1.1\r\nHost: h\r\n\r\n", tc.target)
			if status := c.status(); status != 400 {
				t.Errorf("answered %d", status)
			}
			c.closed()
			f := r.one()
			if f.Kind != flow.Tunnel || f.Outcome != flow.Malformed || f.Error != "refused: "+tc.want.reason || f.Server.Asked != tc.target {
				t.Errorf("recorded %s %s %q %q", f.Kind, f.Outcome, f.Error, f.Server.Asked)
			}
		})
	}
}

// Bytes that come in one segment with the CONNECT belong to the tunnel.
func TestEarlyClientHello(t *testing.T) {
	r := newRig(t)
	u := r.origin(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
	c := r.dial()
	early := &earlyConn{peer: c, first: []byte("CONNECT " + u.Host + " HTTP/1.1\r\nHost: h\r\n\r\n")}
	tc := tls.Client(early, &tls.Config{RootCAs: r.ca.pool(), ServerName: "127.0.0.1"})
	must(t, tc.Handshake())
	p := &peer{Conn: tc, t: t, br: bufio.NewReader(tc)}
	p.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if resp, body := p.answer(); resp.StatusCode != 200 || body != "ok" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	r.one()
}

// earlyConn sends first in front of the first write, and reads the answer to it
// before anything else.
type earlyConn struct {
	*peer
	first []byte
	read  bool
}

func (c *earlyConn) Write(b []byte) (int, error) {
	if c.first == nil {
		return c.Conn.Write(b)
	}
	first := c.first
	c.first = nil
	_, err := c.Conn.Write(append(first, b...))
	return len(b), err
}

func (c *earlyConn) Read(b []byte) (int, error) {
	if !c.read {
		c.read = true
		if status := c.status(); status != 200 {
			return 0, fmt.Errorf("CONNECT: %d", status)
		}
	}
	return c.br.Read(b)
}

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
		{"SOCKS", func(r *rig) { c := r.dial(); c.say("\x05\x01\x00"); c.CloseWrite(); c.closed() }, flow.Abandoned, "3 bytes"},
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
			c.Conn.Write(records(helloBuilder{version: 0x0300, ciphers: []uint16{5}, noExt: true}.message(), 1<<14))
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

func (c *peer) CloseWrite() { closeWrite(c.Conn) }

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

func TestCurl(t *testing.T) {
	path, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("no curl on this machine")
	}
	for _, tc := range []struct {
		name    string
		args    []string
		outcome flow.Outcome
		proto   string
		alert   string
	}{
		{"HTTP/1.1", []string{"--http1.1"}, flow.Completed, "HTTP/1.1", ""},
		{"HTTP/2", []string{"--http2"}, flow.Completed, "HTTP/2", ""},
		{"an unknown CA", []string{"--cacert", newTestAuthority(t).file(t)}, flow.ClientRefused, "", "unknown_ca (48)"},
		{"a pin", []string{"--pinnedpubkey", "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}, flow.ClientSilent, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			u := r.origin(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
			args := append([]string{"-sS", "-x", "http://" + r.addr, "--cacert", r.ca.file(t), "-H", "x-Order: 1", "-H", "A-order: 2", u.String()}, tc.args...)
			out, err := exec.Command(path, args...).CombinedOutput()
			if (err == nil) != (tc.outcome == flow.Completed) {
				t.Errorf("curl: %v: %s", err, out)
			}
			f := r.one()
			if f.Outcome != tc.outcome || f.Client.Hello == nil || f.Client.Hello.Alert != tc.alert {
				t.Fatalf("recorded %s %q, hello %+v", f.Outcome, f.Error, f.Client.Hello)
			}
			if tc.proto != "" && f.Request.Proto != tc.proto {
				t.Errorf("protocol %s", f.Request.Proto)
			}
			if tc.proto == "HTTP/1.1" {
				var names []string
				for _, h := range f.Request.Header {
					names = append(names, h.Name)
				}
				if got := strings.Join(names, " "); got != "Host User-Agent Accept x-Order A-order" {
					t.Errorf("header lines %s", got)
				}
			}
		})
	}
}

// What is neither TLS nor HTTP is forwarded both ways, counted, and half-closed
// as it was.
func TestOpaqueTunnel(t *testing.T) {
	echo := func(c net.Conn) {
		b, _ := io.ReadAll(c) // until the half-close
		c.Write(append([]byte("got "), b...))
	}
	greet := func(c net.Conn) {
		io.WriteString(c, "220 hello\r\n")
		io.Copy(c, c)
	}
	for _, tc := range []struct {
		name           string
		serve          func(net.Conn)
		greeting, send string
		want           string
		words          string
	}{
		{"the client first", echo, "", "\x10\x0cMQTT", "got \x10\x0cMQTT", "neither TLS nor HTTP"},
		{"lines", echo, "", "NICK me\r\n", "got NICK me\r\n", "neither TLS nor HTTP"},
		{"a beginning and a pause", echo, "", "\x16", "got \x16", "neither TLS nor HTTP"},
		{"the server first", greet, "220 hello\r\n", "EHLO\r\n", "EHLO\r\n", "the server spoke first"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			addr := r.listener(tc.serve)
			c := r.tunnel(addr)
			if tc.greeting != "" {
				b := make([]byte, len(tc.greeting))
				if _, err := io.ReadFull(c.br, b); err != nil || string(b) != tc.greeting {
					t.Fatalf("%q, %v", b, err)
				}
			}
			c.say("%s", tc.send)
			c.CloseWrite()
			b, err := io.ReadAll(c.br)
			if string(b) != tc.want || err != nil {
				t.Errorf("read %q, %v; want %q", b, err, tc.want)
			}
			f := r.one()
			if f.Outcome != flow.Tunnelled || !strings.Contains(f.Error, tc.words) || f.Sent != int64(len(tc.send)) || f.Received != int64(len(tc.greeting)+len(tc.want)) {
				t.Errorf("recorded %s %q, %d up, %d down", f.Outcome, f.Error, f.Sent, f.Received)
			}
			if f.Server.Dialed.String() != addr || f.Server.Asked != addr {
				t.Errorf("server %+v", f.Server)
			}
		})
	}
}

// A client that hesitates is not taken for one whose server speaks first.
func TestHesitantClient(t *testing.T) {
	r := newRig(t)
	dialled := make(chan struct{}, 8)
	leaf, err := r.ca.Leaf("127.0.0.1")
	must(t, err)
	addr := r.listener(func(c net.Conn) {
		dialled <- struct{}{}
		tc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*leaf}})
		if _, err := http.ReadRequest(bufio.NewReader(tc)); err == nil {
			io.WriteString(tc, "HTTP/1.1 204 No Content\r\n\r\n")
		}
	})
	c := r.tunnel(addr)
	<-dialled // the proxy gave up waiting for us to speak
	tc := r.handshake(c, func(c *tls.Config) { c.ServerName = "127.0.0.1" })
	tc.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if status := tc.status(); status != 204 {
		t.Errorf("answered %d", status)
	}
	if f := r.one(); f.Outcome != flow.Completed || f.Kind != flow.HTTP {
		t.Errorf("recorded %s %s", f.Kind, f.Outcome)
	}
}

// A tunnel whose server is down is a failed contact.
func TestTunnelToNowhere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := l.Addr().String()
	l.Close()
	for name, speak := range map[string]string{"the client first": "\x00\x01", "nobody": ""} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			c := r.tunnel(addr)
			c.say("%s", speak)
			c.closed()
			if f := r.one(); f.Kind != flow.Tunnel || f.Outcome != flow.UpstreamFailed || f.Failure != flow.FailureRefused {
				t.Errorf("recorded %s %s %s %q", f.Kind, f.Outcome, f.Failure, f.Error)
			}
		})
	}
}

// verdicts makes an Admit of one verdict for each host, by what is known of it.
func verdicts(asked, sni map[string]Admission) func(*Config) {
	return func(c *Config) {
		c.Admit = func(f *flow.Flow) (Admission, string) {
			if a, ok := sni[f.Server.SNI]; ok {
				return a, "by SNI"
			}
			host, _ := flow.SplitHostPort(f.Server.Asked)
			return asked[host], "by host"
		}
	}
}

// Both moments of admission, and both answers other than to look inside.
func TestAdmission(t *testing.T) {
	for _, tc := range []struct {
		name    string
		asked   map[string]Admission
		sni     map[string]Admission
		outcome flow.Outcome
		words   string
	}{
		{"passed through by host", map[string]Admission{"127.0.0.1": PassThrough}, nil, flow.PassedThrough, "by host"},
		{"passed through by SNI", nil, map[string]Admission{"secret.test": PassThrough}, flow.PassedThrough, "by SNI"},
		{"blocked by host", map[string]Admission{"127.0.0.1": Block}, nil, flow.Blocked, "by host"},
		{"blocked by SNI", nil, map[string]Admission{"secret.test": Block}, flow.Blocked, "by SNI"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, verdicts(tc.asked, tc.sni))
			// The server's certificate is by an authority that only this client knows:
			// the handshake succeeds only with the server itself.
			own := newTestAuthority(t)
			leaf, err := own.Leaf("secret.test")
			must(t, err)
			addr := r.listener(func(c net.Conn) {
				if tc.outcome == flow.Blocked {
					t.Error("a blocked connection reached the server")
					return
				}
				io.Copy(struct{ io.Writer }{tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*leaf}})}, strings.NewReader("from the server"))
			})
			c := r.dial()
			c.say("CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", addr, addr)
			if tc.outcome == flow.Blocked && tc.asked != nil {
				if resp, body := c.answer(); resp.StatusCode != 403 || !strings.Contains(body, "by host") {
					t.Errorf("answered %d %q", resp.StatusCode, body)
				}
			} else {
				if status := c.status(); status != 200 {
					t.Fatalf("answered %d", status)
				}
				tc2 := tls.Client(c, &tls.Config{ServerName: "secret.test", RootCAs: own.pool(), NextProtos: nil})
				b := make([]byte, len("from the server"))
				_, err := io.ReadFull(tc2, b)
				if passed := tc.outcome == flow.PassedThrough; passed != (err == nil) {
					t.Errorf("read %q, %v", b, err)
				}
				if tc.outcome == flow.Blocked && !strings.Contains(fmt.Sprint(err), "access denied") {
					t.Errorf("client saw %v", err)
				}
				c.Close()
			}
			f := r.one()
			if f.Kind != flow.Tunnel || f.Outcome != tc.outcome || !strings.Contains(f.Error, tc.words) {
				t.Errorf("recorded %s %s %q", f.Kind, f.Outcome, f.Error)
			}
			if tc.outcome == flow.PassedThrough {
				if f.Server.SNI != "secret.test" || f.Client.Hello == nil || !strings.HasPrefix(f.Client.Hello.JA4, "t13d") || f.Sent < 200 || f.Received < 200 {
					t.Errorf("recorded SNI %q, hello %+v, %d up, %d down", f.Server.SNI, f.Client.Hello, f.Sent, f.Received)
				}
			}
		})
	}
}

// A proxy that looks at nothing says so when the server is down.
func TestPassThroughToNowhere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := l.Addr().String()
	l.Close()
	r := newRig(t, verdicts(map[string]Admission{"127.0.0.1": PassThrough}, nil))
	c := r.dial()
	c.say("CONNECT %s HTTP/1.1\r\nHost: h\r\n\r\n", addr)
	if status := c.status(); status != 502 {
		t.Errorf("answered %d", status)
	}
	if f := r.one(); f.Outcome != flow.UpstreamFailed || f.Failure != flow.FailureRefused {
		t.Errorf("recorded %s %s", f.Outcome, f.Failure)
	}
}

// TLS for a protocol that is not HTTP is not opened: nothing could read it.
func TestOtherALPN(t *testing.T) {
	r := newRig(t)
	own := newTestAuthority(t)
	leaf, err := own.Leaf("mqtt.test")
	must(t, err)
	addr := r.listener(func(c net.Conn) {
		tc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*leaf}, NextProtos: []string{"mqtt"}})
		io.Copy(tc, tc)
	})
	tc := tls.Client(r.tunnel(addr), &tls.Config{ServerName: "mqtt.test", RootCAs: own.pool(), NextProtos: []string{"mqtt"}})
	must(t, tc.Handshake())
	tc.Close()
	if f := r.one(); f.Outcome != flow.Tunnelled || !strings.Contains(f.Error, `"mqtt"`) || f.Server.SNI != "mqtt.test" {
		t.Errorf("recorded %s %q", f.Outcome, f.Error)
	}
}

// HTTP/2 without TLS, by prior knowledge.
func TestHTTP2InClear(t *testing.T) {
	r := newRig(t)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }), Protocols: &protocols}
	protocols.SetHTTP1(true)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go s.Serve(l) //nolint:errcheck // ends with Close
	defer s.Close()
	addr := l.Addr().String()
	var only http.Protocols
	only.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: &only, DialContext: func(context.Context, string, string) (net.Conn, error) { return r.tunnel(addr), nil }}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get("http://" + addr + "/x")
	must(t, err)
	resp.Body.Close()
	if f := r.one(); resp.ProtoMajor != 2 || f.Request.Proto != "HTTP/2" || f.Request.URL != "http://"+addr+"/x" {
		t.Errorf("%s, recorded %+v", resp.Proto, f.Request)
	}
}

// A client may ask for a tunnel after other requests on its connection.
func TestConnectAfterRequests(t *testing.T) {
	r := newRig(t)
	u := r.plainOrigin(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })
	c := r.dial()
	c.say("GET %s/1 HTTP/1.1\r\nHost: %s\r\n\r\n", u, u.Host)
	if _, body := c.answer(); body != "/1" {
		t.Errorf("got %q", body)
	}
	// What follows the CONNECT at once is the tunnel's.
	c.say("CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\nGET /2 HTTP/1.1\r\nHost: %s\r\n\r\n", u.Host, u.Host, u.Host)
	if status := c.status(); status != 200 {
		t.Fatalf("CONNECT: %d", status)
	}
	if _, body := c.answer(); body != "/2" {
		t.Errorf("got %q", body)
	}
	flows := r.ending(2)
	if flows[1].Request.URL != u.String()+"/2" {
		t.Errorf("recorded %+v", flows[1].Request)
	}
}

// An absolute URL inside a tunnel is recorded as the claim that it is; the server
// of the tunnel gets it.
func TestAbsoluteFormInTunnel(t *testing.T) {
	r := newRig(t)
	u := r.origin(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) })
	c := r.handshake(r.tunnel(u.Host), func(c *tls.Config) { c.ServerName = "127.0.0.1" })
	c.say("GET http://other.test/x HTTP/1.1\r\nHost: other.test\r\n\r\n")
	if status := c.status(); status != 200 {
		t.Errorf("answered %d", status)
	}
	f := r.one()
	if f.Server.Asked != u.Host || f.Names().Host != "other.test" || f.Request.URL != "https://other.test/x" || f.Server.Dialed.String() != u.Host {
		t.Errorf("server %+v, URL %s", f.Server, f.Request.URL)
	}
}

func TestHome(t *testing.T) {
	home := func(c *Config) {
		c.Home = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(203)
			io.WriteString(w, "home "+r.URL.Path)
		})
	}
	for _, tc := range []struct {
		name    string
		request func(*rig) string
		status  int
		body    string
		outcome flow.Outcome
	}{
		{"the proxy's own address", func(r *rig) string { return "GET /ca.pem HTTP/1.1\r\nHost: " + r.addr }, 203, "home /ca.pem", flow.Served},
		{"no Host at all", func(r *rig) string { return "GET / HTTP/1.0" }, 203, "home /", flow.Served},
		{"setup.telltale", func(r *rig) string { return "GET http://setup.telltale/x HTTP/1.1\r\nHost: setup.telltale" }, 203, "home /x", flow.Served},
		{"setup.telltale as a host", func(r *rig) string { return "GET /x HTTP/1.1\r\nHost: SETUP.telltale." }, 203, "home /x", flow.Served},
		{"its own address through it", func(r *rig) string { return "GET http://" + r.addr + "/x HTTP/1.1\r\nHost: " + r.addr }, 203, "home /x", flow.Served},
		{"localhost", func(r *rig) string {
			_, port, _ := net.SplitHostPort(r.addr)
			return "GET / HTTP/1.1\r\nHost: localhost:" + port
		}, 203, "home /", flow.Served},
		{"another host", func(r *rig) string { return "GET / HTTP/1.1\r\nHost: other.test" }, 400, "this is a proxy", flow.Malformed},
		{"another port", func(r *rig) string { return "GET / HTTP/1.1\r\nHost: 127.0.0.1:1" }, 400, "this is a proxy", flow.Malformed},
		{"another scheme", func(r *rig) string { return "GET ftp://other.test/ HTTP/1.1\r\nHost: other.test" }, 400, "neither http nor https", flow.Malformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, home)
			c := r.dial()
			c.say("%s\r\n\r\n", tc.request(r))
			resp, body := c.answer()
			f := r.one()
			if resp.StatusCode != tc.status || !strings.Contains(body, tc.body) || f.Outcome != tc.outcome || f.Status() != tc.status {
				t.Errorf("answered %d %q, recorded %s %d", resp.StatusCode, body, f.Outcome, f.Status())
			}
			if tc.outcome == flow.Served && f.IsContact() {
				t.Error("the set-up page counts as a contact")
			}
		})
	}
	t.Run("setup.telltale over TLS", func(t *testing.T) {
		r := newRig(t, home)
		resp, err := r.client().Get("https://setup.telltale/y")
		must(t, err)
		resp.Body.Close()
		if f := r.one(); resp.StatusCode != 203 || f.Outcome != flow.Served {
			t.Errorf("answered %d, recorded %s", resp.StatusCode, f.Outcome)
		}
	})
	t.Run("no page", func(t *testing.T) {
		r := newRig(t)
		c := r.dial()
		c.say("GET / HTTP/1.1\r\nHost: %s\r\n\r\n", r.addr)
		if status := c.status(); status != 404 {
			t.Errorf("answered %d", status)
		}
		r.one()
	})
}

func TestAuthentication(t *testing.T) {
	auth := func(c *Config) { c.User, c.Password = "phone", "s3cret:x" }
	line := func(creds string) string {
		return "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(creds)) + "\r\n"
	}
	for _, tc := range []struct {
		name, line string
		granted    bool
		outcome    flow.Outcome
		words      string
	}{
		{"right", line("phone:s3cret:x"), true, flow.Completed, ""},
		{"scheme in other letters", strings.Replace(line("phone:s3cret:x"), "Basic", "bASIC", 1), true, flow.Completed, ""},
		{"none", "", false, flow.ClientDenied, "did not give"},
		{"wrong", line("phone:s3cret"), false, flow.ClientDenied, "another user or password"},
		{"other scheme", "Proxy-Authorization: Bearer x\r\n", false, flow.ClientDenied, "another user or password"},
		{"no base64", "Proxy-Authorization: Basic ???\r\n", false, flow.ClientDenied, "another user or password"},
	} {
		for _, tunnel := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/tunnel=%v", tc.name, tunnel), func(t *testing.T) {
				r := newRig(t, auth)
				u := r.plainOrigin(func(w http.ResponseWriter, req *http.Request) {
					if req.Header.Get("Proxy-Authorization") != "" {
						t.Error("the proxy's credentials left it")
					}
				})
				c := r.dial()
				if tunnel {
					c.say("CONNECT %s HTTP/1.1\r\nHost: h\r\n%s\r\n", u.Host, tc.line)
				} else {
					c.say("GET %s/ HTTP/1.1\r\nHost: h\r\n%s\r\n", u, tc.line)
				}
				resp, _ := c.answer()
				if (resp.StatusCode == 200) != tc.granted || !tc.granted && (resp.StatusCode != 407 || resp.Header.Get("Proxy-Authenticate") == "") {
					t.Errorf("answered %d %v", resp.StatusCode, resp.Header)
				}
				if tc.granted && tunnel {
					c.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
					c.status()
				}
				c.Close()
				if f := r.one(); f.Outcome != tc.outcome || !strings.Contains(f.Error, tc.words) {
					t.Errorf("recorded %s %q", f.Outcome, f.Error)
				}
			})
		}
	}
	t.Run("second try on one connection", func(t *testing.T) {
		r := newRig(t, auth)
		u := r.plainOrigin(func(http.ResponseWriter, *http.Request) {})
		c := r.dial()
		c.say("CONNECT %s HTTP/1.1\r\nHost: h\r\n\r\n", u.Host)
		if status := c.status(); status != 407 {
			t.Fatalf("answered %d", status)
		}
		c.say("CONNECT %s HTTP/1.1\r\nHost: h\r\n%s\r\n", u.Host, line("phone:s3cret:x"))
		if status := c.status(); status != 200 {
			t.Fatalf("answered %d", status)
		}
		c.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		c.status()
		if f := r.one(); f.Outcome != flow.Completed {
			t.Errorf("recorded %s", f.Outcome)
		}
	})
	t.Run("the set-up page needs none", func(t *testing.T) {
		r := newRig(t, auth)
		c := r.dial()
		c.say("GET / HTTP/1.1\r\nHost: %s\r\n\r\n", r.addr)
		if status := c.status(); status != 404 {
			t.Errorf("answered %d", status)
		}
		r.one()
	})
}

func TestDevices(t *testing.T) {
	t.Run("another device", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Devices = []netip.Addr{netip.MustParseAddr("192.0.2.7")} })
		c := r.dial()
		c.say("CONNECT example.test:443 HTTP/1.1\r\nHost: h\r\n\r\n")
		if resp, body := c.answer(); resp.StatusCode != 403 || !strings.Contains(body, "not one of the devices") {
			t.Errorf("answered %d %q", resp.StatusCode, body)
		}
		c.closed()
		if f := r.one(); f.Outcome != flow.ClientDenied || f.IsContact() {
			t.Errorf("recorded %s", f.Outcome)
		}
	})
	t.Run("this device", func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Devices = []netip.Addr{netip.MustParseAddr("::ffff:127.0.0.1")} })
		r.tunnel("example.test:443").Close()
		if f := r.one(); f.Outcome != flow.Abandoned {
			t.Errorf("recorded %s", f.Outcome)
		}
	})
	for addr, want := range map[string]bool{
		"127.0.0.1": true, "::1": true, "10.1.2.3": true, "172.16.0.1": true, "192.168.1.5": true, "169.254.1.1": true,
		"fe80::1%eth0": true, "fd00::1": true, "100.64.0.1": true, "100.128.0.1": false,
		"8.8.8.8": false, "172.32.0.1": false, "2001:4860::1": false, "192.0.2.1": false, "0.0.0.0": false,
	} {
		g := newGuard(&Config{})
		if got, why := g.enter(netip.MustParseAddr(addr)); got != want || got == (why != "") {
			t.Errorf("%s: %v %q, want %v", addr, got, why, want)
		}
	}
}

func TestConnectionLimit(t *testing.T) {
	g := newGuard(&Config{})
	a := netip.MustParseAddr("192.168.1.5")
	for i := range maxPerClient + 1 {
		if ok, why := g.enter(a); ok != (i < maxPerClient) {
			t.Fatalf("connection %d: %v %q", i, ok, why)
		}
	}
	if ok, _ := g.enter(netip.MustParseAddr("192.168.1.6")); !ok {
		t.Error("one device took another's place")
	}
	g.leave(a)
	g.leave(a)
	if ok, _ := g.enter(a); !ok {
		t.Error("a place that was left is not free")
	}
}

// Running out of descriptors does not end the audit.
func TestAcceptRetries(t *testing.T) {
	r := newRig(t, quiet)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	failing := &failingListener{Listener: l}
	failing.left.Store(3)
	done := make(chan error, 1)
	go func() { done <- r.proxy.Serve(failing) }()
	c, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	c.Close()
	r.one()
	l.Close()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "accept on") {
		t.Errorf("a listener that was closed by somebody else: %v", err)
	}
}

type failingListener struct {
	net.Listener
	left atomic.Int32
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.left.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

// Connections of all sorts, at once: as many outcomes as connections, none of
// them open.
func TestEveryConnectionIsAccountedFor(t *testing.T) {
	r := newRig(t, verdicts(nil, map[string]Admission{"blocked.test": Block}))
	plain := r.plainOrigin(func(w http.ResponseWriter, r *http.Request) {})
	secure := r.origin(func(w http.ResponseWriter, r *http.Request) {})
	echo := r.listener(func(c net.Conn) { io.Copy(c, c) })
	sorts := map[flow.Outcome]func() *peer{
		flow.Abandoned: func() *peer { return r.dial() },
		flow.Malformed: func() *peer { c := r.dial(); c.say("x\r\n\r\n"); c.status(); return c },
		flow.Served:    func() *peer { c := r.dial(); c.say("GET / HTTP/1.0\r\n\r\n"); c.status(); return c },
		flow.Tunnelled: func() *peer { c := r.tunnel(echo); c.say("\x00"); c.br.ReadByte(); return c },
		flow.ClientRefused: func() *peer {
			c := r.tunnel("example.test:443")
			tls.Client(c, &tls.Config{ServerName: "a.test"}).Handshake()
			return c
		},
		flow.ClientSilent: func() *peer { return r.handshake(r.tunnel("example.test:443")) },
		flow.HandshakeFailed: func() *peer {
			c := r.tunnel("example.test:443")
			c.say("\x16\x03\x01\x00\x00")
			c.br.ReadByte()
			return c
		},
		flow.Blocked: func() *peer {
			c := r.tunnel("example.test:443")
			tls.Client(c, &tls.Config{ServerName: "blocked.test"}).Handshake()
			return c
		},
		flow.Completed: func() *peer {
			c := r.dial()
			c.say("GET %s/ HTTP/1.1\r\nHost: h\r\n\r\n", plain)
			c.status()
			return c
		},
		flow.UpstreamFailed: func() *peer {
			c := r.dial()
			c.say("GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: h\r\n\r\n")
			c.status()
			return c
		},
	}
	const each = 5
	var wg sync.WaitGroup
	for range each {
		for _, open := range sorts {
			wg.Go(func() { open().Close() })
		}
		wg.Go(func() {
			c := r.handshake(r.tunnel(secure.Host), func(c *tls.Config) { c.ServerName = "127.0.0.1" })
			c.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			c.status()
			c.Close()
		})
	}
	wg.Wait()
	got := map[flow.Outcome]int{}
	for _, f := range r.ending(each * (len(sorts) + 1)) {
		got[f.Outcome]++
	}
	for outcome := range sorts {
		want := each
		if outcome == flow.Completed {
			want = 2 * each
		}
		if got[outcome] != want {
			t.Errorf("%s: %d, want %d (all: %v)", outcome, got[outcome], want, got)
		}
	}
}

// Ten thousand connections at once are held, and counted when they end.
func TestManyConnections(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 500
	}
	n = min(n, descriptors()/2-200) // both ends are ours
	r := newRig(t)
	conns := make([]net.Conn, n)
	for i := range conns {
		c, err := net.Dial("tcp", r.addr)
		must(t, err)
		conns[i] = c
		if i%2 == 0 {
			_, err = io.WriteString(c, "CONNECT h.test:443 HTTP/1.1\r\n")
			must(t, err)
		}
	}
	r.tunnel("example.test:443").Close() // there is still room
	for _, c := range conns {
		c.Close()
	}
	r.wait("all to be recorded", func(flows []*flow.Flow) bool { return len(flows) == n+1 })
}

// Shutdown waits for what is under way, and closes what only waits.
func TestShutdownFinishes(t *testing.T) {
	r := newRig(t)
	entered, release := make(chan struct{}), make(chan struct{})
	u := r.origin(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		io.WriteString(w, "late")
	})
	idle := r.dial()
	silent := r.handshake(r.tunnel("example.test:443"), func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })
	body := make(chan string, 1)
	c := r.client()
	go func() {
		resp, err := c.Get(u.String())
		if err != nil {
			body <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		body <- string(b)
	}()
	<-entered
	done := make(chan error, 1)
	go func() { done <- r.proxy.Shutdown(context.Background()) }()
	idle.closed()
	if _, err := io.ReadAll(silent.br); isTimeout(err) {
		t.Errorf("a silent connection outlived the shutdown: %v", err)
	}
	select {
	case err := <-done:
		t.Errorf("shut down with a request under way: %v", err)
	default:
	}
	close(release)
	if got := <-body; got != "late" {
		t.Errorf("got %q", got)
	}
	if err := <-done; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	r.ending(3)
	if _, err := net.Dial("tcp", r.addr); err == nil {
		t.Error("still accepting")
	}
}

// When its time is up, Shutdown cuts, and every flow still gets its end.
func TestShutdownCuts(t *testing.T) {
	r := newRig(t, quiet)
	hang := make(chan struct{})
	entered := make(chan struct{}, 1)
	u := r.origin(func(w http.ResponseWriter, r *http.Request) { entered <- struct{}{}; <-hang })
	defer close(hang)
	addr := r.listener(func(c net.Conn) { io.Copy(io.Discard, c) })
	opaque := r.tunnel(addr)
	opaque.say("\x00\x01")
	c := r.client()
	var wg sync.WaitGroup
	wg.Go(func() {
		if resp, err := c.Get(u.String()); err == nil {
			resp.Body.Close()
		}
	})
	<-entered
	r.wait("both to be open", func(flows []*flow.Flow) bool { return len(flows) == 2 })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := r.proxy.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: %v", err)
	}
	for _, f := range r.ending(2) {
		if f.Kind == flow.Tunnel && (f.Outcome != flow.Tunnelled || f.Sent != 2) {
			t.Errorf("tunnel: %s, %d bytes", f.Outcome, f.Sent)
		}
		if f.Kind == flow.HTTP && f.Outcome == flow.Completed {
			t.Errorf("exchange: %s", f.Outcome)
		}
	}
	wg.Wait()
}

func TestNewRefuses(t *testing.T) {
	for name, edit := range map[string]func(*Config){
		"no authority":           func(c *Config) { c.Leafer = nil },
		"no recorder":            func(c *Config) { c.Recorder = nil },
		"a password, but no one": func(c *Config) { c.Password = "x" },
	} {
		cfg := Config{Leafer: &testAuthority{}, Recorder: newTape(t)}
		edit(&cfg)
		if p, err := New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
			p.Shutdown(context.Background())
		}
	}
}

// Every mode says what it is and what it cannot see.
func TestModes(t *testing.T) {
	for _, m := range Modes {
		if m.Name == "" || m.Help == "" || m.Port == "" || m.accept == nil || len(m.Blind) == 0 {
			t.Errorf("mode %+v", m)
		}
	}
}

// A panic in one connection is told of, and does not touch the others.
func TestPanicIsContained(t *testing.T) {
	var log bytes.Buffer
	r := newRig(t, func(c *Config) {
		c.Home = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })
		c.Admit = func(f *flow.Flow) (Admission, string) {
			if f.Host() == "panic.test" {
				panic("bang")
			}
			return Inspect, ""
		}
		c.Log = syncLogger(&log)
	})
	c := r.dial()
	c.say("GET / HTTP/1.0\r\n\r\n")
	c.closed()
	c = r.dial()
	c.say("CONNECT panic.test:443 HTTP/1.1\r\nHost: h\r\n\r\n")
	c.closed()
	r.ending(2)
	if s := log.String(); !strings.Contains(s, "boom") || !strings.Contains(s, "bang") {
		t.Errorf("log: %s", s)
	}
}
