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
// counted: without port, brackets, zone or trailing dots, lower case, IDNA in
// ASCII, IP addresses in their shortest form (RFC 5952) and IPv4-mapped ones as
// IPv4. It accepts "host", "host:port", "[v6]:port" and bare IPv6. A name that
// cannot be one is returned with its ASCII letters in lower case. It is idempotent.
func CanonicalHost(s string) string {
	host, _ := SplitHostPort(s)
	host = strings.TrimRight(host, ".")
	if addr, ok := parseAddr(host); ok {
		return addr.Unmap().WithZone("").String()
	}
	if isPlainName(host) {
		return host
	}
	if strings.HasPrefix(s[1:], host) && strings.IndexByte(host, ':') >= 0 {
		// Brackets around what is no address keep its colon from starting a port.
		return lowerASCII("[" + host + "]")
	}
	if len(host) > maxMapped {
		return lowerASCII(host)
	}
	// The mapping turns look-alikes of ":" and "/" into the real ones, which
	// must not make two names out of one.
	ascii, err := toASCII.ToASCII(host)
	if err != nil || strings.ContainsAny(ascii, forbiddenInHost) {
		return lowerASCII(host)
	}
	return strings.TrimRight(ascii, ".")
}

// maxMapped bounds the names that go through IDNA, whose cost grows with the
// square of the length. A DNS name has at most 253 octets.
const maxMapped = 1024

