package wireguard

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"

	"telltale/coverage"
	"telltale/flow"
	"telltale/proxy"
)

var (
	phone4, phone6   = netip.MustParseAddr("10.86.0.2"), netip.MustParseAddr("fd00::2")
	server4, server6 = netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("2001:db8::1")
)

// whole is an IP packet that needs no fragments.
func whole(src, dst netip.Addr, protocol byte, payload []byte) []byte {
	return buildPackets(src, dst, protocol, payload)[0]
}

// segment is a packet of TCP without options.
func segment(src, dst netip.AddrPort, flags byte) []byte {
	return whole(src.Addr(), dst.Addr(), protoTCP, bareSegment(src, dst, flags))
}

func bareSegment(src, dst netip.AddrPort, flags byte) []byte {
	b := make([]byte, tcpHeader)
	binary.BigEndian.PutUint16(b, src.Port())
	binary.BigEndian.PutUint16(b[2:], dst.Port())
	binary.BigEndian.PutUint32(b[4:], 7777)
	b[12], b[13] = 5<<4, flags
	binary.BigEndian.PutUint16(b[14:], 65535)
	sumSegment(b, src.Addr(), dst.Addr())
	return b
}

func sumSegment(b []byte, src, dst netip.Addr) {
	b[16], b[17] = 0, 0
	binary.BigEndian.PutUint16(b[16:], ^checksum.Checksum(b, pseudoSum(src, dst, protoTCP, len(b))))
}

const flagSYN, flagRST, flagACK = 2, 4, 16

// changed returns a copy of a packet with bytes replaced.
func changed(b []byte, at int, with ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[at:], with)
	return b
}

// resummed makes the checksum of an IPv4 header right again.
func resummed(b []byte) []byte {
	n := int(b[0]&15) * 4
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], ^checksum.Checksum(b[:n], 0))
	return b
}

// extended puts extension headers between the header and the payload of an IPv6 packet.
func extended(b []byte, kind byte, headers []byte) []byte {
	out := append(bytes.Clone(b[:ipv6Header]), headers...)
	out = append(out, b[ipv6Header:]...)
	out[6] = kind
	binary.BigEndian.PutUint16(out[4:], uint16(len(out)-ipv6Header))
	return out
}

// withOptions puts options into an IPv4 header.
func withOptions(b []byte, options ...byte) []byte {
	out := append(bytes.Clone(b[:ipv4Header]), options...)
	out = append(out, b[ipv4Header:]...)
	out[0] = byte(4<<4 | (ipv4Header+len(options))/4)
	binary.BigEndian.PutUint16(out[2:], uint16(len(out)))
	return resummed(out)
}

