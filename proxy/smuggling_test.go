package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"telltale/flow"
)

// TestSmuggling sends every message of the corpus to the proxy in clear and inside TLS.
// Either it is refused, with a row that says so, and no server gets a whole request of
// it; or the server gets as many requests as were meant, each of which a strict reader
// can read in one way only, and the record shows what was sent. The request that
// follows on the same connection is answered with its own answer in each case.
func TestSmuggling(t *testing.T) {
	cases := smuggles()
	if len(cases) < 150 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, way := range []string{"in clear", "inside TLS"} {
		t.Run(way, func(t *testing.T) {
			r := newRig(t, quiet)
			var ends sync.WaitGroup
			for _, tc := range cases {
				t.Run(tc.name, func(t *testing.T) {
					s := newSmuggling(t, r, way == "inside TLS")
					if tc.meant > 0 {
						s.forwarded(tc)
						return
					}
					s.refused(tc)
					ends.Go(func() { // http.Server takes its time to close
						defer s.c.Close()
						if rest, err := io.ReadAll(s.c.br); len(rest) > 0 || isTimeout(err) {
							r.t.Errorf("%s, after the refusal: %q, %v", tc.name, rest, err)
						}
					})
				})
			}
			ends.Wait()
			r.proxy.exchange.pools.rest(netip.Addr{}) // the servers wait for the next request
		})
	}
}

// smuggling is a strict origin and one client connection on a rig.
type smuggling struct {
	*rig
	t      *testing.T
	before int // flows
	strict *strictOrigin
	addr   string
	secure bool
	c      *peer
}

func newSmuggling(t *testing.T, r *rig, secure bool) *smuggling {
	s := &smuggling{rig: r, t: t, before: len(r.all()), strict: &strictOrigin{}, secure: secure}
	leaf, err := s.ca.Leaf("127.0.0.1")
	must(t, err)
	s.addr = s.listener(func(c net.Conn) {
		if secure {
			tc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*leaf}})
			defer tc.Close()
			c = tc
		}
		s.strict.serve(c)
	})
	if secure {
		s.c = s.handshake(s.rig.tunnel(s.addr), func(c *tls.Config) { c.ServerName, c.NextProtos = "127.0.0.1", []string{"http/1.1"} })
	} else {
		s.c = s.rig.dial()
	}
	return s
}

// fill puts target and host in.
func (s *smuggling) fill(raw string) string {
	target := "/sent"
	if !s.secure {
		target = "http://" + s.addr + target
	}
	return strings.NewReplacer("{T}", target, "{H}", s.addr).Replace(raw)
}

// send writes without waiting: large heads are refused before they have ended.
func (s *smuggling) send(raw string) (sent func()) {
	var sending sync.WaitGroup
	sending.Go(func() { io.WriteString(s.c.Conn, s.fill(raw)) })
	return sending.Wait
}

func (s *smuggling) refused(tc smuggle) {
	wait := s.send(tc.raw)
	resp, body := s.c.answer()
	wait()
	if code := resp.StatusCode; code != 400 && code != 417 && code != 431 && code != 501 && code != 505 {
		s.t.Errorf("answered %d %q", code, body)
	}
	if got := resp.Header; got.Get("Content-Type") != "text/plain; charset=utf-8" || got.Get("X-Content-Type-Options") != "nosniff" {
		s.t.Errorf("the answer may be taken for a page: %v", got)
	}
	if strings.Contains(body, "<") || strings.Count(body, "\n") != 1 {
		s.t.Errorf("the answer reflects: %q", body)
	}
	f := s.recorded(1)[0]
	if f.Outcome != flow.Malformed || f.Error == "" || f.Status() != resp.StatusCode {
		s.t.Errorf("recorded %s %q %d", f.Outcome, f.Error, f.Status())
	}
	if got := s.strict.requests(); len(got) > 0 {
		s.t.Errorf("the server got %q", got)
	}
}

// recorded waits for n more flows.
func (s *smuggling) recorded(n int) []*flow.Flow {
	return s.ending(s.before + n)[s.before:]
}

