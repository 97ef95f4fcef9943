package har_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/har"
)

// FuzzRead holds for any input: no panic, every flow that is delivered has a
// kind, an outcome and a place, sizes that fit, and survives being written and
// read again, masked too; and no name is asked for that leads out of the folder.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.har")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(write(f, many(), har.WriterOptions{}))
	f.Add([]byte(`{"log":{"entries":[{"request":{"method":"CONNECT","url":"https://a.example/"},"_telltale":{"kind":"tunnel","mode":"har","server":{"asked":"a.example:443"},"times":{}}}]}}`))
	f.Add([]byte(`{"log":{"entries":[],"_telltale":{"experiments":[{"name":"offline","periods":[{"from":"2026-11-20T12:00:00Z"}]}]}}}`))
	f.Add([]byte(archived["har.har"]))
	f.Add([]byte(beside("../a")))
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 10
		var flows []*flow.Flow
		open := func(name string) (io.ReadCloser, error) {
			if !filepath.IsLocal(name) || !fs.ValidPath(name) {
				t.Fatalf("asked for %q", name)
			}
			return text(archived["185806bbcac509cc02d5d37830e76bec.jsonl"])()
		}
		info, err := har.Read(bytes.NewReader(data), har.Options{Name: "f", Bodies: true, BodyLimit: limit, Attached: open}, func(f *flow.Flow) error {
			flows = append(flows, f)
			return nil
		})
		var damage *har.Error
		if err != nil && !errors.As(err, &damage) {
			t.Fatalf("error of type %T: %v", err, err)
		}
		for _, f := range flows {
			if f.Kind == "" || f.Origin.Line == 0 || f.Origin.Entry > info.Entries || f.Method() == "" {
				t.Fatalf("flow %+v", f)
			}
			if f.Origin.Entry > 0 && f.Host() == "" {
				t.Fatalf("an entry without a host: %+v", f.Server)
			}
			for _, b := range bodies(f) {
				if int64(len(b.Content)) > limit {
					t.Fatalf("%d bytes of content", len(b.Content))
				}
			}
		}
		rewritten(t, flowtest.Number(flows...))
	})
}

func rewritten(t *testing.T, flows []*flow.Flow) {
	first := write(t, flows, har.WriterOptions{Reveal: true})
	got, _, err := read(t, first)
	if err != nil || len(got) != len(flows) {
		t.Fatalf("%d flows of %d, error %v", len(got), len(flows), err)
	}
	second := write(t, got, har.WriterOptions{Reveal: true})
	if !bytes.Equal(first, second) {
		t.Fatalf("writing what was read changes the file:\n%s\n%s", first, second)
	}
	mask := func(s string) string { return strings.ReplaceAll(s, "ex", flow.Redacted) }
	masked, _, err := read(t, write(t, flows, har.WriterOptions{Mask: mask}))
	if err != nil || len(masked) != len(flows) {
		t.Fatalf("masked: %d flows of %d, error %v", len(masked), len(flows), err)
	}
}