// badPackets are packets that nobody can do anything with, by the reason.
func badPackets(from4, from6 netip.Addr) map[string]map[string][]byte {
	udp4, udp6 := datagramFrom(from4, "203.0.113.1:53", "question"), datagramFrom(from6, "[2001:db8::1]:53", "question")
	tcp4 := segment(netip.AddrPortFrom(from4, 4000), netip.AddrPortFrom(server4, 80), flagSYN)
	tcp6 := segment(netip.AddrPortFrom(from6, 4000), netip.AddrPortFrom(server6, 80), flagSYN)
	echo4 := whole(from4, server4, protoICMP, buildICMP(from4, server4, echoRequest4, 0, []byte("ping")))
	echo6 := whole(from6, server6, protoICMPv6, buildICMP(from6, server6, echoRequest6, 0, []byte("ping")))
	padding := []byte{protoUDP, 0, 1, 4, 0, 0, 0, 0} // a hop-by-hop header of nothing
	return map[string]map[string][]byte{
		malformed: {
			"IPv4 header too short":               resummed(changed(udp4, 0, 4<<4|4)),
			"IPv4 header longer than the packet":  changed(udp4[:28], 0, 4<<4|15, 0, 0, 28),
			"UDP length beyond the packet":        changed(udp4, 24, 0xff),
			"UDP length shorter than its header":  changed(udp4, 24, 0, 7),
			"UDP header cut off":                  whole(from4, server4, protoUDP, []byte{1, 2, 3}),
			"TCP header cut off":                  whole(from4, server4, protoTCP, make([]byte, 19)),
			"TCP offset too small":                changed(tcp4, 32, 4<<4),
			"TCP offset beyond the segment":       changed(tcp6, 52, 15<<4),
			"ICMP cut off":                        whole(from4, server4, protoICMP, []byte{8, 0, 0}),
			"ICMPv6 cut off":                      whole(from6, server6, protoICMPv6, []byte{128, 0, 0}),
			"extension header beyond the packet":  extended(udp6, protoHopByHop, changed(padding, 1, 200)),
			"extension header cut off":            whole(from6, server6, protoHopByHop, []byte{6, 0}),
			"fragment header cut off":             whole(from6, server6, protoFragment, []byte{6, 0, 0, 1}),
			"fragment without payload":            resummed(changed(udp4[:20], 2, 0, 20, 0, 9, 0x20)),
			"fragment that is no multiple of 8":   resummed(changed(udp4[:27], 2, 0, 27, 0, 9, 0x20)),
			"fragment beyond the largest packet":  resummed(changed(udp4, 6, 0x1f, 0xff)),
			"fragment beyond it, IPv6":            extended(udp6, protoFragment, []byte{protoUDP, 0, 0xff, 0xf8, 0, 0, 0, 9}),
			"IPv4 address in IPv6 as destination": changed(udp6, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 8, 8, 8, 8),
		},
		badChecksum: {
			"IPv4 header":          changed(udp4, 10, udp4[10]+1),
			"UDP":                  changed(udp4, 30, 'x'),
			"UDP over IPv6":        changed(udp6, 50, 'x'),
			"UDP over IPv6, none":  changed(udp6, 46, 0, 0),
			"TCP":                  changed(tcp4, 36, 1, 2),
			"TCP over IPv6":        changed(tcp6, 56, 1, 2),
			"ICMP":                 changed(echo4, 22, 1, 2),
			"ICMPv6":               changed(echo6, 42, 1, 2),
			"options, wrong total": changed(withOptions(udp4, 1, 1, 1, 0), 10, 1),
		},
		sourceRouted: {
			"loose":          withOptions(udp4, 131, 7, 4, 8, 8, 8, 8, 0),
			"strict":         withOptions(udp4, 1, 137, 7, 4, 8, 8, 8, 8),
			"routing header": extended(udp6, protoRouting, append([]byte{protoUDP, 2, 0, 1, 0, 0, 0, 0}, make([]byte, 16)...)),
		},
	}
}

// oddPackets are packets that are unusual and right, with the number of each class.
func oddPackets(from4, from6 netip.Addr) map[string][]byte {
	udp4, udp6 := datagramFrom(from4, "203.0.113.1:53", "question"), datagramFrom(from6, "[2001:db8::1]:53", "question")
	hop := []byte{protoUDP, 0, 1, 4, 0, 0, 0, 0}
	return map[string][]byte{
		"router alert option":         withOptions(udp4, 148, 4, 0, 0),
		"broken options":              withOptions(udp4, 7, 0, 0, 0),
		"option that runs out":        withOptions(udp4, 7, 99, 0, 0),
		"no UDP checksum in IPv4":     changed(udp4, 26, 0, 0),
		"padding behind the packet":   append(bytes.Clone(udp4), 1, 2, 3),
		"hop by hop":                  extended(udp6, protoHopByHop, hop),
		"destination options":         extended(udp6, protoDestination, hop),
		"routing with nothing left":   extended(udp6, protoRouting, changed(hop, 2, 0, 0)),
		"three extension headers":     extended(extended(extended(udp6, protoDestination, hop), protoRouting, changed(hop, 0, protoDestination, 0, 0, 0)), protoHopByHop, changed(hop, 0, protoRouting)),
		"fragment header of no parts": extended(udp6, protoFragment, []byte{protoUDP, 0, 0, 0, 0, 0, 0, 9}),
	}
}

