package policy

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrFileChanged is what [errors.Is] finds in the error of [WriteFile] when the file
// is not what the caller read.
var ErrFileChanged = errors.New("it changed meanwhile")

// A WriteError says why a policy file was not written. The file is as it was.
type WriteError struct {
	Path string
	Err  error // [ErrFileChanged], or of the system
}

// Error names the file and the cause.
func (e *WriteError) Error() string {
	return fmt.Sprintf("cannot write the policy %q: %v", e.Path, e.Err)
}

// Unwrap returns the cause.
func (e *WriteError) Unwrap() error { return e.Err }

// Hint says what to do about it, "" when that is not known.
func (e *WriteError) Hint() string {
	if errors.Is(e.Err, ErrFileChanged) {
		return "somebody edited it: look at it again, and decide anew"
	}
	return ""
}

// WriteFile replaces what a policy file holds, if that still is what was expected; a
// nil expected means that there is no file yet. A reader sees the former text or the
// whole new one, and after an error the former one. The file keeps its permissions, a
// new one gets 0644 less the umask; a symbolic link stays, the file that it leads to is
// replaced. Who edits the file in the instant between the last look and the rename is
// overwritten: no system can compare and rename at once. The error is a [*WriteError].
func WriteFile(path string, data, expected []byte) error {
	if err := replaceFile(path, data, expected); err != nil {
		return &WriteError{path, withoutPath(err)}
	}
	return nil
}

func replaceFile(path string, data, expected []byte) (err error) {
	target, mode, err := targetOf(path, expected)
	if err != nil {
		return err
	}
	temporary := filepath.Join(filepath.Dir(target), ".telltale-policy-"+rand.Text()[:10])
	// Not os.CreateTemp: its mode ignores the umask.
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o200)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(temporary)
		}
	}()
	_, err = file.Write(data)
	if expected != nil { // the former file's permissions, whatever the umask
		err = errors.Join(err, file.Chmod(mode))
	}
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	// Writing took its time: look again.
	if err := isExpected(target, expected); err != nil {
		return err
	}
	return os.Rename(temporary, target)
}

// targetOf returns the file to replace and its permissions, or why it may not be.
func targetOf(path string, expected []byte) (target string, mode fs.FileMode, err error) {
	target, err = filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, linkErr := os.Lstat(path); linkErr == nil {
			return "", 0, errors.New("it is a link to a file that does not exist")
		}
		return path, 0o644, isExpected(path, expected)
	}
	if err != nil {
		return "", 0, err
	}
	info, err := os.Stat(target)
	if err != nil {
		return "", 0, err
	}
	if !info.Mode().IsRegular() {
		return "", 0, errors.New("it is not a regular file")
	}
	if err := isExpected(target, expected); err != nil {
		return "", 0, err
	}
	// A rename would replace a file that its owner protects from writing.
	file, err := os.OpenFile(target, os.O_WRONLY, 0)
	if err != nil {
		return "", 0, err
	}
	return target, info.Mode().Perm(), file.Close()
}

// isExpected compares what the file holds now.
func isExpected(path string, expected []byte) error {
	now, err := os.ReadFile(path)
	switch missing := errors.Is(err, fs.ErrNotExist); {
	case err != nil && !missing:
		return err
	case missing != (expected == nil) || !bytes.Equal(now, expected):
		return ErrFileChanged
	}
	return nil
}

// withoutPath takes the operation and the temporary file's name out of an error.
func withoutPath(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
