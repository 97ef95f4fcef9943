package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
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

func TestTrailersBothWays(t *testing.T) {
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		r := newRig(t)
		u := r.origin(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Trailer", "X-T")
			w.Header().Set("X-Same", "head")
			io.WriteString(w, "ok")
			w.Header().Set("X-T", "v:"+r.Trailer.Get("X-Rt"))
			w.Header().Set(http.TrailerPrefix+"X-Late", "late")
		})
		pr, pw := io.Pipe()
		req := request(t, "POST", u.String(), pr)
		req.Trailer = http.Header{"X-Rt": nil}
		go func() { io.WriteString(pw, "abc"); req.Trailer.Set("X-Rt", "rt"); pw.Close() }()
		resp, _ := fetch(t, r.client(proto), req)
		equal(t, "trailer", resp.Trailer, http.Header{"X-T": {"v:rt"}, "X-Late": {"late"}})
		equal(t, "header", resp.Header["X-Same"], []string{"head"})
		f := r.one()
		equal(t, "recorded", values(f.Response.Trailer, "X-T"), []string{"v:rt"})
		equal(t, "recorded of the request", values(f.Request.Trailer, "X-Rt"), []string{"rt"})
		equal(t, "content", string(f.Request.Body.Content), "abc")
	})
}

// TestUnannouncedRequestTrailer: HTTP/1 allows it, though net/http needs help.
func TestUnannouncedRequestTrailer(t *testing.T) {
	r := newRig(t)
	u := r.plainOrigin(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, r.Trailer)
	})
	c := r.tunnel(u.Host)
	c.say("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Late: 1\r\n\r\n")
	_, body := c.answer()
	equal(t, "the server saw", body, "map[X-Late:[1]]")
	equal(t, "recorded", values(r.one().Request.Trailer, "X-Late"), []string{"1"})
}

func TestEarlyHintsPass(t *testing.T) {
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		r := newRig(t)
		u := r.origin(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(103)
			w.WriteHeader(102)
			w.Header().Del("Link")
			io.WriteString(w, "ok")
		})
		var got []string
		req := request(t, "GET", u.String(), nil)
		req = req.WithContext(httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				got = append(got, fmt.Sprint(code, h["Link"]))
				return nil
			}}))
		resp, body := fetch(t, r.client(proto), req)
		equal(t, "interim", got, []string{"103 [</a.css>; rel=preload]", "102 [</a.css>; rel=preload]"})
		equal(t, "final", fmt.Sprint(resp.StatusCode, body, resp.Header["Link"]), "200ok[]")
		equal(t, "recorded", r.one().Response.Interim, []int{103, 102})
	})
}

// watched notes how much of a request's content was read.
type watched struct {
	io.Reader
	read int64
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.read += int64(n)
	return n, err
}

func TestContinueIsTheServersToSay(t *testing.T) {
	r := newRig(t)
	u := r.origin(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/deny" {
			http.Error(w, "no", http.StatusExpectationFailed)
			return
		}
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	})
	for path, want := range map[string]int64{"/ok": 1 << 20, "/deny": 0} {
		body := &watched{Reader: bytes.NewReader(make([]byte, 1<<20))}
		req := request(t, "POST", u.String()+path, body)
		req.ContentLength = 1 << 20
		req.Header.Set("Expect", "100-continue")
		said := 0
		req = req.WithContext(httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{Got100Continue: func() { said++ }}))
		c := r.client(onlyH1, func(tr *http.Transport) { tr.ExpectContinueTimeout = patience })
		resp, answer := fetch(t, c, req)
		equal(t, path+" content read", body.read, want)
		if path == "/ok" {
			equal(t, "said", fmt.Sprint(said, resp.StatusCode, answer), "1 2001048576")
		} else {
			equal(t, "said", fmt.Sprint(said, resp.StatusCode), "0 417")
		}
	}
	for _, f := range r.ending(2) {
		if f.Status() == 200 {
			equal(t, "interim", f.Response.Interim, []int{100})
			equal(t, "size", f.Request.Body.Size, 1<<20)
		}
	}
}

