package reports

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"telltale/flow/plain"
)

func TestCode(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", "–"},
		{"a.example", "`a.example`"},
		{"a`b", "``a`b``"},
		{"`", "`` ` ``"},
		{"``` x", "```` ``` x ````"},
		{" a ", "`  a  `"},
		{"a\nb", "`a\\nb`"},
		{"a|b", "`a|b`"},
	} {
		if got := code(test.in); got != test.want {
			t.Errorf("code(%q) = %q, want %q", test.in, got, test.want)
		}
	}
	if got := cell(`a|b\|c`); got != "`a\\x7cb\\\\\\x7cc`" {
		t.Errorf("cell = %q", got)
	}
}

func TestProse(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"A plain sentence (with brackets), 1.0.2 and a-hyphen.", "A plain sentence (with brackets), 1.0.2 and a-hyphen."},
		{"call `configure({a: 1})` now", "call `configure({a: 1})` now"},
		{"see https://docs.example/x_y.", "see `https://docs.example/x_y`."},
		{"(see WWW.example.com)", "(see `WWW.example.com`)"},
		{"*bold* _x_ ~~y~~ [a](b)", `\*bold\* \_x\_ \~\~y\~\~ \[a\](b)`},
		{"<b>&amp;", "&lt;b&gt;&amp;amp;"},
		{"@octocat fixes #12 and GH-7", "&#64;&#8203;octocat fixes &#35;&#8203;12 and GH&#8203;-7"},
		{":tada: at 12:30", ":&#8203;tada: at 12:30"},
		{"a|b $x$", "a&#124;b &#36;&#8203;x&#36;&#8203;"},
		{"# x", "&#35;&#8203; x"},
		{"- x", `\- x`},
		{"1. x", `1\. x`},
		{"2) x", `2\) x`},
		{"=== ---", `\=== \---`},
		{"odd ` one", "odd &#96; one"},
		{"empty `` pair", "empty &#96;&#96; pair"},
		{"two\nlines", "two lines"},
		{`C:\path`, `C:&#8203;\\path`},
	} {
		if got := prose(test.in); got != test.want {
			t.Errorf("prose(%q)\n got %q\nwant %q", test.in, got, test.want)
		}
	}
}

func TestBlock(t *testing.T) {
	got := block("First *line*\nsecond.\r\n\r\n    code(1)\n      nested\n\nNext:\n```js\nx = `y`\n\nz\n```\nend\n\n\n")
	want := "First \\*line\\*\nsecond.\n\n```\ncode(1)\n  nested\n```\n\nNext:\n\n```\nx = `y`\n\nz\n```\n\nend"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got := block("```\nnever closed\n# not a heading"); got != "```\nnever closed\n# not a heading\n```" {
		t.Errorf("an open fence gives:\n%s", got)
	}
	if got := block("    a\n    ````\n    b"); got != "`````\na\n````\nb\n`````" {
		t.Errorf("a fence inside code gives:\n%s", got)
	}
}

func TestClip(t *testing.T) {
	for _, test := range []struct {
		in   string
		n    int
		want string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "abc… (1 more character)"},
		{"日本語日本語", 2, "日本… (4 more characters)"},
		{"", 0, ""},
	} {
		if got := clip(test.in, test.n); got != test.want {
			t.Errorf("clip(%q, %d) = %q, want %q", test.in, test.n, got, test.want)
		}
	}
}

func TestSpreadsheetCell(t *testing.T) {
	for _, s := range []string{"=1+1", "+1", "-1", "@SUM(A1)", " =1", "＝1", "＋", "－", "＠"} {
		if got := spreadsheetCell(s); got != "'"+s {
			t.Errorf("%q becomes %q", s, got)
		}
	}
	for _, s := range []string{"", "a=1", "a.example", "::1", " ", "'=1"} {
		if got := spreadsheetCell(s); got != s {
			t.Errorf("%q becomes %q", s, got)
		}
	}
}

