package consequence

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"time"
)

// rewritten adds a host of which an experiment altered what was asked or answered.
func (c *comparison) rewritten(h *hostTotal) {
	if r := h.at(c.i); r.altered > 0 {
		before := 0
		if c.Before > 0 {
			before = c.past(h).flows
		}
		c.Rewritten = append(c.Rewritten, Host{
			Name: h.name, Flows: r.altered, Before: before, First: c.since(r.firstAltered.at), Flow: r.firstAltered.id, Recovery: c.recovery(h),
		})
	}
}

// past counts contacts to a host while no experiment was in force, before.
func (c *comparison) past(h *hostTotal) (sum hostRow) {
	for _, r := range h.rows {
		if r.segment < c.i && c.segments[r.segment].quiet() {
			sum.flows += r.flows
			sum.open += r.open
			sum.answered += r.answered
			sum.good += r.good
		}
	}
	return sum
}

// host says what became of a host that the experiment did not take. Kinds come before.
func (c *comparison) host(h *hostTotal) {
	if c.targets[h.name] || h.noise {
		return
	}
	r, was := h.at(c.i), c.past(h)
	own := r.flows - r.altered
	host := Host{Name: h.name, Flows: own, Answered: r.answered, Before: was.flows, First: c.since(r.first.at), Flow: r.first.id, Recovery: c.recovery(h)}
	if c.isNew(h) {
		c.fresh(host, r)
		return
	}
	if was.answered == 0 || 2*was.answered < was.flows {
		return // it did not work before either
	}
	c.usual += was.flows
	c.Else += r.flows
	switch {
	case r.flows == 0:
		if !c.regular[h.name] {
			c.Unseen++
		}
	case own == 0: // see Rewritten
	case 2*r.answered < own:
		c.Failed = append(c.Failed, host)
	case c.other[h.name]: // see Otherwise
	case differ(was.good, was.flows-was.open, r.good, own-r.open):
		c.Otherwise = append(c.Otherwise, Kind{
			Host: h.name, Before: was.flows - was.open, During: own - r.open, GoodBefore: was.good, Good: r.good, Flow: r.first.id, Recovery: host.Recovery,
		})
	default:
		c.Kept = append(c.Kept, host)
	}
}

// answers compares what a kind of request was answered. Judged and good are those before.
func (c *comparison) answers(kind Kind, k *kindTotal, judged, good int) {
	now := k.at(c.i)
	if judged < 2 || now.judged < 2 || !differ(good, judged, now.good, now.judged) {
		return
	}
	kind.Before, kind.During, kind.GoodBefore, kind.Good = judged, now.judged, good, now.good
	kind.Flow, kind.Recovery = now.first.id, c.resumption(k)
	c.Otherwise = append(c.Otherwise, kind)
	c.other[kind.Host] = true
}

// differ reports whether the share of what is good is clearly another one now: by a quarter,
// and by one answer at least.
func differ(goodBefore, before, good, now int) bool {
	if before <= 0 || now <= 0 {
		return false
	}
	share := float64(goodBefore) / float64(before)
	off := math.Abs(float64(good) - share*float64(now))
	return off >= 1 && off >= float64(now)/4
}

// fresh adds a host that was contacted for the first time, if a contact of the same client was
// taken before. Questions for its name count where nothing else went to it.
func (c *comparison) fresh(host Host, r hostRow) {
	first, client := r.first.at, r.firstClient
	switch {
	case r.flows > 0:
		host.Flows = r.flows
	case r.firstPrelude.id != 0:
		first, client = r.firstPrelude.at, r.preludeClient
		host.Flows, host.Answered, host.Questions = len(moments(r.questions.at, atOnceQuestion)), r.preludesAnswered, true
		host.First, host.Flow = c.since(first), r.firstPrelude.id
	default:
		return
	}
	var some bool
	if host.Behind, host.Delay, some = c.refusedBefore(host.Name, client, first); some {
		c.Instead = append(c.Instead, host)
	}
}

// isNew reports whether nothing went to a host before the stretch.
func (c *comparison) isNew(h *hostTotal) bool {
	return len(h.rows) > 0 && h.rows[0].segment == c.i
}

// refusedBefore returns the host of the contact that was taken last until a time, and how long
// before, leaving out those to one host and of other clients. Some reports whether there was any; which it was is
// not known where there were too many.
func (c *comparison) refusedBefore(but string, client netip.Addr, at int64) (host string, delay time.Duration, some bool) {
	t := &c.totals[c.i]
	n, _ := slices.BinarySearchFunc(t.refusals, at, func(r refusal, at int64) int { return cmp.Compare(r.at, at+1) })
	known := n < len(t.refusals) || !t.cut
	for n--; n >= 0; n-- {
		switch r := t.refusals[n]; {
		case r.host == but, areOthers(r.client, client):
		case known:
			return r.host, time.Duration(at-r.at) * time.Microsecond, true
		default:
			return "", 0, true
		}
	}
	return "", 0, false
}
