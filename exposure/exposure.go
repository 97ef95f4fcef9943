// Package exposure finds identifiers of people, devices and installations in what a
// device sent, without being told their values.
package exposure

import (
	"time"

	"telltale/flow"
)

// Version is that of the detectors, as [flow.Flow.Examined] keeps it.
const Version = 1

// Look returns the identifiers in a flow whose content is loaded. It is pure.
func Look(f *flow.Flow) []flow.Exposure { return nil }

// A Book follows values through an audit. Its methods may be called from any goroutine.
type Book struct{}

// NewBook returns an empty book.
func NewBook() *Book { return &Book{} }

// Learn takes in the exposures of a flow that went to a receiver (a company, or the
// registrable domain of the host). To learn a flow twice changes nothing.
func (b *Book) Learn(f *flow.Flow, receiver string) {}

// A Trail is where one value went.
type Trail struct {
	Kind, Masked string
	Label        string   // tells values of one kind apart where no value may show: "e-mail 2"
	Names        []string // under which it was sent, sorted
	Hosts        []string // sorted
	Receivers    []string // sorted; two or more: the value links them
	Count        int      // flows
	First, Last  time.Time
	Phases       []string
	// Stable says that the value was seen in more than one session or phase, or over a
	// longer time beside others of its name that were new each time; see Lasting.
	Lasting Lasting
}

// Lasting says how long a value keeps.
type Lasting string

// How values last.
const (
	Unknown Lasting = ""        // too little was seen
	Stable  Lasting = "stable"  // the same in different sessions
	Session Lasting = "session" // a new one in each session
)

// Trails returns where the values went, those that link most receivers first.
func (b *Book) Trails() []Trail { return nil }
