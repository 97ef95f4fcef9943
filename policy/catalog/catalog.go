// Package catalog holds facts about well-known hosts: the companies and products behind
// them, captive-portal probes and who sends them, public resolvers of DNS, and the noise
// that devices make by themselves; and which tests of OWASP's guide a finding bears on.
//
// The facts are YAML tables in this folder, embedded in the program and read once,
// when they are first asked for. Each row says where it comes from and how sure it
// is; what is not verified says so in findings. The tables were gathered for
// telltale: no public list was copied.
//
// The package does not judge: that a host is a tracker is a fact, whether it may be
// contacted is the policy's business. To see which row applies to a URL, run
// `telltale policy explain URL`.
package catalog

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/netip"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed categories.yaml companies.yaml mastg.yaml presets.yaml probes.yaml products.yaml resolvers.yaml shared.yaml
var tables embed.FS

// Digest identifies the facts: the lower-case hex SHA-256 over the names and the contents of
// all tables, in the order of their names.
var Digest = sync.OnceValue(func() string {
	sum := sha256.New()
	names, err := fs.Glob(tables, "*.yaml")
	if err != nil {
		panic(err) // the pattern is good
	}
	for _, name := range names {
		content, err := tables.ReadFile(name)
		if err != nil {
			panic(err) // it is embedded
		}
		fmt.Fprintf(sum, "%s %d\n", name, len(content))
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil))
})

// Unverified is the confidence of a fact that no vendor and no two independent
// sources confirm.
const Unverified = "C"

// Categories that the program asks for by name. The first two are those of probes.
const (
	CaptivePortal = "captive-portal"
	PublicIP      = "public-ip"
	CDN           = "cdn"
)

// A Category is a class of hosts.
type Category struct {
	Name  string `yaml:"name"`
	Title string `yaml:"title"` // a verb phrase: "shows or sells advertising"
	// Tracking says that hosts of this class follow people, so that contacting
	// one which is not allowed is the rule tracker.
	Tracking bool `yaml:"tracking"`
}

type data struct {
	categories []Category
	probes     []Probe
	companies  []Company
	products   []Product
	presets    []Preset
	shared     []shared
	resolvers  []Resolver
	mastg      mastg

	probeHosts   hostIndex
	productHosts hostIndex
	companyHosts hostIndex
	companyNames map[string]int
	presetHosts  hostIndex // of presetRows
	presetRows   []presetRow
	sharedHosts  hostIndex
	tests        map[string]Test // by id

	resolverHosts  hostIndex
	resolverAddrs  map[netip.Addr]int
	resolverBlocks []block
}

// load reads the tables. A table that does not parse is a fault of the program, found
// by its tests, and not an error of the user.
var load = sync.OnceValue(func() *data {
	d := &data{}
	read("categories.yaml", &d.categories)
	read("resolvers.yaml", &d.resolvers)
	d.addResolvers()
	read("probes.yaml", &d.probes)
	for i := range d.probes {
		d.probeHosts.add(i, d.probes[i].Hosts)
	}
	read("companies.yaml", &d.companies)
	read("products.yaml", &d.products)
	d.addProducts()
	read("presets.yaml", &d.presets)
	read("shared.yaml", &d.shared)
	d.addPresets()
	read("mastg.yaml", &d.mastg)
	d.addTests()
	return d
})

func read(name string, into any) {
	text, err := tables.ReadFile(name)
	if err == nil {
		err = yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(into)
	}
	if err != nil {
		panic(fmt.Sprintf("catalog: %s: %v", name, err))
	}
}

// Categories returns every category. The caller must not change it.
func Categories() []Category { return load().categories }

// FindCategory returns the category of that name.
func FindCategory(name string) (Category, bool) {
	for _, c := range load().categories {
		if c.Name == name {
			return c, true
		}
	}
	return Category{}, false
}

// Presets returns every preset. The caller must not change it.
func Presets() []Preset { return load().presets }

// FindPreset returns the preset of that name.
func FindPreset(name string) (Preset, bool) {
	for _, p := range load().presets {
		if p.Name == name {
			return p, true
		}
	}
	return Preset{}, false
}
