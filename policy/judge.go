package policy

import (
	"slices"
	"strings"

	"telltale/flow"
	"telltale/policy/catalog"
)

// A Sighting is one flow under judgement, with what the policy and the catalogue
// know of its host. Detectors read it and change nothing.
type Sighting struct {
	Flow       *flow.Flow
	Host, Port string // the contacted ones; Port is "" when unknown
	Names      flow.Names

	policy  *Policy
	facts   *hostFacts
	request catalog.Sighting // what the catalogue needs; Read is false for a tunnel
	contact contact
	hiding  hiding
	found   []Finding // of the detectors before
}

// A contact is what the policy says of reaching the host, before anything else
// about the flow is looked at.
type contact struct {
	verdict  Verdict // Allowed, Ignored or Violation
	rule     Rule    // of the violation; for Ignored, of what it would be
	category string
	source   Source
	near     *allowRule // names the host, but its limits do not fit
	probe    catalog.Match
	product  *catalog.Product
	denied   *denyRule // denies the product's category
	listings []listing // what lists say, as hostFacts has them
}

// Judge says what the policy thinks of a flow. It is pure, so that the same facts
// have the same verdict at any time; see [Judge] for its promises.
func (p *Policy) Judge(f *flow.Flow) Judgement {
	if !f.IsContact() {
		return Judgement{}
	}
	p = p.of(f)
	s := p.see(f)
	for i := range Detectors {
		for _, finding := range Detectors[i].Detect(s) {
			s.found = append(s.found, Detectors[i].complete(finding))
		}
	}
	findings := s.found
	j := Judgement{Verdict: s.contact.verdict, Host: s.Host, Category: s.contact.category, Source: s.contact.source}
	if len(findings) == 0 {
		if j.Verdict == Ignored && len(p.waivers) > 0 {
			return p.waiveIgnored(s, j)
		}
		return j
	}
	counting, excused, by := p.excuse(s, findings)
	if len(counting) > 0 {
		j.Verdict, j.Findings, j.Excused, j.Source = Violation, counting, excused, counting[0].Source
		return j
	}
	j.Verdict, j.Findings, j.Source = Waived, excused, by
	return j
}

// excuse parts findings into those that count and those that a waiver excuses, with
// the place of the first such waiver.
func (p *Policy) excuse(s *Sighting, findings []Finding) (counting, excused []Finding, by Source) {
	for _, finding := range findings {
		w := p.waiverFor(finding, s)
		if w == nil {
			counting = append(counting, finding)
			continue
		}
		if len(excused) == 0 {
			by = w.Source
		}
		finding.Source = w.Source
		excused = append(excused, finding)
	}
	return counting, excused, by
}

func (p *Policy) waiverFor(finding Finding, s *Sighting) *waiver {
	var names []string // of the violation, once they are needed
	for i := range p.waivers {
		w, port := &p.waivers[i], s.Port
		if w.momentary() {
			if names == nil {
				names = namesOf(finding, s.Flow)
			}
			if s.Flow.Times.Start.Before(w.Until) && slices.Contains(names, w.violation) {
				return w
			}
			continue
		}
		if s.Flow.Kind == flow.DNS {
			port = w.Pattern.port // as in hostKey.question
		}
		if w.excuses(finding.Rule, s.Flow) && w.Pattern.matchCanonical(s.Host, port) {
			return w
		}
	}
	return nil
}

// excuses reports whether a waiver of the file is for a rule. What only leads up to a contact
// does not tell by which rule the contact will be a violation: a waiver of one is a waiver of
// that.
func (w *waiver) excuses(rule Rule, f *flow.Flow) bool {
	return w.Rule == rule || f.IsPrelude() && rule.OfContact() && w.Rule.OfContact()
}

// waiveIgnored keeps the order of the contract, waiver before ignore: noise that a
// waiver names, too, is waived.
func (p *Policy) waiveIgnored(s *Sighting, j Judgement) Judgement {
	w := p.waiverFor(Finding{Rule: s.contact.rule, Host: s.Host}, s)
	if w == nil {
		return j
	}
	finding := detectorOf(s.contact.rule).complete(s.contactFinding())
	finding.Source = w.Source
	j.Verdict, j.Source, j.Findings = Waived, w.Source, []Finding{finding}
	return j
}

// see gathers what is known of a flow.
func (p *Policy) see(f *flow.Flow) *Sighting {
	s := &Sighting{Flow: f, Host: f.Host(), Port: f.Port(), Names: f.Names(), policy: p}
	s.facts = p.factsOf(hostKey{s.Host, s.Port, f.Kind == flow.DNS})
	s.request.Host = s.Host
	if f.Request != nil && f.Kind != flow.DNS {
		s.request.Read = true
		s.request.Method = f.Request.Method
		s.request.UserAgent = f.UserAgent()
		s.request.App = p.IsApp(s.request.UserAgent)
	}
	s.hiding = s.hidesNames()
	s.contact = s.judgeContact()
	return s
}

