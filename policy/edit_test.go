package policy

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"telltale/flow/flowtest"
)

var (
	allowNew  = Change{Kind: ChangeAllow, Pattern: "new.example"}
	ignoreNew = Change{Kind: ChangeIgnore, Pattern: "new.example", Reason: "the phone's own"}
	waiveNew  = Change{Kind: ChangeWaive, Pattern: "new.example", Rule: Cleartext, Reason: "an old server", Until: today.AddDate(0, 3, 0)}
)

// readChange reads a change as a golden file has it: a key and a value on each line.
func readChange(t *testing.T, text string) Change {
	t.Helper()
	var c Change
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "kind":
			c.Kind = ChangeKind(value)
		case "pattern":
			c.Pattern = value
		case "rule":
			c.Rule = Rule(value)
		case "reason":
			c.Reason = value
		case "until":
			var err error
			if c.Until, err = time.Parse(time.DateOnly, value); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("unknown key %q", key)
		}
	}
	return c
}

// TestEditGolden edits files as people have them. Read the after parts: they are what
// a person sees in the diff.
func TestEditGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/edit/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil || len(archive.Files) == 0 {
				t.Fatalf("%d files, error %v", len(archive.Files), err)
			}
			before := archive.Files[0].Data
			after, err := Edit("telltale.yaml", before, readChange(t, string(archive.Comment)), options())
			if err != nil {
				t.Fatal(err)
			}
			checkOnlyAdds(t, before, after)
			if *update {
				archive.Files = append(archive.Files[:1], txtar.File{Name: "after.yaml", Data: after})
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(archive.Files[1].Data), string(after)); diff != "" {
				t.Errorf("differs from the golden file (-want +got):\n%s", diff)
			}
		})
	}
}

// checkOnlyAdds complains when a byte of the former text is missing or out of order.
func checkOnlyAdds(t *testing.T, before, after []byte) {
	t.Helper()
	rest := after
	for i, c := range before {
		at := bytes.IndexByte(rest, c)
		if at < 0 {
			t.Fatalf("the former text is not kept behind %q:\n%s", before[:i], after)
		}
		rest = rest[at+1:]
	}
}

