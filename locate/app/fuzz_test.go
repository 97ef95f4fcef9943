package app

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"
)

// FuzzWalk walks bytes as an app: no archive makes it panic, hang, or use more than the limits.
func FuzzWalk(f *testing.F) {
	inner := zipped(f, entry{name: "inside", content: "x"})
	b := zipped(f, entry{name: "base.apk", content: string(inner)}, entry{name: "AndroidManifest.xml", content: strings.Repeat("deflated", 90), deflate: true}, entry{name: "../x", content: "x"})
	f.Add(b)
	f.Add(b[:len(b)-30])
	f.Add(append([]byte("before"), b...))
	f.Add(inner)
	f.Add(bytes.Replace(b, []byte(centralSignature), []byte(endSignature), 1))
	f.Add(gzipped(f, b))
	f.Add(gzipped(f, []byte("text")))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := written(t, "x.apk", content)
		limits := Limits{InMemory: 1 << 10, Held: 1 << 14, Total: 1 << 22, Files: 100}
		var mu sync.Mutex
		var unpacked int64
		files := 0
		infos, failures, err := Walk(t.Context(), []string{path}, limits, 1, func(f File) error {
			n := int64(len(f.Data))
			if f.Data == nil {
				if r, err := f.Open(); err == nil {
					n, _ = io.Copy(io.Discard, r) // what fails is among the failures
					_ = r.Close()
				}
			}
			if n > f.Size {
				t.Errorf("%s: %d bytes, said to have %d", f.Path, n, f.Size)
			}
			mu.Lock()
			defer mu.Unlock()
			files++
			unpacked += n
			return nil
		})
		if err != nil || len(infos) != 1 || infos[0].Files != files || files > 100 {
			t.Fatalf("got %+v, %d files, %v", infos, files, err)
		}
		if unpacked > 1<<22+int64(len(content))*8 {
			t.Fatalf("%d bytes out of %d", unpacked, len(content))
		}
		if files == 0 && len(failures) == 0 && len(content) > 0 && infos[0].Kind == "file" {
			t.Fatal("neither a file nor a failure")
		}
	})
}
