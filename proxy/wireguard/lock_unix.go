//go:build !windows

package wireguard

import (
	"errors"
	"os"
	"syscall"
)

// lockFile waits until this process alone holds the lock on f. The kernel lets go of
// it when f is closed, also when the process is killed.
func lockFile(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// tryLockFile fails where another has the lock on f.
func tryLockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// tooOpen reports whether others than the owner may read or write a private file.
func tooOpen(mode os.FileMode) bool { return mode.Perm()&0o077 != 0 }
