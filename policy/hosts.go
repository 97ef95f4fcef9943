package policy

import (
	"telltale/policy/catalog"
)

// hostKey is what a host's facts depend on.
type hostKey struct {
	host, port string
	// question is set for a question of DNS: whatever port is contacted, the name is
	// looked up first, so that an entry for one port permits it and forbids nothing.
	question bool
}

// hostFacts is what the policy and the catalogue say of a host by its name and port
// alone. It is the same for every flow to it, hence kept.
type hostFacts struct {
	deny *denyRule // first host pattern of deny that matches
	// denyCategory is the entry that denies the product's category.
	denyCategory *denyRule
	allow        []*allowRule     // in the file's order
	ignore       []*ignoreRule    // in the file's order
	product      *catalog.Product // whatever the path is
	resolver     *catalog.Resolver
	category     string    // of the product; ""
	listings     []listing // whatever the path is
	// byPath says that other paths of the host may be other products, or listed.
	byPath bool
}

// maxHosts bounds the memo: a device that invents names must not fill the memory.
const maxHosts = 4096

// factsOf returns the facts of a canonical host.
func (p *Policy) factsOf(key hostKey) *hostFacts {
	p.mu.RLock()
	facts, ok := p.hosts[key]
	p.mu.RUnlock()
	if ok {
		return facts
	}
	facts = p.lookUp(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hosts == nil || len(p.hosts) >= maxHosts {
		p.hosts = make(map[hostKey]*hostFacts)
	}
	p.hosts[key] = facts
	return facts
}

func (p *Policy) lookUp(key hostKey) *hostFacts {
	facts, host := &hostFacts{}, key.host
	portFor := func(p *Pattern) string {
		if key.question {
			return p.port
		}
		return key.port
	}
	for i := range p.deny {
		pattern := &p.deny[i].Pattern
		if (!key.question || pattern.port == "") && pattern.matchCanonical(host, key.port) {
			facts.deny = &p.deny[i]
			break
		}
	}
	for i := range p.allow {
		if pattern := &p.allow[i].Pattern; pattern.permits(host, portFor(pattern)) {
			facts.allow = append(facts.allow, &p.allow[i])
		}
	}
	for i := range p.ignore {
		if pattern := &p.ignore[i].Pattern; pattern.permits(host, portFor(pattern)) {
			facts.ignore = append(facts.ignore, &p.ignore[i])
		}
	}
	if product, ok := catalog.FindProduct(host, ""); ok {
		facts.product, facts.category = product, product.Category
		facts.denyCategory = p.categoryRule(product.Category)
	}
	facts.listings = p.listings(host, "")
	facts.byPath = catalog.ByPath(host) || p.listedByPath(host)
	if r, ok := catalog.FindResolver(host); ok {
		facts.resolver = r
	}
	return facts
}

// categoryRule returns the first entry that denies a category, nil for none and for "".
func (p *Policy) categoryRule(category string) *denyRule {
	for i := range p.deny {
		if category != "" && p.deny[i].Category == category {
			return &p.deny[i]
		}
	}
	return nil
}

// deniedCategory reports whether deny names the category of the host, by the catalogue or
// by a list.
func (f *hostFacts) deniedCategory() bool {
	for i := range f.listings {
		if f.listings[i].denied != nil {
			return true
		}
	}
	return f.denyCategory != nil
}

// forgetHosts empties the memo, after a change of what it holds.
func (p *Policy) forgetHosts() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hosts = nil
}

// nameVerdict judges one of a flow's names by host rules alone: Allowed, Ignored or
// Violation.
func (p *Policy) nameVerdict(host, port string) Verdict {
	facts := p.factsOf(hostKey{host: host, port: port})
	switch {
	case facts.deny != nil, facts.deniedCategory():
		return Violation
	case len(facts.allow) > 0:
		return Allowed
	case len(facts.ignore) > 0:
		return Ignored
	}
	return Violation
}
