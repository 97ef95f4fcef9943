package capture

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// samples are the flows of a violation with the lowest IDs, and the times between
// them. All is kept sorted as flows come, so that a summary costs nothing.
type samples struct {
	references []Reference // at most MaxReferences, by ID
	times      []int64     // when each of them started, in µs
	sorted     []int64     // likewise, in order
	gaps       []int64     // between neighbours of sorted, by length
	shown      int         // that many of references were handed out: they stay as they are
	borrowed   bool        // the slices are those of another
}

// clone returns a copy that can be added to. It borrows until then: the flows that
// are added for one summary are new ones, and mostly too late to be among the first.
func (s *samples) clone() samples {
	s.shown = len(s.references) // the copy may hand them out
	c := *s
	c.borrowed = true
	return c
}

// own makes the slices its own.
func (s *samples) own() {
	if s.borrowed {
		s.references, s.times = slices.Clone(s.references), slices.Clone(s.times)
		s.sorted, s.gaps = slices.Clone(s.sorted), slices.Clone(s.gaps)
		s.borrowed, s.shown = false, 0
	}
}

// add takes a flow when it is among the first.
func (s *samples) add(r Reference, start time.Time) {
	at, _ := slices.BinarySearchFunc(s.references, r, func(a, b Reference) int { return cmp.Compare(a.ID, b.ID) })
	if at >= MaxReferences {
		return
	}
	s.own()
	if at < s.shown {
		s.references, s.shown = slices.Clone(s.references), 0
	}
	if last := len(s.references) - 1; last == MaxReferences-1 {
		s.removeTime(s.times[last])
		s.references, s.times = s.references[:last], s.times[:last]
	}
	t := start.UnixMicro()
	s.references, s.times = slices.Insert(s.references, at, r), slices.Insert(s.times, at, t)
	s.addTime(t)
}

// addTime puts a moment between its neighbours.
func (s *samples) addTime(t int64) {
	at, _ := slices.BinarySearch(s.sorted, t)
	hasBefore, hasAfter := at > 0, at < len(s.sorted)
	if hasBefore {
		s.addGap(t - s.sorted[at-1])
	}
	if hasAfter {
		s.addGap(s.sorted[at] - t)
	}
	if hasBefore && hasAfter {
		s.removeGap(s.sorted[at] - s.sorted[at-1])
	}
	s.sorted = slices.Insert(s.sorted, at, t)
}

// removeTime undoes addTime.
func (s *samples) removeTime(t int64) {
	at, _ := slices.BinarySearch(s.sorted, t)
	s.sorted = slices.Delete(s.sorted, at, at+1)
	hasBefore, hasAfter := at > 0, at < len(s.sorted)
	if hasBefore {
		s.removeGap(t - s.sorted[at-1])
	}
	if hasAfter {
		s.removeGap(s.sorted[at] - t)
	}
	if hasBefore && hasAfter {
		s.addGap(s.sorted[at] - s.sorted[at-1])
	}
}

func (s *samples) addGap(d int64) {
	at, _ := slices.BinarySearch(s.gaps, d)
	s.gaps = slices.Insert(s.gaps, at, d)
}

func (s *samples) removeGap(d int64) {
	at, _ := slices.BinarySearch(s.gaps, d)
	s.gaps = slices.Delete(s.gaps, at, at+1)
}

// interval returns the median time between neighbours, 0 for fewer than three
// moments.
func (s *samples) interval() time.Duration {
	n := len(s.gaps)
	if n < 2 {
		return 0
	}
	median := s.gaps[n/2]
	if n%2 == 0 {
		median = s.gaps[n/2-1] + (median-s.gaps[n/2-1])/2
	}
	return time.Duration(min(median, math.MaxInt64/1000)) * time.Microsecond
}

// handOut returns the references. They will not change.
func (s *samples) handOut() []Reference {
	s.shown = len(s.references)
	return slices.Clip(s.references)
}
