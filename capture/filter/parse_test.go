package filter

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// What typed texts are taken for: "expression", "words" with what is looked for,
// or "mistake" with its column.
var typed = []struct {
	text, want string
	words      []string
	column     int
}{
	// Words.
	{text: ``, want: "nothing"},
	{text: `  `, want: "nothing"},
	{text: `"`, want: "nothing"},
	{text: `""`, want: "nothing"},
	{text: `google`, want: "words", words: []string{"google"}},
	{text: ` Google  GOOGLE get `, want: "words", words: []string{"google", "get"}},
	{text: `generate_204`, want: "words", words: []string{"generate_204"}},
	{text: `404`, want: "words", words: []string{"404"}},
	{text: `10.0.0.1:443`, want: "words", words: []string{"10.0.0.1:443"}},
	{text: `[2001:db8::1]:443`, want: "words", words: []string{"[2001:db8::1]:443"}},
	{text: `a=b`, want: "words", words: []string{"a=b"}},
	{text: `id=7`, want: "words", words: []string{"id=7"}},
	{text: `a=b&host=c`, want: "words", words: []string{"a=b&host=c"}},
	{text: `https://x/y?z=1`, want: "words", words: []string{"https://x/y?z=1"}},
	{text: `https://x/y?host==1`, want: "words", words: []string{"https://x/y?host==1"}},
	{text: `/path/in/and/or`, want: "words", words: []string{"/path/in/and/or"}},
	{text: `user-agent: foo`, want: "words", words: []string{"user-agent:", "foo"}},
	{text: `status: 404`, want: "words", words: []string{"status:", "404"}},
	{text: `C&A`, want: "words", words: []string{"c&a"}},
	{text: `C&&A`, want: "words", words: []string{"c&&a"}},
	{text: `a -> b`, want: "words", words: []string{"a", "->", "b"}},
	{text: `-foo !bar`, want: "words", words: []string{"-foo", "!bar"}},
	{text: `<html>`, want: "words", words: []string{"<html>"}},
	{text: `<host>x</host>`, want: "words", words: []string{"<host>x</host>"}},
	{text: `<a href="x">`, want: "words", words: []string{"<a", `href="x">`}},
	{text: `dGVzdA==`, want: "words", words: []string{"dgvzda=="}},
	{text: `dGVzdA== foo`, want: "words", words: []string{"dgvzda==", "foo"}},
	{text: `YQ==&x=1`, want: "words", words: []string{"yq==&x=1"}},
	{text: `"captive portal"`, want: "words", words: []string{"captive portal"}},
	{text: `"captive portal" x`, want: "words", words: []string{"captive portal", "x"}},
	{text: `"captive po`, want: "words", words: []string{"captive po"}},
	{text: `"status >= 400"`, want: "words", words: []string{"status >= 400"}},
	{text: `"name":"value"`, want: "words", words: []string{`name":"value`}},
	{text: `"name": "value"`, want: "words", words: []string{`name": "value`}},
	{text: `{"a":1}`, want: "words", words: []string{`{"a":1}`}},
	{text: `don't know`, want: "words", words: []string{"don't", "know"}},
	{text: `host`, want: "words", words: []string{"host"}},
	{text: `status`, want: "words", words: []string{"status"}},
	{text: `true`, want: "words", words: []string{"true"}},
	{text: `not found`, want: "words", words: []string{"not", "found"}},
	{text: `host not found`, want: "words", words: []string{"host", "not", "found"}},
	{text: `rock and roll`, want: "words", words: []string{"rock", "and", "roll"}},
	{text: `error in handshake`, want: "words", words: []string{"error", "in", "handshake"}},
	{text: `page contains errors`, want: "words", words: []string{"page", "contains", "errors"}},
	{text: `contains`, want: "words", words: []string{"contains"}},
	{text: `status 404`, want: "words", words: []string{"status", "404"}},
	{text: `f(x)`, want: "words", words: []string{"f(x)"}},
	{text: `100%`, want: "words", words: []string{"100%"}},
	{text: `ÄRGER`, want: "words", words: []string{"ärger"}},
	{text: "a\x00b \xff", want: "words", words: []string{"a\x00b", "\xff"}},
	{text: "[2001\xecdb8::1]:443", want: "words", words: []string{"[2001\xecdb8::1]:443"}},
	{text: `,`, want: "words", words: []string{","}},
	{text: `== 404`, want: "words", words: []string{"==", "404"}},

	// Expressions.
	{text: `status>=400`, want: "expression"},
	{text: `host == "a"`, want: "expression"},
	{text: `'a' == host`, want: "expression"},
	{text: `not (host == "a") && !(status < 3)`, want: "expression"},
	{text: `host not in ["a", "b"]`, want: "expression"},
	{text: `status in 400..499`, want: "expression"},
	{text: `"x" in [host]`, want: "expression"},
	{text: `lower(app) contains "okhttp"`, want: "expression"},
	{text: `len(url) > 100 or indexOf(url, "?") == -1`, want: "expression"},
	{text: `abs(sent - received) > 10 and string(status) startsWith "4"`, want: "expression"},
	{text: `upper(trim(error)) == "X"`, want: "expression"},
	{text: `path matches "^/v[0-9]+/"`, want: "expression"},
	{text: `sent + received > 10 * 1024`, want: "expression"},
	{text: `status >= 400 ? size > 3 : size > 4`, want: "expression"},

	// Mistakes, which are also expressions that are being typed.
	{text: `hots == "x"`, want: "unknown field hots; did you mean host?", column: 1},
	{text: `hots=="x"`, want: "unknown field hots; did you mean host?", column: 1},
	{text: `quux == "x"`, want: "unknown field quux", column: 1},
	{text: `a==b`, want: "unknown field a", column: 1},
	{text: `a < b`, want: "unknown field a", column: 1},
	{text: `äöü == "x"`, want: "unknown field äöü", column: 1},
	{text: `"ä" == host and hots == "x"`, want: "unknown field hots", column: 17},
	{text: `status >`, want: "not complete", column: 9},
	{text: `status >=`, want: "not complete", column: 10},
	{text: `status ==  `, want: "not complete", column: 10},
	{text: `status>`, want: "not complete", column: 8},
	{text: `status >= 400 and`, want: "not complete", column: 18},
	{text: `host == "goo`, want: "the closing quote is missing", column: 9},
	{text: `host == goo`, want: `a text stands in quotes: "goo"`, column: 9},
	{text: `host contains goo`, want: `a text stands in quotes: "goo"`, column: 15},
	{text: `host contains`, want: "not complete", column: 14},
	{text: `host not contains`, want: "not complete", column: 18},
	{text: `foo contains "x"`, want: "unknown field foo", column: 1},
	{text: `foo not contains "x"`, want: "unknown field foo", column: 1},
	{text: `lower(host) contains`, want: "not complete", column: 21},
	{text: `host startswith "a"`, want: "startswith is spelt startsWith", column: 6},
	{text: `host == "a" AND status == 3`, want: "AND is spelt and", column: 13},
	{text: `method in`, want: "not complete", column: 10},
	{text: `method in [`, want: "not complete", column: 12},
	{text: `method in ["GET`, want: "the closing quote is missing", column: 12},
	{text: `method not in [`, want: "not complete", column: 16},
	{text: `"x" in headers`, want: "", column: 5},
	{text: `lower(`, want: "not complete", column: 7},
	{text: `lower(host`, want: "not complete", column: 11},
	{text: `status = 404`, want: "write ==", column: 8},
	{text: `host == “x”`, want: "straight quotes", column: 9},
	{text: `host && path`, want: "&& does not take a text and a text", column: 6},
	{text: `status == "x"`, want: "== does not take a number and a text", column: 8},
	{text: `host > 3`, want: "> does not take a text and a number", column: 6},
	{text: `method in [1]`, want: "the list holds texts and the field is a number, or the other way round", column: 8},
	{text: `host == [2]`, want: "== does not take a text and a list", column: 6},
	{text: `duration > 5ms`, want: "a duration is a number of milliseconds, without a unit: write duration > 5", column: 12},
	{text: `duration > 5 ms`, want: "write duration > 5", column: 12},
	{text: `host == "ä" and duration>=.5s`, want: "write duration >= 500", column: 27},
	{text: `duration < 1_000min or status == 1`, want: "write duration < 60000000", column: 12},
	{text: `duration in [5ms]`, want: "write 5", column: 14},
	{text: `size > 10KiB`, want: "a size is a number of bytes, without a unit: write size > 10240", column: 8},
	{text: `received > 1.5 MB`, want: "write received > 1500000", column: 12},
	{text: `sent > 5s`, want: "letters do not belong to a number"},
	{text: `status == 4xx`, want: "letters do not belong to a number", column: 12},
	{text: `host - 2 == 1`, want: "- does not take a text and a number", column: 6},
	{text: `host matches "("`, want: "regexp", column: 6},
	{text: `host == "x" and (`, want: "not complete", column: 18},
	{text: `host() == "x"`, want: "a field is no function", column: 1},
	{text: `host.x == "a"`, want: "", column: 6},
	{text: `1 < 2`, want: "names no field", column: 1},
	{text: `"a" == "b"`, want: "names no field", column: 1},

	{text: "host == \xff", want: "unrecognized character", column: 9},

	// What could take time or memory without end.
	{text: `let a = host; a == "x"`, want: "no variables", column: 5},
	{text: `host == "a"; host == "b"`, want: "no variables", column: 0},
	{text: `all([1, 2], # == status)`, want: "no loops", column: 0},
	{text: `any(1..1000000000, status == 1)`, want: "", column: 0},
	{text: `len(map([1], host)) == 1`, want: "", column: 0},
	{text: `status in 1..size`, want: "a range stands after in", column: 12},
	{text: `len(1..1000000000) == status`, want: "", column: 6},
	{text: `host + path == "x"`, want: "texts cannot be added", column: 6},
	{text: `host matches path`, want: "needs its pattern in quotes", column: 14},
	{text: `repeat(host, 1000000) == "x"`, want: "unknown function repeat; the functions are lower", column: 1},
	{text: `$env == host`, want: "unknown field $env", column: 1},
	{text: `$env["host"] == "x"`, want: "", column: 0},
}

