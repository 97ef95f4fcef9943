package app

import (
	"archive/zip"
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
)

// bigApp writes an APK of about 100 MB: bytecode and libraries that are deflated, resources
// that are stored.
func bigApp(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "big.apk")
	f, err := os.Create(path) //nolint:gosec // in the test's own folder
	if err != nil {
		tb.Fatal(err)
	}
	buffered := bufio.NewWriterSize(f, mib)
	w := zip.NewWriter(buffered)
	random := rand.NewChaCha8([32]byte{1})
	file := func(name string, size int, method uint16) {
		out, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err != nil {
			tb.Fatal(err)
		}
		block := make([]byte, 4096)
		for written := 0; written < size; written += len(block) {
			// Half of it is text that repeats, so that it packs as code does.
			_, _ = random.Read(block[:2048]) // never fails
			copy(block[2048:], block[:1024])
			if _, err := out.Write(block); err != nil {
				tb.Fatal(err)
			}
		}
	}
	file("lib/arm64-v8a/libapp.so", 40*mib, zip.Deflate)
	for i := range 6 {
		file(fmt.Sprintf("classes%d.dex", i), 9*mib, zip.Deflate)
	}
	for i := range 2000 {
		file(fmt.Sprintf("res/drawable/%d.png", i), 12<<10, zip.Store)
	}
	for _, close := range []func() error{w.Close, buffered.Flush, f.Close} {
		if err := close(); err != nil {
			tb.Fatal(err)
		}
	}
	return path
}

func BenchmarkWalk(b *testing.B) {
	path := bigApp(b)
	var unpacked atomic.Int64
	b.ReportAllocs()
	for b.Loop() {
		unpacked.Store(0)
		_, failures, err := Walk(b.Context(), []string{path}, Limits{}, 0, func(f File) error {
			unpacked.Add(f.Size)
			return nil
		})
		if err != nil || len(failures) != 0 {
			b.Fatal(failures, err)
		}
	}
	b.SetBytes(unpacked.Load())
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapSys)/mib, "MiB-heap")
}

// BenchmarkRead is the yardstick: the same file, read and not unpacked.
func BenchmarkRead(b *testing.B) {
	path := bigApp(b)
	for b.Loop() {
		f, err := os.Open(path) //nolint:gosec // in the test's own folder
		if err != nil {
			b.Fatal(err)
		}
		n, _ := io.Copy(struct{ io.Writer }{io.Discard}, f)
		b.SetBytes(n)
		_ = f.Close() // it was only read
	}
}
