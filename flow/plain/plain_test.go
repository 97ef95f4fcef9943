package plain

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"https://a.example/?x=1&y=2", "https://a.example/?x=1&y=2"},
		{"\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
		{"\u009b31m", `\u{9b}31m`}, // CSI as one character
		{"a\r\nb\tc\x00\x7f", `a\r\nb\tc\x00\x7f`},
		{`a\nb`, `a\\nb`}, // not to be confused with a newline
		{"abc\u202etxt.exe", `abc\u{202e}txt.exe`},
		{"\u2066x\u2069\u200b\ufeff\u00ad\u2060", `\u{2066}x\u{2069}\u{200b}\u{feff}\u{ad}\u{2060}`},
		{"a\u2028b\u2029", `a\u{2028}b\u{2029}`},
		{"no\u00a0break\u3000wide", `no\u{a0}break\u{3000}wide`},
		{"\u3164\uffa0\u2800\ufe0f\U000e0041", `\u{3164}\u{ffa0}\u{2800}\u{fe0f}\u{e0041}`},
		{"\xff\xfe\xc3", `\xff\xfe\xc3`},
		{"\ufffd", "\ufffd"}, // the character itself, not broken UTF-8
		{"\ue000", `\u{e000}`},
		{"naïve 日本 नमस्ते 🎉", "naïve 日本 नमस्ते 🎉"},
		{"e\u0301", "e\u0301"},
		{"\u0301x", `\u{301}x`},
		{"a\u0301\u0302\u0303\u0304", "a\u0301\u0302" + `\u{303}\u{304}`},
	} {
		if got := Text(test.in); got != test.want {
			t.Errorf("Text(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "\x1b[2J\x1b[31mCLEAN\x1b[0m\r\n\u202e\u200b\u2066", "a\u0301\u0302\u0303", "\xf0\x9f", `\u{202e}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Text(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || invisible(r) || r == 0x202e }) {
			t.Fatalf("Text(%q) = %q", s, got)
		}
		if len(got) < len(s)/4 {
			t.Fatalf("Text(%q) lost text: %q", s, got)
		}
		if unwritten(got) != s {
			t.Fatalf("Text(%q) = %q cannot be read back: %q", s, got, unwritten(got))
		}
	})
}

// unwritten reverses Plain, which shows that it loses nothing and that no two
// texts look the same.
func unwritten(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n', 'r', 't':
			b.WriteByte(map[byte]byte{'n': '\n', 'r': '\r', 't': '\t'}[s[i]])
		case 'x':
			b.WriteByte(byte(hex(s[i+1 : i+3])))
			i += 2
		case 'u':
			end := i + strings.IndexByte(s[i:], '}')
			b.WriteRune(rune(hex(s[i+2 : end])))
			i = end
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func hex(s string) (n int) {
	for _, r := range s {
		n = n*16 + strings.IndexRune("0123456789abcdef", r)
	}
	return n
}
