package consequence

import (
	"net/netip"
	"slices"
	"time"

	"telltale/capture"
	"telltale/flow"
)

// recorded are the times that were recorded, in order and apart. None is all of time.
type recorded []capture.Span

func recordedOf(story capture.Story) (all recorded) {
	spans := slices.Clone(story.Spans)
	slices.SortFunc(spans, func(a, b capture.Span) int { return a.From.Compare(b.From) })
	for _, s := range spans {
		if n := len(all); n > 0 && !s.From.After(all[n-1].To) {
			if s.To.After(all[n-1].To) {
				all[n-1].To = s.To
			}
			continue
		}
		all = append(all, s)
	}
	return all
}

// covers reports whether a time was recorded, to a second.
func (r recorded) covers(t time.Time) bool {
	i, _ := slices.BinarySearchFunc(r, t.Add(-time.Second), func(s capture.Span, t time.Time) int { return s.To.Compare(t) })
	return i < len(r) && !t.Before(r[i].From.Add(-time.Second))
}

// A clock goes while something was recorded and no experiment was in force. It stands still
// at all other times: what did not happen in them says nothing.
type clock struct {
	from, to []int64 // microseconds, of the times in which it goes
	sum      []int64 // of those before each
}

func clockOf(segments []segment, r recorded) (c clock) {
	if len(r) == 0 {
		r = recorded{{From: segments[0].from, To: segments[len(segments)-1].to}}
	}
	var sum int64
	for i, j := 0, 0; i < len(segments) && j < len(r); {
		s := segments[i]
		from, to := max(s.from.UnixMicro(), r[j].From.UnixMicro()), min(s.to.UnixMicro(), r[j].To.UnixMicro())
		if s.quiet() && from < to {
			c.from, c.to, c.sum = append(c.from, from), append(c.to, to), append(c.sum, sum)
			sum += to - from
		}
		if s.to.After(r[j].To) {
			j++
		} else {
			i++
		}
	}
	return c
}

// at is what the clock shows at a time.
func (c *clock) at(micros int64) time.Duration {
	i, _ := slices.BinarySearch(c.from, micros)
	if i--; i < 0 {
		return 0
	}
	return time.Duration(c.sum[i]+min(micros, c.to[i])-c.from[i]) * time.Microsecond
}

// inOrder returns switches with times that never go back, and whether the clock was set back
// between two of them: then their times tell nothing.
func inOrder(switches []capture.Switch) (out []capture.Switch, set bool) {
	out = slices.Clone(switches)
	for i := 1; i < len(out); i++ {
		if before := out[i-1].Time; out[i].Time.Before(before) {
			set = set || before.Sub(out[i].Time) > time.Second
			out[i].Time = before
		}
	}
	return out, set
}

// clientOf is the device that made a contact, as its address tells devices apart.
func clientOf(f *flow.Flow) netip.Addr {
	addr := f.Client.Addr.Addr().Unmap()
	if addr.IsLoopback() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return addr
}

// areOthers reports whether two addresses are of different clients. One may have an address
// of each family.
func areOthers(a, b netip.Addr) bool {
	return a.IsValid() && b.IsValid() && a.Is4() == b.Is4() && a != b
}

// clients are one address of each family, and whether there were others.
type clients struct {
	four, six netip.Addr
	several   bool
}

func (c *clients) add(addr netip.Addr) {
	known := &c.six
	if addr.Is4() {
		known = &c.four
	}
	c.several = c.several || areOthers(*known, addr)
	if !known.IsValid() {
		*known = addr
	}
}

func (c *clients) merge(other clients) {
	c.add(other.four)
	c.add(other.six)
	c.several = c.several || other.several
}
