package reports

import (
	"slices"
	"strings"
	"testing"

	"telltale/capture"
	"telltale/diagnosis"
	"telltale/policy"
)

// TestDiagnosisExplainsViolation checks that a violation whose content could not be read
// refers to the diagnosis that says why, in each document that has both, and to none that
// does not explain it for all of its devices.
func TestDiagnosisExplainsViolation(t *testing.T) {
	const general = "That is evidence of pinning, not proof."
	const refers = `See "Why connections could not be read": the app does not trust authorities that the user installed (likely).`
	second := func() string {
		devices := threeDevices().Summary.Health.Devices
		return devices[slices.IndexFunc(devices, func(d capture.Device) bool { return d.Refused > 0 })].Addr
	}()
	first := threeDevices().Summary.Health.Devices[0].Addr
	for name, test := range map[string]struct {
		rule     policy.Rule
		host     string
		clients  []string
		diagnose func(capture.Device) []diagnosis.Diagnosis
		want     bool
	}{
		"explained":        {policy.Undecryptable, retrieval, []string{second}, diagnoseOther, true},
		"another host":     {policy.Undecryptable, submission, []string{second}, diagnoseOther, false},
		"another rule":     {policy.Cleartext, retrieval, []string{second}, diagnoseOther, false},
		"another device":   {policy.Undecryptable, retrieval, []string{first, second}, diagnoseOther, false},
		"no device":        {policy.Undecryptable, retrieval, nil, diagnoseOther, false},
		"nothing is known": {policy.Undecryptable, retrieval, []string{second}, nil, false},
		"out of room": {policy.Undecryptable, retrieval, []string{second}, func(d capture.Device) []diagnosis.Diagnosis {
			return append(slices.Repeat([]diagnosis.Diagnosis{{Cause: diagnosis.NotInstalled, Title: "x"}}, maxDiagnoses), diagnoseOther(d)...)
		}, false},
	} {
		r := threeDevices()
		r.Verdict, r.Diagnose = Violations, test.diagnose
		r.Summary.Violations = []capture.Violation{{ID: "1", Count: 3, Clients: test.clients, Finding: policy.Finding{
			Rule: test.rule, Host: test.host, Severity: policy.SeverityWarning, Title: "has content that could not be read", Message: general, Remedy: "First check that the authority is installed.",
		}}}
		for _, f := range Formats {
			got := strings.Join(strings.Fields(strings.ReplaceAll(render(t, f, r), "&#34;", `"`)), " ")
			switch f.Name {
			case "text", "markdown", "html":
				if strings.Contains(got, refers) != test.want || strings.Contains(got, general) == test.want || strings.Contains(got, "First check") == test.want {
					t.Errorf("%s, %s:\n%s", name, f.Name, got)
				}
			case "json":
				if !strings.Contains(got, general) {
					t.Errorf("%s: the JSON has lost the explanation", name)
				}
			}
		}
	}
}
