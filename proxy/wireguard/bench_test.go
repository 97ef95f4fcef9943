package wireguard

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"telltale/proxy"
)

// Ports of the server behind the tunnel in measurements.
const (
	discardPort = 9  // RFC 863
	zeroPort    = 19 // like RFC 864, but of zeros
)

// serve discards what comes, or sends zeros.
func serve(a proxy.Arrival) {
	c, err := a.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	if a.Destination.Port() == zeroPort {
		for zeros := make([]byte, 256<<10); ; {
			if _, err := c.Write(zeros); err != nil {
				return
			}
		}
	}
	n, _ := io.CopyBuffer(io.Discard, struct{ io.Reader }{c}, make([]byte, 256<<10))
	fmt.Fprint(c, n)
}

// The two ends are an empty pair: nothing stands behind the tunnel, so that this is the
// most that telltale can reach over a tunnel here. Both, and both their encryption, run
// on the same processors.
func BenchmarkDown(b *testing.B) {
	for _, streams := range []int{1, 4} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			r := open(b, ":0")
			r.onArrive(serve)
			phone := r.phone(b, r.first(b))
			b.SetBytes(1 << 20)
			var left atomic.Int64
			left.Store(int64(b.N))
			var all sync.WaitGroup
			for range streams {
				c, err := phone.DialTCPAddrPort(addr(fmt.Sprintf("203.0.113.1:%d", zeroPort)))
				if err != nil {
					b.Fatal(err)
				}
				defer c.Close()
				all.Go(func() {
					for buf := make([]byte, 1<<20); left.Add(-1) >= 0; {
						io.ReadFull(c, buf)
					}
				})
			}
			all.Wait()
		})
	}
}

func BenchmarkUp(b *testing.B) {
	r := open(b, ":0")
	r.onArrive(serve)
	phone := r.phone(b, r.first(b))
	c, err := phone.DialTCPAddrPort(addr(fmt.Sprintf("203.0.113.1:%d", discardPort)))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	b.SetBytes(1 << 20)
	for buf := make([]byte, 1<<20); b.Loop(); {
		c.Write(buf)
	}
	c.CloseWrite()
	if got, _ := io.ReadAll(c); string(got) != fmt.Sprint(b.N<<20) {
		b.Fatalf("%s bytes arrived of %d", got, b.N<<20)
	}
}

func BenchmarkConnect(b *testing.B) {
	r := open(b, ":0")
	r.onArrive(serve)
	phone := r.phone(b, r.first(b))
	for b.Loop() {
		c, err := phone.DialTCPAddrPort(addr("203.0.113.1:9"))
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "connections/s")
}

// BenchmarkDatagrams sends questions as a device's resolver does, several at a time.
func BenchmarkDatagrams(b *testing.B) {
	const together = 16
	r := open(b, ":0")
	r.onReceive(func(d proxy.Datagram) { d.Answer(d.Payload) })
	phone := r.phone(b, r.first(b))
	var left atomic.Int64
	left.Store(int64(b.N))
	var all sync.WaitGroup
	for range together {
		c, err := phone.DialUDPAddrPort(netip.AddrPort{}, addr("203.0.113.1:53"))
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		all.Go(func() {
			question, answer := make([]byte, 60), make([]byte, 512)
			for left.Add(-1) >= 0 {
				for {
					c.Write(question)
					c.SetReadDeadline(time.Now().Add(time.Second))
					if _, err := c.Read(answer); err == nil {
						break
					}
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "datagrams/s")
}

// BenchmarkConcurrent has 1,000 connections open and moves a little on each.
func BenchmarkConcurrent(b *testing.B) {
	const together = 1000
	r := open(b, ":0")
	r.onArrive(echo)
	phone := r.phone(b, r.first(b))
	conns := make([]net.Conn, together)
	var all sync.WaitGroup
	for i := range conns {
		all.Go(func() {
			var err error
			if conns[i], err = phone.DialTCPAddrPort(addr(fmt.Sprintf("203.0.113.%d:443", i%250+1))); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	if b.Failed() {
		return
	}
	for b.Loop() {
		for _, c := range conns {
			all.Go(func() { roundTrip(b, c, "one of a thousand") })
		}
		all.Wait()
	}
	b.ReportMetric(float64(together*b.N)/b.Elapsed().Seconds(), "exchanges/s")
	for _, c := range conns {
		c.Close()
	}
}
