package cmd

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// awaitOpen waits until a process has a file open.
func awaitOpen(t *testing.T, c *exec.Cmd, file string) {
	t.Helper()
	pid := strconv.Itoa(c.Process.Pid)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for patience := time.After(storyPatience); ; {
		links, err := filepath.Glob(filepath.Join("/proc", pid, "fd", "*"))
		if err != nil || len(links) == 0 {
			t.Fatalf("process %s has no files: %v", pid, err)
		}
		for _, link := range links {
			if target, err := os.Readlink(link); err == nil && target == file {
				return
			}
		}
		select {
		case <-tick.C:
		case <-patience:
			t.Fatalf("%s was not opened", file)
		}
	}
}

// endsWithReport holds a command whose search was interrupted to what it owes all the same.
func endsWithReport(t *testing.T, c *exec.Cmd, report, said string) {
	t.Helper()
	if code := c.ProcessState.ExitCode(); code != ExitFailed {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(said, "error: --app: interrupted before all of the app was searched") {
		t.Errorf("it is not said:\n%s", said)
	}
	text, err := os.ReadFile(report)
	if err != nil || !strings.Contains(string(text), `"verdict": "violations"`) {
		t.Errorf("the report: %v\n%s", err, text)
	}
	if strings.Contains(string(text), `"origins"`) {
		t.Errorf("origins of a search that was interrupted:\n%s", text)
	}
}

// A search after an audit can take long. Who ends it gets the reports all the same.
func TestSignalEndsTheSearchAfterCheckAndNotTheReport(t *testing.T) {
	app := endlessApp(t)
	capture := filepath.Join(t.TempDir(), "audit.har")
	if err := os.WriteFile(capture, []byte(probesHAR(1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			folder := t.TempDir()
			report, flows := filepath.Join(folder, "audit.json"), filepath.Join(folder, "audit.har")
			c := exec.CommandContext(t.Context(), "telltale", "check", capture, "--allow", "*.example", "--app", app, "--report", report, "--report", flows)
			var said bytes.Buffer
			c.Stderr = &said
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			awaitOpen(t, c, app)
			if err := c.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			_ = c.Wait() // its exit code is looked at
			endsWithReport(t, c, report, said.String())
			if text, err := os.ReadFile(flows); err != nil || !strings.Contains(string(text), "clients3.google.com") {
				t.Errorf("the flows are not in the report that lists them: %v\n%s", err, text)
			}
		})
	}
}

// The first Ctrl-C ends the recording, the second the search.
func TestSignalEndsTheSearchAfterRecordAndNotTheReport(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	app, report := endlessApp(t), filepath.Join(t.TempDir(), "audit.json")
	c, addr, errors := startTalking(t, "", "--keep", "none", "--app", app, "--report", report)
	client := http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: addr}), DisableKeepAlives: true}}
	answer, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	for range 2 {
		if err := c.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		awaitOpen(t, c, app)
		<-time.After(bounce + 50*time.Millisecond) // sooner, it is the same signal
	}
	said, err := io.ReadAll(errors)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // its exit code is looked at
	endsWithReport(t, c, report, string(said))
}
