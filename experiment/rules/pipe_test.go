//go:build unix

package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// TestPipes are read where somebody writes, and are not waited for where nobody does.
func TestPipes(t *testing.T) {
	const file = `{"noop.Modifier": {"name": "x"}}`
	lonely := filepath.Join(t.TempDir(), "fifo.json")
	if err := syscall.Mkfifo(lonely, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(lonely); err == nil || !strings.HasSuffix(err.Error(), "fifo.json: it is a pipe to which nobody writes") {
		t.Errorf("nobody writes: %v", err)
	}
	keeps, err := os.OpenFile(lonely, os.O_RDONLY|syscall.O_NONBLOCK, 0) // what was written stays, as it does while a reader is there
	if err != nil {
		t.Fatal(err)
	}
	defer keeps.Close()
	if err := os.WriteFile(lonely, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := Read(lonely); err != nil || r.Name() != "modify fifo.json" {
		t.Errorf("somebody has written: %v", err)
	}
	if runtime.GOOS != "linux" {
		return // elsewhere /dev/fd is another thing
	}
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	go func() {
		_, _ = to.WriteString(file)
		to.Close()
	}()
	name := fmt.Sprintf("/dev/fd/%d", from.Fd())
	if r, err := Read(name); err != nil || r.Name() != fmt.Sprintf("modify pipe%d", from.Fd()) {
		t.Errorf("%s: %v", name, err)
	}
	if _, err := Read("-"); err == nil || !strings.Contains(err.Error(), "/dev/stdin") {
		t.Errorf("-: %v", err)
	}
}
