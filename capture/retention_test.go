package capture_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"telltale/capture"
	"telltale/flow/flowtest"
)

func TestListAndPurge(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	record := func(name string, expires time.Time) *capture.Store {
		t.Helper()
		s, err := capture.Create(filepath.Join(dir, name), capture.Options{Now: func() time.Time { return now }, Expires: expires})
		if err != nil {
			t.Fatal(err)
		}
		observe(t, s, flowtest.Get("https://x.example/", flowtest.ID(s.NextID())))
		return s
	}
	record("b-old.telltale", now.Add(time.Hour)).Close()
	record("c-kept.telltale", time.Time{}).Close()
	changed := record("d-changed.telltale", time.Time{})
	if err := changed.SetExpiry(now.Add(capture.DefaultRetention)); err != nil {
		t.Fatal(err)
	}
	changed.Close()
	live := record("a-live.telltale", now.Add(time.Hour))
	defer live.Close()
	for _, name := range []string{"e-damaged.telltale", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("no capture"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := capture.List(dir)
	if err != nil || len(kept) != 5 {
		t.Fatalf("%v, error %v", kept, err)
	}
	for i, k := range kept[:4] {
		if k.Err != nil || k.Flows != 1 || k.Size == 0 || !k.Created.Equal(now) || k.Recording != (i == 0) {
			t.Errorf("%+v", k)
		}
	}
	if !kept[2].Expires.IsZero() || !kept[3].Expires.Equal(now.Add(7*24*time.Hour)) || kept[4].Err == nil {
		t.Errorf("%+v", kept)
	}
	for _, tt := range []struct {
		now  time.Time
		want []string
	}{
		{now, nil},
		{now.Add(2 * time.Hour), []string{"b-old.telltale"}},
		{now.Add(8 * 24 * time.Hour), []string{"d-changed.telltale"}},
	} {
		removed, err := capture.Purge(dir, tt.now, nil)
		for i := range removed {
			removed[i] = filepath.Base(removed[i])
		}
		if err != nil || !slices.Equal(removed, tt.want) {
			t.Errorf("%v: removed %q, error %v", tt.now, removed, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "b-old.telltale")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
}

func TestListOfNoFolder(t *testing.T) {
	if kept, err := capture.List(filepath.Join(t.TempDir(), "none")); kept != nil || err != nil {
		t.Errorf("%v, %v", kept, err)
	}
	if err := capture.Remove(filepath.Join(t.TempDir(), "none.telltale")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// A slip of the keyboard must not cost a file that is no capture.
func TestRemoveRefusesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, path := range []string{write("policy.yaml", "version: 1\n"), write("empty", ""), write("a.har", "{}"), dir, filepath.Join(dir, "none")} {
		if err := capture.Remove(path); err == nil {
			t.Errorf("removed %s", path)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 3 {
		t.Errorf("left: %q", left)
	}
	if err := capture.Remove(write("damaged.telltale", "SQLite format 3\x00 and then nothing")); err != nil {
		t.Errorf("a damaged capture stays: %v", err)
	}
}

func TestRemoveTakesEverything(t *testing.T) {
	s, path := create(t, capture.Options{})
	observe(t, s, flowtest.Get("https://x.example/", flowtest.ID(1)))
	var locked *capture.LockedError
	if err := capture.Remove(path); !errors.As(err, &locked) {
		t.Errorf("removed under its recorder: %v", err)
	}
	s.Close()
	if err := os.WriteFile(path+"-wal", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := capture.Remove(path); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}
