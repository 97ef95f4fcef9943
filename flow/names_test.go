package flow_test

import (
	"net/netip"
	"strings"
	"testing"

	"telltale/flow"
)

func TestCanonicalHost(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{".", ""},
		{":443", ""},
		{"a.example", "a.example"},
		{"A.Example:443", "a.example"},
		{"a.example.", "a.example"},
		{"a.example..:80", "a.example"},
		{"a.example:", "a.example"},
		{"under_score.example", "under_score.example"},
		{"Under_Score.example", "under_score.example"},
		{"r3---sn-25ge7ns.googlevideo.com", "r3---sn-25ge7ns.googlevideo.com"},
		{"R3---SN.googlevideo.com", "r3---sn.googlevideo.com"},
		{"bücher.example", "xn--bcher-kva.example"},
		{"BÜCHER.example:8443", "xn--bcher-kva.example"},
		{"xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"XN--BCHER-KVA.example", "xn--bcher-kva.example"},
		{"straße.example", "xn--strae-oqa.example"}, // non-transitional: not strasse
		{"ａ.example。", "a.example"},                 // full-width letter, ideographic full stop
		{"192.0.2.1", "192.0.2.1"},
		{"192.0.2.1:80", "192.0.2.1"},
		{"192.0.2.1.", "192.0.2.1"},
		{"[2001:DB8:0:0::1]:443", "2001:db8::1"},
		{"2001:db8::1", "2001:db8::1"},
		{"[fe80::1%25en0]:80", "fe80::1"},
		{"[::ffff:192.0.2.1]:443", "192.0.2.1"},
		{"::", "::"},
		// What cannot be a host keeps its shape, so that it can be shown, and
		// never turns into another host.
		{"[a.example:80]", "[a.example:80]"},
		{"[::1", "[::1"},
		{"a:b:c", "a:b:c"},
		{"evil.example／.canada.ca", "evil.example／.canada.ca"},
		{"evil.example：80", "evil.example：80"},
		{"UPPER SPACE", "upper space"},
		{strings.Repeat("a", 300), strings.Repeat("a", 300)},
	}
	for _, tt := range tests {
		if got := flow.CanonicalHost(tt.in); got != tt.want {
			t.Errorf("CanonicalHost(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestCanonicalHostOfPlainNamesDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { flow.CanonicalHost("retrieval.canada.ca:443") }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzCanonicalHost(f *testing.F) {
	for _, s := range []string{
		"", "a.example:443", "[::1]:80", "::1", "[fe80::1%25en0]", "bücher.example", "xn--bcher-kva", "İ.example",
		"a..", "[a:80]", "１２７.0.0.1", "a／b", "[", "[]", "]", "xn--", "XN--A", "a.-b-.c", "%41", "ς", "\u200d",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host := flow.CanonicalHost(s)
		if again := flow.CanonicalHost(host); again != host {
			t.Errorf("not idempotent: %q → %q → %q", s, host, again)
		}
		if strings.ContainsAny(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
			t.Errorf("%q → %q has capitals", s, host)
		}
		if strings.HasSuffix(host, ".") {
			t.Errorf("%q → %q ends in a dot", s, host)
		}
		if addr, err := netip.ParseAddr(s); err == nil && host != addr.Unmap().WithZone("").String() {
			t.Errorf("address %q → %q", s, host)
		}
	})
}

func TestSplitHostPort(t *testing.T) {
	tests := []struct{ in, host, port string }{
		{"a:80", "a", "80"},
		{"a", "a", ""},
		{"a:", "a", ""},
		{":80", "", "80"},
		{"[::1]:80", "::1", "80"},
		{"[::1]", "::1", ""},
		{"::1", "::1", ""},
		{"[::1", "[::1", ""},
	}
	for _, tt := range tests {
		if host, port := flow.SplitHostPort(tt.in); host != tt.host || port != tt.port {
			t.Errorf("SplitHostPort(%q) = %q, %q", tt.in, host, port)
		}
	}
}

func TestNamesKeepDisagreeingNamesApart(t *testing.T) {
	f := &flow.Flow{
		Server:  flow.Server{Asked: "Asked.example:443", SNI: "sni.example", Host: "HOST.example:8443"},
		Request: &flow.Request{URL: "https://user:pw@url.example:444/x@y"},
	}
	want := flow.Names{Asked: "asked.example", SNI: "sni.example", Host: "host.example", URL: "url.example"}
	if got := f.Names(); got != want {
		t.Errorf("Names() = %+v, want %+v", got, want)
	}
	if f.Host() != "asked.example" || f.Port() != "443" {
		t.Errorf("contacted %s port %s", f.Host(), f.Port())
	}
}

func TestHostFallsBackToTheNextName(t *testing.T) {
	tests := []struct {
		name string
		f    flow.Flow
		want string
	}{
		{"nothing", flow.Flow{}, ""},
		{"asked without a name", flow.Flow{Server: flow.Server{Asked: ":443", SNI: "sni.example"}}, "sni.example"},
		{"header only", flow.Flow{Server: flow.Server{Host: "h.example"}}, "h.example"},
		{"URL only", flow.Flow{Request: &flow.Request{URL: "http://u.example/"}}, "u.example"},
		{"backslash ends the authority", flow.Flow{Request: &flow.Request{URL: `https://evil.example\@canada.ca/`}}, "evil.example"},
		{"userinfo is no host", flow.Flow{Request: &flow.Request{URL: "https://canada.ca@evil.example/"}}, "evil.example"},
		{"no authority", flow.Flow{Request: &flow.Request{URL: "data:text/plain,x"}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.f.Host(); got != tt.want {
				t.Errorf("Host() = %q, want %q", got, tt.want)
			}
			if tt.f.IsContact() != (tt.want != "") {
				t.Errorf("IsContact() = %v", tt.f.IsContact())
			}
		})
	}
}

func TestURLParts(t *testing.T) {
	tests := []struct {
		url, port, path string
		clear           bool
	}{
		{"https://a.example", "443", "/", false},
		{"https://a.example?q=/x", "443", "/", false},
		{"HTTP://a.example/b?c=/d#e", "80", "/b", true},
		{"http://a.example:8080/%7Eme/", "8080", "/~me/", true},
		{"https://a.example:08443/", "8443", "/", false}, // dialled as 8443
		{"https://a.example:0/", "0", "/", false},
		{"ws://a/", "80", "/", true},
		{"WSS://a/", "443", "/", false},
		{"https://a.example/%zz", "443", "/%zz", false},
		{"ftp://a.example/", "", "/", true},
		{"mqtts://a.example/", "", "/", false},
		{"about:blank", "", "", false},
		{"", "", "", false},
	}
	for _, tt := range tests {
		f := &flow.Flow{Request: &flow.Request{URL: tt.url}}
		if f.Port() != tt.port || f.Path() != tt.path || f.Cleartext() != tt.clear {
			t.Errorf("%q: port %q, path %q, cleartext %v", tt.url, f.Port(), f.Path(), f.Cleartext())
		}
	}
	if none := new(flow.Flow); none.Port() != "" || none.Path() != "" || none.Cleartext() {
		t.Error("a flow without a request has parts of a URL")
	}
}

func TestWithoutUser(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"https://a.example/x@y", "https://a.example/x@y"},
		{"https://u:p@a.example/", "https://[redacted]@a.example/"},
		{"https://u:p@w@a.example", "https://[redacted]@a.example"},
		{"https://u@a.example?q=b@c", "https://[redacted]@a.example?q=b@c"},
		{"https://a.example#f@g", "https://a.example#f@g"},
		{"//u:p@a.example", "//u:p@a.example"},
		{"", ""},
		{"://@", "://[redacted]@"},
	} {
		if got := flow.WithoutUser(test.in); got != test.want {
			t.Errorf("WithoutUser(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestWithoutUsers(t *testing.T) {
	for text, want := range map[string]string{
		"dial https://u:p@a.example/x and http://b.example/": "dial https://[redacted]@a.example/x and http://b.example/",
		"mail me@a.example":        "mail me@a.example",
		"https://a.example/u@v":    "https://a.example/u@v",
		`"ftp://u:p@q@h" (0;url=)`: `"ftp://[redacted]@h" (0;url=)`,
	} {
		if got := flow.WithoutUsers(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
