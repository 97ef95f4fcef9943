package consequence

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"telltale/policy"
)

// result says what the counts show.
func (a *analysis) result() *Result {
	r := &Result{More: a.more, Crowded: a.crowded}
	a.segments[0].from = a.first
	if last := &a.segments[len(a.segments)-1]; last.to.IsZero() {
		if last.to = last.from; a.last.After(last.from) {
			last.to = a.last
		}
	}
	if first := &a.segments[0]; first.to.Before(first.from) {
		first.from = first.to // nothing came before the first switch
	}
	if a.inside == 0 {
		a.recorded, a.outside = nil, 0 // of other recordings
	}
	a.quiet = clockOf(a.segments, a.recorded)
	for i := range a.segments {
		if !a.segments[i].quiet() {
			r.Stretches = append(r.Stretches, a.stretch(i))
		}
	}
	return r
}

// A comparison is one stretch with the times that it is compared with.
type comparison struct {
	*analysis
	i       int // of the segment
	from    int64
	targets map[string]bool
	regular map[string]bool // hosts with kinds that stopped, or may have
	other   map[string]bool // hosts with kinds that are answered otherwise
	usual   int             // contacts to other hosts before
	Stretch
}

func (a *analysis) stretch(i int) Stretch {
	s := a.segments[i]
	c := &comparison{
		analysis: a, i: i, from: s.from.UnixMicro(), targets: map[string]bool{}, regular: map[string]bool{}, other: map[string]bool{},
		Stretch: Stretch{Experiments: s.experiments, From: s.from, To: s.to, Flows: a.totals[i].flows, Altered: a.totals[i].altered, Crowded: a.crowded, ClockSet: a.set || a.outside > 0},
	}
	all := a.totals[i].clients
	for j := range i {
		if a.segments[j].quiet() {
			c.BeforeFlows += a.totals[j].flows
			all.merge(a.totals[j].clients)
		}
	}
	c.Devices = all.several
	if c.BeforeFlows > 0 {
		c.Before = c.quietly(c.from)
	}
	if j := i + 1; j < len(a.segments) && a.segments[j].quiet() && a.totals[j].flows > 0 {
		if c.After = c.behind(a.segments[j].to.UnixMicro()); c.After > 0 {
			c.AfterFlows = a.totals[j].flows
		}
	}
	for _, h := range a.hosts {
		c.target(h)
		c.trust(h)
		c.rewritten(h)
	}
	if c.Before > 0 {
		for shape, k := range a.kinds {
			c.kind(shape, k)
		}
		for _, h := range a.hosts {
			c.host(h)
		}
		c.Usual = int(math.Round(float64(c.usual) * c.To.Sub(c.From).Seconds() / c.Before.Seconds()))
		if isSlowed(c.Experiments) {
			c.link()
		}
	}
	c.leaveOutFailed()
	c.sort()
	return c.Stretch
}

// leaveOutFailed leaves out the kinds of requests to hosts that failed: that says it.
func (c *comparison) leaveOutFailed() {
	failed := map[string]bool{}
	for _, h := range c.Failed {
		failed[h.Name] = true
	}
	for _, kinds := range [...]*[]Kind{&c.Stopped, &c.Changed, &c.Short, &c.Otherwise} {
		*kinds = slices.DeleteFunc(*kinds, func(k Kind) bool { return failed[k.Host] })
		if len(*kinds) == 0 {
			*kinds = nil
		}
	}
}

