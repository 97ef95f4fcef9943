package mitmproxy

import (
	"crypto/tls"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"telltale/flow"
)

// newestVersion is the newest version of the format that this package was written for.
const newestVersion = 21

// version remembers the newest version of the format that a flow is in.
func (d *reader) version() {
	v := d.draft.version
	if n, err := strconv.Atoi(v); err == nil && n > newestVersion {
		d.note(noteNewer)
	}
	if d.info.Version == "" || versionNumber(v) > versionNumber(d.info.Version) {
		d.info.Version = v
		d.info.Producer = "mitmproxy"
		if strings.Contains(v, ".") { // until 3.0 the format's version was the program's
			d.info.Producer += " " + v
		}
	}
}

// versionNumber orders versions: those that have a point came first.
func versionNumber(v string) float64 {
	n, err := strconv.ParseFloat(v, 64)
	major, minor, dotted := strings.Cut(v, ".")
	if dotted {
		whole, _ := strconv.ParseFloat(major, 64) // what is no number comes first
		part, _ := strconv.ParseFloat(minor, 64)
		return whole/1e3 + part/1e6
	}
	if err != nil {
		return -1
	}
	return n
}

// build makes a flow of the draft, nil when it is no contact.
func (d *reader) build() *flow.Flow {
	e := &d.draft
	if e.replayed != "" {
		d.note(noteReplayed)
	}
	switch e.kind {
	case "http", "":
		return d.exchange()
	case "websocket":
		return d.oldSocket()
	case "dns":
		if len(e.request.questions) > 0 {
			return d.question()
		}
	case "tcp", "udp":
	default:
		d.note(noteUnknownType)
	}
	return d.stream()
}

// flow begins a flow with what all kinds have.
func (d *reader) flow(kind flow.Kind) *flow.Flow {
	f := &flow.Flow{Kind: kind, Mode: "mitmproxy", Client: d.client(), Times: d.times()}
	if d.draft.edited {
		f.Altered = append(f.Altered, "edited in mitmproxy")
	}
	switch d.draft.replayed {
	case "request":
		f.Altered = append(f.Altered, "sent again by mitmproxy")
	case "response":
		f.Altered = append(f.Altered, "answered by mitmproxy from a recording")
	}
	return f
}

// exchange makes a flow of a request and its response.
func (d *reader) exchange() *flow.Flow {
	e := &d.draft
	q := &e.request
	if strings.EqualFold(q.method, "CONNECT") {
		return d.connect()
	}
	f := d.flow(flow.HTTP)
	f.Server = d.server()
	if e.isSocket || e.isHandshake {
		f.Kind = flow.WebSocket
	}
	f.Request = &flow.Request{
		Method: q.method, URL: d.url(f), Proto: proto(q.proto),
		Header: q.header, Trailer: q.trailer, Body: d.body(q),
	}
	if f.Request.Method == "" {
		f.Request.Method = "GET"
	}
	d.response(f)
	d.outcome(f)
	f.Frames, f.Sent, f.Received = e.messages.frames, e.messages.sent, e.messages.received
	d.servedByMitmproxy(f)
	if d.secure() {
		d.tunnels.Saw(f.Server.Asked)
	}
	return f
}

// response fills in the response.
func (d *reader) response(f *flow.Flow) {
	m := &d.draft.response
	if !m.seen || m.status == 0 && len(m.header) == 0 {
		return
	}
	f.Response = &flow.Response{
		Status: m.status, Reason: m.reason, Proto: proto(m.proto),
		Header: m.header, Trailer: m.trailer, Body: d.body(m),
	}
	if f.Response.Proto == "" {
		f.Response.Proto = f.Request.Proto
	}
}

// servedByMitmproxy finds out whether the flow is mitmproxy's own page, from which
// devices get its certificate. It has no server.
func (d *reader) servedByMitmproxy(f *flow.Flow) {
	if f.Outcome == flow.Completed && d.draft.server.notOpened() && f.Host() == "mitm.it" {
		f.Outcome = flow.Served
	}
}

// notOpened reports whether there never was a connection.
func (c *connection) notOpened() bool { return math.IsNaN(c.start) && math.IsNaN(c.tcp) }

// secure reports whether the request of the draft was encrypted.
func (d *reader) secure() bool {
	switch e := &d.draft; strings.ToLower(e.request.scheme) {
	case "https", "wss":
		return true
	case "http", "ws":
		return false
	default:
		return e.server.tls || e.client.tls
	}
}

