package ca

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// childEnv makes the test program act as a process that works on a folder:
// "open DIR" prints the fingerprint, "rotate DIR" rotates until it is killed.
const childEnv = "TELLTALE_CA_TEST_CHILD"

func TestMain(m *testing.M) {
	if work, dir, ok := strings.Cut(os.Getenv(childEnv), " "); ok {
		os.Exit(child(work, dir))
	}
	os.Exit(m.Run())
}

func child(work, dir string) int {
	for {
		a, err := map[string]func(string, ...Option) (*Authority, error){"open": Open, "rotate": Rotate}[work](dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(a.Fingerprint())
		if work == "open" {
			return 0
		}
	}
}

func startChild(t *testing.T, work, dir string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+work+" "+dir)
	cmd.Stderr = &stderr
	return cmd, &stderr
}

func TestProcessesThatStartAtOnceAgree(t *testing.T) {
	for range 3 {
		dir := filepath.Join(t.TempDir(), "deep", "ca")
		const processes = 6
		var done sync.WaitGroup
		outputs := make([]string, processes)
		for i := range processes {
			cmd, stderr := startChild(t, "open", dir)
			done.Go(func() {
				out, err := cmd.Output()
				if err != nil {
					t.Errorf("process %d: %v\n%s", i, err, stderr)
				}
				outputs[i] = strings.TrimSpace(string(out))
			})
		}
		done.Wait()
		want := open(t, dir).Fingerprint()
		for i, got := range outputs {
			if got != want {
				t.Errorf("process %d has %s, the folder holds %s", i, got, want)
			}
		}
	}
}

func TestGoroutinesThatStartAtOnceAgree(t *testing.T) {
	dir := t.TempDir()
	var done sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]int{}
	for range 32 {
		done.Go(func() {
			a, err := Open(dir)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			seen[a.Fingerprint()]++
		})
	}
	done.Wait()
	if len(seen) != 1 {
		t.Errorf("%d authorities: %v", len(seen), seen)
	}
}

// Readers see the old authority or the new one while others replace it and
// remove it, and never a mix or a half.
func TestReadersDuringChanges(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	stop := make(chan struct{})
	var done sync.WaitGroup
	for range 2 {
		done.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				a, err := Open(dir)
				if err != nil {
					t.Errorf("reader: %v", err)
					return
				}
				if _, err := a.Leaf("example.org"); err != nil {
					t.Errorf("reader: %v", err)
				}
			}
		})
	}
	for i := range 30 {
		if i%3 == 2 {
			// A reader may have been quicker to make a new one, or not yet.
			if err := Remove(dir); err != nil && !errors.Is(err, errNone) {
				t.Errorf("Remove: %v", err)
			}
		} else if _, err := Rotate(dir); err != nil {
			t.Errorf("Rotate: %v", err)
		}
	}
	close(stop)
	done.Wait()
}

// A process that is killed while it replaces the authority over and over leaves
// one that opens.
func TestKilledProcessLeavesAWholeAuthority(t *testing.T) {
	dir := t.TempDir()
	for i := range 10 {
		cmd, _ := startChild(t, "rotate", dir)
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// It is at work once a line arrives; how far differs every time.
		line := make([]byte, 1+i*37)
		for read := 0; read < len(line); {
			n, err := stdout.Read(line[read:])
			if err != nil {
				t.Fatalf("the process ended by itself: %v", err)
			}
			read += n
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait() // "signal: killed"
		if _, err := Load(dir); err != nil {
			t.Fatalf("after kill %d: %v", i, err)
		}
	}
}
