package policy

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"telltale/guard/raced"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// contractPolicy is the example of the contract, section 5.
const contractPolicy = `version: 1
name: COVID Alert talks to the Government of Canada only
app:
  user-agent: "CovidShield*"     # optional: which flows are the app's own
allow:
  - "*.canada.ca"
  - host: ocsp.digicert.com
    methods: [GET, POST]
    paths: ["/*"]
    reason: revocation checks made by the system
ignore:                          # the device's own noise: recorded, never a violation
  - preset: ios-system
deny:                            # wins over allow
  - category: advertising
require:
  https: true                    # cleartext is a violation (default true)
  tls: "1.2"                     # lowest TLS version towards the server
  certificate: valid             # towards the server (default)
never-send:                      # values that must not leave the device
  - name: e-mail of the test account
    value: ${TEST_EMAIL}
waivers:
  - rule: captive-portal-probe
    host: captive.apple.com
    reason: made by iOS itself
    until: 2027-01-31
`

// today is the clock of the tests.
var today = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// options are those of a process with one variable, on that day.
func options() Options {
	return Options{
		Env: func(name string) (string, bool) {
			value, ok := map[string]string{"TEST_EMAIL": "jane.doe@example.com", "EMPTY": "", "HOST": "api.example.com"}[name]
			return value, ok
		},
		Now: func() time.Time { return today },
		ReadFile: func(path string) ([]byte, error) {
			text, ok := secretFiles[filepath.ToSlash(path)]
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: filepath.ToSlash(path), Err: fs.ErrNotExist}
			}
			return []byte(text), nil
		},
	}
}

func parse(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := Parse("telltale.yaml", []byte(text), options())
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return p
}

func TestParseContractExample(t *testing.T) {
	p := parse(t, contractPolicy)
	if p.Name() != "COVID Alert talks to the Government of Canada only" || p.File() != "telltale.yaml" {
		t.Errorf("name %q, file %q", p.Name(), p.File())
	}
	if len(p.Digest()) != 64 {
		t.Errorf("digest %q", p.Digest())
	}
	if s := p.Secrets(); len(s) != 1 || s[0].Name != "e-mail of the test account" || s[0].Reveal() != "jane.doe@example.com" {
		t.Errorf("secrets %v", s)
	}
	want := allowRule{Methods: []string{"GET", "POST"}, Paths: []string{"/*"}, Reason: "revocation checks made by the system",
		Source: Source{File: "telltale.yaml", Line: 7, Text: "host: ocsp.digicert.com"}}
	got := p.allow[1]
	if fmt.Sprint(got.Methods, got.Paths, got.Reason, got.Source) != fmt.Sprint(want.Methods, want.Paths, want.Reason, want.Source) {
		t.Errorf("allow[1] = %+v, want %+v", got, want)
	}
	if p.waivers[0].Source.Line != 23 || p.nothing.Line != 5 {
		t.Errorf("waiver on line %d, allow on line %d", p.waivers[0].Source.Line, p.nothing.Line)
	}
}

// badPolicy is a file with the place and the words of its error, and of its hint.
type badPolicy struct {
	name         string
	text         string
	line, column int
	message      string // a part of it
	hint         string // a part of it
}

