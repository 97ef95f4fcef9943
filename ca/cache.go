package ca

import (
	"crypto/tls"
	"strings"
	"sync"
	"sync/atomic"
)

// maxLeaves bounds the leaves that are kept, at about 1 kB each. A phone in an
// audit contacts some hundred names; a scan of random ones evicts, at the price
// of a mint.
const maxLeaves = 4096

// leafCache keeps leaves by canonical name. When it is full, the next one that
// was not asked for lately goes: the clock algorithm, which comes near to least
// recently used and needs no write on a hit.
type leafCache struct {
	mu    sync.RWMutex
	byKey map[string]*cached
	ring  []*cached // in no order; at most maxLeaves
	hand  int       // where in ring the search for a victim goes on
}

type cached struct {
	name  string
	leaf  *tls.Certificate
	renew int64 // Unix seconds from which on it counts as missing
	slot  int   // index in ring
	used  atomic.Bool
}

// get returns the leaf for name, nil when there is none that is good at now, in
// Unix seconds.
func (c *leafCache) get(name string, now int64) *tls.Certificate {
	c.mu.RLock()
	e := c.byKey[name]
	c.mu.RUnlock()
	if e == nil || now >= e.renew {
		return nil
	}
	if !e.used.Load() { // a write for every hit would pass the line between cores
		e.used.Store(true)
	}
	return e.leaf
}

// put keeps a leaf until renew, in Unix seconds.
func (c *leafCache) put(name string, leaf *tls.Certificate, renew int64) {
	// The name may be a part of a large buffer.
	e := &cached{name: strings.Clone(name), leaf: leaf, renew: renew}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey == nil {
		c.byKey = make(map[string]*cached)
	}
	if old := c.byKey[name]; old != nil {
		e.slot = old.slot
	} else if len(c.ring) < maxLeaves {
		e.slot = len(c.ring)
		c.ring = append(c.ring, nil)
	} else {
		e.slot = c.evict()
	}
	c.ring[e.slot] = e
	c.byKey[e.name] = e
}

// evict drops one leaf and returns its slot.
func (c *leafCache) evict() int {
	for {
		e := c.ring[c.hand]
		c.hand = (c.hand + 1) % len(c.ring)
		if !e.used.Swap(false) {
			delete(c.byKey, e.name)
			return e.slot
		}
	}
}
