package proxy

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"telltale/flow"
)

// TestHTTP2Downgrade sends requests over HTTP/2 that would be something else if they
// were written down as HTTP/1.1, to a strict server that speaks only that. Either the
// server gets one request with one meaning, or none.
func TestHTTP2Downgrade(t *testing.T) {
	base := []string{":method", "POST", ":scheme", "https", ":authority", "h.test", ":path", "/sent"}
	with := func(more ...string) []string { return append(append([]string{}, base...), more...) }
	instead := func(name, value string) []string {
		fields := append([]string{}, base...)
		for i := 0; i < len(fields); i += 2 {
			if fields[i] == name {
				fields[i+1] = value
			}
		}
		return fields
	}
	r := newRig(t, quiet)
	var wg sync.WaitGroup
	for _, tc := range []struct {
		name   string
		fields []string
		data   string
		passes bool
	}{
		{"plain", with("x", "y"), "abc", true},
		{"length that holds", with("content-length", "3"), "abc", true},
		{"content like a request", with(), "0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n", true},
		{"te: trailers", with("te", "trailers"), "abc", true},
		{"host that agrees", with("host", "h.test"), "abc", true},
		{"cookies in parts", with("cookie", "a=b", "cookie", "c=d"), "abc", true},
		{"CR LF in a value", with("x", "y\r\nTransfer-Encoding: chunked"), "abc", false},
		{"LF in a value", with("x", "y\nhost: other"), "abc", false},
		{"CR in a value", with("x", "y\rz"), "abc", false},
		{"NUL in a value", with("x", "y\x00z"), "abc", false},
		{"CR LF in a name", with("x\r\nhost", "other"), "abc", false},
		{"colon in a name", with("x: y", "z"), "abc", false},
		{"space in a name", with("x y", "z"), "abc", false},
		{"capital in a name", with("Transfer-Encoding", "chunked"), "abc", false},
		{"empty name", with("", "z"), "abc", false},
		{"transfer-encoding", with("transfer-encoding", "chunked"), "0\r\n\r\n", false},
		{"transfer-encoding: identity", with("transfer-encoding", "identity"), "abc", false},
		{"connection", with("connection", "close"), "abc", false},
		{"connection that names a field", with("connection", "content-length", "content-length", "3"), "abc", false},
		{"keep-alive", with("keep-alive", "5"), "abc", false},
		{"proxy-connection", with("proxy-connection", "keep-alive"), "abc", false},
		{"upgrade", with("upgrade", "h2c"), "abc", false},
		{"te: gzip", with("te", "gzip"), "abc", false},
		{"length too short", with("content-length", "1"), "abc", false},
		{"length too long", with("content-length", "9"), "abc", false},
		{"two lengths", with("content-length", "3", "content-length", "0"), "abc", false},
		{"length with a sign", with("content-length", "+3"), "abc", false},
		{"length in hex", with("content-length", "0x3"), "abc", false},
		{"path with a fragment", instead(":path", "/sent#x"), "abc", false},
		{"list of lengths", with("content-length", "3, 3"), "abc", false},
		{"host that disagrees", with("host", "other.test"), "abc", false},
		{"two hosts", with("host", "h.test", "host", "other.test"), "abc", false},
		{"method with a request in it", instead(":method", "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\nPOST"), "abc", false},
		{"method with a space", instead(":method", "GET /x"), "abc", false},
		{"empty method", instead(":method", ""), "abc", false},
		{"path with a request in it", instead(":path", "/ HTTP/1.1\r\nHost: x\r\n\r\nGET /hidden"), "abc", false},
		{"path with a space", instead(":path", "/a b HTTP/1.1"), "abc", false},
		{"path with NUL", instead(":path", "/a\x00b"), "abc", false},
		{"path without slash", instead(":path", "sent"), "abc", false},
		{"empty path", instead(":path", ""), "abc", false},
		{"authority with CR LF", instead(":authority", "h.test\r\nX: y"), "abc", false},
		{"authority with a path", instead(":authority", "h.test/x"), "abc", false},
		{"authority with a space", instead(":authority", "h.test x"), "abc", false},
		{"scheme with a URL", instead(":scheme", "https://other.test/?"), "abc", false},
		{"two paths", with(":path", "/other"), "abc", false},
		{"pseudo-header behind a header", append([]string{"x", "y"}, base...), "abc", false},
		{"unknown pseudo-header", with(":hidden", "x"), "abc", false},
	} {
		wg.Go(func() {
			s := newDowngrade(t, r)
			status := s.ask(tc.fields, tc.data)
			s.c.Close()
			flows := r.wait("the row of "+tc.name, func(flows []*flow.Flow) bool { return s.row(flows) != nil })
			f, got := s.row(flows), s.strict.requests()
			switch {
			case s.strict.failed() != nil:
				t.Errorf("%s: the server got what is no request: %v", tc.name, s.strict.failed())
			case tc.passes && (status != "200" || len(got) != 1 || got[0].target != "/sent" || got[0].content != tc.data || f.Outcome != flow.Completed):
				t.Errorf("%s: answered %s, the server got %q, recorded %s %q", tc.name, status, got, f.Outcome, f.Error)
			case !tc.passes && (status == "200" || len(got) != 0 || f.Outcome == flow.Completed):
				t.Errorf("%s: answered %s, the server got %q, recorded %s %q", tc.name, status, got, f.Outcome, f.Error)
			case !tc.passes && status == "400" && f.Outcome != flow.Malformed:
				t.Errorf("%s: refused, and recorded as %s %q", tc.name, f.Outcome, f.Error)
			}
			if testing.Verbose() {
				t.Log(tc.name, status, f.Outcome, f.Error)
			}
		})
	}
	wg.Wait()
	r.proxy.exchange.pools.rest(netip.Addr{})
}

