package proxy

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"telltale/flow"
)

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

// The same within TLS: it goes on under TLS, and is never sent in clear.
func TestOpaqueTunnelUnderTLS(t *testing.T) {
	for _, tc := range []struct {
		name, greeting, send string
		trusted              bool
	}{
		{"the client first", "", "\x10\x0cMQTT", true},
		{"the server first", "* OK IMAP\r\n", "a1 NOOP\r\n", true},
		{"an untrusted server", "", "\x10\x0cMQTT", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			authority := r.ca
			if !tc.trusted {
				authority = newTestAuthority(t)
			}
			leaf, err := authority.Leaf("mail.test")
			must(t, err)
			addr := r.listener(func(c net.Conn) {
				tc2 := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*leaf}})
				io.WriteString(tc2, tc.greeting)
				io.Copy(tc2, tc2)
				tc2.CloseWrite()
			})
			c := r.handshake(r.tunnel(addr), func(c *tls.Config) { c.ServerName = "mail.test" })
			want := tc.greeting + tc.send
			if tc.greeting != "" {
				b := make([]byte, len(tc.greeting))
				if _, err := io.ReadFull(c.br, b); err != nil || string(b) != tc.greeting {
					t.Fatalf("%q, %v", b, err)
				}
				want = tc.send
			}
			c.say("%s", tc.send)
			c.CloseWrite()
			b, err := io.ReadAll(c.br)
			f := r.one()
			if !tc.trusted {
				if f.Outcome != flow.UpstreamFailed || f.Failure != flow.FailureCertificate || len(b) > 0 || f.Server.TLS == nil {
					t.Errorf("read %q, recorded %s %s %q", b, f.Outcome, f.Failure, f.Error)
				}
				return
			}
			if string(b) != want || err != nil {
				t.Errorf("read %q, %v; want %q", b, err, want)
			}
			if f.Outcome != flow.Tunnelled || !strings.Contains(f.Error, "within TLS") || f.Sent != int64(len(tc.send)) ||
				f.Received != int64(len(tc.greeting+tc.send)) || f.Server.TLS == nil || f.Server.Dialed.String() != addr || f.Client.TLS == 0 {
				t.Errorf("recorded %s %q, %d up, %d down, %+v", f.Outcome, f.Error, f.Sent, f.Received, f.Server)
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
		c.Admit = func(f *flow.Flow) Decision {
			if a, ok := sni[f.Server.SNI]; ok {
				return Decision{Admission: a, Why: "by SNI"}
			}
			host, _ := flow.SplitHostPort(f.Server.Asked)
			return Decision{Admission: asked[host], Why: "by host"}
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
			if tc.outcome == flow.Blocked {
				equal(t, "altered", len(f.Altered), 1)
				equal(t, "answered 403", f.Status() == 403, tc.asked != nil)
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
	c.Close()
	if f := r.one(); f.Outcome != flow.UpstreamFailed || f.Failure != flow.FailureRefused {
		t.Errorf("recorded %s %s", f.Outcome, f.Failure)
	} else {
		equal(t, "status", f.Status(), 502)
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
