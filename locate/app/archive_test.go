package app

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"telltale/guard/raced"
)

func gzipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarred(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		content := h.Linkname
		if h.Typeflag == tar.TypeReg {
			h.Size, h.Linkname = int64(len(content)), ""
		}
		h.Mode = 0o600
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := io.WriteString(w, content); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTarballs(t *testing.T) {
	long := strings.Repeat("deep/", 60) + "x.js"
	b := tarred(t,
		tar.Header{Name: "package/package.json", Typeflag: tar.TypeReg, Linkname: `{"name":"x"}`},
		tar.Header{Name: "package/", Typeflag: tar.TypeDir},
		tar.Header{Name: "package/link", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		tar.Header{Name: long, Typeflag: tar.TypeReg, Linkname: "long name"},
		tar.Header{Name: "../evil", Typeflag: tar.TypeReg, Linkname: "evil"},
	)
	files := map[string]string{"package/package.json": `{"name":"x"}`, long: "long name", "../evil": "evil"}
	for name, c := range map[string]struct {
		content []byte
		kind    string
	}{"x.tgz": {gzipped(t, b), "npm package (tarball)"}, "x.tar": {b, "npm package (tarball)"}} {
		path := written(t, name, c.content)
		got := walk(t, Limits{}, path)
		want(t, got, files, map[string]string{path + "!/../evil": "leads out"})
		if got.infos[0].Kind != c.kind {
			t.Errorf("%s is %s", name, got.infos[0].Kind)
		}
	}
	path := written(t, "x.tar", b[:len(b)-1024-700])
	got := walk(t, Limits{}, path)
	if got.files["package/package.json"] == "" || len(got.failures) == 0 {
		t.Errorf("broken off: got %v %v", got.names(), got.failures)
	}
	path = written(t, "x.zip", zipped(t, entry{name: "pkg.tgz", content: string(gzipped(t, b)), deflate: true}))
	if got := walk(t, Limits{}, path); got.files["pkg.tgz!/package/package.json"] == "" {
		t.Errorf("in zip: got %v %v", got.names(), got.failures)
	}
}

func TestGzip(t *testing.T) {
	path := written(t, "main.jsbundle.gz", gzipped(t, []byte("bundle")))
	got := walk(t, Limits{}, path)
	want(t, got, map[string]string{"main.jsbundle": "bundle"}, nil)
	whole := gzipped(t, []byte(strings.Repeat("content ", 5000)))
	path = written(t, "a.gz", whole[:len(whole)-20])
	got = walk(t, Limits{}, path)
	if len(got.failures) != 1 || !strings.HasPrefix(got.files["a"], "content ") {
		t.Errorf("broken off: got %d files, %v", len(got.files), got.failures)
	}
	path = written(t, "b.gz", []byte("\x1f\x8b\x08garbage"))
	want(t, walk(t, Limits{}, path), map[string]string{"b.gz": "\x1f\x8b\x08garbage"}, map[string]string{path: "cannot be unpacked"})
}

// The real apps come out as the standard library sees them.
func TestRealApps(t *testing.T) {
	const folder = "../../bin/artefacts/apk"
	apps, err := os.ReadDir(folder)
	if err != nil {
		t.Skip("run `make artefacts` first: ", err)
	}
	for _, app := range apps {
		path := folder + "/" + app.Name()
		if info, err := app.Info(); err != nil || info.Size() > int64(raced.Size(7*mib, mib)) {
			continue // the small ones have all kinds
		}
		r, err := zip.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]uint32{}
		for _, f := range r.File {
			if !f.FileInfo().IsDir() {
				files[f.Name] = f.CRC32
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		got := walk(t, Limits{}, path)
		if got.err != nil || len(got.failures) != 0 {
			t.Errorf("%s: %v %v", path, got.err, got.failures)
		}
		for name, crc := range files {
			if content, ok := got.files[name]; ok && crc32.ChecksumIEEE([]byte(content)) != crc {
				t.Errorf("%s: %s has other content", path, name)
			} else if !ok && !slices.ContainsFunc(got.names(), func(n string) bool { return strings.HasPrefix(n, name+"!/") }) {
				t.Errorf("%s: %s was not visited", path, name)
			}
		}
		if kind := got.infos[0].Kind; kind == "zip archive" || kind == "file" {
			t.Errorf("%s is %q", path, kind)
		}
	}
}
