package policy

import (
	"strings"
	"testing"

	"telltale/exposure"
	"telltale/flow/flowtest"
)

// TestFragmentsAreNotSent holds that what stands in the fragment of a URL alone is no leak and
// no exposure, and that it is masked all the same.
func TestFragmentsAreNotSent(t *testing.T) {
	p := canaryPolicy()
	const value = "jane.doe%2Btest%40example.com"
	f := flowtest.Get("https://other.example/p?x=1#mail=" + value + "&idfa=EA7583CD-A667-48BC-B806-42ECB2B48606")
	if leaks := p.Leaks(f); len(leaks) != 0 {
		t.Errorf("%+v", leaks)
	}
	if found := exposure.Look(f); len(found) != 0 {
		t.Errorf("%+v", found)
	}
	if masked := p.Mask(f.Request.URL); strings.Contains(masked, "jane") || !strings.HasPrefix(masked, "https://other.example/p?x=1#mail=[redacted]") {
		t.Error(masked)
	}
	if !strings.HasSuffix(f.Request.URL, "B48606") {
		t.Error("the flow has lost its fragment")
	}
	// A URL within another is sent whole.
	for _, within := range []string{"https://other.example/p?u=https%3A%2F%2Fb.example%2F%23mail%3D" + value, "https://other.example/?mail=" + value + "#x"} {
		if leaks := p.Leaks(flowtest.Get(within)); len(leaks) != 1 {
			t.Errorf("%s: %+v", within, leaks)
		}
	}
}
