// Package flowtest builds flows for tests.
//
// Each builder returns a complete flow as the proxy would have observed it at
// its end, on a fixed clock and with fixed addresses, so that goldens do not
// move. Options change one fact each and are applied in order. A test that needs
// a fact which has no option sets the field of the returned flow: nobody else
// holds it yet.
//
// It is for tests alone and promises nothing to the program.
package flowtest

import (
	"crypto/tls"
	"net/netip"
	"strings"
	"time"

	"telltale/flow"
)

// Epoch is when every built flow starts, unless [At] says otherwise.
var Epoch = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// UserAgent names the app that makes the built requests, unless [UserAgentOf]
// says otherwise.
const UserAgent = "CovidShield/1.0.2 CFNetwork/1120 Darwin/19.0.0"

// Phone is the address from which built flows come, and Target the one they reach.
var (
	Phone  = netip.MustParseAddrPort("192.168.1.23:50123")
	Target = netip.MustParseAddr("192.0.2.10") // TEST-NET-1, RFC 5737
)

// Option changes one fact of a flow.
type Option func(*flow.Flow)

// Get returns a completed GET of an absolute URL, answered 200 without content.
func Get(url string, opts ...Option) *flow.Flow { return Request("GET", url, opts...) }

// Head returns a completed HEAD of an absolute URL, answered 204: the usual
// reachability probe.
func Head(url string, opts ...Option) *flow.Flow {
	return Request("HEAD", url, append([]Option{Status(204)}, opts...)...)
}

// Post returns a completed POST of a JSON text.
func Post(url, body string, opts ...Option) *flow.Flow {
	base := []Option{Header("Content-Type", "application/json"), RequestBody(body)}
	return Request("POST", url, append(base, opts...)...)
}

// Request returns a completed exchange. The scheme of the URL decides whether
// there was TLS towards the server (1.3, valid) and the client (1.3).
func Request(method, url string, opts ...Option) *flow.Flow {
	f := connection(hostPort(url))
	f.Kind, f.Outcome = flow.HTTP, flow.Completed
	f.Server.Host = strings.TrimSuffix(strings.TrimSuffix(f.Server.Asked, ":443"), ":80")
	f.Request = &flow.Request{
		Method: method, URL: url, Proto: "HTTP/1.1",
		Header: []flow.Field{flow.NewField("Host", f.Server.Host), flow.NewField("User-Agent", UserAgent)},
	}
	f.Response = &flow.Response{Status: 200, Reason: "OK", Proto: "HTTP/1.1"}
	if !f.Cleartext() {
		f.Server.TLS = &flow.ServerTLS{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, ALPN: "http/1.1"}
		hello(f)
		f.Client.TLS, f.Client.ALPN = tls.VersionTLS13, "http/1.1"
	}
	return apply(f, opts)
}

// WebSocket returns a WebSocket (ws:// or wss:// URL) that was closed in order.
func WebSocket(url string, frames []flow.Frame, opts ...Option) *flow.Flow {
	f := Request("GET", url)
	f.Kind = flow.WebSocket
	f.Response.Status, f.Response.Reason = 101, "Switching Protocols"
	f.Frames = frames
	for _, frame := range frames {
		if frame.FromClient {
			f.Sent += frame.Size
		} else {
			f.Received += frame.Size
		}
	}
	return apply(f, opts)
}

// Text returns a text frame, and [Epoch] plus after as its time.
func Text(fromClient bool, after time.Duration, s string) flow.Frame {
	return flow.Frame{Time: Epoch.Add(after), FromClient: fromClient, Opcode: 1, Size: int64(len(s)), Data: []byte(s)}
}

// Refused returns a connection whose client refused our certificate. The target
// is "host" or "host:port".
func Refused(target string, opts ...Option) *flow.Flow {
	f := connection(withPort(target, "443"))
	hello(f)
	f.Kind, f.Outcome = flow.Tunnel, flow.ClientRefused
	f.Client.Hello.Alert = "unknown_ca (48)"
	f.Error = "the client refused the certificate: unknown_ca (48)"
	f.Server.Dialed = netip.AddrPort{}
	return apply(f, opts)
}

// Tunnel returns a connection that was forwarded unread, neither TLS nor HTTP.
func Tunnel(target string, opts ...Option) *flow.Flow {
	f := connection(withPort(target, "443"))
	f.Kind, f.Outcome = flow.Tunnel, flow.Tunnelled
	f.Sent, f.Received = 120, 340
	return apply(f, opts)
}

// PassedThrough returns a TLS connection that the operator asked not to decrypt.
func PassedThrough(target string, opts ...Option) *flow.Flow {
	f := Tunnel(target)
	hello(f)
	f.Outcome = flow.PassedThrough
	return apply(f, opts)
}

// Failed returns an exchange whose server could not be reached or verified;
// class is one of the flow.Failure constants. The client was answered 502.
func Failed(url, class string, opts ...Option) *flow.Flow {
	f := Get(url)
	f.Outcome, f.Failure, f.Error = flow.UpstreamFailed, class, "the server could not be reached: "+class
	f.Response, f.Server.TLS, f.Server.Dialed = nil, nil, netip.AddrPort{}
	return apply(f, opts)
}

// Number gives the flows the IDs 1, 2, … and returns them.
func Number(flows ...*flow.Flow) []*flow.Flow {
	for i, f := range flows {
		f.ID = flow.ID(i + 1)
	}
	return flows
}

// connection returns what all flows share. Each stage is measured, and the flow
// ends 100 ms after it began.
func connection(asked string) *flow.Flow {
	f := &flow.Flow{ID: 1, Mode: "http", Client: flow.Client{Addr: Phone}, Server: flow.Server{Asked: asked}}
	_, port := flow.SplitHostPort(asked)
	f.Server.Dialed = netip.AddrPortFrom(Target, portNumber(port))
	const ms = time.Millisecond
	f.Times = flow.Times{
		Start: Epoch, End: Epoch.Add(100 * ms), Blocked: flow.Unmeasured,
		DNS: 5 * ms, Connect: 10 * ms, TLS: 20 * ms, Send: 1 * ms, Wait: 60 * ms, Receive: 4 * ms,
	}
	return f
}

func hello(f *flow.Flow) {
	name := flow.CanonicalHost(f.Server.Asked)
	f.Server.SNI = name
	f.Client.Hello = &flow.ClientHello{
		ServerName: name, ALPN: []string{"h2", "http/1.1"},
		Versions: []uint16{tls.VersionTLS13, tls.VersionTLS12}, JA4: "t13d1516h2_8daaf6152771_02713d6af862",
	}
}

func apply(f *flow.Flow, opts []Option) *flow.Flow {
	for _, o := range opts {
		o(f)
	}
	return f
}
