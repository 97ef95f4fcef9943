package wireguard

import (
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
)

// Both subnets begin with telltale's own address, and the peers follow.
const (
	ownHost   = 1
	firstHost = 2
	lastHost  = 254
)

// freeSubnet returns the first of our IPv4 subnets that overlaps none of taken. All are
// private (RFC 1918) and seldom used: 10.86.0.0/24 and its neighbours, then parts of
// the other two private blocks.
func freeSubnet(taken []netip.Prefix) (netip.Prefix, error) {
	for _, block := range [][2]byte{{10, 86}, {172, 29}, {192, 168}} {
		for third := range 256 {
			subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{block[0], block[1], byte(third), 0}), 24)
			if !overlapsAny(subnet, taken) {
				return subnet, nil
			}
		}
	}
	return netip.Prefix{}, errors.New("every private IPv4 network that could be the tunnel's is a network of this machine")
}

func overlapsAny(p netip.Prefix, others []netip.Prefix) bool {
	for _, other := range others {
		if p.Overlaps(other) {
			return true
		}
	}
	return false
}

// newUniqueLocal returns a /64 with a random global ID (RFC 4193, section 3).
func newUniqueLocal() (netip.Prefix, error) {
	a := [16]byte{0xfd}
	if _, err := rand.Read(a[1:6]); err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(netip.AddrFrom16(a), 64), nil
}

// networksOfThisMachine lists the networks of its interfaces.
func networksOfThisMachine() ([]netip.Prefix, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var networks []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			networks = append(networks, p.Masked())
		}
	}
	return networks, nil
}

// host returns the n-th address of a subnet.
func host(subnet netip.Prefix, n byte) netip.Addr {
	raw := subnet.Masked().Addr().AsSlice()
	raw[len(raw)-1] |= n
	a, _ := netip.AddrFromSlice(raw)
	return a
}
