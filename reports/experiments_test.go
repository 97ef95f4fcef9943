package reports

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/capture"
	"telltale/consequence"
)

// standsAlone is the verdict on an audit, a device or a host without what it never stands
// without. Words for programs stand in quotes, with the experiments beside them.
var standsAlone = regexp.MustCompile(`(?m)(>|\| |^|: )(?i:clean)( *$|  |</| \||[.:]|, [^w<]).*`)

// TestNoVerdictStandsAlone looks for the words beside the verdict in every format that has
// one.
func TestNoVerdictStandsAlone(t *testing.T) {
	build := func() *Report {
		r := offlineThroughout()
		r.Warnings = nil
		r.Summary.Health.Devices = append(slices.Clone(r.Summary.Health.Devices), capture.Device{Addr: "192.168.1.24", Name: "Second", Flows: 2, Hosts: 1, Altered: 2, Allowed: 2, Decrypted: epoch})
		return r
	}
	want := map[string]string{
		"text": "CLEAN, with experiments: offline\n", "markdown": "# Clean, with experiments: offline\n",
		"html": `Clean, <small class="beside">with experiments: offline</small>`, "json": `"name": "offline"`, "csv": ",offline\r\n",
		"sarif": `"experiments": [`, "har": `"_telltale":{"experiments":[{"name":"offline","periods":[{"from":"`, "junit": "Clean, with experiments: offline: ", "github": "CLEAN, with experiments: offline: ", "gitlab": "clean, with experiments: offline.",
	}
	for _, f := range Formats {
		got := render(t, f, build())
		if !strings.Contains(got, want[f.Name]) {
			t.Errorf("%s lacks %q:\n%s", f.Name, want[f.Name], got)
		}
		for _, at := range standsAlone.FindAllString(got, -1) {
			t.Errorf("%s says %q", f.Name, at)
		}
		if got := render(t, f, clean()); strings.Contains(got, "xperiment") && f.Name != "csv" {
			t.Errorf("%s speaks of experiments where there was none", f.Name)
		}
	}
}

func TestJSONOfExperiments(t *testing.T) {
	var got struct {
		Verdict     string
		Experiments []struct {
			Name         string
			Flows, Hosts int
			Periods      []struct{ From, To *string }
		}
		Summary      struct{ Altered int }
		Hosts        []struct{ Altered int }
		Violations   []struct{ Altered int }
		Consequences struct {
			Sentences []string
			Stretches []struct {
				Undisturbed bool
				Lacking     []string
				Targets     []struct{ Tries int }
			}
		}
	}
	f, _ := ByName("json")
	if err := json.Unmarshal([]byte(render(t, f, enforced())), &got); err != nil {
		t.Fatal(err)
	}
	if e := got.Experiments; len(e) != 1 || e[0].Name != "enforce" || e[0].Flows != 44 || e[0].Hosts != 1 || *e[0].Periods[0].From != "2026-11-20T12:01:40Z" || *e[0].Periods[0].To != "2026-11-20T12:03:20Z" {
		t.Errorf("experiments %+v", e)
	}
	if got.Verdict != Violations || got.Summary.Altered != 44 || got.Hosts[0].Altered != 44 || got.Violations[0].Altered != 44 {
		t.Errorf("%+v", got)
	}
	c := got.Consequences
	if len(c.Stretches) != 1 || !c.Stretches[0].Undisturbed || c.Stretches[0].Targets[0].Tries != 44 || len(c.Stretches[0].Lacking) != 0 ||
		!strings.HasPrefix(c.Sentences[0], "With clients3.google.com refused, everything else went on as before (3 hosts, 41 requests).") {
		t.Errorf("%+v", c)
	}
}

