package delivery

import (
	"time"

	"github.com/cenkalti/backoff/v5"
)

// A Clock tells the time and waits. Times are only compared with each other: nothing here
// depends on a time of day.
type Clock interface {
	Now() time.Time
	// After returns a channel that has a value when d has passed, and a function that ends
	// the waiting.
	After(d time.Duration) (<-chan time.Time, func())
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now().UTC() }

func (systemClock) After(d time.Duration) (<-chan time.Time, func()) {
	timer := time.NewTimer(d)
	return timer.C, func() { timer.Stop() }
}

// The pauses between attempts.
const (
	firstPause   = time.Second
	longestPause = 15 * time.Minute // of one message
	longestBreak = 5 * time.Minute  // of a destination that takes nothing
	politeBreak  = time.Minute      // of a destination, however long it asks for one message
)

// pause returns how long to wait after so many attempts that failed: twice as long each
// time, and a half more or less, so that what failed together does not come back together.
func pause(failed int, longest time.Duration) time.Duration {
	grow := backoff.ExponentialBackOff{InitialInterval: firstPause, Multiplier: 2, RandomizationFactor: 0.5, MaxInterval: longest}
	grow.Reset()
	wait := grow.NextBackOff()
	for n := 1; n < min(failed, 20); n++ {
		wait = grow.NextBackOff()
	}
	return wait
}
