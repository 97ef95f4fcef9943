package cmd

import (
	"bytes"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"telltale/ca"
	"telltale/capture"
	"telltale/policy"
	"telltale/tui"
)

// What net/http prints about servers does not reach the person's screen, and not
// the scripts that read it.
func TestLibrariesDoNotWriteToTheScreen(t *testing.T) {
	before, flags := slog.Default(), log.Flags()
	t.Cleanup(func() {
		slog.SetDefault(before)
		log.SetOutput(os.Stderr)
		log.SetFlags(flags)
	})
	var screen bytes.Buffer
	quietLibraries(&streams{err: &screen})
	log.Print("Unsolicited response received on idle HTTP channel")
	if screen.Len() > 0 {
		t.Errorf("printed %q", &screen)
	}
	slog.Error("the disk is full")
	if screen.Len() == 0 {
		t.Error("trouble in the tool is not printed")
	}
}

// CMD is told where the authority is, and may change its folder before it reads it.
func TestCAFolderIsAbsolute(t *testing.T) {
	if got := caFolder("ca"); !filepath.IsAbs(got) || filepath.Base(got) != "ca" {
		t.Errorf("--ca ca is %s", got)
	}
}

// Where nobody says which flows are the app's, a plain request of the system does
// not end the checklist of a device that trusts nothing yet.
func TestLastStepNeedsTLS(t *testing.T) {
	authority, err := ca.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a := &audit{flags: &liveFlags{}, authority: authority, ways: &ways{}}
	now := time.Now()
	plain := capture.Device{Addr: "192.0.2.7", First: now, Last: now, Flows: 1, Apps: []string{"CaptiveNetworkSupport-481 wispr"}}
	read := plain
	read.Decrypted = now
	for name, c := range map[string]struct {
		device capture.Device
		text   string // of the policy
		want   tui.CheckState
	}{
		"plain HTTP":                     {plain, "version: 1\nallow: [canada.ca]\n", tui.CheckWaiting},
		"TLS":                            {read, "version: 1\nallow: [canada.ca]\n", tui.CheckDone},
		"another app":                    {read, "version: 1\nallow: [canada.ca]\napp: {user-agent: \"Weather*\"}\n", tui.CheckWaiting},
		"plain HTTP of the app, by name": {plain, "version: 1\nallow: [canada.ca]\napp: {user-agent: \"CaptiveNetwork*\"}\n", tui.CheckDone},
	} {
		pol, err := policy.Parse("telltale.yaml", []byte(c.text), policyOptions())
		if err != nil {
			t.Fatal(err)
		}
		a.policy.Store(pol)
		checks := a.checklist(c.device, tui.Place{Host: "192.0.2.1", Port: "8080"}, nil, now)
		if last := checks[len(checks)-1]; last.State != c.want {
			t.Errorf("%s: %q is %v, want %v", name, last.Text, last.State, c.want)
		}
	}
}
