package catalog

import (
	"net/netip"
	"slices"
	"testing"
)

func TestFindResolver(t *testing.T) {
	for host, operator := range map[string]string{
		"8.8.8.8":                      "Google",
		"2001:4860:4860::8888":         "Google",
		"dns.google":                   "Google",
		"chrome.cloudflare-dns.com":    "Cloudflare",
		"mozilla.cloudflare-dns.com":   "Cloudflare for Mozilla",
		"abc123.dns.nextdns.io":        "NextDNS",
		"45.90.28.77":                  "NextDNS",
		"2a07:a8c0::ab:cdef":           "NextDNS",
		"149.112.112.112":              "Quad9",
		"doh.dns.apple.com":            "Apple",
		"family.adguard-dns.com":       "AdGuard",
		"8.8.8.9":                      "",
		"dns.google.example":           "",
		"evildns.google":               "",
		"www.google.com":               "",
		"":                             "",
		"1":                            "",
		"a:b":                          "",
		"cloudflare-dns.com.evil.test": "",
	} {
		r, ok := FindResolver(host)
		if ok != (operator != "") || ok && r.Operator != operator {
			t.Errorf("%q: %+v", host, r)
		}
	}
}

func TestResolverRowsAreComplete(t *testing.T) {
	seen := map[string]string{}
	for _, r := range Resolvers() {
		if r.Operator == "" || r.Source == "" || !slices.Contains([]string{"A", "B", Unverified}, r.Confidence) || len(r.Hosts)+len(r.Addresses) == 0 {
			t.Errorf("row %+v", r)
		}
		for _, a := range append(r.Addresses, r.Hosts...) {
			if other := seen[a]; other != "" {
				t.Errorf("%s is of %s and of %s", a, other, r.Operator)
			}
			seen[a] = r.Operator
		}
		if len(r.Hosts) > 0 {
			checkHosts(t, r.Operator, r.Hosts)
		}
		for _, a := range r.Addresses {
			prefix, err := netip.ParsePrefix(a)
			if err != nil {
				addr, err := netip.ParseAddr(a)
				if err != nil || addr.String() != a {
					t.Errorf("%s: address %q", r.Operator, a)
				}
			} else if prefix.Masked() != prefix {
				t.Errorf("%s: block %q", r.Operator, a)
			}
		}
	}
}
