package experiment

import (
	"slices"

	"telltale/policy"
)

// A State is one experiment, for a screen.
type State struct {
	// Name is what there is to switch: of a simulation the name that [Spec] has, of rules
	// that of [Set.SwitchRules], "enforce", or "refuse" and a pattern.
	Name string
	Kind Kind
	Help string
	// Variants of a simulation, or forms of refusal; nil where there are none.
	Variants []string
	// Variant is the one in force, or that which is usual; "" where there are none.
	Variant string
	On      bool
	Hosts   []policy.Pattern // only these; nil for all
	// Note says what to know of it while it is on: "has no effect while offline is on".
	Note string
}

// Kind says by which method something is switched.
type Kind string

// The kinds.
const (
	KindEnforce    Kind = "enforce"    // by Set.Enforce
	KindRefuse     Kind = "refuse"     // by Set.Refuse, with the pattern in State.Hosts
	KindSimulation Kind = "simulation" // by Set.Switch
	KindRules      Kind = "rules"      // by Set.SwitchRules
)

// State returns everything that can be switched, for a screen: enforcement, the refusals
// that are on, each simulation, and each file of rules.
func (s *Set) State() []State {
	now := s.now.Load()
	if now == nil {
		now = &force{}
	}
	states := []State{{Name: "enforce", Kind: KindEnforce, Help: "refuses what the policy forbids", Variants: slices.Clone(Forms), Variant: Forms[0]}}
	if now.enforce != nil {
		states[0].On, states[0].Variant = true, string(now.enforce.form)
	}
	for _, r := range now.refusals {
		states = append(states, State{
			Name: RefuseName(r.host, FormRefused), Kind: KindRefuse, Help: "refuses these hosts, whatever the policy says",
			Variants: slices.Clone(Forms), Variant: string(r.form), On: true, Hosts: []policy.Pattern{r.host},
		})
	}
	for _, sim := range Simulations {
		state := State{Name: sim.Name, Kind: KindSimulation, Help: sim.Help, Variants: slices.Clone(sim.Variants)}
		state.Variant, _ = sim.variant("", false)
		if p := now.find(sim.Name); p != nil {
			state.On, state.Variant, state.Hosts = true, p.spec.Variant, slices.Clone(p.spec.Hosts)
			state.Note = now.note(p)
		}
		states = append(states, state)
	}
	for _, r := range s.cfg.Rules {
		states = append(states, State{Name: r.Name(), Kind: KindRules, Help: "alters messages as the file says", On: slices.Contains(now.rules, r.Name())})
	}
	return states
}

// note says what another simulation makes of one that is on.
func (n *force) note(p *played) string {
	for _, other := range n.played {
		if other == p {
			return ""
		}
		if len(other.spec.Hosts) > 0 {
			continue
		}
		switch other.spec.Name {
		case offline:
			return "has no effect while offline is on"
		case captivePortal:
			return "has an effect only for devices that have signed in, while captive-portal is on"
		}
	}
	return ""
}
