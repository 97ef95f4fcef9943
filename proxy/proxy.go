// Package proxy is the way in for devices: it accepts their connections, makes
// flows of what passes, and forwards everything as it came.
//
// A mode ([Modes]) turns an accepted socket into a connection whose destination
// is known. From there on all modes are one: the first bytes are sniffed
// (sniff.go); TLS is accepted with a leaf for the server's name (tls.go); HTTP/1
// heads are checked byte by byte (head.go, stream.go); one http.Server reads the
// requests, of HTTP/1 and HTTP/2 alike, and hands each to the exchange, which
// forwards and records it. What is neither TLS nor HTTP, and what the operator
// does not want decrypted, is forwarded unread (tunnel.go).
//
// QUIC, on whatever port, is refused so that its client comes back over TCP, or passed,
// or accepted with a leaf like TLS (quic.go, http3.go): its requests go the same way.
//
// The package promises that
//
//   - every accepted connection is accounted for: it carried requests, each of
//     which is a flow, or it is one flow of kind [flow.Tunnel] that says why it
//     carried none (account.go). What an open set-up page asks again in clear text
//     is accounted for by the flow of the first time (home.go);
//   - a message that two implementations could read differently is refused with
//     400 and recorded, never forwarded;
//   - what is dialled is what the client asked for, whatever a header claims;
//   - trouble on the wire is the outcome of a flow, never a Go error; and no
//     input makes it panic or wait for ever.
//
// It does not sign certificates ([Leafer]), keep flows ([Recorder]) or judge
// them (Config.Admit): whoever wires the program hands these over. A [Decision] about a
// contact is carried out in refuse.go and refuse_request.go for all ways in, and its flow
// says what was done and which experiments did it.
//
// To debug it, give Config.Log a handler at level debug: it then says what
// http.Server complains about. Everything a client did wrong is in the Error
// of its flow.
package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"telltale/flow"
)

// A Leafer signs a certificate for a server name (a DNS name or an IP address).
// It is asked on every handshake and must be quick for names it has seen.
type Leafer interface {
	Leaf(name string) (*tls.Certificate, error)
}

// A Recorder takes flows. Observe is called when a flow opens, when it is
// answered and when it ends; the value is never changed afterwards. It may block
// to slow the traffic down, but must not fail.
type Recorder interface {
	NextID() flow.ID
	Observe(*flow.Flow)
}

// Config is everything the proxy needs from outside.
type Config struct {
	Leafer   Leafer
	Recorder Recorder
	// Admit decides whether to look inside, forward unread or refuse, and what else is
	// done on purpose. It is asked when the destination is known, again when the SNI is
	// known and, for a request, when the whole flow is known (Request set). Nil inspects
	// all.
	Admit func(*flow.Flow) Decision
	// Modify returns what alters messages now, nil for nothing. It is asked once for each
	// request. Nil: nothing ever does.
	Modify func() Modifier
	// Shape stands in front of the sockets of clients: a slow link. What it returns has, of
	// the methods of a *net.TCPConn that net.Conn does not have, CloseWrite, SetLinger and
	// SyscallConn, which do what those of the socket do. It is called once for each socket,
	// before anything is read from it. What slows flows is noted in them where it is
	// [Shaped]. Nil: sockets are used as they are.
	Shape func(net.Conn) net.Conn
	// Home answers requests to the proxy's own address and to
	// http://setup.telltale/. Nil answers 404.
	Home http.Handler
	// Repeats reports whether a request to Home is one that an open page makes again
	// and again: in clear text, the same answer to it again is not a flow of its own.
	// Nil: none is.
	Repeats func(*http.Request) bool

	Devices    []netip.Addr // only these clients; empty: every private address
	User       string       // proxy authentication; "" needs none
	Password   string
	AllowLocal bool // let devices reach loopback, link-local, own addresses and all networks of this machine
	// AllowNetworks are private networks that devices may reach although they are on
	// another link of this machine than the device. They open neither this machine
	// nor the metadata service of a cloud.
	AllowNetworks []netip.Prefix
	// Resolve names addresses to use instead of DNS.
	Resolve []Resolve

	// QUIC says what becomes of QUIC in the ways in that see it.
	QUIC QUICMode
	// Resolvers are asked what devices ask telltale's own resolver (--dns); empty: those
	// of the system.
	Resolvers []netip.AddrPort

	UpstreamProxy    *url.URL       // nil dials directly
	UpstreamRoots    *x509.CertPool // nil: the system's
	InsecureUpstream bool
	BodyLimit        int64 // bytes of each body that are recorded; 0 none

	DialTimeout time.Duration // 0: 15 s
	// PerClient is how many connections one client may have open; 0 is what the
	// limit of open files allows while it leaves room for other clients, at most 16384.
	PerClient int
	// Note takes a sentence on the proxy's own health that belongs into the record
	// of an audit, such as that a limit was met. The same one may come often. Nil
	// discards.
	Note func(string)

	waits waits        // zero values: defaultWaits
	Log   *slog.Logger // trouble in the tool; nil discards
}

