package flow_test

import (
	"testing"

	"telltale/flow"
)

func TestUnpercent(t *testing.T) {
	for in, want := range map[string]string{
		"":           "",
		"a b+c":      "a b+c",
		"%61%2F%2f":  "a//",
		"100%":       "100%",
		"%4":         "%4",
		"%zz%6g%%41": "%zz%6g%A",
		"%2541":      "%41", // once
		"%c3%A9%ff":  "é\xff",
		"%+1":        "%+1",
	} {
		if got := flow.Unpercent(in); got != want {
			t.Errorf("Unpercent(%q) = %q, want %q", in, got, want)
		}
	}
	if c, ok := flow.PercentByte([]byte("x%7Ey"), 1); !ok || c != '~' {
		t.Errorf("PercentByte: %q, %v", c, ok)
	}
}
