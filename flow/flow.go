// Package flow holds what telltale saw, as plain values.
//
// A [Flow] is one HTTP exchange, one WebSocket, one DNS question, one attempt at a
// connection whose content could not be read, one conversation of packets with an
// address, or what somebody else saw of a contact. It does not matter
// whether it came from a phone a moment ago or from a HAR file of last year:
// everything downstream of capture.Store.Observe sees the same type.
//
// The package promises that a flow holds facts and no handles: no socket, no
// reader, no lock. A flow that was observed is never changed again, nor is
// anything it points to; a newer state of the same exchange is a new value with
// the same ID. Field values that name secrets mask themselves ([Field]).
//
// It does not judge (package policy), keep (package capture) or make (packages
// proxy and har) flows.
package flow

import (
	"net/netip"
	"time"
)

// ID names a flow within one capture. IDs start at 1 and grow in the order in
// which flows were first observed; 0 is no flow.
type ID int64

// Kind says what sort of contact a flow is.
type Kind string

// The kinds.
const (
	HTTP      Kind = "http"      // one request and its response
	WebSocket Kind = "websocket" // an exchange that became a WebSocket (RFC 6455)
	DNS       Kind = "dns"       // one question
	Tunnel    Kind = "tunnel"    // a connection whose content could not be read
	UDP       Kind = "udp"       // datagrams exchanged with one address and port, QUIC among them
	ICMP      Kind = "icmp"      // echo requests to one address, and their answers; other messages of ICMP
	IP        Kind = "ip"        // packets of another protocol over IP to one address
	Contact   Kind = "contact"   // what somebody else saw of a contact: that it was made, by which app
)

// Outcome says how a flow ended. Trouble on the wire is an outcome, never a Go
// error.
type Outcome string

// The outcomes. Every flow has exactly one.
const (
	Open              Outcome = "open"               // still under way when last observed
	Completed         Outcome = "completed"          // ended as its protocol ends it
	ClientRefused     Outcome = "client-refused"     // the client refused our certificate
	ClientSilent      Outcome = "client-silent"      // TLS was accepted, then closed without a request: often pinning
	HandshakeFailed   Outcome = "handshake-failed"   // TLS with the client failed for another reason
	UpstreamFailed    Outcome = "upstream-failed"    // the server could not be reached, verified or read to the end
	PassedThrough     Outcome = "passed-through"     // not decrypted, because the operator asked for that
	Tunnelled         Outcome = "tunnelled"          // neither TLS nor HTTP: forwarded unread
	Blocked           Outcome = "blocked"            // refused because the policy, or a person at the screen, forbids it (--enforce)
	Simulated         Outcome = "simulated"          // answered, or left unanswered, by an experiment in the place of the server
	DestinationDenied Outcome = "destination-denied" // refused: the destination is this machine, its link, its cloud's metadata service, or a network that the client is not in
	ClientDenied      Outcome = "client-denied"      // refused: the client may not use this proxy
	Malformed         Outcome = "malformed"          // refused with 400 or 431: ambiguous or unreadable message
	Abandoned         Outcome = "abandoned"          // the client went away before the end
	Served            Outcome = "served"             // answered by telltale itself and by nobody else (the set-up page, some names)
	QUICRefused       Outcome = "quic-refused"       // QUIC was refused, so that the client comes back over TCP
	Seen              Outcome = "seen"               // a contact that somebody else saw; how it ended is not known
)

// Failure classes refine UpstreamFailed; they stand in Flow.Failure.
const (
	FailureDNS         = "dns"
	FailureRefused     = "refused"
	FailureReset       = "reset"
	FailureTimeout     = "timeout"
	FailureCertificate = "certificate"
	FailureTLS         = "tls"
	FailureUnreachable = "unreachable"
	FailureTruncated   = "truncated" // the response ended before its declared length
	FailureProtocol    = "protocol"  // the server's answer was not valid HTTP
)

