package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"telltale/notify"
	"telltale/notify/outbox"
	"telltale/notify/transport"
)

// patienceWith is how many messages in a row may fail before their destination counts as
// one that takes nothing now.
const patienceWith = 5

// A lane sends the messages of one destination, one after the other. A message that fails
// waits for its next attempt while those behind it are sent.
type lane struct {
	*Delivery
	to    Destination
	wake  chan struct{}
	ended chan struct{} // closed when nothing is written any more: send what can be sent, and end
	once  sync.Once

	failed int       // attempts that failed since one did not, with different messages
	last   string    // ID of the message that failed last
	until  time.Time // when the destination may be asked again

	// What became of messages that the outbox could not be told of. They are not sent
	// again while we live.
	owed map[string]owed

	complaints
}

type owed struct {
	box     *outbox.Outbox
	message outbox.Message
	outcome transport.Outcome
}

func newLane(d *Delivery, to Destination) *lane {
	return &lane{Delivery: d, to: to, wake: make(chan struct{}, 1), ended: make(chan struct{}), owed: map[string]owed{}, complaints: complaints{log: d.Log}}
}

// finish tells the lane that no more messages come.
func (l *lane) finish() { l.once.Do(func() { close(l.ended) }) }

func (l *lane) run(ctx context.Context) {
	defer l.settleOwed()
	for ctx.Err() == nil {
		// Asked before the outbox is: what was written before the end is seen after it.
		over := l.over()
		if rest := l.until.Sub(l.Clock.Now()); rest > 0 && rest <= outbox.LongestPause {
			if !l.rest(ctx, rest, nil, over) {
				return
			}
			continue
		}
		box, m, ok := l.claim()
		if ok {
			l.deliver(ctx, box, m)
			continue
		}
		wait, any := l.next(over)
		if !any && over || !l.rest(ctx, wait, l.wake, over) {
			return
		}
	}
}

// rest waits for a time, or until there may be something new. It reports false when there
// is no use in waiting: it is over, and the end comes first.
func (l *lane) rest(ctx context.Context, wait time.Duration, wake <-chan struct{}, over bool) bool {
	ended := l.ended
	if over {
		if wait > l.patience() {
			return false
		}
		ended = nil
	}
	timer, stop := l.Clock.After(wait)
	defer stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer:
	case <-wake:
	case <-ended:
	}
	return true
}

func (l *lane) over() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// next returns how long it is to the next message that waits; any is false when none does.
func (l *lane) next(over bool) (wait time.Duration, any bool) {
	wait = housekeeping
	for _, box := range l.kept.boxes() {
		at, ok, err := box.Next(l.to.Identity)
		if err != nil {
			l.complain("outbox cannot be read", err)
			return max(wait, settleDown), any
		}
		if !ok {
			continue
		}
		if left := max(at.Sub(l.Clock.Now()), time.Millisecond); !any || left < wait {
			wait = left
		}
		any = true
	}
	if !over {
		wait = min(wait, housekeeping)
	}
	return wait, any
}

// claim returns the next message that is due.
func (l *lane) claim() (*outbox.Outbox, outbox.Message, bool) {
	for _, box := range l.kept.boxes() {
		m, ok, err := box.Claim(l.to.Identity, 2*l.to.Longest+reserve)
		var broken *outbox.DocumentError
		switch {
		case errors.As(err, &broken):
			l.Log.Warn("message is damaged", "message", m.ID, "error", err)
			l.settle(box, m, transport.Outcome{Status: transport.Rejected, Reason: "its document in the outbox is damaged"})
			return l.claim()
		case err != nil:
			l.complain("outbox cannot be written", err)
			l.until = l.Clock.Now().Add(settleDown)
		case ok:
			return box, m, true
		}
	}
	return nil, outbox.Message{}, false
}

// deliver makes one attempt and notes what became of it.
func (l *lane) deliver(ctx context.Context, box *outbox.Outbox, m outbox.Message) {
	if was, ok := l.owed[m.ID]; ok {
		l.settle(box, m, was.outcome)
		return
	}
	began := l.Clock.Now()
	outcome := l.attempt(ctx, m)
	l.Log.Debug("attempt", "destination", l.to.Name, "message", m.ID, "attempt", m.Attempts, "outcome", outcome.Status.String(),
		"reason", outcome.Reason, "took", l.Clock.Now().Sub(began))
	if outcome.Status == transport.Again && ctx.Err() != nil {
		if err := box.Release(m); err != nil {
			l.Log.Debug("claim ends by itself", "message", m.ID, "error", err)
		}
		return
	}
	if outcome.Status == transport.Again && m.Attempts >= minAttempts && l.Clock.Now().Sub(m.Since) > GiveUp {
		outcome.Status = transport.Rejected
		outcome.Reason = fmt.Sprintf("given up after %d attempts: %s", m.Attempts, outcome.Reason)
		l.note(m, transport.Outcome{Status: transport.Again})
	} else {
		l.note(m, outcome)
	}
	l.settle(box, m, outcome)
}

// attempt sends a message. A message that breaks what writes it must not break more.
func (l *lane) attempt(ctx context.Context, m outbox.Message) (outcome transport.Outcome) {
	defer func() {
		if r := recover(); r != nil {
			l.Log.Error("message cannot be written", "message", m.ID, "problem", r)
			outcome = transport.Outcome{Status: transport.Rejected, Reason: "telltale failed to write it for this destination"}
		}
	}()
	return l.to.Send(ctx, l.linked(m.Document))
}

// linked adds the links that acknowledge, which are never kept.
func (l *lane) linked(m notify.Message) notify.Message {
	if l.Link == nil || l.to.Each || l.Source == nil || m.Audit != l.Source.Audit() {
		return m
	}
	m.Items = slices.Clone(m.Items)
	for i := range m.Items {
		m.Items[i].Acknowledge = l.Link(m.Audit, m.Items[i].ID)
	}
	return m
}

// note learns from an outcome how the destination is. One message that fails again and
// again says nothing of the destination.
func (l *lane) note(m outbox.Message, o transport.Outcome) {
	if o.Status != transport.Again {
		l.failed, l.last, l.until = 0, "", time.Time{}
		return
	}
	if m.ID != l.last {
		l.failed++
	}
	l.last = m.ID
	rest := min(o.After, politeBreak)
	if l.failed >= patienceWith {
		rest = max(rest, pause(l.failed-patienceWith+1, longestBreak))
	}
	l.until = l.Clock.Now().Add(rest)
}

// settle tells the outbox what became of a message.
func (l *lane) settle(box *outbox.Outbox, m outbox.Message, o transport.Outcome) {
	var err error
	switch o.Status {
	case transport.Delivered:
		err = box.Delivered(m, o.Ref)
	case transport.Rejected:
		l.Log.Warn("message is not delivered", "destination", l.to.Name, "message", m.ID, "reason", o.Reason)
		err = box.Bury(m, o.Reason)
	default:
		err = box.Later(m, max(pause(m.Attempts, longestPause), o.After), o.Reason)
	}
	delete(l.owed, m.ID)
	if err != nil {
		l.complain("outbox cannot be written", err)
		l.until = l.Clock.Now().Add(settleDown)
		if o.Status != transport.Again {
			l.owed[m.ID] = owed{box, m, o}
		}
	}
	nudge(l.changed)
}

// settleOwed tries for the last time to note what was delivered.
func (l *lane) settleOwed() {
	for _, o := range l.owed {
		l.settle(o.box, o.message, o.outcome)
	}
}
