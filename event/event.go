// Package event has the moments of an audit that somebody may want to be told of: a
// violation, a device, trouble in the tool, the end.
//
// It knows how an event looks as a document and which selection of a policy it matches. It
// is pure: what an event says was decided, and masked, by whoever made it. It does not
// deliver events (package notify), run programs (package actions) or keep them (package
// capture).
package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"telltale/policy"
)

// Kind says what has happened.
type Kind string

// The kinds.
const (
	OfViolation Kind = "violation" // the policy is broken in a way that is new to this audit, or again ten times as often
	OfDevice    Kind = "device"    // a device was seen for the first time
	OfTrouble   Kind = "trouble"   // the tool cannot do its work: the disk is full, the proxy stopped
	OfSummary   Kind = "summary"   // the audit has ended
	OfTest      Kind = "test"      // somebody tries a destination
	OfAction    Kind = "action"    // a program of the user's asked for a message
)

// An Event is one moment of an audit, as the live events of an audit have it
// (one JSON object). Nothing in it is a secret: never-send values and credentials were
// masked before it was made.
type Event struct {
	Kind    Kind      `json:"event"`
	ID      string    `json:"event_id"` // unique: the audit's, a dash, a number that grows
	Time    time.Time `json:"time"`     // UTC
	Audit   string    `json:"audit"`    // of the capture, the same in all of its sessions
	Capture string    `json:"capture,omitempty"`
	Policy  string    `json:"policy,omitempty"`
	Client  string    `json:"client,omitempty"` // address of the device
	Device  string    `json:"name,omitempty"`   // what it is called
	Phase   string    `json:"phase,omitempty"`
	Message string    `json:"message,omitempty"` // in words; of trouble, tests and actions
	To      []string  `json:"to,omitempty"`      // names of destinations; of tests, and of actions that say
	*Violation
	*Summary
}

// Violation is what an event says of a violation: the object of a report, as far as it is
// known at that moment.
type Violation struct {
	ID          string    `json:"id"` // the fingerprint: stable across runs
	Rule        string    `json:"rule"`
	Severity    string    `json:"severity"`
	Host        string    `json:"host"`
	Category    string    `json:"category,omitempty"`
	Method      string    `json:"method,omitempty"`
	URL         string    `json:"url,omitempty"`
	Count       int       `json:"count"`             // flows so far
	Altered     int       `json:"altered,omitempty"` // of these, flows that experiments altered
	First       time.Time `json:"first"`
	Last        time.Time `json:"last"`
	App         string    `json:"app,omitempty"`
	Title       string    `json:"title,omitempty"`
	Explanation string    `json:"explanation,omitempty"`
	Remedy      string    `json:"remedy,omitempty"`
	Flow        int64     `json:"flow,omitempty"` // ID of the flow that made the event
}

// Summary is what an event says of a whole audit.
type Summary struct {
	Verdict    string `json:"verdict"`
	Flows      int    `json:"flows"`
	Hosts      int    `json:"hosts"`
	Violating  int    `json:"violating"`
	Violations int    `json:"violations"`
	// Experiments were in force or altered flows; without any, the audit only observed.
	Experiments []string `json:"experiments,omitempty"`
}

// Parse reads an event from its document. Keys that it does not know are left out.
func Parse(document []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(document, &e); err != nil {
		return Event{}, fmt.Errorf("read event: %w", err)
	}
	if e.Kind == "" {
		return Event{}, errors.New("read event: the document has no kind (event)")
	}
	return e, nil
}

// Document writes an event. Times of a year that has not four digits, which files may tell
// of, have no form in JSON (RFC 3339, 5.6): they are written as the zero time.
func (e Event) Document() []byte {
	e.Time = writable(e.Time)
	if e.Violation != nil {
		v := *e.Violation
		v.First, v.Last = writable(v.First), writable(v.Last)
		e.Violation = &v
	}
	document, err := json.Marshal(e)
	if err != nil {
		panic(err) // texts, numbers and such times always encode
	}
	return document
}

func writable(t time.Time) time.Time {
	if t = t.UTC(); t.Year() < 0 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// Selected reports whether a selection of the policy takes the event. An empty part of
// a selection takes anything; a part that the event has nothing for takes nothing.
func (e Event) Selected(by policy.Selection) bool {
	return by.Match(policy.Occasion{
		Event: string(e.Kind), Rule: e.rule(), Severity: e.severity(), Host: e.host(),
		Client: e.Client, Device: e.Device, Phase: e.Phase,
	})
}

func (e Event) rule() policy.Rule {
	if e.Violation == nil {
		return ""
	}
	return policy.Rule(e.Violation.Rule)
}

func (e Event) severity() policy.Severity {
	if e.Violation == nil {
		return ""
	}
	return policy.Severity(e.Violation.Severity)
}

func (e Event) host() string {
	if e.Violation == nil {
		return ""
	}
	return e.Violation.Host
}
