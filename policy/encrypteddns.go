package policy

import (
	"encoding/base64"
	"mime"
	"net/url"
	"strings"

	"telltale/flow"
	"telltale/policy/catalog"
)

// hiding says how a flow hides which names are looked up. The zero value: it does not.
type hiding struct {
	how      string            // in words: "DNS over TLS (port 853)"; "" when it does not hide
	resolver *catalog.Resolver // who is known to answer there; nil
}

// hidesNames recognises encrypted DNS: by its port (RFC 7858, 3.1; RFC 9250, 4.1.1), its
// ALPN (RFC 7858, RFC 9250), the media type, path or query of DNS over HTTPS (RFC 8484),
// and, where the content was not seen, by the names and addresses of public resolvers. A
// question of DNS in clear, and the plain port 53, hide nothing.
func (s *Sighting) hidesNames() hiding {
	h := hiding{resolver: s.facts.resolver}
	f := s.Flow
	if f.Kind == flow.DNS || s.Port == "53" || f.Kind == flow.ICMP || f.Kind == flow.IP {
		return h
	}
	switch hello := f.Client.Hello; {
	case s.Port == "853" && f.Kind == flow.UDP:
		h.how = "DNS over QUIC (port 853)"
	case s.Port == "853":
		h.how = "DNS over TLS (port 853)"
	case hello != nil && offers(hello.ALPN, "dot"):
		h.how = "DNS over TLS (the client offered the protocol dot)"
	case hello != nil && offers(hello.ALPN, "doq"):
		h.how = "DNS over QUIC (the client offered the protocol doq)"
	default:
		h.how = s.overHTTPS()
	}
	if h.how == "" && h.resolver != nil && !(s.request.Read && f.Readable()) {
		h.how = "a public resolver of DNS, reached in another way than in clear"
	}
	return h
}

// offers reports whether a protocol, or a draft of it ("doq-i11"), is among those that
// were offered.
func offers(alpn []string, protocol string) bool {
	for _, p := range alpn {
		if p == protocol || strings.HasPrefix(p, protocol+"-") {
			return true
		}
	}
	return false
}

// overHTTPS says how a request gives itself away as DNS over HTTPS, "" for one that does
// not.
func (s *Sighting) overHTTPS() string {
	f := s.Flow
	if f.Request == nil {
		return ""
	}
	for _, name := range []string{"Content-Type", "Accept"} {
		if t := mediaTypeOfDNS(flow.Get(f.Request.Header, name)); t != "" {
			return "DNS over HTTPS (its " + name + " is " + t + ")"
		}
	}
	if f.Response != nil {
		if t := mediaTypeOfDNS(flow.Get(f.Response.Header, "Content-Type")); t != "" {
			return "DNS over HTTPS (it was answered with " + t + ")"
		}
	}
	_, query, _ := strings.Cut(f.Request.URL, "?")
	if query, _, _ = strings.Cut(query, "#"); strings.Contains(query, "dns=") && holdsQuestion(query) {
		return "DNS over HTTPS (a message of DNS stands in the query)"
	}
	if f.Path() == "/dns-query" || strings.HasPrefix(f.Path(), "/dns-query/") {
		return "DNS over HTTPS (the path is /dns-query)"
	}
	return ""
}

// mediaTypeOfDNS returns the media type of DNS over HTTPS in a header, "" for others. An
// Accept may list several.
func mediaTypeOfDNS(header string) string {
	if !strings.Contains(strings.ToLower(header), "dns-") { // as hardly any does
		return ""
	}
	for part := range strings.SplitSeq(header, ",") {
		t, _, err := mime.ParseMediaType(part)
		if err == nil && (t == "application/dns-message" || t == "application/dns-json") {
			return t
		}
	}
	return ""
}

// holdsQuestion reports whether the variable dns of a query is a message with one
// question (RFC 8484, 4.1): other servers have variables of that name, too.
func holdsQuestion(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		value, ok := strings.CutPrefix(pair, "dns=")
		if !ok {
			continue
		}
		if unescaped, err := url.QueryUnescape(value); err == nil {
			value = unescaped
		}
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(value, "="))
		if err == nil && len(b) > 12 && b[2]&0x80 == 0 && b[4] == 0 && b[5] == 1 {
			return true
		}
	}
	return false
}

func detectEncryptedDNS(s *Sighting) []Finding {
	if !s.secured() || s.hiding.how == "" {
		return nil
	}
	f := s.finding(EncryptedDNS, s.contact.source)
	f.Category = catalog.EncryptedDNS
	if s.hiding.resolver != nil {
		f.Owner = s.hiding.resolver.Operator
	}
	f.Message = "The host " + s.Host + " is allowed, but " + s.hides()
	f.Remedy = encryptedDNSRemedy
	return []Finding{f}
}

// encryptedDNSRemedy tells how to get names back, for apps and for devices.
const encryptedDNSRemedy = "If the app brings a resolver of its own, let it use the system's. " +
	"If the device does: on Android, switch Private DNS off (Settings, Network & internet); on iOS, remove the profile or the app that sets DNS " +
	"(Settings, General, VPN & Device Management, DNS); in browsers, switch secure DNS off. Then audit again. " +
	"If it is meant, excuse it with a waiver of the rule encrypted-dns."

// hides says what is known of encrypted DNS, and what follows from it.
func (s *Sighting) hides() string {
	m := "it is spoken to in " + s.hiding.how
	if strings.HasPrefix(s.hiding.how, "a public") {
		m = "it is " + s.hiding.how
	}
	if r := s.hiding.resolver; r != nil {
		m += ", run by " + r.Operator
		if r.Confidence == catalog.Unverified {
			m += " (not verified)"
		}
	}
	m += ". Which names are looked up there is hidden from this audit"
	if s.Flow.Request != nil && s.Flow.Kind == flow.HTTP {
		m += ", except in the content of these requests"
	}
	return m + ": connections that follow show addresses, and a name only where TLS says it."
}

// aside says, for a contact that is reported for another reason, that it hides names, or
// goes round the resolver that the device was given.
func (s *Sighting) aside() string {
	r := s.hiding.resolver
	switch f := s.Flow; {
	case s.hiding.how != "":
		return " Besides, " + s.hides()
	case f.Kind == flow.DNS && r != nil:
		return " It is a public resolver of DNS, run by " + r.Operator + ": what asks for its address may be about to hide which names it looks up."
	case f.Kind == flow.DNS:
		if to, ok := catalog.FindResolver(destinationOf(f)); ok {
			return " The question went past the resolver that the device was given, to the public one of " + to.Operator + " (" + destinationOf(f) + ")."
		}
	case r != nil && s.Port == "53":
		return " It is the public resolver of " + r.Operator + ": the device, or an app on it, goes past the resolver that it was given."
	}
	return ""
}

// destinationOf returns where the device's packets were addressed to, as text; "".
func destinationOf(f *flow.Flow) string {
	if !f.Server.Destination.IsValid() {
		return ""
	}
	return f.Server.Destination.Addr().Unmap().WithZone("").String()
}
