package capture

import (
	"database/sql/driver"
	"fmt"
	"maps"
	"math"
	"slices"
)

// maxManifest is how much of a manifest is read: more than any has.
const maxManifest = 4 << 20

// rest looks at what no link covers.
func (w *verifier) rest() error {
	for _, look := range []func() error{w.olderBodies, w.leftOver, w.leftOverEnds, w.openFlows, w.otherFlows, w.sessions, w.ledgers, w.manifests} {
		if err := look(); err != nil {
			return err
		}
	}
	return nil
}

// olderBodies looks at contents from before the chain: they have digests, too.
func (w *verifier) olderBodies() error {
	if w.before["bodies"] == 0 {
		return nil
	}
	w.head = verifiedLink{ends: w.head.ends}
	return w.rowsOf["bodies"].each(func(row []driver.Value) error {
		w.content(row)
		return w.ctx.Err()
	}, int64(1), w.before["bodies"])
}

// leftOver looks for rows in front of the first link's and behind the last one's.
func (w *verifier) leftOver() error {
	w.head = verifiedLink{ends: w.head.ends}
	for name := range w.rowsOf {
		t := w.tableNamed(name)
		if err := w.added(t, w.last[name]+1, math.MaxInt64); err != nil {
			return err
		}
		if w.before[name] > 0 {
			continue
		}
		if err := w.added(t, math.MinInt64, 0); err != nil {
			return err
		}
	}
	return nil
}

func (w *verifier) tableNamed(name string) *sealedTable {
	all := allTables()
	return all[slices.IndexFunc(all, func(t *sealedTable) bool { return t.name == name })]
}

// added looks for rows where there are to be none.
func (w *verifier) added(t *sealedTable, from, to int64) error {
	if from > to {
		return nil
	}
	return w.count(fmt.Sprintf("SELECT count(*), min(%s), max(%[1]s) FROM %s WHERE %[1]s BETWEEN ? AND ?", t.key, t.name), t.name, from, to)
}

func (w *verifier) count(query, table string, args ...driver.Value) error {
	st, err := w.conn.prepare(query)
	if err != nil {
		return err
	}
	defer st.Close()
	return st.each(func(r []driver.Value) error {
		row := columns(r)
		if n := row.int(0); n > 0 {
			w.fault(Fault{Kind: FaultAdded, Link: w.head.id, Time: w.head.at, Table: table, From: row.int(1), To: row.int(2), Count: n})
		}
		return nil
	}, args...)
}

// leftOverEnds looks for ends that no link has.
func (w *verifier) leftOverEnds() error {
	return w.count("SELECT count(*), min(seq), max(seq) FROM ends WHERE seq > ? OR seq < 1", "ends", w.head.ends)
}

// openFlows compares flows that never ended with the last state that was written of them.
func (w *verifier) openFlows() error {
	st, err := w.conn.prepare("SELECT * FROM flows WHERE id = ?")
	if err != nil {
		return err
	}
	defer st.Close()
	for _, id := range slices.Sorted(maps.Keys(w.open)) {
		state := w.open[id]
		f := Fault{Kind: FaultMissing, Link: state.link.id, Time: state.link.at, Table: "flows", From: id, To: id, Count: 1}
		err := st.each(func(row []driver.Value) error {
			flowsTable.restore(row)
			f.Kind, f.Count = FaultChanged, 0
			if stateDigest(&flowsTable, row) == state.digest {
				f.Kind = ""
			}
			return nil
		}, id)
		if err != nil {
			return err
		}
		if f.Kind != FaultMissing {
			w.found.Flows++
		}
		if f.Kind != "" {
			w.fault(f)
		}
	}
	return nil
}

// otherFlows looks for flows that no link covers.
func (w *verifier) otherFlows() error {
	st, err := w.conn.prepare("SELECT id FROM flows ORDER BY id")
	if err != nil {
		return err
	}
	defer st.Close()
	f := Fault{Kind: FaultAdded, Table: "flows"}
	err = st.each(func(r []driver.Value) error {
		id := columns(r).int(0)
		if _, open := w.open[id]; open || w.covered.has(uint64(id)) {
			return nil
		}
		if id <= w.before["flows"] {
			w.found.Older++
			return nil
		}
		if f.Count == 0 {
			f.From = id
		}
		f.To = id
		f.Count++
		return w.ctx.Err()
	})
	if f.Count > 0 {
		w.fault(f)
	}
	return err
}

// sessions compares the table with what the links say.
func (w *verifier) sessions() error {
	st, err := w.conn.prepare("SELECT id, started, ended FROM sessions ORDER BY id")
	if err != nil {
		return err
	}
	defer st.Close()
	known := map[int64]*SessionChain{}
	for i := range w.found.Sessions {
		known[w.found.Sessions[i].Session] = &w.found.Sessions[i]
	}
	fault := func(kind FaultKind, id, link int64) {
		w.fault(Fault{Kind: kind, Link: link, Table: "sessions", From: id, To: id, Count: 1})
	}
	err = st.each(func(r []driver.Value) error {
		row := columns(r)
		id := row.int(0)
		s := known[id]
		delete(known, id)
		switch {
		case s == nil && id > w.before["sessions"]:
			fault(FaultAdded, id, 0)
		case s != nil && (!row.time(1).Equal(s.Started) || !row.time(2).Equal(s.Ended)):
			fault(FaultChanged, id, s.First)
		}
		return nil
	})
	for _, id := range slices.Sorted(maps.Keys(known)) {
		fault(FaultMissing, id, known[id].First)
	}
	return err
}

// ledgers compares the books of each session with what was written last of them.
func (w *verifier) ledgers() error {
	books, err := w.conn.prepare("SELECT * FROM ledgers WHERE session_id = ? ORDER BY mode, side, name")
	if err != nil {
		return err
	}
	defer books.Close()
	for _, s := range w.found.Sessions {
		digest, err := booksDigest(books, s.Session)
		if err != nil {
			return err
		}
		state := w.books[s.Session]
		if digest == state.digest {
			continue
		}
		kind := FaultChanged
		switch "" {
		case digest:
			kind = FaultMissing
		case state.digest:
			kind = FaultAdded
		}
		w.fault(Fault{Kind: kind, Link: state.link.id, Time: state.link.at, Table: "ledgers", From: s.Session, To: s.Session})
	}
	var last int64
	if n := len(w.found.Sessions); n > 0 {
		last = w.found.Sessions[n-1].Session
	}
	return w.count("SELECT count(*), min(session_id), max(session_id) FROM ledgers WHERE session_id > ?", "ledgers", max(last, w.before["sessions"]))
}

// manifests gives each session what signs it.
func (w *verifier) manifests() error {
	st, err := w.conn.prepare("SELECT session_id, substr(document, 1, ?) FROM manifests ORDER BY session_id")
	if err != nil {
		return err
	}
	defer st.Close()
	return st.each(func(r []driver.Value) error {
		row := columns(r)
		for i := range w.found.Sessions {
			if s := &w.found.Sessions[i]; s.Session == row.int(0) {
				s.Manifest = row.blob(1)
				return nil
			}
		}
		w.fault(Fault{Kind: FaultAdded, Table: "manifests", From: row.int(0), To: row.int(0), Count: 1})
		return nil
	}, int64(maxManifest))
}
