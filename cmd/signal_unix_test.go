//go:build unix

package cmd

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
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
			c := exec.Command("sh", "-c", trap+`exec telltale record --listen 127.0.0.1:0 --allow-local --quiet --keep none --ca "$0"`, t.TempDir())
			c.Env = append(c.Environ(), "XDG_DATA_HOME="+t.TempDir())
			stderr, err := c.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(stderr)
			var addr string
			for addr == "" {
				line, err := lines.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				if after, ok := strings.CutPrefix(line, "listening on "); ok {
					addr = strings.TrimSpace(after)
				}
			}
			go io.Copy(io.Discard, lines) //nolint:errcheck // it ends with the program
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
				if took := time.Since(start); took >= grace {
					t.Errorf("ended after %v", took)
				}
				return
			}
		})
	}
}

// holdOpen makes a tunnel to l through the proxy at addr, which keeps a recording
// from ending by itself.
func holdOpen(t *testing.T, addr string, l net.Listener) {
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
}
