package feed

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"
)

const description = `telltale: the live events of an audit

GET /events   server-sent events
GET /ws       the same over WebSocket, a text message each

Both want a token: in a header, Authorization: Bearer TOKEN, or as ?token=TOKEN.
Each event is one JSON object with "event" and "time".
`

// newHTTPServer returns a server that gives a connection little time until it has shown a
// token.
func (s *Server) newHTTPServer() *http.Server {
	return &http.Server{
		Handler: s, ReadHeaderTimeout: s.limits.readHeader, IdleTimeout: s.limits.keepsAlive, MaxHeaderBytes: 16 << 10,
	}
}

// Serve accepts readers from a listener until Close, or until the listener fails. It takes
// the listener over.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(newFewer(l, maxConnections))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'")
	// Without an error: a connection that cannot have a deadline has none to keep.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.limits.write))
	switch {
	case r.URL.Path != "/" && r.URL.Path != "/events" && r.URL.Path != "/ws":
		http.Error(w, "the feed serves /, /events and /ws", http.StatusNotFound)
	case r.Method == http.MethodOptions && r.URL.Path == "/events":
		allowPages(h)
		w.WriteHeader(http.StatusNoContent)
	case r.Method != http.MethodGet:
		h.Set("Allow", http.MethodGet)
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
	case r.URL.Path == "/":
		h.Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(description)) // a visitor who left is nobody's trouble
	default:
		s.read(w, r)
	}
}

// allowPages lets pages of any origin read (Fetch Standard, 3.3): the token is what
// permits, and no browser adds one by itself.
func allowPages(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Headers", "Authorization, Last-Event-ID")
	h.Set("Access-Control-Max-Age", "600")
}

// read serves a reader, if its token is good.
func (s *Server) read(w http.ResponseWriter, r *http.Request) {
	expires, err := s.config.Check(tokenOf(r))
	if err != nil {
		if s.config.Refused != nil {
			s.config.Refused(r.RemoteAddr, err)
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "no valid token", http.StatusUnauthorized)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if r.URL.Path == "/ws" {
		// The request's context says nothing of a connection that was taken over.
		ctx, cancel = context.WithCancel(context.WithoutCancel(r.Context()))
		defer cancel()
	}
	reader, err := s.join(cancel)
	switch {
	case errors.Is(err, errFull):
		w.Header().Set("Retry-After", "10")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	case err != nil:
		// An EventSource comes again and again, unless it is told that there is nothing.
		w.WriteHeader(http.StatusNoContent)
		return
	}
	defer s.leave(reader)
	var why ending
	if r.URL.Path == "/ws" {
		why = s.serveSocket(ctx, w, r, reader, expires)
	} else {
		allowPages(w.Header())
		why = s.serveEvents(ctx, w, r, reader, expires)
	}
	if why == dropped && s.config.Dropped != nil {
		s.config.Dropped(r.RemoteAddr)
	}
}

// tokenOf returns the token of a request: of the header (RFC 6750, 2.1), or, since a
// browser's EventSource and WebSocket cannot set one, of the query (2.3).
func tokenOf(r *http.Request) string {
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return r.URL.Query().Get("token")
}
