package capture

import (
	"slices"
	"time"
)

// Activity says how many flows started when, for a sparkline. Its buckets lie
// on whole multiples of their width since 1970, so that it depends on the flows
// alone and two of them can be compared.
type Activity struct {
	Start  time.Time     // of the first bucket; zero when there are none
	Width  time.Duration // of a bucket: a power of two, in seconds
	Counts []int         // flows that started within each bucket, at most MaxBuckets
}

// MaxBuckets bounds an [Activity]: where the flows span more time, buckets are
// twice as wide.
const MaxBuckets = 64

// Spread puts the counts on a row of columns that divide the time between from
// and to, which several of them may share. Flows of a bucket are taken to have
// come evenly over the part of it that lies within; a bucket that only touches
// the end counts in the last column. The sum is that of all buckets within.
func (a Activity) Spread(from, to time.Time, columns int) []int {
	if columns <= 0 {
		return nil
	}
	row := make([]int, columns)
	if !to.After(from) {
		to = from.Add(time.Second)
	}
	length, width := secondsBetween(from, to), a.Width.Seconds()
	for i, n := range a.Counts {
		start := secondsBetween(from, a.Start) + float64(i)*width
		end := start + width
		if n == 0 || end <= 0 || start > length {
			continue
		}
		spreadBucket(row, n, max(start, 0)/length, min(end, length)/length)
	}
	return row
}

// spreadBucket adds n to the columns between two shares of the row.
func spreadBucket(row []int, n int, start, end float64) {
	columns := float64(len(row))
	start, end = start*columns, end*columns
	first := min(int(start), len(row)-1)
	put := 0
	for c := first; c < len(row) && put < n; c++ {
		upto := n // of the bucket, by the end of the column
		if edge := float64(c + 1); edge < end && c < len(row)-1 {
			upto = int(float64(n)*(edge-start)/(end-start) + 0.5)
		}
		row[c] += upto - put
		put = upto
	}
}

// secondsBetween is the time from a to b, which may be more than a Duration can say.
func secondsBetween(a, b time.Time) float64 {
	return float64(b.Unix()-a.Unix()) + float64(b.Nanosecond()-a.Nanosecond())/1e9
}

// activityTotal counts flows by the time at which they started. Bucket i covers
// the seconds from i<<shift to (i+1)<<shift.
type activityTotal struct {
	shift  uint
	first  int64 // bucket of counts[0]
	counts []int
	shown  []int // copy of counts that was handed out; nil when they have changed since
}

// The times that are told apart: the years 0 to 9999, which RFC 3339 can write.
// Their buckets never need to be wider than a Duration can say.
const (
	earliestSecond = -62_167_219_200
	latestSecond   = 253_402_300_799
)

// clone returns a copy that can be added to.
func (a *activityTotal) clone() activityTotal {
	c := *a
	c.counts = slices.Clone(a.counts)
	return c
}

// add counts a flow.
func (a *activityTotal) add(start time.Time) {
	if start.IsZero() {
		return
	}
	a.shown = nil
	at := min(max(start.Unix(), earliestSecond), latestSecond)
	if len(a.counts) == 0 {
		a.first, a.counts = at, append(make([]int, 0, 8), 1)
		return
	}
	for max(a.last(), at>>a.shift)-min(a.first, at>>a.shift) >= MaxBuckets {
		a.coarsen()
	}
	at >>= a.shift
	if at < a.first {
		a.counts = slices.Insert(a.counts, 0, make([]int, a.first-at)...)
		a.first = at
	}
	for at > a.last() {
		a.counts = append(a.counts, 0)
	}
	a.counts[at-a.first]++
}

func (a *activityTotal) last() int64 { return a.first + int64(len(a.counts)) - 1 }

// coarsen makes buckets twice as wide.
func (a *activityTotal) coarsen() {
	first := a.first >> 1
	last := a.last() >> 1
	for i, n := range a.counts {
		a.counts[i] = 0
		a.counts[(a.first+int64(i))>>1-first] += n
	}
	a.counts = a.counts[:last-first+1]
	a.first = first
	a.shift++
}

// activity returns what was counted. It will not change.
func (a *activityTotal) activity() Activity {
	if len(a.counts) == 0 {
		return Activity{}
	}
	if a.shown == nil {
		a.shown = slices.Clone(a.counts)
	}
	return Activity{Start: time.Unix(a.first<<a.shift, 0).UTC(), Width: time.Second << a.shift, Counts: a.shown}
}
