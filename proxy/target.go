package proxy

import (
	"net/netip"
	"strconv"
	"strings"
)

// The refusals of a CONNECT's target.
var (
	errTargetEmpty = &malformed{400, "a CONNECT to no host (RFC 9110, 9.3.6)"}
	errTargetPort  = &malformed{400, "a CONNECT without a port from 1 to 65535 (RFC 9110, 9.3.6)"}
	errTargetHost  = &malformed{400, "a CONNECT to something that is no host name and no address"}
	errTargetLong  = &malformed{400, "a CONNECT to a name of more than 253 characters (RFC 1035, 2.3.4)"}
)

// parseTarget parts the host:port of a CONNECT (RFC 9110, 9.3.6). An IPv6
// address stands in brackets and has no zone: the device's zones are not ours.
func parseTarget(s string) (host, port string, bad *malformed) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") {
		if s == "" {
			return "", "", errTargetEmpty
		}
		return "", "", errTargetPort
	}
	host, port = s[:i], s[i+1:]
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || len(port) > 5 {
		return "", "", errTargetPort
	}
	if strings.HasPrefix(host, "[") {
		addr, err := netip.ParseAddr(strings.TrimSuffix(host[1:], "]"))
		if err != nil || !addr.Is6() || addr.Zone() != "" || !strings.HasSuffix(host, "]") {
			return "", "", errTargetHost
		}
		return host[1 : len(host)-1], port, nil
	}
	return host, port, checkName(host)
}

// checkName takes what a resolver may be asked: labels of letters, digits,
// hyphens and underscores, and bytes of UTF-8, which IDNA will map.
func checkName(host string) *malformed {
	switch {
	case host == "":
		return errTargetEmpty
	case len(strings.TrimSuffix(host, ".")) > 253:
		return errTargetLong
	}
	label := 0
	for i := range len(host) {
		switch c := host[i]; {
		case c == '.':
			if label == 0 {
				return errTargetHost
			}
			label = 0
		case class[c]&nameByte != 0 || c >= 0x80:
			label++
		default:
			return errTargetHost
		}
	}
	return nil
}
