package intake_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"telltale/capture"
	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/intake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// entries returns a HAR with requests to these hosts.
func entries(hosts ...string) string {
	var all []string
	for _, h := range hosts {
		all = append(all, fmt.Sprintf(`{"startedDateTime":"2026-01-02T03:04:05Z","request":{"method":"GET","url":"https://%s/"},"response":{"status":200}}`, h))
	}
	return `{"log":{"version":"1.2","creator":{"name":"hand","version":"1"},"entries":[` + strings.Join(all, ",\n") + `]}}`
}

func write(t testing.TB, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(t testing.TB, content string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// zipped returns an archive of members, given as name and content in turns.
func zipped(t testing.TB, members ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for pair := range slices.Chunk(members, 2) {
		w, err := z.Create(pair[0])
		if err == nil {
			_, err = io.WriteString(w, pair[1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// stored makes a capture of telltale with requests to these hosts.
func stored(t testing.TB, path string, hosts ...string) string {
	t.Helper()
	store, err := capture.Create(path, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hosts {
		f := flowtest.Get("https://"+h+"/", flowtest.ResponseBody("text/plain", "the body of "+h))
		f.ID = store.NextID()
		store.Observe(f)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// read reads all inputs and returns the hosts of the flows in their order.
func read(t testing.TB, opts intake.Options, args ...string) (hosts []string, infos []intake.Info, troubles []error) {
	t.Helper()
	set, troubles := intake.Find(t.Context(), args, strings.NewReader(""))
	t.Cleanup(func() { set.Close() })
	infos, err := set.Read(t.Context(), opts, func(f *flow.Flow) error {
		hosts = append(hosts, f.Host())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return hosts, infos, troubles
}

// clean fails the test for every trouble.
func clean(t testing.TB, infos []intake.Info, troubles []error) {
	t.Helper()
	for _, err := range troubles {
		t.Error(err)
	}
	for _, info := range infos {
		if info.Err != nil {
			t.Error(info.Err)
		}
	}
}

func equal(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestEveryKindInOneFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.har"), entries("a1.example", "a2.example"))
	write(t, filepath.Join(dir, "b", "B.HAR.GZ"), gzipped(t, entries("b.example")))
	stored(t, filepath.Join(dir, "c.telltale"), "c1.example", "c2.example")
	write(t, filepath.Join(dir, "d.zip"), zipped(t, "har.har", entries("d.example"), "notes.txt", "nothing"))
	write(t, filepath.Join(dir, "e.zip"), zipped(t, "x/one.har", entries("e1.example"), "two.har.gz", gzipped(t, entries("e2.example"))))
	write(t, filepath.Join(dir, "f.zip"), zipped(t, "screenshot.png", "not a capture"))
	write(t, filepath.Join(dir, "readme.md"), "not a capture")
	hosts, infos, troubles := read(t, intake.Options{}, dir)
	clean(t, infos, troubles)
	equal(t, hosts, "a1.example", "a2.example", "b.example", "c1.example", "c2.example", "d.example", "e1.example", "e2.example")
	var names []string
	for _, info := range infos {
		name, err := filepath.Rel(dir, info.File)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, filepath.ToSlash(name))
		if len(info.SHA256) != 64 || info.Entries == 0 || info.Producer == "" {
			t.Errorf("%+v", info)
		}
	}
	equal(t, names, "a.har", "b/B.HAR.GZ", "c.telltale", "d.zip", "e.zip/x/one.har", "e.zip/two.har.gz")
}

// TestOrderIsThatOfTheInputs reads many files of very different sizes at once.
func TestOrderIsThatOfTheInputs(t *testing.T) {
	dir := t.TempDir()
	var args, want []string
	for i := range 60 {
		hosts := make([]string, 1+(i*i*37)%1500)
		for k := range hosts {
			hosts[k] = fmt.Sprintf("h%d.f%d.example", k, i)
		}
		args = append(args, write(t, filepath.Join(dir, fmt.Sprintf("%02d.har", i)), entries(hosts...)))
		want = append(want, hosts...)
	}
	hosts, infos, troubles := read(t, intake.Options{}, args...)
	clean(t, infos, troubles)
	if !slices.Equal(hosts, want) {
		t.Errorf("%d flows are not in the order of %d", len(hosts), len(want))
	}
	for i, info := range infos {
		if info.File != args[i] {
			t.Errorf("input %d is %s, want %s", i, info.File, args[i])
		}
	}
}

func TestFilesCountOnce(t *testing.T) {
	dir := t.TempDir()
	a := write(t, filepath.Join(dir, "a.har"), entries("a.example"))
	link := filepath.Join(dir, "link.har")
	if err := os.Symlink("a.har", link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	hosts, infos, troubles := read(t, intake.Options{}, a, dir, link, filepath.Join(dir, ".", "a.har"))
	clean(t, infos, troubles)
	equal(t, hosts, "a.example")
}

func TestLinkedFileInFolderCounts(t *testing.T) {
	dir := t.TempDir()
	target := write(t, filepath.Join(t.TempDir(), "elsewhere.har"), entries("linked.example"))
	if err := os.Symlink(target, filepath.Join(dir, "link.har")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	hosts, infos, troubles := read(t, intake.Options{}, dir)
	clean(t, infos, troubles)
	equal(t, hosts, "linked.example")
}

// TestLinkedFolders checks that links to folders are followed, each folder once.
func TestLinkedFolders(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "runs", "2026", "a.har"), entries("a.example"))
	write(t, filepath.Join(dir, "captures", "b.har"), entries("b.example"))
	for link, target := range map[string]string{
		"captures/latest": "../runs/2026", "captures/again": "../runs", "captures/self": ".", "captures/zz": "../captures", "newest": "captures",
	} {
		if err := os.Symlink(filepath.FromSlash(target), filepath.Join(dir, filepath.FromSlash(link))); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	for _, arg := range []string{"captures", "newest"} {
		hosts, infos, troubles := read(t, intake.Options{}, filepath.Join(dir, arg))
		clean(t, infos, troubles)
		slices.Sort(hosts)
		equal(t, hosts, "a.example", "b.example")
	}
}

// TestNamesAreShown checks that the name of a file that somebody else made cannot act
// where it is told.
func TestNamesAreShown(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "a.zip"), zipped(t, "x\n::error::forged\x1b[31m.har", "{", "y.har", entries("y.example")))
	_, infos, _ := read(t, intake.Options{}, path, filepath.Join(dir, "missing\r\x1b[2J.har"))
	if len(infos) != 3 {
		t.Fatalf("%+v", infos)
	}
	for _, info := range infos {
		text := info.File
		if info.Err != nil {
			text += info.Err.Error()
		}
		if strings.ContainsAny(text, "\n\r\x1b") {
			t.Errorf("%q", text)
		}
	}
}

func TestStandardInputCanBeReadTwice(t *testing.T) {
	for name, content := range map[string]string{
		"har":      entries("s.example"),
		"gzip":     gzipped(t, entries("s.example")),
		"archive":  zipped(t, "a.har", entries("s.example")),
		"telltale": string(must(os.ReadFile(stored(t, filepath.Join(t.TempDir(), "s.telltale"), "s.example")))),
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			t.Setenv("TMPDIR", folder)
			t.Setenv("TMP", folder)
			set, troubles := intake.Find(t.Context(), []string{"-", "-"}, strings.NewReader(content))
			clean(t, nil, troubles)
			for range 2 {
				var hosts []string
				infos, err := set.Read(t.Context(), intake.Options{Bodies: true}, func(f *flow.Flow) error {
					hosts = append(hosts, f.Host())
					if f.Origin.Capture != "-" {
						t.Errorf("from %q", f.Origin.Capture)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				clean(t, infos, nil)
				equal(t, hosts, "s.example")
			}
			if err := set.Close(); err != nil {
				t.Error(err)
			}
			if left := must(os.ReadDir(folder)); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestDamageLeavesTheOthers checks that what cannot be read says why and where, and
// that everything else is read.
func TestDamageLeavesTheOthers(t *testing.T) {
	bomb := entries("bomb.example")
	bomb = bomb[:len(bomb)-2] + `,"comment":"` + strings.Repeat("0", 24<<20) + `"}}`
	packedBomb := gzipped(t, bomb)
	for name, c := range map[string]struct{ file, content, says string }{
		"truncated":             {"x.har", entries("x.example")[:80], "x.har:1:81: entry 1: the file ends here"},
		"not JSON":              {"x.har", "hello", `x.har:1:1: expected`},
		"empty":                 {"x.har", "", "the file is empty"},
		"no HAR":                {"x.har", `{"a":1}`, `found none: this is JSON, but no HAR`},
		"gzip cut":              {"x.har.gz", gzipped(t, entries("x.example"))[:60], "the compressed data ends early"},
		"no gzip":               {"x.har.gz", "\x1f\x8bnonsense", "expected a gzip file"},
		"gzip bomb":             {"x.har.gz", packedBomb, "expands more than 500 times"},
		"archive bomb":          {"x.zip", zipped(t, "a.har", bomb), "expands more than 500 times"},
		"bomb in archive":       {"x.zip", zipped(t, "a.har.gz", packedBomb), "expands more than 500 times"},
		"archive cut":           {"x.zip", zipped(t, "a.har", entries("x.example"))[:90], "expected a ZIP archive"},
		"archive of none":       {"x.zip", zipped(t, "a.txt", "a"), "expected a capture in the archive"},
		"empty archive":         {"x.zip", zipped(t), "expected a capture in the archive"},
		"trace of Playwright":   {"trace.zip", zipped(t, "trace.trace", "{}", "trace.network", "{}"), "found a trace of Playwright"},
		"archive of Fiddler":    {"x.saz", zipped(t, "raw/1_c.txt", "GET / HTTP/1.1"), "found a session archive of Fiddler"},
		"damaged SQLite":        {"x.telltale", "SQLite format 3\x00" + strings.Repeat("x", 4096), "x.telltale"},
		"telltale in gzip":      {"x.gz", gzipped(t, "SQLite format 3\x00"+strings.Repeat("x", 600)), "a capture of telltale that is packed"},
		"missing":               {"", "", "cannot read the capture"},
		"damaged in an archive": {"x.zip", zipped(t, "a.har", "nonsense"), "x.zip:1:1: expected"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			bad := filepath.Join(dir, "missing.har")
			if c.file != "" {
				bad = write(t, filepath.Join(dir, c.file), c.content)
			}
			before := write(t, filepath.Join(dir, "a.har"), entries("a.example"))
			behind := write(t, filepath.Join(dir, "z.har"), entries("z.example"))
			hosts, infos, troubles := read(t, intake.Options{}, before, bad, behind)
			if len(troubles) > 0 || len(infos) != 3 || infos[1].Err == nil {
				t.Fatalf("%v, %+v", troubles, infos)
			}
			if err := infos[1].Err; !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q does not say %q", err, c.says)
			}
			if hosts[0] != "a.example" || hosts[len(hosts)-1] != "z.example" || infos[0].Err != nil || infos[2].Err != nil {
				t.Errorf("the others: %q, %v, %v", hosts, infos[0].Err, infos[2].Err)
			}
		})
	}
}

func TestArgumentsThatLeadNowhere(t *testing.T) {
	empty := t.TempDir()
	set, troubles := intake.Find(t.Context(), []string{empty}, nil)
	if set.Len() != 0 || len(troubles) != 1 || !strings.Contains(troubles[0].Error(), "holds no capture (.har, ") {
		t.Errorf("%d inputs, %v", set.Len(), troubles)
	}
}

func TestObserverEndsTheReading(t *testing.T) {
	dir := t.TempDir()
	for i := range 40 {
		write(t, filepath.Join(dir, fmt.Sprintf("%02d.har", i)), entries("a.example", "b.example"))
	}
	set, _ := intake.Find(t.Context(), []string{dir}, nil)
	defer set.Close()
	enough := errors.New("enough")
	n := 0
	infos, err := set.Read(t.Context(), intake.Options{}, func(*flow.Flow) error {
		if n++; n == 5 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || n != 5 || len(infos) != 2 {
		t.Errorf("%v after %d flows and %d inputs", err, n, len(infos))
	}
}

func TestContextEndsTheReading(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "a.har"), entries("a.example"))
	set, _ := intake.Find(t.Context(), []string{path, path + ".missing"}, nil)
	defer set.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if infos, err := set.Read(ctx, intake.Options{}, func(*flow.Flow) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %+v", err, infos)
	}
}

func TestProgressReachesTheTotal(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.har"), entries("a.example"))
	write(t, filepath.Join(dir, "b.har.gz"), gzipped(t, entries("b.example")))
	write(t, filepath.Join(dir, "c.zip"), zipped(t, "a.har", entries("c.example")))
	stored(t, filepath.Join(dir, "d.telltale"), "d1.example", "d2.example", "d3.example")
	set, _ := intake.Find(t.Context(), []string{dir}, nil)
	defer set.Close()
	if done, total := set.Progress(); done != 0 || total == 0 {
		t.Errorf("%d of %d before", done, total)
	}
	if _, err := set.Read(t.Context(), intake.Options{}, func(*flow.Flow) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if done, total := set.Progress(); done != total {
		t.Errorf("%d of %d at the end", done, total)
	}
}

// TestStoredCapturesHaveBodies checks what is read of a capture of ours.
func TestStoredCapturesHaveBodies(t *testing.T) {
	path := stored(t, filepath.Join(t.TempDir(), "c.telltale"), "c.example")
	for _, bodies := range []bool{false, true} {
		set, _ := intake.Find(t.Context(), []string{path}, nil)
		infos, err := set.Read(t.Context(), intake.Options{Bodies: bodies}, func(f *flow.Flow) error {
			if got := string(f.Response.Body.Content); (got == "the body of c.example") != bodies {
				t.Errorf("with bodies %v: %q", bodies, got)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		clean(t, infos, nil)
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestReadingDoesNotWrite checks that an input stays what it is, byte by byte.
func TestReadingDoesNotWrite(t *testing.T) {
	dir := t.TempDir()
	paths := []string{write(t, filepath.Join(dir, "a.har"), entries("a.example")), stored(t, filepath.Join(dir, "b.telltale"), "b.example")}
	files := len(must(os.ReadDir(dir)))
	for _, path := range paths {
		before := must(os.ReadFile(path))
		_, infos, troubles := read(t, intake.Options{Bodies: true}, path)
		clean(t, infos, troubles)
		if after := must(os.ReadFile(path)); !bytes.Equal(before, after) {
			t.Errorf("%s changed", path)
		}
	}
	if now := len(must(os.ReadDir(dir))); now != files {
		t.Errorf("%d files, then %d", files, now)
	}
}

// TestCopyingEndsWithTheContext checks that somebody who does not wait for the end of a
// pipe leaves no copy of what came through it.
func TestCopyingEndsWithTheContext(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	t.Setenv("TMP", folder)
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	go func() {
		_, _ = io.WriteString(w, entries("s.example")) // returns when all of it was read
		cancel()
	}()
	set, troubles := intake.Find(ctx, []string{"-"}, r)
	if set.Len() != 0 || len(troubles) != 1 || !errors.Is(troubles[0], context.Canceled) {
		t.Errorf("%d inputs, %v", set.Len(), troubles)
	}
	if left := must(os.ReadDir(folder)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	w.Close() // lets go whoever still reads
}
