package outbox

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"modernc.org/sqlite" // also registers the driver
	sqlite3 "modernc.org/sqlite/lib"
)

// applicationID marks the SQLite file as ours ("telo" in ASCII).
const applicationID = 0x74656c6f

//go:embed schema/*.sql
var schemaFiles embed.FS

// schemaVersion is the newest version this program knows, kept in PRAGMA user_version.
// Migration N leads from version N-1 to N.
const schemaVersion = 2

// Capacity is how many messages wait at most in an outbox without a file.
const Capacity = 1000

// Options change how an outbox works. The zero value is for use.
type Options struct {
	Now func() time.Time // nil: time.Now
}

// An Outbox is safe for use by several goroutines; its file by several processes.
type Outbox struct {
	db     *sql.DB
	path   string // "" in memory
	now    func() time.Time
	owner  string // of this process' claims
	claims atomic.Int64
}

// Open opens the outbox at path, or makes it, readable by its owner alone. A file that
// cannot be used is a [*FileError].
func Open(path string, o Options) (*Outbox, error) {
	if err := makeFile(path); err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	abs = filepath.ToSlash(abs)
	if !strings.HasPrefix(abs, "/") {
		abs = "/" + abs // C:/folder
	}
	box, err := open(&url.URL{Scheme: "file", Path: abs, OmitHost: true}, "journal_mode(wal)", "secure_delete(on)")
	if err != nil {
		return nil, classify(path, err)
	}
	box.path = path
	box.set(o)
	box.db.SetMaxOpenConns(4)
	if err := box.prepare(); err != nil {
		box.db.Close()
		return nil, classify(path, err)
	}
	box.layBallast()
	return box, nil
}

// Memory returns an outbox without a file, for when there is none to be had. At most
// [Capacity] messages wait in it.
func Memory(o Options) (*Outbox, error) {
	box, err := open(&url.URL{Scheme: "file", Opaque: ":memory:"})
	if err != nil {
		return nil, fmt.Errorf("make outbox in memory: %w", err)
	}
	box.set(o)
	// Each connection to :memory: is a database of its own, so there is one, for good.
	box.db.SetMaxOpenConns(1)
	box.db.SetConnMaxIdleTime(0)
	box.db.SetConnMaxLifetime(0)
	if err := box.prepare(); err != nil {
		box.db.Close()
		return nil, fmt.Errorf("make outbox in memory: %w", err)
	}
	return box, nil
}

// open returns a pool of connections. Transactions take the lock to write at once: one that
// began by reading could not wait for it.
func open(name *url.URL, pragmas ...string) (*Outbox, error) {
	name.RawQuery = url.Values{"_txlock": {"immediate"}, "_pragma": append([]string{"busy_timeout(5000)"}, append(pragmas, "synchronous(normal)")...)}.Encode()
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	return &Outbox{db: db}, nil
}

func (o *Outbox) set(options Options) {
	o.now = options.Now
	if o.now == nil {
		o.now = time.Now
	}
	o.owner = rand.Text()
}

// Close closes the file. Messages wait for the next start.
func (o *Outbox) Close() error {
	o.trim()
	return o.db.Close()
}

// trim empties the log beside the file. What was deleted is overwritten in the file, but
// stands in the log until that is used again. Whoever reads just now keeps it from that:
// then it is for the next time.
func (o *Outbox) trim() {
	if o.path == "" {
		return
	}
	ctx := context.Background()
	conn, err := o.db.Conn(ctx)
	if err != nil {
		return
	}
	defer conn.Close()
	for _, pragma := range []string{"PRAGMA busy_timeout = 0", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA busy_timeout = 5000"} {
		_, _ = conn.ExecContext(ctx, pragma)
	}
}

// Path returns the path of the file, "" where there is none.
func (o *Outbox) Path() string { return o.path }

// prepare checks the file and brings it to our version.
func (o *Outbox) prepare() error {
	return o.change(func(tx *sql.Tx) error {
		app, version, tables, err := header(tx)
		switch {
		case err != nil:
			return err
		case app == 0 && version == 0 && tables == 0:
			return migrate(tx, 0)
		case app != applicationID:
			return &FileError{Problem: "is an SQLite database of another program"}
		case version > schemaVersion:
			return &FileError{Problem: fmt.Sprintf("was made by a newer telltale (version %d, this one knows %d)", version, schemaVersion), hint: "update telltale"}
		}
		var verdict string
		if err := tx.QueryRow("PRAGMA quick_check(1)").Scan(&verdict); err != nil {
			return err
		}
		if verdict != "ok" {
			return damaged(errors.New(verdict))
		}
		return migrate(tx, version)
	})
}

func header(tx *sql.Tx) (app, version, tables int, err error) {
	err = tx.QueryRow("SELECT (SELECT * FROM pragma_application_id), (SELECT * FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)").Scan(&app, &version, &tables)
	return app, version, tables, err
}

func migrate(tx *sql.Tx, from int) error {
	for v := from + 1; v <= schemaVersion; v++ {
		script, err := schemaFiles.ReadFile("schema/" + strconv.Itoa(v) + ".sql")
		if err != nil {
			return err
		}
		if _, err := tx.Exec(string(script)); err != nil {
			return fmt.Errorf("migration to version %d: %w", v, err)
		}
	}
	_, err := tx.Exec(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, schemaVersion))
	return err
}

// change runs f in one transaction.
func (o *Outbox) change(f func(*sql.Tx) error) error {
	tx, err := o.db.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// millis is how times are kept.
func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64).UTC()
}

// makeFile sees to it that the file exists and that only its owner can read it and what
// SQLite puts beside it.
func makeFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		// Only a file that did not exist is opened here: closing a descriptor of one that
		// SQLite has open in this process would drop its POSIX locks.
		return f.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, p := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if info.IsDir() {
			return &FileError{File: p, Problem: "is a folder"}
		}
		if info.Mode().Perm()&0o077 != 0 {
			if err := os.Chmod(p, info.Mode().Perm()&^0o077); err != nil {
				return err
			}
		}
	}
	return nil
}

// FileError says why a file cannot be the outbox. The file is left as it is.
type FileError struct {
	File    string
	Problem string
	hint    string
	err     error
}

// Error says which file, and what is wrong with it.
func (e *FileError) Error() string {
	if e.err != nil {
		return fmt.Sprintf("outbox %s %s: %v", e.File, e.Problem, e.err)
	}
	return fmt.Sprintf("outbox %s %s", e.File, e.Problem)
}

// Unwrap returns what SQLite said.
func (e *FileError) Unwrap() error { return e.err }

// Hint says what to do: move the file away, which loses the messages that wait in it.
func (e *FileError) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	return fmt.Sprintf("mv %q %q (messages that wait in it are not sent)", e.File, e.File+".aside")
}

func damaged(err error) error { return &FileError{Problem: "is damaged", err: err} }

// classify makes errors of opening a file say which file.
func classify(path string, err error) error {
	var file *FileError
	if errors.As(err, &file) {
		if file.File == "" {
			file.File = path
		}
		return err
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff {
		case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
			return &FileError{File: path, Problem: "is damaged", err: err}
		}
	}
	return fmt.Errorf("open outbox %s: %w", path, err)
}