// TestServerAnswersWhileItReads: http.Server would eat the content when an answer
// begins, unless told otherwise.
func TestServerAnswersWhileItReads(t *testing.T) {
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		r := newRig(t)
		u := r.origin(func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			w.(http.Flusher).Flush()
			buf := make([]byte, 1)
			for {
				if _, err := io.ReadFull(r.Body, buf); err != nil {
					return
				}
				w.Write(buf)
				w.(http.Flusher).Flush()
			}
		})
		pr, pw := io.Pipe()
		resp, err := r.client(proto).Do(request(t, "POST", u.String(), pr))
		must(t, err)
		defer resp.Body.Close()
		for _, want := range "echo" {
			_, err := pw.Write([]byte{byte(want)})
			must(t, err)
			got := make([]byte, 1)
			_, err = io.ReadFull(resp.Body, got)
			must(t, err)
			equal(t, "echo", rune(got[0]), want)
		}
		pw.Close()
		if _, err := resp.Body.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
		f := r.one()
		equal(t, "both ways", string(f.Request.Body.Content)+string(f.Response.Body.Content), "echoecho")
	})
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

// TestUploadBreaksOff: a client that goes away is not a server that failed.
func TestUploadBreaksOff(t *testing.T) {
	r := newRig(t)
	u := r.plainOrigin(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	c := r.tunnel(u.Host)
	c.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nonly this")
	r.wait("the open flow", func(f []*flow.Flow) bool { return len(f) == 1 })
	c.Close()
	f := r.one()
	equal(t, "outcome", fmt.Sprint(f.Outcome, f.Failure), "abandoned")
	equal(t, "sent", string(f.Request.Body.Content), "only this")
	equal(t, "truncated", f.Request.Body.Truncated, false)
}

func TestBrokenChunksAreMalformed(t *testing.T) {
	r := newRig(t)
	u := r.plainOrigin(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	c := r.tunnel(u.Host)
	c.say("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n")
	equal(t, "status", c.status(), 400)
	equal(t, "outcome", r.one().Outcome, flow.Malformed)
}

func TestServerFailures(t *testing.T) {
	reset := func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		c.(*net.TCPConn).SetLinger(0)
	}
	say := func(s string) func(net.Conn) {
		return func(c net.Conn) { http.ReadRequest(bufio.NewReader(c)); io.WriteString(c, s) }
	}
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	gone.Close()
	for name, x := range map[string]struct {
		serve  func(net.Conn)
		target string
		class  string
		status int
	}{
		"no such name":       {target: "nowhere.test:80", class: flow.FailureDNS, status: 502},
		"nobody listens":     {target: gone.Addr().String(), class: flow.FailureRefused, status: 502},
		"reset":              {serve: reset, class: flow.FailureReset, status: 502},
		"closes at once":     {serve: say(""), class: flow.FailureReset, status: 502},
		"not HTTP":           {serve: say("220 smtp ready\r\n"), class: flow.FailureProtocol, status: 502},
		"impossible status":  {serve: say("HTTP/1.1 099 What\r\nContent-Length: 0\r\n\r\n"), class: flow.FailureProtocol, status: 502},
		"unasked switch":     {serve: say("HTTP/1.1 101 Switching Protocols\r\n\r\n"), class: flow.FailureProtocol, status: 502},
		"two lengths":        {serve: say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), class: flow.FailureProtocol, status: 502},
		"head breaks off":    {serve: say("HTTP/1.1 200 OK\r\nX-A: "), class: flow.FailureTruncated, status: 502},
		"status line breaks": {serve: say("HTTP/1.1 2"), class: flow.FailureProtocol, status: 502},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.proxy.dialer.lookup = noNames
			target := x.target
			if x.serve != nil {
				target = r.listener(x.serve)
			}
			c := r.tunnel(target)
			c.say("GET /x HTTP/1.1\r\nHost: %s\r\n\r\n", target)
			resp, body := c.answer()
			equal(t, "status", resp.StatusCode, x.status)
			if host, _, _ := net.SplitHostPort(target); x.serve == nil && !strings.Contains(body, host) {
				t.Errorf("the page does not name the host: %q", body)
			}
			if !strings.HasPrefix(body, "telltale: ") || strings.TrimSpace(strings.TrimPrefix(body, "telltale: ")) != resp.Header.Get("X-Telltale-Error") {
				t.Errorf("page %q, header %v", body, resp.Header)
			}
			f := r.one()
			equal(t, "outcome", fmt.Sprint(f.Outcome, " ", f.Failure), fmt.Sprint(flow.UpstreamFailed, " ", x.class))
			equal(t, "host", f.Host(), flow.CanonicalHost(target))
			equal(t, "answered", f.Status(), x.status)
			if f.Error == "" || len(f.Altered) > 0 {
				t.Errorf("error %q, altered %q", f.Error, f.Altered)
			}
		})
	}
}

