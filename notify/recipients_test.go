package notify

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"telltale/event"
	"telltale/policy"
)

// routed is a policy with routes: lab is told of trackers and of devices, boss of what lab
// does not acknowledge, ci of what a Pixel does, free has no route.
func routed(t *testing.T) policy.Notify {
	t.Helper()
	host, err := policy.ParsePattern("*.google.com")
	if err != nil {
		t.Fatal(err)
	}
	return policy.Notify{
		To: []policy.Destination{{Name: "lab"}, {Name: "boss"}, {Name: "ci"}, {Name: "free"}},
		Routes: []policy.Route{
			{When: policy.Selection{Events: []string{"violation"}, Rules: []policy.Rule{policy.Tracker}, Severity: policy.SeverityError}, To: []string{"lab"},
				Escalate: &policy.Escalation{After: time.Hour, To: []string{"boss", "lab"}}},
			{When: policy.Selection{Hosts: []policy.Pattern{host}}, To: []string{"lab", "lab"},
				Escalate: &policy.Escalation{After: time.Minute, To: []string{"boss"}}},
			{When: policy.Selection{Devices: []string{"Pixel 8"}, Phases: []string{"before consent"}}, To: []string{"ci"}},
			{When: policy.Selection{Events: []string{"device"}}, To: []string{"lab"}, Escalate: &policy.Escalation{After: time.Minute, To: []string{"boss"}}},
		},
	}
}

func told(recipients []Recipient) string {
	var out []string
	for _, r := range recipients {
		s := r.Destination
		for _, e := range r.Escalations {
			s += fmt.Sprintf(" %s>%s", e.After, e.Destination)
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func TestRecipients(t *testing.T) {
	tracker, other := violation("1", "ads.example", "tracker", 1), violation("2", "x.google.com", "cleartext", 1)
	other.Device = "iPhone"
	both := violation("3", "x.google.com", "tracker", 1)
	mild := violation("4", "ads.example", "tracker", 1)
	mild.Violation.Severity, mild.Phase = "warning", ""
	for _, test := range []struct {
		name string
		e    event.Event
		want string
	}{
		{"a rule, a device and a phase", tracker, "lab 1h0m0s>boss 1h0m0s>lab, ci, free"},
		{"a host", other, "lab 1m0s>boss, free"},
		{"two routes", both, "lab 1m0s>boss 1h0m0s>boss 1h0m0s>lab, ci, free"},
		{"no route", mild, "free"},
		{"a device", event.Event{Kind: event.OfDevice, Device: "x"}, "lab"},
		{"trouble that no route takes", event.Event{Kind: event.OfTrouble}, "lab, ci, free"},
		{"the end", event.Event{Kind: event.OfSummary}, ""},
		{"an action", event.Event{Kind: event.OfAction}, "free"},
		{"an action that says where", event.Event{Kind: event.OfAction, To: []string{"boss", "gone", "boss"}}, "boss"},
		{"a test", event.Event{Kind: event.OfTest, To: []string{"ci"}}, "ci"},
		{"a test of nothing", event.Event{Kind: event.OfTest}, ""},
	} {
		if got := told(Recipients(routed(t), test.e)); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestRecipientsWithoutRoutes(t *testing.T) {
	n := policy.Notify{To: []policy.Destination{{Name: "a"}, {Name: "b"}}}
	for kind, want := range map[event.Kind]string{
		event.OfViolation: "a, b", event.OfTrouble: "a, b", event.OfAction: "a, b", event.OfDevice: "", event.OfSummary: "", event.OfTest: "",
	} {
		if got := told(Recipients(n, event.Event{Kind: kind})); got != want {
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
	}
}

// A route that names no kinds of events takes what matters, and neither devices nor the end.
func TestRecipientsOfAnyEvent(t *testing.T) {
	n := policy.Notify{To: []policy.Destination{{Name: "a"}}, Routes: []policy.Route{{To: []string{"a"}}}}
	for kind, want := range map[event.Kind]string{
		event.OfViolation: "a", event.OfTrouble: "a", event.OfAction: "a", event.OfDevice: "", event.OfSummary: "",
	} {
		if got := told(Recipients(n, event.Event{Kind: kind})); got != want {
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
	}
}

// Trouble that a route takes goes where the route says, and to who has none.
func TestRecipientsOfRoutedTrouble(t *testing.T) {
	n := routed(t)
	n.Routes = append(n.Routes, policy.Route{When: policy.Selection{Events: []string{"trouble"}}, To: []string{"ci"}})
	if got := told(Recipients(n, event.Event{Kind: event.OfTrouble})); got != "ci, free" {
		t.Error(got)
	}
}