// row returns the ended flow to the server.
func (s *smuggling) row(flows []*flow.Flow) *flow.Flow {
	for _, f := range flows {
		if f.Server.Asked == s.addr && f.Ended() {
			return f
		}
	}
	return nil
}

// newDowngrade opens a connection of HTTP/2 through the proxy to a strict server.
func newDowngrade(t *testing.T, r *rig) *smuggling {
	s := &smuggling{rig: r, t: t, strict: &strictOrigin{}}
	leaf, err := s.ca.Leaf("127.0.0.1")
	must(t, err)
	s.addr = s.listener(func(c net.Conn) {
		tc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*leaf}, NextProtos: []string{"http/1.1"}})
		defer tc.Close()
		s.strict.serve(tc)
	})
	s.c = s.handshake(s.rig.tunnel(s.addr), func(c *tls.Config) { c.ServerName, c.NextProtos = "127.0.0.1", []string{"h2"} })
	return s
}

// ask makes a request of these fields, and returns its status, or how else it ended.
func (s *smuggling) ask(fields []string, data string) string {
	s.c.say(http2Preface)
	framer := http2.NewFramer(s.c.Conn, s.c.br)
	framer.AllowIllegalWrites = true
	must(s.t, framer.WriteSettings())
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		must(s.t, enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	must(s.t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true}))
	framer.WriteData(1, true, []byte(data)) //nolint:errcheck // the stream may be over
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	must(s.t, s.c.SetReadDeadline(time.Now().Add(patience)))
	for {
		f, err := framer.ReadFrame()
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			status := f.PseudoValue("status")
			if strings.HasPrefix(status, "1") {
				continue
			}
			return status
		case *http2.RSTStreamFrame:
			return fmt.Sprint("reset ", f.ErrCode)
		case *http2.GoAwayFrame:
			return fmt.Sprint("goaway ", f.ErrCode)
		}
		if err != nil {
			if err != io.EOF {
				s.t.Errorf("read: %v", err)
			}
			return "closed"
		}
	}
}
