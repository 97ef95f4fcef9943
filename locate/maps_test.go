package locate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/locate/app"

	"telltale/guard/raced"
)

// mapTo is a source map whose first place was written in one source.
func mapTo(source string) string {
	return `{"version":3,"sources":["` + source + `"],"names":[],"mappings":"AAAA"}`
}

// A map belongs to the file beside it: one that another package calls the same says nothing.
func TestMapsOfOtherPackagesSayNothing(t *testing.T) {
	for range 5 { // files come in no order
		r := searched(t, Wanted{Hosts: []string{probeHost}}, folder(t, map[string]string{
			"package.json":                       "{}",
			"node_modules/zzz/dist/index.js":     "var u='" + probeURL + "';\n//# sourceMappingURL=index.js.map\n",
			"node_modules/zzz/dist/index.js.map": mapTo("../src/index.js") + strings.Repeat(" ", 300), // large files come first
			"node_modules/aaa/dist/index.js":     "var u='https://other.acme.io/';\n//# sourceMappingURL=index.js.map\n",
			"node_modules/aaa/dist/index.js.map": mapTo("webpack://x/./node_modules/evil-sdk/src/tracker.ts"),
		}))
		if len(r.Leads) != 1 {
			t.Fatalf("%+v", r.Leads)
		}
		l := r.Leads[0]
		if s := l.Place.Source; s == nil || s.File != "node_modules/zzz/src/index.js" || l.Origin == nil || l.Origin.Name != "zzz" {
			t.Errorf("source %+v, origin %+v", l.Place.Source, l.Origin)
		}
	}
}

// A map is asked for each lead once, and not for what it says itself.
func TestMapOfItselfIsFollowedOnce(t *testing.T) {
	r := searched(t, Wanted{Hosts: []string{probeHost}}, folder(t, map[string]string{
		"app/index.js":     "var u='" + probeURL + "';\n//# sourceMappingURL=index.js.map\n",
		"app/index.js.map": `{"version":3,"sources":["index.js"],"names":[],"mappings":"AAEE;AACA;AACA"}`,
	}))
	if s := r.Leads[0].Place.Source; s == nil || s.Line != 3 || s.Column != 3 {
		t.Errorf("the source is %+v", s)
	}
}

// What a source was made of is told by the map beside it, in its folder.
func TestMapsOfSourcesAreFollowed(t *testing.T) {
	r := searched(t, Wanted{Hosts: []string{probeHost}}, folder(t, map[string]string{
		"www/main.js":        "var u='" + probeURL + "';",
		"www/main.js.map":    mapTo("parts/a.js"),
		"www/parts/a.js.map": mapTo("webpack://x/./node_modules/some-sdk/src/a.ts"),
		"other/a.js.map":     mapTo("../node_modules/evil-sdk/a.ts"),
	}))
	if s := r.Leads[0].Place.Source; s == nil || !strings.HasSuffix(s.File, "some-sdk/src/a.ts") || s.By != "a.js.map" {
		t.Errorf("the source is %+v", s)
	}
}

