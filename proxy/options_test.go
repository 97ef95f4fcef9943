package proxy

import (
	"bufio"
	"io"
	"net"
	"testing"

	"telltale/flow"
)

// A question about the server as a whole is the server's to answer (RFC 9110,
// 9.3.7), in the form in which it expects it (RFC 9112, 3.2.4).
func TestServerWideOptions(t *testing.T) {
	asked := make(chan string, 1)
	serve := func(c net.Conn) {
		line, _ := bufio.NewReader(c).ReadString('\n')
		asked <- line
		io.WriteString(c, "HTTP/1.1 200 OK\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n")
	}
	for name, ask := range map[string]func(*rig, string) *peer{
		"in a tunnel": func(r *rig, addr string) *peer {
			c := r.tunnel(addr)
			c.say("OPTIONS * HTTP/1.1\r\nHost: %s\r\n\r\n", addr)
			return c
		},
		"by URL": func(r *rig, addr string) *peer {
			c := r.dial()
			c.say("OPTIONS http://%s HTTP/1.1\r\nHost: %s\r\n\r\n", addr, addr)
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			addr := r.listener(serve)
			resp, _ := ask(r, addr).answer()
			equal(t, "allow", resp.Header.Get("Allow"), "GET")
			equal(t, "request line", <-asked, "OPTIONS * HTTP/1.1\r\n")
			f := r.one()
			equal(t, "outcome", f.Outcome, flow.Completed)
			equal(t, "method", f.Method(), "OPTIONS")
			equal(t, "URL", f.URL(), "http://"+addr)
		})
	}
}

// Without a tunnel and without a URL nobody knows which server is meant.
func TestServerWideOptionsOfTheProxy(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	c.say("OPTIONS * HTTP/1.1\r\nHost: example.test\r\n\r\n")
	equal(t, "status", c.status(), 400)
	equal(t, "outcome", r.one().Outcome, flow.Malformed)
}
