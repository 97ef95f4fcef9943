package intake

import (
	"slices"
	"time"

	"telltale/coverage"
)

// Ledgers returns the sum of the books of several captures, one for each mode. They are
// [coverage.Ledger.Partial] where a capture has flows of the mode and no books of it: a HAR
// that was made of an audit, say.
func Ledgers(infos []Info) []coverage.Ledger {
	var sums []coverage.Ledger
	for _, info := range infos {
		for _, l := range info.Ledgers {
			if i := ledgerOf(sums, l.Mode); i >= 0 {
				sums[i] = sums[i].Add(l)
			} else {
				sums = append(sums, l)
			}
		}
	}
	for i := range sums {
		sums[i].Partial = sums[i].Partial || slices.ContainsFunc(infos, func(info Info) bool {
			return slices.Contains(info.Modes, sums[i].Mode) && ledgerOf(info.Ledgers, sums[i].Mode) < 0
		})
	}
	return sums
}

func ledgerOf(ledgers []coverage.Ledger, mode string) int {
	return slices.IndexFunc(ledgers, func(l coverage.Ledger) bool { return l.Mode == mode })
}

// Modes returns the ways in by which the flows of several captures came, in order of
// appearance.
func Modes(infos []Info) (modes []string) {
	for _, info := range infos {
		for _, mode := range info.Modes {
			modes = withMode(modes, mode)
		}
	}
	return modes
}

// Watched returns for how long captures were recorded, each by itself: the time between
// them was not.
func Watched(infos []Info) (total time.Duration) {
	for _, info := range infos {
		total += info.Watched
	}
	return total
}

// withMode adds a mode that is not among the others.
func withMode(modes []string, mode string) []string {
	if slices.Contains(modes, mode) {
		return modes
	}
	return append(modes, mode)
}
