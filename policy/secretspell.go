package policy

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A spelling is a way to write a value that means the same.
type spelling struct {
	text string
	how  string // in words
}

// asTyped is the spelling of the policy file, in whatever case of its letters.
const asTyped = "as typed"

// minStripped is the length below which a value without its separators is found by
// chance, in characters.
const minStripped = 6

// spellingsOf returns the ways to write a value, without regard to the case of ASCII.
func spellingsOf(value string) []spelling {
	var out []spelling
	add := func(text, how string) {
		folded := string(lowerASCII([]byte(text)))
		if text != "" && !slices.ContainsFunc(out, func(s spelling) bool { return string(lowerASCII([]byte(s.text))) == folded }) {
			out = append(out, spelling{text, how})
		}
	}
	add(value, asTyped)
	trimmed := strings.TrimSpace(value)
	add(trimmed, "without the spaces around it")
	add(strings.ToLower(value), "in lower case")
	add(strings.ToUpper(value), "in upper case")
	for _, s := range slices.Clone(out) { // letters with accents, as one character or as two
		add(norm.NFC.String(s.text), "with its accents written otherwise")
		add(norm.NFD.String(s.text), "with its accents written otherwise")
	}
	add(latin1(value), "in ISO 8859-1")
	if bare := withoutSeparators(value); utf8.RuneCountInString(bare) >= minStripped {
		add(bare, "without separators")
		for _, grouped := range grouped(bare) {
			add(grouped, "with separators")
		}
	}
	return out
}

// withoutSeparators leaves out what people put between the groups of a number, an
// identifier or a name.
func withoutSeparators(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("-:./()+,_", r) || unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) {
			return -1
		}
		return r
	}, s)
}

// grouped writes an identifier with the separators of its kind: a UUID (RFC 9562, 4) or
// a MAC address (IEEE 802, 8.1; with dots as Cisco writes it). Others have none.
func grouped(bare string) []string {
	if !all(bare, isHexDigit) {
		return nil
	}
	groups := func(separator string, sizes ...int) string {
		var parts []string
		rest := bare
		for _, n := range sizes {
			parts, rest = append(parts, rest[:n]), rest[n:]
		}
		return strings.Join(parts, separator)
	}
	switch len(bare) {
	case 32:
		return []string{groups("-", 8, 4, 4, 4, 12)}
	case 12:
		if all(bare, isDigit) { // a number
			return nil
		}
		return []string{groups(":", 2, 2, 2, 2, 2, 2), groups("-", 2, 2, 2, 2, 2, 2), groups(".", 4, 4, 4)}
	}
	return nil
}

// latin1 returns the text in ISO 8859-1, "" where it has other characters.
func latin1(s string) string {
	var b []byte
	for _, r := range s {
		if r > 0xff {
			return ""
		}
		b = append(b, byte(r))
	}
	return string(b)
}

// gmail returns an e-mail address as those that compare hashes write it first: in lower
// case, without dots and without what follows a plus in the part before the @; "" for
// what is no address. (Google, "Enhanced conversions: format user-provided data".)
func gmail(value string) string {
	local, domain, ok := strings.Cut(strings.ToLower(strings.TrimSpace(value)), "@")
	if !ok || local == "" || !strings.Contains(domain, ".") {
		return ""
	}
	local, _, _ = strings.Cut(local, "+")
	return strings.ReplaceAll(local, ".", "") + "@" + domain
}

// reversed returns the text with its last character first.
func reversed(s string) string {
	runes := []rune(s)
	slices.Reverse(runes)
	return string(runes)
}

// lowerASCII returns b with A to Z in lower case, of the same length.
func lowerASCII(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		out[i] = c
	}
	return out
}

func all(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHexDigit(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// isWord reports whether c is a letter or a digit, or part of a character beyond ASCII.
func isWord(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= utf8.RuneSelf }
