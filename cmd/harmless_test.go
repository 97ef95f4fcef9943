package cmd

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// TestErrorsAreHarmless checks that nothing which an error quotes acts on a terminal
// or on the runner of a CI system, and that what people wrote stays as it is.
func TestErrorsAreHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                            "error: plain",
		`C:\captures\a.har: damaged`:       `error: C:\captures\a.har: damaged`,
		"é, 日本語, e\u0301":                  "error: é, 日本語, e\u0301",
		"a\n  ::error::forged":             "error: a\n  :\\:error::forged",
		"##[add-mask]x":                    "error: #\\#[add-mask]x",
		"red \x1b[31m and \u202e reversed": "error: red \\x1b[31m and \\u{202e} reversed",
	} {
		var out bytes.Buffer
		(&streams{err: &out}).complain(errors.New(text))
		if got := strings.TrimSuffix(out.String(), "\n"); got != want {
			t.Errorf("%q is told as %q, want %q", text, got, want)
		}
	}
}
