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
		maps.Equal(a.UnderWay, b.UnderWay) && maps.Equal(a.Dropped, b.Dropped)
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

// ledger writes the books of this session.
func (w *writer) ledger(l coverage.Ledger) error {
	if err := w.once("DELETE FROM ledgers WHERE session_id = ? AND mode = ?", w.session, l.Mode); err != nil {
		return err
	}
	row := func(side, name string, a coverage.Amount) error {
		return w.once("INSERT INTO ledgers VALUES (?,?,?,?,?,?)", w.session, l.Mode, side, name, a.Units, a.Bytes)
	}
	for _, side := range []struct {
		name    string
		amounts map[coverage.Class]coverage.Amount
	}{{sideReceived, l.Received}, {sideRecorded, l.Recorded}, {sideUnderWay, l.UnderWay}} {
		for class, a := range side.amounts {
			if err := row(side.name, string(class), a); err != nil {
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

// loadLedgers reads the books of the sessions before. Older files have none.
func (s *Store) loadLedgers(ctx context.Context) error {
	sums := map[string]coverage.Ledger{}
	err := s.read(ctx, func(c *conn) error {
		if version, err := c.version(); err != nil || version < 3 {
			return err
		}
		st, err := c.prepare("SELECT mode, side, name, sum(units), sum(bytes) FROM ledgers GROUP BY mode, side, name")
		if err != nil {
			return err
		}
		defer st.Close()
		return st.each(func(r []driver.Value) error {
			row := columns(r)
			l := coverage.Ledger{Mode: row.str(0)}
			amount := coverage.Amount{Units: row.int(3), Bytes: row.int(4)}
			class := map[coverage.Class]coverage.Amount{coverage.Class(row.str(2)): amount}
			switch row.str(1) {
			case sideReceived:
				l.Received = class
			case sideRecorded:
				l.Recorded = class
			case sideUnderWay:
				l.UnderWay = class
			case sideDropped:
				l.Dropped = map[string]coverage.Amount{row.str(2): amount}
			}
			sums[l.Mode] = l.Add(sums[l.Mode])
			return nil
		})
	})
	if err == nil {
		s.pastLedgers = sums
	}
	return err
}
