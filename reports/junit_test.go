package reports

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"

	"telltale/capture"
	"telltale/policy"
)

func junitOf(t testing.TB, r *Report) (doc junitSuites, text string) {
	t.Helper()
	f, _ := ByName("junit")
	text = render(t, f, r)
	if err := xml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%v in %.300s", err, text)
	}
	return doc, text
}

// TestJUnitCounts checks that the totals are those of the cases, that no name is
// there twice, as readers drop the second, and that only a clean audit passes.
func TestJUnitCounts(t *testing.T) {
	everyCase(func(name string, r *Report) {
		doc, text := junitOf(t, r)
		var all [3]int
		for _, s := range doc.Suites {
			var got [4]int
			seen := map[string]bool{}
			for _, c := range s.Cases {
				got[0]++
				if c.Failure != nil {
					got[1]++
				}
				if c.Error != nil {
					got[2]++
				}
				if c.Skipped != nil {
					got[3]++
				}
				if c.Name == "" || c.Class == "" || seen[c.Name] {
					t.Errorf("%s: case %q of %q", name, c.Name, c.Class)
				}
				seen[c.Name] = true
			}
			if got != [4]int{s.Tests, s.Failures, s.Errors, s.Skipped} {
				t.Errorf("%s: suite %s says %d, %d, %d, %d and has %v", name, s.Name, s.Tests, s.Failures, s.Errors, s.Skipped, got)
			}
			all[0], all[1], all[2] = all[0]+s.Tests, all[1]+s.Failures, all[2]+s.Errors
		}
		if all != [3]int{doc.Tests, doc.Failures, doc.Errors} || doc.Tests == 0 {
			t.Errorf("%s: %d, %d, %d, not %v", name, doc.Tests, doc.Failures, doc.Errors, all)
		}
		if passes := doc.Failures+doc.Errors == 0; passes != (r.Verdict == Clean) {
			t.Errorf("%s is %s, and passes is %v", name, r.Verdict, passes)
		}
		if len(text) > 30_000_000 {
			t.Errorf("%s: %d bytes, of which GitLab takes none", name, len(text))
		}
	})
}

// TestJUnitIsXML reads every document by the letter: only characters that XML 1.0
// has (section 2.2), and nothing of a capture as markup.
func TestJUnitIsXML(t *testing.T) {
	known := map[string]bool{"testsuites": true, "testsuite": true, "testcase": true, "properties": true, "property": true,
		"failure": true, "error": true, "skipped": true, "system-out": true}
	everyCase(func(name string, r *Report) {
		_, text := junitOf(t, r)
		for _, c := range text {
			if c < ' ' && c != '\n' || c >= 0xD800 && c < 0xE000 || c == 0xFFFE || c == 0xFFFF {
				t.Fatalf("%s: %U", name, c)
			}
		}
		dec := xml.NewDecoder(strings.NewReader(text))
		for {
			token, err := dec.Token()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			switch token := token.(type) {
			case xml.StartElement:
				if !known[token.Name.Local] {
					t.Errorf("%s: element %s", name, token.Name.Local)
				}
			case xml.Comment, xml.Directive:
				t.Errorf("%s: %T", name, token)
			}
		}
	})
}

// TestJUnitCDATACannotEnd checks the one sequence that would end a section.
func TestJUnitCDATACannotEnd(t *testing.T) {
	r := covidAlert()
	r.Summary.Violations[0].Finding.Message = "a ]]> <b>]]]]>><![CDATA["
	doc, _ := junitOf(t, r)
	if text := doc.Suites[1].Cases[0].Failure.Text; !strings.Contains(text, "why: a ]]> <b>]]]]>><![CDATA[") {
		t.Errorf("%q", text)
	}
}

