package diagnosis_test

import (
	"testing"

	"telltale/diagnosis"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// What experiments altered is no evidence: neither that a device does not trust us, nor that
// it pins, nor that servers are down.
func TestExperimentsAreNoEvidence(t *testing.T) {
	const app = "CovidShield/1.0.2"
	altered := func(names ...string) []*flow.Flow {
		by := flowtest.Experiments(names...)
		var flows []*flow.Flow
		for range 8 {
			flows = append(flows,
				refused(app, "a.example", "unknown_ca (48)", by), silent(app, "b.example", by), failed(app, "c.example", "handshake_failure (40)", by),
				refused(app, flow.SetupHost, "unknown_ca (48)", by), refused(app, "d.example", "certificate_expired (45)", by))
		}
		return flowtest.Number(flows...)
	}
	for _, flows := range [][]*flow.Flow{altered("bad-certificate unknown-authority"), altered("flaky")} {
		if got := diagnosis.Of(collect(flows...), diagnosis.Known{}); len(got) != 0 {
			t.Errorf("by %s: %+v", flows[0].Experiments, got)
		}
		var tr diagnosis.Troubles
		for _, f := range flows {
			f.Outcome, f.Failure = flow.UpstreamFailed, flow.FailureDNS
			tr.Add(f)
		}
		if got := tr.Failures(nil); got != nil {
			t.Errorf("troubles: %+v", got)
		}
	}
	plain := altered()
	if got := diagnosis.Of(collect(plain...), diagnosis.Known{}); len(got) == 0 {
		t.Error("without experiments there is no diagnosis: this test proves nothing")
	}
}

// Who takes a certificate with a fault does not trust ours by that; a slow answer that was
// read was read.
func TestTrustIsShownByOurOwnCertificateAlone(t *testing.T) {
	for name, trusted := range map[string]bool{"slow edge": true, "bad-certificate self-signed": false, "clock-skew expired": false, "captive-portal": false} {
		e := collect(read("CovidShield/1.0.2", "a.example", flowtest.Experiments(name)))
		if e.Trusted().IsZero() == trusted {
			t.Errorf("%s: trusted since %v", name, e.Trusted())
		}
	}
}
