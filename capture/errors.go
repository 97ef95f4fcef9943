package capture

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrNotRecorded is returned by readers of single flows on a store that keeps
// totals only.
var ErrNotRecorded = errors.New("this store keeps totals only, no flows")

// ErrNotFound is returned for a flow or a body that the capture does not hold.
var ErrNotFound = errors.New("not in this capture")

// A FileError says why a file cannot be used as a capture.
type FileError struct {
	File     string
	Problem  string // what is wrong: "is not a telltale capture"
	Expected string // what was expected instead; ""
	Err      error  // cause; may be nil
	hint     string
}

// Error names the file, the problem and what was expected.
func (e *FileError) Error() string {
	s := e.File + " " + e.Problem
	if e.Expected != "" {
		s += ": expected " + e.Expected
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// Hint says what to do next; "" when nothing is known.
func (e *FileError) Hint() string { return e.hint }

// A LockedError says that another process records into the file.
type LockedError struct {
	File string
	PID  int // of the recorder; 0 when unknown
}

// Error names the file and, when known, the process.
func (e *LockedError) Error() string {
	if e.PID != 0 {
		return fmt.Sprintf("%s is being recorded by process %d", e.File, e.PID)
	}
	return e.File + " is being recorded by another process"
}

// Hint says what to do next.
func (e *LockedError) Hint() string {
	return "stop that recorder, or save into another file with --save"
}

// classify turns SQLite's complaint about a file into a [FileError] where the
// file, and not the program, is at fault.
func classify(path string, err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_NOTADB:
		return notCapture(path, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT:
		return damaged(path, err)
	case sqlite3.SQLITE_FULL:
		return &FileError{File: path, Problem: "cannot grow: the disk is full", Err: err,
			hint: "free some space, or save to another disk"}
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		return &FileError{File: path, Problem: "cannot be opened", Err: err}
	case sqlite3.SQLITE_IOERR:
		return &FileError{File: path, Problem: "cannot be read or written", Err: err}
	}
	return fmt.Errorf("%s: %w", path, err)
}

func notCapture(path string, err error) error {
	return &FileError{File: path, Problem: "is not a telltale capture", Expected: "an SQLite database made by telltale", Err: err}
}

func damaged(path string, err error) error {
	return &FileError{File: path, Problem: "is damaged", Expected: "an intact SQLite database", Err: err,
		hint: "what is left can often be read with: sqlite3 FILE .recover"}
}
