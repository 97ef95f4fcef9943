package har

import (
	"strings"

	"telltale/flow"
)

// abortedWords occur in what producers say when the client itself gave up.
var abortedWords = []string{"ERR_ABORTED", "NS_BINDING_ABORTED", "NS_ERROR_ABORT", "CANCELED", "CANCELLED", "CLIENT DISCONNECTED"}

func isAborted(failure string) bool { return containsAny(failure, abortedWords) }

// failureWords maps what Chrome (net/base/net_error_list.h), Firefox (nsresult)
// and proxies say of a failure to its class. The first match counts.
var failureWords = []struct {
	class string
	words []string
}{
	{flow.FailureDNS, []string{"NAME_NOT_RESOLVED", "NAME_RESOLUTION", "ERR_DNS", "UNKNOWN_HOST", "RESOLVE HOST", "NO SUCH HOST", "NAME OR SERVICE NOT KNOWN", "GETADDRINFO", "ENOTFOUND", "NODENAME"}},
	{flow.FailureCertificate, []string{"ERR_CERT", "CERTIFICATE", "SEC_ERROR", "BAD_CERT", "CERT_"}},
	{flow.FailureTimeout, []string{"TIMED_OUT", "TIMED OUT", "TIMEOUT", "ETIMEDOUT"}},
	{flow.FailureRefused, []string{"REFUSED"}},
	{flow.FailureTruncated, []string{"CONTENT_LENGTH_MISMATCH", "INCOMPLETE", "PARTIAL_TRANSFER", "TRUNCATED", "UNEXPECTED EOF"}},
	{flow.FailureTLS, []string{"ERR_SSL", "SSL_ERROR", "TLS", "SSL"}},
	{flow.FailureProtocol, []string{"EMPTY_RESPONSE", "INVALID", "HTTP2_PROTOCOL", "QUIC_PROTOCOL", "MALFORMED", "PROTOCOL"}},
	{flow.FailureUnreachable, []string{"UNREACHABLE", "INTERNET_DISCONNECTED", "NETWORK_CHANGED", "OFFLINE", "NO ROUTE", "CONNECTION_FAILED", "PROXY"}},
	{flow.FailureReset, []string{"RESET", "CONNECTION_CLOSED", "CONNECTION CLOSED", "BROKEN PIPE", "DISCONNECTED", "EOF"}},
}

// failureClass returns one of the flow.Failure constants, "" when the words say
// nothing.
func failureClass(failure string) string {
	for _, f := range failureWords {
		if containsAny(failure, f.words) {
			return f.class
		}
	}
	return ""
}

func containsAny(s string, words []string) bool {
	if s == "" {
		return false
	}
	s = strings.ToUpper(s)
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}
