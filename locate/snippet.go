package locate

import (
	"strings"
	"unicode/utf8"
)

// Masked is a snippet with what is secret hidden. Mask sees all of it at once: a value that
// begins before the match may end in it.
func (s Snippet) Masked(mask func(string) string) Snippet {
	whole := s.Before + s.Match + s.After
	hidden := mask(whole)
	if hidden == whole {
		return s
	}
	match, at := mask(s.Match), 0
	if match != "" {
		at = nearest(hidden, match, len(s.Before))
	}
	if at < 0 || match == "" {
		return Snippet{Before: hidden}
	}
	return Snippet{hidden[:at], match, hidden[at+len(match):]}
}

// nearest returns where part stands in s next to an offset, -1 where it does not.
func nearest(s, part string, offset int) int {
	best := -1
	for from := 0; from <= len(s)-len(part); {
		i := strings.Index(s[from:], part)
		if i < 0 {
			break
		}
		at := from + i
		if best < 0 || distance(at, offset) < distance(best, offset) {
			best = at
		}
		from = at + 1
	}
	return best
}

func distance(a, b int) int { return max(a-b, b-a) }

// Fit cuts a snippet to some columns of a screen, an ellipsis at each end that is cut; cells
// says how many columns a character takes. The match stays as long as it fits.
func (s Snippet) Fit(columns int, cells func(rune) int) Snippet {
	s.Match = headOf(s.Match, columns, cells)
	room := max(0, columns-columnsOf(s.Match, cells))
	before, after := columnsOf(s.Before, cells), columnsOf(s.After, cells)
	left := min(before, max(room/2, room-after))
	s.Before = tailOf(s.Before, left, cells)
	s.After = headOf(s.After, room-columnsOf(s.Before, cells), cells)
	return s
}

// columnsOf returns the columns of a text.
func columnsOf(s string, cells func(rune) int) int {
	n := 0
	for _, r := range s {
		n += cells(r)
	}
	return n
}

// headOf returns the beginning of a text, in at most some columns.
func headOf(s string, columns int, cells func(rune) int) string {
	if columnsOf(s, cells) <= columns {
		return s
	}
	n := 0
	for i, r := range s {
		if n += cells(r); n > columns-1 {
			return s[:i] + strings.Repeat("…", min(columns, 1))
		}
	}
	return s
}

// tailOf returns the end of one.
func tailOf(s string, columns int, cells func(rune) int) string {
	if columnsOf(s, cells) <= columns {
		return s
	}
	n, at := 0, len(s)
	for at > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:at])
		if n += cells(r); n > columns-1 {
			break
		}
		at -= size
	}
	for at < len(s) { // a mark without its letter
		r, size := utf8.DecodeRuneInString(s[at:])
		if cells(r) > 0 {
			break
		}
		at += size
	}
	return strings.Repeat("…", min(columns, 1)) + s[at:]
}
