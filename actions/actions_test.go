package actions

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"telltale/event"
	"telltale/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
