package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/elazarl/goproxy"

	"telltale/flow"
)

// exchange forwards requests and records them. goproxy's plain handler does the
// exchange; its hooks are where traffic is refused (refuse_request.go), altered
// (modify.go) and recorded.
// goproxy's CONNECT, authority and transport are not used.
type exchange struct {
	cfg    *Config
	waits  waits
	log    *slog.Logger
	pools  *pools
	engine *goproxy.ProxyHttpServer
}

// newExchange returns the exchange of a proxy. close ends it.
func newExchange(cfg *Config, d *dialer) *exchange {
	x := &exchange{cfg: cfg, waits: cfg.waits.filled(), log: cfg.Log, pools: newPools(cfg, d)}
	if x.log == nil {
		x.log = slog.New(slog.DiscardHandler)
	}
	e := goproxy.NewProxyHttpServer()
	e.Logger = goproxyLog{x.log}
	e.ConnectDial = nil // goproxy took it from the environment
	e.Tr = &http.Transport{DialContext: noDial, DialTLSContext: noDial, DisableCompression: true}
	e.KeepAcceptEncoding = true
	e.KeepDestinationHeaders = true // trip.pass fills them in
	e.OnRequest().DoFunc(x.onRequest)
	e.OnResponse().DoFunc(x.onResponse)
	x.engine = e
	return x
}

// serve answers one request, whose URL is absolute, and records it. It is the one
// place in which the flow of a request begins and ends.
func (x *exchange) serve(c *connection, w http.ResponseWriter, r *http.Request) {
	t := x.begin(c, w, r)
	defer t.resetIfAsked()
	x.run(t, r)
	if t.broken {
		panic(http.ErrAbortHandler) // the client must not take what it got for the whole
	}
}

// run seals the flow however the exchange ends, by a panic too.
func (x *exchange) run(t *trip, r *http.Request) {
	defer t.end()
	x.cfg.Recorder.Observe(t.opened)
	x.engine.ServeHTTP(&t.shim, r.WithContext(t))
	if t.upgraded != nil {
		t.relay()
	}
}

// close ends idle connections to servers.
func (x *exchange) close() { x.pools.close() }

// onRequest is goproxy's hook before a request is sent.
func (x *exchange) onRequest(r *http.Request, ctx *goproxy.ProxyCtx) (*http.Request, *http.Response) {
	t := tripOf(r.Context())
	ctx.UserData, ctx.RoundTripper = t, t
	if resp := x.refuse(t, r); resp != nil {
		return r, resp
	}
	cleanRequest(r.Header, t.upgrade)
	if resp := t.modifyRequest(r); resp != nil {
		return r, resp
	}
	t.connection = r.Header["Connection"] // goproxy keeps it for WebSockets alone
	return r, nil
}

// onResponse is goproxy's hook before a response is passed on; resp is nil when
// there is none.
func (x *exchange) onResponse(resp *http.Response, ctx *goproxy.ProxyCtx) *http.Response {
	t := ctx.UserData.(*trip)
	if resp == nil {
		resp = t.fail(ctx.Req, ctx.Error)
	}
	t.pass(resp)
	return resp
}

// fail turns the error of a round trip into an answer for the client.
func (t *trip) fail(r *http.Request, err error) *http.Response {
	t.outcome, t.failure = failureOf(err)
	t.reason = noAnswer(t.server(), err)
	t.learn(err)
	_, cut := t.up.sent()
	var bad *malformed
	if s := t.c.stream; s != nil && cut != nil {
		bad = s.broken.Load()
	}
	switch {
	case bad != nil:
		t.outcome, t.failure, t.reason = flow.Malformed, "", bad.reason
		t.shim.Header().Set("Connection", "close") // http.Server would go on behind the fault
		return t.page(r, bad.status, bad.reason)
	case t.parent.Err() != nil || cut != nil:
		t.outcome, t.failure, t.reason = flow.Abandoned, "", "the client's connection ended before it was answered"
	}
	status := statusOf(&flow.Flow{Outcome: t.outcome, Failure: t.failure})
	return t.page(r, status, t.reason)
}

// learn keeps what a failed dial or handshake found out about the server.
func (t *trip) learn(err error) {
	var shake *handshakeError
	var undialed *undialedError
	switch {
	case errors.As(err, &shake):
		t.dialed, t.serverTLS = shake.dialed, shake.server
	case errors.As(err, &undialed):
		t.dialed = undialed.dialed
	case !t.dialed.Addr.IsValid():
		if sc := t.made.Load(); sc != nil {
			t.dialed, t.serverTLS = sc.dialed, sc.tls
		}
	}
}

