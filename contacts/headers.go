package contacts

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"

	"telltale/flow"
)

// The link types that are read (IANA, "PCAP LINKTYPE list").
const (
	linkNull     = 0
	linkEthernet = 1
	linkRawBSD   = 12
	linkRawOpen  = 14
	linkRaw      = 101
	linkLoop     = 108
	linkCooked   = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkCooked2  = 276
	linkTap      = 258 // PKTAP of macOS
	linkTapUser  = 149 // for private use; Apple's tcpdump writes PKTAP under it
)

// knownLinks names them, and linkHint says how to get one.
const (
	knownLinks = "Ethernet, raw IP, Linux cooked, PKTAP or loopback"
	linkHint   = "capture on the interface itself, not in monitor mode: tcpdump -i wlan0 -w FILE"
)

func isKnownLink(link uint32) bool {
	_, _, ok := toIP(link, nil)
	return ok || link == linkTap || link == linkTapUser
}

// untap takes the header of PKTAP off a packet. macOS puts it before packets of an
// iPhone on its cable (rvictl) and of its own interfaces: it names the process (XNU,
// bsd/net/pktap.h). A helper of the system works for another process, which then is the
// one that counts.
func (f *frame) untap() {
	b := f.data
	if f.link != linkTap && f.link != linkTapUser || len(b) < tapSize {
		return
	}
	order := binary.LittleEndian
	size := order.Uint32(b)
	if size < tapSize || int64(size) > int64(len(b)) || order.Uint32(b[4:]) != 1 {
		return
	}
	name := b[56:73]
	if id := order.Uint32(b[84:]); id != order.Uint32(b[52:]) && b[88] != 0 {
		name = b[88:105]
	}
	f.app = flow.App{Name: untilZero(name)}
	f.link, f.data = order.Uint32(b[8:]), b[size:]
}

// tapSize is the size of that header, in bytes, as far as it is read.
const tapSize = 108

// untilZero makes a text of a field that zeros fill. It may have been cut in the middle
// of a letter.
func untilZero(b []byte) string {
	text, _, _ := bytes.Cut(b, []byte{0})
	return strings.ToValidUTF8(string(text), "")
}

// toIP returns the IP packet in a frame, nil when there is none; false when the link type
// is not known.
func toIP(link uint32, b []byte) (ip []byte, why string, ok bool) {
	var kind uint16
	switch link {
	case linkEthernet:
		if len(b) < 14 {
			return nil, skippedShort, true
		}
		kind, b = binary.BigEndian.Uint16(b[12:]), b[14:]
	case linkCooked:
		if len(b) < 16 {
			return nil, skippedShort, true
		}
		kind, b = binary.BigEndian.Uint16(b[14:]), b[16:]
	case linkCooked2:
		if len(b) < 20 {
			return nil, skippedShort, true
		}
		kind, b = binary.BigEndian.Uint16(b), b[20:]
	case linkNull, linkLoop:
		if len(b) < 4 {
			return nil, skippedShort, true
		}
		return versioned(b[4:])
	case linkRaw, linkRawBSD, linkRawOpen, linkIPv4, linkIPv6:
		return versioned(b)
	default:
		return nil, "", false
	}
	for tags := 0; isTag(kind) && tags < 4; tags++ {
		if len(b) < 4 {
			return nil, skippedShort, true
		}
		kind, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	if kind == 0x8864 && len(b) >= 8 { // PPPoE, a session (RFC 2516, 4): behind it PPP
		return versioned(b[8:])
	}
	if kind != 0x0800 && kind != 0x86dd {
		return nil, skippedOther, true
	}
	return versioned(b)
}

// isTag reports whether an Ethernet type is that of a VLAN tag (IEEE 802.1Q).
func isTag(kind uint16) bool { return kind == 0x8100 || kind == 0x88a8 || kind == 0x9100 }

// versioned takes what says of itself that it is IP.
func versioned(b []byte) ([]byte, string, bool) {
	if len(b) == 0 {
		return nil, skippedShort, true
	}
	if v := b[0] >> 4; v != 4 && v != 6 {
		return nil, skippedOther, true
	}
	return b, "", true
}

// Why a packet makes no flow.
const (
	skippedShort     = "packet cut short"
	skippedOther     = "packet of another network than IP"
	skippedBroken    = "malformed packet"
	skippedFragment  = "fragment behind the first"
	skippedMulticast = "packet to many"
	skippedICMP      = "message of ICMP"
	skippedDHCP      = "message of DHCP"
)

// The protocols over IP that are told apart (IANA, "Protocol Numbers").
const (
	protocolICMP   = 1
	protocolIGMP   = 2
	protocolTCP    = 6
	protocolUDP    = 17
	protocolICMPv6 = 58
)

// segment is what the headers of a packet say.
type segment struct {
	from, to netip.AddrPort
	protocol byte
	payload  []byte // the captured part
	length   int    // of the payload on the wire
	sequence uint32 // of TCP
	flags    byte   // of TCP
	reply    bool   // an echo reply
}

// The flags of TCP (RFC 9293, 3.1).
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	_
	flagACK
)

