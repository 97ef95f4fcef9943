package capture

import (
	"slices"
	"strings"

	"telltale/flow"
)

// experimentTotal sums the flows that one experiment altered.
type experimentTotal struct {
	name         string
	flows, hosts int
}

// experimentTotals has a row for each experiment, by name. Of more than MaxExperiments it
// keeps the first by name, exactly, as phaseTotals do.
type experimentTotals []experimentTotal

func (t experimentTotals) search(name string) (int, bool) {
	return slices.BinarySearchFunc(t, name, func(e experimentTotal, name string) int { return strings.Compare(e.name, name) })
}

// add counts a flow that one experiment altered. newHost says that it is the first to its
// host.
func (t *experimentTotals) add(name string, newHost bool) {
	i, found := t.search(name)
	if !found {
		if i >= MaxExperiments {
			return
		}
		*t = slices.Insert((*t)[:min(len(*t), MaxExperiments-1)], i, experimentTotal{name: name})
	}
	(*t)[i].flows++
	if newHost {
		(*t)[i].hosts++
	}
}

// addExperiments counts a contact that experiments altered, if any did.
func (t *totals) addExperiments(f *flow.Flow, host *hostTotal) {
	if len(f.Experiments) == 0 {
		return
	}
	t.altered++
	host.altered++
	for i, name := range f.Experiments {
		if slices.Contains(f.Experiments[:i], name) {
			continue // of a file, where anything may stand
		}
		_, known := slices.BinarySearch(host.experiments, name)
		t.experiments.add(name, !known)
		host.experiments = insertFirst(host.experiments, name, MaxExperiments)
	}
}
