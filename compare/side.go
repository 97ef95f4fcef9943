package compare

import (
	"slices"
	"time"
)

// A side is an audit as the questions see it. What they ask again for every violation
// is gathered once.
type side struct {
	*Audit
	common detail              // level of detail that both sides have
	actors map[string][]string // apps by what they did, at that level; nil until asked
	used   map[span]map[where]stretch
}

// where is one phase of one recording; phase is "" for the whole recording.
type where struct{ session, phase string }

// span is the use of an app ("": anybody's) by recording or, with phases, by phase of
// each.
type span struct {
	app    string
	phases bool
}

func newSide(a *Audit, level detail) *side {
	return &side{Audit: a, common: level, used: map[span]map[where]stretch{}}
}

// did reports whether an action was done in the company of a scope.
func (s *side) did(in scope, action string) bool {
	if s.actors == nil {
		s.actors = actorsOf(s.deeds, s.common)
	}
	return slices.ContainsFunc(s.actors[action], in.isCompany)
}

// actorsOf returns the apps that did each action, each app once.
func actorsOf(deeds []deed, level detail) map[string][]string {
	out := map[string][]string{}
	for _, d := range deeds {
		action := coarse(d.action, level)
		out[action] = append(out[action], d.app)
	}
	for action, apps := range out {
		slices.Sort(apps)
		out[action] = slices.Compact(apps)
	}
	return out
}

// use returns the whole of what is used in a scope.
func (s *side) use(in scope) stretch {
	sum := noUse
	for _, u := range s.usesBy(in, false) {
		sum.join(u)
	}
	return sum
}

// time returns for how long the app was in use, recording by recording; 0 where these
// cannot be told apart.
func (s *side) time(in scope) time.Duration {
	if s.crowded {
		return 0
	}
	var sum time.Duration
	for _, u := range s.usesBy(in, false) {
		sum += u.length()
	}
	return sum
}

// usesBy returns the use in a scope for each recording or, with phases, for each phase
// of each recording.
func (s *side) usesBy(in scope, phases bool) map[where]stretch {
	over := span{in.app, phases}
	if out, ok := s.used[over]; ok {
		return out
	}
	out := map[where]stretch{}
	for _, u := range s.uses {
		if !in.isUse(u.app) {
			continue
		}
		key := where{session: u.session}
		if phases {
			key.phase = u.phase
		}
		sum, ok := out[key]
		if !ok {
			sum = noUse
		}
		sum.join(u.stretch)
		out[key] = sum
	}
	s.used[over] = out
	return out
}
