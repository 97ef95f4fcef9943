package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// TemporaryPrefix is how the names of temporary folders begin into which a foreign capture
// is read to be watched. The lock of the capture in such a folder tells whether the
// process that made it is alive.
const TemporaryPrefix = "telltale-watch-"

// settling is how long a temporary folder without a capture may be about to get one.
const settling = time.Hour

// PurgeTemporary removes from a folder, the system's one for temporary files, the captures
// that processes left there which were killed while they watched a file, and returns the
// paths of their folders. It touches only folders of ours that belong to this user, in
// them only captures that nobody holds, and leaves a folder in which there is anything else.
func PurgeTemporary(dir string, now time.Time) ([]string, error) {
	entries, err := readFolder(dir)
	if err != nil {
		return nil, fmt.Errorf("list temporary folders: %w", err)
	}
	var removed []string
	var trouble []error
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !strings.HasPrefix(e.Name(), TemporaryPrefix) || !info.IsDir() || !isOwn(info) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		gone, err := removeTemporary(path, now.Sub(info.ModTime()) > settling)
		if err != nil {
			trouble = append(trouble, fmt.Errorf("remove a temporary folder: %w", err))
		}
		if gone {
			removed = append(removed, path)
		}
	}
	return removed, errors.Join(trouble...)
}

// removeTemporary removes a folder and the captures in it, unless somebody holds one of
// them or it has something else. An empty one goes when it is old.
func removeTemporary(path string, old bool) (gone bool, err error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return false, ignoreGone(err)
	}
	if len(entries) == 0 && !old {
		return false, nil
	}
	for _, e := range entries {
		name, beside := captureOf(e.Name())
		if !beside {
			name = e.Name()
		}
		if !e.Type().IsRegular() || !strings.HasSuffix(name, Ext) || Recording(filepath.Join(path, name)) {
			return false, nil
		}
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), Ext) {
			continue
		}
		var locked *LockedError
		if err := Remove(filepath.Join(path, e.Name())); errors.As(err, &locked) {
			return false, nil
		} else if err != nil {
			return false, ignoreGone(err)
		}
	}
	if err := purgeRemains(path); err != nil {
		return false, err
	}
	if err := os.Remove(path); err != nil {
		return false, ignoreGone(err)
	}
	return true, nil
}

// ignoreGone takes it as done that somebody else removed a file first.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
