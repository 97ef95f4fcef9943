package policy

import (
	"strings"
	"testing"
	"time"

	"telltale/flow/flowtest"
)

const consentPolicy = `version: 1
allow:
  - a.example
consent:
  - "*.ads.example"
  - host: pixel.example:8443
    reason: the box in the first screen
  - category: advertising
`

func TestConsentMatches(t *testing.T) {
	c := parse(t, consentPolicy).Consent()
	for _, tt := range []struct {
		host, port string
		want       bool
	}{
		{"x.ads.example", "443", true},
		{"X.ADS.example.", "", true},
		{"ads.example", "443", false},
		{"pixel.example", "8443", true},
		{"pixel.example", "443", false},
		{"pixel.example", "", false},
		{"ad.doubleclick.net", "443", true},
		{"a.example", "443", false},
		{"", "", false},
	} {
		if got := c.Match(tt.host, tt.port); got != tt.want {
			t.Errorf("Match(%q, %q) = %v", tt.host, tt.port, got)
		}
	}
	if parse(t, "version: 1\nallow: [a.example]\n").Consent() != nil {
		t.Error("a policy without the section has one")
	}
}

// The section changes no verdict, of no flow.
func TestConsentJudgesNothing(t *testing.T) {
	with := parse(t, consentPolicy)
	without := parse(t, strings.Split(consentPolicy, "consent:")[0])
	for _, url := range []string{"https://a.example/", "https://x.ads.example/", "https://ad.doubleclick.net/", "https://pixel.example:8443/"} {
		f := flowtest.Get(url)
		if got, want := with.Judge(f).Verdict, without.Judge(f).Verdict; got != want {
			t.Errorf("%s: %s, without the section %s", url, got, want)
		}
	}
}

const consentHead = "version: 1\nallow: [a.example]\nconsent:\n"

var badConsents = []badPolicy{
	{"no hosts that need consent", "version: 1\nallow: [a.example]\nconsent: []\n", 3, 1, "empty list", ""},
	{"consent without a value", consentHead, 3, 1, "no value", ""},
	{"consent as text", "version: 1\nallow: [a.example]\nconsent: a.example\n", 3, 10, "expected a list", ""},
	{"consent to a host and a category", consentHead + "  - {host: a.example, category: advertising}\n", 4, 6, "either a host or a category", ""},
	{"consent to nothing", consentHead + "  - reason: x\n", 4, 5, "either a host or a category", ""},
	{"consent to an unknown category", consentHead + "  - category: advertizing\n", 4, 15, `did you mean "advertising"?`, ""},
	{"an unknown key of consent", consentHead + "  - hosts: a.example\n", 4, 5, `did you mean "host"?`, ""},
	{"consent to a bad pattern", consentHead + "  - \"*a.example\"\n", 4, 5, "whole label", `"*.a.example"`},
}

func TestParseBadConsents(t *testing.T) { checkBad(t, badConsents) }

func TestConsentIsExplainedAndLinted(t *testing.T) {
	e, err := parse(t, consentPolicy).Explain("GET", "https://x.ads.example/")
	if err != nil {
		t.Fatal(err)
	}
	last := e.Steps[len(e.Steps)-1]
	if last.Stage != "consent" || last.Source.Line != 5 || last.Decided || e.Verdict != Violation {
		t.Errorf("%s by %+v", e.Verdict, e.Steps)
	}
	p := parse(t, consentPolicy+"  - category: advertising\n  - b.ads.example\n  - \"*\"\n")
	var lines []int
	for _, w := range Lint(p, time.Now()) {
		lines = append(lines, w.Source.Line)
	}
	if len(lines) != 3 || lines[0] != 9 || lines[1] != 10 || lines[2] != 11 {
		t.Errorf("warnings at %v", lines)
	}
}
