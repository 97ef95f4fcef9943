//go:build unix

package cmd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A shell without job control starts background jobs with SIGINT ignored: scripts
// and CI jobs must be able to end a recording at once all the same.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, trap := range map[string]string{"by default": "", "ignored by the shell": `trap "" INT; `} {
		t.Run(name, func(t *testing.T) {
			c, addr := startRecording(t, trap, "--keep", "none")
			holdOpen(t, addr, l)
			ended := make(chan error, 1)
			go func() { ended <- c.Wait() }()
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for start := time.Now(); ; {
				select {
				case <-tick.C:
					c.Process.Signal(syscall.SIGINT) //nolint:errcheck // it may have ended
					continue
				case <-ended:
				}
				if took := time.Since(start); took >= longGrace {
					t.Errorf("ended after %v", took)
				}
				return
			}
		})
	}
}

// startRecording runs record behind a command of the shell, and returns its address.
func startRecording(t *testing.T, before string, flags ...string) (c *exec.Cmd, addr string) {
	t.Helper()
	c, addr, said := startTalking(t, before, flags...)
	go io.Copy(io.Discard, said) //nolint:errcheck // it ends with the program
	return c, addr
}

// startTalking is startRecording for those who read what it says then.
func startTalking(t *testing.T, before string, flags ...string) (c *exec.Cmd, addr string, said io.Reader) {
	t.Helper()
	script := before + `exec telltale record --listen 127.0.0.1:0 --allow-local --allow-empty --quiet --ca "$0" "$@"`
	c = exec.Command("sh", append([]string{"-c", script, t.TempDir()}, flags...)...)
	c.Env = append(c.Environ(), "XDG_DATA_HOME="+t.TempDir(), graceVariable+"="+longGrace.String())
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill() }) //nolint:errcheck // it has ended, unless the test failed
	lines := bufio.NewReader(stderr)
	for addr == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if after, ok := strings.CutPrefix(line, "listening on "); ok {
			addr = strings.TrimSpace(after)
		}
	}
	return c, addr, lines
}

// A connection that drops ends a recording as SIGTERM does, and drops more than
// once: a shell passes on what the terminal said already.
func TestHangUpEndsInOrder(t *testing.T) {
	// Where the tests themselves run under nohup(1), programs that they start would ignore
	// the signal; one that is handled here has its default there.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP)
	defer signal.Stop(heard)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	report := filepath.Join(t.TempDir(), "audit.json")
	c, addr := startRecording(t, "", "--keep", "none", "--allow", "127.0.0.1", "--report", report)
	release := holdOpen(t, addr, l)
	tick := time.NewTicker(bounce + 50*time.Millisecond)
	defer tick.Stop()
	for range 3 {
		if err := c.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		<-tick.C
	}
	release()
	var exit *exec.ExitError
	if err := c.Wait(); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != ExitViolations) { // nobody decrypted the tunnel
		t.Error(err)
	}
	if text, err := os.ReadFile(report); err != nil || !strings.Contains(string(text), `"verdict"`) {
		t.Errorf("the report: %v\n%s", err, text)
	}
}

// What nohup(1) started goes on.
func TestHangUpIsIgnoredUnderNohup(t *testing.T) {
	c, addr := startRecording(t, `trap "" HUP; `, "--keep", "none")
	for range 50 {
		if err := c.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		page, err := http.Get("http://" + addr + "/") //nolint:noctx // the page of the proxy itself
		if err != nil {
			t.Fatal(err)
		}
		page.Body.Close()
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

// holdOpen makes a tunnel to l through the proxy at addr, which keeps a recording
// from ending by itself until it is released.
func holdOpen(t *testing.T, addr string, l net.Listener) (release func()) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\n", l.Addr())
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("CONNECT: %q, %v", line, err)
	}
	c.Write([]byte{0, 1})
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if _, err := io.ReadFull(s, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	return func() { c.Close(); s.Close() }
}