func (c *comparison) sort() {
	byName := func(a, b Host) int { return strings.Compare(a.Name, b.Name) }
	byFirst := func(a, b Host) int { return cmp.Or(cmp.Compare(a.First, b.First), strings.Compare(a.Name, b.Name)) }
	byCount := func(a, b Kind) int {
		return cmp.Or(cmp.Compare(b.Before, a.Before), strings.Compare(a.Host, b.Host), strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
	}
	slices.SortFunc(c.Targets, func(a, b Target) int {
		return cmp.Or(cmp.Compare(b.Tries, a.Tries), strings.Compare(a.Host, b.Host))
	})
	slices.SortFunc(c.Instead, byFirst)
	slices.SortFunc(c.Kept, byName)
	slices.SortFunc(c.Failed, byName)
	slices.SortFunc(c.Trusted, byName)
	slices.SortFunc(c.Stopped, byCount)
	slices.SortFunc(c.Changed, byCount)
	slices.SortFunc(c.Short, byCount)
	slices.SortFunc(c.Otherwise, byCount)
	slices.SortFunc(c.Rewritten, byName)
}

// quietly maps a time to how long no experiment had been in force until then.
func (c *comparison) quietly(at int64) time.Duration { return c.quiet.at(min(at, c.from)) }

// before returns the times of a row before the stretch, on a clock that stands still while
// an experiment is in force.
func (c *comparison) before(t *times) []int64 {
	at := t.until(c.from)
	out := make([]int64, len(at))
	for i, moment := range at {
		out[i] = c.quietly(moment).Microseconds()
	}
	return out
}

// since is how long after the beginning of the stretch a time is.
func (c *comparison) since(at int64) time.Duration {
	return time.Duration(at-c.from) * time.Microsecond
}

// recovery is what happened to a host behind the stretch.
func (c *comparison) recovery(h *hostTotal) Recovery {
	row := h.at(c.i + 1)
	return c.recovered(row.flows, row.firstAnswered)
}

// recovered is what happened behind the stretch to what was tried so often there.
func (c *comparison) recovered(tried int, firstAnswered mark) (r Recovery) {
	if c.After == 0 {
		return r
	}
	r.Tried = tried
	if firstAnswered.id != 0 {
		r.After, r.Flow = c.behind(firstAnswered.at), firstAnswered.id
	}
	return r
}

// behind is how long after the end of the stretch a time is, of what was recorded.
func (c *comparison) behind(at int64) time.Duration {
	return max(c.quiet.at(at)-c.quiet.at(c.To.UnixMicro()), 0)
}

// target adds a host of which contacts were taken.
func (c *comparison) target(h *hostTotal) {
	r := h.at(c.i)
	t := Target{
		Host: h.name, Tries: r.tries, Blocked: r.blocked, Simulated: r.simulated, Distrusted: r.distrusted,
		Passed: r.untaken, Done: r.done, Example: r.taken.id,
	}
	at, within, first, last, client := r.at.at, atOnce, r.taken, r.lastTaken, r.takenClient
	switch {
	case r.tries > 0:
	case r.preludesTaken > 0 && r.flows == 0:
		at, within, first, last, client = r.preludeTries.at, atOnceQuestion, r.preludeTaken, r.lastPrelude, r.preludeTakenClient
		t.Tries, t.Done, t.Example = len(moments(at, within)), r.preludeDone, first.id
		if r.preludeBlocked {
			t.Blocked = t.Tries
		} else {
			t.Simulated = t.Tries
		}
	default:
		return
	}
	c.targets[h.name] = true
	t.First, t.Last = c.since(first.at), max(c.To.Sub(time.UnixMicro(last.at)), 0)
	t.Retry = retryOf(at, within)
	before := c.before(&h.quiet)
	t.Previous = rhythm(before)
	t.Before = c.past(h).flows
	if c.Before == 0 {
		t.Previous, t.Before = Retry{}.Rhythm, 0
	}
	c.ending(&t, intervalsOf(moments(at, within)), moments(before, time.Second))
	t.Pace = c.pace(&t, at, before)
	if r.untaken > 0 && r.last.at > last.at {
		t.End = NotKnown // it came through
	}
	if t.End == GaveUp {
		total := c.totals[c.i]
		other := total.latest
		if total.host == h.name {
			other = total.second
		}
		t.Alone = other <= last.at
	}
	if c.Before > 0 && c.isNew(h) {
		t.Behind, t.Delay, _ = c.refusedBefore(h.name, client, first.at)
	}
	t.Recovery = c.recovery(h)
	c.Targets = append(c.Targets, t)
}

// ending says whether tries went on. Before are the moments of the contacts before.
func (c *comparison) ending(t *Target, intervals []time.Duration, before []int64) {
	due := max(t.Retry.due(intervals), t.Previous.Every)
	if t.Previous.Count == 0 && len(before) >= 3 {
		due = max(due, time.Duration(before[len(before)-1]-before[0])*time.Microsecond/time.Duration(len(before)-1))
	}
	const least = 5 * time.Second
	switch {
	case due == 0:
	case t.Last >= max(3*due, least):
		t.End = GaveUp
	case t.Last <= 2*due && len(intervals) > 0:
		t.End = StillTrying
	}
}

// pace compares how often a host was tried with how often it was contacted before.
func (c *comparison) pace(t *Target, at, before []int64) float64 {
	if t.Retry.Factor > 0 {
		return 0
	}
	if t.Previous.Count > 0 && t.Retry.Rhythm.Count > 0 {
		return t.Previous.Every.Seconds() / t.Retry.Rhythm.Every.Seconds()
	}
	rate := func(at []int64, whole time.Duration) float64 {
		at = moments(at, time.Second)
		if len(at) < 3 {
			return 0
		}
		span := time.Duration(at[len(at)-1]-at[0]) * time.Microsecond
		if span < whole/2 {
			return 0
		}
		return float64(len(at)-1) / span.Seconds()
	}
	was := rate(before, c.Before)
	if was == 0 {
		return 0
	}
	return rate(at, c.To.Sub(c.From)) / was
}

// trust adds a host to which requests were sent over a bad certificate.
func (c *comparison) trust(h *hostTotal) {
	if r := h.at(c.i); r.trusted > 0 {
		c.Trusted = append(c.Trusted, Host{
			Name: h.name, Flows: r.trusted, Answered: r.answered, First: c.since(r.firstTrusted.at), Flow: r.firstTrusted.id,
		})
	}
}

// kind says what became of a kind of request to a host that the experiment did not take.
func (c *comparison) kind(shape policy.Shape, k *kindTotal) {
	if c.targets[shape.Host] || k.noise {
		return
	}
	kind := Kind{Method: shape.Method, Host: shape.Host, Path: shape.Path}
	var last mark
	var judged, good int
	for _, r := range k.rows {
		if r.segment < c.i && c.segments[r.segment].quiet() {
			kind.Before += r.flows
			judged, good = judged+r.judged, good+r.good
			last.latest(r.last.at, r.last.id)
		}
	}
	c.answers(kind, k, judged, good)
	if kind.Before < 3 || !c.isRegular(&kind, c.before(&k.quiet), c.quietly(last.at)) {
		return
	}
	now := k.at(c.i)
	kind.During, kind.Last, kind.Flow = now.flows, c.Before-c.quietly(last.at), last.id
	kind.Recovery = c.resumption(k)
	length := c.To.Sub(c.From)
	switch expected := float64(kind.Before) * length.Seconds() / c.Before.Seconds(); {
	case now.flows == 0 && length >= 3*kind.Every:
		c.Stopped = append(c.Stopped, kind)
		c.regular[kind.Host] = true
	case now.flows == 0:
		c.Short = append(c.Short, kind)
		c.regular[kind.Host] = true
	case max(expected, float64(now.flows)) < 6:
	case float64(now.flows) >= 3*expected, 3*float64(now.flows) <= expected:
		c.Changed = append(c.Changed, kind)
	}
}

// isRegular reports whether a kind was made again and again until the stretch began; at and
// last are on the clock of quietly.
func (c *comparison) isRegular(kind *Kind, at []int64, last time.Duration) bool {
	if kind.Rhythm = rhythm(at); kind.Rhythm.Count > 0 {
		kind.Every = kind.Rhythm.Every
		return c.Before-last <= 3*kind.Every
	}
	at = moments(at, max(time.Second, c.Before/20))
	if len(at) < 3 {
		return false
	}
	kind.Every = time.Duration(at[len(at)-1]-at[0]) * time.Microsecond / time.Duration(len(at)-1)
	return last-time.Duration(at[0])*time.Microsecond >= c.Before/2 && c.Before-last <= 2*kind.Every
}

// resumption is what happened to a kind of request behind the stretch.
func (c *comparison) resumption(k *kindTotal) Recovery {
	row := k.at(c.i + 1)
	return c.recovered(row.flows, row.firstAnswered)
}

// link compares how long requests took.
func (c *comparison) link() {
	var before, during histogram
	for _, k := range c.kinds {
		now := k.at(c.i).lengths
		var was histogram
		for _, r := range k.rows {
			if r.segment < c.i && c.segments[r.segment].quiet() {
				was.merge(r.lengths)
			}
		}
		if len(now) > 0 && len(was) > 0 {
			before.merge(was)
			during.merge(now)
		}
	}
	l := &Link{Flows: during.total(), BeforeFlows: before.total(), Median: during.median(), BeforeMedian: before.median()}
	for j := range c.i {
		if t := c.totals[j]; c.segments[j].quiet() {
			l.BeforeAbandoned += t.abandoned
			l.BeforeTimeouts += t.timeouts
		}
	}
	l.Abandoned, l.Timeouts = c.totals[c.i].abandoned, c.totals[c.i].timeouts
	if *l != (Link{}) {
		c.Link = l
	}
}
