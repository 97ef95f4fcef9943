package proxy

import (
	"bytes"
	"encoding/binary"
)

// speechOf names the protocol of a datagram from a client to a port, "" for one that is
// not known. It goes by what the datagram says; where that could be anything, the port
// has to agree.
func speechOf(b []byte, port uint16) string {
	for _, known := range speeches {
		if known.is(b, port) {
			return known.name
		}
	}
	return ""
}

// The protocols that are asked once and answer once.
const speechNTP = "NTP"

// speeches are the protocols that are recognised, the surest first.
var speeches = []struct {
	name string
	is   func(b []byte, port uint16) bool
}{
	{"TURN", func(b []byte, _ uint16) bool { return isSTUN(b) && isRelaying(b) }},
	{"STUN", func(b []byte, _ uint16) bool { return isSTUN(b) }},
	{"SSDP", isSSDP},
	{"SIP", isSIP},
	{"DTLS", isDTLS},
	{"IKE", isIKE},
	{"IPsec", isESP},
	{"WireGuard", isWireGuard},
	{"OpenVPN", isOpenVPN},
	{"DHCP", isDHCP},
	{speechNTP, isNTP},
	{"mDNS", func(b []byte, port uint16) bool { return port == 5353 && len(b) >= 12 }},   // RFC 6762
	{"LLMNR", func(b []byte, port uint16) bool { return port == 5355 && len(b) >= 12 }},  // RFC 4795
	{"NetBIOS", func(b []byte, port uint16) bool { return port == 137 && len(b) >= 12 }}, // RFC 1002, 4.2
	{"NetBIOS", func(b []byte, port uint16) bool { return port == 138 && len(b) >= 14 }}, // RFC 1002, 4.4
}

// isSTUN knows the magic cookie (RFC 8489, 5).
func isSTUN(b []byte) bool {
	return len(b) >= 20 && b[0]&0xc0 == 0 && binary.BigEndian.Uint32(b[4:]) == 0x2112a442 &&
		int(binary.BigEndian.Uint16(b[2:])) == len(b)-20 && len(b)%4 == 0
}

// isRelaying reports whether a STUN message has one of TURN's methods (RFC 8656, 17).
func isRelaying(b []byte) bool {
	switch binary.BigEndian.Uint16(b) & 0x3eef {
	case 0x003, 0x004, 0x006, 0x008, 0x009:
		return true
	}
	return false
}

// isSSDP knows HTTP over UDP (UPnP Device Architecture 2.0, 1.2 and 1.3).
func isSSDP(b []byte, _ uint16) bool {
	return bytes.HasPrefix(b, []byte("M-SEARCH * HTTP/1.1\r\n")) || bytes.HasPrefix(b, []byte("NOTIFY * HTTP/1.1\r\n"))
}

// isSIP knows a request line or a status line (RFC 3261, 7).
func isSIP(b []byte, _ uint16) bool {
	line, _, whole := bytes.Cut(b, []byte("\r\n"))
	return whole && (bytes.HasPrefix(line, []byte("SIP/2.0 ")) || bytes.HasSuffix(line, []byte(" SIP/2.0")))
}

// isDTLS knows the header of a record in clear (RFC 6347, 4.1): its versions count down.
func isDTLS(b []byte, _ uint16) bool {
	return len(b) >= 13 && b[0] >= 20 && b[0] <= 25 && b[1] == 0xfe && b[2] >= 0xfc &&
		int(binary.BigEndian.Uint16(b[11:])) <= len(b)-13
}

// isIKE knows the header of IKE (RFC 7296, 3.1), behind four zero bytes at the port of
// NAT traversal (RFC 3948, 2.2).
func isIKE(b []byte, port uint16) bool {
	if port == 4500 && len(b) > 4 && binary.BigEndian.Uint32(b) == 0 {
		b = b[4:]
	}
	return len(b) >= 28 && (b[17] == 0x20 || b[17] == 0x10) && binary.BigEndian.Uint64(b) != 0 &&
		int(binary.BigEndian.Uint32(b[24:])) == len(b)
}

// isESP knows nothing but the port of NAT traversal, and its keep-alive (RFC 3948, 2).
func isESP(b []byte, port uint16) bool { return port == 4500 && len(b) > 0 }

// isWireGuard knows a handshake's first message by its type and its length.
func isWireGuard(b []byte, _ uint16) bool {
	return len(b) == 148 && binary.LittleEndian.Uint32(b) == 1
}

// isOpenVPN knows the first message of a client: a hard reset, which has no
// acknowledgements and is packet 0. With keys for the control channel more stands in
// between, and the port has to agree.
func isOpenVPN(b []byte, port uint16) bool {
	if len(b) < 14 || b[0] != 7<<3 && b[0] != 10<<3 {
		return false
	}
	return len(b) == 14 && binary.BigEndian.Uint32(b[10:]) == 0 && b[9] == 0 || port == 1194
}

// isDHCP knows the magic cookie of options (RFC 2131, 3).
func isDHCP(b []byte, port uint16) bool {
	return port == 67 && len(b) >= 240 && binary.BigEndian.Uint32(b[236:]) == 0x63825363
}

// isNTP knows a client's request in versions 1 to 4 (RFC 5905, 7.3).
func isNTP(b []byte, port uint16) bool {
	version, mode := b0(b)>>3&7, b0(b)&7
	return port == 123 && len(b) >= 48 && version >= 1 && version <= 4 && (mode == 1 || mode == 3)
}

func b0(b []byte) byte {
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

// recognise names the protocol by one of the first datagrams.
func (v *conversation) recognise(payload []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.draft.Speech != "" {
		return
	}
	v.draft.Speech = speechOf(payload, v.port)
	if v.draft.Speech == speechNTP {
		v.idle = v.p.waits.oneShot
	}
}
