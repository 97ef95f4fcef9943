package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"telltale/coverage"
	"telltale/flow"
	"telltale/guard/raced"
)

// h3Rig is a proxy that decrypts QUIC, with a server of HTTP/2 and HTTP/1.1 behind it.
func h3Rig(t testing.TB, h http.HandlerFunc, edit ...func(*Config)) *rig {
	r := newRig(t, append([]func(*Config){quicMode(QUICIntercept)}, edit...)...)
	leaf, err := r.ca.Leaf("h3.example.test")
	must(t, err)
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{Certificates: []tls.Certificate{*leaf}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	r.leadsTo(portOf(s.Listener.Addr().String()))
	r.proxy.names.learn(tunnelPeer, "h3.example.test", []netip.Addr{netip.MustParseAddr("192.0.2.1")})
	return r
}

// A request of HTTP/3 is a flow like any other, and the conversation that carried it is
// none.
func TestHTTP3Request(t *testing.T) {
	var seen *http.Request
	r := h3Rig(t, func(w http.ResponseWriter, q *http.Request) {
		seen = q
		w.Header().Set("X-From", "server")
		io.WriteString(w, "hello over "+q.Proto)
	})
	c := r.quicClient(5000)
	resp, err := c.Get("https://h3.example.test/path?q=1")
	must(t, err)
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	must(t, err)
	if string(body) != "hello over HTTP/2.0" || resp.Header.Get("X-From") != "server" || resp.Header.Get("Date") == "" {
		t.Errorf("%q %v", body, resp.Header)
	}
	if seen.ContentLength != 0 || seen.Host != "h3.example.test" || len(seen.TransferEncoding) > 0 {
		t.Errorf("the server saw %+v", seen)
	}
	c.stop()
	r.shutdown()
	f := r.one()
	if f.Kind != flow.HTTP || f.Outcome != flow.Completed || f.URL() != "https://h3.example.test/path?q=1" || f.Request.Proto != "HTTP/3" || f.Response.Proto != "HTTP/2" ||
		f.Server.Asked != quicServer || f.Server.Destination.String() != quicServer || f.Server.Resolved != "h3.example.test" || f.Server.SNI != "h3.example.test" ||
		f.Client.Device != "phone" || f.Client.ALPN != "h3" || f.Client.TLS != tls.VersionTLS13 || !strings.HasPrefix(f.Client.Hello.JA4, "q13d") || f.Mode != modeWireGuard {
		t.Errorf("%+v\n%+v\n%+v", f, f.Client, f.Server)
	}
	if f.Server.TLS == nil || f.Server.TLS.ALPN != "h2" || f.Server.Dialed.Addr().String() != "127.0.0.1" {
		t.Errorf("%+v", f.Server)
	}
	if !slices.ContainsFunc(f.Request.Header, func(h flow.Field) bool { return h.Name == "user-agent" }) {
		t.Errorf("header %v", f.Request.Header)
	}
	recorded, underWay := r.proxy.Recorded(modeWireGuard)
	if recorded[coverage.UDP].Units < 5 || recorded[coverage.TCP].Units != 0 || underWay[coverage.UDP].Units != 0 {
		t.Errorf("recorded %v, under way %v", recorded, underWay)
	}
}

// What HTTP can say comes through HTTP/3: methods, content of both kinds of length, large
// content both ways, trailers, interim answers, answers without content.
func TestHTTP3Messages(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	r := h3Rig(t, func(w http.ResponseWriter, q *http.Request) {
		switch q.URL.Path {
		case "/echo":
			w.Header().Set("X-Length", fmt.Sprint(q.ContentLength))
			io.Copy(w, q.Body)
		case "/big":
			w.Write(big)
		case "/trailer":
			w.Header().Set("Trailer", "X-Declared")
			io.WriteString(w, "content")
			w.Header().Set("X-Declared", "one")
			w.Header().Set(http.TrailerPrefix+"X-Late", "two")
		case "/interim":
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			io.WriteString(w, "after hints")
		case "/none":
			w.WriteHeader(http.StatusNoContent)
		case "/moved":
			http.Redirect(w, q, "/echo", http.StatusFound)
		}
	})
	c := r.quicClient(5000)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	do := func(method, path string, body io.Reader) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequest(method, "https://h3.example.test"+path, body)
		must(t, err)
		resp, err := c.Do(req)
		must(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp, string(b)
	}
	if resp, got := do("POST", "/echo", strings.NewReader("content")); got != "content" || resp.Header.Get("X-Length") != "7" {
		t.Errorf("POST: %q, %v", got, resp.Header)
	}
	if resp, got := do("POST", "/echo", io.MultiReader(strings.NewReader("of no "), strings.NewReader("known length"))); got != "of no known length" || resp.Header.Get("X-Length") != "-1" {
		t.Errorf("POST: %q, %v", got, resp.Header)
	}
	if resp, got := do("DELETE", "/echo", io.MultiReader(strings.NewReader("odd"))); got != "odd" || resp.Header.Get("X-Length") != "-1" {
		t.Errorf("DELETE: %q, %v", got, resp.Header)
	}
	if resp, got := do("DELETE", "/echo", nil); got != "" || resp.Header.Get("X-Length") != "0" {
		t.Errorf("DELETE without content: %q, %v", got, resp.Header)
	}
	if _, got := do("PUT", "/echo", bytes.NewReader(big)); got != string(big) {
		t.Errorf("PUT: %d bytes", len(got))
	}
	if resp, got := do("GET", "/big", nil); got != string(big) || resp.ContentLength != -1 {
		t.Errorf("GET: %d bytes, length %d", len(got), resp.ContentLength)
	}
	if resp, got := do("GET", "/trailer", nil); got != "content" || resp.Trailer.Get("X-Declared") != "one" || resp.Trailer.Get("X-Late") != "two" {
		t.Errorf("trailers: %q, %v", got, resp.Trailer)
	}
	if resp, got := do("GET", "/interim", nil); got != "after hints" || resp.Header.Get("Link") == "" {
		t.Errorf("interim: %q, %v", got, resp.Header)
	}
	if resp, got := do("GET", "/none", nil); resp.StatusCode != 204 || got != "" {
		t.Errorf("none: %d %q", resp.StatusCode, got)
	}
	if resp, got := do("HEAD", "/big", nil); resp.StatusCode != 200 || got != "" {
		t.Errorf("HEAD: %d %q", resp.StatusCode, got)
	}
	if resp, _ := do("GET", "/moved", nil); resp.StatusCode != 302 || resp.Header.Get("Location") != "/echo" {
		t.Errorf("moved: %d %v", resp.StatusCode, resp.Header)
	}
	for _, f := range r.ending(11) {
		if f.Outcome != flow.Completed {
			t.Errorf("%s %s: %s %q", f.Method(), f.URL(), f.Outcome, f.Error)
		}
		if strings.HasSuffix(f.URL(), "/trailer") && flow.Get(f.Response.Trailer, "x-late") != "two" {
			t.Errorf("trailers %v", f.Response.Trailer)
		}
		if strings.HasSuffix(f.URL(), "/interim") && !slices.Equal(f.Response.Interim, []int{103}) {
			t.Errorf("interim %v", f.Response.Interim)
		}
	}
}

// A stream comes through as it is written, in both directions at once.
func TestHTTP3Stream(t *testing.T) {
	r := h3Rig(t, func(w http.ResponseWriter, q *http.Request) {
		control := http.NewResponseController(w)
		w.WriteHeader(http.StatusOK)
		control.Flush()
		buf := make([]byte, 100)
		for {
			n, err := q.Body.Read(buf)
			if n > 0 {
				w.Write(bytes.ToUpper(buf[:n]))
				control.Flush()
			}
			if err != nil {
				return
			}
		}
	})
	c := r.quicClient(5000)
	pr, pw := io.Pipe()
	resp, err := c.Post("https://h3.example.test/", "text/plain", pr)
	must(t, err)
	defer resp.Body.Close()
	buf := make([]byte, 100)
	for _, word := range []string{"one", "two", "three"} {
		io.WriteString(pw, word)
		n, err := io.ReadFull(resp.Body, buf[:len(word)])
		if err != nil || string(buf[:n]) != strings.ToUpper(word) {
			t.Fatalf("got %q, %v", buf[:n], err)
		}
	}
	pw.Close()
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
		t.Errorf("at the end: %q, %v", rest, err)
	}
	if f := r.one(); f.Outcome != flow.Completed || f.BytesSent() != 11 || f.BytesReceived() != 11 {
		t.Errorf("%s %q, %d and %d bytes", f.Outcome, f.Error, f.BytesSent(), f.BytesReceived())
	}
}

