package app

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A walked is what a walk came to.
type walked struct {
	files    map[string]string // content by path; a second one of a path has "#2" behind it
	streamed map[string]bool   // files that came without Data
	infos    []Info
	failures map[string]string
	err      error
}

func walk(t testing.TB, limits Limits, paths ...string) walked {
	t.Helper()
	got := walked{files: map[string]string{}, streamed: map[string]bool{}, failures: map[string]string{}}
	var mu sync.Mutex
	infos, failures, err := Walk(t.Context(), paths, limits, 3, func(f File) error {
		content := slices.Clone(f.Data)
		r, err := f.Open()
		if err != nil {
			return nil
		}
		again, readErr := io.ReadAll(r)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if f.Data == nil {
			content = again
		} else if readErr != nil || !bytes.Equal(content, again) {
			t.Errorf("%s: Open gives other content than Data, or %v", f.Path, readErr)
		}
		if f.Data != nil && f.Size != int64(len(f.Data)) {
			t.Errorf("%s: size %d of %d bytes", f.Path, f.Size, len(f.Data))
		}
		mu.Lock()
		defer mu.Unlock()
		name := f.Path
		for i := 2; ; i++ {
			if _, taken := got.files[name]; !taken {
				break
			}
			name = fmt.Sprintf("%s#%d", f.Path, i)
		}
		got.files[name] = string(content)
		got.streamed[name] = f.Data == nil
		return nil
	})
	got.infos, got.err = infos, err
	for _, f := range failures {
		if got.failures[f.Path] != "" {
			got.failures[f.Path] += "; "
		}
		got.failures[f.Path] += f.Err.Error()
	}
	return got
}

// names are the paths that were visited.
func (w walked) names() []string { return slices.Sorted(maps.Keys(w.files)) }

// entry is a file in an archive that a test writes.
type entry struct {
	name, content string
	deflate       bool
	edit          func(*zip.FileHeader)
}

