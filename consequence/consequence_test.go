package consequence

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

const (
	probe  = "https://clients3.google.com/generate_204"
	google = "clients3.google.com"
	noisy  = "captive.apple.com"
)

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// by says which experiment altered a flow, and how it ended by that.
func by(name string, outcome flow.Outcome) flowtest.Option {
	return func(f *flow.Flow) {
		f.Outcome, f.Experiments, f.Altered = outcome, []string{name}, []string{"done by " + name}
	}
}

// get is a request that was answered.
func get(url string, at float64, opts ...flowtest.Option) *flow.Flow {
	return flowtest.Get(url, append([]flowtest.Option{flowtest.At(seconds(at))}, opts...)...)
}

// refused is a connection that enforcement refused.
func refused(host string, at float64) *flow.Flow {
	return flowtest.Tunnel(host, flowtest.At(seconds(at)), by("enforce", flow.Blocked))
}

// every returns requests at a rhythm, from a second to another.
func every(step, from, to float64, make func(at float64) *flow.Flow) (all []*flow.Flow) {
	for at := from; at < to; at += step {
		all = append(all, make(at))
	}
	return all
}

func getting(url string, opts ...flowtest.Option) func(at float64) *flow.Flow {
	return func(at float64) *flow.Flow { return get(url, at, opts...) }
}

func refusing(host string) func(float64) *flow.Flow {
	return func(at float64) *flow.Flow { return refused(host, at) }
}

// on is a story in which an experiment is on between two seconds of three hundred.
func on(name string, from, to float64) capture.Story {
	return capture.Story{Started: flowtest.Epoch, Watched: seconds(300), Switches: []capture.Switch{
		{Time: flowtest.Epoch.Add(seconds(from)), Active: []string{name}}, {Time: flowtest.Epoch.Add(seconds(to))},
	}}
}

