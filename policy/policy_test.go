package policy_test

import (
	"slices"
	"testing"

	"telltale/policy"
)

func TestReadsContent(t *testing.T) {
	for text, want := range map[string]bool{
		"version: 1\nallow: [a.example]\n": false,
		"version: 1\nallow: [a.example]\nnever-send:\n  - name: mail\n    value: tester@example.org\n": true,
	} {
		p, err := policy.Parse("p.yaml", []byte(text), policy.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.ReadsContent(); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestOfContact(t *testing.T) {
	var of []policy.Rule
	for _, rule := range policy.Rules {
		if rule.OfContact() {
			of = append(of, rule)
		}
	}
	want := []policy.Rule{policy.HostDenied, policy.Tracker, policy.CaptivePortalProbe, policy.HostNotAllowed}
	if !slices.Equal(of, want) {
		t.Errorf("%v", of)
	}
}
