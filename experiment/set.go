package experiment

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"telltale/flow"
	"telltale/policy"
	"telltale/proxy"
)

// Authority makes certificates with a fault; [telltale/ca.Authority] is one. The faults
// are "unknown-authority", "wrong-name", "self-signed", "expired" and "not-yet-valid".
type Authority interface {
	Faulty(name, fault string) (*tls.Certificate, error)
}

// Rules alter messages as a file says; package rules reads them.
type Rules interface {
	proxy.Modifier
	// Name is the experiment, as flows keep it: "modify rules.json".
	Name() string
}

// Config is what experiments need from outside. Any of it may be missing: what needs it
// cannot be switched on.
type Config struct {
	// Forbids says whether the policy forbids a contact, and by which rule, for people:
	// "tracker: contacts a tracking service". For enforcement.
	Forbids func(*flow.Flow) (bool, string)
	// Consent returns the policy's section consent, nil for none.
	Consent func() *policy.Consent
	// Authority signs what clients are shown by bad-certificate, clock-skew and
	// captive-portal.
	Authority Authority
	// Rules are those of --modify. Each is off until it is switched on.
	Rules []Rules
	// Changed is told after each switch what is in force, sorted, as
	// [flow.Flow.Experiments] has it. It is called by one goroutine at a time, in the
	// order of the switches, before the switch returns, and must switch nothing itself.
	Changed func(active []string)
	// Portal is the address of the sign-in page, which [Set.PortalHandler] serves:
	// "http://setup.telltale/portal".
	Portal string
}

// A Set is what is in force. All of its methods may be called at any time by any
// goroutine.
type Set struct {
	cfg Config
	mu  sync.Mutex            // held while something is switched
	now atomic.Pointer[force] // nil: nothing is in force
}

// New returns a set in which nothing is in force.
func New(cfg Config) *Set { return &Set{cfg: cfg} }

// Switch switches a simulation on or off. Each is on once at most: another variant takes
// the place of the former, and hosts come to those that it is restricted to already. To
// switch one off, its name is enough. An error is an [*Error]; nothing has changed then.
func (s *Set) Switch(spec Spec, on bool) error {
	sim, ok := FindSimulation(spec.Name)
	if !ok {
		return unknown("simulation", spec.Name, simulationNames())
	}
	return s.change(func(next *force) error {
		former := next.find(spec.Name)
		if !on {
			next.remove(former)
			return nil
		}
		var err error
		if spec.Variant, err = sim.variant(spec.Variant, spec.Variant != ""); err != nil {
			return err
		}
		if sim.Whole && len(spec.Hosts) > 0 {
			return sim.notRestricted()
		}
		if err := s.possible(spec, next); err != nil {
			return err
		}
		if former != nil && former.spec.Variant == spec.Variant {
			spec.Hosts = both(former.spec.Hosts, spec.Hosts)
		}
		spec.Hosts = ordered(spec.Hosts)
		if former != nil && former.name == spec.String() {
			return nil
		}
		played, err := s.play(spec)
		if err != nil {
			return err
		}
		next.remove(former)
		next.add(played)
		return nil
	})
}

// possible says why a simulation cannot be switched on; nil when it can.
func (s *Set) possible(spec Spec, next *force) error {
	switch spec.Name {
	case badCertificate, clockSkew:
		if s.cfg.Authority == nil {
			return &Error{spec.Name + " needs an authority that makes certificates, and there is none", ""}
		}
		other := badCertificate
		if spec.Name == badCertificate {
			other = clockSkew
		}
		if next.find(other) != nil {
			return &Error{spec.Name + " and " + other + " cannot be on together: each shows a certificate with a fault of its own", "switch " + other + " off first"}
		}
	case captivePortal:
		if s.cfg.Portal == "" {
			return &Error{captivePortal + " needs a sign-in page, and none is served", ""}
		}
	case consentRefused:
		if s.consent() == nil {
			return &Error{consentRefused + " needs hosts that are asked for by consent, and the policy names none",
				"name them in the policy, as in consent: [{category: advertising}]"}
		}
	}
	return nil
}

func (s *Set) consent() *policy.Consent {
	if s.cfg.Consent == nil {
		return nil
	}
	return s.cfg.Consent()
}

// both returns the hosts of two lists; nil, which is all, where one of them is.
func both(a, b []policy.Pattern) []policy.Pattern {
	if len(a) == 0 || len(b) == 0 {
		return b
	}
	return slices.Concat(a, b)
}

