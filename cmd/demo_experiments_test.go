package cmd

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"telltale/guard/raced"
)

// Each experiment as a person runs it: what the app sees, what the flows keep, what the
// verdict says beside its word, and that the report says what followed.
func TestDemoOfEachExperiment(t *testing.T) {
	demoBeat = 100 * time.Millisecond // enough for a busy machine to keep the rhythm
	t.Cleanup(func() { demoBeat = time.Second })
	rules := filepath.Join(t.TempDir(), "busy.json")
	if err := os.WriteFile(rules, []byte(`{"status.Modifier": {"scope": ["response"], "statusCode": 418}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const probe, work = `HEAD https://clients3\.google\.com/generate_204 → `, `GET  https://retrieval\S+ → `
	tests := []struct {
		flag    string
		name    string // of the experiment, on flows
		seen    string // by the app
		outcome string // of an altered flow
		follows string // in the report
	}{
		{"--enforce", "enforce", probe + "no answer: Forbidden", "blocked", "everything else went on as before"},
		{"--enforce=dns", "enforce dns", probe + "no answer: Bad Gateway", "blocked", "everything else went on as before"},
		{"--enforce=403", "enforce 403", probe + "403", "blocked", "everything else went on as before"},
		{"--enforce=204", "enforce 204", probe + "204", "blocked", "everything else went on as before"},
		{"--enforce=reset", "enforce reset", probe + "no answer: .*reset by peer", "blocked", "everything else went on as before"},
		{"--refuse=*.google.com=403", "refuse *.google.com 403", probe + "403", "blocked", "connectivitycheck.gstatic.com"},
		{"--simulate=captive-portal", "captive-portal", work + "no answer: tls: .*setup.telltale, not", "simulated", "captive-portal"},
		{"--simulate=offline", "offline", work + "no answer: Bad Gateway", "simulated", "offline"},
		{"--simulate=server-error=500", "server-error 500", work + "500", "simulated", "server-error 500"},
		{"--simulate=bad-certificate", "bad-certificate unknown-authority", work + "no answer: tls: .*unknown authority", "simulated", "bad-certificate"},
		{"--simulate=clock-skew", "clock-skew expired", work + "no answer: tls: .*expired", "simulated", "clock-skew"},
		{"--simulate=consent-refused", "consent-refused", probe + "no answer within 1s", "simulated", "1 host was contacted that was not before"},
		{"--simulate=slow", "slow 3g", work + "200 after", "completed", "slow 3g"},
		{"--modify=" + rules, "modify busy.json", work + "418", "completed", "modify busy.json"},
	}
	tests = tests[:raced.Size(len(tests), 1)]
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var out, said bytes.Buffer
			folder := t.TempDir()
			if code := Main([]string{"demo", tc.flag, "--output", folder}, strings.NewReader(""), &out, &said); code != ExitViolations {
				t.Fatalf("exit code %d: %s", code, said.String())
			}
			_, with, _ := strings.Cut(said.String(), "experiments: "+tc.name+"\n")
			with, after, _ := strings.Cut(with, "experiments: none any more\n")
			if !regexp.MustCompile(tc.seen).MatchString(with) {
				t.Errorf("the app saw no %s:\n%s", tc.seen, with)
			}
			if regexp.MustCompile(`no answer|→ [345]`).MatchString(after) {
				t.Errorf("the experiment is over, and still seen:\n%s", after)
			}
			verdict, _, _ := strings.Cut(out.String(), "\n")
			if !strings.Contains(out.String(), "experiments") {
				t.Errorf("the verdict does not speak of experiments: %s", verdict)
			}
			var doc struct {
				Experiments  []struct{ Name string }
				Consequences json.RawMessage
				Summary      struct{ Altered int }
			}
			if err := json.Unmarshal([]byte(contents(t, folder, "audit.json")), &doc); err != nil {
				t.Fatal(err)
			}
			if len(doc.Experiments) != 1 || doc.Experiments[0].Name != tc.name || doc.Summary.Altered == 0 || len(doc.Consequences) == 0 {
				t.Errorf("%+v", doc)
			}
			if har := contents(t, folder, "audit.har"); !strings.Contains(har, tc.name) || !strings.Contains(har, tc.outcome) {
				t.Errorf("the HAR has no %q with the outcome %q", tc.name, tc.outcome)
			}
			if audit := contents(t, folder, "audit.md"); !strings.Contains(audit, "What followed") || !strings.Contains(audit, tc.follows) {
				t.Errorf("the report does not say %q:\n%s", tc.follows, audit)
			}
		})
	}
}

func contents(t *testing.T, folder, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
