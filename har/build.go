package har

import (
	"crypto/tls"
	"math"
	"net/netip"
	"strings"
	"time"

	"telltale/flow"
)

// build makes a flow of the draft. It returns nil for an entry that is no
// contact, and for one that is no use, which the message explains.
func (d *reader) build() (f *flow.Flow, message string) {
	e := &d.draft
	if own := d.ownRecord(); own != nil {
		if f := d.ownFlow(own); f.Host() != "" && flow.CanonicalHost(flow.Authority(e.url)) != "" {
			return f, ""
		}
		return nil, unusable(e.url)
	}
	if scheme := schemeOf(strings.TrimSpace(e.url)); strings.EqualFold(e.method, "CONNECT") && (scheme == "" || isWeb(scheme)) {
		return d.connectRow() // MQTT has packets of that name, too
	}
	target := d.target()
	if target.local != "" {
		d.skipped(target.local)
		return nil, ""
	}
	if target.host == "" {
		return nil, unusable(e.url)
	}
	socket := e.framed || target.scheme == "ws" || target.scheme == "wss" || strings.EqualFold(e.resource, "websocket")
	if socket {
		d.attachFrames()
	}
	f = &flow.Flow{Kind: flow.HTTP, Mode: "har", Times: d.times()}
	f.Server = d.server(target)
	f.Request = &flow.Request{
		Method: e.method, URL: target.url, Proto: foldProto(e.request.version),
		Header: e.request.header, Trailer: e.request.trailer, Body: d.body(&e.request),
	}
	if f.Request.Method == "" {
		d.note(noteNoMethod)
		f.Request.Method = "GET"
	}
	if f.Request.Proto == "" {
		f.Request.Proto = foldProto(e.response.version)
	}
	d.answer(f)
	switch {
	case socket:
		d.becomeWebSocket(f)
	case !isWeb(target.scheme):
		d.becomeForeign(f, target.scheme)
	}
	if target.secure() || !isWeb(target.scheme) {
		d.tunnels.Saw(f.Server.Asked)
	}
	return f, ""
}

// unusable says what is wrong with an entry's URL.
func unusable(url string) string {
	const shown = 120
	if url == "" {
		return "expected request.url to be an absolute URL, found none"
	}
	if i := strings.LastIndexByte(url, '@'); i >= 0 { // before it a user and a password may stand, wherever they begin
		url = flow.Redacted + url[i:]
	}
	if len(url) > shown {
		url = url[:shown] + "…"
	}
	return "expected request.url to be an absolute URL with a host, found \"" + strings.ToValidUTF8(url, "\ufffd") + "\""
}

// server collects what is known of the server.
func (d *reader) server(t target) flow.Server {
	e := &d.draft
	s := flow.Server{Asked: t.hostPort(), Host: flow.HostClaim(t.host, e.request.authority, e.request.header), TLS: d.serverTLS()}
	address := strings.Trim(strings.TrimSpace(e.address), "[]")
	if addr, err := netip.ParseAddr(address); err == nil {
		s.Dialed = netip.AddrPortFrom(addr, t.portNumber())
	} else if full, err := netip.ParseAddrPort(strings.TrimSpace(e.address)); err == nil {
		s.Dialed = full
	}
	return s
}

// answer fills in the response and the outcome. An attempt that failed is a
// contact all the same.
func (d *reader) answer(f *flow.Flow) {
	e, m := &d.draft, &d.draft.response
	body := d.body(m)
	if e.status > 0 || len(m.header) > 0 || body.Size > 0 {
		f.Response = &flow.Response{
			Status: e.status, Reason: e.reason, Proto: foldProto(m.version),
			Header: m.header, Trailer: m.trailer, Body: body,
		}
		if f.Response.Proto == "" {
			f.Response.Proto = f.Request.Proto
		}
	}
	switch {
	case e.aborted || isAborted(e.failure):
		f.Outcome, f.Error = flow.Abandoned, e.failure
	case e.failure != "":
		f.Outcome, f.Error, f.Failure = flow.UpstreamFailed, e.failure, failureClass(e.failure)
		if f.Failure == flow.FailureCertificate {
			if f.Server.TLS == nil {
				f.Server.TLS = &flow.ServerTLS{}
			}
			f.Server.TLS.Invalid = e.failure
		}
	case f.Response == nil:
		f.Outcome, f.Error = flow.UpstreamFailed, "the file has no response to this request"
	default:
		f.Outcome = flow.Completed
	}
}

