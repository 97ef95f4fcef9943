package experiment

import (
	"slices"

	"telltale/policy"
	"telltale/proxy"
)

// force is what is in force at one time. It is never changed once it can be seen; what a
// simulation remembers of contacts has locks of its own.
type force struct {
	active   []string // sorted
	enforce  *refusal // nil: off
	refusals []refusal
	played   []*played // in the order in which they decide
	rules    []string  // names, those of settle's order not yet

	slow     *played        // one of played
	modifier proxy.Modifier // nil: nothing alters messages
	idle     bool           // nothing here decides about contacts
}

// refusal is what is refused, and how.
type refusal struct {
	host policy.Pattern // of a person's refusal
	form Form
	name string
	why  string // of a person's refusal; the policy has a reason of its own
}

// played is a simulation that is on.
type played struct {
	spec Spec
	name string
	set  *Set

	guests *guests // of captive-portal
	seed   uint64  // of flaky
	counts *counts // of flaky
}

// precedence is the order in which simulations decide; see [Set.Decide].
var precedence = []string{offline, consentRefused, captivePortal, flaky, badCertificate, clockSkew, noQUIC, serverError, slow}

func (n *force) find(name string) *played {
	for _, p := range n.played {
		if p.spec.Name == name {
			return p
		}
	}
	return nil
}

func (n *force) remove(p *played) {
	n.played = slices.DeleteFunc(slices.Clone(n.played), func(q *played) bool { return q == p })
}

func (n *force) add(p *played) {
	n.played = append(slices.Clone(n.played), p)
	slices.SortFunc(n.played, func(a, b *played) int {
		return slices.Index(precedence, a.spec.Name) - slices.Index(precedence, b.spec.Name)
	})
}

// settle derives the rest from what is on.
func (n *force) settle(rules []Rules) {
	n.active, n.slow, n.modifier = nil, n.find(slow), nil
	n.idle = n.enforce == nil && len(n.refusals)+len(n.played) == 0
	if n.enforce != nil {
		n.active = append(n.active, n.enforce.name)
	}
	for i := range n.refusals {
		n.active = append(n.active, n.refusals[i].name)
	}
	for _, p := range n.played {
		n.active = append(n.active, p.name)
	}
	var altering modifiers
	for _, r := range rules {
		if slices.Contains(n.rules, r.Name()) {
			n.active = append(n.active, r.Name())
			altering = append(altering, r)
		}
	}
	if p := n.find(noQUIC); p != nil {
		altering = append(altering, withoutQUIC{p})
	}
	if len(altering) > 0 {
		n.modifier = altering
	}
	slices.Sort(n.active)
	n.active = slices.Compact(n.active)
}
