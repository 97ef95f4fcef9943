package proxy

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// networkFresh is how long this machine's addresses are remembered: asking costs
// some system calls, and they change when a network is joined.
const networkFresh = time.Second

// network knows the networks that this machine is in: its addresses, the links
// that they are on, and by which of them the kernel reaches another address.
type network struct {
	list  func() ([]attachment, error)
	route func(netip.Addr) (netip.Addr, error)

	mu   sync.Mutex
	read time.Time
	by   map[netip.Addr]attachment
}

// attachment is one address of this machine, on one of its links.
type attachment struct {
	link   int          // index of the interface
	prefix netip.Prefix // the address with the length of its subnet
}

func newNetwork() *network { return &network{list: attachments, route: sourceFor} }

// attachments asks the system for the addresses of all interfaces.
func attachments() ([]attachment, error) {
	links, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var all []attachment
	for _, link := range links {
		addrs, err := link.Addrs()
		if err != nil {
			continue // it went away meanwhile
		}
		for _, a := range addrs {
			n, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			addr, _ := netip.AddrFromSlice(n.IP)
			ones, _ := n.Mask.Size()
			if p := netip.PrefixFrom(addr.Unmap(), ones); p.IsValid() {
				all = append(all, attachment{link.Index, p})
			}
		}
	}
	return all, nil
}

// sourceFor returns the address of this machine from which the kernel would reach
// a. It connects a UDP socket, which sends nothing, so that the routing table is
// asked in the same way on every system.
func sourceFor(a netip.Addr) (netip.Addr, error) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 9)))
	if err != nil {
		return netip.Addr{}, err
	}
	defer c.Close()
	return addrPort(c.LocalAddr()).Addr().WithZone(""), nil
}

// attached returns the addresses of this machine. What was known is kept when the
// system does not say.
func (n *network) attached() map[netip.Addr]attachment {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now := time.Now(); n.by == nil || now.Sub(n.read) > networkFresh {
		all, err := n.list()
		if err != nil && n.by != nil {
			return n.by
		}
		n.read, n.by = now, make(map[netip.Addr]attachment, len(all))
		for _, a := range all {
			n.by[a.prefix.Addr()] = a
		}
	}
	return n.by
}

// owns reports whether a is an address of this machine.
func (n *network) owns(a netip.Addr) bool {
	_, ok := n.attached()[a.Unmap().WithZone("")]
	return ok
}

// The shortest prefixes that are taken for a network in which neighbours are
// trusted like those with private addresses. SLAAC makes networks of /64 (RFC 4862).
const (
	shortestLAN4 = 16
	shortestLAN6 = 64
)

// neighbours reports whether a is in a subnet of one of this machine's addresses:
// IPv6 gives the devices of a house public addresses.
func (n *network) neighbours(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	shortest := shortestLAN6
	if a.Is4() {
		shortest = shortestLAN4
	}
	for _, at := range n.attached() {
		if at.prefix.Bits() >= shortest && at.prefix.Contains(a) {
			return true
		}
	}
	return false
}

// inside reports whether a client is a program of this machine: it could go itself
// wherever it asks us to go.
func (n *network) inside(client netip.Addr) bool {
	return client.Unmap().IsLoopback() || n.owns(client)
}

// apart reports whether a client is in another network than a destination that is
// reached from there: a VPN, a bridge of containers, another LAN. Both sides are
// looked up in the routing table. The address at which the client found us would not
// do: a host of the LAN can send packets for any of our addresses over its own link.
func (n *network) apart(client, there netip.Addr) bool {
	here, err := n.route(client)
	if err != nil {
		return true
	}
	at := n.attached()
	a, ok := at[here]
	b, ok2 := at[there]
	return !ok || !ok2 || a.link != b.link && !joined(at, a.link, b.link)
}

// joined reports whether two links are in one subnet, as a cable and Wi-Fi are. What
// is link-local has the same prefix on all links.
func joined(at map[netip.Addr]attachment, one, other int) bool {
	for _, a := range at {
		if a.link != one || a.prefix.IsSingleIP() || a.prefix.Addr().IsLinkLocalUnicast() {
			continue
		}
		for _, b := range at {
			if b.link == other && b.prefix.Masked() == a.prefix.Masked() {
				return true
			}
		}
	}
	return false
}
