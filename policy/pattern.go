package policy

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"telltale/flow"
)

// patternKind says what a pattern compares.
type patternKind uint8

const (
	exactName    patternKind = iota // canada.ca
	belowName                       // *.canada.ca
	nameAndBelow                    // .canada.ca
	anyHost                         // *
	addressBlock                    // 192.0.2.1, 10.0.0.0/8
)

// A Pattern names hosts. The zero value matches nothing; make one with
// [ParsePattern].
type Pattern struct {
	text   string // canonical spelling; "" in the zero value
	kind   patternKind
	name   string // canonical, without the wildcard; "" for addresses and *
	prefix netip.Prefix
	port   string // "" is any port
}

// A PatternError says why a text is not a host pattern.
type PatternError struct {
	Pattern string // as written
	Message string
	hint    string
}

// Error returns the pattern and what is wrong with it.
func (e *PatternError) Error() string {
	return "host pattern " + strconv.Quote(e.Pattern) + ": " + e.Message
}

// Hint says what to write instead, "" when that is not known.
func (e *PatternError) Hint() string { return e.hint }

// ParsePattern reads a host pattern:
//
//	canada.ca        that host alone
//	*.canada.ca      every name below it at any depth, not canada.ca itself
//	.canada.ca       both
//	*                any host
//	192.0.2.7        that address (IPv6 with or without brackets)
//	10.0.0.0/8       every address of the block
//
// A port may follow ("canada.ca:8443", "[2001:db8::1]:443", "10.0.0.0/8:80",
// "[2001:db8::/32]:443"). Names are compared by whole labels, without regard to
// case, after IDNA mapping (UTS 46) and without a trailing dot. The error is a
// [*PatternError].
func ParsePattern(text string) (Pattern, error) {
	if err := checkPatternText(text); err != nil {
		return Pattern{}, err
	}
	host, port, err := splitPatternPort(text)
	if err != nil {
		return Pattern{}, err
	}
	p := Pattern{port: port}
	switch {
	case host == "*":
		p.kind = anyHost
	case strings.ContainsAny(host, "/:") || isAddress(host):
		if p.prefix, err = parseBlock(text, host); err != nil {
			return Pattern{}, err
		}
		p.kind = addressBlock
	default:
		rest := host
		switch {
		case strings.HasPrefix(host, "*."):
			p.kind, rest = belowName, host[2:]
		case strings.HasPrefix(host, "."):
			p.kind, rest = nameAndBelow, host[1:]
		}
		if p.name, err = parsePatternName(text, rest); err != nil {
			return Pattern{}, err
		}
	}
	p.text = p.spell()
	return p, nil
}

