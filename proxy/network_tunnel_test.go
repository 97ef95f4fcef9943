package proxy

import (
	"net/netip"
	"strings"
	"testing"

	"telltale/flow"
)

// tunnelFrom is a way in whose clients' packets come from an address outside the tunnel.
func tunnelFrom(outside string) *Way {
	at, _ := netip.ParseAddr(outside) // "" is none
	return &Way{Mode: modeWireGuard, Own: tunnelWay.Own, Outside: func(client netip.Addr) netip.Addr {
		if client != tunnelPeer {
			return netip.Addr{}
		}
		return at
	}}
}

// A device in a tunnel reaches the private networks that it is in itself: its address in
// the tunnel, which the routing table leads anywhere, says nothing of that.
func TestTunnelledClientIsWhereItsPacketsComeFrom(t *testing.T) {
	for _, tc := range []struct {
		outside, to string
		cfg         Config
		ok          bool
	}{
		{outside: "192.168.1.66", to: "192.168.1.50", ok: true},
		{outside: "192.168.1.66", to: "10.1.2.3"}, // a VPN, by which the tunnel's addresses are routed too
		{outside: "192.168.1.66", to: "172.17.0.2"},
		{outside: "192.168.1.66", to: "192.0.2.1", ok: true},
		{outside: "192.168.1.66", to: "10.1.2.3", cfg: Config{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, ok: true},
		{outside: "192.168.1.66", to: "10.1.2.3", cfg: Config{AllowLocal: true}, ok: true},
		{outside: "2001:db8:1:2:aaaa::66", to: "192.168.1.50", ok: true}, // the same LAN, by its public prefix
		{outside: "10.8.0.99", to: "10.1.2.3", ok: true},                 // through the VPN itself
		{outside: "127.0.0.1", to: "10.1.2.3", ok: true},                 // a program of this machine
		{outside: "192.168.1.10", to: "10.1.2.3", ok: true},
		{outside: "198.51.100.7", to: "192.168.1.50"}, // a mobile network: the router of the house lets it in
		{outside: "198.51.100.7", to: "192.0.2.1", ok: true},
		{outside: "", to: "192.168.1.50"},
		{outside: "", to: "10.1.2.3"},
		{outside: "", to: "192.0.2.1", ok: true},
		{outside: "", to: "192.168.1.50", cfg: Config{AllowLocal: true}, ok: true},
	} {
		d := newDialer(&tc.cfg, laptopNetwork())
		d.network.through(tunnelFrom(tc.outside), tunnelPeer)
		err := d.guard(tunnelPeer, netip.MustParseAddr(tc.to))
		if (err == nil) != tc.ok {
			t.Errorf("from %q to %s, %+v: %v, want %v", tc.outside, tc.to, tc.cfg, err, tc.ok)
		}
	}
}

// What the tunnel says of its clients is asked for connections and datagrams alike.
func TestTunnelDoesNotLeadIntoOtherNetworks(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AllowLocal = false })
	laptop := laptopNetwork()
	r.proxy.dialer.network.list, r.proxy.dialer.network.route = laptop.list, laptop.route
	way := tunnelFrom(phone.String())
	if _, err := r.knock("10.1.2.3:80", func(a *Arrival) { a.Way = way }); err == nil || !strings.Contains(err.Error(), apartNetwork) {
		t.Errorf("TCP: %v", err)
	}
	r.ending(1)
	refused := make(chan struct{}, 1)
	r.proxy.Receive(Datagram{
		Way: way, Client: netip.AddrPortFrom(tunnelPeer, 5000), Destination: netip.MustParseAddrPort("10.1.2.3:9"), Payload: []byte("x"),
		Answer: func([]byte) { t.Error("an answer") }, Refuse: func() { refused <- struct{}{} },
	})
	<-refused
	r.shutdown()
	for _, f := range r.ending(2) {
		if f.Outcome != flow.DestinationDenied || !strings.Contains(f.Error, apartNetwork) {
			t.Errorf("%s: %s %q", f.Kind, f.Outcome, f.Error)
		}
	}
}
