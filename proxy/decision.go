package proxy

import (
	"crypto/tls"
	"io"
	"net/http"

	"telltale/flow"
)

// Admission is what may be done with a connection.
type Admission int

// The admissions.
const (
	Inspect Admission = iota
	PassThrough
	Block
)

// Refusal is how the client of a blocked contact sees it.
type Refusal string

// The refusals. Where a way in cannot show one, it shows what comes nearest.
const (
	// Refused ends the contact at the earliest moment, and says that it was refused: a
	// question of DNS by REFUSED, a packet by a reset, CONNECT and a request by 403.
	Refused Refusal = ""
	// Unresolved is a name that does not exist: NXDOMAIN where telltale answers DNS, else
	// what a proxy says of a name that it does not find (502).
	Unresolved Refusal = "dns"
	// Silent takes what the client sends, and never answers.
	Silent Refusal = "hang"
	// Reset accepts the connection, and resets it at the client's first bytes.
	Reset Refusal = "reset"
	// Answered accepts the connection, and answers each request by Decision.Answer of the
	// decision about that request. What is no HTTP is reset.
	Answered Refusal = "answer"
)

// A Decision is what is done with a contact. The zero value looks inside and forwards it
// as it came.
type Decision struct {
	Admission Admission
	Why       string // for people, of Block and PassThrough; "" where nothing is to be said
	// Forbidden is set where it is the policy that blocks, which is said then.
	Forbidden bool
	// By are the experiments that altered the contact, as [flow.Flow.Experiments] keeps
	// them. Nil: none did.
	By []string
	// What says for people what was done to a contact that is inspected or passed
	// through all the same; "" for nothing.
	What string

	Refusal Refusal // of Block
	// Outcome of a blocked contact: "" is [flow.Blocked].
	Outcome flow.Outcome
	// Answer makes the answer to a request, and says what it is ("redirected to the
	// sign-in page"). Set with Block and Answered where the flow has a request, of which
	// the content was read before: Content is how an answer can depend on it.
	Answer func(*http.Request) (resp *http.Response, what string)
	// Content takes the content of the request, all of it whatever is kept, before Answer is
	// called. A stream of requests that goes on is given up to where it was. Nil: nobody.
	Content io.Writer
	// Holds reports whether the decision is still what would be decided. Of a conversation of
	// UDP that is blocked: it is asked at each datagram, and where it says no, the
	// conversation ends, and a new one begins with the datagram. Nil: it is.
	Holds func() bool
	// Cut resets the connection after so many bytes of the answer's content; 0 does not.
	// Of a request that is inspected. An answer that is not longer is not altered.
	Cut int64
	// CutBy are the experiments that cut, which are noted where it came to that. Nil: it
	// is By that does, and By and What are noted then alone.
	CutBy []string
	// Leaf signs the certificate that the client is shown, in the place of Config.Leafer;
	// nil where that does. Of the decision about a hello.
	Leaf func(name string) (*tls.Certificate, error)
	// LeafBy are the experiments behind Leaf, and LeafWhat says what was shown. They are
	// noted where it came to that.
	LeafBy   []string
	LeafWhat string
}
