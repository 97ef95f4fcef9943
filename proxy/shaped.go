package proxy

import (
	"sync"
	"sync/atomic"

	"telltale/flow"
)

// Shaped is what a socket that [Config.Shape] returns may have, to say which experiments
// slowed what passed through it, and in which words. It notes a piece before that has
// passed. Any goroutine may ask.
type Shaped interface {
	// Slowed returns how many pieces were slowed so far, of what was read and of what was
	// written: a moment, for SlowedSince.
	Slowed() (read, wrote int64)
	// SlowedSince tells what slowed pieces since a moment. A negative number leaves its
	// direction out.
	SlowedSince(read, wrote int64, tell func(by, what string))
	// Slow tells what slows a piece that passes now.
	Slow(tell func(by, what string))
}

// moment is one in the life of a socket, as Shaped counts.
type moment struct{ read, wrote int64 }

// shaped returns the socket of a client where it says what slows it, else nil.
func (a *account) shaped() Shaped {
	if a == nil || a.proxy == nil || a.proxy.cfg.Shape == nil {
		return nil
	}
	s, _ := a.raw.(Shaped)
	return s
}

// tell notes one experiment.
func (m *marks) tell(by, what string) { m.note([]string{by}, what) }

// join notes all that others, which may be nil, say.
func (m *marks) join(others *marks) {
	if others == nil {
		return
	}
	m.note(others.by, "")
	for _, what := range others.what {
		m.note(nil, what)
	}
}

// with returns new marks of both; either may be nil.
func (m *marks) with(others *marks) *marks {
	if m == nil || others == nil {
		if m == nil {
			return others
		}
		return m
	}
	all := *m
	all.join(others)
	return &all
}

// arrivals say what slowed the bytes that were read last from the socket of a client.
type arrivals struct {
	seen atomic.Int64          // pieces that were slowed, by the end of the last read
	last atomic.Pointer[marks] // nil: nothing slowed them
}

// came notes what slowed the bytes that were read just now.
func (c *connection) came() {
	s := c.account.shaped()
	if s == nil || c.Conn != c.account.raw {
		return
	}
	a := &c.account.arrivals
	read, _ := s.Slowed()
	if read == a.seen.Load() {
		if a.last.Load() != nil {
			a.last.Store(nil)
		}
		return
	}
	m := new(marks)
	s.SlowedSince(a.seen.Load(), -1, m.tell)
	a.seen.Store(read)
	a.last.Store(m)
}

// cameEarly notes the same of bytes that were read ahead.
func (c *connection) cameEarly() {
	if c.came(); c.account != nil {
		c.earlySlow = c.earlySlow.with(c.account.arrivals.last.Load())
	}
}

// gaveEarly notes that bytes that were read ahead are those that come now.
func (c *connection) gaveEarly() {
	if c.account != nil && (c.earlySlow != nil || c.account.arrivals.last.Load() != nil) {
		c.account.arrivals.last.Store(c.earlySlow)
	}
}

// arrived returns what slowed the bytes that came last.
func (c *connection) arrived() *marks {
	if c == nil || c.account == nil {
		return nil
	}
	return c.account.arrivals.last.Load()
}

// headSlow returns what slowed the head of the request that is served. Over HTTP/2 it is
// what slowed the bytes that came last.
func (c *connection) headSlow() *marks {
	if c.stream != nil {
		return c.stream.current.slow
	}
	return c.arrived()
}

// slowed notes in the last state of a flow what slowed it: of the connection as a whole
// all that passed; of a question, and of a request that is not forwarded, what came last and
// what passes now, as its answer does.
func (c *connection) slowed(f *flow.Flow) {
	s := c.account.shaped()
	if s == nil {
		return
	}
	var m marks
	if f.Kind != flow.DNS && (f.Request == nil || f.Kind == flow.Tunnel) {
		m.join(c.slow)
		s.SlowedSince(c.begun.read, c.begun.wrote, m.tell)
	} else {
		m.join(c.headSlow())
		s.Slow(m.tell)
	}
	m.put(f)
}

// slowing follows what slows the messages of one request. Over HTTP/1 all that the socket
// moves meanwhile is of the request; over HTTP/2 it is what moves while this request reads
// or writes, since what waits behind the bytes of others is as slow as they are.
type slowing struct {
	socket Shaped // nil: nothing is ever slowed
	begun  moment
	shared bool // with other requests: HTTP/2

	mu    sync.Mutex
	read  int64 // pieces up to which content was accounted for
	marks marks
}

// begin is called with the head of the request.
func (p *slowing) begin(c *connection) {
	if p.socket = c.account.shaped(); p.socket == nil {
		return
	}
	p.begun.read, p.begun.wrote = p.socket.Slowed()
	p.read, p.shared = p.begun.read, c.stream == nil
	p.marks.join(c.headSlow())
}

// came is called when content of the request has come.
func (p *slowing) came() {
	if p == nil || p.socket == nil {
		return
	}
	read, _ := p.socket.Slowed()
	p.mu.Lock()
	defer p.mu.Unlock()
	if read == p.read {
		return
	}
	p.socket.SlowedSince(p.read, -1, p.marks.tell)
	p.read = read
}

// writing returns the moment at which something is about to be written.
func (p *slowing) writing() (at int64) {
	if p != nil && p.socket != nil {
		_, at = p.socket.Slowed()
	}
	return at
}

// wrote is called when that was written, as far as it was not kept in a buffer.
func (p *slowing) wrote(at int64) {
	if p == nil || p.socket == nil {
		return
	}
	if _, now := p.socket.Slowed(); now == at {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.socket.SlowedSince(-1, at, p.marks.tell)
}

// leaving is writing for what is to leave at once. HTTP/2 may keep it for a moment beyond
// that, but not for longer.
func (p *slowing) leaving() (at int64) {
	if at = p.writing(); p != nil && p.socket != nil && p.shared {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.socket.Slow(p.marks.tell)
	}
	return at
}

// inForce reports whether something slows what passes now.
func (p *slowing) inForce() (slow bool) {
	if p != nil && p.socket != nil {
		p.socket.Slow(func(string, string) { slow = true })
	}
	return slow
}

// put adds what slowed the request to a flow. whole says that the socket moves nothing else
// any more.
func (p *slowing) put(f *flow.Flow, whole bool) {
	if p == nil || p.socket == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if whole {
		p.socket.SlowedSince(p.begun.read, p.begun.wrote, p.marks.tell)
	}
	p.marks.put(f)
}