// readURL fills in the parts of the request that only probes and limits need.
func (s *Sighting) readURL() requestPath {
	if !s.request.Read {
		return requestPath{}
	}
	path := pathOf(s.Flow.Request.URL)
	scheme, _, _ := strings.Cut(s.Flow.Request.URL, ":")
	s.request.Path, s.request.Scheme = path.normal, strings.ToLower(scheme)
	return path
}

// judgeContact applies deny, allow and ignore in the contract's order; waivers come
// after, since they excuse findings.
func (s *Sighting) judgeContact() contact {
	c := contact{product: s.facts.product, category: s.facts.category, denied: s.facts.denyCategory, listings: s.facts.listings}
	if s.facts.byPath && s.request.Read {
		s.lookCloser(&c)
	}
	if c.category == "" {
		c.category = categoryOf(c.listings)
	}
	if c.category == "" && (s.hiding.how != "" || s.hiding.resolver != nil && s.Flow.Kind == flow.DNS) {
		c.category = catalog.EncryptedDNS
	}
	if r := s.facts.deny; r != nil {
		c.verdict, c.rule, c.source = Violation, HostDenied, r.Source
		return s.classify(c)
	}
	if r := s.deniedCategory(&c); r != nil {
		c.verdict, c.source = Violation, r.Source
		return c
	}
	if s.allowed(&c) {
		return c
	}
	c = s.classify(c)
	c.verdict, c.rule, c.source = Violation, s.ruleOf(c), s.policy.nothing
	switch {
	case c.rule == Tracker && c.listed():
		c.source = c.listings[0].source()
	case c.near != nil:
		c.source = c.near.Source
	}
	if r := s.ignoredBy(c); r != nil {
		c.verdict, c.source = Ignored, r.Source
	}
	return c
}

// allowed looks for the first entry of allow that the flow is within. A connection
// whose request is not known is within every limit: what cannot be read is a finding
// of its own.
func (s *Sighting) allowed(c *contact) bool {
	var path requestPath
	for _, r := range s.facts.allow {
		if r.limited() && s.request.Read {
			if path.decoded == "" {
				path = s.readURL()
			}
			if !r.admits(s.request.Method, path) {
				if c.near == nil {
					c.near = r
				}
				continue
			}
		}
		c.verdict, c.source = Allowed, r.Source
		return true
	}
	return false
}

func (r *allowRule) admits(method string, path requestPath) bool {
	return (len(r.Methods) == 0 || contains(r.Methods, method)) && (len(r.Paths) == 0 || path.within(r.Paths))
}

func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}

// classify adds what the catalogue knows of the request.
func (s *Sighting) classify(c contact) contact {
	s.readURL()
	if m, ok := catalog.FindProbe(s.request); ok {
		c.probe = m
		c.category = catalog.CaptivePortal
		if m.Probe != nil {
			c.category = m.Probe.Class()
		}
		if m.Probe == nil && c.product != nil { // the host says more than the path
			c.probe, c.category = catalog.Match{}, c.product.Category
		}
	}
	return c
}

// isProbe reports whether classify found one.
func (c *contact) isProbe() bool {
	return c.category == catalog.CaptivePortal || c.probe.Probe != nil
}

// ruleOf names a violation by an unwanted contact: the most specific rule.
func (s *Sighting) ruleOf(c contact) Rule {
	switch {
	case c.isProbe():
		return CaptivePortalProbe
	case c.product != nil && tracks(c.product.Category), c.listed():
		return Tracker
	}
	return HostNotAllowed
}

func tracks(category string) bool {
	c, ok := catalog.FindCategory(category)
	return ok && c.Tracking
}

// deniedCategory returns the deny entry whose category is the flow's. Only requests
// are probes, so that the path is looked at only where a policy denies those.
func (s *Sighting) deniedCategory(c *contact) *denyRule {
	if s.policy.deniesProbes {
		if probe := s.classify(*c); probe.isProbe() {
			if r := s.policy.categoryRule(probe.category); r != nil {
				*c = probe
				c.rule = CaptivePortalProbe
				return r
			}
		}
	}
	r := c.denied
	for i := 0; r == nil && i < len(c.listings); i++ {
		if r = c.listings[i].denied; r != nil {
			c.category = r.Category
		}
	}
	if r == nil && c.category == catalog.EncryptedDNS {
		r = s.policy.categoryRule(c.category)
	}
	if r == nil {
		return nil
	}
	c.rule = Tracker
	if !tracks(r.Category) {
		c.rule = HostDenied
	}
	return r
}

// ignoredBy returns the entry of ignore that overlooks the flow. A preset is the
// device's own noise: it does not cover what the app itself sent, nor what only a
// library inside an app sends.
func (s *Sighting) ignoredBy(c contact) *ignoreRule {
	byApp := s.request.App || c.probe.Probe != nil && c.probe.Probe.SentBy == catalog.ByApp
	for _, r := range s.facts.ignore {
		if r.Row == nil || !byApp && r.Row.Matches(s.request) {
			return r
		}
	}
	return nil
}