func TestBadPackets(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	p := r.first(t)
	b := r.bare(t, r.clientSettings(p))
	want := map[string]int64{}
	for reason, cases := range badPackets(p.IPv4, p.IPv6) {
		for name, packet := range cases {
			if got, defect := parseWhole(packet); defect != reason {
				t.Errorf("%s: %q, want %q (%+v)", name, defect, reason, got)
			}
			b.out <- packet
			want[reason]++
		}
	}
	var got map[string]int64
	until(t, "all are counted", func() bool {
		got = map[string]int64{}
		for reason, a := range r.Ledger().Dropped {
			got[reason] = a.Units
		}
		return maps.Equal(got, want) || t.Failed()
	})
	l := r.balanced(t)
	if len(r.arrived()) != 0 || len(r.strays()) != 0 || l.Recorded[coverage.UDP].Units != 0 {
		t.Errorf("something of it was handed on: %+v", l)
	}
	// The tunnel lives.
	answered := make(chan proxy.Datagram, 1)
	r.onReceive(func(d proxy.Datagram) { answered <- d })
	b.out <- datagramFrom(p.IPv4, "203.0.113.1:53", "question")
	<-answered
}

// parseWhole does what takePacket does with a packet that is no fragment.
func parseWhole(b []byte) (packet, string) {
	p, defect := parsePacket(b)
	if defect == "" && !p.fragmented {
		defect = p.transportDefect()
	}
	return p, defect
}

func TestTruncatedPackets(t *testing.T) {
	for _, packet := range [][]byte{datagramFrom(phone4, "203.0.113.1:53", "question"), datagramFrom(phone6, "[2001:db8::1]:53", "question"),
		withOptions(datagramFrom(phone4, "203.0.113.1:53", "question"), 148, 4, 0, 0)} {
		for n := range packet {
			if _, defect := parsePacket(packet[:n:n]); defect != malformed {
				t.Errorf("%d of %d bytes: %q", n, len(packet), defect)
			}
		}
	}
	if _, defect := parsePacket([]byte{0x50, 0, 0, 0}); defect != malformed {
		t.Errorf("version 5: %q", defect)
	}
}

func TestOddPackets(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	p := r.first(t)
	got := make(chan string, 100)
	r.onReceive(func(d proxy.Datagram) { got <- fmt.Sprint(d.Client.Addr(), d.Destination, string(d.Payload)) })
	b := r.bare(t, r.clientSettings(p))
	for name, packet := range oddPackets(p.IPv4, p.IPv6) {
		b.out <- packet
		to := "203.0.113.1:53"
		if packet[0]>>4 == 6 {
			to = "[2001:db8::1]:53"
		}
		select {
		case d := <-got:
			if want := fmt.Sprint(p.IPv4, addr(to), "question"); d != want {
				t.Errorf("%s: %s, want %s", name, d, want)
			}
		case <-time.After(patience):
			t.Fatalf("%s did not come through: %+v", name, r.Ledger())
		}
	}
	r.balanced(t)
}

