package intake

import (
	"context"

	"telltale/capture"
)

// Annotations returns what was said of violations in each input that is a capture of
// telltale, by the name of the input: it is needed before flows are judged. What cannot be
// read is left out, since reading the input says so.
func (s *Set) Annotations(ctx context.Context) map[string][]capture.Annotation {
	said := map[string][]capture.Annotation{}
	for _, in := range s.inputs {
		if stored, err := IsStored(in.path); err != nil || !stored {
			continue
		}
		if all, err := capture.AnnotationsOf(ctx, in.path); err == nil && len(all) > 0 {
			said[in.name] = all
		}
	}
	return said
}

// Current returns the capture that the flow came from which is being observed, also where
// [Set.Through] changes what the flow says of it. It is for the observer of [Set.Read].
func (s *Set) Current() string { return s.current }
