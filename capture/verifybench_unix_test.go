//go:build unix

package capture_test

import (
	"context"
	"path/filepath"
	"testing"

	"telltale/capture"
)

// BenchmarkVerify computes the chain of b.N flows anew.
func BenchmarkVerify(b *testing.B) {
	path := filepath.Join(b.TempDir(), "x.telltale")
	s, err := capture.Create(path, capture.Options{})
	if err != nil {
		b.Fatal(err)
	}
	t := newTraffic(false)
	for range b.N {
		_, ended := t.flow(s.NextID())
		s.Observe(ended)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	before := resident()
	b.ResetTimer()
	v, err := capture.Verify(context.Background(), path, nil)
	if err != nil || v.Broken() || v.Flows != int64(b.N) {
		b.Fatalf("%d of %d flows, %d faults, error %v", v.Flows, b.N, len(v.Faults), err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "flows/s")
	b.ReportMetric(resident()-before, "MiB-more")
}
