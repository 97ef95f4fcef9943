package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"telltale/flow"
)

// protocol is what the first bytes of a connection look like.
type protocol int

const (
	undecided protocol = iota // more bytes are needed
	tlsProto                  // a TLS handshake record
	http1Proto
	http2Proto // the preface of HTTP/2 without TLS
	otherProto
)

// http2Preface is what an HTTP/2 client sends first (RFC 9113, 3.4).
const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// methods are those by which HTTP is known before the request line is complete.
var methods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "PROPFIND"}

// sniff names the protocol that begins with b.
func sniff(b []byte) protocol {
	switch {
	case len(b) == 0:
		return undecided
	case b[0] == recordHandshake:
		if len(b) < 2 {
			return undecided
		}
		if looksTLS(b) {
			return tlsProto
		}
		return otherProto
	case bytes.HasPrefix(b, []byte(http2Preface)):
		return http2Proto
	case len(b) < len(http2Preface) && http2Preface[:len(b)] == string(b):
		return undecided
	}
	return sniffText(b)
}

// Types of TLS records that crypto/tls does not export (RFC 8446, 5.1).
const (
	recordAlert     = 21
	recordHandshake = 22
)

// looksTLS reports whether b begins with the header of a TLS handshake record
// (RFC 8446, 5.1). Its version is 3.x in all versions of TLS.
func looksTLS(b []byte) bool { return len(b) >= 2 && b[0] == recordHandshake && b[1] == 3 }

// sniffText tells HTTP/1 from other protocols of lines: by the version that ends
// the request line, or by a known method where none is there.
func sniffText(b []byte) protocol {
	line, _, whole := bytes.Cut(b, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	method, _, spaced := bytes.Cut(line, []byte(" "))
	known := spaced && isMethod(method)
	if len(method) == 0 || !known && (!all(line, valueByte) || !all(method, tokenByte)) {
		return otherProto
	}
	if !whole {
		switch {
		case known:
			return http1Proto
		case len(b) > maxHead:
			return otherProto
		}
		return undecided
	}
	version := line[bytes.LastIndexByte(line, ' ')+1:]
	switch i := bytes.IndexByte(version, '/'); {
	case bytes.HasPrefix(version, []byte("HTTP/")):
		return http1Proto
	case i > 0 && i < len(version)-1 && isDigit(version[i+1]): // RTSP/1.0, SIP/2.0
		return otherProto
	case known:
		return http1Proto // and refused, with a reason
	}
	return otherProto
}

func isMethod(b []byte) bool {
	for _, m := range methods {
		if string(b) == m {
			return true
		}
	}
	return false
}

// enter serves a connection of which the destination is known. All modes meet
// here. It takes c over.
func (p *Proxy) enter(c *connection) {
	kind, t := p.listen(c)
	if t != nil {
		p.carry(t, flow.Tunnelled, inside(c)+"the server spoke first: neither TLS nor HTTP, forwarded unread")
		return
	}
	switch kind {
	case tlsProto:
		p.serveTLS(c)
	case http1Proto:
		if c.own && !c.secure {
			p.enterOwn(c)
			return
		}
		p.hand(newStream(c, c))
	case http2Proto:
		p.hand(c)
	case otherProto:
		if c.asksDNS() {
			p.relayDNS(c)
			return
		}
		p.tunnel(c, flow.Tunnelled, inside(c)+"neither TLS nor HTTP: forwarded unread")
	default:
		c.Close() // over, and recorded or to be recorded by its account
	}
}

// inside says where something was found.
func inside(c *connection) string {
	if c.secure {
		return "within TLS, "
	}
	return ""
}

// listen waits for the client's first bytes. When none come, the server may be
// the one to speak first; it is dialled then, and not before, and the transit is
// returned if it does speak. undecided means that the connection is over.
func (p *Proxy) listen(c *connection) (protocol, *transit) {
	c.SetReadDeadline(time.Now().Add(serverFirstAfter))
	kind, err := sniffMore(c)
	c.SetReadDeadline(time.Time{})
	switch {
	case kind != undecided:
		return kind, nil
	case len(c.early) > 0 && (isTimeout(err) || err == io.EOF):
		return otherProto, nil // the beginning of something, and then a pause or no more
	case !isTimeout(err):
		return undecided, nil
	case c.standsIn(): // nobody else will speak
		c.SetReadDeadline(time.Now().Add(p.waits.head))
		kind, _ = sniffMore(c)
		c.SetReadDeadline(time.Time{})
		return kind, nil
	}
	t, err := p.dialFor(c)
	if err != nil {
		p.undialled(t, err)
		return undecided, nil
	}
	return p.whoSpeaks(t)
}

// sniffMore reads until the protocol is known.
func sniffMore(c *connection) (protocol, error) {
	for {
		if kind := sniff(c.early); kind != undecided {
			return kind, nil
		}
		if err := c.fill(); err != nil {
			return undecided, err
		}
	}
}

// whoSpeaks waits until one side of a silent connection says something. If it is
// the client, the server that was dialled in vain is left, unless its connection was
// there before, and the client's goes the usual way.
func (p *Proxy) whoSpeaks(t *transit) (protocol, *transit) {
	c := t.c
	server := make(chan []byte, 1)
	go func() {
		buf := make([]byte, 4<<10)
		n, _ := t.up.Read(buf)  // its end is something, too
		c.SetReadDeadline(past) // in this order: the deadline is lifted when the answer was taken
		server <- buf[:n]
	}()
	kind, err := sniffMore(c)
	t.up.SetReadDeadline(past)
	prior := <-server
	c.SetReadDeadline(time.Time{})
	t.up.SetReadDeadline(time.Time{})
	switch {
	case len(prior) > 0, isTimeout(err):
		t.prior = prior
		return undecided, t
	case kind == undecided && err != nil:
		t.up.Close()
		return undecided, nil
	}
	t.leave()
	return kind, nil
}

// past is a deadline that ends a read at once.
var past = time.Unix(1, 0)

func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}
