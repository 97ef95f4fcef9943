//go:build !windows

package ca

import (
	"errors"
	"os"
	"syscall"
)

// lockFile waits until this process alone holds the lock on f. The kernel lets
// go of it when f is closed, also when the process is killed.
func lockFile(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// syncDir makes the names in a folder survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	// Some network file systems cannot sync a folder; the rename stands.
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}

// tooOpen reports whether others than the owner may read or write a private file.
func tooOpen(mode os.FileMode) bool { return mode.Perm()&0o077 != 0 }

// othersWrite reports whether others than the owner may change a folder's files.
// The sticky bit keeps them from renaming over what is not theirs.
func othersWrite(mode os.FileMode) bool {
	return mode.Perm()&0o022 != 0 && mode&os.ModeSticky == 0
}
