package wireguard

import (
	"sync/atomic"
	"time"
)

const (
	// maxBacklog is how many packets may wait to be decrypted and taken. Each has a
	// buffer of 64 KiB, and wireguard-go alone would keep more than 100,000.
	maxBacklog = 1024
	// backlogPatience is how long the socket waits for packets that nobody is taking:
	// one that cannot be decrypted vanishes without a trace.
	backlogPatience = 5 * time.Millisecond
)

// backlog makes the socket wait while those who take packets do not keep up. What comes
// meanwhile waits in the kernel, which drops what is too much.
type backlog struct {
	received atomic.Int64
	taken    atomic.Int64
	forgiven atomic.Int64 // received, and not waited for any more
	taking   atomic.Int64 // batches that are being taken
	waiting  atomic.Bool
	progress chan struct{} // holds one
	closed   chan struct{}
}

func newBacklog() *backlog {
	return &backlog{progress: make(chan struct{}, 1), closed: make(chan struct{})}
}

// begin is told that packets are being taken.
func (b *backlog) begin() { b.taking.Add(1) }

// end is told that n were.
func (b *backlog) end(n int) {
	b.taking.Add(-1)
	b.take(n)
}

// take is told of packets that came and that nobody will take.
func (b *backlog) take(n int) {
	b.taken.Add(int64(n))
	if b.waiting.Load() {
		select {
		case b.progress <- struct{}{}:
		default:
		}
	}
}

// receive is told of packets that came, and waits until there is room for more.
func (b *backlog) receive(n int) {
	if size := b.size(); size < 0 {
		b.forgiven.Add(size)
	}
	b.received.Add(int64(n))
	for b.size() > maxBacklog {
		b.waiting.Store(true)
		if b.size() <= maxBacklog {
			break
		}
		patience := time.NewTimer(backlogPatience)
		select {
		case <-b.progress:
			patience.Stop()
		case <-patience.C:
			if b.taking.Load() == 0 { // else somebody is slow
				b.forgiven.Add(max(0, b.size()))
			}
		case <-b.closed:
			patience.Stop()
			return
		}
	}
	b.waiting.Store(false)
}

// size is how many packets are waited for. It is less than none where some were taken
// after they had been forgiven.
func (b *backlog) size() int64 { return b.unread() - b.forgiven.Load() }

// unread is how many came and were not taken.
func (b *backlog) unread() int64 { return b.received.Load() - b.taken.Load() }
