package capture

import (
	"sync"

	"telltale/flow"
)

// observation is one state of a flow on its way to the worker.
type observation struct {
	flow  *flow.Flow
	phase string // the operator's mark when it was observed
	size  int64
}

// queue carries observations to the worker. It is bounded by count and by bytes,
// where bytes count until the worker has them on disk: that is what bounds the
// memory of a recorder whose disk is slow.
type queue struct {
	mu       sync.Mutex
	space    sync.Cond
	items    []observation
	bytes    int64 // queued, and taken but not yet released
	waiting  int64 // queued alone
	asleep   bool  // the worker waits for the first item
	maxItems int
	maxBytes int64
	closed   bool
	ready    chan struct{} // holds a token when the worker should take
}

func newQueue(maxItems int, maxBytes int64) *queue {
	q := &queue{maxItems: maxItems, maxBytes: maxBytes, asleep: true, ready: make(chan struct{}, 1)}
	q.space.L = &q.mu
	return q
}

// put adds an observation and blocks while the queue is full. An observation
// larger than the bound passes when it is alone. It reports false, and forgets
// the observation, once the queue is closed.
func (q *queue) put(o observation) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && (len(q.items) >= q.maxItems || q.bytes > 0 && q.bytes+o.size > q.maxBytes) {
		q.signal()
		q.space.Wait()
	}
	if q.closed {
		return false
	}
	q.items = append(q.items, o)
	q.bytes += o.size
	q.waiting += o.size
	// To wake the worker costs more than all the rest of this. It comes by
	// itself while there is something to write, so it is only woken from sleep
	// and when much has gathered.
	if q.asleep || len(q.items) > q.maxItems/2 || q.waiting > q.maxBytes/8 {
		q.asleep = false
		q.signal()
	}
	return true
}

func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// sleep asks for a token with the next item, at once when there is one.
func (q *queue) sleep() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.asleep = len(q.items) == 0; !q.asleep {
		q.signal()
	}
}

// take returns everything that waits, in order. The caller hands spare back for
// reuse: a slice it no longer needs.
func (q *queue) take(spare []observation) []observation {
	clear(spare)
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items, q.waiting = spare[:0], 0
	if len(items) > 0 {
		q.space.Broadcast()
	}
	return items
}

// release gives bytes back once the worker no longer holds them.
func (q *queue) release(n int64) {
	q.mu.Lock()
	q.bytes -= n
	q.mu.Unlock()
	q.space.Broadcast()
}

// pressed reports whether so much is held that producers are, or soon will be,
// waiting for the disk.
func (q *queue) pressed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes > q.maxBytes/2
}

// close lets blocked producers go; what was queued can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.space.Broadcast()
}

// flowSize estimates the memory that a flow pins: a constant for its headers and
// addresses, and its contents and answers.
func flowSize(f *flow.Flow) int64 {
	n := int64(2048)
	if f.Request != nil {
		n += int64(len(f.Request.Body.Content))
	}
	if f.Response != nil {
		n += int64(len(f.Response.Body.Content))
	}
	if f.DNS != nil {
		for i := range f.DNS.Answers {
			n += 128 + int64(len(f.DNS.Answers[i].Data))
		}
	}
	for i := range f.Frames {
		n += 64 + int64(len(f.Frames[i].Data))
	}
	return n
}
