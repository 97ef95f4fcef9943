// Package catalog holds facts about well-known hosts: captive-portal probes and who
// sends them, the hosts of tracking kits, public resolvers of DNS, and the noise that
// devices make by themselves.
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
	"embed"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed probes.yaml trackers.yaml presets.yaml categories.yaml resolvers.yaml
var tables embed.FS

// Unverified is the confidence of a fact that no vendor and no two independent
// sources confirm.
const Unverified = "C"

// CaptivePortal and PublicIP are the categories of probes.
const (
	CaptivePortal = "captive-portal"
	PublicIP      = "public-ip"
)

// A Category is a class of hosts.
type Category struct {
	Name  string `yaml:"name"`
	Title string `yaml:"title"` // a verb phrase: "shows or sells advertising"
	// Tracking says that hosts of this class follow people, so that contacting
	// one which is not allowed is the rule tracker.
	Tracking bool `yaml:"tracking"`
}

// A Tracker is a product that apps embed, with the hosts it contacts.
type Tracker struct {
	Company  string   `yaml:"company"`
	Product  string   `yaml:"product"`
	Category string   `yaml:"category"`
	Source   string   `yaml:"source"` // S its source, T TrackHAR's adapters, L lists and documentation
	Hosts    []string `yaml:"hosts"`  // "host", or ".host" with everything below
}

// Owner returns the product with its company: "Crashlytics (Google)".
func (t *Tracker) Owner() string {
	if strings.Contains(t.Product, t.Company) {
		return t.Product
	}
	return t.Product + " (" + t.Company + ")"
}

// A Preset is a pack of noise that a kind of device makes by itself.
type Preset struct {
	Name  string `yaml:"name"`
	Title string `yaml:"title"`
	Rows  []Row  `yaml:"rows"`
}

// A Row is a part of a preset. Empty limits do not limit.
type Row struct {
	What       string   `yaml:"what"`
	Hosts      []string `yaml:"hosts"`
	Methods    []string `yaml:"methods"`
	Paths      []string `yaml:"paths"`
	UserAgents []string `yaml:"user-agents"` // globs
	Source     string   `yaml:"source"`
	Confidence string   `yaml:"confidence"`
}

type data struct {
	categories []Category
	probes     []Probe
	trackers   []Tracker
	presets    []Preset
	resolvers  []Resolver
	probeHosts hostIndex // rows of probes
	trackHosts hostIndex // rows of trackers

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
	read("trackers.yaml", &d.trackers)
	read("presets.yaml", &d.presets)
	for i := range d.probes {
		d.probeHosts.add(i, d.probes[i].Hosts)
	}
	for i := range d.trackers {
		d.trackHosts.add(i, d.trackers[i].Hosts)
	}
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

// Trackers returns every tracker. The caller must not change it.
func Trackers() []Tracker { return load().trackers }

// FindTracker returns the product behind a canonical host name. Where several rows
// name it, the longest name wins.
func FindTracker(host string) (*Tracker, bool) {
	d := load()
	rows := d.trackHosts.find(host)
	if len(rows) == 0 {
		return nil, false
	}
	return &d.trackers[rows[0]], true
}

// hostIndex finds rows by host name: exact names and, under a leading dot, names
// with everything below them.
type hostIndex struct {
	exact  map[string][]int
	suffix map[string][]int
}

func (x *hostIndex) add(row int, hosts []string) {
	if x.exact == nil {
		x.exact, x.suffix = map[string][]int{}, map[string][]int{}
	}
	for _, host := range hosts {
		if name, ok := strings.CutPrefix(host, "."); ok {
			x.suffix[name] = append(x.suffix[name], row)
			continue
		}
		x.exact[host] = append(x.exact[host], row)
	}
}

// find returns the rows of the longest name that covers host.
func (x *hostIndex) find(host string) []int {
	if rows, ok := x.exact[host]; ok {
		return rows
	}
	for rest := host; rest != ""; {
		if rows, ok := x.suffix[rest]; ok {
			return rows
		}
		_, rest, _ = strings.Cut(rest, ".")
	}
	return nil
}
