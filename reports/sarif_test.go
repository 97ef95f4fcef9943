package reports

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"telltale/capture"
	"telltale/policy"
)

// many returns an audit with n violations, each with its own host and place.
func many(n int) *Report {
	r := covidAlert()
	one := r.Summary.Violations[0]
	r.Summary.Violations, r.Summary.Hosts = nil, nil
	for i := range n {
		v := one
		v.ID, v.Finding.Host = fmt.Sprintf("%016x", i), fmt.Sprintf("host-%05d.example", i)
		v.URL = "https://" + v.Finding.Host + "/collect?q=" + strings.Repeat(fmt.Sprint(i), 20)
		r.Summary.Violations = append(r.Summary.Violations, v)
		r.Summary.Hosts = append(r.Summary.Hosts, capture.Host{Name: v.Finding.Host, Verdict: policy.Violation, Rule: v.Finding.Rule, Flows: 6, Violating: 6})
	}
	r.Summary.Flows, r.Summary.Violating = 6*n, 6*n
	return r
}

// withoutPolicy is an audit by --allow alone, whose violations no file decides.
func withoutPolicy() *Report {
	r := covidAlert()
	r.Policy = PolicyInfo{Name: "only *.canada.ca", Allow: []string{"*.canada.ca"}}
	r.Summary.Violations[0].Finding.Source = policy.Source{Text: "nothing in allow names this host"}
	return r
}

// onWindows is an audit whose files have names of Windows.
func onWindows() *Report {
	r := covidAlert()
	const har, yaml = `D:\a\app\captures\covid alert.har`, `\\server\policies\telltale.yaml`
	v := &r.Summary.Violations[0]
	r.Captures[0].File, r.Policy.File, v.Finding.Source.File = har, yaml, yaml
	for i := range v.Flows {
		v.Flows[i].Capture = har
	}
	return r
}

// notKept is a live audit of which no file was kept.
func notKept() *Report {
	r := withoutPolicy()
	r.Captures = []CaptureInfo{{Entries: 9}}
	for i := range r.Summary.Violations[0].Flows {
		r.Summary.Violations[0].Flows[i].Capture = ""
	}
	return r
}

// extraCases are audits that some formats only have to get right in part.
var extraCases = map[string]func() *Report{
	"no policy": withoutPolicy, "windows": onWindows, "not kept": notKept,
	"huge": func() *Report { return huge(20) },
	"many": func() *Report { return many(120) },
}

// everyCase calls check for each audit that there is.
func everyCase(check func(name string, r *Report)) {
	for _, all := range []map[string]func() *Report{cases, extraCases} {
		for name, build := range all {
			check(name, build())
		}
	}
}

func sarifOf(t testing.TB, r *Report) (log sarifLog, text string) {
	t.Helper()
	f, _ := ByName("sarif")
	text = render(t, f, r)
	if err := json.Unmarshal([]byte(text), &log); err != nil {
		t.Fatal(err)
	}
	return log, text
}

// TestCodeScanningTakesSARIF checks what GitHub refuses, by its own documentation
// ("SARIF support for code scanning") and the errors that it gives.
func TestCodeScanningTakesSARIF(t *testing.T) {
	everyCase(func(name string, r *Report) {
		log, _ := sarifOf(t, r)
		if log.Version != "2.1.0" || len(log.Runs) != 1 {
			t.Fatalf("%s: version %s, %d runs", name, log.Version, len(log.Runs))
		}
		run := log.Runs[0]
		if run.Tool.Driver.Name == "" || run.Results == nil || run.Tool.Driver.Rules == nil {
			t.Errorf("%s: the tool, the rules or the results are missing", name)
		}
		if len(run.Results) != len(ofAudit(r))+len(r.Summary.Violations)+len(r.Summary.Waivers) || len(run.Results) > 25_000 {
			t.Errorf("%s: %d results", name, len(run.Results))
		}
		checkRules(t, name, run.Tool.Driver.Rules)
		for _, res := range run.Results {
			checkResult(t, name, res, run.Tool.Driver.Rules)
		}
	})
}