// Connections whose first packet is unusual are connections.
func TestOddConnections(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	p := r.first(t)
	r.onArrive(func(a proxy.Arrival) { a.Refuse(nil) })
	b := r.bare(t, r.clientSettings(p))
	to4, to6 := netip.AddrPortFrom(server4, 80), netip.AddrPortFrom(server6, 80)
	syn4 := segment(netip.AddrPortFrom(p.IPv4, 4001), to4, flagSYN)
	syn6 := func(port uint16) []byte { return segment(netip.AddrPortFrom(p.IPv6, port), to6, flagSYN) }
	hop := []byte{protoTCP, 0, 1, 4, 0, 0, 0, 0}
	for i, packet := range [][]byte{withOptions(syn4, 148, 4, 0, 0), extended(syn6(4002), protoHopByHop, hop), extended(syn6(4003), protoDestination, hop)} {
		b.out <- packet
		got, defect := parsePacket(b.next(t))
		if defect != "" || got.protocol != protoTCP || got.payload[13]&flagRST == 0 || got.transportDefect() != "" {
			t.Errorf("%d: answered with %+v", i, got)
		}
	}
	for _, to := range []string{"224.0.0.251:80", "255.255.255.255:80", "0.0.0.0:80", "127.0.0.1:80", "[ff02::1]:80", "[::1]:80", "[::]:80"} {
		from := netip.AddrPortFrom(p.IPv4, 4004)
		if addr(to).Addr().Is6() {
			from = netip.AddrPortFrom(p.IPv6, 4004)
		}
		b.out <- segment(from, addr(to), flagSYN)
	}
	until(t, "seven cannot have a server", func() bool { return r.Ledger().Dropped[noServer].Units == 7 })
	if l := r.balanced(t); l.Recorded[coverage.TCP].Units != 3 || l.Received[coverage.TCP].Units != 10 {
		t.Errorf("%+v", l)
	}
	// Of a connection that nobody knows the device hears so; it is none.
	b.out <- segment(netip.AddrPortFrom(p.IPv4, 4005), to4, flagACK)
	if got, defect := parsePacket(b.next(t)); defect != "" || got.payload[13]&flagRST == 0 {
		t.Errorf("answered with %+v", got)
	}
	if l := r.balanced(t); l.Received[coverage.TCP].Units != 10 {
		t.Errorf("%+v", l)
	}
}

func TestEcho(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	p := r.first(t)
	b := r.bare(t, r.clientSettings(p))
	long := bytes.Repeat([]byte("ping"), 700)
	for _, to := range []string{"8.8.8.8", "203.0.113.9", "2001:db8::9", "fe80::1"} {
		from, protocol, request, reply := p.IPv4, byte(protoICMP), byte(echoRequest4), byte(echoReply4)
		dst := netip.MustParseAddr(to)
		if dst.Is6() {
			from, protocol, request, reply = p.IPv6, protoICMPv6, echoRequest6, echoReply6
		}
		for _, body := range [][]byte{[]byte("ping"), long} {
			for _, packet := range buildPackets(from, dst, protocol, buildICMP(from, dst, request, 0, body)) {
				b.out <- packet
			}
			got := b.assemble(t)
			if got.src != dst || got.dst != from || got.payload[0] != reply || !bytes.Equal(got.payload[icmpHeader:], body) || got.transportDefect() != "" {
				t.Errorf("%s: %+v", to, got)
			}
		}
	}
	strays := r.strays()
	if len(strays) != 8 {
		t.Fatalf("%d told of, want 8", len(strays))
	}
	for _, s := range strays {
		if !s.Answered || s.Client != p.IPv4 || s.Device != FirstPeer || s.Bytes < icmpHeader+4 || s.Way != r.Way() || !classIs(s.Protocol, coverage.ICMP) {
			t.Errorf("%+v", s)
		}
	}
	if l := r.balanced(t); !l.Complete() || l.Received[coverage.ICMP].Units != 8 {
		t.Errorf("%+v", l)
	}
}

func classIs(protocol byte, class coverage.Class) bool { return classOf(protocol) == class }

// assemble waits for a whole packet that comes to the client.
func (b *bare) assemble(t testing.TB) packet {
	t.Helper()
	r := reassembler{lose: func(int) { t.Error("a packet was lost") }}
	for {
		p, defect := parsePacket(b.next(t))
		if defect != "" {
			t.Fatal(defect)
		}
		if !p.fragmented {
			return p
		}
		if whole, ok := r.add(&p, time.Now()); ok {
			return whole
		}
	}
}

