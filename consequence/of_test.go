package consequence

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// random is an audit that means nothing.
func random(rng *rand.Rand, n int) (story capture.Story, flows []*flow.Flow) {
	names := []string{"enforce", "offline", "slow edge", "bad-certificate self-signed", "flaky", "modify a.json", ""}
	outcomes := []flow.Outcome{
		flow.Completed, flow.Blocked, flow.Simulated, flow.ClientRefused, flow.ClientSilent, flow.QUICRefused, flow.Abandoned, flow.UpstreamFailed,
		flow.Open, flow.Served, flow.HandshakeFailed, "", "else",
	}
	for range rng.IntN(80) {
		sw := capture.Switch{Time: flowtest.Epoch.Add(time.Duration(rng.IntN(500)) * time.Second)}
		for range rng.IntN(3) {
			sw.Active = append(sw.Active, names[rng.IntN(len(names))])
		}
		story.Switches = append(story.Switches, sw)
	}
	story.Started, story.Watched = flowtest.Epoch.Add(time.Duration(rng.IntN(900)-300)*time.Second), time.Duration(rng.IntN(600))*time.Second
	for range n {
		url := fmt.Sprintf("https://h%d.example/%d", rng.IntN(12), rng.IntN(5))
		var f *flow.Flow
		switch rng.IntN(5) {
		case 0:
			f = flowtest.DNS(fmt.Sprintf("h%d.example", rng.IntN(12)))
		case 1:
			f = flowtest.Tunnel(fmt.Sprintf("h%d.example", rng.IntN(12)))
		default:
			f = flowtest.Get(url)
		}
		flowtest.At(time.Duration(rng.IntN(500)) * time.Second)(f)
		f.Outcome = outcomes[rng.IntN(len(outcomes))]
		if rng.IntN(2) == 0 {
			f.Experiments = []string{names[rng.IntN(len(names))]}
		}
		if rng.IntN(30) == 0 {
			f.Times.Start = time.Time{}
		}
		if rng.IntN(9) == 0 {
			f.Phase = names[rng.IntN(len(names))]
		}
		flows = append(flows, f)
	}
	return story, flows
}

// TestOrderDoesNotMatter shuffles flows, and gives those of one time other IDs.
func TestOrderDoesNotMatter(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		story, flows := random(rng, 600)
		if seed%3 == 0 {
			story.Switches = nil
		}
		slices.SortStableFunc(flows, func(a, b *flow.Flow) int { return a.Times.Start.Compare(b.Times.Start) })
		for i, f := range flows {
			f.ID = flow.ID(i + 1)
		}
		want := followed(t, story, flows...)
		shuffled := slices.Clone(flows)
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if diff := cmp.Diff(want, followed(t, story, shuffled...)); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}

// FuzzFlows makes audits that mean nothing: no result may claim more than it can.
func FuzzFlows(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed, uint16(seed*40))
	}
	f.Fuzz(func(t *testing.T, seed uint64, n uint16) {
		rng := rand.New(rand.NewPCG(seed, 2))
		story, flows := random(rng, int(n%2000))
		if seed%3 == 0 {
			story.Switches = nil
		}
		r := followed(t, story, flowtest.Number(flows...)...)
		if r == nil {
			return
		}
		for i, s := range r.Stretches {
			if s.To.Before(s.From) || len(s.Experiments) == 0 || s.Before < 0 || s.After < 0 {
				t.Errorf("stretch %d: %+v", i, s)
			}
			if s.Before == 0 && len(s.Instead)+len(s.Stopped)+len(s.Kept)+len(s.Failed)+len(s.Changed) > 0 {
				t.Errorf("stretch %d compares with nothing: %+v", i, s)
			}
			for _, k := range s.Stopped {
				if k.Before < 3 || k.During > 0 || k.Flow == 0 || s.To.Sub(s.From) < 3*k.Every {
					t.Errorf("stretch %d: stopped %+v", i, k)
				}
			}
			for _, target := range s.Targets {
				if target.Tries == 0 || target.Example == 0 || target.Last < 0 || target.First < 0 {
					t.Errorf("stretch %d: target %+v", i, target)
				}
			}
			for _, h := range s.Instead {
				if h.Flow == 0 || h.Delay < 0 {
					t.Errorf("stretch %d: instead %+v", i, h)
				}
			}
		}
	})
}

// TestOfReadsACapture records flows while experiments are switched.
func TestOfReadsACapture(t *testing.T) {
	now := flowtest.Epoch
	store, err := capture.Create(filepath.Join(t.TempDir(), "a.telltale"), capture.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	move := func(to float64) { now = flowtest.Epoch.Add(seconds(to)) }
	observe := func(flows ...*flow.Flow) {
		for _, f := range flows {
			f.ID = store.NextID()
			store.Observe(f)
		}
		if err := store.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := Of(context.Background(), store); r != nil || err != nil {
		t.Fatalf("nothing was done: %+v, %v", r, err)
	}
	observe(background(100)...)
	move(100)
	store.SetExperiments([]string{"enforce"})
	observe(every(2, 101, 200, refusing(google))...)
	observe(every(10, 101, 200, getting("https://api.example/v1/poll"))...)
	move(200)
	store.SetExperiments(nil)
	if err := store.Sync(); err != nil {
		t.Fatal(err)
	}
	r, err := Of(context.Background(), store)
	if err != nil {
		t.Fatal(err)
	}
	s := one(t, r)
	if r.Derived || s.Targets[0].Tries != 50 || len(s.Stopped) != 1 || s.Stopped[0].Host != "news.example" || s.To != now {
		t.Errorf("%+v", s)
	}
}
