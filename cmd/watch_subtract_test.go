//go:build unix

package cmd

import (
	"fmt"
	"strings"
	"testing"
)

// probesHAR is a capture of so many reachability checks, one a second.
func probesHAR(n int) string {
	entries := make([]string, n)
	for i := range entries {
		entries[i] = fmt.Sprintf(`{"startedDateTime":"2026-11-20T12:00:%02d.000Z","time":1,
			"request":{"method":"HEAD","url":"https://clients3.google.com/generate_204","httpVersion":"HTTP/2","headers":[]},
			"response":{"status":204,"statusText":"","httpVersion":"HTTP/2","headers":[],"content":{"size":0,"mimeType":""}}}`, i)
	}
	return `{"log":{"version":"1.2","creator":{"name":"handmade","version":"1"},"entries":[` + strings.Join(entries, ",") + `]}}`
}

// TestWatchSubtracts: what the phone does anyway is no violation on the screen, also where
// the policy is edited there, and the report lists it.
func TestWatchSubtracts(t *testing.T) {
	s := newStory(t)
	s.write("idle.har", probesHAR(1))
	s.startsWatching("--subtract", "idle.har", "--save", "audit.telltale", "--exit-code")
	s.connects()
	s.visits("--head", "https://clients3.google.com/generate_204")
	s.visits("https://maps.tiles.example/")
	s.sees("1 VIOLATION")
	s.presses("1")
	s.selects("maps.tiles.example")
	s.presses("a")
	s.sees("+", "enter")
	s.presses("Enter")
	s.sees("CLEAN")
	s.presses("w")
	s.sees("Write telltale.yaml")
	s.presses("Enter")
	s.sees("wrote ")
	s.presses("q")
	const listed = "HEAD clients3.google.com/generate_204"
	if said := s.ends(ExitClean); !strings.Contains(said, listed) {
		t.Errorf("what was subtracted is not listed:\n%s", said)
	}
	for _, file := range []string{"audit.telltale", "once.har"} {
		s.write("once.har", probesHAR(1))
		s.starts("watch", file, "--subtract", "idle.har", "--exit-code")
		s.sees("CLEAN")
		s.presses("q")
		if said := s.ends(ExitClean); !strings.Contains(said, listed) {
			t.Errorf("%s: what was subtracted is not listed:\n%s", file, said)
		}
	}
}

// TestWatchSubtractsNoMoreThanAtRest: what comes clearly more often than with the app closed
// counts, in a capture as in a live audit.
func TestWatchSubtractsNoMoreThanAtRest(t *testing.T) {
	s := newStory(t)
	s.write("idle.har", probesHAR(1))
	s.write("fast.har", probesHAR(9))
	s.starts("watch", "fast.har", "--subtract", "idle.har", "--exit-code")
	s.sees("1 VIOLATION")
	s.presses("q")
	const why = "the device alone does not explain it"
	if said := s.ends(ExitViolations); strings.Count(strings.Join(strings.Fields(said), " "), why) != 1 {
		t.Errorf("it is not said once why it counts:\n%s", said)
	}
	s.startsWatching("--subtract", "idle.har", "--save", "audit.telltale", "--exit-code")
	s.connects()
	for range 9 {
		s.visits("--head", "https://clients3.google.com/generate_204")
	}
	s.presses("3")
	s.sees("9 flows")
	s.presses("q")
	if said := s.ends(ExitViolations); !strings.Contains(strings.Join(strings.Fields(said), " "), why) {
		t.Errorf("it is not said why it counts:\n%s", said)
	}
	s.starts("watch", "audit.telltale", "--subtract", "idle.har", "--exit-code")
	s.sees("1 VIOLATION")
	s.presses("q")
	s.ends(ExitViolations)
}