// A Flow is one contact, as a value.
type Flow struct {
	ID   ID
	Kind Kind
	// Mode is the way in: "http", "socks5", "transparent", "wireguard" for live flows,
	// the format for those of a file: "har", "mitmproxy", "pcapdroid", "privacy-report",
	// "trackercontrol", "pcap".
	Mode     string
	Origin   Origin // where it stands in a file; zero for live flows
	Client   Client
	Server   Server
	Request  *Request  // nil when no request was read
	Response *Response // nil when no response was read
	// Frames are the WebSocket messages seen since this flow was last
	// observed; FrameOffset is the index of the first of them. A store appends
	// them. A flow read back from a capture has none: ask the store for pages.
	Frames      []Frame
	FrameOffset int
	// Sent and Received count the bytes of a Tunnel, of a WebSocket after the upgrade,
	// of datagrams and of the messages of DNS, from the client's point of view. An HTTP
	// exchange counts in its bodies.
	Sent, Received int64
	// DatagramsSent and DatagramsReceived count the packets of the kinds UDP, ICMP and
	// IP; Sent and Received are then the bytes of their payloads.
	DatagramsSent, DatagramsReceived int64
	// Speech names the protocol that was recognised in what was not read ("QUIC v1",
	// "NTP", "STUN", "DNS over TLS"); "" for none.
	Speech string
	// DNS is the question of a flow of kind DNS, with its answer; nil otherwise.
	DNS *Question

	Outcome Outcome
	Failure string // class of an UpstreamFailed outcome, one of the Failure constants
	Error   string // a sentence on the outcome for people; "" when there is nothing to say
	// Altered lists what telltale changed on the wire, in words. Empty: nothing.
	Altered []string
	// Experiments are the experiments that changed it, sorted: "enforce", "offline",
	// "slow edge", "modify rules.json". Empty: the contact was observed as it was, even
	// where Altered has what telltale always does, such as taking ECH out of an answer of
	// DNS.
	Experiments []string
	// Notes are what was noticed beside the outcome, a sentence each, such as an
	// Alt-Svc header that leads to another port.
	Notes []string
	Phase string // the operator's mark ("before consent"); "" for none
	// Leaks are the values that were taken out of this flow when it was written
	// to the file it comes from: what can no longer be searched for in it.
	Leaks []Leak
	// Omitted says that contents of bodies or frames were searched, judged and then not
	// kept: as the policy asks, or in a copy that is redacted. Those are marked as truncated,
	// with nothing kept.
	Omitted bool
	// Exposures are the identifiers that were found in what the device sent (package
	// exposure). Examined is the version of the search that looked for them, 0 while
	// nobody did.
	Exposures []Exposure
	Examined  int
	Times     Times
}

// Exposure is one identifier of the person, the device or the installation that a flow
// carried, without its value.
type Exposure struct {
	Kind   string   // one of the names in package exposure: "advertising-id", "e-mail"
	Name   string   // of the member, parameter or field that held it: "idfa"; "" for none
	Where  string   // "body.json $.user.idfa", "query adid", "header X-Device"
	Layers []string // encodings that were undone to find it, the outermost first: "gzip", "base64"
	Masked string   // the value for people, with what identifies left out: "6d92…", "a…@example.org"
	// Digest is the same for the same value, however it was written: hex, for comparing
	// within one capture. It is never shown, since many values can be guessed from theirs.
	Digest string
}

// Leak says that a flow held a value that must not leave the device, without
// saying the value.
type Leak struct {
	Name  string   // of the value, in the policy
	Where []string // places in the flow, in words
}

// Origin is the place of a flow in a file that was read.
type Origin struct {
	Capture string // name of the file as the user gave it
	Entry   int    // 1-based number of the entry; 0 when the flow is live or stands outside the entries
	Line    int    // 1-based line on which the entry starts; 0 when unknown
}

// Client is who made the contact.
type Client struct {
	Addr   netip.AddrPort // zero when unknown (HAR)
	Device string         // name of the device, when something named it
	App    App            // what made the contact, where somebody said so; see package attribution for conclusions
	Hello  *ClientHello   // nil when the client spoke neither TLS nor QUIC to us
	TLS    uint16         // version agreed with the client, as in crypto/tls; 0 for none
	ALPN   string         // protocol agreed with the client
}

// App is the app that a source other than the flow's content names: the phone's own
// record of what its apps did.
type App struct {
	Name string // as people know it; "" when the source has none
	ID   string // bundle identifier or package name, "org.example.app"; "" when unknown
}

// Question is one question of DNS and what it was answered (RFC 1035, 4.1).
type Question struct {
	Name    string   // as asked, without the trailing dot
	Type    string   // "A", "AAAA", "HTTPS", "TYPE65280" (RFC 3597, 5)
	Code    string   // of the response: "NOERROR", "NXDOMAIN"; "" when none came
	Answers []Answer // of the answer section, in order, at most 64
}

// Answer is one record of an answer.
type Answer struct {
	Name string // its owner, without the trailing dot
	Type string
	TTL  time.Duration
	Data string // as in a zone file: "203.0.113.7", "1 . alpn=h2"
}