// forms are files in every form that a list can have. § marks where the bytes of
// inserted stand in the edited file; a ¶ before it takes one byte of the file away.
var forms = []struct {
	name     string
	text     string
	change   Change
	inserted []string
}{
	{"block", "version: 1\nallow:\n  - a.example\n§ignore: [b.example]\n", allowNew, []string{"  - new.example\n"}},
	{"dash under the key", "version: 1\nallow:\n- a.example\n§ignore:\n- b.example\n", allowNew, []string{"- new.example\n"}},
	{"deep indentation", "version: 1\nallow:\n      - a.example\n§", allowNew, []string{"      - new.example\n"}},
	{"wide gap", "version: 1\nignore:\n -   host: a.example\n     reason: r\n§", ignoreNew, []string{" -   host: new.example\n     reason: the phone's own\n"}},
	{"dash alone on its line", "version: 1\nignore:\n  -\n    host: a.example\n§", ignoreNew, []string{"  - host: new.example\n    reason: the phone's own\n"}},
	{"comments between and behind", "version: 1\nallow:\n  # one\n  - a.example # two\n  # three\n§# four\nignore: [b.example]\n", allowNew, []string{"  - new.example\n"}},
	{"comment behind a blank line", "version: 1\nallow:\n  - a.example\n§\n  # later\nignore: [b.example]\n", allowNew, []string{"  - new.example\n"}},
	{"comment under dashes under the key", "version: 1\nallow:\n- a.example\n§# of ignore\nignore: [b.example]\n", allowNew, []string{"- new.example\n"}},
	{"comments at the end", "version: 1\nallow:\n  - a.example\n§\n\n# the end\n", allowNew, []string{"  - new.example\n"}},
	{"no newline", "version: 1\nallow:\n  - a.example§", allowNew, []string{"\n  - new.example"}},
	{"no newline, comment last", "version: 1\nallow:\n  - a.example\n§# end", allowNew, []string{"  - new.example\n"}},
	{"CRLF", "version: 1\r\nallow:\r\n  - a.example\r\n§ignore:\r\n  - b.example\r\n", allowNew, []string{"  - new.example\r\n"}},
	{"CRLF, no newline", "version: 1\r\nallow:\r\n  - a.example§", allowNew, []string{"\r\n  - new.example"}},
	{"CRLF here, LF there", "version: 1\nallow:\r\n  - a.example\r\n§ignore:\n  - b.example\n", allowNew, []string{"  - new.example\r\n"}},
	{"byte order mark", "\ufeffversion: 1\nallow:\n  - a.example\n§", allowNew, []string{"  - new.example\n"}},
	{"byte order mark, first line", "\ufeffallow: [a.example§]\nversion: 1\n", allowNew, []string{", new.example"}},
	{"document marks", "---\nversion: 1\nallow:\n  - a.example\n§...\n", allowNew, []string{"  - new.example\n"}},
	{"indented file", "  version: 1\n  allow:\n    - a.example\n§  # own\n", allowNew, []string{"    - new.example\n"}},
	{"quoted keys", "\"version\": 1\n'allow':\n  - a.example\n§", allowNew, []string{"  - new.example\n"}},
	{"unicode before the list", "version: 1\nname: \"ü€😀\"\nallow: [\"a.example\", b.example§] # ü\n", allowNew, []string{", new.example"}},
	{"text over several lines", "version: 1\nallow:\n  - host: a.example\n    reason: \"one\n      # two\"\n§\nignore: [b.example]\n", allowNew, []string{"  - new.example\n"}},
	{"block text last", "version: 1\nallow:\n  - host: a.example\n    reason: |\n      one\n      # two\n§", allowNew, []string{"  - new.example\n"}},

	{"flow", "version: 1\nallow: ['a.example', b.example§]\n", allowNew, []string{", new.example"}},
	{"flow with blanks", "version: 1\nallow: [ a.example , b.example§ ]\n", allowNew, []string{", new.example"}},
	{"flow with a last comma", "version: 1\nallow: [a.example,§]\n", allowNew, []string{" new.example,"}},
	{"flow, mapping", "version: 1\nwaivers: [{rule: weak-tls, host: a.example, reason: 'it''s ]', until: 2027-01-01}§]\n", waiveNew,
		[]string{", {rule: cleartext, host: new.example, reason: an old server, until: 2027-02-20}"}},
	{"flow, lines", "version: 1\nallow: [\n    a.example,   # it's ]\n    b.example§   # why\n§]\n", allowNew, []string{",", "    new.example\n"}},
	{"flow, lines with a last comma", "version: 1\nallow: [\n  a.example,\n§  # none\n  ]\n", allowNew, []string{"  new.example,\n"}},
	{"flow, last line with the bracket", "version: 1\nallow: [a.example,\n        b.example§]\n", allowNew, []string{", new.example"}},
	{"flow, empty over lines", "version: 1\nignore: [b.example]\nallow: [ # none\n§]\n", allowNew, []string{"  new.example\n"}},
	{"flow under its key", "version: 1\nallow:\n  [a.example§]\n", allowNew, []string{", new.example"}},

	{"empty", "version: 1\nallow:\n§ignore: [b.example]\n", allowNew, []string{"  - new.example\n"}},
	{"empty with comments", "version: 1\nallow: # none\n    # - a.example\n§\n# of ignore\nignore: [b.example]\n", allowNew, []string{"    - new.example\n"}},
	{"empty list", "version: 1\nallow:¶¶¶§\n§", allowNew, []string{"", "  - new.example\n"}},
	{"null", "version: 1\nallow:¶¶§ # none\n§ignore: [b.example]\n", allowNew, []string{"", "  - new.example\n"}},

	{"missing, last", "version: 1\nallow:\n  - a.example\n§", ignoreNew, []string{"ignore:\n  - host: new.example\n    reason: the phone's own\n"}},
	{"missing, in order", "version: 1\nallow: [a.example]\n§deny: [b.example]\n", ignoreNew, []string{"ignore:\n  - host: new.example\n    reason: the phone's own\n"}},
	{"missing, file in another order", "waivers: []\nversion: 1\ndeny: [b.example]\nallow: [a.example]\n§require:\n  https: true\n", ignoreNew,
		[]string{"ignore:\n  - host: new.example\n    reason: the phone's own\n"}},
	{"missing, blank lines between", "version: 1\n\nallow:\n  - a.example\n§\n# why\ndeny:\n  - b.example\n", ignoreNew,
		[]string{"\nignore:\n  - host: new.example\n    reason: the phone's own\n"}},
	{"missing, comments at the end", "version: 1\ndeny:\n- b.example\n§\n# the end\n", waiveNew,
		[]string{"\nwaivers:\n- rule: cleartext\n  host: new.example\n  reason: an old server\n  until: 2027-02-20\n"}},
	{"missing, shown in a comment", "version: 1\nallow: [a.example]\n# ignore:\n#   - preset: x\n§# Forbidden:\ndeny: [b.example]\n", ignoreNew,
		[]string{"ignore:\n  - host: new.example\n    reason: the phone's own\n"}},
	{"missing, no newline", "version: 1\nallow: [a.example]§", ignoreNew, []string{"\nignore:\n  - host: new.example\n    reason: the phone's own"}},
	{"names nothing yet", "version: 1\nname: x\n§", allowNew, []string{"allow:\n  - new.example\n"}},

	{"JSON", "{\"version\": 1, \"allow\": [\"a.example\"§]}", allowNew, []string{`, "new.example"`}},
	{"JSON, empty", "{\"version\": 1, \"allow\": [§]}", ignoreNew.as(ChangeAllow), []string{`{"host": "new.example", "reason": "the phone's own"}`}},

	{"habit of double quotes", "version: 1\nallow:\n  - \"a.example\"\n§", allowNew, []string{"  - \"new.example\"\n"}},
	{"habit of single quotes", "version: 1\nignore:\n  - host: 'a.example'\n    reason: 'why'\n§", ignoreNew, []string{"  - host: 'new.example'\n    reason: 'the phone''s own'\n"}},
	{"quotes that were needed", "version: 1\nallow:\n  - '*.a.example'\n§", allowNew, []string{"  - new.example\n"}},
	{"quotes that were needed, needed again", "version: 1\nallow:\n  - '*.a.example'\n§", Change{Kind: ChangeAllow, Pattern: "*.new.example"}, []string{"  - '*.new.example'\n"}},
}

