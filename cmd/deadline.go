package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// deadlineForms are how --until may be written; those without a zone are local time.
var deadlineForms = []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05"}

// clockForms are times of day: the next one is meant.
var clockForms = []string{"15:04", "15:04:05"}

// parseDeadline reads --until: a time of day, or a day and a time.
func parseDeadline(s string, now time.Time) (time.Time, error) {
	for _, form := range clockForms {
		if t, err := time.Parse(form, s); err == nil {
			return nextAt(t, now), nil
		}
	}
	for _, form := range deadlineForms {
		t, err := time.ParseInLocation(form, s, now.Location())
		if err != nil {
			continue
		}
		if !t.After(now) {
			return time.Time{}, fmt.Errorf("--until: %s is past; it is %s now", localTime(t), localTime(now))
		}
		return t, nil
	}
	return time.Time{}, withHint(fmt.Errorf("--until: %q is no time", s), "write it as --until 18:30, or as --until 2027-01-31T06:00, in local time")
}

// nextAt returns the next moment at which clocks show a time of day. Where clocks are put
// forward over it, it is as much later as they were put forward.
func nextAt(clock, now time.Time) time.Time {
	year, month, day := now.Date()
	at := func(day int) time.Time {
		return time.Date(year, month, day, clock.Hour(), clock.Minute(), clock.Second(), 0, now.Location())
	}
	if t := at(day); t.After(now) {
		return t
	}
	return at(day + 1)
}

// clockCheck is how often the clock is looked at: it may be set, and the machine may sleep,
// during neither of which a timer of Go goes on as the clock does.
const clockCheck = 10 * time.Second

// untilClock returns a context that ends when the clock shows a moment; never for the zero
// time.
func untilClock(parent context.Context, at time.Time, now func() time.Time) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	stop := func() { cancel(context.Canceled) }
	if at.IsZero() {
		return ctx, stop
	}
	go func() {
		for {
			left := at.Round(0).Sub(now().Round(0)) // by the clock, not by the time since the start
			if left <= 0 {
				cancel(errClock)
				return
			}
			timer := time.NewTimer(min(left, clockCheck))
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
		}
	}()
	return ctx, stop
}

var errClock = errors.New("the time of --until has come")
