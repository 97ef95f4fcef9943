package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"syscall"

	"telltale/flow"
)

// alert is the description of a TLS alert (RFC 8446, 6).
type alert int

// The alerts that this package names itself.
const (
	noAlert                alert = -1
	alertCloseNotify       alert = 0
	alertUnexpectedMessage alert = 10
	alertAccessDenied      alert = 49
	alertUserCanceled      alert = 90
)

// alertNames are the names of the registry (IANA, TLS Alerts).
var alertNames = map[alert]string{
	0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed",
	22: "record_overflow", 30: "decompression_failure", 40: "handshake_failure", 41: "no_certificate",
	42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked",
	45: "certificate_expired", 46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca",
	49: "access_denied", 50: "decode_error", 51: "decrypt_error", 52: "too_many_cids_requested",
	60: "export_restriction", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
	86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension",
	110: "unsupported_extension", 111: "certificate_unobtainable", 112: "unrecognized_name",
	113: "bad_certificate_status_response", 114: "bad_certificate_hash_value", 115: "unknown_psk_identity",
	116: "certificate_required", 117: "general_error", 120: "no_application_protocol", 121: "ech_required",
}

// String formats an alert as it stands in flow.ClientHello: "unknown_ca (48)".
func (a alert) String() string {
	if a == noAlert {
		return ""
	}
	name := alertNames[a]
	if name == "" {
		name = "unknown"
	}
	return fmt.Sprintf("%s (%d)", name, int(a))
}

// alertRecord returns a fatal alert as a record in plain text.
func alertRecord(a alert) []byte { return []byte{recordAlert, 3, 3, 0, 2, 2, byte(a)} }

// Words on clients that do not like our certificate.
const (
	pinningHint = "It may pin its certificates; an untrusted CA looks the same: " +
		"if every app on the device refuses, the CA is not installed or not trusted there"
	silentReason = "the client accepted TLS and closed the connection without a request. " +
		"It may have checked our certificate against its pins afterwards; a connection opened in advance and never used looks the same"
)

// judgeAlert says what a client means that ends the handshake with an alert.
// shown tells whether it had been sent our certificate.
func judgeAlert(a alert, shown bool) (flow.Outcome, string) {
	switch a {
	case 48:
		return flow.ClientRefused, "the client does not know the authority that signed our certificate: unknown_ca (48). " + pinningHint
	case 41, 42, 43, 44, 45, 46, 49, 111, 113, 114:
		return flow.ClientRefused, "the client refused our certificate: " + a.String() + ". " + pinningHint
	case alertCloseNotify, alertUserCanceled:
		if shown {
			return flow.ClientRefused, "the client broke off when it saw our certificate: " + a.String() + ". " + pinningHint
		}
		return flow.HandshakeFailed, "the client broke the TLS handshake off: " + a.String()
	case 40, 70, 71, 86, 120:
		return flow.HandshakeFailed, "the client found no common ground for TLS: " + a.String()
	case 121:
		return flow.HandshakeFailed, "the client insists on Encrypted ClientHello, which hides the server's name: " + a.String()
	}
	return flow.HandshakeFailed, "the client ended the TLS handshake: " + a.String()
}

// alertOf returns the alert that crypto/tls received, noAlert if err is another
// trouble. The type of alerts is not exported: only their kind tells.
func alertOf(err error) alert {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" && op.Err != nil {
		if v := reflect.ValueOf(op.Err); v.Kind() == reflect.Uint8 {
			return alert(v.Uint())
		}
	}
	return noAlert
}

// alerted returns c with an alert on its ClientHello. c itself, which others may
// be reading, is not changed.
func (c *connection) alerted(a alert) *connection {
	if a == noAlert || c.client.Hello == nil {
		return c
	}
	hello := *c.client.Hello
	hello.Alert = a.String()
	d := *c
	d.client.Hello = &hello
	return &d
}

// isReset reports whether the peer aborted the connection.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNABORTED)
}

// recordSniffer follows the client's TLS records during a handshake. It finds an
// alert in plain text: OpenSSL sends one under TLS 1.3 when the server's records
// are encrypted already, and crypto/tls then only finds that it does not decrypt.
type recordSniffer struct {
	header [7]byte // of the record being read, and its first two bytes
	have   int     // bytes of it
	skip   int     // content still to come
	alert  alert   // noAlert for none
	sent   int     // bytes written to the client
}

// shown reports whether the client was sent our certificate: no other flight of
// a server is as long, neither the answer to a resumption nor a retry request.
func (s *recordSniffer) shown() bool { return s.sent > 512 }

// feed takes what was read from the client.
func (s *recordSniffer) feed(b []byte) {
	for len(b) > 0 {
		if s.skip > 0 {
			n := min(s.skip, len(b))
			s.skip -= n
			b = b[n:]
			continue
		}
		s.header[s.have] = b[0]
		s.have++
		b = b[1:]
		if s.have < 5 {
			continue
		}
		length := int(s.header[3])<<8 | int(s.header[4])
		if s.header[0] == recordAlert && length == 2 && s.have < 7 {
			continue
		}
		if s.have == 7 {
			s.alert = alert(s.header[6])
		} else {
			s.skip = length
		}
		s.have = 0
	}
}
