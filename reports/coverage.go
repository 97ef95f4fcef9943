package reports

import (
	"fmt"
	"slices"
	"strings"

	"telltale/capture"
	"telltale/coverage"
)

// This file says what an audit can have seen: of each way in what passes it by, and
// whether the books of those that are given everything balance.

// coverageHeading is the title of that part of a document.
const coverageHeading = "What this audit can have seen"

// A wayIn is one way by which the flows of an audit came.
type wayIn struct {
	coverage.Way
	ledger *coverage.Ledger // nil where no books are kept
}

// ways returns the ways in of an audit, in the order of the one list: of what a claim
// can be made of first.
func (r *Report) ways() []wayIn {
	return waysOf(r.Modes, r.Summary.Health.Ledgers)
}

func waysOf(modes []string, ledgers []coverage.Ledger) []wayIn {
	var out []wayIn
	for _, whole := range []bool{true, false} {
		for _, w := range coverage.Ways {
			books := slices.IndexFunc(ledgers, func(l coverage.Ledger) bool { return l.Mode == w.Mode })
			switch {
			case w.Whole != whole, books < 0 && !slices.Contains(modes, w.Mode):
			case books < 0:
				out = append(out, wayIn{Way: w})
			default:
				out = append(out, wayIn{w, &ledgers[books]})
			}
		}
	}
	return out
}

// claim is what can be said to be complete, in a sentence; "" where nothing can.
func (w wayIn) claim() string {
	switch {
	case w.ledger != nil:
		return w.ledger.Claim()
	case w.Whole:
		return "Its packets were not counted: nothing is claimed to be complete."
	}
	return ""
}

// claims says for each way in what it can have seen, a passage each: for a document
// without room for lists.
func claims(r *Report, st style) []string {
	var out []string
	for _, w := range r.ways() {
		parts := []string{capital(w.Title) + "."}
		if claim := w.claim(); claim != "" {
			parts = append(parts, claim)
		}
		out = append(out, st.prose(strings.Join(append(parts, w.Blind...), " ")))
	}
	return out
}

// unbalanced says where books do not balance, a sentence each.
func unbalanced(h capture.Health) []string {
	var out []string
	for _, l := range h.Ledgers {
		if warning := l.Warning(); warning != "" {
			out = append(out, warning)
		}
	}
	return out
}

// coverage writes for each way in what it sees and what it does not.
func (m *markdown) coverage() {
	ways := m.r.ways()
	if len(ways) == 0 {
		return
	}
	m.heading(coverageHeading)
	for i, w := range ways {
		if i > 0 {
			m.WriteByte('\n')
		}
		m.line("%s\n", strings.TrimSpace("**"+capital(w.Title)+".** "+prose(w.claim())))
		var rows []string
		for _, s := range w.Sees {
			rows = append(rows, "- Sees: "+prose(s))
		}
		for _, s := range w.Blind {
			rows = append(rows, "- Limit: "+prose(s))
		}
		m.capped(rows, budgetList)
		if w.ledger != nil {
			m.WriteByte('\n')
			m.books(*w.ledger)
		}
	}
}

// books writes the ledger of a way in.
func (m *markdown) books(l coverage.Ledger) {
	var rows []string
	for _, b := range bookRows(l) {
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | %s |", b.Class, b.Received, b.Recorded, b.UnderWay, b.Unrecorded))
	}
	m.table("| Sent by devices | Received | Recorded | Under way | Without a row |\n| --- | ---: | ---: | ---: | ---: |", rows, budgetList, "")
	if dropped := droppedRows(l); len(dropped) > 0 {
		rows = rows[:0]
		for _, d := range dropped {
			rows = append(rows, fmt.Sprintf("| %s | %s |", cell(clip(d.Label, maxText)), d.Text))
		}
		m.line("\n| Dropped and not forwarded | Packets |\n| --- | ---: |")
		for _, row := range rows[:roomFor(rows, budgetList)] {
			m.line("%s", row)
		}
	}
}

// A bookRow is one class of a ledger, in words.
type bookRow struct{ Class, Received, Recorded, UnderWay, Unrecorded string }

// classTitles are the classes as a table names them.
var classTitles = map[coverage.Class]string{
	coverage.TCP: "TCP connections", coverage.UDP: "UDP datagrams", coverage.ICMP: "ICMP packets", coverage.Other: "other packets",
}

