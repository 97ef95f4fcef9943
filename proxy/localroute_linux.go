package proxy

import (
	"encoding/binary"
	"net/netip"
	"syscall"
)

// routedHere reports whether the kernel delivers an address to this machine itself,
// also where it is none of its interfaces': `ip route add local PREFIX dev lo` does
// that for whole prefixes. It asks by RTM_GETROUTE (rtnetlink(7)), as `ip route get`
// does. What cannot be asked is not.
func routedHere(a netip.Addr) bool {
	s, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return false
	}
	defer syscall.Close(s)
	if syscall.Sendto(s, routeRequest(a), 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}) != nil {
		return false
	}
	answer := make([]byte, 4<<10) // the kernel has answered before Sendto returned
	n, _, err := syscall.Recvfrom(s, answer, syscall.MSG_DONTWAIT)
	if err != nil {
		return false
	}
	messages, err := syscall.ParseNetlinkMessage(answer[:n])
	if err != nil {
		return false
	}
	for _, m := range messages {
		if m.Header.Type == syscall.RTM_NEWROUTE && len(m.Data) >= syscall.SizeofRtMsg {
			return m.Data[7] == syscall.RTN_LOCAL // rtm_type
		}
	}
	return false
}

// routeRequest asks for the route to an address of IPv6: a header, a rtmsg and one
// attribute.
func routeRequest(a netip.Addr) []byte {
	const attr = syscall.SizeofRtAttr + 16
	b := make([]byte, 0, syscall.NLMSG_HDRLEN+syscall.SizeofRtMsg+attr)
	order := binary.NativeEndian
	b = order.AppendUint32(b, uint32(cap(b)))
	b = order.AppendUint16(b, syscall.RTM_GETROUTE)
	b = order.AppendUint16(b, syscall.NLM_F_REQUEST)
	b = append(b, make([]byte, 8)...) // sequence and port: there is one question
	b = append(b, syscall.AF_INET6, 128)
	b = append(b, make([]byte, syscall.SizeofRtMsg-2)...)
	b = order.AppendUint16(b, attr)
	b = order.AppendUint16(b, syscall.RTA_DST)
	addr := a.As16()
	return append(b, addr[:]...)
}
