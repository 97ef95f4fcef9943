package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestErrorsShowNoValue holds that an error shows nothing of what stands under never-send,
// however wrong the file is.
func TestErrorsShowNoValue(t *testing.T) {
	const head = "version: 1\nallow: [a.example]\n"
	for _, text := range []string{
		head + "never-send:\n  - {name: m, vlaue: \"Mira.Quell@a.example\"}\n",
		head + "never-send:\n  - {\"Mira.Quell@a.example\": m}\n",
		head + "never-send:\n  m: Mira.Quell@a.example\n",
		head + "never-send: Mira.Quell@a.example\n",
		head + "never-sned: Mira.Quell@a.example\n",
		head + "never-send:\n- Mira.Quell@a.example\n",
		head + "never-send: [Mira.Quell@a.example]\n",
		head + "never-send:\n  - Mira.Quell@a.example: x\n",
		head + "never-send:\n  - name: m\n    value: *Mira.Quell\n",
		head + "never-send:\n  - name: m\n    value: !Mira.Quell x\n",
		head + "never-send:\n  - name: m\n    value: [Mira.Quell\n",
		head + "never-send:\n  - name: m\n    valeu: |\n      Mira.Quell\n",
		head + "never-send:\n  - name: m\n    # Mira.Quell\x01\n",
		head + "never-send:\n  - name: m\n    value: |\n      Mira.Quell\x01\n",
		head + "never-send:\n  - name: m\n    value: \"Mira.Quell\n  x\" y\n",
		head + "never-send:\n  - name: m\n    value: 'Mira.Quell' x: y\n",
		head + "never-send:\n  - name: m\n    value: Mira.Quell\n    value: Mira.Quell\n",
		"{version: 1, never-send: [{name: m, valu: Mira.Quell}]}\n",
		"{version: 1,\nnever-send: [\n{name: m,\nvalu: Mira.Quell}]}\n",
		"version: 1\ndevices:\n  - never-send: Mira.Quell\n",
		// A value that another section has as well.
		head + "waivers:\n  - {rule: Mira.Quell, host: a.example, reason: r, until: 2999-01-01}\nnever-send:\n  - {name: m, value: \"Mira.Quell\"}\n",
		head + "never-send:\n  - {name: m, value: \"Mira.Quell\"}\nwaivers:\n  - {rule: tracker, host: \"*Mira.Quell\", reason: r, until: 2999-01-01}\n",
		"version: 1\nallow: [\"*x\"] # Mira.Quell\nnever-send:\n  - {name: m, value: \"${MIRA}\"}\n",
	} {
		_, err := Parse("p.yaml", []byte(text), Options{Env: func(string) (string, bool) { return "Mira.Quell", true }})
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("error %v:\n%s", err, text)
			continue
		}
		shown := e.Error() + e.Hint()
		if strings.Contains(strings.ToLower(shown), "mira.quell") {
			t.Errorf("shows the value:\n%s", shown)
		}
	}
}

// What is no value stays, so that the error can be understood.
func TestMaskEntry(t *testing.T) {
	for line, want := range map[string]string{
		"never-send:":                          "never-send:",
		"never-send: x":                        "never-send: [redacted]",
		`  - {name: m, vlaue: "x"}`:            `  - {name: m, vlaue: [redacted]`,
		`  - {"name": "m, n", "value": ${A}}`:  `  - {"name": "m, n", "value": ${A}}`,
		`    value: "${A}"`:                    `    value: "${A}"`,
		`    value: ${A}x`:                     `    value: [redacted]`,
		"  - name: e-mail of the test account": "  - name: e-mail of the test account",
		"    file: secrets/mail.txt":           "    file: secrets/mail.txt",
		"    m: x":                             "    [redacted]",
		"  x":                                  "  [redacted]",
		"# x":                                  "[redacted]",
		"  -":                                  "  -",
	} {
		if got := guardedSections[0].mask(line); got != want {
			t.Errorf("mask(%q) = %q, want %q", line, got, want)
		}
	}
	lines := strings.Split("allow:\n  - a\nnever-send:\n- x\n\n  y\nwaivers: []\n", "\n")
	if got := fmt.Sprint(guardedLines(lines)); got != "[false false true true true true false false]" {
		t.Error(got)
	}
}

func guardedLines(lines []string) []bool {
	is := make([]bool, len(lines))
	for i, g := range guardsOf(lines) {
		is[i] = g != nil
	}
	return is
}

// TestErrorsShowNoAddress holds that no error shows what makes the URL of a webhook a secret,
// or an argument of a program, wherever a person has put it.
func TestErrorsShowNoAddress(t *testing.T) {
	const head = "version: 1\nallow: [a.example]\n"
	for _, text := range []string{
		head + "slack: https://hooks.slack.com/services/T0/B0/SECRET\n",
		head + "slack: hooks.slack.com/services/T0/B0/SECRET\n",
		head + "x-slack: {url: \"https://user:SECRET@a.example\"}\n",
		head + "hook: [https://a.example?token=SECRET]\n",
		head + "on: [{run: ./x --token SECRET}]\n",
		head + "on:\n  - run: ./x --token SECRET\n",
		head + "on:\n  - {run: [./x, --token, SECRET], output: 1}\n",
		head + "on:\n  - run: [./x]\n    environment: [\"A=SECRET\"]\n",
		head + "on:\n  - run: [./x]\n    environment: [A, B=SECRET]\n",
		head + "on:\n  - run: [./x]\n    environment:\n      - A=SECRET\n",
		head + "notify:\n  to: [{name: a, slack: {env: A}}]\n  routes: [{to: [\"xyz.logic.azure.com/workflows/SECRET\"]}]\n",
		head + "notify:\n  to: [{name: xyz.logic.azure.com:443/workflows/SECRET, slack: {env: A}}]\n",
		head + "notify:\n  to: [{name: a, webhook: [{env: SECRET/x}]}]\n",
		head + "notify:\n  to: [{name: a, webhook: {env: SECRET/x}}]\n",
	} {
		_, err := Parse("p.yaml", []byte(text), tellingOptions())
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("error %v:\n%s", err, text)
			continue
		}
		if shown := e.Error() + e.Hint(); strings.Contains(shown, "SECRET") {
			t.Errorf("shows the secret:\n%s", shown)
		}
	}
	for line, want := range map[string]string{
		`deny: ["https://a.example"]`:       `deny: ["https://a.example"]`,
		"path: a.example/x":                 "path: a.example/x",
		"x: https://a.example:8080/x/y?z=1": "x: https://a.example:8080/[redacted]",
		"x: ftp://u:p@a.example, b":         "x: ftp://[redacted]@a.example, b",
	} {
		if got := maskAddresses(line); got != want {
			t.Errorf("%q is shown as %q, want %q", line, got, want)
		}
	}
}
