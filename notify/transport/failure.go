package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
)

// failed says in plain words why there was no answer. It is always worth another try: what
// is wrong with a connection or a certificate can be mended while the message waits. Words
// of our own are preferred, because errors of HTTP clients have the address in them.
func failed(err error) Outcome {
	reason := failure(err)
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "proxyconnect" {
		reason = "of the proxy that the environment names: " + reason
	}
	return Outcome{Status: Again, Reason: reason}
}

// unsent reports whether an error came before anything was sent.
func unsent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect") || certificateWords(err) != ""
}

func failure(err error) string {
	var dns *net.DNSError
	switch {
	case certificateWords(err) != "":
		return certificateWords(err)
	case errors.As(err, &dns) && dns.IsNotFound:
		return "the receiver's name does not resolve"
	case errors.As(err, &dns):
		return "the receiver's name could not be looked up"
	case timedOut(err):
		return "the receiver did not answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the receiver refused the connection"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return "the receiver broke the connection off"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "the receiver closed the connection without a whole answer"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "there is no way to the receiver: is this machine online?"
	}
	return "no answer: " + inner(err)
}

func timedOut(err error) bool {
	var slow interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &slow) && slow.Timeout()
}

// certificateWords says what is wrong with a server's certificate, "" where that is not it.
func certificateWords(err error) string {
	var (
		name    x509.HostnameError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		record  tls.RecordHeaderError
		other   *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &name):
		return "the receiver's certificate is for another name"
	case errors.As(err, &unknown):
		return "the receiver's certificate is of an authority that is not trusted here: ca names a file of further ones"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the receiver's certificate has expired or is not valid yet"
	case errors.As(err, &invalid), errors.As(err, &other):
		return "the receiver's certificate is not valid"
	case errors.As(err, &record):
		return "the receiver does not speak TLS there"
	}
	return ""
}

// inner returns an error's words without the address that HTTP and network errors begin
// with.
func inner(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		err = op.Err
	}
	return strings.TrimPrefix(err.Error(), "net/http: ")
}
