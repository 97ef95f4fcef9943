package experiment

import (
	"crypto/tls"
	"net/http"
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

// New returns a set in which nothing is in force.
func New(cfg Config) *Set { return &Set{cfg: cfg} }

// Switch switches a simulation on or off.
func (s *Set) Switch(spec Spec, on bool) error { return nil }

// Enforce refuses what the policy forbids, or no longer does.
func (s *Set) Enforce(form Form, on bool) {}

// Refuse refuses hosts, whatever the policy says, or no longer does.
func (s *Set) Refuse(p policy.Pattern, form Form, on bool) {}

// SwitchRules switches the rules of a name on or off.
func (s *Set) SwitchRules(name string, on bool) error { return nil }

// Active returns what is in force, sorted, as flows keep it.
func (s *Set) Active() []string { return nil }

// State returns everything that can be switched, for a screen.
func (s *Set) State() []State { return nil }

// Decide says what is done with a contact.
func (s *Set) Decide(f *flow.Flow) proxy.Decision { return proxy.Decision{} }

// Modifier returns what alters messages now, nil for nothing.
func (s *Set) Modifier() proxy.Modifier { return nil }

// Link returns the profile of the link, "" for one that is as it is.
func (s *Set) Link() string { return "" }

// PortalHandler serves the sign-in page.
func (s *Set) PortalHandler() http.Handler { return http.NotFoundHandler() }

type force struct{}
