package drive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"telltale/flow/plain"
)

const (
	patience  = 20 * time.Second // of a step that names none
	lingering = 2 * time.Second  // for programs that a command leaves behind, as adb does its server
	maxOutput = 64 << 10         // bytes of output that are kept
	maxQuoted = 600              // bytes of output that an error quotes
)

// An Error is a command that failed.
type Error struct {
	Do     string   // what it was for; "" outside a plan
	Argv   []string // the command
	Reason string   // what went wrong
	Output string   // what it said, raw: Error makes it harmless
	Advice string
	Err    error // the cause; nil where the command ended well but not as expected
}

// Error returns what failed, why, and what the command said, harmless.
func (e *Error) Error() string {
	text := e.Reason
	if e.Do != "" {
		text = e.Do + ": " + text
	}
	said := strings.TrimSpace(e.Output)
	if len(said) > maxQuoted {
		said = strings.ToValidUTF8(said[:maxQuoted], "") + "…"
	}
	if said != "" {
		text += ": " + strings.Join(plain.Lines(said), " / ")
	}
	return text
}

// Hint returns what the person may try next; "" when there is nothing to say.
func (e *Error) Hint() string { return e.Advice }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Output runs a command, for at most a while (zero: 20 s), and returns what it
// wrote to both its outputs, at most 64 KiB, with line ends as on Unix and raw
// otherwise. It has no standard input, and none of the variables TELLTALE_*. The output is there also where the error is
// one, which is an [*Error].
func Output(ctx context.Context, limit time.Duration, argv []string) (string, error) {
	if limit == 0 {
		limit = patience
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.WaitDelay = lingering
	c.Env = environment(os.Environ())
	var out bounded
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	text := strings.ReplaceAll(string(out.kept), "\r\n", "\n")
	var reason string
	var exited *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return text, nil // it ended well; what it left behind keeps its output open
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		reason = fmt.Sprintf("no answer within %s", limit)
	case ctx.Err() != nil:
		reason = "interrupted"
	case errors.As(err, &exited) && exited.Exited():
		reason = fmt.Sprintf("exit code %d", exited.ExitCode())
	default:
		reason = err.Error()
	}
	return text, &Error{Argv: argv, Reason: reason, Output: text, Err: err}
}

// environment leaves out what is meant for telltale, as TELLTALE_CA_PASSPHRASE is: a
// program that is driven has no use for it, and adb leaves a server behind that would
// keep it.
func environment(inherited []string) []string {
	return slices.DeleteFunc(inherited, func(variable string) bool {
		return strings.HasPrefix(strings.ToUpper(variable), "TELLTALE_")
	})
}

// bounded keeps the beginning of what is written to it, and swallows the rest.
type bounded struct{ kept []byte }

func (b *bounded) Write(p []byte) (int, error) {
	b.kept = append(b.kept, p[:min(len(p), maxOutput-len(b.kept))]...)
	return len(p), nil
}

// Run carries out the plan and writes a line for each step that is over. It stops
// at the first one that fails, whose [*Error] it returns.
func (p Plan) Run(ctx context.Context, w io.Writer) error {
	for _, s := range p.Steps {
		err := s.run(ctx)
		switch {
		case err == nil:
			fmt.Fprintf(w, "✓ %s\n", s.Do)
		case s.Optional && ctx.Err() == nil:
			fmt.Fprintf(w, "– %s\n  skipped: %s\n", s.Do, err.Reason)
		default:
			fmt.Fprintf(w, "✗ %s\n", s.Do)
			return err
		}
	}
	return nil
}

func (s Step) run(ctx context.Context) *Error {
	out, err := Output(ctx, s.Patience, s.Argv)
	if err == nil && s.Says != "" && !strings.Contains(out, s.Says) {
		err = &Error{Argv: s.Argv, Reason: fmt.Sprintf("it did not say %q", s.Says), Output: out}
	}
	if err == nil && s.Check != nil {
		err = s.check(ctx)
	}
	var failed *Error
	if errors.As(err, &failed) {
		failed.Do, failed.Advice = s.Do, s.Hint
	}
	return failed
}

// check asks whether the step had its effect, again and again until it settles.
func (s Step) check(ctx context.Context) error {
	const pause = 300 * time.Millisecond
	for began := time.Now(); ; {
		out, err := Output(ctx, s.Patience, s.Check)
		if err == nil && !slices.Contains(strings.Split(strings.TrimSpace(out), "\n"), s.Shows) {
			err = &Error{Argv: s.Check, Reason: fmt.Sprintf("it had no effect: expected %q and found", s.Shows), Output: cmp.Or(strings.TrimSpace(out), "nothing")}
		}
		if err == nil || time.Since(began)+pause > s.Settle {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}
