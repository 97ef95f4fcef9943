package wireguard

import "telltale/flow"

// Types of ICMP and ICMPv6 (RFC 792; RFC 4443, section 4).
const (
	echoRequest4 = 8
	echoReply4   = 0
	echoRequest6 = 128
	echoReply6   = 129
)

// icmpSpeech tells errors and other messages of ICMP from echo requests, for which it is
// "", as it is for other protocols. ICMP of the other version of IP is no ICMP.
func icmpSpeech(p *packet) string {
	failure, request := false, byte(echoRequest4)
	switch {
	case p.protocol == protoICMP && p.src.Is4() && len(p.payload) > 0:
		switch p.payload[0] { // RFC 792; RFC 1812, section 4.3.1
		case 3, 4, 5, 11, 12: // unreachable, source quench, redirect, time exceeded, parameter problem
			failure = true
		}
	case p.protocol == protoICMPv6 && p.src.Is6() && len(p.payload) > 0:
		failure, request = p.payload[0] < 128, echoRequest6 // RFC 4443, section 2.1
	default:
		return ""
	}
	switch {
	case failure:
		return flow.SpeechICMPError
	case p.payload[0] != request:
		return flow.SpeechICMPControl
	}
	return ""
}

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
