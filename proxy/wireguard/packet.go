package wireguard

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"

	"telltale/coverage"
)

// Protocols over IP (IANA, Protocol Numbers).
const (
	protoHopByHop    = 0
	protoICMP        = 1
	protoTCP         = 6
	protoUDP         = 17
	protoRouting     = 43
	protoFragment    = 44
	protoICMPv6      = 58
	protoDestination = 60
)

const (
	ipv4Header     = 20 // bytes, without options
	ipv6Header     = 40
	tcpHeader      = 20
	udpHeader      = 8
	icmpHeader     = 8
	fragmentHeader = 8
	maxPayload     = 65535 // of an IP packet (RFC 791, section 3.1; RFC 8200, section 3)
)

// What is wrong with a packet, in the words of [coverage.Ledger.Dropped].
const (
	malformed     = "malformed packets"
	badChecksum   = "packets with a wrong checksum"
	sourceRouted  = "packets with a route of their own"
	incomplete    = "incomplete fragments"
	foreignSource = coverage.ForeignSource
	noServer      = "connections to addresses that can have no server"
	flooded       = "connections beyond the limit of those being opened"
	abandoned     = "connections that were given up while being opened"
)

// packet is an IP packet, taken apart. Its slices are those of what was parsed.
type packet struct {
	src, dst netip.Addr
	protocol byte   // of payload
	payload  []byte // after the IP header and its extensions

	// plain is set where nothing stands between the fixed IP header and payload.
	plain bool

	fragmented bool
	id         uint32
	offset     int // of payload in the whole, in bytes
	more       bool

	whole []byte
}

// parsePacket takes a packet from the tunnel apart. Where it cannot, defect says why.
// What follows the length that the packet states is not looked at: WireGuard pads.
func parsePacket(b []byte) (p packet, defect string) {
	if len(b) == 0 {
		return p, malformed
	}
	switch b[0] >> 4 {
	case 4:
		return parseIPv4(b)
	case 6:
		return parseIPv6(b)
	}
	return p, malformed
}

// parseIPv4 follows RFC 791, section 3.1.
func parseIPv4(b []byte) (p packet, defect string) {
	if len(b) < ipv4Header {
		return p, malformed
	}
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < ipv4Header || total < header || total > len(b) {
		return p, malformed
	}
	if checksum.Checksum(b[:header], 0) != 0xffff {
		return p, badChecksum
	}
	p.src, p.dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	p.protocol = b[9]
	p.payload, p.plain, p.whole = b[header:total], header == ipv4Header, b[:total]
	if hasRoute(b[ipv4Header:header]) {
		return p, sourceRouted
	}
	flags := binary.BigEndian.Uint16(b[6:])
	p.offset, p.more = int(flags&0x1fff)*8, flags&0x2000 != 0
	if p.offset > 0 || p.more {
		p.fragmented, p.id = true, uint32(binary.BigEndian.Uint16(b[4:]))
		return p, p.fragmentDefect()
	}
	return p, ""
}

// hasRoute reports whether options hold a source route (RFC 791, section 3.1: 131 and
// 137), which no host follows any more (RFC 7126, section 4.3).
func hasRoute(options []byte) bool {
	const end, noOperation, loose, strict = 0, 1, 131, 137
	for len(options) > 0 && options[0] != end {
		switch options[0] {
		case noOperation:
			options = options[1:]
			continue
		case loose, strict:
			return true
		}
		if len(options) < 2 || options[1] < 2 || int(options[1]) > len(options) {
			return false // the options are of no use to us, the packet is
		}
		options = options[options[1]:]
	}
	return false
}

// parseIPv6 follows RFC 8200, sections 3 and 4.
func parseIPv6(b []byte) (p packet, defect string) {
	if len(b) < ipv6Header {
		return p, malformed
	}
	total := ipv6Header + int(binary.BigEndian.Uint16(b[4:]))
	if total > len(b) {
		return p, malformed
	}
	p.src, p.dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	if p.src.Is4In6() || p.dst.Is4In6() {
		return p, malformed // never on the wire (RFC 4291, section 2.5.5.2)
	}
	p.protocol = b[6]
	p.payload, p.plain, p.whole = b[ipv6Header:total], true, b[:total]
	return p, p.skipExtensions()
}

