package consequence

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
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
	if rng.IntN(2) == 0 {
		slices.SortFunc(story.Switches, func(a, b capture.Switch) int { return a.Time.Compare(b.Time) })
	}
	for range rng.IntN(4) {
		from := flowtest.Epoch.Add(time.Duration(rng.IntN(500)) * time.Second)
		story.Spans = append(story.Spans, capture.Span{From: from, To: from.Add(time.Duration(rng.IntN(200)) * time.Second)})
	}
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
		if rng.IntN(2) == 0 {
			f.Client.Addr = netip.MustParseAddrPort(fmt.Sprintf("192.168.1.%d:4000", 1+rng.IntN(3)))
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
		recorded := len(story.Spans) == 0 || r.Derived
		var whole time.Duration
		for _, s := range story.Spans {
			whole += s.To.Sub(s.From)
		}
		for i, s := range r.Stretches {
			checkClaims(t, i, &s)
			if next := i + 1; next < len(r.Stretches) && s.After > 0 && !r.Stretches[next].From.After(s.To) {
				t.Errorf("stretch %d has a time behind it, and another one: %+v", i, s)
			}
			if none := !slices.ContainsFunc(flows, func(f *flow.Flow) bool { return recordedOf(story).covers(f.Times.Start) }); !recorded && !none && s.Before+s.After > whole {
				t.Errorf("stretch %d: %v before and %v after, of %v that were recorded", i, s.Before, s.After, whole)
			}
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

// checkClaims looks for what contradicts itself in a stretch.
func checkClaims(t *testing.T, i int, s *Stretch) {
	t.Helper()
	if s.Undisturbed() && (s.Disturbed() || s.Devices || s.ClockSet || len(s.Fallbacks()) > 0) {
		t.Errorf("stretch %d is undisturbed, and is not: %+v", i, s)
	}
	if s.After == 0 && s.AfterFlows > 0 {
		t.Errorf("stretch %d has contacts behind it in no time: %+v", i, s)
	}
	groups := map[string]string{}
	in := func(host, group string) {
		if other := groups[host]; other != "" && other != group {
			t.Errorf("stretch %d: %s is of both %s and %s", i, host, other, group)
		}
		groups[host] = group
	}
	for _, target := range s.Targets {
		in(target.Host, "targets")
		if s.After == 0 && target.Recovery != (Recovery{}) {
			t.Errorf("stretch %d: recovered in no time: %+v", i, target)
		}
	}
	for group, hosts := range map[string][]Host{"instead": s.Instead, "kept": s.Kept, "failed": s.Failed} {
		for _, h := range hosts {
			in(h.Name, group)
		}
	}
	for _, k := range s.Otherwise {
		in(k.Host, "otherwise")
		if k.Good > k.During || k.GoodBefore > k.Before || !differ(k.GoodBefore, k.Before, k.Good, k.During) {
			t.Errorf("stretch %d: answered otherwise %+v", i, k)
		}
	}
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
