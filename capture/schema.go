package capture

import (
	"context"
	"database/sql/driver"
	"embed"
	"fmt"
	"strconv"
)

// applicationID marks the SQLite file as ours ("tell" in ASCII); `file` and
// SQLite's own tools show it.
const applicationID = 0x74656c6c

//go:embed schema/*.sql
var schemaFiles embed.FS

// schemaVersion is the newest version this program knows, kept in
// PRAGMA user_version. Migration N leads from version N-1 to N.
const schemaVersion = 6

// migrate brings a file from its version to ours.
func migrate(c *conn, from int) error { return migrateTo(c, from, schemaVersion) }

// migrateTo brings a file from one version to another, all in one transaction.
func migrateTo(c *conn, from, to int) error {
	if err := c.run("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for v := from + 1; v <= to; v++ {
		script, err := schemaFiles.ReadFile("schema/" + strconv.Itoa(v) + ".sql")
		if err != nil {
			return err
		}
		if err := c.run(string(script)); err != nil {
			return fmt.Errorf("migration to version %d: %w", v, err)
		}
	}
	if err := c.run(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", applicationID, to)); err != nil {
		return err
	}
	return nil
}

// checkHeader says what the file is. An empty file is version 0.
func checkHeader(c *conn, path string) (version int, err error) {
	app, err := c.integer("PRAGMA application_id")
	if err != nil {
		return 0, classify(path, err)
	}
	v, err := c.integer("PRAGMA user_version")
	if err != nil {
		return 0, classify(path, err)
	}
	tables, err := c.integer("SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return 0, classify(path, err)
	}
	switch {
	case app == 0 && tables == 0 && v == 0:
		return 0, nil
	case app != applicationID:
		return 0, &FileError{File: path, Problem: "is an SQLite database of another program",
			Expected: fmt.Sprintf("application id %#x, found %#x", applicationID, app)}
	case v > schemaVersion:
		return 0, &FileError{File: path, Problem: "was made by a newer telltale",
			Expected: fmt.Sprintf("format version %d or older, found %d", schemaVersion, v), hint: "update telltale"}
	case v < 1:
		return 0, &FileError{File: path, Problem: "has no format version", Expected: fmt.Sprintf("1 to %d, found %d", schemaVersion, v)}
	}
	return int(v), nil
}

// conn is one SQLite connection used below database/sql, which would cost four
// times what the insertion of a row does. It is not safe for concurrent use.
type conn struct{ driver.Conn }

// run executes a script.
func (c *conn) run(script string) error {
	_, err := c.Conn.(driver.ExecerContext).ExecContext(context.Background(), script, nil)
	return err
}

// integer returns the first column of the first row as a number, 0 for NULL and
// for no row.
func (c *conn) integer(query string, args ...driver.Value) (int64, error) {
	st, err := c.prepare(query)
	if err != nil {
		return 0, err
	}
	defer st.Close()
	n, _, err := st.integer(args...)
	return n, err
}

// text is integer for a text, "" for NULL and for no row.
func (c *conn) text(query string, args ...driver.Value) (value string, err error) {
	st, err := c.prepare(query)
	if err != nil {
		return "", err
	}
	defer st.Close()
	err = st.each(func(row []driver.Value) error {
		value = columns(row).str(0)
		return nil
	}, args...)
	return value, err
}

func (c *conn) prepare(query string) (*stmt, error) {
	s, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	return &stmt{Stmt: s}, nil
}

// stmt is a prepared statement.
type stmt struct {
	driver.Stmt
	named  []driver.NamedValue // reused
	covers *rowDigest          // takes the rows that it inserts; nil for most
}

// row returns n arguments to fill in for execRow. They keep the values of the
// last use.
func (s *stmt) row(n int) []driver.NamedValue {
	for len(s.named) < n {
		s.named = append(s.named, driver.NamedValue{Ordinal: len(s.named) + 1})
	}
	return s.named[:n]
}

func (s *stmt) bind(args []driver.Value) []driver.NamedValue {
	row := s.row(len(args))
	for i, v := range args {
		row[i].Value = v
	}
	return row
}

func (s *stmt) execRow(row []driver.NamedValue) error {
	_, err := s.Stmt.(driver.StmtExecContext).ExecContext(context.Background(), row)
	return err
}

func (s *stmt) exec(args ...driver.Value) error {
	if s.covers != nil {
		s.covers.add(args)
	}
	return s.execRow(s.bind(args))
}

// integer runs a query for one number; found is false when there was no row.
func (s *stmt) integer(args ...driver.Value) (n int64, found bool, err error) {
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(context.Background(), s.bind(args))
	if err != nil {
		return 0, false, err
	}
	defer rows.Close()
	dest := make([]driver.Value, len(rows.Columns()))
	switch err := rows.Next(dest); {
	case isEOF(err):
		return 0, false, nil
	case err != nil:
		return 0, false, err
	}
	n, _ = dest[0].(int64)
	return n, true, nil
}

// each runs a query and hands every row to f; the row is reused.
func (s *stmt) each(f func(row []driver.Value) error, args ...driver.Value) error {
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(context.Background(), s.bind(args))
	if err != nil {
		return err
	}
	defer rows.Close()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(row); {
		case isEOF(err):
			return nil
		case err != nil:
			return err
		}
		if err := f(row); err != nil {
			return err
		}
	}
}
