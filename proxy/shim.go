package proxy

import (
	"net/http"
	"sync"
	"time"
)

// headDelay is how long the head of a response waits for the beginning of its
// body, so that both leave in one write.
const headDelay = time.Millisecond

// shim stands between goproxy and http.Server. goproxy by itself holds streams
// back that are not event streams, loses 1xx answers, and shares header lines
// between head and trailer.
type shim struct {
	w http.ResponseWriter

	mu     sync.Mutex // of w: a late head is flushed, and 1xx come, on other goroutines
	final  bool       // the final head was written
	dirty  bool       // something was written since the last flush
	sealed bool       // the handler is about to return: w must not be used
	mute   bool       // the answer is given by a relay, not through w
	timer  *time.Timer
}

// Header returns the header of http.Server's ResponseWriter. After the head was
// written it holds trailers alone.
func (s *shim) Header() http.Header { return s.w.Header() }

// WriteHeader writes the final head.
func (s *shim) WriteHeader(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.final || s.mute || s.sealed {
		return
	}
	s.final, s.dirty = true, true
	s.w.WriteHeader(status)
	clear(s.w.Header()) // http.Server has its copy; what comes now are trailers
}

func (s *shim) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mute {
		return len(p), nil
	}
	s.dirty = true
	return s.w.Write(p)
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
	s.w.(http.Flusher).Flush() // its error comes back from the next Write
}

// expectBody sees to it that the head does not wait for long.
func (s *shim) expectBody() {
	if s.dirty {
		s.timer = time.AfterFunc(headDelay, s.Flush)
	}
}

// bodyCame ends the wait.
func (s *shim) bodyCame() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

// interim forwards a 1xx answer.
func (s *shim) interim(status int, h http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.final || s.sealed || s.mute {
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
	s.sealed = true
	s.mu.Unlock()
	s.bodyCame()
}
