package catalog

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"telltale/flow"
)

var update = flag.Bool("update", false, "rewrite the golden files under testdata")

// golden compares a listing that a person reviews.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range gotLines {
		if i >= len(wantLines) || gotLines[i] != wantLines[i] {
			t.Fatalf("%s differs from line %d on: %q; read the difference and run with -update", path, i+1, gotLines[i])
		}
	}
	t.Fatalf("%s has %d lines more; read the difference and run with -update", path, len(wantLines)-len(gotLines))
}

// TestProducts lists what each host is, for people to read the difference of a change.
func TestProducts(t *testing.T) {
	var lines []string
	for i := range Products() {
		p := &Products()[i]
		paths := p.Paths
		if len(paths) == 0 {
			paths = []string{""}
		}
		for _, host := range p.Hosts {
			for _, path := range paths {
				where := host + path
				if name, ok := strings.CutPrefix(host, "."); ok {
					where = "*." + name + path
				}
				lines = append(lines, fmt.Sprintf("%-46s %-36s %-17s %-2s %s", where, p.Owner(), p.Category, p.Country, p.Confidence))
			}
		}
	}
	slices.Sort(lines)
	golden(t, "products.txt", strings.Join(lines, "\n")+"\n")
}

func TestProductRowsAreComplete(t *testing.T) {
	type place struct{ host, path string }
	seen := map[place]string{}
	for i := range Products() {
		p := &Products()[i]
		checkHosts(t, p.Owner(), p.Hosts)
		if _, ok := FindCategory(p.Category); !ok {
			t.Errorf("%s: unknown category %q", p.Owner(), p.Category)
		}
		if load().company(p.Company) == nil {
			t.Errorf("%s: companies.yaml lacks %q", p.Name, p.Company)
		}
		if p.Name == "" || len(p.Source) < len("a list") || !slices.Contains([]string{"S", "T", "L", Unverified}, p.Confidence) {
			t.Errorf("row %+v", p)
		}
		paths := p.Paths
		if len(paths) == 0 {
			paths = []string{""}
		}
		for _, path := range paths {
			if path != "" && (path[0] != '/' || strings.ContainsAny(path, "?#% ") || len(path)-strings.Count(path, "*") < 2) {
				t.Errorf("%s: path %q", p.Owner(), path)
			}
			for _, host := range p.Hosts {
				if name := strings.TrimPrefix(host, "."); flow.CanonicalHost(name) != name {
					t.Errorf("%s: %s is not canonical: write %s", p.Owner(), host, flow.CanonicalHost(name))
				}
				if !strings.Contains(strings.TrimPrefix(host, "."), ".") {
					t.Errorf("%s: %s is a whole top-level domain", p.Owner(), host)
				}
				at := place{host, path}
				if other, ok := seen[at]; ok {
					t.Errorf("%s%s is of %s and of %s", host, path, other, p.Owner())
				}
				seen[at] = p.Owner()
			}
		}
	}
}

// TestEveryProductIsFoundAndOnlyThere: each host leads to its row, below the names that
// say so and nowhere else.
func TestEveryProductIsFoundAndOnlyThere(t *testing.T) {
	for i := range Products() {
		p := &Products()[i]
		path := ""
		if len(p.Paths) > 0 {
			path = strings.ReplaceAll(p.Paths[0], "*", "x")
		}
		for _, host := range p.Hosts {
			name, below := strings.CutPrefix(host, ".")
			if got, ok := FindProduct(name, path); !ok || got.Owner() != p.Owner() && !namesHost(got, name) {
				t.Errorf("%s: %s%s is of %+v", p.Owner(), name, path, got)
			}
			if below {
				for _, h := range []string{"zz." + name, "zz.b." + name} {
					if got, ok := FindProduct(h, path); !ok || got != p {
						t.Errorf("%s: %s%s is of %+v", p.Owner(), h, path, got)
					}
				}
			}
			for _, h := range []string{"evil" + name, name + ".example"} {
				if got, ok := FindProduct(h, path); ok && got == p {
					t.Errorf("%s: %s is taken for it", p.Owner(), h)
				}
			}
			if len(p.Paths) > 0 {
				for _, other := range []string{"", "/", "/zz/other"} {
					if got, ok := FindProduct(name, other); ok && got == p {
						t.Errorf("%s: %s%s is taken for it", p.Owner(), name, other)
					}
				}
				if !ByPath(name) {
					t.Errorf("%s: %s does not depend on the path", p.Owner(), name)
				}
			}
		}
	}
}

