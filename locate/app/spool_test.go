package app

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Without a place for temporary files, what needs none is searched all the same.
func TestGzipOfOneFileNeedsNoTemporaryFile(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	content := strings.Repeat("content ", 5000)
	packed := gzipped(t, []byte(content))
	tight := Limits{Held: 2048, InMemory: 512}
	files := map[string]string{"main.jsbundle": content}
	got := walk(t, tight, written(t, "main.jsbundle.gz", packed))
	want(t, got, files, nil)
	if !got.streamed["main.jsbundle"] || got.infos[0].Kind != "file (gzip)" {
		t.Errorf("streamed: %v, kind %q", got.streamed, got.infos[0].Kind)
	}
	want(t, walk(t, Limits{}, written(t, "main.jsbundle.gz", packed)), files, nil)

	// As one of the files of an archive, and broken off.
	path := written(t, "x.apk", zipped(t, entry{name: "assets/a.gz", content: string(packed)}))
	want(t, walk(t, tight, path), map[string]string{"assets/a.gz!/a": content}, nil)
	path = written(t, "a.gz", packed[:len(packed)-20])
	got = walk(t, tight, path)
	if len(got.failures) != 1 || !strings.Contains(got.failures[path], "unpacked to its end") || !strings.HasPrefix(content, got.files["a"]) || got.files["a"] == "" {
		t.Errorf("broken off: got %d bytes, %v", len(got.files["a"]), got.failures)
	}

	// An archive in it is opened.
	inner := zipped(t, entry{name: "classes.dex", content: "dex"})
	want(t, walk(t, Limits{}, written(t, "x.apk.gz", gzipped(t, inner))), map[string]string{"x.apk!/classes.dex": "dex"}, nil)
}

// What one run writes to the disk is bounded, and said with what to do.
func TestTemporaryFilesAreBounded(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var many []entry
	for i := range 40 {
		many = append(many, entry{name: fmt.Sprint(i), content: strings.Repeat(fmt.Sprint(i%10), 100)})
	}
	inner := string(zipped(t, many...))
	var archives []entry
	for i := range 3 {
		archives = append(archives, entry{name: fmt.Sprintf("%d.apk", i), content: inner, deflate: true})
	}
	path := written(t, "x.xapk", zipped(t, archives...))
	limits := Limits{Held: 2048, InMemory: 512, Spooled: int64(len(inner))*2 + 10}
	got := walk(t, limits, path)
	if len(got.files) != 2*len(many) || len(got.failures) != 1 {
		t.Errorf("got %d files, %v", len(got.files), got.failures)
	}
	for name, why := range got.failures {
		if !strings.HasPrefix(name, path+"!/") || !strings.Contains(why, "temporary files") || !strings.Contains(why, "unpack the app yourself, and name the folder") {
			t.Errorf("failure %s: %s", name, why)
		}
	}
	limits.Spooled = int64(len(inner)) * 3
	if got := walk(t, limits, path); len(got.files) != 3*len(many) || len(got.failures) != 0 {
		t.Errorf("got %d files, %v", len(got.files), got.failures)
	}

	// Of several apps together; the same for what fits into memory without being unpacked first.
	tarball := written(t, "x.tgz", gzipped(t, tarred(t, tar.Header{Name: "a", Typeflag: tar.TypeReg, Linkname: strings.Repeat("a", 9000)})))
	limits = Limits{Held: 2048, InMemory: 512, Spooled: 20_000}
	got = walk(t, limits, tarball, written(t, "y.tgz", bytes.Clone(mustRead(t, tarball))))
	if len(got.files) != 1 || len(got.failures) != 1 {
		t.Errorf("got %v, %v", got.names(), got.failures)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) != 0 {
		t.Errorf("temporary files are left: %v %v", left, err)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A folder full of archives is one app, and unpacks to no more than one may.
func TestTotalIsOfTheAppAndNotOfEachArchive(t *testing.T) {
	folder := t.TempDir()
	zeros := gzipped(t, make([]byte, mib))
	for i := range 8 {
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%d.gz", i)), zeros, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "plain.txt"), []byte("plain"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := walk(t, Limits{Total: 3 * mib}, folder)
	if len(got.files) > 4 || got.files["plain.txt"] != "plain" || len(got.failures) != 1 ||
		!strings.Contains(got.failures[folder], "unpacks to more than 3145728 bytes") {
		t.Errorf("got %v, %v", got.names(), got.failures)
	}
	// The next app has its own.
	other := written(t, "other.gz", zeros)
	if got := walk(t, Limits{Total: 3 * mib}, folder, other); got.files["other"] == "" {
		t.Errorf("got %v, %v", got.names(), got.failures)
	}
}

// What tar archives hold beside plain files is searched, or named.
func TestUnusualFilesInTarballs(t *testing.T) {
	sparse := tarred(t, tar.Header{Name: "disk.img", Typeflag: tar.TypeReg, Linkname: "stored"}, tar.Header{Name: "a", Typeflag: tar.TypeReg, Linkname: "after"})
	sparse[156] = tar.TypeGNUSparse
	copy(sparse[257:], "ustar  \x00") // GNU's magic
	clear(sparse[345:512])
	copy(sparse[386:], "00000000000\x0000000000006\x00") // one run of data: offset and length
	copy(sparse[483:], "00000000006\x00")                // how long it is with its holes
	mend(sparse)
	path := written(t, "x.tar", sparse)
	want(t, walk(t, Limits{}, path), map[string]string{"a": "after"}, map[string]string{path + "!/disk.img": "sparse file"})

	unknown := tarred(t, tar.Header{Name: "a", Typeflag: tar.TypeReg, Linkname: "of a vendor"})
	unknown[156] = 'Z'
	mend(unknown)
	want(t, walk(t, Limits{}, written(t, "x.tar", unknown)), map[string]string{"a": "of a vendor"}, nil)
}

// mend makes the checksum of the first header right.
func mend(b []byte) {
	copy(b[148:156], "        ")
	sum := 0
	for _, c := range b[:512] {
		sum += int(c)
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
}