// ordered sorts patterns and leaves out those that stand there twice.
func ordered(hosts []policy.Pattern) []policy.Pattern {
	hosts = slices.Clone(hosts)
	slices.SortFunc(hosts, func(a, b policy.Pattern) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(hosts)
}

// Enforce refuses what the policy forbids, or no longer does. Another form takes the place
// of the former; "" is the usual one. Without Config.Forbids it does nothing.
func (s *Set) Enforce(form Form, on bool) {
	if on && s.cfg.Forbids == nil {
		return
	}
	if form == "" {
		form = FormRefused
	}
	_ = s.change(func(next *force) error {
		next.enforce = nil
		if on {
			next.enforce = &refusal{form: form, name: EnforceName(form)}
		}
		return nil
	})
}

// Refuse refuses hosts, whatever the policy says, or no longer does. Another form takes
// the place of the former; to switch off, the pattern is enough.
func (s *Set) Refuse(p policy.Pattern, form Form, on bool) {
	if form == "" {
		form = FormRefused
	}
	_ = s.change(func(next *force) error {
		next.refusals = slices.DeleteFunc(slices.Clone(next.refusals), func(r refusal) bool { return r.host == p })
		if on {
			next.refusals = append(next.refusals, refusal{host: p, form: form, name: RefuseName(p, form), why: "a person refuses " + p.String()})
		}
		return nil
	})
}

// SwitchRules switches the rules of a name on or off. The error is an [*Error].
func (s *Set) SwitchRules(name string, on bool) error {
	var names []string
	for _, r := range s.cfg.Rules {
		names = append(names, r.Name())
	}
	if !slices.Contains(names, name) {
		return unknown("file of rules", name, names)
	}
	return s.change(func(next *force) error {
		next.rules = slices.DeleteFunc(slices.Clone(next.rules), func(n string) bool { return n == name })
		if on {
			next.rules = append(next.rules, name)
		}
		return nil
	})
}

// change makes the next force from the present one, and tells of it.
func (s *Set) change(by func(next *force) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.now.Load()
	next := &force{}
	if before != nil {
		*next = *before
	}
	if err := by(next); err != nil {
		return err
	}
	next.settle(s.cfg.Rules)
	s.adopt(before, next)
	return nil
}

// adopt puts next in force, and tells of it where that is something else than before.
func (s *Set) adopt(before, next *force) {
	if next != nil && len(next.active) == 0 {
		next = nil
	}
	if slices.Equal(before.names(), next.names()) {
		return
	}
	s.now.Store(next)
	if s.cfg.Changed != nil {
		s.cfg.Changed(s.Active())
	}
}

// names are the active ones; a nil force has none.
func (n *force) names() []string {
	if n == nil {
		return nil
	}
	return n.active
}

// Together makes several switches one: do switches the set that it is given, and what is
// then in force is adopted and told of once. Where do fails, nothing has changed.
func (s *Set) Together(do func(*Set) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.now.Load()
	draft := New(s.cfg)
	draft.cfg.Changed = nil
	draft.now.Store(before)
	if err := do(draft); err != nil {
		return err
	}
	s.adopt(before, draft.now.Load())
	return nil
}

// Active returns what is in force, sorted, as flows keep it.
func (s *Set) Active() []string {
	now := s.now.Load()
	if now == nil {
		return nil
	}
	return slices.Clone(now.active)
}

// Modifier returns what alters messages now, nil for nothing: the rules that are on, in
// the order of Config.Rules, then no-quic.
func (s *Set) Modifier() proxy.Modifier {
	now := s.now.Load()
	if now == nil {
		return nil
	}
	return now.modifier
}

// Link returns the profile of the link, as package link calls it; "" for one that is as
// it is.
func (s *Set) Link() string {
	if now := s.now.Load(); now != nil && now.slow != nil {
		return now.slow.spec.Variant
	}
	return ""
}

// play makes what a simulation needs while it is on.
func (s *Set) play(spec Spec) (*played, error) {
	p := &played{spec: spec, name: spec.String(), set: s}
	switch spec.Name {
	case captivePortal:
		p.guests = newGuests()
	case flaky:
		if _, err := fmt.Sscan(spec.Variant, &p.seed); err != nil {
			return nil, &Error{fmt.Sprintf("%s: the seed %.80q is not a number", flaky, spec.Variant), ""}
		}
		p.counts = &counts{}
	}
	return p, nil
}
