package policy

import (
	"fmt"
	"slices"
	"strings"

	"telltale/exposure"
	"telltale/flow"
	"telltale/flow/plain"
)

// reach says which hosts must not get a kind of identifier.
type reach string

const (
	reachNever        reach = "never"         // no host may
	reachThirdParties reach = "third-parties" // no host that the policy does not allow may
	reachIgnore       reach = "ignore"        // every host may
)

// reaches lists the values in the order of the documentation.
var reaches = []string{string(reachNever), string(reachThirdParties), string(reachIgnore)}

// identifierRule is what holds for one kind of identifiers.
type identifierRule struct {
	reach  reach
	source Source // where the file says it; zero where it does not
	column int    // 0 where it does not
}

// usualReach is what holds for a kind of which the policy says nothing.
func usualReach(kind exposure.Kind) reach {
	if kind.Grave {
		return reachNever
	}
	return reachThirdParties
}

// identifierRule returns what holds for a kind.
func (p *Policy) identifierRule(kind exposure.Kind) identifierRule {
	if r, ok := p.identifiers[kind.Name]; ok {
		return r
	}
	return identifierRule{reach: usualReach(kind)}
}

// decidedBy returns the line of the file, or what stands for it.
func (r identifierRule) decidedBy(p *Policy, kind exposure.Kind) Source {
	if r.column > 0 {
		return r.source
	}
	return Source{File: p.file, Text: fmt.Sprintf("identifiers: %s: %s (default)", kind.Name, r.reach)}
}

// forbids reports whether a host of which the policy says this must not get the
// identifier. The device's own noise may carry any: its maker has them already.
func (r identifierRule) forbids(host Verdict) bool {
	switch host {
	case Allowed:
		return r.reach == reachNever
	case Violation:
		return r.reach != reachIgnore
	}
	return false
}

// detectIdentifiers reports the identifiers that package exposure found in what was
// sent, one finding for each kind.
func detectIdentifiers(s *Sighting) []Finding {
	if len(s.Flow.Exposures) == 0 || s.contact.verdict == Ignored {
		return nil
	}
	var findings []Finding
	for i := range s.Flow.Exposures {
		name := s.Flow.Exposures[i].Kind
		if slices.ContainsFunc(s.Flow.Exposures[:i], func(x flow.Exposure) bool { return x.Kind == name }) {
			continue
		}
		kind := exposure.KindOf(name)
		rule := s.policy.identifierRule(kind)
		if !rule.forbids(s.contact.verdict) {
			continue
		}
		if evidence := s.evidenceOf(name); len(evidence) > 0 {
			findings = append(findings, s.identifier(kind, rule, evidence))
		}
	}
	return findings
}

// evidenceOf returns where identifiers of a kind stood, but for values that the rule
// value-leaked reports already: one value is one fault.
func (s *Sighting) evidenceOf(kind string) []Evidence {
	var out []Evidence
	for i := range s.Flow.Exposures {
		if x := &s.Flow.Exposures[i]; x.Kind == kind {
			if e := s.exposed(x); !s.leaked(kind, e.Where) {
				out = append(out, e)
			}
		}
	}
	return out
}

// exposed returns an exposure as evidence. Its place is made of names that the app chose,
// which may hold a value under never-send: that is taken out before anybody shortens it.
func (s *Sighting) exposed(x *flow.Exposure) Evidence {
	return Evidence{Where: s.policy.Mask(x.Where), Layers: x.Layers, Masked: x.Masked}
}

// leaked reports whether the value of a kind at a place is one under never-send that was
// found there. The place is masked.
func (s *Sighting) leaked(kind, where string) bool {
	for i := range s.found {
		f := &s.found[i]
		if f.Rule != ValueLeaked || !slices.ContainsFunc(f.Evidence, func(e Evidence) bool { return e.Where == where }) {
			continue
		}
		// Several values may share a place: a header that lists them.
		if secret := s.policy.secretNamed(f.Subject); secret != nil && slices.Contains(kindsLike(secret.value), kind) {
			return true
		}
	}
	return false
}

func (p *Policy) secretNamed(name string) *Secret {
	for i := range p.secrets {
		if p.secrets[i].Name == name {
			return &p.secrets[i]
		}
	}
	return nil
}

// identifier describes one kind of identifiers that a host must not get.
func (s *Sighting) identifier(kind exposure.Kind, rule identifierRule, evidence []Evidence) Finding {
	f := s.finding(IdentifierLeaked, rule.decidedBy(s.policy, kind))
	f.Severity = SeverityWarning
	if kind.Grave || rule.column > 0 && rule.reach == reachNever {
		f.Severity = SeverityError
	}
	f.Subject, f.Title, f.Evidence = kind.Name, "sends the "+kind.Title, evidence
	f.Message = "The " + kind.Title + " was sent to " + s.Host + s.ownedBy() + ", " + placesText(evidence) + "."
	if kind.Why != "" {
		f.Message += " " + kind.Why
	}
	switch {
	case s.contact.verdict == Violation:
		f.Message += " The policy does not allow this host, so nobody decided that it may have it."
	case rule.column > 0:
		f.Message += " That the host may be contacted does not excuse it: the policy says that nobody may have it."
	default:
		f.Message += " That the host may be contacted does not excuse it: no server needs it."
	}
	f.Remedy = identifierRemedy(kind.Name) + " If this host is meant to have it, say so in the policy: a waiver of the rule identifier-leaked for " +
		s.Host + ", or the section identifiers for all hosts."
	return f
}

// ownedBy names who runs the host, "" where that is not known.
func (s *Sighting) ownedBy() string {
	if s.contact.product == nil {
		return ""
	}
	return ", which belongs to " + s.contact.product.Owner()
}

// maxListed bounds the places that a message lists; the evidence has them all.
const maxListed = 3

// placesText says where something stood: "in the URL, parameter idfa, and in a cookie".
func placesText(evidence []Evidence) string {
	var places []string
	for _, e := range evidence {
		// Its names come from the wire, and may be as long as the app likes.
		if place := plain.Name(exposure.Place(e.Where, e.Layers), 200); !contains(places, place) {
			places = append(places, place)
		}
	}
	if more := len(places) - maxListed; more > 0 {
		places = append(places[:maxListed:maxListed], fmt.Sprintf("and in %d more places", more))
	}
	return strings.Join(places, "; ")
}