func TestStrays(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	p := r.first(t)
	b := r.bare(t, r.clientSettings(p))
	all4, all6 := netip.MustParseAddr("224.0.0.1"), netip.MustParseAddr("ff02::2")
	alert := []byte{protoICMPv6, 0, 5, 2, 0, 0, 1, 0}
	sent := []struct {
		packet   []byte
		protocol byte
		speech   string
	}{
		{whole(p.IPv4, all4, 2, make([]byte, 8)), 2, ""},                                                                                                          // IGMP
		{whole(p.IPv4, server4, 47, make([]byte, 30)), 47, ""},                                                                                                    // GRE
		{whole(p.IPv4, server4, 50, make([]byte, 30)), 50, ""},                                                                                                    // ESP
		{whole(p.IPv6, server6, 59, nil), 59, ""},                                                                                                                 // nothing
		{whole(p.IPv6, server6, 132, make([]byte, 12)), 132, ""},                                                                                                  // SCTP
		{whole(p.IPv6, server6, protoICMP, make([]byte, 2)), protoICMP, ""},                                                                                       // of the other version
		{whole(p.IPv4, server4, protoICMP, buildICMP(p.IPv4, server4, 3, 3, make([]byte, 28))), protoICMP, flow.SpeechICMPError},                                  // unreachable
		{whole(p.IPv4, all4, protoICMP, buildICMP(p.IPv4, all4, echoRequest4, 0, nil)), protoICMP, ""},                                                            // to a group
		{whole(p.IPv6, all6, protoICMPv6, buildICMP(p.IPv6, all6, 133, 0, nil)), protoICMPv6, flow.SpeechICMPControl},                                             // router solicitation
		{extended(whole(p.IPv6, all6, protoICMPv6, buildICMP(p.IPv6, all6, 143, 0, make([]byte, 4))), protoHopByHop, alert), protoICMPv6, flow.SpeechICMPControl}, // MLD
	}
	for _, s := range sent {
		b.out <- s.packet
	}
	until(t, "all are told of", func() bool { return len(r.strays()) == len(sent) })
	for i, s := range r.strays() {
		if s.Protocol != sent[i].protocol || s.Speech != sent[i].speech || s.Answered || s.Client != p.IPv4 {
			t.Errorf("%d: %+v", i, s)
		}
	}
	if l := r.balanced(t); !l.Complete() || l.Received[coverage.ICMP].Units != 5 || l.Received[coverage.Other].Units != 5 {
		t.Errorf("%+v", l)
	}
	if n := len(b.in); n != 0 {
		t.Errorf("%d packets came back", n)
	}
}

func TestRefusedDatagram(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	r.onReceive(func(d proxy.Datagram) { d.Refuse() })
	p := r.first(t)
	b := r.bare(t, r.clientSettings(p))
	for _, to := range []string{"203.0.113.1:443", "[2001:db8::1]:443"} {
		from, kind, code := p.IPv4, byte(3), byte(3)
		if addr(to).Addr().Is6() {
			from, kind, code = p.IPv6, 1, 4
		}
		sent := datagramFrom(from, to, "quic")
		for range 50 { // there is no limit to how often
			b.out <- sent
			got, defect := parseWhole(b.next(t))
			if defect != "" || got.src != addr(to).Addr() || got.dst != from || got.payload[0] != kind || got.payload[1] != code {
				t.Fatalf("%s: %+v, %s", to, got, defect)
			}
			quoted := got.payload[icmpHeader:]
			q, defect := parsePacket(append(bytes.Clone(quoted), "quic"...))
			if defect != "" || q.src != from || q.dst != addr(to).Addr() || q.protocol != protoUDP || !bytes.Equal(q.payload[:udpHeader], sent[len(sent)-12:len(sent)-4]) {
				t.Fatalf("%s: quotes %+v, %s", to, q, defect)
			}
		}
	}
	b.out <- datagramFrom(p.IPv4, "224.0.0.251:5353", "mdns")
	r.balanced(t)
	if n := len(b.in); n != 0 {
		t.Errorf("%d answers to a group's datagram", n)
	}
}

