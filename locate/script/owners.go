package script

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"telltale/locate/reading"
)

// Packages returns the npm packages that are named in or near a module, as Place tells it: those
// of which it is sure first. What names one, from the strongest on:
//
//   - the path of the module, which development builds and webpack keep;
//   - a package.json that is the module itself;
//   - the name by which another module requires it, which Metro keeps where code is not minified;
//   - a licence comment with a name and a version;
//   - a module that requires it, or a package.json that it requires, of which the package is known.
//
// A minified bundle of Metro has none of it for most modules. Nil for a nil module.
func (d *Doc) Packages(m *reading.Module) []Named {
	if m == nil {
		return nil
	}
	var out []Named
	if n, ok := byPath(m.Name); ok {
		out = append(out, n)
	}
	ix := d.indexed()
	own := enclosing(ix.modules, m.Start)
	if own == nil {
		// Outside of modules, comments count where the text that was given holds them.
		return append(out, d.banners(m.Start, m.End)...)
	}
	d.evidenceOnce.Do(func() { d.evidence = d.collect() })
	for _, n := range d.evidence[own.start] {
		if len(out) == 0 || out[0].Name != n.Name || out[0].Version != n.Version && n.Version != "" {
			out = append(out, n)
		}
	}
	return out
}

// byPath returns the package that a module's path is in.
func byPath(path string) (Named, bool) {
	name, version, ok := PackageOf(path)
	return Named{Name: name, Version: version, Why: "the module is called " + path, Sure: true}, ok
}

// collect goes over all clues of the file, and returns what they say of modules, by where those start.
func (d *Doc) collect() map[int32][]Named {
	ix := d.index
	byID := make(map[string]*module, len(ix.modules))
	for i := range ix.modules {
		byID[d.idOf(&ix.modules[i])] = &ix.modules[i]
	}
	found := map[int32][]Named{}
	add := func(m *module, n Named) {
		for _, known := range found[m.start] {
			if known.Name == n.Name && known.Sure == n.Sure {
				return
			}
		}
		if len(found[m.start]) < mostNamed {
			found[m.start] = append(found[m.start], n)
		}
	}
	for i := range ix.modules {
		m := &ix.modules[i]
		if n, ok := byPath(d.nameOf(m)); ok {
			add(m, n)
		}
	}
	var required []dependency
	for i, c := range ix.clues {
		m := enclosing(ix.modules, int(c.start))
		if m == nil {
			continue
		}
		switch c.kind {
		case clueName:
			if name, version, ok := d.manifest(ix.clues[i:], m); ok {
				add(m, Named{Name: name, Version: version, Why: "the module is the package.json of it", Sure: true})
			}
		case clueJSON:
			if name, version, ok := manifestText(decoded(d.src[c.start:c.end], nil)); ok {
				add(m, Named{Name: name, Version: version, Why: "the module is the package.json of it", Sure: true})
			}
		case clueDependency:
			required = append(required, dependency{m, c})
		}
	}
	d.name(required, byID, add)
	for i := range ix.modules {
		m := &ix.modules[i]
		for _, n := range d.banners(int(m.start), int(m.end)) {
			add(m, n)
		}
	}
	d.spread(byID, found)
	return found
}

// A dependency is a name by which a module requires another.
type dependency struct {
	by   *module
	clue clue
}

// name says what modules are called by those that require them.
func (d *Doc) name(required []dependency, byID map[string]*module, add func(*module, Named)) {
	var last *module
	var deps []string
	for _, r := range required {
		if r.by != last {
			last, deps = r.by, d.depsOf(r.by)
		}
		if int(r.clue.dep) >= len(deps) {
			continue
		}
		m := byID[deps[r.clue.dep]]
		text := string(d.src[r.clue.start:r.clue.end])
		name := firstPackage(text)
		if m == nil || name == "" || strings.HasPrefix(text, "/") {
			continue
		}
		add(m, Named{Name: name, Why: fmt.Sprintf("module %s requires it as %q", d.idOf(r.by), text), Sure: true})
	}
}

