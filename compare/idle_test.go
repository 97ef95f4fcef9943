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
	flows = append(flows, flowtest.Post("https://sync.example/v1/8812", "", flowtest.UserAgentOf("Sync/1")))
	flows = append(flows, flowtest.Get("https://a.canada.ca/", flowtest.UserAgentOf("CovidShield/1.0")))
	isApp := func(agent string) bool { return strings.HasPrefix(agent, "CovidShield") }
	rest := compare.NewAtRest("idle.telltale", summaryOf(t, flows...), 20*time.Minute, isApp)
	want := &policy.Idle{File: "idle.telltale", Shapes: map[policy.Shape]string{
		probe: "every minute", {Host: "sync.example", Method: "POST", Path: "/v1/*"}: "once in 20 minutes",
	}}
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
