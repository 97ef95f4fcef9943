package rules

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"telltale/flow/plain"
	"telltale/policy"
)

// maxMistakes is how many mistakes of a file are told.
const maxMistakes = 20

// A mistake is one thing that is wrong in a file.
type mistake struct {
	at   int
	path string // of JSON; "" for none
	what string
}

// mistakes collects what is wrong in a file.
type mistakes struct {
	d    *document
	list []mistake
}

// add keeps a mistake.
func (m *mistakes) add(at int, path, format string, args ...any) {
	m.list = append(m.list, mistake{at, path, fmt.Sprintf(format, args...)})
}

// err returns the mistakes in the order of the file as one error, nil where there are none.
func (m *mistakes) err() error {
	if len(m.list) == 0 {
		return nil
	}
	slices.SortStableFunc(m.list, func(a, b mistake) int { return a.at - b.at })
	var lines []string
	for i, x := range m.list {
		if i == maxMistakes {
			lines = append(lines, fmt.Sprintf("%s: and %d more", m.d.name, len(m.list)-i))
			break
		}
		lines = append(lines, m.d.say(x))
	}
	return errors.New(strings.Join(lines, "\n"))
}

// say writes a mistake as a line: file, line, column, what, and the path of JSON.
func (d *document) say(x mistake) string {
	line, column := d.place(x.at)
	s := fmt.Sprintf("%s:%d:%d: %s", d.name, line, column, x.what)
	if x.path != "" {
		s += " (at " + plain.Name(x.path, 400) + ")"
	}
	return s
}

// quoted writes a word of the file as Go text, cut where it is long.
func quoted(s string) string { return strconv.Quote(clip(s)) }

// clip cuts a long word.
func clip(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

// meant asks for the candidate that is nearest to a word, "" where none is near.
func meant(word string, candidates []string) string {
	best, bestDistance := "", 1+max(1, min(4, len(word)/3))
	for _, c := range candidates {
		if d := policy.EditDistance(strings.ToLower(word), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + strconv.Quote(best) + "?"
}
