package proxy

import (
	"encoding/binary"
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
	by   map[netip.Addr]attachment // by scoped address

	tunnels sync.Map // *Way by netip.Addr: through which tunnel a client comes
}

// attachment is one address of this machine, on one of its links.
type attachment struct {
	link   int          // index of the interface
	prefix netip.Prefix // the address with the length of its subnet
	zone   string       // name of the interface, where the address is link-local
}

// addr returns the address as the system spells it as a source.
func (a attachment) addr() netip.Addr { return a.prefix.Addr().WithZone(a.zone) }

// scoped returns an address in the one spelling that tells it from others. Link-local
// ones of IPv6 need their zone for that: two links may have the same (RFC 4007, 6).
func scoped(a netip.Addr) netip.Addr {
	if a = a.Unmap(); !a.IsLinkLocalUnicast() {
		a = a.WithZone("")
	}
	return a
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
			zone := ""
			if addr = addr.Unmap(); addr.Is6() && addr.IsLinkLocalUnicast() {
				zone = link.Name
			}
			if p := netip.PrefixFrom(addr, ones); p.IsValid() {
				all = append(all, attachment{link.Index, p, zone})
			}
		}
	}
	return all, nil
}

// sourceFor returns the address of this machine from which the kernel would reach
// a. It connects a UDP socket, which sends nothing, so that the routing table is
// asked in the same way on every system. What is routed to this machine itself is
// reached from itself; IPv6 needs another question for that where whole prefixes are.
func sourceFor(a netip.Addr) (netip.Addr, error) {
	if a.Is6() && !a.IsLoopback() && routedHere(a) {
		return a, nil
	}
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 9)))
	if err != nil {
		return netip.Addr{}, err
	}
	defer c.Close()
	return scoped(addrPort(c.LocalAddr()).Addr()), nil
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
			n.by[a.addr()] = a
		}
	}
	return n.by
}

// owns reports whether a is an address of this machine. One without a zone may be on
// any link.
func (n *network) owns(a netip.Addr) bool {
	a = scoped(a)
	by := n.attached()
	if _, ok := by[a]; ok || a.Zone() != "" || !a.IsLinkLocalUnicast() {
		return ok
	}
	for _, at := range by {
		if at.prefix.Addr() == a {
			return true
		}
	}
	return false
}

// broadcasts reports whether an address of IPv4 is that of everybody in a network that
// this machine is in (RFC 922, 7): what is sent there comes to this machine's services,
// too. Networks of one or two addresses have none (RFC 3021, 2.1).
func (n *network) broadcasts(a netip.Addr) bool {
	if a = a.Unmap(); !a.Is4() {
		return false
	}
	for _, at := range n.attached() {
		if at.prefix.Addr().Is4() && at.prefix.Bits() < 31 && at.prefix.Contains(a) && a == lastOf(at.prefix) {
			return true
		}
	}
	return false
}

// lastOf returns the last address of a network of IPv4.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	hosts := ^uint32(0) >> p.Bits()
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(b[:])|hosts)))
}

// shortestLAN6 is the shortest prefix of IPv6 that is taken for one network. SLAAC
// makes networks of this length (RFC 4862).
const shortestLAN6 = 64

// neighbours reports whether a has a public address of IPv6 in a house that this
// machine is in: it is in a subnet of ours, on a link with a private address too, as
// routers of houses give them. The links of machines that others rent have public
// addresses alone, and strangers for neighbours.
func (n *network) neighbours(a netip.Addr) bool {
	if a = a.Unmap().WithZone(""); !a.Is6() {
		return false
	}
	by := n.attached()
	for _, at := range by {
		if at.prefix.Addr().Is6() && at.prefix.Bits() >= shortestLAN6 && at.prefix.Contains(a) && houses(by, at.link) {
			return true
		}
	}
	return false
}

// houses reports whether a link has an address of RFC 1918 or RFC 4193. That of a
// carrier (RFC 6598) says nothing: its other customers have such, too.
func houses(by map[netip.Addr]attachment, link int) bool {
	for _, at := range by {
		if at.link == link && at.prefix.Addr().IsPrivate() {
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

// through notes that a client comes through a tunnel: there are no more such clients than
// tunnels have peers.
func (n *network) through(w *Way, client netip.Addr) {
	if w.Outside == nil {
		return
	}
	if was, ok := n.tunnels.Load(client); !ok || was != w {
		n.tunnels.Store(client, w)
	}
}

// tunnelled reports whether a client comes through a tunnel.
func (n *network) tunnelled(client netip.Addr) bool {
	_, ok := n.tunnels.Load(client)
	return ok
}

// place returns the address at which a client is: of one in a tunnel, where the tunnel
// begins. ok is not set where that is not known, or is in none of the networks around: a
// device that comes from the open Internet is in no private network.
func (n *network) place(client netip.Addr) (at netip.Addr, ok bool) {
	w, ok := n.tunnels.Load(client)
	if !ok {
		return client, true
	}
	at = w.(*Way).Outside(client).Unmap()
	return at, at.IsValid() && (isPrivate(at) || n.neighbours(at) || n.owns(at))
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
