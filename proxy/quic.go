package proxy

// quicTalk is what is known of the QUIC in a conversation.
type quicTalk struct{}

// receiveQUIC takes a datagram that looks like QUIC, or belongs to a conversation in
// which QUIC was spoken (v.quic is set). It reports whether it did: else the datagram is
// forwarded like any other. It must not block.
func (p *Proxy) receiveQUIC(v *conversation, payload []byte) (taken bool) { return false }