// as returns the change with another kind.
func (c Change) as(kind ChangeKind) Change {
	c.Kind = kind
	return c
}

func TestEditForms(t *testing.T) {
	for _, test := range forms {
		t.Run(test.name, func(t *testing.T) {
			before, want := test.text, test.text
			before = strings.ReplaceAll(before, "§", "")
			if i := strings.Index(test.text, "¶"); i >= 0 {
				cut := map[int]string{3: " []", 2: " ~"}[strings.Count(test.text, "¶")]
				before = strings.Replace(before, strings.Repeat("¶", len(cut)), cut, 1)
				want = strings.ReplaceAll(want, "¶", "")
			}
			for _, text := range test.inserted {
				want = strings.Replace(want, "§", text, 1)
			}
			after, err := Edit("telltale.yaml", []byte(before), test.change, options())
			if err != nil {
				t.Fatalf("%v", err)
			}
			if string(after) != want {
				t.Errorf("edited:\n%q\nwant:\n%q", after, want)
			}
			if _, err := Edit("telltale.yaml", after, test.change, options()); !errors.Is(err, ErrUnchanged) {
				t.Errorf("the same again: %v", err)
			}
		})
	}
}

func TestEditBeginsAFile(t *testing.T) {
	begin := string(NewFile("", nil))
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", begin + "allow:\n  - new.example\n"},
		{"a byte order mark", "\ufeff", "\ufeff" + begin + "allow:\n  - new.example\n"},
		{"comments", "# mine\n\n", "# mine\n\nversion: 1\nname: hosts that the app may contact\nallow:\n  - new.example\n"},
		{"comments, CRLF", "# mine\r\n# too", "# mine\r\n# too\r\nversion: 1\r\nname: hosts that the app may contact\r\nallow:\r\n  - new.example\r\n"},
		{"flags", string(NewFile("Audit: ${X}", []string{"*.a.example", "b.example"})),
			"# What an app may contact. Check with `telltale policy lint`.\nversion: 1\nname: \"Audit: $${X}\"\nallow:\n  - \"*.a.example\"\n  - b.example\n  - new.example\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			data := []byte(test.text)
			after, err := Edit("telltale.yaml", data, allowNew, options())
			if err != nil || string(after) != test.want {
				t.Fatalf("edited:\n%q\nwant:\n%q\nerror %v", after, test.want, err)
			}
			if string(data) != test.text {
				t.Error("the former text was written to")
			}
		})
	}
	if after, err := Edit("telltale.yaml", nil, waiveNew, options()); err != nil || !strings.Contains(string(after), "until: 2027-02-20\n") {
		t.Errorf("nil: %q, %v", after, err)
	}
	if p := parse(t, string(NewFile("Audit: ${X}", []string{"b.example"}))); p.Name() != "Audit: ${X}" {
		t.Errorf("name %q", p.Name())
	}
	if hostile := string(NewFile("a\nallow: [\"*\"]", nil)); strings.Contains(hostile, "*") {
		t.Errorf("a name became an entry: %q", hostile)
	}
}

