package policy

import (
	"net/netip"
	"slices"
	"time"
)

// Notify is whom the policy wants told, and of what: its section notify.
type Notify struct {
	To     []Destination
	Routes []Route // nil: every destination is told of violations and trouble
	// Group is how long events gather before they become one message, Timeout how long one
	// attempt may take; 0 is the default of whoever sends.
	Group, Timeout time.Duration
	Link           string // base URL under which people reach this audit's pages; ""
}

// DestinationKind says how a destination is spoken to.
type DestinationKind string

// The kinds of destinations, as they stand in a policy.
const (
	Slack      DestinationKind = "slack"
	Teams      DestinationKind = "teams"
	Discord    DestinationKind = "discord"
	Mattermost DestinationKind = "mattermost"
	Webhook    DestinationKind = "webhook"
	Mail       DestinationKind = "mail"
	GitHub     DestinationKind = "github"
	GitLab     DestinationKind = "gitlab"
)

// DestinationKinds lists every kind.
var DestinationKinds = []DestinationKind{Slack, Teams, Discord, Mattermost, Webhook, Mail, GitHub, GitLab}

// A Destination is one place that is told.
type Destination struct {
	Name string
	Kind DestinationKind
	// URL is that of the webhook, of the SMTP server, or, where it is not the public one,
	// of the API. It may be a secret.
	URL Credential
	// Repository is OWNER/NAME of GitHub, or the path of a project of GitLab.
	Repository string
	Labels     []string   // of issues that are made
	Token      Credential // of GitHub and GitLab
	Sign       Credential // key of a webhook's signature
	Recipients []string   // of mail
	From       string     // of mail
	Password   Credential // of the SMTP server
	CA         string     // file of further authorities that the server may have (PEM); ""
	Source     Source
}

// A Route says who is told of which events.
type Route struct {
	When     Selection
	To       []string // names of destinations
	Escalate *Escalation
	Source   Source
}

// Escalation is who else is told when nobody acknowledges a violation in time.
type Escalation struct {
	After time.Duration
	To    []string
}

// An Action is a program of the user's that is run when something happens: an entry of the
// section on.
type Action struct {
	When        Selection
	Run         []string // program and arguments; a program with a slash is relative to the policy file
	Timeout     time.Duration
	Output      int64    // bytes of its output that are read
	Memory      int64    // bytes
	Environment []string // names of variables that it gets of ours
	Source      Source
}

// Bodies says whose contents are recorded.
type Bodies string

// The choices of bodies.
const (
	AllBodies        Bodies = "all"
	ViolationsBodies Bodies = "violations"
	NoBodies         Bodies = "none"
)

// Recording is what of the traffic is kept: the section record.
type Recording struct {
	Bodies Bodies    // "" is AllBodies
	Hosts  []Pattern // with any, only bodies of these
	Never  []Pattern // never bodies of these
}

// KeepsAll reports whether the contents of all bodies are kept.
func (r Recording) KeepsAll() bool {
	return (r.Bodies == "" || r.Bodies == AllBodies) && len(r.Hosts) == 0 && len(r.Never) == 0
}

// Keeps reports whether the contents of a flow's bodies are kept, by what was judged of it.
func (r Recording) Keeps(host, port string, j Judgement) bool {
	names := func(p Pattern) bool { return p.Match(host, port) }
	switch {
	case r.Bodies == NoBodies, slices.ContainsFunc(r.Never, names):
		return false
	case r.Bodies == ViolationsBodies && j.Verdict != Violation:
		return false
	}
	return len(r.Hosts) == 0 || slices.ContainsFunc(r.Hosts, names)
}

// A Selection picks events. Each part that is empty takes any.
type Selection struct {
	Events   []string // kinds, as in package event
	Rules    []Rule
	Severity Severity // this one alone
	Hosts    []Pattern
	Devices  []string // names or addresses
	Phases   []string
}

// An Occasion is what a selection asks of an event.
type Occasion struct {
	Event    string
	Rule     Rule
	Severity Severity
	Host     string
	Client   string // address
	Device   string // name
	Phase    string
}

// Match reports whether the selection takes an event.
func (s Selection) Match(o Occasion) bool {
	takes := func(list []string, values ...string) bool {
		return len(list) == 0 || slices.ContainsFunc(values, func(v string) bool { return v != "" && slices.Contains(list, v) })
	}
	return takes(s.Events, o.Event) && (len(s.Rules) == 0 || slices.Contains(s.Rules, o.Rule)) &&
		(s.Severity == "" || s.Severity == o.Severity) &&
		(len(s.Hosts) == 0 || slices.ContainsFunc(s.Hosts, func(p Pattern) bool { return p.Match(o.Host, "") })) &&
		takes(s.Devices, o.Device, plainAddr(o.Client)) && takes(s.Phases, o.Phase)
}

// plainAddr returns an address in the one spelling in which devices have it.
func plainAddr(s string) string {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return s
	}
	return addr.Unmap().WithZone("").String()
}

// Notify returns whom the policy wants told.
func (p *Policy) Notify() Notify { return p.notify }

// Actions returns the programs that the policy wants run.
func (p *Policy) Actions() []Action { return p.actions }

// Recording returns what of the traffic the policy wants kept.
func (p *Policy) Recording() Recording { return p.recording }
