package consequence

import (
	"math"
	"slices"
	"time"
)

const (
	// maxIntervals is how many intervals a result lists.
	maxIntervals = 16
	// atOnce is how long tries follow each other that are one: clients try several addresses,
	// and connections of a browser fail together. Questions of DNS for the types of one name
	// come further apart.
	atOnce         = 50 * time.Millisecond
	atOnceQuestion = time.Second
	// minGrowth is the least factor from one interval to the next that is a growth, and
	// minGrown how many intervals must have grown.
	minGrowth = 1.25
	minGrown  = 2
	// spread is by how much a growth may differ from the mean of them: back-off has jitter.
	spread = 1.6
)

// retryOf describes how tries follow each other.
func retryOf(at []int64, within time.Duration) (r Retry) {
	all := intervalsOf(moments(at, within))
	if len(all) == 0 {
		return r
	}
	r.Intervals = slices.Clone(all[:min(len(all), maxIntervals)])
	sorted := slices.Sorted(slices.Values(all))
	r.Median = sorted[len(sorted)/2]
	if r.grows(all); r.Factor == 0 {
		r.Rhythm = rhythm(at)
	}
	return r
}

func intervalsOf(at []int64) (all []time.Duration) {
	for i := range at {
		if i > 0 {
			all = append(all, time.Duration(at[i]-at[i-1])*time.Microsecond)
		}
	}
	return all
}

// grows finds the back-off: intervals that grow by one factor from the first on, until they
// stay what they are.
func (r *Retry) grows(all []time.Duration) {
	n := 1
	for n < len(all) && float64(all[n]) >= minGrowth*float64(all[n-1]) {
		n++
	}
	grown := n - 1
	if grown < minGrown {
		return
	}
	factor := math.Pow(float64(all[n-1])/float64(all[0]), 1/float64(grown))
	for i := 1; i < n; i++ {
		growth := float64(all[i]) / float64(all[i-1])
		last := i == n-1 && n < len(all) // what it grows to at last may be less
		if growth > factor*spread || growth < factor/spread && !last {
			return
		}
	}
	if rest := all[n:]; len(rest) > 0 {
		low, high := slices.Min(rest), slices.Max(rest)
		if float64(high) > float64(low)*minGrowth*minGrowth || float64(high)*spread < float64(all[n-1]) {
			return
		}
		sorted := slices.Sorted(slices.Values(rest))
		r.Most = sorted[len(sorted)/2]
	}
	r.Factor, r.Grown = factor, grown
}

// due returns when the next try was to be expected after the last one; 0 where nothing tells.
func (r *Retry) due(all []time.Duration) time.Duration {
	switch {
	case len(all) == 0:
		return 0
	case r.Factor > 0 && r.Most == 0:
		return time.Duration(float64(all[len(all)-1]) * r.Factor)
	}
	return slices.Max(all)
}
