package wireguard

import (
	"os"

	"golang.org/x/sys/windows"
)

// lockFile waits until this process alone holds the lock on f. The system lets go of
// it when f is closed, also when the process is killed.
func lockFile(f *os.File) error {
	const wholeFile = ^uint32(0)
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK,
		0, wholeFile, wholeFile, new(windows.Overlapped))
}

// tryLockFile fails where another has the lock on f.
func tryLockFile(f *os.File) error {
	const wholeFile = ^uint32(0)
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, wholeFile, wholeFile, new(windows.Overlapped))
}

// tooOpen is false: Windows keeps access in lists that a file inherits from the user's
// own folder, and its mode bits say nothing about them.
func tooOpen(os.FileMode) bool { return false }
