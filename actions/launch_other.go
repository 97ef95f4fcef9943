//go:build unix && !linux

package actions

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// executable returns this executable.
func executable() (string, error) { return os.Executable() }

// adopt does nothing: orphans go to the first process here.
func adopt() error { return nil }

// spawn starts a program that leads a session, and so a process group. macOS takes RLIMIT_AS
// and does not heed it (setrlimit(2) there has it as another name of RLIMIT_RSS), so memory
// is not limited.
func spawn(path string, argv []string, _ int64) (pid int, err error) {
	return syscall.ForkExec(path, argv, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true}})
}

// A survey is for systems that say what processes there are.
type survey struct{}

// broken is for systems that say what a tree of processes uses.
func (t *tree) broken() string { return "" }

// kill kills the process group. What has left it is not found.
func (t *tree) kill() (found bool) { return unix.Kill(-t.root, unix.SIGKILL) == nil }

// endMarked is for systems that show the environment of processes.
func endMarked(string) {}
