package app

import (
	"container/heap"
	"sync"
)

// A job is one file that is still to be visited, or opened where it is an archive.
type job struct {
	app   *opening
	path  string // in the app
	size  int64  // unpacked, as its container says
	depth int    // of archives around it
	pack  *pack  // the outermost archive around it; nil in a folder
	in    *shelf // what it is read from
	from  source
	root  bool // it is the app itself
	asIs  bool // it is no archive, whatever it looks like
}

// A queue hands jobs to workers: what is in the innermost archive first, so that few
// archives are open at once; then the biggest, so that no worker starts on it when the
// others are nearly done.
type queue struct {
	mu     sync.Mutex
	change sync.Cond
	jobs   jobHeap
	busy   int // who may add more: workers with a job, and those that list folders
	closed bool
}

func newQueue() *queue {
	q := new(queue)
	q.change.L = &q.mu
	return q
}

// enter says that somebody will add jobs until it calls leave.
func (q *queue) enter() {
	q.mu.Lock()
	q.busy++
	q.mu.Unlock()
}

func (q *queue) leave() {
	q.mu.Lock()
	q.busy--
	q.mu.Unlock()
	q.change.Broadcast()
}

func (q *queue) add(jobs ...*job) {
	q.mu.Lock()
	for _, j := range jobs {
		heap.Push(&q.jobs, j)
	}
	q.mu.Unlock()
	q.change.Broadcast()
}

// take returns the next job, nil when there will be none. The caller must call leave when it
// is done.
func (q *queue) take() *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.jobs) == 0 && q.busy > 0 && !q.closed {
		q.change.Wait()
	}
	if len(q.jobs) == 0 || q.closed {
		return nil
	}
	q.busy++
	return heap.Pop(&q.jobs).(*job)
}

// close ends it, and returns what nobody took.
func (q *queue) close() []*job {
	q.mu.Lock()
	rest := q.jobs
	q.jobs, q.closed = nil, true
	q.mu.Unlock()
	q.change.Broadcast()
	return rest
}

type jobHeap []*job

func (h jobHeap) Len() int      { return len(h) }
func (h jobHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h jobHeap) Less(i, j int) bool {
	if h[i].depth != h[j].depth {
		return h[i].depth > h[j].depth
	}
	return h[i].size > h[j].size
}
func (h *jobHeap) Push(x any) { *h = append(*h, x.(*job)) }
func (h *jobHeap) Pop() any {
	last := len(*h) - 1
	j := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return j
}
