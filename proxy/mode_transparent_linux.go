package proxy

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// redirects says that this system tells where a redirected connection was going.
const redirects = true

// originalDestination asks the firewall where a connection was going before it was
// redirected (SO_ORIGINAL_DST of netfilter's ip_tables.h and ip6_tables.h). Without a
// redirection that is the socket's own address, or an error.
func originalDestination(c net.Conn) (netip.AddrPort, error) {
	t, ok := c.(syscall.Conn)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("%T is no socket", c)
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, err
	}
	// A socket of both families reports IPv4 clients under addresses of IPv6, and knows
	// their destination by IPv4's option.
	ask := originalDestination6
	if addrPort(c.RemoteAddr()).Addr().Is4() {
		ask = originalDestination4
	}
	var to netip.AddrPort
	if controlled := raw.Control(func(fd uintptr) { to, err = ask(fd) }); controlled != nil {
		return netip.AddrPort{}, controlled
	}
	return to, err
}

// originalDestination4 reads a sockaddr_in, into a structure that is large enough.
func originalDestination4(fd uintptr) (netip.AddrPort, error) {
	m, err := unix.GetsockoptIPv6Mreq(int(fd), unix.SOL_IP, unix.SO_ORIGINAL_DST)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("ask where the connection was going: %w", err)
	}
	b := m.Multiaddr // family, port and address, the latter two in the order of the network
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:])), nil
}

// originalDestination6 reads a sockaddr_in6, with which this structure begins. The option
// has the same number.
func originalDestination6(fd uintptr) (netip.AddrPort, error) {
	m, err := unix.GetsockoptIPv6MTUInfo(int(fd), unix.SOL_IPV6, unix.SO_ORIGINAL_DST)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("ask where the connection was going: %w", err)
	}
	var port [2]byte
	binary.NativeEndian.PutUint16(port[:], m.Addr.Port)
	return netip.AddrPortFrom(netip.AddrFrom16(m.Addr.Addr).Unmap(), binary.BigEndian.Uint16(port[:])), nil
}
