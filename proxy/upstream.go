package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"telltale/flow"
)

// Limits of the pools of connections to servers.
const (
	maxPools        = 512 // pools, of which a device usually has one or two
	maxIdlePerHost  = 256 // Go's default of 2 makes a busy client dial all the time
	idleConnTimeout = 90 * time.Second
	tlsSessions     = 64 // per pool
	maxResponseHead = 4 << 20
	continueTimeout = time.Second
	// An HTTP/2 connection that has been silent for this long is probed, and
	// given up when the probe is not answered. Exchanges that move bytes are
	// never cut by a clock.
	pingAfter   = 30 * time.Second
	pingTimeout = 15 * time.Second
)

// speech is what is spoken with a server: what the client speaks with us, so that
// a server answers as it would have answered the client.
type speech uint8

const (
	speaksH1  speech = iota // HTTP/1.1
	speaksH2                // HTTP/2 over TLS, or HTTP/1.1 where the server has no HTTP/2
	speaksH2C               // HTTP/2 in clear, with prior knowledge (RFC 9113, 3.3)
)

// poolKey tells pools apart. Connections are never shared between devices, nor
// between names: within a pool http.Transport tells them apart by the address
// that was asked for, and sni is set where the client's SNI differs from that.
type poolKey struct {
	device netip.Addr
	speech speech
	sni    string
}

// pools keeps the connections to servers.
type pools struct {
	cfg    *Config
	dialer *dialer

	mu    sync.RWMutex
	pools map[poolKey]*pool
}

type pool struct {
	*http.Transport
	used atomic.Int64 // when it was last asked for, in Unix nanoseconds
}

func newPools(cfg *Config, d *dialer) *pools {
	return &pools{cfg: cfg, dialer: d, pools: map[poolKey]*pool{}}
}

// get returns the pool for a key. It makes room for a new one by forgetting the
// one that was unused for longest: what runs on it goes on.
func (ps *pools) get(key poolKey, now time.Time) *http.Transport {
	ps.mu.RLock()
	p := ps.pools[key]
	ps.mu.RUnlock()
	if p == nil {
		p = ps.add(key)
	}
	p.used.Store(now.UnixNano())
	return p.Transport
}

func (ps *pools) add(key poolKey) *pool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p := ps.pools[key]; p != nil {
		return p
	}
	if len(ps.pools) >= maxPools {
		var oldest poolKey
		least := int64(1<<63 - 1)
		for k, p := range ps.pools {
			if used := p.used.Load(); used < least {
				oldest, least = k, used
			}
		}
		ps.pools[oldest].CloseIdleConnections()
		delete(ps.pools, oldest)
	}
	p := &pool{Transport: ps.transport(key)}
	p.used.Store(time.Now().UnixNano())
	ps.pools[key] = p
	return p
}

// rest ends the connections on which nothing runs, to make room for others: those of
// one client, or all where it is the zero value.
func (ps *pools) rest(client netip.Addr) {
	ps.mu.RLock()
	defer ps.mu.RUnlock()
	for key, p := range ps.pools {
		if !client.IsValid() || scoped(key.device) == client {
			p.CloseIdleConnections()
		}
	}
}

// close does the same for good.
func (ps *pools) close() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for k, p := range ps.pools {
		p.CloseIdleConnections()
		delete(ps.pools, k)
	}
}

// transport returns the transport of a new pool. Every field that changes what
// goes over the wire is set: the defaults have changed between versions of Go.
func (ps *pools) transport(key poolKey) *http.Transport {
	var protocols http.Protocols
	alpn := []string{"http/1.1"}
	switch key.speech {
	case speaksH1:
		protocols.SetHTTP1(true)
	case speaksH2:
		protocols.SetHTTP1(true)
		protocols.SetHTTP2(true)
		alpn = []string{"h2", "http/1.1"}
	case speaksH2C:
		protocols.SetUnencryptedHTTP2(true)
	}
	base := ps.clientTLS(alpn)
	return &http.Transport{
		Proxy: nil, // never from the environment; the dialer knows the upstream proxy
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return ps.dialPlain(ctx, key.device, addr)
		},
		DialTLSContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return ps.dialTLS(ctx, base, key.device, addr, key.sni)
		},
		Protocols:              &protocols,
		DisableCompression:     true, // nothing is asked for that the client did not ask for
		MaxIdleConns:           0,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		MaxConnsPerHost:        0,
		IdleConnTimeout:        idleConnTimeout,
		ResponseHeaderTimeout:  0, // long polls
		ExpectContinueTimeout:  continueTimeout,
		MaxResponseHeaderBytes: maxResponseHead,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}

// clientTLS returns the configuration towards servers, without the name.
func (ps *pools) clientTLS(alpn []string) *tls.Config {
	return &tls.Config{
		NextProtos: alpn,
		RootCAs:    ps.cfg.UpstreamRoots,
		// An app that talks to such a server is what the rule weak-tls looks
		// for: the connection must come about to be seen.
		MinVersion:         tls.VersionTLS10,
		ClientSessionCache: tls.NewLRUClientSessionCache(tlsSessions),
		InsecureSkipVerify: ps.cfg.InsecureUpstream, //nolint:gosec // the operator's choice; checked and recorded in describe
	}
}

