// Package consequence says what followed an experiment: what the app tried again, whom it
// asked instead, what stopped, what went on as before, and what came back afterwards.
//
// It compares the time in which an experiment was in force with the time without any before
// it, in one capture. Its definitions:
//
//   - A contact was taken where an experiment refused it, answered it, left it unanswered or
//     cut it, and where the client refused the certificate that an experiment showed.
//   - Questions of DNS and refused QUIC lead up to contacts and count only for a host that
//     has nothing else.
//   - A kind of request is regular where it kept a rhythm (package cadence) until the stretch
//     began, or came in at least three moments over half of the time before, until then.
//   - It stopped where none came although three would have been due.
//   - What an experiment rewrote tells nothing of the server, and is counted by itself.
//   - Kinds of requests are answered otherwise where the share of those without an error (a
//     status of 400 and above, or no answer at all) changed by a quarter.
//   - Time counts only while something was recorded.
//   - What the policy ignores is noise of the device, and never stopped or came instead.
//
// It promises to say less where it knows less: without a time before there is no word of
// what stopped, and what happened once is not said to have stopped. The same flows in another
// order give the same result. It takes bounded memory: of more hosts or kinds of requests
// than maxRows, and more stretches than maxStretches, it leaves out those that come later and
// says so.
//
// It changes nothing and judges nothing. When a sentence looks wrong, list the flows of the
// stretch with telltale flows and compare them with the numbers of the JSON report.
package consequence

import (
	"time"

	"telltale/cadence"
	"telltale/flow"
)

// A Result is what followed the experiments of a capture. It is nil where there was none.
type Result struct {
	Stretches []Stretch // in their order
	// Derived says that the capture does not tell when experiments were switched, as a HAR
	// file does not: stretches then reach from the first contact that one altered to the last.
	Derived bool
	// ClockSet says that the clock was set back between switches: stretches are derived then, too.
	ClockSet bool
	More     int  // stretches that are left out: there were too many
	Crowded  bool // hosts or kinds of requests are left out: there were too many
}

// A Stretch is a time in which the same experiments were in force.
type Stretch struct {
	Experiments []string // as in flow.Flow.Experiments, sorted
	From, To    time.Time
	Flows       int // contacts that began in it
	Altered     int // of these, by the experiments

	// Before is how long the capture ran without experiments until then. It is 0 where nothing
	// was contacted in that time: then nothing is known to have stopped, to be new, or to have
	// gone on.
	Before      time.Duration
	BeforeFlows int
	// After is how long no experiment was in force behind it; 0 where the capture ended, where
	// another one followed, or where nothing was contacted.
	After      time.Duration
	AfterFlows int

	Targets []Target // hosts of which an experiment took contacts, most tries first
	// Instead are hosts that were contacted for the first time, after a contact was taken and
	// not by an experiment's doing, in the order of their first contacts.
	Instead []Host
	Stopped []Kind // regular before, and no more
	Changed []Kind // regular before, and at least three times as often or as seldom now
	Short   []Kind // regular before, and none, but the stretch was too short to tell
	Kept    []Host // answered before and in it, by name
	Failed  []Host // answered before, and hardly in it, although no experiment took the contacts
	// Otherwise are kinds of requests that were answered without an error clearly more or less
	// often than before. A host as a whole has no method and no path.
	Otherwise []Kind
	Rewritten []Host // what was asked or answered was altered: that says nothing of the host
	Trusted   []Host // requests were sent to them over a connection whose certificate was bad
	Unseen    int    // hosts that answered before, now and then, and were not contacted in it
	Link      *Link  // nil where no experiment slowed the link
	Crowded   bool   // not all hosts and kinds of requests are among these: there were too many
	// Usual is how many contacts to other hosts were to be expected, as often as there were
	// before, and Else how many there were.
	Usual, Else int
	Devices     bool // several clients made the contacts: they are not told apart
	ClockSet    bool // the clock was set: times are not what they seem
}

// Undisturbed reports whether everything but what the experiments took is known to have gone
// on as before, as far as it repeats.
func (s *Stretch) Undisturbed() bool { return len(s.Lacking()) == 0 && !s.Disturbed() }

// Disturbed reports whether something besides what the experiments took was different.
func (s *Stretch) Disturbed() bool {
	return s.disturbedElse() || len(s.Fallbacks()) > 0
}

func (s *Stretch) disturbedElse() bool {
	return len(s.Stopped)+len(s.Changed)+len(s.Failed)+len(s.Instead)+len(s.Trusted)+len(s.Otherwise) > 0
}

// RestUndisturbed is Undisturbed, but for hosts that were asked instead and not let through
// either.
func (s *Stretch) RestUndisturbed() bool { return len(s.Lacking()) == 0 && !s.disturbedElse() }

// Fallbacks are the targets that were contacted for the first time behind a contact that was
// taken, unless all were.
func (s *Stretch) Fallbacks() (all []Target) {
	for _, t := range s.Targets {
		if t.Behind != "" {
			all = append(all, t)
		}
	}
	if len(all) == len(s.Targets) {
		return nil
	}
	return all
}

// Fewer reports whether clearly less went to other hosts than was to be expected: what does
// not repeat is then not known to go on.
func (s *Stretch) Fewer() bool { return s.Unseen > 0 || 3*s.Else < 2*s.Usual }

// A Lack is why it is not known whether everything went on as before.
type Lack string

