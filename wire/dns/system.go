package dns

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// systemFresh is how long the system's resolvers are remembered: a laptop changes its
// network more rarely, and asking costs a system call.
const systemFresh = time.Second

// port of DNS (RFC 1035, 4.2).
const port = 53

// System knows which resolvers this machine is told to ask: by /etc/resolv.conf, on
// Windows by its adapters. They are asked for again when they may have changed. The zero
// value is ready and safe for use by several goroutines.
type System struct {
	mu    sync.Mutex
	read  time.Time
	addrs []netip.AddrPort
	err   error
	state systemState
}

// errNoResolver is met where the system names none.
var errNoResolver = errors.New("this machine names no resolver of DNS")

// Resolvers returns them in the order in which they are to be asked. The caller must not
// change the list. The error says why there is none.
func (s *System) Resolvers() ([]netip.AddrPort, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.read.IsZero() || now.Sub(s.read) > systemFresh {
		s.read = now
		s.refresh()
	}
	return s.addrs, s.err
}

// keep takes a new list.
func (s *System) keep(addrs []netip.Addr, err error) {
	var list []netip.AddrPort
	for _, a := range addrs {
		if ap := netip.AddrPortFrom(a.Unmap(), port); !slices.Contains(list, ap) {
			list = append(list, ap)
		}
	}
	if s.addrs, s.err = list, err; err == nil && len(list) == 0 {
		s.err = errNoResolver
	}
}
