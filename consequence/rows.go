package consequence

import (
	"math"
	"net/netip"
	"slices"
	"time"

	"telltale/cadence"
	"telltale/flow"
)

// maxTimes bounds the times that are kept of one row: the first of them.
const maxTimes = 512

// times are the first moments of a row, in microseconds, in order.
type times struct{ at []int64 }

// add takes in one time, rounded down to a grain.
func (t *times) add(at int64, grain int64) {
	at -= at % grain
	n := len(t.at)
	if n > 0 && at <= t.at[n-1] {
		i, known := slices.BinarySearch(t.at, at)
		if known {
			return
		}
		t.at = slices.Insert(t.at[:min(n, maxTimes-1)], i, at)
		return
	}
	if n < maxTimes {
		t.at = append(t.at, at)
	}
}

// until returns the times before one.
func (t *times) until(end int64) []int64 {
	i, _ := slices.BinarySearch(t.at, end)
	return t.at[:i]
}

// moments leaves out what follows the first of a moment within a time.
func moments(at []int64, within time.Duration) []int64 {
	var out []int64
	for _, t := range at {
		if len(out) == 0 || t-out[len(out)-1] > within.Microseconds() {
			out = append(out, t)
		}
	}
	return out
}

// rhythm returns the rhythm of times, zero for none.
func rhythm(at []int64) cadence.Rhythm {
	var s cadence.Series
	for _, t := range at {
		s.Add(time.UnixMicro(t))
	}
	r, _ := s.Rhythm()
	return r
}

// A mark is one flow and its time. The zero value is none.
type mark struct {
	at int64
	id flow.ID
}

func (m *mark) earliest(at int64, id flow.ID) {
	if m.id == 0 || at < m.at || at == m.at && id < m.id {
		*m = mark{at, id}
	}
}

func (m *mark) latest(at int64, id flow.ID) {
	if m.id == 0 || at > m.at || at == m.at && id > m.id {
		*m = mark{at, id}
	}
}

// A hostRow counts the contacts to a host in one segment.
type hostRow struct {
	segment        int
	flows          int // preludes left out
	answered       int
	untaken        int
	taken          mark // the first try
	lastTaken      mark
	last           mark
	first          mark
	firstUntaken   mark
	firstAnswered  mark
	tries          int
	blocked        int
	simulated      int
	distrusted     int
	at             times // of tries
	done           string
	preludes       int
	preludesTaken  int
	preludeTries   times
	preludeTaken   mark
	lastPrelude    mark // that was taken
	preludeDone    string
	preludeBlocked bool
	trusted        int
	firstTrusted   mark

	// Of what was not taken:
	good             int // of answered: no errors at all
	altered          int // that an experiment rewrote
	firstAltered     mark
	open             int   // not yet answered
	questions        times // preludes
	preludesAnswered int
	firstPrelude     mark

	// Who made the first of them.
	firstClient, takenClient, preludeClient, preludeTakenClient netip.Addr
}

// A hostTotal counts the contacts to a host.
type hostTotal struct {
	name  string
	noise bool // all of it is ignored
	rows  []hostRow
	quiet times // of contacts without an experiment, to a tenth of a second
}

func (h *hostTotal) row(segment int) *hostRow {
	i, known := slices.BinarySearchFunc(h.rows, segment, func(r hostRow, s int) int { return r.segment - s })
	if !known {
		h.rows = slices.Insert(h.rows, i, hostRow{segment: segment})
	}
	return &h.rows[i]
}

// at returns the row of a segment, an empty one where there is none.
func (h *hostTotal) at(segment int) hostRow {
	i, known := slices.BinarySearchFunc(h.rows, segment, func(r hostRow, s int) int { return r.segment - s })
	if !known {
		return hostRow{segment: segment}
	}
	return h.rows[i]
}

// A kindRow counts requests of one kind in one segment.
type kindRow struct {
	segment       int
	flows         int
	judged, good  int // whose answer is known and the server's own, and those without an error
	first, last   mark
	firstAnswered mark
	lengths       histogram // of requests; only where a link was slowed
}

// A kindTotal counts requests of one kind.
type kindTotal struct {
	noise bool
	rows  []kindRow
	quiet times
}

func (k *kindTotal) row(segment int) *kindRow {
	i, known := slices.BinarySearchFunc(k.rows, segment, func(r kindRow, s int) int { return r.segment - s })
	if !known {
		k.rows = slices.Insert(k.rows, i, kindRow{segment: segment})
	}
	return &k.rows[i]
}

func (k *kindTotal) at(segment int) kindRow {
	i, known := slices.BinarySearchFunc(k.rows, segment, func(r kindRow, s int) int { return r.segment - s })
	if !known {
		return kindRow{segment: segment}
	}
	return k.rows[i]
}

// A histogram counts durations by their size, each bucket a twentieth longer than the one
// before.
type histogram []bucket

type bucket struct {
	step  int
	count int
}

const step = 1.05

func (h *histogram) add(d time.Duration, n int) {
	h.count(int(math.Round(math.Log(float64(max(d, time.Microsecond)))/math.Log(step))), n)
}

func (h *histogram) count(step, n int) {
	i, known := slices.BinarySearchFunc(*h, step, func(b bucket, s int) int { return b.step - s })
	if !known {
		*h = slices.Insert(*h, i, bucket{step: step})
	}
	(*h)[i].count += n
}

func (h *histogram) merge(other histogram) {
	for _, b := range other {
		h.count(b.step, b.count)
	}
}

func (h histogram) total() (n int) {
	for _, b := range h {
		n += b.count
	}
	return n
}

// median is known to a twentieth.
func (h histogram) median() time.Duration {
	left := (h.total() + 1) / 2
	for _, b := range h {
		if left -= b.count; left <= 0 {
			return time.Duration(math.Pow(step, float64(b.step)))
		}
	}
	return 0
}
