package reports

import (
	"fmt"
	"strings"
	"testing"

	"telltale/capture"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// TestPhasesOfAViolation checks their order, their quoting and their limit.
func TestPhasesOfAViolation(t *testing.T) {
	r := &Report{Mask: func(s string) string { return strings.ReplaceAll(s, "geheim", "[redacted]") }}
	of := func(names ...string) capture.Violation { return capture.Violation{Phases: names} }
	if got := phasesOf(r, of(), quoted); got != "" {
		t.Errorf("an audit without phases has the phases %s", got)
	}
	for _, name := range []string{"zero", "b", "", "a"} {
		r.Summary.Phases = append(r.Summary.Phases, capture.Phase{Name: name})
	}
	for _, test := range []struct {
		names []string
		want  string
	}{
		{nil, "no phase"},
		{[]string{"a", "b", "zero"}, `"zero", "b", "a"`},
		{[]string{"", "a", "not listed"}, `no phase, "a", "not listed"`},
		{[]string{"no phase"}, `"no phase"`},
		{[]string{"geheim"}, `"[redacted]"`},
		{[]string{`x", "a`, "\x1b[2J"}, `"x\x22, \x22a", "\x1b[2J"`},
		{[]string{"", "1", "2", "3", "4", "5", "6"}, `no phase, "1", "2", "3", "4", and 2 more`},
	} {
		before := strings.Join(test.names, "|")
		if got := phasesOf(r, of(test.names...), quoted); got != test.want {
			t.Errorf("%q: %s, want %s", test.names, got, test.want)
		}
		if strings.Join(test.names, "|") != before {
			t.Errorf("the names were put in order in place: %q", test.names)
		}
	}
	if got, want := phasesOf(r, of("a|b`c"), cell), "``a\\x7cb`c``"; got != want {
		t.Errorf("in a table: %s, want %s", got, want)
	}
}

// TestPhasesBeyondTheLimit checks that no document passes over flows in silence.
func TestPhasesBeyondTheLimit(t *testing.T) {
	r := &Report{Verdict: Clean, Width: 100}
	r.Summary.Flows = 30
	for i := range 10 {
		r.Summary.Phases = append(r.Summary.Phases, capture.Phase{Name: fmt.Sprint("p", i), Flows: 2, Hosts: 1})
	}
	f, _ := ByName("markdown")
	if got := render(t, f, r); !strings.Contains(got, "| `p9` | – | – | 2 | 1 | 0 |\n") || !strings.Contains(got, "10 more flows were in further phases.\n") {
		t.Errorf("markdown:\n%s", got)
	}
	f, _ = ByName("text")
	if got := render(t, f, r); !strings.Contains(got, "\nphases      \"p0\": 2 flows to 1 host\n            \"p1\"") || !strings.Contains(got, "\"p7\": 2 flows to 1 host\n            … and 2 more\n") {
		t.Errorf("text:\n%s", got)
	}
}

// TestPhasesOfARecording goes the way from the operator's marks into the documents.
func TestPhasesOfARecording(t *testing.T) {
	pol, err := policy.New([]string{"*.canada.ca"})
	if err != nil {
		t.Fatal(err)
	}
	store := capture.New(capture.Options{Judge: pol})
	defer store.Close()
	contact := func(url string) {
		store.Observe(flowtest.Head(url, flowtest.ID(store.NextID())))
	}
	store.Mark("before consent")
	contact("https://clients3.google.com/generate_204")
	store.Mark("after consent")
	contact("https://" + retrieval + "/")
	if err := store.Sync(); err != nil {
		t.Fatal(err)
	}
	r := base()
	r.Verdict, r.Summary = Violations, store.Summary()
	for name, want := range map[string][]string{
		"markdown": {"| `before consent` | 2026-11-20 12:00:00 | 2026-11-20 12:00:00 | 1 | 1 | 1 |", "| `after consent` |", "- Phase: `before consent`\n"},
		"text":     {"phases      \"before consent\": 1 flow to 1 host, 1 violation\n            \"after consent\": 1 flow to 1 host\n", "   phase       \"before consent\"\n"},
		"json":     {`"name": "before consent"`, "\"phases\": [\n        \"before consent\"\n      ]"},
	} {
		f, _ := ByName(name)
		got := render(t, f, r)
		for _, text := range want {
			if !strings.Contains(got, text) {
				t.Errorf("%s does not say %q:\n%s", name, text, got)
			}
		}
	}
}
