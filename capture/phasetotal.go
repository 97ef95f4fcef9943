package capture

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"telltale/flow"
	"telltale/policy"
)

// phaseTotal sums the flows of one phase.
type phaseTotal struct {
	name                    string
	first                   flow.ID // lowest
	flows, violating, hosts int
	span                    span
}

// phaseTotals has a row for each phase, by name. Of more than MaxPhases it keeps
// the first by name: one that was dropped cannot come back, so the sums of those
// that are kept are exact in whatever order the flows come.
type phaseTotals []phaseTotal

// add counts a flow. newHost says that it is the first of its phase to its host.
func (t *phaseTotals) add(f *flow.Flow, j policy.Judgement, newHost bool) {
	i, found := slices.BinarySearchFunc(*t, f.Phase, func(p phaseTotal, name string) int { return strings.Compare(p.name, name) })
	if !found {
		if i >= MaxPhases {
			return
		}
		*t = slices.Insert((*t)[:min(len(*t), MaxPhases-1)], i, phaseTotal{name: f.Phase, first: f.ID})
	}
	p := &(*t)[i]
	p.first = min(p.first, f.ID)
	p.flows++
	if j.Verdict == policy.Violation {
		p.violating++
	}
	if newHost {
		p.hosts++
	}
	p.span.add(f)
}

// rows lists the phases in the order of their first flows; nil when no flow has one.
func (t phaseTotals) rows() []Phase {
	if len(t) == 0 || t[len(t)-1].name == "" {
		return nil
	}
	sorted := slices.Clone(t)
	slices.SortFunc(sorted, func(a, b phaseTotal) int {
		return cmp.Or(compareStarts(a.span.first, b.span.first), cmp.Compare(a.first, b.first))
	})
	out := make([]Phase, len(sorted))
	for i, p := range sorted {
		out[i] = Phase{Name: p.name, Flows: p.flows, Violating: p.violating, Hosts: p.hosts, First: p.span.first, Last: p.span.last}
	}
	return out
}

// compareStarts orders times, unknown ones last.
func compareStarts(a, b time.Time) int {
	if a.IsZero() != b.IsZero() {
		return b.Compare(a)
	}
	return a.Compare(b)
}

// phaseSet is the first MaxPhases of some phases by name, "" among them. It is
// never changed in place: summaries share it. A phase that totals keep is among
// the first of every set that has it.
type phaseSet []string

func (s phaseSet) has(name string) bool {
	_, found := slices.BinarySearch(s, name)
	return found
}

// with returns the set with another phase.
func (s phaseSet) with(name string) phaseSet { return insertFirst(s, name, MaxPhases) }

// names lists the phases; nil when there is no other than "".
func (s phaseSet) names() []string {
	if len(s) == 0 || s[len(s)-1] == "" {
		return nil
	}
	return slices.Clip(s)
}
