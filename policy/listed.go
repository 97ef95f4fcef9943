package policy

import (
	"fmt"
	"path/filepath"
	"strings"

	"telltale/policy/catalog"
	"telltale/policy/lists"
)

// AddList takes in a list of trackers that others keep: a host on it that the policy does
// not allow is a [Tracker], and an entry of deny that names a category covers the hosts
// that the list puts there. Of what the catalogue knows it keeps the names. It must not be
// called while flows are judged.
func (p *Policy) AddList(l *lists.List) {
	p.lists = append(p.lists, l)
	p.forgetHosts()
	for i := range p.devices {
		if own := p.devices[i].policy; own != nil {
			own.lists = p.lists
			own.forgetHosts()
		}
	}
}

// Lists returns what AddList took in, in the order of the calls.
func (p *Policy) Lists() []*lists.List { return p.lists }

// A listing is what one list says of a request.
type listing struct {
	list   *lists.List
	entry  lists.Entry
	denied *denyRule // denies the entry's category; nil
}

// listings returns what the lists say of a request, in their order, those that say whose
// the host is first; the path is "" where it is not known.
func (p *Policy) listings(host, path string) []listing {
	var named, others []listing
	for _, l := range p.lists {
		e, ok := l.Find(host, path)
		switch {
		case !ok:
		case e.Owner() != "":
			named = append(named, listing{l, e, p.categoryRule(e.Category)})
		default:
			others = append(others, listing{l, e, p.categoryRule(e.Category)})
		}
	}
	return append(named, others...)
}

// listedByPath reports whether the path decides if a list names a host.
func (p *Policy) listedByPath(host string) bool {
	for _, l := range p.lists {
		if l.ByPath(host) {
			return true
		}
	}
	return false
}

func (l *listing) source() Source {
	return Source{File: l.list.Name, Line: l.entry.Line, Text: l.entry.Text}
}

// place says where a list names a host, for a sentence.
func (l *listing) place() string {
	return fmt.Sprintf("the list %s, line %d", filepath.Base(l.list.Name), l.entry.Line)
}

// categoryOf returns the first category that a list has for the request, "" for none.
func categoryOf(listings []listing) string {
	for i := range listings {
		if c := listings[i].entry.Category; c != "" {
			return c
		}
	}
	return ""
}

// lookCloser looks again for what is behind a host, where that depends on the path.
func (s *Sighting) lookCloser(c *contact) {
	path := s.readURL().normal
	if product, ok := catalog.FindProduct(s.Host, path); ok {
		c.product, c.category, c.denied = product, product.Category, s.policy.categoryRule(product.Category)
	}
	c.listings = s.policy.listings(s.Host, path)
}

// listed reports whether only a list makes the contact one with a tracker.
func (c *contact) listed() bool {
	return len(c.listings) > 0 && (c.product == nil || !tracks(c.product.Category))
}

// describeListed is for hosts that only a list calls trackers.
func (s *Sighting) describeListed(f *Finding) {
	l := &s.contact.listings[0]
	who, company := l.entry.Owner(), l.entry.Company
	if s.contact.product == nil {
		f.Owner = who
	}
	f.Title = "contacts a host of the list " + filepath.Base(l.list.Name)
	f.Message = fmt.Sprintf("%s is on %s (%s)", s.Host, l.place(), l.entry.Text)
	if who != "" {
		f.Title = "contacts " + who
		f.Message += ", as " + who
	}
	if c, ok := catalog.FindCategory(l.entry.Category); ok {
		f.Message += fmt.Sprintf(", which %s (%s)", c.Title, c.Name)
	}
	if company == "" {
		company = "whoever runs it"
	}
	f.Message += "." + s.known() + onLists(s.contact.listings[1:]) + " " + s.who(company)
	f.Remedy = "Find what contacts it, by a search for the host in the unpacked app and its dependencies, and remove it. " +
		"If the app is meant to use it, name the host under allow with a reason: what the policy allows, no list forbids."
}

// onLists says which lists have the host, too; "" for none.
func onLists(listings []listing) string {
	var places []string
	for i := range listings {
		places = append(places, listings[i].place())
	}
	if len(places) == 0 {
		return ""
	}
	return " It is also on " + strings.Join(places, ", and on ") + "."
}

// explainLists says what the lists name, whether or not that decided.
func (e *Explanation) explainLists(s *Sighting) {
	for i := range s.contact.listings {
		l := &s.contact.listings[i]
		step := Step{Stage: "list", Source: l.source(), Matched: true, Text: "names the host"}
		if owner := l.entry.Owner(); owner != "" {
			step.Text = "names the host: " + owner
		}
		if s.contact.verdict == Violation && s.contact.source == step.Source && !e.decided() {
			step.Decided, step.Text = true, step.Text+"; nothing allows it ("+string(s.contact.rule)+")"
		}
		e.add(step)
	}
}

// Receiver names who gets what is sent to a canonical host: the company that the
// catalogue knows there, else the domain that somebody registered. What a CDN delivers
// is its customer's, who has a name of its own there.
func Receiver(host string) string {
	product, ok := catalog.FindProduct(host, "")
	if ok && product.Category == catalog.CDN {
		return RegisteredDomain(host)
	}
	if c, ok := catalog.FindCompany(host); ok {
		return c.Name
	}
	return RegisteredDomain(host)
}
