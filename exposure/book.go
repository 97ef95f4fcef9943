package exposure

import (
	"cmp"
	"container/heap"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"telltale/flow"
)

// The bounds of a [Book]. Of more it keeps the first in an order that does not depend on
// when they came.
const (
	maxValues = 10_000 // identifiers that stay for good before those of networks
	maxHosts  = 64     // of one value, and as many receivers
	maxNames  = 32     // of one value
	maxPhases = 32     // of one value
	maxSlots  = 32     // of one value
	maxText   = 255    // bytes of a name, a host or a digest that are kept
)

// A Book follows values through an audit. Its methods may be called from any goroutine.
//
// What it says depends on the flows alone, not on their order, nor on how often it is told
// of one. Where there is more than it has room for, it keeps the values that identify for
// longest.
type Book struct {
	mu     sync.Mutex
	most   int // values that are kept
	values map[valueKey]*value
	order  keyHeap            // of the values, the last one on top; nil while there is room
	seen   map[flow.ID]uint64 // that were learned: a bit for each of 64 flows
	trails []Trail            // as of the last call; nil when there is news since
}

// NewBook returns an empty book.
func NewBook() *Book { return newBook(maxValues) }

func newBook(most int) *Book {
	return &Book{most: most, values: map[valueKey]*value{}, seen: map[flow.ID]uint64{}}
}

// valueKey names a value. Kinds of one family share it.
type valueKey struct {
	family family
	digest string
}

func (k valueKey) compare(o valueKey) int {
	return cmp.Or(cmp.Compare(k.family, o.family), strings.Compare(k.digest, o.digest))
}

// value is what is known of one. Its lists are sorted.
type value struct {
	kind, masked                    string
	names, hosts, receivers, phases []string
	uses                            []use
	span
	count int // flows
}

// use is when a value was in a slot.
type use struct {
	slot
	span
}

// slot is where a device puts one value at a time.
type slot struct {
	device     netip.Addr
	name, host string
}

func compareUses(a, b use) int {
	return cmp.Or(strings.Compare(a.host, b.host), strings.Compare(a.name, b.name), a.device.Compare(b.device))
}

// span is a time, from the first to the last.
type span struct{ first, last time.Time }

func (s *span) add(t time.Time) {
	if t.IsZero() {
		return
	}
	if s.first.IsZero() || t.Before(s.first) {
		s.first = t
	}
	if t.After(s.last) {
		s.last = t
	}
}

// Learn takes in the exposures of a flow that went to a receiver (a company, or the
// registrable domain of the host). To learn a flow twice changes nothing; of a flow that
// is still open nothing is learned: it may lack what it will have.
func (b *Book) Learn(f *flow.Flow, receiver string) {
	if len(f.Exposures) == 0 || !f.Ended() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.ID != 0 {
		bit := uint64(1) << (uint64(f.ID) & 63)
		if b.seen[f.ID>>6]&bit != 0 {
			return
		}
		b.seen[f.ID>>6] |= bit
	}
	b.trails = nil
	at := slot{host: bounded(f.Host())}
	if addr := f.Client.Addr.Addr(); addr.IsValid() {
		at.device = addr.Unmap().WithZone("")
	}
	var counted []valueKey
	for i := range f.Exposures {
		e := &f.Exposures[i]
		if e.Digest == "" || len(e.Digest) > maxText {
			continue
		}
		key := valueKey{familyOf(e.Kind), e.Digest}
		v := b.row(key)
		if v == nil {
			continue
		}
		at.name = bounded(e.Name)
		v.add(e, at, f)
		v.receivers = insert(v.receivers, bounded(receiver), maxHosts)
		if !slices.Contains(counted, key) {
			counted = append(counted, key)
			v.count++
		}
	}
}

// row returns the value of a key, nil when there is no room for it.
func (b *Book) row(key valueKey) *value {
	if v := b.values[key]; v != nil {
		return v
	}
	if len(b.values) >= b.most {
		if b.order == nil {
			for k := range b.values {
				b.order = append(b.order, k)
			}
			heap.Init(&b.order)
		}
		if key.compare(b.order[0]) > 0 {
			return nil
		}
		delete(b.values, b.order[0])
		heap.Pop(&b.order)
	}
	key.digest = strings.Clone(key.digest)
	v := &value{}
	b.values[key] = v
	if b.order != nil {
		heap.Push(&b.order, key)
	}
	return v
}

// keyHeap is a heap with the last key on top (package container/heap).
type keyHeap []valueKey

func (h keyHeap) Len() int           { return len(h) }
func (h keyHeap) Less(i, j int) bool { return h[i].compare(h[j]) > 0 }
func (h keyHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push adds a key at the end.
func (h *keyHeap) Push(x any) { *h = append(*h, x.(valueKey)) }

// Pop takes the last key.
func (h *keyHeap) Pop() any {
	last := len(*h) - 1
	key := (*h)[last]
	*h = (*h)[:last]
	return key
}

// add takes in that the value was sent.
func (v *value) add(e *flow.Exposure, at slot, f *flow.Flow) {
	if v.kind == "" || cmp.Or(order(e.Kind)-order(v.kind), strings.Compare(e.Kind, v.kind), strings.Compare(e.Masked, v.masked)) < 0 {
		v.kind, v.masked = bounded(e.Kind), bounded(e.Masked)
	}
	v.span.add(f.Times.Start)
	v.names = insert(v.names, at.name, maxNames)
	v.hosts = insert(v.hosts, at.host, maxHosts)
	v.phases = insert(v.phases, bounded(f.Phase), maxPhases)
	i, known := slices.BinarySearchFunc(v.uses, use{slot: at}, compareUses)
	if !known {
		if i == maxSlots {
			return
		}
		v.uses = slices.Insert(v.uses, i, use{slot: at})
		v.uses = v.uses[:min(len(v.uses), maxSlots)]
	}
	v.uses[i].span.add(f.Times.Start)
}

// insert adds what is not there yet to a sorted list, of which it keeps the first.
func insert(list []string, item string, most int) []string {
	i, known := slices.BinarySearch(list, item)
	if known || i >= most || item == "" {
		return list
	}
	list = slices.Insert(list, i, item)
	return list[:min(len(list), most)]
}

// bounded returns a text that keeps nothing else in memory.
func bounded(s string) string { return strings.Clone(s[:min(len(s), maxText)]) }
