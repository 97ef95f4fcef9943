package reports

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file is the quoting of single formats. Every string that a document shows
// passes plain.Text before it.

// clip returns at most n characters of s and says how many it left out.
func clip(s string, n int) string {
	length := utf8.RuneCountInString(s)
	if length <= n {
		return s
	}
	cut, seen := 0, 0
	for i := range s {
		if seen == n {
			cut = i
			break
		}
		seen++
	}
	return s[:cut] + "… (" + plural(length-n, "more character", "more characters") + ")"
}

// cells returns the columns that s takes on a terminal. It is good for what
// Plain returns: East Asian wide characters take two, marks none.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += cellsOf(r)
	}
	return n
}

func cellsOf(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && r <= 0x115F, r >= 0x2E80 && r <= 0xA4CF, r >= 0xA960 && r <= 0xA97C,
		r >= 0xAC00 && r <= 0xD7A3, r >= 0xF900 && r <= 0xFAFF, r >= 0xFE30 && r <= 0xFE6F,
		r >= 0xFF00 && r <= 0xFF60, r >= 0xFFE0 && r <= 0xFFE6, r >= 0x1F000 && r <= 0x1FAFF,
		r >= 0x20000 && r <= 0x3FFFD:
		return 2
	}
	return 1
}

// shellWord returns s as one word of a POSIX shell, so that a command can be
// pasted whatever a host is called.
func shellWord(s string) string {
	safe := s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@%+", r))
	}) < 0
	if safe {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// spreadsheetCell keeps a spreadsheet from running s as a formula (CWE-1236):
// a leading apostrophe makes it text. The full-width forms start a formula too.
func spreadsheetCell(s string) string {
	first, size := utf8.DecodeRuneInString(strings.TrimLeft(s, " "))
	if size > 0 && strings.ContainsRune("=+-@＝＋－＠", first) {
		return "'" + s
	}
	return s
}
