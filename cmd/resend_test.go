package cmd

import (
	"strings"
	"testing"
)

func TestReplacementsOfOneLine(t *testing.T) {
	for value, want := range map[string]string{"abc": "", "abc\n": "line break", "a\r\nX: y": "line break", "": "is not set"} {
		t.Setenv("STAGING_TOKEN", value)
		name, got, err := parseReplacement("token=env:STAGING_TOKEN")
		switch {
		case want == "" && (err != nil || name != "token" || got != value):
			t.Errorf("%q: %v", value, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", value, err, want)
		}
	}
}
