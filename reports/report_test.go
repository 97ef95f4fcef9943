package reports

import (
	"bytes"
	"encoding/csv"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"telltale/capture"
	"telltale/policy"
)

func TestVerdictOf(t *testing.T) {
	one := capture.Summary{Flows: 1}
	bad := capture.Summary{Flows: 1, Violating: 1, Violations: make([]capture.Violation, 1)}
	damaged := []CaptureInfo{{}, {Error: "cut short"}}
	for _, test := range []struct {
		name       string
		summary    capture.Summary
		captures   []CaptureInfo
		allowEmpty bool
		want       string
	}{
		{"nothing seen", capture.Summary{}, nil, false, Inconclusive},
		{"nothing seen, accepted", capture.Summary{}, nil, true, Clean},
		{"nothing seen, accepted, but damaged", capture.Summary{}, damaged, true, Inconclusive},
		{"all allowed", one, []CaptureInfo{{}}, false, Clean},
		{"all allowed, but damaged", one, damaged, false, Inconclusive},
		{"violations", bad, nil, false, Violations},
		{"violations, damaged", bad, damaged, true, Violations},
	} {
		if got := VerdictOf(test.summary, test.captures, test.allowEmpty); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestNow(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1795176000")
	if got := Now(); !got.Equal(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)) || got.Location() != time.UTC {
		t.Errorf("Now() = %v", got)
	}
	for _, s := range []string{"", "yesterday", "-1", "1.5"} {
		t.Setenv("SOURCE_DATE_EPOCH", s)
		if got := Now(); time.Since(got).Abs() > time.Minute || got.Location() != time.UTC {
			t.Errorf("with %q Now() = %v", s, got)
		}
	}
}

// TestTextFits checks every line of every document at several widths.
func TestTextFits(t *testing.T) {
	all := map[string]func() *Report{"huge": func() *Report { return huge(60) }}
	for name, build := range cases {
		all[name] = build
	}
	for name, build := range all {
		for width, limit := range map[int]int{0: 80, 1: 60, 60: 60, 77: 77, 80: 80, 500: 100} {
			r := build()
			r.Width = width
			f, _ := ByName("text")
			for _, line := range strings.Split(render(t, f, r), "\n") {
				if cells(line) > limit {
					t.Fatalf("%s at width %d: %d columns: %s", name, width, cells(line), line)
				}
				if strings.TrimRight(line, " ") != line {
					t.Fatalf("%s: trailing space: %q", name, line)
				}
			}
		}
	}
}

var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

// marks are the lines that mark a match where there is no colour to do it.
var marks = regexp.MustCompile(`(?m)^ +\^+\n`)

// TestTextColor checks that colour adds nothing but colour, and that a document
// without it has no escape sequence.
func TestTextColor(t *testing.T) {
	f, _ := ByName("text")
	for name, build := range cases {
		plain := render(t, f, build())
		r := build()
		r.Color = true
		colored := render(t, f, r)
		if got := sgr.ReplaceAllString(colored, ""); got != marks.ReplaceAllString(plain, "") {
			t.Errorf("%s: colour changes the words:\n%s", name, firstDifference(got, plain))
		}
		if colored == plain || strings.Contains(plain, "\x1b") {
			t.Errorf("%s: colour is not what decides about colour", name)
		}
		if strings.Contains(sgr.ReplaceAllString(colored, ""), "\x1b") {
			t.Errorf("%s: more than colour", name)
		}
	}
}

// TestTextVerdictFirst checks that the first line is the verdict.
func TestTextVerdictFirst(t *testing.T) {
	f, _ := ByName("text")
	for name, want := range map[string]string{
		"violations": "VIOLATIONS  ", "clean": "CLEAN  ", "inconclusive": "INCONCLUSIVE  ", "hostile": "VIOLATIONS, with experiments: modify ", "damaged": "INCONCLUSIVE  ", "zero": "INCONCLUSIVE  ",
	} {
		if got := render(t, f, cases[name]()); !strings.HasPrefix(got, want) {
			t.Errorf("%s starts with %q", name, got[:20])
		}
	}
}

// TestTextCountsWhatItLeavesOut checks the caps of the terminal.
func TestTextCountsWhatItLeavesOut(t *testing.T) {
	f, _ := ByName("text")
	got := render(t, f, huge(100))
	for _, want := range []string{"and 80 more violations", "and 170 more hosts", "and 81 more captures"} {
		if !strings.Contains(got, want) {
			t.Errorf("does not say %q", want)
		}
	}
}

// TestCleanNeverHidesWhatWasUnread checks that the headline itself says it.
func TestCleanNeverHidesWhatWasUnread(t *testing.T) {
	for _, name := range []string{"text", "markdown"} {
		f, _ := ByName(name)
		first, _, _ := strings.Cut(render(t, f, unreadAndWaived()), "\n\n")
		if !strings.Contains(strings.Join(strings.Fields(first), " "), "3 of them could not be read") {
			t.Errorf("%s starts with %q", name, first)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, test := range []struct {
		in    string
		width int
		want  []string
	}{
		{"", 20, []string{""}},
		{"one two three", 10, []string{"one two", "three"}},
		{"exactly 10", 10, []string{"exactly 10"}},
		{"https://a.example/long", 10, []string{"https://a.", "example/lo", "ng"}},
		{"a https://a.example", 10, []string{"a", "https://a.", "example"}},
		{"日本語日本語", 10, []string{"日本語日本", "語"}},
		{"  spaced   out  ", 20, []string{"spaced out"}},
	} {
		if got := Wrap(test.in, test.width); !slices.Equal(got, test.want) {
			t.Errorf("Wrap(%q, %d) = %q, want %q", test.in, test.width, got, test.want)
		}
	}
}

func TestWords(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 9949: "9.9 kB", 9950: "10 kB", 999_499: "999 kB", 999_500: "1.0 MB", 1 << 40: "1.1 TB", 1<<63 - 1: "9.2 EB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		time.Microsecond: "less than 1 ms", 250 * time.Millisecond: "250 ms", 5 * time.Second: "5 s", 5500 * time.Millisecond: "5.5 s",
		time.Minute: "60 s", 5 * time.Minute: "5 min", 26 * time.Hour: "26 h", 96 * time.Hour: "4 days",
	} {
		if got := duration(d); got != want {
			t.Errorf("duration(%v) = %q, want %q", d, got, want)
		}
	}
	night := time.Date(2026, 11, 20, 23, 59, 0, 0, time.UTC)
	if got := period(night, night.Add(2*time.Minute)); got != "2026-11-20 23:59:00 to 2026-11-21 00:01:00 UTC" {
		t.Errorf("period over midnight: %s", got)
	}
	zone := time.FixedZone("EST", -5*3600)
	if got := moment(epoch.In(zone)); got != "2026-11-20 12:00:00 UTC" {
		t.Errorf("moment in another zone: %s", got)
	}
}

func TestHeadline(t *testing.T) {
	one := func(rule policy.Rule, count int) *Report {
		v := capture.Violation{Count: count, Finding: policy.Finding{Rule: rule, Host: "a.example"}}
		return &Report{Verdict: Violations, Summary: capture.Summary{Flows: 5, Violations: []capture.Violation{v}}}
	}
	several := huge(3)
	several.Summary.Hosts = several.Summary.Hosts[:2]
	for _, test := range []struct {
		r    *Report
		want string
	}{
		{one(policy.HostNotAllowed, 1), "a.example was contacted once against the policy"},
		{one(policy.Tracker, 2), "a.example was contacted twice against the policy"},
		{one(policy.Cleartext, 1), "1 flow to a.example breaks the policy"},
		{one(policy.WeakTLS, 3), "3 flows to a.example break the policy"},
		{several, "3 violations, on 1 of 2 hosts"},
		{&Report{Verdict: Clean}, "no contact was recorded, and the audit was told to accept that"},
		{&Report{Verdict: Clean, Summary: capture.Summary{Flows: 1, Hosts: make([]capture.Host, 1)}}, "1 flow to 1 host, none against the policy"},
	} {
		if got := headline(test.r, onTerminal); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// TestStandardInputHasAName checks that no document for people calls it "-".
func TestStandardInputHasAName(t *testing.T) {
	r := clean()
	r.Captures = []CaptureInfo{{File: "-", Entries: 3, Producer: "hand 1", Skipped: map[string]int{"data": 2}}}
	r.Summary.Health.Notes = []string{"-: Bodies were not recorded."}
	for _, f := range Formats {
		if !f.ForPeople {
			continue
		}
		text := render(t, f, r)
		if f.Name == "html" {
			text = textOf(t, text)
		}
		text = strings.Join(strings.Fields(text), " ")
		for _, want := range []string{"standard input", "Standard input: Bodies were not recorded", "2 entries of standard input reached no server"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q", f.Name, want)
			}
		}
		if strings.Contains(text, "-: Bodies") {
			t.Errorf("%s names an input by a dash", f.Name)
		}
	}
	log, _ := sarifOf(t, r)
	if at := log.Runs[0].Artifacts[0].Location.URI; at != "standard-input" {
		t.Errorf("SARIF: %q", at)
	}
}

// TestReproduce checks that only commands are listed that do what they say.
func TestReproduce(t *testing.T) {
	commands := func(r *Report) []string {
		var all []string
		for _, s := range reproduce(r) {
			all = append(all, s.command)
		}
		return all
	}
	if got := commands(inconclusive()); !slices.Equal(got, []string{"telltale record --policy telltale.yaml --report audit.md"}) {
		t.Errorf("without a kept capture: %q", got)
	}
	r := covidAlert()
	r.Command = ""
	r.Policy = PolicyInfo{Allow: []string{"*.canada.ca"}}
	r.Captures[0].File = "my capture.har"
	if got, want := commands(r), []string{
		"telltale check 'my capture.har' --allow '*.canada.ca'",
		`telltale flows 'my capture.har' --where 'verdict == "violation"' --allow '*.canada.ca'`,
		"telltale policy explain https://clients3.google.com/generate_204 --allow '*.canada.ca'",
	}; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := commands(hostile()); len(got) != 0 {
		t.Errorf("commands with hostile text: %q", got)
	}
	r.Captures[0].File = "-"
	if got := commands(r); len(got) != 1 {
		t.Errorf("standard input cannot be read again: %q", got)
	}
}

// TestCSV reads the file back as a spreadsheet does.
func TestCSV(t *testing.T) {
	f, _ := ByName("csv")
	for name, build := range cases {
		text := render(t, f, build())
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !slices.Equal(rows[0], csvHeader) {
			t.Errorf("%s has the header %q", name, rows[0])
		}
		if got, want := len(rows)-1, len(build().Summary.Hosts); got != want {
			t.Errorf("%s has %d rows for %d hosts", name, got, want)
		}
		if strings.Count(text, "\n") != strings.Count(text, "\r\n") || !strings.HasSuffix(text, "\r\n") {
			t.Errorf("%s: lines do not end as RFC 4180 has it", name)
		}
		for _, row := range rows {
			for _, cell := range row {
				if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
					t.Errorf("%s: %q is a formula", name, cell)
				}
			}
		}
	}
	row := strings.Split(strings.Split(render(t, f, covidAlert()), "\r\n")[2], ",")
	want := []string{retrieval, "allowed", "", "", "2", "0", "0", "0", "48213", "2026-11-20T12:00:00Z", "2026-11-20T12:04:00Z", app, "telltale.yaml", "6", "*.canada.ca", "0", "", "", "", "", "", "", "", "0", ""}
	if !slices.Equal(row, want) {
		t.Errorf("got  %q\nwant %q", row, want)
	}
}

// TestMain keeps the environment of the machine out of the documents.
func TestMain(m *testing.M) {
	os.Unsetenv("SOURCE_DATE_EPOCH")
	os.Exit(m.Run())
}

// TestCodeStaysWhole checks that what a person copies out of a narrow terminal is
// what was meant, and that a place outside a HAR's entries is named by its line.
func TestCodeStaysWhole(t *testing.T) {
	code := "reachabilityTest: async (response) => response.status === 200,"
	v := capture.Violation{
		Finding: policy.Finding{Host: "a.example", Rule: policy.HostNotAllowed, Remedy: "Write a rather long sentence here:\n\n    " + code},
		Count:   3, Flows: []capture.Reference{{Capture: "a.har", Entry: 3}, {Capture: "a.har", Entry: 5}, {Capture: "a.har", Line: 9}},
	}
	var b bytes.Buffer
	if err := writeText(&b, &Report{Verdict: Violations, Width: 40, Summary: capture.Summary{Flows: 3, Violations: []capture.Violation{v}}}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "    "+code+"\n") {
		t.Errorf("the code is broken:\n%s", b.String())
	}
	if !strings.Contains(strings.Join(strings.Fields(b.String()), " "), "a.har, entries 3, 5; a.har, line 9") {
		t.Errorf("the places are not named:\n%s", b.String())
	}
	for line := range strings.Lines(b.String()) {
		if n := cells(strings.TrimRight(line, "\n")); n > 40 && !strings.Contains(line, code) {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