// A client that gives a request up, before the answer or in the midst of it, has
// abandoned it, and its server hears of it. The connection goes on.
func TestHTTP3Abandoned(t *testing.T) {
	asked, gone := make(chan struct{}, 2), make(chan struct{}, 2)
	r := h3Rig(t, func(w http.ResponseWriter, q *http.Request) {
		switch q.URL.Path {
		case "/half":
			io.WriteString(w, "half of it")
			http.NewResponseController(w).Flush()
			fallthrough
		case "/never":
			asked <- struct{}{}
			<-q.Context().Done()
			gone <- struct{}{}
		}
	})
	c := r.quicClient(5000)
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "GET", "https://h3.example.test/half", nil)
	resp, err := c.Do(req)
	must(t, err)
	_, err = io.ReadFull(resp.Body, make([]byte, 10))
	must(t, err)
	cancel()
	resp.Body.Close()
	<-asked
	<-gone

	ctx, cancel = context.WithCancel(t.Context())
	req, _ = http.NewRequestWithContext(ctx, "GET", "https://h3.example.test/never", nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := c.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	<-asked
	cancel()
	<-done
	<-gone
	c.get(t, "https://h3.example.test/fine")
	for i, f := range r.ending(3) {
		if want := []flow.Outcome{flow.Abandoned, flow.Abandoned, flow.Completed}[i]; f.Outcome != want {
			t.Errorf("%s: %s %q", f.URL(), f.Outcome, f.Error)
		}
	}
}

