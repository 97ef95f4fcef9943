package locate

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestCutsSplitNoSecret checks what is left of a text where more of it was cut off.
func TestCutsSplitNoSecret(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`ve_4eC39HqLyj");f("x`:            `");f("x`,
		`lyjWDarjtT1zdp7dc`:               "",
		`"4eC39HqLyjWD",b:"x"`:            `",b:"x"`,
		`:"4eC39HqLyjWD",b:"x"`:           `",b:"x"`,
		`Key" : "4eC39HqLyjWD",b:"x"`:     `",b:"x"`,
		`Key:"4eC39HqLyjWD",secret:"x"`:   `",secret:"x"`,
		`zdp7dc==",secret:"4eC39Hq",c:""`: `",c:""`,
		`=4eC39H&b=c ok`:                  ` ok`,
		"":                                "",
		`"`:                               "",
		`: "`:                             "",
	} {
		if got := string(behindCut([]byte(in))); got != want {
			t.Errorf("behind a cut %s is %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{`a("b");f("sk_li`: `a("b");f("`, `{apiKey:"4eC`: `{apiKey:"`, "sk_live_4eC": "", "": ""} {
		if got := string(beforeCut([]byte(in))); got != want {
			t.Errorf("before a cut %s is %s, want %s", in, got, want)
		}
	}
}

// TestSnippetsKeepTheirLine checks that a snippet has its line and no more, and says where more of
// it was cut off.
func TestSnippetsKeepTheirLine(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long 'ago', ", 200)
	for in, want := range map[string]Snippet{
		"a\nb MATCH c\nd":     {"b ", "MATCH", " c"},
		"\tMATCH":             {"", "MATCH", ""},
		"MATCH\n":             {"", "MATCH", ""},
		"x\x00y MATCH z\x01a": {"y ", "MATCH", " z"},
	} {
		at := strings.Index(in, "MATCH")
		if got := (view{text: []byte(in)}).line(at, at+5); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
	for _, before := range []string{long, strings.Repeat("字", 1000)} {
		for side := range 300 {
			text := before + "MATCH" + before
			got := around([]byte(text), len(before), len(before)+5, side, false, false)
			if !strings.HasPrefix(got.Before, "…") || !strings.HasSuffix(got.After, "…") || len(got.Before) > side+len("…") || len(got.After) > side+len("…") || !utf8.ValidString(got.Before+got.After) {
				t.Fatalf("%d bytes on either side are %q", side, got)
			}
		}
	}
}

func TestNear(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 50)
	if got := (Snippet{long, long, long}).Near(10); got != (Snippet{"…" + long[:18], long, long[:18] + "…"}) {
		t.Error(got)
	}
	if got := (Snippet{"a", "b", "c"}).Near(1); got != (Snippet{"a", "b", "c"}) {
		t.Error(got)
	}
}
