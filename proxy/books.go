package proxy

import (
	"maps"
	"sync"

	"telltale/coverage"
)

// books count what came in by the modes that are given packets, and what became of it,
// so that it can be set beside what the tunnel counted at its own end. The zero value
// is ready.
type books struct {
	mu sync.Mutex
	by map[string]*tally // by mode
}

// tally is what became of the traffic of one mode.
type tally struct {
	recorded, underWay map[coverage.Class]coverage.Amount
	dropped            map[string]coverage.Amount // by the reason
}

// of returns the tally of a mode. b.mu is held.
func (b *books) of(mode string) *tally {
	t := b.by[mode]
	if t == nil {
		t = &tally{map[coverage.Class]coverage.Amount{}, map[coverage.Class]coverage.Amount{}, map[string]coverage.Amount{}}
		if b.by == nil {
			b.by = map[string]*tally{}
		}
		b.by[mode] = t
	}
	return t
}

// begin counts what will be in a flow.
func (b *books) begin(mode string, class coverage.Class, a coverage.Amount) {
	b.mu.Lock()
	defer b.mu.Unlock()
	add(b.of(mode).underWay, class, a, 1)
}

// settle moves what was under way to what is recorded.
func (b *books) settle(mode string, class coverage.Class, a coverage.Amount) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.of(mode)
	add(t.underWay, class, a, -1)
	add(t.recorded, class, a, 1)
}

// lose moves what was under way to what was dropped.
func (b *books) lose(mode string, class coverage.Class, a coverage.Amount, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.of(mode)
	add(t.underWay, class, a, -1)
	add(t.dropped, why, a, 1)
}

// drop counts what has no flow.
func (b *books) drop(mode, why string, a coverage.Amount) {
	b.mu.Lock()
	defer b.mu.Unlock()
	add(b.of(mode).dropped, why, a, 1)
}

// amountOf counts one datagram.
func amountOf(payload []byte) coverage.Amount {
	return coverage.Amount{Units: 1, Bytes: int64(len(payload))}
}

func add[K comparable](to map[K]coverage.Amount, key K, a coverage.Amount, sign int64) {
	sum := to[key]
	sum.Units += sign * a.Units
	sum.Bytes += sign * a.Bytes
	to[key] = sum
}

// Recorded returns what came in by a mode and is in a flow that has ended, and what is
// in flows that are open or will be: connections, datagrams with the bytes of their
// payloads, packets that are neither. What [Proxy.Dropped] returns is in neither.
func (p *Proxy) Recorded(mode string) (recorded, underWay map[coverage.Class]coverage.Amount) {
	p.books.mu.Lock()
	defer p.books.mu.Unlock()
	t := p.books.of(mode)
	return maps.Clone(t.recorded), maps.Clone(t.underWay)
}

// Dropped returns what came in by a mode and was neither forwarded nor recorded in a
// flow, by the reason, in words.
func (p *Proxy) Dropped(mode string) map[string]coverage.Amount {
	p.books.mu.Lock()
	defer p.books.mu.Unlock()
	return maps.Clone(p.books.of(mode).dropped)
}

// The reasons for which something is dropped.
const (
	dropTooMany  = "datagrams beyond the conversations that one device may have at once"
	dropEnding   = "datagrams that came while the audit was ending"
	dropStrays   = "packets beyond the addresses that are remembered of one device"
	dropFragment = "fragments of SOCKS5 datagrams" // RFC 1928, 7: whoever does not support them drops them
	dropUnread   = "datagrams without a readable SOCKS5 header"
	dropStranger = "datagrams to a SOCKS5 relay from another address than its client's"
	dropLong     = "first datagrams of more than 2 KiB to a SOCKS5 relay"
	dropBug      = "datagrams with which telltale met a bug of its own"
	dropUnknown  = "datagrams of clients that may not use telltale"
)