func TestJUnitOutcomes(t *testing.T) {
	outcomes := func(r *Report) string {
		doc, _ := junitOf(t, r)
		var b strings.Builder
		for _, s := range doc.Suites {
			for _, c := range s.Cases {
				switch {
				case c.Failure != nil:
					fmt.Fprintf(&b, "%s/%s fails: %s\n", s.Name, c.Name, c.Failure.Message)
				case c.Error != nil:
					fmt.Fprintf(&b, "%s/%s errs: %s\n", s.Name, c.Name, c.Error.Message)
				case c.Skipped != nil:
					fmt.Fprintf(&b, "%s/%s is skipped: %s\n", s.Name, c.Name, c.Skipped.Message)
				}
			}
		}
		return b.String()
	}
	mismatch := clean()
	mismatch.Verdict = Violations
	mismatch.Summary.Violations = []capture.Violation{{ID: "1", Count: 1, Finding: policy.Finding{Rule: policy.HostMismatch, Host: "fronted.example"}}}
	for name, test := range map[string]struct {
		r    *Report
		want string
	}{
		"clean":    {clean(), ""},
		"baseline": {besideBaseline(), "hosts/crashes.example fails: crashes.example was contacted once against the policy\nhosts/captive.apple.com is skipped: does not count: waived by telltale.yaml line 21: captive-portal-probe at captive.apple.com until 2027-01-31: made by iOS itself\nhosts/clients3.google.com is skipped: does not count: known from the baseline baseline.json\nrules/host-not-allowed fails: 1 violation\n"},
		"damaged":  {damaged(), "captures/broken.har errs: damaged or cannot be read: line 120, column 7, entry 3: expected \"}\", the file ends here\ncaptures/verdict errs: not everything could be read; what could be read is not against the policy\n"},
		"warned":   {warned(), "captures/verdict is skipped: the verdict is worth little: Nearly empty: 3 flows were recorded, where fewer than 5 say next to nothing about an app. Not the app: no flow carries a User-Agent that the policy names as the app's own (app.user-agent).\n"},
		"empty":    {inconclusive(), "captures/verdict errs: no contact was recorded, so nothing is proven\n"},
		"a host that was not contacted, and a rule that is not listed": {mismatch, "hosts/fronted.example fails: 1 flow to fronted.example breaks the policy\nrules/host-mismatch fails: 1 violation\n"},
	} {
		if got := outcomes(test.r); got != test.want {
			t.Errorf("%s:\n%swant:\n%s", name, got, test.want)
		}
	}
}

// TestJUnitListsSomeOfWhatDoesNotCount checks that a waiver for all does not fill the
// file, and that what is not listed is counted.
func TestJUnitListsSomeOfWhatDoesNotCount(t *testing.T) {
	r := clean()
	for i := range 1000 {
		v := covidAlert().Summary.Violations[0]
		v.ID, v.Finding.Known = fmt.Sprint(i), true
		v.Finding.Host = r.Summary.Hosts[0].Name
		r.Summary.Waivers = append(r.Summary.Waivers, v)
	}
	doc, text := junitOf(t, r)
	if n := strings.Count(text, "known from the baseline"); n > 2*junitListed+1 {
		t.Errorf("%d lines of %d", n, len(r.Summary.Waivers))
	}
	for _, c := range []junitCase{doc.Suites[1].Cases[0], doc.Suites[2].Cases[1]} {
		if c.Out == nil || !strings.Contains(c.Out.Text, "\n… and 950 more that do not count") {
			t.Errorf("%s: %+v", c.Name, c.Out)
		}
	}
}

// TestJUnitLimits checks that what is not told in full is told in a line.
func TestJUnitLimits(t *testing.T) {
	doc, text := junitOf(t, many(5000))
	t.Logf("5,000 violations: %d bytes", len(text))
	hosts, rules := doc.Suites[1], doc.Suites[2]
	if hosts.Failures != 5000 || hosts.Cases[4999].Failure.Text != "host-04999.example was contacted 6 times against the policy (captive-portal-probe)" {
		t.Errorf("%d failures, the last: %+v", hosts.Failures, hosts.Cases[4999].Failure)
	}
	if got := rules.Cases[1].Failure; got.Message != "5000 violations" || !strings.HasSuffix(got.Text, "… and 4950 more; the suite of hosts has all") {
		t.Errorf("%+v", got)
	}
}
