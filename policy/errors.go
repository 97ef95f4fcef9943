package policy

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"telltale/flow"
)

// An Error says what is wrong with a policy file, and where.
type Error struct {
	File    string // as the user named it
	Line    int    // 1-based
	Column  int    // 1-based, in characters
	Message string // lower case, without a full stop
	excerpt string // the line, secrets masked; "" when there is none
	hint    string
}

// Error returns the place and the message, and under it the line with a caret.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	if x := e.Excerpt(); x != "" {
		s += "\n" + x
	}
	return s
}

// Hint returns what to write instead, "" when that is not known.
func (e *Error) Hint() string { return e.hint }

// Excerpt returns the line of the file with a caret under the place, "" when there
// is none. Values under never-send are masked.
func (e *Error) Excerpt() string {
	if strings.TrimSpace(e.excerpt) == "" {
		return ""
	}
	number := fmt.Sprintf("%4d | ", e.Line)
	return number + e.excerpt + "\n" + strings.Repeat(" ", len(number)-2) + "| " + caret(e.excerpt, e.Column)
}

// caret returns blanks up to the column and a caret, keeping tabs so that it stands
// under its character.
func caret(line string, column int) string {
	var b strings.Builder
	n := 1
	for _, r := range line {
		if n >= column {
			break
		}
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
		n++
	}
	return b.String() + "^"
}

// maxExcerpt bounds the line that an error shows, in characters.
const maxExcerpt = 160

// excerptOf returns one line of a file fit to be shown.
func excerptOf(line string) string {
	line, _ = maskValue(line)
	line = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f || r == utf8.RuneError {
			return '�'
		}
		return r
	}, line)
	if utf8.RuneCountInString(line) > maxExcerpt {
		line = string([]rune(line)[:maxExcerpt]) + "…"
	}
	return line
}

// maskValue takes out what follows the key value, if anything: a secret that is
// written out in the policy must not get into a CI log. A variable is no secret.
func maskValue(line string) (masked string, was bool) {
	i := strings.Index(line, "value")
	if i < 0 {
		return line, false
	}
	rest := strings.TrimLeft(line[i+len("value"):], "\"' ")
	if !strings.HasPrefix(rest, ":") {
		return line, false
	}
	rest = strings.TrimSpace(rest[1:])
	name, after, isVar := strings.Cut(strings.TrimPrefix(rest, "${"), "}")
	if rest == "" || strings.HasPrefix(rest, "${") && isVar && isVariable(name) && strings.Trim(after, " }]") == "" {
		return line, false
	}
	return line[:i] + "value: " + flow.Redacted, true
}

// Nearest returns the candidate that a person most likely meant by a word, "" when none is
// near.
func Nearest(word string, candidates []string) string { return nearest(word, candidates) }

// nearest returns the candidate that a person most likely meant, "" when none is
// near.
func nearest(word string, candidates []string) string {
	best, bestDistance := "", 1+max(1, min(4, len(word)/3))
	for _, c := range candidates {
		if strings.EqualFold(c, word) {
			return c
		}
		d := EditDistance(strings.ToLower(word), c)
		if d < bestDistance {
			best, bestDistance = c, d
		}
	}
	if best == "" && len(word) >= 3 {
		for _, c := range candidates {
			if strings.HasPrefix(c, strings.ToLower(word)) {
				return c
			}
		}
	}
	return best
}

// didYouMean writes the nearest candidate as a question, or lists them all.
func didYouMean(word string, candidates []string) (suffix, hint string) {
	if near := nearest(word, candidates); near != "" {
		return fmt.Sprintf("; did you mean %q?", near), fmt.Sprintf("write %q", near)
	}
	return "", "one of: " + strings.Join(candidates, ", ")
}

// EditDistance is the number of insertions, deletions, substitutions and swaps of
// neighbours that turn a into b (optimal string alignment). Words are cut at 64
// bytes: nobody means a key that long.
func EditDistance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(b)]
}