// followed returns what followed, of flows in this order.
func followed(t testing.TB, story capture.Story, flows ...*flow.Flow) *Result {
	t.Helper()
	r, err := of(story, func(_ bool, visit func(capture.Recorded)) error {
		for _, f := range flows {
			j := policy.Judgement{Verdict: policy.Allowed}
			if f.Host() == noisy {
				j.Verdict = policy.Ignored
			}
			visit(capture.Recorded{Flow: f, Judgement: j})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// one returns the only stretch.
func one(t testing.TB, r *Result) Stretch {
	t.Helper()
	if r == nil || len(r.Stretches) != 1 {
		t.Fatalf("result %+v", r)
	}
	return r.Stretches[0]
}

// background is an app that polls two servers of its own, and Google, until the experiment.
func background(to float64) []*flow.Flow {
	return slices.Concat(
		every(10, 1, to, getting("https://api.example/v1/poll")),
		every(15, 2, to, getting("https://news.example/feed")),
		every(12, 3, 100, getting(probe)),
	)
}

func TestEverythingElseWentOn(t *testing.T) {
	asking := func(at float64) *flow.Flow {
		return flowtest.DNS(google, flowtest.At(seconds(at)), flowtest.From(flowtest.Phone.String()))
	}
	flows := flowtest.Number(slices.Concat(background(300), every(5, 1, 100, asking), every(2, 101, 200, refusing(google)), every(12, 203, 300, getting(probe)))...)
	s := one(t, followed(t, on("enforce", 100, 200), flows...))
	if !s.Undisturbed() || len(s.Kept) != 2 || s.KeptFlows() != 17 || s.Before != seconds(100) || s.After != seconds(100) || s.Altered != 50 {
		t.Errorf("lacking %v, %+v", s.Lacking(), s)
	}
	target := s.Targets[0]
	if target.Host != google || target.Tries != 50 || target.Blocked != 50 || target.Done != "done by enforce" || target.Retry.Rhythm.Every != 2*time.Second ||
		target.Previous.Every != 12*time.Second || target.Pace != 6 || target.End != StillTrying || target.First != time.Second || target.Last != time.Second {
		t.Errorf("target %+v", target)
	}
	if target.Recovery.After != seconds(3) || target.Recovery.Tried != 9 {
		t.Errorf("recovery %+v", target.Recovery)
	}
	for _, f := range flows {
		if f.ID == target.Example && (f.Host() != google || f.Outcome != flow.Blocked || f.Times.Start != flowtest.Epoch.Add(seconds(101))) {
			t.Errorf("example %+v", f)
		}
	}
}

func TestUndisturbedIsSaidOfNothingLess(t *testing.T) {
	tries := every(2, 101, 200, refusing(google))
	tests := []struct {
		name  string
		flows []*flow.Flow
		want  []Lack
	}{
		{"nothing before", slices.Concat(every(10, 101, 200, getting("https://api.example/v1/poll")), tries), []Lack{NothingBefore}},
		{"nothing altered", background(300), []Lack{NothingAltered}},
		{"nothing else", slices.Concat(every(12, 3, 100, getting(probe)), tries), []Lack{NothingElse}},
		{"little else", slices.Concat([]*flow.Flow{get("https://api.example/", 5), get("https://api.example/", 150)}, tries), []Lack{FewElse}},
		{"too short", slices.Concat(background(300), every(40, 5, 100, getting("https://slow.example/")), tries), []Lack{TooShort}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := one(t, followed(t, on("enforce", 100, 200), flowtest.Number(tt.flows...)...))
			if diff := cmp.Diff(tt.want, s.Lacking()); diff != "" || s.Undisturbed() {
				t.Errorf("%s\n%+v", diff, s)
			}
		})
	}
}

func TestRetries(t *testing.T) {
	at := func(times ...float64) (all []*flow.Flow) {
		for _, s := range times {
			all = append(all, refused(google, 100+s))
		}
		return all
	}
	tests := []struct {
		name   string
		tries  []*flow.Flow
		factor float64
		most   time.Duration
		every  time.Duration
		end    Ending
	}{
		{"doubling", at(0, 1, 3, 7, 15), 2, 0, 0, GaveUp},
		{"doubling to the end", at(0, 1, 3, 7, 15, 31, 63), 2, 0, 0, StillTrying},
		{"doubling up to eight", at(0, 1, 3, 7, 15, 23, 31, 39, 47, 55, 63, 71, 79, 87, 95), 2, 8 * time.Second, 0, StillTrying},
		{"tenths, with jitter", at(0, 0.1, 0.28, 0.71, 1.4, 3), 2, 0, 0, GaveUp},
		{"the same", at(0, 5, 10, 15, 20, 25, 30), 0, 0, 5 * time.Second, GaveUp},
		{"the same, going on", every(5, 101, 200, refusing(google)), 0, 0, 5 * time.Second, StillTrying},
		{"once", at(1), 0, 0, 0, NotKnown},
		{"two at once", at(1, 1.02), 0, 0, 0, NotKnown},
		{"without order", at(0, 9, 11, 12, 30, 33, 60, 61, 80), 0, 0, 0, StillTrying},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := followed(t, on("enforce", 100, 200), flowtest.Number(append(tt.tries, get("https://api.example/", 50), get("https://api.example/", 199))...)...)
			got := one(t, r).Targets[0]
			if d := got.Retry.Factor - tt.factor; d > 0.2 || d < -0.2 || got.Retry.Most != tt.most || got.Retry.Rhythm.Every != tt.every || got.End != tt.end || got.Alone {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestGivingUpGoesByWhatWasBefore(t *testing.T) {
	story := on("enforce", 100, 200)
	probes := every(12, 3, 100, getting(probe))
	s := one(t, followed(t, story, flowtest.Number(append(probes, refused(google, 105), get("https://api.example/", 180))...)...))
	if got := s.Targets[0]; got.End != GaveUp || got.Tries != 1 || got.Alone {
		t.Errorf("%+v", got)
	}
	s = one(t, followed(t, story, flowtest.Number(append(probes, refused(google, 105), get("https://api.example/", 104))...)...))
	if got := s.Targets[0]; got.End != GaveUp || !got.Alone {
		t.Errorf("nothing came from anybody: %+v", got)
	}
	s = one(t, followed(t, story, flowtest.Number(append(probes, refused(google, 105), get(probe, 150))...)...))
	if got := s.Targets[0]; got.End != NotKnown || got.Passed != 1 {
		t.Errorf("it came through: %+v", got)
	}
}

func TestOtherHostsInstead(t *testing.T) {
	flows := slices.Concat(background(300), every(2, 101, 200, refusing(google)), []*flow.Flow{
		get("https://connectivity.example/check", 103.5), get("https://connectivity.example/check", 150),
		get("https://early.example/", 100.5), // before anything was refused
		get("http://"+noisy+"/", 120),
		flowtest.DNS("asked.example", flowtest.At(seconds(130))),
		refused("other.example", 131.5),
	})
	s := one(t, followed(t, on("enforce", 100, 200), flowtest.Number(flows...)...))
	if len(s.Instead) != 1 || s.Undisturbed() {
		t.Fatalf("%+v", s.Instead)
	}
	if other := s.Targets[1]; other.Host != "other.example" || other.Behind != google || other.Delay != seconds(0.5) || s.Targets[0].Behind != "" {
		t.Errorf("a fallback that was refused, too: %+v", s.Targets)
	}
	got := s.Instead[0]
	if got.Name != "connectivity.example" || got.Flows != 2 || got.Behind != google || got.Delay != seconds(0.5) || got.First != seconds(3.5) {
		t.Errorf("%+v", got)
	}
}

func TestWhatStopped(t *testing.T) {
	tests := []struct {
		name   string
		before []*flow.Flow
		want   int
	}{
		{"a rhythm", every(10, 1, 100, getting("https://sync.example/v1/items/8812")), 1},
		{"some times, spread", []*flow.Flow{get("https://sync.example/a", 5), get("https://sync.example/a", 31), get("https://sync.example/a", 60), get("https://sync.example/a", 93)}, 1},
		{"once", []*flow.Flow{get("https://sync.example/a", 5)}, 0},
		{"twice", []*flow.Flow{get("https://sync.example/a", 5), get("https://sync.example/a", 90)}, 0},
		{"a burst at the start", every(0.1, 1, 4, getting("https://sync.example/a")), 0},
		{"over before", every(2, 1, 30, getting("https://sync.example/a")), 0},
		{"too seldom", every(45, 1, 100, getting("https://sync.example/a")), 0},
		{"noise", every(10, 1, 100, getting("http://"+noisy+"/")), 0},
		{"questions", every(10, 1, 100, func(at float64) *flow.Flow { return flowtest.DNS("sync.example", flowtest.At(seconds(at))) }), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			flows := slices.Concat(background(300), every(2, 101, 200, refusing(google)), tt.before, []*flow.Flow{get("https://sync.example/v1/items/9001", 207)})
			s := one(t, followed(t, on("enforce", 100, 200), flowtest.Number(flows...)...))
			if len(s.Stopped) != tt.want {
				t.Fatalf("stopped %+v", s.Stopped)
			}
			if tt.name == "a rhythm" {
				got := s.Stopped[0]
				if got.Path != "/v1/items/*" || got.Before != 10 || got.Every != 10*time.Second || got.Recovery.After != seconds(7) || got.Last != seconds(9) {
					t.Errorf("%+v", got)
				}
			}
		})
	}
}

func TestWhatFailedAndWhatChanged(t *testing.T) {
	broken := func(at float64) *flow.Flow {
		return flowtest.Failed("https://broken.example/x", flow.FailureTimeout, flowtest.At(seconds(at)))
	}
	flows := slices.Concat(background(300), every(2, 101, 200, refusing(google)),
		every(10, 1, 100, getting("https://broken.example/x")), every(10, 101, 200, broken), every(10, 205, 300, getting("https://broken.example/x")),
		every(20, 1, 100, getting("https://eager.example/x")), every(2, 101, 200, getting("https://eager.example/x")),
		[]*flow.Flow{get("https://once.example/", 40)},
	)
	s := one(t, followed(t, on("enforce", 100, 200), flowtest.Number(flows...)...))
	if len(s.Failed) != 1 || s.Failed[0].Name != "broken.example" || s.Failed[0].Flows != 10 || s.Failed[0].Recovery.After != seconds(5) {
		t.Errorf("failed %+v", s.Failed)
	}
	if len(s.Changed) != 1 || s.Changed[0].Host != "eager.example" || s.Changed[0].Before != 5 || s.Changed[0].During != 50 {
		t.Errorf("changed %+v", s.Changed)
	}
	if s.Unseen != 1 || s.Undisturbed() {
		t.Errorf("%d unseen", s.Unseen)
	}
}

// connecting is the request by which a client asks the proxy for a tunnel.
func connecting(f *flow.Flow) { f.Request = &flow.Request{Method: "CONNECT"} }

func TestBadCertificates(t *testing.T) {
	const name = "bad-certificate expired"
	trusting := func(at float64) *flow.Flow { return get("https://trusting.example/", at, by(name, flow.Completed)) }
	flows := slices.Concat(background(300), every(10, 105, 200, trusting), []*flow.Flow{
		flowtest.Refused("careful.example", flowtest.At(seconds(110)), by(name, flow.ClientRefused)),
		get("https://answered.example/", 120, by(name, flow.Simulated)),
		flowtest.Refused("shown.example", flowtest.At(seconds(125)), by(name, flow.Simulated), connecting),
		flowtest.Refused("silent.example", flowtest.At(seconds(126)), by(name, flow.ClientSilent), connecting),
		flowtest.Refused("portal.example", flowtest.At(seconds(115)), by("captive-portal", flow.ClientRefused)),
		flowtest.Refused("pinned.example", flowtest.At(seconds(116)), by("slow 3g", flow.ClientRefused)),
		get("http://clear.example/", 130, by(name, flow.Completed)),
	})
	s := one(t, followed(t, on(name, 100, 200), flowtest.Number(flows...)...))
	if len(s.Trusted) != 2 || s.Trusted[0].Name != "answered.example" || s.Trusted[0].Flows != 1 || // whoever answered
		s.Trusted[1].Name != "trusting.example" || s.Trusted[1].Flows != 10 || s.Trusted[1].First != seconds(5) {
		t.Errorf("trusted %+v", s.Trusted)
	}
	if shown := s.Targets[3]; shown.Host != "shown.example" || shown.Distrusted != 1 || shown.Simulated != 0 {
		t.Errorf("the client refused what it was shown: %+v", shown)
	}
	if len(s.Targets) != 5 || s.Targets[1].Host != "careful.example" || s.Targets[1].Distrusted != 1 || s.Targets[2].Host != "portal.example" {
		t.Errorf("targets %+v", s.Targets)
	}
}

func TestPreludesCountWhereThereIsNothingElse(t *testing.T) {
	question := func(name, kind string, at float64) *flow.Flow {
		return flowtest.DNS(name, flowtest.Question(kind, "NXDOMAIN"), flowtest.At(seconds(at)), by("enforce", flow.Blocked))
	}
	var flows []*flow.Flow
	for at := 101.0; at < 200; at += 20 {
		flows = append(flows, question("a.example", "A", at), question("a.example", "AAAA", at+0.2), question("b.example", "A", at), refused("b.example", at+0.1))
	}
	s := one(t, followed(t, on("enforce", 100, 200), flowtest.Number(flows...)...))
	if len(s.Targets) != 2 || s.Targets[0].Tries != 5 || s.Targets[1].Tries != 5 || s.Targets[0].Blocked != 5 {
		t.Errorf("%+v", s.Targets)
	}
}

func TestSlowLinks(t *testing.T) {
	slow := func(at float64) *flow.Flow {
		f := get("https://api.example/v1/poll", at, by("slow edge", flow.Completed))
		f.Times.End = f.Times.Start.Add(3 * time.Second)
		return f
	}
	abandoned := get("https://api.example/v1/poll", 150, by("slow edge", flow.Abandoned))
	flows := slices.Concat(every(10, 1, 100, getting("https://api.example/v1/poll")), every(10, 101, 200, slow), []*flow.Flow{abandoned})
	s := one(t, followed(t, on("slow edge", 100, 200), flowtest.Number(flows...)...))
	l := s.Link
	if l == nil || l.Flows != 11 || l.BeforeFlows != 10 || l.Abandoned != 1 || l.BeforeAbandoned != 0 {
		t.Fatalf("%+v", l)
	}
	if l.Median < 2800*time.Millisecond || l.Median > 3200*time.Millisecond || l.BeforeMedian < 90*time.Millisecond || l.BeforeMedian > 110*time.Millisecond {
		t.Errorf("%+v", l)
	}
	if len(s.Kept) != 1 || len(s.Targets) != 0 || !s.Undisturbed() {
		t.Errorf("%+v", s)
	}
}

// TestBeforeIsAllTimeWithoutExperiments has two experiments with a short time between them:
// what came before the first is before the second, too.
func TestBeforeIsAllTimeWithoutExperiments(t *testing.T) {
	story := on("enforce", 100, 150)
	second := on("offline", 160, 220).Switches
	story.Switches = append(story.Switches, second...)
	flows := slices.Concat(background(160), every(2, 101, 150, refusing(google)), []*flow.Flow{flowtest.Tunnel("api.example", flowtest.At(seconds(170)), by("offline", flow.Simulated))})
	r := followed(t, story, flowtest.Number(flows...)...)
	if len(r.Stretches) != 2 {
		t.Fatalf("%+v", r)
	}
	s := r.Stretches[1]
	if s.Before != seconds(110) || len(s.Stopped) != 2 || s.Stopped[1].Host != "news.example" || s.From != flowtest.Epoch.Add(seconds(160)) {
		t.Errorf("%+v", s)
	}
	if first := r.Stretches[0]; first.After != seconds(10) || len(first.Kept) != 2 {
		t.Errorf("%+v", first)
	}
}