// A server that breaks off is not taken for one that ended.
func TestHTTP3Truncated(t *testing.T) {
	r := h3Rig(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "not a hundred")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	c := r.quicClient(5000)
	resp, err := c.Get("https://h3.example.test/")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("the client took it for the whole")
	}
	if f := r.one(); f.Outcome != flow.UpstreamFailed {
		t.Errorf("%s %q", f.Outcome, f.Error)
	}
}

// Connections without a request are one row each, in the words of TLS over TCP.
func TestHTTP3WithoutRequest(t *testing.T) {
	dial := func(c *quicClient, edit func(*tls.Config)) (*quicgo.Conn, error) {
		cfg := &tls.Config{ServerName: "h3.example.test", NextProtos: []string{"h3"}, RootCAs: c.wire.d.r.ca.pool()}
		edit(cfg)
		return c.quic.Dial(context.Background(), c.wire.from, cfg, nil)
	}
	for name, tc := range map[string]struct {
		run     func(*testing.T, *quicClient)
		outcome flow.Outcome
		words   string
		alert   string
	}{
		"an unknown authority": {func(t *testing.T, c *quicClient) {
			if _, err := dial(c, func(cfg *tls.Config) { cfg.RootCAs = x509.NewCertPool() }); err == nil {
				t.Error("connected")
			}
		}, flow.ClientRefused, "refused our certificate", "bad_certificate (42)"},
		"a pin": {func(t *testing.T, c *quicClient) {
			if _, err := dial(c, func(cfg *tls.Config) {
				cfg.VerifyConnection = func(tls.ConnectionState) error { return errors.New("pinned") }
			}); err == nil {
				t.Error("connected")
			}
		}, flow.ClientRefused, "refused our certificate", "bad_certificate (42)"},
		"silence afterwards": {func(t *testing.T, c *quicClient) {
			conn, err := dial(c, func(*tls.Config) {})
			must(t, err)
			c.wire.d.r.accountsExpect(flow.ClientSilent)
			conn.CloseWithError(quicgo.ApplicationErrorCode(http3.ErrCodeNoError), "")
		}, flow.ClientSilent, "without a request", ""},
		"broken rules": {func(t *testing.T, c *quicClient) {
			conn, err := dial(c, func(*tls.Config) {})
			must(t, err)
			s, err := conn.OpenUniStream()
			must(t, err)
			s.Write([]byte{0, 0, 0}) // a control stream that begins with DATA
			<-conn.Context().Done()
		}, flow.Malformed, "broke the rules of HTTP/3", ""},
		"no leaf": {func(t *testing.T, c *quicClient) {
			if _, err := dial(c, func(cfg *tls.Config) { cfg.ServerName = "refuse.test" }); err == nil {
				t.Error("connected")
			}
		}, flow.HandshakeFailed, "the TLS handshake failed", ""},
		"silence within": {func(t *testing.T, c *quicClient) {
			c.wire.deaf.Store(true)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				c.wire.d.r.accountsExpect(flow.HandshakeFailed)
				cancel()
			}()
			c.quic.Dial(ctx, c.wire.from, &tls.Config{ServerName: "h3.example.test", NextProtos: []string{"h3"}}, nil) //nolint:errcheck // it is cut off
		}, flow.HandshakeFailed, "went silent in the middle of the TLS handshake", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := h3Rig(t, nil, quiet, func(c *Config) { c.waits.handshake = 300 * time.Millisecond })
			c := r.quicClient(5000)
			tc.run(t, c)
			f := r.one()
			if f.Kind != flow.UDP || f.Outcome != tc.outcome || !strings.Contains(f.Error, tc.words) || f.Client.Hello.Alert != tc.alert || f.Speech != "QUIC v1" || f.Server.Destination.String() != quicServer {
				t.Errorf("%s %s %q %+v", f.Kind, f.Outcome, f.Error, f.Client.Hello)
			}
		})
	}
}

