package capture

import (
	"database/sql/driver"
	"slices"
	"strings"
)

// rowsAtOnce is how many rows are written by one statement: to start and end it
// costs a fifth of what a row of flows does, and half of what a short one does.
const rowsAtOnce = 16

// rowInsert gathers rows of one table and one set of columns.
type rowInsert struct {
	into      string // INSERT INTO ...
	width     int
	one, many *stmt          // nil until they are needed
	waiting   []driver.Value // rows that wait for more
	covers    *rowDigest     // takes the rows
}

// add writes a row, by writeAll at the latest.
func (r *rowInsert) add(c *conn, row ...driver.Value) error {
	r.covers.add(row)
	r.waiting = append(r.waiting, row...)
	return r.writeFull(c)
}

// writeFull writes what waits when it is enough for a statement of many.
func (r *rowInsert) writeFull(c *conn) (err error) {
	if len(r.waiting) < rowsAtOnce*r.width {
		return nil
	}
	if r.many == nil {
		if r.many, err = c.prepare(r.sql(rowsAtOnce)); err != nil {
			return err
		}
	}
	err = r.many.exec(r.waiting...)
	r.forget()
	return err
}

// writeAll writes what waits.
func (r *rowInsert) writeAll(c *conn) (err error) {
	if len(r.waiting) == 0 {
		return nil
	}
	if r.one == nil {
		if r.one, err = c.prepare(r.sql(1)); err != nil {
			return err
		}
	}
	for row := range slices.Chunk(r.waiting, r.width) {
		if err := r.one.exec(row...); err != nil {
			return err
		}
	}
	r.forget()
	return nil
}

// forget drops what waits.
func (r *rowInsert) forget() {
	clear(r.waiting)
	r.waiting = r.waiting[:0]
}

func (r *rowInsert) sql(rows int) string {
	row := "(?" + strings.Repeat(",?", r.width-1) + ")"
	return r.into + " VALUES " + row + strings.Repeat(","+row, rows-1)
}

// close gives the statements back.
func (r *rowInsert) close() {
	for _, st := range []*stmt{r.one, r.many} {
		if st != nil {
			st.Close()
		}
	}
}
