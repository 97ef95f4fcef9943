package catalog

import (
	"strings"
)

// A Company runs hosts.
type Company struct {
	Name string `yaml:"name"`
	// Country is where the company has its seat, as ISO 3166-1 alpha-2 writes it ("US").
	// It says whose law it is under, not where a server stands.
	Country string `yaml:"country"`
	// Domains are the company's own, as hosts in other tables: also what no product names.
	Domains []string `yaml:"domains"`
}

// A Product is what apps embed or contact of a company: an SDK, or a service, with its
// hosts.
type Product struct {
	Company  string `yaml:"company"`
	Country  string `yaml:"-"` // of the company: see [Company]
	Name     string `yaml:"product"`
	Category string `yaml:"category"`
	// Hosts are "host", or ".host" with everything below.
	Hosts []string `yaml:"hosts"`
	// Paths are globs in which * stands for any run of characters; the hosts serve other
	// things on other paths. Empty: the product has the hosts for itself.
	Paths []string `yaml:"paths"`
	// Source is the document or the source file that says so, in words.
	Source string `yaml:"source"`
	// Confidence is S (read in the kit's source), T (TrackHAR's adapters, which decode what
	// it sends), L (public lists or the vendor's documentation), or Unverified.
	Confidence string `yaml:"confidence"`
}

// Owner returns the product with its company: "Crashlytics (Google)".
func (p *Product) Owner() string {
	if strings.Contains(p.Name, p.Company) {
		return p.Name
	}
	return p.Name + " (" + p.Company + ")"
}

// Products returns every product. The caller must not change it.
func Products() []Product { return load().products }

// Companies returns every company. The caller must not change it.
func Companies() []Company { return load().companies }

// FindProduct returns the product behind a request to a canonical host name. The path is
// decoded and without the query, "" where it is not known. The longest name of the host
// wins; of the rows that share it, the one whose path fits closest, and where none fits
// the one without paths.
func FindProduct(host, path string) (*Product, bool) {
	p, _ := load().findProduct(host, path)
	return p, p != nil
}

// ByPath reports whether it depends on the path what product is behind a host.
func ByPath(host string) bool {
	d := load()
	byPath := false
	d.productHosts.covering(host, func(rows []int, _ int) bool {
		whole := false
		for _, row := range rows {
			byPath = byPath || len(d.products[row].Paths) > 0
			whole = whole || len(d.products[row].Paths) == 0
		}
		return whole
	})
	return byPath
}

// fit says how closely a product's row names a request.
type fit struct {
	host int // as hostIndex has it
	path int // fixed characters of the path's pattern; 0 where the row has none
}

func (d *data) findProduct(host, path string) (found *Product, closest fit) {
	d.productHosts.covering(host, func(rows []int, specific int) bool {
		for _, row := range rows {
			p := &d.products[row]
			if n, ok := p.covers(path); ok && (found == nil || n > closest.path) {
				found, closest = p, fit{specific, n}
			}
		}
		return found != nil
	})
	return found, closest
}

// covers reports whether a path of the row's hosts is the product's, and how many
// characters of it the row names.
func (p *Product) covers(path string) (fixed int, ok bool) {
	if len(p.Paths) == 0 {
		return 0, true
	}
	for _, glob := range p.Paths {
		if path != "" && Glob(glob, path) {
			fixed, ok = max(fixed, len(glob)-strings.Count(glob, "*")), true
		}
	}
	return fixed, ok
}

// FindCompany returns who runs a canonical host: the company of the product there, or
// the one that owns the domain.
func FindCompany(host string) (*Company, bool) {
	d := load()
	var found *Company
	d.productHosts.covering(host, func(rows []int, _ int) bool {
		found = d.company(d.products[rows[0]].Company)
		return true
	})
	if rows := d.companyHosts.find(host); found == nil && len(rows) > 0 {
		found = &d.companies[rows[0]]
	}
	return found, found != nil
}

func (d *data) company(name string) *Company {
	if i, ok := d.companyNames[name]; ok {
		return &d.companies[i]
	}
	return nil
}

// addProducts fills the indexes of companies and products.
func (d *data) addProducts() {
	d.companyNames = map[string]int{}
	for i := range d.companies {
		d.companyNames[d.companies[i].Name] = i
		d.companyHosts.add(i, d.companies[i].Domains)
	}
	for i := range d.products {
		p := &d.products[i]
		if c := d.company(p.Company); c != nil {
			p.Country = c.Country
		}
		d.productHosts.add(i, p.Hosts)
	}
}

// countryNames are those of companies.yaml, as they stand behind "in".
var countryNames = map[string]string{
	"CA": "Canada", "CN": "China", "DE": "Germany", "EE": "Estonia", "FR": "France", "GB": "the United Kingdom", "IL": "Israel",
	"NL": "the Netherlands", "NZ": "New Zealand", "PL": "Poland", "RU": "Russia", "SG": "Singapore", "US": "the United States",
}

// CountryName returns the name of a country of the table ("the United States"), "" for
// any other code.
func CountryName(code string) string { return countryNames[code] }
