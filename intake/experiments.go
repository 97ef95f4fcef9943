package intake

import (
	"slices"
	"strings"

	"telltale/capture"
)

// Experiments adds what captures know of their own experiments to what their flows say: when
// they were in force, and those that altered nothing.
func Experiments(infos []Info, seen []capture.Experiment) []capture.Experiment {
	all := slices.Clone(seen)
	for _, info := range infos {
		for _, known := range info.Experiments {
			at, found := slices.BinarySearchFunc(all, known.Name, func(e capture.Experiment, name string) int { return strings.Compare(e.Name, name) })
			if !found {
				all = slices.Insert(all, at, capture.Experiment{Name: known.Name})
			}
			all[at].Periods = slices.Concat(all[at].Periods, known.Periods)
		}
	}
	return all
}
