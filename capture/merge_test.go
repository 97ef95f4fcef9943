package capture

import (
	"slices"
	"testing"

	"telltale/policy"
)

// TestPartsKeepWhatIsExcused joins what is said of two parts of one flow, in either
// order: what counts in one of them counts, and what is excused stays on the list.
func TestPartsKeepWhatIsExcused(t *testing.T) {
	finding := func(rule policy.Rule) policy.Finding { return policy.Finding{Rule: rule, Host: "a.example"} }
	leak, clear, weak := finding(policy.ValueLeaked), finding(policy.Cleartext), finding(policy.WeakTLS)
	violation := policy.Judgement{Verdict: policy.Violation, Findings: []policy.Finding{leak}, Excused: []policy.Finding{clear}}
	waived := policy.Judgement{Verdict: policy.Waived, Findings: []policy.Finding{clear, weak}}
	allowed := policy.Judgement{Verdict: policy.Allowed}
	rules := func(findings []policy.Finding) (all []policy.Rule) {
		for _, f := range findings {
			all = append(all, f.Rule)
		}
		slices.Sort(all)
		return all
	}
	for name, c := range map[string]struct {
		a, b              policy.Judgement
		verdict           policy.Verdict
		findings, excused []policy.Rule
	}{
		"violation and waived":  {violation, waived, policy.Violation, []policy.Rule{policy.ValueLeaked}, []policy.Rule{policy.Cleartext, policy.WeakTLS}},
		"violation and allowed": {violation, allowed, policy.Violation, []policy.Rule{policy.ValueLeaked}, []policy.Rule{policy.Cleartext}},
		"waived and allowed":    {waived, allowed, policy.Waived, []policy.Rule{policy.Cleartext, policy.WeakTLS}, nil},
		"two violations": {
			violation, policy.Judgement{Verdict: policy.Violation, Findings: []policy.Finding{finding(policy.HostMismatch)}, Excused: []policy.Finding{weak}},
			policy.Violation, []policy.Rule{policy.HostMismatch, policy.ValueLeaked}, []policy.Rule{policy.Cleartext, policy.WeakTLS},
		},
	} {
		for _, got := range []policy.Judgement{merge(c.a, c.b), merge(c.b, c.a)} {
			if got.Verdict != c.verdict || !slices.Equal(rules(got.Findings), c.findings) || !slices.Equal(rules(got.Excused), c.excused) {
				t.Errorf("%s: %s %v excused %v", name, got.Verdict, rules(got.Findings), rules(got.Excused))
			}
		}
	}
}
