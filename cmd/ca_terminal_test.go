//go:build unix

package cmd

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"telltale/ca"
	"telltale/tui/tmux"
)

// newTerminal opens a shell in a terminal, in an empty home.
func newTerminal(t *testing.T) *story {
	t.Helper()
	t.Parallel()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed, and the terminal is one of it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), storyPatience)
	t.Cleanup(cancel)
	s := &story{t: t, ctx: ctx, folder: t.TempDir()}
	s.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.folder, "XDG_DATA_HOME=" + filepath.Join(s.folder, "data"), "PS1=$ ", "LC_ALL=C.UTF-8"}
	terminal, err := tmux.Start(ctx, tmux.Options{Columns: 120, Rows: 40, Folder: s.folder, Env: s.env}, "sh")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(terminal.Close)
	s.terminal = terminal
	return s
}

// enters types a line.
func (s *story) enters(line string) {
	s.t.Helper()
	s.types(line)
	s.presses("Enter")
}

// A person types a passphrase twice, and once from then on; no character of it shows,
// the live screen asks before it is drawn, and a signal leaves the terminal as it was.
func TestPassphraseAtTheTerminal(t *testing.T) {
	s := newTerminal(t)
	s.enters("telltale ca rotate --ca mine --passphrase")
	s.sees("Type the passphrase of the authority's key:")
	s.enters("correct horse")
	s.sees("Type it again:")
	s.enters("correct cow")
	s.sees("the two passphrases differ; nothing was changed")
	s.enters("clear; telltale ca rotate --ca mine --passphrase")
	s.sees("Type the passphrase of the authority's key:")
	s.enters("correct horse")
	s.sees("Type it again:")
	s.enters("correct horse")
	s.sees("a new authority is in place")
	if root, err := ca.LoadRoot(s.path("mine")); err != nil || !root.Protected() {
		t.Fatalf("%v, or not protected", err)
	}

	s.enters("clear; telltale record --ca mine --listen 127.0.0.1:0 --for 100ms --keep none --allow-empty")
	s.sees("Type the passphrase of the authority's key:")
	s.enters("correct horse")
	s.sees("listening on ")

	s.enters("clear; telltale watch --ca mine --listen 127.0.0.1:0 --keep none")
	s.sees("Type the passphrase of the authority's key:")
	s.enters("correct horse")
	s.sees("Waiting for a device")
	s.presses("q")
	s.sees("$")

	s.enters("clear; telltale ca export --ca mine --with-key -o -")
	s.sees("a key does not belong on a screen")

	s.enters("clear; telltale ca passphrase --ca mine")
	s.sees("Type the passphrase of the authority's key:")
	s.presses("C-c")
	s.sees("interrupted while the passphrase was typed")
	s.enters("echo the terminal sh''ows")
	if screen := s.sees("the terminal shows"); !strings.Contains(screen, "echo the terminal sh''ows") {
		t.Errorf("what is typed after a signal does not show:\n%s", screen)
	}
	if history, err := s.terminal.History(s.ctx); err != nil || strings.Contains(history, "correct") {
		t.Errorf("the passphrase was shown (%v):\n%s", err, history)
	}
}

// At a terminal, removal asks for a word, and anything else keeps the authority.
func TestRemovalAtTheTerminal(t *testing.T) {
	s := newTerminal(t)
	if _, err := ca.Open(s.path("mine")); err != nil {
		t.Fatal(err)
	}
	s.enters("telltale ca remove --ca mine --platform ios")
	s.sees("Remove Profile", "Type remove to delete the authority from this machine:")
	s.enters("yes")
	s.sees("nothing was removed")
	if _, err := ca.Load(s.path("mine")); err != nil {
		t.Fatal(err)
	}
	s.enters("clear; telltale ca remove --ca mine --platform ios")
	s.sees("Type remove to delete the authority from this machine:")
	s.enters("remove")
	s.sees("the authority is gone from this machine", "SHA-256")
	if _, err := ca.LoadRoot(s.path("mine")); err == nil {
		t.Error("it is still there")
	}
}