// becomeWebSocket turns an exchange into a WebSocket with the frames of the draft.
func (d *reader) becomeWebSocket(f *flow.Flow) {
	f.Kind, f.Frames = flow.WebSocket, d.draft.frames
	for i := range f.Frames {
		if f.Frames[i].FromClient {
			f.Sent += f.Frames[i].Size
		} else {
			f.Received += f.Frames[i].Size
		}
	}
}

// becomeForeign makes of an exchange by a protocol that is not HTTP a connection
// whose content could not be read, unless the file has content after all. So its
// host is judged, and one that is allowed is reported as unread.
func (d *reader) becomeForeign(f *flow.Flow, scheme string) {
	d.note(noteForeign)
	if f.Response != nil || f.Request.Body.Size > 0 {
		return
	}
	f.Kind = flow.Tunnel
	if f.Outcome == flow.UpstreamFailed && d.draft.failure == "" {
		f.Outcome, f.Error = flow.Tunnelled, "the file does not say what was sent by "+scheme
	}
}

// serverTLS returns what the file says of the TLS connection, nil for nothing.
func (d *reader) serverTLS() *flow.ServerTLS {
	t := &d.draft.tls
	version, suite := tlsVersion(t.protocol), cipherSuite(t.cipher)
	if version == 0 && suite == 0 && t.subject == "" && t.issuer == "" {
		return nil
	}
	out := &flow.ServerTLS{Version: version, CipherSuite: suite}
	if t.subject != "" || t.issuer != "" {
		out.Certificate = &flow.Certificate{
			Subject: t.subject, Issuer: t.issuer, DNSNames: t.names,
			NotBefore: seconds(t.validFrom), NotAfter: seconds(t.validTo),
		}
	}
	return out
}

func seconds(n float64) time.Time {
	if !(n > 0 && n < 1e11) {
		return time.Time{}
	}
	return time.Unix(int64(math.Round(n)), 0).UTC()
}

var tlsNoise = strings.NewReplacer(" ", "", "_", "", "v", "")

// tlsVersion reads "TLS 1.3", "TLSv1.3", "QUIC" and their like; 0 is not known.
func tlsVersion(s string) uint16 {
	if s == "" {
		return 0
	}
	switch tlsNoise.Replace(strings.ToLower(s)) {
	case "tls1.3", "tls13", "quic": // QUIC has TLS 1.3 inside (RFC 9001)
		return tls.VersionTLS13
	case "tls1.2", "tls12":
		return tls.VersionTLS12
	case "tls1.1", "tls11": // "TLSv1_1"
		return tls.VersionTLS11
	case "tls1", "tls1.0", "tls10":
		return tls.VersionTLS10
	case "ssl3", "ssl3.0":
		return 0x0300
	}
	return 0
}

// cipherSuite finds a suite by its name in the registry of IANA.
func cipherSuite(name string) uint16 {
	if name == "" {
		return 0
	}
	for _, list := range [][]*tls.CipherSuite{tls.CipherSuites(), tls.InsecureCipherSuites()} {
		for _, s := range list {
			if s.Name == name {
				return s.ID
			}
		}
	}
	return 0
}

// foldProto gives one name to what producers call a protocol version; "" is not
// known.
func foldProto(s string) string {
	switch s { // nearly all
	case "HTTP/1.1", "HTTP/2", "HTTP/3":
		return s
	}
	s = strings.ToLower(strings.TrimSpace(s))
	switch {
	case s == "h2" || s == "h2c" || s == "http2" || s == "http/2" || s == "http/2.0":
		return "HTTP/2"
	case s == "h3" || s == "http3" || s == "http/3" || s == "http/3.0" ||
		strings.HasPrefix(s, "h3-") || strings.Contains(s, "quic"):
		return "HTTP/3"
	case s == "http/1.1" || s == "http1.1" || s == "1.1":
		return "HTTP/1.1"
	case s == "http/1.0" || s == "1.0":
		return "HTTP/1.0"
	case s == "http/0.9":
		return "HTTP/0.9"
	}
	return ""
}
