package exposure

import (
	"slices"

	"telltale/flow"
)

// Known returns the identifiers in a flow that nobody examined yet: what [Look] finds in it,
// and what the file that it comes from says was found before contents were masked or left
// out. Such a file may claim what is not so, but it hides nothing. Claims of kinds that nobody
// knows do not count, nor do more than [MaxOfKind] of one kind. A claim has no digest: it gets
// one made of its mask, so that equal values stay equal where their masks tell them apart.
func Known(f *flow.Flow) []flow.Exposure {
	found := Look(f)
	if len(f.Exposures) == 0 {
		return found
	}
	looked := len(found)
	found = slices.Clip(found)
	counts := make([]int, len(Kinds)+1)
	for _, x := range found {
		counts[order(x.Kind)]++
	}
	for _, x := range f.Exposures {
		kind := order(x.Kind)
		if kind == len(Kinds) || counts[kind] == MaxOfKind {
			continue
		}
		if slices.ContainsFunc(found, func(y flow.Exposure) bool {
			return x.Kind == y.Kind && x.Where == y.Where && (x.Masked == y.Masked || x.Digest != "" && x.Digest == y.Digest)
		}) {
			continue
		}
		if x.Digest == "" {
			x.Digest = claimed(x, found[:looked])
		}
		counts[kind]++
		found = append(found, x)
	}
	return found
}

// claimed returns the digest of a claim: that of the value with this mask, where it stands
// elsewhere in the flow.
func claimed(x flow.Exposure, found []flow.Exposure) string {
	for _, y := range found {
		if x.Kind == y.Kind && x.Masked == y.Masked {
			return y.Digest
		}
	}
	return digestOf("claimed " + x.Kind + " " + x.Masked)
}
