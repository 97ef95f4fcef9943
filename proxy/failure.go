package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"telltale/flow"
)

// dialError says which stage of reaching a server failed.
type dialError struct {
	host  string // or host:port
	stage string // a verb: "resolve", "connect to"
	err   error
}

func (e *dialError) Error() string {
	return "could not " + e.stage + " " + e.host + ": " + cause(e.err)
}
func (e *dialError) Unwrap() error { return e.err }

// Winsock's numbers, which package syscall does not name.
const (
	wsaNetUnreachable  = syscall.Errno(10051)
	wsaConnReset       = syscall.Errno(10054)
	wsaTimedOut        = syscall.Errno(10060)
	wsaConnRefused     = syscall.Errno(10061)
	wsaHostUnreachable = syscall.Errno(10065)
)

// failureOf classes an error of a dial or an exchange. The class is one of the
// flow.Failure constants, or "" when the outcome is not UpstreamFailed.
func failureOf(err error) (flow.Outcome, string) {
	var denied *deniedError
	switch {
	case errors.As(err, &denied):
		return flow.DestinationDenied, ""
	case errors.Is(err, context.Canceled):
		return flow.Abandoned, ""
	}
	return flow.UpstreamFailed, classOf(err)
}

func classOf(err error) string {
	var dns *net.DNSError
	var via *viaError
	switch {
	case errors.As(err, &dns):
		return flow.FailureDNS
	case isBadCertificate(err):
		return flow.FailureCertificate
	case isTimeout(err), errors.Is(err, context.DeadlineExceeded):
		return flow.FailureTimeout
	case errors.As(err, &via):
		return via.class()
	}
	if class := errnoClass(err); class != "" {
		return class
	}
	var shake *handshakeError
	switch {
	case errors.As(err, &shake):
		return flow.FailureTLS
	case errors.Is(err, io.ErrUnexpectedEOF):
		return flow.FailureTruncated
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), closedWithoutAnswer(err):
		return flow.FailureReset
	}
	return flow.FailureProtocol
}

func errnoClass(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return ""
	}
	switch errno {
	case syscall.ECONNREFUSED, wsaConnRefused:
		return flow.FailureRefused
	case syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED, wsaConnReset:
		return flow.FailureReset
	case syscall.ETIMEDOUT, wsaTimedOut:
		return flow.FailureTimeout
	case syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EADDRNOTAVAIL, wsaNetUnreachable, wsaHostUnreachable:
		return flow.FailureUnreachable
	}
	return flow.FailureUnreachable // of all else that a socket can say
}

// isBadCertificate reports whether the server's certificate was refused.
func isBadCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}

// closedWithoutAnswer knows the errors of http.Transport that have no type: the
// server, or a goaway of HTTP/2, ended the connection before it answered.
func closedWithoutAnswer(err error) bool {
	s := err.Error()
	return strings.Contains(s, "server closed idle connection") || strings.Contains(s, "server sent GOAWAY") ||
		strings.Contains(s, "http2: client conn") // is lost, is closed, could not be established, ...
}

// bodyFailure classes an error in the middle of a response: whatever is not
// known to be something else is a body that ended before its end.
func bodyFailure(err error) (flow.Outcome, string) {
	outcome, class := failureOf(err)
	if class == flow.FailureProtocol || errors.Is(err, io.EOF) {
		class = flow.FailureTruncated
	}
	return outcome, class
}

// cause returns the innermost words of an error, without the addresses and the
// names of system calls that net puts around them.
func cause(err error) string {
	var dns *net.DNSError
	var errno syscall.Errno
	switch {
	case errors.As(err, &dns):
		return dns.Err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "timed out"
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection ended in the middle"
	case errors.Is(err, io.EOF), closedWithoutAnswer(err):
		return "the server closed the connection without an answer"
	}
	words := err.Error()
	for _, prefix := range []string{"net/http: HTTP/1.x transport connection broken: ", "net/http: ", "http: ", "http2: "} {
		words = strings.TrimPrefix(words, prefix)
	}
	return words
}

// noAnswer says in words why a request to server was not answered. What this
// package says of a dial or a handshake stands as it is.
func noAnswer(server string, err error) string {
	var undialed *undialedError
	var shake *handshakeError
	if errors.As(err, &undialed) || errors.As(err, &shake) {
		return err.Error()
	}
	return "no usable answer from " + server + ": " + cause(err)
}

// oneLine makes a text fit for a header value and for a line of a page: a server
// can put anything into its errors.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r > 0x7e {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 500)]
}