// accountsExpect waits for a connection that would end so.
func (r *rig) accountsExpect(o flow.Outcome) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		r.proxy.mu.Lock()
		for a := range r.proxy.accounts {
			a.mu.Lock()
			as := a.outcome
			a.mu.Unlock()
			if as == o {
				r.proxy.mu.Unlock()
				return
			}
		}
		r.proxy.mu.Unlock()
	}
	r.t.Error("waited in vain for a connection")
}

// A version that nobody has is negotiated away, by the versions that we have.
func TestHTTP3OtherVersions(t *testing.T) {
	r := h3Rig(t, nil)
	d := r.device(5000)
	d.send(quicServer, "\xc0\xff\x00\x00\x1d\x08destined\x04from"+strings.Repeat("\x00", 1200))
	answer := d.answer()
	if !strings.HasPrefix(answer[1:], "\x00\x00\x00\x00\x04from\x08destined") || !strings.Contains(answer, "\x00\x00\x00\x01") {
		t.Errorf("%x", answer)
	}
	r.shutdown()
	if f := r.one(); f.Outcome != flow.HandshakeFailed || f.Speech != "QUIC draft-29" || !strings.Contains(f.Error, "no connection came of QUIC draft-29") {
		t.Errorf("%s %q %q", f.Outcome, f.Speech, f.Error)
	}
}

