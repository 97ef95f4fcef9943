package flow_test

import (
	"net/netip"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
)

func TestNamesWhereClientsAskForAddresses(t *testing.T) {
	const addr = "192.0.2.7:443"
	request := &flow.Request{URL: "https://url.example/"}
	proved := &flow.ServerTLS{Certificate: &flow.Certificate{}}
	tests := []struct {
		name   string
		server flow.Server
		req    *flow.Request
		host   string
		names  flow.Names
	}{
		{"nothing but the address", flow.Server{Asked: addr}, nil, "192.0.2.7", flow.Names{Asked: "192.0.2.7"}},
		{"DNS gave it", flow.Server{Asked: addr, Resolved: "Dns.example."}, nil, "dns.example", flow.Names{Asked: "dns.example"}},
		{"DNS goes before the hello", flow.Server{Asked: addr, Resolved: "dns.example", SNI: "sni.example"}, nil, "dns.example",
			flow.Names{Asked: "dns.example", SNI: "sni.example"}},
		{"the hello names it", flow.Server{Asked: addr, SNI: "sni.example", Host: "host.example", TLS: proved}, request, "sni.example",
			flow.Names{SNI: "sni.example", Host: "host.example", URL: "url.example"}},
		{"a header alone claims", flow.Server{Asked: addr, Host: "host.example"}, request, "host.example",
			flow.Names{Asked: "192.0.2.7", Host: "host.example", URL: "url.example"}},
		{"the URL alone claims", flow.Server{Asked: addr}, request, "url.example", flow.Names{Asked: "192.0.2.7", URL: "url.example"}},
		{"a header over an address that DNS gave", flow.Server{Asked: addr, Resolved: "dns.example", Host: "host.example"}, nil, "dns.example",
			flow.Names{Asked: "dns.example", Host: "host.example"}},
		{"asked by name", flow.Server{Asked: "asked.example:443", Resolved: "dns.example", SNI: "sni.example"}, nil, "asked.example",
			flow.Names{Asked: "asked.example", SNI: "sni.example"}},
		{"a name that is none", flow.Server{Asked: addr, Resolved: ".", SNI: "sni.example", TLS: proved}, nil, "sni.example", flow.Names{SNI: "sni.example"}},
	}
	for _, mode := range []string{"wireguard", "transparent", "socks5", "pcap", "pcapdroid", "trackercontrol"} {
		for _, tt := range tests {
			f := &flow.Flow{Kind: flow.HTTP, Mode: mode, Server: tt.server, Request: tt.req}
			if f.Host() != tt.host || f.Names() != tt.names {
				t.Errorf("%s, %s: host %q, names %+v", mode, tt.name, f.Host(), f.Names())
			}
		}
	}
	for _, mode := range []string{"http", "har", "mitmproxy", "privacy-report"} {
		f := &flow.Flow{Mode: mode, Server: flow.Server{Asked: addr, Resolved: "dns.example", SNI: "sni.example"}}
		if f.Host() != "192.0.2.7" || f.Names().Asked != "192.0.2.7" {
			t.Errorf("%s: a client that asks the proxy for an address contacts %q", mode, f.Host())
		}
	}
	if f := flowtest.DNS("192.0.2.7", flowtest.Resolved("x.example")); f.Host() != "192.0.2.7" {
		t.Errorf("a question for %q asks for %q", "192.0.2.7", f.Host())
	}
}

