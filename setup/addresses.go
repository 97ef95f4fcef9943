package setup

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Addresses returns the IP addresses of this machine at which a phone might
// reach it, the likeliest first: private addresses of real networks, then the
// other ones, and last those of virtual networks, which a phone is seldom in.
// Loopback and link-local addresses are left out. Without a network the list is
// empty.
func Addresses() ([]string, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("network interfaces of this machine: %w", err)
	}
	var links []link
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil { // it went away meanwhile
			continue
		}
		l := link{name: i.Name, flags: i.Flags}
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				l.addrs = append(l.addrs, prefix.Addr())
			}
		}
		links = append(links, l)
	}
	return rank(links, Routed()), nil
}

// Routed returns the address from which this machine reaches the internet, zero
// when it does not. Connecting a UDP socket chooses a route and sends nothing;
// the destination is for documentation (RFC 5737).
func Routed() netip.Addr {
	conn, err := net.Dial("udp4", "192.0.2.1:9")
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close()
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return local.Addr().Unmap()
}

// link is a network interface.
type link struct {
	name  string
	flags net.Flags
	addrs []netip.Addr
}

// Classes of addresses, the likeliest first.
const (
	privateIPv4 = iota
	publicIPv4
	anyIPv6
	sharedIPv4 // RFC 6598: a carrier's network, or Tailscale
	virtual
)

// rank orders the addresses of links. Within a class the one with the route to
// the internet comes first, then the order of the system stays.
func rank(links []link, routed netip.Addr) []string {
	type candidate struct {
		addr  netip.Addr
		class int
	}
	var candidates []candidate
	for _, l := range links {
		if l.flags&net.FlagUp == 0 || l.flags&net.FlagLoopback != 0 {
			continue
		}
		for _, addr := range l.addrs {
			addr = addr.Unmap().WithZone("")
			if addr.IsGlobalUnicast() { // neither loopback nor link-local nor multicast
				candidates = append(candidates, candidate{addr, classOf(l, addr)})
			}
		}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int {
		first := func(c candidate) int {
			if c.addr == routed {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(first(a), first(b)))
	})
	var addresses []string
	for _, c := range candidates {
		if s := c.addr.String(); !slices.Contains(addresses, s) {
			addresses = append(addresses, s)
		}
	}
	return addresses
}

var shared = netip.MustParsePrefix("100.64.0.0/10")

func classOf(l link, addr netip.Addr) int {
	switch {
	case isVirtual(l):
		return virtual
	case shared.Contains(addr):
		return sharedIPv4
	case addr.Is4() && addr.IsPrivate():
		return privateIPv4
	case addr.Is4():
		return publicIPv4
	}
	return anyIPv6
}

// virtualNames matches the names that containers, virtual machines and tunnels
// give to their interfaces. The bridge of a router ("br-lan") and of macOS
// internet sharing ("bridge100") are not among them: phones are behind those.
var virtualNames = regexp.MustCompile(`^(docker|br-[0-9a-f]{12}$|veth|virbr|vmnet|vboxnet|vnet|lxc|lxd|incus|cni|flannel|cali|podman|kube|tailscale|zt|utun|tun|tap|wg|ppp|ipsec)` +
	`|vethernet|virtualbox|vmware|hyper-v|\bwsl\b|tailscale|zerotier|wireguard|openvpn`)

func isVirtual(l link) bool {
	return l.flags&net.FlagPointToPoint != 0 || virtualNames.MatchString(strings.ToLower(l.name))
}
