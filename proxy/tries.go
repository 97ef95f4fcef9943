package proxy

import (
	"net/netip"
	"sync"
	"time"
)

// A client that has not authenticated yet may give maxTries wrong passwords at once,
// and one more every tryEvery. Beyond that, what it gives is not looked at, be it
// right or wrong: who guesses must not learn faster by asking in parallel.
//
// A host can take any address of its subnet of IPv6 (RFC 8981), so that all failures
// of a subnet, or of link-local addresses on a link, are counted together as well.
// They have subnetTries times the room: one neighbour that mistypes holds nobody else
// up, and only a flood of guesses does.
//
// An address that gave the right password once is never held up: the phone must go on
// while an app on it guesses. Its neighbours have no part in that. Someone who types
// the right password at last waits for tryEvery at most, since only what is looked at
// counts.
const (
	maxTries    = 10
	tryEvery    = time.Second
	subnetTries = 10
	// maxTriers bounds what is remembered, of failures and of successes.
	maxTriers = 4096
)

// tries counts wrong passwords. The zero value is ready.
type tries struct {
	now func() time.Time // nil: time.Now

	mu    sync.Mutex
	known map[netip.Addr]struct{} // gave the right password once
	paid  map[trier]time.Time     // when all failures will be forgotten
}

// trier is a client, or a subnet of clients, whose failures are counted together.
type trier struct {
	addr netip.Addr // the first one of a subnet
	bits int        // of the subnet
}

// tryLimit is how many failures a trier may have at once, and after how long each is
// forgotten.
type tryLimit struct {
	by   trier
	most int
	each time.Duration
}

// judge says what credentials are worth that were found right or wrong.
func (t *tries) judge(client netip.Addr, right bool) standing {
	t.mu.Lock()
	defer t.mu.Unlock()
	client = scoped(client)
	_, known := t.known[client]
	switch {
	case known && right:
		return granted
	case known:
		return wrong
	}
	now := time.Now()
	if t.now != nil {
		now = t.now()
	}
	limits := tryLimits(client)
	for _, l := range limits {
		if t.paid[l.by].Sub(now) > time.Duration(l.most-1)*l.each {
			return tooMany
		}
	}
	switch {
	case right:
		t.trust(client)
		return granted
	case !t.room(now):
		return tooMany
	}
	for _, l := range limits {
		t.paid[l.by] = later(t.paid[l.by], now).Add(l.each)
	}
	return wrong
}

// tryLimits returns what bounds the failures of a client.
func tryLimits(a netip.Addr) []tryLimit {
	limits := []tryLimit{{trier{a, a.BitLen()}, maxTries, tryEvery}}
	if a.Is6() && !a.IsLoopback() {
		p, _ := a.WithZone("").Prefix(shortestLAN6)
		limits = append(limits, tryLimit{trier{p.Addr().WithZone(a.Zone()), shortestLAN6}, maxTries * subnetTries, tryEvery / subnetTries})
	}
	return limits
}

// trust remembers a client that gave the right password. t.mu is held.
func (t *tries) trust(client netip.Addr) {
	if t.known == nil || len(t.known) >= maxTriers {
		t.known = map[netip.Addr]struct{}{}
	}
	t.known[client] = struct{}{}
}

// room makes room for the failures of another client, and reports whether there is
// any: none is forgotten before its time, or many addresses would buy many tries.
// t.mu is held.
func (t *tries) room(now time.Time) bool {
	if t.paid == nil {
		t.paid = map[trier]time.Time{}
	}
	if len(t.paid) < maxTriers-1 {
		return true
	}
	for by, paid := range t.paid {
		if paid.Before(now) {
			delete(t.paid, by)
		}
	}
	return len(t.paid) < maxTriers-1
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
