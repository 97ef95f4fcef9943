package capture

import (
	"time"

	"telltale/flow"
	"telltale/policy"
)

// An Event is a moment of an audit that somebody is to be told of. The store keeps it
// with the flows that made it, in one transaction, and does not know what its document
// says.
type Event struct {
	Seq      int64 // grows by one from event to event of a capture, from 1
	Time     time.Time
	Kind     string // as in package event
	Subject  string // fingerprint of the violation; ""
	Flow     flow.ID
	Count    int    // flows of the violation so far
	Document []byte // JSON, masked
}

// An Occurrence is a violation that is new to the audit, or has happened ten times as
// often as when it was last told of.
type Occurrence struct {
	Seq       int64      // of the event that it becomes
	Flow      *flow.Flow // that made it; its Phase is set
	Judgement policy.Judgement
	Finding   policy.Finding
	Count     int // flows so far
	First     time.Time
	Device    string // name of the flow's device; ""
}

// An Annotation is what a person, or a program of the user's, said of a violation.
type Annotation struct {
	Time      time.Time
	Violation string // its ID
	Kind      AnnotationKind
	Author    string // "screen", "command line", "link", or the policy's line of a program
	Text      string
	Until     time.Time // of Excused
}

// AnnotationKind says what an annotation is.
type AnnotationKind string

// The kinds of annotations.
const (
	Remark       AnnotationKind = "remark"
	Acknowledged AnnotationKind = "acknowledged" // somebody knows of it; it counts all the same
	Excused      AnnotationKind = "excused"      // a program waived it, until a time
)
