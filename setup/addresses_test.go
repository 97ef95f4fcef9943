package setup

import (
	"net"
	"net/netip"
	"slices"
	"testing"
)

const up = net.FlagUp | net.FlagBroadcast | net.FlagMulticast

func on(name string, flags net.Flags, addrs ...string) link {
	l := link{name: name, flags: flags}
	for _, a := range addrs {
		l.addrs = append(l.addrs, netip.MustParseAddr(a))
	}
	return l
}

func TestRank(t *testing.T) {
	for name, test := range map[string]struct {
		links  []link
		routed string
		want   []string
	}{
		"none": {nil, "", nil},
		"laptop with containers and a tunnel": {[]link{
			on("lo", net.FlagUp|net.FlagLoopback, "127.0.0.1", "::1", "10.9.9.9"),
			on("docker0", up, "172.17.0.1"),
			on("br-0123456789ab", up, "172.18.0.1"),
			on("tailscale0", net.FlagUp|net.FlagPointToPoint, "100.101.102.103", "fd7a::1"),
			on("wlp3s0", up, "fe80::1", "2001:db8::5", "192.168.1.5"),
			on("eth1", net.FlagBroadcast, "192.168.77.1"),
		}, "192.168.1.5", []string{"192.168.1.5", "2001:db8::5", "172.17.0.1", "172.18.0.1", "100.101.102.103", "fd7a::1"}},
		"the route decides between two networks": {[]link{
			on("eth0", up, "10.0.0.2"), on("wlan0", up, "192.168.1.5"), on("eth2", up, "172.16.0.9"),
		}, "192.168.1.5", []string{"192.168.1.5", "10.0.0.2", "172.16.0.9"}},
		"a route through a VPN does not": {[]link{
			on("utun4", net.FlagUp|net.FlagPointToPoint, "10.8.0.2"), on("en0", up, "192.168.1.5"),
		}, "10.8.0.2", []string{"192.168.1.5", "10.8.0.2"}},
		"macOS internet sharing and a router's bridge": {[]link{
			on("en0", up, "203.0.113.7"), on("bridge100", up, "192.168.2.1"), on("br-lan", up, "192.168.3.1"),
		}, "203.0.113.7", []string{"192.168.2.1", "192.168.3.1", "203.0.113.7"}},
		"Windows": {[]link{
			on("vEthernet (WSL (Hyper-V firewall))", up, "172.28.16.1"),
			on("VirtualBox Host-Only Network", up, "192.168.56.1"),
			on("Wi-Fi", up, "169.254.3.4", "192.168.1.5"),
		}, "", []string{"192.168.1.5", "172.28.16.1", "192.168.56.1"}},
		"inside a container": {[]link{on("eth0", up, "172.17.0.2")}, "172.17.0.2", []string{"172.17.0.2"}},
		"carrier network":    {[]link{on("en0", up, "100.72.1.1", "fd00::1")}, "", []string{"fd00::1", "100.72.1.1"}},
		"twice, mapped and with a zone": {[]link{
			on("en0", up, "192.168.1.5", "::ffff:192.168.1.5", "2001:db8::1%en0", "224.0.0.1", "0.0.0.0"),
		}, "", []string{"192.168.1.5", "2001:db8::1"}},
	} {
		routed, _ := netip.ParseAddr(test.routed)
		if got := rank(test.links, routed); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// Whatever machine this is, its addresses are ones that it can listen on.
func TestAddressesAreOwn(t *testing.T) {
	addresses, err := Addresses()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		addr, err := netip.ParseAddr(address)
		if err != nil || !addr.IsGlobalUnicast() {
			t.Errorf("%q is no address for a phone (%v)", address, err)
		}
		listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		listener.Close()
	}
}
