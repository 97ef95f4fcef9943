package reports

import (
	"fmt"
	"slices"
	"strings"

	"telltale/capture"
	"telltale/flow/plain"
)

// This file says in which phases of an audit things happened. The name of a phase
// was typed by a person or came with a capture: it is text like any other.

const (
	maxPhase   = 120 // characters of a name that documents for people show
	textPhases = 8   // phases on the terminal
)

// phasesNote says what phases are.
const phasesNote = "Phases were marked by the person who made the audit. A flow belongs to the one in which it began, and a violation to all in which it happened."

// phaseName names a phase. What quote returns tells a name from our own words.
func phaseName(r *Report, name string, quote func(string) string) string {
	if name == "" {
		return "no phase"
	}
	return quote(r.clipped(name, maxPhase))
}

// quoted is text between quotation marks for a terminal, which it cannot leave.
func quoted(s string) string { return `"` + strings.ReplaceAll(plain.Text(s), `"`, `\x22`) + `"` }

// phasesOf lists the phases in which a violation happened, the earliest first;
// "" when the audit has none.
func phasesOf(r *Report, v capture.Violation, quote func(string) string) string {
	phases := r.Summary.Phases
	names := slices.Clone(v.Phases)
	if len(names) == 0 && len(phases) > 0 {
		names = []string{""}
	}
	place := make(map[string]int, len(phases))
	for i, p := range phases {
		place[p.Name] = i - len(phases) // those that are not listed are 0: the last
	}
	slices.SortStableFunc(names, func(a, b string) int { return place[a] - place[b] })
	parts := make([]string, 0, len(names))
	for i, name := range names {
		if i == maxListed {
			parts = append(parts, fmt.Sprintf("and %d more", len(names)-i))
			break
		}
		parts = append(parts, phaseName(r, name, quote))
	}
	return strings.Join(parts, ", ")
}

// violationsByPhase counts the violations that happened in each phase.
func violationsByPhase(s capture.Summary) map[string]int {
	counts := map[string]int{}
	for _, v := range s.Violations {
		if len(v.Phases) == 0 {
			counts[""]++
		}
		for _, name := range v.Phases {
			counts[name]++
		}
	}
	return counts
}

// flowsInOtherPhases counts the flows of phases that the summary does not list.
func flowsInOtherPhases(s capture.Summary) int {
	n := s.Flows
	for _, p := range s.Phases {
		n -= p.Flows
	}
	return n
}

// phases says what was seen in each phase, a line each.
func (s *screen) phases(r *Report) {
	sum := r.Summary
	if len(sum.Phases) == 0 {
		return
	}
	width := s.width - labelWidth
	violations := violationsByPhase(sum)
	var lines []string
	for i, p := range sum.Phases {
		if i == textPhases {
			lines = append(lines, fmt.Sprintf("… and %d more", len(sum.Phases)-i))
			break
		}
		line := fmt.Sprintf("%s: %s to %s", phaseName(r, p.Name, quoted), plural(p.Flows, "flow", "flows"), plural(p.Hosts, "host", "hosts"))
		if n := violations[p.Name]; n > 0 {
			line += ", " + plural(n, "violation", "violations")
		}
		lines = append(lines, Wrap(line, width)...)
	}
	const label = "phases"
	s.labelled(0, labelWidth, s.paint(dim, label), len(label), lines)
}

// phases is the table of the phases that were marked.
func (m *markdown) phases() {
	s := m.r.Summary
	if len(s.Phases) == 0 {
		return
	}
	m.heading("Phases")
	violations := violationsByPhase(s)
	rows := make([]string, 0, len(s.Phases))
	for _, p := range s.Phases {
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %d | %d | %d |", phaseName(m.r, p.Name, cell),
			tableTime(p.First), tableTime(p.Last), p.Flows, p.Hosts, violations[p.Name]))
	}
	m.table("| Phase | From (UTC) | To (UTC) | Flows | Hosts | Violations |\n| --- | --- | --- | ---: | ---: | ---: |", rows, budgetList, "")
	m.WriteByte('\n')
	m.line("%s", phasesNote)
	if n := flowsInOtherPhases(s); n > 0 {
		m.line("%s in further phases.", plural(n, "more flow was", "more flows were"))
	}
}
