package proxy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"crypto/tls"

	"telltale/flow"
)

// TestProxiesInARow: one proxy of ours is the upstream proxy of another, which
// trusts its authority.
func TestProxiesInARow(t *testing.T) {
	bothProtos(t, func(t *testing.T, proto func(*http.Transport), name string) {
		outer := newRig(t, func(c *Config) { c.User, c.Password = "user", "p@ss:word" })
		inner := newRig(t, func(c *Config) {
			c.UpstreamProxy = &url.URL{Scheme: "http", Host: outer.addr, User: url.UserPassword("user", "p@ss:word")}
			c.UpstreamRoots = outer.ca.pool()
			c.AllowLocal = true
		})
		answer := func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Proto, r.URL, len(r.Header["Proxy-Authorization"]))
		}
		secure, plain := outer.origin(answer), outer.plainOrigin(answer)
		c := inner.client(proto)
		spoken := strings.Replace(name, "/2", "/2.0", 1)
		_, body := fetch(t, c, request(t, "GET", secure.String()+"/s", nil))
		equal(t, "TLS", body, spoken+"/s 0")
		_, body = fetch(t, c, request(t, "GET", plain.String()+"/p", nil))
		equal(t, "in clear", body, "HTTP/1.1/p 0")
		for i, f := range inner.ending(2) {
			equal(t, "dialled", f.Server.Dialed.String(), outer.addr)
			equal(t, "asked", f.Server.Asked, []string{secure.Host, plain.Host}[i])
		}
		for i, f := range outer.ending(2) {
			equal(t, "outer", f.Server.Dialed.String(), []string{secure.Host, plain.Host}[i])
		}
	})
}

func viaRig(t *testing.T, u *url.URL, edit ...func(*Config)) *rig {
	return newRig(t, append(edit, func(c *Config) { c.UpstreamProxy = u })...)
}

func TestUpstreamProxyThatRefuses(t *testing.T) {
	for answer, want := range map[string]string{
		"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n": "502 refused",
		"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n":               "504 timeout",
		"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n":                   "502 unreachable",
		"SSH-2.0-nonsense\r\n": "502 protocol",
		"":                     "502 protocol",
	} {
		lone := newRig(t)
		addr := lone.listener(func(c net.Conn) { http.ReadRequest(bufio.NewReader(c)); io.WriteString(c, answer) })
		r := viaRig(t, &url.URL{Scheme: "http", Host: addr})
		c := r.tunnel("example.test:80")
		c.say("GET / HTTP/1.1\r\nHost: example.test\r\n\r\n")
		resp, body := c.answer()
		f := r.one()
		equal(t, answer, fmt.Sprint(resp.StatusCode, " ", f.Failure), want)
		if !strings.Contains(body, "upstream proxy") && !strings.Contains(body, "malformed") {
			t.Errorf("the page does not say where it failed: %q", body)
		}
		equal(t, "dialled", f.Server.Dialed.String(), addr)
	}
}

// What failed is told of the server that was asked for, not only of the proxy or
// of the address that was put in its place.
func TestUpstreamProxyErrorsNameTheServer(t *testing.T) {
	lone := newRig(t)
	for _, addr := range []string{
		"127.0.0.1:1", // nobody is there
		lone.listener(func(c net.Conn) {
			http.ReadRequest(bufio.NewReader(c))
			io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
		}),
	} {
		r := viaRig(t, &url.URL{Scheme: "http", Host: addr}, func(c *Config) {
			c.Resolve = []Resolve{{Host: "*", Port: "*", Addr: netip.MustParseAddr("192.0.2.9")}}
		})
		c := r.tunnel("example.test:80")
		c.say("GET / HTTP/1.1\r\nHost: example.test\r\n\r\n")
		equal(t, "status", c.status(), 502)
		f := r.one()
		equal(t, "failure", f.Failure, flow.FailureRefused)
		if !strings.Contains(f.Error, "example.test:80") || !strings.Contains(f.Error, "upstream proxy") {
			t.Errorf("error %q", f.Error)
		}
	}
}

// TestUpstreamProxyDoesNotLiftTheGuard for what can be told from here.
func TestUpstreamProxyDoesNotLiftTheGuard(t *testing.T) {
	r := viaRig(t, &url.URL{Scheme: "http", Host: "127.0.0.1:1"}, func(c *Config) { c.AllowLocal = false })
	for i, target := range []string{"127.0.0.1:80", "localhost:80", "a.localhost:80", "[::1]:80"} {
		c := r.tunnel(target)
		c.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		equal(t, target, c.status(), 403)
		equal(t, target, r.ending(i + 1)[i].Outcome, flow.DestinationDenied)
	}
}

