package proxy

import (
	"cmp"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"telltale/flow"
)

// serveHome answers from the set-up page and records that. An open page asks every few
// seconds how far its device is, in clear text: Config.Repeats knows these requests, and
// the same answer to them again is no row. All others are evidence, above all what comes
// over TLS: the device trusts us.
func (p *Proxy) serveHome(c *connection, w http.ResponseWriter, r *http.Request) {
	home := p.cfg.Home
	if home == nil {
		home = http.NotFoundHandler()
	}
	f := c.request(r)
	f.Server.Asked = ""                             // nobody was contacted
	if strings.Contains(r.URL.RawQuery, "token=") { // a permission of ours, which readers of the record do not have
		u := *r.URL
		u.RawQuery = ""
		f.Request.URL = u.String()
	}
	if c.own {
		f.Server.Destination = cmp.Or(f.Server.Destination, c.local)
	}
	rw := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	home.ServeHTTP(rw, r)
	if !c.secure && p.cfg.Repeats != nil && p.cfg.Repeats(r) && p.servings.again(c, r, rw.status) {
		c.account.flows.Add(1) // the row of the first one is the connection's
		return
	}
	f.Outcome = flow.Served
	f.Response = &flow.Response{Status: rw.status, Proto: f.Request.Proto}
	f.Response.Body.Size = rw.size
	p.observe(c, f)
}

// ModeOf returns by which way in a request to [Config.Home] came, as flow.Flow.Mode says it;
// "" for another request. No address that a client claims plays a part in it.
func ModeOf(r *http.Request) string {
	if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
		return c.mode
	}
	return ""
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

// serving is a request that an open set-up page makes again and again.
type serving struct {
	agent string // its User-Agent
	url   string
}

// maxServings bounds what is remembered of the set-up page. Beyond it, each answer is
// a row.
const maxServings = 4096

// servings are the requests of open set-up pages with what they were answered last.
type servings struct {
	mu    sync.Mutex
	seen  map[netip.Addr]map[serving]int
	count int
}

// again reports whether the device was answered so the last time.
func (s *servings) again(c *connection, r *http.Request, status int) bool {
	key := serving{r.UserAgent(), r.URL.String()}
	if len(key.agent)+len(key.url) > 1<<10 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	client := c.client.Addr.Addr()
	of := s.seen[client]
	last, known := of[key]
	switch {
	case known && last == status:
		return true
	case !known && s.count >= maxServings:
		return false
	case s.seen == nil:
		s.seen = map[netip.Addr]map[serving]int{}
	}
	if of == nil {
		of = map[serving]int{}
		s.seen[client] = of
	}
	if of[key] = status; !known {
		s.count++
	}
	return false
}

// forget lets a device that refused our certificate begin anew: what its page asks
// from then on tells of another state.
func (s *servings) forget(client netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count -= len(s.seen[client])
	delete(s.seen, client)
}