// TestEditRefuses has files that cannot be added to without harm, or at all.
func TestEditRefuses(t *testing.T) {
	for _, test := range []struct {
		name    string
		text    string
		change  Change
		line    int
		message string
	}{
		{"alias", "version: 1\nallow: &hosts [a.example]\nignore: *hosts\n", ignoreNew, 3, "ignore is an alias"},
		{"anchor whose alias would get the entry", "version: 1\nallow: &hosts [a.example]\nignore: *hosts\n", allowNew, 2, "no entry can be added to allow"},
		{"merge key", "version: 1\nx: &x {}\n<<: *x\nallow: [a.example]\n", allowNew, 2, "unknown key"},
		{"merge key of an entry", "version: 1\nallow:\n  - &a {host: a.example}\n  - <<: *a\n", allowNew, 4, "merge keys"},
		{"explicit key", "version: 1\n? allow\n: [a.example]\n", allowNew, 2, ""},
		{"key with an anchor", "version: 1\n&a allow: [a.example]\n", allowNew, 2, ""},
		{"text that keeps blank lines", "version: 1\nallow:\n  - host: a.example\n    reason: |+\n      one\n\n", allowNew, 2, "no entry can be added to allow"},
		{"text that goes on like a comment", "version: 1\nallow:\n  - host: a.example\n    reason: |\n      one\n\n      # two\n", allowNew, 2, "no entry can be added to allow"},
		{"JSON without the list", "{\"version\": 1, \"allow\": [\"a.example\"]}", ignoreNew, 1, `without a list "ignore"`},
		{"a second document", "version: 1\nallow: [a.example]\n---\nversion: 1\n", allowNew, 3, "a second document"},
		{"another section without a value", "version: 1\nallow: [a.example]\nignore:\n", allowNew, 3, "has no value"},
		{"not a list", "version: 1\nallow: a.example\n", allowNew, 2, "expected a list"},
		{"no policy", "hello\n", allowNew, 1, "expected keys"},
		{"a tab", "version: 1\nallow:\n\t- a.example\n", allowNew, 3, "a tab"},
		{"UTF-16", "\xff\xfev\x00", allowNew, 1, "UTF-16"},
		{"control character", "version: 1\nallow: [a.example] # \x1b[31m\n", allowNew, 2, "a control character"},
		{"control character in comments", "# \x1b[31m\n", allowNew, 1, "a control character"},
		{"a variable that is not set", "version: 1\nallow: [\"${NONE}\"]\n", allowNew, 2, "not set"},
	} {
		t.Run(test.name, func(t *testing.T) {
			after, err := Edit("telltale.yaml", []byte(test.text), test.change, options())
			var at *Error
			if !errors.As(err, &at) || after != nil {
				t.Fatalf("edited %q, error %v", after, err)
			}
			if at.Line != test.line || !strings.Contains(at.Message, test.message) {
				t.Errorf("error %v, want line %d and %q", err, test.line, test.message)
			}
		})
	}
}