// namesHost reports whether a product names a host itself, and not only what is above it.
func namesHost(p *Product, host string) bool { return slices.Contains(p.Hosts, host) }

func TestFindProduct(t *testing.T) {
	for _, tt := range []struct{ host, path, owner, category string }{
		{"graph.facebook.com", "", "Facebook SDK (Meta)", "social"},
		{"graph.facebook.com", "/v17.0/me", "Facebook SDK (Meta)", "social"},
		{"graph.facebook.com", "/v17.0/123456/activities", "Facebook App Events (Meta)", "analytics"},
		{"graph.facebook.com", "/network_ads_common", "Meta Audience Network", "advertising"},
		{"www.facebook.com", "/tr/", "Meta Pixel", "advertising"},
		{"www.facebook.com", "/some.page", "", ""},
		{"www.facebook.com", "", "", ""},
		{"www.google.com", "/recaptcha/api2/anchor", "reCAPTCHA (Google)", "security"},
		{"www.google.com", "/search", "", ""},
		{"firebaseinstallations.googleapis.com", "/v1/projects/x", "Firebase Installations (Google)", "installation-id"},
		{"storage.googleapis.com", "/x", "", ""},
		{"app.adjust.com", "/session", "Adjust", "attribution"},
		{"d111111abcdef8.cloudfront.net", "/a.js", "CloudFront (Amazon)", "cdn"},
		{"dev-1.eu.auth0.com", "/authorize", "Auth0 (Okta)", "authentication"},
		{"www.canada.ca", "/", "", ""},
		{"", "", "", ""},
	} {
		p, ok := FindProduct(tt.host, tt.path)
		if ok != (tt.owner != "") || ok && (p.Owner() != tt.owner || p.Category != tt.category) {
			t.Errorf("%s%s: %+v", tt.host, tt.path, p)
		}
	}
	for host, byPath := range map[string]bool{"graph.facebook.com": true, "www.google.com": true, "app.adjust.com": false, "www.canada.ca": false} {
		if ByPath(host) != byPath {
			t.Errorf("ByPath(%q) = %v", host, !byPath)
		}
	}
}

func TestCompanyRowsAreComplete(t *testing.T) {
	names, domains := map[string]bool{}, map[string]string{}
	last := ""
	for _, c := range Companies() {
		if c.Name == "" || names[c.Name] || strings.ToLower(c.Name) < last {
			t.Errorf("company %q is empty, stands twice or out of order", c.Name)
		}
		names[c.Name], last = true, strings.ToLower(c.Name)
		if c.Country != "" && CountryName(c.Country) == "" {
			t.Errorf("%s: country %q: name it in countryNames, after a look into ISO 3166-1", c.Name, c.Country)
		}
		if len(c.Domains) > 0 {
			checkHosts(t, c.Name, c.Domains)
		}
		for _, d := range c.Domains {
			if other, ok := domains[d]; ok {
				t.Errorf("%s is of %s and of %s", d, other, c.Name)
			}
			domains[d] = c.Name
		}
		if !slices.ContainsFunc(Products(), func(p Product) bool { return p.Company == c.Name }) {
			t.Errorf("%s has no product", c.Name)
		}
	}
	// The domains of a company and the hosts of its products must not disagree.
	for i := range Products() {
		p := &Products()[i]
		for _, host := range p.Hosts {
			if rows := load().companyHosts.find(strings.TrimPrefix(host, ".")); len(rows) > 0 && Companies()[rows[0]].Name != p.Company {
				t.Errorf("%s of %s is below a domain of %s", host, p.Owner(), Companies()[rows[0]].Name)
			}
		}
	}
}

func TestFindCompany(t *testing.T) {
	for host, want := range map[string]string{
		"www.google.com": "Google", "clients3.google.com": "Google", "storage.googleapis.com": "Google", "t.appsflyer.com": "AppsFlyer",
		"www.facebook.com": "Meta", "graph.facebook.com": "Meta", "captive.apple.com": "Apple", "dashboard.branch.io": "Branch",
		"google.com.example": "", "evilgoogle.com": "", "bucket.s3.amazonaws.com": "", "": "",
	} {
		c, ok := FindCompany(host)
		if ok != (want != "") || ok && c.Name != want {
			t.Errorf("%q: %+v", host, c)
		}
	}
}
