package reports

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"telltale/flow"
	"telltale/flow/flowtest"
	"telltale/har"
)

// longBodies is a report of two flows, of which the second has long bodies.
func longBodies(fill string) *Report {
	long := strings.Repeat(fill, 1000)
	flows := []*flow.Flow{
		flowtest.Get("https://a.example/short", flowtest.ID(1), flowtest.ResponseBody("text/plain", "short")),
		flowtest.Post("https://a.example/long", long+"!", flowtest.ID(2), flowtest.ResponseBody("application/json; charset=utf-8", `"`+long+`"`)),
		flowtest.Get("https://a.example/again", flowtest.ID(3), flowtest.ResponseBody("application/json", `"`+long+`"`)),
	}
	return &Report{Tool: Tool{"telltale", "1"}, BodyLimit: 500, BodiesExpire: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), Flows: func(visit func(*flow.Flow) error) error {
		for _, f := range flows {
			if err := visit(f); err != nil {
				return err
			}
		}
		return nil
	}}
}

func readBack(t *testing.T, path string) ([]*flow.Flow, har.Info) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var flows []*flow.Flow
	open := func(name string) (io.ReadCloser, error) {
		return os.Open(filepath.Join(filepath.Dir(path), filepath.FromSlash(name)))
	}
	info, err := har.Read(file, har.Options{Bodies: true, Attached: open}, func(f *flow.Flow) error { flows = append(flows, f); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return flows, info
}

func TestLongBodiesLieBesideTheHAR(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.har")
	r := longBodies("ab")
	written, err := WriteFiles(path, r)
	if err != nil || len(written) != 3 || written[0] != path {
		t.Fatalf("%v %v", written, err)
	}
	folder := path + BodiesSuffix
	for name, mode := range map[string]os.FileMode{folder: 0o700, written[1]: 0o600, written[2]: 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil || bytes.Contains(text, []byte("abababab")) || !bytes.Contains(text, []byte(`"_expires":"2026-11-28T12:00:00Z"`)) || !bytes.Contains(text, []byte(`"_file":"run.har.bodies/`)) {
		t.Errorf("%s %v", text, err)
	}
	flows, info := readBack(t, path)
	var want []*flow.Flow
	_ = r.Flows(func(f *flow.Flow) error { want = append(want, f); return nil })
	for i, f := range flows {
		if !bytes.Equal(f.Response.Body.Content, want[i].Response.Body.Content) || !bytes.Equal(f.Request.Body.Content, want[i].Request.Body.Content) || f.Request.Body.Truncated {
			t.Errorf("flow %d: %.40q %.40q", i, f.Request.Body.Content, f.Response.Body.Content)
		}
	}
	if len(flows) != 3 || info.LeftOut != 0 {
		t.Errorf("%d flows, %+v", len(flows), info)
	}
}

// What is missing, changed or removed in time is said, and no absence can be told of it.
func TestBodiesThatAreGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.har")
	written, err := WriteFiles(path, longBodies("ab"))
	if err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(string) error{
		"not what it was": func(name string) error { return os.WriteFile(name, []byte("other"), 0o600) },
		"no longer there": os.Remove,
	} {
		for _, name := range written[1:] {
			if err := spoil(name); err != nil {
				t.Fatal(err)
			}
		}
		flows, info := readBack(t, path)
		for _, b := range []flow.Body{flows[1].Request.Body, flows[1].Response.Body} {
			if b.Content != nil || !b.Truncated || b.Size < 2000 || b.Digest != "" {
				t.Errorf("%s: %+v", what, b)
			}
		}
		if info.LeftOut != 3 || !strings.Contains(strings.Join(info.Notes, " "), what) {
			t.Errorf("%s: %+v", what, info)
		}
		if _, err := WriteFiles(path, longBodies("ab")); err != nil {
			t.Fatal(err)
		}
	}
}

// A second report of the same name takes its bodies' place; one that fails changes nothing.
func TestBodiesOfTheReportBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.har")
	first, err := WriteFiles(path, longBodies("ab"))
	if err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(path+BodiesSuffix, "notes.txt")
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	failing := longBodies("cd")
	all := failing.Flows
	failing.Flows = func(visit func(*flow.Flow) error) error {
		return errors.Join(all(visit), errors.New("the disk is full"))
	}
	if _, err := WriteFiles(path, failing); err == nil {
		t.Error("no error")
	}
	if now := filesIn(t, path+BodiesSuffix); len(now) != 3 {
		t.Errorf("after a failure: %q", now)
	}
	second, err := WriteFiles(path, longBodies("ef"))
	if now := filesIn(t, path+BodiesSuffix); err != nil || len(now) != 3 || first[1] == second[1] {
		t.Errorf("%q %v", now, err)
	}
	inside := longBodies("ab")
	inside.BodyLimit = -1
	only, err := WriteFiles(path, inside)
	if now := filesIn(t, path+BodiesSuffix); err != nil || len(only) != 1 || len(now) != 1 {
		t.Errorf("%q %q %v", only, now, err)
	}
}

func filesIn(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestNoFolderWithoutLongBodies(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.har")
	r := longBodies("ab")
	r.BodyLimit = 0
	written, err := WriteFiles(path, r)
	if _, statErr := os.Stat(path + BodiesSuffix); err != nil || len(written) != 1 || !os.IsNotExist(statErr) {
		t.Errorf("%q %v %v", written, err, statErr)
	}
	if err := os.WriteFile(path+BodiesSuffix, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := WriteFiles(path, longBodies("ab")); err == nil || !strings.Contains(err.Error(), "no folder") {
		t.Errorf("%v", err)
	}
}

// A name of a type that somebody made up gets into no name of a file.
func TestExtensions(t *testing.T) {
	for kind, want := range map[string]string{"image/png": ".png", "text/x-any; a=b": ".txt", "application/ld+json": ".json", "../../etc/passwd": ".bin", "": ".bin"} {
		if got := extensionOf(kind); got != want {
			t.Errorf("%q: %q, want %q", kind, got, want)
		}
	}
}

// With a redactor, flows are loaded, masked by it alone, and the file says so.
func TestRedactedHAR(t *testing.T) {
	f := flowtest.Post("https://a.example/?token=geheim", "", flowtest.Header("Authorization", "Bearer geheim"))
	f.Request.Body = flow.Body{Size: 6, Digest: "d1"}
	r := &Report{
		Tool: Tool{"telltale", "1"}, Flows: func(visit func(*flow.Flow) error) error { return visit(f) },
		Content: func(flow.Body) ([]byte, error) { return []byte("geheim"), nil },
		Redact: func(f *flow.Flow) *flow.Flow {
			if string(f.Request.Body.Content) != "geheim" {
				t.Errorf("content %q", f.Request.Body.Content)
			}
			return flowtest.Post("https://a.example/?token=[redacted:bcdfghjkmn]", "[redacted:bcdfghjkmn]", flowtest.Header("Authorization", "Bearer [redacted:bcdfghjkmn]"))
		},
	}
	var b bytes.Buffer
	if err := writeHAR(&b, r); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); strings.Contains(s, "geheim") || strings.Count(s, "[redacted:bcdfghjkmn]") < 3 || !strings.Contains(s, "Redacted copy") {
		t.Error(s)
	}
}
