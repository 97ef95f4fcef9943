// Package raced tells tests whether the race detector watches them. Under it all that
// a test does takes ten times as long, and a hundred times as many of the same steps
// find no other races, so that tests do less there.
//
// It promises that what is left out under the detector is done without it: `make check`
// runs all tests under it, and without it those that name this package. For that they
// name it themselves, not in what they call: a rule of the tree holds them to it. It
// knows nothing of what the tests do. To see what is left out, run `make full` and
// `go test -race -v` on the same package.
package raced

import "testing"

// Detector says whether this program was built with the race detector.
const Detector = detector

// Size returns how many of something a test makes: all of them, or under the race
// detector so few that they still do what the test is about.
func Size(all, few int) int {
	if Detector {
		return few
	}
	return all
}

// SkipMeasure skips, under the race detector, a test in which one goroutine goes
// through a lot: it cannot race, and what it takes of memory or time says nothing there.
func SkipMeasure(t testing.TB) {
	t.Helper()
	if Detector {
		t.Skip("one goroutine and a lot to do: done without the race detector, which takes memory and time of its own")
	}
}
