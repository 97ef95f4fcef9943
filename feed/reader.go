package feed

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"sync"
	"time"
)

// A message is a line that was published.
type message struct {
	number uint64
	line   []byte
}

// An ending says why a reader's connection ends.
type ending string

// The endings. All but closed are the last event's name: after the audit's summary there is
// nothing to say.
const (
	going   ending = "" // it does not end
	left    ending = "left"
	closed  ending = "closed"
	dropped ending = "dropped"
	expired ending = "expired"
)

var endingWords = map[ending]string{
	closed:  "the audit is over",
	dropped: "too slow: events were lost, connect again",
	expired: "the token has expired",
}

// A reader is one connection: a queue that is filled by whoever publishes and emptied by
// the connection's own goroutine.
type reader struct {
	joined position
	wake   chan struct{} // holds one when there is something to do
	cancel context.CancelFunc

	mu     sync.Mutex
	queue  []message
	behind int // bytes that were queued and are not written yet
	ending ending
}

// A position is how far a run was when a reader joined it.
type position struct {
	run  string
	last uint64 // number of the line that was published last
}

// add queues a message, unless so much waits already that the reader is to be dropped: its
// own goroutine tells it.
func (r *reader) add(m message, limit int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending != going {
		return
	}
	if r.behind += len(m.line) + lineCost; r.behind > limit {
		r.queue, r.ending = nil, dropped
	} else {
		r.queue = append(r.queue, m)
	}
	r.rouse()
}

// stop ends the reader when its queue is empty.
func (r *reader) stop(why ending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending == going {
		r.ending = why
	}
	r.rouse()
}

func (r *reader) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// take returns the next messages, of about a chunk, or why there are no more.
func (r *reader) take() ([]message, ending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for size := 0; n < len(r.queue) && size < chunk; n++ {
		size += len(r.queue[n].line) + lineCost
	}
	if n == 0 {
		r.queue = nil // its memory
		return nil, r.ending
	}
	batch := r.queue[:n:n]
	r.queue = r.queue[n:]
	return batch, going
}

// written makes room for as much as was written.
func (r *reader) written(batch []message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range batch {
		r.behind -= len(m.line) + lineCost
	}
}

// A stream is how a reader is written to.
type stream interface {
	send(batch []message) error
	beat() error
	// end says why it ends, where there is somebody to hear it.
	end(why ending, notice []byte)
}

var errFull = errors.New("too many readers")

// join makes a reader and counts it in. Once Close was called there is none.
func (s *Server) join(cancel context.CancelFunc) (*reader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		return nil, errors.New(endingWords[closed])
	case len(s.readers) >= s.limits.readers:
		return nil, errFull
	}
	r := &reader{joined: position{s.run, s.last}, wake: make(chan struct{}, 1), cancel: cancel}
	s.readers[r] = struct{}{}
	s.ended.Add(1)
	return r, nil
}

func (s *Server) leave(r *reader) {
	s.mu.Lock()
	delete(s.readers, r)
	if len(s.readers) == 0 {
		s.run = newRun()
	}
	s.mu.Unlock()
	s.ended.Done()
}

// serve writes to a reader what it is sent until it ends, and says why it did.
func (s *Server) serve(ctx context.Context, r *reader, to stream, expires time.Time) ending {
	why := s.pump(ctx, r, to, expires)
	if why != left {
		to.end(why, notice(why))
	}
	return why
}

func (s *Server) pump(ctx context.Context, r *reader, to stream, expires time.Time) ending {
	if s.config.Hello != nil {
		for _, line := range s.config.Hello() {
			if err := to.send([]message{{line: oneLine(line)}}); err != nil {
				return r.failed(err)
			}
		}
	}
	expiry := time.NewTimer(time.Until(expires))
	defer expiry.Stop()
	beat := time.NewTimer(s.limits.beat)
	defer beat.Stop()
	for {
		for {
			batch, why := r.take()
			if why != going {
				return why
			}
			if len(batch) == 0 {
				break
			}
			if err := to.send(batch); err != nil {
				return r.failed(err)
			}
			r.written(batch)
			beat.Reset(s.limits.beat)
			// A timer knows nothing of a clock that was set, or of a machine that slept.
			if !time.Now().Round(0).Before(expires) {
				return expired
			}
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			return left
		case <-expiry.C:
			return expired
		case <-beat.C:
			if !time.Now().Round(0).Before(expires) {
				return expired
			}
			if err := to.beat(); err != nil {
				return r.failed(err)
			}
			beat.Reset(s.limits.beat)
		}
	}
}

// failed returns why a write failed: the reader was too slow, or has left.
func (r *reader) failed(err error) ending {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending == dropped || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return dropped
	}
	return left
}

// notice returns the last event of a connection, nil for none.
func notice(why ending) []byte {
	if why == closed {
		return nil
	}
	return encode(ownEvent{Event: string(why), Message: endingWords[why]})
}

// An ownEvent is an event of the feed itself.
type ownEvent struct {
	Event   string  `json:"event"`
	Time    string  `json:"time"`
	Message string  `json:"message,omitempty"`
	Missed  *uint64 `json:"missed,omitempty"` // by a reader that came again; unknown when absent
}

func encode(e ownEvent) []byte {
	e.Time = time.Now().UTC().Format(time.RFC3339Nano)
	line, err := json.Marshal(e)
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	return line
}
