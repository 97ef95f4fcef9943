package wireguard

import (
	"encoding/binary"
	"io"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.zx2c4.com/wireguard/conn"

	"telltale/coverage"
	"telltale/guard/raced"
	"telltale/proxy"
)

// heap is what is in use, in MiB, after two collections: the first leaves what is in pools.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse+m.StackInuse) >> 20
}

// A device opens 100,000 connections to a server that does not answer. As many as are
// kept wait; the others are dropped and counted, and the tunnel goes on for others.
func TestManyHalfOpen(t *testing.T) {
	flood := int64(raced.Size(100_000, 10_000))
	r := open(t, ":0")
	slow := make(chan struct{})
	r.onArrive(func(a proxy.Arrival) {
		if a.Device == FirstPeer {
			<-slow
			a.Refuse(nil)
			return
		}
		echo(a)
	})
	other, err := r.Add("tablet")
	if err != nil {
		t.Fatal(err)
	}
	p := r.first(t)
	b := r.bare(t, r.clientSettings(p))
	before := heap()
	counted := func() int64 { return r.counts.received[coverage.TCP].units.Load() }
	to := [4]byte{203, 0, 113, 1}
	for i := range flood {
		binary.BigEndian.PutUint16(to[2:], uint16(i>>8))
		b.out <- segment(netip.AddrPortFrom(p.IPv4, uint16(1024+i&0xff)), netip.AddrPortFrom(netip.AddrFrom4(to), 80), flagSYN)
		for i-counted() > 1000 { // the kernel's buffers are not what is tested
			runtime.Gosched()
		}
	}
	until(t, "all are counted", func() bool { return counted() == flood })
	r.noted(t, noteFlood)
	if got, most := heap()-before, int64(100); got > most {
		t.Errorf("%d MiB are in use for it, more than %d", got, most)
	}
	c, err := r.phone(t, other).DialTCPAddrPort(addr("203.0.113.1:80"))
	if err != nil {
		t.Fatal("another device cannot connect:", err)
	}
	roundTrip(t, c, "excuse me")
	c.Close()
	close(slow)
	l := r.balanced(t)
	if got := l.Dropped[flooded].Units; got != flood-maxOpening {
		t.Errorf("%d dropped, want %d", got, flood-maxOpening)
	}
	if l.Recorded[coverage.TCP].Units != maxOpening+1 {
		t.Errorf("%d recorded, want %d", l.Recorded[coverage.TCP].Units, maxOpening+1)
	}
	until(t, "nothing of it is kept", func() bool {
		r.tcp.mu.Lock()
		defer r.tcp.mu.Unlock()
		return r.tcp.opening == 0 && len(r.tcp.conns) <= 1
	})
}

// A device sends 200,000 datagrams to as many addresses, as fast as it can.
func TestManyDatagrams(t *testing.T) {
	flood := raced.Size(200_000, 20_000)
	r := open(t, ":0")
	var longest atomic.Int64 // backlog
	r.onReceive(func(d proxy.Datagram) { longest.Store(max(longest.Load(), r.socket.backlog.size())) })
	p := r.first(t)
	b := r.bare(t, r.clientSettings(p))
	before := heap()
	to := [4]byte{203, 0, 113, 1}
	payload := make([]byte, 1200)
	for i := range flood {
		binary.BigEndian.PutUint16(to[2:], uint16(i))
		dst := netip.AddrPortFrom(netip.AddrFrom4(to), uint16(i))
		b.out <- whole(p.IPv4, dst.Addr(), protoUDP, buildUDP(netip.AddrPortFrom(p.IPv4, 4000), dst, payload))
	}
	received := func() int64 { return r.counts.received[coverage.UDP].units.Load() }
	last, same := int64(-1), 0
	until(t, "the flood is over", func() bool { // what the kernel had no room for does not come
		now := received()
		if same++; now != last || len(b.out) > 0 {
			last, same = now, 0
		}
		return same > 100
	})
	until(t, "nothing of it is kept", func() bool { return heap()-before < 100 })
	if got, most := longest.Load(), int64(maxBacklog+2*conn.IdealBatchSize); got > most {
		t.Errorf("%d packets waited to be taken, more than %d", got, most)
	}
	l := r.balanced(t)
	if got := l.Received[coverage.UDP]; got.Units < int64(flood/20) || got.Bytes != 1200*got.Units || !l.Complete() {
		t.Errorf("%+v", l)
	}
}

// While the proxy is busy with one packet, few others are kept for it.
func TestSlowProxy(t *testing.T) {
	r := open(t, ":0")
	slow := make(chan struct{})
	r.onReceive(func(proxy.Datagram) { <-slow })
	p := r.first(t)
	b := r.bare(t, r.clientSettings(p))
	full := func() bool { return r.socket.backlog.size() >= maxBacklog && r.socket.backlog.waiting.Load() }
	for i := 0; !full() || i < 20_000; i++ {
		b.out <- datagramFrom(p.IPv4, "203.0.113.1:7", "too much")
	}
	if got, most := r.socket.backlog.size(), int64(maxBacklog+2*conn.IdealBatchSize); got > most {
		t.Errorf("%d packets wait, more than %d", got, most)
	}
	close(slow)
	r.balanced(t)
}

