package proxy

import (
	"sync/atomic"

	"telltale/flow"
)

// switchable makes a decision that a test changes.
type switchable struct{ now atomic.Pointer[Decision] }

func (s *switchable) set(d Decision) { s.now.Store(&d) }

func (s *switchable) admit(c *Config) {
	c.Admit = func(*flow.Flow) Decision { return *s.now.Load() }
}
