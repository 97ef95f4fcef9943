package wireguard

import (
	"net/netip"
	"runtime/debug"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/stack/gro"

	"telltale/coverage"
	"telltale/proxy"
)

// takeBatch takes packets that were decrypted, all of one device. Each begins offset
// bytes into its buffer, which is not ours after the call.
func (t *Tunnel) takeBatch(bufs [][]byte, offset int) {
	t.taking.RLock()
	defer t.taking.RUnlock()
	t.socket.backlog.begin()
	defer t.socket.backlog.end(len(bufs))
	g := t.tcp.collectors.Get().(*gro.GRO)
	for _, b := range bufs {
		t.takePacket(b[offset:], g)
	}
	flush(g)
	t.tcp.collectors.Put(g)
}

// bug is a reason why a packet was dropped, in the words of [coverage.Ledger.Dropped].
const bug = "packets with which telltale met a bug of its own"

// takePacket counts one packet and hands it on. A bug that it meets must not end the audit
// of other devices.
func (t *Tunnel) takePacket(b []byte, g *gro.GRO) {
	counted := false
	defer func() {
		if e := recover(); e != nil {
			t.log.Error("a packet was given up after a panic", "panic", e, "stack", string(debug.Stack()))
			if !counted {
				t.counts.drop(bug, len(b))
			}
		}
	}()
	p, defect := parsePacket(b)
	if defect != "" {
		t.counts.drop(defect, len(b))
		return
	}
	from := (*t.peers.Load())[p.src]
	if from == nil { // removed a moment ago
		t.counts.drop(foreignSource, len(b))
		return
	}
	if p.fragmented {
		var whole bool
		if p, whole = from.fragments.add(&p, time.Now()); !whole {
			return
		}
		if p.src.Is6() {
			if defect = p.skipExtensions(); p.fragmented {
				defect = malformed // fragments of fragments
			}
		}
	}
	if defect == "" {
		defect = p.transportDefect()
	}
	if defect != "" {
		t.counts.drop(defect, len(p.payload))
		return
	}
	counted = true // is the first that each of these does
	switch p.protocol {
	case protoTCP:
		t.tcp.take(from, &p, g)
	case protoUDP:
		t.takeUDP(from, &p)
	default:
		t.takeStray(from, &p)
	}
}

// takeStray takes what is neither TCP nor UDP. Nothing is forwarded; echo requests are
// answered.
func (t *Tunnel) takeStray(from *peer, p *packet) {
	t.counts.receive(classOf(p.protocol), len(p.payload))
	t.proxy.Stray(proxy.Stray{Way: &t.way, Client: from.IPv4, Device: from.Name, Destination: p.dst,
		Protocol: p.protocol, Speech: icmpSpeech(p), Bytes: len(p.payload), Answered: t.answerEcho(p)})
}

// canHaveServer reports whether a connection to an address can have an end there: not
// to groups, nobody, everybody or the device itself.
func canHaveServer(a netip.Addr) bool {
	return !a.IsMulticast() && !a.IsUnspecified() && !a.IsLoopback() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// takeUDP hands a datagram to the proxy.
func (t *Tunnel) takeUDP(from *peer, p *packet) {
	srcPort, dstPort := p.ports()
	payload := p.payload[udpHeader : int(p.payload[4])<<8|int(p.payload[5])]
	t.counts.receive(coverage.UDP, len(payload))
	d := newDatagram(t, p, srcPort, dstPort)
	t.proxy.Receive(proxy.Datagram{Way: &t.way, Client: netip.AddrPortFrom(from.IPv4, srcPort), Device: from.Name,
		Destination: d.dst, Payload: payload, Answer: d.answer, Refuse: d.refuse})
}