func zipped(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name}
		if e.deflate {
			h.Method = zip.Deflate
		}
		if e.edit != nil {
			e.edit(h)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// written is a file with this content, in a folder of its own.
func written(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func want(t *testing.T, got walked, files map[string]string, failures map[string]string) {
	t.Helper()
	if got.err != nil {
		t.Error(got.err)
	}
	if diff := cmp.Diff(files, got.files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for path, words := range failures {
		if !strings.Contains(got.failures[path], words) {
			t.Errorf("failure of %s: want one with %q, got %q", path, words, got.failures[path])
		}
	}
	if len(failures) != len(got.failures) {
		t.Errorf("want %d failures, got %q", len(failures), got.failures)
	}
}

func TestSingleFileIsVisitedAsItIs(t *testing.T) {
	path := written(t, "main.jsbundle", []byte("var a='https://clients3.google.com'"))
	got := walk(t, Limits{}, path)
	want(t, got, map[string]string{"main.jsbundle": "var a='https://clients3.google.com'"}, nil)
	if diff := cmp.Diff([]Info{{Path: path, Kind: "file", Size: 35, Files: 1}}, got.infos); diff != "" {
		t.Error(diff)
	}
}

func TestKinds(t *testing.T) {
	binary := entry{name: "AndroidManifest.xml", content: binaryManifest + "rest", deflate: true}
	for kind, c := range map[string]struct {
		name    string
		entries []entry
	}{
		"APK":                  {"without-a-name", []entry{binary}},
		"AAB":                  {"x.aab", []entry{{name: "base/manifest/AndroidManifest.xml"}, {name: "BundleConfig.pb"}}},
		"AAR":                  {"x.zip", []entry{{name: "AndroidManifest.xml", content: "<manifest/>"}, {name: "classes.jar", content: "x"}}},
		"IPA":                  {"x.zip", []entry{{name: "Payload/A.app/Info.plist", content: "x"}}},
		"JAR":                  {"x.bin", []entry{{name: "META-INF/MANIFEST.MF"}}},
		"zip archive":          {"x.apk", []entry{{name: "a.txt"}}},
		"split APKs (.xapk)":   {"x.xapk", []entry{{name: "base.apk", content: "x"}}},
		"split APKs (.apks)":   {"x.zip", []entry{{name: "splits/base-master.apk", content: "x"}, {name: "toc.pb"}}},
		"split APKs (.apkm)":   {"x.zip", []entry{{name: "base.apk", content: "x"}, {name: "info.json"}}},
		"iOS app folder (zip)": {"x.zip", []entry{{name: "A.app/Info.plist", content: "x"}}},
	} {
		got := walk(t, Limits{}, written(t, c.name, zipped(t, c.entries...)))
		if got.infos[0].Kind != kind || got.infos[0].Files != len(c.entries) {
			t.Errorf("%s: got %+v %v", kind, got.infos[0], got.failures)
		}
	}
}

func TestNestedArchivesAreOpenedByContent(t *testing.T) {
	inner := zipped(t, entry{name: "classes.dex", content: "dex"}, entry{name: "a/b.txt", content: strings.Repeat("b", 9000), deflate: true})
	outer := zipped(t,
		entry{name: "base.apk", content: string(inner)},
		entry{name: "no-ending", content: string(inner), deflate: true},
		entry{name: "icon.png", content: "png"},
	)
	long := strings.Repeat("b", 9000)
	all := map[string]string{
		"base.apk!/classes.dex": "dex", "base.apk!/a/b.txt": long,
		"no-ending!/classes.dex": "dex", "no-ending!/a/b.txt": long, "icon.png": "png",
	}
	path := written(t, "x.xapk", outer)
	want(t, walk(t, Limits{}, path), all, nil)

	// Without memory for it, what is packed twice goes through a temporary file.
	t.Setenv("TMPDIR", t.TempDir())
	tiny := walk(t, Limits{Held: 2048, InMemory: 512}, path)
	want(t, tiny, all, nil)
	if !tiny.streamed["base.apk!/a/b.txt"] || tiny.streamed["icon.png"] {
		t.Errorf("streamed: %v", tiny.streamed)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) != 0 {
		t.Errorf("temporary files are left: %v %v", left, err)
	}
}

func TestDepthIsBounded(t *testing.T) {
	content := []byte("bottom")
	for i := range 6 {
		content = zipped(t, entry{name: fmt.Sprint(i), content: string(content), deflate: i%2 == 0})
	}
	path := written(t, "x.zip", content)
	got := walk(t, Limits{}, path)
	if len(got.files) != 1 || !strings.Contains(got.failures[path+"!/5!/4!/3!/2"], "3 deep") {
		t.Errorf("got %v %v", got.names(), got.failures)
	}
	if all := walk(t, Limits{Depth: 9}, path); all.files["5!/4!/3!/2!/1!/0"] != "bottom" {
		t.Errorf("got %v %v", all.names(), all.failures)
	}
	if flat := walk(t, Limits{Depth: -1}, path); len(flat.files) != 1 || len(flat.failures) != 1 {
		t.Errorf("got %v %v", flat.names(), flat.failures)
	}
}

func TestErrorOfVisitEndsTheWalk(t *testing.T) {
	var entries []entry
	for i := range 500 {
		entries = append(entries, entry{name: fmt.Sprint(i), content: "x"})
	}
	path := written(t, "x.zip", zipped(t, entries...))
	failure := errors.New("enough")
	_, failures, err := Walk(t.Context(), []string{path, path}, Limits{}, 2, func(File) error { return failure })
	if !errors.Is(err, failure) || len(failures) != 0 {
		t.Errorf("got %v %v", err, failures)
	}
}

func TestCancelledWalkEnds(t *testing.T) {
	path := written(t, "x.zip", zipped(t, entry{name: "a", content: "x"}, entry{name: "b", content: "x"}))
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	_, _, err := Walk(ctx, []string{path}, Limits{}, 1, func(File) error {
		once.Do(cancel)
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	visited := false
	_, _, err = Walk(ctx, []string{path}, Limits{}, 1, func(File) error { visited = true; return nil })
	if !errors.Is(err, context.Canceled) || visited {
		t.Errorf("got %v, visited %v", err, visited)
	}
}

func TestSeveralAppsKeepTheirIndex(t *testing.T) {
	a, b := written(t, "a.js", []byte("a")), written(t, "b.zip", zipped(t, entry{name: "b", content: "b"}))
	missing := filepath.Join(t.TempDir(), "missing\x1b[31m.apk")
	var mu sync.Mutex
	got := map[int]string{}
	infos, failures, err := Walk(t.Context(), []string{a, missing, b}, Limits{}, 0, func(f File) error {
		mu.Lock()
		defer mu.Unlock()
		got[f.App] = f.Path
		return nil
	})
	if err != nil || len(infos) != 3 || infos[1].Kind != "" || len(failures) != 1 || failures[0].Path != missing {
		t.Errorf("got %+v %v %v", infos, failures, err)
	}
	if strings.Contains(failures[0].Err.Error(), "\x1b") {
		t.Errorf("the error has the path's escape sequence: %q", failures[0].Err)
	}
	if diff := cmp.Diff(map[int]string{0: "a.js", 2: "b"}, got); diff != "" {
		t.Error(diff)
	}
}

// The budget holds whatever the number of workers, and everything comes all the same.
func TestMemoryIsBounded(t *testing.T) {
	var entries []entry
	for i := range 40 {
		entries = append(entries, entry{name: fmt.Sprint(i), content: strings.Repeat(fmt.Sprint(i%10), 300_000), deflate: i%2 == 0})
	}
	path := written(t, "x.zip", zipped(t, entries...))
	ctx := t.Context()
	w := newWalker(ctx, []string{path}, Limits{Held: 4 * mib}.withDefaults(), func(File) error { return nil })
	w.run(16)
	infos, failures, err := w.result()
	w.stop()
	if err != nil || len(failures) != 0 || infos[0].Files != 40 {
		t.Fatalf("got %+v %v %v", infos, failures, err)
	}
	if w.files.total > 3*mib {
		t.Errorf("%d bytes were held", w.files.total)
	}
}

func TestBuffersAreUsedAgain(t *testing.T) {
	m := newMemory(10 * grain)
	big := m.get(t.Context(), 5*grain)
	if m.try(6*grain) != nil {
		t.Error("more than the limit")
	}
	m.put(big)
	small := m.get(t.Context(), 10)
	if &small[0] != &big[0] || len(small) != 10 {
		t.Error("the buffer that was free is not used")
	}
	m.put(small)
	if b := m.get(t.Context(), 10*grain); len(b) != 10*grain || m.total != 10*grain {
		t.Errorf("what is idle is not given up: %d", m.total)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if m.get(ctx, 1) != nil {
		t.Error("a buffer for who does not want it any more")
	}
}

func TestFilesAreCalledWithTheirApp(t *testing.T) {
	for _, c := range []struct {
		info       Info
		file, want string
	}{
		{Info{Path: "a.apk", Kind: "APK"}, "base.apk!/classes.dex", "a.apk!/base.apk!/classes.dex"},
		{Info{Path: "app/", Kind: "folder", Folder: true}, "src/a.js", "app/src/a.js"},
		{Info{Path: ".", Kind: "source tree", Folder: true}, "src/a.js", "src/a.js"},
		{Info{Path: "app", Kind: "folder", Folder: true}, "app", "app/app"},
		{Info{Path: "a", Kind: "folder", Folder: true}, "x.zip!/../evil", "a/x.zip!/../evil"},
		{Info{Path: "out/main.jsbundle", Kind: "file"}, "main.jsbundle", "out/main.jsbundle"},
		{Info{Path: "out/main.jsbundle.map", Kind: "file"}, "main.jsbundle.map!/src/a.js", "out/main.jsbundle.map!/src/a.js"},
	} {
		if got := c.info.Inside(c.file); got != c.want {
			t.Errorf("%s in %s is called %s, want %s", c.file, c.info.Path, got, c.want)
		}
	}
}
