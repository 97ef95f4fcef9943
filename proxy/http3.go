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
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	quicgo "github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"telltale/flow"
)

// Settings of the connections of QUIC towards clients.
const (
	// packetSize3 is the least that every path has room for (RFC 9000, 14): a tunnel may
	// have no more.
	packetSize3 = 1200
	// quicIdle is the silence after which a connection has ended. It is shorter than
	// waits.talk, so that the conversation is still there.
	quicIdle = 90 * time.Second
	// lastWords3 is what the end of an answer gets to reach its client before an ending
	// audit closes the connection.
	lastWords3 = 500 * time.Millisecond

	maxStreamWindow     = 2 << 20
	maxConnectionWindow = 4 << 20
)

// http3End speaks HTTP/3 with clients, in the place of their servers: one server for
// all conversations. Requests go the way of those of HTTP/2 (serveRequest).
type http3End struct {
	p         *Proxy
	wire      *quicWire
	transport *quicgo.Transport
	listener  *quicgo.Listener
	server    *http3.Server
	served    chan struct{}

	mu         sync.Mutex
	handshakes map[netip.Addr]int // under way, by client
	total      int                // of handshakes
}

// Limits of handshakes under way: of one client, and of all before a client has to prove
// by a Retry that it is at its address (RFC 9000, 8.1.2).
const (
	maxHandshakes   = 1 << 10
	freelyValidated = 256
)

// begin counts a handshake in, until done is called. ok is not set where the client has too
// many.
func (i *http3End) begin(client netip.Addr) (done func(), ok bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.handshakes[client] >= maxHandshakes {
		return nil, false
	}
	i.handshakes[client]++
	i.total++
	return sync.OnceFunc(func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.total--
		if i.handshakes[client]--; i.handshakes[client] == 0 {
			delete(i.handshakes, client)
		}
	}), true
}

// crowded reports whether so many handshakes are under way that clients are validated.
func (i *http3End) crowded(net.Addr) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.total >= freelyValidated
}

// newHTTP3End starts the server.
func newHTTP3End(p *Proxy) (*http3End, error) {
	i := &http3End{p: p, wire: newQUICWire(), served: make(chan struct{}), handshakes: map[netip.Addr]int{}}
	i.transport = &quicgo.Transport{Conn: i.wire, ConnectionIDLength: quicIDLength, ConnContext: i.open, VerifySourceAddress: i.crowded}
	i.server = &http3.Server{
		Handler:        http.HandlerFunc(i.serve),
		MaxHeaderBytes: maxH2Head,
		IdleTimeout:    p.waits.idle,
		ConnContext:    i.accepted,
		Logger:         slog.New(debugOnly{p.log.Handler()}),
	}
	var err error
	i.listener, err = i.transport.Listen(i.clientTLS(), &quicgo.Config{
		HandshakeIdleTimeout:       p.waits.handshake,
		MaxIdleTimeout:             quicIdle,
		InitialPacketSize:          packetSize3,
		DisablePathMTUDiscovery:    true,
		MaxStreamReceiveWindow:     maxStreamWindow,
		MaxConnectionReceiveWindow: maxConnectionWindow,
	})
	if err != nil {
		return nil, fmt.Errorf("proxy: listen for QUIC: %w", err)
	}
	go func() {
		defer close(i.served)
		if err := i.server.ServeListener(i.listener); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, quicgo.ErrServerClosed) {
			p.log.Error("the server of HTTP/3 ended", "err", err)
		}
	}()
	return i, nil
}

// clientTLS is the configuration towards clients.
func (i *http3End) clientTLS() *tls.Config {
	cfg := &tls.Config{
		MinVersion:       tls.VersionTLS13, // RFC 9001, 4.2
		CurvePreferences: i.p.tls.CurvePreferences,
		GetCertificate: func(info *tls.ClientHelloInfo) (*tls.Certificate, error) {
			name := info.ServerName
			if name == "" {
				name = info.Context().Value(connectionKey{}).(*connection).asked
			}
			return i.p.cfg.Leafer.Leaf(flow.CanonicalHost(name))
		},
	}
	faultless := cfg.Clone()
	cfg.GetConfigForClient = func(info *tls.ClientHelloInfo) (*tls.Config, error) {
		c := info.Context().Value(connectionKey{}).(*connection)
		if !c.faulty() {
			return nil, nil // the one that shares the keys of session tickets
		}
		s, faulty := info.Context().Value(sessionKey{}).(*session), c.tlsFor(faultless)
		sign := faulty.GetCertificate
		faulty.GetCertificate = func(info *tls.ClientHelloInfo) (*tls.Certificate, error) {
			leaf, err := sign(info)
			s.shown.Store(err == nil)
			return leaf, err
		}
		return faulty, nil
	}
	return http3.ConfigureTLSConfig(cfg)
}

