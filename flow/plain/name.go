package plain

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Name returns s as a name for people: on one line, words apart by one space, without
// what does not show as itself, and cut to that many columns of a terminal. Unlike
// [Text] it leaves out and writes nothing out, so that two texts may become one name.
func Name(s string, columns int) string {
	var b strings.Builder
	width, marks, space := 0, maxMarks, false // a mark at the start has nothing to stand on
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			space, marks = b.Len() > 0, maxMarks
			continue
		case r == utf8.RuneError:
			continue
		case unicode.In(r, unicode.Mn, unicode.Me) && !invisible(r) && marks < maxMarks:
			marks++
			b.WriteRune(r)
			continue
		case !Shows(r):
			continue
		}
		wide := columnsOf(r)
		if space {
			wide++
		}
		if width += wide; width > columns {
			return b.String()
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
		if marks = maxMarks; unicode.IsLetter(r) {
			marks = 0
		}
	}
	return b.String()
}

// columnsOf returns how many columns a character takes at most: from Hangul on it
// may be two (Unicode Standard Annex 11).
func columnsOf(r rune) int {
	if r >= 0x1100 {
		return 2
	}
	return 1
}
