package consequence

import (
	"cmp"
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
	Stretch
}

func (a *analysis) stretch(i int) Stretch {
	s := a.segments[i]
	c := &comparison{
		analysis: a, i: i, from: s.from.UnixMicro(), targets: map[string]bool{}, regular: map[string]bool{},
		Stretch: Stretch{Experiments: s.experiments, From: s.from, To: s.to, Flows: a.totals[i].flows, Altered: a.totals[i].altered, Crowded: a.crowded},
	}
	for j := range i {
		if a.segments[j].quiet() {
			c.BeforeFlows += a.totals[j].flows
			c.Before += a.segments[j].length()
		}
	}
	if c.BeforeFlows == 0 {
		c.Before = 0
	}
	if j := i + 1; j < len(a.segments) && a.totals[j].flows > 0 {
		c.After, c.AfterFlows = a.segments[j].length(), a.totals[j].flows
	}
	for _, h := range a.hosts {
		c.target(h)
		c.trust(h)
	}
	if c.Before > 0 {
		for shape, k := range a.kinds {
			c.kind(shape, k)
		}
		for _, h := range a.hosts {
			c.host(h)
		}
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
	for _, kinds := range [...]*[]Kind{&c.Stopped, &c.Changed, &c.Short} {
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
}

// quietly maps a time to how long no experiment had been in force until then.
func (c *comparison) quietly(at int64) time.Duration {
	var sum time.Duration
	for j := range c.i {
		s := c.segments[j]
		if !s.quiet() || s.from.UnixMicro() > at {
			continue
		}
		sum += min(time.Duration(at-s.from.UnixMicro())*time.Microsecond, s.length())
	}
	return sum
}

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

// answeredBefore counts contacts to a host while no experiment was in force, before.
func (c *comparison) answeredBefore(h *hostTotal) (flows, answered int) {
	for _, r := range h.rows {
		if r.segment < c.i && c.segments[r.segment].quiet() {
			flows += r.flows
			answered += r.answered
		}
	}
	return flows, answered
}

// recovery is what happened to a host behind the stretch.
func (c *comparison) recovery(h *hostTotal) (r Recovery) {
	if c.After == 0 {
		return r
	}
	row := h.at(c.i + 1)
	r.Tried = row.flows
	if row.firstAnswered.id != 0 {
		r.After, r.Flow = c.behind(row.firstAnswered.at), row.firstAnswered.id
	}
	return r
}

// behind is how long after the end of the stretch a time is.
func (c *comparison) behind(at int64) time.Duration {
	return max(time.Duration(at-c.To.UnixMicro())*time.Microsecond, 0)
}

// target adds a host of which contacts were taken.
func (c *comparison) target(h *hostTotal) {
	r := h.at(c.i)
	t := Target{
		Host: h.name, Tries: r.tries, Blocked: r.blocked, Simulated: r.simulated, Distrusted: r.distrusted,
		Passed: r.untaken, Done: r.done, Example: r.taken.id,
	}
	at, within, first, last := r.at.at, atOnce, r.taken, r.lastTaken
	switch {
	case r.tries > 0:
	case r.preludesTaken > 0 && r.flows == 0:
		at, within, first, last = r.preludeTries.at, atOnceQuestion, r.preludeTaken, r.lastPrelude
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
	t.Before, _ = c.answeredBefore(h)
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
		t.Behind, t.Delay, _ = c.refusedBefore(h.name, first.at)
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

// host says what became of a host that the experiment did not take. Kinds come before.
func (c *comparison) host(h *hostTotal) {
	if c.targets[h.name] || h.noise {
		return
	}
	r := h.at(c.i)
	flows, answered := c.answeredBefore(h)
	host := Host{Name: h.name, Flows: r.flows, Answered: r.answered, Before: flows, First: c.since(r.first.at), Flow: r.first.id, Recovery: c.recovery(h)}
	switch {
	case r.flows > 0 && c.isNew(h):
		c.instead(host, r.firstUntaken)
	case answered == 0, 2*answered < flows: // it did not work before either
	case r.flows == 0:
		if !c.regular[h.name] {
			c.Unseen++
		}
	case 2*r.answered < r.flows:
		c.Failed = append(c.Failed, host)
	default:
		c.Kept = append(c.Kept, host)
	}
}

// isNew reports whether nothing went to a host before the stretch.
func (c *comparison) isNew(h *hostTotal) bool {
	return len(h.rows) > 0 && h.rows[0].segment == c.i
}

// instead adds a host that was contacted for the first time, if a contact was taken before.
func (c *comparison) instead(host Host, first mark) {
	var some bool
	if host.Behind, host.Delay, some = c.refusedBefore(host.Name, first.at); some {
		c.Instead = append(c.Instead, host)
	}
}

// refusedBefore returns the host of the contact that was taken last until a time, and how long
// before, leaving out those to one host. Some reports whether there was any; which it was is
// not known where there were too many.
func (c *comparison) refusedBefore(but string, at int64) (host string, delay time.Duration, some bool) {
	t := &c.totals[c.i]
	n, _ := slices.BinarySearchFunc(t.refusals, at, func(r refusal, at int64) int { return cmp.Compare(r.at, at+1) })
	known := n < len(t.refusals) || !t.cut
	for n--; n >= 0; n-- {
		switch r := t.refusals[n]; {
		case r.host == but:
		case known:
			return r.host, time.Duration(at-r.at) * time.Microsecond, true
		default:
			return "", 0, true
		}
	}
	return "", 0, false
}

// kind says what became of a kind of request to a host that the experiment did not take.
func (c *comparison) kind(shape policy.Shape, k *kindTotal) {
	if c.targets[shape.Host] || k.noise {
		return
	}
	kind := Kind{Method: shape.Method, Host: shape.Host, Path: shape.Path}
	var last mark
	for _, r := range k.rows {
		if r.segment < c.i && c.segments[r.segment].quiet() {
			kind.Before += r.flows
			last.latest(r.last.at, r.last.id)
		}
	}
	if kind.Before < 3 || !c.isRegular(&kind, c.before(&k.quiet), c.quietly(last.at)) {
		return
	}
	now := k.at(c.i)
	kind.During, kind.Last, kind.Flow = now.flows, -c.since(last.at), last.id
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
func (c *comparison) resumption(k *kindTotal) (r Recovery) {
	if c.After == 0 {
		return r
	}
	row := k.at(c.i + 1)
	r.Tried = row.flows
	if row.firstAnswered.id != 0 {
		r.After, r.Flow = c.behind(row.firstAnswered.at), row.firstAnswered.id
	}
	return r
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