// The name of a hello stands for an address where the server proved it, or was told nothing.
func TestServerNamesThatAreProved(t *testing.T) {
	dialed := netip.MustParseAddrPort("192.0.2.7:443")
	leaf, request := &flow.Certificate{}, &flow.Request{URL: "https://a.example/"}
	for name, c := range map[string]struct {
		f      flow.Flow
		proved bool
	}{
		"verified":                 {flow.Flow{Outcome: flow.Completed, Server: flow.Server{TLS: &flow.ServerTLS{Certificate: leaf}}}, true},
		"verified, no leaf kept":   {flow.Flow{Outcome: flow.Completed, Server: flow.Server{TLS: &flow.ServerTLS{}}, Response: &flow.Response{}}, true},
		"handshake without a leaf": {flow.Flow{Outcome: flow.UpstreamFailed, Server: flow.Server{TLS: &flow.ServerTLS{}}}, false},
		"invalid":                  {flow.Flow{Outcome: flow.Completed, Server: flow.Server{TLS: &flow.ServerTLS{Certificate: leaf, Invalid: "expired"}}}, false},
		"any accepted":             {flow.Flow{Outcome: flow.Completed, Server: flow.Server{TLS: &flow.ServerTLS{Certificate: leaf, Unverified: true}}}, false},
		"no TLS":                   {flow.Flow{Outcome: flow.Completed, Response: &flow.Response{}, Request: request}, false},
		"refused":                  {flow.Flow{Outcome: flow.ClientRefused}, true},
		"silent":                   {flow.Flow{Outcome: flow.ClientSilent}, true},
		"failed":                   {flow.Flow{Outcome: flow.HandshakeFailed}, true},
		"QUIC refused":             {flow.Flow{Kind: flow.UDP, Outcome: flow.QUICRefused}, true},
		"blocked":                  {flow.Flow{Outcome: flow.Blocked}, true},
		"denied":                   {flow.Flow{Outcome: flow.DestinationDenied}, true},
		"beginning":                {flow.Flow{Outcome: flow.Open, Sent: 1200}, true},
		"answered":                 {flow.Flow{Outcome: flow.Open, Received: 1200}, false},
		"passed through":           {flow.Flow{Outcome: flow.PassedThrough}, false},
		"QUIC passed":              {flow.Flow{Kind: flow.UDP, Outcome: flow.PassedThrough}, false},
		"tunnelled":                {flow.Flow{Outcome: flow.Tunnelled}, false},
		"seen by others":           {flow.Flow{Kind: flow.Contact, Outcome: flow.Seen}, true},
		"not reached":              {flow.Flow{Outcome: flow.UpstreamFailed}, true},
		"failed later":             {flow.Flow{Outcome: flow.UpstreamFailed, Server: flow.Server{Dialed: dialed}}, false},
		"given up":                 {flow.Flow{Outcome: flow.Abandoned, Server: flow.Server{Dialed: dialed}, Request: request}, true},
	} {
		f := c.f
		f.Mode, f.Server.Asked, f.Server.SNI = "wireguard", "192.0.2.7:443", "a.example"
		if proved := f.Names().Asked == ""; proved != c.proved || f.Host() != "a.example" {
			t.Errorf("%s: proved %v, host %s", name, proved, f.Host())
		}
	}
}

func TestURLsOfWhatHasNone(t *testing.T) {
	over := flowtest.Mode("wireguard")
	tests := []struct {
		f    *flow.Flow
		want string
	}{
		{flowtest.Tunnel("192.0.2.7:5223", over), "tcp://192.0.2.7:5223"},
		{flowtest.Tunnel("192.0.2.7:5223", over, flowtest.Resolved("a.example")), "tcp://a.example:5223"},
		{flowtest.Tunnel("[2001:db8::1]:22", over), "tcp://[2001:db8::1]:22"},
		{flowtest.Refused("192.0.2.7:443", over, flowtest.SNI("a.example")), "https://a.example"},
		{flowtest.Datagrams("[2001:db8::1]:123"), "udp://[2001:db8::1]:123"},
		{flowtest.Ping("192.0.2.7"), "icmp://192.0.2.7"},
		{flowtest.Ping("192.0.2.7:0", flowtest.Resolved("a.example")), "icmp://a.example"},
		{flowtest.Packets("2001:db8::1", "ESP"), "ip://[2001:db8::1]"},
		{flowtest.DNS("A.example"), "dns:a.example"},
		{flowtest.Seen("a.example", "", ""), "contact:a.example"},
		{flowtest.Seen("a.example:443", "", ""), "https://a.example"},
		{flowtest.Seen("a.example:8080", "", ""), "tcp://a.example:8080"},
		{flowtest.Seen("a.example:123", "", "", flowtest.Speech("NTP")), "udp://a.example:123"},
		{flowtest.Seen("[2001:db8::1]:53", "", "", flowtest.Speech(flow.SpeechDNS)), "udp://[2001:db8::1]:53"},
		{flowtest.Seen("a.example:443", "", "", flowtest.Speech("QUIC v1")), "https://a.example"},
		{flowtest.Seen("a.example:443", "", "", flowtest.Speech("TLS")), "https://a.example"},
		{flowtest.Seen("a.example", "", "", flowtest.Speech("NTP")), "contact:a.example"},
		{flowtest.Seen("192.0.2.7:443", "", "", flowtest.Mode("pcapdroid"), flowtest.SNI("a.example")), "https://a.example"},
		{flowtest.Seen("[2001:db8::1]:443", "", "", flowtest.Mode("pcap")), "https://[2001:db8::1]"},
		{&flow.Flow{Kind: flow.UDP, Mode: "wireguard"}, ""},
	}
	for _, tt := range tests {
		if got := tt.f.URL(); got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.f.Kind, tt.f.Server.Asked, got, tt.want)
		}
	}
}

