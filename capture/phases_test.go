package capture_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/guard/raced"
)

func TestPhases(t *testing.T) {
	at := func(s int) flowtest.Option { return flowtest.At(time.Duration(s) * time.Second) }
	before, after := flowtest.Phase("before consent"), flowtest.Phase("after consent")
	sum := summarize(t, flowtest.Number(
		flowtest.Get("https://a.canada.ca/", at(50), after), // earlier ID, later time
		flowtest.Get("https://a.canada.ca/", at(10), before),
		flowtest.Get("https://one.example/", at(20), before),
		flowtest.Get("https://one.example/", at(30), before),
		flowtest.Get("https://one.example/", at(60), after),
		flowtest.Get("https://two.example/", at(0)),
		flowtest.Get("https://two.example/", at(70), after),
		flowtest.Get("https://three.example/", at(1)),
		flowtest.Get("http://setup.telltale/", at(5), flowtest.Phase("no contact"), flowtest.Outcome(flow.Served)),
		flowtest.Get("https://timeless.canada.ca/", flowtest.Phase("timeless"), func(f *flow.Flow) { f.Times = flow.NoTimes(time.Time{}) }),
	)...)
	moment := func(s int, d time.Duration) time.Time { return flowtest.Epoch.Add(time.Duration(s)*time.Second + d) }
	const took = 100 * time.Millisecond
	want := []capture.Phase{
		{Name: "", Flows: 2, Violating: 2, Hosts: 2, First: moment(0, 0), Last: moment(1, took)},
		{Name: "before consent", Flows: 3, Violating: 2, Hosts: 2, First: moment(10, 0), Last: moment(30, took)},
		{Name: "after consent", Flows: 3, Violating: 2, Hosts: 3, First: moment(50, 0), Last: moment(70, took)},
		{Name: "timeless", Flows: 1, Hosts: 1},
	}
	if diff := cmp.Diff(want, sum.Phases); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	phases := map[string][]string{}
	for _, v := range sum.Violations {
		if phases[v.Finding.Host] = v.Phases; v.Finding.Host == "three.example" && v.Phases != nil {
			t.Errorf("a violation outside of any phase has %q", v.Phases)
		}
	}
	for _, h := range sum.Hosts {
		if in, ok := phases[h.Name]; ok && !cmp.Equal(h.Phases, in) {
			t.Errorf("%s has the phases %q, its violation %q", h.Name, h.Phases, in)
		}
	}
	if !cmp.Equal(phases["one.example"], []string{"after consent", "before consent"}) || !cmp.Equal(phases["two.example"], []string{"", "after consent"}) {
		t.Errorf("phases of violations: %q", phases)
	}
}

func TestNoPhases(t *testing.T) {
	sum := summarize(t, flowtest.Number(flowtest.Get("https://one.example/"), flowtest.Get("https://a.canada.ca/"))...)
	if sum.Phases != nil || sum.Hosts[0].Phases != nil || sum.Violations[0].Phases != nil {
		t.Errorf("%+v", sum)
	}
}

