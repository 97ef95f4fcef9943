package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// agent is how the load names itself.
const agent = "CovidShield/1.0.2 CFNetwork/1128.0.1 Darwin/19.6.0"

// A client makes small requests on one connection, one at a time.
type client interface {
	get(path string) error
	Close() error
}

// requestHeader is what every small request carries besides its path.
var requestHeader = []hpack.HeaderField{
	{Name: "accept", Value: "application/json, text/plain, */*"},
	{Name: "accept-encoding", Value: "gzip, deflate, br"},
	{Name: "accept-language", Value: "en-ca"},
	{Name: "cache-control", Value: "no-store"},
	{Name: "user-agent", Value: agent},
	{Name: "cookie", Value: "session=8d2f01a47c8d2f01a47c8d2f01a47c"},
}

// newClient reaches target through a proxy and speaks protocol, "h2" or
// "http/1.1", inside TLS. With no proxy it goes there directly.
func newClient(proxy, target, protocol string) (client, error) {
	conn, err := dial(proxy, target, protocol)
	if err != nil {
		return nil, err
	}
	if protocol == http2.NextProtoTLS {
		return newHTTP2(conn, target)
	}
	return &http1{Conn: conn, r: bufio.NewReader(conn), target: target, fixed: fixedLines(target)}, nil
}

// dial opens TLS to target, always with a full handshake. It verifies nothing:
// the proxy's work is measured, and the client's would only share its cores.
func dial(proxy, target, protocol string) (*tls.Conn, error) {
	address := proxy
	if proxy == "" {
		address = loopback(target)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	if proxy != "" {
		if err := connect(conn, target); err != nil {
			conn.Close()
			return nil, err
		}
	}
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, &tls.Config{ServerName: host, NextProtos: []string{protocol}, InsecureSkipVerify: true})
	if err := secure.Handshake(); err != nil {
		conn.Close()
		return nil, err
	}
	if agreed := secure.ConnectionState().NegotiatedProtocol; agreed != protocol {
		conn.Close()
		return nil, fmt.Errorf("asked for %s, agreed on %q", protocol, agreed)
	}
	return secure, nil
}

// connect asks a proxy for a way to target.
func connect(conn net.Conn, target string) error {
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n\r\n", target, target, agent); err != nil {
		return err
	}
	answer, err := readHead(bufio.NewReader(conn)) // the server waits for our hello, so nothing follows
	if err != nil {
		return err
	}
	return expect200(answer.first)
}

func expect200(status string) error {
	if _, rest, _ := strings.Cut(status, " "); !strings.HasPrefix(rest, "200") {
		return fmt.Errorf("answered %q", status)
	}
	return nil
}

// http1 is a client of HTTP/1.1.
type http1 struct {
	net.Conn
	r      *bufio.Reader
	target string
	fixed  string // header lines of every request, with the empty one
	buffer []byte
}

func fixedLines(target string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "Host: %s\r\n", target)
	for _, f := range requestHeader {
		fmt.Fprintf(&text, "%s: %s\r\n", f.Name, f.Value)
	}
	return text.String() + "\r\n"
}

func (c *http1) get(path string) error {
	c.buffer = append(append(append(append(c.buffer[:0], "GET "...), path...), " HTTP/1.1\r\n"...), c.fixed...)
	if _, err := c.Write(c.buffer); err != nil {
		return err
	}
	_, err := c.answer()
	return err
}

// post sends n bytes and waits for the answer.
func (c *http1) post(path string, n int64) error {
	_, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nContent-Length: %d\r\n%s", path, n, c.fixed)
	if err == nil {
		err = writeZeros(c, n)
	}
	if err == nil {
		_, err = c.answer()
	}
	return err
}

// send posts content.
func (c *http1) send(path string, content []byte) error {
	c.buffer = fmt.Appendf(c.buffer[:0], "POST %s HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s", path, len(content), c.fixed)
	if _, err := c.Write(append(c.buffer, content...)); err != nil {
		return err
	}
	_, err := c.answer()
	return err
}

// answer reads a whole response and returns the size of its body.
func (c *http1) answer() (int64, error) {
	answer, err := readHead(c.r)
	if err != nil {
		return 0, err
	}
	if err := expect200(answer.first); err != nil {
		return 0, err
	}
	return io.CopyN(io.Discard, c.r, answer.length)
}

// framed is a client of HTTP/2, one stream after the other.
type framed struct {
	*tls.Conn
	w          *bufio.Writer
	framer     *http2.Framer
	compressed bytes.Buffer
	encoder    *hpack.Encoder
	target     string
	stream     uint32
}

func newHTTP2(conn *tls.Conn, target string) (*framed, error) {
	c := &framed{Conn: conn, w: bufio.NewWriter(conn), target: target, stream: 1}
	c.framer = http2.NewFramer(c.w, bufio.NewReader(conn))
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.encoder = hpack.NewEncoder(&c.compressed)
	c.w.WriteString(http2.ClientPreface)
	return c, c.framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0})
}

func (c *framed) get(path string) error {
	c.compressed.Reset()
	for _, pseudo := range [...][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", c.target}, {":path", path}} {
		c.encoder.WriteField(hpack.HeaderField{Name: pseudo[0], Value: pseudo[1]})
	}
	for _, f := range requestHeader {
		c.encoder.WriteField(f)
	}
	stream := c.stream
	c.stream += 2
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.compressed.Bytes(), EndStream: true, EndHeaders: true})
	for ended := false; err == nil && !ended; {
		if err = c.w.Flush(); err == nil {
			ended, err = c.next(stream)
		}
	}
	return err
}

// next reads a frame and reports whether it ends the stream.
func (c *framed) next(stream uint32) (ended bool, err error) {
	frame, err := c.framer.ReadFrame()
	if err != nil {
		return false, err
	}
	if answer, ok := frame.(*http2.MetaHeadersFrame); ok && answer.PseudoValue("status") != strconv.Itoa(200) {
		return false, fmt.Errorf("answered %s", answer.PseudoValue("status"))
	}
	ended, err = housekeep(c.framer, frame)
	return ended && frame.Header().StreamID == stream, err
}
