package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// domain is the zone in which every server of the measurement lives.
const domain = "bench.test"

// smallBody is what small requests are answered with.
var smallBody = []byte(`{"keys":["` + strings.Repeat("8d2f01a47c", 18) + `"]}`)

// smallHeader is the header of every small answer, the size that servers send.
var smallHeader = []hpack.HeaderField{
	{Name: "content-type", Value: "application/json; charset=utf-8"},
	{Name: "content-length", Value: strconv.Itoa(len(smallBody))},
	{Name: "cache-control", Value: "private, max-age=0, must-revalidate"},
	{Name: "date", Value: "Fri, 20 Nov 2026 12:00:00 GMT"},
	{Name: "etag", Value: `"5d8c72a5edda8d6a"`},
	{Name: "strict-transport-security", Value: "max-age=31536000; includeSubDomains"},
	{Name: "x-content-type-options", Value: "nosniff"},
	{Name: "x-request-id", Value: "0f4c3a6e-55a1-4a2c-8f41-3f1f4a0b7b1e"},
}

// smallAnswer is the whole small answer in HTTP/1.1.
var smallAnswer = func() []byte {
	text := bytes.NewBufferString("HTTP/1.1 200 OK\r\n")
	for _, f := range smallHeader {
		fmt.Fprintf(text, "%s: %s\r\n", http.CanonicalHeaderKey(f.Name), f.Value)
	}
	text.WriteString("\r\n")
	text.Write(smallBody)
	return text.Bytes()
}()

// block is what big bodies are made of.
var block = make([]byte, 64<<10)

// serveOrigin answers HTTP/1.1 or HTTP/2 over TLS, as the client chooses by ALPN:
//
//	GET /bytes/N   N bytes
//	any other      the small answer, after the request's body was read
func serveOrigin(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			secure := conn.(*tls.Conn)
			if secure.Handshake() != nil {
				return
			}
			r := bufio.NewReaderSize(conn, 64<<10)
			if secure.ConnectionState().NegotiatedProtocol == http2.NextProtoTLS {
				answerHTTP2(secure, r)
			} else {
				answerHTTP1(secure, r)
			}
		}()
	}
}

// answerHTTP1 serves requests until the connection ends.
func answerHTTP1(w io.Writer, r *bufio.Reader) error {
	for {
		request, err := readHead(r)
		if err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, r, request.length); err != nil {
			return err
		}
		if err := answerOne(w, request); err != nil {
			return err
		}
	}
}

func answerOne(w io.Writer, request head) error {
	path, ok := strings.CutPrefix(request.first, "GET /bytes/")
	if !ok {
		_, err := w.Write(smallAnswer)
		return err
	}
	text, _, _ := strings.Cut(path, " ")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", n)
	return writeZeros(w, n)
}

// writeZeros writes n bytes.
func writeZeros(w io.Writer, n int64) error {
	for n > 0 {
		part := min(n, int64(len(block)))
		if _, err := w.Write(block[:part]); err != nil {
			return err
		}
		n -= part
	}
	return nil
}

// answerHTTP2 gives the small answer to every stream. It looks at no request, so
// it decodes no header; and as answers are small it keeps no account of windows.
func answerHTTP2(c io.Writer, r *bufio.Reader) error {
	if _, err := r.Discard(len(http2.ClientPreface)); err != nil {
		return err
	}
	w := bufio.NewWriter(c)
	framer := http2.NewFramer(w, r)
	if err := framer.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1000}); err != nil {
		return err
	}
	var compressed bytes.Buffer
	encoder := hpack.NewEncoder(&compressed)
	for {
		if r.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
		frame, err := framer.ReadFrame()
		if err != nil {
			return err
		}
		ended, err := housekeep(framer, frame)
		if err != nil {
			return err
		}
		if !ended {
			continue
		}
		compressed.Reset()
		encoder.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
		for _, field := range smallHeader {
			encoder.WriteField(field)
		}
		stream := frame.Header().StreamID
		if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: compressed.Bytes(), EndHeaders: true}); err != nil {
			return err
		}
		if err := framer.WriteData(stream, true, smallBody); err != nil {
			return err
		}
	}
}

// housekeep answers the frames that keep a connection alive, opens windows for
// data that came, and reports whether the frame ends its stream.
func housekeep(framer *http2.Framer, frame http2.Frame) (ended bool, err error) {
	switch frame := frame.(type) {
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			err = framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !frame.IsAck() {
			err = framer.WritePing(true, frame.Data)
		}
	case *http2.HeadersFrame:
		ended = frame.StreamEnded()
	case *http2.MetaHeadersFrame:
		ended = frame.StreamEnded()
	case *http2.DataFrame:
		ended = frame.StreamEnded()
		if n := uint32(len(frame.Data())); n > 0 {
			err = framer.WriteWindowUpdate(0, n)
		}
	case *http2.RSTStreamFrame:
		err = fmt.Errorf("stream %d was reset: %v", frame.StreamID, frame.ErrCode)
	case *http2.GoAwayFrame:
		err = fmt.Errorf("connection is going away: %v", frame.ErrCode)
	}
	return ended, err
}

// head is what this program needs of the head of an HTTP/1.1 message.
type head struct {
	first  string // request or status line
	length int64  // Content-Length, 0 when there is none
}

// readHead reads up to the empty line. It refuses chunked bodies: nothing here
// sends one, so a proxy that does has changed the framing.
func readHead(r *bufio.Reader) (head, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return head{}, err
	}
	h := head{first: string(bytes.TrimSpace(line))}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return h, err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			return h, nil
		}
		switch name, value, _ := bytes.Cut(line, []byte{':'}); {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if h.length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64); err != nil {
				return h, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			return h, errors.New("the framing was changed to chunks")
		}
	}
}
