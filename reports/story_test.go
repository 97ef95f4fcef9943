package reports

import (
	"strings"
	"testing"
	"time"

	"telltale/capture"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// TestTheStory goes the way of a real audit: flows through the store, judged by a
// real policy and its catalogue, into every document.
func TestTheStory(t *testing.T) {
	pol, err := policy.New([]string{"*.canada.ca"})
	if err != nil {
		t.Fatal(err)
	}
	store := capture.New(capture.Options{Judge: pol})
	flows := flowtest.Number(
		flowtest.Get("https://"+retrieval+"/retrieve/302/2652", flowtest.ResponseBody("application/zip", strings.Repeat("x", 4096))),
		flowtest.Head("https://clients3.google.com/generate_204", flowtest.At(1*time.Second)),
		flowtest.Head("https://clients3.google.com/generate_204", flowtest.At(61*time.Second)),
		flowtest.Head("https://clients3.google.com/generate_204", flowtest.At(121*time.Second)),
		flowtest.Post("https://"+submission+"/upload", `{"keys":[]}`, flowtest.At(125*time.Second)),
	)
	for _, f := range flows {
		store.Observe(f)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	r := &Report{
		Tool: Tool{"telltale", "1.0.0"}, Generated: after(time.Hour), Policy: PolicyInfo{Allow: []string{"*.canada.ca"}},
		Captures: []CaptureInfo{{File: "audit.telltale", Entries: 5}}, Modes: []string{"http"}, Mask: pol.Mask, Summary: store.Summary(),
	}
	r.Verdict = VerdictOf(r.Summary, r.Captures, false)
	for _, f := range Formats {
		if f.NeedsFlows || f.Name == "gitlab" { // it lists what is wrong, and has no place for the rest
			continue
		}
		got := render(t, f, r)
		for _, want := range []string{retrieval, submission, probe, "captive-portal-probe"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s does not say %q:\n%s", f.Name, want, got)
			}
		}
		if f.Name == "markdown" || f.Name == "text" {
			for _, want := range []string{"HEAD https://clients3.google.com/generate_204", "CovidShield/1.0.2", "3 times", "every 60 s", "NetInfo.configure({reachabilityUrl: ''})", "audit.telltale"} {
				if !strings.Contains(got, want) {
					t.Errorf("%s does not say %q:\n%s", f.Name, want, got)
				}
			}
		}
	}
}
