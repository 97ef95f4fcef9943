package flow

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

// IsControl reports whether the flow is messages by which a network is kept working.
// They are recorded like all packets, and ask nobody for anything.
func (f *Flow) IsControl() bool {
	switch f.Kind {
	case ICMP:
		return f.Speech == SpeechICMPError || f.Speech == SpeechICMPControl
	case IP:
		return f.Speech == SpeechIGMP
	}
	return false
}