func TestLargeMapsAreReadOnce(t *testing.T) {
	var code strings.Builder
	for i := range 45 {
		fmt.Fprintf(&code, "f('%s%s');", probeURL, strings.Repeat("x", i))
	}
	root := folder(t, map[string]string{
		"app/index.js":     code.String(),
		"app/index.js.map": `{"version":3,"sources":["index.js"],"names":[],"mappings":"` + strings.Repeat("AAAA,CAAC,", raced.Size(400_000, 20_000)) + `"}`,
	})
	start := time.Now()
	if r := searched(t, Wanted{Hosts: []string{probeHost}}, root); len(r.Leads) != 45 {
		t.Errorf("%d leads", len(r.Leads))
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Every file is searched as bytes: what is only called a map, too, and a map without its bundle.
func TestMapsAreSearched(t *testing.T) {
	for name, c := range map[string]struct{ file, text, in string }{
		"a level of a game":       {"data/level.map", `{"version":1,"server":"` + probeURL + `"}`, "data/level.map"},
		"no mappings":             {"data/a.map", `{"version":3,"server":"` + probeURL + `"}`, "data/a.map"},
		"another key":             {"data/style.map", `{"version":3,"mappings":"","server":"` + probeURL + `"}`, "data/style.map"},
		"the name of a source":    {"data/b.map", `{"version":3,"sources":["` + probeURL + `/a.js"],"mappings":"","names":[]}`, "data/b.map"},
		"the text of a source":    {"data/c.map", `{"version":3,"sources":["a.js"],"sourcesContent":["f('` + probeURL + `')"],"mappings":"","names":[]}`, "data/c.map!/a.js"},
		"a source called a map":   {"data/d.map", `{"version":3,"sources":["a.map"],"sourcesContent":["` + strings.ReplaceAll(mapTo(probeURL), `"`, `\"`) + `"],"mappings":"","names":[]}`, "data/d.map!/a.map"},
		"damage behind the start": {"data/e.map", `{"version":3,"mappings":"","sources":["` + probeURL, "data/e.map"},
	} {
		t.Run(name, func(t *testing.T) {
			r := searched(t, Wanted{Hosts: []string{probeHost}}, folder(t, map[string]string{c.file: c.text}))
			if len(r.Leads) != 1 || r.Leads[0].File != c.in {
				t.Errorf("%+v", r.Leads)
			}
			if len(r.Failures) > 0 {
				t.Errorf("failures: %v", r.Failures)
			}
		})
	}
}

// That the map of a bundle is damaged is said once, with the app's name.
func TestDamagedMapIsNamedOnce(t *testing.T) {
	path := folder(t, map[string]string{
		"main.js":     "f('" + probeURL + "'); f('" + probeURL + "2'); f('" + probeURL + "3')",
		"main.js.map": `{"version":3,"mappings":`,
	})
	r := searched(t, Wanted{Hosts: []string{probeHost}}, path)
	if len(r.Leads) != 3 || len(r.Failures) != 1 || !strings.HasPrefix(r.Failures[0].Path, path) {
		t.Errorf("%d leads, failures %v", len(r.Leads), r.Failures)
	}
}

// Which maps there is room for does not depend on the order in which they come.
func TestShelfKeepsTheSameInAnyOrder(t *testing.T) {
	sizes := map[string]int{"a.js.map": 50, "b.js": 20, "c.js": 10, "node_modules/x/d.js.map": 5, "e.js.map": 1}
	names := []string{"a.js.map", "b.js", "c.js", "node_modules/x/d.js.map", "e.js.map"}
	room := make([]byte, 60<<20)
	for range 120 {
		var shelf mapShelf
		out := 0
		for _, name := range names {
			k := &keptFile{path: name, data: room[:sizes[name]<<20]}
			if strings.HasSuffix(name, ".map") {
				k = madeMap(t, k)
			}
			out += len(shelf.put(k))
		}
		var kept []string
		for _, k := range shelf.kept {
			kept = append(kept, k.path)
		}
		if diff := cmp.Diff([]string{"b.js", "c.js"}, kept); diff != "" || out != 3 {
			t.Fatalf("%v: %d went out, %s", names, out, diff)
		}
		shuffle(names)
	}
}

// shuffle makes the next permutation.
func shuffle(names []string) {
	i := len(names) - 2
	for i >= 0 && names[i] >= names[i+1] {
		i--
	}
	if i >= 0 {
		j := len(names) - 1
		for names[j] <= names[i] {
			j--
		}
		names[i], names[j] = names[j], names[i]
	}
	slices.Reverse(names[i+1:])
}

func madeMap(t *testing.T, k *keptFile) *keptFile {
	t.Helper()
	s := search{}
	if !s.keepMap(app.File{Path: k.path, Data: []byte(mapTo("a.ts")), Size: 1}) {
		t.Fatal("it is no map")
	}
	k.m = s.maps.kept[0].m
	return k
}

func TestMapsEndWithTheSearch(t *testing.T) {
	s, err := newSearch(Wanted{Hosts: []string{probeHost}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.keepMap(app.File{Path: "a.map", Data: []byte(mapTo("a.ts")), Size: 1})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.trace(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}
