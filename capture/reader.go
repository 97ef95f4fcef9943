package capture

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math"
	"strings"
	"time"

	"telltale/flow"
	"telltale/policy"
)

// A Query picks a page of flows. Pages go by ID, so that the hundredth costs
// what the first does.
type Query struct {
	After  flow.ID // only flows above it
	Before flow.ID // only flows below it; 0 is no bound
	// Last takes the newest flows that match instead of the oldest. The page is
	// in ID order all the same.
	Last  bool
	Limit int // at most this many; 0 is DefaultLimit
	// Text takes flows in whose URL, headers, bodies, frames or error these
	// words stand next to each other, in any case, the last one perhaps only
	// begun: "generate_204" and "generate 20" both find /generate_204.
	Text string
	Host string // only this host, in any spelling
	// IDs takes these alone, in any order, as far as they exist; MaxIDs of them
	// at most. Without a Limit the page has room for all.
	IDs []flow.ID
}

// MaxIDs bounds the IDs of a query.
const MaxIDs = 1000

// DefaultLimit is the length of a page when a query does not say.
const DefaultLimit = 100

// Recorded is a flow that was read back and what the policy says of it. Contents
// of bodies are not loaded, see [Store.Content], nor are frames, see [Store.Frames].
type Recorded struct {
	Flow      *flow.Flow
	Judgement policy.Judgement
}

// read runs f with a connection that only reads.
func (s *Store) read(ctx context.Context, f func(*conn) error) error {
	if s.readers == nil {
		return ErrNotRecorded
	}
	c, err := s.readers.pool.Conn(ctx)
	if err != nil {
		return classify(s.path, err)
	}
	defer c.Close()
	return classify(s.path, c.Raw(func(dc any) error { return f(&conn{dc.(driver.Conn)}) }))
}