// forbiddenInHost are the forbidden host code points of the WHATWG URL standard
// that IDNA lets through.
const forbiddenInHost = "\x00\t\n\r #/:<>?@[\\]^|%"

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// parseAddr is netip.ParseAddr without the cost of its error for names.
func parseAddr(host string) (netip.Addr, bool) {
	if host == "" {
		return netip.Addr{}, false
	}
	last := host[len(host)-1]
	if (last < '0' || last > '9') && strings.IndexByte(host, ':') < 0 {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(host)
	return addr, err == nil
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
	// Asked is what the client asked for: CONNECT target, URL authority asked of the
	// proxy, the name that it asked of DNS, or the address of its packets.
	Asked string
	SNI   string
	Host  string // Host or :authority
	URL   string
}

// Names returns the canonical names of the flow's server. Where clients ask for
// addresses (see [Flow.Host]), the name for which DNS gave the address stands for it, and
// an address that gave way to the name of a TLS hello that the server has proved is not
// among them: it says nothing of its own. One that gave way to a mere claim is. Nothing
// but the client says that the two belong together, so they disagree.
func (f *Flow) Names() Names {
	n := Names{Asked: CanonicalHost(f.Server.Asked), SNI: CanonicalHost(f.Server.SNI), Host: CanonicalHost(f.Server.Host)}
	if f.Request != nil {
		n.URL = CanonicalHost(Authority(f.Request.URL))
	}
	if f.asksByAddress() && isAddress(n.Asked) {
		switch resolved := CanonicalHost(f.Server.Resolved); {
		case resolved != "":
			n.Asked = resolved
		case n.SNI != "" && f.provesSNI():
			n.Asked = ""
		}
	}
	return n
}

// provesSNI reports whether the server has shown a valid certificate for the name of the
// hello, or else nothing of what the client said has reached it. Where a connection was
// passed on unread, an app can have written any name there.
func (f *Flow) provesSNI() bool {
	if t := f.Server.TLS; t != nil {
		return t.Invalid == "" && !t.Unverified && (t.Certificate != nil || f.Response != nil)
	}
	switch f.Outcome {
	case ClientRefused, ClientSilent, HandshakeFailed, QUICRefused, Blocked, Simulated, DestinationDenied, ClientDenied:
		return true
	case Open, "":
		return f.Received == 0
	case Seen: // by somebody who could prove nothing: the notes on the capture say so
		return true
	case Abandoned, Malformed, UpstreamFailed: // of a request that was decrypted, none goes out without TLS
		return f.Request != nil || !f.Server.Dialed.IsValid()
	}
	return false
}

// Host returns the canonical name of the server that was contacted: what the
// client asked for is what was dialled, whatever a header claims. Ways in that see
// packets or SOCKS addresses are asked for bare IP addresses by clients that
// resolved the name themselves; there the address gives way to the name for which DNS
// gave it, else to SNI, Host or URL.
func (f *Flow) Host() string {
	asked := CanonicalHost(f.Server.Asked)
	if asked != "" && !(f.asksByAddress() && isAddress(asked)) {
		return asked
	}
	for _, name := range [...]string{f.Server.Resolved, f.Server.SNI, f.Server.Host} {
		if name == "" {
			continue
		}
		if host := CanonicalHost(name); host != "" {
			return host
		}
	}
	if f.Request != nil {
		if host := CanonicalHost(Authority(f.Request.URL)); host != "" {
			return host
		}
	}
	return asked
}

// asksByAddress reports whether clients of the flow's way in name their
// destination by IP address as a matter of course. A question of DNS asks for a name.
func (f *Flow) asksByAddress() bool {
	if f.Kind == DNS {
		return false
	}
	switch f.Mode {
	case "wireguard", "transparent", "socks5", "pcap", "pcapdroid", "trackercontrol":
		return true
	}
	return false
}

// isAddress reports whether a canonical host is an IP address.
func isAddress(host string) bool {
	_, ok := parseAddr(host)
	return ok
}

// Port returns the port that was contacted, without leading zeros, "" when unknown.
func (f *Flow) Port() string {
	if f.Kind == ICMP || f.Kind == IP {
		return ""
	}
	if _, port := SplitHostPort(f.Server.Asked); port != "" {
		return canonicalPort(port)
	}
	if f.Request == nil {
		return ""
	}
	if _, port := SplitHostPort(Authority(f.Request.URL)); port != "" {
		return canonicalPort(port)
	}
	switch scheme, _, _ := strings.Cut(f.Request.URL, ":"); strings.ToLower(scheme) {
	case "https", "wss":
		return "443"
	case "http", "ws":
		return "80"
	}
	return ""
}

// canonicalPort drops leading zeros: 08443 is dialled as 8443.
func canonicalPort(port string) string {
	for len(port) > 1 && port[0] == '0' {
		port = port[1:]
	}
	return port
}

// SpeechHTTP is the Speech of HTTP that somebody recognised in clear, without reading
// its requests.
const SpeechHTTP = "HTTP"

// Cleartext reports whether the content crossed the network unencrypted, as far as
// the URL's scheme tells, or what was recognised of what was not read. Of other protocols
// it knows those that have an encrypted twin.
// A question of DNS does not count: every device asks them, and no app can change that.
func (f *Flow) Cleartext() bool {
	if f.Request == nil {
		return f.Kind != DNS && f.Speech == SpeechHTTP
	}
	scheme, _, found := strings.Cut(f.Request.URL, ":")
	if !found {
		return false
	}
	switch strings.ToLower(scheme) {
	case "http", "ws", "ftp", "mqtt", "amqp", "coap", "rtsp", "rtmp":
		return true
	}
	return false
}

// Path returns the path of the request's URL with percent-encoding removed, as
// it came where that is impossible; "" when there is no request.
func (f *Flow) Path() string {
	if f.Request == nil {
		return ""
	}
	_, rest, ok := strings.Cut(f.Request.URL, "://")
	if !ok {
		return ""
	}
	i := strings.IndexAny(rest, `/?#\`)
	if i < 0 || rest[i] == '?' || rest[i] == '#' {
		return "/"
	}
	rest = rest[i:]
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	if path, err := url.PathUnescape(rest); err == nil {
		return path
	}
	return rest
}

// Authority returns host[:port] of an absolute URL (RFC 3986, 3.2) without user
// information, "" where there is none. It ends where browsers end it, at a
// backslash too, and is not judged otherwise.
func Authority(s string) string {
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

// WithoutUser redacts the user and password in a URL: they are the URL's
// spelling of an Authorization header (RFC 3986, 3.2.1). It works on text, since
// a URL from a capture need not parse.
func WithoutUser(s string) string {
	start := strings.Index(s, "://")
	if start < 0 {
		return s
	}
	start += len("://")
	end := len(s)
	if i := strings.IndexAny(s[start:], `/?#\`); i >= 0 {
		end = start + i
	}
	at := strings.LastIndexByte(s[start:end], '@')
	if at < 0 {
		return s
	}
	return s[:start] + Redacted + s[start+at:]
}
