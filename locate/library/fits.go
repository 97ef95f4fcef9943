package library

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"telltale/policy/catalog"
)

// A fit is a library that has the address as its default.
type fit struct {
	library    *Library
	url        string // of the default
	exact      int    // 2: scheme, host and path are the same, 1: all that is known of them
	signs      int    // names of its signature that stand around
	confidence Confidence
	reasons    []string
}

// enough names of a signature name a library.
const enough = 2

// fitting returns the libraries that have an address as their default, the likeliest first.
func fitting(e Evidence, parts *Parts) []fit {
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
		if f.weigh(e, parts); f.confidence >= Likely || !at.everywhere() {
			fits = append(fits, f)
		}
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
// What a library adds to its default may stand in one literal with it.
func (a address) matches(at address) int {
	if at.scheme == "" && at.path == "" {
		return 1 // a bare host
	}
	if a.scheme != "" && at.scheme != "" && a.scheme != at.scheme {
		return 0
	}
	mine, its := strings.TrimSuffix(a.path, "/"), strings.TrimSuffix(at.path, "/")
	begin, open := strings.CutSuffix(mine, "*")
	switch {
	case mine == its && a.scheme == at.scheme:
		return 2
	case mine == its, open && strings.HasPrefix(at.path, begin):
		return 1
	case a.path == "/", a.scheme == "" && a.path == "":
		return 0 // the front page, or a host that is asked by no URL
	case strings.HasPrefix(its, mine+"/"):
		return 1
	}
	return 0
}

// everywhere reports whether an address is one that may stand in any app, for people to go there:
// the front page of a site. It is a library's only with more to say so.
func (a address) everywhere() bool {
	return strings.HasPrefix(a.host, "www.") && strings.Trim(a.path, "/") == ""
}

// weigh says how sure the library is, and why.
func (f *fit) weigh(e Evidence, parts *Parts) {
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
	if part, ok := parts.first(f.library); ok {
		if !f.outdated(parts) {
			f.confidence = max(f.confidence, Likely)
		}
		f.reasons = append(f.reasons, "the app is made with it: "+whereOf(part))
	}
}

// outdated reports whether the app has the library in versions alone that are known to lack the default.
func (f *fit) outdated(parts *Parts) bool {
	known := false
	for _, part := range parts.those(&Origin{Library: f.library, Ecosystem: f.library.ecosystem()}) {
		if part.Version == "" {
			return false
		}
		known = true
		for _, d := range f.library.Defaults {
			if d.URL == f.url && (span{d.First, d.Last}).has(part.Version) {
				return false
			}
		}
	}
	return known
}

// others says who else has the same address, where the library is not sure by its code.
func others(e Evidence, fits []fit) []string {
	if fits[0].signs >= enough {
		return nil
	}
	var names, reasons []string
	for _, f := range fits[1:] {
		names = append(names, f.library.Name)
	}
	at, err := takeApart(e.URL)
	if err == nil && at.scheme != "" {
		m, _ := catalog.FindProbe(catalog.Sighting{Host: at.host, Read: true, Scheme: at.scheme, Path: at.path})
		for _, p := range append([]*catalog.Probe{m.Probe}, m.Others...) {
			if p != nil && p.SentBy != catalog.ByApp && (len(p.Schemes) == 0 || slices.Contains(p.Schemes, at.scheme)) {
				names = append(names, p.Sender)
			}
		}
		for _, a := range load().byHost[at.host] {
			fits := slices.ContainsFunc(fits, func(f fit) bool { return f.library == a.library })
			if a.path == at.path && a.scheme != at.scheme && a.scheme != "" && !fits {
				reasons = append(reasons, "over "+a.scheme+" it would be the default of "+a.library.Name)
			}
		}
	}
	if len(names) > 0 {
		reasons = append(reasons, "others have the same address: "+join(names, " and "))
	}
	return reasons
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
func (e *Evidence) byProduct(parts *Parts) *Origin {
	product := productOf(*e)
	if product == nil {
		return nil
	}
	reason := fmt.Sprintf("the address is one of %s", product.Owner())
	rows := load().byProduct[product.Name]
	for _, l := range rows {
		if part, ok := parts.first(l); ok {
			return &Origin{Library: l, Confidence: Likely, Reasons: []string{reason, "the app is made with " + l.Name + ": " + whereOf(part)}}
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
