package diagnosis_test

import (
	"testing"

	"telltale/diagnosis"
)

// What was expected to refuse, and what was never seen, leaves nothing unread.
func TestBlocks(t *testing.T) {
	for _, cause := range diagnosis.Causes {
		for _, certainty := range []diagnosis.Certainty{diagnosis.Certain, diagnosis.Likely, diagnosis.Possible} {
			want := cause != diagnosis.SystemPinning && cause != diagnosis.HiddenByRelay && (cause != diagnosis.ProxyIgnored || certainty != diagnosis.Possible)
			if got := (diagnosis.Diagnosis{Cause: cause, Certainty: certainty}).Blocks(); got != want {
				t.Errorf("%s, %s: %v, want %v", cause, certainty, got, want)
			}
		}
	}
}
