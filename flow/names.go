package flow

import (
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/idna"
)

// toASCII maps names as browsers do (UTS 46, non-transitional) but tolerates
// underscores, which real host names have.
var toASCII = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))

// CanonicalHost returns the one spelling of a host under which it is judged and
// counted: without port, brackets, zone or trailing dot, lower case, IDNA in
// ASCII, IP addresses in their shortest form and IPv4-mapped ones as IPv4. It
// accepts "host", "host:port", "[v6]:port" and bare IPv6. A name that IDNA
// rejects is returned in lower case.
func CanonicalHost(s string) string {
	host, _ := SplitHostPort(s)
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().WithZone("").String()
	}
	host = strings.TrimSuffix(host, ".")
	if isPlainName(host) {
		return host
	}
	if ascii, err := toASCII.ToASCII(host); err == nil {
		return strings.TrimSuffix(ascii, ".")
	}
	return strings.ToLower(host)
}

// isPlainName reports whether host needs no mapping: the usual case, kept free
// of allocations.
func isPlainName(host string) bool {
	for i := 0; i < len(host); i++ {
		c := host[i]
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_' {
			continue
		}
		// A hyphen may start an ACE prefix ("xn--"), which idna checks.
		if c == '-' && (i+1 >= len(host) || host[i+1] != '-') {
			continue
		}
		return false
	}
	return true
}

// SplitHostPort parts "host:port" without judging either. A missing port is "".
func SplitHostPort(s string) (host, port string) {
	if strings.HasPrefix(s, "[") {
		if i := strings.IndexByte(s, ']'); i > 0 {
			host, rest := s[1:i], s[i+1:]
			return host, strings.TrimPrefix(rest, ":")
		}
		return s, ""
	}
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.IndexByte(s, ':') != i { // no colon, or a bare IPv6 address
		return s, ""
	}
	return s[:i], s[i+1:]
}

// Names are the up to four names under which a flow calls its server, canonical,
// "" where the flow does not say.
type Names struct {
	Asked string // CONNECT target or URL authority asked of the proxy
	SNI   string
	Host  string // Host or :authority
	URL   string
}

// Names returns the canonical names of the flow's server.
func (f *Flow) Names() Names {
	n := Names{Asked: CanonicalHost(f.Server.Asked), SNI: CanonicalHost(f.Server.SNI), Host: CanonicalHost(f.Server.Host)}
	if f.Request != nil {
		n.URL = CanonicalHost(urlAuthority(f.Request.URL))
	}
	return n
}

// Host returns the canonical name of the server that was contacted: what the
// client asked for is what was dialled, whatever a header claims.
func (f *Flow) Host() string {
	for _, s := range []string{f.Server.Asked, f.Server.SNI, f.Server.Host} {
		if s != "" {
			return CanonicalHost(s)
		}
	}
	if f.Request != nil {
		return CanonicalHost(urlAuthority(f.Request.URL))
	}
	return ""
}

// Port returns the port that was contacted, "" when unknown.
func (f *Flow) Port() string {
	if _, port := SplitHostPort(f.Server.Asked); port != "" {
		return port
	}
	if f.Request == nil {
		return ""
	}
	if _, port := SplitHostPort(urlAuthority(f.Request.URL)); port != "" {
		return port
	}
	switch scheme, _, _ := strings.Cut(f.Request.URL, ":"); strings.ToLower(scheme) {
	case "https", "wss":
		return "443"
	case "http", "ws":
		return "80"
	}
	return ""
}

// Cleartext reports whether the content crossed the network unencrypted.
func (f *Flow) Cleartext() bool {
	if f.Request == nil {
		return false
	}
	u := f.Request.URL
	return len(u) >= 5 && (strings.EqualFold(u[:5], "http:") || strings.EqualFold(u[:3], "ws:"))
}

// Path returns the path of the request's URL, "" when there is no request.
func (f *Flow) Path() string {
	if f.Request == nil {
		return ""
	}
	u, err := url.Parse(f.Request.URL)
	if err != nil {
		return ""
	}
	if u.Path == "" {
		return "/"
	}
	return u.Path
}

// urlAuthority returns host[:port] of an absolute URL without a full parse.
func urlAuthority(s string) string {
	_, rest, ok := strings.Cut(s, "://")
	if !ok {
		return ""
	}
	if i := strings.IndexAny(rest, `/?#\`); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	return rest
}

func trimPort(s, port string) string { return strings.TrimSuffix(s, port) }