func TestCredentialIn(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"https://a.example/?q=1", ""},
		{"https://a.example/token=1", ""},
		{"https://a.example/?q=1&Access_Token=x", "Access_Token"},
		{"https://a.example/?access%5Ftoken=x", "access_token"},
		{"https://a.example/?token=", ""},
		{"https://a.example/#token=1", ""},
		{"https://a.example/?%zz=1;sig=2", "sig"},
	} {
		if got := credentialIn(test.in); got != test.want {
			t.Errorf("credentialIn(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

// TestShellWord asks a real shell.
func TestShellWord(t *testing.T) {
	if got := shellWord("covid-alert.har"); got != "covid-alert.har" {
		t.Errorf("a plain name is quoted: %s", got)
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		sh = ""
	}
	for _, s := range []string{"", " ", "a b", "it's", "$(reboot)", "`id`", "*", "~", "\\", `"`, "a\nb", "-", "!x", "#", "日本", "*.canada.ca"} {
		quoted := shellWord(s)
		if s != "-" && !strings.HasPrefix(quoted, "'") {
			t.Errorf("%q is not quoted: %s", s, quoted)
		}
		if sh == "" {
			continue // Windows: the check above is what there is
		}
		out, err := exec.Command(sh, "-c", "printf %s "+quoted).Output()
		if err != nil || string(out) != s {
			t.Errorf("the shell reads %s as %q (%v), want %q", quoted, out, err, s)
		}
	}
}

// FuzzMarkup checks that no text can leave its place in Markdown.
func FuzzMarkup(f *testing.F) {
	for _, s := range []string{"", attack, "`", "a``b", "```\n# x", "    <b>", "@a #1 http://x www.x", "1.", "x\n===", "a\n\n    b\n# c", "`<b>` <i>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, got := range map[string]string{"code": code(s), "cell": cell(s), "prose": prose(s)} {
			if strings.Contains(got, "\n") {
				t.Fatalf("%s(%q) has several lines: %q", name, s, got)
			}
		}
		if rest := outsideCode(code(s)); rest != "" && rest != "–" {
			t.Fatalf("code(%q) leaves %q outside", s, rest)
		}
		if strings.Contains(cell(s), "|") {
			t.Fatalf("cell(%q) has a pipe", s)
		}
		for _, paragraph := range []string{prose(s), outsideFences(t, block(s))} {
			if meaning := activeMarkup(outsideCode(paragraph)); meaning != "" {
				t.Fatalf("%q becomes %q, in which %q is active", s, paragraph, meaning)
			}
		}
	})
}

func FuzzOnlyVisible(f *testing.F) {
	f.Add(attack)
	f.Add("\U0001f389\U000e0041\u2028\x7f")
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "?")
		in, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		out := onlyVisible(nil, in)
		if s := inPieces(t, in); s != string(out) {
			t.Fatalf("in pieces %q, in one %q", s, out)
		}
		var back string
		if err := json.Unmarshal(out, &back); err != nil || back != s {
			t.Fatalf("%q comes back as %q (%v) from %s", s, back, err, out)
		}
		for _, r := range string(out) {
			if !plain.Shows(r) {
				t.Fatalf("%q still holds %U", out, r)
			}
		}
	})
}

// inPieces writes byte by byte.
func inPieces(t *testing.T, in []byte) string {
	var b strings.Builder
	v := &visibleWriter{w: &b}
	for i := range in {
		if n, err := v.Write(in[i : i+1]); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := v.close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestVisibleWriter checks characters that are broken or cut off, which strict
// JSON never has.
func TestVisibleWriter(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"\"é\"":                  "\"é\"",
		"a\xffb":                 `a\ufffdb`,
		"a\xe2\x82":              `a\ufffd\ufffd`,
		"\xf0\x9f\x8e\x89":       "🎉",
		"\u202e\x7f\u0085\ufeff": `\u202e\u007f\u0085\ufeff`,
		"\U000e0041":             `\udb40\udc41`,
		"\ufffd":                 "\ufffd",
	} {
		if got := inPieces(t, []byte(in)); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
		if got := string(onlyVisible(nil, []byte(in))); got != want {
			t.Errorf("%q becomes %q in one, want %q", in, got, want)
		}
	}
	full := &visibleWriter{w: &fullDisk{}}
	if _, err := full.Write([]byte("a")); err == nil {
		t.Error("a full disk is not noticed")
	}
}

func FuzzSpreadsheetCell(f *testing.F) {
	f.Add("=cmd|' /C calc'!A0")
	f.Add("\t=1")
	f.Fuzz(func(t *testing.T, s string) {
		got := spreadsheetCell(plain.Text(s))
		if got != "" && strings.ContainsAny(strings.TrimSpace(got)[:min(1, len(strings.TrimSpace(got)))], "=+-@") {
			t.Fatalf("%q becomes the formula %q", s, got)
		}
	})
}
