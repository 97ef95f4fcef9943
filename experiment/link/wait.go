package link

import (
	"net"
	"time"
)

// setDeadline sets the deadline that ends waits.
func (h *half) setDeadline(t time.Time) {
	at := int64(0)
	if !t.IsZero() {
		at = max(1, t.UnixNano())
	}
	h.deadline.Store(at)
	h.rouse()
}

// rouse makes who waits look again at the deadline, and at whether the socket is closed.
func (h *half) rouse() {
	if h.waiting.Load() == 0 {
		return // who begins to wait now sees what was set before
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.wake != nil {
		close(h.wake)
		h.wake = nil
	}
}

// roused returns what is closed by the next rouse.
func (h *half) roused() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.wake == nil {
		h.wake = make(chan struct{})
	}
	return h.wake
}

// wait waits for a while. An error says what ended it before: a deadline, the end of the
// socket, or another profile.
func (c *conn) wait(h *half, r *regime, d time.Duration) error {
	done := time.NewTimer(d)
	defer done.Stop()
	return c.await(h, r, done.C, nil)
}

// takeTurn waits for the turn of a lane.
func (c *conn) takeTurn(h *half, r *regime, l *lane) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	default:
	}
	return c.await(h, r, nil, l.turn)
}

// await waits until something comes of done, or can be given to turn.
func (c *conn) await(h *half, r *regime, done <-chan time.Time, turn chan<- struct{}) error {
	h.waiting.Add(1)
	defer h.waiting.Add(-1)
	for {
		wake := h.roused()
		if c.closed.Load() {
			return net.ErrClosed
		}
		var due <-chan time.Time
		if at := h.deadline.Load(); at != 0 {
			left := time.Until(time.Unix(0, at))
			if left <= 0 {
				return errDeadline
			}
			timer := time.NewTimer(left)
			defer timer.Stop() // deadlines change seldom while somebody waits
			due = timer.C
		}
		select {
		case <-done:
			return nil
		case turn <- struct{}{}:
			return nil
		case <-r.ended:
			return errSwitched
		case <-due:
			return errDeadline
		case <-wake:
		}
	}
}
