package intake

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"telltale/flow"
)

// A batch is handed over when it has this many flows, or this many bytes of
// bodies: enough that handing over costs nothing, little enough to hold a few.
const (
	batchFlows = 256
	batchBytes = 1 << 20
)

// stream is one input while it is read ahead of whoever observes its flows.
type stream struct {
	batches chan []*flow.Flow // closed at the end of the input
	infos   []Info            // complete when batches is closed; several for an archive
}

// start reads the inputs, as many at a time as there are cores. They begin in
// order, so that the one that is observed is never behind one that waits.
func (s *Set) start(ctx context.Context, opts Options, done *sync.WaitGroup) []*stream {
	streams := make([]*stream, len(s.inputs))
	for i := range streams {
		streams[i] = &stream{batches: make(chan []*flow.Flow, 1)}
	}
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	done.Go(func() {
		for i, in := range s.inputs {
			free <- struct{}{}
			done.Go(func() {
				streams[i].read(ctx, s, in, opts)
				<-free
			})
		}
	})
	return streams
}

// read reads one input. Once ctx is done it only ends.
func (st *stream) read(ctx context.Context, s *Set, in input, opts Options) {
	defer close(st.batches)
	b := batcher{ctx: ctx, out: st.batches}
	r := &reading{ctx: ctx, set: s, opts: opts, deliver: b.add}
	st.infos = r.file(in)
	_ = b.flush() // an error is ctx's, which the observer knows
	if r.settled {
		s.remember(st.infos)
	}
}

// batcher gathers flows.
type batcher struct {
	ctx   context.Context
	out   chan<- []*flow.Flow
	flows []*flow.Flow
	bytes int
}

func (b *batcher) add(f *flow.Flow) error {
	b.flows = append(b.flows, f)
	b.bytes += contentSize(f)
	if len(b.flows) < batchFlows && b.bytes < batchBytes {
		return nil
	}
	return b.flush()
}

func (b *batcher) flush() error {
	if err := context.Cause(b.ctx); err != nil {
		return err
	}
	if len(b.flows) == 0 {
		return nil
	}
	select {
	case b.out <- b.flows:
		b.flows, b.bytes = make([]*flow.Flow, 0, len(b.flows)), 0
		return nil
	case <-b.ctx.Done():
		return context.Cause(b.ctx)
	}
}

// contentSize returns how many bytes of contents a flow holds in memory.
func contentSize(f *flow.Flow) int {
	n := 0
	if f.Request != nil {
		n += len(f.Request.Body.Content)
	}
	if f.Response != nil {
		n += len(f.Response.Body.Content)
	}
	for i := range f.Frames {
		n += len(f.Frames[i].Data)
	}
	return n
}

// remember compares the digests of a second reading with those of the first.
func (s *Set) remember(infos []Info) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range infos {
		info := &infos[i]
		if first, ok := s.digests[info.File]; ok && first != info.SHA256 && info.Err == nil {
			info.Err = &ChangedError{File: info.File}
		}
		s.digests[info.File] = info.SHA256
	}
}

// A ChangedError says that a file was not the same at the end of the reading as
// at its beginning, so that nobody knows what was judged.
type ChangedError struct{ File string }

// Error names the file.
func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s: the file changed while it was read; expected a capture that is finished", e.File)
}

// Hint says what to do.
func (e *ChangedError) Hint() string {
	return "wait until its writer is done, then run the command again"
}
