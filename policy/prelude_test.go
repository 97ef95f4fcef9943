package policy_test

import (
	"testing"

	"telltale/flow/flowtest"
	"telltale/policy"
)

// A waiver of what a contact will be is a waiver of what leads up to it.
func TestWaiversCoverPreludes(t *testing.T) {
	pol, err := policy.Parse("telltale.yaml", []byte("version: 1\nallow:\n  - \"*.canada.ca\"\nwaivers:\n  - rule: captive-portal-probe\n    host: clients3.google.com\n    reason: known\n    until: 2999-01-01\n"), policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if j := pol.Judge(flowtest.DNS("clients3.google.com")); j.Verdict != policy.Waived {
		t.Errorf("the question is %s", j.Verdict)
	}
	if j := pol.Judge(flowtest.DNS("clients4.google.com")); j.Verdict != policy.Violation {
		t.Errorf("the question for another host is %s", j.Verdict)
	}
	if j := pol.Judge(flowtest.Get("https://clients3.google.com/x")); j.Verdict != policy.Violation {
		t.Errorf("another request is %s", j.Verdict)
	}
}
