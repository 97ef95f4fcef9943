package script

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"telltale/locate/reading"
)

// artefact reads a file that `make artefacts` makes of real packages, nil where it was not run.
func artefact(t *testing.T, name string) []byte {
	t.Helper()
	folder := filepath.Join("..", "..", "bin", "artefacts")
	data, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(name)))
	if os.IsNotExist(err) {
		t.Skipf("run `make artefacts` first: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// probe is the address that NetInfo contacts by its own default.
const probe = "https://clients3.google.com/generate_204"

// TestProbeInRealBundles finds NetInfo's default in what Metro made of it: its module, its property, and
// with a source map its file and line.
func TestProbeInRealBundles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"rn/main.jsbundle", "rn/index.android.bundle", "rn/main.hermes.js", "rn/main.jsbundle.dev.js", "rn/main.ram.jsbundle"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := artefact(t, name)
			if !Is(name, data) {
				t.Error("not taken for JavaScript")
			}
			d, err := open(name, data)
			if err != nil {
				t.Fatal(err)
			}
			i := bytes.Index(data, []byte(probe))
			p := d.Place(i, i+len(probe))
			if p.LiteralStart != i || p.LiteralEnd != i+len(probe) || p.Section != "string" {
				t.Errorf("literal: %+v, want %d to %d", p, i, i+len(probe))
			}
			if len(p.Users) != 1 || p.Users[0].Name != "default.reachabilityUrl" || p.Users[0].Obfuscated {
				t.Errorf("users: %+v", p.Users)
			} else if s := strings.Join(p.Users[0].Strings, " "); s != "reachabilityTest reachabilityShortTimeout reachabilityLongTimeout reachabilityRequestTimeout" {
				t.Errorf("beside it: %s", s)
			}
			if p.Module == nil {
				t.Fatal("no module")
			}
			text := string(data[p.Module.Start:p.Module.End])
			if !strings.HasPrefix(text, "__d(") || strings.Count(text, "__d(") != 1 || !strings.Contains(text, p.Module.ID) {
				t.Errorf("module %s: %.200s", p.Module.ID, text)
			}
			if name == "rn/main.jsbundle.dev.js" {
				if got := d.Packages(p.Module); len(got) == 0 || got[0].Name != "@react-native-community/netinfo" || !got[0].Sure {
					t.Errorf("packages: %+v", got)
				}
				if got := d.MapName(); got != "main.jsbundle.dev.js.map" {
					t.Errorf("map: %q", got)
				}
			}
			if name != "rn/main.ram.jsbundle" {
				sourced(t, d, name+".map", i)
			}
		})
	}
}

// sourced asks a map for the place of the probe.
func sourced(t *testing.T, d *Doc, name string, at int) {
	t.Helper()
	m, err := OpenMap(name, artefact(t, name))
	if err != nil {
		t.Fatal(err)
	}
	s := d.WithMap(m).Place(at, at+1).Source
	if s == nil || s.File != "node_modules/@react-native-community/netinfo/src/internal/defaultConfiguration.ts" ||
		!strings.Contains(s.Text, probe) || s.Line < 1 {
		t.Errorf("source: %+v", s)
	}
}

// An expected place is what Babel's parser and the source-map library know of a URL.
type expected struct {
	Value                  string
	Offset, Line, Column   int
	Source                 string
	SourceLine             int
	SourceColumn           int
	Module                 any
	ModuleStart, ModuleEnd int
}

// TestEveryURLOfRealBundles compares with the oracle that is made with the artefacts by other means: each
// URL in each bundle, its place, its module and where it was written.
func TestEveryURLOfRealBundles(t *testing.T) {
	t.Parallel()
	var oracle struct {
		Bundles map[string]struct {
			Modules int
			URLs    []expected
		}
	}
	if err := json.Unmarshal(artefact(t, "expected.json"), &oracle); err != nil {
		t.Fatal(err)
	}
	if len(oracle.Bundles) < 5 {
		t.Fatalf("%d bundles", len(oracle.Bundles))
	}
	for name, want := range oracle.Bundles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(name, "/") {
				name = "rn/" + name
			}
			data := artefact(t, name)
			d, err := open(name, data)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := os.ReadFile(filepath.Join("..", "..", "bin", "artefacts", name+".map")); err == nil {
				m, err := OpenMap(name, text)
				if err != nil {
					t.Fatal(err)
				}
				d = d.WithMap(m)
			}
			if got := len(d.indexed().modules); got != want.Modules {
				t.Errorf("%d modules, want %d", got, want.Modules)
			}
			for _, url := range want.URLs {
				got := expected{Value: url.Value, Offset: url.Offset, Module: url.Module}
				p := d.Place(url.Offset, url.Offset+len(url.Value))
				got.fill(&p, url, d.ram != nil)
				if diff := cmp.Diff(url, got); diff != "" {
					t.Errorf("%q at %d (-oracle +we):\n%s", url.Value, url.Offset, diff)
				}
			}
			t.Logf("%d modules, %d URLs", want.Modules, len(want.URLs))
		})
	}
}