// RoundTrip sends the request of a trip: goproxy's way to the transport.
func (t *trip) RoundTrip(r *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
	if t.upgrade {
		r.Header["Connection"] = t.connection
	}
	if t.mod != nil {
		t.mod.sent = *r
		r = &t.mod.sent
	}
	t.address(r)
	t.load(r)
	resp, err := t.pool().RoundTrip(r)
	t.answeredAt = time.Now()
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols:
		t.modifySwitch(resp)
		return t.switchProtocols(resp)
	case resp.StatusCode < 200 || resp.StatusCode > 999:
		resp.Body.Close()
		return nil, fmt.Errorf("the server answered with the status %d, which is none", resp.StatusCode)
	}
	if resp.StatusCode == http.StatusNotModified && resp.ContentLength > 0 {
		resp.Body.Close() // over HTTP/2 it waits for content that does not come
		resp.Body, resp.ContentLength = http.NoBody, 0
	}
	t.modifyResponse(resp)
	t.resp = resp
	t.down.src, t.down.body.expect = resp.Body, resp.ContentLength
	resp.Body = &t.down
	return resp, nil
}

// address points the request at the server that was asked for; its path and query
// leave as they came.
func (t *trip) address(r *http.Request) {
	t.url = *r.URL
	t.url.Host, t.url.User, t.url.Fragment = t.server(), nil, ""
	r.URL, r.RequestURI, r.Close = &t.url, "", false
	if t.mod != nil && t.mod.path {
		return
	}
	// net/url would write some characters of the path in another way; an opaque
	// URL is written as it is, unless it begins like an authority.
	if path, _, _ := strings.Cut(t.target, "?"); len(path) > 0 && path[0] == '/' && !(len(path) > 1 && path[1] == '/') {
		t.url.Opaque = path
	}
	if t.target == "" && r.Method == http.MethodOptions {
		t.url.Path = "*" // RFC 9112, 3.2.4
	}
}

// load puts the request's content behind the tee.
func (t *trip) load(r *http.Request) {
	altered := t.mod != nil && t.mod.load(r)
	if r.ContentLength == 0 {
		r.Body, r.Trailer = http.NoBody, nil
		if len(r.Header["Content-Length"]) > 0 && r.Method != http.MethodGet && r.Method != http.MethodHead {
			r.TransferEncoding = identity // makes the transport send the zero
		}
		return
	}
	if !altered {
		r.Body, r.GetBody = &t.up, t.up.again
	}
	if r.ContentLength < 0 && r.Trailer == nil && !(altered && !t.mod.content.same) {
		// Trailers that were not announced arrive in this map, which the
		// transport reads when the content has ended.
		r.Trailer = http.Header{}
		t.in.Trailer = r.Trailer
	}
	if f, ok := t.shim.w.(interface{ EnableFullDuplex() error }); ok && r.ProtoMajor == 1 {
		// A server may answer while it still reads. Without this, http.Server
		// would eat the rest of the content when the answer begins.
		f.EnableFullDuplex() //nolint:errcheck // never fails
	}
}

var identity = []string{"identity"}

// pool returns the transport to the server.
func (t *trip) pool() *http.Transport {
	key := poolKey{device: t.opened.Client.Addr.Addr()}
	switch {
	case t.in.ProtoMajor < 2, t.moved() && t.url.Scheme == "http" && t.mod.secure: // few servers speak HTTP/2 in clear
		key.speech = speaksH1
	case t.url.Scheme == "https":
		key.speech = speaksH2
	default:
		key.speech = speaksH2C
	}
	if t.moved() {
		key.sni = t.mod.sni
		return t.x.pools.get(key, t.opened.Times.Start)
	}
	// Who gives no name means the one that led it to the address.
	if sni := firstOf(t.opened.Server.SNI, t.opened.Server.Resolved); sni != "" && t.url.Scheme == "https" {
		if host, _ := flow.SplitHostPort(t.opened.Server.Asked); sni != host {
			key.sni = sni
		}
	}
	return t.x.pools.get(key, t.opened.Times.Start)
}

// pass hands the head of the answer to the client.
func (t *trip) pass(resp *http.Response) {
	t.answer(resp)
	t.shim.begin()
	if t.upgraded == nil {
		passHeader(t.shim.w.Header(), resp.Header, resp.StatusCode, t.in.ProtoMajor, resp.ContentLength < 0)
	}
	resp.Header = nil // goproxy has nothing to copy, and no WebSocket to relay
}

// noDial is the way out of goproxy's own transport: there is none.
func noDial(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("goproxy dials no server")
}

// goproxyLog receives what goproxy has to say.
type goproxyLog struct{ log *slog.Logger }

func (l goproxyLog) Printf(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
