package policy

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestChangeRefuses has changes that are wrong by themselves.
func TestChangeRefuses(t *testing.T) {
	waive := func(edit func(*Change)) Change {
		c := waiveNew
		edit(&c)
		return c
	}
	for _, test := range []struct {
		name          string
		change        Change
		message, hint string
	}{
		{"no kind", Change{Pattern: "a.example"}, `unknown change ""`, "one of"},
		{"no pattern", Change{Kind: ChangeAllow}, "is empty", ""},
		{"a URL", Change{Kind: ChangeAllow, Pattern: "https://a.example/"}, "has a scheme", `"a.example"`},
		{"an escape sequence", Change{Kind: ChangeAllow, Pattern: "a\x1b[31m.example"}, "control character", ""},
		{"no rule", waive(func(c *Change) { c.Rule = "" }), `unknown rule ""`, "one of"},
		{"a rule that does not exist", waive(func(c *Change) { c.Rule = "clear-text" }), `did you mean "cleartext"?`, `write "cleartext"`},
		{"no reason", waive(func(c *Change) { c.Reason = " \t" }), "needs a reason", "say why"},
		{"two lines", waive(func(c *Change) { c.Reason = "a\nuntil: 2999-01-01" }), "more than one line", "one line"},
		{"a carriage return", Change{Kind: ChangeAllow, Pattern: "a.example", Reason: "a\rb"}, "more than one line", ""},
		{"a line separator", Change{Kind: ChangeAllow, Pattern: "a.example", Reason: "a\u2028b"}, "more than one line", ""},
		{"a tab", Change{Kind: ChangeAllow, Pattern: "a.example", Reason: "a\tb"}, "control character (U+0009)", ""},
		{"an escape", Change{Kind: ChangeIgnore, Pattern: "a.example", Reason: "a\x1bb"}, "control character (U+001B)", ""},
		{"C1", Change{Kind: ChangeIgnore, Pattern: "a.example", Reason: "a\u009bb"}, "control character (U+009B)", ""},
		{"text that turns around", Change{Kind: ChangeIgnore, Pattern: "a.example", Reason: "a\u202eb"}, "control character (U+202E)", ""},
		{"a byte order mark", Change{Kind: ChangeIgnore, Pattern: "a.example", Reason: "a\ufeffb"}, "control character (U+FEFF)", ""},
		{"no UTF-8", Change{Kind: ChangeIgnore, Pattern: "a.example", Reason: "a\xffb"}, "not UTF-8", ""},
		{"a book", Change{Kind: ChangeIgnore, Pattern: "a.example", Reason: strings.Repeat("a", maxReason+1)}, "longer than 1000 bytes", ""},
		{"no date", waive(func(c *Change) { c.Until = time.Time{} }), "needs a last day", "2027-02-20"},
		{"yesterday", waive(func(c *Change) { c.Until = today.AddDate(0, 0, -1) }), "expired on 2026-11-19", "still to come"},
		{"too late", waive(func(c *Change) { c.Until = today.AddDate(8000, 0, 0) }), "needs a last day", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			after, err := Edit("telltale.yaml", []byte(contractPolicy), test.change, options())
			if err == nil || after != nil || !strings.Contains(err.Error(), test.message) || errors.Is(err, ErrUnchanged) {
				t.Fatalf("error %v, want %q", err, test.message)
			}
			if hint := err.(interface{ Hint() string }).Hint(); !strings.Contains(hint, test.hint) {
				t.Errorf("hint %q, want %q", hint, test.hint)
			}
		})
	}
	// The last day itself is a day, in whatever zone it was typed.
	c := waiveNew
	c.Until = time.Date(2026, 11, 20, 23, 0, 0, 0, time.FixedZone("", -5*3600))
	if after, err := Edit("telltale.yaml", []byte(contractPolicy), c, options()); err != nil || !strings.HasSuffix(string(after), "until: 2026-11-20\n") {
		t.Errorf("today: %v", err)
	}
}

