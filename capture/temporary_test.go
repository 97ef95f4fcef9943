package capture_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"telltale/capture"
	"telltale/flow/flowtest"
)

// names returns what a folder holds, sorted.
func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func recordInto(t *testing.T, path string, opts capture.Options) *capture.Store {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := capture.Create(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	observe(t, s, flowtest.Get("https://x.example/", flowtest.ID(s.NextID())))
	return s
}

func TestPurgeTemporary(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	in := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	recordInto(t, in("telltale-watch-1dead", "read.telltale"), capture.Options{}).Close()
	write(t, in("telltale-watch-1dead", "read.telltale-wal"), "left")
	write(t, in("telltale-watch-1dead", "read.telltale-lock"), "1\n")
	recordInto(t, in("telltale-watch-2live", "read.telltale"), capture.Options{})
	recordInto(t, in("telltale-watch-3other", "read.telltale"), capture.Options{}).Close()
	write(t, in("telltale-watch-3other", "thesis.txt"), "of somebody")
	recordInto(t, in("somebody", "read.telltale"), capture.Options{}).Close()
	write(t, in("telltale-watch-4file"), "no folder")
	write(t, in("telltale-watch-5part", "read.telltale-lock"), "1\n")
	for _, empty := range []string{"telltale-watch-6new", "telltale-watch-7old"} {
		if err := os.Mkdir(in(empty), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(in("telltale-watch-7old"), now, now.Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	want := []string{in("telltale-watch-1dead"), in("telltale-watch-5part"), in("telltale-watch-7old")}
	if runtime.GOOS != "windows" {
		if err := os.Symlink(in("somebody"), in("telltale-watch-8link")); err != nil {
			t.Fatal(err)
		}
	}
	removed, err := capture.PurgeTemporary(dir, now)
	if err != nil || !slices.Equal(removed, want) {
		t.Errorf("removed %q, error %v", removed, err)
	}
	left := []string{"somebody", "telltale-watch-2live", "telltale-watch-3other", "telltale-watch-4file", "telltale-watch-6new"}
	if got := slices.DeleteFunc(names(t, dir), func(n string) bool { return n == "telltale-watch-8link" }); !slices.Equal(got, left) {
		t.Errorf("left: %q", got)
	}
	if got := names(t, in("somebody")); len(got) != 1 {
		t.Errorf("through a link: %q is left", got)
	}
	if got := names(t, in("telltale-watch-3other")); len(got) != 2 {
		t.Errorf("beside a file of somebody's: %q is left", got)
	}
	if removed, err := capture.PurgeTemporary(in("none"), now); removed != nil || err != nil {
		t.Errorf("%q, %v", removed, err)
	}
}

// What lies beside a capture goes with it, and also where the capture is gone.
func TestPurgeIsReal(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	opts := capture.Options{Now: func() time.Time { return now }, Expires: now.Add(time.Hour)}
	recordInto(t, filepath.Join(dir, "a.telltale"), opts).Close()
	recordInto(t, filepath.Join(dir, "live.telltale"), opts)
	for _, name := range []string{"a.telltale-journal", "gone.telltale-wal", "gone.telltale-shm", "gone.telltale-lock", "b.har-wal", "telltale-wal", "-wal"} {
		write(t, filepath.Join(dir, name), "left by a kill")
	}
	removed, err := capture.Purge(dir, now.Add(2*time.Hour), nil)
	if err != nil || len(removed) != 1 {
		t.Errorf("removed %q, error %v", removed, err)
	}
	want := []string{"-wal", "b.har-wal", "live.telltale", "live.telltale-lock", "live.telltale-shm", "live.telltale-wal", "telltale-wal"}
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("left: %q", got)
	}
}

// A clock that is put back never costs a capture before its time, and one that was wrong
// when the capture was made costs it none at all.
func TestPurgeUnderClocksThatChange(t *testing.T) {
	made := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC) // in the night of the change in Europe
	berlin := time.FixedZone("CEST", 2*3600)
	for _, tt := range []struct {
		name          string
		created, ends time.Time
		now           time.Time
		purged, ahead bool
	}{
		{"one second before", made, made.Add(time.Hour), made.Add(time.Hour - time.Second), false, false},
		{"another zone", made.In(berlin), made.In(berlin).Add(time.Hour), made.Add(time.Hour), true, false},
		{"the hour that comes twice", made, made.Add(time.Hour), made.Add(time.Hour).In(time.FixedZone("CET", 3600)), true, false},
		{"a clock that was put back", made, made.Add(time.Hour), made.Add(-30 * time.Hour), false, true},
		{"an expiry in the past, made ahead", made.AddDate(10, 0, 0), made, made.Add(time.Hour), false, true},
		{"made a little ahead", made.Add(20 * time.Hour), made, made.Add(time.Hour), true, false},
		{"kept for good", made, time.Time{}, made.AddDate(100, 0, 0), false, false},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "x.telltale")
		recordInto(t, path, capture.Options{Now: func() time.Time { return tt.created }, Expires: tt.ends}).Close()
		kept, err := capture.List(dir)
		if err != nil || len(kept) != 1 || kept[0].Ahead(tt.now) != tt.ahead || kept[0].Expired(tt.now) != tt.purged {
			t.Errorf("%s: %+v, %v", tt.name, kept, err)
		}
		removed, err := capture.Purge(dir, tt.now, nil)
		if err != nil || (len(removed) == 1) != tt.purged {
			t.Errorf("%s: removed %q, error %v", tt.name, removed, err)
		}
	}
}

// A row that is removed or replaced leaves nothing in the file.
func TestWhatIsReplacedIsGone(t *testing.T) {
	s, path := create(t, capture.Options{})
	f := flowtest.Get("https://x.example/", flowtest.ID(s.NextID()))
	first := opened(f)
	first.Notes = []string{strings512("only-in-the-open-state ")}
	observe(t, s, first)
	if !holds(t, path, "only-in-the-open-state") {
		t.Fatal("the open state is not written")
	}
	observe(t, s, f)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if holds(t, path, "only-in-the-open-state") {
		t.Error("what was replaced is still in the file")
	}
}

func strings512(s string) string {
	for len(s) < 512 {
		s += s
	}
	return s
}
