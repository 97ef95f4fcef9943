package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"telltale/flow"
)

// untouched is a server that no byte of a refused message may reach.
func (r *rig) untouched() string {
	return r.listener(func(c net.Conn) { r.t.Error("a refused message reached the server") })
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
				if way.name == "in a tunnel" && sniff([]byte(tc.head)) != http1Proto {
					continue // it is no HTTP to a tunnel, and forwarded unread
				}
				t.Run(tc.name, func(t *testing.T) {
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

// An HTTP/2 request with a Host that disagrees with its :authority is for two
// hosts (RFC 9113, 8.3.1). One that agrees is fine.
func TestHTTP2TwoHosts(t *testing.T) {
	for host, want := range map[string]string{"other.test": "400", "h.test": "200"} {
		r := newRig(t)
		u := r.origin(func(w http.ResponseWriter, r *http.Request) {})
		c := r.handshake(r.tunnel(u.Host), func(c *tls.Config) { c.ServerName, c.NextProtos = "127.0.0.1", []string{"h2"} })
		c.say(http2Preface)
		framer := http2.NewFramer(c.Conn, c.br)
		must(t, framer.WriteSettings())
		var block bytes.Buffer
		enc := hpack.NewEncoder(&block)
		for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":path", "/x"}, {":authority", "h.test"}, {"host", host}} {
			must(t, enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
		}
		must(t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}))
		framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		for {
			f, err := framer.ReadFrame()
			must(t, err)
			if h, ok := f.(*http2.MetaHeadersFrame); ok {
				if got := h.PseudoValue("status"); got != want {
					t.Errorf("host %s: answered %s, want %s", host, got, want)
				}
				break
			}
		}
		f := r.one()
		if (f.Outcome == flow.Malformed) != (want == "400") {
			t.Errorf("host %s: recorded %s %q", host, f.Outcome, f.Error)
		}
	}
}