var badPolicies = []badPolicy{
	{"empty", "", 1, 1, "the policy is empty", "telltale policy init"},
	{"blank", " \n\n", 1, 1, "the policy is empty", ""},
	{"comments only", "# nothing\n", 1, 1, "the policy is empty", ""},
	{"a scalar", "hello\n", 1, 1, "expected keys with values, found text", "allow"},
	{"a list", "- a\n", 1, 1, "expected keys with values, found a list", ""},
	{"unknown key", "version: 1\nalow:\n  - a.example\n", 2, 1, `unknown key "alow"; did you mean "allow"?`, `write "allow"`},
	{"unknown key, in capitals", "version: 1\nAllow: [a.example]\n", 2, 1, `did you mean "allow"?`, ""},
	{"unknown key, not near any", "version: 1\nzzzzzz: 1\n", 2, 1, `unknown key "zzzzzz"`, "one of: allow, app"},
	{"unknown key of an entry", "version: 1\nallow:\n  - host: a.example\n    method: [GET]\n", 4, 5, `did you mean "methods"?`, ""},
	{"unknown key of app", "version: 1\napp:\n  useragent: x\nallow: [a.example]\n", 3, 3, `did you mean "user-agent"?`, ""},
	{"duplicate key", "version: 1\nallow: [a.example]\nallow: [b.example]\n", 3, 1, `key "allow" stands here twice`, "keep one"},
	{"duplicate key of an entry", "version: 1\nallow:\n  - host: a.example\n    host: b.example\n", 4, 5, `key "host" stands here twice`, ""},
	{"no version", "allow: [a.example]\n", 1, 1, "version is missing", "version"},
	{"version 2", "version: 2\nallow: [a.example]\n", 1, 10, "version 2 is not known", "version: 1"},
	{"version as text", "version: \"1\"\nallow: [a.example]\n", 1, 10, "version must be the number 1, found text", "version: 1"},
	{"version 1.0", "version: 1.0\nallow: [a.example]\n", 1, 10, "version 1.0 is not known", ""},
	{"names nothing", "version: 1\nname: x\n", 1, 1, "the policy names nothing", `deny: ["*"]`},
	{"allows nothing", "version: 1\nallow: []\n", 1, 1, "the policy names nothing", ""},
	{"key without value", "version: 1\nallow:\n", 2, 1, `"allow" has no value`, ""},
	{"entry without value", "version: 1\nallow:\n  -\n", 3, 5, "found nothing", ""},
	{"text for a list", "version: 1\nallow: a.example\n", 2, 8, "expected a list, found text", "after a dash"},
	{"number for a host", "version: 1\nallow: [12]\n", 2, 9, "expected text, found a number", "quotes"},
	{"list for a host", "version: 1\nallow:\n  - [::1]:443\n", 3, 10, "not valid YAML", ""},
	{"list for a name", "version: 1\nname: [a]\nallow: [a.example]\n", 2, 7, "expected text, found a list", ""},
	{"bool for a name", "version: 1\nname: true\nallow: [a.example]\n", 2, 7, "expected text, found true or false", "quotes"},
	{"empty name", "version: 1\nname: \" \"\nallow: [a.example]\n", 2, 7, "the text is empty", ""},
	{"bad pattern", "version: 1\nallow:\n  - \"*foo.com\"\n", 3, 5, `host pattern "*foo.com": has a * that is not a whole label`, `"*.foo.com"`},
	{"bad pattern in an entry", "version: 1\nallow:\n  - host: https://a.example/x\n", 3, 11, "has a scheme", `"a.example"`},
	{"pattern without quotes", "version: 1\nallow:\n  - *.canada.ca\n", 3, 5, "", "needs quotes"},
	{"any host without quotes", "version: 1\nallow:\n  - *\n", 3, 5, "", "needs quotes"},
	{"entry without host", "version: 1\nallow:\n  - methods: [GET]\n", 3, 5, "host is missing", "host"},
	{"lower-case method", "version: 1\nallow:\n  - host: a.example\n    methods: [get]\n", 4, 15, `did you mean "GET"?`, "GET"},
	{"method with a space", "version: 1\nallow:\n  - host: a.example\n    methods: [\"G T\"]\n", 4, 15, "is not an HTTP method", ""},
	{"method *", "version: 1\nallow:\n  - host: a.example\n    methods: [\"*\"]\n", 4, 15, "is not an HTTP method", "leave methods out"},
	{"no methods", "version: 1\nallow:\n  - host: a.example\n    methods: []\n", 3, 5, "methods is an empty list", ""},
	{"no paths", "version: 1\nallow:\n  - host: a.example\n    paths: []\n", 3, 5, "paths is an empty list", ""},
	{"relative path", "version: 1\nallow:\n  - host: a.example\n    paths: [v1/*]\n", 4, 13, "does not start with /", `"/v1/*"`},
	{"path with a query", "version: 1\nallow:\n  - host: a.example\n    paths: [\"/a?b\"]\n", 4, 13, "has a query", ""},
	{"path with dots", "version: 1\nallow:\n  - host: a.example\n    paths: [\"/a/../b\"]\n", 4, 13, "is not normal", ""},
	{"path with two slashes", "version: 1\nallow:\n  - host: a.example\n    paths: [\"//a\"]\n", 4, 13, "is not normal", ""},
	{"encoded path", "version: 1\nallow:\n  - host: a.example\n    paths: [\"/%61\"]\n", 4, 13, "encoded character", "plain path"},
	{"unknown preset", "version: 1\nignore:\n  - preset: ios-systm\n", 3, 13, `unknown preset "ios-systm"; did you mean "ios-system"?`, ""},
	{"preset not near any", "version: 1\nignore:\n  - preset: plan9\n", 3, 13, `unknown preset "plan9"`, "one of: ios-system"},
	{"host and preset", "version: 1\nignore:\n  - preset: ios-system\n    host: a.example\n", 3, 5, "either a host or a preset", ""},
	{"neither host nor preset", "version: 1\nignore:\n  - reason: x\n", 3, 5, "either a host or a preset", ""},
	{"unknown category", "version: 1\ndeny:\n  - category: advertizing\n", 3, 15, `did you mean "advertising"?`, ""},
	{"host and category", "version: 1\ndeny:\n  - category: social\n    host: a.example\n", 3, 5, "either a host or a category", ""},
	{"unknown rule", "version: 1\nwaivers:\n  - {rule: clear-text, host: a.example, reason: x, until: 2027-01-01}\n", 3, 12, `unknown rule "clear-text"; did you mean "cleartext"?`, ""},
	{"waiver without reason", "version: 1\nwaivers:\n  - {rule: cleartext, host: a.example, until: 2027-01-01}\n", 3, 6, "reason is missing", "reason"},
	{"waiver without end", "version: 1\nwaivers:\n  - {rule: cleartext, host: a.example, reason: x}\n", 3, 6, "until is missing", "2027-01-31"},
	{"expired waiver", "version: 1\nwaivers:\n  - {rule: cleartext, host: a.example, reason: x, until: 2026-11-19}\n", 3, 58, "the waiver expired on 2026-11-19", "new date"},
	{"no such day", "version: 1\nwaivers:\n  - {rule: cleartext, host: a.example, reason: x, until: 2027-02-30}\n", 3, 58, "is not a date", "2027-01-31"},
	{"a year", "version: 1\nwaivers:\n  - {rule: cleartext, host: a.example, reason: x, until: 2027}\n", 3, 58, "expected a date", ""},
	{"https as text", "version: 1\nallow: [a.example]\nrequire:\n  https: yes\n", 4, 10, "expected true or false, found text", ""},
	{"unknown TLS version", "version: 1\nallow: [a.example]\nrequire:\n  tls: \"1.4\"\n", 4, 8, `unknown TLS version "1.4"`, "1.3"},
	{"certificate", "version: 1\nallow: [a.example]\nrequire:\n  certificate: vald\n", 4, 16, `did you mean "valid"?`, ""},
	{"require as a list", "version: 1\nallow: [a.example]\nrequire:\n  - https: true\n", 4, 3, "expected keys with values, found a list", "certificate, https, tls"},
	{"unset variable", "version: 1\nnever-send:\n  - name: x\n    value: ${NOT_SET}\n", 4, 12, "the variable NOT_SET is not set", "export NOT_SET"},
	{"unset variable in a pattern", "version: 1\nallow: [\"*.${NOT_SET}\"]\n", 2, 9, "the variable NOT_SET is not set", ""},
	{"open variable", "version: 1\nnever-send:\n  - name: x\n    value: \"${TEST_EMAIL\"\n", 4, 12, "a variable is written ${NAME}", "$${"},
	{"no variable's name", "version: 1\nnever-send:\n  - name: x\n    value: \"${A-B}\"\n", 4, 12, "a variable is written ${NAME}", ""},
	{"empty secret", "version: 1\nnever-send:\n  - name: x\n    value: ${EMPTY}\n", 4, 12, "the text is empty", ""},
	{"short secret", "version: 1\nnever-send:\n  - name: x\n    value: abc\n", 4, 12, "too short", ""},
	{"number as secret", "version: 1\nnever-send:\n  - name: x\n    value: 123456\n", 4, 12, "expected text, found a number", "quotes"},
	{"neither value nor file", "version: 1\nnever-send:\n  - name: x\n", 3, 5, "either a value or a file", "file: secrets/e-mail"},
	{"value and file", "version: 1\nnever-send:\n  - {name: x, value: abcde, file: s/mail}\n", 3, 6, "either a value or a file", ""},
	{"no such file", "version: 1\nnever-send:\n  - name: x\n    file: s/none\n", 4, 11, "cannot read the value: open s/none", "relative to the policy"},
	{"file of two lines", "version: 1\nnever-send:\n  - name: x\n    file: s/two\n", 4, 11, "more than one line", "one value"},
	{"file of nothing", "version: 1\nnever-send:\n  - name: x\n    file: s/blank\n", 4, 11, "is empty", ""},
	{"file of bytes", "version: 1\nnever-send:\n  - name: x\n    file: s/binary\n", 4, 11, "no text", "UTF-8"},
	{"file of a short value", "version: 1\nnever-send:\n  - name: x\n    file: s/short\n", 4, 11, "too short", ""},
	{"file too long", "version: 1\nnever-send:\n  - name: x\n    file: s/long\n", 4, 11, "longer than 4096 bytes", ""},
	{"file as a number", "version: 1\nnever-send:\n  - name: x\n    file: 12\n", 4, 11, "expected text, found a number", "quotes"},
	{"two secrets of one name", "version: 1\nnever-send:\n  - {name: x, value: abcde}\n  - {name: x, value: fghij}\n", 4, 12, `two values are named "x"`, ""},
	{"two documents", "version: 1\nallow: [a.example]\n---\nversion: 1\nallow: [b.example]\n", 3, 1, "a second document", "one document"},
	{"tab", "version: 1\nallow:\n\t- a.example\n", 3, 1, "a tab", "spaces"},
	{"tab behind spaces", "version: 1\nallow:\n  \t- a.example\n", 3, 3, "a tab", "spaces"},
	{"NUL", "version: 1\nname: a\x00b\n", 2, 8, "control character (U+0000)", ""},
	{"lone carriage return", "version: 1\rname: x", 1, 11, "control character (U+000D)", ""},
	{"not UTF-8", "version: 1\nname: caf\xe9\n", 2, 10, "not UTF-8", "UTF-8"},
	{"UTF-16", "\xff\xfev\x00e\x00", 1, 1, "UTF-16", "UTF-8"},
	{"unclosed quote", "version: 1\nname: \"abc\n", 2, 7, "not valid YAML", ""},
	{"unclosed list", "version: 1\nallow: [a.example\n", 2, 8, "not valid YAML", ""},
	{"bad indentation", "version: 1\nallow:\n  - a.example\n - b.example\n", 4, 2, "not valid YAML", ""},
	{"tag", "version: 1\nname: !!str x\nallow: [a.example]\n", 2, 7, "tags are not used", ""},
	{"merge key", "version: 1\nallow:\n  - &a {host: a.example}\n  - {<<: *a, reason: x}\n", 4, 6, "merge keys", ""},
	{"unknown alias", "version: 1\nallow: [*nobody]\n", 2, 9, "alias *nobody has no anchor", "quotes"},
	{"JSON with a wrong key", `{"version": 1, "alow": ["a.example"]}`, 1, 16, `did you mean "allow"?`, ""},
	{"too large", "# " + strings.Repeat("x", MaxFileSize), 1, 1, "larger than", ""},
	{"deep flow", "version: 1\nallow: " + strings.Repeat("[", 5000) + "\n", 2, 40, "nested too deep", ""},
	{"deep block", "version: 1\nallow: " + strings.Repeat("- ", 5000) + "\n", 2, 0, "", ""},
}

