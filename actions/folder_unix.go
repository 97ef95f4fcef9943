//go:build unix

package actions

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// hold locks a folder, or fails with errHeld. The lock is flock's, of the folder itself:
// processes that inherit the descriptor hold it too (flock(2)).
func hold(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errHeld
		}
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	// Whoever held it before may have removed it since it was opened.
	there, err := os.Lstat(path)
	if err == nil {
		var held fs.FileInfo
		if held, err = f.Stat(); err == nil && !os.SameFile(there, held) {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// claim takes a folder that nobody holds any more, and that belongs to whom we run as:
// others use the same place for temporary files.
func claim(path string) (*folder, error) {
	lock, err := hold(path)
	if err != nil {
		return nil, err
	}
	info, err := lock.Stat()
	if err == nil {
		if system, ok := info.Sys().(*syscall.Stat_t); !ok || int(system.Uid) != os.Geteuid() {
			err = fs.ErrPermission
		}
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &folder{path: path, lock: lock}, nil
}

// remove removes the folder with all that is in it, and lets it go.
func (f *folder) remove() error {
	defer f.lock.Close()
	return removeAll(f.path)
}
