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
		wait := d.escalate(ctx)
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
func (d *Delivery) escalate(ctx context.Context) time.Duration {
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
		for _, together := range d.together(due) {
			if err := d.tell(ctx, box, together); err != nil {
				d.Log.Warn("violations are not escalated", "violations", len(together), "error", err)
			}
		}
	}
	return wait
}

// together parts escalations that are due into those that make one message: of one audit, to
// one destination, after the same time.
func (d *Delivery) together(due []outbox.Escalation) (groups [][]outbox.Escalation) {
	type key struct {
		audit, identity string
		after           time.Duration
		violation       string
	}
	at := map[key]int{}
	for _, e := range due {
		k := key{audit: e.Audit, identity: e.To.Identity, after: e.After}
		if d.byName[e.To.Name].Each {
			k.violation = e.Violation
		}
		i, known := at[k]
		if !known || len(groups[i]) >= maxGathered {
			i, at[k] = len(groups), len(groups)
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], e)
	}
	return groups
}

// tell makes one message of escalations that belong together.
func (d *Delivery) tell(ctx context.Context, box *outbox.Outbox, due []outbox.Escalation) error {
	to, ok := d.byName[due[0].To.Name]
	if !ok {
		return nil
	}
	var events []event.Event
	var open []outbox.Escalation
	ids := []string{due[0].Audit, due[0].To.Identity}
	for _, e := range due {
		first, err := event.Parse(e.Event)
		if err != nil {
			d.Log.Warn("event cannot be read", "violation", e.Violation, "error", err)
		}
		if err != nil || d.Settled != nil && d.Settled(e.Audit, e.Violation) {
			if err := box.Settle(e.Audit, e.Violation); err != nil {
				return err
			}
			continue
		}
		events, open, ids = append(events, first), append(open, e), append(ids, e.Violation)
	}
	if len(open) == 0 {
		return nil
	}
	about := notify.Composition{
		ID:        messageID(append(ids, "escalation")...),
		Escalated: fmt.Sprintf("Nobody acknowledged %s within %s.", itOrThem(len(open)), inWords(due[0].After)),
	}
	if d.Source != nil && d.Source.Audit() == due[0].Audit {
		about.File, about.Counts = d.file(), counts(d.Source, events)
	}
	done, err := box.Escalate(open, []outbox.Draft{d.draft(ctx, to, events, about)})
	if done {
		d.told()
	}
	return err
}

func itOrThem(n int) string {
	if n == 1 {
		return "it"
	}
	return "them"
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
