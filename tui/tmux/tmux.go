// Package tmux drives a program in a real terminal, for the story of the screen in
// package cmd and for the pictures in the documentation.
//
// A [Terminal] is a tmux server of its own: a private socket, no configuration of
// the user's, a fixed size and exactly the environment that is asked for. It
// promises that what [Terminal.Await] returns is what a person would see at that
// moment, and that the server ends with [Terminal.Close]. Of telltale it knows how a
// list marks its cursor, no more, and it does not sleep: whoever types waits for what
// must appear first.
//
// To look at a terminal that hangs, leave out the Close and run
// `TMUX_TMPDIR=FOLDER tmux -L screen attach`; errors hold the last screen.
package tmux

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrMissing says that this machine has no tmux.
var ErrMissing = errors.New("tmux is not installed")

// wrapper runs the program and stays behind: it writes the program's process ID to
// $0, says with what code the program ended, and echoes lines, which only a
// terminal that was put back in order does.
const wrapper = `sh -c 'echo $$ >"$0.new" && mv "$0.new" "$0" && exec "$@"' "$0" "$@"; echo "exit code $?"; exec cat`

// socket is the name of the private server's socket, in a folder of its own.
const socket = "screen"

// pace is how often the screen is looked at while waiting.
const pace = 30 * time.Millisecond

// Options say what the program finds.
type Options struct {
	Columns, Rows int
	Folder        string   // working folder of the program
	Env           []string // its whole environment, but for TERM and what tmux adds
}

// Terminal is a terminal with one program in it.
type Terminal struct {
	tmux   string
	folder string // of the socket and the process ID
	env    []string
}

// Start opens a terminal and runs a program in it. The error is [ErrMissing]
// without tmux.
func Start(ctx context.Context, o Options, program ...string) (*Terminal, error) {
	path, err := exec.LookPath("tmux")
	if err != nil {
		return nil, ErrMissing
	}
	// A socket's path has room for about a hundred bytes, so it is not put beside
	// the files of a test, whose folders have long names.
	folder, err := os.MkdirTemp("", "tmux-*")
	if err != nil {
		return nil, fmt.Errorf("cannot make a folder for the terminal: %w", err)
	}
	t := &Terminal{tmux: path, folder: folder, env: append([]string{"TMUX_TMPDIR=" + folder}, o.Env...)}
	args := []string{
		"start-server", ";", "set-option", "-g", "default-terminal", "tmux-256color", ";", "set-option", "-g", "status", "off", ";",
		"new-session", "-d", "-x", strconv.Itoa(o.Columns), "-y", strconv.Itoa(o.Rows), "-c", o.Folder,
		"sh", "-c", wrapper, t.pidFile(),
	}
	if _, err := t.run(ctx, append(args, program...)...); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func (t *Terminal) pidFile() string { return filepath.Join(t.folder, "pid") }

// run runs one tmux command against the private server.
func (t *Terminal) run(ctx context.Context, args ...string) (string, error) {
	c := exec.CommandContext(ctx, t.tmux, append([]string{"-u", "-L", socket, "-f", os.DevNull}, args...)...)
	c.Env = t.env
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("tmux %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// Screen returns what is on the screen, without styles.
func (t *Terminal) Screen(ctx context.Context) (string, error) {
	return t.run(ctx, "capture-pane", "-p")
}

// Styled returns what is on the screen with its styles as escape sequences, and
// with the spaces at the ends of lines, which may be coloured.
func (t *Terminal) Styled(ctx context.Context) (string, error) {
	return t.run(ctx, "capture-pane", "-p", "-e", "-N")
}

// History returns the screen and what has left it at the top; lines that the
// terminal wrapped are joined again.
func (t *Terminal) History(ctx context.Context) (string, error) {
	return t.run(ctx, "capture-pane", "-p", "-J", "-S", "-")
}

// Press presses keys, by their names in tmux: Enter, Escape, Tab, C-c, a.
func (t *Terminal) Press(ctx context.Context, keys ...string) error {
	_, err := t.run(ctx, append([]string{"send-keys"}, keys...)...)
	return err
}

// Type types a text as it is.
func (t *Terminal) Type(ctx context.Context, text string) error {
	_, err := t.run(ctx, "send-keys", "-l", text)
	return err
}

// Resize gives the terminal another size.
func (t *Terminal) Resize(ctx context.Context, columns, rows int) error {
	_, err := t.run(ctx, "resize-window", "-x", strconv.Itoa(columns), "-y", strconv.Itoa(rows))
	return err
}

// Ask returns a fact that tmux knows about the terminal, such as
// #{alternate_on} or #{mouse_any_flag}.
func (t *Terminal) Ask(ctx context.Context, format string) (string, error) {
	out, err := t.run(ctx, "display-message", "-p", format)
	return strings.TrimSpace(out), err
}

// Await waits until the screen holds every text, and returns it. The error holds
// the last screen.
func (t *Terminal) Await(ctx context.Context, texts ...string) (string, error) {
	return t.AwaitThat(ctx, fmt.Sprintf("%q", texts), func(screen string) bool {
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return true
	})
}

// AwaitThat waits until a screen is as wanted, in words that the error repeats.
func (t *Terminal) AwaitThat(ctx context.Context, wanted string, is func(screen string) bool) (string, error) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	var last string
	for {
		screen, err := t.Screen(ctx)
		switch {
		case err == nil && is(screen):
			return screen, nil
		case err != nil && ctx.Err() == nil:
			return "", err
		case err == nil:
			last = screen
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", fmt.Errorf("the screen never showed %s: %w; it shows:\n%s", wanted, ctx.Err(), last)
		}
	}
}

// Point moves the cursor of a list, a row that starts with ▸, to the first row below
// the head of the screen that has a text.
func (t *Terminal) Point(ctx context.Context, text string) error {
	for {
		var at, want int
		_, err := t.AwaitThat(ctx, "a cursor, and a row with "+text, func(screen string) bool {
			at, want = rows(screen, text)
			return at >= 0 && want >= 0
		})
		if err != nil || at == want {
			return err
		}
		key := "Down"
		if at > want {
			key = "Up"
		}
		if err := t.Press(ctx, key); err != nil {
			return err
		}
		moved := func(screen string) bool { now, _ := rows(screen, text); return now != at }
		if _, err := t.AwaitThat(ctx, "a cursor that moves towards "+text, moved); err != nil {
			return err
		}
	}
}

// head is how many lines of the screen stand above a list.
const head = 3

// rows returns the lines of the cursor and of the first row with a text, -1 where
// there is none.
func rows(screen, text string) (at, want int) {
	at, want = -1, -1
	for i, line := range strings.Split(screen, "\n") {
		if strings.HasPrefix(line, "▸") {
			at = i
		}
		if want < 0 && i >= head && strings.Contains(line, text) {
			want = i
		}
	}
	return at, want
}

// Signal sends a signal to the program.
func (t *Terminal) Signal(sig os.Signal) error {
	text, err := os.ReadFile(t.pidFile())
	if err != nil {
		return fmt.Errorf("the program has not started: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("the program's process ID: %w", err)
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return fmt.Errorf("the program: %w", err)
	}
	return p.Signal(sig)
}

// Close ends the terminal and what runs in it.
func (t *Terminal) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _ = t.run(ctx, "kill-server") // it may never have started
	os.RemoveAll(t.folder)
}