// spread tells modules of which nothing is known by those that require them, and by the package.json
// that they require. One step and no further: every package requires others.
func (d *Doc) spread(byID map[string]*module, found map[int32][]Named) {
	type lead struct {
		to int32
		n  Named
	}
	var leads []lead
	for i := range d.index.modules {
		m := &d.index.modules[i]
		own := found[m.start]
		for _, id := range d.depsOf(m) {
			dep := byID[id]
			if dep == nil {
				continue
			}
			if theirs := found[dep.start]; len(own) == 0 && len(theirs) > 0 && strings.Contains(theirs[0].Why, "package.json") {
				leads = append(leads, lead{m.start, Named{Name: theirs[0].Name, Version: theirs[0].Version,
					Why: fmt.Sprintf("it requires module %s, the package.json of it", id)}})
			}
			if len(own) > 0 && own[0].Sure && len(found[dep.start]) == 0 {
				leads = append(leads, lead{dep.start, Named{Name: own[0].Name, Version: own[0].Version,
					Why: fmt.Sprintf("module %s, which is of it, requires this one", d.idOf(m))}})
			}
		}
	}
	for _, l := range leads {
		if len(found[l.to]) < mostLeads {
			found[l.to] = append(found[l.to], l.n)
		}
	}
}

const (
	mostNamed = 16 // packages that one module names
	mostLeads = 3  // packages that one may be of, by its neighbours: what many others require is a helper of all
)

// manifest returns the name and the version of a package.json whose name is the first of these clues.
func (d *Doc) manifest(clues []clue, m *module) (name, version string, ok bool) {
	text := func(c clue) string { return string(d.src[c.start:c.end]) }
	for _, c := range clues[1:] {
		if c.start >= m.end || c.kind == clueName {
			break
		}
		if c.kind == clueVersion {
			version = text(c)
			break
		}
	}
	name = text(clues[0])
	return name, version, version != "" && firstPackage(name) == name
}

// manifestText reads a package.json that a bundle has as a string.
func manifestText(text []byte) (name, version string, ok bool) {
	var p struct{ Name, Version string }
	if json.Unmarshal(text, &p) != nil || p.Version == "" || firstPackage(p.Name) != p.Name {
		return "", "", false
	}
	return p.Name, p.Version, true
}

// A banner is a licence comment that begins with a name and a version: "@license React v16.13.1",
// "! jQuery v3.7.1". Others have them behind @overview and @version.
var (
	banner   = regexp.MustCompile(`^[!*\s]*(?:@(?:license|preserve)\s+)?(@?[A-Za-z][\w.-]*(?:/[\w.-]+)?)(?: JavaScript Library)?(?:\s+-)?,?\s+v?(\d+\.\d+[\w.-]*)`)
	overview = regexp.MustCompile(`@(?:overview|file|name)\s+(@?[A-Za-z][\w.-]*(?:/[\w.-]+)?)`)
	release  = regexp.MustCompile(`@version\s+v?(\d+\.\d+[\w.-]*)`)
)

// banners returns what the licence comments in a part of the file name.
func (d *Doc) banners(start, end int) []Named {
	var out []Named
	for _, c := range cluesIn(d.index.clues, start, end) {
		if c.kind != clueBanner {
			continue
		}
		text := d.src[c.start:min(int(c.end), int(c.start)+1024)]
		n := Named{Why: "a licence comment in the module names it"}
		if m := banner.FindSubmatch(text); m != nil {
			n.Name, n.Version = string(m[1]), string(m[2])
		} else if o, v := overview.FindSubmatch(text), release.FindSubmatch(text); o != nil && v != nil {
			n.Name, n.Version = string(o[1]), string(v[1])
		} else {
			continue
		}
		// npm's names are in lower case; comments have them as titles.
		n.Name = strings.TrimSuffix(strings.ToLower(n.Name), ".js")
		out = append(out, n)
	}
	return out
}

// cluesIn returns the clues from start to end.
func cluesIn(clues []clue, start, end int) []clue {
	at := func(pos int) int {
		low, high := 0, len(clues)
		for low < high {
			if mid := (low + high) / 2; int(clues[mid].start) < pos {
				low = mid + 1
			} else {
				high = mid
			}
		}
		return low
	}
	first := at(start)
	return clues[first:max(first, at(end))]
}

// Requires returns the names by which a module requires others, as far as the bundle kept them: with
// them it can be told what the code works with, not whose it is.
func (d *Doc) Requires(m *reading.Module) []string {
	if m == nil {
		return nil
	}
	var out []string
	seen := map[string]bool{}
	for _, c := range cluesIn(d.indexed().clues, m.Start, m.End) {
		if c.kind != clueRequire && c.kind != clueDependency {
			continue
		}
		if name := bytes.TrimSpace(d.src[c.start:c.end]); !seen[string(name)] {
			seen[string(name)] = true
			out = append(out, string(name))
		}
	}
	return out
}