// ClientHello is what the client said when it opened TLS (RFC 8446, 4.1.2).
type ClientHello struct {
	ServerName string   // SNI as sent; "" when absent
	ALPN       []string // offered protocols, in order
	Versions   []uint16 // offered versions, in order, GREASE removed
	JA4        string   // fingerprint, see github.com/FoxIO-LLC/ja4
	Alert      string   // the TLS alert with which the client ended the handshake, "unknown_ca (48)"; "" for none
}

// Server is who was contacted. The names are kept apart because they may
// disagree, and that is a finding.
type Server struct {
	Asked string // host:port that the client asked for: CONNECT target or URL authority
	SNI   string // server name of the client's hello
	Host  string // Host header or :authority, as sent
	// Destination is where the device's own packets were addressed to, in the ways in
	// that see packets; zero elsewhere.
	Destination netip.AddrPort
	// Resolved is the name for which the device was given the address of Destination by
	// DNS; "" when no answer that was seen has it.
	Resolved string
	Dialed   netip.AddrPort // address that was connected to; zero when none was
	TLS      *ServerTLS     // nil when the server was not spoken to over TLS
}

// ServerTLS is the TLS connection towards the server.
type ServerTLS struct {
	Version     uint16 // as in crypto/tls
	CipherSuite uint16 // as in crypto/tls
	ALPN        string
	Certificate *Certificate // leaf; nil when unknown
	// Invalid says why the certificate was not accepted; "" when it was valid.
	Invalid string
	// Unverified is set when the operator asked to accept any certificate.
	Unverified bool
}

// Certificate is a summary of an X.509 leaf.
type Certificate struct {
	Subject, Issuer     string // distinguished names, RFC 2253 text
	DNSNames            []string
	NotBefore, NotAfter time.Time
	SHA256              string // lower-case hex of the DER's digest
}

// Request is what the client sent.
type Request struct {
	Method  string
	URL     string // absolute
	Proto   string // "HTTP/1.1", "HTTP/2", "HTTP/3", "" when unknown
	Header  []Field
	Trailer []Field
	Body    Body
}

// Response is what the client was answered.
type Response struct {
	Status  int    // 0 when no response came
	Reason  string // reason phrase of HTTP/1; "" otherwise
	Proto   string
	Header  []Field
	Trailer []Field
	Body    Body
	Interim []int // 1xx statuses that came before it
}

// Body is the content of a message after transfer decoding, still in its
// content coding.
type Body struct {
	Size      int64  // bytes that passed, exact even when Content is cut
	Content   []byte // the first bytes; nil when none are kept or loaded
	Truncated bool   // Content holds less than what passed
	Digest    string // hex SHA-256 of the kept part: its key in a capture; "" when none is kept
	// Decoded is set when Content is no longer in the message's content
	// coding, as in most HAR files.
	Decoded bool
}

// Frame is one WebSocket message or control frame.
type Frame struct {
	Time       time.Time
	FromClient bool
	Opcode     int // RFC 6455, 5.2: 1 text, 2 binary, 8 close, 9 ping, 10 pong
	// Size is the length of the message of which Data holds the first bytes: without the
	// compression of permessage-deflate (RFC 7692), unless Compressed is set.
	Size      int64
	Data      []byte
	Truncated bool // Data is not all of it
	// Compressed says that Data is still compressed, since the message was damaged or
	// very large, or came behind such a one, or since nobody tried.
	Compressed bool
}

// Unmeasured is the duration of a stage that did not happen or was not seen.
const Unmeasured = time.Duration(-1)

// Times are the stages of a flow, named as in HAR 1.2.
type Times struct {
	Start   time.Time // when the request, or the connection, began
	End     time.Time // zero while open
	Blocked time.Duration
	DNS     time.Duration
	Connect time.Duration // TCP only
	TLS     time.Duration
	Send    time.Duration
	Wait    time.Duration
	Receive time.Duration
}

// NoTimes returns times with every stage unmeasured.
func NoTimes(start time.Time) Times {
	u := Unmeasured
	return Times{Start: start, Blocked: u, DNS: u, Connect: u, TLS: u, Send: u, Wait: u, Receive: u}
}

// NoteAcceptedFault is in the notes of a request whose client took a certificate that an
// experiment had given a fault.
const NoteAcceptedFault = "The client accepted a certificate that it ought to refuse."

// Ended reports whether the flow has its final outcome.
func (f *Flow) Ended() bool { return f.Outcome != Open && f.Outcome != "" }

// SetupHost is the name under which a device finds telltale's own set-up page through
// the proxy. Nothing on the network has it.
const SetupHost = "setup.telltale"

