package capture

import (
	"cmp"
	"slices"
	"strings"

	"telltale/policy"
)

// MaxEvidence is how many places a violation lists.
const MaxEvidence = 16

// evidenceSet is the places in which the flows of a violation held a value: of very many
// the first ones in their order, so that it does not matter which flow came first. It is
// never changed, and may be shared.
type evidenceSet []policy.Evidence

// with returns the set with more places.
func (s evidenceSet) with(more []policy.Evidence) evidenceSet {
	for _, e := range more {
		i, found := slices.BinarySearchFunc(s, e, compareEvidence)
		if found || i >= MaxEvidence {
			continue
		}
		grown := make(evidenceSet, 0, len(s)+1)
		grown = append(append(append(grown, s[:i]...), detached(e)), s[i:]...)
		s = grown[:min(len(grown), MaxEvidence)]
	}
	return s
}

// behind returns the places of one flow, and then the others.
func (s evidenceSet) behind(first []policy.Evidence) []policy.Evidence {
	if len(s) == 0 {
		return first
	}
	all := slices.Clone(first)
	for _, e := range s {
		if len(all) >= MaxEvidence {
			break
		}
		if !slices.ContainsFunc(first, func(f policy.Evidence) bool { return compareEvidence(e, f) == 0 }) {
			all = append(all, e)
		}
	}
	return all
}

// compareEvidence orders places, and takes those for one that read the same.
func compareEvidence(a, b policy.Evidence) int {
	return cmp.Or(
		strings.Compare(a.Where, b.Where), slices.Compare(a.Layers, b.Layers),
		strings.Compare(a.Form, b.Form), strings.Compare(a.Masked, b.Masked),
	)
}

// detached keeps no flow in memory.
func detached(e policy.Evidence) policy.Evidence {
	e.Where, e.Form, e.Masked = strings.Clone(e.Where), strings.Clone(e.Form), strings.Clone(e.Masked)
	e.Layers = slices.Clone(e.Layers)
	return e
}
