// Package plain is where text from a capture becomes harmless. Every string that
// a screen or a document shows passes [Text], and then the quoting of its format.
//
// It promises that nothing in its output moves a cursor, changes a colour, hides
// or reorders what stands beside it, and that no two texts look the same. It does
// not shorten, colour or mask.
package plain

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns s on one line, with everything that would not show as itself
// on a terminal or page written out: controls, escape sequences, bidirectional
// overrides, invisible and unassigned characters, broken UTF-8. A backslash is
// doubled, so that what was written out can be told from what was there.
func Text(s string) string {
	if Is(s) {
		return s
	}
	var b strings.Builder
	marks := maxMarks // a mark at the start has nothing to stand on
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.In(r, unicode.Mn, unicode.Me) && !invisible(r) && marks < maxMarks:
			marks++
			b.WriteRune(r)
			i += size
			continue
		case r == '\\':
			b.WriteString(`\\`)
		case Shows(r):
			b.WriteRune(r)
		default:
			b.WriteString(written(r))
		}
		marks = maxMarks
		if unicode.IsLetter(r) {
			marks = 0
		}
		i += size
	}
	return b.String()
}

// maxMarks is how many combining marks may follow a letter: real scripts need
// two; a tower of them hides the lines above.
const maxMarks = 2

// Is reports whether s is printable ASCII without a backslash: the usual
// case, kept free of allocations.
func Is(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' || s[i] == '\\' {
			return false
		}
	}
	return true
}

// Shows reports whether a character that combines with nothing shows as itself.
func Shows(r rune) bool {
	return unicode.IsPrint(r) && !unicode.In(r, unicode.Mn, unicode.Me) && !invisible(r)
}

// invisible reports whether r counts as printable and yet shows as nothing: the
// part of Unicode's Default_Ignorable_Code_Point that is neither a format nor an
// unassigned character, and the empty Braille pattern.
func invisible(r rune) bool {
	switch {
	case r == 0x034F, // combining grapheme joiner
		r == 0x115F, r == 0x1160, r == 0x3164, r == 0xFFA0, // Hangul fillers
		r == 0x17B4, r == 0x17B5, // Khmer inherent vowels
		r >= 0x180B && r <= 0x180F, // Mongolian variation selectors
		r == 0x2800,                // Braille pattern blank
		r >= 0xFE00 && r <= 0xFE0F, // variation selectors
		r >= 0xE0100 && r <= 0xE01EF:
		return true
	}
	return false
}

// written returns the escape of a character that does not show.
func written(r rune) string {
	switch r {
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	}
	if r < utf8.RuneSelf {
		return fmt.Sprintf(`\x%02x`, r)
	}
	return fmt.Sprintf(`\u{%x}`, r)
}

// Lines returns prose, which may have several lines, as harmless lines without
// trailing space. Tabs become spaces.
func Lines(s string) []string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\t", "    ")
	s = strings.Trim(s, "\n")
	if s == "" {
		return nil
	}
	all := strings.Split(s, "\n")
	for i, line := range all {
		// Prose is ours; a backslash in it is no escape.
		parts := strings.Split(strings.TrimRight(line, " "), `\`)
		for j := range parts {
			parts[j] = Text(parts[j])
		}
		all[i] = strings.Join(parts, `\`)
	}
	return all
}
