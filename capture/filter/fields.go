package filter

import (
	"crypto/tls"
	"strings"

	"telltale/flow"
	"telltale/policy"
)

// Field documents one name of the language.
type Field struct {
	Name   string
	Type   string // "text" or "number"
	Help   string
	Values []string // those that are known beforehand, for completion; nil for the rest
	read   any      // func(*sighting) string, int or float64
}

// sighting is what an expression sees: one flow and what the policy says of it.
type sighting struct {
	flow      *flow.Flow
	judgement policy.Judgement
	device    func(*flow.Flow) string // see [Filter.NameDevices]; nil without
	body      string                  // once it was asked for
	decoded   bool
}

type (
	textReader   = func(*sighting) string
	countReader  = func(*sighting) int
	amountReader = func(*sighting) float64
)

func text(name, help string, read textReader, values ...string) Field {
	return Field{name, "text", help, values, read}
}

func count(name, help string, read countReader) Field {
	return Field{name, "number", help, nil, read}
}

// Fields lists what an expression may name.
var Fields = []Field{
	text("host", "host that was contacted", func(s *sighting) string { return s.flow.Host() }),
	text("port", "port that was contacted", func(s *sighting) string { return s.flow.Port() }, "443", "80"),
	text("method", "request method; CONNECT for a connection that could not be read", func(s *sighting) string { return s.flow.Method() },
		"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "QUERY"),
	text("path", "path of the URL, percent-encoding removed", func(s *sighting) string { return s.flow.Path() }),
	text("query", "query of the URL, as sent, without the question mark", query),
	text("url", "whole URL", func(s *sighting) string { return s.flow.URL() }),
	count("status", "status of the response; 0 for none", func(s *sighting) int { return s.flow.Status() }),
	count("size", "bytes of content, both directions", func(s *sighting) int { return int(s.flow.BytesSent() + s.flow.BytesReceived()) }),
	count("sent", "bytes of content sent", func(s *sighting) int { return int(s.flow.BytesSent()) }),
	count("received", "bytes of content received", func(s *sighting) int { return int(s.flow.BytesReceived()) }),
	{"duration", "number", "milliseconds from start to end; 0 while open", nil, func(s *sighting) float64 { return s.flow.Duration().Seconds() * 1000 }},
	text("time", "when it began, in UTC: 2026-01-02T15:04:05.000Z", began),
	text("verdict", "what the policy says", func(s *sighting) string { return string(s.judgement.Verdict) }, verdicts...),
	text("rule", "rule that names the violation", func(s *sighting) string { return string(s.judgement.Rule()) }, rules()...),
	text("category", "class of the host in the catalogue", func(s *sighting) string { return s.judgement.Category }),
	text("protocol", "protocol spoken with the client", func(s *sighting) string { return s.flow.Protocol() },
		"HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/3", "WebSocket", "DNS", "TLS", "TCP"),
	text("kind", "sort of contact; tunnel for a connection that could not be read", func(s *sighting) string { return string(s.flow.Kind) },
		string(flow.HTTP), string(flow.WebSocket), string(flow.DNS), string(flow.Tunnel)),
	text("mode", "the way in", func(s *sighting) string { return s.flow.Mode }, "http", "socks5", "wireguard", "har", "mitmproxy"),
	text("client", "address of the device", client),
	text("device", "name of the device, where one is known", device),
	text("app", "User-Agent of the request", func(s *sighting) string { return s.flow.UserAgent() }),
	text("outcome", "how the flow ended", func(s *sighting) string { return string(s.flow.Outcome) }, outcomes...),
	text("failure", "why the server could not be reached or read", func(s *sighting) string { return s.flow.Failure }, failures...),
	text("error", "what went wrong, in words", func(s *sighting) string { return s.flow.Error }),
	text("altered", "what telltale changed on the wire, in words", func(s *sighting) string { return strings.Join(s.flow.Altered, "\n") }),
	text("phase", "mark that was set when the flow began", func(s *sighting) string { return s.flow.Phase }),
	text("headers", "header lines of request and response, secrets masked", func(s *sighting) string { return headerLines(s.flow) }),
	text("body", "content of request and response, and WebSocket texts: 256 KiB of each, decoded", (*sighting).content),
	text("address", "IP address that was connected to", address),
	text("sni", "server name in the client's TLS hello", func(s *sighting) string { return s.flow.Server.SNI }),
	text("tls", "version of TLS towards the server", tlsVersion, "1.0", "1.1", "1.2", "1.3"),
	text("alpn", "protocol agreed with the server", alpn, "h2", "http/1.1"),
	text("ja4", "fingerprint of the client's TLS hello", ja4),
	count("id", "number of the flow in its capture", func(s *sighting) int { return int(s.flow.ID) }),
}

// verdicts, outcomes and failures are the known values of their fields.
var (
	verdicts = []string{string(policy.Violation), string(policy.Allowed), string(policy.Ignored), string(policy.Waived)}
	outcomes = []string{
		string(flow.Open), string(flow.Completed), string(flow.ClientRefused), string(flow.ClientSilent), string(flow.HandshakeFailed),
		string(flow.UpstreamFailed), string(flow.PassedThrough), string(flow.Tunnelled), string(flow.Blocked), string(flow.DestinationDenied),
		string(flow.ClientDenied), string(flow.Malformed), string(flow.Abandoned), string(flow.Served),
	}
	failures = []string{
		flow.FailureDNS, flow.FailureRefused, flow.FailureReset, flow.FailureTimeout, flow.FailureCertificate,
		flow.FailureTLS, flow.FailureUnreachable, flow.FailureTruncated, flow.FailureProtocol,
	}
)

func rules() []string {
	all := make([]string, len(policy.Rules))
	for i, r := range policy.Rules {
		all[i] = string(r)
	}
	return all
}

var fieldByName = func() map[string]Field {
	all := make(map[string]Field, len(Fields))
	for _, f := range Fields {
		all[f.Name] = f
	}
	return all
}()

// bind returns the field as a function of the expression's environment. Functions
// are evaluated where the expression needs them, and not at all behind an `and`
// that is already decided.
func (f Field) bind(s *sighting) any {
	switch read := f.read.(type) {
	case textReader:
		return func() string { return read(s) }
	case countReader:
		return func() int { return read(s) }
	case amountReader:
		return func() float64 { return read(s) }
	}
	panic("filter: field " + f.Name + " has no reader")
}

func query(s *sighting) string {
	if s.flow.Request == nil {
		return ""
	}
	before, _, _ := strings.Cut(s.flow.Request.URL, "#")
	_, q, _ := strings.Cut(before, "?")
	return q
}

// timeLayout has a fixed width, so that texts compare as the times do.
const timeLayout = "2006-01-02T15:04:05.000Z"

func began(s *sighting) string {
	if s.flow.Times.Start.IsZero() {
		return ""
	}
	return s.flow.Times.Start.UTC().Format(timeLayout)
}

func client(s *sighting) string {
	if !s.flow.Client.Addr.IsValid() {
		return ""
	}
	return s.flow.Client.Addr.Addr().Unmap().WithZone("").String()
}

// device returns the name of the client: what somebody says who knows all devices, or what
// the flow carries.
func device(s *sighting) string {
	if s.device != nil {
		return s.device(s.flow)
	}
	return s.flow.Client.Device
}

func address(s *sighting) string {
	if !s.flow.Server.Dialed.IsValid() {
		return ""
	}
	return s.flow.Server.Dialed.Addr().String()
}

func tlsVersion(s *sighting) string {
	if s.flow.Server.TLS == nil {
		return ""
	}
	return strings.TrimPrefix(tls.VersionName(s.flow.Server.TLS.Version), "TLS ")
}

func alpn(s *sighting) string {
	if s.flow.Server.TLS == nil {
		return ""
	}
	return s.flow.Server.TLS.ALPN
}

func ja4(s *sighting) string {
	if s.flow.Client.Hello == nil {
		return ""
	}
	return s.flow.Client.Hello.JA4
}

func headerLines(f *flow.Flow) string {
	var b strings.Builder
	write := func(fields []flow.Field) {
		for _, h := range fields {
			b.WriteString(h.String())
			b.WriteByte('\n')
		}
	}
	if f.Request != nil {
		write(f.Request.Header)
	}
	if f.Response != nil {
		write(f.Response.Header)
	}
	return b.String()
}
