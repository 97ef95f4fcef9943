package capture

import (
	"cmp"
	"slices"
	"strings"

	"telltale/attribution"
	"telltale/flow"
)

// maxTraces bounds the traces of a host or a violation. They are as many as there are
// programs with a TLS library of their own on all devices that contacted it.
const maxTraces = 32

// unnamedApps are the apps of flows whose User-Agent does not name them. Which apps these
// are may change with every flow of the audit, so what is kept is what the flows told.
type unnamedApps struct {
	traces     []attribution.Trace // sorted; neither is changed in place: summaries share them
	known      []attribution.Attribution
	generation uint64 // of the book that gave known
	asked      bool   // known is the answer for these traces
}

// add takes the trace of a flow. Of more than fit it keeps the first: which ones must not
// depend on which flow ended first.
func (u *unnamedApps) add(t attribution.Trace) {
	if t.ByAgent() {
		return
	}
	i, found := slices.BinarySearchFunc(u.traces, t, attribution.Trace.Compare)
	if found || i >= maxTraces {
		return
	}
	u.traces = slices.Concat(u.traces[:i], []attribution.Trace{t.Detach()}, u.traces[i:min(len(u.traces), maxTraces-1)])
	u.asked = false
}

// attributed returns the apps as far as they are known now, sorted, each once and as it is
// known best. It will not change.
func (u *unnamedApps) attributed(book *attribution.Book) []attribution.Attribution {
	if len(u.traces) == 0 {
		return nil
	}
	generation := book.Generation()
	if u.asked && u.generation == generation {
		return u.known
	}
	var known []attribution.Attribution
	for _, t := range u.traces {
		if a := book.OfTrace(t); a.Known() {
			known = append(known, a)
		}
	}
	strength := func(a attribution.Attribution) int { return slices.Index(attribution.Hows, a.How) }
	slices.SortFunc(known, func(a, b attribution.Attribution) int {
		return cmp.Or(strings.Compare(a.App, b.App), strings.Compare(a.ID, b.ID), cmp.Compare(strength(a), strength(b)), strings.Compare(a.Words, b.Words))
	})
	known = slices.CompactFunc(known, func(a, b attribution.Attribution) bool { return a.App == b.App && a.ID == b.ID })
	u.known, u.generation, u.asked = slices.Clip(known[:min(len(known), MaxApps)]), generation, true
	return u.known
}

// Attribution returns what is known of the apps of this audit, to be asked of its flows. It
// goes on learning; after [Store.Rejudge] there is a new one.
func (s *Store) Attribution() *attribution.Book {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.totals.book
}

// AppOf returns the app that made a flow, as far as it is known, "" otherwise: for the
// filter of package capture/filter.
func (s *Store) AppOf(f *flow.Flow) string { return s.Attribution().Of(f).App }
