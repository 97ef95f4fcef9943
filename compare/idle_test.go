package compare_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/capture"
	"telltale/compare"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// every makes one request again and again.
func every(period, length time.Duration, method, url, agent string) (flows []*flow.Flow) {
	for at := time.Duration(0); at < length; at += period {
		flows = append(flows, flowtest.Request(method, url, flowtest.At(at), flowtest.UserAgentOf(agent)))
	}
	return flows
}

// later puts flows off.
func later(by time.Duration, flows []*flow.Flow) []*flow.Flow {
	for _, f := range flows {
		f.Times.Start = f.Times.Start.Add(by)
		if !f.Times.End.IsZero() {
			f.Times.End = f.Times.End.Add(by)
		}
	}
	return flows
}

// twice makes each of the flows two.
func twice(flows []*flow.Flow) (all []*flow.Flow) {
	for _, f := range flows {
		again := *f
		all = append(all, f, &again)
	}
	return all
}

// summaryOf counts flows that nobody judges.
func summaryOf(t *testing.T, flows ...*flow.Flow) capture.Summary {
	t.Helper()
	s := capture.New(capture.Options{})
	defer s.Close()
	for _, f := range flowtest.Number(flows...) {
		s.Observe(f)
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	return s.Summary()
}

const probeURL = "https://clients3.google.com/generate_204"

var probe = policy.Shape{Host: "clients3.google.com", Method: "HEAD", Path: "/generate_204"}

func TestIdleOfACapture(t *testing.T) {
	flows := every(time.Minute, 10*time.Minute, "HEAD", probeURL, "Dalvik/2.1")
	sending := flowtest.Post("https://sync.example/v1/8812", "", flowtest.UserAgentOf("Sync/1"))
	sending.Exposures, sending.Examined = []flow.Exposure{{Kind: "imei", Digest: "a"}, {Kind: "e-mail", Digest: "b"}}, 1
	flows = append(flows, sending)
	flows = append(flows, flowtest.Get("https://a.canada.ca/", flowtest.UserAgentOf("CovidShield/1.0")))
	isApp := func(agent string) bool { return strings.HasPrefix(agent, "CovidShield") }
	rest := compare.NewAtRest("idle.telltale", summaryOf(t, flows...), 20*time.Minute, isApp)
	sync := policy.Shape{Host: "sync.example", Method: "POST", Path: "/v1/*"}
	want := &policy.Idle{
		File: "idle.telltale", Shapes: map[policy.Shape]string{probe: "every minute", sync: "once in 20 minutes"},
		Sent: map[policy.Shape][]string{sync: {"e-mail", "imei"}},
	}
	if diff := cmp.Diff(want, rest.Idle()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if own := []policy.Shape{{Host: "a.canada.ca", Method: "GET", Path: "/"}}; !cmp.Equal(rest.Own, own) {
		t.Errorf("made by the app itself: %v", rest.Own)
	}
}

func TestFasterIsNotExplained(t *testing.T) {
	const minute = time.Minute
	beat := func(period, length time.Duration) []*flow.Flow {
		return every(period, length, "HEAD", probeURL, "Dalvik/2.1")
	}
	for name, c := range map[string]struct {
		rest, audit []*flow.Flow
		watched     [2]time.Duration
		why         string // a part of the sentence; "" when it is explained
	}{
		"the same":                          {beat(minute, 10*minute), beat(minute, 40*minute), [2]time.Duration{}, ""},
		"a little faster":                   {beat(minute, 10*minute), beat(45*time.Second, 10*minute), [2]time.Duration{}, ""},
		"slower":                            {beat(minute, 10*minute), beat(3*minute, 60*minute), [2]time.Duration{}, ""},
		"faster":                            {beat(minute, 10*minute), beat(15*time.Second, 10*minute), [2]time.Duration{}, "was made every 15 s, and with the app closed only every minute (idle.telltale)"},
		"two in each beat":                  {beat(minute, 20*minute), append(beat(minute, 20*minute), beat(minute, 20*minute)...), [2]time.Duration{}, "40 times in 19 minutes, and with the app closed 20 times in 19 minutes"},
		"once and once":                     {beat(minute, 1), beat(minute, 1), [2]time.Duration{10 * minute, 10 * minute}, ""},
		"once, and by chance":               {beat(minute, 1), beat(minute, 3*minute), [2]time.Duration{10 * minute, 10 * minute}, ""},
		"once, and a timer":                 {beat(minute, 1), beat(minute, 10*minute), [2]time.Duration{10 * minute, 10 * minute}, "10 times in 10 minutes, and with the app closed once in 10 minutes"},
		"once in ten minutes, and in a day": {beat(minute, 1), beat(10*minute, 24*time.Hour), [2]time.Duration{10 * minute, 24 * time.Hour}, ""},
		"a day between two recordings":      {beat(minute, 1), append(beat(minute, 5*minute), later(24*time.Hour, beat(minute, 5*minute))...), [2]time.Duration{10 * minute, 10 * minute}, "10 times in 10 minutes"},
		"likewise, two in each beat":        {beat(minute, 20*minute), append(twice(beat(minute, 20*minute)), later(24*time.Hour, twice(beat(minute, 20*minute)))...), [2]time.Duration{20 * minute, 40 * minute}, "80 times in 40 minutes, and with the app closed 20 times in 19 minutes"},
		"a day between two of the baseline": {append(beat(minute, 1), later(24*time.Hour, beat(minute, 1))...), beat(minute, 10*minute), [2]time.Duration{20 * minute, 10 * minute}, "10 times in 10 minutes, and with the app closed 2 times in 20 minutes"},
		"not in the baseline":               {every(minute, 10*minute, "GET", "https://x.example/", ""), beat(time.Second, minute), [2]time.Duration{}, ""},
	} {
		rest := compare.NewAtRest("idle.telltale", summaryOf(t, c.rest...), c.watched[0], nil)
		got := rest.Faster(summaryOf(t, c.audit...), c.watched[1])
		switch {
		case c.why == "" && len(got) > 0:
			t.Errorf("%s: %+v", name, got)
		case c.why != "" && (len(got) != 1 || got[0].Shape != probe || !strings.Contains(got[0].Why, c.why)):
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What an audit counts together with others may have come at any rate.
func TestUncountedIsNotExplained(t *testing.T) {
	counted := policy.Shape{Host: "a.example", Method: "GET", Path: "/"}
	other := policy.Shape{Host: "b.elsewhere.example", Method: "GET", Path: "/"}
	rest := capture.Summary{Shapes: []capture.Shape{{Shape: probe, Flows: 1}, {Shape: counted, Flows: 1}, {Shape: other, Flows: 1}}}
	crowd := func(host string) capture.Shape {
		return capture.Shape{Shape: policy.Shape{Host: host, Method: "*", Path: "*"}, Flows: 500}
	}
	for _, c := range []struct {
		crowd string
		want  []policy.Shape
	}{
		{"*.google.com", []policy.Shape{probe}},
		{"*.unknown.example", nil},
		{"*", []policy.Shape{other, probe}},
	} {
		audit := capture.Summary{Shapes: []capture.Shape{{Shape: counted, Flows: 1}, crowd(c.crowd)}}
		var got []policy.Shape
		for _, f := range compare.NewAtRest("idle.telltale", rest, time.Hour, nil).Faster(audit, time.Hour) {
			got = append(got, f.Shape)
			if !strings.Contains(f.Why, "more than 10000 kinds of requests") || !strings.Contains(f.Why, "in idle.telltale came is not known") {
				t.Errorf("%s: %s", c.crowd, f.Why)
			}
		}
		if !cmp.Equal(got, c.want) {
			t.Errorf("%s: %v", c.crowd, got)
		}
	}
}

// What is said of a baseline is for how long it was watched, however short that was.
func TestIdleSaysTheTimeWatched(t *testing.T) {
	for _, tt := range []struct {
		watched time.Duration
		flows   []*flow.Flow
		want    string
	}{
		{10 * time.Second, every(time.Minute, 1, "HEAD", probeURL, ""), "once in 10 s"},
		{10 * time.Second, every(4*time.Second, 10*time.Second, "HEAD", probeURL, ""), "3 times in 10 s"},
		{90 * time.Second, every(time.Minute, 1, "HEAD", probeURL, ""), "once in 90 s"},
		{10 * time.Minute, every(time.Minute, 1, "HEAD", probeURL, ""), "once in 10 minutes"},
		{0, every(time.Minute, 1, "HEAD", probeURL, ""), "once"},
		{0, every(time.Millisecond, 3*time.Millisecond, "HEAD", probeURL, ""), "3 times in less than 1 s"},
	} {
		idle := compare.NewAtRest("idle.telltale", summaryOf(t, tt.flows...), tt.watched, nil).Idle()
		if got := idle.Shapes[probe]; got != tt.want {
			t.Errorf("watched for %s: %q, want %q", tt.watched, got, tt.want)
		}
	}
}
