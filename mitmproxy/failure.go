package mitmproxy

import (
	"strings"

	"telltale/flow"
)

// What mitmproxy says of a flow that did not end as its protocol ends it, in all
// versions, in lower case.
var (
	// refusedWords: the client did not trust the certificate that mitmproxy made.
	refusedWords = []string{"does not trust the proxy's certificate", "does not trust the mitmproxy certificate"}
	// brokenOffWords: it said nothing, so that mitmproxy can only guess.
	brokenOffWords = []string{"disconnected during the handshake"}
	// handshakeWords: TLS with the client failed for another reason.
	handshakeWords = []string{"client tls handshake failed", "cannot establish tls with client", "client handshake failed"}
	// abandonedWords: the client gave up, or a person in front of mitmproxy did.
	abandonedWords = []string{"client disconnected", "client closed connection", "connection killed", "stream reset by client", "client connection closed", "cancelled by client"}
)

// failureWords maps the rest to classes. The first match counts. The numbers are
// errno of Linux, macOS and Windows, which Python writes before the message.
var failureWords = []struct {
	class string
	words []string
}{
	{flow.FailureDNS, []string{"name or service not known", "getaddrinfo", "nodename nor servname", "name resolution", "no address associated", "[errno -2]", "[errno -3]", "[errno -5]", "[errno 11001]", "[errno 8]"}},
	{flow.FailureCertificate, []string{"certificate"}},
	{flow.FailureTimeout, []string{"timed out", "timeout", "[errno 110]", "[errno 60]", "[errno 10060]"}},
	{flow.FailureRefused, []string{"refused", "[errno 111]", "[errno 61]", "[errno 10061]", "[winerror 1225]"}},
	{flow.FailureUnreachable, []string{"unreachable", "no route", "[errno 113]", "[errno 101]", "[errno 65]", "[errno 51]", "[errno 10051]", "[errno 10065]"}},
	{flow.FailureTLS, []string{"tls", "ssl"}},
	{flow.FailureTruncated, []string{"incomplete", "content-length", "unexpected end", "peer closed connection without sending complete"}},
	{flow.FailureReset, []string{"reset", "server disconnected", "server closed connection", "connection closed", "peer closed connection", "broken pipe", "[errno 104]", "[errno 54]", "[errno 10054]", "eof"}},
	{flow.FailureProtocol, []string{"protocol", "invalid", "malformed", "unexpected", "not http"}},
	{flow.FailureUnreachable, []string{"connect", "proxy"}},
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
	s = strings.ToLower(s)
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// noResponse says why a flow is open.
const noResponse = "the file has no response to this request"

// outcome says how a flow ended.
func (d *reader) outcome(f *flow.Flow) {
	e := &d.draft
	said := e.failure
	if said == "" && f.Response == nil {
		said = e.server.failure // which is kept for the next attempt
	}
	switch {
	case containsAny(said, refusedWords) && !containsAny(said, brokenOffWords):
		f.Outcome, f.Error = flow.ClientRefused, said
	case containsAny(said, handshakeWords):
		f.Outcome, f.Error = flow.HandshakeFailed, said
	case containsAny(said, abandonedWords):
		f.Outcome, f.Error = flow.Abandoned, said
	case said != "":
		d.failed(f, said)
	case f.Kind == flow.Tunnel:
		f.Outcome = flow.Tunnelled
	case f.Response != nil:
		f.Outcome = flow.Completed
	case e.intercepted:
		f.Outcome, f.Error = flow.Open, "mitmproxy was told to hold this request and had not sent it when it was saved"
	default:
		f.Outcome, f.Error = flow.Open, noResponse
	}
	if f.Kind == flow.WebSocket && f.Outcome == flow.Completed && !e.closed {
		f.Outcome = flow.Open
	}
}

// failed fills in an attempt that did not succeed, which is a contact all the same.
func (d *reader) failed(f *flow.Flow, said string) {
	f.Outcome, f.Error, f.Failure = flow.UpstreamFailed, said, failureClass(said)
	switch {
	case f.Failure == flow.FailureCertificate:
		if f.Server.TLS == nil {
			f.Server.TLS = &flow.ServerTLS{}
		}
		f.Server.TLS.Invalid = said
	case f.Failure == flow.FailureReset && f.Response != nil && f.Kind == flow.HTTP:
		f.Failure = flow.FailureTruncated
	}
	if f.Response != nil && f.Times.Receive < 0 {
		f.Times.Receive = 0 // it is the server's, and was being received
	}
}
