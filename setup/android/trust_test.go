package android

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestTrustScript runs the script on a real kernel, with the shell and the commands of
// this machine, of toybox with mksh, as Android has them, and of busybox: the mounts in
// each namespace, modes and labels, repetition, replacement and removal.
func TestTrustScript(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("mount namespaces are Linux's")
	}
	if out, err := exec.Command("unshare", "-rmpf", "true").CombinedOutput(); err != nil {
		t.Skipf("no user and mount namespaces here: %v: %s", err, out)
	}
	for _, tools := range []struct {
		name, shell string
		programs    []string
	}{
		{"here", "sh", nil},
		{"toybox", "/tools/mksh", []string{"toybox", "mksh"}},
		{"busybox", "/tools/busybox sh", []string{"busybox"}},
	} {
		folder := toolFolder(t, tools.programs)
		for _, store := range []string{"system", "apex"} {
			t.Run(tools.name+" "+store, func(t *testing.T) {
				if folder == "" && tools.programs != nil {
					t.Skipf("%v are not in PATH", tools.programs)
				}
				t.Parallel()
				script, err := filepath.Abs("trust.sh")
				if err != nil {
					t.Fatal(err)
				}
				var complaints bytes.Buffer
				c := exec.Command("unshare", "-rmpf", "sh", filepath.Join("testdata", "device.sh"), script, tools.shell, folder, store)
				c.Stderr = &complaints
				got, err := c.Output()
				if err != nil || complaints.Len() > 0 {
					t.Errorf("%v: %s", err, complaints.String())
				}
				golden := filepath.Join("testdata", "trust-"+store+".txt")
				if *update && tools.programs == nil {
					if err := os.WriteFile(golden, got, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				compareLines(t, string(got), string(want))
			})
		}
	}
}

// toolFolder returns a folder with the programs, and links to the first of them for
// the commands of the script; "" where one is missing.
func toolFolder(t *testing.T, programs []string) string {
	t.Helper()
	folder := t.TempDir()
	for _, program := range programs {
		path, err := exec.LookPath(program)
		if err != nil {
			return ""
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, program), content, 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	if programs == nil {
		return ""
	}
	for _, command := range strings.Fields("chmod chown cmp cp grep ls mkdir mount nsenter pidof readlink rmdir umount") {
		if err := os.Symlink(programs[0], filepath.Join(folder, command)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(programs[len(programs)-1], filepath.Join(folder, "sh")); err != nil {
		t.Fatal(err)
	}
	return folder
}

func compareLines(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("line %d differs; it is now\n%s", i+1, got)
		}
	}
}