// Packets from an address that is not the device's, and such that say they are longer
// than they are, do not come out of WireGuard. The first kind is counted nevertheless.
func TestForeignSource(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	r.onReceive(func(d proxy.Datagram) { d.Answer(d.Payload) })
	p := r.first(t)
	b := r.bare(t, r.clientSettings(p))
	b.out <- datagramFrom(netip.MustParseAddr("10.86.0.77"), "203.0.113.1:53", "spoofed")
	b.out <- datagramFrom(netip.MustParseAddr("fd00::77"), "[2001:db8::1]:53", "spoofed")
	b.out <- datagramFrom(p.IPv4, "203.0.113.1:53", "mine")
	b.next(t)
	r.noted(t, noteSource)
	l := r.balanced(t)
	if l.Dropped[foreignSource].Units != 2 || l.Recorded[coverage.UDP].Units != 1 {
		t.Errorf("%+v", l)
	}
}

// Nothing comes to a device that has asked for nothing.
func TestSilence(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	r.onReceive(func(d proxy.Datagram) { d.Answer(d.Payload) })
	b := r.bare(t, r.clientSettings(r.first(t)))
	b.out <- datagramFrom(r.first(t).IPv6, "[2001:db8::1]:53", "hello")
	if p, _ := parsePacket(b.next(t)); p.protocol != protoUDP {
		t.Errorf("first came %+v", p)
	}
	if n := len(b.in); n != 0 {
		t.Errorf("and %d more", n)
	}
}

func TestFragments(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	got := make(chan string, 100)
	r.onReceive(func(d proxy.Datagram) { got <- string(d.Payload) })
	p := r.first(t)
	b := r.bare(t, r.clientSettings(p))
	payload := make([]byte, 5000)
	for i := range payload {
		payload[i] = byte(i / 7)
	}
	for _, to := range []string{"203.0.113.1:53", "[2001:db8::1]:53"} {
		from := netip.AddrPortFrom(p.IPv4, 4000)
		if addr(to).Addr().Is6() {
			from = netip.AddrPortFrom(p.IPv6, 4000)
		}
		parts := func() [][]byte {
			return buildPackets(from.Addr(), addr(to).Addr(), protoUDP, buildUDP(from, addr(to), payload))
		}
		if len(parts()) != 4 {
			t.Fatalf("%d fragments", len(parts()))
		}
		backwards := parts()
		slices.Reverse(backwards)
		twice := parts()
		twice = append(twice[:2], twice...)
		for name, order := range map[string][][]byte{"in order": parts(), "backwards": backwards, "some twice": twice} {
			for _, part := range order {
				b.out <- part
			}
			select {
			case d := <-got:
				if d != string(payload) {
					t.Errorf("%s, %s: %d bytes came", to, name, len(d))
				}
			case <-time.After(patience):
				t.Fatalf("%s, %s: %+v", to, name, r.Ledger())
			}
		}
	}
	l := r.balanced(t)
	if want := (coverage.Amount{Units: 6, Bytes: 6 * 5000}); l.Received[coverage.UDP] != want || !l.Complete() {
		t.Errorf("%+v", l)
	}
}

func TestLostFragments(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	p := r.first(t)
	b := r.bare(t, r.clientSettings(p))
	id := uint32(0)
	parts := func() [][]byte {
		from, to := netip.AddrPortFrom(p.IPv4, 4000), addr("203.0.113.1:53")
		id++
		return fragments4(from.Addr(), to.Addr(), protoUDP, buildUDP(from, to, make([]byte, 3000)), id)
	}
	dropped := func() int64 { return r.Ledger().Dropped[incomplete].Units }
	// More begun than are kept: the oldest go.
	for range maxPartials + 5 {
		b.out <- parts()[0]
	}
	until(t, "the oldest are dropped", func() bool { return dropped() == 5 })
	// Fragments that overlap.
	one := parts()
	b.out <- one[0]
	b.out <- resummed(changed(one[1], 6, 0x20, 1))
	until(t, "what overlaps is dropped", func() bool { return dropped() == 7 }) // and one for its place
	// Time.
	r.sweepAt(time.Now().Add(fragmentWait + time.Second))
	until(t, "what waited is dropped", func() bool { return dropped() == maxPartials+6 })
	r.balanced(t)
}
