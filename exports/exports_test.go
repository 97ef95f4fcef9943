package exports

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"telltale/guard/raced"
)

var made = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const (
	childEnv = "EXPORTS_TEST_CHILD"
	fileEnv  = "EXPORTS_TEST_INDEX"
)

// The test binary runs itself as another process that adds to an index.
func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		index := os.Getenv(fileEnv)
		for i := range 30 {
			path := filepath.Join(filepath.Dir(index), fmt.Sprintf("%s-%d", name, i))
			if err := os.WriteFile(path, []byte(path), 0o600); err != nil {
				fmt.Println(err)
				os.Exit(2)
			}
			if err := Add(index, Entry{Path: path, Made: made, Expires: made.Add(time.Hour)}); err != nil {
				fmt.Println(err)
				os.Exit(2)
			}
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// place is a folder with an index and exports.
type place struct {
	*testing.T
	dir, index string
}

func newPlace(t *testing.T) place {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return place{t, dir, filepath.Join(dir, "data", "exports.json")}
}

func (p place) write(name, content string) string {
	p.Helper()
	path := filepath.Join(p.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		p.Fatal(err)
	}
	return path
}

// add notes an export that expires after so many hours.
func (p place) add(name string, hours int) string {
	p.Helper()
	path := filepath.Join(p.dir, name)
	e := Entry{Path: path, Capture: filepath.Join(p.dir, "a.telltale"), Made: made, Expires: made.Add(time.Duration(hours) * time.Hour)}
	if err := Add(p.index, e); err != nil {
		p.Fatal(err)
	}
	return path
}

func (p place) purge(hours int, want ...string) error {
	p.Helper()
	removed, err := Purge(p.index, made.Add(time.Duration(hours)*time.Hour))
	if !slices.Equal(removed, want) {
		p.Errorf("removed %q, want %q (error %v)", removed, want, err)
	}
	return err
}

// listed fails unless the index has these paths.
func (p place) listed(want ...string) {
	p.Helper()
	entries, err := List(p.index)
	if err != nil {
		p.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Path)
	}
	if !slices.Equal(got, want) {
		p.Errorf("listed %q, want %q", got, want)
	}
}

