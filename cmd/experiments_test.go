package cmd

import (
	"strings"
	"testing"
	"time"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
)

// What an app sends over a certificate that it must refuse stands beside the verdict, in
// what people read and in what CI reads.
func TestTrustInABadCertificateIsToldBesideTheVerdict(t *testing.T) {
	t.Chdir(t.TempDir())
	store, err := capture.Create("audit.telltale", capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	store.Observe(flowtest.Get("https://api.example.com/", flowtest.ID(store.NextID()), flowtest.At(0)))
	store.SetExperiments([]string{"bad-certificate expired"})
	for i, outcome := range []flow.Outcome{flow.Completed, flow.Simulated} {
		store.Observe(flowtest.Get("https://api.example.com/login", flowtest.ID(store.NextID()), flowtest.At(time.Duration(i+1)*time.Second),
			flowtest.Experiments("bad-certificate expired"), flowtest.Altered("showed the client a certificate"), flowtest.Outcome(outcome)))
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	const grave = "certificate that it must refuse"
	for _, format := range []string{"text", "markdown", "json", "github"} {
		out, said, code := runs("check", "audit.telltale", "--allow", "*.example.com", "--format", format)
		if code != 0 || !strings.Contains(strings.Join(strings.Fields(out), " "), grave) {
			t.Errorf("%s, exit code %d: %s%s", format, code, out, said)
		}
	}
	out, _, _ := runs("check", "audit.telltale", "--allow", "*.example.com", "--format", "github")
	if !strings.Contains(out, "::warning") {
		t.Errorf("no warning of GitHub: %s", out)
	}
}