// QUIC v2 is decrypted as well, and forbidden requests are answered in the server's place.
func TestHTTP3Version2(t *testing.T) {
	r := h3Rig(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	c := r.quicClient(5000, func(tr *http3.Transport) { tr.QUICConfig.Versions = []quicgo.Version{quicgo.Version2} })
	if got := c.get(t, "https://h3.example.test/"); got != "ok" {
		t.Errorf("got %q", got)
	}
	r.one()
}

// A tunnel inside HTTP/3, be it WebTransport or WebSocket, is refused and has a row.
func TestHTTP3Connect(t *testing.T) {
	r := h3Rig(t, nil)
	c := r.quicClient(5000)
	req, err := http.NewRequest(http.MethodConnect, "https://h3.example.test/session", nil)
	must(t, err)
	req.Proto = "webtransport"
	resp, err := c.h3.RoundTrip(req)
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode/100 != 4 && resp.StatusCode/100 != 5 {
		t.Errorf("status %d", resp.StatusCode)
	}
	if f := r.one(); f.Outcome != flow.Malformed || f.Method() != http.MethodConnect {
		t.Errorf("%s %s %q", f.Method(), f.Outcome, f.Error)
	}
}

// Many clients with many requests at once are all recorded, and nothing else is.
func TestHTTP3Many(t *testing.T) {
	clients, requests := raced.Size(12, 4), 15
	r := h3Rig(t, func(w http.ResponseWriter, q *http.Request) { io.WriteString(w, q.URL.Path) })
	var wg sync.WaitGroup
	for i := range clients {
		c := r.quicClient(uint16(5000 + i))
		for j := range requests {
			wg.Go(func() {
				path := fmt.Sprintf("/%d/%d", i, j)
				resp, err := c.Get("https://h3.example.test" + path)
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				if b, err := io.ReadAll(resp.Body); err != nil || string(b) != path {
					t.Errorf("%s: %q, %v", path, b, err)
				}
			})
		}
	}
	wg.Wait()
	for _, f := range r.ending(clients * requests) {
		if f.Outcome != flow.Completed || f.Request.Proto != "HTTP/3" {
			t.Errorf("%s: %s %q", f.URL(), f.Outcome, f.Error)
		}
	}
}

// What is under way when the audit ends is finished.
func TestHTTP3Shutdown(t *testing.T) {
	started, proceed := make(chan struct{}), make(chan struct{})
	r := h3Rig(t, func(w http.ResponseWriter, _ *http.Request) {
		close(started)
		<-proceed
		io.WriteString(w, "to the end")
	})
	c, idle := r.quicClient(5000), r.quicClient(5001)
	conn, err := idle.quic.Dial(t.Context(), idle.wire.from, &tls.Config{ServerName: "idle.example.test", NextProtos: []string{"h3"}, RootCAs: r.ca.pool()}, nil)
	must(t, err)
	got := make(chan string)
	go func() { got <- c.get(t, "https://h3.example.test/") }()
	<-started
	ended := make(chan struct{})
	go func() { defer close(ended); r.shutdown() }()
	<-conn.Context().Done() // that on which nothing ran is closed at once
	close(proceed)
	if s := <-got; s != "to the end" {
		t.Errorf("got %q", s)
	}
	<-ended
	for _, f := range r.ending(2) {
		switch f.Server.SNI {
		case "idle.example.test":
			if f.Outcome != flow.Abandoned || !strings.Contains(f.Error, "audit ended") {
				t.Errorf("idle: %s %q", f.Outcome, f.Error)
			}
		default:
			if f.Outcome != flow.Completed {
				t.Errorf("%s %q", f.Outcome, f.Error)
			}
		}
	}
}

// When the grace is over, what is left is cut, and says so.
func TestHTTP3Cut(t *testing.T) {
	started := make(chan struct{})
	r := h3Rig(t, func(_ http.ResponseWriter, q *http.Request) { close(started); <-q.Context().Done() })
	c := r.quicClient(5000)
	done := make(chan error)
	go func() {
		resp, err := c.Get("https://h3.example.test/")
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	<-started
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.proxy.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: %v", err)
	}
	if <-done == nil {
		t.Error("the client was answered")
	}
	if f := r.one(); f.Outcome != flow.Abandoned {
		t.Errorf("%s %q", f.Outcome, f.Error)
	}
}
