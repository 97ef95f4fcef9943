package delivery

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
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
	complaints
}

func newTaker(d *Delivery) *taker {
	return &taker{Delivery: d, complaints: complaints{log: d.Log}, taken: d.kept.register(d.Source.Audit(), d.Capture)}
}

// run takes events until the end is announced, and then all that there are, whatever the
// context says: that bounds the sending, and only what was taken can be sent later.
func (t *taker) run(ctx context.Context) {
	closing := false
	for {
		more, err := t.turn(ctx, closing)
		if err != nil {
			t.complain("events are not taken", err)
		}
		switch {
		case more && err == nil:
			continue
		case closing:
			t.end(err)
			return
		}
		closing = t.wait(err != nil)
	}
}

// turn reads what is new, and writes messages when it is time to. It reports whether there
// may be more to read.
func (t *taker) turn(ctx context.Context, closing bool) (more bool, err error) {
	if err := t.read(); err != nil {
		return false, err
	}
	if len(t.gathered) == 0 || !closing && t.due() > 0 {
		return false, nil
	}
	return true, t.flush(ctx)
}

// wait waits for something to do, and reports whether that is the end. After trouble it is
// nothing new that is waited for.
func (t *taker) wait(trouble bool) (closing bool) {
	wait, wake := lookAround, t.wake
	if len(t.gathered) > 0 {
		wait = max(t.due(), 0)
	}
	if trouble {
		wait, wake = settleDown, nil
	}
	timer, stop := t.Clock.After(wait)
	defer stop()
	select {
	case <-t.closing:
		return true
	case <-wake:
	case <-timer:
		t.kept.home(false)
	}
	return false
}

// end says whether all events of the audit were taken.
func (t *taker) end(err error) {
	if err == nil && len(t.gathered) == 0 {
		if err := t.kept.finish(); err != nil {
			t.Log.Warn("outbox cannot be written", "error", err)
		}
		return
	}
	if t.Capture != "" && t.kept.file != nil {
		t.Log.Warn("events are taken from the capture at the next start", "events", len(t.gathered), "error", err)
		return
	}
	t.untaken = fmt.Errorf("%d events are told to nobody: %w", len(t.gathered), err)
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
func (t *taker) flush(ctx context.Context) error {
	taking := t.taking(ctx, t.Source, t.file(), t.taken, t.gathered)
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
	if teller, ok := t.Source.(Teller); ok {
		teller.Told(t.taken)
	}
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
		d.Log.Warn("a capture is gone whose events were not all told", "capture", s.Path)
		return d.kept.file.Forget(s.Audit)
	}
	if err != nil {
		return err
	}
	defer left.Close()
	if left.Audit() != s.Audit {
		d.Log.Warn("another capture is in place of one whose events were not all told", "capture", s.Path)
		return d.kept.file.Forget(s.Audit)
	}
	for at := s.Seq; ctx.Err() == nil; {
		events, err := left.Events(at, batch)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return d.kept.file.Finish(s.Audit)
		}
		taking := d.taking(ctx, left, s.Path, at, events)
		if err := d.kept.file.Take(taking); err != nil {
			return err
		}
		at = taking.To
		d.told()
	}
	return nil
}

// taking is what events become.
func (d *Delivery) taking(ctx context.Context, from Source, path string, after int64, rows []Event) outbox.Taking {
	t := outbox.Taking{Audit: from.Audit(), From: after, To: rows[len(rows)-1].Seq}
	bursts, now := map[string][]event.Event{}, d.Clock.Now()
	for _, row := range rows {
		e, err := event.Parse(row.Document)
		if err != nil {
			d.Log.Warn("event cannot be read", "audit", t.Audit, "event", row.Seq, "error", err)
			continue
		}
		for _, r := range d.Recipients(e) {
			bursts[r.Destination] = append(bursts[r.Destination], e)
			for _, later := range r.Escalations {
				t.Escalations = append(t.Escalations, d.escalations(t.Audit, e, later, row.Document, now)...)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(bursts)) {
		to, ok := d.byName[name]
		if !ok {
			d.Log.Warn("there is no such destination", "destination", name)
			continue
		}
		parts := [][]event.Event{bursts[name]}
		if to.Each {
			parts = notify.Apart(bursts[name])
		}
		for i, part := range parts {
			id := messageID(to.Identity, t.Audit, part[0].ID, part[len(part)-1].ID)
			if part[0].ID == "" {
				id = messageID(to.Identity, t.Audit, strconv.FormatInt(after, 10), strconv.FormatInt(t.To, 10), strconv.Itoa(i))
			}
			t.Drafts = append(t.Drafts, d.draft(ctx, to, part, notify.Composition{ID: id, File: path, Counts: counts(from, part)}))
		}
	}
	return t
}

// escalations is who is told of a violation when nobody acknowledges it. Time to do so
// begins now, when people are told; what is told at once falls due at once.
func (d *Delivery) escalations(audit string, e event.Event, later notify.Escalation, document []byte, now time.Time) []outbox.Escalation {
	to, ok := d.byName[later.Destination]
	if !ok || e.Violation == nil {
		return nil
	}
	return []outbox.Escalation{{
		Audit: audit, Violation: e.Violation.ID, To: to.Destination,
		After: later.After, Due: now.Add(later.After), Event: document,
	}}
}

// draft makes one message. Links are added when it is sent. Where the time is over, an issue
// has to do without its report.
func (d *Delivery) draft(ctx context.Context, to Destination, events []event.Event, about notify.Composition) outbox.Draft {
	if first := events[0]; to.Each && d.Report != nil && ctx.Err() == nil && first.Violation != nil {
		about.Report = d.Report(first.Audit, first.Violation.ID)
	}
	return outbox.Draft{To: to.Destination, Message: notify.Compose(events, about)}
}

// counts asks a source how often violations have happened by now.
func counts(from Source, events []event.Event) map[string]int {
	counter, ok := from.(Counter)
	if !ok {
		return nil
	}
	known := map[string]int{}
	for _, e := range events {
		if e.Violation == nil {
			continue
		}
		if n, atLeast := counter.Count(e.Violation.ID); !atLeast {
			known[e.Violation.ID] = n
		}
	}
	return known
}

// messageID is an idempotency key: which events to whom, so that the same events never
// become another message.
func messageID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
