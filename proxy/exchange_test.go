package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"telltale/flow"
)

// bothProtos runs a test with a client of HTTP/1.1 and with one of HTTP/2.
func bothProtos(t *testing.T, test func(t *testing.T, proto func(*http.Transport), name string)) {
	t.Run("h1", func(t *testing.T) { test(t, onlyH1, "HTTP/1.1") })
	t.Run("h2", func(t *testing.T) { test(t, exact, "HTTP/2") })
}

// exact keeps the test's own client from inventing anything.
func exact(tr *http.Transport) { tr.DisableCompression = true }

func onlyH1(tr *http.Transport) {
	exact(tr)
	tr.ForceAttemptHTTP2 = false
}

func fetch(t *testing.T, c *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := c.Do(r)
	must(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, string(b)
}

func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	must(t, err)
	return r
}

// tlsOver speaks TLS, for HTTP/1.1, through a tunnel.
func tlsOver(t *testing.T, r *rig, c net.Conn) *tls.Conn {
	t.Helper()
	tc := tls.Client(c, &tls.Config{RootCAs: r.ca.pool(), ServerName: "127.0.0.1", NextProtos: []string{"http/1.1"}})
	must(t, tc.Handshake())
	return tc
}

// values returns the values of all lines of one name.
func values(fields []flow.Field, name string) (vs []string) {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			vs = append(vs, f.Reveal())
		}
	}
	return vs
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

func TestExchangeIsRecordedWhole(t *testing.T) {
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), name string) {
		r := newRig(t)
		u := r.origin(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprintf(w, "%s %s", r.Proto, b)
		})
		resp, body := fetch(t, r.client(proto), request(t, "POST", u.String()+"/x?a=1&a=2", strings.NewReader("hello")))
		f := r.one()
		spoken := strings.ReplaceAll(name, "/2", "/2.0")
		equal(t, "body", body, spoken+" hello")
		equal(t, "cookies", resp.Header["Set-Cookie"], []string{"a=1", "b=2"})

		equal(t, "outcome", f.Outcome, flow.Completed)
		equal(t, "kind", f.Kind, flow.HTTP)
		equal(t, "url", f.URL(), u.String()+"/x?a=1&a=2")
		equal(t, "method", f.Method(), "POST")
		equal(t, "proto", f.Request.Proto, name)
		equal(t, "sent", string(f.Request.Body.Content), "hello")
		equal(t, "sent size", f.BytesSent(), 5)
		equal(t, "status", f.Status(), 200)
		equal(t, "answer's proto", f.Response.Proto, name)
		equal(t, "received", string(f.Response.Body.Content), body)
		equal(t, "truncated", f.Response.Body.Truncated, false)
		equal(t, "recorded cookies", values(f.Response.Header, "Set-Cookie"), []string{"a=1", "b=2"})
		equal(t, "asked", f.Server.Asked, u.Host)
		equal(t, "host", f.Server.Host, u.Host)
		equal(t, "dialled", f.Server.Dialed.String(), u.Host)
		s := f.Server.TLS
		if s == nil || s.Version != tls.VersionTLS13 || s.CipherSuite == 0 || s.Certificate == nil || s.Invalid != "" || s.Unverified {
			t.Errorf("TLS of the server: %+v", s)
		} else {
			equal(t, "names", s.Certificate.DNSNames, []string{"127.0.0.1"})
			equal(t, "digest", len(s.Certificate.SHA256), 64)
			equal(t, "alpn", s.ALPN, map[string]string{"HTTP/2": "h2"}[name]) // httptest does not name http/1.1
		}
		m := f.Times
		for what, d := range map[string]bool{
			"blocked": m.Blocked >= 0, "dns": m.DNS == flow.Unmeasured, "connect": m.Connect > 0, "tls": m.TLS > 0,
			"send": m.Send >= 0, "wait": m.Wait > 0, "receive": m.Receive >= 0, "end": m.End.After(m.Start),
		} {
			if !d {
				t.Errorf("%s is not right: %+v", what, m)
			}
		}
		if total := m.Blocked + m.Connect + m.TLS + m.Send + m.Wait + m.Receive; total > f.Duration() {
			t.Errorf("the stages take %v, the whole %v", total, f.Duration())
		}
	})
}

