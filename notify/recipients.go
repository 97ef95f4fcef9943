package notify

import (
	"slices"
	"time"

	"telltale/event"
	"telltale/policy"
)

// A Recipient is one destination that is told of an event.
type Recipient struct {
	Destination string // its name
	// Escalations are who else is told unless somebody acknowledges the violation: the
	// soonest first, none twice.
	Escalations []Escalation
}

// An Escalation is one destination that is told later.
type Escalation struct {
	After       time.Duration // since the event
	Destination string
}

// Recipients returns who is told of an event, in the order of the policy's destinations, each
// once.
//
// What says itself where it goes (To: a test, an action that names destinations) goes there.
// Anything else goes where routes take it; devices and the end of an audit only where a route
// names these kinds of events. A destination that no route and no escalation
// names is told of violations, of trouble and of what actions ask for; so is every
// destination where there are no routes. Trouble that no route takes goes to all but those
// that are only escalated to: silence would look like an audit in which all is well.
func Recipients(n policy.Notify, e event.Event) []Recipient {
	told := map[string]*Recipient{}
	tell := func(name string) *Recipient {
		if told[name] == nil {
			told[name] = &Recipient{Destination: name}
		}
		return told[name]
	}
	routed, escalated := named(n.Routes)
	switch {
	case len(e.To) > 0:
		for _, name := range e.To {
			tell(name)
		}
	default:
		taken := route(n.Routes, e, tell)
		for _, d := range n.To {
			free := !routed[d.Name] && !escalated[d.Name]
			lost := e.Kind == event.OfTrouble && !taken && routed[d.Name]
			if free && unasked(e.Kind) || lost {
				tell(d.Name)
			}
		}
	}
	var out []Recipient
	for _, d := range n.To {
		if r := told[d.Name]; r != nil {
			out = append(out, *r)
		}
	}
	return out
}

// unasked reports whether a kind of event is told without a route.
func unasked(kind event.Kind) bool {
	return kind == event.OfViolation || kind == event.OfTrouble || kind == event.OfAction
}

// named returns the destinations of routes, and those of escalations.
func named(routes []policy.Route) (routed, escalated map[string]bool) {
	routed, escalated = map[string]bool{}, map[string]bool{}
	for _, r := range routes {
		for _, name := range r.To {
			routed[name] = true
		}
		if r.Escalate == nil {
			continue
		}
		for _, name := range r.Escalate.To {
			escalated[name] = true
		}
	}
	return routed, escalated
}

// route tells those to whom routes lead, and reports whether one took the event. Only
// violations can be acknowledged, so that only they are escalated.
func route(routes []policy.Route, e event.Event, tell func(string) *Recipient) (taken bool) {
	for _, r := range routes {
		if !e.Selected(r.When) || len(r.When.Events) == 0 && !unasked(e.Kind) {
			continue
		}
		taken = true
		for _, name := range r.To {
			to := tell(name)
			if r.Escalate != nil && e.Kind == event.OfViolation {
				to.escalate(r.Escalate)
			}
		}
	}
	return taken
}

func (r *Recipient) escalate(by *policy.Escalation) {
	for _, name := range by.To {
		if one := (Escalation{by.After, name}); !slices.Contains(r.Escalations, one) {
			r.Escalations = append(r.Escalations, one)
		}
	}
	slices.SortStableFunc(r.Escalations, func(a, b Escalation) int { return int(a.After - b.After) })
}
