package policy

import (
	"telltale/flow"
)

// Consent is the section consent of a policy: hosts that a person has to agree to first.
// It changes no verdict; a simulation lets them answer nothing.
type Consent struct{ policy *Policy }

// Consent returns the section, nil where the policy has none.
func (p *Policy) Consent() *Consent {
	if len(p.consent) == 0 {
		return nil
	}
	return &Consent{p}
}

// Match reports whether the section names a host, in any spelling; port may be "". An
// entry with a port names the host at that port alone, and no question of DNS.
func (c *Consent) Match(host, port string) bool {
	host = flow.CanonicalHost(host)
	if host == "" {
		return false
	}
	var facts *hostFacts
	for i := range c.policy.consent {
		r := &c.policy.consent[i]
		if r.Category == "" {
			if r.Pattern.matchCanonical(host, port) {
				return true
			}
			continue
		}
		if facts == nil {
			facts = c.policy.factsOf(hostKey{host: host, port: port})
		}
		if facts.isOf(r.Category) {
			return true
		}
	}
	return false
}

// isOf reports whether a host is of a category, by the catalogue or by a list.
func (f *hostFacts) isOf(category string) bool {
	if f.category == category {
		return true
	}
	for i := range f.listings {
		if f.listings[i].entry.Category == category {
			return true
		}
	}
	return false
}

func (p *Policy) addConsent(entries []consentEntry, source func(place, string) Source) {
	for i := range entries {
		e := &entries[i]
		p.consent = append(p.consent, denyRule{e.Host.Pattern, e.Category.Value, e.Reason.Value, source(e.place, e.text()), e.Column})
	}
}

func (e *consentEntry) text() string {
	if e.Category.present() {
		return "category: " + e.Category.written
	}
	return orHost(e.place, e.Host.place)
}

func (d *decoder) checkConsent(entries []consentEntry) error {
	for i := range entries {
		if e := &entries[i]; e.Host.present() == e.Category.present() {
			return d.errorAt(e.Line, e.Column, "an entry of consent names either a host or a category", "")
		}
	}
	return nil
}

// explainConsent says that a host needs consent, which decides nothing.
func (e *Explanation) explainConsent(s *Sighting) {
	for i := range s.policy.consent {
		r := &s.policy.consent[i]
		if r.Category == "" && r.Pattern.matchCanonical(s.Host, s.Port) || r.Category != "" && s.facts.isOf(r.Category) {
			e.add(Step{"consent", r.Source, true, false, "needs consent: --simulate consent-refused lets it answer nothing"})
		}
	}
}

func (l *linter) consent() {
	for i := range l.p.consent {
		r := &l.p.consent[i]
		if r.Category == "" {
			l.broad(r.Pattern, r.Source, r.column, "asks consent for")
		}
		for j := range l.p.consent[:i] {
			former := &l.p.consent[j]
			if r.Category == "" && former.Category == "" && former.Pattern.covers(r.Pattern) || r.Category != "" && former.Category == r.Category {
				l.warn(r.Source, r.column, "never decides: the entry"+atLine(former.Source)+" covers it", "remove one of the two")
				break
			}
		}
	}
}
