//go:build unix

package link

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// cpu returns the CPU time that the process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measured is how long a rate is measured.
const measured = 10 * time.Second

// BenchmarkLink measures, over ten seconds each, how near the rates of the profiles are to
// what they say (share), and what they cost (cpu-ms/s). An operation is one measurement.
func BenchmarkLink(b *testing.B) {
	for i := range Profiles {
		for _, conns := range []int{1, 8} {
			for _, down := range []bool{true, false} {
				p, way := &Profiles[i], "up"
				if down {
					way = "down"
				}
				b.Run(fmt.Sprintf("%s/%s/%d", p.Name, way, conns), func(b *testing.B) {
					for range b.N {
						benchRate(b, p, conns, down)
					}
				})
			}
		}
	}
}

func benchRate(b *testing.B, p *Profile, conns int, down bool) {
	l := New(1)
	l.Use(p)
	var passed atomic.Int64
	var all sync.WaitGroup
	var ends []net.Conn
	for range conns {
		ours, client := tcp(b, l)
		ends = append(ends, ours, client)
		src, dst := net.Conn(client), ours
		if down {
			src, dst = ours, client
		}
		all.Go(func() {
			buf := make([]byte, 32<<10)
			for {
				if _, err := src.Write(buf); err != nil {
					return
				}
			}
		})
		all.Go(func() {
			buf := make([]byte, 32<<10)
			for {
				n, err := dst.Read(buf)
				passed.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
	}
	pass(time.Second + 3*p.Latency) // the links are full
	before, used, start := passed.Load(), cpu(), time.Now()
	pass(measured)
	took := time.Since(start).Seconds()
	rate, cost := float64(passed.Load()-before)/took, (cpu()-used).Seconds()*1000/took
	for _, c := range ends {
		c.Close()
	}
	all.Wait()
	l.Use(nil)
	nominal := p.Up
	if down {
		nominal = p.Down
	}
	b.ReportMetric(rate, "B/s")
	b.ReportMetric(rate/float64(nominal), "share")
	b.ReportMetric(cost, "cpu-ms/s")
}

// BenchmarkWrap compares a socket with one behind a link that is as fast as it is.
func BenchmarkWrap(b *testing.B) {
	for _, wrapped := range []bool{false, true} {
		for _, size := range []int{200, 32 << 10} {
			b.Run(fmt.Sprintf("wrapped=%v/%dB", wrapped, size), func(b *testing.B) {
				ours, client := tcp(b, New(1))
				if !wrapped {
					ours = ours.(*conn).Conn
				}
				go io.Copy(client, client)
				buf := make([]byte, size)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := ours.Write(buf); err != nil {
						b.Fatal(err)
					}
					if _, err := io.ReadFull(ours, buf); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
