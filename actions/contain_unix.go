//go:build unix

package actions

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
)

// run runs the program to its end, and that of everything it started. It returns how the
// program ended, "" when it did well. Between us and the program stands a launcher, which
// is this executable once more (see launch): it alone can set limits before the program
// begins, adopt what the program leaves behind, and outlive us when we are killed.
//
// The launcher gets, behind the three standard ones, the descriptors lifelineFD (its end
// says that the run is to end, also when that is because we are gone), reportFD and
// holdFD, the lock of the folder. By them, and by a word that stands in its environment and
// in the lifeline, it knows that it is one.
func (p program) run(ctx context.Context) (exit string, err error) {
	lifeline, held, err := os.Pipe()
	if err != nil {
		return "", fmt.Errorf("cannot run it: %w", err)
	}
	defer lifeline.Close()
	defer held.Close()
	reports, reported, err := os.Pipe()
	if err != nil {
		return "", fmt.Errorf("cannot run it: %w", err)
	}
	defer reports.Close()
	defer reported.Close()

	self, err := executable()
	if err != nil {
		return "", fmt.Errorf("cannot run it: %w", err)
	}
	c := exec.CommandContext(ctx, self)
	c.Args = append([]string{launcherName, strconv.FormatInt(p.memory, 10), p.folder.path, p.path}, p.arguments...)
	word := rand.Text()
	if _, err := held.WriteString(word); err != nil {
		return "", fmt.Errorf("cannot run it: %w", err)
	}
	c.Env, c.Dir = append(slices.Clip(p.environment), launchVariable+"="+word), p.folder.path
	c.Stdin, c.Stdout, c.Stderr = input(p.input), p.output, p.errors
	c.ExtraFiles = []*os.File{lifeline, reported, p.folder.lock}
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // the terminal's signals are not for it
	c.Cancel = held.Close
	c.WaitDelay = patience
	if err := c.Start(); err != nil {
		return "", fmt.Errorf("cannot run it: %w", err)
	}
	reported.Close()
	var how report
	known := make(chan error, 1)
	go func() {
		// Before Wait returns: that waits for all who can still write to the program's outputs.
		err := json.NewDecoder(reports).Decode(&how)
		if err != nil {
			endMarked(p.folder.path)
		}
		known <- err
	}()
	ended := c.Wait()
	if <-known != nil {
		return "", fmt.Errorf("its launcher is gone: %w", errors.Join(ended, ctx.Err()))
	}
	return how.result()
}

// A report is what the launcher says in the end.
type report struct {
	Start string `json:"start,omitempty"` // why the program could not be started
	Limit string `json:"limit,omitempty"` // why it was ended: a word of limits
	Exit  string `json:"exit,omitempty"`  // how the program ended, unless well
}

// limits are the reasons for which a launcher ends a run.
var limits = map[string]error{"memory": ErrMemory, "processes": ErrProcesses}

func (r report) result() (exit string, err error) {
	switch {
	case r.Start != "":
		return "", errors.New("cannot run it: " + r.Start)
	case r.Limit != "":
		return "", limits[r.Limit]
	}
	return r.Exit, nil
}
