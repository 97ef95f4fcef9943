package compare

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"telltale/capture"
	"telltale/policy"
)

// A Comparison is everything that can be said of two captures side by side. It shares
// memory with the audits and does not change.
type Comparison struct {
	Result     Result
	Hosts      []Host      // those that came, then those that went, then those that stayed, by name
	Violations []Violation // by state, then severity, rule and host
	// Caveats are sentences on what the captures do not show because experiments altered
	// what was recorded; nil where both only observed.
	Caveats []string
}

// Result is a comparison in a word.
type Result string

// The results. Where several apply, the first one of them is the result.
const (
	// Inconclusive: the capture before is empty or damaged, or the one after is and
	// shows nothing new, so that nothing can be said.
	Inconclusive Result = "inconclusive"
	Worse        Result = "worse"     // the capture after has a violation that the one before lacks
	Clean        Result = "clean"     // neither side has a violation
	Unproven     Result = "unproven"  // none is fixed, and of at least one nobody did what triggers it
	Unchanged    Result = "unchanged" // none is fixed: each is still there, or excused now
	Better       Result = "better"    // some are fixed, others are not, or are not shown to be
	AllFixed     Result = "fixed"     // every violation is gone, and is shown to be
)

// State is what became of a violation.
type State string

// The states, the most urgent first.
const (
	New          State = "new"           // the capture after has it, the one before does not
	StillThere   State = "still-there"   // both have it
	NotExercised State = "not-exercised" // it is gone, but nothing shows that it would have happened
	Fixed        State = "fixed"         // it is gone, and what triggers it was done
	Excused      State = "excused"       // the capture after has it, and the policy excuses it
)

// States lists every state, the most urgent first.
var States = []State{New, StillThere, NotExercised, Fixed, Excused}

// Change is what became of a host.
type Change string

// The changes.
const (
	Came   Change = "came"
	Went   Change = "went"
	Stayed Change = "stayed"
)

var changes = []Change{Came, Went, Stayed}

// A Host was contacted on at least one side.
type Host struct {
	Name          string
	Change        Change
	Before, After *capture.Host // nil where it was not contacted
}

// A Violation happened on at least one side, excused or not.
type Violation struct {
	ID    string // the fingerprint
	State State
	// Before and After are its totals, nil on a side without it.
	Before, After *capture.Violation
	// WaivedBefore and WaivedAfter say that the side excuses it.
	WaivedBefore, WaivedAfter bool
	// TimeBefore and TimeAfter are for how long the app was seen in use on each
	// side, recording by recording, from its first flow to its last.
	TimeBefore, TimeAfter time.Duration
	// Answers tell fixed from not exercised. Of other states there are none.
	Answers []Answer
}

// Finding returns what it is, in the newest words.
func (v *Violation) Finding() policy.Finding { return v.Newest().Finding }

// Newest returns its totals after or, where it is gone, before.
func (v *Violation) Newest() *capture.Violation {
	if v.After != nil {
		return v.After
	}
	return v.Before
}

// Captures compares two audits by one policy. It is a pure function of them.
func Captures(before, after *Audit) Comparison {
	c := Comparison{Hosts: hosts(before.Summary, after.Summary), Caveats: caveats(before, after)}
	level := max(before.level, after.level)
	was, is := newSide(before, level), newSide(after, level)
	for id, v := range both(before, after) {
		v.ID = id
		v.State = state(v)
		in := scopeOf(before.knowsApp || after.knowsApp, senderOf(id, before, after))
		v.TimeBefore, v.TimeAfter = was.time(in), is.time(in)
		if v.State == Fixed {
			v.Answers = ask(v, was, is)
			if slices.ContainsFunc(v.Answers, func(a Answer) bool { return !a.Yes }) {
				v.State = NotExercised
			}
		}
		c.Violations = append(c.Violations, *v)
	}
	slices.SortFunc(c.Violations, order)
	c.Result = c.result(before, after)
	return c
}

// state says what became of a violation, before it is asked why one is gone.
func state(v *Violation) State {
	switch {
	case v.After == nil:
		return Fixed
	case v.WaivedAfter:
		return Excused
	case v.Before == nil || v.WaivedBefore:
		return New
	}
	return StillThere
}

