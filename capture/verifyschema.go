package capture

import (
	"database/sql/driver"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// shape compares what the file has besides rows with what this program makes: a view that
// somebody put in the place of ours shows other rows than those that the chain covers.
func (w *verifier) shape(version int) error {
	ours, err := openConn("file::memory:")
	if err != nil {
		return err
	}
	defer ours.Close()
	if err := migrateTo(ours, 0, version); err != nil {
		return err
	}
	want, err := madeOf(ours)
	if err != nil {
		return err
	}
	got, err := madeOf(w.conn)
	if err != nil {
		return err
	}
	for _, it := range slices.Sorted(maps.Keys(got)) {
		switch other, known := want[it]; {
		case !known:
			w.shapeFault(FaultAdded, it, "was not made by the recorder")
		case got[it] != other:
			w.shapeFault(FaultChanged, it, "is not as the recorder made it")
		}
	}
	for _, it := range slices.Sorted(maps.Keys(want)) {
		if _, there := got[it]; !there {
			w.shapeFault(FaultMissing, it, "is missing")
		}
	}
	return nil
}

func (w *verifier) shapeFault(kind FaultKind, it, what string) {
	w.fault(Fault{Kind: kind, Table: "sqlite_schema", Detail: fmt.Sprintf("%.120s %s", it, what)})
}

// madeOf returns what a database has besides rows, as `view "exchanges"`, with the SQL that
// made it. Statistics of SQLite itself (sqlite.org/fileformat2.html#stat1tab) change no result.
func madeOf(c *conn) (map[string]string, error) {
	all := map[string]string{}
	st, err := c.prepare("SELECT type, name, tbl_name || ': ' || coalesce(sql, '') FROM sqlite_schema")
	if err != nil {
		return nil, err
	}
	defer st.Close()
	err = st.each(func(r []driver.Value) error {
		row := columns(r)
		if kind, name := row.str(0), row.str(1); kind != "table" || !strings.HasPrefix(name, "sqlite_stat") {
			all[fmt.Sprintf("%s %q", kind, name)] = row.str(2)
		}
		return nil
	})
	return all, err
}

// length looks for bytes behind the last page of the database, which SQLite overlooks. While
// somebody records, the file is ahead of what is read here.
func (w *verifier) length() error {
	if w.found.Recording {
		return nil
	}
	pages, err := w.conn.integer("PRAGMA page_count")
	if err != nil {
		return err
	}
	size, err := w.conn.integer("PRAGMA page_size")
	if err != nil {
		return err
	}
	info, err := os.Stat(w.path)
	if err != nil {
		return err
	}
	if more := info.Size() - pages*size; more > 0 {
		w.fault(Fault{Kind: FaultAdded, Count: more, Detail: plural(more, "byte") + " behind the end of the database"})
	}
	return nil
}