// TestTheSentenceIsNotSaidOfLess takes away one thing after the other that it needs.
func TestTheSentenceIsNotSaidOfLess(t *testing.T) {
	const sentence = "everything else went on as before ("
	tests := map[string]struct {
		change func(*consequence.Stretch)
		want   string
	}{
		"nothing before":  {func(s *consequence.Stretch) { s.Before, s.Kept = 0, nil }, "nothing was recorded before the experiment"},
		"nothing altered": {func(s *consequence.Stretch) { s.Altered = 0 }, "no contact was altered"},
		"nothing else":    {func(s *consequence.Stretch) { s.Kept = nil }, "no other host answered"},
		"little else":     {func(s *consequence.Stretch) { s.Kept = s.Kept[:1]; s.Kept[0].Flows = 3 }, "only 3 requests went to other hosts"},
		"too much":        {func(s *consequence.Stretch) { s.Crowded = true }, "too many hosts or kinds of requests to look at all"},
		"unseen":          {func(s *consequence.Stretch) { s.Unseen = 2 }, "everything else that repeats went on as before (3 hosts, 41 requests); 2 hosts were contacted before"},
		"stopped":         {func(s *consequence.Stretch) { s.Stopped = make([]consequence.Kind, 2) }, "2 kinds of requests stopped"},
		"failed":          {func(s *consequence.Stretch) { s.Failed = make([]consequence.Host, 1) }, "1 host that answered before did not"},
		"instead":         {func(s *consequence.Stretch) { s.Instead = make([]consequence.Host, 1) }, "1 host was contacted that was not before"},
		"refused instead": {func(s *consequence.Stretch) {
			s.Targets = append(s.Targets, consequence.Target{Host: connectivity, Tries: 1, Blocked: 1, Behind: probe, Delay: time.Second})
			s.Kept = nil
		}, "With clients3.google.com refused, the app asked connectivity.example (1 s after one to clients3.google.com) instead, which was refused as well."},
		"otherwise": {func(s *consequence.Stretch) {
			s.Otherwise = []consequence.Kind{{Host: submission, Before: 9, GoodBefore: 9, During: 4}}
		}, "1 kind of request was answered otherwise (submission.covid-notification.alpha.canada.ca: 0 of 4 without an error, and 9 of 9 before)"},
		"used less":   {func(s *consequence.Stretch) { s.Usual, s.Else = 200, 41 }, "the app was used less than before"},
		"most unseen": {func(s *consequence.Stretch) { s.Unseen = 30 }, "30 of 33 other hosts were not contacted at all"},
		"devices":     {func(s *consequence.Stretch) { s.Devices = true }, "several devices were recorded"},
		"clock":       {func(s *consequence.Stretch) { s.ClockSet = true }, "times do not fit those of the recording"},
		"trusted":     {func(s *consequence.Stretch) { s.Trusted = make([]consequence.Host, 1) }, "Grave:"},
		"too short":   {func(s *consequence.Stretch) { s.Short = []consequence.Kind{{Every: time.Hour}} }, "leave it on for at least 3 h"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := enforced()
			tt.change(&r.Consequences.Stretches[0])
			got := r.followedBriefly(onTerminal)[0]
			if strings.Contains(got, sentence) || !strings.Contains(got, tt.want) {
				t.Errorf("%s", got)
			}
		})
	}
}

// TestFallbackIsInTheHeadline has a host that was asked instead, and refused as well.
func TestFallbackIsInTheHeadline(t *testing.T) {
	r := enforced()
	s := &r.Consequences.Stretches[0]
	s.Targets = append(s.Targets, consequence.Target{Host: connectivity, Tries: 1, Blocked: 1, Behind: probe})
	const want = "With clients3.google.com refused, the app asked connectivity.example (at once after one to clients3.google.com) instead, which was refused as well; everything else went on as before (3 hosts, 41 requests)."
	if got := r.followedBriefly(onTerminal)[0]; !strings.HasPrefix(got, want) {
		t.Errorf("%s", got)
	}
	r.Consequences.Stretches = append(r.Consequences.Stretches, *s)
	if got := r.overall(onTerminal); !strings.Contains(got, "asked instead") {
		t.Errorf("%s", got)
	}
	*s = enforced().Consequences.Stretches[0]
	s.Targets, s.Rewritten = nil, []consequence.Host{{Name: connectivity, Flows: 10}}
	if got := r.conclusion(s, onTerminal); !strings.HasPrefix(got, "With enforce on, which altered 10 requests to connectivity.example, everything else went on as before") {
		t.Errorf("%s", got)
	}
}

// TestWhatWasDoneIsNotCut has a sentence as long as refusals have.
func TestWhatWasDoneIsNotCut(t *testing.T) {
	const done = "answered 403 in the place of the server: host-not-allowed: contacts a host that the policy does not name"
	r := enforced()
	s := &r.Consequences.Stretches[0]
	s.Targets[0].Done = done
	if got := tries(r, s, s.Targets[0], onTerminal); !strings.HasSuffix(got, done) {
		t.Errorf("%s", got)
	}
	s.To, s.Targets[0].End = s.From.Add(time.Second), consequence.NotKnown
	if got := tries(r, s, s.Targets[0], onTerminal); !strings.Contains(got, "1 s is too short to tell how it goes on (every 12 s before)") {
		t.Errorf("%s", got)
	}
}

func TestWarningOfExperimentsThroughout(t *testing.T) {
	period := func(from, to int) capture.Period {
		p := capture.Period{From: after(time.Duration(from) * time.Second)}
		if to > 0 {
			p.To = after(time.Duration(to) * time.Second)
		}
		return p
	}
	tests := []struct {
		altered int
		periods [][]capture.Period
		want    bool
	}{
		{0, nil, false},
		{5, [][]capture.Period{{period(0, 0)}}, true},
		{0, [][]capture.Period{{period(-5, 0)}}, true},
		{5, [][]capture.Period{{period(0, 30)}}, false},
		{5, [][]capture.Period{{period(1, 0)}}, false},
		{5, [][]capture.Period{{period(0, 30)}, {period(20, 61)}}, true},
		{5, [][]capture.Period{{period(0, 30)}, {period(31, 61)}}, false},
		{5, [][]capture.Period{{period(0, 30), period(30, 61)}}, true},
		{9, [][]capture.Period{nil}, true}, // of a HAR file, where every flow is altered
	}
	for i, tt := range tests {
		s := capture.Summary{Flows: 9, Altered: tt.altered, First: epoch, Last: after(time.Minute)}
		for _, periods := range tt.periods {
			s.Experiments = append(s.Experiments, capture.Experiment{Name: "offline", Periods: periods})
		}
		said := false
		for _, w := range WarningsOf(s, nil, false, 0) {
			said = said || strings.HasPrefix(w, "Never undisturbed: experiments were on all the time (offline")
		}
		if said != tt.want {
			t.Errorf("%d: said %v", i, said)
		}
	}
}
