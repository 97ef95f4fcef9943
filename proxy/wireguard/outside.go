package wireguard

import (
	"net/netip"
	"sync"
	"time"
)

// places is where the devices were a moment ago.
type places struct {
	mu    sync.Mutex
	asked time.Time
	by    map[netip.Addr]netip.Addr // outer addresses, by those in the tunnel
}

// placesFresh is how long it is remembered where the devices are.
const placesFresh = time.Second

// outside returns the address from which the packets of a device come, zero where none
// did; see [proxy.Way]. It asks wireguard-go, which waits for packets to be taken while a
// peer is removed.
func (t *Tunnel) outside(client netip.Addr) netip.Addr {
	t.places.mu.Lock()
	defer t.places.mu.Unlock()
	if at, ok := t.places.by[client]; ok && time.Since(t.places.asked) < placesFresh {
		return at
	}
	status, err := t.Peers()
	if err != nil {
		return netip.Addr{}
	}
	t.places.asked, t.places.by = time.Now(), map[netip.Addr]netip.Addr{}
	for _, s := range status {
		if s.Endpoint.IsValid() {
			t.places.by[s.IPv4] = s.Endpoint.Addr().Unmap()
		}
	}
	return t.places.by[client]
}
