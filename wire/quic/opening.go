package quic

import (
	"bytes"
	"slices"

	"telltale/flow"
	"telltale/wire/clienthello"
)

// Limits of what is read of the opening of a connection.
const (
	maxDatagrams = 16       // a ClientHello needs one or two; retransmissions come on top
	maxCoalesced = 8        // packets in a datagram
	maxStream    = 16 << 10 // of the CRYPTO stream; endpoints need to hold 4 KiB (RFC 9000, 7.5)
	maxPieces    = 256      // of it, apart from each other
)

// An Opening collects the first datagrams of a client until its ClientHello is whole.
// Clients spread it over several packets, and some cut and shuffle it, so that nothing
// on the path can rely on its form. The zero value is ready.
type Opening struct {
	Version    Version
	DCID, SCID []byte            // of the first packet
	Hello      *flow.ClientHello // nil until it is whole

	state     clienthello.State
	datagrams int
	keys      *keys
	keysFor   []byte // the ID that keys were made from
	stream    stream
	buf       []byte
}

// State says how far the hello was read: [clienthello.Broken] means that there is none
// to come.
func (o *Opening) State() clienthello.State { return o.state }

// Add takes the next datagram of a client, of which it keeps nothing. What does not
// belong to the opening, or does not decrypt, is skipped, as endpoints do (RFC 9000,
// 12.2).
func (o *Opening) Add(datagram []byte) clienthello.State {
	if o.state != clienthello.Partial {
		return o.state
	}
	if o.datagrams == 0 {
		h, ok := Recognise(datagram)
		if !ok {
			o.state = clienthello.Broken
			return o.state
		}
		o.Version, o.DCID, o.SCID = h.Version, bytes.Clone(h.DCID), bytes.Clone(h.SCID)
	}
	if o.datagrams++; !o.Version.Readable() || o.datagrams > maxDatagrams {
		o.finish(clienthello.Broken)
		return o.state
	}
	for n := 0; len(datagram) > 0 && n < maxCoalesced && o.state == clienthello.Partial; n++ {
		datagram = o.packet(datagram)
	}
	return o.state
}

// finish ends the reading, and what was needed for it.
func (o *Opening) finish(state clienthello.State) {
	o.state = state
	o.keys, o.keysFor, o.stream, o.buf = nil, nil, stream{}, nil
}

// packet reads the packet that b begins with and returns the rest, nil where none can
// be found (RFC 9000, 12.2).
func (o *Opening) packet(b []byte) (rest []byte) {
	h, after, ok := parseHeader(b)
	s := o.Version.scheme()
	if !ok || h.Version != o.Version || len(h.DCID) > maxID {
		return nil
	}
	kind := b[0] >> 4 & 3
	if kind == s.retry {
		return nil
	}
	if kind == s.initial {
		if _, after, ok = prefixed(after); !ok { // a token
			return nil
		}
	}
	length, after, ok := varint(after)
	if !ok || length > uint64(len(after)) {
		return nil
	}
	numberAt := len(b) - len(after)
	end := numberAt + int(length)
	if kind == s.initial {
		o.initial(s, h.DCID, b[:end], numberAt)
	}
	return b[end:]
}

// initial reads an Initial packet. Its keys come from the ID of the first one, and anew
// from the next after a Retry (RFC 9001, 5.2).
func (o *Opening) initial(s *scheme, dcid, packet []byte, numberAt int) {
	if o.buf == nil {
		o.buf = make([]byte, 0, len(packet))
	}
	if o.keys == nil {
		o.keys, o.keysFor = s.clientKeys(dcid), bytes.Clone(dcid)
	}
	o.buf = slices.Grow(o.buf[:0], len(packet))
	payload, ok := o.keys.open(o.buf, packet, numberAt)
	if !ok && !bytes.Equal(dcid, o.keysFor) {
		again := s.clientKeys(dcid)
		if payload, ok = again.open(o.buf, packet, numberAt); ok {
			o.keys, o.keysFor, o.stream = again, bytes.Clone(dcid), stream{}
		}
	}
	if !ok {
		return
	}
	if !o.frames(payload) {
		o.finish(clienthello.Broken)
		return
	}
	hello, state := clienthello.OverQUIC(o.stream.head())
	switch {
	case state != clienthello.Partial:
		o.Hello = hello
		o.finish(state)
	case o.stream.full():
		o.finish(clienthello.Broken)
	}
}

// Types of the frames that Initial packets may have (RFC 9000, 17.2.2 and 19).
const (
	framePadding  = 0x00
	framePing     = 0x01
	frameACK      = 0x02
	frameACKECN   = 0x03
	frameCrypto   = 0x06
	frameClose    = 0x1c
	numbersPerACK = 4 // numbers before the ranges
	numbersPerECN = 3
)

// frames reads the frames of an Initial packet. It is false where they break the rules.
func (o *Opening) frames(b []byte) bool {
	for len(b) > 0 {
		kind := b[0]
		b = b[1:]
		ok := true
		switch kind {
		case framePadding, framePing:
		case frameACK, frameACKECN:
			b, ok = skipACK(b, kind == frameACKECN)
		case frameCrypto:
			var offset uint64
			var data []byte
			if offset, b, ok = varint(b); !ok {
				return false
			}
			if data, b, ok = prefixed(b); ok {
				ok = o.stream.add(offset, data)
			}
		case frameClose:
			return true // nothing that matters comes behind it
		default:
			return false
		}
		if !ok {
			return false
		}
	}
	return true
}

// skipACK returns what follows an ACK frame (RFC 9000, 19.3).
func skipACK(b []byte, ecn bool) (rest []byte, ok bool) {
	var ranges uint64
	for i := range numbersPerACK {
		var v uint64
		if v, b, ok = varint(b); !ok {
			return nil, false
		}
		if i == 2 {
			ranges = v
		}
	}
	if ranges > uint64(len(b)) {
		return nil, false
	}
	numbers := 2 * ranges
	if ecn {
		numbers += numbersPerECN
	}
	for range numbers {
		if _, b, ok = varint(b); !ok {
			return nil, false
		}
	}
	return b, true
}

// varint parts an integer of variable length from what follows (RFC 9000, 16).
func varint(b []byte) (v uint64, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	size := 1 << (b[0] >> 6)
	if len(b) < size {
		return 0, nil, false
	}
	v = uint64(b[0] & 0x3f)
	for _, c := range b[1:size] {
		v = v<<8 | uint64(c)
	}
	return v, b[size:], true
}

// prefixed parts bytes behind their length, which is such an integer, from what follows.
func prefixed(b []byte) (body, rest []byte, ok bool) {
	n, b, ok := varint(b)
	if !ok || n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}
