package reports

import (
	"fmt"
	"strings"
)

// A chapter is a part of a document for people that has the same shape in all of them: a
// table, a list, or both. One with nothing to say is left out.
type chapter struct {
	ID, Heading string
	Sub         bool   // it is a part of the chapter before
	Lead        string // what it amounts to, quoted for the document
	Intro       string // a sentence above
	Head        []string
	Rows        [][]string // cells, quoted for the document
	Items       []string   // sentences
	Note        string     // a sentence below the table
	Brief       []string   // a line for each row, for a document without tables
	More        int        // rows or items that are left out
}

func (c chapter) empty() bool { return len(c.Rows)+len(c.Items)+len(c.Brief) == 0 && c.Lead == "" }

// chaptersOf returns those that say something, of at most n rows and items.
func chaptersOf(n int, all ...chapter) []chapter {
	var out []chapter
	for _, c := range all {
		if c.empty() {
			continue
		}
		if more := len(c.Rows) - n; more > 0 {
			c.Rows, c.More = c.Rows[:n], more
		}
		if more := len(c.Items) - n; more > 0 {
			c.Items, c.More = c.Items[:n], c.More+more
		}
		out = append(out, c)
	}
	return out
}

// sent are the chapters on what was sent, and when.
func (r *Report) sent(st style) []chapter {
	return []chapter{r.told(st), r.links(st), r.lasting(st), r.timers(st)}
}

// beside are the chapters on what the audit was judged beside.
func (r *Report) beside(st style) []chapter {
	return []chapter{r.subtracted(st), r.declared(st), r.listed(st)}
}

// chapters writes the chapters that say something.
func (s *screen) chapters(all ...chapter) {
	for _, c := range chaptersOf(len(all)*textNotes, all...) {
		items := c.Brief
		if len(items) == 0 {
			items = c.Items
		}
		s.list(c.Heading, items)
	}
}

// budgetChapter is what a table or a list of a chapter takes in Markdown, in bytes: see
// budgetViolations.
const budgetChapter = 1_200

// chapters returns those that say something.
func (r *Report) inMarkdown(all ...chapter) string {
	m := &markdown{r: r}
	for _, c := range chaptersOf(pageRows, all...) {
		if c.Sub {
			m.line("\n### %s\n", c.Heading)
		} else {
			m.heading(c.Heading)
		}
		gap := false // a blank line between the parts
		part := func() {
			if gap {
				m.WriteByte('\n')
			}
			gap = true
		}
		for _, text := range [...]string{c.Lead, c.Intro} {
			if text != "" {
				part()
				m.line("%s", text)
			}
		}
		if len(c.Rows) > 0 {
			part()
			rows := make([]string, len(c.Rows))
			for i, cells := range c.Rows {
				rows[i] = row(cells)
			}
			m.table(row(c.Head)+"\n|"+strings.Repeat(" --- |", len(c.Head)), rows, budgetChapter, "")
		}
		if c.Note != "" {
			part()
			m.line("%s", c.Note)
		}
		if len(c.Items) > 0 {
			part()
			m.items(c.Items, budgetChapter)
		}
	}
	return m.String()
}

// row is a row of a table in Markdown. A pipe in a cell is written so that it ends none.
func row(cells []string) string {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = strings.ReplaceAll(c, "|", `\x7c`)
	}
	return fmt.Sprintf("| %s |", strings.Join(out, " | "))
}
