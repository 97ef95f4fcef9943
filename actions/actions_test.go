package actions

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"telltale/event"
	"telltale/policy"
)

// auditVariable has a test's executable be an audit that runs one program: the policy, the
// program and the folder for folders, one on each line.
const auditVariable = "TELLTALE_TEST_AUDIT"

func TestMain(m *testing.M) {
	if what := strings.Split(os.Getenv(auditVariable), "\n"); len(what) == 3 {
		r := New(Config{
			Rules:  []policy.Action{{Run: []string{what[1]}, Timeout: time.Hour, Source: policy.Source{File: what[0]}}},
			Folder: what[2],
			Output: func(l Line) { fmt.Println(l.Text) },
		})
		r.Offer(violation())
		r.Close(context.Background())
		return
	}
	goleak.VerifyTestMain(m)
}

// auditOf starts an audit in a process of its own, to be killed.
func auditOf(t *testing.T, policyFile, program, folder string) (*exec.Cmd, *transcript) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	said := &transcript{}
	c := exec.Command(self)
	c.Env = append(os.Environ(), auditVariable+"="+policyFile+"\n"+program+"\n"+folder)
	c.Stdout, c.Stderr = said, said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill() })
	return c, said
}

// A transcript is what a process says, which may be looked at meanwhile.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until something is true.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick, late := time.NewTicker(5*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("never happened: " + what)
		}
	}
}

// violation is an event that most tests offer.
func violation() event.Event {
	return event.Event{
		Kind: event.OfViolation, ID: "a1b2-7", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Audit: "a1b2",
		Violation: &event.Violation{ID: "0123456789abcdef", Rule: "tracker", Severity: "error", Host: "ads.example", Count: 1},
	}
}

// script writes a program for sh, and returns an action that runs it.
func script(t *testing.T, text string) policy.Action {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the programs of this test are for sh, which Windows does not have")
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "program.sh"), []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return policy.Action{
		Run: []string{"./program.sh"}, Timeout: time.Minute,
		Source: policy.Source{File: filepath.Join(folder, "telltale.yaml"), Line: 31},
	}
}

// one runs a script for one event, in a place that must be empty afterwards.
func one(t *testing.T, a policy.Action, change ...func(*Config)) Result {
	t.Helper()
	c := Config{Rules: []policy.Action{a}, Folder: t.TempDir(), Destinations: []string{"lab", "privacy"}}
	for _, each := range change {
		each(&c)
	}
	r := New(c)
	defer r.Close(t.Context())
	results := r.Run(t.Context(), violation())
	if len(results) != 1 {
		t.Fatalf("%d results", len(results))
	}
	if left, err := os.ReadDir(c.Folder); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	return results[0]
}

func TestAnswerOfAProgram(t *testing.T) {
	result := one(t, script(t, `cat >event.json; echo "looking at it" >&2
printf '{"annotate": "%s"}' "$(wc -l <event.json | tr -d " ") lines, $TELLTALE_EVENT"`))
	if result.Err != nil || result.Answer.Annotate != "0 lines, a1b2-7" || strings.Join(result.Output, "|") != "looking at it" {
		t.Errorf("%+v", result)
	}
}