// IsContact reports whether the flow is an attempt to reach a server. A
// connection that named no host, a client that was turned away, what was said to
// telltale itself, the questions of [Flow.IsLookup] and [Flow.IsControl] are not.
func (f *Flow) IsContact() bool {
	if f.Outcome == Served || f.Outcome == ClientDenied || f.IsLookup() || f.IsControl() {
		return false
	}
	// What was asked for counts: a header or an SNI could claim the name, to hide.
	return f.Host() != "" && CanonicalHost(f.Server.Asked) != SetupHost
}

// SpeechDNS is the Speech of a conversation with a resolver, over UDP or TCP, whose questions
// were all read: each of them is a flow of kind [DNS] besides.
const SpeechDNS = "DNS"

// IsPrelude reports whether the flow only leads up to a connection, and says of it no more
// than who is meant: a question of DNS, and QUIC that was refused.
func (f *Flow) IsPrelude() bool { return f.Kind == DNS || f.Outcome == QUICRefused }

// Readable reports whether the content of the contact was seen.
func (f *Flow) Readable() bool {
	switch f.Kind {
	case UDP, Tunnel:
		return f.Speech == SpeechDNS
	case ICMP, IP, Contact:
		return false
	}
	return true
}

// Unread reports whether content may have passed telltale without being seen. It did not
// where QUIC was refused, nor where a connection was refused before anything passed, nor where
// an experiment was in the place of the server, nor where an echo request was answered by telltale itself, nor in a contact of which somebody else's
// record tells.
func (f *Flow) Unread() bool {
	return !f.Readable() && f.Kind != ICMP && !f.IsControl() && f.Kind != Contact && f.Outcome != QUICRefused && f.Outcome != Simulated &&
		!(f.Outcome == Blocked && f.Kind == Tunnel) && !f.RefusedFault()
}

// Method returns the request's method. Of what has none it returns a word: CONNECT for
// a tunnel, QUERY for a DNS question (RFC 1035, 4.1.1), UDP, PING, ICMP and IP for packets,
// CONTACT for what somebody else saw.
func (f *Flow) Method() string {
	if f.Request != nil && f.Request.Method != "" {
		return f.Request.Method
	}
	switch f.Kind {
	case DNS:
		return "QUERY"
	case UDP:
		return "UDP"
	case ICMP:
		if f.IsControl() {
			return "ICMP"
		}
		return "PING"
	case IP:
		return "IP"
	case Contact:
		return "CONTACT"
	}
	return "CONNECT"
}

// Status returns the response's status, 0 when there is none.
func (f *Flow) Status() int {
	if f.Response == nil {
		return 0
	}
	return f.Response.Status
}

// Protocol returns the protocol spoken with the client, "" when it is not known.
func (f *Flow) Protocol() string {
	switch {
	case f.Kind == WebSocket:
		return "WebSocket"
	case f.Request != nil && f.Request.Proto != "":
		return f.Request.Proto
	case f.Speech != "":
		return f.Speech
	case f.Kind == DNS:
		return "DNS"
	case f.Kind == UDP:
		return "UDP"
	case f.Kind == ICMP:
		return "ICMP"
	case f.Kind == IP:
		return "IP"
	case f.Client.Hello != nil:
		return "TLS"
	case f.Kind == Tunnel:
		return "TCP"
	}
	return ""
}

// UserAgent returns the User-Agent header, which is how an app names itself.
func (f *Flow) UserAgent() string {
	if f.Request == nil {
		return ""
	}
	return Get(f.Request.Header, "User-Agent")
}

// BytesSent returns the bytes of content that went to the server.
func (f *Flow) BytesSent() int64 {
	n := f.Sent
	if f.Request != nil {
		n += f.Request.Body.Size
	}
	return n
}

// BytesReceived returns the bytes of content that came back. A page that the tool
// itself answered with, because no server did, is not among them.
func (f *Flow) BytesReceived() int64 {
	n := f.Received
	if f.Response != nil && !f.answeredByTool() {
		n += f.Response.Body.Size
	}
	return n
}

// answeredByTool reports whether the response came from the tool and not from a
// server.
func (f *Flow) answeredByTool() bool {
	switch f.Outcome {
	case Blocked, Simulated, DestinationDenied, ClientDenied, Malformed, Served:
		return true
	case UpstreamFailed: // before there was a response to receive, or in the midst of it
		return f.Times.Receive == Unmeasured
	}
	return false
}

// Duration returns the time from start to end, 0 while open.
func (f *Flow) Duration() time.Duration {
	if f.Times.End.IsZero() {
		return 0
	}
	return f.Times.End.Sub(f.Times.Start)
}
