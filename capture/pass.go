package capture

import (
	"context"
	"runtime"
	"sync"

	"telltale/flow"
	"telltale/policy"
)

// passOptions say which flows a pass goes over, and which of their parts it needs.
type passOptions struct {
	after, upto flow.ID      // IDs above the one, up to the other; upto 0 is all that is there
	headers     bool         // header blocks
	bodies      bool         // contents of bodies, and frames
	judge       policy.Judge // nil leaves flows unjudged; judging needs the headers
	examine     bool         // look for identifiers also where nothing judges
}

const (
	// passStep is how many IDs are read at once, unless there are gaps.
	passStep = 512
	// maxPassReaders bounds how many read side by side: more only wait for SQLite's
	// locks, and cores are left for what is being recorded.
	maxPassReaders = 4
)

// pass is one look at many flows in ID order. Several readers take steps in turns,
// each on a connection of its own.
type pass struct {
	store *Store
	opts  passOptions
	steps chan *step // in order, for who visits them

	mu   sync.Mutex
	next flow.ID // where the next step starts; 0 when there is none
}

// step is a run of IDs.
type step struct {
	first, last flow.ID
	done        chan struct{} // closed when what follows is set
	batch       []Recorded
	err         error
}

// pass calls visit with all flows in ID order, a batch at a time. What comes
// while it runs may be left out.
func (s *Store) pass(ctx context.Context, opts passOptions, visit func([]Recorded) error) error {
	if s.readers == nil {
		return ErrNotRecorded
	}
	if opts.upto == 0 {
		err := s.read(ctx, func(c *conn) error {
			last, err := c.integer("SELECT max(id) FROM flows")
			opts.upto = flow.ID(last)
			return err
		})
		if err != nil {
			return err
		}
	}
	readers := min(runtime.GOMAXPROCS(0), maxPassReaders)
	p := &pass{store: s, opts: opts, steps: make(chan *step, 2*readers), next: opts.after + 1}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	failed := make(chan error, readers)
	for range readers {
		running.Go(func() { failed <- p.read(ctx) })
	}
	return p.visit(ctx, readers, failed, visit)
}

// visit hands out the steps, until all readers have found the end and every step
// they took was visited.
func (p *pass) visit(ctx context.Context, readers int, ended <-chan error, visit func([]Recorded) error) error {
	for {
		var st *step
		if readers > 0 {
			select {
			case st = <-p.steps:
			case err := <-ended:
				if err != nil {
					return classify(p.store.path, err)
				}
				readers--
				continue
			}
		} else {
			select {
			case st = <-p.steps:
			default:
				return nil
			}
		}
		select {
		case <-st.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if st.err != nil {
			return classify(p.store.path, st.err)
		}
		if err := visit(st.batch); err != nil {
			return err
		}
	}
}

// read reads steps until there are no more.
func (p *pass) read(ctx context.Context) error {
	c, err := p.store.readers.conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	l, err := newLoader(p.store.path, c, *p.store.names.Load())
	if err != nil {
		return err
	}
	defer l.close()
	seek, err := c.prepare("SELECT min(id) FROM flows WHERE id >= ?")
	if err != nil {
		return err
	}
	defer seek.Close()
	flows, err := c.prepareFor(selectFlows + "WHERE f.id BETWEEN ? AND ? ORDER BY f.id")
	if err != nil {
		return err
	}
	defer flows.Close()
	for {
		st, err := p.take(ctx, seek)
		if st == nil || err != nil {
			return err
		}
		st.batch, st.err = p.load(ctx, l, flows, st)
		close(st.done)
		if st.err != nil {
			return nil // who visits the step learns of it
		}
	}
}

// take claims the next step, nil at the end. It waits while much is read and not
// yet visited.
func (p *pass) take(ctx context.Context, seek *stmt) (*step, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == 0 || p.next > p.opts.upto {
		return nil, nil
	}
	first, _, err := seek.integer(int64(p.next)) // over what may be a wide gap
	if err != nil {
		return nil, err
	}
	if first == 0 || flow.ID(first) > p.opts.upto {
		p.next = 0
		return nil, nil
	}
	st := &step{first: flow.ID(first), done: make(chan struct{})}
	st.last = st.first + min(passStep-1, p.opts.upto-st.first)
	select {
	case p.steps <- st:
		if p.next = st.last + 1; st.last == p.opts.upto {
			p.next = 0
		}
		return st, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// load reads the flows of a step and judges them.
func (p *pass) load(ctx context.Context, l *loader, flows *stmt, st *step) ([]Recorded, error) {
	rows, err := l.rows(ctx, flows, int64(st.first), int64(st.last))
	if err != nil {
		return nil, err
	}
	if p.opts.headers || p.opts.judge != nil || p.opts.examine {
		if err := l.headers(rows); err != nil {
			return nil, err
		}
	}
	batch, content := make([]Recorded, len(rows)), p.opts.judge != nil && policy.ReadsContent(p.opts.judge)
	for i, row := range rows {
		if p.opts.judge != nil || p.opts.examine {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if batch[i].Judgement, err = l.judge(p.judge, content, row.flow); err != nil {
				return nil, err
			}
		}
		if batch[i].Flow = row.flow; p.opts.bodies {
			if batch[i].Flow, err = l.whole(row.flow); err != nil {
				return nil, err
			}
		}
	}
	return batch, nil
}

func (p *pass) judge(part *flow.Flow, before policy.Judgement) policy.Judgement {
	if p.opts.judge == nil {
		return policy.Judgement{}
	}
	return judgeState(p.opts.judge, part, before)
}
