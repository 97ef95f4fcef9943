package ca

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/youmark/pkcs8"
	"golang.org/x/sync/errgroup"
)

// What the program uses; tests encrypt faster, and worse.
var (
	productionSealing    = sealing
	productionIterations = exportIterations
)

// childEnv makes the test program act as a process that works on a folder:
// "open DIR" prints the fingerprint; "rotate DIR" rotates, and "passphrase DIR" sets
// and removes the passphrase, until it is killed.
const childEnv = "TELLTALE_CA_TEST_CHILD"

func TestMain(m *testing.M) {
	sealing = &pkcs8.Opts{Cipher: pkcs8.AES256CBC, KDFOpts: pkcs8.ScryptOpts{SaltSize: 16, CostParameter: 1 << 10, BlockSize: 8, ParallelizationParameter: 1}}
	exportIterations = 1 << 10
	if work, dir, ok := strings.Cut(os.Getenv(childEnv), " "); ok {
		os.Exit(child(work, dir))
	}
	os.Exit(m.Run())
}

func child(work, dir string) int {
	for {
		a, err := map[string]func(string, ...Option) (*Authority, error){"open": Open, "rotate": Rotate, "passphrase": turnPassphrase}[work](dir)
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

// turnPassphrase sets a passphrase where there is none, and removes it where there is.
func turnPassphrase(dir string, _ ...Option) (*Authority, error) {
	a, err := Open(dir, says("sesame"))
	if err != nil {
		return nil, err
	}
	next := []byte("sesame")
	if a.Protected() {
		next = nil
	}
	return a, SetPassphrase(dir, next, says("sesame"))
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
	stopped := whileReading(func() error {
		a, err := Open(dir)
		if err == nil {
			_, err = a.Leaf("example.org")
		}
		return err
	})
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
	if err := stopped(); err != nil {
		t.Errorf("reader: %v", err)
	}
}

// whileReading has two readers read again and again, until they are stopped or one of
// them fails, and returns what stops them and tells the first error.
func whileReading(read func() error) (stopped func() error) {
	stop := make(chan struct{})
	var readers errgroup.Group
	for range 2 {
		readers.Go(func() error {
			for {
				select {
				case <-stop:
					return nil
				default:
				}
				if err := read(); err != nil {
					return err
				}
			}
		})
	}
	return func() error {
		close(stop)
		return readers.Wait()
	}
}

// A process that is killed while it replaces the authority over and over, or the
// passphrase of its key, leaves one that opens.
func TestKilledProcessLeavesAWholeAuthority(t *testing.T) {
	for _, work := range []string{"rotate", "passphrase"} {
		dir := t.TempDir()
		before := open(t, dir).Fingerprint()
		for i := range 10 {
			killAtWork(t, work, dir, 1+i*37)
			a, err := Load(dir, says("sesame"))
			if err != nil {
				t.Fatalf("%s: after kill %d: %v", work, i, err)
			}
			if work == "passphrase" && a.Fingerprint() != before {
				t.Fatalf("after kill %d: another root", i)
			}
		}
	}
}

// killAtWork starts a process and kills it once it has printed that many bytes; how
// far it is then differs every time.
func killAtWork(t *testing.T, work, dir string, bytes int) {
	t.Helper()
	cmd, stderr := startChild(t, work, dir)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stdout, make([]byte, bytes)); err != nil {
		t.Fatalf("the process ended by itself: %v\n%s", err, stderr)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // "signal: killed"
}

// Readers see the key with its old passphrase or its new one, never neither.
func TestReadersDuringChangesOfThePassphrase(t *testing.T) {
	dir := t.TempDir()
	want := open(t, dir).Fingerprint()
	stopped := whileReading(func() error {
		a, err := Open(dir, says("sesame"))
		if err == nil && a.Fingerprint() != want {
			err = errors.New("another root")
		}
		return err
	})
	for range 20 {
		if _, err := turnPassphrase(dir); err != nil {
			t.Error(err)
		}
	}
	if err := stopped(); err != nil {
		t.Errorf("reader: %v", err)
	}
}
