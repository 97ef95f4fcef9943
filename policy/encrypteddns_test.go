package policy

import (
	"crypto/tls"
	"net/netip"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
)

const dnsPolicy = `version: 1
allow:
  - "*.canada.ca"
  - 8.8.8.8
  - "[2606:4700:4700::1111]:443"
  - host: ports.example:8443
    methods: [GET]
deny:
  - secret.example:443
ignore:
  - preset: local-network
`

func header(name, value string) flowtest.Option {
	return func(f *flow.Flow) { f.Request.Header = append(f.Request.Header, flow.NewField(name, value)) }
}

func alpn(protocols ...string) flowtest.Option {
	return func(f *flow.Flow) { f.Client.Hello = &flow.ClientHello{ALPN: protocols} }
}

func rules(j Judgement) string {
	var all []string
	for _, f := range j.Findings {
		all = append(all, string(f.Rule))
	}
	return strings.Join(all, " ")
}

func TestEncryptedDNSIsRecognised(t *testing.T) {
	p := parse(t, dnsPolicy)
	question := "AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB" // RFC 8484, 4.1.1
	for name, c := range map[string]struct {
		flow *flow.Flow
		want string // rules
		how  string
	}{
		"port 853":              {flowtest.Tunnel("dot.canada.ca:853"), "undecryptable encrypted-dns", "DNS over TLS (port 853)"},
		"port 853 over UDP":     {flowtest.Datagrams("192.0.2.1:853", flowtest.Resolved("doq.canada.ca")), "undecryptable encrypted-dns", "DNS over QUIC (port 853)"},
		"offers dot":            {flowtest.Tunnel("x.canada.ca:443", alpn("dot")), "undecryptable encrypted-dns", "offered the protocol dot"},
		"offers a draft of doq": {flowtest.Tunnel("x.canada.ca:443", alpn("doq-i11")), "undecryptable encrypted-dns", "offered the protocol doq"},
		"accepts messages":      {flowtest.Get("https://x.canada.ca/q", header("Accept", "text/html, Application/DNS-Message")), "encrypted-dns", "its Accept is application/dns-message"},
		"sends messages":        {flowtest.Get("https://x.canada.ca/q", header("Content-Type", "application/dns-message; x=y")), "encrypted-dns", "its Content-Type is application/dns-message"},
		"accepts JSON":          {flowtest.Get("https://x.canada.ca/q", header("Accept", "application/dns-json")), "encrypted-dns", "application/dns-json"},
		"by its path":           {flowtest.Get("https://x.canada.ca/dns-query"), "encrypted-dns", "the path is /dns-query"},
		"by its query":          {flowtest.Get("https://x.canada.ca/q?ct&dns=" + question + "#x"), "encrypted-dns", "stands in the query"},
		"a public resolver":     {flowtest.Tunnel("8.8.8.8:443"), "undecryptable encrypted-dns", "run by Google"},
		"QUIC to a resolver":    {flowtest.QUIC("2606:4700:4700::1111", ""), "encrypted-dns", "run by Cloudflare"},

		"its page":            {flowtest.Get("https://8.8.8.8/"), "", ""},
		"another path":        {flowtest.Get("https://x.canada.ca/dns-query-list"), "", ""},
		"another variable":    {flowtest.Get("https://x.canada.ca/?dns=yes&xdns=" + question), "", ""},
		"a host as variable":  {flowtest.Get("https://x.canada.ca/?dns=bmFtZXNlcnZlci5leGFtcGxlLmNvbQ"), "", ""},
		"DNS in clear":        {flowtest.Datagrams("8.8.8.8:53", flowtest.Speech(flow.SpeechDNS)), "", ""},
		"a question":          {flowtest.DNS("www.canada.ca"), "", ""},
		"an ordinary request": {flowtest.Get("https://www.canada.ca/", header("Accept", "text/html")), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			j := p.Judge(c.flow)
			if got := rules(j); got != c.want {
				t.Fatalf("%q, want %q: %+v", got, c.want, j)
			}
			if c.want == "" {
				return
			}
			x := j.Findings[len(j.Findings)-1]
			if !strings.Contains(x.Message, c.how) || x.Severity != SeverityWarning || x.Category != "encrypted-dns" || x.Remedy == "" {
				t.Errorf("%+v", x)
			}
		})
	}
}

// A host that is not allowed is reported once, in words that say what it hides.
func TestEncryptedDNSOfOtherHosts(t *testing.T) {
	p := parse(t, dnsPolicy)
	j := p.Judge(flowtest.Tunnel("dns.quad9.net:853"))
	if rules(j) != "host-not-allowed" || j.Findings[0].Category != "encrypted-dns" || !strings.Contains(j.Findings[0].Message, "run by Quad9") ||
		!strings.Contains(j.Findings[0].Remedy, "Private DNS") {
		t.Errorf("%+v", j)
	}
	denied := parse(t, "version: 1\nallow: [\"*\"]\ndeny:\n  - category: encrypted-dns\n")
	for _, f := range []*flow.Flow{flowtest.Tunnel("dns.quad9.net:853"), flowtest.Get("https://x.canada.ca/dns-query"), flowtest.DNS("dns.google")} {
		if j := denied.Judge(f); !strings.HasPrefix(rules(j), "host-denied") || j.Category != "encrypted-dns" {
			t.Errorf("%s: %+v", f.URL(), j)
		}
	}
	if j := denied.Judge(flowtest.Get("https://www.canada.ca/")); j.Verdict != Allowed {
		t.Errorf("%+v", j)
	}
}

