package plain

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestName(t *testing.T) {
	for _, test := range []struct {
		in      string
		columns int
		want    string
	}{
		{"Pixel 8", 60, "Pixel 8"},
		{"  Ann's\t \n phone ", 60, "Ann's phone"},
		{"\x1b[31mred\x1b[0m", 60, "[31mred[0m"},
		{"abc\u202etxt\u200b.exe\x00", 60, "abctxt.exe"},
		{"\xff\xfea\xc3", 60, "a"},
		{"abcdef", 3, "abc"},
		{"ab cd", 3, "ab"},
		{"日本語", 5, "日本"},
		{"नमस्ते", 60, "नमस्ते"},
		{"\u0301x", 60, "x"},
		{"e\u0301\u0301\u0301\u0301", 60, "e\u0301\u0301"},
		{"\u3164\u2800", 60, ""},
		{"", 60, ""},
	} {
		if got := Name(test.in, test.columns); got != test.want {
			t.Errorf("Name(%q, %d) = %q, want %q", test.in, test.columns, got, test.want)
		}
	}
}

func FuzzName(f *testing.F) {
	f.Add("Ann's phone")
	f.Add("e\u0301\u202e\x1b[0m  \xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := Name(s, 20)
		if !utf8.ValidString(got) || strings.ReplaceAll(Text(got), `\\`, `\`) != got {
			t.Errorf("Name(%q) = %q", s, got)
		}
		if again := Name(got, 20); again != got {
			t.Errorf("Name(%q) = %q, and of that %q", s, got, again)
		}
	})
}
