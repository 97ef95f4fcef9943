package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"telltale/flow"
)

// homeRig is a rig in which h answers requests to the proxy itself: the shortest
// way through a stream.
func homeRig(t *testing.T, h http.HandlerFunc) *rig {
	return newRig(t, func(c *Config) { c.Home = h })
}

// streamOf returns the stream a request came over.
func streamOf(r *http.Request) *stream {
	return r.Context().Value(connectionKey{}).(*connection).stream
}

// However the bytes are cut, each request reaches its handler with its content
// and with its own head, also when several came at once.
func TestStreamInPieces(t *testing.T) {
	const requests = "POST /1 HTTP/1.1\r\nHost: %[1]s\r\nX-n: 1\r\nContent-Length: 5\r\n\r\nhello" +
		"GET /2 HTTP/1.1\r\nhost: %[1]s\r\nx-N: 2\r\n\r\n" +
		"POST /3 HTTP/1.1\r\nHOST: %[1]s\r\nTransfer-Encoding: chunked\r\nX-N: 3\r\n\r\n3\r\nhel\r\n2;x\r\nlo\r\n0\r\nT: 1\r\n\r\n" +
		"HEAD /4 HTTP/1.1\r\nHost: %[1]s\r\nx-n: 4\r\n\r\n" +
		"POST /5 HTTP/1.1\r\nHost: %[1]s\r\nX-n: 5\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"
	for _, size := range []int{1, 2, 7, 64, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			r := homeRig(t, func(w http.ResponseWriter, r *http.Request) {
				b, err := io.ReadAll(r.Body)
				fields := streamOf(r).current.fields()
				i := slices.IndexFunc(fields, func(f flow.Field) bool { return strings.EqualFold(f.Name, "x-n") })
				fmt.Fprintf(w, "%s %s %v %s=%s", r.URL.Path, b, err, fields[i].Name, fields[i].Value())
			})
			c := r.dial()
			all := fmt.Sprintf(requests, r.addr)
			go func() {
				for part := range slices.Chunk([]byte(all), size) {
					c.Conn.Write(part) //nolint:errcheck // the answers tell
				}
			}()
			for _, want := range []string{"/1 hello <nil> X-n=1", "/2  <nil> x-N=2", "/3 hello <nil> X-N=3"} {
				if _, body := c.answer(); body != want {
					t.Errorf("got %q, want %q", body, want)
				}
			}
			resp, err := http.ReadResponse(c.br, &http.Request{Method: "HEAD"})
			must(t, err)
			if resp.StatusCode != 200 {
				t.Errorf("HEAD: %d", resp.StatusCode)
			}
			if _, body := c.answer(); body != "/5 hello <nil> X-n=5" {
				t.Errorf("got %q", body)
			}
			r.ending(5)
		})
	}
}

// Bytes behind a request for another protocol belong to that protocol once it was
// agreed on.
func TestStreamUpgradeKeepsEarlyBytes(t *testing.T) {
	r := homeRig(t, func(w http.ResponseWriter, r *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		buf.Flush()
		b := make([]byte, len("\x81early\r\nlate"))
		if _, err := io.ReadFull(buf, b); err != nil {
			t.Error(err)
		}
		conn.Write(b) //nolint:errcheck // the peer tells
	})
	c := r.dial()
	c.say("GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n\x81early\r\n", r.addr)
	if status := c.status(); status != 101 {
		t.Fatalf("answered %d", status)
	}
	c.say("late")
	if b, err := io.ReadAll(c.br); string(b) != "\x81early\r\nlate" {
		t.Errorf("read %q, %v", b, err)
	}
	r.one()
}

// If it was not, they are the next request.
func TestStreamUpgradeDeclined(t *testing.T) {
	r := homeRig(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })
	c := r.dial()
	c.say("GET /1 HTTP/1.1\r\nHost: %[1]s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nGET /2 HTTP/1.1\r\nHost: %[1]s\r\n\r\nGET /3 HTTP/1.1\r\nHost: %[1]s\r\n\r\n", r.addr)
	for _, want := range []string{"/1", "/2", "/3"} {
		if _, body := c.answer(); body != want {
			t.Errorf("got %q, want %q", body, want)
		}
	}
	r.ending(3)
}

