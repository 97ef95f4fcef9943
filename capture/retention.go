package capture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Ext is the extension of capture files.
const Ext = ".telltale"

// DefaultRetention is how long a capture is kept that nobody asked to keep.
const DefaultRetention = 7 * 24 * time.Hour

// Kept is one capture in a folder.
type Kept struct {
	Path      string
	Size      int64 // bytes, with what SQLite keeps beside it
	Flows     int
	Created   time.Time
	Expires   time.Time // zero: kept until somebody removes it
	Recording bool      // a recorder holds it
	// Err says why the file cannot be read; then only Path, Size and Recording are set.
	Err error
}

// List returns the captures of a folder in the order of their names. A folder
// that does not exist has none.
func List(dir string) ([]Kept, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list captures: %w", err)
	}
	var out []Kept
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), Ext) {
			out = append(out, describe(filepath.Join(dir, e.Name())))
		}
	}
	return out, nil
}

func describe(path string) Kept {
	k := Kept{Path: path}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(path + suffix); err == nil {
			k.Size += info.Size()
		}
	}
	if k.Recording, k.Err = isLocked(path); k.Err != nil {
		return k
	}
	s, err := Open(path, Options{})
	if err != nil {
		k.Err = err
		return k
	}
	defer s.Close()
	k.Err = s.read(context.Background(), func(c *conn) error {
		n, err := c.integer("SELECT count(*) FROM flows")
		if err != nil {
			return err
		}
		k.Flows = int(n)
		if k.Created, err = c.moment("created"); err != nil {
			return err
		}
		k.Expires, err = c.moment("expires")
		return err
	})
	return k
}

// moment reads a time from meta; zero when there is none.
func (c *conn) moment(key string) (time.Time, error) {
	n, err := c.integer("SELECT value FROM meta WHERE key = ?", key)
	if err != nil || n == 0 {
		return time.Time{}, err
	}
	return time.UnixMicro(n).UTC(), nil
}

// Remove deletes a capture and what SQLite keeps beside it. It fails with a
// [LockedError] while a recorder holds it, and with a [FileError] for a file that
// is no capture: a slip of the keyboard is not to cost a file of somebody else's.
func Remove(path string) error {
	if err := checkRemovable(path); err != nil {
		return fmt.Errorf("remove capture: %w", err)
	}
	lock, err := acquire(path)
	if err != nil {
		return fmt.Errorf("remove capture: %w", err)
	}
	err = os.Remove(path)
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if e := os.Remove(path + suffix); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	if err = errors.Join(err, lock.release()); err != nil {
		return fmt.Errorf("remove capture: %w", err)
	}
	return nil
}

// checkRemovable accepts what is a capture by its content, and what is one by its
// name alone: a damaged capture has to go as well.
func checkRemovable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return &FileError{File: path, Problem: "is a folder", Expected: "a telltale capture"}
	case strings.HasSuffix(path, Ext):
		return nil
	case info.Size() == 0:
		return &FileError{File: path, Problem: "is empty", Expected: "a telltale capture"}
	}
	_, err = fileVersion(path)
	return err
}

// Purge removes the captures of a folder that have expired and returns their
// paths. One that is being recorded, or cannot be read, stays.
func Purge(dir string, now time.Time) ([]string, error) {
	kept, err := List(dir)
	if err != nil {
		return nil, err
	}
	var removed []string
	var trouble []error
	for _, k := range kept {
		if k.Err != nil || k.Recording || k.Expires.IsZero() || k.Expires.After(now) {
			continue
		}
		err := Remove(k.Path)
		var locked *LockedError
		switch {
		case err == nil:
			removed = append(removed, k.Path)
		case !errors.As(err, &locked): // else its recorder came between
			trouble = append(trouble, err)
		}
	}
	return removed, errors.Join(trouble...)
}
