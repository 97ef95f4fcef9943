package reports

import (
	"strings"

	"telltale/cadence"
	"telltale/capture"
	"telltale/policy"
	"telltale/policy/catalog"
)

// This file says who stands behind a host: as the catalogue has it, else as a finding
// has it, which may know it from a list.

// An identity is who stands behind a host. What nobody knows is "".
type identity struct {
	Company string
	Product string // that apps embed
	Country string // of the company's seat, ISO 3166-1 alpha-2
	Purpose string // one of the catalogue's categories
	Source  string // that says so
	// Confidence is how sure the source is: S, T, L or Unverified, as in
	// catalog.Product.
	Confidence string
}

// known reports whether anything is known.
func (i identity) known() bool { return i.Company != "" || i.Product != "" }

// whois returns who stands behind a host.
func (r *Report) whois(host string) identity {
	if p, ok := r.product(host); ok {
		return identity{p.Company, p.Name, p.Country, p.Category, p.Source, p.Confidence}
	}
	out := r.lookup().owners[host]
	if c, ok := catalog.FindCompany(host); ok {
		out.Company, out.Country, out.Source = c.Name, c.Country, "domain of the company"
	}
	return out
}

// product returns the product behind a host; where that depends on the path, the one of
// the requests that were made.
func (r *Report) product(host string) (*catalog.Product, bool) {
	if p, ok := catalog.FindProduct(host, ""); ok {
		return p, true
	}
	if !catalog.ByPath(host) {
		return nil, false
	}
	for _, s := range r.lookup().shapes[host] {
		if p, ok := catalog.FindProduct(host, s.Path); ok {
			return p, true
		}
	}
	return nil, false
}

// who says in one line who stands behind a host: "Crashlytics, by Google (United States):
// collects crashes". "" where nobody knows.
func (i identity) who(r *Report, st style) string {
	name := func(s string) string { return st.prose(r.clipped(s, maxHost)) }
	text := ""
	switch {
	case i.Product != "" && i.Company != "" && i.Product != i.Company:
		text = name(i.Product) + ", by " + name(i.Company)
	case i.known():
		text = name(i.Product + i.Company)
		if i.Product == i.Company {
			text = name(i.Company)
		}
	default:
		return ""
	}
	if i.Country != "" {
		text += " (" + name(country(i.Country)) + ")"
	}
	if purpose := purpose(i.Purpose); purpose != "" {
		text += ": " + name(purpose)
	}
	return text
}

// purpose says in words what a class of hosts does: "measures what people do in the app".
func purpose(category string) string {
	if c, ok := catalog.FindCategory(category); ok {
		return c.Title
	}
	return category
}

// confidences say how sure a source is.
var confidences = map[string]string{
	"S": "read in its source code", "T": "its messages were decoded", "L": "public lists or its documentation", "Unverified": "not verified",
	"A": "documented", "B": "observed",
}

// countries are the names of those that companies of the catalogue are in most often.
var countries = map[string]string{
	"AU": "Australia", "AT": "Austria", "BE": "Belgium", "BR": "Brazil", "CA": "Canada", "CH": "Switzerland", "CN": "China", "CY": "Cyprus",
	"CZ": "Czechia", "DE": "Germany", "DK": "Denmark", "EE": "Estonia", "ES": "Spain", "FI": "Finland", "FR": "France", "GB": "United Kingdom",
	"HK": "Hong Kong", "IE": "Ireland", "IL": "Israel", "IN": "India", "IT": "Italy", "JP": "Japan", "KR": "South Korea", "LT": "Lithuania",
	"LU": "Luxembourg", "NL": "Netherlands", "NO": "Norway", "NZ": "New Zealand", "PL": "Poland", "PT": "Portugal", "RU": "Russia",
	"SE": "Sweden", "SG": "Singapore", "TR": "Turkey", "TW": "Taiwan", "UA": "Ukraine", "US": "United States", "VN": "Vietnam", "ZA": "South Africa",
}

// country names a country; of one that has no name here, the code does.
func country(code string) string {
	if name, ok := countries[code]; ok {
		return name
	}
	return code
}

// noiseOf says whether devices contact a host by themselves.
func noiseOf(host string) catalog.Class {
	n, _ := catalog.NoiseOf(catalog.Sighting{Host: host})
	return n.Class
}

// noiseWords mark a host that devices contact by themselves; "" for all others.
func noiseWords(host string) string {
	switch noiseOf(host) {
	case catalog.ClassNoise:
		return "system noise"
	case catalog.ClassAmbiguous:
		return "system or app"
	}
	return ""
}

// noiseNote explains the marks of noiseWords.
const noiseNote = "System noise: only the system of the device or a browser contacts this host. System or app: both do, so that the host alone does not tell who it was."

// notesNoise reports whether a table of hosts has to explain marks.
func notesNoise(hosts []capture.Host) bool {
	for _, h := range hosts {
		if noiseWords(h.Name) != "" {
			return true
		}
	}
	return false
}

// testsOf are the tests of OWASP's MASTG that a violation bears on.
func testsOf(f policy.Finding) []catalog.Test { return catalog.Tests(string(f.Rule), f.Subject) }

// citations name these tests: "MASTG-TEST-0206: undeclared personal data in traffic
// (MASWE-0108)".
func citations(f policy.Finding, st style) []string {
	var out []string
	for _, t := range testsOf(f) {
		text := t.ID
		if t.Title != "" {
			text += ": " + st.prose(t.Title)
		}
		var about []string
		if platform := map[string]string{"android": "Android", "ios": "iOS"}[t.Platform]; platform != "" {
			about = append(about, platform)
		}
		if t.Weakness != "" {
			about = append(about, t.Weakness)
		}
		if len(about) > 0 {
			text += " (" + strings.Join(about, ", ") + ")"
		}
		if t.Note != "" && f.Rule == policy.Undecryptable { // a test that fails where the audit works
			text += ". " + st.prose(t.Note)
		}
		out = append(out, text)
	}
	return out
}

// hostFacts are what is asked of a host by its name.
type hostFacts struct {
	verdict policy.Verdict
	rhythm  cadence.Rhythm // of its strongest shape
}

// An index finds by host what the summary lists otherwise.
type index struct {
	owners map[string]identity // that findings name
	shapes map[string][]capture.Shape

	hosts map[string]hostFacts
	// origins are the finds in the app of hosts that were looked for.
	origins map[string]find
}

// indexed returns the report with an index, for documents that ask about many hosts.
func (r *Report) indexed() *Report {
	out := *r
	out.index = newIndex(r)
	return &out
}

func (r *Report) lookup() *index {
	if r.index != nil {
		return r.index
	}
	return newIndex(r)
}

func newIndex(r *Report) *index {
	x := &index{map[string]identity{}, map[string][]capture.Shape{}, map[string]hostFacts{}, map[string]find{}}
	for _, h := range r.Summary.Hosts {
		x.hosts[h.Name] = hostFacts{h.Verdict, h.Rhythm}
	}
	for _, s := range r.Summary.Shapes {
		x.shapes[s.Host] = append(x.shapes[s.Host], s)
	}
	for _, v := range r.Summary.Violations {
		f := v.Finding
		if _, have := x.owners[f.Host]; have || !f.Rule.OfContact() || f.Owner == "" {
			continue
		}
		x.owners[f.Host] = identity{Company: f.Owner, Purpose: f.Category}
	}
	if f := r.located(); f != nil {
		for _, found := range f.all() {
			x.origins[found.name] = found
		}
	}
	return x
}