// checkPatternText refuses what belongs to a URL and not to a host.
func checkPatternText(text string) error {
	fail := func(message, hint string) error { return &PatternError{text, message, hint} }
	if text == "" {
		return fail("is empty", `write a host such as "canada.ca", or "*" for any`)
	}
	if !utf8.ValidString(text) {
		return fail("is not UTF-8", "")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xa0 || r == 0x3000 }) {
		return fail("contains a space or control character", "write one host per entry")
	}
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		return fail("has a scheme ("+scheme+"://)", "write the host alone: "+strconv.Quote(host))
	}
	if i := strings.IndexByte(text, '@'); i >= 0 {
		return fail("has a user name", "write the host alone: "+strconv.Quote(text[i+1:]))
	}
	if i := strings.IndexAny(text, `?#\`); i >= 0 {
		return fail("has a part of a URL after the host", "write the host alone: "+strconv.Quote(text[:i]))
	}
	if host, path, ok := strings.Cut(text, "/"); ok && !strings.HasPrefix(text, "[") && !isAddress(host) {
		return fail("has a path", "write the host alone and limit it with paths: host: "+strconv.Quote(host)+", paths: ["+strconv.Quote("/"+path)+"]")
	}
	return nil
}

// splitPatternPort parts the host from the port. Colons of an IPv6 address are
// not a port's; brackets remove the doubt.
func splitPatternPort(text string) (host, port string, err error) {
	rest := ""
	switch i := strings.IndexByte(text, ':'); {
	case strings.HasPrefix(text, "["):
		end := strings.IndexByte(text, ']')
		if end < 0 {
			return "", "", &PatternError{text, "has no closing bracket", `write IPv6 as "[2001:db8::1]:443"`}
		}
		host, rest = text[1:end], text[end+1:]
		if !strings.Contains(host, ":") {
			return "", "", &PatternError{text, "has brackets around what is not an IPv6 address", ""}
		}
		if strings.HasPrefix(rest, "/") { // [2001:db8::]/32
			block, _, _ := strings.Cut(rest, ":")
			host, rest = host+block, rest[len(block):]
		}
	case i < 0 || strings.Count(text, ":") > 1: // no port, or a bare IPv6 address
		return text, "", nil
	default:
		host, rest = text[:i], text[i:]
	}
	if rest == "" {
		return host, "", nil
	}
	port = strings.TrimPrefix(rest, ":")
	n, convErr := strconv.ParseUint(port, 10, 16)
	if convErr != nil || n == 0 || strconv.FormatUint(n, 10) != port || rest[0] != ':' {
		return "", "", &PatternError{text, "has an invalid port " + strconv.Quote(port), "a port is a number from 1 to 65535; without one, every port matches"}
	}
	return host, port, nil
}

// parseBlock reads an IP address or a CIDR block (RFC 4632).
func parseBlock(text, host string) (netip.Prefix, error) {
	if !strings.Contains(host, "/") {
		addr, err := netip.ParseAddr(host)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, &PatternError{text, "is not an IP address", `an IPv6 address with a port is written "[2001:db8::1]:443"`}
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	block, err := netip.ParsePrefix(host)
	if err != nil {
		return netip.Prefix{}, &PatternError{text, "is not a CIDR block", `write it as "10.0.0.0/8"`}
	}
	if masked := block.Masked(); masked != block {
		return netip.Prefix{}, &PatternError{text, "has bits set behind the prefix", "did you mean " + strconv.Quote(masked.String()) + "?"}
	}
	if block.Addr().Is4In6() {
		return netip.Prefix{}, &PatternError{text, "is an IPv4 block in IPv6 clothes", "write the IPv4 block: flows name IPv4-mapped addresses as IPv4"}
	}
	return block, nil
}

// parsePatternName reads the name behind the wildcard and returns it canonical.
func parsePatternName(text, name string) (string, error) {
	fail := func(message, hint string) (string, error) { return "", &PatternError{text, message, hint} }
	if strings.Contains(name, "*") {
		if bare := strings.TrimLeft(name, "*"); bare != "" && !strings.Contains(bare, "*") && bare[0] != '.' {
			return fail("has a * that is not a whole label", "did you mean "+strconv.Quote("*."+bare)+"?")
		}
		return fail("may have * only as its first label", `"*.canada.ca" is every name below canada.ca, "*" any host`)
	}
	canonical := flow.CanonicalHost(name)
	if canonical == "" {
		return fail("names no host", `write a name behind the dot, as in ".canada.ca"`)
	}
	if strings.Count(name, ".")-strings.Count(strings.TrimRight(name, "."), ".") > 1 {
		return fail("ends in more than one dot", "")
	}
	if len(canonical) > 253 { // RFC 1035, 2.3.4
		return fail("is longer than 253 characters", "")
	}
	if isAddress(canonical) {
		return fail("has a wildcard before an IP address", `for several addresses write a CIDR block such as "10.0.0.0/8"`)
	}
	labels := strings.Split(canonical, ".")
	for _, label := range labels {
		if message := checkLabel(label); message != "" {
			return fail(message, "")
		}
	}
	// A name whose last label is a number is an IPv4 address to browsers (WHATWG
	// URL, "ends in a number"), and this one is not valid.
	if _, err := strconv.ParseUint(labels[len(labels)-1], 10, 64); err == nil {
		return fail("ends in a number, but is not an IP address", "an IPv4 address has four numbers from 0 to 255")
	}
	return canonical, nil
}

// checkLabel returns what is wrong with one canonical label (RFC 1035, 2.3.1, with
// the underscore that real names have), "" when nothing is.
func checkLabel(label string) string {
	if label == "" {
		return "has an empty label (two dots in a row)"
	}
	if len(label) > 63 {
		return "has a label longer than 63 characters"
	}
	for i := 0; i < len(label); i++ {
		c := label[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return "has a character that no host name has"
		}
	}
	if strings.HasPrefix(label, "xn--") {
		if _, err := idna.Punycode.ToUnicode(label); err != nil {
			return "has an invalid IDNA label " + strconv.Quote(label)
		}
	}
	return ""
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// spell writes the pattern in its canonical form, which parses to the same.
func (p Pattern) spell() string {
	s, suffix := p.name, ""
	if p.port != "" {
		suffix = ":" + p.port
	}
	switch p.kind {
	case belowName:
		s = "*." + p.name
	case nameAndBelow:
		s = "." + p.name
	case anyHost:
		s = "*"
	case addressBlock:
		s = p.prefix.String()
		if p.prefix.IsSingleIP() {
			s = p.prefix.Addr().String()
		}
		if p.port != "" && p.prefix.Addr().Is6() {
			s = "[" + s + "]"
		}
	}
	return s + suffix
}

// String returns the pattern in canonical spelling.
func (p Pattern) String() string { return p.text }

// Match reports whether the pattern names the host and port. The host may be in
// any spelling that [flow.CanonicalHost] takes; port is "" where it is unknown,
// which a pattern with a port does not match.
func (p Pattern) Match(host, port string) bool {
	return p.matchCanonical(flow.CanonicalHost(host), port)
}

func (p Pattern) matchCanonical(host, port string) bool {
	return p.matchPort(port) && p.matchHost(host)
}

// permits is matchCanonical for entries that let a contact pass. What no resolver
// takes for one name may be read as another host by a lenient client
// ("evil.example%2f.canada.ca"), so a wildcard with a name does not cover it.
func (p Pattern) permits(host, port string) bool {
	if (p.kind == belowName || p.kind == nameAndBelow) && !isName(host) {
		return false
	}
	return p.matchCanonical(host, port)
}

// isName reports whether a canonical host has no character that separates or ends
// names (WHATWG URL, forbidden domain code points) and none that IDNA did not map.
func isName(host string) bool {
	for i := range len(host) {
		if c := host[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`#%/:<>?@[\]^|`, c) >= 0 {
			return false
		}
	}
	return true
}

