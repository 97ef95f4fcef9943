package proxy

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// redirects says that this system tells where a redirected connection was going.
const redirects = true

// originalDestination asks the firewall where a connection was going before it was
// redirected (SO_ORIGINAL_DST of netfilter's ip_tables.h and ip6_tables.h). Without a
// redirection that is the socket's own address, or an error.
func originalDestination(c net.Conn) (netip.AddrPort, error) {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("%T is no TCP socket", c)
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, err
	}
	// A socket of both families reports IPv4 clients under addresses of IPv6, and knows
	// their destination by IPv4's option.
	ask := originalDestination6
	if addrPort(t.RemoteAddr()).Addr().Is4() {
		ask = originalDestination4
	}
	var to netip.AddrPort
	if controlled := raw.Control(func(fd uintptr) { to, err = ask(fd) }); controlled != nil {
		return netip.AddrPort{}, controlled
	}
	return to, err
}

func originalDestination4(fd uintptr) (netip.AddrPort, error) {
	var sa unix.RawSockaddrInet4
	err := getsockopt(fd, unix.SOL_IP, unsafe.Pointer(&sa), unsafe.Sizeof(sa))
	return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), hostOrder(sa.Port)), err
}

func originalDestination6(fd uintptr) (netip.AddrPort, error) {
	var sa unix.RawSockaddrInet6
	err := getsockopt(fd, unix.SOL_IPV6, unsafe.Pointer(&sa), unsafe.Sizeof(sa))
	return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), hostOrder(sa.Port)), err
}

// hostOrder reads a port as the kernel writes it, in the order of the network.
func hostOrder(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}

// getsockopt reads SO_ORIGINAL_DST, which has the same number for both families.
func getsockopt(fd uintptr, level int, into unsafe.Pointer, size uintptr) error {
	length := uint32(size)
	_, _, errno := syscall.Syscall6(unix.SYS_GETSOCKOPT, fd, uintptr(level), unix.SO_ORIGINAL_DST, uintptr(into), uintptr(unsafe.Pointer(&length)), 0)
	if errno != 0 {
		return fmt.Errorf("ask where the connection was going: %w", errno)
	}
	return nil
}