// both pairs the violations of two sides. What counts outweighs what is excused, where
// one side has both.
func both(before, after *Audit) map[string]*Violation {
	out := map[string]*Violation{}
	row := func(id string) *Violation {
		if out[id] == nil {
			out[id] = &Violation{}
		}
		return out[id]
	}
	for _, waived := range []bool{true, false} {
		pick := func(s capture.Summary) []capture.Violation {
			if waived {
				return s.Waivers
			}
			return s.Violations
		}
		old, fresh := pick(before.Summary), pick(after.Summary)
		for i := range old {
			v := row(old[i].ID)
			v.Before, v.WaivedBefore = &old[i], waived
		}
		for i := range fresh {
			v := row(fresh[i].ID)
			v.After, v.WaivedAfter = &fresh[i], waived
		}
	}
	joinPreludes(out, before, after)
	return out
}

// joinPreludes pairs what only leads up to a contact after with the contact before: there
// it was told as a part of it. The other way round, the contact is new.
func joinPreludes(all map[string]*Violation, before, after *Audit) {
	for _, v := range all {
		if v.Before != nil || !after.isPrelude(v.After) {
			continue
		}
		for _, waived := range []bool{false, true} {
			id := before.contactOf(v.After.Finding.Host, waived)
			contact := all[id]
			if contact == nil || contact.Before == nil {
				continue
			}
			v.Before, v.WaivedBefore = contact.Before, contact.WaivedBefore
			if contact.After == nil {
				delete(all, id)
			}
			break
		}
	}
}

func senderOf(id string, audits ...*Audit) string {
	for _, a := range audits {
		if t := a.traces[id]; t != nil && t.sender != "" {
			return t.sender
		}
	}
	return ""
}

// order is by state, severity, rule and host; the fingerprint settles what is left.
func order(a, b Violation) int {
	f, g := a.Finding(), b.Finding()
	return cmp.Or(
		cmp.Compare(slices.Index(States, a.State), slices.Index(States, b.State)),
		cmp.Compare(rank(f.Severity), rank(g.Severity)),
		strings.Compare(string(f.Rule), string(g.Rule)),
		strings.Compare(f.Host, g.Host),
		strings.Compare(f.Subject, g.Subject),
		strings.Compare(a.ID, b.ID),
	)
}

func rank(s policy.Severity) int {
	if s == policy.SeverityError {
		return 0
	}
	return 1
}

// Count returns how many violations are in a state.
func (c *Comparison) Count(s State) int {
	n := 0
	for i := range c.Violations {
		if c.Violations[i].State == s {
			n++
		}
	}
	return n
}

// Counting returns the violations in a state that count, or counted before: those that
// a waiver excused already are left out.
func (c *Comparison) Counting(s State) []Violation {
	var out []Violation
	for _, v := range c.Violations {
		if v.State == s && !(v.WaivedBefore && v.After == nil) {
			out = append(out, v)
		}
	}
	return out
}

func (c *Comparison) result(before, after *Audit) Result {
	has := func(s State) bool { return len(c.Counting(s)) > 0 }
	broken := func(a *Audit) bool { return a.Damaged || a.Summary.Inconclusive() && !a.AllowEmpty }
	switch {
	case broken(before): // what looks new may have been in what is missing
		return Inconclusive
	case has(New):
		return Worse
	case broken(after):
		return Inconclusive
	case len(before.Summary.Violations) == 0 && len(after.Summary.Violations) == 0:
		return Clean
	case !has(Fixed) && has(NotExercised):
		return Unproven
	case !has(Fixed):
		return Unchanged
	case has(StillThere) || has(NotExercised):
		return Better
	}
	return AllFixed
}

// hosts pairs the hosts of two sides.
func hosts(before, after capture.Summary) []Host {
	byName := map[string]*Host{}
	for i := range before.Hosts {
		h := &before.Hosts[i]
		byName[h.Name] = &Host{Name: h.Name, Change: Went, Before: h}
	}
	for i := range after.Hosts {
		h := &after.Hosts[i]
		if both := byName[h.Name]; both != nil {
			both.Change, both.After = Stayed, h
		} else {
			byName[h.Name] = &Host{Name: h.Name, Change: Came, After: h}
		}
	}
	out := make([]Host, 0, len(byName))
	for _, h := range byName {
		out = append(out, *h)
	}
	slices.SortFunc(out, func(a, b Host) int {
		return cmp.Or(cmp.Compare(slices.Index(changes, a.Change), slices.Index(changes, b.Change)), strings.Compare(a.Name, b.Name))
	})
	return out
}
