package capture_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// placeJudge blames each flow for a value at its path.
type placeJudge struct{}

func (placeJudge) Judge(f *flow.Flow) policy.Judgement {
	return policy.Judgement{Verdict: policy.Violation, Host: f.Host(), Findings: []policy.Finding{{
		Rule: policy.ValueLeaked, Host: f.Host(), Subject: "card", Evidence: []policy.Evidence{{Where: f.Path(), Form: "as typed"}},
	}}}
}

// A violation lists where its flows held the value: the place of the first one, then
// others, in whatever order they came, and not without end.
func TestViolationListsAllPlaces(t *testing.T) {
	var flows []*flow.Flow
	for i := range 3 * capture.MaxEvidence {
		flows = append(flows, flowtest.Get(fmt.Sprintf("https://a.example/%02d", i%(2*capture.MaxEvidence))))
	}
	flows[0] = flowtest.Get("https://a.example/zz")
	flowtest.Number(flows...)
	random := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		random.Shuffle(len(flows), func(i, j int) { flows[i], flows[j] = flows[j], flows[i] })
		s := capture.New(capture.Options{Judge: placeJudge{}})
		observe(t, s, flows...)
		violations := s.Summary().Violations
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if len(violations) != 1 {
			t.Fatalf("%d violations", len(violations))
		}
		var places []string
		for _, e := range violations[0].Finding.Evidence {
			places = append(places, e.Where)
		}
		want := []string{"/zz"}
		for i := range capture.MaxEvidence - 1 {
			want = append(want, fmt.Sprintf("/%02d", i))
		}
		if want[1] = "/00"; !slices.Equal(places, want) {
			t.Errorf("places %q, want %q", places, want)
		}
	}
}
