package wireguard

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
)

// datagram is what it takes to answer one of UDP.
type datagram struct {
	t        *Tunnel
	src, dst netip.AddrPort // src is the device's, in the version of IP that it used
	quote    []byte         // its IP and UDP headers
}

func newDatagram(t *Tunnel, p *packet, srcPort, dstPort uint16) *datagram {
	return &datagram{t, netip.AddrPortFrom(p.src, srcPort), netip.AddrPortFrom(p.dst, dstPort), quote(p)}
}

// answer sends a datagram back. One that no datagram can carry is not sent.
func (d *datagram) answer(payload []byte) {
	if len(payload) > maxPayload-udpHeader-ipv4Header {
		return
	}
	d.t.link.send(buildPackets(d.dst.Addr(), d.src.Addr(), protoUDP, buildUDP(d.dst, d.src, payload))...)
}

// refuse says that no program has the port: ICMP's destination unreachable, port
// unreachable (RFC 792; RFC 4443, section 3.1), to which a client's socket reports an
// error. Nobody is told that asked a group (RFC 1122, section 3.2.2).
func (d *datagram) refuse() {
	if !canHaveServer(d.dst.Addr()) {
		return
	}
	kind, code, protocol := byte(3), byte(3), byte(protoICMP)
	if d.src.Addr().Is6() {
		kind, code, protocol = 1, 4, protoICMPv6
	}
	message := buildICMP(d.dst.Addr(), d.src.Addr(), kind, code, d.quote)
	d.t.link.send(buildPackets(d.dst.Addr(), d.src.Addr(), protocol, message)...)
}

// quote returns the beginning of a packet as ICMP quotes it: the IP header and the
// ports behind it (RFC 792). That is all that a device needs to find the socket, though
// RFC 4443 would have as much as fits.
func quote(p *packet) []byte {
	header := ipv6Header
	if p.src.Is4() {
		header = ipv4Header
	}
	b := make([]byte, header+udpHeader)
	copy(b[header:], p.payload)
	putIPHeader(b, p.src, p.dst, p.protocol, 0, 0)
	if p.src.Is6() {
		binary.BigEndian.PutUint16(b[4:], uint16(len(p.payload)))
		return b
	}
	binary.BigEndian.PutUint16(b[2:], uint16(header+len(p.payload)))
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], ^checksum.Checksum(b[:header], 0))
	return b
}
