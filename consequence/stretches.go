package consequence

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"telltale/capture"
	"telltale/flow"
)

// maxStretches is how many stretches are looked at, the first of them.
const maxStretches = 32

// A segment is a stretch, or a time between two of them.
type segment struct {
	from, to    time.Time // to is that of the end of the capture for the last one
	experiments []string  // nil: none
}

func (s *segment) quiet() bool { return len(s.experiments) == 0 }

// segmentsOf divides time by switches. The first segment has no beginning and the last no
// end: whoever saw the flows knows them. More counts the stretches that are left out; the
// last segment then ends where they begin.
func segmentsOf(switches []capture.Switch) (all []segment, more int) {
	switches = slices.Clone(switches)
	slices.SortStableFunc(switches, func(a, b capture.Switch) int { return a.Time.Compare(b.Time) })
	all = []segment{{}}
	stretches := 0
	for _, sw := range switches {
		last := &all[len(all)-1]
		active := slices.Compact(slices.Sorted(slices.Values(sw.Active)))
		switch {
		case slices.Equal(active, last.experiments):
			continue
		case len(active) > 0 && stretches >= maxStretches:
			if more++; last.to.IsZero() {
				last.to = sw.Time
			}
			continue
		case more > 0:
			continue
		case sw.Time.Equal(last.from) && len(all) > 1: // what was in force for no time was not
			if !last.quiet() {
				stretches--
			}
			all = all[:len(all)-1]
			if slices.Equal(active, all[len(all)-1].experiments) {
				all[len(all)-1].to = time.Time{}
				continue
			}
		}
		all[len(all)-1].to = sw.Time
		all = append(all, segment{from: sw.Time, experiments: active})
		if len(active) > 0 {
			stretches++
		}
	}
	return all, more
}

// find returns the index of the segment in which a time is, -1 for none.
func find(segments []segment, t time.Time) int {
	i, at := slices.BinarySearchFunc(segments, t, func(s segment, t time.Time) int { return s.from.Compare(t) })
	if !at {
		i--
	}
	if i = max(i, 0); i == len(segments)-1 && !segments[i].to.IsZero() && !t.Before(segments[i].to) {
		return -1
	}
	return i
}

// maxTraces bounds what is kept of flows to derive stretches from.
const maxTraces = 1 << 20

// A trace is what a flow shows of switches.
type trace struct {
	at             int64 // microseconds
	phase, altered int32 // of those that were met; 0 for none
}

// traces derives switches from flows, where a capture does not tell them.
type traces struct {
	all          []trace
	phases       []string
	experiments  [][]string
	knownPhases  map[string]int32
	knownAltered map[string]int32
}

func newTraces() *traces {
	return &traces{
		phases: []string{""}, experiments: [][]string{nil}, knownPhases: map[string]int32{"": 0}, knownAltered: map[string]int32{"": 0},
	}
}

func (t *traces) add(f *flow.Flow) {
	if f.Times.Start.IsZero() || len(t.all) == maxTraces || !f.IsContact() {
		return
	}
	phase, ok := t.knownPhases[f.Phase]
	if !ok && len(t.phases) < maxRows {
		phase = int32(len(t.phases)) // #nosec G115 -- bounded
		t.knownPhases[f.Phase], t.phases = phase, append(t.phases, f.Phase)
	}
	key := strings.Join(f.Experiments, "\n")
	altered, ok := t.knownAltered[key]
	if !ok && len(t.experiments) < maxRows {
		altered = int32(len(t.experiments)) // #nosec G115 -- bounded
		t.knownAltered[key], t.experiments = altered, append(t.experiments, f.Experiments)
	}
	t.all = append(t.all, trace{f.Times.Start.UnixMicro(), phase, altered})
}

// switches returns what the flows show: an experiment was in force from the first contact
// that it altered to the last, and during all of a phase that is named after it. Phases keep
// stretches apart.
func (t *traces) switches() (out []capture.Switch) {
	slices.SortFunc(t.all, func(a, b trace) int {
		return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(t.phases[a.phase], t.phases[b.phase]), cmp.Compare(b.altered, a.altered))
	})
	for from := 0; from < len(t.all); {
		to := from
		for to < len(t.all) && t.all[to].phase == t.all[from].phase {
			to++
		}
		out = append(out, t.run(from, to)...)
		from = to
	}
	return out
}

// run returns the switches of flows of one phase that follow each other.
func (t *traces) run(from, to int) []capture.Switch {
	first, last := -1, -1
	var active []string
	for i := from; i < to; i++ {
		if experiments := t.experiments[t.all[i].altered]; len(experiments) > 0 {
			active = append(active, experiments...)
			if last = i; first < 0 {
				first = i
			}
		}
		if len(active) > 1000 {
			active = slices.Compact(slices.Sorted(slices.Values(active)))
		}
	}
	if first < 0 {
		return nil
	}
	active = slices.Compact(slices.Sorted(slices.Values(active)))
	phase := t.phases[t.all[from].phase]
	if slices.ContainsFunc(active, func(name string) bool { return strings.Contains(phase, name) }) {
		first, last = from, to-1
	}
	for last+1 < len(t.all) && t.all[last+1].at == t.all[last].at {
		last++
	}
	on := capture.Switch{Time: time.UnixMicro(t.all[first].at).UTC(), Active: active}
	if last+1 >= len(t.all) {
		return []capture.Switch{on}
	}
	return []capture.Switch{on, {Time: time.UnixMicro(t.all[last+1].at).UTC()}}
}
