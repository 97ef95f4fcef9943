package capture

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"telltale/flow"
	"telltale/policy"
)

// errRerecorded means that a flow was counted and then recorded anew.
var errRerecorded = errors.New("a flow was recorded anew")

const (
	// fewChanges is how many flows may be left to look at while observations wait.
	fewChanges = 512
	// mostChanges is how many of them may be looked at in one go while observations
	// wait. It is more than the queue holds, so that no producer, however fast, keeps
	// us from an end.
	mostChanges = 4 * queueItems
	// maxRebuilds is how often judging beside the worker is tried before it waits.
	maxRebuilds = 3
)

// Rejudge replaces the policy: every recorded flow is read and judged again and
// the totals are made anew. Recording goes on meanwhile; observations wait only
// for the last few flows of it, about as long as for a batch, or longer, a part at
// a time, where they come faster than flows can be judged. From then on
// summaries and pages say what the new policy does. On an error, ctx's among
// them, the former policy and totals stay. progress, which may be nil, is told
// how many flows of those there were are done, by one goroutine at a time.
func (s *Store) Rejudge(ctx context.Context, judge policy.Judge, progress func(done, total int)) error {
	if s.path == "" {
		return fmt.Errorf("judge again: %w", ErrNotRecorded)
	}
	s.rejudging.Lock() // one at a time; Close waits for it, too
	defer s.rejudging.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	if err := s.rejudge(ctx, judge, progress); err != nil {
		return fmt.Errorf("judge again: %w", err)
	}
	return nil
}

func (s *Store) rejudge(ctx context.Context, judge policy.Judge, progress func(done, total int)) error {
	if err := s.complete(); err != nil {
		return err
	}
	if s.worker == nil {
		return s.rebuild(ctx, judge, progress)
	}
	for range maxRebuilds {
		if err := s.rebuildBeside(ctx, judge, progress); !errors.Is(err, errRerecorded) {
			return err
		}
	}
	return s.worker.do(func() error {
		if err := s.complete(); err != nil {
			return err
		}
		return s.rebuild(ctx, judge, progress)
	})
}

// complete fails when the file lacks flows.
func (s *Store) complete() error {
	if err := s.Err(); err != nil {
		return fmt.Errorf("flows are missing from the file: %w", err)
	}
	return nil
}

// rebuild makes the totals from the file under another judge. Nothing may be
// written meanwhile.
func (s *Store) rebuild(ctx context.Context, judge policy.Judge, progress func(done, total int)) error {
	r := newRebuild(s, judge)
	if err := r.readAll(ctx, progress); err != nil {
		return err
	}
	r.install()
	return nil
}

// rebuildBeside does so while the worker goes on, in three steps: all flows, with
// the worker noting which it writes meanwhile; those, while they get fewer; and the
// rest on the worker's goroutine.
func (s *Store) rebuildBeside(ctx context.Context, judge policy.Judge, progress func(done, total int)) error {
	k, r, written := s.worker, newRebuild(s, judge), new(changes)
	err := k.do(func() error {
		k.changes = written
		r.upto = max(s.LastID(), 1) // what is not yet written of these will be noted
		return nil
	})
	if err != nil {
		return err
	}
	defer k.do(func() error { //nolint:errcheck,unparam // fails when the worker is gone, and then nothing is noted
		k.changes = nil
		return nil
	})
	if err := r.readAll(ctx, progress); err != nil {
		return err
	}
	if err := r.pursue(ctx, written); err != nil {
		return err
	}
	return r.conclude(ctx, written, mostChanges)
}

// pursue looks at what was written meanwhile, and meanwhile again, while it gets
// less: a producer at full speed may write as fast as we read.
func (r *rebuild) pursue(ctx context.Context, written *changes) error {
	for before := math.MaxInt; ; {
		ids := written.take(math.MaxInt)
		if err := r.catchUp(ctx, ids); err != nil {
			return err
		}
		if len(ids) < fewChanges || len(ids) > before/2 {
			return nil
		}
		before = len(ids)
	}
}

