package contacts

import (
	"bytes"

	"telltale/wire/clienthello"
)

// Of what a client says first, this much is held, in bytes: of one connection, and of all
// together. Beyond it a connection has no name of its own.
const (
	maxOpening  = 16 << 10
	maxOpenings = 32 << 20
)

// opening puts the first bytes of a client into their order, as far as they are needed to
// know whom it calls.
type opening struct {
	known  bool   // whether expect is
	expect uint32 // number of the next byte (RFC 9293, 3.4)
	bytes  []byte // in order
	later  []piece
}

// piece is a part that came before its turn.
type piece struct {
	sequence uint32
	bytes    []byte
}

// size returns how many bytes are held.
func (o *opening) size() int {
	n := len(o.bytes)
	for _, p := range o.later {
		n += len(p.bytes)
	}
	return n
}

// maxPieces is how many parts may wait for their turn.
const maxPieces = 16

// add takes a segment of the client. It returns what stands in order, nil where nothing
// new does, and false when the bytes are too many to be held.
func (o *opening) add(sequence uint32, payload []byte) ([]byte, bool) {
	if !o.known {
		o.known, o.expect = true, sequence
	}
	ahead := int32(sequence - o.expect) // RFC 9293, 3.4: numbers wrap
	if ahead > 0 {
		if ahead > maxOpening || len(o.later) >= maxPieces || o.size()+len(payload) > maxOpening {
			return nil, false
		}
		o.later = append(o.later, piece{sequence, bytes.Clone(payload)})
		return nil, true
	}
	if int(-ahead) >= len(payload) {
		return nil, true // it came again
	}
	payload = payload[-ahead:]
	o.expect += uint32(len(payload))
	if len(o.bytes) == 0 && len(o.later) == 0 {
		return payload, true // the usual case: held only if it is not enough
	}
	o.bytes = append(o.bytes, payload...)
	o.catchUp()
	return o.bytes, len(o.bytes) <= maxOpening
}

// catchUp appends the parts whose turn has come.
func (o *opening) catchUp() {
	for i := 0; i < len(o.later); {
		p := o.later[i]
		ahead := int32(p.sequence - o.expect)
		if ahead > 0 {
			i++
			continue
		}
		if int(-ahead) < len(p.bytes) {
			o.bytes = append(o.bytes, p.bytes[-ahead:]...)
			o.expect += uint32(len(p.bytes) + int(ahead))
		}
		o.later = append(o.later[:i], o.later[i+1:]...)
		i = 0
	}
}

// tcp takes a segment of TCP.
func (s *conversations) tcp(p *segment, f *frame) error {
	k := keyOf(p)
	c := s.table[k]
	opens := p.flags&(flagSYN|flagRST) == flagSYN
	if c != nil && opens && p.flags&flagACK == 0 && c.isOver(p) {
		delete(s.table, k) // the same ports again, for another connection
		c = nil
	}
	c, err := s.find(k, p, f)
	if err != nil {
		return err
	}
	if c.packetsSent+c.packetsReceived == 0 {
		c.opening = &opening{}
	}
	if opens && !c.sure {
		c.orient(p)
		c.names = s.names.of(c.client.Addr(), c.server.Addr())
	}
	fromClient := c.count(p, f)
	c.close(p, fromClient)
	if c.opening == nil || !fromClient {
		return nil
	}
	if opens {
		p.sequence++ // the SYN counts as a byte
		c.opening.known, c.opening.expect = true, p.sequence
	}
	if len(p.payload) > 0 {
		s.listen(c, p)
	}
	return nil
}

// isOver reports whether a SYN opens another connection than this one.
func (c *conversation) isOver(p *segment) bool {
	if c.closing[0] && c.closing[1] || !c.sure {
		return c.packetsSent+c.packetsReceived > 0
	}
	started := c.opening != nil && c.opening.known && c.opening.expect == p.sequence+1
	return !started && p.from == c.client && c.packetsReceived > 0 && c.sent+c.received > 0
}

// orient learns from a SYN who the client is.
func (c *conversation) orient(p *segment) {
	client, server := p.from, p.to
	if p.flags&flagACK != 0 {
		client, server = server, client
	}
	c.sure = true
	if client == c.client {
		return
	}
	c.client, c.server = client, server
	c.sent, c.received = c.received, c.sent
	c.packetsSent, c.packetsReceived = c.packetsReceived, c.packetsSent
}

// close remembers who has ended the connection.
func (c *conversation) close(p *segment, fromClient bool) {
	switch {
	case p.flags&flagRST != 0:
		c.closing = [2]bool{true, true}
	case p.flags&flagFIN != 0 && fromClient:
		c.closing[0] = true
	case p.flags&flagFIN != 0:
		c.closing[1] = true
	}
}

// listen takes what a client says first.
func (s *conversations) listen(c *conversation, p *segment) {
	o := c.opening
	before := o.size()
	said, ok := o.add(p.sequence, p.payload)
	done := !ok || said != nil && !c.wait(said) || len(p.payload) < p.length
	if !done && said != nil && len(o.bytes) == 0 {
		o.bytes = bytes.Clone(said)
	}
	s.held += o.size() - before
	if done || s.held > maxOpenings {
		s.settle(c)
	}
}

// wait looks at the first bytes in order, and reports whether more are needed.
func (c *conversation) wait(said []byte) bool {
	switch {
	case said[0] == 0x16: // a record of TLS with a handshake (RFC 8446, 5.1)
		hello, state := clienthello.OverTLS(said)
		if hello == nil {
			return state == clienthello.Partial && len(said) < maxOpening
		}
		c.hello = hello
		if c.server.Port() == 853 {
			c.speech = "DNS over TLS" // RFC 7858, 3.1
		}
		return false
	case c.server.Port() == 53:
		c.speech = "DNS over TCP" // RFC 7766
		return false
	}
	return c.http(said)
}

// methods of HTTP with which a request begins (IANA, "HTTP Method Registry").
var methods = [][]byte{
	[]byte("GET "), []byte("POST "), []byte("HEAD "), []byte("PUT "), []byte("DELETE "), []byte("OPTIONS "),
	[]byte("PATCH "), []byte("CONNECT "), []byte("PROPFIND "), []byte("REPORT "), []byte("PRI "),
}

// http looks for the Host header of a request (RFC 9112, 3.2), and reports whether more
// bytes are needed.
func (c *conversation) http(said []byte) bool {
	known := false
	for _, m := range methods {
		n := min(len(m), len(said))
		if bytes.Equal(said[:n], m[:n]) {
			if n < len(m) {
				return true
			}
			known = true
		}
	}
	if !known {
		return false
	}
	c.speech = "HTTP"
	head, _, whole := bytes.Cut(said, []byte("\r\n\r\n"))
	if !whole { // the last line may not be
		head = head[:max(0, bytes.LastIndex(head, []byte("\r\n")))]
	}
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || !bytes.EqualFold(name, []byte("Host")) {
			continue
		}
		if value = bytes.TrimSpace(value); isHost(value) {
			c.host = string(value)
		}
		return false
	}
	return !whole && len(said) < maxOpening
}
