package policy

import (
	"errors"
	"strings"
	"testing"

	"telltale/flow"
)

// patternCases is the pattern table of docs/policy.md, and more.
var patternCases = []struct {
	pattern string
	matches []string // "host" or "host port"
	not     []string
}{
	{"canada.ca", []string{"canada.ca", "CANADA.CA", "canada.ca.", "canada.ca 8443"},
		[]string{"www.canada.ca", "evilcanada.ca", "canada.ca.example", "xcanada.ca", "canada.c", "anada.ca", "ca", ""}},
	{"*.canada.ca", []string{"www.canada.ca", "a.b.c.canada.ca", "WWW.Canada.CA."},
		[]string{"canada.ca", "evilcanada.ca", "www.canada.ca.example", "xcanada.ca", ".canada.ca", "ca"}},
	{".canada.ca", []string{"canada.ca", "www.canada.ca", "a.b.canada.ca"},
		[]string{"evilcanada.ca", "xcanada.ca", "canada.ca.example", "ca"}},
	{"*", []string{"canada.ca", "192.0.2.1", "::1", "localhost"}, []string{""}},
	{"*:8443", []string{"canada.ca 8443"}, []string{"canada.ca 443", "canada.ca"}},
	{"canada.ca:8443", []string{"canada.ca 8443"}, []string{"canada.ca 443", "canada.ca", "www.canada.ca 8443"}},
	{"*.canada.ca:443", []string{"www.canada.ca 443"}, []string{"www.canada.ca 80", "www.canada.ca"}},
	{"Canada.CA.", []string{"canada.ca"}, []string{"www.canada.ca"}},
	{"münchen.example", []string{"münchen.example", "xn--mnchen-3ya.example", "MÜNCHEN.example"}, []string{"munchen.example"}},
	{"*.xn--mnchen-3ya.example", []string{"a.münchen.example"}, []string{"münchen.example"}},
	{"*.bücher.example:443", []string{"www.xn--bcher-kva.example 443"}, []string{"xn--bcher-kva.example 443"}},
	{"_dmarc.example.com", []string{"_dmarc.example.com"}, []string{"dmarc.example.com"}},
	{"localhost", []string{"localhost"}, []string{"a.localhost", "127.0.0.1"}},
	{"192.0.2.1", []string{"192.0.2.1", "::ffff:192.0.2.1"}, []string{"192.0.2.10", "192.0.2.2", "1.192.0.2.1"}},
	{"192.0.2.1:80", []string{"192.0.2.1 80"}, []string{"192.0.2.1 443"}},
	{"10.0.0.0/8", []string{"10.0.0.1", "10.255.255.255"}, []string{"11.0.0.0", "10.example", "10.0.0.1.example"}},
	{"10.0.0.0/8:80", []string{"10.1.2.3 80"}, []string{"10.1.2.3 443"}},
	{"::1", []string{"::1", "[::1]", "0:0:0:0:0:0:0:1"}, []string{"::2"}},
	{"[2001:db8::1]", []string{"2001:db8::1"}, []string{"2001:db8::2"}},
	{"[2001:DB8::1]:443", []string{"2001:db8::1 443"}, []string{"2001:db8::1 80"}},
	{"2001:db8::/32", []string{"2001:db8:ffff::1"}, []string{"2001:db9::1", "10.0.0.1"}},
	{"[2001:db8::]/32:443", []string{"2001:db8::5 443"}, []string{"2001:db8::5 80"}},
	{"[2001:db8::/32]:443", []string{"2001:db8::5 443"}, []string{"2001:db8::5"}},
	{"::ffff:192.0.2.1", []string{"192.0.2.1"}, []string{"192.0.2.2"}},
	{"0.0.0.0/0", []string{"192.0.2.1"}, []string{"::1", "a.example"}},
}

func TestPatternMatch(t *testing.T) {
	for _, tt := range patternCases {
		p, err := ParsePattern(tt.pattern)
		if err != nil {
			t.Errorf("ParsePattern(%q): %v", tt.pattern, err)
			continue
		}
		for _, s := range tt.matches {
			if host, port, _ := strings.Cut(s, " "); !p.Match(host, port) {
				t.Errorf("%q does not match %q", tt.pattern, s)
			}
		}
		for _, s := range tt.not {
			if host, port, _ := strings.Cut(s, " "); p.Match(host, port) {
				t.Errorf("%q matches %q", tt.pattern, s)
			}
		}
		again, err := ParsePattern(p.String())
		if err != nil || again != p {
			t.Errorf("%q is spelt %q, which parses to %+v, %v", tt.pattern, p, again, err)
		}
	}
}

