package flow

import "strings"

// IsLookup reports whether the flow is a question of DNS that looks for no server: for
// the name of an address (RFC 1035, 3.5; RFC 3596, 2.5), for what the network of an
// address offers (RFC 6763, 11), for what the resolver itself can do (RFC 9462, 4), or for
// the prefix by which the network translates addresses (RFC 7050, 3). Any other name under
// the same roots is a name like others, and so is any other type of question: somebody has
// the zone, and could be told something.
func (f *Flow) IsLookup() bool {
	if f.Kind != DNS || f.DNS == nil {
		return false
	}
	name := CanonicalHost(f.Server.Asked)
	if !strings.HasSuffix(name, ".arpa") { // as hardly any is
		return false
	}
	kind := f.DNS.Type // "" in a list that does not tell it
	switch name {
	case "resolver.arpa", "_dns.resolver.arpa":
		return kind == "SVCB" || kind == "HTTPS" || kind == ""
	case "ipv4only.arpa":
		return kind == "A" || kind == "AAAA" || kind == ""
	}
	if kind != "PTR" && kind != "" {
		return false
	}
	for _, offer := range [...]string{"b", "db", "r", "dr", "lb"} {
		if rest, ok := strings.CutPrefix(name, offer+"._dns-sd._udp."); ok {
			return isReverse(rest)
		}
	}
	return isReverse(name)
}

// isReverse reports whether a canonical name stands for an address or a network.
func isReverse(name string) bool {
	if labels, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		return areLabels(labels, 4, 3, "0123456789")
	}
	labels, ok := strings.CutSuffix(name, ".ip6.arpa")
	return ok && areLabels(labels, 32, 1, "0123456789abcdef")
}

// areLabels reports whether the text has at most count labels of 1 to length digits.
func areLabels(text string, count, length int, digits string) bool {
	for label := range strings.SplitSeq(text, ".") {
		if count--; count < 0 || label == "" || len(label) > length || strings.Trim(label, digits) != "" {
			return false
		}
	}
	return true
}
