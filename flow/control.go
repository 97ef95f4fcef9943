package flow

import "net/netip"

// What a network says of itself by ICMP, as Speech of flows of kind [ICMP].
const (
	// SpeechICMPError is errors: each quotes a packet of a conversation, which has a flow
	// of its own (RFC 792; RFC 4443, 3).
	SpeechICMPError = "ICMP error"
	// SpeechICMPControl is any other message than echo requests and errors, such as those
	// by which hosts on one link find each other (RFC 4861) and groups (RFC 3810).
	SpeechICMPControl = "ICMP control"
	// SpeechIGMP is that of flows of kind [IP] by which IPv4 finds groups (RFC 9776).
	SpeechIGMP = "IGMP"
)

// IsControl reports whether the flow is messages by which a network is kept working, or
// by which its hosts find each other: what is addressed to all in it (RFC 1112, RFC 919;
// RFC 4291, 2.7) stays in it, and is not forwarded by any way in. They are recorded like all
// packets, and ask nobody outside for anything.
func (f *Flow) IsControl() bool {
	switch f.Kind {
	case ICMP:
		return f.Speech == SpeechICMPError || f.Speech == SpeechICMPControl || f.isToAll()
	case IP:
		return f.Speech == SpeechIGMP || f.isToAll()
	case UDP:
		return f.isToAll()
	}
	return false
}

// isToAll reports whether packets were addressed to all in a network, or in a group, and
// not forwarded.
func (f *Flow) isToAll() bool {
	to := f.Server.Destination.Addr().Unmap()
	if !to.IsMulticast() && to != broadcast {
		return false
	}
	switch f.Outcome {
	case DestinationDenied, Open, "":
		return true
	}
	return f.Kind == ICMP // which nobody forwards
}

// broadcast is the address of all hosts on the link (RFC 919, 7).
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})