// TestEditKeepsEveryFile edits every file of these tests in every way: on success the
// former text is in it, byte for byte and in order, but for an empty list.
func TestEditKeepsEveryFile(t *testing.T) {
	texts := []string{contractPolicy, string(Draft("x", nil)), string(NewFile("x", []string{"b.example"}))}
	for _, form := range forms {
		if !strings.Contains(form.text, "¶") {
			texts = append(texts, strings.ReplaceAll(form.text, "§", ""))
		}
	}
	for _, text := range texts {
		for _, change := range []Change{allowNew, ignoreNew, waiveNew, ignoreNew.as(ChangeAllow), {Kind: ChangeIgnore, Pattern: "2001:db8::/32"}} {
			for _, text := range []string{text, strings.ReplaceAll(strings.ReplaceAll(text, "\r", ""), "\n", "\r\n")} {
				after, err := Edit("telltale.yaml", []byte(text), change, options())
				if err != nil {
					var at *Error // JSON without the list, or another section without a value
					if !errors.As(err, &at) || !strings.HasPrefix(text, "{") && !strings.Contains(err.Error(), "has no value") {
						t.Errorf("%v in\n%s", err, text)
					}
					continue
				}
				if !strings.Contains(text, "[]") {
					checkOnlyAdds(t, []byte(text), after)
				}
				if got := strings.Count(string(after), "\r"); strings.Contains(text, "\r\n") && !strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") && got != strings.Count(string(after), "\n") {
					t.Errorf("line endings are mixed: %q", after)
				}
			}
		}
	}
}

// TestEditDecides judges by the edited policy.
func TestEditDecides(t *testing.T) {
	f := flowtest.Get("https://new.example/")
	if v := parse(t, contractPolicy).Judge(f).Verdict; v != Violation {
		t.Fatalf("before: %q", v)
	}
	waiver := waiveNew
	waiver.Rule = HostNotAllowed
	for change, want := range map[Change]Verdict{allowNew: Allowed, ignoreNew: Ignored, waiver: Waived} {
		after, err := Edit("telltale.yaml", []byte(contractPolicy), change, options())
		if err != nil {
			t.Fatal(err)
		}
		if v := parse(t, string(after)).Judge(f).Verdict; v != want {
			t.Errorf("%s: %q, want %q", change.Kind, v, want)
		}
	}
}

