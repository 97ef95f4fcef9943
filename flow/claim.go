package flow

import (
	"cmp"
	"net"
	"strings"
)

// HostClaim returns what a request claims to be the host that it is for: :authority
// (RFC 9113, 8.3.1), else Host (RFC 9110, 7.2). Where a request has several, the one
// that disagrees with the host that was asked for counts: it must not hide behind one
// that agrees.
func HostClaim(asked, authority string, header []Field) string {
	asked = CanonicalHost(asked)
	claim := authority
	for _, field := range header {
		if !strings.EqualFold(field.Name, "Host") {
			continue
		}
		if claim == "" || CanonicalHost(claim) == asked {
			claim = cmp.Or(field.Value(), claim)
		}
	}
	return claim
}

// CanonicalHostPort returns host:port with the host as [CanonicalHost] spells it: one
// key for one place. The port stays as it is, and may be missing.
func CanonicalHostPort(s string) string {
	host, port := SplitHostPort(s)
	return net.JoinHostPort(CanonicalHost(host), port)
}