// Of too many phases the first by name are kept, and those are exact, whatever
// came first.
func TestManyPhasesAreCut(t *testing.T) {
	const names, hosts = 2 * capture.MaxPhases, 7
	random := rand.New(rand.NewPCG(7, 8))
	var flows []*flow.Flow
	count, contacted := map[string]int{}, map[string]map[int]bool{}
	for i := range 3000 {
		name, host := fmt.Sprintf("phase %03d", random.IntN(names)), random.IntN(hosts)
		if i%5 == 0 {
			name = ""
		}
		flows = append(flows, flowtest.Get(fmt.Sprintf("https://host%d.example/", host), flowtest.Phase(name), flowtest.At(time.Duration(random.IntN(1e6))*time.Millisecond)))
		if contacted[name] == nil {
			contacted[name] = map[int]bool{}
		}
		count[name]++
		contacted[name][host] = true
	}
	flowtest.Number(flows...)
	want := summarize(t, flows...)
	if len(want.Phases) != capture.MaxPhases || len(want.Hosts[0].Phases) != capture.MaxPhases || len(want.Violations[0].Phases) != capture.MaxPhases {
		t.Fatalf("%d phases, %q", len(want.Phases), want.Hosts[0].Phases)
	}
	last := fmt.Sprintf("phase %03d", capture.MaxPhases-2) // "" is one, too
	for _, p := range want.Phases {
		if p.Name > last || p.Flows != count[p.Name] || p.Violating != p.Flows || p.Hosts != len(contacted[p.Name]) {
			t.Errorf("%+v, want %d flows to %d hosts", p, count[p.Name], len(contacted[p.Name]))
		}
	}
	if !slices.IsSortedFunc(want.Phases, func(a, b capture.Phase) int { return a.First.Compare(b.First) }) {
		t.Error("not in the order of their first flows")
	}
	for range raced.Size(3, 1) {
		random.Shuffle(len(flows), func(i, j int) { flows[i], flows[j] = flows[j], flows[i] })
		if diff := cmp.Diff(want, summarize(t, flows...), capture.SameEvidence); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// A summary in between leaves the totals as they were, and of phases that began at
// one time the one with the lowest ID is the first, whatever came first.
func TestPhasesInAnyOrder(t *testing.T) {
	var flows []*flow.Flow
	for _, name := range []string{"c", "a", "b", "a", "b", "c"} {
		flows = append(flows, flowtest.Get("https://one.example/", flowtest.Phase(name)))
	}
	flowtest.Number(flows...)
	want := summarize(t, flows...).Phases
	if len(want) != 3 || want[0].Name != "c" || want[1].Name != "a" || want[2].Name != "b" {
		t.Fatalf("%+v", want)
	}
	s := capture.New(capture.Options{Judge: hostJudge{}})
	defer s.Close()
	for _, f := range slices.Backward(flows) {
		observe(t, s, f)
		s.Summary()
	}
	if diff := cmp.Diff(want, s.Summary().Phases); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Phases come from marks, count while flows are open, and are the same when the
// capture is read back or judged again.
func TestPhasesOfMarks(t *testing.T) {
	s, path := create(t, capture.Options{Judge: hostJudge{}})
	phases := func(s *capture.Store) string {
		var all []string
		for _, p := range s.Summary().Phases {
			all = append(all, fmt.Sprintf("%q %d/%d/%d", p.Name, p.Flows, p.Violating, p.Hosts))
		}
		return strings.Join(all, ", ")
	}
	next := func(url string, opts ...flowtest.Option) *flow.Flow {
		return flowtest.Get(url, append(opts, flowtest.ID(s.NextID()), flowtest.At(time.Duration(s.LastID())*time.Second))...)
	}
	first := next("https://a.canada.ca/")
	observe(t, s, first)
	if got := phases(s); got != "" {
		t.Errorf("before any mark: %s", got)
	}
	s.Mark("before consent")
	slow := next("https://one.example/")
	opened := *slow
	opened.Outcome, opened.Times.End = flow.Open, time.Time{}
	observe(t, s, &opened, next("https://one.example/", flowtest.Outcome(flow.Open)))
	const open = `"" 1/0/1, "before consent" 2/2/1`
	for i := range 3 { // open flows are there each time, once
		s.Note(fmt.Sprint("add up anew ", i))
		if got := phases(s); got != open {
			t.Errorf("while flows are open: %s", got)
		}
	}
	s.Mark("after consent")
	observe(t, s, slow, next("https://one.example/"))
	s.Mark("")
	observe(t, s, next("https://two.example/"))
	const most = `"" 2/1/2, "before consent" 2/2/1, "after consent" 1/1/1`
	for i := range 3 {
		s.Note(fmt.Sprint("and anew ", i))
		if got := phases(s); got != most {
			t.Errorf("with one flow open: %s", got)
		}
	}
	s.Mark("after consent")
	observe(t, s, next("https://two.example/"))
	const want = `"" 2/1/2, "before consent" 2/2/1, "after consent" 2/2/2`
	if got := phases(s); got != want {
		t.Errorf("live: %s", got)
	}
	if err := s.Rejudge(context.Background(), hostJudge{}, nil); err != nil || phases(s) != want {
		t.Errorf("judged again: %s, error %v", phases(s), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := phases(reopen(t, path, capture.Options{Judge: hostJudge{}})); got != want {
		t.Errorf("read back: %s", got)
	}
}