// An unanswered upgrade is no way to fill the memory.
func TestStreamUpgradeIsBounded(t *testing.T) {
	gone := make(chan struct{})
	r := homeRig(t, func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done() // http.Server saw the stream fail
		close(gone)
	})
	c := r.dial()
	c.say("GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", r.addr)
	go c.Conn.Write(make([]byte, 4*maxHead)) //nolint:errcheck // it is cut off
	<-gone
	r.one()
}

// A client that goes away is noticed while its request is served, with and
// without an upgrade.
func TestStreamNoticesDeparture(t *testing.T) {
	for _, extra := range []string{"", "Connection: Upgrade\r\nUpgrade: echo\r\n"} {
		entered, gone := make(chan struct{}), make(chan struct{})
		r := homeRig(t, func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
			close(gone)
		})
		c := r.dial()
		c.say("GET / HTTP/1.1\r\nHost: %s\r\n%s\r\n", r.addr, extra)
		<-entered
		c.Conn.(*net.TCPConn).SetLinger(0) // a mere end might be that of its direction alone
		c.Close()
		<-gone
		r.one()
	}
}

// Old clients send an empty line behind the content of a POST (RFC 9112, 2.2).
func TestStreamBlankLineAfterPost(t *testing.T) {
	for _, cut := range []int{0, 1, 2} { // how much of the line comes with the content
		r := homeRig(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })
		c := r.dial()
		c.say("POST /1 HTTP/1.1\r\nHost: %s\r\nContent-Length: 2\r\n\r\nhi%s", r.addr, "\r\n"[:cut])
		if _, body := c.answer(); body != "/1" {
			t.Errorf("got %q", body)
		}
		c.say("%sGET /2 HTTP/1.1\r\nHost: %s\r\n\r\n", "\r\n"[cut:], r.addr)
		if _, body := c.answer(); body != "/2" {
			t.Errorf("got %q", body)
		}
		c.say("\r\nGET /3 HTTP/1.1\r\nHost: %s\r\n\r\n", r.addr) // not behind a POST
		if status := c.status(); status != 400 {
			t.Errorf("answered %d", status)
		}
		r.ending(3)
	}
}

// A head is refused as soon as it is wrong: the client may be waiting.
func TestStreamRefusesEarly(t *testing.T) {
	for _, part := range []string{
		"NONSENSE\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nA: b\rc",
	} {
		r := homeRig(t, func(w http.ResponseWriter, r *http.Request) {})
		c := r.dial()
		c.say("%s", part)
		if status := c.status(); status != 400 {
			t.Errorf("%q: answered %d", part, status)
		}
		r.one()
	}
}

// A large head is refused in an answer that arrives, although the client is
// still sending.
func TestStreamLingers(t *testing.T) {
	r := homeRig(t, func(w http.ResponseWriter, r *http.Request) {})
	c := r.dial()
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c.Conn, "GET / HTTP/1.1\r\nHost: h\r\nA: "+strings.Repeat("x", 4<<20)+"\r\n\r\n")
		sent <- err
	}()
	if err := <-sent; err != nil {
		t.Errorf("the client could not send: %v", err)
	}
	if status := c.status(); status != 431 {
		t.Errorf("answered %d", status)
	}
	r.one()
}

// The limits themselves are allowed.
func TestStreamTakesLargeHeads(t *testing.T) {
	r := homeRig(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, len(r.Header.Get("A"))) })
	c := r.dial()
	const n = 200 << 10
	c.say("GET / HTTP/1.1\r\nHost: %s\r\nA: %s\r\n%s\r\n", r.addr, strings.Repeat("x", n), strings.Repeat("B: c\r\n", maxFields-10))
	if _, body := c.answer(); body != fmt.Sprint(n) {
		t.Errorf("got %q", body)
	}
	if f := r.one(); len(f.Request.Header) != maxFields-8 {
		t.Errorf("recorded %d lines", len(f.Request.Header))
	}
}
