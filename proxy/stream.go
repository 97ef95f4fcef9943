package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// halfClosed is how long a client that has ended its direction is waited for. It may
// be gone altogether, which looks the same until something is sent to it.
const halfClosed = 10 * time.Second

// standIn is what http.Server reads in the place of a refused message. It is
// answered by refuse, which knows the refusal.
const standIn = "GET / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n"

// stream is an HTTP/1 connection as http.Server sees it: only whole heads that
// can be read in one way. It follows the framing of the messages, keeps each
// head as it came for the record, and puts a stand-in in the place of the first
// message that it refuses, behind which the stream ends.
//
// In the usual case bytes are read straight into the reader's buffer and looked
// at there.
type stream struct {
	net.Conn // *connection, or *tls.Conn over one
	c        *connection

	// Of the reader. http.Server has one at a time.
	scan    headScan
	body    framing
	coming  *marks // what slowed what came so far of a head; nil for nothing
	post    bool   // the last request was a POST
	held    []byte // the beginning of a head, not shown to http.Server yet
	ready   []byte // checked, to be read next
	failed  error  // what reading ends with
	waiting bool   // held is not to be looked at before paused is over

	// paused while a CONNECT or an upgrade waits for its answer: until then
	// nobody knows what the bytes behind it are.
	paused  atomic.Bool
	raw     atomic.Bool               // hijacked: what comes is not HTTP any more
	refused atomic.Bool               // the stream ended with a refusal
	broken  atomic.Pointer[malformed] // the content of the last request
	mute    atomic.Bool               // nothing is said any more: see hang

	mu      sync.Mutex
	heads   []head        // shown to http.Server, not served yet
	serving bool          // a request is in its handler
	lapsed  bool          // the deadline for reading has passed
	wake    chan struct{} // closed when it does, or at the end, while a half-closed client is waited for

	patience time.Duration // with half-closed clients

	current head // of the request in its handler
}

// newStream returns the stream of requests that come over conn.
func newStream(c *connection, conn net.Conn) *stream {
	s := &stream{Conn: conn, c: c, patience: halfClosed}
	c.stream = s
	return s
}

// ConnectionState makes http.Server set Request.TLS, as it does for a *tls.Conn.
// It is the zero state on a connection in clear.
func (s *stream) ConnectionState() tls.ConnectionState {
	if t, ok := s.Conn.(*tls.Conn); ok {
		return t.ConnectionState()
	}
	return tls.ConnectionState{}
}

// Write sends p, unless nothing is to be said.
func (s *stream) Write(p []byte) (int, error) {
	if s.mute.Load() {
		return len(p), nil
	}
	return s.Conn.Write(p)
}

// CloseWrite half-closes the connection.
func (s *stream) CloseWrite() error { return closeWrite(s.Conn) }

// Close closes the connection. Behind a refusal it first reads what the client
// still sends: closing with unread bytes makes the kernel send a reset, which
// can overtake the answer.
func (s *stream) Close() error {
	s.mu.Lock()
	s.rouse()
	s.mu.Unlock()
	if s.refused.Load() {
		linger(s.Conn)
	}
	return s.Conn.Close()
}

// Read gives out checked bytes.
func (s *stream) Read(p []byte) (int, error) {
	for {
		if len(s.ready) > 0 {
			n := copy(p, s.ready)
			if s.ready = s.ready[n:]; len(s.ready) == 0 {
				s.ready = nil
			}
			return n, nil
		}
		if s.raw.Load() {
			if len(s.held) == 0 {
				return s.Conn.Read(p)
			}
			s.ready, s.held = s.held, nil
			continue
		}
		if s.failed != nil {
			return 0, s.ended()
		}
		if n, err := s.more(p); n > 0 || err != nil {
			if n == 0 && err == io.EOF {
				err = s.awaitAnswer()
			}
			return n, err
		}
	}
}

// ended returns what reading ends with: for the request with broken content the
// reason, and for the one that http.Server looks for behind it, nothing more to come.
func (s *stream) ended() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.serving {
		return io.EOF
	}
	return s.failed
}

// awaitAnswer waits, behind the end of what the client sends, until the requests
// that came before it are answered, as RFC 9112, 9.6 wants of a server: http.Server
// takes that end for the client's leaving, and gives its request up. Over TLS
// nobody half-closes, and there is none of this.
func (s *stream) awaitAnswer() error {
	s.mu.Lock()
	answering := (s.serving || len(s.heads) > 0) && s.body.state == between && len(s.held) == 0 && !s.c.secure
	if !answering {
		s.mu.Unlock()
		return io.EOF
	}
	if s.lapsed {
		s.mu.Unlock()
		return os.ErrDeadlineExceeded
	}
	wake := make(chan struct{})
	s.wake = wake
	s.mu.Unlock()
	timer := time.NewTimer(s.patience)
	defer timer.Stop()
	select {
	case <-wake:
		return os.ErrDeadlineExceeded
	case <-timer.C:
		return io.EOF
	}
}

// SetReadDeadline ends the wait for an answer too, if t has passed: http.Server
// ends so the read that it keeps beside a request.
func (s *stream) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	if s.lapsed = !t.IsZero() && !t.After(time.Now()); s.lapsed {
		s.rouse()
	}
	s.mu.Unlock()
	return s.Conn.SetReadDeadline(t)
}

// rouse ends awaitAnswer. mu is held.
func (s *stream) rouse() {
	if s.wake != nil {
		close(s.wake)
		s.wake = nil
	}
}