// receive takes a datagram of a conversation.
func (i *http3End) receive(v *conversation, payload []byte) { i.wire.deliver(v, payload) }

// errDenied makes the library refuse a connection.
var errDenied = errors.New("the connection is not served")

// open takes in a connection with which a client begins. It becomes the key of the
// context of its requests.
func (i *http3End) open(ctx context.Context, info *quicgo.ClientInfo) (context.Context, error) {
	peer, ok := info.RemoteAddr.(*quicPeer)
	if !ok {
		return nil, errDenied
	}
	p, v := i.p, peer.v
	if v.quic.isDenied() {
		return nil, errDenied
	}
	f := v.flow()
	s := &session{peer: peer, i: i}
	a := &account{proxy: p, raw: s, from: f.Client.Addr, mode: f.Mode, start: time.Now()}
	c := p.enrol(a, f.Client)
	if c == nil {
		v.tell()
		return nil, errDenied
	}
	s.c, s.account = c, a
	c.decide(v.decided())
	c.asked, c.destination, c.names, c.speech, c.secure = f.Server.Asked, f.Server.Destination, v.names, f.Speech, true
	v.tell()
	a.expect(c, flow.HandshakeFailed, wentSilent3)
	if e := p.guard.enter(f.Client.Addr.Addr(), true); e.why != "" {
		v.quic.deny()
		p.turnAway(c, e)
		return nil, errDenied
	}
	if s.shaken, ok = i.begin(f.Client.Addr.Addr()); !ok {
		v.quic.deny()
		p.turnAway(c, entry{fmt.Sprintf("the client has %d handshakes of QUIC under way", maxHandshakes), true})
		return nil, errDenied
	}
	context.AfterFunc(ctx, func() { s.shaken(); s.ended(context.Cause(ctx)) })
	return context.WithValue(context.WithValue(ctx, connectionKey{}, c), sessionKey{}, s), nil
}

type sessionKey struct{}

// accepted is told when the handshake was done.
func (i *http3End) accepted(ctx context.Context, conn *quicgo.Conn) context.Context {
	s := ctx.Value(sessionKey{}).(*session)
	state := conn.ConnectionState().TLS
	c := *s.c
	c.client.TLS, c.client.ALPN = state.Version, state.NegotiatedProtocol
	c.show()
	s.account.expect(&c, flow.ClientSilent, silentReason)
	s.shaken()
	s.conn.Store(conn)
	s.handshaken.Store(true)
	if s.account.cut.Load() || i.p.closing.Load() && s.account.idle() {
		s.account.cut.Store(true)
		s.Close()
	}
	return context.WithValue(ctx, connectionKey{}, &c)
}

// serve serves one request.
func (i *http3End) serve(w http.ResponseWriter, r *http.Request) {
	s := r.Context().Value(sessionKey{}).(*session)
	s.running.Add(1)
	defer func() {
		if s.running.Add(-1) == 0 && i.p.closing.Load() {
			s.closeSoon()
		}
	}()
	if err := settleLength(w, r); err != nil {
		panic(http.ErrAbortHandler) // the client is gone; nothing of the request is worth a row
	}
	i.p.serveRequest(w, r)
}

// lengthWait is how long a request that needs no content may leave open whether it has
// any.
const lengthWait = time.Second

// settleLength finds out whether a request without a Content-Length has content: the
// library leaves that open, and a server would see a GET with content in chunks. Where
// content is usual it is left to come as it comes.
func settleLength(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength >= 0 {
		return nil
	}
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodConnect:
		return nil
	}
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Now().Add(lengthWait)) //nolint:errcheck // without it the wait is longer
	first := make([]byte, 1)
	n, err := io.ReadFull(r.Body, first)
	control.SetReadDeadline(time.Time{}) //nolint:errcheck // as above
	switch {
	case n > 0:
		r.Body = &begun{r.Body, first}
	case errors.Is(err, io.EOF):
		r.Body, r.ContentLength = http.NoBody, 0
	case isTimeout(err):
	default:
		return err
	}
	return nil
}

// begun is content whose beginning was read already.
type begun struct {
	io.ReadCloser
	first []byte
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.first) > 0 && len(p) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	return b.ReadCloser.Read(p)
}

// stop ends the server like the one of TCP: what is under way may finish until ctx
// ends. No connection is left when the accounts have closed.
func (i *http3End) stop(ctx context.Context) {
	i.listener.Close()
	<-i.served // no connection is accepted any more: http3 counts on that
	i.p.mu.Lock()
	for a := range i.p.accounts {
		if s, ok := a.raw.(*session); ok && s.running.Load() == 0 {
			s.closeSoon()
		}
	}
	i.p.mu.Unlock()
	i.server.Shutdown(ctx) //nolint:errcheck // ctx's error is reported by the proxy
}

