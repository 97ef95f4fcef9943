package policy_test

import (
	"slices"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// judgedBy is a judge that always says the same.
type judgedBy policy.Judgement

func (j judgedBy) Judge(*flow.Flow) policy.Judgement { return policy.Judgement(j) }

// TestBaselinePartsFindings checks what counts beside a baseline that has the tracker.
func TestBaselinePartsFindings(t *testing.T) {
	tracker := policy.Finding{Rule: policy.Tracker, Host: "t.example", Source: policy.Source{Text: "tracker"}}
	clear := policy.Finding{Rule: policy.Cleartext, Host: "t.example", Source: policy.Source{Text: "cleartext"}}
	waived := policy.Finding{Rule: policy.WeakTLS, Host: "t.example"}
	baseline := policy.Baseline{tracker.Fingerprint(): true}
	rules := func(findings []policy.Finding) (all []string) {
		for _, f := range findings {
			name := string(f.Rule)
			if f.Known {
				name += " known"
			}
			all = append(all, name)
		}
		return all
	}
	for _, c := range []struct {
		name              string
		in                policy.Judgement
		verdict           policy.Verdict
		findings, excused []string
	}{
		{"all known", policy.Judgement{Verdict: policy.Violation, Findings: []policy.Finding{tracker}}, policy.Waived, []string{"tracker known"}, nil},
		{"none known", policy.Judgement{Verdict: policy.Violation, Findings: []policy.Finding{clear}}, policy.Violation, []string{"cleartext"}, nil},
		{
			"one known", policy.Judgement{Verdict: policy.Violation, Findings: []policy.Finding{tracker, clear}, Excused: []policy.Finding{waived}},
			policy.Violation, []string{"cleartext"}, []string{"tracker known", "weak-tls"},
		},
		{
			"known beside waived", policy.Judgement{Verdict: policy.Violation, Findings: []policy.Finding{tracker}, Excused: []policy.Finding{waived}},
			policy.Waived, []string{"tracker known", "weak-tls"}, nil,
		},
		{"waived already", policy.Judgement{Verdict: policy.Waived, Findings: []policy.Finding{tracker}}, policy.Waived, []string{"tracker"}, nil},
		{"allowed", policy.Judgement{Verdict: policy.Allowed}, policy.Allowed, nil, nil},
	} {
		got := baseline.Beside(judgedBy(c.in)).Judge(&flow.Flow{})
		if got.Verdict != c.verdict || !slices.Equal(rules(got.Findings), c.findings) || !slices.Equal(rules(got.Excused), c.excused) {
			t.Errorf("%s: %s %q excused %q", c.name, got.Verdict, rules(got.Findings), rules(got.Excused))
		}
	}
	if got := (policy.Baseline{}).Beside(judgedBy{Verdict: policy.Violation, Findings: []policy.Finding{tracker}}).Judge(&flow.Flow{}); got.Verdict != policy.Violation {
		t.Errorf("beside an empty baseline: %s", got.Verdict)
	}
}

// What leads up to a contact is a part of its violation, so that a baseline which has the
// one knows the other, and not the other way round.
func TestBaselineKnowsPreludes(t *testing.T) {
	p, err := policy.Parse("p.yaml", []byte("version: 1\nallow: [plain.example]\n"), policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const host = "clients3.google.com"
	question, refused := flowtest.DNS(host), flowtest.QUIC("192.0.2.7", host)
	probe := flowtest.Head("https://" + host + "/generate_204")
	for _, c := range []struct {
		name  string
		known policy.Finding
		f     *flow.Flow
		want  policy.Verdict
	}{
		{"a question for a probe", policy.Finding{Rule: policy.CaptivePortalProbe, Host: host}, question, policy.Waived},
		{"refused QUIC for a probe", policy.Finding{Rule: policy.CaptivePortalProbe, Host: host}, refused, policy.Waived},
		{"a question for a tracker", policy.Finding{Rule: policy.Tracker, Host: host}, question, policy.Waived},
		{"a question of its own", policy.Finding{Rule: policy.HostNotAllowed, Host: host}, question, policy.Waived},
		{"a probe for a question", policy.Finding{Rule: policy.HostNotAllowed, Host: host}, probe, policy.Violation},
		{"another host", policy.Finding{Rule: policy.CaptivePortalProbe, Host: "x." + host}, question, policy.Violation},
		{"what is no contact", policy.Finding{Rule: policy.Cleartext, Host: host}, question, policy.Violation},
	} {
		baseline := policy.Baseline{c.known.Fingerprint(): true}
		if j := baseline.Beside(p).Judge(c.f); j.Verdict != c.want {
			t.Errorf("%s: %s", c.name, j.Verdict)
		}
	}
}

// TestExcusedFindingsNameTheirWaiver checks that the line of the waiver is what decided,
// also where another finding of the same flow counts.
func TestExcusedFindingsNameTheirWaiver(t *testing.T) {
	p, err := policy.Parse("p.yaml", []byte(`version: 1
allow: [plain.example]
never-send:
  - name: a name
    value: Maximilian
waivers:
  - rule: cleartext
    host: plain.example
    reason: moves to HTTPS in May
    until: 2999-05-01
`), policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	j := p.Judge(flowtest.Get("http://plain.example/?who=Maximilian"))
	if j.Verdict != policy.Violation || len(j.Findings) != 1 || len(j.Excused) != 1 {
		t.Fatalf("%+v", j)
	}
	if got := j.Excused[0].Source.String(); got != "p.yaml:7: waiver: cleartext at plain.example until 2999-05-01: moves to HTTPS in May" {
		t.Errorf("excused by %q", got)
	}
	if j.Source != j.Findings[0].Source {
		t.Errorf("decided by %v, not by what counts", j.Source)
	}
}