func TestParse(t *testing.T) {
	for _, tt := range typed {
		m, err := Parse(tt.text)
		var mistake *Error
		switch errors.As(err, &mistake); {
		case tt.want == "nothing":
			if err != nil || m.Words() != nil || m.program != nil {
				t.Errorf("%q: %v, %v; want a filter that picks everything", tt.text, m, err)
			}
		case tt.want == "words":
			if err != nil || !slices.Equal(m.Words(), tt.words) {
				t.Errorf("%q: words %q, %v; want %q", tt.text, words(m), err, tt.words)
			}
		case tt.want == "expression":
			if err != nil || m.program == nil || m.Words() != nil {
				t.Errorf("%q: words %q, %v; want an expression", tt.text, words(m), err)
			}
		case mistake == nil:
			t.Errorf("%q: words %q; want the mistake %q", tt.text, words(m), tt.want)
		case !strings.Contains(mistake.Message, tt.want) || tt.column > 0 && mistake.Column != tt.column:
			t.Errorf("%q: %v; want column %d: %s", tt.text, mistake, tt.column, tt.want)
		}
	}
}

func words(m *Filter) []string {
	if m == nil {
		return nil
	}
	return m.Words()
}

// Every beginning of an expression is words, an expression or a mistake whose
// column is in it.
func TestParseWhileTyping(t *testing.T) {
	const text = `not (lower(host) endsWith ".google.com") and status in [200, 204] or method == "GET"`
	for i := range len(text) {
		checkMistake(t, text[:i])
	}
	if m, err := Parse(text); err != nil || m.program == nil {
		t.Errorf("%v, %v", m, err)
	}
}