func (p Pattern) matchPort(port string) bool { return p.port == "" || p.port == port }

// matchHost compares a canonical host by whole labels.
func (p Pattern) matchHost(host string) bool {
	if p.text == "" || host == "" {
		return false
	}
	switch p.kind {
	case anyHost:
		return true
	case exactName:
		return host == p.name
	case belowName:
		return isBelow(host, p.name)
	case nameAndBelow:
		return host == p.name || isBelow(host, p.name)
	case addressBlock:
		addr, err := netip.ParseAddr(host)
		return err == nil && p.prefix.Contains(addr)
	}
	return false
}

// isBelow reports whether host is a name under domain, by whole labels.
func isBelow(host, domain string) bool {
	cut := len(host) - len(domain) - 1
	return cut > 0 && host[cut] == '.' && host[cut+1:] == domain
}

// covers reports whether every host and port that q names is named by p, too.
func (p Pattern) covers(q Pattern) bool {
	if p.text == "" || q.text == "" || p.port != "" && p.port != q.port {
		return false
	}
	switch {
	case p.kind == anyHost:
		return true
	case q.kind == anyHost:
		return false
	case p.kind == addressBlock || q.kind == addressBlock:
		return p.kind == q.kind && p.prefix.Bits() <= q.prefix.Bits() && p.prefix.Contains(q.prefix.Addr())
	case q.kind == exactName:
		return p.matchHost(q.name)
	case p.kind == exactName:
		return false
	case q.kind == nameAndBelow:
		return p.kind == nameAndBelow && p.name == q.name || isBelow(q.name, p.name)
	default: // both are wildcards, q without its apex
		return p.name == q.name || isBelow(q.name, p.name)
	}
}
