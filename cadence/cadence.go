// Package cadence recognises contacts that repeat by a timer.
package cadence

import "time"

// A Series collects the times of one kind of contact, in any order, in bounded memory.
type Series struct{}

// Add takes in one time.
func (s *Series) Add(t time.Time) {}

// A Rhythm is a period that a series keeps.
type Rhythm struct {
	Every time.Duration
	Count int // contacts that keep it
}

// Rhythm returns the period of a series; false where it has none.
func (s *Series) Rhythm() (Rhythm, bool) { return Rhythm{}, false }

// String says the period in words: "every minute", "every 5 s".
func (r Rhythm) String() string { return "" }
