package consequence

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
)

const (
	ads = "ads.example"
	api = "https://api.example/config"
)

// polled is an app that polls a server, and another host that is refused from 100 s to 200 s.
func polled() []*flow.Flow {
	return slices.Concat(every(10, 1, 300, getting(api)), every(5, 2, 100, getting("https://"+ads+"/p")), every(5, 102, 200, refusing(ads)))
}

// TestTimeBetweenRecordingsDoesNotCount has an hour between a recording without experiments
// and one with, and between one with and one without.
func TestTimeBetweenRecordingsDoesNotCount(t *testing.T) {
	at := func(s float64) time.Time { return flowtest.Epoch.Add(seconds(s)) }
	for _, gap := range []float64{1, 3600, 1e6} {
		b := 300 + gap
		story := capture.Story{
			Started: at(0), Watched: seconds(600), Spans: []capture.Span{{From: at(0), To: at(300)}, {From: at(b), To: at(b + 300)}},
			Switches: []capture.Switch{{Time: at(b), Active: []string{"enforce"}}, {Time: at(b + 300)}},
		}
		flows := slices.Concat(every(10, 1, 300, getting(api)), every(10, 4, 300, getting("https://poll.example/x")),
			every(10, b+1, b+300, getting(api)), every(5, b+2, b+300, refusing(ads)))
		s := one(t, followed(t, story, flowtest.Number(flows...)...))
		if s.Before != seconds(300) || len(s.Stopped) != 1 || s.Stopped[0].Host != "poll.example" || s.Stopped[0].Last > seconds(10) || s.Unseen != 0 || s.After != 0 {
			t.Errorf("gap of %v s: %+v", gap, s)
		}
		story.Switches = []capture.Switch{{Time: at(0), Active: []string{"enforce"}}, {Time: at(300)}}
		flows = slices.Concat(every(5, 2, 300, refusing(ads)), every(5, b+2, b+300, getting("https://"+ads+"/p")))
		s = one(t, followed(t, story, flowtest.Number(flows...)...))
		if s.After != seconds(300) || s.Targets[0].Recovery.After != seconds(2) {
			t.Errorf("gap of %v s behind it: %v, %+v", gap, s.After, s.Targets[0].Recovery)
		}
	}
}

func TestAnotherExperimentIsNotAfterwards(t *testing.T) {
	story := on("enforce", 100, 200)
	story.Switches = []capture.Switch{
		{Time: flowtest.Epoch.Add(seconds(100)), Active: []string{"enforce"}}, {Time: flowtest.Epoch.Add(seconds(150)), Active: []string{"offline"}},
		{Time: flowtest.Epoch.Add(seconds(200))},
	}
	r := followed(t, story, flowtest.Number(polled()...)...)
	if len(r.Stretches) != 2 || r.Stretches[0].After != 0 || r.Stretches[0].Targets[0].Recovery != (Recovery{}) || r.Stretches[1].After != seconds(100) {
		t.Errorf("%+v", r)
	}
}

// TestAnswersAreCompared has a server that goes on to answer, and otherwise.
func TestAnswersAreCompared(t *testing.T) {
	tests := map[string]struct {
		during func(at float64) *flow.Flow
		want   string // kind of request, and answers without an error
	}{
		"401":     {getting(api, flowtest.Status(401)), "api.example/config 0 of 10, 10 of 10 before"},
		"a half":  {func(at float64) *flow.Flow { return get(api, at, flowtest.Status(200+300*(int(at/10)%2))) }, "api.example/config 5 of 10, 10 of 10 before"},
		"one":     {func(at float64) *flow.Flow { return get(api, at, flowtest.Status(200+204*int(at/190))) }, ""},
		"as ever": {getting(api), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			flows := slices.Concat(every(10, 1, 100, getting(api)), every(10, 101, 200, tt.during), every(7, 1, 300, getting("https://news.example/")), every(5, 102, 200, refusing(ads)))
			s := one(t, followed(t, on("enforce", 100, 200), flowtest.Number(flows...)...))
			got := ""
			for _, k := range s.Otherwise {
				got += fmt.Sprintf("%s%s %d of %d, %d of %d before", k.Host, k.Path, k.Good, k.During, k.GoodBefore, k.Before)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || s.Undisturbed() != (tt.want == "") || len(s.Failed) > 0 {
				t.Errorf("%s\n%+v", diff, s)
			}
		})
	}
}

