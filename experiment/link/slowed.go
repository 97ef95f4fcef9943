package link

import "sync"

// words name the experiment of a profile, as flows keep it, and say what it does.
func words(p *Profile) (by, what string) {
	by = "slow " + p.Name
	if p.Help == "" {
		return by, "slowed to " + by
	}
	return by, "slowed to " + p.Help + ": " + by
}

// passages are the profiles that something passed under in one direction of a socket.
type passages struct {
	mu   sync.Mutex
	last []passage // each pair of words once
}

// passage is the last piece that passed under a profile.
type passage struct {
	by, what string
	at       int64 // half.slowed then
}

// note notes that a piece passes under a profile.
func (h *half) note(r *regime) {
	h.passed.mu.Lock()
	defer h.passed.mu.Unlock()
	at := h.slowed.Load() + 1
	for i := range h.passed.last {
		if p := &h.passed.last[i]; p.by == r.by && p.what == r.what {
			p.at = at
			h.slowed.Store(at)
			return
		}
	}
	h.passed.last = append(h.passed.last, passage{r.by, r.what, at})
	h.slowed.Store(at)
}

// since tells which profiles something passed under when more than so many pieces had.
func (h *half) since(at int64, tell func(by, what string)) {
	if h.slowed.Load() == at {
		return
	}
	h.passed.mu.Lock()
	defer h.passed.mu.Unlock()
	for _, p := range h.passed.last {
		if p.at > at {
			tell(p.by, p.what)
		}
	}
}

// Slowed returns how many pieces have passed so far under any profile, of what was read
// and of what was written: a moment in the life of the socket, for SlowedSince.
func (c *conn) Slowed() (read, wrote int64) { return c.r.slowed.Load(), c.w.slowed.Load() }

// SlowedSince tells which experiments slowed what was read, and what was written, since a
// moment, and in which words. A negative number leaves its direction out. tell must not use
// the socket.
func (c *conn) SlowedSince(read, wrote int64, tell func(by, what string)) {
	if read >= 0 {
		c.r.since(read, tell)
	}
	if wrote >= 0 {
		c.w.since(wrote, tell)
	}
}

// Slow tells which experiment slows what passes now; nothing where none does.
func (c *conn) Slow(tell func(by, what string)) {
	if r := c.link.regime.Load(); r != nil {
		tell(r.by, r.what)
	}
}