// parse reads the headers of an IP packet. It looks at no more than it needs, so that
// no odd option hides a packet. It returns why there is no segment, or "".
func (s *segment) parse(ip []byte) string {
	var from, to netip.Addr
	var rest []byte
	var length int
	fragment := false
	if ip[0]>>4 == 4 {
		header := int(ip[0]&15) * 4
		if len(ip) < 20 || header < 20 || len(ip) < header {
			return skippedBroken
		}
		length = int(binary.BigEndian.Uint16(ip[2:])) - header
		if length == -header { // cut into packets by the network card, behind the capture
			length = len(ip) - header
		}
		from, to = netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20]))
		s.protocol, rest = ip[9], ip[header:]
		fragment = binary.BigEndian.Uint16(ip[6:])&0x1fff != 0
	} else {
		if len(ip) < 40 {
			return skippedBroken
		}
		if length = int(binary.BigEndian.Uint16(ip[4:])); length == 0 {
			length = len(ip) - 40
		}
		from, to = netip.AddrFrom16([16]byte(ip[8:24])), netip.AddrFrom16([16]byte(ip[24:40]))
		s.protocol, rest = ip[6], ip[40:]
		if rest, length, fragment = s.extensions(rest, length); rest == nil {
			return skippedBroken
		}
	}
	if length < 0 {
		return skippedBroken
	}
	rest = rest[:min(len(rest), length)]
	switch {
	case to.IsMulticast() || to.IsUnspecified() || from.IsUnspecified() || to == broadcast || s.protocol == protocolIGMP:
		return skippedMulticast
	case fragment:
		return skippedFragment
	}
	return s.transport(from, to, rest, length)
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// extensions passes the extension headers of IPv6 (RFC 8200, 4; RFC 4302 for AH).
func (s *segment) extensions(b []byte, length int) (rest []byte, left int, fragment bool) {
	for range 16 {
		size := 0
		switch s.protocol {
		case 0, 43, 60, 135, 139, 140:
			if len(b) >= 2 {
				size = int(b[1])*8 + 8
			}
		case 44:
			size = 8
			if len(b) >= 8 {
				fragment = binary.BigEndian.Uint16(b[2:])&^7 != 0
			}
		case 51:
			if len(b) >= 2 {
				size = int(b[1])*4 + 8
			}
		default:
			return b, length, fragment
		}
		if size == 0 || len(b) < size {
			return nil, 0, false
		}
		s.protocol, b, length = b[0], b[size:], length-size
		if fragment {
			return b, length, true
		}
	}
	return nil, 0, false
}

// transport reads the header behind that of IP.
func (s *segment) transport(from, to netip.Addr, b []byte, length int) string {
	var source, target uint16
	header := 0
	switch s.protocol {
	case protocolTCP:
		if len(b) < 20 {
			return skippedBroken
		}
		if header = int(b[12]>>4) * 4; header < 20 || header > length {
			return skippedBroken
		}
		s.sequence, s.flags = binary.BigEndian.Uint32(b[4:]), b[13]
	case protocolUDP:
		if header = 8; len(b) < header {
			return skippedBroken
		}
		if says := int(binary.BigEndian.Uint16(b[4:])); says >= header && says < length {
			length = says
		}
	case protocolICMP, protocolICMPv6:
		if header = 8; len(b) < header {
			return skippedBroken
		}
		switch b[0] {
		case 8, 128:
			s.reply = false
		case 0, 129:
			s.reply = true
		default:
			return skippedICMP
		}
	}
	if s.protocol == protocolTCP || s.protocol == protocolUDP {
		source, target = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	}
	if s.protocol == protocolUDP && isDHCP(source, target) {
		return skippedDHCP
	}
	s.from, s.to = netip.AddrPortFrom(from, source), netip.AddrPortFrom(to, target)
	s.length = length - header
	s.payload = b[min(header, len(b)):min(length, len(b))]
	return ""
}

// isDHCP knows the ports of DHCP (RFC 2131, 4.1; RFC 8415, 7.2).
func isDHCP(source, target uint16) bool {
	return source == 67 && target == 68 || source == 68 && target == 67 || source == 67 && target == 67 ||
		source == 546 && target == 547 || source == 547 && target == 546
}
