package delivery

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"telltale/event"
	"telltale/notify"
	"telltale/notify/outbox"
)

// A taker makes messages of the events of the audit that is being recorded.
type taker struct {
	*Delivery
	taken    int64 // sequence number of the last event that became messages
	gathered []Event
	began    time.Time // when the first of them came
	flushed  time.Time // when messages were written last
	trouble  time.Time // when to try again, after trouble
}

func newTaker(d *Delivery) *taker {
	return &taker{Delivery: d, taken: d.kept.register(d.Source.Audit(), d.Capture)}
}

func (t *taker) run(ctx context.Context) {
	closing := false
	for {
		err := t.read()
		if err == nil && len(t.gathered) > 0 && (closing || t.due() <= 0) {
			err = t.flush()
		}
		if err != nil {
			t.Log.Warn("events are not taken", "error", err)
			t.trouble = t.Clock.Now()
		} else {
			t.trouble = time.Time{}
		}
		if closing && (err != nil || len(t.gathered) == 0) || ctx.Err() != nil {
			t.end()
			return
		}
		closing = t.wait(ctx, closing) || closing
	}
}

// wait waits for something to do, and reports whether that is the end.
func (t *taker) wait(ctx context.Context, closing bool) bool {
	if closing {
		return true
	}
	wait, wake := lookAround, t.wake
	if len(t.gathered) > 0 {
		wait = max(t.due(), 0)
	}
	if !t.trouble.IsZero() {
		wait, wake = settleDown, nil
	}
	timer, stop := t.Clock.After(wait)
	defer stop()
	select {
	case <-t.closing:
		return true
	case <-ctx.Done():
	case <-wake:
	case <-timer:
		t.kept.home(false)
	}
	return false
}

// end says whether all events of the audit were taken.
func (t *taker) end() {
	if len(t.gathered) > 0 {
		t.Log.Warn("events are taken at the next start", "events", len(t.gathered))
		return
	}
	if err := t.kept.finish(); err != nil {
		t.Log.Warn("outbox cannot be written", "error", err)
	}
}

// due returns how long the burst may still gather. The first one after a while goes out
// soon; what follows, once in the time of a group. Whatever a clock that is set back says,
// nothing waits for longer than that.
func (t *taker) due() time.Duration {
	now := t.Clock.Now()
	at := t.began.Add(min(Lead, t.Group))
	if next := t.flushed.Add(t.Group); !t.flushed.IsZero() && next.After(at) {
		at = next
	}
	if left := at.Sub(now); left <= t.Group && len(t.gathered) < maxGathered {
		return left
	}
	return 0
}

// read adds the events that are new.
func (t *taker) read() error {
	for len(t.gathered) < maxGathered {
		after := t.taken
		if n := len(t.gathered); n > 0 {
			after = t.gathered[n-1].Seq
		}
		events, err := t.Source.Events(after, batch)
		if err != nil {
			return fmt.Errorf("read events of the audit: %w", err)
		}
		if len(events) == 0 {
			return nil
		}
		if len(t.gathered) == 0 {
			t.began = t.Clock.Now()
		}
		t.gathered = append(t.gathered, events...)
	}
	return nil
}

// flush makes messages of what has gathered and keeps them.
func (t *taker) flush() error {
	taking := t.taking(t.Source, t.taken, t.gathered)
	err := t.kept.take(taking)
	if errors.Is(err, outbox.ErrTaken) {
		// Somebody took this capture for one that was left behind. What they took is told.
		t.taken, t.gathered = t.kept.register(taking.Audit, t.Capture), nil
		return nil
	}
	if err != nil {
		return err
	}
	t.taken, t.gathered, t.flushed = taking.To, nil, t.Clock.Now()
	t.told()
	return nil
}