// TestChangeEffect has changes that another entry makes already, or keeps from having
// any effect.
func TestChangeEffect(t *testing.T) {
	const text = `version: 1
allow:
  - a.example
  - .b.example
  - host: limited.example
    methods: [GET]
ignore:
  - preset: ios-system
  - "*.c.example"
deny:
  - "*.d.example"
  - category: analytics
waivers:
  - rule: cleartext
    host: .e.example
    reason: r
    until: 2027-01-31
`
	waive := func(pattern, until string) Change {
		day, err := time.Parse(time.DateOnly, until)
		if err != nil {
			t.Fatal(err)
		}
		return Change{Kind: ChangeWaive, Pattern: pattern, Rule: Cleartext, Reason: "r", Until: day}
	}
	for _, test := range []struct {
		name      string
		change    Change
		line      int // 0 where the change is made
		unchanged bool
		message   string
	}{
		{"allowed", Change{Kind: ChangeAllow, Pattern: "A.example."}, 3, true, "allow names a.example already"},
		{"allowed by a wider entry", Change{Kind: ChangeAllow, Pattern: "*.x.b.example"}, 4, true, "allow names .b.example already"},
		{"allowed on one port more", Change{Kind: ChangeAllow, Pattern: "a.example:8443"}, 3, true, "already"},
		{"wider than allowed", Change{Kind: ChangeAllow, Pattern: ".a.example"}, 0, false, ""},
		{"allowed within limits", Change{Kind: ChangeAllow, Pattern: "limited.example"}, 0, false, ""},
		{"allowed, but denied", Change{Kind: ChangeAllow, Pattern: "x.d.example"}, 11, false, "deny forbids *.d.example, and deny wins"},
		{"allowed, in part denied", Change{Kind: ChangeAllow, Pattern: ".d.example"}, 0, false, ""},
		{"allowed, but its category is denied", Change{Kind: ChangeAllow, Pattern: "app-measurement.com"}, 12, false, "deny forbids the category analytics"},
		{"allowed, but ignored", Change{Kind: ChangeAllow, Pattern: "x.c.example"}, 0, false, ""},
		{"any host", Change{Kind: ChangeAllow, Pattern: "*"}, 0, false, ""},
		{"ignored", Change{Kind: ChangeIgnore, Pattern: "x.c.example"}, 9, true, "ignore names *.c.example already"},
		{"ignored, but allowed", Change{Kind: ChangeIgnore, Pattern: "a.example"}, 3, false, "allow wins over ignore"},
		{"ignored, but denied", Change{Kind: ChangeIgnore, Pattern: "x.d.example"}, 11, false, "deny wins"},
		{"ignored where a limit may not fit", Change{Kind: ChangeIgnore, Pattern: "limited.example"}, 0, false, ""},
		{"waived until then", waive("x.e.example", "2027-01-31"), 14, true, "already, until 2027-01-31"},
		{"waived for longer", waive(".e.example", "2027-02-01"), 14, false, "until 2027-01-31"},
		{"waived for longer, one of the hosts", waive("x.e.example", "2027-02-01"), 0, false, ""},
		{"waived, though denied", waive("x.d.example", "2027-01-31"), 0, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Edit("telltale.yaml", []byte(text), test.change, options())
			if test.line == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var e *ChangeError
			if !errors.As(err, &e) || e.At.File != "telltale.yaml" || e.At.Line != test.line || !strings.Contains(e.Message, test.message) {
				t.Fatalf("error %v, want line %d: %s", err, test.line, test.message)
			}
			if errors.Is(err, ErrUnchanged) != test.unchanged {
				t.Errorf("is ErrUnchanged: %v", !test.unchanged)
			}
		})
	}
}

func TestSuggest(t *testing.T) {
	for host, want := range map[string]string{
		"a.b.canada.ca":                "a.b.canada.ca .b.canada.ca .canada.ca",
		"www.canada.ca":                "www.canada.ca .canada.ca",
		"Canada.CA.":                   "canada.ca .canada.ca",
		"www.example.co.uk:8443":       "www.example.co.uk .example.co.uk",
		"x.project.github.io":          "x.project.github.io .project.github.io",
		"github.io":                    "github.io",
		"co.uk":                        "co.uk",
		"localhost":                    "localhost",
		"printer.local":                "printer.local .printer.local",
		"bücher.example":               "xn--bcher-kva.example .xn--bcher-kva.example",
		"_x._tcp.a.example":            "_x._tcp.a.example ._tcp.a.example .a.example",
		"192.0.2.7":                    "192.0.2.7",
		"[2001:db8::1]:443":            "2001:db8::1",
		"::ffff:192.0.2.7":             "192.0.2.7",
		"":                             "",
		"*":                            "",
		"*.canada.ca":                  "",
		".canada.ca":                   "",
		"10.0.0.0/8":                   "",
		"a..b":                         "",
		"a b.example":                  "",
		"evil\x1b[31m.example":         "",
		strings.Repeat("a.", 130):      "",
		"x." + strings.Repeat("a", 64): "",
	} {
		if got := strings.Join(Suggest(host), " "); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", host, got, want)
		}
	}
}

// FuzzSuggest holds that each suggestion is a pattern that names the host, and that
// each is wider than the one before it.
func FuzzSuggest(f *testing.F) {
	for _, host := range []string{"a.b.canada.ca", "x.github.io", "::1", "[::1]:80", "a_b.example", "İ.example", "[]", "[:", "a:1:2"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		suggested := Suggest(host)
		var former Pattern
		for i, text := range suggested {
			p, err := ParsePattern(text)
			if err != nil || p.String() != text || !p.Match(host, "") {
				t.Fatalf("%q for %q: %v", text, host, err)
			}
			if i > 0 && (!p.covers(former) || former.covers(p)) {
				t.Fatalf("%q is not wider than %q", p, former)
			}
			former = p
		}
		if len(slices.Compact(slices.Clone(suggested))) != len(suggested) {
			t.Fatalf("twice the same: %q", suggested)
		}
	})
}