func TestParseBadPolicies(t *testing.T) { checkBad(t, badPolicies) }

func checkBad(t *testing.T, files []badPolicy) {
	for _, tt := range files {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse("telltale.yaml", []byte(tt.text), options())
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("Parse = %v, %v; want an *Error", p, err)
			}
			if e.File != "telltale.yaml" || e.Line != tt.line || tt.column != 0 && e.Column != tt.column {
				t.Errorf("at %s:%d:%d, want line %d column %d", e.File, e.Line, e.Column, tt.line, tt.column)
			}
			if !strings.Contains(e.Message, tt.message) {
				t.Errorf("message %q lacks %q", e.Message, tt.message)
			}
			if !strings.Contains(e.Hint(), tt.hint) {
				t.Errorf("hint %q lacks %q", e.Hint(), tt.hint)
			}
			if !strings.HasPrefix(e.Error(), fmt.Sprintf("telltale.yaml:%d:%d: ", e.Line, e.Column)) {
				t.Errorf("Error() = %q", e.Error())
			}
		})
	}
}

// TestParseErrorsLook holds whole errors, as a person sees them, against a file.
func TestParseErrorsLook(t *testing.T) {
	golden(t, "errors.txt", errorsOf(t, badPolicies))
	golden(t, "device-errors.txt", errorsOf(t, badDevices))
	golden(t, "identifier-errors.txt", errorsOf(t, badIdentifiers))
}

