package capture_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/guard/raced"
	"telltale/policy"
)

// clock is a time that tests set.
type clock struct{ now time.Time }

func (c *clock) options() capture.Options {
	return capture.Options{Judge: hostJudge{}, Now: func() time.Time { return c.now }}
}

// to sets it to so many minutes after the beginning.
func (c *clock) to(minutes int) { c.now = after(minutes) }

func after(minutes int) time.Time { return flowtest.Epoch.Add(time.Duration(minutes) * time.Minute) }

func period(from, to int) capture.Period { return capture.Period{From: after(from), To: after(to)} }

// The phase of a flow is the mark of the operator, joined with the experiments in force.
func TestPhasesOfExperiments(t *testing.T) {
	s, path := create(t, capture.Options{})
	for _, step := range []struct {
		do     func()
		phase  string
		marked string
	}{
		{func() {}, "", ""},
		{func() { s.SetExperiments(nil) }, "", ""},
		{func() { s.SetExperiments([]string{"offline"}) }, "offline", ""},
		{func() { s.SetExperiments([]string{"slow edge", "offline", "offline"}) }, "offline, slow edge", ""},
		{func() { s.SetExperiments([]string{"offline", "slow edge"}) }, "offline, slow edge", ""},
		{func() { s.SetExperiments([]string{}) }, "no experiment", ""},
		{func() { s.Mark("before consent") }, "before consent", "before consent"},
		{func() { s.SetExperiments([]string{"offline"}) }, "before consent · offline", "before consent"},
		{func() { s.Mark("after consent") }, "after consent · offline", "after consent"},
		{func() { s.Mark("") }, "offline", ""},
		{func() { s.Mark("at rest") }, "at rest · offline", "at rest"},
		{func() { s.SetExperiments(nil) }, "at rest", "at rest"},
		{func() { s.Mark("") }, "no experiment", ""},
	} {
		step.do()
		if s.Phase() != step.phase || s.Marked() != step.marked {
			t.Errorf("phase %q, want %q; mark %q, want %q", s.Phase(), step.phase, s.Marked(), step.marked)
		}
		observe(t, s, flowtest.Get("https://a.canada.ca/", flowtest.ID(s.NextID())))
		if f, err := s.Flow(context.Background(), s.LastID()); err != nil || f.Flow.Phase != step.phase {
			t.Errorf("the flow has phase %q, want %q, error %v", f.Flow.Phase, step.phase, err)
		}
	}
	story, err := s.Story(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var marks []string
	for _, m := range story.Marks {
		marks = append(marks, m.Name)
	}
	want := []string{
		"offline", "offline, slow edge", "no experiment", "before consent", "before consent · offline", "after consent · offline",
		"offline", "at rest · offline", "at rest", "no experiment",
	}
	if diff := cmp.Diff(want, marks); diff != "" {
		t.Errorf("phases in the file (-want +got):\n%s", diff)
	}
	if n := query(t, path, "SELECT count(*) || ' ' || group_concat(active, ' ') FROM switches"); n != `5 ["offline"] ["offline","slow edge"] [] ["offline"] []` {
		t.Errorf("switches in the file: %s", n)
	}
}

// What was under way when an experiment began belongs to the phase in which it opened.
func TestPhaseOfAnExperimentIsThatOfTheOpening(t *testing.T) {
	s, _ := create(t, capture.Options{})
	f := flowtest.Get("https://a.canada.ca/", flowtest.ID(s.NextID()))
	opened := *f
	opened.Outcome, opened.Times.End = flow.Open, time.Time{}
	s.Observe(&opened)
	s.SetExperiments([]string{"offline"})
	observe(t, s, f)
	if got := only(t, s).Flow.Phase; got != "" {
		t.Errorf("phase %q", got)
	}
}

// everything is what a summary says of experiments.
func everything(s capture.Summary) []any {
	said := []any{s.Altered, s.Experiments, s.Health.Failed}
	for _, h := range s.Hosts {
		said = append(said, h.Name, h.Altered)
	}
	for _, v := range s.Violations {
		said = append(said, v.Finding.Host, v.Altered)
	}
	return said
}

// The sums are right at every moment: live, after judging anew, by another reader, after
// the end, and in a second session.
func TestSumsOfExperiments(t *testing.T) {
	c := clock{flowtest.Epoch}
	s, path := create(t, c.options())
	next := func(minutes int, url string, opts ...flowtest.Option) *flow.Flow {
		return flowtest.Get(url, append(opts, flowtest.ID(s.NextID()), flowtest.At(time.Duration(minutes)*time.Minute))...)
	}
	by := func(names ...string) flowtest.Option {
		return func(f *flow.Flow) { f.Experiments, f.Altered = names, []string{"altered by a test"} }
	}
	c.to(1)
	s.SetExperiments([]string{"offline"})
	refused := func(f *flow.Flow) { f.Outcome, f.Response = flow.Simulated, nil }
	observe(t, s,
		next(0, "https://one.example/"), next(1, "https://one.example/", by("offline"), refused),
		next(1, "https://three.example/", by("offline", "slow edge")), next(1, "https://a.canada.ca/", by("slow edge")),
		next(1, "https://a.canada.ca/", flowtest.Outcome(flow.Abandoned), by("slow edge")), next(1, "https://a.canada.ca/", flowtest.Outcome(flow.Abandoned)))
	c.to(2)
	s.SetExperiments([]string{"no-quic", "offline"})
	open := next(2, "https://one.example/", by("offline"))
	opened := *open
	opened.Outcome, opened.Times.End = flow.Open, time.Time{}
	observe(t, s, &opened)
	want := func(offline, quic capture.Period, flows int) []any {
		return []any{flows, []capture.Experiment{
			{Name: "no-quic", Periods: []capture.Period{quic}}, {Name: "offline", Flows: flows - 2, Hosts: 2, Periods: []capture.Period{offline}},
			{Name: "slow edge", Flows: 3, Hosts: 2},
		}, 1, "a.canada.ca", 2, "one.example", flows - 3, "three.example", 1, "one.example", flows - 3, "three.example", 1}
	}
	check := func(when string, s *capture.Store, offline, quic capture.Period) {
		t.Helper()
		for range 2 { // what is open counts once, each time
			got := everything(s.Summary())
			if diff := cmp.Diff(want(offline, quic, 5), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
			s.Note("add up anew " + when)
		}
	}
	from1, from2 := capture.Period{From: after(1)}, capture.Period{From: after(2)}
	check("live", s, from1, from2)
	if err := s.Rejudge(context.Background(), hostJudge{}, nil); err != nil {
		t.Fatal(err)
	}
	check("judged anew", s, from1, from2)
	check("beside the recorder", reopen(t, path, c.options()), from1, from2)
	c.to(3)
	s.SetExperiments([]string{"offline"})
	check("one is off", s, from1, period(2, 3))
	observe(t, s, open)
	c.to(4)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check("after the end", s, period(1, 4), period(2, 3))
	check("read back", reopen(t, path, c.options()), period(1, 4), period(2, 3))
	c.to(9)
	again, err := capture.Create(path, c.options())
	if err != nil {
		t.Fatal(err)
	}
	check("second session", again, period(1, 4), period(2, 3))
	if again.Phase() != "" {
		t.Errorf("the second session begins with phase %q", again.Phase())
	}
	again.SetExperiments([]string{"offline"})
	c.to(10)
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	last := reopen(t, path, c.options())
	if got := last.Summary().Experiments[1].Periods; !cmp.Equal(got, []capture.Period{period(1, 4), period(9, 10)}) {
		t.Errorf("after two sessions: %v", got)
	}
	if diff := cmp.Diff(again.Switches(), last.Switches()); diff != "" || len(last.Switches()) != 6 {
		t.Errorf("switches (-live +read):\n%s", diff)
	}
	verify(t, path)
}

// Violations count how many of their flows were altered, those of their preludes too.
func TestAlteredFlowsOfViolations(t *testing.T) {
	by := func(f *flow.Flow) { f.Experiments = []string{"offline"} }
	sum := summarize(t, flowtest.Number(
		flowtest.Get("https://one.example/"), flowtest.Get("https://one.example/", by), flowtest.Get("https://one.example/", by),
		flowtest.Get("https://three.example/"))...)
	if len(sum.Violations) != 2 || sum.Violations[0].Altered != 2 || sum.Violations[0].Count != 3 || sum.Violations[1].Altered != 0 {
		t.Errorf("%+v", sum.Violations)
	}
}

// The experiments of a recorder that was killed were in force up to its newest flow.
func TestExperimentsOfAKilledRecorder(t *testing.T) {
	c := clock{flowtest.Epoch}
	s, path := create(t, c.options())
	c.to(1)
	s.SetExperiments([]string{"offline"})
	f := flowtest.Get("https://a.canada.ca/", flowtest.ID(s.NextID()), flowtest.At(5*time.Minute))
	f.Times.End = f.Times.Start
	observe(t, s, f)
	c.to(60)
	s.Close()
	queryRW(t, path, "UPDATE sessions SET ended = NULL RETURNING id")
	if got := reopen(t, path, c.options()).Summary().Experiments; len(got) != 1 || !cmp.Equal(got[0].Periods, []capture.Period{period(1, 5)}) {
		t.Errorf("%+v", got)
	}
	queryRW(t, path, "UPDATE switches SET time = time + 3600000000 RETURNING id")
	if got := reopen(t, path, c.options()).Summary().Experiments; len(got) != 1 || !cmp.Equal(got[0].Periods, []capture.Period{period(61, 61)}) {
		t.Errorf("switched after the newest flow: %+v", got)
	}
}

// Flows of a file name experiments of which nothing is known but that.
func TestExperimentsWithoutSwitches(t *testing.T) {
	by := func(names ...string) flowtest.Option { return func(f *flow.Flow) { f.Experiments = names } }
	sum := summarize(t, flowtest.Number(flowtest.Get("https://one.example/", by("offline", "offline")), flowtest.Get("https://three.example/", by("enforce")))...)
	want := []capture.Experiment{{Name: "enforce", Flows: 1, Hosts: 1}, {Name: "offline", Flows: 1, Hosts: 1}}
	if diff := cmp.Diff(want, sum.Experiments); diff != "" || sum.Altered != 2 {
		t.Errorf("%d altered (-want +got):\n%s", sum.Altered, diff)
	}
	if sum := summarize(t, flowtest.Get("https://one.example/")); sum.Experiments != nil || sum.Altered != 0 {
		t.Errorf("without experiments: %+v", sum.Experiments)
	}
}

// Of too many experiments the first by name are kept, and those are exact, whatever came first.
func TestManyExperimentsAreCut(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	count, contacted := map[string]int{}, map[string]map[int]bool{}
	var flows []*flow.Flow
	for i := range raced.Size(2000, 600) {
		name, host := fmt.Sprintf("rule %03d", random.IntN(2*capture.MaxExperiments)), random.IntN(5)
		f := flowtest.Get(fmt.Sprintf("https://host%d.example/%d", host, i))
		f.Experiments = []string{name}
		flows = append(flows, f)
		if contacted[name] == nil {
			contacted[name] = map[int]bool{}
		}
		count[name]++
		contacted[name][host] = true
	}
	flowtest.Number(flows...)
	for range 2 {
		sum := summarize(t, flows...)
		if len(sum.Experiments) != capture.MaxExperiments || sum.Altered != len(flows) {
			t.Errorf("%d experiments of %d flows", len(sum.Experiments), sum.Altered)
		}
		for _, e := range sum.Experiments {
			if e.Flows != count[e.Name] || e.Hosts != len(contacted[e.Name]) {
				t.Errorf("%+v, want %d flows to %d hosts", e, count[e.Name], len(contacted[e.Name]))
			}
		}
		slices.Reverse(flows)
	}
}

// A capture of version 5 is read as it is, and brought up to date for recording.
func TestVersion5HasNoSwitches(t *testing.T) {
	path := unpacked(t, "testdata/version5.telltale.gz")
	verify(t, path)
	old := reopen(t, path, capture.Options{Judge: hostJudge{}})
	before := old.Summary()
	if before.Experiments != nil || before.Altered != 0 || before.Flows == 0 || len(old.Switches()) != 0 {
		t.Errorf("%+v", before)
	}
	if v := query(t, path, "SELECT user_version FROM pragma_user_version"); v != "5" {
		t.Errorf("reading made it version %s", v)
	}
	s, err := capture.Create(path, capture.Options{Judge: hostJudge{}})
	if err != nil {
		t.Fatal(err)
	}
	s.SetExperiments([]string{"offline"})
	f := flowtest.Get("https://new.example/", flowtest.ID(s.NextID()))
	f.Experiments, f.Altered = []string{"offline"}, []string{"refused: offline"}
	observe(t, s, f)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	v := verify(t, path)
	if len(v.Sessions) != 2 || len(v.Sessions[0].Manifest) == 0 {
		t.Errorf("%+v", v)
	}
	after := reopen(t, path, capture.Options{Judge: hostJudge{}})
	if sum := after.Summary(); sum.Flows != before.Flows+1 || sum.Altered != 1 || len(sum.Experiments) != 1 || len(sum.Experiments[0].Periods) != 1 {
		t.Errorf("%+v", sum.Experiments)
	}
	if got, err := after.Flow(context.Background(), f.ID); err != nil || !cmp.Equal(got.Flow.Experiments, f.Experiments) {
		t.Errorf("experiments %q, error %v", got.Flow.Experiments, err)
	}
	if got := query(t, path, "SELECT group_concat(id || ' ' || experiments || ' ' || altered) FROM exchanges WHERE experiments IS NOT NULL"); got != fmt.Sprintf(`%d ["offline"] ["refused: offline"]`, f.ID) {
		t.Errorf("the view has %s", got)
	}
}

// Experiments may be switched while flows come and somebody reads.
func TestSwitchingUnderLoad(t *testing.T) {
	s, path := create(t, capture.Options{Judge: hostJudge{}})
	var work sync.WaitGroup
	sets := [][]string{{"offline"}, {"offline", "slow edge"}, nil, {"no-quic"}}
	for range 2 {
		work.Go(func() {
			for range raced.Size(1000, 200) {
				f := flowtest.Get("https://one.example/", flowtest.ID(s.NextID()))
				f.Experiments = []string{"offline"}
				s.Observe(f)
				s.Summary()
			}
		})
		work.Go(func() {
			for i := range 50 {
				s.SetExperiments(sets[i%len(sets)])
				s.Mark(fmt.Sprint("mark ", i%3))
			}
		})
	}
	work.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Summary().Experiments, reopen(t, path, capture.Options{Judge: hostJudge{}}).Summary().Experiments); diff != "" {
		t.Errorf("(-live +read):\n%s", diff)
	}
	verify(t, path)
}

// An idle baseline is of what the device does by itself.
func TestIdleBaselineHasNoExperiments(t *testing.T) {
	s, _ := create(t, capture.Options{})
	s.SetExperiments([]string{"offline"})
	if err := s.SetIdle(); err == nil || s.Idle() {
		t.Errorf("an idle baseline with experiments: error %v", err)
	}
}

// A violation's event says of how many flows experiments had a part, also in a later session.
func TestEventsCountAlteredFlows(t *testing.T) {
	var told []string
	opts := capture.Options{Judge: hostJudge{}, Tell: func(o capture.Occurrence) []byte {
		told = append(told, fmt.Sprintf("%d of %d", o.Altered, o.Count))
		return []byte("{}")
	}}
	s, path := create(t, opts)
	record := func(s *capture.Store, altered int) {
		t.Helper()
		for i := range 9 {
			f := get(s, "evil.example")
			if i < altered {
				f.Experiments = []string{"offline"}
			}
			observe(t, s, f)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	record(s, 1)
	again, err := capture.Create(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	record(again, 3)
	if want := []string{"1 of 1", "2 of 10"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// What leads up to a contact counts in its violation, altered or not; a device that refuses
// a certificate with a fault does as it should.
func TestAlteredPreludesAndRefusals(t *testing.T) {
	pol, err := policy.Parse("telltale.yaml", []byte("version: 1\nallow:\n  - \"*.canada.ca\"\n"), policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := capture.New(capture.Options{Judge: pol})
	by := flowtest.Experiments("bad-certificate self-signed")
	for _, f := range flowtest.Number(flowtest.DNS("clients3.google.com", by), flowtest.Head("https://clients3.google.com/generate_204", by), flowtest.Refused("a.canada.ca", by)) {
		s.Observe(f)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sum := s.Summary()
	if len(sum.Violations) != 1 || sum.Violations[0].Altered != 2 || sum.Violations[0].Count != 2 {
		t.Errorf("violations %+v", sum.Violations)
	}
	if d := sum.Health.Devices[1]; d.Refused != 0 || d.Refusal.Host != "" || d.Unread != 0 || len(sum.Health.Unread) != 0 || d.Flows != 2 {
		t.Errorf("device %+v", d)
	}
}

// A flow that is observed late belongs to the phase in which it began; one of before the
// session, which comes from elsewhere, to the present one.
func TestPhaseIsThatOfTheBeginning(t *testing.T) {
	begun := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	var minutes atomic.Int64 // of the clock, which the store's writer looks at, too
	s, err := capture.Create(filepath.Join(t.TempDir(), "x.telltale"), capture.Options{
		Now: func() time.Time { return begun.Add(time.Duration(minutes.Load()) * time.Minute) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, active := range [][]string{{"offline"}, {"enforce hang"}, nil} {
		minutes.Add(1)
		s.SetExperiments(active)
	}
	for after, want := range map[time.Duration]string{
		-time.Hour: "no experiment", 30 * time.Second: "", 90 * time.Second: "offline", 2 * time.Minute: "enforce hang", time.Hour: "no experiment",
	} {
		f := flowtest.Get("https://a.canada.ca/", flowtest.ID(s.NextID()))
		f.Times.Start, f.Times.End = begun.Add(after), begun.Add(after+time.Hour)
		observe(t, s, f)
		if got, err := s.Flow(t.Context(), f.ID); err != nil || got.Flow.Phase != want {
			t.Errorf("begun %v after the audit, of phase %q, want %q (%v)", after, got.Flow.Phase, want, err)
		}
	}
}