// ofAudit lists the rules of the results that are about the audit itself.
func ofAudit(r *Report) []string {
	var out []string
	for _, c := range r.Captures {
		if c.Error != "" {
			out = append(out, "capture-damaged")
		}
	}
	if r.Verdict == Inconclusive || r.Verdict == "" {
		out = append(out, "inconclusive")
	}
	return out
}

func checkRules(t *testing.T, name string, rules []sarifRule) {
	t.Helper()
	seen := map[string]bool{}
	for _, rule := range rules {
		if rule.ID == "" || seen[rule.ID] || rule.Help.Text == "" || rule.Help.Markdown == "" || len(rule.Name) > 255 || strings.EqualFold(rule.Name, rule.ID) {
			t.Errorf("%s: rule %+v", name, rule)
		}
		seen[rule.ID] = true
		for _, text := range []string{rule.Short.Text, rule.Full.Text} {
			if text == "" || utf8.RuneCountInString(text) > 1024 {
				t.Errorf("%s: %s is described in %d characters", name, rule.ID, len(text))
			}
		}
		if n := len(rule.Property.Tags); n > 10 {
			t.Errorf("%s: %s has %d tags", name, rule.ID, n)
		}
		if !slices.Contains([]string{"very-high", "high", "medium", "low"}, rule.Property.Precision) ||
			!slices.Contains([]string{"error", "warning", "recommendation"}, rule.Property.ProblemSeverity) {
			t.Errorf("%s: %s has %+v", name, rule.ID, rule.Property)
		}
	}
}

func checkResult(t *testing.T, name string, res sarifResult, rules []sarifRule) {
	t.Helper()
	if rules[res.RuleIndex].ID != res.RuleID || res.Message.Text == "" || !slices.Contains([]string{"error", "warning", "note"}, res.Level) {
		t.Errorf("%s: result %+v", name, res)
	}
	if len(res.Locations) != 1 || len(res.Related) > 100 {
		t.Errorf("%s: %d locations, %d related ones", name, len(res.Locations), len(res.Related))
	}
	for _, at := range slices.Concat(res.Locations, res.Related) {
		u, err := url.Parse(at.Physical.File.URI)
		if err != nil || at.Physical.File.URI == "" || at.Physical.Region.Start < 1 {
			t.Errorf("%s: location %+v: %v", name, at, err)
			continue
		}
		if absolute := u.Scheme == "file"; absolute == (at.Physical.File.Base != "") || !absolute && u.Scheme != "" {
			t.Errorf("%s: %q with the base %q", name, at.Physical.File.URI, at.Physical.File.Base)
		}
	}
	if res.Fingerprints["primaryLocationLineHash"] == "" {
		t.Errorf("%s: no fingerprint: %+v", name, res)
	}
}

// TestSARIFLinksLead checks that a message links to related locations and to nothing
// else, whatever the capture holds.
func TestSARIFLinksLead(t *testing.T) {
	link := regexp.MustCompile(`\[([^\[\]]*)\]\(([^)]*)\)`)
	everyCase(func(name string, r *Report) {
		if name == "many" { // all alike
			return
		}
		log, _ := sarifOf(t, r)
		for _, res := range log.Runs[0].Results {
			ids := map[string]bool{}
			for _, at := range res.Related {
				ids[fmt.Sprint(at.ID)] = true
			}
			found := link.FindAllStringSubmatch(res.Message.Text, -1)
			for _, m := range found {
				if !ids[m[2]] {
					t.Errorf("%s: %q leads nowhere", name, m[0])
				}
			}
			if len(found) != len(res.Related) {
				t.Errorf("%s: %d links to %d locations", name, len(found), len(res.Related))
			}
		}
	})
}

