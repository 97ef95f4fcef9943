//go:build unix

package cmd

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"telltale/capture"
	"telltale/tui/tmux"
)

// awaitEnd waits until nobody records a capture any more, and holds it to being
// complete.
func (s *story) awaitEnd(name string) {
	s.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for capture.Recording(s.path(name)) {
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			s.t.Fatalf("%s is still being recorded", name)
		}
	}
	store, err := capture.Open(s.path(name), capture.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	defer store.Close()
	if sum := store.Summary(); len(sum.Health.Notes) > 0 || sum.Health.Open > 0 {
		s.t.Errorf("%s was not closed: %q, %d open flows", name, sum.Health.Notes, sum.Health.Open)
	}
	if _, err := os.Stat(s.path(name) + "-lock"); !errors.Is(err, fs.ErrNotExist) {
		s.t.Errorf("the lock is still there: %v", err)
	}
}

// TestWatchOutlivesItsTerminal: somebody closes the window, or the connection to
// the machine breaks. Nothing recorded is lost, and the reports are there.
func TestWatchOutlivesItsTerminal(t *testing.T) {
	s := newStory(t)
	s.startsWatching("--save", "audit.telltale", "--report", "audit.md", "--report", "audit.json")
	s.connects()
	s.visits("--head", "https://clients3.google.com/generate_204")
	s.sees("1 VIOLATION")
	s.terminal.Close()
	s.awaitFile("audit.md", "clients3.google.com")
	s.awaitFile("audit.json", "captive-portal-probe")
	s.awaitEnd("audit.telltale")
}

// TestWatchEndsOnHangUp: the last lines say where everything is, also of an audit
// that a signal ended.
func TestWatchEndsOnHangUp(t *testing.T) {
	s := newStory(t)
	s.startsWatching("--save", "audit.telltale", "--report", "audit.json", "--exit-code")
	s.connects()
	s.visits("--head", "https://clients3.google.com/generate_204")
	s.sees("1 VIOLATION")
	if err := s.terminal.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	said := s.ends(ExitViolations)
	const last = "\nverdict: violations: 1 violation, 1 of 1 flow, 1 host\ncapture: audit.telltale\nreport: audit.json\nexit code 1\n"
	if !strings.Contains(said, last) {
		t.Errorf("the last lines are not%s\nbut:\n%s", last, said)
	}
	s.awaitEnd("audit.telltale")
}

// TestRecordOutlivesItsTerminal: record ends as it does on SIGTERM.
func TestRecordOutlivesItsTerminal(t *testing.T) {
	s := newStory(t)
	s.starts("record", "--listen", "127.0.0.1:0", "--save", "audit.telltale", "--report", "audit.md", "--allow-empty")
	s.sees("press Ctrl-C")
	s.terminal.Close()
	s.awaitFile("audit.md", "telltale")
	s.awaitEnd("audit.telltale")
}

// TestLeavingSaysWhatItWaitsFor: an event stream is open. One Ctrl-C does not wait
// for it.
func TestLeavingSaysWhatItWaitsFor(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	address := regexp.MustCompile(`127\.0\.0\.1:(\d+)`)
	flags := []string{"--listen", "127.0.0.1:0", "--allow-local", "--keep", "none"}
	for command, ready := range map[string]string{"watch": "Waiting for a device", "record": "press Ctrl-C"} {
		t.Run(command, func(t *testing.T) {
			s := newStory(t)
			s.env = append(s.env, graceVariable+"="+longGrace.String())
			s.starts(append([]string{command}, flags...)...)
			holdOpen(t, address.FindString(s.sees(ready, "127.0.0.1:")), l)
			// Pressed, Ctrl-C would end the shell around the program as well.
			interrupt := func() {
				if err := s.terminal.Signal(os.Interrupt); err != nil {
					t.Fatal(err)
				}
			}
			if command == "watch" {
				s.presses("3")
				s.sees("1 flow")
				s.presses("q")
			} else {
				interrupt()
			}
			s.sees("waiting for 1 flow that is under way; Ctrl-C ends now")
			interrupt()
			s.ends(ExitFailed) // before storyPatience does, which is far shorter than longGrace
		})
	}
}

// TestWatchSaysThatACaptureIsRecorded: what is shown stands still.
func TestWatchSaysThatACaptureIsRecorded(t *testing.T) {
	s := newStory(t)
	s.startsWatching("--save", "audit.telltale")
	recorder := s.terminal
	s.starts("watch", "audit.telltale")
	s.sees("is being recorded")
	s.presses("q")
	const warning = "warning: audit.telltale is being recorded: what comes from now on is not shown"
	if said := s.ends(ExitClean); !strings.Contains(said, warning) {
		t.Errorf("no warning:\n%s", said)
	}
	s.terminal = recorder
	s.presses("q")
	s.ends(ExitClean)
	s.starts("watch", "audit.telltale")
	s.sees("audit.telltale")
	s.presses("q")
	if said := s.ends(ExitClean); strings.Contains(said, "is being recorded") {
		t.Errorf("nobody records it:\n%s", said)
	}
}

// TestWatchNeedsATerminalThatDraws: some editors run programs in what is no more
// than a typewriter.
func TestWatchNeedsATerminalThatDraws(t *testing.T) {
	s := newStory(t)
	for _, program := range [][]string{{"env", "TERM=dumb", "telltale", "watch"}, {"env", "TERM=", "telltale", "watch"}, {"env", "TERM=dumb", "telltale", "demo", "--watch"}} {
		terminal, err := tmux.Start(s.ctx, tmux.Options{Columns: 120, Rows: 40, Folder: s.folder, Env: s.env}, program...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(terminal.Close)
		s.terminal = terminal
		said := s.ends(ExitFailed)
		for _, want := range []string{"needs a terminal that can be drawn on, and TERM is", "hint: telltale "} {
			if !strings.Contains(said, want) {
				t.Errorf("%q: %q is missing in:\n%s", program, want, said)
			}
		}
	}
}

// TestWatchNamesOnlyReportsThatExist: what could not be written is said below the
// text, and is not among the last lines.
func TestWatchNamesOnlyReportsThatExist(t *testing.T) {
	s := newStory(t)
	s.write("empty.har", `{"log":{"version":"1.2","creator":{"name":"hand","version":"1"},"entries":[]}}`)
	if err := os.Mkdir(s.path("taken.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.starts("watch", "empty.har", "--allow-empty", "--report", "taken.json", "--report", "audit.md")
	s.sees("empty.har")
	s.presses("q")
	said := s.ends(ExitFailed)
	const last = "\nverdict: clean: 0 violations, 0 of 0 flows, 0 hosts\ncapture: empty.har\nreport: audit.md\nexit code 2\n"
	if !strings.Contains(said, last) || !strings.Contains(said, "error: ") || !strings.Contains(said, "taken.json") {
		t.Errorf("the last lines are not%s\nbut:\n%s", last, said)
	}
}
