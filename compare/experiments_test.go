package compare

import (
	"strings"
	"testing"
	"time"

	"telltale/flow"
	"telltale/flow/flowtest"
)

// What is gone while an experiment is in force may be gone because of it.
func TestExperimentsAreNoFix(t *testing.T) {
	p := parse(t, "")
	offline := func(flows []*flow.Flow) []*flow.Flow {
		for _, f := range flows {
			f.Experiments, f.Outcome, f.Response = []string{"offline"}, flow.Simulated, nil
		}
		return flows
	}
	before, after := audit(t, p, covid()...), audit(t, p, offline(mend(10*time.Minute))...)
	c := Captures(before, after)
	v := one(t, c)
	if v.State != NotExercised || !strings.Contains(doubts(v), string(WasObserved)) || c.Result != Unproven {
		t.Errorf("%s, doubts %q, result %s", v.State, doubts(v), c.Result)
	}
	for _, a := range v.Answers {
		if a.Question == WasObserved && (a.Altered != 2 || a.Flows != 2 || len(a.Experiments) != 1) {
			t.Errorf("%+v", a)
		}
	}
	const want = "The capture after was recorded with experiments (offline): what is missing there may be missing because of them."
	if len(c.Caveats) != 1 || c.Caveats[0] != want {
		t.Errorf("caveats %q", c.Caveats)
	}
	if c := Captures(after, before); len(c.Caveats) != 1 || !strings.HasPrefix(c.Caveats[0], "The capture before was") || c.Result != Worse {
		t.Errorf("the other way round: %q, %s", c.Caveats, c.Result)
	}
	same := audit(t, p, append(offline(every(6, time.Minute, head(probe))), offline(covid()[6:])...)...)
	c = Captures(same, after)
	if len(c.Caveats) != 1 || !strings.HasPrefix(c.Caveats[0], "Both captures") || strings.Contains(doubts(one(t, c)), string(WasObserved)) {
		t.Errorf("with the same experiments: %q, doubts %q", c.Caveats, doubts(one(t, c)))
	}
	if c := Captures(before, audit(t, p, mend(10*time.Minute)...)); c.Caveats != nil || one(t, c).State != Fixed {
		t.Errorf("without experiments: %q, %s", c.Caveats, one(t, c).State)
	}
	if c := Captures(before, audit(t, p, mend(10*time.Minute, flowtest.Altered("ECH was taken out"))...)); c.Caveats != nil {
		t.Errorf("what telltale always does: %q", c.Caveats)
	}
}
