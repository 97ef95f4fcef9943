//go:build unix

package actions

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// launcherName is what a launcher is called in lists of processes.
const launcherName = "telltale-action"

// launchVariable has the word that a launcher must find in its lifeline as well.
const launchVariable = "TELLTALE_LAUNCH"

// What a launcher gets behind the standard descriptors.
const (
	lifelineFD = 3 + iota
	reportFD
	holdFD // only held
)

// Limits of what a program may do that no rule sets.
const (
	maxFile = 128 << 20 // bytes of a file that it writes
	// niceness is how far programs stand back behind the audit, and behind the launcher that
	// must be able to end them (setpriority(2)).
	niceness = 10
)

// watchEvery is how often a launcher looks at what runs.
const watchEvery = 25 * time.Millisecond

// A process that was started as a launcher is nothing else. This happens here, and not where
// a program begins, so that no executable with a Runner in it can forget it.
func init() {
	if isLauncher() {
		os.Exit(launch(os.Args[1], os.Args[2], os.Args[3], os.Args[3:])) //nolint:forbidigo // the process is a launcher, which ends here
	}
}

// isLauncher reports whether a Runner started this process. Its name does not say so, since
// anybody can give it: a launcher runs a program and may remove a folder, so it must find what
// only a Runner hands over. Any other process goes on as if this had not been asked.
func isLauncher() bool {
	if len(os.Args) < 4 || os.Args[0] != launcherName {
		return false
	}
	word := os.Getenv(launchVariable)
	if word == "" || !isPipe(lifelineFD) || !isPipe(reportFD) || !isHeld(os.Args[2]) || !isSaid(word) {
		return false
	}
	os.Unsetenv(launchVariable) //nolint:errcheck // the name is right; the program is not to have it
	return true
}

func isPipe(fd int) bool {
	var s unix.Stat_t
	return unix.Fstat(fd, &s) == nil && s.Mode&unix.S_IFMT == unix.S_IFIFO
}

// isHeld reports whether a path is that of a run's folder, whose lock this process has
// (flock(2): to take it once more through the descriptor that holds it succeeds).
func isHeld(path string) bool {
	var there, held unix.Stat_t
	return strings.HasPrefix(filepath.Base(path), folderPrefix) &&
		unix.Lstat(path, &there) == nil && unix.Fstat(holdFD, &held) == nil &&
		held.Mode&unix.S_IFMT == unix.S_IFDIR && there.Dev == held.Dev && there.Ino == held.Ino &&
		unix.Flock(holdFD, unix.LOCK_EX|unix.LOCK_NB) == nil
}

// isSaid reports whether a word stands in the lifeline. It does not wait for it: a Runner
// writes it before it starts anything.
func isSaid(word string) bool {
	ready, err := unix.Poll([]unix.PollFd{{Fd: lifelineFD, Events: unix.POLLIN}}, 0)
	if err != nil || ready == 0 {
		return false
	}
	said := make([]byte, len(word))
	n, err := unix.Read(lifelineFD, said)
	return err == nil && string(said[:n]) == word
}

// launch runs one program and ends it with everything it started: when the program has
// ended, when it breaks a limit, or when the lifeline ends. The name of a folder is that
// of the run, to be removed when nobody else can.
func launch(memory, folder, path string, argv []string) int {
	lifeline, reports := os.NewFile(lifelineFD, "lifeline"), os.NewFile(reportFD, "reports")
	parent := os.Getppid()
	limit, err := strconv.ParseInt(memory, 10, 64)
	if err == nil {
		err = closeOnExec()
	}
	if err == nil {
		err = adopt()
	}
	if err == nil {
		err = restrain()
	}
	how := report{}
	if err == nil {
		how, err = supervise(lifeline, limit, path, argv)
	}
	if err != nil {
		how.Start = err.Error()
	}
	document, err := json.Marshal(how)
	if err != nil {
		panic(err) // texts always encode
	}
	if _, err := reports.Write(document); (err != nil || os.Getppid() != parent) && isHeld(folder) {
		removeAll(folder) //nolint:errcheck // nobody is there to hear of it
	}
	return 0
}

