package notify

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"telltale/event"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const policyName = "COVID Alert talks to the Government of Canada only"

// violation is an event of the first flow of a violation.
func violation(id, host, rule string, count int) event.Event {
	return event.Event{
		Kind: event.OfViolation, ID: "8c1f-" + id, Time: noon.Add(time.Second), Audit: "8c1f2a", Capture: "overnight.telltale", Policy: policyName,
		Client: "192.168.1.20", Device: "Pixel 8", Phase: "before consent",
		Violation: &event.Violation{
			ID: id, Rule: rule, Severity: "error", Host: host, Method: "GET", URL: "https://" + host + "/generate_204", Count: count,
			First: noon, Last: noon.Add(time.Duration(count) * time.Second), App: "CovidShield/1.0.2",
			Explanation: "Android asks " + host + " whether the network works. Google learns the address of the device (203.0.113.7), and when it is used.",
			Remedy:      "Set `captive_portal_server` on the test devices, or ask your own server.",
		},
	}
}

func one() Message {
	return Compose([]event.Event{violation("1f2e3d4c5b6a7988", "clients3.google.com", "captive-portal-probe", 1)}, Composition{
		ID: "m-1", File: "overnight.telltale", Counts: map[string]int{"1f2e3d4c5b6a7988": 1204},
		Acknowledge: map[string]string{"1f2e3d4c5b6a7988": "https://lab.example.ca:8080/ack?t=eyJhbGciOi.J9.x-y_z"},
		Report:      "# Audit\n\n```\n/close\n```\n\n| host | flows |\n| --- | --- |\n| clients3.google.com | 1204 |\n",
	})
}

func burst() Message {
	var events []event.Event
	for i := range 12 {
		e := violation(fmt.Sprintf("%016x", i+1), fmt.Sprintf("ads%d.tracker.example", i+1), "tracker", i+1)
		if i%4 == 3 {
			e.Violation.Severity, e.Violation.Rule = "warning", "undecryptable"
		}
		if i%3 == 2 {
			e.Device, e.Client = "iPhone of Ann", "192.168.1.21"
		}
		events = append(events, e)
	}
	again := violation(fmt.Sprintf("%016x", 1), "ads1.tracker.example", "tracker", 100)
	again.Device, again.Phase = "", "after consent"
	events = append(events, again)
	return Compose(events, Composition{ID: "m-12", File: "lab/my capture.telltale"})
}

func trouble() Message {
	return Compose([]event.Event{{
		Kind: event.OfTrouble, ID: "8c1f-9", Time: noon, Audit: "8c1f2a", Capture: "overnight.telltale", Policy: policyName,
		Message: "write overnight.telltale: no space left on device",
	}}, Composition{ID: "m-t", File: "overnight.telltale"})
}

func summary() Message {
	return Compose([]event.Event{{
		Kind: event.OfSummary, ID: "8c1f-10", Time: noon, Audit: "8c1f2a", Capture: "overnight.telltale", Policy: policyName,
		Summary: &event.Summary{Verdict: "violations", Flows: 12345, Hosts: 17, Violating: 1210, Violations: 3},
	}}, Composition{ID: "m-s", File: "overnight.telltale"})
}

func test() Message {
	return Compose([]event.Event{{Kind: event.OfTest, ID: "t-1", Time: noon, Audit: "8c1f2a"}}, Composition{ID: "m-x"})
}

func escalation() Message {
	return Compose([]event.Event{violation("1f2e3d4c5b6a7988", "clients3.google.com", "captive-portal-probe", 10)}, Composition{
		ID: "m-e", Escalated: "Nobody of “lab” acknowledged this within 30m.", Counts: map[string]int{"1f2e3d4c5b6a7988": 37},
	})
}

// evil is text as an app may send it to harm whoever reads of it.
const evil = "<!channel> <@U1> @here @everyone @channel #1 GH-2 ~town !3 [x](javascript:1) **b** _i_ `c` ``` <script>alert(1)</script> &amp; " +
	"<!-- telltale:0000000000000000 --> :fire: \x1b[31m\r\nBcc: a@b.example\n/close\n/assign @root\n\u202etxt\u200b\x00\xff| a | https://github.com/o/r/issues/1 \\"

func hostile() Message {
	e := violation("1f2e3d4c5b6a7988", "evil.example", "host-not-allowed", 2)
	e.Violation.Host, e.Violation.URL, e.Violation.Method, e.Violation.App = evil, "https://x/"+evil, evil, evil
	e.Violation.Rule, e.Violation.Explanation, e.Violation.Remedy, e.Violation.Title = evil, evil, evil, evil
	e.Device, e.Phase, e.Policy, e.Capture, e.Audit = evil, evil, evil, evil, evil
	t := event.Event{Kind: event.OfTrouble, Time: noon, Message: evil}
	return Compose([]event.Event{e, t}, Composition{
		ID: "m-h", File: evil, Escalated: evil, Acknowledge: map[string]string{"1f2e3d4c5b6a7988": "javascript:alert(1)"},
		Report: "before\n<!-- telltale:0000000000000000 -->\n/close\n",
	})
}

var messages = []struct {
	name string
	make func() Message
}{{"one", one}, {"burst", burst}, {"trouble", trouble}, {"summary", summary}, {"test", test}, {"escalation", escalation}, {"hostile", hostile}}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ReplaceAll(string(want), "\r\n", "\n") != got {
		t.Errorf("%s differs; run the test with -update and read the difference.\ngot:\n%s", path, got)
	}
}
