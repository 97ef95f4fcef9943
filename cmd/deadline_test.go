package cmd

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("this machine has no database of time zones")
	}
	return zone
}

func TestDeadlines(t *testing.T) {
	zone := berlin(t)
	for _, c := range []struct{ now, text, want string }{
		{"2026-11-21T17:00:00+01:00", "18:30", "2026-11-21T18:30:00+01:00"},
		{"2026-11-21T18:30:00+01:00", "18:30", "2026-11-22T18:30:00+01:00"},
		{"2026-11-21T23:59:59+01:00", "00:00", "2026-11-22T00:00:00+01:00"},
		{"2026-11-21T17:00:00+01:00", "18:30:15", "2026-11-21T18:30:15+01:00"},
		{"2026-11-21T17:00:00+01:00", "2026-12-24T06:00", "2026-12-24T06:00:00+01:00"},
		{"2026-11-21T17:00:00+01:00", "2026-12-24 06:00", "2026-12-24T06:00:00+01:00"},
		{"2026-11-21T17:00:00+01:00", "2026-11-21T17:00:00Z", "2026-11-21T18:00:00+01:00"},
		// The night in which clocks are put forward from 2 to 3: half past two is half past three.
		{"2027-03-27T22:00:00+01:00", "02:30", "2027-03-28T03:30:00+02:00"},
		{"2027-03-27T22:00:00+01:00", "07:00", "2027-03-28T07:00:00+02:00"}, // eight hours later, not nine
		// The night in which they are put back: 7 o'clock is ten hours away.
		{"2026-10-24T22:00:00+02:00", "07:00", "2026-10-25T07:00:00+01:00"},
	} {
		now := mustTime(t, c.now).In(zone)
		got, err := parseDeadline(c.text, now)
		if err != nil || !got.Equal(mustTime(t, c.want)) {
			t.Errorf("--until %s at %s: %v, %v; want %s", c.text, c.now, got, err, c.want)
		}
	}
}

func mustTime(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestDeadlinesThatAreNone(t *testing.T) {
	now := mustTime(t, "2026-11-21T17:00:00Z")
	for text, want := range map[string]string{
		"":                     "is no time",
		"25:00":                "is no time",
		"tomorrow":             "is no time",
		"2026-11-21":           "is no time",
		"2026-11-21T16:59":     "is past",
		"2026-11-21T17:00:00Z": "is past",
		"2026-02-30T10:00":     "is no time",
	} {
		if _, err := parseDeadline(text, now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("--until %q: %v, want %q", text, err, want)
		}
	}
}

// TestDeadlineGoesByTheClock sets the clock forward, as after a machine has slept.
func TestDeadlineGoesByTheClock(t *testing.T) {
	start := time.Now()
	var ahead atomic.Int64
	asked := make(chan struct{}, 1)
	clock := func() time.Time {
		defer func() {
			select {
			case asked <- struct{}{}:
			default:
			}
		}()
		return start.Add(time.Duration(ahead.Load()))
	}
	ctx, cancel := untilClock(t.Context(), start.Add(20*time.Millisecond), clock)
	defer cancel()
	<-asked
	if ctx.Err() != nil {
		t.Fatal("it ended before its time")
	}
	ahead.Store(int64(time.Hour))
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, errClock) {
		t.Errorf("ended by %v", cause)
	}
}

func TestNoDeadline(t *testing.T) {
	ctx, cancel := untilClock(t.Context(), time.Time{}, time.Now)
	if ctx.Err() != nil {
		t.Fatal("it ended")
	}
	cancel()
	<-ctx.Done()
}
