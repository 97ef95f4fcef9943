package lists

import (
	"fmt"
	"slices"
)

// disconnectCategories are those of Disconnect's list in the catalogue's words. The list
// has them for browsers; what it does not block there is left out here, too.
var disconnectCategories = map[string]string{
	"Advertising": "advertising",
	"Analytics":   "analytics",
	"Social":      "social",
}

// unblocked are the categories that Disconnect names but does not call trackers.
var unblocked = []string{"Content", "Anti-fraud", "ConsentManagers"}

// services reads the value of "categories" of services.json: companies by category, each
// with its sites and their domains.
//
//	{"Analytics": [{"Company": {"https://site/": ["a.example", "b.example"]}}]}
func (r *jsonReader) services() error {
	return r.object("an object with categories", func(category string) error {
		if slices.Contains(unblocked, category) {
			r.list.Notes = append(r.list.Notes, fmt.Sprintf("the category %s is left out: Disconnect does not call it tracking", quoted(category)))
			return r.skip()
		}
		return r.array("an array of companies", func() error {
			return r.object("a company", func(company string) error {
				return r.sites(owner{company: company, category: disconnectCategories[category]})
			})
		})
	})
}

// sites reads the domains of a company. Beside them stand properties, which are no arrays.
func (r *jsonReader) sites(o owner) error {
	return r.object("an object with sites", func(string) error {
		if r.starts() != '[' {
			return r.skip()
		}
		return r.array("an array of domains", func() error {
			s, err := r.text("a domain")
			if err != nil {
				return err
			}
			name, _, ok := domain(s)
			if !ok {
				r.note(r.began, "expected a domain, found "+quoted(s))
				return nil
			}
			return r.list.add(name, rule{text: o.company + ": " + s, line: int32(r.at()), owner: r.list.ownedBy(o), below: true})
		})
	})
}
