// Package link makes the sockets of clients as slow as a link of another kind: a mobile
// network, a satellite ([Profiles] is the only list).
//
// It knows rates, delays and what loss looks like above TCP. A [Link] is shared by all
// sockets that it wraps, as the link of a device is: their rates add up to the one of the
// profile, and they take turns. It may be switched at any time, while they are in use.
//
// It promises that a socket costs a look or two at a pointer in each Read and Write while no
// profile is in use; that waiting takes no CPU, no goroutine and no memory beyond the
// buffer that was given; that a deadline, and Close, end a wait like one of the socket, and
// that no byte is lost by that; that a socket knows which profiles something passed under,
// and when; and that the same seed stalls the same bursts of the same socket.
//
// The rate is kept by trafficshape's leaky buckets, which are drained every [interval].
// It does not shape packets: what the kernel holds of what a client sends has left the
// client before it is slow, and TCP's own start is that of the real link. Of one socket
// Write is called by one goroutine at a time, as TLS and HTTP do.
//
// To debug it, run BenchmarkLink, which reports the rates that it measures, and the CPU that
// they cost.
package link

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/martian/v3/trafficshape"
)

// interval is how often the buckets are drained. What has come together by then passes at
// once: it is short enough that nobody notices.
const interval = 40 * time.Millisecond

// Link is the link of all clients. Its zero value is not of use: see [New].
type Link struct {
	seed   uint64
	conns  atomic.Uint64 // sockets that were ever slow: each draws its own numbers
	regime atomic.Pointer[regime]
	mu     sync.Mutex // of Use
}

// New returns a link that is as fast as it is. The seed says what is lost once Use has
// named a profile.
func New(seed uint64) *Link { return &Link{seed: seed} }

// Use makes the link one of a profile from now on, for the sockets that are open as well;
// nil makes it as fast as it is.
func (l *Link) Use(p *Profile) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var next *regime
	if p != nil {
		next = &regime{profile: *p, down: newLane(p.Down), up: newLane(p.Up), ended: make(chan struct{})}
		next.by, next.what = words(p)
	}
	old := l.regime.Swap(next)
	if old == nil {
		return
	}
	close(old.ended)
	old.down.close()
	old.up.close()
}

// Profile returns the profile in use, nil for none.
func (l *Link) Profile() *Profile {
	if r := l.regime.Load(); r != nil {
		return &r.profile
	}
	return nil
}

// Wrap returns c behind the link. What it returns has CloseWrite, SetLinger and
// SyscallConn as well, which do what those of c do, and Slowed, SlowedSince and Slow.
func (l *Link) Wrap(c net.Conn) net.Conn {
	w := &conn{Conn: c, link: l}
	w.tcp, _ = c.(*net.TCPConn)
	w.opened = l.regime.Load() != nil
	return w
}

// regime is one profile while it is in use.
type regime struct {
	profile  Profile
	by, what string // see words
	down, up *lane
	ended    chan struct{} // closed when another one is in use
}

// lane is one direction of the link. A nil lane is as fast as it is.
type lane struct {
	quantum int           // how much a socket may send in its turn
	turn    chan struct{} // holds a token while somebody waits for the bucket, or takes from it
	start   time.Time     // when the bucket was made: it is drained every interval since
	tick    int64         // since then, in which it was found full last
	mu      sync.Mutex    // of the bucket's end: it complains of being filled afterwards
	bucket  *trafficshape.Bucket
	closed  bool
}

// newLane returns a lane of so many bytes per second.
func newLane(rate int64) *lane {
	if rate <= 0 {
		return nil
	}
	capacity := max(1, rate*int64(interval)/int64(time.Second))
	return &lane{
		quantum: int(max(min(capacity, 512), capacity/4)), turn: make(chan struct{}, 1),
		start: time.Now(), bucket: trafficshape.NewBucket(capacity, interval),
	}
}

func (l *lane) close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.bucket.Close()
}

// take takes up to n bytes of what the bucket has room for at this moment.
func (l *lane) take(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0
	}
	took, _ := l.bucket.Fill(func(room int64) (int64, error) { return min(room, int64(n)), nil })
	return int(took)
}

// late is how long after the time of a drain the bucket is looked at: the ticker may be
// late itself.
const late = time.Millisecond

// untilDrained returns how long to wait until the bucket, which is full, is looked at again.
// room says that it was not a moment ago. Whoever has the turn calls it.
func (l *lane) untilDrained(room bool) time.Duration {
	age := time.Since(l.start)
	tick := int64(age / interval)
	switch {
	case room:
		l.tick = tick
	case l.tick < tick:
		return late // it was to be drained since, and was not yet
	}
	return time.Duration(tick+1)*interval + late - age
}

// numbers returns the generator of a socket that is slow for the first time.
func (l *Link) numbers() *rand.Rand {
	return rand.New(rand.NewPCG(l.seed, l.conns.Add(1))) //nolint:gosec // it is to be repeated, not to be secret
}
