package capture

import (
	"context"
	"database/sql/driver"
	"maps"
	"slices"
	"strings"

	"telltale/coverage"
)

// The sides of a ledger, as the file names them.
const (
	sideReceived = "received"
	sideRecorded = "recorded"
	sideUnderWay = "under-way"
	sideDropped  = "dropped"
)

// SetLedger replaces what is known of the books of a way in during this session. The
// capture keeps them; [Health.Ledgers] has the sums over all of its sessions. The caller
// may change the ledger afterwards. On a store that only reads it does nothing.
func (s *Store) SetLedger(l coverage.Ledger) {
	if s.worker == nil {
		return
	}
	l.Received, l.Recorded, l.UnderWay = maps.Clone(l.Received), maps.Clone(l.Recorded), maps.Clone(l.UnderWay)
	l.Dropped = maps.Clone(l.Dropped)
	s.mu.Lock()
	before, known := s.ledgers[l.Mode]
	same := known && sameLedger(before, l)
	if !same {
		if s.ledgers == nil {
			s.ledgers = map[string]coverage.Ledger{}
		}
		s.ledgers[l.Mode] = l
		s.changedLocked()
	}
	s.mu.Unlock()
	if !same {
		s.worker.tell(func(w *writer) error { return w.ledger(l) })
	}
}

func sameLedger(a, b coverage.Ledger) bool {
	return maps.Equal(a.Received, b.Received) && maps.Equal(a.Recorded, b.Recorded) &&
		maps.Equal(a.UnderWay, b.UnderWay) && maps.Equal(a.Dropped, b.Dropped) && a.Cut == b.Cut && a.Partial == b.Partial
}

// ledgersLocked returns the books of all sessions, by mode.
func (s *Store) ledgersLocked() []coverage.Ledger {
	sums := maps.Clone(s.pastLedgers)
	if sums == nil {
		sums = map[string]coverage.Ledger{}
	}
	for mode, l := range s.ledgers {
		l = sums[mode].Add(l)
		l.Mode = mode
		sums[mode] = l
	}
	all := slices.Collect(maps.Values(sums))
	slices.SortFunc(all, func(a, b coverage.Ledger) int { return strings.Compare(a.Mode, b.Mode) })
	return all
}

// ledger writes the books of this session. What was received has a row for each class, so
// that there are rows also before anything came: after a kill they say that books were
// kept.
func (w *writer) ledger(l coverage.Ledger) error {
	w.chain.ledgers = true
	if err := w.once("DELETE FROM ledgers WHERE session_id = ? AND mode = ?", w.session, l.Mode); err != nil {
		return err
	}
	row := func(side, name string, a coverage.Amount) error {
		return w.once("INSERT INTO ledgers VALUES (?,?,?,?,?,?)", w.session, l.Mode, side, name, a.Units, a.Bytes)
	}
	for _, class := range coverage.Classes {
		if err := row(sideReceived, string(class), l.Received[class]); err != nil {
			return err
		}
		for side, a := range map[string]coverage.Amount{sideRecorded: l.Recorded[class], sideUnderWay: l.UnderWay[class]} {
			if a == (coverage.Amount{}) {
				continue
			}
			if err := row(side, string(class), a); err != nil {
				return err
			}
		}
	}
	for reason, a := range l.Dropped {
		if err := row(sideDropped, reason, a); err != nil {
			return err
		}
	}
	return nil
}

// loadLedgers reads the books of the sessions before. Older files have none. Of a session
// that has ended nothing is under way any more; one that did not come to its end is cut
// off, unless it is being recorded now.
func (s *Store) loadLedgers(ctx context.Context) error {
	recording := s.lock == nil && Recording(s.path)
	sums := map[string]coverage.Ledger{}
	err := s.read(ctx, func(c *conn) error {
		if version, err := c.version(); err != nil || version < 3 {
			return err
		}
		var now int64 // the session that is being recorded
		if recording {
			var err error
			if now, err = c.integer("SELECT max(id) FROM sessions"); err != nil {
				return err
			}
		}
		if err := c.eachLedgerRow(now, func(l coverage.Ledger) { sums[l.Mode] = l.Add(sums[l.Mode]) }); err != nil {
			return err
		}
		for mode, l := range sums {
			var err error
			if l.Partial, l.Cut, err = c.uncounted(mode, now, l.Cut); err != nil {
				return err
			}
			sums[mode] = l
		}
		return nil
	})
	if err == nil {
		s.pastLedgers = sums
	}
	return err
}

// eachLedgerRow calls add with every row of the books, as a ledger of its own. now is the
// session that is being recorded, 0 for none.
func (c *conn) eachLedgerRow(now int64, add func(coverage.Ledger)) error {
	st, err := c.prepare(`SELECT mode, side, name, sum(units), sum(bytes), session_id = ?1, max(ended IS NULL AND session_id <> ?1)
		FROM ledgers JOIN sessions ON sessions.id = session_id GROUP BY mode, side, name, session_id = ?1`)
	if err != nil {
		return err
	}
	defer st.Close()
	return st.each(func(r []driver.Value) error {
		row := columns(r)
		l := coverage.Ledger{Mode: row.str(0), Cut: row.int(6) != 0}
		amount := coverage.Amount{Units: row.int(3), Bytes: row.int(4)}
		class := map[coverage.Class]coverage.Amount{coverage.Class(row.str(2)): amount}
		switch {
		case amount == coverage.Amount{}: // the row is there to say that books were kept
		case row.str(1) == sideReceived:
			l.Received = class
		case row.str(1) == sideRecorded:
			l.Recorded = class
		case row.str(1) == sideUnderWay:
			l.UnderWay = class
		case row.str(1) == sideDropped:
			l.Dropped = map[string]coverage.Amount{row.str(2): amount}
		}
		if row.int(5) == 0 {
			l = l.Closed()
		}
		add(l)
		return nil
	}, now)
}

// uncounted looks for sessions that have flows of a mode and no books of it: partial where
// one came to its end, cut where one did not.
func (c *conn) uncounted(mode string, now int64, cutAlready bool) (partial, cut bool, err error) {
	st, err := c.prepare(`SELECT ended IS NULL FROM sessions AS s
		WHERE id <> ?2 AND NOT EXISTS (SELECT 1 FROM ledgers WHERE session_id = s.id AND mode = ?1)
		AND EXISTS (SELECT 1 FROM flows JOIN kinds ON kinds.id = kind_id WHERE mode = ?1 AND flows.started >= s.started
			AND flows.started < coalesce((SELECT min(next.started) FROM sessions AS next WHERE next.id > s.id), 9e18))`)
	if err != nil {
		return false, cutAlready, err
	}
	defer st.Close()
	cut = cutAlready
	err = st.each(func(r []driver.Value) error {
		if columns(r).int(0) != 0 {
			cut = true
		} else {
			partial = true
		}
		return nil
	}, mode, now)
	return partial, cut, err
}
