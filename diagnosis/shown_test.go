package diagnosis_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"telltale/diagnosis"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// everything is all that a diagnosis shows.
func everything(found []diagnosis.Diagnosis) string {
	var all []string
	for _, d := range found {
		all = append(all, d.Key, d.Title, d.App)
		all = slices.Concat(all, d.Hosts, d.Evidence, d.Next)
	}
	return strings.Join(all, "\n")
}

// What must not be shown is not shown in part either, wherever texts are cut.
func TestValuesAreMaskedBeforeTheyAreCut(t *testing.T) {
	const secret, hidden = "7f3c9a1e-55aa-4bcd-9e00-aabbccddeeff", "[redacted]"
	mask := func(s string) string { return strings.ReplaceAll(s, secret, hidden) }
	for pad := range 300 {
		host := secret + strings.Repeat("h", pad) + ".tracker.example"
		agent := strings.Repeat("A", 1+pad) + secret + "/1 CFNetwork/1120 Darwin/19.0.0"
		flows := join(setUp(safari), these(read(agent, "cdn.example", after(50)), flowtest.DNS(host, after(31), beside), flowtest.DNS("x"+host, after(31), beside),
			failed(agent, "old."+host, "handshake_failure (40)", after(52)), read(safari, "news.example", after(900))),
			times(3, 60, func(at flowtest.Option) *flow.Flow { return refused(agent, host, unknownCA, at) }),
			times(3, 60, func(at flowtest.Option) *flow.Flow { return refused(agent+" b", "b."+host, unknownCA, at) }))
		found := diagnosis.Of(collect(flows...), diagnosis.Known{Mask: mask})
		if len(found) < 2 {
			t.Fatalf("padded by %d: %d diagnoses", pad, len(found))
		}
		text := everything(found)
		for cut := 0; cut+8 <= len(secret); cut++ {
			if part := secret[cut : cut+8]; strings.Contains(text, part) {
				t.Fatalf("padded by %d: %q of the value is in\n%s", pad, part, text)
			}
		}
		if pad < 20 && !strings.Contains(text, hidden) {
			t.Fatalf("padded by %d: what is hidden is not marked in\n%s", pad, text)
		}
	}
}

// Without a mask everything is shown.
func TestNothingIsMasked(t *testing.T) {
	long := strings.Repeat("a", 250) + ".test"
	flows := join(setUp(safari), times(3, 60, func(at flowtest.Option) *flow.Flow { return refused(iosBank, long, unknownCA, at) }))
	found := diagnosis.Of(collect(flows...), diagnosis.Known{})
	if len(found) != 1 || found[0].Hosts[0] != long || found[0].App != iosBank {
		t.Errorf("got %+v", found)
	}
}

// The key of a diagnosis stays while more of the same is seen.
func TestKeysStay(t *testing.T) {
	nameless := func(stackName string) func(at flowtest.Option) *flow.Flow {
		return func(at flowtest.Option) *flow.Flow {
			return refused("", fmt.Sprintf("%s.example", stackName), unknownCA, stack(stackName), at)
		}
	}
	flows := join(setUp(safari), times(2, 60, nameless("aaaaaaaaaaaa")), times(2, 61, nameless("bbbbbbbbbbbb")),
		times(2, 62, func(at flowtest.Option) *flow.Flow { return refused(iosBank, "bank.example", unknownCA, at) }),
		times(2, 63, func(at flowtest.Option) *flow.Flow { return refused(apsd, "gateway.icloud.com", unknownCA, at) }),
		these(flowtest.Tunnel("mask.icloud.com:443", after(64)), read(safari, "dns.google", after(65)), flowtest.DNS("news.example", beside)))
	keys := func() []string {
		var keys []string
		for _, d := range diagnosis.Of(collect(flows...), diagnosis.Known{}) {
			keys = append(keys, d.Key)
		}
		return keys
	}
	before := keys()
	if len(before) != 6 || len(slices.Compact(slices.Sorted(slices.Values(before)))) != 6 {
		t.Fatalf("keys: %q", before)
	}
	flows = join(flows, times(9, 300, nameless("bbbbbbbbbbbb")), times(9, 301, nameless("aaaaaaaaaaaa")),
		times(3, 302, func(at flowtest.Option) *flow.Flow { return refused(iosBank, "a.bank.example", "", at) }),
		times(3, 303, func(at flowtest.Option) *flow.Flow { return refused(apsd, "a.icloud.com", unknownCA, at) }),
		these(read(safari, "one.one.one.one", after(310))))
	if now := keys(); !slices.Equal(before, now) {
		t.Errorf("before %q\nafter  %q", before, now)
	}
}