// close frees what is left.
func (i *http3End) close() {
	i.server.Close()
	i.transport.Close()
}

// debugOnly lets a library's complaints through at level debug: they are about clients.
type debugOnly struct{ slog.Handler }

func (h debugOnly) Handle(ctx context.Context, r slog.Record) error {
	if !h.Enabled(ctx, slog.LevelDebug) {
		return nil
	}
	r.Level = slog.LevelDebug
	return h.Handler.Handle(ctx, r)
}

// session is a connection of QUIC, as the socket of an account.
type session struct {
	net.Conn // nil: nothing is read from it or written to it as from a socket
	i        *http3End
	peer     *quicPeer
	c        *connection
	account  *account

	conn       atomic.Pointer[quicgo.Conn] // nil before the handshake was done
	shaken     func()                      // the handshake is not under way any more
	handshaken atomic.Bool
	shown      atomic.Bool  // a certificate with a fault was signed for it
	running    atomic.Int32 // requests in their handlers
}

// Close ends the connection, if there is one yet.
func (s *session) Close() error {
	if conn := s.conn.Load(); conn != nil {
		return conn.CloseWithError(quicgo.ApplicationErrorCode(http3.ErrCodeNoError), "")
	}
	return nil
}

// closeSoon ends a connection on which nothing runs, when what was written has had time
// to arrive.
func (s *session) closeSoon() {
	time.AfterFunc(lastWords3, func() {
		if s.running.Load() == 0 {
			s.Close()
		}
	})
}

// LocalAddr returns the address that the client believes to speak with.
func (s *session) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(s.peer.v.key.destination) }

// RemoteAddr returns the client's address.
func (s *session) RemoteAddr() net.Addr { return net.UDPAddrFromAddrPort(s.peer.v.key.client) }

// SetReadDeadline and its siblings have nothing to limit.
func (s *session) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (s *session) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline does nothing.
func (s *session) SetDeadline(time.Time) error { return nil }

const wentSilent3 = "the client went silent in the middle of the TLS handshake"

// ended closes the account of a connection. The cause says why it ended, which matters
// where no request came.
func (s *session) ended(cause error) {
	a := s.account
	if a.flows.Load() == 0 && !a.cut.Load() {
		c, outcome, why := s.judge(cause)
		if outcome != "" {
			a.expect(c, outcome, why)
		}
	}
	s.peer.v.lasts(s.i.p.waits.oneShot)
	s.c.Close()
}

// judge says what the end of a connection without a request means; the outcome is ""
// where what was expected holds.
func (s *session) judge(cause error) (c *connection, o flow.Outcome, why string) {
	s.account.mu.Lock()
	c = s.account.last
	s.account.mu.Unlock()
	var transport *quicgo.TransportError
	var application *quicgo.ApplicationError
	done := s.handshaken.Load()
	broken := errors.As(cause, &transport) && !transport.Remote && !done // by us, so that the certificate need not have left
	if s.shown.Load() && !c.shown && !broken {
		c = c.showing()
	}
	switch {
	case errors.As(cause, &transport):
		alert := alertOfQUIC(transport.ErrorCode)
		switch {
		case transport.Remote && alert != noAlert:
			o, why = c.judgeAlert(alert, true)
			return c.alerted(alert), o, why
		case transport.Remote && !done:
			return c, flow.ClientRefused, "the client closed the connection when it saw our certificate, saying: " + oneLine(transport.Error()) + ". " + pinningHint
		case transport.Remote:
			return c, "", ""
		case s.i.p.closing.Load() && transport.ErrorCode == quicgo.ConnectionRefused:
			return c, flow.Abandoned, "the audit ended before the client made a request"
		case done:
			return c, flow.Malformed, "refused: what the client sent broke the rules of QUIC: " + oneLine(transport.Error())
		}
		return c, flow.HandshakeFailed, "the TLS handshake failed: " + oneLine(transport.Error())
	case errors.As(cause, &application):
		switch {
		case application.Remote && !done:
			return c, flow.ClientRefused, "the client closed the connection when it saw our certificate, without saying why. " + pinningHint
		case !application.Remote && application.ErrorCode != quicgo.ApplicationErrorCode(http3.ErrCodeNoError):
			return c, flow.Malformed, "refused: what the client sent broke the rules of HTTP/3: " + http3.ErrCode(application.ErrorCode).String()
		}
	case c.shown && !done:
		return c, flow.HandshakeFailed, wentSilent3
	}
	return c, "", ""
}

// alertOfQUIC returns the TLS alert in an error code of QUIC (RFC 9001, 4.8).
func alertOfQUIC(code quicgo.TransportErrorCode) alert {
	if code >= 0x100 && code <= 0x1ff {
		return alert(code & 0xff)
	}
	return noAlert
}
