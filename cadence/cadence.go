// Package cadence recognises contacts that repeat by a timer.
//
// It knows times and nothing else. What it calls a rhythm is telltale's own definition: a
// period T, from a second up to a quarter of the time that was watched, such that
//
//   - the time from one beat to the next is T ± 20 %, at least four times;
//   - requests that come within half a period of the first of a beat are a part of it;
//   - what speaks against it costs: four more such times for each that is no whole number
//     of periods, half a one for each beat that was missed and for each that took longer
//     than a tenth of the period;
//   - there is at most one pause of more than ten periods for four of them: the device
//     slept, the app was closed.
//
// It promises that a series takes bounded memory, and that its rhythm depends on the times
// alone and not on the order in which they came. Times at random have none, but for one or
// two in a hundred of those that are only five to a dozen: tests measure it.
//
// It does not say who keeps the rhythm, nor whether it is bad. To see why a rhythm is or
// is not found, print what measure returns for the period that was expected.
package cadence

import (
	"math"
	"slices"
	"time"
)

const (
	// tolerance is the share of a period by which beats may be early or late.
	tolerance = 0.2
	// minPeriods is how often a period must have come.
	minPeriods = 4
	// minPeriod is the shortest one: what comes faster is one page or one transfer.
	minPeriod = time.Second
	// maxMissed is how many periods a gap may have until it is a pause.
	maxMissed = 10
	// maxTimes bounds what a series keeps: the first of them.
	maxTimes = 512
)

// resolution is how exactly times are kept. Contacts within it count once, so that bursts
// do not use up what a series can keep.
const resolution = 100 * time.Millisecond

// A Series collects the times of one kind of contact, in any order, in bounded memory: it
// keeps the first 512 that differ, to a tenth of a second. The zero value is empty. It is
// not safe for concurrent use.
type Series struct {
	ticks []int64 // in order, each once, of resolution since 1970
	found *Rhythm // what Rhythm returned; nil when times came since
}

// Add takes in one time. The zero time is none.
func (s *Series) Add(t time.Time) {
	if t.IsZero() {
		return
	}
	tick := t.UnixMilli() / resolution.Milliseconds()
	at := len(s.ticks)
	if at > 0 && tick <= s.ticks[at-1] { // else the usual case: the newest
		var known bool
		if at, known = slices.BinarySearch(s.ticks, tick); known {
			return
		}
	}
	if at == maxTimes {
		return
	}
	s.found = nil
	s.ticks = slices.Insert(s.ticks[:min(len(s.ticks), maxTimes-1)], at, tick)
}

// Clone returns a copy that can be added to.
func (s *Series) Clone() Series { return Series{slices.Clone(s.ticks), s.found} }

// A Rhythm is a period that a series keeps. The zero value is none.
type Rhythm struct {
	Every time.Duration
	Count int // contacts that keep it, of those that the series has
}

// Rhythm returns the period of a series; false where it has none. It costs nothing when no
// time was added since it was asked last.
func (s *Series) Rhythm() (Rhythm, bool) {
	if s.found == nil {
		r := find(s.ticks)
		s.found = &r
	}
	return *s.found, s.found.Count > 0
}

// step is the ratio between periods that are tried. Each finds the gaps around it, so that
// neighbours overlap.
const step = 1.25

// find returns the rhythm of ticks that are in order.
func find(ticks []int64) (best Rhythm) {
	if len(ticks) <= minPeriods {
		return Rhythm{}
	}
	span := float64(ticks[len(ticks)-1] - ticks[0])
	var covered float64 // time that the best explains
	beats, sorted := make([]float64, 0, len(ticks)), make([]float64, 0, len(ticks))
	for guess := float64(minPeriod / resolution); guess <= span/minPeriods*(1+tolerance); guess *= step {
		beats = gapsOf(beats[:0], ticks, guess/2)
		period, ok := densest(append(sorted[:0], beats...), guess)
		if !ok {
			continue
		}
		m := measure(gapsOf(beats[:0], ticks, period/2), period)
		m.loose = loose(ticks, period)
		// A multiple of a period explains the same time; the parts of a burst much less
		// than the period at which bursts come.
		if m.isRhythm() && period >= float64(minPeriod/resolution)*(1-tolerance) && m.covered > 1.5*covered {
			covered = m.covered
			best = Rhythm{Every: time.Duration(math.Round(m.period)) * resolution, Count: m.onBeat + m.missed + 1}
		}
	}
	return best
}

// gapsOf appends the times between beats: contacts that come within a window behind the
// first of a beat are a part of it.
func gapsOf(gaps []float64, ticks []int64, window float64) []float64 {
	start := ticks[0]
	for _, t := range ticks[1:] {
		if gap := float64(t - start); gap > window {
			gaps = append(gaps, gap)
			start = t
		}
	}
	return gaps
}

// loose counts the beats that are not one moment: contacts of theirs lie further apart than
// a tenth of the period.
func loose(ticks []int64, period float64) (n int) {
	start, counted := ticks[0], false
	for _, t := range ticks[1:] {
		switch after := float64(t - start); {
		case after > period/2:
			start, counted = t, false
		case after > period/10 && !counted:
			n++
			counted = true
		}
	}
	return n
}

// densest returns the middle of the range of ± 20 % around a guess in which most gaps are.
func densest(gaps []float64, guess float64) (period float64, ok bool) {
	const width = (1 + tolerance) / (1 - tolerance)
	gaps = slices.DeleteFunc(gaps, func(g float64) bool { return g < guess/width || g > guess*width })
	if len(gaps) < minPeriods {
		return 0, false
	}
	slices.Sort(gaps)
	most, from := 0, 0
	for lo, hi := 0, 0; lo < len(gaps); lo++ {
		for hi < len(gaps) && gaps[hi] <= gaps[lo]*width {
			hi++
		}
		if hi-lo > most {
			most, from = hi-lo, lo
		}
	}
	middle := (gaps[from] + gaps[from+most-1]) / 2
	return middle, true
}

// A measurement says how the gaps of a series fit a period.
type measurement struct {
	period                      float64 // mean of the gaps that are one
	onBeat, missed, off, pauses int     // gaps of one period, of several, of none, and of very many
	loose                       int     // beats that are not one moment
	covered                     float64 // sum of the gaps that fit
}

func measure(gaps []float64, period float64) (m measurement) {
	var sum float64
	for _, g := range gaps {
		n := math.Max(1, math.Round(g/period))
		switch fits := math.Abs(g-n*period) <= tolerance*period*(1+1e-9); {
		case n > maxMissed:
			m.pauses++
		case !fits:
			m.off++
		case n == 1:
			m.onBeat++
			sum += g
			m.covered += g
		default:
			m.missed++
			m.covered += g
		}
	}
	if m.onBeat > 0 {
		m.period = sum / float64(m.onBeat)
	}
	return m
}

// isRhythm applies the definition: see the package comment.
func (m measurement) isRhythm() bool {
	return m.onBeat >= minPeriods+4*m.off+(m.missed+m.loose)/2 && m.onBeat >= 4*m.pauses
}
