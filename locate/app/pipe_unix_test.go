//go:build unix

package app

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A named pipe has no writer here: opening it would wait for ever.
func TestPipesAndSocketsAreNotOpened(t *testing.T) {
	root := filepath.Join(t.TempDir(), "x")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	pipe, sock := filepath.Join(root, "pipe"), filepath.Join(root, "sock")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it only had to be there
	want(t, walk(t, Limits{}, root), map[string]string{}, map[string]string{root + "/pipe": "a named pipe", root + "/sock": "a socket"})
	want(t, walk(t, Limits{}, pipe), map[string]string{}, map[string]string{pipe: "a named pipe"})
	want(t, walk(t, Limits{}, os.DevNull), map[string]string{}, map[string]string{os.DevNull: "a device"})
	// The file can turn into one between the look and the opening.
	if _, err := (diskFile{path: pipe}).open(nil); err == nil {
		t.Error("a pipe was opened")
	}
}
