// Package exports remembers the files that were written from captures and are to go when
// their time is over: large bodies beside a report, for instance. What a capture holds
// is purged with it; a copy of it would stay without this index.
//
// It promises that the index is whole at every moment, whatever process is killed, that two
// processes may add to it at once, and that it never removes what it did not note: a file
// goes only when it still is a regular file with the size and the digest that it had, a
// folder only when nothing else is in it. What was changed since belongs to who changed it: it is
// left, said once, and forgotten.
//
// It does not decide what is exported, or for how long, and does not know what is in it.
//
// The index is one JSON file, readable by its owner alone, with names and digests and no
// contents; `jq . exports.json` shows it. A lock file lies beside it.
package exports

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Bounds of an index.
const (
	MaxEntries = 10_000
	MaxFiles   = 100_000 // of all entries together
)

// clockDoubt is how far ahead of the clock an export may have been made before one of the
// two clocks must have been wrong: then its expiry means nothing, and it stays.
const clockDoubt = 24 * time.Hour

// An Entry is one export.
type Entry struct {
	Path    string    `json:"path"`    // absolute: a file, or a folder with all that is in it
	Capture string    `json:"capture"` // absolute path of the capture it was made of; "" for none
	Made    time.Time `json:"made"`
	Expires time.Time `json:"expires"`
	// Files are what the export is made of. Add fills them in.
	Folder bool   `json:"folder,omitempty"`
	Files  []File `json:"files"`
}

// File is one file of an export as it was when it was added.
type File struct {
	Name   string `json:"name"` // relative to the folder, with slashes; the file's own name where there is none
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// Size returns the bytes of all its files.
func (e Entry) Size() (bytes int64) {
	for _, f := range e.Files {
		bytes += f.Size
	}
	return bytes
}

// expired reports whether its time is over.
func (e Entry) expired(now time.Time) bool {
	return !e.Expires.After(now) && !e.Made.After(now.Add(clockDoubt))
}

// A ChangedError says that an export is no longer what was written, so that it was not
// removed.
type ChangedError struct {
	Path string
	Why  string
}

// Error names the path and the reason.
func (e *ChangedError) Error() string {
	return e.Path + " was not removed, and is not looked after any more: " + e.Why
}

// Add notes an export that was written: the file or the folder at e.Path, as it is now.
// An entry of the same path is replaced. Paths are made absolute. It fails for what is
// neither a regular file nor a folder of such, and where the index is full.
func Add(index string, e Entry) error {
	if err := add(index, e); err != nil {
		return fmt.Errorf("note the export %s: %w", e.Path, err)
	}
	return nil
}

func add(index string, e Entry) (err error) {
	if e.Expires.IsZero() {
		return errors.New("it has no expiry, and there is nothing to look after")
	}
	if e.Path, err = filepath.Abs(e.Path); err != nil {
		return err
	}
	if e.Capture != "" {
		if e.Capture, err = filepath.Abs(e.Capture); err != nil {
			return err
		}
	}
	e.Made, e.Expires = e.Made.UTC(), e.Expires.UTC()
	if e.Folder, e.Files, err = survey(e.Path); err != nil {
		return err
	}
	return change(index, func(entries []Entry) ([]Entry, error) {
		entries = slices.DeleteFunc(entries, func(old Entry) bool { return old.Path == e.Path })
		entries = append(entries, e)
		return entries, bounded(entries)
	})
}

func bounded(entries []Entry) error {
	files := 0
	for _, e := range entries {
		files += len(e.Files)
	}
	if len(entries) > MaxEntries || files > MaxFiles {
		return fmt.Errorf("the index has %d exports with %d files: at most %d and %d are kept", len(entries), files, MaxEntries, MaxFiles)
	}
	return nil
}

// List returns all exports, those that expire first before others. An index that does not
// exist has none.
func List(index string) ([]Entry, error) {
	entries, err := read(index)
	if err != nil {
		return nil, fmt.Errorf("list exports: %w", err)
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(a.Expires.Compare(b.Expires), strings.Compare(a.Path, b.Path))
	})
	return entries, nil
}

// OfCapture returns the exports of one capture, as List does.
func OfCapture(index, capture string) ([]Entry, error) {
	of, err := ofCapture(capture)
	if err != nil {
		return nil, fmt.Errorf("list exports: %w", err)
	}
	entries, err := List(index)
	return slices.DeleteFunc(entries, func(e Entry) bool { return !of(e) }), err
}

func ofCapture(capture string) (func(Entry) bool, error) {
	path, err := filepath.Abs(capture)
	return func(e Entry) bool { return e.Capture == path }, err
}

// Purge removes the exports whose time is over and returns their paths. What cannot be
// removed just now stays in the index; what was changed since is left and forgotten, which
// errors.As finds as a [ChangedError].
func Purge(index string, now time.Time) (removed []string, err error) {
	if removed, err = remove(index, func(e Entry) bool { return e.expired(now) }); err != nil {
		return removed, fmt.Errorf("remove expired exports: %w", err)
	}
	return removed, nil
}

// Remove removes the exports of a capture, as Purge does, before their time: it is for
// those who remove the capture.
func Remove(index, capture string) (removed []string, err error) {
	of, err := ofCapture(capture)
	if err == nil {
		removed, err = remove(index, of)
	}
	if err != nil {
		return removed, fmt.Errorf("remove exports of %s: %w", capture, err)
	}
	return removed, nil
}

func remove(index string, due func(Entry) bool) (removed []string, err error) {
	// Most of the time nothing is due: that is seen without a lock.
	entries, err := read(index)
	if err != nil || !slices.ContainsFunc(entries, due) {
		return nil, err
	}
	var trouble []error
	err = change(index, func(entries []Entry) ([]Entry, error) {
		return slices.DeleteFunc(entries, func(e Entry) bool {
			if !due(e) {
				return false
			}
			gone, err := e.remove()
			var changed *ChangedError
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return true // somebody did it
			case err != nil:
				trouble = append(trouble, err)
			case gone:
				removed = append(removed, e.Path)
			}
			return err == nil || errors.As(err, &changed) // whose other files are gone
		}), nil
	})
	return removed, errors.Join(append(trouble, err)...)
}
