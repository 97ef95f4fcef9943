package intake

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"telltale/capture"
	"telltale/har"
)

// Experiments adds what captures know of their own experiments to what their flows say: when
// they were in force, each time once and in order, and those that altered nothing.
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
	for i := range all {
		sorted := slices.SortedStableFunc(slices.Values(all[i].Periods), byTime)
		all[i].Periods = slices.CompactFunc(sorted, func(a, b capture.Period) bool { return byTime(a, b) == 0 })
	}
	return all
}

// byTime orders periods; one that goes on is behind those that began with it and ended.
func byTime(a, b capture.Period) int {
	return cmp.Or(a.From.Compare(b.From), cmp.Compare(goesOn(a), goesOn(b)), a.To.Compare(b.To))
}

func goesOn(p capture.Period) int {
	if p.To.IsZero() {
		return 1
	}
	return 0
}

// Switches returns from when which experiments were in force, by the periods of several
// captures: what a copy that is made of them is to keep ([capture.Store.CopyMarks]).
func Switches(infos []Info) []capture.Switch {
	var turns []turn
	for _, e := range Experiments(infos, nil) {
		for _, p := range e.Periods {
			if turns = append(turns, turn{p.From, e.Name, 1}); !p.To.IsZero() {
				turns = append(turns, turn{p.To, e.Name, -1})
			}
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return a.time.Compare(b.time) })
	var switches []capture.Switch
	var before []string
	on := map[string]int{} // of captures that were recorded at the same time
	for i, t := range turns {
		if on[t.name] += t.by; on[t.name] == 0 {
			delete(on, t.name)
		}
		if i+1 < len(turns) && turns[i+1].time.Equal(t.time) {
			continue
		}
		if active := slices.Sorted(maps.Keys(on)); !slices.Equal(before, active) {
			switches, before = append(switches, capture.Switch{Time: t.time, Active: active}), active
		}
	}
	return switches
}

// A turn is a moment in which one experiment was switched on (1) or off (-1).
type turn struct {
	time time.Time
	name string
	by   int
}

// experimentsOf returns what a HAR says of its experiments, sorted by name.
func experimentsOf(info har.Info) []capture.Experiment {
	var claimed []capture.Experiment
	for _, e := range info.Experiments {
		known := capture.Experiment{Name: e.Name}
		for _, p := range e.Periods {
			known.Periods = append(known.Periods, capture.Period(p))
		}
		claimed = append(claimed, known)
	}
	return Experiments([]Info{{Experiments: claimed}}, nil)
}
