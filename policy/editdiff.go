package policy

import (
	"fmt"
	"strings"
)

// DiffKind says what a line of a diff is.
type DiffKind byte

// The kinds of lines; each is the character that a unified diff has before the line.
const (
	DiffContext DiffKind = ' ' // in both texts
	DiffAdded   DiffKind = '+' // in the second text alone
	DiffRemoved DiffKind = '-' // in the first text alone
	DiffHunk    DiffKind = '@' // says where the lines that follow stand
)

// A DiffLine is one line of a diff. Its text is that of the file, control characters
// included: who shows it on a terminal makes it harmless first.
type DiffLine struct {
	Kind DiffKind
	Text string // without the character of its kind and without the line ending
	Line int    // 1-based, in the second text; of a removed line in the first; 0 of a hunk
}

// String returns the line as a unified diff has it.
func (l DiffLine) String() string {
	if l.Kind == DiffHunk {
		return l.Text
	}
	return string(rune(l.Kind)) + l.Text
}

// Diff returns the unified diff of two texts of a policy file, "" when no line
// differs. It is for people: line endings, and whether the last line has one, are not
// compared.
func Diff(file string, before, after []byte) string {
	lines := DiffLines(before, after)
	if len(lines) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", file, file)
	for _, line := range lines {
		b.WriteString(line.String() + "\n")
	}
	return b.String()
}

// diffContext is how many lines around a difference are shown.
const diffContext = 3

// DiffLines returns the lines of [Diff] without its header, for a screen to colour.
func DiffLines(before, after []byte) []DiffLine {
	all := align(splitLines(before), splitLines(after))
	var out []DiffLine
	for i := 0; i < len(all); {
		if all[i].Kind == DiffContext {
			i++
			continue
		}
		// A hunk reaches from here over all differences near to each other.
		end := i
		for j := i; j < len(all) && j-end <= 2*diffContext; j++ {
			if all[j].Kind != DiffContext {
				end = j + 1
			}
		}
		start := max(0, i-diffContext)
		i = end
		end = min(len(all), end+diffContext)
		out = append(append(out, hunkOf(all[:start], all[start:end])), all[start:end]...)
	}
	return out
}

// hunkOf returns the line that says where lines stand in both texts.
func hunkOf(former, lines []DiffLine) DiffLine {
	count := func(lines []DiffLine, not DiffKind) (n int) {
		for _, l := range lines {
			if l.Kind != not {
				n++
			}
		}
		return n
	}
	part := func(not DiffKind) string {
		start, n := count(former, not), count(lines, not)
		if n > 0 { // of no lines at all, a diff names the line before
			start++
		}
		return fmt.Sprintf("%d,%d", start, n)
	}
	return DiffLine{Kind: DiffHunk, Text: "@@ -" + part(DiffAdded) + " +" + part(DiffRemoved) + " @@"}
}

// splitLines returns the lines of a text without their endings.
func splitLines(text []byte) []string {
	var out []string
	for line := range strings.Lines(string(text)) {
		out = append(out, strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"))
	}
	return out
}

// maxAligned bounds the lines between the first and the last difference that are
// compared each with each: beyond, they are shown as removed and added.
const maxAligned = 2000

// align pairs the lines of two texts by a longest common subsequence. What both begin
// and end with is paired first, which leaves next to nothing of a usual edit.
func align(a, b []string) []DiffLine {
	var out []DiffLine
	row := 0 // of b
	add := func(kind DiffKind, lines []string, first int) {
		for i, text := range lines {
			out = append(out, DiffLine{kind, text, first + i + 1})
		}
	}
	for row < len(a) && row < len(b) && a[row] == b[row] {
		row++
	}
	add(DiffContext, b[:row], 0)
	tail := 0
	for tail < len(a)-row && tail < len(b)-row && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	x, y := a[row:len(a)-tail], b[row:len(b)-tail]
	i, j := 0, 0
	if len(x) <= maxAligned && len(y) <= maxAligned {
		common := commonLengths(x, y)
		for i < len(x) && j < len(y) {
			switch {
			case x[i] == y[j]:
				add(DiffContext, y[j:j+1], row+j)
				i, j = i+1, j+1
			case common[i+1][j] >= common[i][j+1]:
				add(DiffRemoved, x[i:i+1], row+i)
				i++
			default:
				add(DiffAdded, y[j:j+1], row+j)
				j++
			}
		}
	}
	add(DiffRemoved, x[i:], row+i)
	add(DiffAdded, y[j:], row+j)
	add(DiffContext, b[len(b)-tail:], len(b)-tail)
	return out
}

// commonLengths returns, for each pair of places, how long the longest common
// subsequence of what follows is.
func commonLengths(x, y []string) [][]uint16 {
	out := make([][]uint16, len(x)+1)
	out[len(x)] = make([]uint16, len(y)+1)
	for i := len(x) - 1; i >= 0; i-- {
		out[i] = make([]uint16, len(y)+1)
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				out[i][j] = out[i+1][j+1] + 1
			} else {
				out[i][j] = max(out[i+1][j], out[i][j+1])
			}
		}
	}
	return out
}
