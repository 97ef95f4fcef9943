package event

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/policy"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 5, time.UTC)

func violation() Event {
	return Event{
		Kind: OfViolation, ID: "8c1f-3", Time: noon, Audit: "8c1f", Capture: "a.telltale", Policy: "p", Client: "192.0.2.7", Device: "Pixel", Phase: "before consent",
		Violation: &Violation{
			ID: "1f2e", Rule: "tracker", Severity: "error", Host: "a.google.com", Category: "advertising", Method: "GET", URL: "https://a.google.com/", Count: 10,
			First: noon, Last: noon.Add(time.Second), App: "x/1", Title: "t", Explanation: "e", Remedy: "r", Flow: 7,
		},
	}
}

func events() map[string]Event {
	return map[string]Event{
		"violation": violation(),
		"device":    {Kind: OfDevice, ID: "8c1f-1", Time: noon, Audit: "8c1f", Client: "192.0.2.7", Device: "Pixel"},
		"trouble":   {Kind: OfTrouble, ID: "8c1f-2", Time: noon, Audit: "8c1f", Message: "the disk is full \"<&>\u2028"},
		"summary":   {Kind: OfSummary, ID: "8c1f-4", Time: noon, Audit: "8c1f", Summary: &Summary{Verdict: "clean", Flows: 12, Hosts: 3, Violating: 2, Violations: 1}},
		"test":      {Kind: OfTest, ID: "t-1", Time: noon, Audit: "8c1f", To: []string{"lab", "ci"}},
		"action":    {Kind: OfAction, ID: "a-1", Time: noon, Audit: "8c1f", Message: "look", To: []string{"lab"}},
	}
}

func TestDocumentRoundTrip(t *testing.T) {
	for name, e := range events() {
		got, err := Parse(e.Document())
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%s:\ngot  %+v, %v\nwant %+v", name, got, err, e)
		}
	}
}

// The keys of a document are those of the live events (contract, section 7): one object, not
// one within another.
func TestDocumentIsFlat(t *testing.T) {
	var object map[string]any
	if err := json.Unmarshal(violation().Document(), &object); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"event": "violation", "event_id": "8c1f-3", "id": "1f2e", "rule": "tracker", "severity": "error", "host": "a.google.com", "count": 10.0,
		"time": "2026-11-20T12:00:00.000000005Z", "name": "Pixel", "client": "192.0.2.7", "flow": 7.0,
	} {
		if object[key] != want {
			t.Errorf("%s is %v, want %v", key, object[key], want)
		}
	}
	if _, ok := object["verdict"]; ok {
		t.Error("a violation has a verdict")
	}
}

func TestDocumentOfStrangeTimes(t *testing.T) {
	e := violation()
	first := time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	e.Time, e.Violation.First, e.Violation.Last = time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), first, noon.In(time.FixedZone("", 3600))
	got, err := Parse(e.Document())
	if err != nil || !got.Time.IsZero() || !got.Violation.First.IsZero() || !got.Violation.Last.Equal(noon) || got.Violation.Last.Location() != time.UTC {
		t.Errorf("%+v, %v", got, err)
	}
	if !e.Violation.First.Equal(first) {
		t.Error("the event itself has changed")
	}
}

func TestParseErrors(t *testing.T) {
	for _, document := range []string{"", "{", "[]", "null", "{}", `{"event": 5}`, `{"event": "violation", "count": "many"}`, `{"event":"device","time":"yesterday"}`} {
		if e, err := Parse([]byte(document)); err == nil || !strings.HasPrefix(err.Error(), "read event: ") {
			t.Errorf("%s: %+v, %v", document, e, err)
		}
	}
	if e, err := Parse([]byte(`{"event": "device", "new": 1}`)); err != nil || e.Kind != OfDevice {
		t.Errorf("an unknown key: %+v, %v", e, err)
	}
}

func TestSelected(t *testing.T) {
	google, err := policy.ParsePattern("*.google.com")
	if err != nil {
		t.Fatal(err)
	}
	every := events()
	for _, test := range []struct {
		name string
		by   policy.Selection
		want string // kinds, sorted
	}{
		{"nothing", policy.Selection{}, "action device summary test trouble violation"},
		{"kinds", policy.Selection{Events: []string{"device", "summary"}}, "device summary"},
		{"rule", policy.Selection{Rules: []policy.Rule{policy.Tracker}}, "violation"},
		{"another rule", policy.Selection{Rules: []policy.Rule{policy.Cleartext}}, ""},
		{"severity", policy.Selection{Severity: policy.SeverityError}, "violation"},
		{"another severity", policy.Selection{Severity: policy.SeverityWarning}, ""},
		{"host", policy.Selection{Hosts: []policy.Pattern{google}}, "violation"},
		{"name of a device", policy.Selection{Devices: []string{"Pixel"}}, "device violation"},
		{"address of a device", policy.Selection{Devices: []string{"192.0.2.7"}}, "device violation"},
		{"another device", policy.Selection{Devices: []string{"iPhone"}}, ""},
		{"phase", policy.Selection{Phases: []string{"before consent"}}, "violation"},
		{"another phase", policy.Selection{Phases: []string{"after consent"}}, ""},
		{"two parts", policy.Selection{Events: []string{"device"}, Rules: []policy.Rule{policy.Tracker}}, ""},
	} {
		var got []string
		for name, e := range every {
			if e.Selected(test.by) {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %v, want %s", test.name, got, test.want)
		}
	}
}

// The kinds that a policy can name are those here, without tests.
func TestKindsOfPolicies(t *testing.T) {
	kinds := []string{string(OfViolation), string(OfDevice), string(OfTrouble), string(OfSummary), string(OfAction)}
	if !slices.Equal(kinds, policy.EventKinds) {
		t.Errorf("policy.EventKinds are %v, here %v", policy.EventKinds, kinds)
	}
}

func FuzzParse(f *testing.F) {
	for _, e := range events() {
		f.Add(e.Document())
	}
	f.Add([]byte(`{"event":"x","verdict":"","id":"\u0000"}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		e, err := Parse(document)
		if err != nil {
			return
		}
		again, err := Parse(e.Document())
		if err != nil || string(again.Document()) != string(e.Document()) {
			t.Errorf("%s\nand again\n%s, %v", e.Document(), again.Document(), err)
		}
	})
}