// conclude looks at the rest on the worker's goroutine, at most so many flows in one
// go, and makes the rebuild the state of the store. Between two goes the worker
// writes what has come.
func (r *rebuild) conclude(ctx context.Context, written *changes, most int) error {
	s := r.store
	for installed := false; !installed; {
		err := s.worker.do(func() error {
			if err := s.complete(); err != nil {
				return err
			}
			if err := r.catchUp(ctx, written.take(most)); err != nil || !written.none() {
				return err
			}
			for id, e := range s.worker.live {
				e.judged = r.open[id].judgement // of all its frames so far
			}
			r.install()
			installed = true
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// changes are the flows that the worker has written since someone asked.
type changes struct {
	mu  sync.Mutex
	ids []flow.ID
}

// note adds a batch. It may be called on nil.
func (c *changes) note(batch []*entry) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range batch {
		c.ids = append(c.ids, e.flow.ID)
	}
}

// take returns what was noted and not yet taken, at most so many flows: those that
// came first, in order.
func (c *changes) take(most int) []flow.ID {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.ids)
	ids := slices.Compact(c.ids)
	n := min(most, len(ids))
	c.ids = ids[n:]
	return ids[:n:n]
}

// none reports whether everything that was noted was taken.
func (c *changes) none() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.ids) == 0
}

// rebuild is the state of an audit under another policy, in the making.
type rebuild struct {
	store   *Store
	verdict *judgements
	judge   policy.Judge
	upto    flow.ID // highest ID that was looked at; 0 is all there are
	totals  *totals
	open    map[flow.ID]openFlow
	counted idSet // flows that are in the totals for good
}

func newRebuild(s *Store, judge policy.Judge) *rebuild {
	return &rebuild{
		store: s, verdict: newJudgements(judge), judge: judge,
		totals: newTotals(), open: map[flow.ID]openFlow{}, counted: idSet{},
	}
}

// readAll counts all flows.
func (r *rebuild) readAll(ctx context.Context, progress func(done, total int)) error {
	if progress == nil {
		return r.read(ctx, 0, r.add)
	}
	var done, total int
	err := r.store.read(ctx, func(c *conn) error {
		n, err := c.integer("SELECT count(*) FROM flows")
		total = int(n)
		return err
	})
	if err != nil {
		return err
	}
	return r.read(ctx, 0, func(batch []Recorded) error {
		err := r.add(batch)
		done = min(done+len(batch), total) // some may have come since
		progress(done, total)
		return err
	})
}

func (r *rebuild) read(ctx context.Context, after flow.ID, visit func([]Recorded) error) error {
	return r.store.pass(ctx, passOptions{after: after, upto: r.upto, headers: true, judge: r.judge, examine: true}, visit)
}

// add counts flows that have ended and keeps the others.
func (r *rebuild) add(batch []Recorded) error {
	for _, f := range batch {
		id := f.Flow.ID
		if !f.Flow.Ended() {
			r.open[id] = openFlow{f.Flow, f.Judgement}
			continue
		}
		delete(r.open, id)
		r.totals.add(f.Flow, f.Judgement)
		r.counted.add(uint64(id))
	}
	return nil
}

// catchUp looks at flows that were written since the others were read. ids are sorted.
func (r *rebuild) catchUp(ctx context.Context, ids []flow.ID) error {
	var again []flow.ID
	for _, id := range ids {
		if id > r.upto {
			after := r.upto
			r.upto = ids[len(ids)-1]
			if err := r.read(ctx, after, r.add); err != nil {
				return err
			}
			break
		}
		// A flow of this session that was counted had been written when it was read,
		// and does not change any more. One of an earlier session might have.
		if !r.counted.has(uint64(id)) {
			again = append(again, id)
		} else if id <= r.store.worker.lastID {
			return errRerecorded
		}
	}
	for part := range slices.Chunk(again, MaxIDs) {
		if err := r.reread(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// reread looks at single flows.
func (r *rebuild) reread(ctx context.Context, ids []flow.ID) error {
	return r.store.read(ctx, func(c *conn) error {
		batch, err := r.store.page(ctx, c, r.verdict, selectFlows+"WHERE f.id IN (SELECT value FROM json_each(?)) ORDER BY f.id", list(ids))
		if err != nil {
			return err
		}
		return r.add(batch)
	})
}

// install makes it the state of the store, on the goroutine of its worker.
func (r *rebuild) install() {
	s := r.store
	s.verdict.replace(r.verdict)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.totals, s.open = r.totals, r.open
	if k := s.worker; k != nil && k.teller != nil {
		k.teller.restart(s.totals, s.open, k.live)
	}
	s.changedLocked()
}