// url puts the request's URL together.
func (d *reader) url(f *flow.Flow) string {
	scheme, standard := "http", ":80"
	if d.secure() {
		scheme, standard = "https", ":443"
	}
	if f.Kind == flow.WebSocket {
		scheme = strings.Replace(scheme, "http", "ws", 1)
	}
	path := d.draft.request.path
	if !strings.HasPrefix(path, "/") {
		path = "/" + strings.TrimPrefix(path, "*")
	}
	return scheme + "://" + strings.TrimSuffix(f.Server.Asked, standard) + path
}

// stream makes a flow of a connection of which only the bytes are counted.
func (d *reader) stream() *flow.Flow {
	e := &d.draft
	f := d.flow(flow.Tunnel)
	f.Server = d.server()
	if f.Host() == "" {
		d.skipped(e.kind)
		return nil
	}
	f.Sent, f.Received = e.messages.sent, e.messages.received
	d.outcome(f)
	return f
}

// client says who made the contact.
func (d *reader) client() flow.Client {
	c := &d.draft.client
	from := c.address // until 18
	if c.peer.host != "" {
		from = c.peer
	}
	out := flow.Client{Addr: from.addrPort(), TLS: tlsVersion(c.version), ALPN: c.alpn}
	if c.tls || c.sni != "" || out.TLS != 0 {
		out.Hello = &flow.ClientHello{ServerName: c.sni, ALPN: c.offers}
	}
	return out
}

// times makes the stages of a flow. The connection to the server counts for the flow
// that opened it; mitmproxy does not tell its DNS from its TCP.
func (d *reader) times() flow.Times {
	e := &d.draft
	start := firstKnown(e.request.start, e.created, e.client.start, e.server.start, e.response.start, e.failedAt, e.messages.last)
	if moment(start).IsZero() {
		d.note(noteNoDate)
	}
	t := flow.NoTimes(moment(start))
	if e.server.start >= start {
		t.Connect, t.TLS = span(e.server.start, e.server.tcp), span(e.server.tcp, e.server.setup)
	}
	t.Send, t.Wait, t.Receive = span(e.request.start, e.request.end), span(e.request.end, e.response.start), span(e.response.start, e.response.end)
	last := start
	ends := []float64{e.request.end, e.response.start, e.response.end, e.failedAt, e.messages.last, e.endedAt}
	if e.kind == "tcp" || e.kind == "udp" {
		ends = append(ends, e.client.end, e.server.end)
	}
	for _, end := range ends {
		if end > last {
			last = end
		}
	}
	if t.End = moment(last); t.End.Before(t.Start) {
		t.End = t.Start
	}
	return t
}

// firstKnown returns the first of the numbers that is a time.
func firstKnown(moments ...float64) float64 {
	if i := slices.IndexFunc(moments, func(n float64) bool { return !moment(n).IsZero() }); i >= 0 {
		return moments[i]
	}
	return math.NaN()
}

// span returns the time between two moments; [flow.Unmeasured] when one is not known.
func span(from, to float64) time.Duration {
	a, b := moment(from), moment(to)
	if a.IsZero() || b.IsZero() || b.Before(a) {
		return flow.Unmeasured
	}
	return b.Sub(a)
}

// dialed returns the address that mitmproxy connected to, zero where it is that of a
// further proxy.
func (d *reader) dialed() netip.AddrPort {
	s := &d.draft.server
	if s.chained {
		return netip.AddrPort{}
	}
	if s.peer.host == "" && d.draft.request.ip != "" {
		return endpoint{d.draft.request.ip, d.draft.request.host.port}.addrPort()
	}
	return s.peer.addrPort()
}

// serverTLS returns what the file says of the TLS connection, nil for nothing.
func (d *reader) serverTLS() *flow.ServerTLS {
	s := &d.draft.server
	version := tlsVersion(s.version)
	if version == 0 && s.leaf == nil && moment(s.setup).IsZero() {
		return nil
	}
	return &flow.ServerTLS{Version: version, CipherSuite: cipherSuite(s.cipher, version), ALPN: s.alpn, Certificate: s.leaf}
}

// tlsVersion reads what OpenSSL calls a version; 0 is not known.
func tlsVersion(s string) uint16 {
	switch s {
	case "TLSv1.3", "QUIC", "QUICv1": // QUIC has TLS 1.3 inside (RFC 9001)
		return tls.VersionTLS13
	case "TLSv1.2":
		return tls.VersionTLS12
	case "TLSv1.1":
		return tls.VersionTLS11
	case "TLSv1":
		return tls.VersionTLS10
	case "SSLv3":
		return 0x0300
	}
	return 0
}
