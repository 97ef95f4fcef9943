package capture

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// lockOffset is far behind the process ID in the file, which must stay readable:
// locks are mandatory on Windows.
const lockOffset = 1 << 20

// lockFile takes an exclusive lock without waiting; false means somebody has it.
func lockFile(f *os.File) (bool, error) {
	at := &windows.Overlapped{Offset: lockOffset}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, windows.ERROR_LOCK_VIOLATION), errors.Is(err, windows.ERROR_IO_PENDING):
		return false, nil
	}
	return false, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
}

// release lets the next recorder in. An open file cannot be removed on Windows;
// when the next recorder has opened it by now, the removal fails, rightly.
func (l *fileLock) release() error {
	if err := l.file.Close(); err != nil {
		return err
	}
	if err := os.Remove(l.path); err != nil && !errors.Is(err, windows.ERROR_SHARING_VIOLATION) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
