package proxy

import (
	"net"
	"net/http"
	"strconv"
	"strings"

	"telltale/flow"
)

// maxOffers bounds the alternatives that are looked at in one answer.
const maxOffers = 16

// offerNotes says where an answer offers to serve its host from as well (Alt-Svc, RFC
// 7838, 3) where that is not where it came from by the same means: a client that takes
// the offer up may leave what telltale sees. The header itself is passed as it is.
func (x *exchange) offerNotes(f *flow.Flow, h http.Header) (notes []string) {
	lines := h["Alt-Svc"]
	if len(lines) == 0 {
		return nil
	}
	asked, port := flow.SplitHostPort(f.Server.Asked)
	looked := 0
	for _, line := range lines {
		for offer := range strings.SplitSeq(line, ",") {
			if looked++; looked > maxOffers {
				return notes
			}
			protocol, host, at, ok := parseOffer(offer)
			if !ok || protocol != "h3" && (host == "" || flow.CanonicalHost(host) == flow.CanonicalHost(asked)) && at == port {
				continue
			}
			note := "The answer offers " + offeredName(protocol) + " at " + net.JoinHostPort(host, at) + " (Alt-Svc); " + x.offerMeans(f.Mode, protocol) + "."
			if len(notes) == 0 || notes[len(notes)-1] != note {
				notes = append(notes, note)
			}
		}
	}
	return notes
}

// offerMeans says what becomes of a client that takes an offer up.
func (x *exchange) offerMeans(mode, protocol string) string {
	switch {
	case mode != modeWireGuard:
		return "a client that follows it leaves the proxy"
	case protocol != "h3":
		return "a client that follows it stays in the tunnel"
	case x.cfg.QUIC == QUICPass:
		return "telltale forwards QUIC unread, so that a client that follows it is seen by its name alone"
	case x.cfg.QUIC == QUICIntercept:
		return "telltale decrypts QUIC, so that a client that follows it is still read"
	}
	return "telltale refuses QUIC, so that the client stays on TCP"
}

// offeredName names a protocol by its ALPN.
func offeredName(protocol string) string {
	switch protocol {
	case "h3":
		return "HTTP/3"
	case "h2":
		return "HTTP/2"
	case "http/1.1":
		return "HTTP/1.1"
	}
	return "another protocol"
}

// parseOffer parts one alternative: protocol="host:port"; parameters (RFC 7838, 3). A
// draft of HTTP/3 counts as it. The host is "" where it is the same.
func parseOffer(offer string) (protocol, host, port string, ok bool) {
	offer, _, _ = strings.Cut(offer, ";")
	protocol, authority, ok := strings.Cut(strings.TrimSpace(offer), "=")
	if !ok {
		return "", "", "", false // "clear"
	}
	if protocol = strings.ToLower(strings.ReplaceAll(protocol, "%2F", "/")); protocol == "h3" || strings.HasPrefix(protocol, "h3-") || protocol == "quic" {
		protocol = "h3"
	}
	authority = strings.Trim(strings.TrimSpace(authority), `"`)
	host, port, err := net.SplitHostPort(authority)
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || !all([]byte(host), hostByte) {
		return "", "", "", false
	}
	return protocol, host, port, true
}
