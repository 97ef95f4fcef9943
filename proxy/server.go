package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"

	"telltale/flow"
)

// handoff is the listener of the http.Server that reads all requests: what is
// handed to it was accepted, and looked into, elsewhere.
type handoff struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newHandoff() *handoff {
	return &handoff{conns: make(chan net.Conn), done: make(chan struct{})}
}

// Accept returns the next connection that was handed over.
func (h *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (h *handoff) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr is of no use: each connection has its own.
func (h *handoff) Addr() net.Addr { return &net.TCPAddr{} }

// hand gives a connection to http.Server, which closes it: a *stream, a *tls.Conn
// that agreed on h2, or a *connection with the preface of HTTP/2.
func (p *Proxy) hand(c net.Conn) {
	select {
	case p.inner.conns <- c:
	case <-p.inner.done:
		c.Close()
	}
}

// newServer returns the one server of all requests.
func (p *Proxy) newServer() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           http.HandlerFunc(p.serveRequest),
		Protocols:         protocols,
		ReadHeaderTimeout: p.waits.head,
		IdleTimeout:       p.waits.idle,
		MaxHeaderBytes:    maxH2Head,
		BaseContext:       func(net.Listener) context.Context { return p.base },
		ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, connectionOf(nc))
		},
		ConnState: func(nc net.Conn, state http.ConnState) {
			switch s, ok := nc.(*stream); {
			case ok && state == http.StateHijacked:
				s.hijacked()
			case !ok && state == http.StateActive:
				connectionOf(nc).account.active.Add(1)
			}
		},
		DisableGeneralOptionsHandler: true, // OPTIONS * is for the server, not for us
		ErrorLog:                     slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
}

type connectionKey struct{}

// connectionOf returns the connection below what was handed over.
func connectionOf(nc net.Conn) *connection {
	switch nc := nc.(type) {
	case *stream:
		return nc.c
	case *tls.Conn:
		return nc.NetConn().(*connection)
	}
	return nc.(*connection)
}

// serveRequest serves one request of any connection.
func (p *Proxy) serveRequest(w http.ResponseWriter, r *http.Request) {
	c := r.Context().Value(connectionKey{}).(*connection)
	c.account.hold()
	defer c.account.release()
	defer func() {
		if e := recover(); e != nil {
			if err, ok := e.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				p.logPanic(e)
			}
			panic(http.ErrAbortHandler) // http.Server closes the connection or resets the stream
		}
	}()
	h := head{}
	if c.stream != nil {
		h = c.stream.begin()
		defer c.stream.end()
	}
	switch bad := refusalOf(r, h, c.asked != ""); {
	case bad != nil:
		p.refuse(c, w, r, h, bad)
	case c.asked != "":
		p.serveInside(c, w, r)
	default:
		p.serveFront(c, w, r, h)
	}
}

// logPanic tells of a bug.
func (p *Proxy) logPanic(e any) {
	p.log.Error("a connection was given up after a panic", "panic", e, "stack", string(debug.Stack()))
}

// refusalOf returns why a request must not be served, nil if it may. HTTP/1 was
// checked by the stream.
func refusalOf(r *http.Request, h head, tunnelled bool) *malformed {
	if r.ProtoMajor < 2 {
		return h.refused
	}
	switch hosts := r.Header["Host"]; {
	case r.Method == http.MethodConnect && tunnelled:
		return errNested
	case len(hosts) > 1, len(hosts) == 1 && hosts[0] != r.Host:
		return errTwoHosts // RFC 9113, 8.3.1
	case headSize(r) > maxHead:
		return errLarge
	}
	return unwritable(r)
}

// unwritable returns what keeps a request of HTTP/2 from being written down as
// HTTP/1.1 with the same meaning: http.Server takes a space in a path, which would
// be a second one in the request line.
func unwritable(r *http.Request) *malformed {
	switch {
	case !all([]byte(r.Method), tokenByte):
		return errMethod
	case !all([]byte(r.RequestURI), targetByte):
		return errTarget
	case !all([]byte(r.Host), hostByte):
		return errHost
	case len(r.Header["Content-Length"]) > 1:
		return errTwoLengths
	}
	return nil
}

// headSize is the length of an HTTP/2 head, as RFC 9113, 6.5.2 counts it but
// without the overhead.
func headSize(r *http.Request) int {
	n := len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}

// serveInside serves a request that came through a tunnel. Its host is what it
// claims; what is dialled is what the tunnel was asked for.
func (p *Proxy) serveInside(c *connection, w http.ResponseWriter, r *http.Request) {
	r.URL.Scheme = "http"
	if c.secure {
		r.URL.Scheme = "https"
	}
	if r.URL.Host == "" {
		r.URL.Host = r.Host
	}
	if r.URL.Host == "" {
		r.URL.Host = c.asked
	}
	if isSetup(c.asked) {
		p.serveHome(c, w, r)
		return
	}
	c.account.flows.Add(1)
	if c.secure && !c.account.used.Swap(true) {
		p.uses.add(c)
	}
	p.exchange.serve(c, w, r)
}

// serveFront serves a request to the proxy itself.
func (p *Proxy) serveFront(c *connection, w http.ResponseWriter, r *http.Request, h head) {
	authority := r.URL.Host
	switch {
	case r.Method == http.MethodConnect:
		p.connectLater(c, w, r, h)
	case c.isOwn(authority), isHome(firstOf(authority, r.Host), c.LocalAddr(), authority == ""):
		if r.URL.Host == "" {
			r.URL.Scheme, r.URL.Host = "http", firstOf(r.Host, c.LocalAddr().String())
		}
		p.serveHome(c, w, r)
	case authority == "":
		p.refuse(c, w, r, h, errOriginForm)
	default:
		p.forward(c, w, r, h)
	}
}

