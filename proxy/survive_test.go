package proxy

import (
	"net/netip"
	"testing"

	"telltale/coverage"
)

// A bug met by one datagram ends neither the audit nor the balance of its books.
func TestBugsAreSurvived(t *testing.T) {
	server := nameserver(t, records("@ 60 IN A 192.0.2.7"))
	r := newRig(t, quiet, asks(server))
	send := func(to string, payload []byte) {
		r.proxy.Receive(Datagram{
			Way: tunnelWay, Client: netip.AddrPortFrom(tunnelPeer, 5000), Destination: netip.MustParseAddrPort(to), Payload: payload,
			Answer: func([]byte) { panic("a bug") }, Refuse: func() { panic("a bug") },
		})
	}
	setup, err := question("setup.telltale", "A").Pack()
	must(t, err)
	name, err := question("www.test", "A").Pack()
	must(t, err)
	send(ownResolver, setup)              // answered at once
	send(ownResolver, name)               // by a goroutine of its own
	send("169.254.169.254:80", []byte{1}) // in a conversation, which has a row
	until(t, "the books to be balanced", func() bool {
		_, underWay := r.proxy.Recorded(modeWireGuard)
		return underWay[coverage.UDP].Units == 1
	})
	r.shutdown()
	recorded, underWay := r.proxy.Recorded(modeWireGuard)
	dropped := r.proxy.Dropped(modeWireGuard)
	if recorded[coverage.UDP].Units != 1 || underWay[coverage.UDP].Units != 0 || dropped[dropBug].Units != 2 {
		t.Errorf("recorded %v, under way %v, dropped %v", recorded, underWay, dropped)
	}
	r.proxy.dns.mu.Lock()
	defer r.proxy.dns.mu.Unlock()
	if r.proxy.dns.total != 0 {
		t.Errorf("%d questions under way", r.proxy.dns.total)
	}
}
