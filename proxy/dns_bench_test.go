package proxy

import (
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"testing"

	"github.com/miekg/dns"

	"telltale/flow"
)

// endings records nothing but how many flows ended.
type endings struct {
	next  chan flow.ID
	ended chan struct{}
}

func (c *endings) NextID() flow.ID    { return <-c.next }
func (c *endings) Observe(*flow.Flow) { c.ended <- struct{}{} }

// BenchmarkQuestions puts questions of one device to telltale's own resolver, 100 at a
// time, each for another name, with a resolver on the same machine behind it.
func BenchmarkQuestions(b *testing.B) {
	response := new(dns.Msg).SetReply(question("h00000000.bench.test", "A"))
	response.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: response.Question[0].Name, Rrtype: dns.TypeA, Class: 1, Ttl: 60}, A: net.IPv4(192, 0, 2, 7)}}
	response.Compress = true
	packed, err := response.Pack()
	must(b, err)
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(b, err)
	defer server.Close()
	go func() { // answers as little as one can
		in, out := make([]byte, 512), append([]byte(nil), packed...)
		for {
			n, from, err := server.ReadFromUDPAddrPort(in)
			if err != nil {
				return
			}
			copy(out, in[:2])
			copy(out[dnsNameAt:dnsNameAt+9], in[dnsNameAt:min(n, dnsNameAt+9)])
			server.WriteToUDPAddrPort(out, from)
		}
	}()
	rec := &endings{make(chan flow.ID, 100), make(chan struct{}, 100)}
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for id := flow.ID(1); ; id++ {
			select {
			case rec.next <- id:
			case <-stop:
				return
			}
		}
	}()
	p, err := New(Config{Leafer: newTestAuthority(b), Recorder: rec, Resolvers: []netip.AddrPort{addrPortOfUDP(server)}})
	must(b, err)
	message, err := question("h00000000.bench.test", "A").Pack()
	must(b, err)
	d := Datagram{Way: tunnelWay, Client: netip.AddrPortFrom(tunnelPeer, 5000), Destination: netip.MustParseAddrPort(ownResolver), Answer: func([]byte) {}}
	b.ReportAllocs()
	b.ResetTimer()
	underWay := 0
	for i := range b.N {
		if underWay == 100 {
			<-rec.ended
			underWay--
		}
		binary.BigEndian.PutUint16(message, uint16(i))
		for j := range 8 {
			message[dnsNameAt+1+j] = "0123456789abcdef"[i>>(4*j)&15]
		}
		d.Payload = message
		p.Receive(d)
		underWay++
	}
	for range underWay {
		<-rec.ended
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "questions/s")
	if n := p.Dropped(modeWireGuard); len(n) > 0 {
		b.Errorf("dropped %v", n)
	}
	p.cancel()
	p.talks.close()
	p.inner.Close()
	p.server.Close()
}

// dnsNameAt is where the first name of a message begins.
const dnsNameAt = 12

func addrPortOfUDP(c *net.UDPConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

// BenchmarkGarbage floods telltale's own resolver with what is no question. What it keeps
// must not grow.
func BenchmarkGarbage(b *testing.B) {
	rec := &endings{make(chan flow.ID, 1), make(chan struct{}, 1)}
	p, err := New(Config{Leafer: newTestAuthority(b), Recorder: rec, Resolvers: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}})
	must(b, err)
	garbage := make([]byte, 1200)
	for i := range garbage {
		garbage[i] = byte(i*7) &^ 0x80
	}
	d := Datagram{Way: tunnelWay, Client: netip.AddrPortFrom(tunnelPeer, 5000), Destination: netip.MustParseAddrPort(ownResolver), Payload: garbage, Answer: func([]byte) {}}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		garbage[12+i%100] = byte(i) &^ 0x80
		p.Receive(d)
	}
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1024, "KiB-kept")
	p.cancel()
	p.talks.close()
	p.inner.Close()
	p.server.Close()
}
