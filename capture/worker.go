package capture

import (
	"errors"
	"fmt"
	"time"

	"telltale/flow"
	"telltale/policy"
)

const (
	// batchInterval is how long flows gather before they are written: what a
	// kill can cost.
	batchInterval = 150 * time.Millisecond
	// youngest is how long a flow may stay open before its open state is
	// written. Most end sooner and are written once.
	youngest = 100 * time.Millisecond
	// batchFlows and an eighth of the queue's bytes end a batch early.
	batchFlows = 4096
)

var errClosed = errors.New("the capture is closed")

// worker is the one goroutine behind the queue. It owns the writer.
type worker struct {
	store *Store
	w     *writer  // nil when nothing is kept
	index *indexer // nil when nothing is kept

	live   map[flow.ID]*entry // not ended
	dirty  []*entry           // of those, in order, states not yet written
	ended  []*entry           // ended and not yet written, in order
	gone   idSet              // every flow that ended, so that none counts twice
	lastID flow.ID            // of the file when it was opened
	bytes  int64              // of what waits to be written
	spare  []observation

	changes *changes // notes what is written, for those who asked; nil when nobody did

	teller    *teller // nil when nobody is to be told of violations
	nextEvent int64

	requests chan request
	tells    chan func(*writer) error
	quit     chan struct{}
	done     chan struct{}
}

// request is a job for the worker's goroutine, done after all that was observed
// before it.
type request struct {
	run   func() error
	reply chan error
}

// entry is one flow on its way to the file.
type entry struct {
	flow    *flow.Flow
	phase   string // at its first state
	since   time.Time
	dirty   bool
	written bool // an earlier state is on disk
	ended   bool
	judged  policy.Judgement // of the states before, then of this one

	exposures []flow.Exposure // found in the states before, then also in this one
	frames    []frames        // of all states since the last that was written
	counted   []string        // violations that the flow counts in, for the teller

	stored  *flow.Flow  // what of the flow is written; nil: all of it
	omitted bool        // contents of frames were left out
	leaks   []flow.Leak // in all states so far
	bytes   int64
}

// settle puts into the flow what the store knows better than its last state: its
// phase, and the frames that came with states between.
func (e *entry) settle() {
	if e.phase == e.flow.Phase && len(e.frames) < 2 {
		return
	}
	c := *e.flow
	c.Phase = e.phase
	if len(e.frames) > 1 {
		c.Frames, c.FrameOffset = nil, e.frames[0].offset
		for _, part := range e.frames {
			c.Frames = append(c.Frames, part.frames...)
		}
	}
	e.flow = &c
}

// frames are what one state of a flow added.
type frames struct {
	offset int
	frames []flow.Frame
}

