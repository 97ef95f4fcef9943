// Package proxy is the way in for devices: it accepts their connections, makes
// flows of what passes, and forwards everything as it came.
package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
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

// Admission is what may be done with a connection.
type Admission int

// The admissions.
const (
	Inspect Admission = iota
	PassThrough
	Block
)

// Config is everything the proxy needs from outside.
type Config struct {
	Leafer   Leafer
	Recorder Recorder
	// Admit decides whether to look inside, forward unread or refuse. It is
	// asked when the destination is known, again when the SNI is known and,
	// for a request, when the whole flow is known (Request set). Nil inspects all.
	Admit func(*flow.Flow) (Admission, string)
	// Home answers requests to the proxy's own address and to
	// http://setup.telltale/. Nil answers 404.
	Home http.Handler

	Devices    []netip.Addr // only these clients; empty: every private address
	User       string       // proxy authentication; "" needs none
	Password   string
	AllowLocal bool // let devices reach loopback, link-local and own addresses
	// Resolve names addresses to use instead of DNS.
	Resolve []Resolve

	UpstreamProxy    *url.URL       // nil dials directly
	UpstreamRoots    *x509.CertPool // nil: the system's
	InsecureUpstream bool
	BodyLimit        int64 // bytes of each body that are recorded; 0 none

	DialTimeout time.Duration // 0: 15 s
	Log         *slog.Logger  // trouble in the tool; nil discards
}

// Resolve is one --resolve rule: reach Host:Port at Addr:ToPort.
type Resolve struct {
	Host   string // canonical; "*" is any
	Port   string // "*" is any
	Addr   netip.Addr
	ToPort string // "" keeps the asked port
}

// connection is what is known of one accepted client connection before its
// requests are read. It is filled in by the way in and by TLS acceptance, and is
// constant once requests are served on it.
type connection struct {
	net.Conn
	mode   string
	client flow.Client
	asked  string // host:port of the destination; "" when requests carry it (absolute-form)
	secure bool   // TLS was accepted: requests are https
}