// skipExtensions moves payload behind the extension headers of IPv6, up to a fragment
// header, behind which the rest may be in another packet.
func (p *packet) skipExtensions() (defect string) {
	for {
		switch p.protocol {
		case protoHopByHop, protoDestination, protoRouting:
			if len(p.payload) < 8 {
				return malformed
			}
			size := int(p.payload[1])*8 + 8
			if size > len(p.payload) {
				return malformed
			}
			if p.protocol == protoRouting && p.payload[3] != 0 {
				return sourceRouted // segments are left
			}
			p.protocol, p.payload, p.plain = p.payload[0], p.payload[size:], false
		case protoFragment:
			return p.takeFragmentHeader()
		default:
			return ""
		}
	}
}

// takeFragmentHeader follows RFC 8200, section 4.5. A packet with the header that is
// whole is none (RFC 6946).
func (p *packet) takeFragmentHeader() (defect string) {
	if len(p.payload) < fragmentHeader {
		return malformed
	}
	field := binary.BigEndian.Uint16(p.payload[2:])
	p.offset, p.more = int(field&^7), field&1 != 0
	p.id = binary.BigEndian.Uint32(p.payload[4:])
	p.protocol, p.payload, p.plain = p.payload[0], p.payload[fragmentHeader:], false
	if p.offset == 0 && !p.more {
		return p.skipExtensions()
	}
	p.fragmented = true
	return p.fragmentDefect()
}

// fragmentDefect checks what both versions of IP demand of a fragment.
func (p *packet) fragmentDefect() string {
	switch {
	case len(p.payload) == 0, p.more && len(p.payload)%8 != 0, p.offset+len(p.payload) > maxPayload:
		return malformed
	}
	return ""
}

// transportDefect checks lengths and checksum of what a whole packet carries.
func (p *packet) transportDefect() string {
	b := p.payload
	switch p.protocol {
	case protoTCP:
		if len(b) < tcpHeader || int(b[12]>>4)*4 < tcpHeader || int(b[12]>>4)*4 > len(b) {
			return malformed
		}
		return p.wrongSum(b)
	case protoUDP:
		if len(b) < udpHeader {
			return malformed
		}
		length := int(binary.BigEndian.Uint16(b[4:]))
		if length < udpHeader || length > len(b) {
			return malformed
		}
		if b[6] == 0 && b[7] == 0 {
			if p.src.Is4() {
				return "" // not summed (RFC 768)
			}
			return badChecksum // RFC 8200, section 8.1
		}
		return p.wrongSum(b[:length])
	case protoICMP:
		if !p.src.Is4() {
			return ""
		}
		if len(b) < icmpHeader {
			return malformed
		}
		if checksum.Checksum(b, 0) != 0xffff {
			return badChecksum
		}
	case protoICMPv6:
		if !p.src.Is6() {
			return ""
		}
		if len(b) < 4 {
			return malformed
		}
		return p.wrongSum(b)
	}
	return ""
}

func (p *packet) wrongSum(b []byte) string {
	if checksum.Checksum(b, pseudoSum(p.src, p.dst, p.protocol, len(b))) != 0xffff {
		return badChecksum
	}
	return ""
}

// pseudoSum is the sum of the pseudo-header that TCP, UDP and ICMPv6 are summed with
// (RFC 9293, section 3.1; RFC 8200, section 8.1).
func pseudoSum(src, dst netip.Addr, protocol byte, length int) uint16 {
	var b [40]byte
	n := 0
	if src.Is4() {
		s, d := src.As4(), dst.As4()
		n = copy(b[:], s[:])
		n += copy(b[n:], d[:])
	} else {
		s, d := src.As16(), dst.As16()
		n = copy(b[:], s[:])
		n += copy(b[n:], d[:])
	}
	binary.BigEndian.PutUint32(b[n:], uint32(length))
	b[n+7] = protocol
	return checksum.Checksum(b[:n+8], 0)
}

// ports returns source and destination port of a TCP or UDP packet.
func (p *packet) ports() (src, dst uint16) {
	return binary.BigEndian.Uint16(p.payload), binary.BigEndian.Uint16(p.payload[2:])
}
