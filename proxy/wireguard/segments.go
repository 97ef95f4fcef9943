package wireguard

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// segments cuts a packet of the stack into those that the tunnel takes, and sums them.
// Of a packet that is no TCP it makes one, as it is.
type segments struct {
	pkt     *stack.PacketBuffer
	headers []byte   // of IP and TCP
	rest    [][]byte // of the payload
	size    int      // of rest
	most    int      // payload of one segment
	ip      int      // bytes of the IP header
	tcp     bool
	first   bool
	nth     uint16
}

func (s *segments) left() bool { return s.pkt != nil }

// begin takes a packet over.
func (s *segments) begin(pkt *stack.PacketBuffer) {
	network, transport := pkt.NetworkHeader().Slice(), pkt.TransportHeader().Slice()
	*s = segments{pkt: pkt, first: true, ip: len(network), headers: append(append(s.headers[:0], network...), transport...),
		tcp: pkt.TransportProtocolNumber == header.TCPProtocolNumber && len(transport) >= tcpHeader}
	skip := len(s.headers)
	s.size = pkt.Size() - skip
	for _, b := range pkt.AsSlices() {
		n := min(skip, len(b))
		if skip -= n; n < len(b) {
			s.rest = append(s.rest, b[n:])
		}
	}
	s.most = s.size
	if pkt.GSOOptions.Type != stack.GSONone && pkt.GSOOptions.MSS > 0 {
		s.most = int(pkt.GSOOptions.MSS)
	}
}

// next writes a segment into b and returns its size. After the last one it lets go of
// the packet.
func (s *segments) next(b []byte) int {
	n := copy(b, s.headers)
	part := min(s.most, s.size)
	for want := part; want > 0; {
		c := copy(b[n:n+want], s.rest[0])
		n, want = n+c, want-c
		if s.rest[0] = s.rest[0][c:]; len(s.rest[0]) == 0 {
			s.rest = s.rest[1:]
		}
	}
	s.size -= part
	if s.tcp {
		s.finish(b[:n], part)
	}
	if s.first, s.nth = false, s.nth+1; s.size == 0 {
		s.pkt.DecRef()
		s.pkt, s.rest = nil, nil
	}
	return n
}

// finish sets what differs from segment to segment (RFC 9293, section 3.1): lengths,
// the identification of IPv4, the sequence number, flags that belong to the first or
// the last one, and the checksums.
func (s *segments) finish(b []byte, part int) {
	var src, dst netip.Addr
	if b[0]>>4 == 4 {
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		binary.BigEndian.PutUint16(b[4:], binary.BigEndian.Uint16(s.headers[4:])+s.nth)
		b[10], b[11] = 0, 0
		binary.BigEndian.PutUint16(b[10:], ^checksum.Checksum(b[:s.ip], 0))
		src, dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	} else {
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-ipv6Header))
		src, dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	}
	const finish, push, reduced = 1, 8, 128
	t := b[s.ip:]
	if s.size > 0 {
		t[13] &^= finish | push
	}
	if !s.first {
		t[13] &^= reduced
	}
	t[16], t[17] = 0, 0
	binary.BigEndian.PutUint16(t[16:], ^checksum.Checksum(t, pseudoSum(src, dst, protoTCP, len(t))))
	seq := s.headers[s.ip+4:]
	binary.BigEndian.PutUint32(seq, binary.BigEndian.Uint32(seq)+uint32(part))
}