// The lacks.
const (
	NothingBefore  Lack = "nothing-before"  // nothing was recorded before the experiment
	NothingAltered Lack = "nothing-altered" // the experiment altered no contact
	NothingElse    Lack = "nothing-else"    // no other host answered before and in the stretch
	FewElse        Lack = "few-else"        // fewer than minKept contacts to other hosts
	TooMuch        Lack = "too-much"        // more hosts or kinds of requests than are told apart
	TooShort       Lack = "too-short"       // for what was regular before
	UsedLess       Lack = "used-less"       // less than a third of the usual contacts to other hosts
	MostUnseen     Lack = "most-unseen"     // most other hosts were not contacted at all
	SeveralDevices Lack = "several-devices" // they are not told apart
	ClockSet       Lack = "clock-set"       // the clock was set while it was recorded
)

// minKept is how many contacts to other hosts it takes to say that they went on.
const minKept = 5

// minUsual is how many contacts must have been expected to miss them.
const minUsual = 10

// Lacking returns what is missing to say that everything else went on as before; nil for
// nothing.
func (s *Stretch) Lacking() (lacks []Lack) {
	if s.Before == 0 {
		return []Lack{NothingBefore}
	}
	if s.Altered == 0 {
		lacks = append(lacks, NothingAltered)
	}
	switch n := s.KeptFlows(); {
	case n == 0:
		lacks = append(lacks, NothingElse)
	case n < minKept:
		lacks = append(lacks, FewElse)
	}
	if s.Crowded {
		lacks = append(lacks, TooMuch)
	}
	if len(s.Short) > 0 {
		lacks = append(lacks, TooShort)
	}
	if len(s.Kept) > 0 && s.Usual >= minUsual && 3*s.Else < s.Usual {
		lacks = append(lacks, UsedLess)
	}
	if s.Unseen > len(s.Kept) && len(s.Kept) > 0 {
		lacks = append(lacks, MostUnseen)
	}
	if s.Devices {
		lacks = append(lacks, SeveralDevices)
	}
	if s.ClockSet {
		lacks = append(lacks, ClockSet)
	}
	return lacks
}

// KeptFlows counts the contacts to hosts that went on.
func (s *Stretch) KeptFlows() (n int) {
	for i := range s.Kept {
		n += s.Kept[i].Flows
	}
	return n
}

// A Target is a host of which an experiment took contacts.
type Target struct {
	Host  string
	Tries int // contacts that were taken
	// Of the tries: refused as the policy forbids it, answered or left unanswered by a
	// simulation, and those in which the client refused the certificate that it was shown.
	Blocked, Simulated, Distrusted int
	Passed                         int    // other contacts to it in the stretch
	Done                           string // what was done to the first, in words, as in flow.Flow.Altered
	Retry                          Retry  // how they follow each other
	// Previous is the rhythm of the contacts to it before, zero for none, and Before their
	// number.
	Previous cadence.Rhythm
	Before   int
	// Pace is how many times as often it was tried as it was contacted before; 0 where that
	// is not known.
	Pace  float64
	First time.Duration // from the beginning of the stretch to the first try
	Last  time.Duration // from the last try to the end of the stretch
	End   Ending
	// Delay is from the contact to another host that was taken last before the first try, and
	// Behind that host, for one that was never contacted before; "" for others.
	Delay    time.Duration
	Behind   string
	Alone    bool // it gave up, and no other host was contacted either after the last try
	Recovery Recovery
	Example  flow.ID // the first try
}

// Ending says whether tries went on.
type Ending string

// The endings.
const (
	NotKnown    Ending = ""
	GaveUp      Ending = "gave-up"      // there was time for three more tries, and none came
	StillTrying Ending = "still-trying" // until the end of the stretch
)

// A Retry is how tries follow each other.
type Retry struct {
	Intervals []time.Duration // the first 16, between moments: tries at once are one
	Median    time.Duration   // of all intervals; 0 for none
	Rhythm    cadence.Rhythm  // where they keep one
	// Factor is by how much each interval is longer than the one before, 0 where they do not
	// grow. Grown is how many intervals grew, and Most the interval that they end at, 0 where
	// they grew to the end.
	Factor float64
	Grown  int
	Most   time.Duration
}

// Recovery is what happened in the time after the stretch.
type Recovery struct {
	Tried int           // contacts in that time
	After time.Duration // from its beginning to the first that was answered
	Flow  flow.ID       // that one; 0 for none
}

// A Host is one host with its contacts in the stretch.
type Host struct {
	Name            string
	Flows, Answered int           // contacts in it, and of these answered by the server
	Before          int           // contacts before
	First           time.Duration // from the beginning of the stretch to its first contact
	Flow            flow.ID       // that one
	// Delay is from the contact that was taken last to the first contact of a host that came
	// instead, and Behind the host of that; "" where there was none, or too many to know.
	Delay     time.Duration
	Behind    string
	Questions bool // there were only questions for its name, which are its flows then
	Recovery  Recovery
}

// A Kind is a kind of request.
type Kind struct {
	Method, Host, Path string         // Path as a shape: identifiers left out
	Before, During     int            // how often it was made
	GoodBefore, Good   int            // of these without an error; only of what is answered otherwise
	Rhythm             cadence.Rhythm // that it kept before; zero for none
	Every              time.Duration  // time between requests before, on average
	Last               time.Duration  // from the last before to the beginning of the stretch
	Flow               flow.ID        // the last before
	Recovery           Recovery
}

// A Link is what a slowed link did to requests of the kinds that were made before, too.
type Link struct {
	Flows, BeforeFlows         int
	Median, BeforeMedian       time.Duration // from the beginning of a request to its end
	Abandoned, BeforeAbandoned int           // by the client, of all requests
	Timeouts, BeforeTimeouts   int           // likewise
}
