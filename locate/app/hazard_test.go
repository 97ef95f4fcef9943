package app

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"

	"telltale/guard/raced"
)

// central returns where the n-th record of the central directory begins.
func central(t testing.TB, b []byte, n int) int {
	t.Helper()
	return nth(t, b, centralSignature, n)
}

func local(t testing.TB, b []byte, n int) int {
	t.Helper()
	return nth(t, b, localSignature, n)
}

func nth(t testing.TB, b []byte, signature string, n int) int {
	t.Helper()
	at := 0
	for range n + 1 {
		i := bytes.Index(b[at:], []byte(signature))
		if i < 0 {
			t.Fatalf("no record %d of %q", n, signature)
		}
		at += i + 4
	}
	return at - 4
}

// set writes a number of that many bytes.
func set(b []byte, at, width int, value uint64) {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], value)
	copy(b[at:at+width], n[:width])
}

func noted(w walked, words string) bool {
	return slices.ContainsFunc(w.infos[0].Notes, func(n string) bool { return strings.Contains(n, words) })
}

func TestNamesThatClimbAreSearchedAndSaid(t *testing.T) {
	names := []string{"../../etc/passwd", "/etc/passwd", "a/../../b", `..\..\windows`, `C:\windows\x`, "ok/file", "a..b/c"}
	var entries []entry
	for _, n := range names {
		entries = append(entries, entry{name: n, content: n})
	}
	path := written(t, "x.apk", zipped(t, entries...))
	got := walk(t, Limits{}, path)
	files := map[string]string{}
	failures := map[string]string{}
	for i, n := range names {
		slashed := strings.ReplaceAll(n, `\`, "/")
		files[slashed] = n
		if i < 5 {
			failures[path+"!/"+slashed] = "leads out of the archive"
		}
	}
	want(t, got, files, failures)
}

func TestNamesTwiceAreBothVisited(t *testing.T) {
	path := written(t, "x.apk", zipped(t, entry{name: "classes.dex", content: "one"}, entry{name: "classes.dex", content: "two"}))
	got := walk(t, Limits{}, path)
	contents := []string{got.files["classes.dex"], got.files["classes.dex#2"]}
	slices.Sort(contents)
	if !slices.Equal(contents, []string{"one", "two"}) || !noted(got, "more than one classes.dex") {
		t.Errorf("got %v, notes %q", got.files, got.infos[0].Notes)
	}
}

func TestCentralDirectoryCounts(t *testing.T) {
	b := zipped(t, entry{name: "classes.dex", content: "dex"})
	copy(b[local(t, b, 0)+localLength:], "harmless.md")
	set(b, local(t, b, 0)+8, 2, 0x1234)
	got := walk(t, Limits{}, written(t, "x.apk", b))
	want(t, got, map[string]string{"classes.dex": "dex"}, nil)
	if !noted(got, "its own header calls it harmless.md") || !noted(got, "compression method 4660") {
		t.Errorf("notes %q", got.infos[0].Notes)
	}
}

func TestEncryptedFlagIsNotBelieved(t *testing.T) {
	for _, deflate := range []bool{false, true} {
		b := zipped(t, entry{name: "AndroidManifest.xml", content: "plain after all", deflate: deflate}, entry{name: "secret", content: "cipher text", deflate: deflate})
		for i := range 2 {
			set(b, central(t, b, i)+8, 1, 1)
		}
		set(b, central(t, b, 1)+16, 4, 42) // the checksum of a plain text that is not there
		path := written(t, "x.apk", b)
		got := walk(t, Limits{}, path)
		want(t, got, map[string]string{"AndroidManifest.xml": "plain after all"}, map[string]string{path + "!/secret": "it is encrypted"})
		if !noted(got, "marked as encrypted and is not") {
			t.Errorf("notes %q", got.infos[0].Notes)
		}
	}
}

func TestUnknownMethodIsTried(t *testing.T) {
	for _, deflate := range []bool{false, true} {
		b := zipped(t, entry{name: "a", content: "content", deflate: deflate}, entry{name: "b", content: "content", deflate: deflate})
		for i := range 2 {
			set(b, central(t, b, i)+10, 2, 0x7abc)
		}
		set(b, central(t, b, 1)+16, 4, 42)
		path := written(t, "x.apk", b)
		got := walk(t, Limits{}, path)
		want(t, got, map[string]string{"a": "content"}, map[string]string{path + "!/b": "its compression method 31420 is not known"})
		if !noted(got, "method 31420 does not exist") {
			t.Errorf("notes %q", got.infos[0].Notes)
		}
	}
}

func TestWrongChecksumIsSaidAndTheBytesVisited(t *testing.T) {
	for _, deflate := range []bool{false, true} {
		for _, limits := range []Limits{{}, {InMemory: 4}} {
			b := zipped(t, entry{name: "a", content: "content", deflate: deflate})
			set(b, central(t, b, 0)+16, 4, 42)
			path := written(t, "x.apk", b)
			want(t, walk(t, limits, path), map[string]string{"a": "content"}, map[string]string{path + "!/a": "the archive says 0000002a"})
		}
	}
}

func TestWrongSizesAreSaid(t *testing.T) {
	long := strings.Repeat("0123456789", 50)
	for name, c := range map[string]struct {
		size    uint64
		deflate bool
		visited int
		failure string
	}{
		"more deflated than said": {100, true, 100, "goes on beyond the 100 bytes"},
		"less deflated than said": {900, true, 500, "broken off: 500 of its 900 bytes"},
		"more stored than said":   {100, false, 100, "goes on beyond the 100 bytes"},
		"less stored than said":   {900, false, 500, "broken off: 500 of its 900 bytes"},
	} {
		b := zipped(t, entry{name: "a", content: long, deflate: c.deflate})
		set(b, central(t, b, 0)+24, 4, c.size)
		path := written(t, "x.apk", b)
		got := walk(t, Limits{}, path)
		t.Log(name)
		want(t, got, map[string]string{"a": long[:c.visited]}, map[string]string{path + "!/a": c.failure})
	}
}

func TestDamagedDeflateIsSaid(t *testing.T) {
	content := make([]byte, 40_000)
	for i := range content {
		content[i] = byte(i * i * i >> 7)
	}
	b := zipped(t, entry{name: "a", content: string(content), deflate: true})
	// A block of a type that does not exist.
	for i := len(b) / 2; i < len(b)/2+400; i++ {
		b[i] = 0xff
	}
	path := written(t, "x.apk", b)
	got := walk(t, Limits{}, path)
	if len(got.failures) != 1 || got.failures[path+"!/a"] == "" || len(got.files) != 1 {
		t.Errorf("got %v %v", got.names(), got.failures)
	}
}

func TestArchiveWithoutDirectoryIsRecovered(t *testing.T) {
	b := zipped(t,
		entry{name: "classes.dex", content: "dex"},
		entry{name: "assets/b.txt", content: strings.Repeat("deflated ", 900), deflate: true},
		entry{name: "last", content: "last file"},
	)
	broken := b[:central(t, b, 0)]
	path := written(t, "x.apk", broken)
	files := map[string]string{"classes.dex": "dex", "assets/b.txt": strings.Repeat("deflated ", 900), "last": "last file"}
	want(t, walk(t, Limits{}, path), files, map[string]string{path: "no central directory; 3 files were found"})

	// A third less, and the last two files are broken off or gone.
	path = written(t, "x.apk", b[:local(t, b, 1)+50])
	got := walk(t, Limits{}, path)
	if got.files["classes.dex"] != "dex" || !strings.HasPrefix(files["assets/b.txt"], got.files["assets/b.txt"]) || len(got.failures) < 1 {
		t.Errorf("got %v %v", got.files, got.failures)
	}
}

// sized writes an archive whose local headers have sizes, as aapt and 7-Zip do.
func sized(t testing.TB, files ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		out, err := w.CreateRaw(&zip.FileHeader{Name: f[0], CompressedSize64: uint64(len(f[1])), UncompressedSize64: uint64(len(f[1])), CRC32: crc32.ChecksumIEEE([]byte(f[1]))})
		if err == nil {
			_, err = io.WriteString(out, f[1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRecoveryStepsOverContents(t *testing.T) {
	inner := zipped(t, entry{name: "inside", content: "x"})
	b := sized(t, [2]string{"base.apk", string(inner)}, [2]string{"after", "y"})
	directory := binary.LittleEndian.Uint32(b[bytes.LastIndex(b, []byte(endSignature))+16:])
	path := written(t, "x.xapk", b[:directory])
	got := walk(t, Limits{}, path)
	if got.files["base.apk!/inside"] != "x" || got.files["after"] != "y" {
		t.Errorf("got %v %v", got.files, got.failures)
	}
}

func TestDamagedDirectoryIsMended(t *testing.T) {
	b := zipped(t, entry{name: "a", content: "1"}, entry{name: "b", content: "2"}, entry{name: "c", content: "3"})
	set(b, central(t, b, 1), 4, 0)
	path := written(t, "x.apk", b)
	want(t, walk(t, Limits{}, path), map[string]string{"a": "1", "b": "2", "c": "3"}, map[string]string{path: "1 of its 3 entries can be read; 2 more"})
}

func TestNothingButASignature(t *testing.T) {
	path := written(t, "x.apk", []byte(localSignature+"and nothing else"))
	want(t, walk(t, Limits{}, path), map[string]string{"x.apk": localSignature + "and nothing else"}, map[string]string{path: "none of its files can be found"})
	empty := written(t, "x.zip", zipped(t))
	want(t, walk(t, Limits{}, empty), map[string]string{}, nil)
	nothing := written(t, "x.apk", nil)
	want(t, walk(t, Limits{}, nothing), map[string]string{"x.apk": ""}, map[string]string{nothing: "it is no zip archive, though its name"})
}

func TestPlaceOfAFileIsWrong(t *testing.T) {
	b := zipped(t, entry{name: "a", content: "1"}, entry{name: "b", content: "2"}, entry{name: "c", content: "3"})
	set(b, central(t, b, 1)+42, 4, 7)
	set(b, central(t, b, 2)+42, 4, 1<<31)
	path := written(t, "x.apk", b)
	want(t, walk(t, Limits{}, path), map[string]string{"a": "1"}, map[string]string{path + "!/b": "where no file begins", path + "!/c": "cannot be read"})
}

func TestWhatStandsBeforeTheArchive(t *testing.T) {
	b := zipped(t, entry{name: "a", content: "1"})
	path := written(t, "installer", append([]byte("#!/bin/sh\ncurl https://x.example\n"), b...))
	got := walk(t, Limits{}, path)
	want(t, got, map[string]string{"a": "1", "(before the archive)": "#!/bin/sh\ncurl https://x.example\n"}, nil)
	if !noted(got, "33 bytes stand before") {
		t.Errorf("notes %q", got.infos[0].Notes)
	}
}

// What Android's signer puts between the files and the directory is no part of either.
func TestSigningBlockIsSteppedOver(t *testing.T) {
	b := zipped(t, entry{name: "a", content: "1"})
	at := central(t, b, 0)
	block := bytes.Repeat([]byte("APK Sig Block 42"), 64)
	signed := slices.Concat(b[:at], block, b[at:])
	set(signed, bytes.LastIndex(signed, []byte(endSignature))+16, 4, uint64(at+len(block)))
	want(t, walk(t, Limits{}, written(t, "x.apk", signed)), map[string]string{"a": "1"}, nil)
}

func TestZip64(t *testing.T) {
	b := zipped(t, entry{name: "a", content: "content", deflate: true})
	at := central(t, b, 0)
	record := slices.Clone(b[at:bytes.LastIndex(b, []byte(endSignature))])
	packed, size := binary.LittleEndian.Uint32(record[20:]), binary.LittleEndian.Uint32(record[24:])
	for _, field := range []int{20, 24, 42} {
		set(record, field, 4, 1<<32-1)
	}
	extra := make([]byte, 28)
	set(extra, 0, 2, zip64Extra)
	set(extra, 2, 2, 24)
	set(extra, 4, 8, uint64(size))
	set(extra, 12, 8, uint64(packed))
	set(record, 30, 2, 28)
	end64 := make([]byte, end64Length)
	copy(end64, end64Signature)
	set(end64, 32, 8, 1)
	set(end64, 40, 8, uint64(len(record)+len(extra)))
	set(end64, 48, 8, uint64(at))
	locator := make([]byte, locator64Length)
	copy(locator, locator64Signature)
	set(locator, 8, 8, uint64(at+len(record)+len(extra)))
	end := make([]byte, endLength)
	copy(end, endSignature)
	for i := 8; i < 20; i++ {
		end[i] = 0xff
	}
	whole := slices.Concat(b[:at], record, extra, end64, locator, end)
	want(t, walk(t, Limits{}, written(t, "x.apk", whole)), map[string]string{"a": "content"}, nil)
	want(t, walk(t, Limits{}, written(t, "x.apk", append([]byte("before"), whole...))), map[string]string{"a": "content", "(before the archive)": "before"}, nil)
}

func TestSizesBeyondReason(t *testing.T) {
	b := zipped(t, entry{name: "a", content: "small", deflate: true}, entry{name: "b", content: "fine"})
	set(b, central(t, b, 0)+24, 4, 1<<32-2)
	path := written(t, "x.apk", b)
	want(t, walk(t, Limits{}, path), map[string]string{"b": "fine"}, map[string]string{path + "!/a": "more than 500 to 1"})
}

func TestBombsAreRefused(t *testing.T) {
	zeros := strings.Repeat("\x00", 20*mib)
	path := written(t, "x.apk", zipped(t, entry{name: "bomb", content: zeros, deflate: true}, entry{name: "b", content: "fine"}))
	want(t, walk(t, Limits{}, path), map[string]string{"b": "fine"}, map[string]string{path + "!/bomb": "as an archive bomb has"})

	// Many files that each are small enough. Under the race detector fewer of them
	// meet a lower limit.
	n := raced.Size(30, 6)
	var entries []entry
	for i := range n {
		entries = append(entries, entry{name: fmt.Sprint(i), content: zeros[:mib], deflate: true})
	}
	path = written(t, "x.apk", zipped(t, entries...))
	got := walk(t, Limits{Total: int64(n) * mib / 2, Ratio: 5000}, path)
	if len(got.files) > n/2 || !strings.Contains(got.failures[path], "the rest of it was not searched") || len(got.failures) != 1 {
		t.Errorf("%d files, %v", len(got.files), got.failures)
	}
	if !raced.Detector {
		if got = walk(t, Limits{}, path); len(got.files) > 16 || len(got.failures) != 1 {
			t.Errorf("%d files, %v", len(got.files), got.failures)
		}
	}

	// The same through gzip, which does not say how long it gets.
	path = written(t, "x.gz", gzipped(t, []byte(zeros[:4*mib])))
	got = walk(t, Limits{Total: 2 * mib}, path)
	if len(got.files) != 0 || !strings.Contains(got.failures[path], "as an archive bomb does") {
		t.Errorf("%d files, %v", len(got.files), got.failures)
	}
}

// D. Fifield's bomb: all files share the data of one.
func TestOverlapsAreRefused(t *testing.T) {
	kernel := zipped(t, entry{name: "0", content: strings.Repeat("\x00", 200_000), deflate: true})
	at := central(t, kernel, 0)
	record := kernel[at:bytes.LastIndex(kernel, []byte(endSignature))]
	end := slices.Clone(kernel[at+len(record):])
	const copies = 2_000
	set(end, 8, 2, copies)
	set(end, 10, 2, copies)
	set(end, 12, 4, uint64(copies*len(record)))
	bomb := slices.Concat(kernel[:at], bytes.Repeat(record, copies), end)
	path := written(t, "x.zip", bomb)
	got := walk(t, Limits{}, path)
	if len(got.files) != 1 || !strings.Contains(got.failures[path], "1999 files were not unpacked") {
		t.Errorf("%d files, %v", len(got.files), got.failures)
	}
	// One that claims to reach over the others hides none.
	b := zipped(t, entry{name: "a", content: "1"}, entry{name: "b", content: "2"})
	set(b, central(t, b, 0)+20, 4, 60)
	got = walk(t, Limits{}, written(t, "y.zip", b))
	if got.files["b"] != "2" || !noted(got, "1 file has the data of others") {
		t.Errorf("got %v %q", got.files, got.infos[0].Notes)
	}
}

func TestFilesAreCounted(t *testing.T) {
	var entries []entry
	for i := range 50 {
		entries = append(entries, entry{name: fmt.Sprint(i), content: "x"})
	}
	path := written(t, "x.zip", zipped(t, entries...))
	got := walk(t, Limits{Files: 20}, path)
	if len(got.files) != 20 || !strings.Contains(got.failures[path], "more than 20 files") {
		t.Errorf("%d files, %v", len(got.files), got.failures)
	}
}

func TestFailuresAndNotesAreBounded(t *testing.T) {
	var entries []entry
	for i := range maxFailures + 7 {
		entries = append(entries, entry{name: fmt.Sprint("../", i)})
	}
	path := written(t, "x.zip", zipped(t, entries...))
	infos, failures, err := Walk(t.Context(), []string{path}, Limits{}, 2, func(File) error { return nil })
	if err != nil || infos[0].Files != len(entries) || len(failures) != maxFailures+1 {
		t.Fatalf("%+v, %d failures, %v", infos, len(failures), err)
	}
	if !slices.ContainsFunc(failures, func(f Failure) bool { return f.Path == path && strings.HasPrefix(f.Err.Error(), "7 more") }) {
		t.Error("nothing says that some are not listed")
	}
	entries = entries[:0]
	for i := range 60 {
		entries = append(entries, entry{name: fmt.Sprint(i / 2)})
	}
	got := walk(t, Limits{}, written(t, "x.zip", zipped(t, entries...)))
	if len(got.infos[0].Notes) != maxNotes+1 || !noted(got, "more is odd") {
		t.Errorf("notes %q", got.infos[0].Notes)
	}
}
