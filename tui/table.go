package tui

import (
	"strings"

	"github.com/charmbracelet/lipgloss"
)

// A column is one column of a table.
type column struct {
	title  string
	width  int  // columns; of a flexible one the least
	flex   int  // share of the columns that are left over; 0: fixed
	right  bool // numbers stand at the right edge
	middle bool // what is too long loses its middle, not its end
	host   bool // likewise, and gets what it needs of the columns left over
	chart  bool // of bars, which are not to be drawn in reverse
	rank   int  // 0 is always shown; of the others the highest goes first when the screen is narrow
}

// fitColumns returns the width of each column on a screen, 0 for those that have
// no place. Columns stand one apart. wish is what the column of hosts needs.
func fitColumns(columns []column, screen, wish int) []int {
	widths := make([]int, len(columns))
	used := -1
	for i, c := range columns {
		widths[i] = c.width
		used += c.width + 1
	}
	for used > screen {
		last := -1
		for i, c := range columns {
			if widths[i] > 0 && c.rank > 0 && (last < 0 || c.rank > columns[last].rank) {
				last = i
			}
		}
		if last < 0 {
			break
		}
		used -= widths[last] + 1
		widths[last] = 0
	}
	shares, left := 0, max(0, screen-used)
	for i, c := range columns {
		if c.host && widths[i] > 0 {
			extra := max(0, min(wish-widths[i], left*3/4))
			widths[i] += extra
			left -= extra
		}
		if widths[i] > 0 {
			shares += c.flex
		}
	}
	for i, c := range columns {
		if widths[i] == 0 || c.flex == 0 {
			continue
		}
		extra := left * c.flex / shares
		widths[i] += extra
		left -= extra
		shares -= c.flex
	}
	return widths
}

// A cell is text in a table: harmless, without styles.
type cell struct {
	text  string
	style lipgloss.Style
}

// plainCell is text without a style of its own.
func plainCell(text string) cell { return cell{text: text} }

// drawHead draws the titles of a table.
func drawHead(t *theme, columns []column, widths []int) string {
	var line []string
	for i, c := range columns {
		if widths[i] > 0 {
			line = append(line, fitCell(c, widths[i], c.title))
		}
	}
	return t.dim.Render("  " + strings.TrimRight(strings.Join(line, " "), " "))
}

// drawRow draws one row. The selected one has a mark in front of it too.
func drawRow(t *theme, columns []column, widths []int, cells []cell, selected bool) string {
	var b strings.Builder
	front, gap := "  ", " "
	if selected {
		front, gap = t.selected.Render("▸ "), t.selected.Render(" ")
	}
	b.WriteString(front)
	for i, c := range cells {
		if widths[i] == 0 {
			continue
		}
		if b.Len() > len(front) {
			b.WriteString(gap)
		}
		style := c.style
		if selected && !columns[i].chart {
			style = t.selected
		}
		b.WriteString(style.Render(fitCell(columns[i], widths[i], c.text)))
	}
	return b.String()
}

func fitCell(c column, n int, text string) string {
	switch {
	case c.right:
		return padLeft(text, n)
	case c.host || c.middle:
		return pad(cutMiddle(text, n), n)
	}
	return pad(text, n)
}