// The upstream proxy may read a name as the numbers of an address, as inet_aton
// does.
func TestUpstreamProxyIsNotAskedForNumbers(t *testing.T) {
	d := newDialer(&Config{UpstreamProxy: &url.URL{Scheme: "http", Host: "127.0.0.1:1"}}, newNetwork())
	for host, local := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1.": true, "2130706433": true, "0x7f.1": true, "0X7F000001": true, "0177.0.0.1": true,
		"127.1": true, "017700000001": true, "0": true, "0x": true, "0xa9fea9fe": true, "localhost.": true, "a.localhost": true, "\uff11\uff12\uff17.1": true,
		"8.8.8.8": false, "134744072": false, "example.test": false, "127.1.example": false, "0x.test": false,
		"4294967296": false, "1.2.3.4.5": false, "127.256.0.1": false, "08.1": false, "": false, ".": false,
	} {
		var denied *deniedError
		if got := errors.As(d.guardName(phone, host), &denied); got != local {
			t.Errorf("%q: denied %v, want %v", host, got, local)
		}
	}
}

// TestUpstreamProxyOverTLS, and a server that speaks first behind it.
func TestUpstreamProxyOverTLS(t *testing.T) {
	lone := newRig(t)
	leaf, err := lone.ca.Leaf("127.0.0.1")
	must(t, err)
	addr := lone.listener(func(c net.Conn) {
		tc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*leaf}})
		if req, err := http.ReadRequest(bufio.NewReader(tc)); err == nil {
			fmt.Fprintf(tc, "HTTP/1.1 200 OK\r\n\r\n220 %s\r\n", req.Host)
			io.Copy(io.Discard, tc)
		}
		tc.Close()
	})
	r := viaRig(t, &url.URL{Scheme: "https", Host: addr}, func(c *Config) { c.UpstreamRoots = lone.ca.pool() })
	c := r.tunnel("mail.test:25")
	line, err := c.br.ReadString('\n')
	must(t, err)
	equal(t, "greeting", line, "220 mail.test:25\r\n")
	c.Close()
	equal(t, "outcome", r.one().Outcome, flow.Tunnelled)
}

// socksServer is as much of RFC 1928 and RFC 1929 as a client needs.
func socksServer(c net.Conn, user, password string) {
	buf := make([]byte, 512)
	read := func(n int) []byte { io.ReadFull(c, buf[:n]); return buf[:n] }
	read(int(read(2)[1]))
	c.Write([]byte{5, 2})
	u := string(read(int(read(2)[1])))
	if p := string(read(int(read(1)[0]))); u != user || p != password {
		c.Write([]byte{1, 1})
		return
	}
	c.Write([]byte{1, 0})
	read(4)
	host := string(read(int(read(1)[0])))
	port := binary.BigEndian.Uint16(read(2))
	c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	http.ReadRequest(bufio.NewReader(c))
	text := fmt.Sprintf("%s:%d", host, port)
	fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
}

func TestUpstreamProxyOfSOCKS(t *testing.T) {
	lone := newRig(t)
	addr := lone.listener(func(c net.Conn) { socksServer(c, "user", "secret") })
	for password, want := range map[string]string{"secret": "200 completed", "wrong": "502 upstream-failed"} {
		r := viaRig(t, &url.URL{Scheme: "socks5", Host: addr, User: url.UserPassword("user", password)})
		c := r.tunnel("example.test:8080")
		c.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(c.br, nil)
		must(t, err)
		b, err := io.ReadAll(resp.Body)
		must(t, err)
		f := r.one()
		equal(t, password, fmt.Sprint(resp.StatusCode, " ", f.Outcome), want)
		if resp.StatusCode == 200 {
			equal(t, "the proxy was asked for", string(b), "example.test:8080")
		} else if strings.Contains(string(b)+f.Error, password) {
			t.Errorf("the password is shown: %q %q", b, f.Error)
		}
	}
}

func TestUpstreamProxyPorts(t *testing.T) {
	for s, want := range map[string]string{
		"http://p": "80", "https://p": "443", "socks5://p": "1080", "socks5h://p": "1080", "http://p:3128": "3128",
	} {
		u, err := url.Parse(s)
		must(t, err)
		equal(t, s, proxyPort(u), want)
	}
}