// Resolve is one --resolve rule: reach Host:Port at Addr:ToPort.
type Resolve struct {
	Host   string // canonical; "*" is any
	Port   string // "*" is any
	Addr   netip.Addr
	ToPort string // "" keeps the asked port
}

// QUICMode is what becomes of QUIC (--quic).
type QUICMode int

// The modes of QUIC.
const (
	QUICBlock     QUICMode = iota // refused, so that clients come back over TCP
	QUICPass                      // forwarded unread, and judged by its name
	QUICIntercept                 // decrypted as TLS is
)

// A Mode is one way for a device to reach the proxy.
type Mode struct {
	Name   string                    // as in [flow.Flow.Mode]
	Help   string                    // one line
	Port   string                    // the usual one
	accept func(*Proxy, *connection) // takes the connection over and closes it; nil where [Proxy.Arrive] is the way in
}

// Modes is the only list of the ways in. What each of them sees is in coverage.Ways.
var Modes = []Mode{httpMode, socks5Mode, transparentMode, wireguardMode}

// wireguardMode is the end of a tunnel, which package proxy/wireguard is.
var wireguardMode = Mode{
	Name: modeWireGuard,
	Help: "WireGuard tunnel: every packet of a device, with the WireGuard app from its store",
	Port: "51820",
}

// A Proxy accepts devices' connections on any number of listeners. It is made by
// [New] and safe for use by several goroutines.
type Proxy struct {
	cfg      Config
	log      *slog.Logger
	dialer   *dialer
	exchange *exchange
	tls      *tls.Config // towards clients
	guard    *guard
	waits    waits

	server *http.Server // reads the requests of every connection
	inner  *handoff     // its listener
	served chan struct{}

	base   context.Context // of every request and dial; ends with the last flow
	cancel context.CancelFunc

	mu        sync.Mutex
	listeners map[net.Listener]string // with the name of the mode
	accounts  map[*account]struct{}
	emptied   chan struct{} // closed when closing and no account is left; nil before Shutdown
	emptyOnce sync.Once
	closing   atomic.Bool
	stopping  chan struct{} // closed when closing

	uses     uses
	servings servings

	http3 *http3End // nil where QUIC is not decrypted

	names  *names // by which devices know addresses
	dns    *resolver
	talks  talks // over UDP
	strays strays
	books  books
}

// New returns a proxy that is ready to [Proxy.Serve]. It fails when Leafer or
// Recorder is missing or a setting makes no sense.
func New(cfg Config) (*Proxy, error) {
	switch {
	case cfg.Leafer == nil:
		return nil, errors.New("proxy: no authority to sign certificates with")
	case cfg.Recorder == nil:
		return nil, errors.New("proxy: no recorder to give flows to")
	case cfg.User == "" && cfg.Password != "":
		return nil, errors.New("proxy: a password without a user")
	}
	p := &Proxy{
		cfg: cfg, log: cfg.Log,
		inner:     newHandoff(),
		served:    make(chan struct{}),
		listeners: map[net.Listener]string{},
		accounts:  map[*account]struct{}{},
		stopping:  make(chan struct{}),
		waits:     cfg.waits.filled(),
		names:     newNames(),
	}
	p.strays.p = p
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.base, p.cancel = context.WithCancel(context.Background())
	n, l := newNetwork(), newLimits(openFiles(), cfg.PerClient)
	p.guard = newGuard(&p.cfg, n, l)
	p.dns = newResolver(&p.cfg)
	p.dialer = newDialer(&p.cfg, n)
	if len(cfg.Resolvers) > 0 {
		p.dialer.lookup = p.dns.lookupHost
	}
	p.dialer.places.limit, p.dialer.places.perClient = l.servers, l.perDevice
	p.exchange = newExchange(&p.cfg, p.dialer)
	p.dialer.places.full = func(client netip.Addr) {
		p.exchange.pools.rest(client)
		p.note(serversNote)
	}
	p.tls = p.clientTLS()
	if cfg.QUIC == QUICIntercept {
		var err error
		if p.http3, err = newHTTP3End(p); err != nil {
			return nil, err
		}
	}
	p.server = p.newServer()
	p.talks.wg.Go(func() { p.sweep(p.base.Done()) })
	go func() {
		defer close(p.served)
		if err := p.server.Serve(p.inner); !errors.Is(err, http.ErrServerClosed) {
			p.log.Error("the server of decrypted connections ended", "err", err)
		}
	}()
	return p, nil
}