// TestNothingIsInvented compares, byte by byte, what leaves with what came.
func TestNothingIsInvented(t *testing.T) {
	seen := make(chan string, 1)
	r := newRig(t)
	target := r.listener(func(c net.Conn) {
		br := bufio.NewReader(c)
		var head strings.Builder
		for {
			line, err := br.ReadString('\n')
			head.WriteString(line)
			if err != nil || line == "\r\n" {
				break
			}
		}
		seen <- head.String()
		io.WriteString(c, "HTTP/1.1 299 Yes Indeed\r\nX-B: 2\r\nX-A: 1\r\nX-A: 0\r\nContent-Length: 2\r\n\r\nok")
	})
	for _, path := range []string{
		"/", "/a%2Fb", "//twice//x", "/x?", "/x?a=1&a=2&&b", "/a|b", "/%7e~", "/caf\xc3\xa9?q=\xc3\xa9", "/a;b=c?d;e", "/[x]", "/a\\b", "/x?y#z?",
	} {
		if strings.Contains(path, "#") {
			continue // refused, as no target has it
		}
		c := r.tunnel(target)
		c.say("GET %s HTTP/1.1\r\nHost: example.test\r\nX-Two: a\r\nX-Two: b\r\n\r\n", path)
		resp, body := c.answer()
		equal(t, path, <-seen, "GET "+path+" HTTP/1.1\r\nHost: example.test\r\nX-Two: a\r\nX-Two: b\r\n\r\n")
		equal(t, "status", resp.StatusCode, 299)
		equal(t, "body", body, "ok")
		equal(t, "header", resp.Header, http.Header{"Content-Length": {"2"}, "X-A": {"1", "0"}, "X-B": {"2"}})
	}
	flows := r.ending(11)
	equal(t, "url", flows[1].URL(), "http://example.test/a%2Fb")
	equal(t, "url", flows[2].URL(), "http://example.test//twice//x")
	equal(t, "url", flows[3].URL(), "http://example.test/x?")
	equal(t, "reason", flows[0].Response.Reason, "Yes Indeed")
	equal(t, "asked", flows[0].Server.Asked, target)
	equal(t, "host", flows[0].Server.Host, "example.test")
}

func TestHeadersForUsStayHere(t *testing.T) {
	got := make(chan http.Header, 1)
	r := newRig(t)
	u := r.plainOrigin(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header
		h := w.Header()
		h.Set("Connection", "X-Mine, Keep-Alive")
		h.Set("X-Mine", "1")
		h.Set("Keep-Alive", "timeout=5")
		h.Set("Upgrade", "h2c")
		h.Set("X-Yours", "2")
	})
	c := r.dial()
	c.say("GET %s/ HTTP/1.1\r\nHost: %s\r\nProxy-Authorization: Basic eDp5\r\nProxy-Connection: keep-alive\r\n"+
		"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers, deflate\r\nAccept-Encoding: br, zstd\r\nX-End: 2\r\n\r\n", u, u.Host)
	resp, _ := c.answer()
	equal(t, "request", <-got, http.Header{"Accept-Encoding": {"br, zstd"}, "X-End": {"2"}, "Te": {"trailers"}})
	for _, name := range []string{"Connection", "X-Mine", "Keep-Alive", "Upgrade"} {
		if v, ok := resp.Header[name]; ok {
			t.Errorf("the client was sent %s: %v", name, v)
		}
	}
	equal(t, "end to end", resp.Header.Get("X-Yours"), "2")
	f := r.one()
	equal(t, "recorded as sent", values(f.Request.Header, "Connection"), []string{"keep-alive, X-Hop"})
	equal(t, "recorded as answered", values(f.Response.Header, "X-Mine"), []string{"1"})
}

