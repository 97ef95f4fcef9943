package capture

import (
	"time"

	"telltale/flow"
	"telltale/policy"
)

// An Event is a moment of an audit that somebody is to be told of. The store keeps it
// with the flow that made it, in one transaction, and does not know what its document
// says.
type Event struct {
	// Seq grows by one from event to event of a capture, from 1. Behind a session that was
	// killed or whose file failed it leaves a gap: so none has a number that one had which
	// was handed out and is not in the file.
	Seq      int64
	Time     time.Time
	Kind     string // as in package event
	Subject  string // fingerprint of the violation; ""
	Flow     flow.ID
	Count    int    // flows of the violation so far
	Document []byte // JSON, masked
}

// An Occurrence is a violation of which nobody was told yet in this capture, or that has
// happened for the 10th, 100th, 1000th … time since.
type Occurrence struct {
	Seq       int64      // of the event that it becomes
	Flow      *flow.Flow // that made it; its Phase is set
	Judgement policy.Judgement
	Finding   policy.Finding // as it is counted: of very many, for all hosts below one parent
	Count     int            // flows so far, also those of earlier sessions
	Altered   int            // of these, flows that experiments altered
	First     time.Time
	Device    string // name of the flow's device; ""
}
