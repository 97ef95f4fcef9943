package diagnosis

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"telltale/flow"
)

// Codes of alerts (RFC 8446, 6) on which something is decided, and the reasons
// without one.
const (
	alertHandshakeFailure      int16 = 40
	alertBadCertificate        int16 = 42
	alertCertificateExpired    int16 = 45
	alertUnknownCA             int16 = 48
	alertProtocolVersion       int16 = 70
	alertInsufficientSecurity  int16 = 71
	alertInappropriateFallback int16 = 86
	alertNoApplicationProtocol int16 = 120
	alertECHRequired           int16 = 121

	noAlert   int16 = -1 // the client closed the connection, or its alert says nothing
	noVersion int16 = -2 // we had none of the versions that it offered
	noCipher  int16 = -3 // likewise cipher suites, curves or signatures
)

// alertNames are those of the registry (IANA, TLS Alerts) that clients send to
// servers whose certificate or offer they do not like.
var alertNames = map[int16]string{
	40: "handshake_failure", 41: "no_certificate", 42: "bad_certificate", 43: "unsupported_certificate",
	44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown", 47: "illegal_parameter",
	48: "unknown_ca", 49: "access_denied", 50: "decode_error", 51: "decrypt_error", 70: "protocol_version",
	71: "insufficient_security", 80: "internal_error", 86: "inappropriate_fallback", 90: "user_canceled",
	109: "missing_extension", 110: "unsupported_extension", 111: "certificate_unobtainable", 112: "unrecognized_name",
	113: "bad_certificate_status_response", 114: "bad_certificate_hash_value", 116: "certificate_required",
	120: "no_application_protocol", 121: "ech_required",
}

// alertText is an alert as people know it: "unknown_ca (48)".
func alertText(code int16) string {
	return fmt.Sprintf("%s (%d)", cmp.Or(alertNames[code], "unknown"), code)
}

// codeOf returns the alert of a connection that was not read, or the reason
// without one. The number decides; the name before it is for people.
func codeOf(f *flow.Flow) int16 {
	if h := f.Client.Hello; h != nil && h.Alert != "" {
		if i := strings.LastIndexByte(h.Alert, '('); i >= 0 && strings.HasSuffix(h.Alert, ")") {
			if n, err := strconv.ParseUint(h.Alert[i+1:len(h.Alert)-1], 10, 8); err == nil && n > 0 {
				return int16(n)
			}
		}
		return noAlert
	}
	if f.Outcome != flow.HandshakeFailed {
		return noAlert
	}
	// When it was our side that found nothing in common, only the error of
	// crypto/tls says so.
	switch e := f.Error; {
	case strings.Contains(e, "unsupported versions"):
		return noVersion
	case strings.Contains(e, "unsupported application protocols"):
		return alertNoApplicationProtocol
	case strings.Contains(e, "no cipher suite supported"), strings.Contains(e, "no ECDHE curve supported"),
		strings.Contains(e, "doesn't support any of the certificate's signature algorithms"):
		return noCipher
	}
	return noAlert
}
