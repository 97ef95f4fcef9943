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
// A client that was right once is never held up: the phone must go on while an app
// on it guesses. Someone who types the right password at last waits for tryEvery at
// most, since only what is looked at counts.
const (
	maxTries = 10
	tryEvery = time.Second
	// maxTriers bounds the clients that are remembered.
	maxTriers = 4096
)

// tries counts wrong passwords. The zero value is ready.
type tries struct {
	now func() time.Time // nil: time.Now

	mu      sync.Mutex
	clients map[netip.Addr]*trier
}

// trier is a client that has given a password.
type trier struct {
	paid  time.Time // when all that it has tried will be forgotten
	known bool      // it was right once
}

// judge says what credentials are worth that were found right or wrong.
func (t *tries) judge(client netip.Addr, right bool) standing {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.now != nil {
		now = t.now()
	}
	c := t.client(client, now)
	switch {
	case !c.known && c.paid.Sub(now) > (maxTries-1)*tryEvery:
		return tooMany
	case right:
		c.known = true
		return granted
	}
	if c.paid.Before(now) {
		c.paid = now
	}
	c.paid = c.paid.Add(tryEvery)
	return wrong
}

// client returns what is known of a client. One of IPv6 is known by its subnet, in
// which it can take any address (RFC 8981). t.mu is held.
func (t *tries) client(a netip.Addr, now time.Time) *trier {
	a = a.Unmap().WithZone("")
	if a.Is6() && !a.IsLoopback() {
		p, _ := a.Prefix(shortestLAN6)
		a = p.Addr()
	}
	c := t.clients[a]
	if c != nil {
		return c
	}
	if len(t.clients) >= maxTriers {
		for a, c := range t.clients {
			if !c.known && c.paid.Before(now) {
				delete(t.clients, a)
			}
		}
	}
	if t.clients == nil || len(t.clients) >= maxTriers {
		t.clients = map[netip.Addr]*trier{}
	}
	c = &trier{}
	t.clients[a] = c
	return c
}
