package wireguard

// Types of ICMP and ICMPv6 (RFC 792; RFC 4443, section 4).
const (
	echoRequest4 = 8
	echoReply4   = 0
	echoRequest6 = 128
	echoReply6   = 129
)

// answerEcho answers an echo request, whatever address it is for, and reports whether
// the packet was one. Requests to groups are not answered.
func (t *Tunnel) answerEcho(p *packet) bool {
	if len(p.payload) < icmpHeader || p.payload[1] != 0 || !canHaveServer(p.dst) {
		return false
	}
	kind := byte(echoReply4)
	switch {
	case p.protocol == protoICMP && p.src.Is4() && p.payload[0] == echoRequest4:
	case p.protocol == protoICMPv6 && p.src.Is6() && p.payload[0] == echoRequest6:
		kind = echoReply6
	default:
		return false
	}
	reply := append([]byte(nil), p.payload...)
	reply[0] = kind
	sumICMP(reply, p.dst, p.src)
	t.link.send(buildPackets(p.dst, p.src, p.protocol, reply)...)
	return true
}