func TestLengthsAndEmptyAnswersAreKept(t *testing.T) {
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		r := newRig(t)
		u := r.origin(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/304":
				w.Header().Set("Etag", `"x"`)
				w.WriteHeader(304)
			case "/204":
				w.WriteHeader(204)
			case "/chunked":
				w.(http.Flusher).Flush()
				io.WriteString(w, "hello")
			default:
				w.Header().Set("Content-Length", "5")
				io.WriteString(w, "hello")
			}
		})
		c := r.client(proto)
		for _, x := range []struct {
			method, path, body string
			status             int
			length             int64
		}{
			{"GET", "/", "hello", 200, 5}, {"HEAD", "/", "", 200, 5}, {"GET", "/204", "", 204, 0},
			{"GET", "/304", "", 304, 0}, {"GET", "/chunked", "hello", 200, -1},
		} {
			resp, body := fetch(t, c, request(t, x.method, u.String()+x.path, nil))
			equal(t, x.method+x.path, fmt.Sprint(resp.StatusCode, resp.ContentLength, body), fmt.Sprint(x.status, x.length, x.body))
		}
		for _, f := range r.ending(5) {
			equal(t, "outcome of "+f.URL(), f.Outcome, flow.Completed)
		}
	})
}

// TestLengthOfNotModified: http.Server drops it by itself.
func TestLengthOfNotModified(t *testing.T) {
	r := newRig(t)
	target := r.listener(func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nContent-Type: text/css\r\n\r\n")
	})
	c := r.tunnel(target)
	c.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(c.br, nil)
	must(t, err)
	equal(t, "header", resp.Header, http.Header{"Content-Length": {"1234"}, "Content-Type": {"text/css"}})
	equal(t, "status", r.one().Status(), 304)
}

// TestEncodedBodiesPassUntouched, those that lie about their coding too.
func TestEncodedBodiesPassUntouched(t *testing.T) {
	r := newRig(t)
	u := r.origin(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("X-Asked", fmt.Sprint(r.Header["Accept-Encoding"]))
		io.WriteString(w, "this is not gzip")
	})
	for _, asks := range []string{"", "gzip, br"} {
		req := request(t, "GET", u.String(), nil)
		want := "[]"
		if asks != "" {
			req.Header.Set("Accept-Encoding", asks)
			want = "[" + asks + "]"
		}
		resp, body := fetch(t, r.client(exact), req)
		equal(t, "asked", resp.Header.Get("X-Asked"), want)
		equal(t, "body", body, "this is not gzip")
	}
	equal(t, "recorded", string(r.ending(2)[1].Response.Body.Content), "this is not gzip")
}

// TestHostHeaderDoesNotChooseTheServer: what is dialled is what was asked for.
func TestHostHeaderDoesNotChooseTheServer(t *testing.T) {
	r := newRig(t)
	u := r.origin(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) })
	c := r.tunnel(u.Host)
	tc := tlsOver(t, r, c)
	fmt.Fprintf(tc, "GET /p HTTP/1.1\r\nHost: other.test\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(tc), nil)
	must(t, err)
	b, _ := io.ReadAll(resp.Body)
	tc.Close()
	equal(t, "the server saw", string(b), "other.test")
	f := r.one()
	equal(t, "url", f.URL(), "https://other.test/p")
	equal(t, "asked", f.Server.Asked, u.Host)
	equal(t, "dialled", f.Server.Dialed.String(), u.Host)
	equal(t, "names", f.Names(), flow.Names{Asked: "127.0.0.1", Host: "other.test", URL: "other.test"})
}

func TestHTTP2InClearIsForwardedAsSuch(t *testing.T) {
	r := newRig(t)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	s := &http.Server{Protocols: &protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Proto)
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	tr := &http.Transport{Protocols: &protocols, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return r.tunnel(l.Addr().String()), nil
	}}
	t.Cleanup(tr.CloseIdleConnections)
	_, body := fetch(t, &http.Client{Transport: tr}, request(t, "GET", "http://"+l.Addr().String()+"/x", nil))
	equal(t, "spoken with the server", body, "HTTP/2.0")
	f := r.one()
	equal(t, "proto", f.Request.Proto+" "+f.Response.Proto, "HTTP/2 HTTP/2")
	equal(t, "url", f.URL(), "http://"+l.Addr().String()+"/x")
	equal(t, "dialled", f.Server.Dialed.String(), l.Addr().String())
}

