package capture

import (
	"math"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// judgeFunc is a policy of one function.
type judgeFunc func(*flow.Flow) policy.Judgement

func (j judgeFunc) Judge(f *flow.Flow) policy.Judgement { return j(f) }

// allow permits every host.
func allow(f *flow.Flow) policy.Judgement {
	return policy.Judgement{Verdict: policy.Allowed, Host: f.Host()}
}

// Changes are taken in the order of their flows, each once, and no more than was
// asked for.
func TestChangesAreTakenInParts(t *testing.T) {
	t.Parallel()
	var c changes
	note := func(ids ...flow.ID) {
		for _, id := range ids {
			c.note([]*entry{{flow: &flow.Flow{ID: id}}})
		}
	}
	note(5, 2, 9, 2, 1)
	first := c.take(2)
	note(3)
	if rest := c.take(2); !slices.Equal(first, []flow.ID{1, 2}) || !slices.Equal(rest, []flow.ID{3, 5}) || c.none() {
		t.Fatalf("taken %v, then %v; none left: %v", first, rest, c.none())
	}
	if last := c.take(math.MaxInt); !slices.Equal(last, []flow.ID{9}) || !c.none() {
		t.Fatalf("at last %v; none left: %v", last, c.none())
	}
}

// A producer that writes a flow for each that is judged again is not waited for: the
// last step takes what is left, in parts, while the worker goes on.
func TestRejudgeEndsWhenItIsOutrun(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a"+Ext)
	s, err := Create(path, Options{Judge: judgeFunc(allow)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	observe := func() {
		s.Observe(flowtest.Get("https://a.example/", flowtest.ID(s.NextID())))
	}
	for range 1000 {
		observe()
	}
	const most, outrun = 600, 5000 // together they fit into the queue
	var judged, between, longest atomic.Int64
	forbid := judgeFunc(func(f *flow.Flow) policy.Judgement {
		if judged.Add(1) < outrun {
			observe()
			longest.Store(max(longest.Load(), between.Add(1)))
		}
		return policy.Judgement{Verdict: policy.Violation, Host: f.Host(), Findings: []policy.Finding{{Rule: policy.HostNotAllowed, Host: f.Host()}}}
	})
	r, written := newRebuild(s, forbid), new(changes)
	if err := s.worker.do(func() error { s.worker.changes, r.upto = written, s.LastID(); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := r.readAll(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := r.pursue(t.Context(), written); err != nil {
		t.Fatal(err)
	}
	if n := judged.Load(); n >= outrun {
		t.Fatalf("a producer that never lets up was pursued over %d flows", n)
	}
	// Each flow that comes while the worker looks at a part is judged by the former
	// policy first, which tells when the worker went on.
	s.verdict.replace(newJudgements(judgeFunc(func(f *flow.Flow) policy.Judgement {
		between.Store(0)
		return allow(f)
	})))
	between.Store(0)
	longest.Store(0)
	if err := r.conclude(t.Context(), written, most); err != nil {
		t.Fatal(err)
	}
	if n := longest.Load(); n == 0 || n > most {
		t.Errorf("the worker had to wait for %d flows, not for %d at most", n, most)
	}
	sum := s.Summary()
	if sum.Flows != int(s.LastID()) || sum.Violating != sum.Flows {
		t.Errorf("%d of %d flows are counted, %d of them as violations", sum.Flows, s.LastID(), sum.Violating)
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	judged.Store(outrun)
	afresh, err := Open(path, Options{Judge: forbid})
	if err != nil {
		t.Fatal(err)
	}
	defer afresh.Close()
	if diff := cmp.Diff(afresh.Summary(), s.Summary(), SameEvidence); diff != "" {
		t.Errorf("(-read afresh +live):\n%s", diff)
	}
}