// TestRewrittenAnswersSayNothing has rules that make errors of one host's answers.
func TestRewrittenAnswersSayNothing(t *testing.T) {
	for _, status := range []int{401, 503} {
		by := []flowtest.Option{flowtest.Status(status), flowtest.Experiments("modify busy.json"), flowtest.Altered("set the status")}
		flows := slices.Concat(every(10, 1, 100, getting(api)), every(10, 101, 200, getting(api, by...)), every(10, 2, 300, getting("https://b.example/x")))
		s := one(t, followed(t, on("modify busy.json", 100, 200), flowtest.Number(flows...)...))
		if len(s.Rewritten) != 1 || s.Rewritten[0].Flows != 10 || len(s.Failed)+len(s.Otherwise) > 0 || len(s.Kept) != 1 || s.Kept[0].Name != "b.example" || !s.Undisturbed() {
			t.Errorf("%d: %+v", status, s)
		}
	}
}

// TestHeadlineIsTakenAway has what makes it unknown whether all went on.
func TestHeadlineIsTakenAway(t *testing.T) {
	other := flowtest.From("192.168.1.99:4000")
	var articles, once []*flow.Flow
	for i := range 90 {
		articles = append(articles, get("https://api.example/article-"+strings.Repeat("x", i+1), 5+float64(i)))
		once = append(once, get(fmt.Sprintf("https://h%d.example/", i), 5+float64(i)))
	}
	tests := map[string]struct {
		flows []*flow.Flow
		want  Lack
	}{
		"nothing":         {nil, ""},
		"another device":  {every(10, 1, 300, getting("https://news.example/", other)), SeveralDevices},
		"volume":          {articles, UsedLess},
		"hosts":           {once, MostUnseen},
		"the clock":       {[]*flow.Flow{get(api, -3600)}, ClockSet},
		"another's noise": {every(10, 1, 300, getting("https://"+noisy+"/", other)), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			story := on("enforce", 100, 200)
			story.Spans = []capture.Span{{From: flowtest.Epoch, To: flowtest.Epoch.Add(seconds(300))}}
			s := one(t, followed(t, story, flowtest.Number(slices.Concat(polled(), tt.flows)...)...))
			if tt.want == "" != s.Undisturbed() || tt.want != "" && !slices.Contains(s.Lacking(), tt.want) || len(s.Instead) > 0 {
				t.Errorf("lacking %v: %+v", s.Lacking(), s)
			}
		})
	}
}

// TestAnotherDeviceDoesNotComeInstead has one that begins while a host is refused.
func TestAnotherDeviceDoesNotComeInstead(t *testing.T) {
	for _, from := range []string{flowtest.Phone.String(), "192.168.1.99:4000"} {
		flows := slices.Concat(polled(), every(10, 120, 300, getting("https://news.example/", flowtest.From(from))))
		s := one(t, followed(t, on("enforce", 100, 200), flowtest.Number(flows...)...))
		if same := from == flowtest.Phone.String(); (len(s.Instead) == 1) != same || s.Devices == same {
			t.Errorf("%s: %+v", from, s)
		}
	}
}

func TestFallbackThatWasRefusedIsADifference(t *testing.T) {
	s := one(t, followed(t, on("enforce", 100, 200), flowtest.Number(slices.Concat(polled(), every(5, 102.2, 200, refusing("ads2.example")))...)...))
	if all := s.Fallbacks(); len(all) != 1 || all[0].Host != "ads2.example" || all[0].Behind != ads || !s.Disturbed() || s.Undisturbed() || !s.RestUndisturbed() {
		t.Errorf("%+v", s)
	}
}

// TestFallbackKnownByItsName has one whose address is asked for, and nothing else.
func TestFallbackKnownByItsName(t *testing.T) {
	for _, code := range []string{"NOERROR", "NXDOMAIN"} {
		asking := func(at float64) *flow.Flow {
			return flowtest.DNS("fb.example", flowtest.At(seconds(at)), flowtest.Question("A", code), flowtest.From(flowtest.Phone.String()))
		}
		s := one(t, followed(t, on("enforce", 100, 200), flowtest.Number(slices.Concat(polled(), every(5, 102.2, 200, asking))...)...))
		if len(s.Instead) != 1 || s.Instead[0].Name != "fb.example" || !s.Instead[0].Questions || s.Instead[0].Flows != 20 || s.Instead[0].Behind != ads || s.Undisturbed() {
			t.Errorf("%s: %+v", code, s.Instead)
		}
	}
}

// TestClockSetBackBetweenSwitches has the experiment end before it began.
func TestClockSetBackBetweenSwitches(t *testing.T) {
	r := followed(t, on("enforce", 100, 50), flowtest.Number(polled()...)...)
	if s := one(t, r); !r.ClockSet || !r.Derived || s.Undisturbed() || s.From != flowtest.Epoch.Add(seconds(102)) || s.To.After(flowtest.Epoch.Add(seconds(202))) {
		t.Errorf("%+v", r)
	}
	if r := followed(t, on("enforce", 100, 99.5), flowtest.Number(polled()...)...); r != nil && r.ClockSet {
		t.Errorf("half a second is no clock that was set: %+v", r)
	}
}
