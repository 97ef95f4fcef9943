package library

import (
	"bytes"
	_ "embed" // of the catalogue
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"telltale/locate/inventory"
)

//go:embed libraries.yaml
var text []byte

// catalogue is the rows with what they are found by.
type catalogue struct {
	rows      []Library
	settings  []string
	byName    map[string]*Library   // by "ecosystem name"
	prefixes  map[string]*Library   // by "ecosystem beginning", of names that end in *
	byPackage map[string]*Library   // of Java and Kotlin
	byBundle  map[string]*Library   // by framework or bundle
	byNative  map[string]*Library   // by file name
	byProduct map[string][]*Library // by name of a product
	bySetting map[string][]*Library // by name
	byHost    map[string][]address  // of defaults
}

// An address is a default of a library, taken apart.
type address struct {
	library            *Library
	scheme, host, path string // scheme and path are "" for a bare host
}

// load reads the rows. A table that does not parse is a fault of the program, found by its tests.
var load = sync.OnceValue(func() *catalogue {
	c, err := parse(text)
	if err != nil {
		panic("library: libraries.yaml: " + err.Error())
	}
	return c
})

func parse(text []byte) (*catalogue, error) {
	c := &catalogue{
		byName: map[string]*Library{}, prefixes: map[string]*Library{}, byPackage: map[string]*Library{}, byBundle: map[string]*Library{},
		byNative: map[string]*Library{}, byProduct: map[string][]*Library{}, bySetting: map[string][]*Library{}, byHost: map[string][]address{},
	}
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&c.rows); err != nil {
		return nil, err
	}
	for i := range c.rows {
		if err := c.add(&c.rows[i]); err != nil {
			return nil, fmt.Errorf("row %s: %w", c.rows[i].ID, err)
		}
	}
	return c, nil
}

// add files a row under all that it is found by.
func (c *catalogue) add(l *Library) error {
	for ecosystem, names := range l.Names {
		for _, name := range names {
			index := c.byName
			if begin, open := strings.CutSuffix(name, "*"); open {
				index, name = c.prefixes, begin
			}
			if err := only(index, inventoryKey(ecosystem, name), l); err != nil {
				return err
			}
		}
	}
	for _, list := range []struct {
		index map[string]*Library
		names []string
	}{{c.byPackage, l.Packages}, {c.byBundle, l.Bundles}, {c.byNative, l.Natives}} {
		for _, name := range list.names {
			if err := only(list.index, name, l); err != nil {
				return err
			}
		}
	}
	for _, name := range l.Products {
		c.byProduct[name] = append(c.byProduct[name], l)
	}
	for i := range l.Defaults {
		d := &l.Defaults[i]
		if d.Versions = (span{d.First, d.Last}).String(); d.Read != "" {
			d.Versions = "as in " + d.Read
		}
		a, err := takeApart(d.URL)
		if err != nil {
			return err
		}
		a.library = l
		if i == 0 || l.Defaults[i-1].URL != d.URL {
			c.byHost[a.host] = append(c.byHost[a.host], a)
		}
	}
	c.addSettings(l)
	return nil
}

func (c *catalogue) addSettings(l *Library) {
	for _, s := range l.Settings {
		owners := c.bySetting[s.Name]
		if len(owners) == 0 {
			c.settings = append(c.settings, s.Name)
		}
		if !slices.Contains(owners, l) {
			c.bySetting[s.Name] = append(owners, l)
		}
	}
}

// only files l under a name that no other row may have.
func only(index map[string]*Library, name string, l *Library) error {
	if other := index[name]; other != nil {
		return fmt.Errorf("%s is in row %s as well", name, other.ID)
	}
	index[name] = l
	return nil
}

// inventoryKey is how a component is looked up. Registries differ in whether case counts; none has
// two names that differ in nothing else.
func inventoryKey(ecosystem, name string) string {
	return ecosystem + " " + strings.ToLower(name)
}

