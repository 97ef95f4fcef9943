package capture

import (
	"cmp"
	"database/sql/driver"
	"time"
)

// transaction runs f between BEGIN and COMMIT. What f or the commit fails at is
// undone as a whole.
func (w *writer) transaction(f func() error) error {
	if err := w.begin.exec(); err != nil {
		return err
	}
	err := f()
	if err == nil {
		err = w.chain.link(w.lastSeq)
	}
	if err == nil {
		if err = w.commit.exec(); err == nil {
			w.chain.committed()
			return nil
		}
	}
	// SQLite may have rolled back already, on a full disk for one.
	_ = w.rollback.exec()
	w.forget()
	w.chain.undone()
	return err
}

// batch writes states of flows, of each flow one at most.
func (w *writer) batch(batch []*entry) error {
	for _, e := range batch {
		if err := w.entry(e); err != nil {
			return err
		}
	}
	for rows := range w.gathering() {
		if err := rows.writeAll(w.conn); err != nil {
			return err
		}
	}
	return w.ends(batch)
}

// entry writes one state of a flow and the frames that came with it.
func (w *writer) entry(e *entry) error {
	if err := w.flow(cmp.Or(e.stored, e.flow), e.written); err != nil {
		return err
	}
	e.written = true
	for _, part := range e.frames {
		for i := range part.frames {
			if err := w.frame(e.flow.ID, part.offset+i, &part.frames[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// startSession notes that recording begins.
func (w *writer) startSession(now, expires time.Time, fresh bool) (id int64, err error) {
	if id, err = w.conn.integer("SELECT max(id) FROM sessions"); err != nil {
		return 0, err
	}
	id++
	st, err := w.conn.prepare("INSERT INTO sessions(id, started) VALUES (?,?)")
	if err != nil {
		return 0, err
	}
	defer st.Close()
	return id, w.transaction(func() error {
		if fresh {
			if err := w.insertTag.exec("created", now.UnixMicro()); err != nil {
				return err
			}
			if err := w.setExpiry(expires); err != nil {
				return err
			}
		}
		if err := st.exec(id, now.UnixMicro()); err != nil {
			return err
		}
		return w.chain.begin(id, now)
	})
}

func (w *writer) endSession(now time.Time) error {
	if err := w.once("UPDATE sessions SET ended = ? WHERE id = ?", now.UnixMicro(), w.session); err != nil {
		return err
	}
	return w.chain.end(now, w.lastSeq)
}

func (w *writer) setExpiry(at time.Time) error {
	return w.insertTag.exec("expires", moment(at))
}

func (w *writer) phase(now time.Time, name string) error {
	return w.once("INSERT INTO phases(started, name) VALUES (?,?)", now.UnixMicro(), name)
}

func (w *writer) note(now time.Time, sentence string) error {
	return w.once("INSERT OR IGNORE INTO notes(time, text) VALUES (?,?)", now.UnixMicro(), sentence)
}

// once runs a statement that is too rare to be kept prepared.
func (w *writer) once(query string, args ...any) error {
	st, err := w.conn.prepare(query)
	if err != nil {
		return err
	}
	defer st.Close()
	values := make([]driver.Value, len(args))
	for i, a := range args {
		values[i] = a
	}
	return st.exec(values...)
}
