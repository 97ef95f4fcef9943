//go:build unix

package cmd

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// inbox is a receiver of messages that takes everything.
type inbox struct {
	*httptest.Server
	mu       sync.Mutex
	messages []string
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	i := &inbox{}
	i.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		i.messages = append(i.messages, string(body))
	}))
	t.Cleanup(i.Close)
	return i
}

// count returns how many messages speak of something.
func (i *inbox) count(of string) (n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, m := range i.messages {
		if strings.Contains(m, of) {
			n++
		}
	}
	return n
}

// script writes a program beside the policy.
func (r *recorder) script(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.folder, name), []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		r.t.Fatal(err)
	}
}

// TestTheEndTellsEverything ends an audit that keeps nothing while a program of it hangs: the
// violations and what a program asks for at the end are told, and only then the capture goes.
func TestTheEndTellsEverything(t *testing.T) {
	t.Parallel()
	receiver := newInbox(t)
	r := newRecorder(t, fmt.Sprintf(`version: 1
allow: ["*.canada.ca"]
notify:
  to: [{name: lab, webhook: %s}]
on:
  - {when: {hosts: [h0.example]}, run: [./hang.sh], timeout: 1m}
  - {when: {events: [summary]}, run: [./last.sh]}
`, receiver.URL))
	r.script("hang.sh", "sleep 60\n")
	r.script("last.sh", `echo '{"notify": {"text": "PROGRAM SAYS"}}'`+"\n")
	audit, client := r.start("--keep", "none")
	r.contact(client, 0, 1, 1)
	eventually(t, r.ctx, "the first message", func() bool { return receiver.count("h0.example") > 0 })
	r.contact(client, 1, 2, 1) // waits for the time of a group
	if left, _ := filepath.Glob(filepath.Join(r.folder, "data", "telltale", "captures", "*.telltale")); len(left) != 1 {
		t.Errorf("the capture is not there while it is recorded: %q", left)
	}
	if err := audit.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = audit.Wait() // 1, for violations
	for _, want := range []string{"h0.example", "h1.example", "PROGRAM SAYS"} {
		if n := receiver.count(want); n != 1 {
			t.Errorf("%s stands in %d messages", want, n)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(r.folder, "data", "telltale", "captures", "*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// TestEarlierSessionsAreNoNews records into the same capture twice: no program is run for
// what happened in the first session, not for devices either.
func TestEarlierSessionsAreNoNews(t *testing.T) {
	t.Parallel()
	r := newRecorder(t, `version: 1
allow: ["*.canada.ca"]
on:
  - {when: {events: [violation, device]}, run: [./log.sh], environment: [SEEN]}
`)
	r.env = append(r.env, "SEEN="+filepath.Join(r.folder, "seen"))
	r.script("log.sh", `echo "$TELLTALE_EVENT" >> "$SEEN"`+"\n")
	seen := func() []string {
		lines, _ := os.ReadFile(filepath.Join(r.folder, "seen"))
		return strings.Fields(string(lines))
	}
	const hosts, more = 5, 2
	for session, want := range []int{hosts + 1, hosts + 1 + more} {
		audit, client := r.start("--save", "audit.telltale")
		if session == 0 {
			r.contact(client, 0, hosts, 1)
		} else {
			r.contact(client, 0, hosts+more, 1)
		}
		eventually(t, r.ctx, "the programs", func() bool { return len(seen()) >= want })
		if err := audit.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		_ = audit.Wait() // 1, for violations
		events := map[string]int{}
		for _, id := range seen() {
			events[id]++
		}
		if len(events) != want || len(seen()) != want {
			t.Errorf("session %d: %d programs ran for %d events, want %d", session+1, len(seen()), len(events), want)
		}
	}
}

// TestIssuesRevealNothing records with --reveal while the tracker is away: the issue that
// waits, on disk, shows nothing that reports hide.
func TestIssuesRevealNothing(t *testing.T) {
	t.Parallel()
	r := newRecorder(t, `version: 1
allow: ["*.canada.ca"]
never-send: [{name: e-mail, value: topsecret@example.org}]
notify:
  timeout: 500ms
  to: [{name: tracker, github: owner/repository, token: "${GHT}", api: "http://127.0.0.1:1"}]
`)
	r.env = append(r.env, "GHT=abc")
	audit, client := r.start("--save", "audit.telltale", "--reveal")
	answer, err := client.Get("http://h0.example/?m=topsecret@example.org")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if err := audit.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = audit.Wait() // 2: it waits
	files, _ := filepath.Glob(filepath.Join(r.folder, "data", "telltale", "notify", "*"))
	var kept strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		kept.Write(content)
	}
	if !strings.Contains(kept.String(), "h0.example") || strings.Contains(kept.String(), "topsecret") {
		t.Errorf("%d bytes wait in %q: the violation %v, the secret %v", kept.Len(), files, strings.Contains(kept.String(), "h0.example"), strings.Contains(kept.String(), "topsecret"))
	}
}

// TestIdleTellsNobody records a device at rest: that has no verdict, so nobody hears of any.
func TestIdleTellsNobody(t *testing.T) {
	t.Parallel()
	receiver := newInbox(t)
	r := newRecorder(t, fmt.Sprintf("version: 1\nallow: [\"*.canada.ca\"]\nnotify:\n  to: [{name: lab, webhook: %s}]\n", receiver.URL))
	audit, client := r.start("--idle", "--save", "idle.telltale")
	r.contact(client, 0, 1, 1)
	if err := audit.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := audit.Wait(); err != nil {
		t.Error(err)
	}
	if n := receiver.count(""); n > 0 {
		t.Errorf("%d messages", n)
	}
}

// TestCapturesThatNobodyKeepsGoAfterAKill kills a recorder that keeps nothing: the next start
// removes what it left.
func TestCapturesThatNobodyKeepsGoAfterAKill(t *testing.T) {
	t.Parallel()
	r := newRecorder(t, "version: 1\nallow: [\"*.canada.ca\"]\n")
	killed, client := r.start("--keep", "none")
	r.contact(client, 0, 1, 1)
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait()
	left := func() []string {
		files, _ := filepath.Glob(filepath.Join(r.folder, "data", "telltale", "captures", "*.telltale"))
		return files
	}
	if len(left()) != 1 {
		t.Errorf("before: %q", left())
	}
	next, _ := r.start("--keep", "none")
	if err := next.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = next.Wait()
	if len(left()) > 0 {
		t.Errorf("after: %q", left())
	}
}
