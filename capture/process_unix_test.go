//go:build unix

package capture_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"telltale/capture"
	"telltale/flow/flowtest"
)

// asNobody runs a job of the test binary without the right to write in dir. Root
// may write everywhere, so as root the child becomes somebody else.
func asNobody(t *testing.T, job, path string) string {
	t.Helper()
	binary := self(t)
	if os.Getuid() == 0 {
		open, err := os.MkdirTemp("", "capture")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(open) })
		if err := os.Chmod(open, 0o755); err != nil {
			t.Fatal(err)
		}
		copyFile(t, binary, filepath.Join(open, "child"))
		binary = filepath.Join(open, "child")
	}
	cmd, lines := command(t, binary, job, path)
	cmd.Dir = "/"
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
	}
	cmd.Wait()
	return strings.Join(said, "\n")
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestReadOnlyFolder(t *testing.T) {
	dir, err := os.MkdirTemp("", "capture")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir, 0o700); os.RemoveAll(dir) })
	path := filepath.Join(dir, "x.telltale")
	s, err := capture.Create(path, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	observe(t, s, flowtest.Number(flowtest.Get("https://x.example/"), flowtest.Get("https://y.example/"))...)
	s.Close()
	wal := filepath.Join(dir, "wal.telltale") // as a program leaves it that keeps the log's mode
	copyFile(t, path, wal)
	if got := queryRW(t, wal, "PRAGMA journal_mode = wal"); got != "wal" {
		t.Fatal(got)
	}
	for _, p := range []string{path, wal} {
		if err := os.Chmod(p, 0o444); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, wal} {
		if got := asNobody(t, "read", p); got != "2" {
			t.Errorf("%s: the reader says %q", filepath.Base(p), got)
		}
		if got := asNobody(t, "create", p); !strings.Contains(got, "permission denied") || !strings.Contains(got, "open capture") {
			t.Errorf("%s: the recorder says %q", filepath.Base(p), got)
		}
	}
}
