package tui

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// This file measures and cuts text by the columns that it takes on a terminal.

// width returns the columns of a line, which may hold styles.
func width(s string) int { return ansi.StringWidth(s) }

// cut returns at most n columns of s; an ellipsis says that something is missing.
func cut(s string, n int) string {
	if n <= 0 {
		return ""
	}
	if len(s) <= n || width(s) <= n {
		return s
	}
	return ansi.Truncate(s, n, "…")
}

// cutMiddle keeps the start and more of the end of s: of a host that is too long,
// the name that tells it from its neighbours, and the domain.
func cutMiddle(s string, n int) string {
	all := width(s)
	if all <= n || n < 6 {
		return cut(s, n)
	}
	head := ansi.Truncate(s, n/3, "")
	tail := ansi.TruncateLeft(s, all-(n-width(head)-1), "")
	if over := width(tail) - (n - width(head) - 1); over > 0 { // a wide character was cut in half, and stayed
		tail = ansi.TruncateLeft(tail, over+1, "")
	}
	return head + "…" + tail
}

// pad brings s to exactly n columns.
func pad(s string, n int) string {
	s = cut(s, n)
	if short := n - width(s); short > 0 {
		s += strings.Repeat(" ", short)
	}
	return s
}

// padLeft is pad with the text at the right edge.
func padLeft(s string, n int) string {
	s = cut(s, n)
	if short := n - width(s); short > 0 {
		s = strings.Repeat(" ", short) + s
	}
	return s
}

// wrap breaks s into lines of at most n columns, between words where it can. A hyphen
// is part of a word: flags of commands and names of hosts stay whole.
func wrap(s string, n int) []string {
	const hyphen = "\ue000" // no text that is harmless has it
	s = ansi.Wrap(strings.ReplaceAll(s, "-", hyphen), max(1, n), "")
	return strings.Split(strings.ReplaceAll(s, hyphen, "-"), "\n")
}

// screen returns exactly height lines of at most width columns.
func screen(lines []string, width, height int) []string {
	out := make([]string, height)
	for i := range min(len(lines), height) {
		out[i] = cut(lines[i], width)
	}
	return out
}

// sides puts one text at each edge of a line; the right one gives way.
func sides(left, right string, n int) string {
	gap := n - width(left) - width(right)
	if gap < 1 {
		return cut(left, n)
	}
	return left + strings.Repeat(" ", gap) + right
}

// count writes a number with its thousands apart: 1,234.
func count(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural writes a number and its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

// share writes how many of all are meant: 3/40, or all of them.
func share(n, all int) string {
	if n >= all {
		return count(all)
	}
	return count(n) + "/" + count(all)
}

// bytesText writes a size in at most six columns: 512, 1.5K, 23M.
func bytesText(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	value, unit := float64(n), ""
	for _, u := range []string{"K", "M", "G", "T"} {
		if value < 999.5 {
			break
		}
		value, unit = value/1024, u
	}
	if value < 9.95 {
		return fmt.Sprintf("%.1f%s", value, unit)
	}
	return fmt.Sprintf("%.0f%s", value, unit)
}

// durationText writes a duration in at most six columns: 12ms, 1.2s, 3m05s.
func durationText(d time.Duration) string {
	switch {
	case d < 0:
		return ""
	case d < time.Millisecond:
		return fmt.Sprintf("%dµs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// clock writes a time of day in local time, "" for none.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("15:04:05")
}

// capital writes the first letter of a sentence large.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return strings.ToUpper(string(r)) + s[n:]
}

// sparks draws counts as bars, the highest as a full block.
func sparks(counts []int) string {
	const bars = "▁▂▃▄▅▆▇█"
	top := 0
	for _, c := range counts {
		top = max(top, c)
	}
	var b strings.Builder
	for _, c := range counts {
		if c == 0 {
			b.WriteByte(' ')
			continue
		}
		b.WriteRune([]rune(bars)[(c*7+top-1)/top])
	}
	return b.String()
}
