package script

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// decoded returns what the characters of a literal mean (ECMA-262, "String Literals"), made in
// buf where they have escapes. It keeps what is no escape as it is written.
func decoded(raw, buf []byte) []byte {
	i := bytes.IndexByte(raw, '\\')
	if i < 0 {
		return raw
	}
	out := buf[:0]
	for i >= 0 {
		out = append(out, raw[:i]...)
		var n int
		out, n = appendEscape(out, raw[i:])
		raw = raw[i+n:]
		i = bytes.IndexByte(raw, '\\')
	}
	return append(out, raw...)
}

// appendEscape appends what the escape at the start of raw means, and returns its length.
func appendEscape(out, raw []byte) ([]byte, int) {
	if len(raw) < 2 {
		return append(out, raw...), len(raw)
	}
	switch c := raw[1]; c {
	case 'n':
		return append(out, '\n'), 2
	case 't':
		return append(out, '\t'), 2
	case 'r':
		return append(out, '\r'), 2
	case 'b':
		return append(out, '\b'), 2
	case 'v':
		return append(out, '\v'), 2
	case 'f':
		return append(out, '\f'), 2
	case '\n':
		return out, 2
	case '\r':
		if len(raw) > 2 && raw[2] == '\n' {
			return out, 3
		}
		return out, 2
	case 'x', 'u':
		if r, n := hexEscape(raw); n > 0 {
			return utf8.AppendRune(out, r), n
		}
		return append(out, raw[:2]...), 2
	default:
		if c >= '0' && c <= '7' {
			r, n := octalEscape(raw)
			return utf8.AppendRune(out, r), n
		}
		return append(out, c), 2
	}
}

// hexEscape reads \xAA, \uAAAA, \u{A} and pairs of surrogates; its length is 0 where it is none.
func hexEscape(raw []byte) (rune, int) {
	if raw[1] == 'x' {
		r, ok := hex(raw, 2, 4)
		if !ok {
			return 0, 0
		}
		return r, 4
	}
	if len(raw) > 2 && raw[2] == '{' {
		n := bytes.IndexByte(raw[:min(len(raw), 12)], '}')
		r, ok := hex(raw, 3, n)
		if !ok || r > utf8.MaxRune {
			return 0, 0
		}
		return r, n + 1
	}
	r, ok := hex(raw, 2, 6)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(r) && len(raw) >= 12 && raw[6] == '\\' && raw[7] == 'u' {
		if low, ok := hex(raw, 8, 12); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 12
			}
		}
	}
	return r, 6
}

// hex reads the digits of b from start to end.
func hex(b []byte, start, end int) (r rune, ok bool) {
	if end <= start || end > len(b) || end-start > 7 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[start:end]), 16, 32)
	return rune(n), err == nil
}

// octalEscape reads \0 to \377, which old code has.
func octalEscape(raw []byte) (rune, int) {
	r, n := rune(0), 1
	for n < len(raw) && n < 4 && raw[n] >= '0' && raw[n] <= '7' && r*8+rune(raw[n]-'0') < 256 {
		r = r*8 + rune(raw[n]-'0')
		n++
	}
	return r, n
}

// inside returns the bounds of what a string, a template's characters or a comment hold.
func inside(src []byte, t token) span {
	s := span{t.start, t.end}
	text := src[t.start:t.end]
	switch t.kind {
	case str:
		s.start, s.end = s.start+1, s.end-1
	case chunk:
		s.start++
		switch {
		case bytes.HasSuffix(text, []byte("${")):
			s.end -= 2
		case len(text) > 1 && text[len(text)-1] == '`':
			s.end--
		}
	case remark:
		s.start = min(s.start+2, s.end)
		if len(text) >= 4 && bytes.HasPrefix(text, []byte("/*")) && bytes.HasSuffix(text, []byte("*/")) {
			s.end -= 2
		}
	}
	return s
}