// takeApart splits a URL or a bare host.
func takeApart(raw string) (address, error) {
	if !strings.Contains(raw, "://") {
		host, path, found := strings.Cut(raw, "/")
		if found {
			path = "/" + path
		}
		return address{host: strings.ToLower(host), path: path}, nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return address{}, fmt.Errorf("%q is no URL", raw)
	}
	return address{scheme: strings.ToLower(u.Scheme), host: strings.ToLower(u.Hostname()), path: u.Path}, nil
}

// named returns the row that has a component of that name.
func (c *catalogue) named(ecosystem, name string) *Library {
	key := inventoryKey(ecosystem, name)
	if l := c.byName[key]; l != nil {
		return l
	}
	var found *Library
	longest := 0
	for begin, l := range c.prefixes {
		if len(begin) > longest && strings.HasPrefix(key, begin) {
			found, longest = l, len(begin)
		}
	}
	return found
}

// inPackage returns the row whose Java package holds a class or a package.
func (c *catalogue) inPackage(name string) *Library {
	for name != "" {
		if l := c.byPackage[name]; l != nil {
			return l
		}
		dot := strings.LastIndexByte(name, '.')
		name = name[:max(dot, 0)]
	}
	return nil
}

// Parts are the components of an app, by the library that they are.
type Parts struct {
	of    map[*Library][]inventory.Component
	named map[string][]inventory.Component // what the catalogue does not know, by inventoryKey
}

// Index files the components that package inventory found, in their order, so that many addresses
// can be attributed by them.
func Index(components []inventory.Component) *Parts {
	p := &Parts{of: map[*Library][]inventory.Component{}, named: map[string][]inventory.Component{}}
	for _, part := range components {
		if l := component(part); l != nil {
			p.of[l] = append(p.of[l], part)
			continue
		}
		name := part.Name
		if part.Ecosystem == inventory.Bundled {
			name = bundleOf(part)
		}
		key := inventoryKey(part.Ecosystem, name)
		p.named[key] = append(p.named[key], part)
	}
	return p
}

// those returns the components that an origin is.
func (p *Parts) those(o *Origin) []inventory.Component {
	switch {
	case p == nil || o.Own:
		return nil
	case o.Library != nil && o.Ecosystem != "":
		// Versions of one library differ between ecosystems: its own counts.
		var own []inventory.Component
		for _, part := range p.of[o.Library] {
			if part.Ecosystem == o.Ecosystem {
				own = append(own, part)
			}
		}
		if len(own) > 0 {
			return own
		}
		return p.of[o.Library]
	case o.Library != nil:
		return p.of[o.Library]
	}
	return p.named[inventoryKey(o.Ecosystem, o.Name)]
}

// first returns the first component that a library is.
func (p *Parts) first(l *Library) (part inventory.Component, ok bool) {
	if p == nil || len(p.of[l]) == 0 {
		return inventory.Component{}, false
	}
	return p.of[l][0], true
}

// component returns the library that a component of an app is; nil where the catalogue has
// none. A framework goes by the name of its folder, since its identifier is whatever its
// maker, or CocoaPods, wrote into it.
func component(part inventory.Component) *Library {
	c := load()
	if l := c.named(part.Ecosystem, part.Name); l != nil || part.Ecosystem != inventory.Bundled {
		return l
	}
	if l := c.byBundle[bundleOf(part)]; l != nil {
		return l
	}
	if pod, ok := strings.CutPrefix(part.Name, "org.cocoapods."); ok {
		return c.named(inventory.Pod, pod)
	}
	return nil
}

// bundleOf returns the name of the framework or bundle whose Info.plist told of a component.
func bundleOf(part inventory.Component) string {
	folders := strings.Split(strings.ReplaceAll(part.File, `\`, "/"), "/")
	for i := len(folders) - 1; i >= 0; i-- {
		for _, ext := range bundleEndings {
			if name, ok := strings.CutSuffix(folders[i], ext); ok {
				return name
			}
		}
	}
	return ""
}

// bundleEndings are those of the folders that hold a library on Apple's systems.
var bundleEndings = []string{".framework", ".bundle", ".xcframework"}
