package exposure

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Trail is where one value went.
type Trail struct {
	Kind, Masked string
	// Label tells values of one kind apart where no value may show: "e-mail 2". They are
	// numbered in the order in which they were first sent.
	Label       string
	Names       []string // under which it was sent, sorted
	Hosts       []string // sorted
	Receivers   []string // sorted; two or more: the value links them
	Count       int      // flows
	First, Last time.Time
	Phases      []string // sorted
	Lasting     Lasting
}

// Lasting says how long a value keeps.
type Lasting string

// How values last.
const (
	// Unknown: too little was seen.
	Unknown Lasting = ""
	// Stable: it was seen in two phases, a day apart, or before and after another
	// identifier of the device was made anew.
	Stable Lasting = "stable"
	// Session: under its name the host got one value after the other, each never again.
	Session Lasting = "session"
)

// Trails returns where the values went: first those that link most receivers, then by
// kind, then those that were sent first. What it returns must not be changed.
func (b *Book) Trails() []Trail {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trails != nil || len(b.values) == 0 {
		return b.trails
	}
	values := make([]*value, 0, len(b.values))
	keys := make(map[*value]valueKey, len(b.values))
	for k, v := range b.values {
		values, keys[v] = append(values, v), k
	}
	slices.SortFunc(values, func(a, b *value) int {
		return cmp.Or(order(a.kind)-order(b.kind), strings.Compare(a.kind, b.kind), a.first.Compare(b.first), keys[a].compare(keys[b]))
	})
	lasting := lastings(values)
	numbers := map[string]int{}
	trails := make([]Trail, 0, len(values))
	for _, v := range values {
		numbers[v.kind]++
		t := v.trail()
		t.Label, t.Lasting = v.kind+" "+strconv.Itoa(numbers[v.kind]), lasting[v]
		trails = append(trails, t)
	}
	slices.SortStableFunc(trails, func(a, b Trail) int { return len(b.Receivers) - len(a.Receivers) })
	b.trails = trails
	return trails
}

func (v *value) trail() Trail {
	return Trail{
		Kind: v.kind, Masked: v.masked, Names: slices.Clone(v.names), Hosts: slices.Clone(v.hosts), Receivers: slices.Clone(v.receivers),
		Count: v.count, First: v.first, Last: v.last, Phases: slices.Clone(v.phases),
	}
}

// turn is one value in a slot.
type turn struct {
	value *value
	span  span
}

// change is the time between two values of a slot: there a session has ended.
type change struct{ before, after time.Time }

const (
	aDay = 24 * time.Hour
	// minTurns is how many values in a row are sessions, and not somebody who types another
	// address; where each has a phase of its own, two are enough.
	minTurns   = 3
	maxChanges = 256 // of one device
)

// lastings tells of values how long they last.
func lastings(values []*value) map[*value]Lasting {
	type part struct { // identifiers and secrets do not take turns with each other
		slot
		family family
	}
	slots := map[part][]turn{}
	for _, v := range values {
		if f := familyOf(v.kind); f == software || f == secret {
			for _, u := range v.uses {
				s := part{u.slot, f}
				slots[s] = append(slots[s], turn{v, u.span})
			}
		}
	}
	lasting := map[*value]Lasting{}
	changes := map[netip.Addr][]change{}
	for s, turns := range slots {
		if !inTurn(turns) {
			continue
		}
		for i, t := range turns {
			lasting[t.value] = Session
			if i > 0 {
				changes[s.device] = append(changes[s.device], change{turns[i-1].span.last, t.span.first})
			}
		}
	}
	for device, all := range changes {
		slices.SortFunc(all, func(a, b change) int { return cmp.Or(a.before.Compare(b.before), a.after.Compare(b.after)) })
		changes[device] = all[:min(len(all), maxChanges)]
	}
	for _, v := range values {
		if v.lasts(changes) {
			lasting[v] = Stable
		}
	}
	return lasting
}

// inTurn sorts the values of a slot, and reports whether each came after the one before it
// had gone.
func inTurn(turns []turn) bool {
	if len(turns) < 2 {
		return false
	}
	slices.SortFunc(turns, func(a, b turn) int { return a.span.first.Compare(b.span.first) })
	phases := map[string]bool{}
	for i, t := range turns {
		if i > 0 && !t.span.first.After(turns[i-1].span.last) {
			return false
		}
		if len(t.value.phases) == 1 {
			phases[t.value.phases[0]] = true
		}
	}
	return len(turns) >= minTurns || len(phases) == len(turns)
}

// lasts reports whether a value was the same in different sessions.
func (v *value) lasts(changes map[netip.Addr][]change) bool {
	if len(v.phases) > 1 || v.last.Sub(v.first) >= aDay {
		return true
	}
	devices := map[netip.Addr]*span{}
	for _, u := range v.uses {
		if devices[u.device] == nil {
			devices[u.device] = &span{}
		}
		devices[u.device].add(u.first)
		devices[u.device].add(u.last)
	}
	for device, s := range devices {
		for _, c := range changes[device] {
			if !s.first.After(c.before) && !s.last.Before(c.after) {
				return true
			}
		}
	}
	return false
}