func TestProtocols(t *testing.T) {
	tests := []struct {
		f    *flow.Flow
		want string
	}{
		{flowtest.Get("https://a.example/", flowtest.Proto("HTTP/3"), flowtest.Speech("QUIC v1")), "HTTP/3"},
		{flowtest.Datagrams("192.0.2.7:1"), "UDP"},
		{flowtest.Datagrams("192.0.2.7:123", flowtest.Speech("NTP")), "NTP"},
		{flowtest.QUIC("192.0.2.7", "a.example"), "QUIC v1"},
		{flowtest.Ping("192.0.2.7"), "ICMP"},
		{flowtest.Packets("192.0.2.7", ""), "IP"},
		{flowtest.Packets("192.0.2.7", "GRE"), "GRE"},
		{flowtest.DNS("a.example"), "DNS"},
		{flowtest.PassedThrough("a.example:853", flowtest.Speech("DNS over TLS")), "DNS over TLS"},
		{flowtest.Refused("a.example"), "TLS"},
		{flowtest.Tunnel("a.example"), "TCP"},
		{flowtest.Seen("a.example", "", ""), ""},
	}
	for _, tt := range tests {
		if got := tt.f.Protocol(); got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.f.Kind, tt.f.URL(), got, tt.want)
		}
	}
}

func TestWhatIsRead(t *testing.T) {
	tests := []struct {
		f                *flow.Flow
		readable, unread bool
	}{
		{flowtest.Get("https://a.example/"), true, false},
		{flowtest.DNS("a.example"), true, false},
		{flowtest.Seen("a.example", "", ""), false, false},
		{flowtest.Tunnel("a.example"), false, true},
		{flowtest.Refused("a.example"), false, true},
		{flowtest.Datagrams("192.0.2.7:1"), false, true},
		{flowtest.Datagrams("192.0.2.7:53", flowtest.Speech(flow.SpeechDNS)), true, false},
		{flowtest.Tunnel("192.0.2.7:53", flowtest.Speech(flow.SpeechDNS)), true, false},
		{flowtest.QUIC("192.0.2.7", ""), false, false},
		{flowtest.QUIC("192.0.2.7", "", flowtest.Outcome(flow.Completed)), false, true},
		{flowtest.Ping("192.0.2.7"), false, false},
		{flowtest.Packets("192.0.2.7", "GRE"), false, true},
	}
	for _, tt := range tests {
		if tt.f.Readable() != tt.readable || tt.f.Unread() != tt.unread {
			t.Errorf("%s %s %s: readable %v, unread %v", tt.f.Kind, tt.f.Outcome, tt.f.URL(), tt.f.Readable(), tt.f.Unread())
		}
	}
}

