package capture

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
)

func isEOF(err error) bool { return errors.Is(err, io.EOF) }

// dataSource builds the driver's name of a file. The path is made a URI, or a
// "?" in it would start the parameters.
func dataSource(path string, params ...string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	abs = filepath.ToSlash(abs)
	if !strings.HasPrefix(abs, "/") {
		abs = "/" + abs // C:/folder
	}
	q := url.Values{}
	for i := 0; i+1 < len(params); i += 2 {
		q.Add(params[i], params[i+1])
	}
	return (&url.URL{Scheme: "file", Path: abs, OmitHost: true, RawQuery: q.Encode()}).String(), nil
}

// openWriter opens the connection that writes.
func openWriter(path string) (*conn, error) {
	dsn, err := dataSource(path, "mode", "rw",
		"_pragma", "busy_timeout(5000)",
		"_pragma", "journal_mode(wal)",
		"_pragma", "synchronous(normal)",
		"_pragma", "cache_size(-8192)",
		"_pragma", "temp_store(memory)",
		"_pragma", "secure_delete(on)", // what a row held does not outlive it
		"_pragma", "wal_autocheckpoint(2000)",
		"_pragma", "journal_size_limit(16777216)",
	)
	if err != nil {
		return nil, err
	}
	c, err := openConn(dsn)
	if err != nil {
		return nil, classify(path, err)
	}
	return c, nil
}

func openConn(dsn string) (*conn, error) {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	c, err := connector.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	return &conn{c}, nil
}

// readers are connections that only read: a pool of a few for small questions, and
// more on request for those that take long.
type readers struct {
	connector driver.Connector
	pool      *sql.DB
}

// conn returns a connection of its own.
func (r *readers) conn(ctx context.Context) (*conn, error) {
	c, err := r.connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{c}, nil
}

// openReaders opens a pool of connections that only read. Where even that needs
// to write (the index of a write-ahead log, in a folder that is read-only), the
// file is read as it stands, provided no log lies beside it.
func openReaders(path string) (*readers, error) {
	r, err := tryReaders(path, "mode", "ro")
	if err == nil {
		return r, nil
	}
	if info, statErr := os.Stat(path + "-wal"); statErr == nil && info.Size() > 0 {
		return nil, err
	}
	if r, retryErr := tryReaders(path, "mode", "ro", "immutable", "1"); retryErr == nil {
		return r, nil
	}
	return nil, err
}

func tryReaders(path string, params ...string) (*readers, error) {
	dsn, err := dataSource(path, append(params, "_pragma", "busy_timeout(5000)", "_pragma", "cache_size(-2048)", "_pragma", "temp_store(memory)")...)
	if err != nil {
		return nil, err
	}
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(2)
	db.SetConnMaxIdleTime(time.Minute)
	var tables int
	if err := db.QueryRow("SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		db.Close()
		return nil, classify(path, err)
	}
	return &readers{connector, db}, nil
}

// makeFile sees to it that the file exists and that only its owner can read it
// and what SQLite puts beside it.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		// Only a file that did not exist is opened here: closing a descriptor
		// of a file that SQLite has open elsewhere in this process would drop
		// its POSIX locks.
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
			return &FileError{File: p, Problem: "is a folder", Expected: "a file"}
		}
		if info.Mode().Perm()&0o077 != 0 {
			if err := os.Chmod(p, info.Mode().Perm()&^0o077); err != nil {
				return err
			}
		}
	}
	return nil
}