func TestSARIFPlaces(t *testing.T) {
	first := func(r *Report) sarifResult {
		log, _ := sarifOf(t, r)
		return log.Runs[0].Results[0]
	}
	place := func(r *Report) string {
		at := first(r).Locations[0].Physical
		return fmt.Sprintf("%s:%d", at.File.URI, at.Region.Start)
	}
	for name, test := range map[string]struct {
		r    *Report
		want string
	}{
		"policy":    {covidAlert(), "telltale.yaml:5"},
		"no policy": {withoutPolicy(), "covid-alert.har:40"},
		"windows":   {onWindows(), "file://server/policies/telltale.yaml:1"},
		"not kept":  {notKept(), "live-capture:1"},
	} {
		if name == "windows" {
			test.r.Summary.Violations[0].Finding.Source.Line = 0
		}
		if got := place(test.r); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	related := first(onWindows()).Related
	if len(related) != 6 || related[0].Physical.File.URI != "file:///D:/a/app/captures/covid%20alert.har" || related[1].Physical.Region.Start != 80 {
		t.Errorf("%+v", related)
	}
}

// TestSARIFSaysWhatDoesNotCount checks suppressions and the state beside a baseline.
func TestSARIFSaysWhatDoesNotCount(t *testing.T) {
	log, _ := sarifOf(t, besideBaseline())
	var got []string
	for _, res := range log.Runs[0].Results {
		s := res.Properties.Host + " " + res.Level + " " + res.Baseline
		for _, why := range res.Suppressions {
			s += " " + why.Kind + ": " + why.Justification
		}
		got = append(got, s)
	}
	want := []string{
		"crashes.example error new",
		"captive.apple.com note new external: telltale.yaml line 21: captive-portal-probe at captive.apple.com until 2027-01-31: made by iOS itself",
		"clients3.google.com note unchanged external: known from the baseline baseline.json",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	log, _ = sarifOf(t, unreadAndWaived())
	if res := log.Runs[0].Results[0]; res.Baseline != "" || len(res.Suppressions) != 1 {
		t.Errorf("without a baseline: %+v", res)
	}
}

// TestSARIFSaysWhatItIsWorth checks the notifications by level.
func TestSARIFSaysWhatItIsWorth(t *testing.T) {
	for name, want := range map[string][]string{
		"damaged":      {"error capture-damaged", "error inconclusive"},
		"warned":       {"warning verdict-weak", "warning verdict-weak"},
		"inconclusive": {"error inconclusive"},
		"violations":   nil,
	} {
		log, _ := sarifOf(t, cases[name]())
		inv := log.Runs[0].Invocations[0]
		var got []string
		for _, n := range inv.Notifications {
			if n.Level != "note" {
				got = append(got, n.Level+" "+n.Descriptor.ID)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if inv.Successful == (name == "damaged") {
			t.Errorf("%s: successful is %v", name, inv.Successful)
		}
	}
}

// TestSARIFSaysWhatProvesNothing checks that an audit without proof has results, as
// code scanning closes every alert that a log lacks and passes over notifications.
func TestSARIFSaysWhatProvesNothing(t *testing.T) {
	weak := warned()
	weak.Verdict = Inconclusive
	partly := covidAlert()
	partly.Captures = append(partly.Captures, damaged().Captures...)
	for name, test := range map[string]struct {
		r    *Report
		want []string
	}{
		"clean":   {clean(), nil},
		"empty":   {inconclusive(), []string{"inconclusive telltale.yaml No contact was recorded, so nothing is proven."}},
		"damaged": {damaged(), []string{"capture-damaged broken.har broken.har could not be read to its end: line 120,", "inconclusive telltale.yaml Not everything could be read; "}},
		"strict":  {weak, []string{"inconclusive telltale.yaml 3 flows to 2 hosts, none against the policy, but they prove too little. "}},
		"partly":  {partly, []string{"capture-damaged broken.har broken.har could not be read to its end: "}},
	} {
		log, _ := sarifOf(t, test.r)
		var got []string
		for _, res := range log.Runs[0].Results {
			if !strings.Contains(res.RuleID, "probe") {
				if res.Level != "error" {
					t.Errorf("%s: %s has the level %s", name, res.RuleID, res.Level)
				}
				got = append(got, res.RuleID+" "+res.Locations[0].Physical.File.URI+" "+res.Message.Text)
			}
		}
		if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestSARIFLimits checks that there are as many results as code scanning takes, and
// that what it would not take is counted.
func TestSARIFLimits(t *testing.T) {
	if sarifTakes.results > 25_000 || sarifTakes.bytes > 8_000_000 {
		t.Errorf("code scanning does not take %+v", sarifTakes)
	}
	limits := sarifLimits{results: 50, detailed: 10, bytes: sarifTakes.bytes}
	run := (&sarif{r: many(52), limits: limits, index: map[policy.Rule]int{}}).run()
	if len(run.Results) != 50 || !strings.Contains(run.Invocations[0].Notifications[0].Message.Text, "2 more violations") {
		t.Errorf("%d results, %+v", len(run.Results), run.Invocations[0].Notifications[0])
	}
	if one := run.Results[9]; one.Message.Markdown == "" || len(one.Related) != 6 || one.Request == nil {
		t.Errorf("among the first 10: %+v", one)
	}
	if one := run.Results[10]; one.Message.Markdown != "" || len(one.Related) != 1 || one.Request != nil {
		t.Errorf("after the first 10: %+v", one)
	}
}

// TestSARIFFitsWhenCompressed checks a log of text that hardly compresses.
func TestSARIFFitsWhenCompressed(t *testing.T) {
	r := many(1)
	random := rand.NewChaCha8([32]byte{})
	noise := make([]byte, 10_000)
	for i := range 40 {
		_, _ = random.Read(noise)
		v := r.Summary.Violations[0]
		v.ID, v.URL = fmt.Sprint(i), "https://a.example/"+base64.RawURLEncoding.EncodeToString(noise)
		r.Summary.Violations = append(r.Summary.Violations, v)
	}
	limits := sarifLimits{results: 100, detailed: 100, bytes: 200_000}
	run := (&sarif{r: r, limits: limits, index: map[policy.Rule]int{}}).run()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := writeIndented(z, run, "a run"); err != nil {
		t.Fatal(err)
	}
	z.Close()
	left := fmt.Sprintf("%d more violations were found for which there is no room", 41-len(run.Results))
	if b.Len() > 210_000 || b.Len() < 150_000 || !strings.HasPrefix(run.Invocations[0].Notifications[0].Message.Text, left) {
		t.Errorf("%d results, %d bytes compressed: %+v", len(run.Results), b.Len(), run.Invocations[0].Notifications[0])
	}
}

// TestEveryRuleIsDescribed checks that no rule is without advice.
func TestEveryRuleIsDescribed(t *testing.T) {
	if len(ruleFactsOf) != len(policy.Rules) {
		t.Errorf("%d rules are described, there are %d", len(ruleFactsOf), len(policy.Rules))
	}
	for _, rule := range policy.Rules {
		facts, ok := ruleFactsOf[rule]
		if !ok || facts.full == "" || facts.remedy == "" || facts.precision == "" {
			t.Errorf("%s: %+v", rule, facts)
		}
		for _, id := range mastgOf(rule) {
			if !regexp.MustCompile(`^(MASTG-TEST|MASWE)-\d{4}$`).MatchString(id) {
				t.Errorf("%s: %q", rule, id)
			}
		}
	}
}

func TestSemanticVersion(t *testing.T) {
	for version, want := range map[string]string{
		"1.0.0": "1.0.0", "v1.2.3": "1.2.3", "1.2.3-rc.1+5": "1.2.3-rc.1+5", "v1.2.3-4-gabcdef0": "1.2.3-4-gabcdef0", "devel": "", "c121349-dirty": "", "1.2": "",
	} {
		r := clean()
		r.Tool.Version = version
		log, _ := sarifOf(t, r)
		if d := log.Runs[0].Tool.Driver; d.SemanticVersion != want || d.Version != version {
			t.Errorf("%q: %+v", version, d.SemanticVersion)
		}
	}
}

// TestSARIFSnippetsStand checks that a snippet is what stands in the policy, and that
// there is none where only the place stands in which an entry misses.
func TestSARIFSnippetsStand(t *testing.T) {
	log, _ := sarifOf(t, besideBaseline())
	var got []string
	for _, res := range log.Runs[0].Results {
		s := ""
		if snippet := res.Locations[0].Physical.Region.Snippet; snippet != nil {
			s = snippet.Text
		}
		got = append(got, s)
	}
	if want := []string{"", "captive-portal-probe at captive.apple.com until 2027-01-31: made by iOS itself", ""}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