func TestEncryptedDNSCanBeWaived(t *testing.T) {
	p := parse(t, dnsPolicy+"waivers:\n  - rule: encrypted-dns\n    host: x.canada.ca\n    reason: it is ours\n    until: 2099-01-01\n")
	if j := p.Judge(flowtest.Get("https://x.canada.ca/dns-query")); j.Verdict != Waived {
		t.Errorf("%+v", j)
	}
}

// DNS in clear to a resolver that the network did not give is named as such.
func TestForeignResolversAreNamed(t *testing.T) {
	p := parse(t, "version: 1\nallow: [canada.ca]\n")
	if j := p.Judge(flowtest.Datagrams("8.8.4.4:53", flowtest.Speech(flow.SpeechDNS))); rules(j) != "host-not-allowed" ||
		!strings.Contains(j.Findings[0].Message, "the public resolver of Google") || j.Category != "" {
		t.Errorf("%+v", j)
	}
	f := flowtest.DNS("tracker.example")
	f.Server.Destination = netip.MustParseAddrPort("9.9.9.9:53")
	if j := p.Judge(f); rules(j) != "host-not-allowed" || !strings.Contains(j.Findings[0].Message, "public one of Quad9 (9.9.9.9)") {
		t.Errorf("%+v", j)
	}
}

func TestQuestionsAreContacts(t *testing.T) {
	p := parse(t, dnsPolicy)
	for name, want := range map[string]Verdict{
		"www.canada.ca":                Allowed,
		"ports.example":                Allowed, // for whatever port
		"secret.example":               Violation,
		"other.example":                Violation,
		"app-measurement.com":          Violation,
		"1.2.0.192.in-addr.arpa":       Unjudged,
		"_dns.resolver.arpa":           Unjudged,
		"setup.telltale":               Unjudged,
		"telltale.canada.ca.evil.test": Violation,
	} {
		kind := "A"
		switch {
		case strings.HasSuffix(name, ".in-addr.arpa"):
			kind = "PTR"
		case strings.HasSuffix(name, "resolver.arpa"):
			kind = "SVCB"
		}
		if j := p.Judge(flowtest.DNS(name, flowtest.Question(kind, "NOERROR"))); j.Verdict != want {
			t.Errorf("%s: %+v", name, j)
		}
	}
	j := p.Judge(flowtest.DNS("secret.example"))
	if rules(j) != "host-not-allowed" { // the entry of deny is for port 443
		t.Errorf("%+v", j)
	}
	for _, s := range []string{"asked DNS for the address of secret.example", "tells whoever answers it"} {
		if !strings.Contains(j.Findings[0].Message, s) {
			t.Errorf("lacks %q: %s", s, j.Findings[0].Message)
		}
	}
}

// A host that is asked for and contacted is one violation.
func TestQuestionAndConnectionAreOneViolation(t *testing.T) {
	p := parse(t, dnsPolicy)
	for _, host := range []string{"other.example", "app-measurement.com", "connectivitycheck.gstatic.com"} {
		asked, contacted := p.Judge(flowtest.DNS(host)), p.Judge(flowtest.Tunnel(host+":443"))
		if asked.Findings[0].Fingerprint() != contacted.Findings[0].Fingerprint() {
			t.Errorf("%s: %+v\n%+v", host, asked.Findings[0], contacted.Findings[0])
		}
		if asked.Findings[0].Message == contacted.Findings[0].Message {
			t.Errorf("%s: the question is told in the words of a connection", host)
		}
	}
}

func TestWaiverForAPortExcusesTheQuestion(t *testing.T) {
	p := parse(t, dnsPolicy+"waivers:\n  - rule: host-not-allowed\n    host: other.example:443\n    reason: known\n    until: 2099-01-01\n")
	if j := p.Judge(flowtest.DNS("other.example")); j.Verdict != Waived {
		t.Errorf("%+v", j)
	}
}

func TestLocalNetworkPreset(t *testing.T) {
	p := parse(t, dnsPolicy)
	for _, to := range []string{"224.0.0.251:5353", "239.255.255.250:1900", "[ff02::fb]:5353", "255.255.255.255:67"} {
		if j := p.Judge(flowtest.Datagrams(to)); j.Verdict != Ignored {
			t.Errorf("%s: %+v", to, j)
		}
	}
	if j := p.Judge(flowtest.Datagrams("224.0.0.250:5353")); j.Verdict != Violation {
		t.Errorf("%+v", j)
	}
}

func TestDatagramsThatNobodyRead(t *testing.T) {
	p := parse(t, dnsPolicy)
	for speech, want := range map[string]string{"TURN": "the client spoke TURN over UDP", "": "a protocol that is not known"} {
		j := p.Judge(flowtest.Datagrams("192.0.2.1:3478", flowtest.Resolved("media.canada.ca"), flowtest.Speech(speech)))
		if rules(j) != "undecryptable" || !strings.Contains(j.Findings[0].Message, want) {
			t.Errorf("%q: %+v", speech, j)
		}
	}
}

