package cmd

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/miekg/dns"

	"telltale/ca"
)

// world is every server on the way of the stories. Its addresses are invented
// (RFC 5737, RFC 3849) and lead to loopback.
type world struct {
	ca             string // PEM file
	https, http    string // host:port on loopback
	raw, ntp, dead string
	dns            string
}

// addresses are what DNS says of names.
var addresses = map[string][]string{
	"api.canada.ca.":       {"203.0.113.7"},
	"six.canada.ca.":       {"2001:db8::7"},
	"www.canada.ca.":       {"203.0.113.8"},
	"clients3.google.com.": {"203.0.113.33"},
	"push.canada.ca.":      {"203.0.113.9"},
	"time.canada.ca.":      {"203.0.113.123"},
	"gone.canada.ca.":      {"203.0.113.200"},
}

func newWorld(t *testing.T) *world {
	t.Helper()
	folder := t.TempDir()
	authority, err := ca.Open(filepath.Join(folder, "world"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{ca: authority.CertPath()}
	leaf := func(info *tls.ClientHelloInfo) (*tls.Certificate, error) {
		name := info.ServerName
		if name == "" {
			name = "203.0.113.7"
		}
		return authority.Leaf(name)
	}
	web := &http.Server{Handler: http.HandlerFunc(w.serve), ReadHeaderTimeout: time.Minute}
	plain, secure := listenLoopback(t), listenLoopback(t)
	w.http, w.https = plain.Addr().String(), secure.Addr().String()
	web.TLSConfig = &tls.Config{GetCertificate: leaf, NextProtos: []string{"h2", "http/1.1"}}
	go web.Serve(plain)             //nolint:errcheck // it ends with its listener
	go web.ServeTLS(secure, "", "") //nolint:errcheck // likewise
	t.Cleanup(func() { web.Close() })
	w.raw = w.serveRaw(t)
	w.ntp = w.serveTime(t)
	w.dns = w.serveNames(t)
	dead := listenLoopback(t)
	w.dead = dead.Addr().String()
	dead.Close()
	return w
}

func listenLoopback(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// serve answers every request: /ws as a WebSocket that echoes, the others with what
// was asked.
func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/generate_204":
		rw.WriteHeader(http.StatusNoContent)
		return
	case r.URL.Path != "/ws":
		rw.Header().Set("Alt-Svc", `h3=":443"; ma=86400`)
		fmt.Fprintf(rw, "%s %s %s", r.Method, r.Host, r.URL)
		return
	}
	c, err := websocket.Accept(rw, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		return
	}
	defer c.CloseNow() //nolint:errcheck // the client closed it, or is gone
	for {
		kind, text, err := c.Read(r.Context())
		if err != nil {
			return
		}
		c.Write(r.Context(), kind, text) //nolint:errcheck // the client says whether it came
	}
}

// serveRaw is a server that speaks first, and then repeats what it is told.
func (w *world) serveRaw(t *testing.T) string {
	l := listenLoopback(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.WriteString(c, "220 ready\r\n") //nolint:errcheck // the client says whether it came
				io.Copy(c, c)                      //nolint:errcheck // likewise
			}()
		}
	}()
	return l.Addr().String()
}

// serveTime answers each datagram as a time server does, with as many bytes.
func (w *world) serveTime(t *testing.T) string {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 2048)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			b[0] = 0x24            // version 4, server
			c.WriteTo(b[:n], from) //nolint:errcheck // the client says whether it came
		}
	}()
	return c.LocalAddr().String()
}

// serveNames is the resolver that telltale asks.
func (w *world) serveNames(t *testing.T) string {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{PacketConn: c, Handler: dns.HandlerFunc(func(rw dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		known, ok := addresses[strings.ToLower(q.Question[0].Name)]
		if !ok {
			m.Rcode = dns.RcodeNameError
		}
		m.Answer = append(m.Answer, records(q.Question[0], known)...)
		rw.WriteMsg(m) //nolint:errcheck // the client says whether it came
	})}
	go server.ActivateAndServe() //nolint:errcheck // it ends with its socket
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().String()
}

// records answers a question about a name with these addresses.
func records(q dns.Question, known []string) (out []dns.RR) {
	for _, a := range known {
		addr := netip.MustParseAddr(a)
		head := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: 60}
		switch {
		case q.Qtype == dns.TypeA && addr.Is4():
			out = append(out, &dns.A{Hdr: head, A: addr.AsSlice()})
		case q.Qtype == dns.TypeAAAA && addr.Is6():
			out = append(out, &dns.AAAA{Hdr: head, AAAA: addr.AsSlice()})
		}
	}
	if q.Qtype == dns.TypeHTTPS && len(known) > 0 {
		rr, err := dns.NewRR(q.Name + ` 60 IN HTTPS 1 . alpn="h3,h2" ech="AEX+DQBBpQAgACB/RU5hAC5mXe3uOZtNY58Bc8UU1cd4QBxQzqirMlWZeQAEAAEAAQASY2xvdWRmbGFyZS1lY2guY29tAAA="`)
		if err != nil {
			panic(err)
		}
		out = append(out, rr)
	}
	return out
}

// rules lead invented addresses to loopback.
func (w *world) rules() (rules []string) {
	lead := func(addr, port, to string) { rules = append(rules, addr+":"+port+":"+to) }
	for _, addr := range []string{"203.0.113.7", "[2001:db8::7]", "203.0.113.33", "203.0.113.8"} {
		lead(addr, "443", w.https)
		lead(addr, "80", w.http)
	}
	lead("203.0.113.9", "5223", w.raw)
	lead("203.0.113.123", "123", w.ntp)
	lead("203.0.113.200", "443", w.dead)
	return rules
}
