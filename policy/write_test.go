package policy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// put writes a file for a test and returns its path.
func put(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// holds complains when the file is not what it should be, or when a folder has more
// than its files.
func holds(t *testing.T, path, want string, files ...string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s holds %q, want %q (%v)", path, got, want, err)
	}
	if err := onlyHas(filepath.Dir(path), files...); err != nil {
		t.Error(err)
	}
}

func onlyHas(folder string, files ...string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if fmt.Sprint(names) != fmt.Sprint(files) {
		return fmt.Errorf("the folder has %v, want %v", names, files)
	}
	return nil
}

func TestWriteFile(t *testing.T) {
	path := put(t, filepath.Join(t.TempDir(), "telltale.yaml"), "one", 0o640)
	if err := WriteFile(path, []byte("two"), []byte("one")); err != nil {
		t.Fatal(err)
	}
	holds(t, path, "two", "telltale.yaml")
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	// Undo is the former text over the new one.
	if err := WriteFile(path, []byte("one"), []byte("two")); err != nil {
		t.Fatal(err)
	}
	holds(t, path, "one", "telltale.yaml")
}

func TestWriteFileMakesOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "telltale.yaml")
	if err := WriteFile(path, []byte("one"), nil); err != nil {
		t.Fatal(err)
	}
	holds(t, path, "one", "telltale.yaml")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&^0o644 != 0 && runtime.GOOS != "windows" {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestWriteFileNoticesOthers(t *testing.T) {
	folder := t.TempDir()
	path := put(t, filepath.Join(folder, "telltale.yaml"), "edited", 0o644)
	for name, expected := range map[string][]byte{"changed": []byte("one"), "made meanwhile": nil, "emptied": {}} {
		err := WriteFile(path, []byte("two"), expected)
		var e *WriteError
		if !errors.Is(err, ErrFileChanged) || !errors.As(err, &e) || e.Path != path || e.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
		holds(t, path, "edited", "telltale.yaml")
	}
	gone := filepath.Join(folder, "gone.yaml")
	if err := WriteFile(gone, []byte("two"), []byte{}); !errors.Is(err, ErrFileChanged) {
		t.Errorf("removed meanwhile: %v", err)
	}
	holds(t, path, "edited", "telltale.yaml")
	empty := put(t, filepath.Join(folder, "empty.yaml"), "", 0o644)
	if err := WriteFile(empty, []byte("two"), []byte{}); err != nil {
		t.Errorf("an empty file: %v", err)
	}
	holds(t, empty, "two", "empty.yaml", "telltale.yaml")
}

func TestWriteFileFollowsLinks(t *testing.T) {
	folder, other := t.TempDir(), t.TempDir()
	target := put(t, filepath.Join(other, "shared.yaml"), "one", 0o644)
	link := filepath.Join(folder, "telltale.yaml")
	if err := os.Symlink(target, link); err != nil {
		t.Skipf("this system has no symbolic links for us: %v", err)
	}
	if err := WriteFile(link, []byte("two"), []byte("one")); err != nil {
		t.Fatal(err)
	}
	holds(t, target, "two", "shared.yaml")
	if got, err := os.Readlink(link); err != nil || got != target {
		t.Errorf("the link leads to %q, %v", got, err)
	}
	if err := os.Remove(target); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(link, []byte("two"), nil); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a link to nothing: %v", err)
	}
}

func TestWriteFileRefuses(t *testing.T) {
	folder := t.TempDir()
	if err := WriteFile(folder, []byte("two"), []byte("one")); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	missing := filepath.Join(folder, "none", "telltale.yaml")
	if err := WriteFile(missing, []byte("two"), nil); !errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), ".telltale-policy") {
		t.Errorf("a folder that does not exist: %v", err)
	}
	if os.Geteuid() == 0 {
		return // root may write what nobody may
	}
	path := put(t, filepath.Join(folder, "telltale.yaml"), "one", 0o444)
	if err := WriteFile(path, []byte("two"), []byte("one")); !errors.Is(err, os.ErrPermission) {
		t.Errorf("a file that is protected: %v", err)
	}
	holds(t, path, "one", "telltale.yaml")
}

// TestWriteFileIsWhole reads while many write: a reader sees one of the texts, whole.
func TestWriteFileIsWhole(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not rename over a file that another has open for reading")
	}
	text := func(i int) string { return strings.Repeat(string(rune('a'+i)), 100_000) }
	path := put(t, filepath.Join(t.TempDir(), "telltale.yaml"), text(0), 0o644)
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			for {
				now, err := os.ReadFile(path)
				if err != nil || len(now) != 100_000 || strings.Trim(string(now), string(now[:1])) != "" {
					t.Errorf("half a file: %d bytes, %v", len(now), err)
					return
				}
				switch err := WriteFile(path, []byte(text(i)), now); {
				case err == nil:
					return
				case !errors.Is(err, ErrFileChanged):
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	if err := onlyHas(filepath.Dir(path), "telltale.yaml"); err != nil {
		t.Error(err)
	}
}