func (p place) left(want ...string) {
	p.Helper()
	var got []string
	err := filepath.WalkDir(p.dir, func(path string, d os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(p.dir, path); err == nil && rel != "." && !strings.HasPrefix(rel, "data") {
			got = append(got, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil || !slices.Equal(got, want) {
		p.Errorf("left %q, want %q (error %v)", got, want, err)
	}
}

func TestPurge(t *testing.T) {
	p := newPlace(t)
	p.listed()
	if err := p.purge(1); err != nil {
		t.Error(err)
	}
	p.write("report.md", "stays: it was not added")
	p.write("body.bin", "large")
	p.write("later.bin", "large, too")
	for _, name := range []string{"1.bin", "deep/er/2.bin", "deep/3.bin"} {
		p.write("bodies/"+name, name)
	}
	body, later, bodies := p.add("body.bin", 2), p.add("later.bin", 9), p.add("bodies", 3)
	p.listed(body, bodies, later)
	if err := p.purge(1); err != nil {
		t.Error(err)
	}
	if err := p.purge(4, body, bodies); err != nil {
		t.Error(err)
	}
	p.listed(later)
	p.left("later.bin", "report.md")
	if info, err := os.Stat(p.index); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := p.purge(-100); err != nil { // a clock that was put back
		t.Error(err)
	}
	if err := p.purge(9, later); err != nil {
		t.Error(err)
	}
	p.left("report.md")
}

func TestOfCapture(t *testing.T) {
	p := newPlace(t)
	p.write("one", "1")
	p.write("two", "2")
	one := p.add("one", 1)
	if err := Add(p.index, Entry{Path: filepath.Join(p.dir, "two"), Capture: filepath.Join(p.dir, "b.telltale"), Made: made, Expires: made.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	t.Chdir(p.dir)
	if of, err := OfCapture(p.index, "a.telltale"); err != nil || len(of) != 1 || of[0].Path != one || of[0].Size() != 1 {
		t.Errorf("%+v, %v", of, err)
	}
	if removed, err := Remove(p.index, "a.telltale"); err != nil || !slices.Equal(removed, []string{one}) {
		t.Errorf("removed %q, %v", removed, err)
	}
	p.listed(filepath.Join(p.dir, "two"))
	p.left("two")
}

// What is at the path by now is not what was exported: it stays, and is said once.
func TestWhatChangedStays(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(place)
		left   []string
		why    string // "": no complaint
	}{
		"another content": {func(p place) { p.write("x/a", "no more") }, []string{"x", "x/a", "y"}, "another content"},
		"another size":    {func(p place) { p.write("x/a", "longer than before") }, []string{"x", "x/a", "y"}, "another size"},
		"a file of somebody's in it": {func(p place) { p.write("x/notes", "mine") },
			[]string{"x", "x/notes", "y"}, "not exported, such as notes"},
		"a file in the place of the folder": {func(p place) {
			os.RemoveAll(filepath.Join(p.dir, "x"))
			p.write("x", "mine")
		}, []string{"x", "y"}, "no folder"},
		"a link in the place of the folder": {func(p place) {
			os.Rename(filepath.Join(p.dir, "x"), filepath.Join(p.dir, "moved"))
			os.Symlink(filepath.Join(p.dir, "moved"), filepath.Join(p.dir, "x"))
		}, []string{"moved", "moved/a", "moved/b", "moved/b/c", "x", "y"}, "no folder"},
		"a link in the place of a file": {func(p place) {
			os.Rename(filepath.Join(p.dir, "x/a"), filepath.Join(p.dir, "moved"))
			os.Symlink(filepath.Join(p.dir, "moved"), filepath.Join(p.dir, "x/a"))
		}, []string{"moved", "x", "x/a", "y"}, "no regular file"},
		"a link in the place of a folder in it": {func(p place) {
			os.Rename(filepath.Join(p.dir, "x/b"), filepath.Join(p.dir, "moved"))
			os.Symlink(filepath.Join(p.dir, "moved"), filepath.Join(p.dir, "x/b"))
		}, []string{"moved", "moved/c", "x", "x/b", "y"}, "b is no folder any more"},
		"gone": {func(p place) { os.RemoveAll(filepath.Join(p.dir, "x")) }, []string{"y"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS == "windows" && strings.HasPrefix(name, "a link") {
				t.Skip("making links needs a right of its own on Windows")
			}
			p := newPlace(t)
			p.write("x/a", "content")
			p.write("x/b/c", "content")
			p.write("y", "beside it")
			p.add("x", 1)
			tt.change(p)
			_, err := Purge(p.index, made.Add(2*time.Hour))
			var changed *ChangedError
			if tt.why == "" {
				if errors.As(err, &changed) {
					t.Errorf("%v", err)
				}
			} else if !errors.As(err, &changed) || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("error %v, want %q", err, tt.why)
			}
			p.left(tt.left...)
			if tt.why != "" {
				p.listed()
				if err := p.purge(3); err != nil {
					t.Errorf("said twice: %v", err)
				}
			}
		})
	}
}

func TestClockThatWasAhead(t *testing.T) {
	p := newPlace(t)
	path := p.write("x", "made by a wrong clock")
	if err := Add(p.index, Entry{Path: path, Made: made.AddDate(10, 0, 0), Expires: made}); err != nil {
		t.Fatal(err)
	}
	if err := p.purge(1); err != nil {
		t.Error(err)
	}
	p.left("x")
}

func TestWhatCannotBeAdded(t *testing.T) {
	p := newPlace(t)
	p.write("x", "content")
	p.write("full/x", "content")
	e := Entry{Made: made, Expires: made.Add(time.Hour)}
	for _, path := range []string{"none", "x/below"} {
		e.Path = filepath.Join(p.dir, path)
		if err := Add(p.index, e); err == nil {
			t.Errorf("added %s", path)
		}
	}
	if err := Add(p.index, Entry{Path: filepath.Join(p.dir, "x"), Made: made}); err == nil {
		t.Error("added without an expiry")
	}
	if runtime.GOOS != "windows" {
		for from, to := range map[string]string{"link": "x", "full/link": "../x"} {
			if err := os.Symlink(to, filepath.Join(p.dir, from)); err != nil {
				t.Fatal(err)
			}
			e.Path = filepath.Join(p.dir, strings.TrimSuffix(from, "/link"))
			if err := Add(p.index, e); err == nil {
				t.Errorf("added a link: %s", e.Path)
			}
		}
	}
	p.listed()
}

func TestAddAgainReplaces(t *testing.T) {
	p := newPlace(t)
	p.write("x", "first")
	p.add("x", 1)
	p.write("x", "second, longer")
	path := p.add("x", 5)
	p.listed(path)
	if err := p.purge(2); err != nil {
		t.Error(err)
	}
	if err := p.purge(6, path); err != nil {
		t.Error(err)
	}
}

func TestIndexIsBounded(t *testing.T) {
	raced.SkipMeasure(t)
	p := newPlace(t)
	p.write("x", "one too many")
	entries := make([]Entry, MaxEntries)
	for i := range entries {
		name := fmt.Sprintf("e%d", i)
		entries[i] = Entry{Path: filepath.Join(p.dir, name), Made: made, Expires: made.Add(time.Hour), Files: []File{{Name: name, SHA256: strings.Repeat("0", 64)}}}
	}
	if err := change(p.index, func([]Entry) ([]Entry, error) { return entries, nil }); err != nil {
		t.Fatal(err)
	}
	if err := Add(p.index, Entry{Path: filepath.Join(p.dir, "x"), Made: made, Expires: made.Add(time.Hour)}); err == nil {
		t.Error("the bound does not hold")
	}
	if err := p.purge(2); err != nil { // none of them exists
		t.Error(err)
	}
	p.listed()
}

// A damaged index removes nothing, is not written over, and says what to do.
func TestDamagedIndex(t *testing.T) {
	good := `{"path":"/x/a","capture":"","made":"2026-11-20T12:00:00Z","expires":"2026-11-20T13:00:00Z","files":[{"name":"a","size":1,"sha256":"` + strings.Repeat("0", 64) + `"}]}`
	for name, content := range map[string]string{
		"empty": "", "cut": `{"schema":"telltale.exports/1","exports":[`, "another": `{"schema":"x/1"}`, "list": `[]`,
		"relative":     `{"schema":"telltale.exports/1","exports":[` + strings.Replace(good, "/x/a", "x/a", 1) + `]}`,
		"climbing":     `{"schema":"telltale.exports/1","exports":[` + strings.Replace(strings.Replace(good, `"name":"a"`, `"name":"../a"`, 1), `"files"`, `"folder":true,"files"`, 1) + `]}`,
		"another file": `{"schema":"telltale.exports/1","exports":[` + strings.Replace(good, `"name":"a"`, `"name":"b"`, 1) + `]}`,
		"no expiry":    `{"schema":"telltale.exports/1","exports":[` + strings.Replace(good, `"expires":"2026-11-20T13:00:00Z"`, `"expires":"0001-01-01T00:00:00Z"`, 1) + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.write("x", "content")
			p.write("data/exports.json", content)
			var damaged *DamagedError
			if err := Add(p.index, Entry{Path: filepath.Join(p.dir, "x"), Made: made, Expires: made.Add(time.Hour)}); !errors.As(err, &damaged) || damaged.Hint() == "" {
				t.Errorf("add: %v", err)
			}
			if _, err := List(p.index); !errors.As(err, &damaged) {
				t.Errorf("list: %v", err)
			}
			if err := p.purge(5); !errors.As(err, &damaged) {
				t.Errorf("purge: %v", err)
			}
			if b, err := os.ReadFile(p.index); err != nil || string(b) != content {
				t.Errorf("written over: %s, %v", b, err)
			}
		})
	}
}

// Several goroutines and several processes add at once: nothing is lost.
func TestAddAtOnce(t *testing.T) {
	p := newPlace(t)
	if err := os.MkdirAll(filepath.Dir(p.index), 0o700); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	for i := range 3 {
		running.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^$")
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=process%d", childEnv, i), fileEnv+"="+p.index)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v", out, err)
			}
		})
		running.Go(func() {
			for j := range 10 {
				p.add(filepath.Base(p.write(fmt.Sprintf("own%d-%d", i, j), "x")), 1)
			}
		})
	}
	running.Wait()
	if entries, err := List(p.index); err != nil || len(entries) != 3*30+3*10 {
		t.Errorf("%d entries, error %v", len(entries), err)
	}
	if left, _ := filepath.Glob(p.index + ".new*"); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"schema":"telltale.exports/1","exports":[{"path":"/x/a","made":"2026-11-20T12:00:00Z","expires":"2026-11-20T13:00:00Z","files":[{"name":"a","size":1,"sha256":"` + strings.Repeat("0", 64) + `"}]}]}`))
	f.Add([]byte(`{"schema":"telltale.exports/1"}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := parse(b)
		if err != nil {
			return
		}
		for _, e := range entries {
			for _, file := range e.Files {
				if !filepath.IsAbs(e.Path) || !filepath.IsLocal(filepath.FromSlash(file.Name)) {
					t.Errorf("%q would be removed in %q", file.Name, e.Path)
				}
			}
		}
	})
}
