package proxy

import (
	"net/http"
	"net/netip"
	"sync"

	"telltale/flow"
)

// serveHome answers from the set-up page and records that. An open page asks every few
// seconds how far its device is: of equal answers to one device, the first is a row.
func (p *Proxy) serveHome(c *connection, w http.ResponseWriter, r *http.Request) {
	home := p.cfg.Home
	if home == nil {
		home = http.NotFoundHandler()
	}
	f := c.request(r)
	f.Server.Asked = "" // nobody was contacted
	rw := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	home.ServeHTTP(rw, r)
	if !p.servings.first(c, r, rw.status) {
		c.account.flows.Add(1) // the connection has its row already
		return
	}
	f.Outcome = flow.Served
	f.Response = &flow.Response{Status: rw.status, Proto: f.Request.Proto}
	f.Response.Body.Size = rw.size
	p.observe(c, f)
}

// statusWriter remembers what was answered.
type statusWriter struct {
	http.ResponseWriter
	status int
	size   int64
}

func (w *statusWriter) WriteHeader(status int) {
	if status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.size += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController through.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// serving is one answer of the set-up page, as far as it is told from others.
type serving struct {
	client netip.Addr
	agent  string // its User-Agent
	method string
	url    string
	secure bool
	status int
}

// maxServings bounds what is remembered of the set-up page. Beyond it, each answer is
// a row.
const maxServings = 4096

// servings are the answers that have a row.
type servings struct {
	mu   sync.Mutex
	seen map[serving]struct{}
}

// first reports whether no equal answer was given to the device before.
func (s *servings) first(c *connection, r *http.Request, status int) bool {
	key := serving{c.client.Addr.Addr(), r.UserAgent(), r.Method, r.URL.String(), c.secure, status}
	if len(key.agent)+len(key.url) > 1<<10 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, seen := s.seen[key]
	switch {
	case seen:
		return false
	case s.seen == nil:
		s.seen = map[serving]struct{}{}
	case len(s.seen) >= maxServings:
		return true
	}
	s.seen[key] = struct{}{}
	return true
}