// Flows returns a page of flows in ID order. What was observed is visible a
// moment later, or at once after Sync.
func (s *Store) Flows(ctx context.Context, q Query) ([]Recorded, error) {
	var page []Recorded
	err := s.read(ctx, func(c *conn) error {
		query, args, err := q.sql(ctx, c)
		if err != nil || query == "" {
			return err
		}
		page, err = s.page(ctx, c, s.verdict, query, args...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read flows: %w", err)
	}
	if q.Last {
		for i, j := 0, len(page)-1; i < j; i, j = i+1, j-1 {
			page[i], page[j] = page[j], page[i]
		}
	}
	return page, nil
}

func (q Query) limit() int64 {
	switch {
	case q.Limit > 0:
		return int64(q.Limit)
	case len(q.IDs) > 0:
		return int64(len(q.IDs))
	}
	return DefaultLimit
}

// sql returns the query, "" when nothing can match.
func (q Query) sql(ctx context.Context, c *conn) (string, []driver.Value, error) {
	before := int64(math.MaxInt64)
	if q.Before > 0 {
		before = int64(q.Before)
	}
	query, order := selectFlows+"WHERE f.id > ? AND f.id < ?", []string{"f.id"}
	args := []driver.Value{int64(q.After), before}
	if q.Host != "" {
		query, order = selectFlowsOfHost+"WHERE f.id > ? AND f.id < ?", []string{"b.block", "f.id"}
		query += " AND b.block BETWEEN ? AND ? AND b.host_id = (SELECT id FROM hosts WHERE name = ?)"
		args = append(args, int64(q.After)/hostBlock, before/hostBlock, flow.CanonicalHost(q.Host))
	}
	if len(q.IDs) > MaxIDs {
		return "", nil, fmt.Errorf("a query for %d flows by ID, at most %d are answered", len(q.IDs), MaxIDs)
	}
	if len(q.IDs) > 0 {
		// The unary plus keeps the bounds from being what rows are looked up by.
		query = strings.Replace(query, "f.id > ? AND f.id < ?", "+f.id > ? AND +f.id < ?", 1) + " AND f.id IN (SELECT value FROM json_each(?))"
		args = append(args, list(q.IDs))
	}
	if strings.TrimSpace(q.Text) != "" {
		hits, err := search(ctx, c, q.Text)
		if err != nil {
			return "", nil, err
		}
		if q.Host == "" {
			hits.trim(q)
		}
		if hits.empty() {
			return "", nil, nil
		}
		version, err := c.version()
		if err != nil {
			return "", nil, err
		}
		condition, ids := hits.condition(version)
		query, args = query+" AND "+condition, append(args, ids...)
	}
	direction := ""
	if q.Last {
		direction = " DESC"
	}
	query += " ORDER BY " + strings.Join(order, direction+",") + direction + " LIMIT ?"
	return query, append(args, q.limit()), nil
}

// page reads and judges flows.
func (s *Store) page(ctx context.Context, c *conn, verdict *judgements, query string, args ...driver.Value) ([]Recorded, error) {
	l, err := newLoader(s.path, c, *s.names.Load())
	if err != nil {
		return nil, err
	}
	defer l.close()
	st, err := c.prepareFor(query)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	rows, err := l.rows(ctx, st, args...)
	if err == nil {
		err = l.headers(rows)
	}
	if err != nil {
		return nil, err
	}
	page := make([]Recorded, len(rows))
	for i, row := range rows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		j, err := verdict.of(row.flow, l)
		if err != nil {
			return nil, err
		}
		page[i] = Recorded{row.flow, j}
	}
	return page, nil
}

// Flow returns one flow, or [ErrNotFound].
func (s *Store) Flow(ctx context.Context, id flow.ID) (Recorded, error) {
	page, err := s.Flows(ctx, Query{After: id - 1, Before: id + 1, Limit: 1})
	if err == nil && len(page) == 0 {
		err = fmt.Errorf("flow %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return Recorded{}, err
	}
	return page[0], nil
}

// All calls f with every flow in ID order, bodies loaded, one at a time. It ends
// with f's first error.
func (s *Store) All(ctx context.Context, f func(*flow.Flow) error) error {
	var theirs error
	err := s.read(ctx, func(c *conn) error {
		l, err := newLoader(s.path, c, *s.names.Load())
		if err != nil {
			return err
		}
		defer l.close()
		return s.pass(ctx, passOptions{headers: true}, func(batch []Recorded) error {
			for _, r := range batch {
				fl, err := l.fill(r.Flow)
				if err != nil {
					return err
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if theirs = f(fl); theirs != nil {
					return theirs
				}
			}
			return nil
		})
	})
	if theirs != nil {
		return theirs
	}
	if err != nil {
		return fmt.Errorf("read flows: %w", err)
	}
	return nil
}

// Modes returns the ways in by which the kept flows came, sorted.
func (s *Store) Modes(ctx context.Context) (modes []string, err error) {
	err = s.read(ctx, func(c *conn) error {
		st, err := c.prepare("SELECT DISTINCT mode FROM kinds ORDER BY mode")
		if err != nil {
			return err
		}
		defer st.Close()
		return st.each(func(r []driver.Value) error {
			modes = append(modes, columns(r).str(0))
			return nil
		})
	})
	return modes, err
}

// Content returns the kept part of a body, in its content coding. A body of
// which nothing was kept has none. The caller must not change it.
func (s *Store) Content(ctx context.Context, b flow.Body) ([]byte, error) {
	if b.Content != nil || b.Digest == "" {
		return b.Content, nil
	}
	var content []byte
	err := s.read(ctx, func(c *conn) error {
		l, err := newLoader(s.path, c, *s.names.Load())
		if err != nil {
			return err
		}
		defer l.close()
		content, err = l.content(b.Digest)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	return content, nil
}

// Frames returns messages of a WebSocket, from index from, in order.
func (s *Store) Frames(ctx context.Context, id flow.ID, from, limit int) ([]flow.Frame, error) {
	var out []flow.Frame
	err := s.read(ctx, func(c *conn) (err error) {
		out, err = readFrames(c, id, from, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read frames: %w", err)
	}
	return out, nil
}

func readFrames(c *conn, id flow.ID, from, limit int) (out []flow.Frame, err error) {
	st, err := c.prepare("SELECT time,from_client,opcode,size,truncated,data FROM frames WHERE flow_id = ? AND n >= ? ORDER BY n LIMIT ?")
	if err != nil {
		return nil, err
	}
	defer st.Close()
	err = st.each(func(r []driver.Value) error {
		row := columns(r)
		out = append(out, flow.Frame{
			Time: time.UnixMicro(row.int(0)).UTC(), FromClient: row.int(1) != 0, Opcode: int(row.int(2)),
			Size: row.int(3), Truncated: row.int(4) != 0, Data: row.blob(5),
		})
		return nil
	}, int64(id), int64(from), Query{Limit: limit}.limit())
	return out, err
}

// load takes over what a file says of itself and, to judge or to go on
// recording, its flows.
func (s *Store) load(ctx context.Context) error {
	err := s.read(ctx, func(c *conn) error {
		last, err := c.integer("SELECT max(id) FROM flows")
		if err != nil {
			return err
		}
		s.lastID.Store(last)
		idle, err := c.integer("SELECT value FROM meta WHERE key = ?", idleTag)
		if err != nil {
			return err
		}
		s.idle.Store(idle != 0)
		if s.auditID, err = c.text("SELECT value FROM meta WHERE key = ?", auditTag); err != nil {
			return err
		}
		st, err := c.prepare("SELECT text FROM notes ORDER BY id")
		if err != nil {
			return err
		}
		defer st.Close()
		return st.each(func(row []driver.Value) error {
			s.notes = append(s.notes, columns(row).str(0))
			return nil
		})
	})
	if err == nil {
		err = s.loadNames(ctx)
	}
	if err == nil {
		err = s.loadLedgers(ctx)
	}
	if err == nil {
		err = s.loadAnnotations(ctx)
	}
	if err == nil {
		err = s.loadSwitches(ctx)
	}
	if err == nil {
		err = s.noteKilled(ctx)
	}
	if err == nil && (s.opts.Judge != nil || s.lock != nil) {
		err = s.rebuild(ctx, s.opts.Judge, s.opts.Progress)
	}
	return err
}

// noteKilled says when an earlier recorder did not come to its end.
func (s *Store) noteKilled(ctx context.Context) error {
	if s.lock == nil { // perhaps it is still at it
		locked, err := isLocked(s.path)
		if locked || err != nil {
			return nil //nolint:nilerr // no permission to ask: nothing is known, which is no reason not to read
		}
	}
	return s.read(ctx, func(c *conn) error {
		n, err := c.integer("SELECT count(*) FROM sessions WHERE ended IS NULL")
		if n > 0 {
			s.note("a recorder was killed: up to a second of its traffic may be missing")
		}
		return err
	})
}

// checkReadable fails unless the file is a capture of a version we read.
func (s *Store) checkReadable() error {
	return s.read(context.Background(), func(c *conn) error {
		version, err := checkHeader(c, s.path)
		if err == nil && version == 0 {
			err = &FileError{File: s.path, Problem: "is an empty database", Expected: "a telltale capture"}
		}
		return err
	})
}
