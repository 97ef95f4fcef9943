package reports

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func gitlabOf(t testing.TB, r *Report) []gitlabIssue {
	t.Helper()
	f, _ := ByName("gitlab")
	text := render(t, f, r)
	var issues []gitlabIssue
	if err := json.Unmarshal([]byte(text), &issues); err != nil || issues == nil {
		t.Fatalf("%v in %.200s", err, text)
	}
	return issues
}

// TestGitLabTakesIssues checks what GitLab asks of each issue; it drops, or shows as
// one, what is not so.
func TestGitLabTakesIssues(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{32}$`)
	everyCase(func(name string, r *Report) {
		seen := map[string]bool{}
		for _, i := range gitlabOf(t, r) {
			if i.Description == "" || i.Check == "" || !form.MatchString(i.Fingerprint) ||
				!slices.Contains([]string{"info", "minor", "major", "critical", "blocker"}, i.Severity) ||
				i.Location.Path == "" || strings.HasPrefix(i.Location.Path, "./") || i.Location.Lines.Begin < 1 {
				t.Errorf("%s: %+v", name, i)
			}
			if seen[i.Fingerprint] {
				t.Errorf("%s: the fingerprint of %+v is there twice", name, i)
			}
			seen[i.Fingerprint] = true
		}
		if empty := len(seen) == 0; empty != (r.Verdict == Clean && len(r.Warnings) == 0) {
			t.Errorf("%s is %s and lists %d issues", name, r.Verdict, len(seen))
		}
	})
}

func TestGitLabIssues(t *testing.T) {
	said := func(r *Report) string {
		var b strings.Builder
		for _, i := range gitlabOf(t, r) {
			fmt.Fprintf(&b, "%s %s %s:%d %.40s\n", i.Severity, i.Check, i.Location.Path, i.Location.Lines.Begin, i.Description)
		}
		return b.String()
	}
	twice := clean()
	twice.Warnings = []string{"Not searched: 1 body of a.har.", "Not searched: 2 bodies of b.har."}
	for name, test := range map[string]struct {
		r    *Report
		want string
	}{
		"two alike":  {twice, "minor verdict-weak telltale.yaml:1 Not searched: 1 body of a.har.\nminor verdict-weak telltale.yaml:1 Not searched: 2 bodies of b.har.\n"},
		"violations": {covidAlert(), "major captive-portal-probe telltale.yaml:5 clients3.google.com was contacted 6 time\n"},
		"no policy":  {withoutPolicy(), "major captive-portal-probe covid-alert.har:40 clients3.google.com was contacted 6 time\n"},
		"windows":    {onWindows(), "major captive-portal-probe //server/policies/telltale.yaml:5 clients3.google.com was contacted 6 time\n"},
		"not kept":   {notKept(), "major captive-portal-probe live-capture:1 clients3.google.com was contacted 6 time\n"},
		"clean":      {clean(), ""},
		"baseline":   {besideBaseline(), "major host-not-allowed telltale.yaml:5 crashes.example was contacted once again\n"},
		"warned":     {warned(), "minor verdict-weak telltale.yaml:1 Nearly empty: 3 flows were recorded, whe\nminor verdict-weak telltale.yaml:1 Not the app: no flow carries a User-Agen\n"},
		"damaged":    {damaged(), "critical capture-damaged broken.har:1 broken.har could not be read to its end:\ncritical inconclusive telltale.yaml:1 Inconclusive: not everything could be re\n"},
	} {
		if got := said(test.r); got != test.want {
			t.Errorf("%s:\n%swant:\n%s", name, got, test.want)
		}
	}
}

// TestFingerprintsLast checks that what changes from run to run changes no
// fingerprint, in each format that has one: otherwise every run would open its
// alerts anew.
func TestFingerprintsLast(t *testing.T) {
	before, later := warned(), warned()
	before.Summary.Violations, later.Summary.Violations = covidAlert().Summary.Violations, covidAlert().Summary.Violations
	v := &later.Summary.Violations[0]
	v.Count, v.URL, v.First, v.Last, v.Flows, v.App = 9, v.URL+"?t=2", after(1), after(2), v.Flows[:1], "other"
	later.Warnings[0] = "Nearly empty: 4 flows were recorded, where fewer than 5 say next to nothing about an app."
	later.Generated, later.Command = after(3), "other"
	a, b := gitlabOf(t, before), gitlabOf(t, later)
	for i := range a {
		if a[i].Fingerprint != b[i].Fingerprint {
			t.Errorf("GitLab: %+v, then %+v", a[i], b[i])
		}
	}
	first, _ := sarifOf(t, before)
	second, _ := sarifOf(t, later)
	for name, hash := range first.Runs[0].Results[0].Fingerprints {
		if got := second.Runs[0].Results[0].Fingerprints[name]; got != hash {
			t.Errorf("SARIF: %s is %s, then %s", name, hash, got)
		}
	}
}