func checkMistake(t *testing.T, text string) {
	t.Helper()
	_, err := Parse(text)
	if err == nil {
		return
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%q: %T %v", text, err, err)
	}
	if n := utf8.RuneCountInString(text); e.Column < 1 || e.Column > n+1 {
		t.Errorf("%q has %d characters, and a mistake in column %d", text, n, e.Column)
	}
	if e.Message == "" || printable(e.Message) != e.Message {
		t.Errorf("%q: message %q", text, e.Message)
	}
	if lines := strings.Split(e.Excerpt(), "\n"); len(lines) != 2 || printable(lines[0]) != lines[0] {
		t.Errorf("%q: excerpt %q", text, e.Excerpt())
	}
}

func TestExcerptIsHarmless(t *testing.T) {
	_, err := Parse("host == \"\x1b[31m\u202e\" and\thots == \"x\"")
	var e *Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	want := "host == \" [31m \" and hots == \"x\"\n                     ^"
	if got := e.Excerpt(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if e.Hint() == "" {
		t.Error("no hint")
	}
}

// TestHostileLength: what is too long, too deep or too wide is refused or read, but
// soon and without a crash.
func TestHostileLength(t *testing.T) {
	for name, text := range map[string]string{
		"long":     `host == "` + strings.Repeat("x", maxLength) + `"`,
		"brackets": strings.Repeat("(", maxLength-20) + `status == 1`,
		"nots":     strings.Repeat("!", maxLength-20) + `(status == 1)`,
		"minuses":  `status == ` + strings.Repeat("-", maxLength-20) + `1`,
		"nodes":    `status == 1` + strings.Repeat(` or status == 1`, maxNodes/3),
		"regexp":   `host matches "` + strings.Repeat("(a{1000}", 10) + `"`,
		"power":    `status == 1 and status ** 99999 > 1 and 1 in 1..1000000000 and host in [1..1000000000]`,
	} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%s: no mistake was found", name)
		}
	}
	if m, err := Parse(strings.Repeat("(", 100_000)); err != nil || len(m.Words()) != 1 {
		t.Errorf("a long word: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, tt := range typed {
		f.Add(tt.text)
	}
	flow, judgement := probe()
	f.Fuzz(func(t *testing.T, text string) {
		checkMistake(t, text)
		m, err := Parse(text)
		if err != nil {
			return
		}
		if m.Words() != nil && m.program != nil {
			t.Errorf("%q is words and an expression", text)
		}
		first, firstErr := m.Match(flow, judgement)
		again, againErr := m.Clone().Match(flow, judgement)
		if first != again || (firstErr == nil) != (againErr == nil) {
			t.Errorf("%q: %v, %v and then %v, %v", text, first, firstErr, again, againErr)
		}
	})
}

func FuzzComplete(f *testing.F) {
	f.Add(`method in ["G`, 10)
	f.Fuzz(func(t *testing.T, text string, cursor int) {
		for _, c := range Complete(text, cursor) {
			if c.Start < 0 || c.End < c.Start || c.End > len(text) || c.Text == "" {
				t.Errorf("%q at %d: %+v", text, cursor, c)
			}
		}
	})
}