func noNames(_ context.Context, host string) ([]netip.Addr, error) {
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func TestServerTimesOut(t *testing.T) {
	r := newRig(t, func(c *Config) { c.DialTimeout = 1 })
	u := r.origin(func(http.ResponseWriter, *http.Request) {})
	c := r.tunnel(u.Host)
	c.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	equal(t, "status", c.status(), 504)
	f := r.one()
	equal(t, "failure", f.Failure, flow.FailureTimeout)
	if !strings.Contains(f.Error, "timed out") {
		t.Errorf("error %q", f.Error)
	}
}

// TestTruncatedAnswersReachTheClientAsSuch: never a clean end.
func TestTruncatedAnswersReachTheClientAsSuch(t *testing.T) {
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		for _, path := range []string{"/length", "/chunked"} {
			r := newRig(t)
			u := r.origin(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/length" {
					w.Header().Set("Content-Length", "1000")
				}
				io.WriteString(w, "partial")
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			})
			resp, err := r.client(proto).Get(u.String() + path)
			must(t, err)
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			equal(t, path, string(b), "partial")
			if err == nil {
				t.Errorf("%s ended as if it were whole", path)
			}
			f := r.one()
			equal(t, "outcome", fmt.Sprint(f.Outcome, " ", f.Failure), "upstream-failed truncated")
			equal(t, "kept", string(f.Response.Body.Content), "partial")
		}
	})
}

func TestClientLeavesDuringTheAnswer(t *testing.T) {
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		r := newRig(t)
		gone := make(chan struct{})
		u := r.origin(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "begin")
			w.(http.Flusher).Flush()
			<-r.Context().Done() // the server hears of it, too
			close(gone)
		})
		ctx, cancel := context.WithCancel(context.Background())
		resp, err := r.client(proto).Do(request(t, "GET", u.String(), nil).WithContext(ctx))
		must(t, err)
		io.ReadFull(resp.Body, make([]byte, 5))
		cancel()
		resp.Body.Close()
		<-gone
		equal(t, "outcome", r.one().Outcome, flow.Abandoned)
	})
}

func TestClientLeavesBeforeTheAnswer(t *testing.T) {
	r := newRig(t)
	began, gone := make(chan bool), make(chan bool)
	u := r.origin(func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithCancel(context.Background())
	c := r.client()
	req := request(t, "GET", u.String(), nil).WithContext(ctx)
	ended := make(chan error, 1)
	go func() { _, err := c.Do(req); ended <- err }()
	<-began
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-gone
	f := r.one()
	equal(t, "outcome", fmt.Sprint(f.Outcome, f.Failure), "abandoned")
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

// TestStaleConnectionTakesAPost: a server may close a pooled connection at the
// moment in which it is used again. The client must not hear of it.
func TestStaleConnectionTakesAPost(t *testing.T) {
	up := &upload{src: io.NopCloser(strings.NewReader("content")), body: body{limit: 100, expect: 7}}
	again, err := up.again()
	must(t, err)
	b, err := io.ReadAll(again)
	must(t, err)
	equal(t, "untouched", string(b), "content")
	again, err = up.again()
	must(t, err)
	b, _ = io.ReadAll(again)
	equal(t, "replayed", string(b), "content")
	facts, whole := up.seal()
	equal(t, "recorded once", fmt.Sprint(facts.Size, whole), "7 true")

	up = &upload{src: io.NopCloser(strings.NewReader("content")), body: body{limit: 3, expect: 7}}
	io.ReadAll(up)
	if _, err := up.again(); !errors.Is(err, errSent) {
		t.Errorf("replayed what was not kept: %v", err)
	}
	_, class := failureOf(errSent)
	equal(t, "class", class, flow.FailureReset)
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