// To ask for the time or for one's own address says nothing, as long as nothing follows.
func TestDatagramsThatSayNothing(t *testing.T) {
	p := parse(t, dnsPolicy)
	for _, speech := range []string{"NTP", "STUN"} {
		f := flowtest.Datagrams("192.0.2.1:123", flowtest.Resolved("time.canada.ca"), flowtest.Speech(speech))
		if j := p.Judge(f); j.Verdict != Allowed {
			t.Errorf("%s: %+v", speech, j)
		}
		f.Sent = 1 << 20
		if j := p.Judge(f); rules(j) != "undecryptable" {
			t.Errorf("a megabyte that began as %s: %+v", speech, j)
		}
	}
	if j := p.Judge(flowtest.Datagrams("192.0.2.1:123", flowtest.Speech("NTP"))); rules(j) != "host-not-allowed" {
		t.Errorf("%+v", j)
	}
}

// A name that only a header claims for an address is not taken for proved.
func TestUnprovenNamesAreMismatches(t *testing.T) {
	p := parse(t, "version: 1\nallow: [www.canada.ca]\nrequire:\n  https: false\n")
	claim := func(resolved, sni string) Judgement {
		f := flowtest.Get("http://www.canada.ca/", flowtest.Mode("wireguard"))
		f.Server = flow.Server{Asked: "192.0.2.7:80", Host: "www.canada.ca", Resolved: resolved, SNI: sni, Destination: netip.MustParseAddrPort("192.0.2.7:80")}
		return p.Judge(f)
	}
	j := claim("", "")
	if rules(j) != "host-mismatch" || !strings.Contains(j.Findings[0].Message, "No DNS answer of this audit gave 192.0.2.7 for this name") ||
		!strings.Contains(j.Findings[0].Message, "does not allow 192.0.2.7") || !strings.Contains(j.Findings[0].Remedy, "airplane mode") {
		t.Errorf("%+v", j)
	}
	if j := claim("www.canada.ca", ""); j.Verdict != Allowed {
		t.Errorf("proved by DNS: %+v", j)
	}
	j = claim("evil.example", "")
	found := false
	for _, x := range j.Findings {
		found = found || x.Rule == HostMismatch && strings.Contains(x.Message, "DNS gave the device the address 192.0.2.7 for evil.example")
	}
	if !found || j.Host != "evil.example" {
		t.Errorf("another name: %+v", j)
	}
}

// A server name proves an address only by the certificate that was verified for it.
func TestServerNamesNeedCertificates(t *testing.T) {
	p := parse(t, "version: 1\nallow: [www.canada.ca]\nrequire:\n  certificate: any\n")
	server := flow.Server{Asked: "192.0.2.7:443", SNI: "www.canada.ca", Destination: netip.MustParseAddrPort("192.0.2.7:443"), Dialed: netip.MustParseAddrPort("192.0.2.7:443")}
	judge := func(f *flow.Flow, secured *flow.ServerTLS) Judgement {
		f.Mode, f.Server = "wireguard", server
		f.Server.TLS = secured
		return p.Judge(f)
	}
	get := func() *flow.Flow { return flowtest.Get("https://www.canada.ca/") }
	if j := judge(get(), &flow.ServerTLS{Version: tls.VersionTLS13, Certificate: &flow.Certificate{}}); j.Verdict != Allowed {
		t.Errorf("proved: %+v", j)
	}
	if j := judge(flowtest.Refused("www.canada.ca"), nil); rules(j) != "undecryptable" {
		t.Errorf("refused: %+v", j)
	}
	for name, c := range map[string]struct {
		f       *flow.Flow
		secured *flow.ServerTLS
		words   string
	}{
		"passed through": {flowtest.PassedThrough("www.canada.ca"), nil, "where TLS is not decrypted nothing but the client says"},
		"not verified":   {get(), &flow.ServerTLS{Version: tls.VersionTLS13, Unverified: true}, "without a valid certificate of the server nothing but"},
		"not valid":      {get(), &flow.ServerTLS{Version: tls.VersionTLS13, Invalid: "expired"}, "the TLS server name says www.canada.ca"},
	} {
		j := judge(c.f, c.secured)
		if rules(j) != "host-mismatch" || j.Host != "www.canada.ca" || !strings.Contains(j.Findings[0].Message, c.words) ||
			!strings.Contains(j.Findings[0].Message, "does not allow 192.0.2.7") || !strings.Contains(j.Findings[0].Remedy, "airplane mode") {
			t.Errorf("%s: %+v", name, j)
		}
	}
	fronted := get()
	fronted.Request.URL = "https://evil.example/"
	j := judge(fronted, &flow.ServerTLS{Invalid: "expired"})
	if !strings.Contains(j.Findings[0].Message, "is for evil.example. The policy does not allow 192.0.2.7. The policy does not allow evil.example.") {
		t.Errorf("%+v", j)
	}
}