// more reads once. It returns how many bytes at the beginning of p are checked;
// none and no error when nothing is ready or it is in s.ready.
func (s *stream) more(p []byte) (int, error) {
	paused := s.paused.Load()
	if s.waiting && !paused {
		s.waiting = false
		s.release()
		return 0, nil
	}
	if len(s.held) == 0 && len(p) > 0 && !paused {
		n, err := s.Conn.Read(p)
		good := s.inspect(p[:n])
		if good < n && s.failed == nil {
			s.held = append(make([]byte, 0, max(1024, 2*(n-good))), p[good:n]...)
		}
		return good, s.note(err)
	}
	if cap(s.held)-len(s.held) < 512 {
		s.held = append(make([]byte, 0, max(1024, 2*cap(s.held))), s.held...)
	}
	n, err := s.Conn.Read(s.held[len(s.held):cap(s.held)])
	s.held = s.held[:len(s.held)+n]
	if !paused {
		s.release()
	} else if s.waiting = true; len(s.held) > maxHead {
		s.failed = errEagerUpgrade
		return 0, s.failed
	}
	return 0, s.note(err)
}

// release moves what is checked of held to ready.
func (s *stream) release() {
	good := s.inspect(s.held)
	if s.failed == nil {
		s.ready, s.held = s.held[:good:good], s.held[good:]
		if len(s.held) == 0 {
			s.held = nil
		}
		return
	}
	s.ready = append(s.held[:good:good], s.ready...)
	s.held = nil
}

// inspect returns how many bytes of b are whole heads or content. What follows
// them is the beginning of a head, or refused.
func (s *stream) inspect(b []byte) int {
	i := 0
	for i < len(b) {
		if s.body.state != between {
			n, bad := s.body.skip(b[i:])
			i += n
			if bad != nil {
				s.failed = bad      // the handler reads it as the end of the body,
				s.broken.Store(bad) // if net/http has not found another fault by then
				return i
			}
			continue
		}
		if s.post && s.scan.line == 0 && b[i] == '\r' {
			// RFC 9112, 2.2: old clients send an empty line behind the
			// content of a POST. http.Server skips it.
			if i+1 == len(b) {
				return i
			}
			if b[i+1] == '\n' {
				s.post = false
				i += 2
				continue
			}
		}
		s.coming = s.coming.with(s.c.arrived())
		n, bad := s.scan.scan(b[i:])
		if bad == nil && n > 0 && s.scan.connect && s.c.asked != "" {
			bad = errNested
		}
		if bad != nil {
			s.refuse(b[i:], bad)
			return i
		}
		if n == 0 {
			return i
		}
		s.admit(b[i : i+n])
		if i += n; s.paused.Load() {
			s.waiting = i < len(b)
			return i
		}
	}
	return i
}

// admit takes note of a head that may be served, and of what follows it.
func (s *stream) admit(b []byte) {
	h := head{raw: string(b), slow: s.coming, upgrade: s.scan.connect || s.scan.upgrade && s.scan.codings == 0 && s.scan.length == 0}
	s.post = bytes.HasPrefix(b, []byte("POST "))
	s.body = framing{left: s.scan.length}
	switch {
	case s.scan.codings > 0:
		s.body.state = chunkSize
	case s.scan.length > 0:
		s.body.state = content
	}
	s.scan, s.coming = headScan{}, nil
	if h.upgrade {
		s.paused.Store(true)
	}
	s.mu.Lock()
	s.heads = append(s.heads, h)
	s.mu.Unlock()
}

// refuse ends the stream with a message that is answered but not served.
func (s *stream) refuse(b []byte, bad *malformed) {
	if len(b) > maxHead {
		b = b[:maxHead]
	}
	s.mu.Lock()
	s.heads = append(s.heads, head{raw: string(b), slow: s.coming, refused: bad})
	s.mu.Unlock()
	s.failed = io.EOF
	s.refused.Store(true)
	s.ready = []byte(standIn)
}

// begin makes the next head the current one. It is called once for each request
// that http.Server hands out, which it does in the order of their heads.
func (s *stream) begin() head {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serving = true
	if len(s.heads) == 0 {
		return head{} // http.Server read a request of which we saw no head
	}
	s.current = s.heads[0]
	s.heads = s.heads[:copy(s.heads, s.heads[1:])] // short: few clients pipeline
	return s.current
}

// end is called when the current request was answered. If it asked for another
// protocol, it did not get it.
func (s *stream) end() {
	s.mu.Lock()
	s.serving = false
	s.mu.Unlock()
	if s.current.upgrade {
		s.paused.Store(false)
	}
}

// hijacked is called when http.Server gave the connection away.
func (s *stream) hijacked() { s.raw.Store(true) }

// note keeps what the client's last words were, for the record of a connection
// that carries no request.
func (s *stream) note(err error) error {
	if err == nil {
		return nil
	}
	var slow net.Error
	if !errors.As(err, &slow) || !slow.Timeout() { // http.Server ends its idle reads with a timeout
		s.c.account.lastWords(s.c, err, len(s.held))
	}
	return err
}

// first reads until the first head is there or refused, without giving
// anything out.
func (s *stream) first() (head, error) {
	for {
		s.mu.Lock()
		if len(s.heads) > 0 {
			h := s.heads[0]
			s.mu.Unlock()
			return h, nil
		}
		s.mu.Unlock()
		var none [0]byte
		if _, err := s.more(none[:]); err != nil {
			return head{}, err
		}
	}
}