func newWorker(s *Store, w *writer, index *indexer) *worker {
	k := &worker{
		store: s, w: w, index: index, live: map[flow.ID]*entry{}, gone: idSet{}, lastID: flow.ID(s.lastID.Load()),
		nextEvent: s.events.filed + 1,
		requests:  make(chan request), tells: make(chan func(*writer) error, 64),
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	if s.opts.Tell != nil {
		k.teller = &teller{told: s.toldOf}
		k.teller.restart(s.totals, s.open, nil)
	}
	return k
}

// do runs a job on the worker's goroutine after a flush and returns its error.
func (k *worker) do(run func() error) error {
	r := request{run, make(chan error, 1)}
	select {
	case k.requests <- r:
		return <-r.reply
	case <-k.done:
		return errors.Join(k.store.Err(), errClosed)
	}
}

// doWriting runs a job within a transaction of its own.
func (k *worker) doWriting(job func(*writer) error) error {
	return k.do(func() error {
		if err := k.store.Err(); err != nil {
			return err
		}
		return k.w.transaction(func() error { return job(k.w) })
	})
}

// tell leaves a small thing to write with the next batch.
func (k *worker) tell(job func(*writer) error) {
	if k.w == nil {
		return
	}
	select {
	case k.tells <- job:
		k.store.queue.signal()
	case <-k.done:
	}
}

// stop ends the worker after everything was written. The file stays open.
func (k *worker) stop() {
	k.store.queue.close()
	close(k.quit)
	<-k.done
}

// close closes the file.
func (k *worker) close() error {
	if k.w == nil {
		return nil
	}
	k.index.close()
	return k.w.close()
}

func (k *worker) run() {
	defer close(k.done)
	timer := time.NewTimer(0) // of the next flush or, when there is nothing to flush, of indexing
	defer timer.Stop()
	armed := true
	arm := func(d time.Duration) {
		if !armed {
			timer.Reset(d)
			armed = true
		}
	}
	for {
		select {
		case <-k.store.queue.ready:
			k.collect()
			if k.full() {
				k.flush(false)
			}
			arm(batchInterval)
		case <-timer.C:
			armed = false
			k.collect()
			if next := k.tick(); next > 0 {
				arm(next)
			} else {
				k.store.queue.sleep()
			}
		case r := <-k.requests:
			k.flush(true)
			r.reply <- r.run()
		case <-k.quit:
			k.finish()
			return
		}
	}
}

// tick flushes or, when there is little to flush, indexes a little; it returns
// when to tick again, 0 for not until something happens.
func (k *worker) tick() time.Duration {
	written := k.flush(false)
	if k.index != nil && k.store.Err() == nil && written < idleFlows && !k.store.queue.pressed() {
		more, err := k.index.step(indexStep)
		if err != nil {
			k.store.fail(classify(k.w.path, err))
		}
		if more {
			return indexPause
		}
	}
	if len(k.dirty) > 0 || written > 0 {
		return batchInterval
	}
	return 0
}

func (k *worker) finish() {
	k.flush(true)
	now := k.store.moment()
	k.store.endSwitches(now)
	if k.w == nil || k.store.Err() != nil {
		return
	}
	_, err := k.index.step(indexAtClose)
	if err == nil {
		err = k.w.transaction(func() error { return k.w.endSession(now) })
	}
	if err != nil {
		k.store.fail(classify(k.w.path, err))
	}
}

// full reports whether a batch should not wait for its time.
func (k *worker) full() bool {
	return len(k.ended) >= batchFlows || k.bytes > k.store.opts.QueueBytes/8
}

// collect sorts what was queued into live and ended.
func (k *worker) collect() {
	items := k.store.queue.take(k.spare)
	now := time.Now()
	var dropped int64
	for i := range items {
		if !k.accept(&items[i], now) {
			dropped += items[i].size
		}
	}
	k.spare = items
	if dropped > 0 {
		k.store.queue.release(dropped)
	}
}

// accept takes one observation; false when it comes after the end of its flow.
func (k *worker) accept(o *observation, now time.Time) bool {
	f := o.flow
	if k.gone.has(uint64(f.ID)) {
		return false
	}
	e := k.live[f.ID]
	if e == nil {
		// An ID that NextID did not give out may be in the file already.
		e = &entry{phase: o.phase, since: now, written: f.ID <= k.lastID}
		if !f.Ended() {
			k.live[f.ID] = e
		}
	}
	e.flow = f
	e.bytes += o.size
	k.bytes += o.size
	if len(f.Frames) > 0 {
		e.frames = append(e.frames, frames{f.FrameOffset, f.Frames})
	}
	switch {
	case f.Ended():
		e.ended = true
		delete(k.live, f.ID)
		k.gone.add(uint64(f.ID))
		k.ended = append(k.ended, e)
	case !e.dirty:
		e.dirty = true
		k.dirty = append(k.dirty, e)
	}
	return true
}

// flush judges, counts and writes what has gathered, and returns the number of
// flows. Flows that have just opened wait for their end, unless all is set.
func (k *worker) flush(all bool) int {
	k.collect()
	batch := k.batch(all || k.store.queue.pressed())
	if len(batch) > 0 {
		judged := make([]policy.Judgement, len(batch))
		for _, e := range batch {
			e.settle()
		}
		k.examine(batch)
		for i, e := range batch {
			e.judged = k.store.verdict.judge(e.flow, e.judged)
			judged[i] = e.judged
		}
		events := k.news(batch)
		k.omit(batch)
		k.write(batch, events)
		k.changes.note(batch)
		k.count(batch, judged)
		k.publish(events)
	} else if len(k.tells) > 0 || k.store.events.hasAnnouncements() {
		events := k.news(nil)
		k.write(nil, events)
		k.publish(events)
	}
	return len(batch)
}

// batch takes the entries whose turn it is.
func (k *worker) batch(all bool) []*entry {
	batch := k.ended
	k.ended = nil
	deadline := time.Now().Add(-youngest)
	young := k.dirty[:0]
	for _, e := range k.dirty {
		switch {
		case e.ended: // has ended since
		case all || e.since.Before(deadline):
			e.dirty = false
			batch = append(batch, e)
		default:
			young = append(young, e)
		}
	}
	clear(k.dirty[len(young):])
	k.dirty = young
	return batch
}

// count adds a batch to the totals, lets go of its contents and wakes readers.
func (k *worker) count(batch []*entry, judged []policy.Judgement) {
	s := k.store
	var bytes int64
	s.mu.Lock()
	for i, e := range batch {
		bytes += e.bytes
		omitted := e.stored != nil && e.stored.Omitted
		e.bytes, e.frames, e.stored = 0, nil, nil
		if e.ended {
			delete(s.open, e.flow.ID)
			counted := *e.flow
			counted.Omitted = counted.Omitted || omitted
			s.totals.add(&counted, judged[i])
			continue
		}
		e.flow = light(e.flow)
		s.open[e.flow.ID] = openFlow{e.flow, judged[i]}
	}
	s.changedLocked()
	s.mu.Unlock()
	k.bytes -= bytes
	s.queue.release(bytes)
}

// light returns the flow without the contents of its bodies.
func light(f *flow.Flow) *flow.Flow {
	c := *f
	c.Frames = nil
	if f.Request != nil {
		r := *f.Request
		r.Body.Content = nil
		c.Request = &r
	}
	if f.Response != nil {
		r := *f.Response
		r.Body.Content = nil
		c.Response = &r
	}
	return &c
}

// publish hands out events after they were written.
func (k *worker) publish(events []Event) {
	if len(events) == 0 {
		return
	}
	s := k.store
	if lost := s.events.publish(events, k.w != nil && s.Err() == nil); lost {
		s.note(fmt.Sprintf("more than %d events were not taken by anybody: the first of them are lost", maxEvents))
	}
	s.mu.Lock()
	s.changedLocked()
	s.mu.Unlock()
}

// write puts a batch, its events, and what it was told, on disk in one transaction.
func (k *worker) write(batch []*entry, events []Event) {
	told := k.told()
	if k.w == nil || k.store.Err() != nil {
		return
	}
	start := time.Now()
	err := k.w.transaction(func() error {
		for _, job := range told {
			if err := job(k.w); err != nil {
				return err
			}
		}
		for i := range events {
			if err := k.w.event(&events[i]); err != nil {
				return err
			}
		}
		return k.w.batch(batch)
	})
	if err != nil {
		k.store.fail(classify(k.w.path, err))
		return
	}
	k.store.opts.Log.Debug("batch written", "flows", len(batch), "took", time.Since(start))
}

// told returns the small things that wait to be written.
func (k *worker) told() (jobs []func(*writer) error) {
	for {
		select {
		case job := <-k.tells:
			jobs = append(jobs, job)
		default:
			return jobs
		}
	}
}
