package proxy

import (
	"errors"
	"net/http"
	"sync"
	"time"
)

// flushDelay is how long the head of a response waits for the beginning of its
// body, and a piece of a body of known length for the next, so that they leave in
// one write. Bodies of unknown length may be streams: their pieces do not wait.
const flushDelay = time.Millisecond

// shim stands between goproxy and http.Server. goproxy by itself holds streams
// back that are not event streams, loses 1xx answers, and shares header lines
// between head and trailer.
type shim struct {
	w http.ResponseWriter
	// soon makes the final head leave at once: the library of HTTP/3 writes it with the
	// first bytes of the body, when this has cleared it.
	soon bool
	slow *slowing // is told what is written

	mu     sync.Mutex  // of w: a late head is flushed, and 1xx come, on other goroutines
	making bool        // the final head is being made: no interim answer goes before it
	final  bool        // the final head was written
	dirty  bool        // something was written since the last flush
	sealed bool        // the handler is about to return: w must not be used
	mute   bool        // the answer is given by a relay, not through w
	most   int64       // bytes of content, after which the answer is cut off; 0 for all
	given  int64       // bytes of content that were written
	cut    bool        // the answer was cut off
	timer  *time.Timer // of the handler's goroutine
}

// Header returns the header of http.Server's ResponseWriter. After the head was
// written it holds trailers alone.
func (s *shim) Header() http.Header { return s.w.Header() }

// begin ends interim answers: those of an exchange that failed may still come, on
// another goroutine, while the header of its answer is filled in.
func (s *shim) begin() {
	s.mu.Lock()
	s.making = true
	s.mu.Unlock()
}

// WriteHeader writes the final head.
func (s *shim) WriteHeader(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.final || s.mute || s.sealed {
		return
	}
	s.final, s.dirty = true, true
	s.w.WriteHeader(status)
	if s.soon {
		s.flush()
	}
	clear(s.w.Header()) // http.Server has its copy; what comes now are trailers
}

func (s *shim) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mute {
		return len(p), nil
	}
	s.dirty = true
	defer s.slow.wrote(s.slow.writing())
	if s.most == 0 {
		return s.w.Write(p)
	}
	if room := s.most - s.given; int64(len(p)) > room {
		p, s.cut = p[:room], true
	}
	n, err := s.w.Write(p)
	s.given += int64(n)
	if s.cut && err == nil {
		err = errCut
	}
	return n, err
}

// errCut is met by who writes more of an answer than is given.
var errCut = errors.New("the answer was cut off")

// limit makes the shim cut the answer off after so many bytes of content.
func (s *shim) limit(most int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = most
}

// cutOff returns how many bytes of an answer were given, if it was cut off.
func (s *shim) cutOff() (given int64, cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.given, s.cut
}

// Flush sends what was written.
func (s *shim) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush()
}

func (s *shim) flush() {
	if !s.dirty || s.sealed || s.mute {
		return
	}
	s.dirty = false
	at := s.slow.leaving()
	s.w.(http.Flusher).Flush() // its error comes back from the next Write
	s.slow.wrote(at)
}

// wait sees to it that what was written does not wait for long while the next
// piece is read.
func (s *shim) wait() {
	s.mu.Lock()
	dirty := s.dirty
	s.mu.Unlock()
	switch {
	case !dirty:
	case s.timer == nil:
		s.timer = time.AfterFunc(flushDelay, s.Flush)
	default:
		s.timer.Reset(flushDelay)
	}
}

// came ends the wait.
func (s *shim) came() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// interim forwards a 1xx answer.
func (s *shim) interim(status int, h http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.making || s.final || s.sealed || s.mute {
		return
	}
	header := s.w.Header()
	for k, vs := range h {
		header[k] = vs
	}
	s.w.WriteHeader(status)
	clear(header)
}

// silence makes the shim swallow the answer, which a relay gives.
func (s *shim) silence() {
	s.mu.Lock()
	s.mute = true
	s.mu.Unlock()
}

// seal ends the use of w, also by what may still be running late.
func (s *shim) seal() {
	s.mu.Lock()
	if s.slow.inForce() {
		s.flush() // so that what slows it is known
	}
	s.sealed = true
	s.mu.Unlock()
	s.came()
}
