package filter

import (
	"cmp"
	"crypto/tls"
	"slices"
	"strings"

	"telltale/exposure"
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
	app       func(*flow.Flow) string // see [Filter.NameApps]; nil without
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
	text("method", "request method; CONNECT for a connection that could not be read, QUERY for DNS, UDP, PING, IP, CONTACT", func(s *sighting) string { return s.flow.Method() },
		"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "QUERY", "UDP", "PING", "IP", "CONTACT"),
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
		"HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/3", "WebSocket", "DNS", "TLS", "TCP", "UDP", "ICMP", "QUIC v1", "NTP", "STUN"),
	text("kind", "sort of contact; tunnel for a connection that could not be read, contact for what the phone itself says", func(s *sighting) string { return string(s.flow.Kind) },
		string(flow.HTTP), string(flow.WebSocket), string(flow.DNS), string(flow.Tunnel), string(flow.UDP), string(flow.ICMP), string(flow.IP), string(flow.Contact)),
	text("mode", "the way in, or the format of the file", func(s *sighting) string { return s.flow.Mode },
		"http", "socks5", "transparent", "wireguard", "har", "mitmproxy", "pcap", "pcapdroid", "privacy-report", "trackercontrol"),
	text("client", "address of the device", client),
	text("device", "name of the device, where one is known", device),
	text("app", "User-Agent of the request; where it has none, the app that the phone's own record names", app),
	text("attributed", "app that made the flow, as far as it is known or likely", attributed),
	text("app_id", "identifier of the app in the phone's own record", func(s *sighting) string { return s.flow.Client.App.ID }),
	text("outcome", "how the flow ended", func(s *sighting) string { return string(s.flow.Outcome) }, outcomes...),
	text("failure", "why the server could not be reached or read", func(s *sighting) string { return s.flow.Failure }, failures...),
	text("error", "what went wrong, in words", func(s *sighting) string { return s.flow.Error }),
	text("altered", "what telltale changed on the wire, in words", func(s *sighting) string { return strings.Join(s.flow.Altered, "\n") }),
	text("experiment", "experiments that changed the flow, a line for each; empty: it was observed as it was", func(s *sighting) string { return strings.Join(s.flow.Experiments, "\n") }),
	text("notes", "what was noticed beside the outcome, in words", func(s *sighting) string { return strings.Join(s.flow.Notes, "\n") }),
	text("phase", "mark that was set when the flow began", func(s *sighting) string { return s.flow.Phase }),
	text("headers", "header lines of request and response, secrets masked", func(s *sighting) string { return headerLines(s.flow) }),
	text("body", "content of request and response, and WebSocket texts: 256 KiB of each, decoded", (*sighting).content),
	text("address", "IP address that was connected to", address),
	text("destination", "address and port that the device's packets were addressed to", destination),
	text("resolved", "name for which DNS gave the device that address", func(s *sighting) string { return s.flow.Server.Resolved }),
	text("speech", "protocol that was recognised in what was not read", func(s *sighting) string { return s.flow.Speech },
		"QUIC v1", "QUIC v2", "NTP", "STUN", "DNS over TLS", "DNS over QUIC"),
	text("question", "type of a DNS question", question, "A", "AAAA", "HTTPS", "PTR", "SRV", "TXT"),
	text("code", "code of the response to a DNS question", code, "NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED"),
	text("exposure", "kinds of identifiers that were found in what the device sent, a line for each", exposures, exposureKinds()...),
	text("subtracted", "what of an idle baseline explains the flow, where it is subtracted; empty for the rest", subtracted),
	text("answers", "answers to a DNS question, a line for each: owner, type, data", answers),
	count("datagrams", "packets of UDP, ICMP and other protocols, both directions", func(s *sighting) int { return int(s.flow.DatagramsSent + s.flow.DatagramsReceived) }),
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
		string(flow.UpstreamFailed), string(flow.PassedThrough), string(flow.Tunnelled), string(flow.Blocked), string(flow.Simulated), string(flow.DestinationDenied),
		string(flow.ClientDenied), string(flow.Malformed), string(flow.Abandoned), string(flow.Served), string(flow.QUICRefused), string(flow.Seen),
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

func exposureKinds() []string {
	all := make([]string, len(exposure.Kinds))
	for i, k := range exposure.Kinds {
		all[i] = k.Name
	}
	return all
}

// exposures lists the kinds of identifiers, each once.
func exposures(s *sighting) string {
	var kinds []string
	for i := range s.flow.Exposures {
		if kind := s.flow.Exposures[i].Kind; !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return strings.Join(kinds, "\n")
}

func subtracted(s *sighting) string {
	if !s.judgement.Subtracted {
		return ""
	}
	return s.judgement.Source.Text
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

// app returns the program as it names itself, else as the phone's own record names it.
func app(s *sighting) string {
	return cmp.Or(s.flow.UserAgent(), s.flow.Client.App.Name, s.flow.Client.App.ID)
}

func attributed(s *sighting) string {
	if s.app == nil {
		return ""
	}
	return s.app(s.flow)
}

func destination(s *sighting) string {
	if !s.flow.Server.Destination.IsValid() {
		return ""
	}
	return s.flow.Server.Destination.String()
}

func question(s *sighting) string {
	if s.flow.DNS == nil {
		return ""
	}
	return s.flow.DNS.Type
}

func code(s *sighting) string {
	if s.flow.DNS == nil {
		return ""
	}
	return s.flow.DNS.Code
}

func answers(s *sighting) string {
	if s.flow.DNS == nil {
		return ""
	}
	var b strings.Builder
	for _, a := range s.flow.DNS.Answers {
		b.WriteString(a.Name + " " + a.Type + " " + a.Data + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
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
