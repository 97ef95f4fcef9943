package capture_test

import (
	"testing"
	"time"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// What leads up to a contact is told with it: the question of DNS for a host that is asked
// whether the internet works does not know yet what will be asked.
func TestPreludesAreToldWithTheirContacts(t *testing.T) {
	pol, err := policy.Parse("telltale.yaml", []byte("version: 1\nallow:\n  - \"*.canada.ca\"\n"), policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	probe := func() *flow.Flow {
		return flowtest.Head("https://clients3.google.com/generate_204", flowtest.At(2*time.Second))
	}
	question := func() *flow.Flow { return flowtest.DNS("clients3.google.com", flowtest.At(time.Second)) }
	refused := func() *flow.Flow {
		return flowtest.Tunnel("clients3.google.com:443", flowtest.At(3*time.Second), flowtest.Outcome(flow.Blocked), func(f *flow.Flow) { f.Experiments = []string{"enforce"} })
	}
	const tunnel = "tcp://clients3.google.com:443"
	for name, c := range map[string]struct {
		flows []*flow.Flow
		rule  policy.Rule
		url   string
		count int
	}{
		"in order":        {[]*flow.Flow{question(), question(), probe()}, policy.CaptivePortalProbe, "https://clients3.google.com/generate_204", 3},
		"the other way":   {[]*flow.Flow{probe(), question(), question()}, policy.CaptivePortalProbe, "https://clients3.google.com/generate_204", 3},
		"by the same":     {[]*flow.Flow{question(), flowtest.Get("https://clients3.google.com/x")}, policy.HostNotAllowed, "https://clients3.google.com/x", 2},
		"refused later":   {[]*flow.Flow{probe(), refused(), refused()}, policy.CaptivePortalProbe, "https://clients3.google.com/generate_204", 3},
		"refused before":  {[]*flow.Flow{refused(), question(), probe()}, policy.CaptivePortalProbe, "https://clients3.google.com/generate_204", 3},
		"refused alone":   {[]*flow.Flow{question(), refused()}, policy.HostNotAllowed, tunnel, 2},
		"a question only": {[]*flow.Flow{question()}, policy.HostNotAllowed, "dns:clients3.google.com", 1},
	} {
		s := capture.New(capture.Options{Judge: pol})
		for _, f := range flowtest.Number(c.flows...) {
			s.Observe(f)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		sum := s.Summary()
		if len(sum.Violations) != 1 {
			t.Errorf("%s: %d violations", name, len(sum.Violations))
			continue
		}
		v := sum.Violations[0]
		if v.Finding.Rule != c.rule || v.URL != c.url || v.Count != c.count || sum.Hosts[0].Rule != c.rule {
			t.Errorf("%s: %s %s, %d times; the host by %s", name, v.Finding.Rule, v.URL, v.Count, sum.Hosts[0].Rule)
		}
	}
}
