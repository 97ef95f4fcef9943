package capture

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// fileLock makes one process the recorder of a capture. The operating system
// holds the lock on an open file beside the capture and drops it when the process ends,
// however it ends. It is not on the capture itself, where it would mix with SQLite's.
type fileLock struct {
	file *os.File
	path string
}

const lockSuffix = "-lock"

func lockPath(capture string) string { return capture + lockSuffix }

const (
	lockTries = 4
	lockPause = 20 * time.Millisecond
)

// acquire locks a capture or fails soon with a [LockedError].
func acquire(capture string) (*fileLock, error) {
	path := lockPath(capture)
	for tries := 0; ; {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		ok, err := lockFile(f)
		if err != nil {
			f.Close()
			return nil, err
		}
		if !ok {
			f.Close()
			if tries++; tries < lockTries {
				time.Sleep(lockPause) // a listing may be probing the lock just now
				continue
			}
			return nil, &LockedError{File: capture, PID: lockOwner(path)}
		}
		// The former owner may have removed the name between our open and our
		// lock: then what we hold is a file that nobody else will look at.
		if !sameFile(f, path) {
			f.Close()
			continue
		}
		if err := writeOwner(f); err != nil {
			f.Close()
			return nil, err
		}
		return &fileLock{f, path}, nil
	}
}

// isLocked reports whether a recorder holds a capture.
func isLocked(capture string) (bool, error) {
	f, err := os.OpenFile(lockPath(capture), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	ok, err := lockFile(f)
	return !ok, err
}

// Recording reports whether a process, perhaps this one, records the capture at path
// now. Where that cannot be told, it is false.
func Recording(path string) bool {
	locked, err := isLocked(path)
	return locked && err == nil
}

func sameFile(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

func writeOwner(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// lockOwner reads the recorder's process ID, for the message only.
func lockOwner(path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}
