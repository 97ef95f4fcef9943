package capture_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/cadence"
	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// beats makes n flows, one every so often.
func beats(n int, every time.Duration, make func(at flowtest.Option) *flow.Flow) (flows []*flow.Flow) {
	for i := range n {
		flows = append(flows, make(flowtest.At(time.Duration(i)*every)))
	}
	return flows
}

func TestShapesAndRhythms(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	flows := beats(7, time.Minute, func(at flowtest.Option) *flow.Flow {
		return flowtest.Head("https://two.example/generate_204", at, flowtest.UserAgentOf("Weather/3"))
	})
	flows = append(flows, beats(5, 40*time.Second, func(at flowtest.Option) *flow.Flow {
		return flowtest.Get(fmt.Sprintf("https://two.example/user/%d", 7000+random.IntN(1000)), at, flowtest.UserAgentOf(""))
	})...)
	flows = append(flows, flowtest.Get("https://a.canada.ca/1"), flowtest.Tunnel("a.canada.ca:443"))
	flows[8].Exposures, flows[8].Examined = []flow.Exposure{{Kind: "imei"}, {Kind: "imei"}}, 1
	flows[9].Exposures, flows[9].Examined = []flow.Exposure{{Kind: "imei"}, {Kind: "e-mail"}}, 1
	sum := summarize(t, flowtest.Number(flows...)...)
	var got []string
	for _, s := range sum.Shapes {
		got = append(got, fmt.Sprintf("%d %v %v", s.Flows, s.Shape, s.Rhythm))
	}
	want := []string{
		"7 HEAD two.example/generate_204 every minute", "5 GET two.example/user/* every 40 s",
		"1 CONNECT a.canada.ca ", "1 GET a.canada.ca/* ",
	}
	if !cmp.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if !cmp.Equal(sum.Shapes[1].Sent, []string{"e-mail", "imei"}) || sum.Shapes[0].Sent != nil {
		t.Errorf("sent %v and %v", sum.Shapes[1].Sent, sum.Shapes[0].Sent)
	}
	if s := sum.Shapes[0]; s.App != "Weather" || !s.First.Equal(flowtest.Epoch) || s.Last.Before(flowtest.Epoch.Add(6*time.Minute)) {
		t.Errorf("%+v", s)
	}
	if h := sum.Hosts[1]; h.Name != "two.example" || h.Rhythm != (cadence.Rhythm{Every: time.Minute, Count: 7}) {
		t.Errorf("%+v", h)
	}
	if h := sum.Hosts[0]; h.Rhythm != (cadence.Rhythm{}) {
		t.Errorf("%+v", h)
	}
	probes := summarize(t, flowtest.Number(flows[:7]...)...)
	if v := probes.Violations[0]; v.Rhythm != probes.Shapes[0].Rhythm || v.Interval != time.Minute {
		t.Errorf("%+v", v)
	}
}

// Rhythms of flows that are under way do not stay in the totals.
func TestOpenFlowsKeepRhythms(t *testing.T) {
	s := capture.New(capture.Options{Judge: hostJudge{}})
	defer s.Close()
	all := flowtest.Number(beats(6, time.Minute, func(at flowtest.Option) *flow.Flow { return flowtest.Get("https://two.example/", at) })...)
	for _, f := range all[4:] {
		f.Outcome = flow.Open
	}
	observe(t, s, all...)
	for range 2 {
		if sum := s.Summary(); sum.Shapes[0].Rhythm.Count != 6 || sum.Hosts[0].Rhythm.Count != 6 || sum.Violations[0].Rhythm.Count != 6 {
			t.Errorf("%+v", sum.Shapes)
		}
	}
}

func TestManyShapesAreCountedTogether(t *testing.T) {
	s := capture.New(capture.Options{Judge: hostJudge{}})
	defer s.Close()
	const more = 50
	letters := func(n int) string {
		return string([]byte{'a' + byte(n%26), 'a' + byte(n/26%26), 'a' + byte(n/676%26)})
	}
	for i := range capture.MaxShapes + more {
		s.Observe(flowtest.Get("https://two.example/"+letters(i), flowtest.At(time.Duration(i)*time.Minute), flowtest.ID(flow.ID(i+1))))
	}
	s.Observe(flowtest.Get("https://other.example/new", flowtest.ID(capture.MaxShapes+more+1)))
	observe(t, s)
	sum := s.Summary()
	crowds, flows := map[policy.Shape]int{}, 0
	for _, row := range sum.Shapes {
		flows += row.Flows
		if row.Crowd() {
			crowds[row.Shape] = row.Flows
			if row.Rhythm.Count > 0 {
				t.Errorf("%+v", row)
			}
		}
	}
	for _, row := range sum.Shapes {
		lost := policy.Shape{Host: "two.example", Method: "GET", Path: "/lost"}
		if held := row.MayHold(lost); held != (row.Host == "*.two.example") {
			t.Errorf("%v may hold %v: %v", row.Shape, lost, held)
		}
	}
	want := map[policy.Shape]int{{Host: "*.two.example", Method: "*", Path: "*"}: more, {Host: "*.other.example", Method: "*", Path: "*"}: 1}
	if !cmp.Equal(crowds, want) || flows != sum.Flows || len(sum.Health.Notes) == 0 {
		t.Errorf("%v, %d flows in shapes of %d, notes %q", crowds, flows, sum.Flows, sum.Health.Notes)
	}
}

// subtracting is a judge that subtracts one host.
type subtracting struct{ hostJudge }

func (j subtracting) Judge(f *flow.Flow) policy.Judgement {
	judged := j.hostJudge.Judge(f)
	if f.Host() == "two.example" {
		return policy.Judgement{Host: judged.Host, Verdict: policy.Ignored, Subtracted: true, Source: policy.Source{File: "idle.telltale", Text: "idle baseline"}}
	}
	return judged
}

func TestSubtractedIsCounted(t *testing.T) {
	s, path := create(t, capture.Options{Judge: subtracting{}})
	observe(t, s, flowtest.Number(flowtest.Get("https://two.example/"), flowtest.Get("https://two.example/", flowtest.Outcome(flow.Open)), flowtest.Get("https://x.example/"))...)
	check := func(s *capture.Store) {
		t.Helper()
		sum := s.Summary()
		if sum.Subtracted != 2 || sum.Ignored != 2 || sum.Shapes[0].Subtracted != 2 || sum.Shapes[1].Subtracted != 0 {
			t.Errorf("subtracted %d, ignored %d, shapes %+v", sum.Subtracted, sum.Ignored, sum.Shapes)
		}
	}
	check(s)
	s.Close()
	check(reopen(t, path, capture.Options{Judge: subtracting{}}))
}
