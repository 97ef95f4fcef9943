package diagnosis_test

import (
	"testing"
	"time"

	"telltale/diagnosis"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// A guess by the TLS stack alone keeps nothing unread for sure.
func TestGuessesDoNotBlock(t *testing.T) {
	flows := join(setUp(safari), times(3, 60, func(at flowtest.Option) *flow.Flow { return refused("", "api.example", unknownCert, at) }))
	found := diagnosis.Of(collect(flows...), diagnosis.Known{})
	if len(found) != 1 || found[0].App != safari || !found[0].Guess || found[0].Blocks() {
		t.Errorf("got %+v", found)
	}
	flows = append(flows, refused(safari, "api.example", unknownCert, after(100)))
	if found = diagnosis.Of(collect(flows...), diagnosis.Known{}); len(found) != 1 || found[0].Guess || !found[0].Blocks() {
		t.Errorf("a program that names itself: %+v", found)
	}
}

// Refusals are settled once their hosts were read by the same program, or where they
// are of before the device first trusted us.
func TestSettled(t *testing.T) {
	three := times(3, 60, func(at flowtest.Option) *flow.Flow { return refused(iosApp, "api.example", unknownCA, at) })
	for name, test := range map[string]struct {
		flows []*flow.Flow
		until time.Duration // 0: not settled
	}{
		"nothing":                  {nil, 0},
		"all is read":              {setUp(safari), 0},
		"nothing is read":          {three, 0},
		"before the first trust":   {join(three, these(read(safari, "news.example", after(300)))), 80 * time.Second},
		"after it":                 {join(setUp(safari), three), 0},
		"after it, and read since": {join(setUp(safari), three, these(read(iosApp, "api.example", after(90)))), 80 * time.Second},
		"read by another":          {join(setUp(safari), three, these(read(safari, "api.example", after(90)))), 0},
		"read, and refused again":  {join(setUp(safari), three, these(read(iosApp, "api.example", after(70)))), 0},
		"another host was not":     {join(setUp(safari), three, these(read(iosApp, "api.example", after(90)), refused(iosApp, "b.example", unknownCA, after(50)))), 0},
		"the page's test":          {join(three, these(served(safari, "https://setup.telltale/", after(90)))), 80 * time.Second},
	} {
		want := time.Time{}
		if test.until != 0 {
			want = flowtest.Epoch.Add(test.until)
		}
		if got := collect(test.flows...).Settled(); !got.Equal(want) {
			t.Errorf("%s: settled since %v, want %v", name, got, want)
		}
	}
	var none *diagnosis.Evidence
	if !none.Settled().IsZero() {
		t.Error("no evidence is settled")
	}
}

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