// Serve accepts connections of explicit HTTP proxy clients from l until
// [Proxy.Shutdown], then returns nil. Any other end is an error. It closes l.
func (p *Proxy) Serve(l net.Listener) error { return p.serve(l, httpMode) }

func (p *Proxy) serve(l net.Listener, m Mode) error {
	if !p.track(l, m) {
		l.Close()
		return errors.New("proxy: already shut down")
	}
	defer p.untrack(l)
	var delay time.Duration
	for {
		raw, err := l.Accept()
		switch {
		case err == nil:
			delay = 0
			p.open(raw, m)
		case p.closing.Load():
			return nil
		case isTransient(err):
			// Out of descriptors or of memory: waiting for a connection to
			// end is better than ending the audit.
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			p.log.Warn("accept failed, trying again", "err", err, "after", delay)
			p.note(acceptNote)
			select {
			case <-time.After(delay):
			case <-p.base.Done():
				return nil
			}
		default:
			return fmt.Errorf("proxy: accept on %s: %w", l.Addr(), err)
		}
	}
}

// isTransient reports whether accepting may work again later, by the same sign
// that net/http goes by.
func isTransient(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

func (p *Proxy) track(l net.Listener, m Mode) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing.Load() {
		return false
	}
	p.listeners[l] = m.Name
	return true
}

func (p *Proxy) untrack(l net.Listener) {
	l.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.listeners, l)
}

// Shutdown stops accepting and lets what is in flight finish until ctx ends;
// then it closes what is left. Every flow has had its final observation when it
// returns. The error is nil when everything finished by itself, ctx's error when
// something had to be cut, and another one when a handler did not return even
// then. A second call waits like the first.
func (p *Proxy) Shutdown(ctx context.Context) error {
	emptied := p.stopAccepting()
	var stopped sync.WaitGroup
	stopped.Go(func() { p.server.Shutdown(ctx) }) //nolint:errcheck // ctx's error is reported below
	if p.http3 != nil {
		stopped.Go(func() { p.http3.stop(ctx) })
	}
	var err error
	select {
	case <-emptied:
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.cancel()
	p.cut(func(*account) bool { return true })
	p.server.Close()
	select {
	case <-emptied:
	case <-time.After(closeTimeout):
		err = fmt.Errorf("proxy: %d connections did not end in %v", p.openConnections(), closeTimeout)
	}
	stopped.Wait()
	<-p.served
	if p.http3 != nil {
		p.http3.close()
	}
	p.talks.close()
	p.strays.close()
	p.exchange.close()
	return err
}

// stopAccepting closes the listeners and every connection on which nothing is
// in flight. The channel is closed when the last connection has ended.
func (p *Proxy) stopAccepting() <-chan struct{} {
	p.mu.Lock()
	if !p.closing.Swap(true) {
		close(p.stopping)
	}
	for l := range p.listeners {
		l.Close()
	}
	if p.emptied == nil {
		p.emptied = make(chan struct{})
		if len(p.accounts) == 0 {
			p.emptyOnce.Do(func() { close(p.emptied) })
		}
	}
	emptied := p.emptied
	p.mu.Unlock()
	// A connection that has carried a request may be writing its answer even
	// though no handler runs: http.Server knows, and closes those that are idle.
	p.cut(func(a *account) bool { return a.idle() })
	return emptied
}

// openConnections counts the connections that have not ended.
func (p *Proxy) openConnections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.accounts)
}

// cut closes the sockets of the chosen connections.
func (p *Proxy) cut(which func(*account) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for a := range p.accounts {
		if which(a) {
			a.cut.Store(true)
			a.raw.Close()
		}
	}
}
