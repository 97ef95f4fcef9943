package intake

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"telltale/flow"
)

// A batch is handed over when it has this many flows, or this many bytes of texts
// and bodies: enough that handing over costs nothing, little enough to hold a few.
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
// order, so that the one that is observed is never behind one that waits; and each has
// at most one batch that waits to be observed, so that small inputs do not pile up
// behind a large one.
func (s *Set) start(ctx context.Context, opts Options, done *sync.WaitGroup) []*stream {
	streams := make([]*stream, len(s.inputs))
	for i := range streams {
		streams[i] = &stream{batches: make(chan []*flow.Flow)}
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
	r := &reading{ctx: ctx, set: s, opts: opts}
	r.deliver = func(f *flow.Flow) error {
		r.flows++
		r.modes = withMode(r.modes, f.Mode)
		r.span.add(f)
		return b.add(f)
	}
	st.infos = r.file(in)
	_ = b.flush()                      // an error is ctx's, which the observer knows
	if r.settled && ctx.Err() == nil { // one that was stopped did not see the whole
		s.remember(in.name, st.infos)
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
	b.bytes += sizeOf(f)
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

// sizeOf returns about how many bytes a flow holds in memory.
func sizeOf(f *flow.Flow) int {
	n := len(f.Error)
	header := func(fields []flow.Field) {
		for i := range fields {
			n += len(fields[i].Name) + len(fields[i].Reveal())
		}
	}
	if m := f.Request; m != nil {
		n += len(m.URL) + len(m.Body.Content)
		header(m.Header)
		header(m.Trailer)
	}
	if m := f.Response; m != nil {
		n += len(m.Reason) + len(m.Body.Content)
		header(m.Header)
		header(m.Trailer)
	}
	for i := range f.Frames {
		n += len(f.Frames[i].Data)
	}
	return n
}

// remember compares the digests of an input's captures with those of the first reading.
func (s *Set) remember(name string, infos []Info) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first, again := s.digests[name]
	if !again {
		first = make([]string, len(infos))
		for i := range infos {
			first[i] = infos[i].SHA256
		}
		s.digests[name] = first
	}
	for i := range infos {
		if info := &infos[i]; info.Err == nil && (i >= len(first) || first[i] != info.SHA256) {
			info.Err = &ChangedError{File: info.File}
		}
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
