package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"telltale/flow"
)

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
			for _, foreign := range []string{"EOF", "net/http", "->", "read tcp"} {
				if strings.Contains(f.Error, foreign) {
					t.Errorf("error %q is not in words", f.Error)
				}
			}
			equal(t, "received", f.BytesReceived(), int64(0))
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
	equal(t, "answered", f.Status(), 0)
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

// Servers send 204 with a length, which HTTP/2 clients take for a broken stream.
func TestNoContentWithLength(t *testing.T) {
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), _ string) {
		r := newRig(t)
		leaf, err := r.ca.Leaf("127.0.0.1")
		must(t, err)
		addr := r.listener(func(c net.Conn) {
			s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*leaf}})
			http.ReadRequest(bufio.NewReader(s))
			io.WriteString(s, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n")
			s.Close()
		})
		resp, err := r.client(proto).Get("https://" + addr + "/")
		must(t, err)
		resp.Body.Close()
		equal(t, "status", resp.StatusCode, 204)
		equal(t, "length", resp.Header.Get("Content-Length"), "")
		f := r.one()
		equal(t, "recorded length", flow.Get(f.Response.Header, "Content-Length"), "5")
	})
}

// Clients reset a stream, or close, as soon as they have counted the last byte: that
// breaks nothing off.
func TestWholeAnswersAreComplete(t *testing.T) {
	left, leave := context.WithCancel(context.Background())
	leave()
	for _, x := range []struct {
		expect, size      int64
		readErr, writeErr error
		want              flow.Outcome
	}{
		{3, 3, nil, io.ErrClosedPipe, flow.Completed},
		{3, 3, context.Canceled, nil, flow.Completed},
		{3, 2, nil, io.ErrClosedPipe, flow.Abandoned},
		{3, 2, context.Canceled, nil, flow.Abandoned},
		{-1, 3, nil, io.ErrClosedPipe, flow.Abandoned},
		{-1, 3, nil, nil, flow.Abandoned},
	} {
		trip := &trip{parent: left, response: &flow.Response{Status: 200}}
		trip.down = download{body: body{expect: x.expect, size: x.size}, readErr: x.readErr, writeErr: x.writeErr}
		trip.judge()
		equal(t, fmt.Sprint(x), trip.outcome, x.want)
		equal(t, fmt.Sprint("broken ", x), trip.broken, x.want != flow.Completed && (x.readErr != nil || x.writeErr != nil))
	}
}
