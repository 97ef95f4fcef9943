package reports

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestWriteFile(t *testing.T) {
	folder := t.TempDir()
	for _, f := range Formats {
		path := filepath.Join(folder, "audit"+f.Ext)
		if err := WriteFile(path, covidAlert()); err != nil {
			t.Fatal(err)
		}
		if got := read(t, path); got != render(t, f, covidAlert()) {
			t.Errorf("%s is not the report", path)
		}
	}
	if got := list(t, folder); len(got) != len(Formats) {
		t.Errorf("the folder holds %q", got)
	}
}

func TestWriteFileMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no permission bits")
	}
	folder := t.TempDir()
	mode := func(path string) fs.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	mask := umask(t, folder)
	for _, f := range Formats {
		path := filepath.Join(folder, "audit"+f.Ext)
		if err := WriteFile(path, covidAlert()); err != nil {
			t.Fatal(err)
		}
		want := shared &^ mask
		if f.Private {
			want = private &^ mask
		}
		if got := mode(path); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
		revealing := covidAlert()
		revealing.Reveal = true
		if err := WriteFile(path, revealing); err != nil {
			t.Fatal(err)
		}
		if got := mode(path); got != private&^mask {
			t.Errorf("%s reveals secrets with mode %o", path, got)
		}
	}
	// A report that was made private stays so.
	path := filepath.Join(folder, "audit.md")
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, covidAlert()); err != nil {
		t.Fatal(err)
	}
	if got := mode(path); got != 0o600 {
		t.Errorf("a private report was replaced by one of mode %o", got)
	}
}

// umask returns the bits that the process takes from new files.
func umask(t *testing.T, folder string) fs.FileMode {
	t.Helper()
	path := filepath.Join(folder, "umask")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	os.Remove(path)
	return 0o666 &^ info.Mode().Perm()
}

// TestWriteFileRefuses checks what is said when the file cannot be written.
func TestWriteFileRefuses(t *testing.T) {
	folder := t.TempDir()
	asFile := filepath.Join(folder, "file")
	if err := os.WriteFile(asFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "folder.md"), 0o700); err != nil {
		t.Fatal(err)
	}
	before := len(list(t, folder))
	for path, want := range map[string]string{
		filepath.Join(folder, "missing", "audit.md"): "does not exist",
		filepath.Join(asFile, "audit.md"):            "",
		filepath.Join(folder, "folder.md"):           "it is a folder",
		filepath.Join(folder, "audit.pdf"):           `no format has the extension ".pdf"`,
		filepath.Join(folder, "audit"):               "no extension",
		"":                                           "no extension",
	} {
		err := WriteFile(path, covidAlert())
		if err == nil {
			t.Errorf("%q was written", path)
			continue
		}
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"`+strings.ReplaceAll(path, `\`, `\\`)+`"`) {
			t.Errorf("%q: %v", path, err)
		}
	}
	if got := list(t, folder); len(got) != before {
		t.Errorf("left behind: %q", got)
	}
}

// TestReplaceKeepsTheOldFile checks that trouble at any moment leaves the old
// report and no part of the new one.
func TestReplaceKeepsTheOldFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "audit.md")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := replace(path, shared, func(w io.Writer) error {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil { // beyond any buffer
			return err
		}
		return &fs.PathError{Op: "write", Path: "temporary", Err: syscall.ENOSPC}
	})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the error is %v", err)
	}
	if got := read(t, path); got != "old" {
		t.Errorf("the old report is now %d bytes", len(got))
	}
	if got := list(t, folder); len(got) != 1 {
		t.Errorf("left behind: %q", got)
	}
	if err := replace(path, shared, func(w io.Writer) error { _, err := w.Write([]byte("new")); return err }); err != nil || read(t, path) != "new" {
		t.Errorf("then: %v, %q", err, read(t, path))
	}
}

// TestReplaceFollowsALink checks that a link to a report stays one.
func TestReplaceFollowsALink(t *testing.T) {
	folder := t.TempDir()
	target, link := filepath.Join(folder, "target.md"), filepath.Join(folder, "link.md")
	if err := os.WriteFile(target, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("target.md", link); err != nil {
		t.Skipf("no symbolic links here: %v", err) // Windows without the privilege
	}
	if err := WriteFile(link, covidAlert()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
	if got := read(t, target); !strings.HasPrefix(got, "# Violations") {
		t.Errorf("the target holds %.20q", got)
	}
}

// TestWriteErrorsAreReturned checks that no format swallows a full disk.
func TestWriteErrorsAreReturned(t *testing.T) {
	for _, f := range Formats {
		for _, after := range []int{0, 1, 100} {
			if err := f.Write(&fullDisk{after}, covidAlert()); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("%s with room for %d bytes returns %v", f.Name, after, err)
			}
		}
	}
}

// fullDisk takes a number of bytes and then no more.
type fullDisk struct{ room int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if len(p) > d.room {
		return d.room, syscall.ENOSPC
	}
	d.room -= len(p)
	return len(p), nil
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func list(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