// What a device repeats because it heard nothing is the same connection.
func TestRepeatedFirstPacket(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	answer := make(chan struct{})
	r.onArrive(func(a proxy.Arrival) {
		<-answer
		echo(a)
	})
	p := r.first(t)
	b := r.bare(t, r.clientSettings(p))
	syn := segment(netip.AddrPortFrom(p.IPv4, 4000), addr("203.0.113.1:80"), flagSYN)
	for range 5 {
		b.out <- syn
	}
	b.out <- segment(netip.AddrPortFrom(p.IPv4, 4001), addr("203.0.113.1:80"), flagSYN)
	until(t, "both arrive", func() bool { return len(r.arrived()) == 2 })
	close(answer)
	for range 2 {
		if got, _ := parsePacket(b.next(t)); got.payload[13]&(flagSYN|flagACK) != flagSYN|flagACK {
			t.Errorf("answered with %+v", got)
		}
	}
	b.out <- syn
	if l := r.Ledger(); l.Received[coverage.TCP].Units != 2 || !l.Balanced() {
		t.Errorf("%+v", l)
	}
}

// A device may use its port again for the same server, as soon as it is done with it.
func TestPortUsedAgain(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	accepted := make(chan error, 10)
	r.onArrive(func(a proxy.Arrival) {
		c, err := a.Accept()
		if err == nil {
			c.Close() // first, so that the end that stays in TIME-WAIT is ours
		}
		accepted <- err
	})
	p := r.first(t)
	b := r.bare(t, r.clientSettings(p))
	from, to := netip.AddrPortFrom(p.IPv4, 4000), addr("203.0.113.1:80")
	for i := range 3 {
		c := &handmade{b: b, from: from, to: to, seq: uint32(100_000 * (i + 1))}
		c.connect(t)
		if err := <-accepted; err != nil {
			t.Fatal(i, err)
		}
		c.finish(t)
		until(t, "our end is in TIME-WAIT", func() bool {
			r.tcp.mu.Lock()
			defer r.tcp.mu.Unlock()
			one := r.tcp.conns[pair{from, to}]
			return one == nil || one.over()
		})
	}
	if l := r.balanced(t); l.Received[coverage.TCP].Units != 3 || l.Recorded[coverage.TCP].Units != 3 || !l.Complete() {
		t.Errorf("%+v", l)
	}
}

// handmade is a connection whose packets the test makes.
type handmade struct {
	b        *bare
	from, to netip.AddrPort
	seq, ack uint32
}

func (c *handmade) send(flags byte) {
	b := bareSegment(c.from, c.to, flags)
	binary.BigEndian.PutUint32(b[4:], c.seq)
	binary.BigEndian.PutUint32(b[8:], c.ack)
	sumSegment(b, c.from.Addr(), c.to.Addr())
	c.b.out <- whole(c.from.Addr(), c.to.Addr(), protoTCP, b)
}

// expect waits for a segment with all of some flags.
func (c *handmade) expect(t *testing.T, flags byte) {
	t.Helper()
	for {
		p, _ := parsePacket(c.b.next(t))
		if p.protocol == protoTCP && p.payload[13]&flags == flags {
			c.ack = binary.BigEndian.Uint32(p.payload[4:]) + 1
			return
		}
	}
}

func (c *handmade) connect(t *testing.T) {
	c.send(flagSYN)
	c.expect(t, flagSYN|flagACK)
	c.seq++
	c.send(flagACK)
}

// finish answers the end of the connection with its own.
func (c *handmade) finish(t *testing.T) {
	const flagFIN = 1
	c.expect(t, flagFIN)
	c.send(flagFIN | flagACK)
	c.seq++
}

// A connection that the stack never hands over is given up, and counted.
func TestNeverHandedOver(t *testing.T) {
	r := open(t, "127.0.0.1:0")
	p := r.first(t)
	b := r.bare(t, r.clientSettings(p))
	r.tcp.stack.SetPromiscuousMode(nic, false) // it takes nothing any more
	b.out <- segment(netip.AddrPortFrom(p.IPv4, 4000), addr("203.0.113.1:80"), flagSYN)
	until(t, "it is counted", func() bool { return r.Ledger().UnderWay[coverage.TCP].Units == 1 })
	r.sweepAt(time.Now().Add(openWait + time.Second))
	if l := r.balanced(t); l.Dropped[abandoned].Units != 1 || l.Received[coverage.TCP].Units != 1 {
		t.Errorf("%+v", l)
	}
}

// A thousand connections at once, all of them in use.
func TestThousandConnections(t *testing.T) {
	together := raced.Size(1000, 200)
	r := open(t, ":0")
	r.onArrive(echo)
	phone := r.phone(t, r.first(t))
	before := heap()
	type result struct {
		c   io.Closer
		err error
	}
	results := make(chan result, together)
	for range together {
		go func() {
			c, err := phone.DialTCPAddrPort(addr("203.0.113.1:443"))
			if err == nil {
				_, err = io.WriteString(c, "x")
			}
			if err == nil {
				_, err = c.Read(make([]byte, 1))
			}
			results <- result{c, err}
		}()
	}
	var open []io.Closer
	for range together {
		got := <-results
		if got.err != nil {
			t.Fatal(got.err)
		}
		open = append(open, got.c)
	}
	// Both ends, and the goroutines of the test.
	if got := heap() - before; got > 150 {
		t.Errorf("they take %d MiB", got)
	}
	if l := r.Ledger(); l.UnderWay[coverage.TCP].Units != int64(together) {
		t.Errorf("%+v", l)
	}
	for _, c := range open {
		c.Close()
	}
	if l := r.balanced(t); l.Recorded[coverage.TCP].Units != int64(together) || !l.Complete() {
		t.Errorf("%+v", l)
	}
}