// serverConn is a connection to a server with the facts of how it came about,
// which every flow on it records.
type serverConn struct {
	net.Conn
	dialed  dialed
	tls     *flow.ServerTLS // nil in clear; shared by flows, never changed
	tlsTime time.Duration
}

// CloseWrite ends our direction and leaves the other open.
func (c *serverConn) CloseWrite() error { return closeWrite(c.Conn) }

// serverConnOf returns what is known of a connection that http.Transport uses.
func serverConnOf(c net.Conn) *serverConn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	sc, _ := c.(*serverConn)
	return sc
}

// handshakeError is a connection that came about but on which TLS did not, or a
// dial that failed (server is nil then). It keeps what was learned.
type handshakeError struct {
	host   string
	dialed dialed
	server *flow.ServerTLS
	err    error
}

func (e *handshakeError) Error() string {
	if e.server != nil && e.server.Invalid != "" {
		return "the certificate of " + e.host + " is not valid: " + e.server.Invalid
	}
	return "TLS with " + e.host + " failed: " + cause(e.err)
}
func (e *handshakeError) Unwrap() error { return e.err }

// undialedError keeps what was learned by a dial that failed.
type undialedError struct {
	dialed dialed
	err    error
}

func (e *undialedError) Error() string { return e.err.Error() }
func (e *undialedError) Unwrap() error { return e.err }

// maxDials is how many connections are made for one request. A second one is right
// when the server has just ended the first; but http.Transport goes on without end
// where a server ends each HTTP/2 connection instead of answering.
const maxDials = 2

// errEndsEach is what a request fails with for which maxDials connections were made.
var errEndsEach = fmt.Errorf("the server ends each connection without an answer: %w", io.EOF)

// mayDial reports whether another connection may be made for the trip of ctx.
func mayDial(ctx context.Context) bool {
	t := tripOf(ctx)
	return t == nil || t.dials.Add(1) <= maxDials
}

func (ps *pools) dialPlain(ctx context.Context, client netip.Addr, addr string) (net.Conn, error) {
	if !mayDial(ctx) {
		return nil, errEndsEach
	}
	conn, d, err := ps.reach(ctx, client, addr)
	if err != nil {
		return nil, &undialedError{d, err}
	}
	sc := &serverConn{Conn: conn, dialed: d}
	made(ctx, sc)
	return sc, nil
}

// reach connects to addr for a client, by the connection that was dialled in advance
// where there is one.
func (ps *pools) reach(ctx context.Context, client netip.Addr, addr string) (net.Conn, dialed, error) {
	if r := readyIn(ctx); r != nil {
		return r.Conn, r.dialed, nil
	}
	return ps.dialer.dial(ctx, client, addr)
}

// made notes a connection in the trip that it was made for: it may end before the
// request gets to use it.
func made(ctx context.Context, sc *serverConn) {
	if t := tripOf(ctx); t != nil {
		t.made.Store(sc)
	}
}

// dialTLS connects to addr for a client and greets the server by name, or by the
// host of addr where the name is "".
func (ps *pools) dialTLS(ctx context.Context, base *tls.Config, client netip.Addr, addr, name string) (net.Conn, error) {
	if !mayDial(ctx) {
		return nil, errEndsEach
	}
	conn, d, err := ps.reach(ctx, client, addr)
	if err != nil {
		return nil, &undialedError{d, err}
	}
	cfg := base.Clone() // shares the session cache
	if cfg.ServerName = name; name == "" {
		cfg.ServerName, _ = flow.SplitHostPort(addr)
	}
	sc := &serverConn{Conn: conn, dialed: d}
	tc := tls.Client(sc, cfg)
	ctx, cancel := context.WithTimeout(ctx, ps.dialer.timeout)
	defer cancel()
	start := time.Now()
	err = tc.HandshakeContext(ctx)
	sc.tlsTime = time.Since(start)
	sc.tls = ps.describe(tc.ConnectionState(), cfg, err)
	if err != nil {
		conn.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, &handshakeError{cfg.ServerName, d, sc.tls, err}
	}
	made(ctx, sc)
	return tc, nil
}

// describe summarises a handshake, failed or not.
func (ps *pools) describe(s tls.ConnectionState, cfg *tls.Config, err error) *flow.ServerTLS {
	t := &flow.ServerTLS{
		Version: s.Version, CipherSuite: s.CipherSuite, ALPN: s.NegotiatedProtocol,
		Unverified: ps.cfg.InsecureUpstream,
	}
	chain := s.PeerCertificates
	var refused *tls.CertificateVerificationError
	if errors.As(err, &refused) {
		chain, t.Invalid = refused.UnverifiedCertificates, refused.Err.Error()
	}
	if len(chain) == 0 {
		return t
	}
	t.Certificate = flow.NewCertificate(chain[0])
	if ps.cfg.InsecureUpstream {
		if err := verify(chain, cfg); err != nil {
			t.Invalid = err.Error()
		}
	}
	return t
}

// verify does what crypto/tls does where it was not told to leave it.
func verify(chain []*x509.Certificate, cfg *tls.Config) error {
	opts := x509.VerifyOptions{Roots: cfg.RootCAs, DNSName: cfg.ServerName, Intermediates: x509.NewCertPool()}
	for _, c := range chain[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(opts)
	return err
}
