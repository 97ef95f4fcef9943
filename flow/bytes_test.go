package flow

import (
	"testing"
	"time"
)

// What telltale answered by itself did not come from a server.
func TestBytesReceivedCountsServersAlone(t *testing.T) {
	for _, x := range []struct {
		outcome Outcome
		receive time.Duration
		want    int64
	}{
		{Completed, time.Millisecond, 15},
		{Completed, Unmeasured, 15}, // from a HAR file that does not say
		{Abandoned, time.Millisecond, 15},
		{UpstreamFailed, time.Millisecond, 15}, // truncated
		{UpstreamFailed, Unmeasured, 5},        // never reached
		{DestinationDenied, Unmeasured, 5},
		{ClientDenied, Unmeasured, 5},
		{Malformed, Unmeasured, 5},
		{Blocked, Unmeasured, 5},
		{Served, Unmeasured, 5},
	} {
		f := &Flow{Outcome: x.outcome, Received: 5, Times: NoTimes(time.Now()), Response: &Response{Status: 502, Body: Body{Size: 10}}}
		f.Times.Receive = x.receive
		if got := f.BytesReceived(); got != x.want {
			t.Errorf("%s, received in %v: %d bytes, want %d", x.outcome, x.receive, got, x.want)
		}
	}
}
