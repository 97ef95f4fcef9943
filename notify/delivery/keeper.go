package delivery

import (
	"context"
	"fmt"
	"time"

	"telltale/event"
	"telltale/notify"
	"telltale/notify/outbox"
)

// keep escalates, drops what is too old, and keeps the status up to date.
func (d *Delivery) keep(ctx context.Context) {
	var housekept time.Time
	for {
		now := d.Clock.Now()
		if since := now.Sub(housekept); since < 0 || since >= housekeeping {
			d.houseKeep(ctx, housekept.IsZero())
			housekept = now
		}
		wait := d.escalate()
		d.refresh()
		// Messages are settled by the hundred in a second: nobody needs to look each time.
		if !d.rest(ctx, glance, nil) || !d.rest(ctx, wait-glance, d.changed) {
			d.refresh()
			return
		}
	}
}

// rest waits, or until there may be something new. It reports false at the end.
func (d *Delivery) rest(ctx context.Context, wait time.Duration, news <-chan struct{}) bool {
	timer, stop := d.Clock.After(max(wait, 0))
	defer stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer:
	case <-news:
	}
	return true
}

func (d *Delivery) houseKeep(ctx context.Context, first bool) {
	identities := []string{}
	for _, l := range d.lanes {
		identities = append(identities, l.to.Identity)
	}
	for _, box := range d.kept.boxes() {
		if err := box.Sweep(identities, exists); err != nil {
			d.Log.Warn("outbox cannot be swept", "error", err)
		}
	}
	if !first {
		d.takeLeft(ctx) // another process may have been killed meanwhile
	}
}

// escalate tells somebody else of violations that nobody has acknowledged, and returns how
// long it is until it has to look again.
func (d *Delivery) escalate() time.Duration {
	identities := []string{}
	for _, to := range d.byName {
		identities = append(identities, to.Identity)
	}
	wait := housekeeping
	for _, box := range d.kept.boxes() {
		due, next, err := box.Due(identities)
		if err != nil {
			d.Log.Warn("outbox cannot be used", "error", err)
			continue
		}
		if !next.IsZero() {
			wait = min(wait, max(next.Sub(d.Clock.Now()), time.Millisecond))
		}
		for _, e := range due {
			if err := d.tell(box, e); err != nil {
				d.Log.Warn("violation is not escalated", "violation", e.Violation, "error", err)
			}
		}
	}
	return wait
}

func (d *Delivery) tell(box *outbox.Outbox, e outbox.Escalation) error {
	first, err := event.Parse(e.Event)
	to, ok := d.byName[e.To.Name]
	if !ok {
		return nil
	}
	if err != nil || d.Settled != nil && d.Settled(e.Audit, e.Violation) {
		if err != nil {
			d.Log.Warn("event cannot be read", "violation", e.Violation, "error", err)
		}
		return box.Settle(e.Audit, e.Violation)
	}
	about := notify.Composition{
		ID:        messageID(e.Audit, e.To.Identity, e.Violation, "escalation"),
		Escalated: fmt.Sprintf("Nobody acknowledged it within %s.", inWords(e.After)),
	}
	if d.Source != nil && d.Source.Audit() == e.Audit {
		about.File, about.Counts = d.Capture, counts(d.Source, []event.Event{first})
	}
	done, err := box.Escalate(e, d.draft(to, []event.Event{first}, about))
	if done {
		d.told()
	}
	return err
}

// inWords returns a time in the units that people speak of.
func inWords(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := d / unit.size; n > 0 && d%unit.size == 0 {
			if n == 1 {
				return "1 " + unit.name
			}
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return d.String()
}