func errorsOf(t *testing.T, files []badPolicy) string {
	var b strings.Builder
	for _, tt := range files {
		if len(tt.text) > 1000 {
			continue
		}
		_, err := Parse("telltale.yaml", []byte(tt.text), options())
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%s: %v", tt.name, err)
		}
		fmt.Fprintf(&b, "# %s\nerror: %s\nhint: %s\n\n", tt.name, e.Error(), e.Hint())
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs; run the test with -update and read the difference.\ngot:\n%s", path, got)
	}
}

func TestParseAccepts(t *testing.T) {
	for name, text := range map[string]string{
		"BOM":                   "\xef\xbb\xbfversion: 1\nallow: [a.example]\n",
		"CRLF":                  "version: 1\r\nallow:\r\n  - a.example\r\n",
		"document start":        "---\nversion: 1\nallow: [a.example]\n",
		"document end":          "version: 1\nallow: [a.example]\n...\n",
		"JSON":                  `{"version": 1, "allow": ["*.example.com", {"host": "a.example", "methods": ["GET"]}]}`,
		"anchors":               "version: 1\nallow:\n  - {host: a.example, methods: &m [GET, POST]}\n  - {host: b.example, methods: *m}\n",
		"TLS without quotes":    "version: 1\nallow: [a.example]\nrequire: {tls: 1.3}\n",
		"only deny":             "version: 1\ndeny: [\"*\"]\n",
		"only never-send":       "version: 1\nnever-send: [{name: x, value: abcd}]\n",
		"waiver ends today":     "version: 1\nwaivers: [{rule: cleartext, host: a.example, reason: x, until: 2026-11-20}]\n",
		"identifier-leaked":     "version: 1\nwaivers: [{rule: identifier-leaked, host: a.example, reason: x, until: 2027-01-01}]\n",
		"every method is known": "version: 1\nallow: [{host: a.example, methods: [PROPFIND, M-SEARCH]}]\n",
		"block scalar":          "version: 1\nname: >\n  folded\n  text\nallow: [a.example]\n",
		"IPv6":                  "version: 1\nallow: [\"::1\", \"[::1]:443\", \"2001:db8::/32\"]\n",
		"IPv4":                  "version: 1\nallow:\n  - 192.0.2.1\n  - 192.0.2.1:80\n  - 10.0.0.0/8\n",
		"path with a star":      "version: 1\nallow: [{host: a.example, paths: [\"*\", \"*/x\", \"/a/*/b\", \"/\"]}]\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse("telltale.yaml", []byte(text), options()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestParseVariables(t *testing.T) {
	p := parse(t, "version: 1\nname: \"pa$$word $1 $${HOST} ${HOST}\"\nallow: [\"${HOST}:443\"]\n")
	if want := "pa$$word $1 ${HOST} api.example.com"; p.Name() != want {
		t.Errorf("name %q, want %q", p.Name(), want)
	}
	if !p.allow[0].Pattern.Match("api.example.com", "443") {
		t.Errorf("pattern %s", p.allow[0].Pattern)
	}
	if got := p.allow[0].Source.Text; got != "${HOST}:443" {
		t.Errorf("the source says %q, want it as written", got)
	}
}

func TestParseKeepsSecretsOutOfErrors(t *testing.T) {
	for _, text := range []string{
		"version: 1\nnever-send:\n  - {nam: x, value: hunter2hunter2}\n",
		"version: 1\nnever-send:\n  - name: x\n    value: [hunter2hunter2]\n",
		"version: 1\nnever-send:\n  - name: x\n    value: \"hunter2hunter2 ${NOPE}\"\n",
		"version: 1\nnever-send:\n  - name: x\n    value: !!str hunter2hunter2\n",
	} {
		_, err := Parse("p.yaml", []byte(text), options())
		if err == nil {
			t.Fatalf("no error for %q", text)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the value:\n%v", err)
		}
	}
}

// TestParseBoundsHostileFiles: each of these took the YAML parser minutes, or its
// stack, before it was refused.
func TestParseBoundsHostileFiles(t *testing.T) {
	raced.SkipMeasure(t)
	const n = MaxFileSize / 4
	wide := func() string {
		var b strings.Builder
		for i := range 1400 {
			b.WriteString(strings.Repeat(" ", i) + "a:\n")
		}
		return b.String()
	}
	aliases := "version: 1\nallow:\n  - {host: a.example, paths: &p [" + strings.Repeat("/a, ", 1000) + "/b]}\n" +
		strings.Repeat("  - {host: a.example, paths: *p}\n", 1000)
	for name, tt := range map[string]struct{ text, message string }{
		"block texts":           {strings.Repeat("a: |\n", n/5), "block texts"},
		"keys":                  {strings.Repeat("a: b\n", n/5), "more than 64 keys"},
		"keys with lists":       {strings.Repeat("a:\n - b\n", n/8), "more than 64 keys"},
		"keys of a nested one":  {"version: 1\napp:\n" + strings.Repeat("  a: b\n", n/7), "more than 64 keys"},
		"keys in braces":        {"{" + strings.Repeat("a: b, ", n/6) + "}", "more than 64 keys"},
		"brackets":              {"allow: " + strings.Repeat("[", n/2), "nested too deep"},
		"anchors":               {"allow: [" + strings.Repeat("&a ", n/3), "nested too deep"},
		"dashes":                {"allow: " + strings.Repeat("- ", n/2), ""},
		"question marks":        {strings.Repeat("? ", n/2), "nested too deep"},
		"indentation":           {wide(), "nested too deep"},
		"aliases":               {aliases, "more values"},
		"brackets in documents": {strings.Repeat("---\n[", n/5), "nested too deep"},
	} {
		_, err := Parse("p.yaml", []byte(tt.text), options())
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, tt.message) {
			t.Errorf("%s: %.200v; want %q", name, err, tt.message)
		}
	}
	// A long policy that is none of these parses.
	long := "version: 1\nallow:\n" + strings.Repeat("  - host: a.example\n    methods: [GET]\n    reason: >\n      x\n", 400)
	if p := parse(t, long); len(p.allow) != 400 {
		t.Errorf("%d entries", len(p.allow))
	}
}

