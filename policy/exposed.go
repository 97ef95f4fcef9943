package policy

import (
	"slices"

	"telltale/flow"
)

// Exposures returns the identifiers that a flow carried, for people: of a value that the
// policy lists under never-send, not even its beginning shows.
func (j Judgement) Exposures(f *flow.Flow) []flow.Exposure {
	var places []string
	for _, findings := range [][]Finding{j.Findings, j.Excused} {
		for i := range findings {
			if findings[i].Rule != ValueLeaked {
				continue
			}
			for _, e := range findings[i].Evidence {
				places = append(places, e.Where)
			}
		}
	}
	if len(places) == 0 {
		return f.Exposures
	}
	var secret []string // digests
	for i := range f.Exposures {
		if slices.Contains(places, f.Exposures[i].Where) {
			secret = append(secret, f.Exposures[i].Digest)
		}
	}
	shown := slices.Clone(f.Exposures)
	for i := range shown {
		if slices.Contains(secret, shown[i].Digest) {
			shown[i].Masked = flow.Redacted
		}
	}
	return shown
}
