package capture

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"telltale/flow"
)

// Seq numbers flows in the order in which they ended, from 1.
type Seq int64

// endsAtOnce is how many flows a row of ends has at most, so that few are read
// in vain by those who want a page.
const endsAtOnce = 256

// ends notes which flows of a batch have ended, in order.
func (w *writer) ends(batch []*entry) error {
	var ids []flow.ID
	for _, e := range batch {
		if e.ended {
			ids = append(ids, e.flow.ID)
		}
	}
	for part := range slices.Chunk(ids, endsAtOnce) {
		if err := w.insertEnds.exec(int64(w.lastSeq)+1, list(part)); err != nil {
			return err
		}
		w.lastSeq += Seq(len(part))
	}
	return nil
}

// Ended returns flows in the order in which they ended, from the one behind
// after, and the number to go on from: for those who follow along. A flow that
// was recorded anew has ended twice.
func (s *Store) Ended(ctx context.Context, after Seq, limit int) ([]Recorded, Seq, error) {
	var page []Recorded
	err := s.read(ctx, func(c *conn) error {
		ids, err := s.endedIDs(c, after, Query{Limit: limit}.limit())
		if err != nil || len(ids) == 0 {
			return err
		}
		flows, err := s.page(ctx, c, s.verdict, selectFlows+"WHERE f.id IN (SELECT value FROM json_each(?))", list(ids))
		if err != nil {
			return err
		}
		at := make(map[flow.ID]Recorded, len(flows))
		for _, r := range flows {
			at[r.Flow.ID] = r
		}
		for _, id := range ids {
			r, ok := at[id]
			if !ok {
				return damaged(s.path, fmt.Errorf("%w: flow %d has ended and is missing", errRow, id))
			}
			page = append(page, r)
		}
		return nil
	})
	if err != nil {
		return nil, after, fmt.Errorf("read flows: %w", err)
	}
	return page, after + Seq(len(page)), nil
}

// LastEnded returns the number of the flow that ended last: what Ended goes on from for
// who wants to hear of later ones alone.
func (s *Store) LastEnded(ctx context.Context) (last Seq, err error) {
	err = s.read(ctx, func(c *conn) error {
		n, err := c.integer(selectLastEnd)
		last = Seq(n)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read flows: %w", err)
	}
	return last, nil
}

// selectLastEnd has the number of the flow that ended last, and no row where none has.
const selectLastEnd = "SELECT seq + json_array_length(flows) - 1 FROM ends ORDER BY seq DESC LIMIT 1"

// endedIDs returns which flows ended behind after.
func (s *Store) endedIDs(c *conn, after Seq, limit int64) (ids []flow.ID, err error) {
	st, err := c.prepare("SELECT seq, flows FROM ends WHERE seq > ? ORDER BY seq")
	if err != nil {
		return nil, err
	}
	defer st.Close()
	err = st.each(func(r []driver.Value) error {
		row := columns(r)
		var part []flow.ID
		if err := row.array(1, &part); err != nil {
			return damaged(s.path, err)
		}
		known := int64(after) + 1 - row.int(0)
		ids = append(ids, part[min(max(known, 0), int64(len(part))):]...)
		if int64(len(ids)) >= limit {
			ids = ids[:limit]
			return errEnough
		}
		return nil
	}, int64(after)-endsAtOnce) // the row with after in it starts no earlier
	if errors.Is(err, errEnough) {
		err = nil
	}
	return ids, err
}
