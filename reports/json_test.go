package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/capture"
	"telltale/flow"
	"telltale/policy"
)

// contract is what a program may rely on: each key of the contract's section 6
// and the JSON type of its value. "time" is RFC 3339 in UTC, or null.
var contract = map[string]string{
	"schema": "string", "tool.name": "string", "tool.version": "string", "generated": "time",
	"policy.name": "string", "policy.file": "string",
	"captures[].file": "string", "captures[].entries": "number", "captures[].producer": "string",
	"verdict":       "string",
	"summary.flows": "number", "summary.hosts": "number", "summary.allowed": "number", "summary.ignored": "number",
	"summary.violating": "number", "summary.violations": "number",
	"hosts[].host": "string", "hosts[].verdict": "string", "hosts[].flows": "number", "hosts[].rule": "string",
	"hosts[].category": "string", "hosts[].first": "time", "hosts[].last": "time", "hosts[].bytes_sent": "number",
	"hosts[].bytes_received": "number",
	"violations[].id":        "string", "violations[].rule": "string", "violations[].severity": "string",
	"violations[].host": "string", "violations[].method": "string", "violations[].url": "string",
	"violations[].count": "number", "violations[].first": "time", "violations[].last": "time",
	"violations[].app": "string", "violations[].explanation": "string", "violations[].remedy": "string",
	"violations[].flows[].capture": "string", "violations[].flows[].entry": "number", "violations[].flows[].line": "number",
}

// TestJSONKeepsTheContract decodes every document and looks for each key in each
// element, with the right type.
func TestJSONKeepsTheContract(t *testing.T) {
	f, _ := ByName("json")
	for name, build := range cases {
		text := render(t, f, build())
		if name != "zero" {
			for path, kind := range contract {
				holds(t, name, decode(t, text), path, kind)
			}
		}
		if strings.Contains(text, ": null") {
			for _, line := range strings.Split(text, "\n") {
				key, isNull := strings.CutSuffix(strings.TrimSuffix(strings.TrimSpace(line), ","), ": null")
				if isNull && !slices.Contains([]string{`"first"`, `"last"`, `"decrypted"`, `"interval_seconds"`, `"decided"`, `"rhythm"`, `"tracking"`, `"module"`, `"source"`, `"origin"`, `"default"`,
					`"to"`, `"link"`, `"median_seconds"`, `"backoff_max_seconds"`, `"rhythm_before"`, `"after_seconds"`}, key) {
					t.Errorf("%s: %s is null", name, key)
				}
			}
		}
	}
}

func decode(t *testing.T, text string) any {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if dec.More() {
		t.Fatal("more than one document")
	}
	return v
}

// holds checks one path in every element.
func holds(t *testing.T, name string, v any, path, kind string) {
	t.Helper()
	if path == "" {
		if !is(v, kind) {
			t.Errorf("%s: %v (%T) is no %s", name, v, v, kind)
		}
		return
	}
	key, rest, _ := strings.Cut(path, ".")
	list := strings.HasSuffix(key, "[]")
	object, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("%s: %v has no key %s", name, v, key)
	}
	value, ok := object[strings.TrimSuffix(key, "[]")]
	if !ok {
		t.Errorf("%s: the key %s is missing", name, key)
		return
	}
	if !list {
		holds(t, name, value, rest, kind)
		return
	}
	elements, ok := value.([]any)
	if !ok {
		t.Errorf("%s: %s is no list but %v", name, key, value)
	}
	for _, element := range elements {
		holds(t, name, element, rest, kind)
	}
}

func is(v any, kind string) bool {
	switch v := v.(type) {
	case string:
		if kind == "time" {
			at, err := time.Parse(time.RFC3339, v)
			return err == nil && strings.HasSuffix(v, "Z") && at.Location() == time.UTC
		}
		return kind == "string"
	case json.Number:
		_, err := v.Int64()
		return kind == "number" && err == nil
	case nil:
		return kind == "time"
	}
	return false
}

// TestJSONTellsTheStory checks values, not only shapes.
func TestJSONTellsTheStory(t *testing.T) {
	var b bytes.Buffer
	if err := writeJSON(&b, covidAlert()); err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(b.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if d.Schema != "telltale.report/1" || d.Verdict != "violations" || d.Generated != "2026-11-20T13:00:00Z" {
		t.Errorf("head: %+v", d)
	}
	if s := d.Summary; s.Flows != 9 || s.Hosts != 3 || s.Allowed != 3 || s.Violating != 6 || s.Violations != 1 {
		t.Errorf("summary: %+v", s)
	}
	if h := d.Hosts[0]; h.Host != probe || h.Verdict != "violation" || h.Rule != "captive-portal-probe" || h.Category != "captive-portal" || *h.First != "2026-11-20T12:00:01Z" {
		t.Errorf("host: %+v", h)
	}
	v := d.Violations[0]
	if v.URL != "https://clients3.google.com/generate_204" || v.Method != "HEAD" || v.App != app || v.Count != 6 ||
		*v.Interval != 60 || v.Decided.Line != 5 || len(v.Flows) != 6 || v.Flows[1] != (reference{Capture: "covid-alert.har", Entry: 3, Line: 80, ID: 3}) {
		t.Errorf("violation: %+v", v)
	}
}

// TestJSONLosesNothing checks that hostile text comes back as it was, broken
// UTF-8 written out.
func TestJSONLosesNothing(t *testing.T) {
	r := hostile()
	r.Reveal = true
	var b bytes.Buffer
	if err := writeJSON(&b, r); err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(b.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(attack+secret, "\xff\xfe", `\xff\xfe`)
	if d.Violations[0].Explanation != want || d.Hosts[1].Host != want {
		t.Errorf("got  %q\nwant %q", d.Violations[0].Explanation, want)
	}
}

func TestNewViolation(t *testing.T) {
	v := capture.Violation{URL: "https://u:p@a.example/?q=geheim", App: "geheim", Finding: policy.Finding{Message: "geheim"}}
	mask := func(s string) string { return strings.ReplaceAll(s, "geheim", flow.Redacted) }
	got := NewViolation(v, nil, mask)
	if text := fmt.Sprintf("%+v", got); strings.Contains(text, "geheim") || strings.Contains(text, "u:p") {
		t.Errorf("not masked: %s", text)
	}
	if got.Flows == nil || got.First != nil || got.Interval != nil || got.Decided != nil {
		t.Errorf("what is unknown: %+v", got)
	}
	if got := NewViolation(v, nil, nil); got.URL != v.URL || got.App != "geheim" {
		t.Errorf("revealed: %+v", got)
	}
}