func bookRows(l coverage.Ledger) []bookRow {
	var out []bookRow
	zero := coverage.Amount{}
	unrecorded := l.Unrecorded()
	for _, c := range coverage.Classes {
		if l.Received[c] == zero && l.Recorded[c] == zero && l.UnderWay[c] == zero {
			continue
		}
		out = append(out, bookRow{classTitles[c], amountText(l.Received[c]), amountText(l.Recorded[c]), amountText(l.UnderWay[c]), amountText(unrecorded[c])})
	}
	return out
}

// amountText writes an amount: "9000 (4.2 MB)".
func amountText(a coverage.Amount) string {
	text := fmt.Sprint(a.Units)
	switch {
	case a.Bytes > 0:
		text += " (" + size(a.Bytes) + ")"
	case a.Bytes < 0:
		text += " (-" + size(-a.Bytes) + ")"
	}
	return text
}

// droppedRows are the reasons for which packets were dropped.
func droppedRows(l coverage.Ledger) []fact {
	var out []fact
	for _, reason := range sortedKeys(l.Dropped) {
		if a := l.Dropped[reason]; a != (coverage.Amount{}) {
			out = append(out, fact{reason, amountText(a)})
		}
	}
	return out
}

// coveragePart is what the page shows of one way in.
type coveragePart struct {
	Title, Claim string
	Sees, Blind  []string
	Books        []bookRow
	Dropped      []fact
}

func newCoverageParts(r *Report) []coveragePart {
	var out []coveragePart
	for _, w := range r.ways() {
		part := coveragePart{Title: capital(w.Title), Claim: w.claim(), Sees: w.Sees, Blind: w.Blind}
		if w.ledger != nil {
			part.Books, part.Dropped = bookRows(*w.ledger), droppedRows(*w.ledger)
		}
		out = append(out, part)
	}
	return out
}

// covered is what one way in can have seen, as JSON has it. What is counted is left out
// where no books are kept.
type covered struct {
	Mode  string   `json:"mode"`
	Title string   `json:"title"`
	Sees  []string `json:"sees"`
	Blind []string `json:"blind"`
	Whole bool     `json:"whole"` // nothing can pass it by, but for what blind names
	Claim string   `json:"claim"` // "" where nothing is claimed to be complete
	// Balanced says that what was received is recorded, under way or dropped for a
	// reason; Cut that a recorder was killed, Partial that books were not kept in all
	// recordings.
	Balanced   *bool                              `json:"balanced,omitzero"`
	Cut        *bool                              `json:"cut,omitzero"`
	Partial    *bool                              `json:"partial,omitzero"`
	Received   map[coverage.Class]coverage.Amount `json:"received,omitzero"`
	Recorded   map[coverage.Class]coverage.Amount `json:"recorded,omitzero"`
	UnderWay   map[coverage.Class]coverage.Amount `json:"under_way,omitzero"`
	Dropped    map[string]coverage.Amount         `json:"dropped,omitzero"`
	Unrecorded map[coverage.Class]coverage.Amount `json:"unrecorded,omitzero"` // without a row, whether dropped or missing
	Missing    *coverage.Amount                   `json:"missing,omitzero"`    // without a row and without a reason
}

func newCoverage(r *Report) []covered {
	out := []covered{}
	for _, w := range r.ways() {
		c := covered{Mode: w.Mode, Title: w.Title, Sees: w.Sees, Blind: w.Blind, Whole: w.Whole, Claim: w.claim()}
		if l := w.ledger; l != nil {
			balanced, missing := l.Balanced(), l.Missing()
			c.Balanced, c.Cut, c.Partial, c.Missing = &balanced, &l.Cut, &l.Partial, &missing
			c.Received, c.Recorded, c.UnderWay = never(l.Received), never(l.Recorded), never(l.UnderWay)
			c.Dropped, c.Unrecorded = never(l.Dropped), l.Unrecorded()
		}
		out = append(out, c)
	}
	return out
}

// never returns a map that is never nil, so that JSON has an object.
func never[K comparable](m map[K]coverage.Amount) map[K]coverage.Amount {
	if m == nil {
		return map[K]coverage.Amount{}
	}
	return m
}
