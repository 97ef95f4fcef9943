package actions

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// folderPrefix begins the names of the folders that programs work in.
const folderPrefix = "telltale-action-"

// A folder is where one run works. It is held by a lock as long as the run lasts, which ends
// with the processes that have it, however they end: that is how left-overs are told.
type folder struct {
	path string
	lock *os.File
}

// makeFolder makes a folder that nobody else may look into (0700, os.MkdirTemp).
func makeFolder(parent string) (*folder, error) {
	for {
		path, err := os.MkdirTemp(parent, folderPrefix)
		if err != nil {
			return nil, err
		}
		lock, err := hold(path)
		switch {
		case err == nil:
			return &folder{path: path, lock: lock}, nil
		case !errors.Is(err, errHeld) && !errors.Is(err, fs.ErrNotExist):
			os.Remove(path)
			return nil, err
		}
		// Another process that swept took it for a left-over, before it was held.
	}
}

// removeAll removes a tree, also one in which the program has taken permissions away from
// itself.
func removeAll(path string) error {
	if os.RemoveAll(path) == nil {
		return nil
	}
	//nolint:errcheck // what could not be opened up is what the second try complains of
	filepath.WalkDir(path, func(below string, entry fs.DirEntry, err error) error {
		if entry != nil && entry.IsDir() {
			os.Chmod(below, 0o700) //nolint:gosec // a folder needs the x to be emptied
		}
		return nil
	})
	return os.RemoveAll(path)
}

// errHeld says that a folder is in use.
var errHeld = errors.New("the folder is in use")

// sweep removes folders of processes that are gone.
func sweep(parent string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	var failures []error
	for _, entry := range entries {
		if !entry.IsDir() || !strings.HasPrefix(entry.Name(), folderPrefix) {
			continue
		}
		left, err := claim(filepath.Join(parent, entry.Name()))
		if err != nil {
			continue // it is in use, somebody else's, or gone
		}
		if err := left.remove(); err != nil {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}
