package capture

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/policy"
)

// TestLongUserAgentsAreCut lets a device make up programs with names as long as a head
// may be: what totals keep of them is bounded, and no part of a name keeps all of it in
// memory.
func TestLongUserAgentsAreCut(t *testing.T) {
	t.Parallel()
	const head = 256 << 10
	var headers []string
	totals := newTotals()
	for i := range 2 * maxKnownAgents {
		header := fmt.Sprintf("app %03d %s", i, strings.Repeat("長", head/3))
		headers = append(headers, header)
		f := flowtest.Get("https://x.example/", flowtest.ID(flow.ID(i+1)), flowtest.UserAgentOf(header))
		totals.add(f, policy.Judgement{Host: "x.example", Verdict: policy.Violation, Findings: []policy.Finding{{Rule: policy.HostNotAllowed, Host: "x.example"}}})
	}
	device, host, violation := totals.devices.list[0], totals.hosts.list[0], totals.violations.list[0]
	kept := append(append(device.apps, host.apps...), violation.app)
	for agent := range device.known.own {
		kept = append(kept, agent)
	}
	if want := 2*MaxApps + 1 + maxKnownAgents; len(kept) != want {
		t.Fatalf("%d names are kept, want %d", len(kept), want)
	}
	for _, name := range kept {
		if len(name) > maxApp || len(name) < maxApp-utf8.UTFMax || !utf8.ValidString(name) {
			t.Errorf("%q… has %d bytes, want whole characters in at most %d", name[:7], len(name), maxApp)
		}
		for _, header := range headers {
			if unsafe.StringData(name) == unsafe.StringData(header) {
				t.Fatalf("%q… keeps all of its header in memory", name[:7])
			}
		}
	}
}
