package link

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// conn is a socket behind a link.
type conn struct {
	net.Conn
	tcp    *net.TCPConn // Conn, where it is one
	link   *Link
	opened bool // while a profile was in use: opening it takes a round trip
	closed atomic.Bool
	r, w   half

	mu      sync.Mutex // of what follows
	numbers *rand.Rand
}

// half is one direction of a socket.
type half struct {
	deadline atomic.Int64 // in Unix nanoseconds; 0 for none
	waiting  atomic.Int32 // goroutines in wait
	slowed   atomic.Int64 // pieces that a profile held up, or could have
	passed   passages

	mu   sync.Mutex
	wake chan struct{} // closed when a deadline is set, or the socket closed; nil while nobody waits

	// Of the one goroutine that reads, or writes.
	last time.Time // when something passed last
	drew time.Time // when it was drawn last whether something is lost
	held []byte    // read, and not given out yet: a deadline came in between
	ends error     // what comes behind it
}

// errSwitched ends a wait because another profile is in use.
var errSwitched = errors.New("another profile is in use")

// Read reads what has come over the link.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.r.held) > 0 || c.r.ends != nil {
		return c.readHeld(p)
	}
	if r := c.link.regime.Load(); r != nil && r.up != nil && len(p) > r.up.quantum {
		p = p[:r.up.quantum]
	}
	n, err := c.Conn.Read(p)
	if n <= 0 || c.link.regime.Load() == nil {
		return n, err
	}
	if late := c.arrive(n); late != nil {
		c.r.held, c.r.ends = append([]byte(nil), p[:n]...), err
		return 0, late
	}
	return n, err
}

// readHeld gives out what was read before.
func (c *conn) readHeld(p []byte) (int, error) {
	if len(c.r.held) == 0 {
		err := c.r.ends
		c.r.ends = nil
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n := min(len(p), len(c.r.held))
	if err := c.arrive(n); err != nil {
		return 0, err
	}
	copy(p, c.r.held)
	if c.r.held = c.r.held[n:]; len(c.r.held) == 0 {
		c.r.held = nil
	}
	return n, nil
}

// arrive waits until n bytes that a client sent have come over the link.
func (c *conn) arrive(n int) error {
	for n > 0 {
		r := c.link.regime.Load()
		if r == nil {
			return nil
		}
		took, err := c.pass(&c.r, r, r.up, n)
		if n -= took; err != nil && !errors.Is(err, errSwitched) {
			return err
		}
	}
	return nil
}

// Write sends over the link.
func (c *conn) Write(p []byte) (int, error) {
	if c.link.regime.Load() == nil {
		return c.Conn.Write(p)
	}
	sent := 0
	for sent < len(p) {
		r := c.link.regime.Load()
		if r == nil {
			n, err := c.Conn.Write(p[sent:])
			return sent + n, err
		}
		took, err := c.pass(&c.w, r, r.down, len(p)-sent)
		if errors.Is(err, errSwitched) {
			continue
		}
		if err != nil {
			return sent, err
		}
		n, err := c.Conn.Write(p[sent : sent+took])
		if sent += n; err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// pass waits until some of n bytes may pass, and returns how many.
func (c *conn) pass(h *half, r *regime, l *lane, n int) (int, error) {
	h.note(r)
	if delay := c.delay(h, r); delay > 0 {
		if err := c.wait(h, r, delay); err != nil {
			return 0, err
		}
	}
	h.last = time.Now()
	if l == nil {
		return n, nil
	}
	n = min(n, l.quantum)
	if err := c.takeTurn(h, r, l); err != nil {
		return 0, err
	}
	defer func() { <-l.turn }()
	for left := n; ; {
		took := l.take(left)
		if left -= took; left == 0 {
			h.last = time.Now()
			return n, nil
		}
		if err := c.wait(h, r, l.untilDrained(took > 0)); err != nil {
			return n - left, err
		}
	}
}

// delay returns how long what passes now is under way beyond what the rate says: a burst,
// which is what comes after a pause, takes the latency. The rest of it is as late already.
func (c *conn) delay(h *half, r *regime) (delay time.Duration) {
	p, now := &r.profile, time.Now()
	burst := now.Sub(h.last) > p.Latency
	if burst {
		delay = p.Latency
		if c.opened && h == &c.r && h.last.IsZero() {
			delay += 2 * p.Latency
		}
	}
	if p.Loss > 0 && (burst || now.Sub(h.drew) >= 2*p.Latency) {
		if h.drew = now; c.loses(p.Loss) {
			delay += p.timeout()
		}
	}
	h.last = now.Add(delay) // a wait that ends early is not begun again
	return delay
}

// loses draws whether a packet is lost.
func (c *conn) loses(chance float64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.numbers == nil {
		c.numbers = c.link.numbers()
	}
	return c.numbers.Float64() < chance
}

// Close closes the socket, and ends what waits for the link.
func (c *conn) Close() error {
	c.closed.Store(true)
	c.r.rouse()
	c.w.rouse()
	return c.Conn.Close()
}

// SetDeadline sets both deadlines.
func (c *conn) SetDeadline(t time.Time) error {
	c.r.setDeadline(t)
	c.w.setDeadline(t)
	return c.Conn.SetDeadline(t)
}

// SetReadDeadline sets the deadline of Read.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.r.setDeadline(t)
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline sets the deadline of Write.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.w.setDeadline(t)
	return c.Conn.SetWriteDeadline(t)
}

// CloseWrite ends our direction, and leaves the other open.
func (c *conn) CloseWrite() error {
	if h, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SetLinger says what Close does with what was not sent yet; after 0 it resets.
func (c *conn) SetLinger(seconds int) error {
	if s, ok := c.Conn.(interface{ SetLinger(int) error }); ok {
		return s.SetLinger(seconds)
	}
	return errors.ErrUnsupported
}

// SyscallConn returns the socket itself.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// NetConn returns the connection that is wrapped.
func (c *conn) NetConn() net.Conn { return c.Conn }

// spliced is how much the kernel is let move by itself at once. So much may still pass as
// fast as it is when the link has become slow.
const spliced = 64 << 10

// ReadFrom sends all of src. While no profile is in use, the kernel may move the bytes.
func (c *conn) ReadFrom(src io.Reader) (total int64, err error) {
	for c.tcp != nil && c.link.regime.Load() == nil {
		n, err := c.tcp.ReadFrom(&io.LimitedReader{R: src, N: spliced})
		if total += n; err != nil || n < spliced {
			return total, err
		}
	}
	n, err := io.Copy(onlyWriter{c}, src)
	return total + n, err
}

// WriteTo sends all that is read to dst. While no profile is in use, the kernel may move
// the bytes.
func (c *conn) WriteTo(dst io.Writer) (total int64, err error) {
	to, ok := dst.(io.ReaderFrom)
	for ok && c.tcp != nil && len(c.r.held) == 0 && c.r.ends == nil && c.link.regime.Load() == nil {
		n, err := to.ReadFrom(&io.LimitedReader{R: c.tcp, N: spliced})
		if total += n; err != nil || n < spliced {
			return total, err
		}
	}
	n, err := io.Copy(dst, onlyReader{c})
	return total + n, err
}

// onlyWriter and onlyReader keep io.Copy from asking for what is being done already.
type (
	onlyWriter struct{ io.Writer }
	onlyReader struct{ io.Reader }
)

var errDeadline = os.ErrDeadlineExceeded
