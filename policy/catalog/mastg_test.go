package catalog

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestTests(t *testing.T) {
	for _, tt := range []struct{ rule, subject, ids string }{
		{"value-leaked", "account", "0206"},
		{"identifier-leaked", "advertising-id", "0206"},
		{"tracker", "", "0281"},
		{"cleartext", "", "0236 0235 0237 0233"},
		{"weak-tls", "", "0218"},
		{"undeclared-tracking", "", "0281"},
		{"undeclared-data", "e-mail", "0206"},
		{"network-security-config", "", "0235 0237 0242 0243 0286"},
		{"network-security-config", "cleartext", "0236 0237"},
		{"network-security-config", "pins", "0244"},
		{"network-security-config", "expired pins", "0243"},
		{"undecryptable", "", "0244"},
		{"host-not-allowed", "", ""},
		{"", "", ""},
	} {
		var ids []string
		for _, test := range Tests(tt.rule, tt.subject) {
			ids = append(ids, strings.TrimPrefix(test.ID, "MASTG-TEST-"))
			if test.Note == "" {
				t.Errorf("%s: %s says nothing", tt.rule, test.ID)
			}
		}
		if got := strings.Join(ids, " "); got != tt.ids {
			t.Errorf("%s %s: %s, want %s", tt.rule, tt.subject, got, tt.ids)
		}
	}
}

func TestTestRowsAreComplete(t *testing.T) {
	m := load().mastg
	id, weakness := regexp.MustCompile(`^MASTG-TEST-\d{4}$`), regexp.MustCompile(`^MASWE-\d{4}$`)
	named := map[string]bool{}
	for _, b := range m.Bearings {
		for _, test := range b.Tests {
			if _, ok := load().tests[test]; !ok {
				t.Errorf("%s bears on %s, which the table lacks", b.Rule, test)
			}
			named[test] = true
		}
	}
	for _, test := range m.Tests {
		if !id.MatchString(test.ID) || !weakness.MatchString(test.Weakness) || test.Title == "" || !slices.Contains([]string{"", "ios", "android"}, test.Platform) {
			t.Errorf("test %+v", test)
		}
		if !named[test.ID] {
			t.Errorf("no rule bears on %s", test.ID)
		}
		if len(load().tests) != len(m.Tests) {
			t.Error("a test stands twice")
		}
	}
}