func TestParsePatternRejects(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, tt := range []struct{ pattern, message, hint string }{
		{"", "is empty", ""},
		{" ", "space", ""},
		{"a b", "space", "one host per entry"},
		{"a.example\n", "space or control", ""},
		{"a\u00a0b", "space", ""},
		{"*foo.com", "not a whole label", `"*.foo.com"`},
		{"foo*.com", "only as its first label", ""},
		{"foo.*.com", "only as its first label", ""},
		{"*.foo.*", "only as its first label", ""},
		{"*.*.com", "only as its first label", ""},
		{"**", "only as its first label", ""},
		{"**.com", "only as its first label", ""},
		{"*.", "names no host", ""},
		{".", "names no host", ".canada.ca"},
		{"..", "names no host", ""},
		{"..canada.ca", "empty label", ""},
		{"a..b", "empty label", ""},
		{"a.example..", "more than one dot", ""},
		{"https://a.example/path", "has a scheme", `"a.example"`},
		{"*://a.example", "has a scheme", ""},
		{"a.example/path", "has a path", `paths: ["/path"]`},
		{"*.a.example/*", "has a path", `host: "*.a.example"`},
		{"user@a.example", "user name", `"a.example"`},
		{"a.example?x", "part of a URL", ""},
		{"a.example#x", "part of a URL", ""},
		{`a.example\x`, "part of a URL", ""},
		{"a.example:", "invalid port", "1 to 65535"},
		{"a.example:0", "invalid port", ""},
		{"a.example:65536", "invalid port", ""},
		{"a.example:080", "invalid port", ""},
		{"a.example:+80", "invalid port", ""},
		{"a.example:http", "invalid port", ""},
		{"a.example:*", "invalid port", ""},
		{":443", "names no host", ""},
		{"[::1", "no closing bracket", ""},
		{"[::1]443", "invalid port", ""},
		{"[a.example]:443", "brackets around what is not", ""},
		{"[::g]:443", "not an IP address", ""},
		{"::1:443:x", "not an IP address", "[2001:db8::1]:443"},
		{"fe80::1%eth0", "not an IP address", ""},
		{"10.0.0.1/8", "behind the prefix", `"10.0.0.0/8"`},
		{"10.0.0.0/33", "not a CIDR block", ""},
		{"10.0.0.0/", "not a CIDR block", ""},
		{"::ffff:10.0.0.0/104", "IPv4 block", ""},
		{"*.192.0.2.1", "wildcard before an IP", "CIDR"},
		{".192.0.2.1", "wildcard before an IP", "CIDR"},
		{"256.1.1.1", "ends in a number", "four numbers"},
		{"1.2.3", "ends in a number", ""},
		{"a!.example", "character that no host name has", ""},
		{"a．example／x", "character that no host name has", ""},
		{"＊.example", "", ""},
		{"xn--\u00e9", "", ""},
		{"xn--99999999999.example", "invalid IDNA", ""},
		{long + ".example", "longer than 63", ""},
		{strings.Repeat("a.", 127) + "example", "longer than 253", ""},
		{"a\xff.example", "not UTF-8", ""},
	} {
		p, err := ParsePattern(tt.pattern)
		var bad *PatternError
		if !errors.As(err, &bad) {
			t.Errorf("ParsePattern(%q) = %v, %v; want a *PatternError", tt.pattern, p, err)
			continue
		}
		if bad.Pattern != tt.pattern || !strings.Contains(bad.Message, tt.message) || !strings.Contains(bad.Hint(), tt.hint) {
			t.Errorf("ParsePattern(%q): %v (hint: %s); want %q and %q", tt.pattern, bad, bad.Hint(), tt.message, tt.hint)
		}
	}
}

func TestZeroPatternMatchesNothing(t *testing.T) {
	if (Pattern{}).Match("a.example", "443") || (Pattern{}).Match("", "") {
		t.Error("the zero pattern matches")
	}
}

func TestPatternCovers(t *testing.T) {
	for _, tt := range []struct {
		p, q string
		want bool
	}{
		{"*", "a.example", true}, {"*", "*.example", true}, {"a.example", "*", false},
		{"*.a.example", "b.a.example", true}, {"*.a.example", "a.example", false},
		{".a.example", "a.example", true}, {".a.example", "*.a.example", true},
		{"*.a.example", ".a.example", false}, {"*.example", ".a.example", true},
		{"*.a.example", "*.b.a.example", true}, {"*.b.a.example", "*.a.example", false},
		{"a.example", "*.a.example", false}, {"a.example", "a.example", true},
		{"a.example", "a.example:443", true}, {"a.example:443", "a.example", false},
		{"10.0.0.0/8", "10.1.0.0/16", true}, {"10.1.0.0/16", "10.0.0.0/8", false},
		{"10.0.0.0/8", "10.0.0.1", true}, {"10.0.0.0/8", "a.example", false},
		{"*.evil.example", "*.notevil.example", false},
	} {
		p, _ := ParsePattern(tt.p)
		q, _ := ParsePattern(tt.q)
		if got := p.covers(q); got != tt.want {
			t.Errorf("%s covers %s = %v, want %v", tt.p, tt.q, got, tt.want)
		}
	}
}

func FuzzParsePattern(f *testing.F) {
	for _, tt := range patternCases {
		f.Add(tt.pattern, "www.canada.ca")
	}
	f.Add("*.*", "a")
	f.Add("[::1]:80", "::1")
	f.Fuzz(func(t *testing.T, text, host string) {
		p, err := ParsePattern(text)
		if err != nil {
			var bad *PatternError
			if !errors.As(err, &bad) || bad.Message == "" {
				t.Fatalf("%v is no *PatternError", err)
			}
			return
		}
		again, err := ParsePattern(p.String())
		if err != nil || again != p {
			t.Fatalf("%q is spelt %q, which parses to %+v, %v", text, p, again, err)
		}
		if p.kind == exactName && p.port == "" {
			if got := flow.CanonicalHost(p.name); got != p.name {
				t.Errorf("%q keeps the name %q, which is canonically %q", text, p.name, got)
			}
			if !p.Match(p.name, "") {
				t.Errorf("%q does not match its own name", text)
			}
		}
		// Whole labels: whatever a wildcard matches ends in a dot and its name.
		if p.kind == belowName && p.Match(host, p.port) && !strings.HasSuffix(flow.CanonicalHost(host), "."+p.name) {
			t.Errorf("%q matches %q", text, host)
		}
	})
}