// isOwn reports whether a request is for telltale itself whatever port it names: on a
// connection to its address in a tunnel, without a whole URL or with one that names it.
func (c *connection) isOwn(authority string) bool {
	return c.own && (authority == "" || flow.CanonicalHost(authority) == c.local.Addr().String())
}

// forward serves a request with an absolute URL.
func (p *Proxy) forward(c *connection, w http.ResponseWriter, r *http.Request, h head) {
	if verdict := p.authorize(c, h); verdict != granted {
		p.challengeRequest(c, w, h, verdict)
		return
	}
	switch strings.ToLower(r.URL.Scheme) {
	case "ws": // iOS asks for WebSockets so (mitmproxy/mitmproxy#7717)
		r.URL.Scheme = "http"
	case "wss":
		r.URL.Scheme = "https"
	case "http", "https":
	default:
		p.refuse(c, w, r, h, errScheme)
		return
	}
	c.account.flows.Add(1)
	p.exchange.serve(c, w, r)
}

// The refusals of requests that are well-formed but not for a proxy.
var (
	errOriginForm = &malformed{400, "a request for another host without its URL: this is a proxy, to be set as such (RFC 9112, 3.2.2)"}
	errScheme     = &malformed{400, "a URL that is neither http nor https"}
)

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// connectLater serves a CONNECT that follows other requests on its connection.
func (p *Proxy) connectLater(c *connection, w http.ResponseWriter, r *http.Request, h head) {
	if c.stream == nil { // CONNECT over HTTP/2 in clear to the proxy: nobody does
		p.refuse(c, w, r, h, errMethod)
		return
	}
	if verdict := p.authorize(c, h); verdict != granted {
		p.challengeRequest(c, w, h, verdict)
		return
	}
	_, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.log.Error("a CONNECT could not be taken over", "err", err)
		panic(http.ErrAbortHandler)
	}
	early, _ := buffered.Reader.Peek(buffered.Reader.Buffered())
	early = append(append([]byte(nil), early...), c.stream.held...)
	_, target, _ := h.request()
	p.connect(c, target, h, append(early, c.early...))
}

// request returns the flow of a request that does not reach the exchange.
func (c *connection) request(r *http.Request) *flow.Flow {
	f := c.tunnel()
	f.Kind, f.Times = flow.HTTP, flow.NoTimes(f.Times.Start)
	f.Server.Host = r.Host
	f.Request = &flow.Request{Method: r.Method, URL: r.URL.String(), Proto: protoName(r.ProtoMajor, r.ProtoMinor), Header: c.head()}
	if f.Request.Header == nil {
		for name, values := range r.Header {
			for _, v := range values {
				f.Request.Header = append(f.Request.Header, flow.NewField(strings.ToLower(name), v))
			}
		}
	}
	return f
}

// refuse answers a malformed request and records it.
func (p *Proxy) refuse(c *connection, w http.ResponseWriter, r *http.Request, h head, bad *malformed) {
	var f *flow.Flow
	if h.refused != nil {
		f = c.refusedHead(h)
	} else {
		f = c.request(r)
	}
	f.Outcome, f.Error = flow.Malformed, "refused: "+bad.reason
	text := fmt.Sprintf("telltale: %s\n", bad.reason)
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	if r.ProtoMajor < 2 {
		header.Set("Connection", "close")
		if c.stream != nil {
			c.stream.refused.Store(true) // to linger
		}
	}
	w.WriteHeader(bad.status)
	io.WriteString(w, text) //nolint:errcheck,gosec // the client may be gone; the reasons are constants
	f.Response = &flow.Response{Status: bad.status, Proto: protoName(r.ProtoMajor, r.ProtoMinor)}
	f.Response.Body.Size = int64(len(text))
	p.observe(c, f)
}

// refusedHead returns the flow of a head that http.Server was not shown. Garbage
// that is no request at all is a flow of kind Tunnel.
func (c *connection) refusedHead(h head) *flow.Flow {
	f := c.tunnel()
	method, target, proto := h.request()
	if len(method) > 64 || len(method) == 0 || !all([]byte(method), tokenByte) {
		return f
	}
	if method == http.MethodConnect && c.asked == "" {
		f.Server.Asked = printable(target)
		f.Request = &flow.Request{Method: method, Header: h.fields()}
		return f
	}
	f.Kind = flow.HTTP
	f.Request = &flow.Request{Method: method, Header: h.fields()}
	f.Server.Host = flow.Get(f.Request.Header, "Host")
	if strings.HasPrefix(proto, "HTTP/") && len(proto) == len("HTTP/1.1") {
		f.Request.Proto = proto
	}
	scheme, rest, absolute := strings.Cut(target, "://")
	switch {
	case absolute:
		f.Request.URL = printable(target)
		if c.asked == "" {
			host, _, _ := strings.Cut(rest, "/")
			f.Server.Asked = withPort(printable(host[strings.LastIndexByte(host, '@')+1:]), scheme)
		}
	case firstOf(f.Server.Host, c.asked) != "" && strings.HasPrefix(target, "/"):
		scheme := "http://"
		if c.secure {
			scheme = "https://"
		}
		f.Request.URL = scheme + firstOf(f.Server.Host, c.asked) + printable(target)
	}
	return f
}

// printable keeps what a client sent in the place of a target fit for a record:
// bytes that no URL has are percent-encoded, and there is an end to it.
func printable(s string) string {
	if len(s) > 8<<10 {
		s = s[:8<<10]
	}
	if all([]byte(s), targetByte) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if class[s[i]]&targetByte == 0 {
			fmt.Fprintf(&b, "%%%02X", s[i])
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