func TestNearest(t *testing.T) {
	candidates := []string{"allow", "app", "deny", "ignore", "never-send", "waivers"}
	for word, want := range map[string]string{
		"alow": "allow", "allwo": "allow", "Allow": "allow", "DENY": "deny", "denny": "deny", "waiver": "waivers", "neversend": "never-send",
		"never_send": "never-send", "ignored": "ignore", "ap": "app", "zzz": "", "": "", "version": "", strings.Repeat("a", 10_000): "",
	} {
		if got := nearest(word, candidates); got != want {
			t.Errorf("nearest(%.20q) = %q, want %q", word, got, want)
		}
	}
}

func TestErrorPointsUnderTheCharacter(t *testing.T) {
	e := &Error{File: "p.yaml", Line: 12, Column: 4, Message: "m", excerpt: "é\t- x"}
	if want := "p.yaml:12:4: m\n  12 | é\t- x\n     |  \t ^"; e.Error() != want {
		t.Errorf("Error() = %q, want %q", e.Error(), want)
	}
	if got := (&Error{File: "p.yaml", Line: 1, Column: 1, Message: "m", excerpt: "  "}).Error(); got != "p.yaml:1:1: m" {
		t.Errorf("Error() = %q", got)
	}
	if got := excerptOf(strings.Repeat("é", 1000)); len([]rune(got)) != maxExcerpt+1 {
		t.Errorf("an excerpt of %d characters", len([]rune(got)))
	}
	if got := excerptOf("a\x1b[31mb\x00"); strings.ContainsAny(got, "\x1b\x00") {
		t.Errorf("an excerpt with control characters: %q", got)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "telltale.yaml")
	if err := os.WriteFile(path, []byte("version: 1\nallow: [a.example]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Load(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p.File() != path || p.Name() != "telltale.yaml" {
		t.Errorf("file %q, name %q", p.File(), p.Name())
	}
	if _, err := Load(filepath.Join(dir, "none.yaml"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Load(dir, Options{}); err == nil {
		t.Error("a folder was read as a policy")
	}
}

func TestNewAndAllowAlso(t *testing.T) {
	p, err := New([]string{"*.canada.ca"})
	if err != nil {
		t.Fatal(err)
	}
	if p.Name() == "" || p.File() != "" {
		t.Errorf("name %q, file %q", p.Name(), p.File())
	}
	before := p.Digest()
	if err := p.AllowAlso("a.example"); err != nil {
		t.Fatal(err)
	}
	if p.Digest() == before {
		t.Error("the digest does not depend on --allow")
	}
	if got := p.allow[1].Source; got != (Source{Text: "--allow 'a.example'"}) {
		t.Errorf("source %+v", got)
	}
	var bad *PatternError
	if _, err := New([]string{"*foo.com"}); !errors.As(err, &bad) || bad.Hint() == "" {
		t.Errorf("New with a bad pattern: %v", err)
	}
	if err := p.AllowAlso(""); !errors.As(err, &bad) {
		t.Errorf("AllowAlso with an empty pattern: %v", err)
	}
	if none, err := New(nil); err != nil || none.Name() == "" {
		t.Errorf("New(nil) = %v, %v", none, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(contractPolicy))
	f.Add([]byte(devicePolicy))
	f.Add([]byte(identifierPolicy))
	f.Add([]byte(tellingPolicy))
	for _, tt := range slices.Concat(badPolicies, badDevices, badIdentifiers, badTellings) {
		f.Add([]byte(tt.text[:min(len(tt.text), 2000)]))
	}
	utf16le := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune("version: 1\n")) {
		utf16le = append(utf16le, byte(u), byte(u>>8))
	}
	f.Add(utf16le)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("p.yaml", data, tellingOptions())
		if err == nil {
			if p.Name() == "" {
				t.Error("a policy without a name")
			}
			return
		}
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%T is no *Error: %v", err, err)
		}
		if e.Line < 1 || e.Column < 1 || e.Message == "" || e.File != "p.yaml" {
			t.Errorf("error without a place: %+v", e)
		}
	})
}

func TestMaskValue(t *testing.T) {
	for line, want := range map[string]string{
		"    value: hunter2":           "    value: [redacted]",
		`  - {"value" : "hunter2"}`:    `  - {"value: [redacted]`,
		"  - {value: a, name: x}":      "  - {value: [redacted]",
		"    value: ${TEST_EMAIL}":     "    value: ${TEST_EMAIL}",
		"  - {value: ${A}}":            "  - {value: ${A}}",
		"    value: ${A}hunter2":       "    value: [redacted]",
		"    value:":                   "    value:",
		"never-send: # values of":      "never-send: # values of",
		"  - host: value.example":      "  - host: value.example",
		"    value: \"${A-B}hunter2\"": "    value: [redacted]",
	} {
		if got, _ := maskValue(line); got != want {
			t.Errorf("maskValue(%q) = %q, want %q", line, got, want)
		}
	}
}