// fill takes over what a Place says, in the oracle's terms: columns from 0, a module with its semicolon.
func (e *expected) fill(p *reading.Place, want expected, ram bool) {
	e.Line, e.Column = p.Line, p.Column-1
	if ram { // the oracle counts in the file
		e.Line, e.Column = want.Line, want.Column
	}
	if p.Module != nil {
		e.ModuleStart, e.ModuleEnd = p.Module.Start, p.Module.End
		if want.ModuleEnd == e.ModuleEnd+1 {
			e.ModuleEnd++
		}
		if p.Module.ID != fmt.Sprint(want.Module) {
			e.Module = p.Module.ID
		}
	}
	if p.Source != nil {
		e.Source, e.SourceLine, e.SourceColumn = p.Source.File, p.Source.Line, p.Source.Column-1
	}
}

// TestModulesOfRealBundles compares modules with two witnesses: what begins a line in the bundle, and
// the source map, which knows of each string what file it is from.
func TestModulesOfRealBundles(t *testing.T) {
	t.Parallel()
	const name = "rn/main.jsbundle.dev.js"
	data := artefact(t, name)
	d, err := open(name, data)
	if err != nil {
		t.Fatal(err)
	}
	m, err := OpenMap(name+".map", artefact(t, name+".map"))
	if err != nil {
		t.Fatal(err)
	}
	modules := d.indexed().modules
	if want := bytes.Count(data, []byte("\n__d(function")); len(modules) != want || want < 100 {
		t.Errorf("%d modules, the bundle has %d lines that begin one", len(modules), want)
	}
	sourced, l := d.WithMap(m), d.lexer()
	agreed, strings := 0, 0
	for k := l.next(); k != ended; k = l.next() {
		if k != str {
			continue
		}
		if strings++; strings%100 != 0 {
			continue
		}
		p := sourced.Place(int(l.tok.start), int(l.tok.end))
		if p.Module == nil || p.Source == nil {
			continue
		}
		if agreed++; p.Module.Name != p.Source.File {
			t.Errorf("string at %d: module %s, source %s", l.tok.start, p.Module.Name, p.Source.File)
		}
	}
	if agreed < 100 {
		t.Errorf("of %d strings, %d have a module and a source", strings, agreed)
	}
}

// TestSettingsInRealBundles reads what the apps set instead of the default, through what Metro and
// its minifier made of it.
func TestSettingsInRealBundles(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"rn/main.jsbundle":       "",
		"rn-fixed/main.jsbundle": `configure ""`,
		"rn-own/main.jsbundle":   `configure "https://health.canada.ca/up"`,
	} {
		data := artefact(t, name)
		d, err := open(name, data)
		if err != nil {
			t.Fatal(err)
		}
		got, defaults := "", 0
		for _, s := range d.Settings([]string{"reachabilityUrl"}) {
			if s.Call == "" && s.Known && s.Value == probe {
				defaults++
				continue
			}
			got += s.Call + " " + `"` + s.Value + `"`
		}
		if got != want || defaults != 1 {
			t.Errorf("%s: %s beside %d defaults, want %s beside one", name, got, defaults, want)
		}
	}
}

// BenchmarkReal measures each question over twenty real bundles in one file, 16 MB.
func BenchmarkReal(b *testing.B) {
	one, err := os.ReadFile(filepath.Join("..", "..", "bin", "artefacts", "rn", "main.jsbundle"))
	if err != nil {
		b.Skipf("run `make artefacts` first: %v", err)
	}
	data := bytes.Repeat(one, 20)
	for _, bench := range []struct {
		name string
		ask  func(d *Doc)
	}{
		{"Texts", func(d *Doc) { d.Texts(func(reading.Text) bool { return true }) }},
		{"Joined", func(d *Doc) { d.Joined(func(reading.Joined) bool { return true }) }},
		{"Settings", func(d *Doc) { d.Settings([]string{"reachabilityUrl", "useNativeReachability", "pingServerUrl"}) }},
		{"Place", func(d *Doc) { d.Place(1000, 1001) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				d, err := open("a.jsbundle", data)
				if err != nil {
					b.Fatal(err)
				}
				bench.ask(d)
			}
		})
	}
}
