package mitmproxy_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"telltale/flow"
	"telltale/mitmproxy"
)

// repeated is the same bytes n times, without the memory.
type repeated struct {
	data []byte
	n    int
	at   bytes.Reader
}

func (r *repeated) Read(p []byte) (int, error) {
	for r.at.Len() == 0 {
		if r.n == 0 {
			return 0, io.EOF
		}
		r.n--
		r.at.Reset(r.data)
	}
	return r.at.Read(p)
}

// BenchmarkRead reads what mitmdump recorded, most of it flows of about 2 kB with a
// certificate each, with and without bodies.
func BenchmarkRead(b *testing.B) {
	data := sample(b, "regular")
	for _, bodies := range []bool{false, true} {
		b.Run(fmt.Sprintf("bodies=%v", bodies), func(b *testing.B) {
			const copies = 100
			b.SetBytes(int64(len(data) * copies))
			b.ReportAllocs()
			flows := 0
			for b.Loop() {
				_, err := mitmproxy.Read(&repeated{data: data, n: copies}, mitmproxy.Options{Bodies: bodies}, func(*flow.Flow) error { flows++; return nil })
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(flows)/b.Elapsed().Seconds(), "flows/s")
		})
	}
}
