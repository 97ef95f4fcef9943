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

// clockDoubt is how far ahead of the clock a capture may have been made before one of the
// two clocks must have been wrong.
const clockDoubt = 24 * time.Hour

// Ahead reports whether the capture says that it was made more than a day after now: a
// clock was wrong, then or now, so that its expiry means nothing. It stays until somebody
// removes it by name.
func (k Kept) Ahead(now time.Time) bool { return k.Created.After(now.Add(clockDoubt)) }

// Expired reports whether [Purge] removes the capture now: its time is over, it can be read,
// nobody records it, and its clock is to be believed. Times are moments, so that neither
// the zone nor daylight saving matters; a clock that was put back only lets it stay longer.
func (k Kept) Expired(now time.Time) bool {
	return k.Err == nil && !k.Recording && !k.Expires.IsZero() && !k.Expires.After(now) && !k.Ahead(now)
}

// besides are the endings of the names of what SQLite keeps beside a capture.
var besides = []string{"-wal", "-shm", "-journal"}

// List returns the captures of a folder in the order of their names. A folder
// that does not exist has none.
func List(dir string) ([]Kept, error) {
	entries, err := readFolder(dir)
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

// readFolder returns what is in a folder; nothing is in one that does not exist.
func readFolder(dir string) ([]os.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

func describe(path string) Kept {
	k := Kept{Path: path}
	for _, suffix := range append([]string{""}, besides...) {
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
	// The capture goes last: what is left of a removal that was cut off is still listed.
	if err = removeBesides(path); err == nil {
		err = os.Remove(path)
	}
	if err = errors.Join(err, lock.release()); err != nil {
		return fmt.Errorf("remove capture: %w", err)
	}
	return nil
}

// removeBesides removes what lies beside a capture, whose lock is held.
func removeBesides(path string) (err error) {
	for _, suffix := range besides {
		if e := os.Remove(path + suffix); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
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

// Purge removes the captures of a folder that have expired, and returns their paths. What
// is being recorded stays, and so does what cannot be read (see Kept.Err), what is kept for
// good, and what was made ahead of the clock (see Kept.Ahead). What lies there of captures
// that are gone, such as a write-ahead log, goes as well. The captures of which needed says
// so stay, too; nil needs none.
func Purge(dir string, now time.Time, needed func(path string) bool) ([]string, error) {
	kept, err := List(dir)
	if err != nil {
		return nil, err
	}
	var removed []string
	var trouble []error
	for _, k := range kept {
		if !k.Expired(now) || needed != nil && needed(k.Path) {
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
	trouble = append(trouble, purgeRemains(dir))
	return removed, errors.Join(trouble...)
}

// purgeRemains removes what lies beside captures that are gone.
func purgeRemains(dir string) error {
	entries, err := readFolder(dir)
	if err != nil {
		return fmt.Errorf("list captures: %w", err)
	}
	var trouble []error
	for _, e := range entries {
		name, remains := captureOf(e.Name())
		if !remains || !e.Type().IsRegular() {
			continue
		}
		if err := removeRemains(filepath.Join(dir, name)); err != nil {
			trouble = append(trouble, fmt.Errorf("remove what is left of a capture: %w", err))
		}
	}
	return errors.Join(trouble...)
}

// captureOf returns the name of the capture that a file lies beside.
func captureOf(name string) (capture string, beside bool) {
	for _, suffix := range append([]string{lockSuffix}, besides...) {
		if capture, beside = strings.CutSuffix(name, suffix); beside && strings.HasSuffix(capture, Ext) {
			return capture, true
		}
	}
	return "", false
}

// removeRemains removes what lies beside a capture that is not there. A recorder takes the
// lock before it makes the file.
func removeRemains(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	lock, err := acquire(path)
	if err != nil {
		var locked *LockedError
		if errors.As(err, &locked) {
			return nil
		}
		return err
	}
	if _, e := os.Lstat(path); errors.Is(e, fs.ErrNotExist) {
		err = removeBesides(path)
	}
	return errors.Join(err, lock.release())
}
