// Package consequence says what followed an experiment: what the app tried again, whom it
// asked instead, what stopped and what went on as before.
//
// It compares the time in which an experiment was in force with the time before, in one
// capture. It promises to say less where it knows less: without a time before there is no
// word of what stopped, and what happened once is not said to have stopped. It changes
// nothing and judges nothing.
package consequence

import (
	"time"

	"telltale/cadence"
	"telltale/flow"
)

// A Result is what followed the experiments of a capture. It is nil where there was none.
type Result struct {
	Stretches []Stretch // in their order
}

// A Stretch is a time in which the same experiments were in force.
type Stretch struct {
	Experiments []string // as in flow.Flow.Experiments, sorted
	From, To    time.Time
	Flows       int // contacts that began in it
	Altered     int // of these, by the experiments

	// Before is the time without experiments that it is compared with: the one that ended
	// as it began. It is 0 where there was none, and then Stopped, Instead and Kept are nil.
	Before time.Duration
	// Targets are the hosts of which contacts were refused or answered by an experiment, most tries first.
	Targets []Target
	// Instead are hosts to which nothing went before, and to which something went that was not refused, in
	// the order of their first contacts.
	Instead []Host
	// Stopped are kinds of requests that were made at a rhythm, or at least three times, before and no
	// more although there was time for them.
	Stopped []Kind
	// Kept is how many hosts that were contacted before, and not refused, were contacted in it with success too.
	Kept []Host
	// Failed are hosts that answered before, and in it did not, although no experiment touched them.
	Failed []Host
	// Trusted are hosts of which the client took a certificate that it ought to refuse.
	Trusted []Host
}

// A Target is a host of which an experiment took the contacts.
type Target struct {
	Host     string
	Tries    int            // contacts that were refused or answered by the experiment
	Retry    Retry          // how they follow each other
	Previous cadence.Rhythm // of its contacts before; zero for none
	Last     time.Duration  // from the last try to the end of the stretch
	GaveUp   bool           // there was time for more tries, by its own rhythm, and none came
	Example  flow.ID
}

// A Retry is how tries follow each other.
type Retry struct {
	Intervals []time.Duration // the first 16
	Rhythm    cadence.Rhythm  // where they keep one
	Factor    float64         // by which each interval is longer than the one before; 0 where it is none
}

// A Host is one host with its contacts in the stretch.
type Host struct {
	Name  string
	Flows int
	First time.Duration // from the beginning of the stretch to its first contact
	Flow  flow.ID       // the first
}

// A Kind is a kind of request.
type Kind struct {
	Method, Host, Path string         // Path as a shape: identifiers left out
	Before             int            // how often it was made
	Rhythm             cadence.Rhythm // that it kept; zero for none
	Last               time.Time
	Flow               flow.ID // the last
}