func TestBodyLimit(t *testing.T) {
	for _, limit := range []int64{0, 10, 100_000, 1 << 20} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.BodyLimit = limit })
			content := bytes.Repeat([]byte("0123456789abcdef"), 200_000/16)
			u := r.origin(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(w, r.Body)
			})
			_, body := fetch(t, r.client(), request(t, "POST", u.String(), bytes.NewReader(content)))
			equal(t, "forwarded", len(body), len(content))
			f := r.one()
			for _, b := range []flow.Body{f.Request.Body, f.Response.Body} {
				kept := min(int(limit), len(content))
				equal(t, "size", b.Size, len(content))
				equal(t, "truncated", b.Truncated, kept < len(content))
				if !bytes.Equal(b.Content, content[:kept]) {
					t.Errorf("kept %d bytes, want the first %d", len(b.Content), kept)
				}
			}
		})
	}
}

// states is a recorder of every state.
type states struct {
	Recorder
	seen chan flow.Flow
}

func (s states) Observe(f *flow.Flow) {
	s.seen <- *f
	s.Recorder.Observe(f)
}

// TestStatesOfAFlow: it is observed when it opens, when it is answered and when it
// ends, and what was observed is never changed.
func TestStatesOfAFlow(t *testing.T) {
	seen := make(chan flow.Flow, 10)
	r := newRig(t, func(c *Config) { c.Recorder = states{c.Recorder, seen} })
	more := make(chan bool)
	u := r.origin(func(w http.ResponseWriter, r *http.Request) {
		more <- true
		io.WriteString(w, "one")
		w.(http.Flusher).Flush()
		more <- true
		io.WriteString(w, "two")
	})
	resp := make(chan string, 1)
	c := r.client()
	req := request(t, "POST", u.String(), strings.NewReader("x"))
	go func() { _, body := fetch(t, c, req); resp <- body }()
	opened := <-seen
	equal(t, "opened", fmt.Sprint(opened.Outcome, opened.Response, opened.Request.Body.Size), "open<nil> 0")
	<-more
	answered := <-seen
	equal(t, "answered", fmt.Sprint(answered.Outcome, answered.Response.Status, answered.Response.Body.Size), "open200 0")
	request, response := answered.Request, answered.Response
	<-more
	equal(t, "body", <-resp, "onetwo")
	ended := <-seen
	equal(t, "ended", fmt.Sprint(ended.Outcome, ended.Request.Body.Size, ended.Response.Body.Size), "completed1 6")
	equal(t, "not changed", fmt.Sprint(request.Body.Size, response.Body.Size, opened.Outcome), "0 0open")
}

// TestUserinfoIsNotTurnedIntoAHeader, as http.Transport would.
func TestUserinfoIsNotTurnedIntoAHeader(t *testing.T) {
	r := newRig(t)
	u := r.plainOrigin(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header) })
	c := r.dial()
	c.say("GET http://user:secret@%s/ HTTP/1.1\r\nHost: %s\r\n\r\n", u.Host, u.Host)
	_, body := c.answer()
	equal(t, "the server saw", body, "map[]")
	equal(t, "url", r.one().URL(), u.String()+"/")
}

func TestConnectionsAreReused(t *testing.T) {
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		r := newRig(t)
		var ports []string
		u := r.origin(func(w http.ResponseWriter, r *http.Request) { ports = append(ports, r.RemoteAddr) })
		c := r.client(proto)
		for range 3 {
			fetch(t, c, request(t, "POST", u.String(), strings.NewReader("x")))
		}
		if slices.Sort(ports); len(slices.Compact(ports)) != 1 {
			t.Errorf("the server was reached over %v", ports)
		}
		flows := r.ending(3)
		equal(t, "second", flows[1].Times.Connect, flow.Unmeasured)
		equal(t, "dialled", flows[2].Server.Dialed.String(), u.Host)
		if flows[2].Server.TLS != flows[0].Server.TLS {
			t.Error("facts of one connection are kept twice")
		}
	})
}

func TestProxyURLOfAbsoluteForm(t *testing.T) {
	r := newRig(t)
	u := r.plainOrigin(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) })
	c := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: r.addr})}}
	t.Cleanup(c.CloseIdleConnections)
	_, body := fetch(t, c, request(t, "GET", u.String()+"/a%20b?x", nil))
	equal(t, "origin-form", body, "/a%20b?x")
	f := r.one()
	equal(t, "asked", f.Server.Asked, u.Host)
	if f.Server.TLS != nil || f.Times.TLS != flow.Unmeasured {
		t.Error("TLS where there was none")
	}
}
