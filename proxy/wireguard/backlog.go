package wireguard

import (
	"sync/atomic"
	"time"
)

const (
	// maxBacklog is how many packets may wait to be decrypted and taken. Each has a
	// buffer of 64 KiB, and wireguard-go alone would keep more than 100,000.
	maxBacklog = 1024
	// backlogPatience is how long the socket waits for packets that may never be
	// taken: a packet that cannot be decrypted vanishes without a trace.
	backlogPatience = 5 * time.Millisecond
)

// backlog makes the socket wait while those who take packets do not keep up. What comes
// meanwhile waits in the kernel, which drops what is too much.
type backlog struct {
	received atomic.Int64
	taken    atomic.Int64
	forgiven atomic.Int64 // received, and not waited for any more
	waiting  atomic.Bool
	progress chan struct{} // holds one
}

func newBacklog() *backlog { return &backlog{progress: make(chan struct{}, 1)} }

// take is told of packets that were taken.
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
	b.received.Add(int64(n))
	if size := b.size(); size < 0 {
		b.forgiven.Add(size)
	}
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
			b.forgiven.Add(b.size())
		}
	}
	b.waiting.Store(false)
}

// size is how many packets are waited for. It is less than none where some were taken
// after they had been forgiven.
func (b *backlog) size() int64 { return b.unread() - b.forgiven.Load() }

// unread is how many came and were not taken.
func (b *backlog) unread() int64 { return b.received.Load() - b.taken.Load() }
