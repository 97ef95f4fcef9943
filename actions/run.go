package actions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"telltale/event"
)

// patience is how long ended programs may take to be gone.
const patience = 5 * time.Second

// maxProcesses is how many processes one run may have at once.
const maxProcesses = 64

// A program is what is run, and within which limits.
type program struct {
	path        string
	arguments   []string // without the program's name
	environment []string
	folder      *folder // to work in
	memory      int64   // bytes
	input       []byte
	output      *answerBuffer
	errors      *lineWriter
}

// run runs one rule for one event.
func (r *Runner) run(ctx context.Context, e event.Event, by rule, show func(string)) Result {
	began := time.Now()
	result := Result{Action: by.Action}
	said, err := "", error(nil)
	result.Answer, said, err = r.ask(ctx, e, by, show)
	if err != nil {
		failure := by.failure(e, err)
		failure.Said = said
		result.Answer, result.Err = Answer{}, failure
	}
	result.Took = time.Since(began)
	return result
}

// ask runs the program and reads its answer. It returns the last line that the program said
// where that explains an error.
func (r *Runner) ask(ctx context.Context, e event.Event, by rule, show func(string)) (answer Answer, said string, err error) {
	path, err := by.program()
	if err != nil {
		return Answer{}, "", err
	}
	place, err := makeFolder(r.config.Folder)
	if err != nil {
		return Answer{}, "", fmt.Errorf("cannot make a folder for it: %w", err)
	}
	defer func() {
		if left := place.remove(); left != nil && err == nil {
			answer, err = Answer{}, fmt.Errorf("cannot remove its folder: %w", left)
		}
	}()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	ctx, cancel := context.WithTimeoutCause(ctx, by.Timeout, fmt.Errorf("%w (timeout: %v)", ErrTimeout, by.Timeout))
	defer cancel()
	env := by.environment(place.path, e.ID)
	p := program{
		path: path, arguments: by.Run[1:], environment: env.all, folder: place, memory: by.Memory, input: e.Document(),
		output: &answerBuffer{limit: by.Output, over: func() { end(fmt.Errorf("%w (output: %d bytes)", ErrOutput, by.Output)) }},
		errors: &lineWriter{show: show, mask: env.masked.Replace},
	}
	exit, err := p.run(ctx)
	last := p.errors.close()
	switch {
	case errors.Is(err, ErrMemory), errors.Is(err, ErrProcesses): // whatever it did while it was ended
		return Answer{}, "", err
	case ctx.Err() != nil:
		return Answer{}, "", ended(ctx)
	case err != nil:
		return Answer{}, last, err
	case exit != "":
		return Answer{}, last, errors.New("failed: " + exit)
	}
	reader := answerReader{event: e, destinations: r.config.Destinations, now: r.config.Now(), mask: env.masked.Replace}
	answer, err = reader.read(p.output.kept.Bytes())
	return answer, "", err
}

// ended returns why a run was ended.
func ended(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return ErrKilled
}

// program returns where the rule's program is: relative to the policy when it is written
// with a slash, else in PATH.
func (r rule) program() (string, error) {
	if len(r.Run) == 0 || r.Run[0] == "" {
		return "", errors.New("run names no program")
	}
	name := r.Run[0]
	switch {
	case !strings.ContainsAny(name, "/"+string(os.PathSeparator)):
	case !filepath.IsAbs(name):
		name = filepath.Join(r.folder, name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		var reason *exec.Error
		if errors.As(err, &reason) {
			err = reason.Err // the program is named already
		}
		return "", fmt.Errorf("cannot run it: %w", err)
	}
	return path, nil
}

// input returns what is to stand on standard input. A program that does not read it, or not
// to its end, is in its right: os/exec overlooks the broken pipe.
func input(document []byte) io.Reader { return bytes.NewReader(document) }
