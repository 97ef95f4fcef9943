package compare

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"telltale/capture"
)

// An Audit is what one side of a comparison saw. Make it with [Recorder.Audit].
type Audit struct {
	Summary capture.Summary
	// Damaged says that the capture could not be read to its end: what it lacks
	// may have been in the rest.
	Damaged bool
	// AllowEmpty accepts that nothing was seen.
	AllowEmpty bool

	// crowded says that there was more than a recorder tells apart, so that several
	// recordings, apps or phases may stand under one name.
	crowded  bool
	knowsApp bool
	level    detail
	uses     []use
	deeds    []deed // each once, in any order
	traces   map[string]*trace
}

// A use is a stretch of one app's use in one phase of one recording.
type use struct {
	session, app, phase string
	stretch
}

// A deed is something that an app did at least once.
type deed struct{ action, app string }

// A scope is whose use of the network counts when a violation is looked for.
type scope struct {
	app  string // "": anybody's
	also string // the sender of the violation, where the policy says that the app is another
}

// scopeOf returns the app whose use must go on for a violation to show: the one that
// the policy names, else the one that sent it.
func scopeOf(knowsApp bool, sender string) scope {
	if knowsApp {
		return scope{app: ownApp, also: sender}
	}
	return scope{app: sender}
}

// isUse reports whether what an app does is use in this scope.
func (s scope) isUse(app string) bool { return s.app == "" || app == s.app }

// isCompany is isUse, and more: what nobody is named for may have been the app's.
func (s scope) isCompany(app string) bool { return s.isUse(app) || app == "" || app == s.also }

// A trace is what is remembered of one violation in one capture.
type trace struct {
	sender string // app of most of its flows; "" when none has a name
	marked bool   // all of it happened in named phases
	timed  bool   // at least one of its flows has a time
	// prelude says that nothing but what leads up to a contact made it, see
	// [flow.Flow.IsPrelude].
	prelude bool
	firsts  []first
	// company are the requests before it, the nearest first.
	company []Companion
}

// first is when a violation appeared in one phase of one recording.
type first struct {
	session, phase string
	at             int64 // as in an event
}

// A Companion is a request that came before a violation, in most cases: what an app
// does when the violation happens, and so a trace of what triggers it.
type Companion struct {
	Action string // method, host and path; "*" stands for what differs from run to run
	// Before counts the occurrences of the violation before which it was made, Of
	// the occurrences that were looked at.
	Before, Of int
	Gap        time.Duration // from it to the violation, on average
}

// Host returns the host that it was sent to.
func (c Companion) Host() string { return hostOf(c.Action) }

// How company is found.
const (
	companyTime     = 30 * time.Second // before an occurrence
	companyFlows    = 20               // the last ones of that time
	companyKept     = 8                // of what came before at least half of the occurrences
	maxOccurrences  = 64               // that are looked at, spread over all
	companyDistance = 4096             // events that are looked through, others' among them
)

// trace gathers what is to be remembered of a violation. found are the places of its
// events in the journal, which is in order.
func (r *Recorder) trace(found []int32) *trace {
	t := &trace{marked: true}
	senders := map[uint16]int{}
	var timed []int32 // the last ones: what has no time comes first
	seen := map[[2]uint16]bool{}
	for n, i := range found {
		e := r.journal.at(int(i))
		s := r.places[e.where]
		if s.app != 0 {
			senders[s.app]++
		}
		t.marked = t.marked && s.phase != 0
		if e.at == untimed {
			continue
		}
		if !t.timed {
			t.timed, timed = true, found[n:]
		}
		if key := [2]uint16{s.session, s.phase}; !seen[key] {
			seen[key] = true
			t.firsts = append(t.firsts, first{r.sessions.list[s.session], r.phases.list[s.phase], e.at})
		}
	}
	for n, count := range senders {
		name := r.appNames.list[n]
		if best := senders[r.appNames.of(t.sender)]; t.sender == "" || count > best || count == best && name < t.sender {
			t.sender = name
		}
	}
	t.company = r.company(timed, scopeOf(r.apps.KnowsApp(), t.sender))
	return t
}

// company returns the requests that came before most of the events at the given
// places.
func (r *Recorder) company(places []int32, in scope) []Companion {
	n := min(len(places), maxOccurrences)
	type before struct {
		times int
		gaps  time.Duration
	}
	all := map[string]before{}
	for i := range n {
		for action, gap := range r.precursors(int(places[i*len(places)/n]), in) {
			b := all[action]
			all[action] = before{b.times + 1, b.gaps + gap}
		}
	}
	var out []Companion
	for action, b := range all {
		if 2*b.times >= n {
			out = append(out, Companion{Action: action, Before: b.times, Of: n, Gap: b.gaps / time.Duration(b.times)})
		}
	}
	slices.SortFunc(out, func(a, b Companion) int {
		return cmp.Or(cmp.Compare(a.Gap, b.Gap), cmp.Compare(a.Action, b.Action))
	})
	return out[:min(len(out), companyKept)]
}

// precursors returns the requests of the same client in the same recording shortly
// before an event, and how long before.
func (r *Recorder) precursors(place int, in scope) map[string]time.Duration {
	it := r.journal.at(place)
	at := r.places[it.where]
	out := map[string]time.Duration{}
	left := companyFlows
	for i := place - 1; i >= max(0, place-companyDistance) && left > 0; i-- {
		e := r.journal.at(i)
		if e.at == untimed || between(e.at, it.at) > companyTime {
			break
		}
		s := r.places[e.where]
		if e.what&isViolation != 0 || s.session != at.session || !sameClient(s.client, at.client) || !in.isCompany(r.appNames.list[s.app]) {
			continue
		}
		left--
		action, gap := r.actions.names[e.what], between(e.at, it.at)
		if nearest, ok := out[action]; !ok || gap < nearest {
			out[action] = gap
		}
	}
	return out
}

// sameClient reports whether two flows may come from one device. Most HAR files do not
// say which one it was.
func sameClient(a, b netip.Addr) bool { return a == b || !a.IsValid() || !b.IsValid() }

// host returns the totals of a host, nil when it was not contacted.
func (a *Audit) host(name string) *capture.Host {
	i, ok := slices.BinarySearchFunc(a.Summary.Hosts, name, func(h capture.Host, name string) int { return cmp.Compare(h.Name, name) })
	if !ok {
		return nil
	}
	return &a.Summary.Hosts[i]
}

// isPrelude reports whether a violation is that a host was about to be contacted, and no
// more: where more happened, it is told as that.
func (a *Audit) isPrelude(v *capture.Violation) bool {
	t := a.traces[v.ID]
	return v.Finding.Rule.OfContact() && t != nil && t.prelude
}

// contactOf returns the fingerprint of the first violation that a contact with a host was,
// "" for none. With waived, it is one that is excused.
func (a *Audit) contactOf(host string, waived bool) string {
	violations := a.Summary.Violations
	if waived {
		violations = a.Summary.Waivers
	}
	i := slices.IndexFunc(violations, func(v capture.Violation) bool { return v.Finding.Host == host && v.Finding.Rule.OfContact() })
	if i < 0 {
		return ""
	}
	return violations[i].ID
}
