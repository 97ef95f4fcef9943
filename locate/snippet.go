package locate

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"telltale/flow"
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

// Keys that apps carry, by how their vendors' begin, and tokens of RFC 7519.
var keyWords = regexp.MustCompile(`(AIza|[srp]k_(?:live|test)_|gh[opusr]_|github_pat_|glpat-|xox[abops]-|ya29\.|EAA[A-Z]|shpat_|SG\.|AKIA|ASIA|phc_|sntrys_|eyJ[A-Za-z0-9_-]{6,}\.eyJ)[A-Za-z0-9_.\-]{6,}`)

// Names with a value: of a parameter (key=…), and of code, JSON and XML, where the value is a
// literal (apiKey:"…", "token": '…', key="…").
var (
	keyParameter = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_.\-]{0,63})(=)([^\s"'` + "`" + `&;,<>?\\(){}=]{4,})`)
	keyLiteral   = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_.\-]{0,63})(\\?["']?\s{0,4}[:=]\s{0,4}\\?["'` + "`" + `])([^\s"'` + "`" + `<>\\]{8,})`)
)

// WithoutKeys hides what looks like a credential in a text of an app: users of URLs, keys of
// services, and values that are named like one. It is a guess: a key that nothing marks as one
// stays.
func WithoutKeys(s string) string {
	s = flow.WithoutUsers(s)
	s = keyWords.ReplaceAllString(s, "$1"+flow.Redacted)
	s = withoutValues(s, keyLiteral, likeAKey)
	return withoutValues(s, keyParameter, func(string) bool { return true })
}

// withoutValues hides the values that are named like a credential and that hides picks.
func withoutValues(s string, assigned *regexp.Regexp, hides func(string) bool) string {
	return assigned.ReplaceAllStringFunc(s, func(found string) string {
		m := assigned.FindStringSubmatch(found)
		if !flow.CredentialName(m[1]) || strings.Contains(m[3], flow.Redacted) || !hides(m[3]) {
			return found
		}
		return m[1] + m[2] + flow.Redacted
	})
}

// likeAKey reports whether a literal may be a key: code names many things "key" and "code",
// whose values are words.
func likeAKey(value string) bool {
	return strings.ContainsAny(value, "0123456789") || len(value) >= 24
}
