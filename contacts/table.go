package contacts

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
)

// columns says at which place of a row a column stands, by its name in lower case.
type columns map[string]int

func columnsOf(header []field) columns {
	c := columns{}
	for i, f := range header {
		name := strings.ToLower(string(bytes.TrimSpace(f.text)))
		if _, twice := c[name]; !twice && len(c) < maxColumns {
			c[name] = i
		}
	}
	return c
}

// maxColumns bounds how many columns are remembered.
const maxColumns = 256

// have reports whether all these columns are there.
func (c columns) have(names ...string) bool {
	for _, name := range names {
		if _, ok := c[name]; !ok {
			return false
		}
	}
	return true
}

// table is a table while it is read.
type table struct {
	*records
	separator byte
	columns   columns
	width     int     // columns of the header
	row       []field // of the row that is being read
}

// text returns a field of the row, without the spaces around it; nil where the column or
// the field is missing.
func (t *table) text(name string) []byte {
	i, ok := t.columns[name]
	if !ok || i >= len(t.row) {
		return nil
	}
	return bytes.TrimSpace(t.row[i].text)
}

// rowReader makes flows of the rows of one format. An error of it is the row's, unless it
// is errStopped.
type rowReader interface {
	row(t *table) error
	// finish is called behind the last row that can be read.
	finish() error
}

// table reads a table of any format.
func (in *input) table(r io.Reader) error {
	t := &table{records: newRecords(r)}
	if err := in.header(t); err != nil {
		return err
	}
	var rows rowReader
	switch in.info.Format {
	case PCAPdroid:
		in.info.Producer = "PCAPdroid"
		rows = newPCAPdroidRows(in, t)
	case TrackerControl:
		in.info.Producer = "TrackerControl"
		rows = newTrackerControlRows(in, t)
	default:
		return &Error{
			Line:    t.line,
			Message: fmt.Sprintf("expected the columns of PCAPdroid (%s) or TrackerControl (%s), found %s", pcapdroidNeeds, trackerControlNeeds, shorten(t.header())),
			hint:    formats,
		}
	}
	err := in.rows(t, rows)
	if errors.Is(err, errStopped) {
		return err
	}
	return cmp.Or(rows.finish(), err)
}

// header returns the names of the columns as they stand in the file.
func (t *table) header() []byte {
	names := make([][]byte, len(t.row))
	for i, f := range t.row {
		names[i] = f.text
	}
	return bytes.Join(names, []byte{t.separator})
}

// header reads the names of the columns.
func (in *input) header(t *table) error {
	line, err := t.next(0)
	if err == nil && isSeparatorLine(line) {
		line, err = t.next(0)
	}
	if err != nil {
		return &Error{Line: t.line, Message: "cannot read the names of the columns", Err: err}
	}
	t.separator, _ = findSeparator(line)
	if t.row, err = splitRecord(line, t.separator, nil); err != nil {
		return &Error{Line: t.line, Message: err.Error()}
	}
	t.columns, t.width = columnsOf(t.row), len(t.row)
	return nil
}

// rows reads everything below the header.
func (in *input) rows(t *table, rows rowReader) error {
	for {
		line, err := t.next(t.separator)
		switch {
		case err == nil:
			if t.row, err = splitRecord(line, t.separator, t.row); isEmpty(t.row) {
				continue
			}
			in.info.Entries++
			if err == nil {
				err = rows.row(t)
			}
		case errors.Is(err, errLong), errors.Is(err, errQuotes):
			in.info.Entries++
		case errors.Is(err, io.EOF):
			return nil
		default:
			return &Error{Line: t.line, Message: "cannot read on", Err: err}
		}
		if errors.Is(err, errStopped) {
			return err
		}
		if err != nil {
			in.broken(t.line, "%v", err)
		}
	}
}

// isEmpty reports whether a row has no text at all.
func isEmpty(row []field) bool {
	for _, f := range row {
		if len(bytes.TrimSpace(f.text)) > 0 {
			return false
		}
	}
	return true
}