// takeLeft makes messages of events whose recorder is gone.
func (d *Delivery) takeLeft(ctx context.Context) {
	if d.Left == nil || d.kept.file == nil {
		return
	}
	sources, err := d.kept.file.Sources()
	if err != nil {
		d.Log.Warn("outbox cannot be read", "error", err)
		return
	}
	for _, s := range sources {
		if ctx.Err() != nil {
			return
		}
		if d.Source != nil && s.Audit == d.Source.Audit() {
			continue
		}
		if err := d.takeFrom(ctx, s); err != nil && !errors.Is(err, ErrLive) && !errors.Is(err, outbox.ErrTaken) {
			d.Log.Warn("events of an earlier audit are not taken", "capture", s.Path, "error", err)
		}
	}
}

func (d *Delivery) takeFrom(ctx context.Context, s outbox.Source) error {
	left, err := d.Left(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return d.kept.file.Forget(s.Audit)
	}
	if err != nil {
		return err
	}
	defer left.Close()
	if left.Audit() != s.Audit {
		return d.kept.file.Forget(s.Audit) // another capture is at its place
	}
	for at := s.Seq; ctx.Err() == nil; {
		events, err := left.Events(at, batch)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return d.kept.file.Finish(s.Audit)
		}
		taking := d.taking(left, at, events)
		if err := d.kept.file.Take(taking); err != nil {
			return err
		}
		at = taking.To
		d.told()
	}
	return nil
}

// taking is what events become.
func (d *Delivery) taking(from Source, after int64, events []Event) outbox.Taking {
	t := outbox.Taking{Audit: from.Audit(), From: after, To: events[len(events)-1].Seq}
	var order []string
	bursts := map[string][]event.Event{}
	for _, row := range events {
		e, err := event.Parse(row.Document)
		if err != nil {
			d.Log.Warn("event cannot be read", "audit", t.Audit, "event", row.Seq, "error", err)
			continue
		}
		for _, r := range d.Recipients(e) {
			to, ok := d.byName[r.Name]
			switch {
			case !ok:
				d.Log.Warn("there is no such destination", "destination", r.Name)
			case r.After > 0 && e.Violation != nil:
				t.Escalations = append(t.Escalations, outbox.Escalation{Audit: t.Audit, Violation: e.Violation.ID, To: to.Destination,
					After: r.After, Due: d.Clock.Now().Add(r.After), Event: row.Document})
			case r.After == 0:
				burst := r.Name
				if to.Each && e.Violation != nil {
					burst += "\x00" + e.Violation.ID
				}
				if bursts[burst] == nil {
					order = append(order, burst)
				}
				bursts[burst] = append(bursts[burst], e)
			}
		}
	}
	for _, name := range order {
		t.Drafts = append(t.Drafts, d.drafts(from, name, bursts[name], fmt.Sprintf("%d-%d", after, t.To))...)
	}
	return t
}

// drafts makes the messages of a burst. Their IDs say which events they are of, so that the
// same events never become other messages.
func (d *Delivery) drafts(from Source, name string, events []event.Event, span string) []outbox.Draft {
	to := d.byName[destinationOf(name)]
	var drafts []outbox.Draft
	for i, m := range d.Compose(Burst{To: to.Destination, Events: events, Count: counter(from)}) {
		m.ID = messageID(from.Audit(), to.Identity, name, span, fmt.Sprint(i))
		drafts = append(drafts, outbox.Draft{To: to.Destination, Message: named(m, from)})
	}
	return drafts
}

// destinationOf returns the destination of a burst, which for issues has its violation
// behind it.
func destinationOf(burst string) string {
	for i := range burst {
		if burst[i] == 0 {
			return burst[:i]
		}
	}
	return burst
}

// counter returns how the violations of a source are counted; nil where they are not.
func counter(from Source) func(string) (int, bool) {
	if c, ok := from.(Counter); ok {
		return c.Count
	}
	return nil
}

// named sees to it that a message says which audit it is of.
func named(m notify.Message, from Source) notify.Message {
	if m.Audit == "" {
		m.Audit = from.Audit()
	}
	return m
}

// messageID is an idempotency key.
func messageID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
