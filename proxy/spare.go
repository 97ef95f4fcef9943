package proxy

import (
	"net/netip"
	"sync"
	"time"

	"telltale/flow"
)

// spareReason is said of a connection that its client never used while it used the
// same host over another one (waits.spare). Browsers open several connections in advance
// and close those that they do not need, now and then before the first request; an app
// that checked its pins makes none at all.
const spareReason = "a spare connection: the device accepted TLS, made no request on it, and used the host over another one"

// maxUses bounds what is remembered. Beyond it the memory starts anew.
const maxUses = 1 << 14

// use is a device that made requests to a host inside TLS.
type use struct {
	device netip.Addr
	host   string
	faulty bool // behind a certificate with a fault
}

// uses remembers which devices used which hosts.
type uses struct {
	mu   sync.Mutex
	seen map[use]struct{}
}

func (u *uses) add(c *connection) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.seen == nil || len(u.seen) >= maxUses {
		u.seen = map[use]struct{}{}
	}
	u.seen[useOf(c)] = struct{}{}
}

func (u *uses) has(c *connection) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, ok := u.seen[useOf(c)]
	return ok
}

func useOf(c *connection) use {
	return use{c.client.Addr.Addr(), flow.CanonicalHost(c.asked), c.faulty()}
}

// settle records the flow of a connection that the client accepted and never used, once
// it can be told whether it was a spare one.
func (a *account) settle(c *connection, f *flow.Flow) {
	f.Times.End = time.Now()
	wait := time.NewTimer(a.proxy.waits.spare)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-a.proxy.stopping:
	}
	if a.proxy.uses.has(c) {
		f.Outcome, f.Error = flow.Abandoned, spareReason
	}
	a.proxy.observe(c, f)
	a.forget()
}
