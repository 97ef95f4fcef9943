package exports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	// maxIndex is more than any index that was written has.
	maxIndex = 64 << 20
	// lockPatience is how long another process may hold the index, lockPause how often it
	// is asked for.
	lockPatience = 5 * time.Second
	lockPause    = 10 * time.Millisecond
)

// document is the index as it is written.
type document struct {
	Schema  string  `json:"schema"`
	Exports []Entry `json:"exports"`
}

const schema = "telltale.exports/1"

// A DamagedError says that an index cannot be read. Nothing is removed then.
type DamagedError struct {
	File string
	Err  error
}

// Error names the file and the reason.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s is no index of exports: %v", e.File, e.Err)
}

// Unwrap returns the reason.
func (e *DamagedError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *DamagedError) Hint() string {
	return "remove the exports that it should name by hand, then the file itself"
}

// read returns what the index has; none where it does not exist.
func read(index string) ([]Entry, error) {
	f, err := os.Open(index)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxIndex+1))
	if err != nil {
		return nil, err
	}
	entries, err := parse(b)
	if err != nil {
		return nil, &DamagedError{index, err}
	}
	return entries, nil
}

func parse(b []byte) ([]Entry, error) {
	if len(b) > maxIndex {
		return nil, fmt.Errorf("it has more than %d bytes", maxIndex)
	}
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, err
	}
	if d.Schema != schema {
		return nil, fmt.Errorf("its schema is %q: expected %q", d.Schema, schema)
	}
	for _, e := range d.Exports {
		if err := e.check(); err != nil {
			return nil, err
		}
	}
	return d.Exports, bounded(d.Exports)
}

// check fails for an entry that Add did not make.
func (e Entry) check() error {
	if !filepath.IsAbs(e.Path) || filepath.Clean(e.Path) != e.Path || e.Capture != "" && !filepath.IsAbs(e.Capture) {
		return fmt.Errorf("the path %q, or that of its capture, is not absolute", e.Path)
	}
	if e.Expires.IsZero() {
		return fmt.Errorf("the export %q has no expiry", e.Path)
	}
	if !e.Folder && (len(e.Files) != 1 || e.Files[0].Name != filepath.Base(e.Path)) {
		return fmt.Errorf("the export %q is not made of itself", e.Path)
	}
	for _, f := range e.Files {
		if !fs.ValidPath(f.Name) || f.Name == "." || !filepath.IsLocal(filepath.FromSlash(f.Name)) || len(f.SHA256) != 64 || f.Size < 0 {
			return fmt.Errorf("the export %q has a file %q with the digest %q", e.Path, f.Name, f.SHA256)
		}
	}
	return nil
}

// change replaces what the index has, while no other process does.
func change(index string, with func([]Entry) ([]Entry, error)) (err error) {
	if err := os.MkdirAll(filepath.Dir(index), 0o700); err != nil {
		return err
	}
	lock, err := acquire(index + "-lock")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	entries, err := read(index)
	if err != nil {
		return err
	}
	if entries, err = with(entries); err != nil {
		return err
	}
	b, err := json.MarshalIndent(document{schema, entries}, "", "\t")
	if err != nil {
		return err
	}
	return replace(index, append(b, '\n'))
}

// acquire takes the lock, which the system drops when the file is closed or the process
// ends.
func acquire(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for start := time.Now(); ; time.Sleep(lockPause) {
		locked, err := tryLock(f)
		switch {
		case err == nil && locked:
			return f, nil
		case err == nil && time.Since(start) > lockPatience:
			err = fmt.Errorf("another process holds %s", path)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
	}
}

// replace puts a new file in the place of one, all of it or nothing. The lock is held.
func replace(path string, content []byte) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