// TestEditQuotes writes patterns and reasons in quotes exactly when YAML needs them.
func TestEditQuotes(t *testing.T) {
	for _, test := range []struct{ reason, plain, inFlow string }{
		{"made by iOS itself", "made by iOS itself", "made by iOS itself"},
		{"it's the phone", "it's the phone", "it's the phone"},
		{"see: the wiki", `"see: the wiki"`, `"see: the wiki"`},
		{"a:b", "a:b", `"a:b"`},
		{"issue #4", `"issue #4"`, `"issue #4"`},
		{"issue#4", "issue#4", `"issue#4"`},
		{"one, two", "one, two", `"one, two"`},
		{"a [b] {c}", "a [b] {c}", `"a [b] {c}"`},
		{`say "no" \ yes`, `say "no" \ yes`, `say "no" \ yes`},
		{`"no"`, `"\"no\""`, `"\"no\""`},
		{"# none", `"# none"`, `"# none"`},
		{"- none", `"- none"`, `"- none"`},
		{"ends:", `"ends:"`, `"ends:"`},
		{"yes", `"yes"`, `"yes"`},
		{"Null", `"Null"`, `"Null"`},
		{"12", `"12"`, `"12"`},
		{"12:30", `"12:30"`, `"12:30"`},
		{"1e3", `"1e3"`, `"1e3"`},
		{"0x1f", `"0x1f"`, `"0x1f"`},
		{"~", `"~"`, `"~"`},
		{"*a", `"*a"`, `"*a"`},
		{"&a", `"&a"`, `"&a"`},
		{"!a", `"!a"`, `"!a"`},
		{"%a", `"%a"`, `"%a"`},
		{"@a", `"@a"`, `"@a"`},
		{"| a", `"| a"`, `"| a"`},
		{"? a", `"? a"`, `"? a"`},
		{"costs ${X} and $${Y}", "costs $${X} and $$${Y}", `"costs $${X} and $$${Y}"`},
		{"Prüfung – 検査 ✓", "Prüfung – 検査 ✓", "Prüfung – 検査 ✓"},
		{"😀", `"😀"`, `"😀"`},
	} {
		for text, want := range map[string]string{
			"version: 1\nallow:\n  - a.example\n": "version: 1\nallow:\n  - a.example\n  - host: new.example\n    reason: " + test.plain + "\n",
			"version: 1\nallow: [a.example]\n":    "version: 1\nallow: [a.example, {host: new.example, reason: " + test.inFlow + "}]\n",
		} {
			after, err := Edit("telltale.yaml", []byte(text), Change{Kind: ChangeAllow, Pattern: "new.example", Reason: test.reason}, options())
			if err != nil || string(after) != want {
				t.Errorf("%q:\n%s\nwant\n%s\nerror %v", test.reason, after, want, err)
				continue
			}
			if got := parse(t, string(after)).allow[1].Reason; got != test.reason {
				t.Errorf("reason %q is read as %q", test.reason, got)
			}
		}
	}
	for pattern, want := range map[string]string{
		"canada.ca": "canada.ca", "CANADA.ca.": "canada.ca", ".canada.ca": ".canada.ca", "*.canada.ca": `"*.canada.ca"`,
		"*": `"*"`, "canada.ca:8443": "canada.ca:8443", "192.0.2.1": "192.0.2.1", "10.0.0.0/8": "10.0.0.0/8",
		"2001:db8::1": `"2001:db8::1"`, "[2001:db8::1]:443": `"[2001:db8::1]:443"`, "2001:db8::/32": `"2001:db8::/32"`,
		"bücher.example": "xn--bcher-kva.example", "_dmarc.example": `"_dmarc.example"`, "yes": `"yes"`, ".inf": `".inf"`, "1e3.example": "1e3.example",
	} {
		after, err := Edit("telltale.yaml", []byte("version: 1\nignore: [a.example]\nallow:\n"), Change{Kind: ChangeAllow, Pattern: pattern}, options())
		if _, got, _ := strings.Cut(string(after), "- "); err != nil || strings.TrimSpace(got) != want {
			t.Errorf("%s is written %s, want %s (%v)", pattern, got, want, err)
		}
	}
}

func FuzzEdit(f *testing.F) {
	for _, form := range forms {
		text := strings.NewReplacer("§", "", "¶¶¶", " []", "¶¶", " ~").Replace(form.text)
		f.Add(text, string(form.change.Kind), form.change.Pattern, form.change.Reason)
	}
	f.Add(contractPolicy, "waive", "*.x.example:443", "it: #1")
	f.Add(devicePolicy, "allow", "*.x.example", "")
	f.Add(string(Draft("x", nil)), "ignore", "*", "")
	f.Fuzz(func(t *testing.T, text, kind, pattern, reason string) {
		c := Change{Kind: ChangeKind(kind), Pattern: pattern, Reason: reason, Rule: Cleartext, Until: today.AddDate(1, 0, 0)}
		after, err := Edit("telltale.yaml", []byte(text), c, options())
		if err != nil {
			if after != nil || err.Error() == "" {
				t.Fatalf("error %q with %q", err, after)
			}
			return
		}
		p, err := Parse("telltale.yaml", after, options())
		if err != nil {
			t.Fatalf("the edited file is an error: %v\n%s", err, after)
		}
		if former, err := Parse("telltale.yaml", []byte(text), options()); err == nil {
			if n := fmt.Sprint(len(p.allow)+len(p.ignore)+len(p.waivers)-len(former.allow)-len(former.ignore)-len(former.waivers), len(p.deny)-len(former.deny), len(p.secrets)-len(former.secrets)); n != "1 0 0" {
				t.Fatalf("entries added: %s\n%s", n, after)
			}
			if !strings.Contains(text, "]") { // an empty list makes room
				checkOnlyAdds(t, []byte(text), after)
			}
		}
		if Diff("f", []byte(text), after) == "" {
			t.Fatalf("no difference:\n%s", after)
		}
		if _, err := Edit("telltale.yaml", after, c, options()); !errors.Is(err, ErrUnchanged) {
			t.Fatalf("the same again: %v\n%s", err, after)
		}
	})
}
