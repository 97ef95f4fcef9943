package cmd

import (
	"testing"
	"time"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/flow/flowtest"
	"telltale/policy"
	"telltale/useragent"
)

// TestOpinionsLastWhileNothingChanges: the same evidence is not diagnosed again, until
// another policy is in force, evidence is added, or time passes.
func TestOpinionsLastWhileNothingChanges(t *testing.T) {
	t.Parallel()
	var evidence diagnosis.Collector
	refused := func() *diagnosis.Evidence {
		evidence.Add(flowtest.Refused("app.canada.ca"))
		evidence.Add(flowtest.Get("http://app.canada.ca/", flowtest.UserAgentOf("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)")))
		return evidence.Evidence()
	}
	var o opinions
	now, pol := flowtest.Epoch, &policy.Policy{}
	d := capture.Device{Addr: "192.168.1.23", Evidence: refused()}
	ask := func(d capture.Device) []diagnosis.Diagnosis {
		return o.diagnoses(d, pol, now, func() []diagnosis.Diagnosis { return diagnosis.Of(d.Evidence, diagnosis.Known{Now: now}) })
	}
	before := ask(d)
	if len(before) == 0 {
		t.Fatal("nothing is said of a device that refuses")
	}
	again := func(what string, same bool) {
		t.Helper()
		found := ask(d)
		if (&found[0] == &before[0]) != same {
			t.Errorf("%s: told what was said before is %t, want %t", what, !same, same)
		}
		before = found
		if o.platform(d) != useragent.IOS {
			t.Errorf("%s: the system is %q", what, o.platform(d))
		}
	}
	again("nothing changed", true)
	now = now.Add(opinionAge - time.Nanosecond)
	again("a moment later", true)
	now = now.Add(time.Nanosecond)
	again("after a while", false)
	pol = &policy.Policy{}
	again("another policy", false)
	d.Evidence = refused()
	again("more evidence", false)
	other := d
	other.Addr = "192.168.1.30"
	ask(other)
	again("another device was asked for", true)

	now = time.Time{} // an audit that is over
	o = opinions{}
	before = ask(d)
	again("recorded before", true)
}
