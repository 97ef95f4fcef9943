package pretty

import (
	"encoding/json"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"telltale/flow"
	"telltale/flow/plain"
)

// quoted returns where the string that starts at i ends, false when it does not.
func (s *scanner) quoted(i int) (int, bool) {
	for i++; i < len(s.text); i++ {
		switch s.text[i] {
		case '"':
			return i + 1, true
		case '\\':
			i++
		}
	}
	return len(s.text), false
}

func (s *scanner) redactedAt(i int) bool {
	return s.masked && strings.HasPrefix(s.text[i:], flow.Redacted)
}

// word returns where the run of characters that are no punctuation ends.
func (s *scanner) word(i int) int {
	for i < len(s.text) {
		if s.redactedAt(i) {
			i += len(flow.Redacted)
			continue
		}
		if strings.IndexByte(" \t\r\n,:[]{}\"\x1e", s.text[i]) >= 0 {
			break
		}
		i++
	}
	return i
}

// scalar returns the class of a literal or number. Numbers that JSON does not
// allow but people write are numbers: 01, +1, .5, NaN.
func scalar(word string, masked bool) (Class, bool) {
	switch word {
	case "true", "false", "null":
		return Literal, true
	case "NaN", "Infinity", "-Infinity":
		return Number, true
	}
	if masked && strings.Contains(word, flow.Redacted) {
		return Plain, true
	}
	digits := false
	for i := range len(word) {
		switch c := word[i]; {
		case c >= '0' && c <= '9':
			digits = true
		case strings.IndexByte("+-.eE", c) < 0:
			return Plain, false
		}
	}
	return Number, digits
}

// partial reports whether word is the start of a literal or number.
func partial(word string) bool {
	for _, whole := range []string{"true", "false", "null", "-"} {
		if strings.HasPrefix(whole, word) {
			return true
		}
	}
	return false
}

// str shows a string: as it is spelled, as JSON of its own when it holds that.
func (s *scanner) str(raw string) {
	if s.page == nil || !s.page.open {
		return
	}
	if s.hides() {
		s.add(String, s.unlessHidden(raw))
		return
	}
	if len(raw) > 4 && (raw[1] == '{' || raw[1] == '[') && raw[len(raw)-2] == raw[1]+2 && !s.page.tookOut(raw[1:]) && s.inner(raw) {
		return
	}
	s.add(String, s.spelled(raw))
}

// inner shows the JSON that a string holds.
func (s *scanner) inner(raw string) bool {
	var text string
	if json.Unmarshal([]byte(raw), &text) != nil {
		return false
	}
	p := s.page
	text = strings.TrimSpace(p.mask(text))
	if end, err := p.scanner(text).value(0); err != nil || end != len(text) {
		return false
	}
	return p.nested(len(s.levels)+1, func() {
		p.add(Comment, "JSON in a string:")
		p.line(0)
		in := p.scanner(text)
		in.page = p
		_, _ = in.value(0) // read whole above
	})
}

// spelled returns a string as JSON spells it, with characters that show as
// themselves in the place of their escapes.
func (s *scanner) spelled(raw string) string {
	if s.page == nil || !s.page.open || strings.IndexByte(raw, '\\') < 0 {
		return raw
	}
	if s.masked {
		// The text was masked as it is; deeper encodings show once decoded.
		var text string
		if json.Unmarshal([]byte(raw), &text) == nil {
			if masked := s.page.mask(text); masked != text {
				raw = quote(masked)
			}
		}
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 >= len(raw) {
			b.WriteByte(raw[i])
			continue
		}
		i++
		r, n := unescaped(raw[i:])
		switch {
		case raw[i] == '/':
			b.WriteByte('/')
		case n > 0 && r != '"' && r != '\\' && plain.Shows(r):
			b.WriteRune(r)
			i += n - 1
		default:
			b.WriteByte('\\')
			b.WriteByte(raw[i])
		}
	}
	return b.String()
}

// decoded returns what a string of JSON stands for, and what it looks like where it
// is broken.
func decoded(raw string) string {
	if strings.IndexByte(raw, '\\') >= 0 {
		var text string
		if json.Unmarshal([]byte(raw), &text) == nil {
			return text
		}
	}
	return strings.Trim(raw, `"`)
}

// unescaped returns the character that "u" and four digits at the start of s stand for, or a
// pair of them, and how many bytes it takes; 0 when it is none.
func unescaped(s string) (r rune, n int) {
	if r, n = unit(s); n == 0 || !utf16.IsSurrogate(r) {
		return r, n
	}
	if len(s) > n+1 && s[n] == '\\' {
		if low, m := unit(s[n+1:]); m > 0 {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, n + 1 + m
			}
		}
	}
	return 0, 0
}

func unit(s string) (r rune, n int) {
	if len(s) < 5 || s[0] != 'u' {
		return 0, 0
	}
	for _, c := range []byte(s[1:5]) {
		d := strings.IndexByte("0123456789abcdef", c|0x20)
		if c < '0' || d < 0 {
			return 0, 0
		}
		r = r<<4 | rune(d)
	}
	return r, 5
}

// quote spells text as a JSON string.
func quote(text string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}
