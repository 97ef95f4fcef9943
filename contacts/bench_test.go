package contacts_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"telltale/contacts"
	"telltale/flow"
)

// bench reads the same bytes again and again.
func bench(b *testing.B, data []byte) {
	b.Helper()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	flows := 0
	for b.Loop() {
		if _, err := contacts.Read(bytes.NewReader(data), contacts.Options{}, func(*flow.Flow) error { flows++; return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(flows)/b.Elapsed().Seconds(), "flows/s")
}

func BenchmarkPCAPdroid(b *testing.B) {
	bench(b, []byte(pcapdroidHeader+strings.Repeat(pcapdroidRow, 50_000)))
}

func BenchmarkTrackerControl(b *testing.B) {
	bench(b, []byte(trackerHeader+strings.Repeat("\"10312\",\"a.example\",\"1795196758040\",\"0\",\"\",\"\",\"org.app.example\",\"App\"\r\n", 100_000)))
}

func BenchmarkPrivacyReport(b *testing.B) { bench(b, []byte(strings.Repeat(reportRow, 30_000))) }

// BenchmarkPackets reads captures with packets of 1,400 bytes in few connections, as
// downloads make them, and with many connections of two packets.
func BenchmarkPackets(b *testing.B) {
	downloads := record(b, raw)
	data := make([]byte, 1360)
	for i := range 40_000 {
		downloads.add(segment(b, uint16(40000+i%50), uint32(i*len(data)), "A", data))
	}
	b.Run("downloads", func(b *testing.B) { bench(b, downloads.b.Bytes()) })
	for _, n := range []int{20_000, 100_000} {
		short, err := io.ReadAll(many(b, n, hello(b)))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("connections=%d", n), func(b *testing.B) { bench(b, short) })
	}
}
