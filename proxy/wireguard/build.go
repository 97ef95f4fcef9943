package wireguard

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
)

// hopLimit is that of packets which telltale makes (RFC 1700's default TTL).
const hopLimit = 64

// buildPackets returns IP packets that carry the payload, in fragments where it does
// not fit into one. The payload is not kept. It is nil where IP cannot carry it.
func buildPackets(src, dst netip.Addr, protocol byte, payload []byte) [][]byte {
	header := ipv6Header
	if src.Is4() {
		header = ipv4Header
	}
	if len(payload) > maxPayload-header {
		return nil
	}
	if header+len(payload) <= MTU {
		return [][]byte{wrap(src, dst, protocol, payload)}
	}
	id := rand.Uint32() //nolint:gosec // it only has to differ from the last ones
	if src.Is4() {
		return fragments4(src, dst, protocol, payload, id)
	}
	return fragments6(src, dst, protocol, payload, id)
}

// wrap returns the payload in one packet, whatever its size.
func wrap(src, dst netip.Addr, protocol byte, payload []byte) []byte {
	header := ipv6Header
	if src.Is4() {
		header = ipv4Header
	}
	b := make([]byte, header+len(payload))
	copy(b[header:], payload)
	putIPHeader(b, src, dst, protocol, 0, 0)
	return b
}

// fragments4 follows RFC 791, section 3.2.
func fragments4(src, dst netip.Addr, protocol byte, payload []byte, id uint32) (packets [][]byte) {
	const room = (MTU - ipv4Header) &^ 7
	for at := 0; at < len(payload); at += room {
		part := payload[at:min(at+room, len(payload))]
		field := uint16(at / 8)
		if at+len(part) < len(payload) {
			field |= 0x2000 // more fragments
		}
		b := make([]byte, ipv4Header+len(part))
		copy(b[ipv4Header:], part)
		putIPHeader(b, src, dst, protocol, uint16(id), field)
		packets = append(packets, b)
	}
	return packets
}

// fragments6 follows RFC 8200, section 4.5.
func fragments6(src, dst netip.Addr, protocol byte, payload []byte, id uint32) (packets [][]byte) {
	const room = (MTU - ipv6Header - fragmentHeader) &^ 7
	for at := 0; at < len(payload); at += room {
		part := payload[at:min(at+room, len(payload))]
		field := uint16(at)
		if at+len(part) < len(payload) {
			field |= 1 // more fragments
		}
		b := make([]byte, ipv6Header+fragmentHeader+len(part))
		b[ipv6Header] = protocol
		binary.BigEndian.PutUint16(b[ipv6Header+2:], field)
		binary.BigEndian.PutUint32(b[ipv6Header+4:], id)
		copy(b[ipv6Header+fragmentHeader:], part)
		putIPHeader(b, src, dst, protoFragment, 0, 0)
		packets = append(packets, b)
	}
	return packets
}

// putIPHeader fills in the header of a packet that is all there. The last two fields
// are of IPv4 only.
func putIPHeader(b []byte, src, dst netip.Addr, protocol byte, id, fragment uint16) {
	if src.Is4() {
		b[0] = 4<<4 | ipv4Header/4
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		binary.BigEndian.PutUint16(b[4:], id)
		binary.BigEndian.PutUint16(b[6:], fragment)
		b[8], b[9], b[10], b[11] = hopLimit, protocol, 0, 0
		copy(b[12:], src.AsSlice())
		copy(b[16:], dst.AsSlice())
		binary.BigEndian.PutUint16(b[10:], ^checksum.Checksum(b[:ipv4Header], 0))
		return
	}
	b[0] = 6 << 4
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)-ipv6Header))
	b[6], b[7] = protocol, hopLimit
	copy(b[8:], src.AsSlice())
	copy(b[24:], dst.AsSlice())
}

// buildUDP returns a datagram (RFC 768), ready for an IP packet.
func buildUDP(src, dst netip.AddrPort, payload []byte) []byte {
	b := make([]byte, udpHeader+len(payload))
	binary.BigEndian.PutUint16(b, src.Port())
	binary.BigEndian.PutUint16(b[2:], dst.Port())
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	copy(b[udpHeader:], payload)
	sum := ^checksum.Checksum(b, pseudoSum(src.Addr(), dst.Addr(), protoUDP, len(b)))
	if sum == 0 {
		sum = 0xffff // zero says that there is none
	}
	binary.BigEndian.PutUint16(b[6:], sum)
	return b
}

// buildICMP returns a message of ICMP or, between IPv6 addresses, ICMPv6, with the
// second word of its header zero.
func buildICMP(src, dst netip.Addr, kind, code byte, body []byte) []byte {
	b := make([]byte, icmpHeader+len(body))
	b[0], b[1] = kind, code
	copy(b[icmpHeader:], body)
	sumICMP(b, src, dst)
	return b
}

// sumICMP sets the checksum of a message.
func sumICMP(b []byte, src, dst netip.Addr) {
	b[2], b[3] = 0, 0
	initial := uint16(0)
	if src.Is6() {
		initial = pseudoSum(src, dst, protoICMPv6, len(b))
	}
	binary.BigEndian.PutUint16(b[2:], ^checksum.Checksum(b, initial))
}
