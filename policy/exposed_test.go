package policy

import (
	"testing"

	"telltale/flow"
)

func TestExposuresHideSecrets(t *testing.T) {
	f := &flow.Flow{Exposures: []flow.Exposure{
		{Kind: "e-mail", Where: "query mail", Masked: "j…@mailbox.ca", Digest: "1"},
		{Kind: "e-mail", Where: "body.json $.to", Masked: "j…@mailbox.ca", Digest: "1"},
		{Kind: "e-mail", Where: "body.json $.from", Masked: "k…@mailbox.ca", Digest: "2"},
	}}
	leak := Finding{Rule: ValueLeaked, Evidence: []Evidence{{Where: "query mail"}}}
	for name, j := range map[string]Judgement{"counting": {Findings: []Finding{leak}}, "waived": {Excused: []Finding{leak}}} {
		got := j.Exposures(f)
		for i, want := range []string{flow.Redacted, flow.Redacted, "k…@mailbox.ca"} {
			if got[i].Masked != want {
				t.Errorf("%s: %s shows %q, want %q", name, got[i].Where, got[i].Masked, want)
			}
		}
	}
	other := Judgement{Findings: []Finding{{Rule: IdentifierLeaked, Evidence: leak.Evidence}}}
	if got := other.Exposures(f); got[0].Masked != "j…@mailbox.ca" || f.Exposures[0].Masked != "j…@mailbox.ca" {
		t.Errorf("without a secret: %q", got[0].Masked)
	}
}
