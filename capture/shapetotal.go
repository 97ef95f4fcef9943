package capture

import (
	"cmp"
	"slices"
	"strings"

	"telltale/attribution"
	"telltale/cadence"
	"telltale/flow"
	"telltale/policy"
)

// shapeTotal sums the flows of one shape.
type shapeTotal struct {
	shape             policy.Shape
	flows, subtracted int
	span              span
	agents            []string // sorted; never changed in place: summaries share them
	sent              []string // kinds of identifiers; likewise
	series            cadence.Series
	first             flow.ID           // lowest
	trace             attribution.Trace // of that flow
	app               string            // that made it, as was known at that generation of the book
	generation        uint64
}

func newShape(s policy.Shape) *shapeTotal {
	s.Path = strings.Clone(s.Path) // else the URL that it was cut from stays in memory
	return &shapeTotal{shape: s}
}

func (s *shapeTotal) clone() *shapeTotal {
	c := *s
	c.series = s.series.Clone()
	return &c
}

func (s *shapeTotal) add(f *flow.Flow, j policy.Judgement, trace attribution.Trace) {
	if s.flows == 0 || f.ID < s.first {
		s.first, s.trace, s.generation = f.ID, trace.Detach(), 0
	}
	s.flows++
	if j.Subtracted {
		s.subtracted++
	}
	s.span.add(f)
	s.agents = withFirst(s.agents, appOf(f), MaxApps)
	for i := range f.Exposures {
		s.sent = withFirst(s.sent, f.Exposures[i].Kind, MaxKinds)
	}
	s.series.Add(f.Times.Start)
}

// addShape counts a flow in the row of its shape. As hosts do, shapes beyond MaxShapes
// share a row: with others below their parent, or with all.
func (t *totals) addShape(f *flow.Flow, j policy.Judgement, trace attribution.Trace) {
	shape := policy.ShapeOf(f)
	if t.shapes.len() >= MaxShapes { // the rare case
		parent := policy.Shape{Host: parentOf(shape.Host), Method: everyone, Path: everyone}
		row := crowded(&t.shapes, shape, parent, policy.Shape{Host: everyone, Method: everyone, Path: everyone})
		t.manyShapes = t.manyShapes || row != shape
		shape = row
	}
	t.shapes.row(shape, newShape, (*shapeTotal).clone).add(f, j, trace)
}

// Crowd reports whether the row is that of several shapes: there were too many.
func (s Shape) Crowd() bool { return s.Method == everyone }

// MayHold reports whether the row is that of several shapes, which may be where one
// without a row of its own is counted.
func (s Shape) MayHold(shape policy.Shape) bool {
	return s.Crowd() && (s.Host == everyone || s.Host == parentOf(shape.Host))
}

func (s *shapeTotal) row(book *attribution.Book) Shape {
	if now := book.Generation() + 1; s.generation != now { // 0 is never
		s.app, s.generation = book.OfTrace(s.trace).App, now
	}
	row := Shape{
		Shape: s.shape, Flows: s.flows, Subtracted: s.subtracted, First: s.span.first, Last: s.span.last, App: s.app,
		Agents: slices.Clip(s.agents), Sent: slices.Clip(s.sent),
	}
	if !row.Crowd() {
		row.Rhythm, _ = s.series.Rhythm()
	}
	return row
}

// shapeRows lists the shapes, those with most flows first, and of each host the rhythm
// that most contacts keep.
func (t *totals) shapeRows() (rows []Shape, ofHost map[string]cadence.Rhythm) {
	sorted := t.shapes.sorted(func(a, b *shapeTotal) int {
		return cmp.Or(cmp.Compare(b.flows, a.flows), strings.Compare(a.shape.Host, b.shape.Host),
			strings.Compare(a.shape.Path, b.shape.Path), strings.Compare(a.shape.Method, b.shape.Method))
	})
	rows, ofHost = slices.Grow(rows, len(sorted)), map[string]cadence.Rhythm{}
	for _, s := range sorted {
		row := s.row(t.book)
		rows = append(rows, row)
		if row.Rhythm.Count > ofHost[row.Host].Count {
			ofHost[row.Host] = row.Rhythm
		}
	}
	return rows, ofHost
}
