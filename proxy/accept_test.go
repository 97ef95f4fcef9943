package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"

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