func (s *smuggling) forwarded(tc smuggle) {
	s.send(tc.raw)()
	for i := range tc.meant {
		if resp, body := s.c.answer(); resp.StatusCode != 200 || !strings.HasSuffix(body, "/sent") {
			s.t.Fatalf("answer %d: %d %q", i+1, resp.StatusCode, body)
		}
	}
	if !strings.Contains(tc.raw, "close") {
		s.send(strings.Replace(get, "{T}", "{T}/probe", 1) + "\r\n")()
		if resp, body := s.c.answer(); resp.StatusCode != 200 || !strings.HasSuffix(body, "/probe") {
			s.t.Fatalf("the next request was answered %d %q", resp.StatusCode, body)
		}
		tc.meant++
	}
	s.c.Close()
	flows := s.recorded(tc.meant)
	got := s.strict.requests()
	if err := s.strict.failed(); err != nil || len(got) != tc.meant {
		s.t.Fatalf("the server got %d requests, want %d, %v: %q", len(got), tc.meant, err, got)
	}
	for i, f := range flows {
		if f.Outcome != flow.Completed || !strings.HasSuffix(f.Request.URL, got[i].target) || f.Request.Method != got[i].method || string(f.Request.Body.Content) != got[i].content {
			s.t.Errorf("recorded %s %s %s %q; the server got %+v", f.Outcome, f.Request.Method, f.Request.URL, f.Request.Body.Content, got[i])
		}
	}
}

// strictOrigin reads HTTP/1.1 to the letter: any other byte than those that RFC 9112
// asks for is an error. It answers with the target of each request.
type strictOrigin struct {
	mu  sync.Mutex
	got []strictRequest
	err error
}

type strictRequest struct{ method, target, content string }

func (o *strictOrigin) requests() []strictRequest {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.got
}

func (o *strictOrigin) failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

func (o *strictOrigin) serve(c net.Conn) {
	c.SetDeadline(time.Now().Add(patience))
	var raw bytes.Buffer
	br := bufio.NewReader(io.TeeReader(c, &raw))
	for {
		req, err := readStrictly(br, c)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
			return // no more, or given up in the middle: not a whole request
		}
		o.mu.Lock()
		if err != nil {
			o.err = errors.Join(o.err, fmt.Errorf("%w in %q", err, raw.String()))
		} else {
			o.got = append(o.got, req)
		}
		o.mu.Unlock()
		if err != nil {
			return
		}
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: text/plain\r\n\r\n%s", len(req.target), req.target)
	}
}

func readStrictly(br *bufio.Reader, c io.Writer) (r strictRequest, err error) {
	line, err := strictLine(br)
	if err != nil {
		return r, err
	}
	parts := strings.Split(line, " ")
	if len(parts) != 3 || parts[2] != "HTTP/1.1" || !strings.HasPrefix(parts[1], "/") && parts[1] != "*" || !all([]byte(parts[0]), tokenByte) {
		return r, fmt.Errorf("request line %q", line)
	}
	r.method, r.target = parts[0], parts[1]
	framed := map[string][]string{}
	for {
		if line, err = strictLine(br); err != nil {
			return r, err
		}
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !all([]byte(name), tokenByte) || value == "" || value[0] != ' ' {
			return r, fmt.Errorf("header line %q", line)
		}
		framed[strings.ToLower(name)] = append(framed[strings.ToLower(name)], value[1:])
	}
	length, codings := framed["content-length"], framed["transfer-encoding"]
	if len(framed["host"]) != 1 || len(length)+len(codings) > 1 {
		return r, fmt.Errorf("framing %v", framed)
	}
	if len(framed["expect"]) > 0 {
		io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
	}
	switch {
	case len(length) == 1:
		n, err := strconv.Atoi(length[0])
		if err != nil || strconv.Itoa(n) != length[0] {
			return r, fmt.Errorf("length %q", length[0])
		}
		content := make([]byte, n)
		_, err = io.ReadFull(br, content)
		r.content = string(content)
		return r, err
	case len(codings) == 1 && codings[0] != "chunked":
		return r, fmt.Errorf("coding %q", codings[0])
	case len(codings) == 1:
		r.content, err = strictChunks(br)
	}
	return r, err
}

func strictLine(br *bufio.Reader) (string, error) {
	line, err := br.ReadString('\n')
	if err != nil {
		if line != "" {
			err = io.ErrUnexpectedEOF
		}
		return "", err
	}
	line, ok := strings.CutSuffix(line, "\r\n")
	if !ok || line != "" && !all([]byte(line), valueByte) {
		return "", fmt.Errorf("line %q", line)
	}
	return line, nil
}

func strictChunks(br *bufio.Reader) (string, error) {
	var content strings.Builder
	for {
		line, err := strictLine(br)
		if err != nil {
			return "", err
		}
		n, err := strconv.ParseInt(line, 16, 32)
		if err != nil || strconv.FormatInt(n, 16) != line {
			return "", fmt.Errorf("chunk size %q", line)
		}
		if n == 0 {
			break
		}
		if _, err := io.CopyN(&content, br, n); err != nil {
			return "", io.ErrUnexpectedEOF
		}
		if line, err = strictLine(br); err != nil || line != "" {
			return "", fmt.Errorf("behind a chunk: %q %w", line, err)
		}
	}
	for {
		line, err := strictLine(br)
		if err != nil || line == "" {
			return content.String(), err
		}
	}
}
