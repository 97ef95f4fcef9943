package tui

import (
	"strings"

	"github.com/charmbracelet/lipgloss"
)

// A column is one column of a table.
type column struct {
	title string
	width int  // columns; of a flexible one the least
	flex  int  // share of the columns that are left over; 0: fixed
	right bool // numbers stand at the right edge
	left  bool // what is too long keeps its end, as file names do
	rank  int  // 0 is always shown; of the others the highest goes first when the screen is narrow
}

// fitColumns returns the width of each column on a screen, 0 for those that have
// no place. Columns stand one apart.
func fitColumns(columns []column, screen int) []int {
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
	shares := 0
	for i, c := range columns {
		if widths[i] > 0 {
			shares += c.flex
		}
	}
	left := max(0, screen-used)
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
	cells := make([]cell, len(columns))
	for i, c := range columns {
		cells[i] = plainCell(c.title)
	}
	return t.dim.Render("  " + strings.TrimRight(joinCells(columns, widths, cells, false), " "))
}

// drawRow draws one row. The selected one has a mark in front of it too.
func drawRow(t *theme, columns []column, widths []int, cells []cell, selected bool) string {
	if selected {
		return t.selected.Render("▸ " + joinCells(columns, widths, cells, false))
	}
	return "  " + joinCells(columns, widths, cells, true)
}

func joinCells(columns []column, widths []int, cells []cell, styled bool) string {
	var b strings.Builder
	for i, c := range cells {
		if widths[i] == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		text := fitCell(columns[i], widths[i], c.text)
		if styled {
			text = c.style.Render(text)
		}
		b.WriteString(text)
	}
	return b.String()
}

func fitCell(c column, n int, text string) string {
	switch {
	case c.right:
		return padLeft(text, n)
	case c.left:
		name := strings.TrimLeft(text, " ") // what it is indented by stays
		return pad(text[:len(text)-len(name)]+cutLeft(name, n-len(text)+len(name)), n)
	}
	return pad(text, n)
}