// closeOnExec keeps every descriptor but the standard ones from the program, also those that
// whoever started the audit has left open.
func closeOnExec() error {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// restrain sets the limits that hold for the launcher as well as for the program.
func restrain() error {
	for resource, value := range map[int]uint64{unix.RLIMIT_CORE: 0, unix.RLIMIT_FSIZE: maxFile} {
		var now unix.Rlimit
		if err := unix.Getrlimit(resource, &now); err != nil {
			return err
		}
		value = min(value, now.Max)
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: value, Max: value}); err != nil {
			return err
		}
	}
	return nil
}

// A tree is a program and all that it has started.
type tree struct {
	root   int
	memory int64
	end    chan struct{} // closed when all is to end
	ending sync.Once
	gone   chan struct{} // closed when nothing is left
	limit  atomic.Value  // string: why it was ended
	survey survey
}

// supervise starts the program and returns when nothing of it is left.
func supervise(lifeline io.Reader, memory int64, path string, argv []string) (report, error) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT) // as when a whole service is stopped
	root, err := start(path, argv, memory)
	if err != nil {
		return report{}, err
	}
	unix.Setpriority(unix.PRIO_PGRP, root, niceness) //nolint:errcheck // it is a courtesy
	t := &tree{root: root, memory: memory, end: make(chan struct{}), gone: make(chan struct{})}
	go func() {
		io.Copy(io.Discard, lifeline) //nolint:errcheck // its end is what counts
		t.finish("")
	}()
	go func() {
		<-signals
		t.finish("")
	}()
	go t.watch()
	var how report
	t.reap(func(status unix.WaitStatus) {
		how.Exit = exitOf(status)
		t.finish("")
	})
	close(t.gone)
	if reason, ok := t.limit.Load().(string); ok {
		how.Limit = reason
	}
	return how, nil
}

// finish has all of the tree ended. The first reason counts.
func (t *tree) finish(reason string) {
	t.ending.Do(func() {
		t.limit.Store(reason)
		close(t.end)
	})
}

// start starts the program. A file that was only just written may be busy, when its
// descriptor is in a process that has not got to its own exec yet (golang.org/issue/22315):
// it will not be for long.
func start(path string, argv []string, memory int64) (pid int, err error) {
	for range 40 {
		pid, err = spawn(path, argv, memory)
		if !errors.Is(err, syscall.ETXTBSY) {
			break
		}
		time.Sleep(watchEvery)
	}
	return pid, err
}

// reap waits for every child, those that were adopted as well, until there is none.
func (t *tree) reap(ended func(unix.WaitStatus)) {
	for {
		var status unix.WaitStatus
		switch pid, err := unix.Wait4(-1, &status, 0, nil); {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return // ECHILD: nothing is left
		case pid == t.root:
			ended(status)
		}
	}
}

// watch holds the tree to its limits, and kills it in the end: again and again, because what
// is killed may just have started another.
func (t *tree) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if reason := t.broken(); reason != "" {
				t.finish(reason)
			}
			continue
		case <-t.end:
		}
		break
	}
	for {
		pause := time.Millisecond
		if !t.kill() {
			pause = 5 * time.Millisecond // what was killed has yet to go
		}
		select {
		case <-t.gone:
			return
		case <-time.After(pause):
		}
	}
}

// exitOf says how a program has ended, "" when it did well.
func exitOf(status unix.WaitStatus) string {
	switch {
	case status.Signaled():
		return fmt.Sprintf("ended by signal %d (%v)", int(status.Signal()), status.Signal())
	case status.ExitStatus() != 0:
		return fmt.Sprintf("exit code %d", status.ExitStatus())
	}
	return ""
}
