package wireguard

import (
	"bytes"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// FuzzPacket hands the parser whatever comes, as fragments too. What it takes must be
// in bounds, and of a packet that it takes every further look is.
func FuzzPacket(f *testing.F) {
	for _, cases := range badPackets(phone4, phone6) {
		for _, name := range slices.Sorted(maps.Keys(cases)) {
			f.Add(cases[name])
		}
	}
	odd := oddPackets(phone4, phone6)
	for _, name := range slices.Sorted(maps.Keys(odd)) {
		f.Add(odd[name])
	}
	for _, dst := range []netip.Addr{server4, server6} {
		src := phone4
		if dst.Is6() {
			src = phone6
		}
		for _, part := range buildPackets(src, dst, protoUDP, make([]byte, 3000)) {
			f.Add(part)
		}
		f.Add(segment(netip.AddrPortFrom(src, 1), netip.AddrPortFrom(dst, 2), flagSYN))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		given := bytes.Clone(b)
		lost := 0
		r := reassembler{lose: func(size int) { lost += size }}
		p, defect := parsePacket(b)
		if defect == "" && p.fragmented {
			size := len(p.payload)
			whole, ok := r.add(&p, time.Unix(0, 0))
			if r.expire(time.Unix(1, 0)); !ok {
				if lost != size {
					t.Errorf("%d of %d bytes are accounted for", lost, size)
				}
				return
			}
			p = whole
		}
		if !bytes.Equal(b, given) {
			t.Error("the packet was changed")
		}
		if defect != "" || p.transportDefect() != "" {
			return
		}
		if !p.src.IsValid() || p.src.Is4() != p.dst.Is4() || p.dst.Is4In6() {
			t.Errorf("addresses %s and %s", p.src, p.dst)
		}
		switch p.protocol {
		case protoTCP:
			p.ports()
			canHaveServer(p.dst)
		case protoUDP:
			if q, defect := parsePacket(append(quote(&p), p.payload[udpHeader:]...)); defect != "" || q.transportDefect() != "" || q.src != p.src {
				t.Errorf("quoted as %+v, %s", q, defect)
			}
		}
	})
}

// What is built is what is parsed, in fragments or not.
func TestBuildAndParse(t *testing.T) {
	for _, size := range []int{0, 1, 1372, 1373, 1392, 1393, 9000, maxPayload - udpHeader - ipv4Header} {
		for _, ends := range [][2]netip.Addr{{phone4, server4}, {phone6, server6}} {
			payload := bytes.Repeat([]byte{0xa5}, size)
			from, to := netip.AddrPortFrom(ends[0], 5), netip.AddrPortFrom(ends[1], 6)
			packets := buildPackets(ends[0], ends[1], protoUDP, buildUDP(from, to, payload))
			r := reassembler{lose: func(int) { t.Error("lost") }}
			for i, raw := range packets {
				if len(raw) > MTU {
					t.Errorf("%d bytes in one packet", len(raw))
				}
				p, defect := parsePacket(raw)
				if defect != "" {
					t.Fatal(defect)
				}
				if p.fragmented {
					var ok bool
					if p, ok = r.add(&p, time.Now()); ok != (i == len(packets)-1) {
						t.Fatalf("whole after fragment %d of %d: %v", i+1, len(packets), ok)
					}
					if !ok {
						continue
					}
				}
				if p.transportDefect() != "" || p.src != ends[0] || p.dst != ends[1] || !bytes.Equal(p.payload[udpHeader:], payload) {
					t.Errorf("%d bytes: %s→%s, %d bytes, %q", size, p.src, p.dst, len(p.payload), p.transportDefect())
				}
			}
		}
	}
	if got := buildPackets(phone4, server4, protoUDP, make([]byte, maxPayload)); got != nil {
		t.Errorf("%d packets for more than IP can carry", len(got))
	}
}

func TestBacklog(t *testing.T) {
	b := newBacklog()
	b.receive(maxBacklog)
	waited := make(chan struct{})
	b.begin()
	go func() { b.receive(1); close(waited) }()
	until(t, "it waits", b.waiting.Load)
	b.end(10)
	<-waited
	// What is never taken holds nothing up for long.
	b.receive(2 * maxBacklog)
	if got := b.size(); got != 0 {
		t.Errorf("%d are still waited for", got)
	}
	// Late, they make no room that is not there.
	b.take(2 * maxBacklog)
	b.receive(maxBacklog)
	if got := b.size(); got != maxBacklog {
		t.Errorf("%d are waited for, want %d", got, maxBacklog)
	}
}

func TestNotes(t *testing.T) {
	var said []string
	n := newNotes(func(s string) { said = append(said, s) })
	for range 3 {
		n.say("one")
		n.say("two")
	}
	n.last["one"] = time.Now().Add(-noteEvery)
	n.say("one")
	if !slices.Equal(said, []string{"one", "two", "one"}) {
		t.Errorf("said %q", said)
	}
	newNotes(nil).say("to nobody")
}
