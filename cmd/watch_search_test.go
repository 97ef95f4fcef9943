//go:build unix

package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// endlessApp is a file that takes hours to search: a gap of a terabyte, which takes no room.
func endlessApp(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "endless.bin")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(1 << 40); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestWatchLeavesTheSearchOut: who does not want to wait for the search in the app presses
// Ctrl-C, and has the reports without it.
func TestWatchLeavesTheSearchOut(t *testing.T) {
	s := newStory(t)
	app := endlessApp(t)
	leave := func(report string) {
		t.Helper()
		s.sees("1 VIOLATION")
		s.presses("q")
		s.sees("searching: 1 file")
		<-time.After(bounce + 50*time.Millisecond) // sooner after the key that leaves, it is the same wish
		if err := s.terminal.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if said := s.ends(ExitFailed); !strings.Contains(said, "error: --app: interrupted before all of the app was searched") {
			t.Errorf("it is not said:\n%s", said)
		}
		if text := s.awaitFile(report, "captive-portal-probe"); strings.Contains(text, `"origins"`) {
			t.Errorf("%s has origins of a search that was interrupted:\n%s", report, text)
		}
	}
	s.startsWatching("--save", "audit.telltale", "--app", app, "--report", "live.json")
	s.connects()
	s.visits("--head", "https://clients3.google.com/generate_204")
	leave("live.json")
	s.starts("watch", "audit.telltale", "--app", app, "--report", "later.json")
	leave("later.json")
}