func TestLookupsAreNoContacts(t *testing.T) {
	for name, want := range map[string]bool{
		"7.2.0.192.in-addr.arpa":                   true,
		"2.0.192.IN-ADDR.ARPA.":                    true,
		"8.b.d.0.1.0.0.2.ip6.arpa":                 true,
		"_dns.resolver.arpa":                       true,
		"lb._dns-sd._udp.0.1.168.192.in-addr.arpa": true,
		// What else is under these roots is a name that somebody can have.
		"secret.7.2.0.192.in-addr.arpa":       false,
		"1.7.2.0.192.in-addr.arpa":            false,
		"ee.b.d.0.1.0.0.2.ip6.arpa":           false,
		"..in-addr.arpa":                      false,
		"x.resolver.arpa":                     false,
		"x._dns-sd._udp.192.in-addr.arpa":     false,
		"lb._dns-sd._udp.evil.example":        false,
		"home.arpa":                           false,
		"in-addr.arpa":                        false,
		"in-addr.arpa.example":                false,
		strings.Repeat("a.", 33) + "ip6.arpa": false,
	} {
		kind := "PTR"
		if strings.HasSuffix(name, "resolver.arpa") {
			kind = "SVCB"
		}
		f := flowtest.DNS(name, flowtest.Question(kind, "NOERROR"))
		if f.IsLookup() != want || f.IsContact() == want {
			t.Errorf("%s: lookup %v, contact %v", name, f.IsLookup(), f.IsContact())
		}
	}
	for question, want := range map[[2]string]bool{
		{"7.2.0.192.in-addr.arpa", "TXT"}:   false,
		{"7.2.0.192.in-addr.arpa", "A"}:     false,
		{"8.b.d.0.1.0.0.2.ip6.arpa", "TXT"}: false,
		{"8.b.d.0.1.0.0.2.ip6.arpa", ""}:    true,
		{"_dns.resolver.arpa", "HTTPS"}:     true,
		{"_dns.resolver.arpa", "TXT"}:       false,
		{"ipv4only.arpa", "A"}:              true,
		{"IPv4only.arpa.", "AAAA"}:          true,
		{"ipv4only.arpa", "TXT"}:            false,
		{"x.ipv4only.arpa", "AAAA"}:         false,
	} {
		if f := flowtest.DNS(question[0], flowtest.Question(question[1], "NOERROR")); f.IsLookup() != want || f.IsContact() == want {
			t.Errorf("%s: lookup %v, contact %v", question, f.IsLookup(), f.IsContact())
		}
	}
	if f := flowtest.Get("https://7.2.0.192.in-addr.arpa/"); f.IsLookup() || !f.IsContact() {
		t.Error("a request is taken for a lookup")
	}
	if flowtest.DNS(flow.SetupHost).IsContact() {
		t.Error("the set-up page is a contact")
	}
}

// FuzzDescribe gives hostile names to flows of every kind: what stands for them must
// name the host under which they are counted.
func FuzzDescribe(f *testing.F) {
	for _, s := range []string{"a.example:53", "192.0.2.7:443", "[::1]:80", "::1", "[", "a:b:c", ".", "", "x/y", "[::1%25e]:1", "ａ.example"} {
		f.Add(s, s, "wireguard")
		f.Add(s, "b.example", "http")
	}
	kinds := []flow.Kind{flow.DNS, flow.Tunnel, flow.UDP, flow.ICMP, flow.IP, flow.Contact}
	f.Fuzz(func(t *testing.T, asked, resolved, mode string) {
		for _, kind := range kinds {
			fl := &flow.Flow{Kind: kind, Mode: mode, Server: flow.Server{Asked: asked, Resolved: resolved}}
			host := fl.Host()
			if again := flow.CanonicalHost(host); again != host {
				t.Errorf("%s: host %q is %q", kind, host, again)
			}
			if u := fl.URL(); host != "" && (u == "" || !strings.Contains(u, ":")) {
				t.Errorf("%s: host %q has URL %q", kind, host, u)
			}
			if fl.IsLookup() && fl.IsContact() {
				t.Errorf("%s %q is a lookup and a contact", kind, asked)
			}
		}
	})
}
