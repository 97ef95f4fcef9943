package library

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"telltale/locate/inventory"
	"telltale/policy/catalog"
)

// A fit is a library that has the address as its default.
type fit struct {
	library    *Library
	url        string // of the default
	exact      int    // 2: scheme, host and path are the same, 1: all that is known of them
	signs      int    // names of its signature that stand around
	installed  bool   // the app is made with it
	confidence Confidence
	reasons    []string
}

// enough names of a signature name a library.
const enough = 2

// fitting returns the libraries that have an address as their default, the likeliest first.
func fitting(e Evidence, parts []inventory.Component) []fit {
	at, err := takeApart(e.URL)
	if err != nil || e.URL == "" {
		at = address{host: strings.ToLower(e.Host)}
	}
	var fits []fit
	for _, a := range load().byHost[at.host] {
		exact := a.matches(at)
		if exact == 0 || slices.ContainsFunc(fits, func(f fit) bool { return f.library == a.library && f.exact >= exact }) {
			continue
		}
		fits = slices.DeleteFunc(fits, func(f fit) bool { return f.library == a.library })
		f := fit{library: a.library, url: a.url(), exact: exact}
		f.weigh(e, parts)
		fits = append(fits, f)
	}
	slices.SortStableFunc(fits, func(a, b fit) int {
		return cmp.Or(cmp.Compare(b.confidence, a.confidence), cmp.Compare(b.signs, a.signs), cmp.Compare(b.exact, a.exact))
	})
	return fits
}

// url is the address as a row has it.
func (a address) url() string {
	if a.scheme == "" {
		return a.host + a.path
	}
	return a.scheme + "://" + a.host + a.path
}

// matches says how well an address in an app, on the same host, fits to a default: 0 not at all.
func (a address) matches(at address) int {
	switch {
	case at.scheme == "" && at.path == "":
		return 1 // a bare host
	case strings.TrimSuffix(a.path, "/") != strings.TrimSuffix(at.path, "/") && a.path != "":
		// What a library adds to its default may stand in one literal with it.
		if a.path == "/" || !strings.HasPrefix(at.path, strings.TrimSuffix(a.path, "/")+"/") {
			return 0
		}
		return 1
	case a.scheme == at.scheme:
		return 2
	case a.scheme == "" || at.scheme == "":
		return 1
	}
	return 0
}

// weigh says how sure the library is, and why.
func (f *fit) weigh(e Evidence, parts []inventory.Component) {
	f.confidence = Possible
	f.reasons = []string{"its default is " + f.url}
	code := e.code()
	var signs []string
	for _, name := range f.library.Signature {
		if code.has(name) {
			signs = append(signs, name)
		}
	}
	if f.signs = len(signs); f.signs >= enough {
		f.confidence = Likely
		f.reasons = append(f.reasons, "the code around it has names that only this library has together: "+join(signs, " and "))
	}
	for _, p := range parts {
		if component(p) == f.library {
			f.installed, f.confidence = true, max(f.confidence, Likely)
			f.reasons = append(f.reasons, "the app is made with it: "+whereOf(p))
			break
		}
	}
}

// others says who else has the same address, where the library is not sure by its code.
func others(e Evidence, fits []fit) []string {
	if fits[0].signs >= enough {
		return nil
	}
	var names []string
	for _, f := range fits[1:] {
		names = append(names, f.library.Name)
	}
	at, err := takeApart(e.URL)
	if err == nil && e.URL != "" {
		m, _ := catalog.FindProbe(catalog.Sighting{Host: at.host, Read: true, Scheme: at.scheme, Path: at.path})
		for _, p := range append([]*catalog.Probe{m.Probe}, m.Others...) {
			if p != nil && p.SentBy != catalog.ByApp && (len(p.Schemes) == 0 || contains(p.Schemes, at.scheme)) {
				names = append(names, p.Sender)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{"others have the same address: " + join(names, " and ")}
}

// productOf returns the product behind the address; nil where the catalogue knows none.
func productOf(e Evidence) *catalog.Product {
	at, err := takeApart(e.URL)
	if err != nil || e.URL == "" {
		at = address{host: strings.ToLower(e.Host)}
	}
	p, _ := catalog.FindProduct(at.host, at.path)
	return p
}

// byProduct returns the library, or else the product, that the address is a server of.
func (e *Evidence) byProduct(parts []inventory.Component) *Origin {
	product := productOf(*e)
	if product == nil {
		return nil
	}
	reason := fmt.Sprintf("the address is one of %s", product.Owner())
	rows := load().byProduct[product.Name]
	for _, p := range parts {
		if l := component(p); l != nil && slices.Contains(rows, l) {
			return &Origin{Library: l, Confidence: Likely, Reasons: []string{reason, "the app is made with " + l.Name + ": " + whereOf(p)}}
		}
	}
	o := &Origin{Name: product.Owner(), Confidence: Possible, Reasons: []string{reason}}
	if len(rows) > 0 {
		o.Library = rows[0]
	}
	for _, l := range rows[min(1, len(rows)):] {
		o.Reasons = append(o.Reasons, l.Name+" contacts it, too")
	}
	return o
}
