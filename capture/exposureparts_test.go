package capture_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/capture"
	"telltale/exposure"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// The messages of a WebSocket have the same identifiers whether they come in parts or
// stand in one file, also where there are more than are kept.
func TestPartsHaveWhatTheWholeHas(t *testing.T) {
	var frames []flow.Frame
	for i := range 3 * exposure.MaxOfKind {
		frames = append(frames, flowtest.Text(true, time.Duration(i)*time.Second, fmt.Sprintf(`{"mail":"%s","other":"person%d@firma.de"}`, mail, i)))
	}
	frames = append(frames, flowtest.Text(true, time.Hour, `{"idfa":"`+idfa+`"}`))
	s, _ := create(t, capture.Options{})
	for i := range frames {
		part := flowtest.WebSocket("wss://live.example/", frames[i:i+1], flowtest.ID(1))
		part.FrameOffset = i
		if i+1 < len(frames) {
			part.Outcome = flow.Open
		}
		observe(t, s, part)
	}
	whole := exposure.Look(flowtest.WebSocket("wss://live.example/", frames))
	got, err := s.Flow(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole, got.Flow.Exposures); diff != "" || len(whole) != exposure.MaxOfKind+1 {
		t.Errorf("%d identifiers in the whole (-whole +parts):\n%s", len(whole), diff)
	}
}
