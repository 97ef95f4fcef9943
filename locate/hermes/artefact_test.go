package hermes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"telltale/locate/reading"
)

const defaultURL = "https://clients3.google.com/generate_204"

// bundles are the bytecode files of an app with NetInfo 5.9 (`make artefacts`).
func bundles(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(artefacts, "v*.hbc"))
	if err != nil || len(names) == 0 {
		t.Skip("run `make artefacts` first: there is no Hermes bytecode")
	}
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	return append(names, "plain.hbc")
}

// find returns where a string of the table stands.
func find(t *testing.T, b *Bytecode, text string) stored {
	t.Helper()
	for id := range b.stringCount() {
		if b.is(id, text) {
			return b.string(id)
		}
	}
	t.Fatalf("there is no %q", text)
	return stored{}
}

// TestNetInfo asks where NetInfo's default address comes from, of every version.
func TestNetInfo(t *testing.T) {
	t.Parallel()
	for _, name := range bundles(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t, artefact(t, name))
			if notes := b.Notes(); notes != nil {
				t.Errorf("notes %q", notes)
			}
			s := find(t, b, defaultURL)
			p := b.Place(s.start+8, s.start+27)
			if p.Section != "string storage" || p.LiteralStart != s.start || p.LiteralEnd != s.end || len(p.Users) != 1 {
				t.Fatalf("%+v", p)
			}
			if p.Module == nil || p.Module.ID != "424" {
				t.Errorf("module %+v", p.Module)
			}
			for _, want := range []string{
				"reachabilityUrl", "reachabilityTest", "reachabilityShortTimeout", "reachabilityLongTimeout", "reachabilityRequestTimeout",
			} {
				if !slices.Contains(p.Users[0].Strings, want) {
					t.Errorf("the code has not %q: %q", want, p.Users[0].Strings)
				}
			}
			if modules := len(b.uses.modules); modules != 431 && modules != 432 {
				t.Errorf("%d modules", modules)
			}
			checkDefaults(t, b, s)
			if name == "plain.hbc" {
				return // its debug information is in its source map
			}
			if p.Source == nil || p.Source.File != "main.jsbundle" || p.Source.Line != 430 || p.Users[0].Line != 430 {
				t.Errorf("source %+v of %+v", p.Source, p.Users)
			}
		})
	}
}

func checkDefaults(t *testing.T, b *Bytecode, s stored) {
	t.Helper()
	got := ""
	for _, set := range b.Settings([]string{"reachabilityUrl", "reachabilityShortTimeout", "reachabilityTest"}) {
		got += fmt.Sprintf("%s=%s %v %s;", set.Name, set.Value, set.Known, set.Call)
		if set.Name == "reachabilityUrl" && (set.Start != s.start || set.End != s.end) {
			t.Errorf("%+v, want %+v", set, s)
		}
	}
	if want := "reachabilityUrl=" + defaultURL + " true ;reachabilityTest= false ;reachabilityShortTimeout=5000 true ;"; !sameSettings(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
}

// sameSettings compares settings whatever their order, which differs between versions.
func sameSettings(x, y string) bool {
	a, b := strings.Split(x, ";"), strings.Split(y, ";")
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// TestExpectedURLs compares with what was read from the compilers' dumps.
func TestExpectedURLs(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join(artefacts, "../expected.json"))
	if err != nil {
		t.Skipf("run `make artefacts` first: %v", err)
	}
	var expected struct {
		Bytecode map[string]struct {
			Version, Functions int
			NetInfo            *int
			URLs               []struct {
				Value             string
				ID, First, Length int
			}
		}
	}
	if err := json.Unmarshal(raw, &expected); err != nil || len(expected.Bytecode) == 0 {
		t.Fatalf("%v: %d files", err, len(expected.Bytecode))
	}
	for name, want := range expected.Bytecode {
		b := open(t, artefact(t, filepath.Base(name)))
		if b.version != want.Version || len(b.allFunctions()) != want.Functions {
			t.Errorf("%s: version %d with %d functions, want %+v", name, b.version, len(b.functions), want)
		}
		for _, url := range want.URLs {
			s := b.string(url.ID)
			if b.text(url.ID) != url.Value || s.start != b.layout.storage.start+url.First || s.len() != url.Length && !s.wide {
				t.Errorf("%s: string %d is %q at %d, want %+v", name, url.ID, b.text(url.ID), s.start, url)
			}
		}
		if want.NetInfo != nil {
			s := find(t, b, defaultURL)
			if u := b.Place(s.start, s.end).Users[0]; u.Name != fmt.Sprintf("function %d of module 424", *want.NetInfo) {
				t.Errorf("%s: %q uses it, want %d", name, u.Name, *want.NetInfo)
			}
		}
	}
}

// TestAddresses compares with the addresses that the compiler's source map gives functions.
func TestAddresses(t *testing.T) {
	t.Parallel()
	b := open(t, artefact(t, "plain.hbc"))
	var sourceMap struct {
		Offsets map[string][]int `json:"x_hermes_function_offsets"`
	}
	if err := json.Unmarshal(artefact(t, "plain.hbc.map"), &sourceMap); err != nil {
		t.Fatal(err)
	}
	want := sourceMap.Offsets[fmt.Sprint(b.Segment())]
	if len(want) != len(b.allFunctions()) {
		t.Fatalf("%d functions, want %d", len(b.functions), len(want))
	}
	for id, f := range b.functions {
		if f.address != want[id] {
			t.Fatalf("function %d is at %d, want %d", id, f.address, want[id])
		}
	}
}

// TestUsers asks who uses the strings of a file that has one of each way of using one.
func TestUsers(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob(filepath.Join(artefacts, "strings-*.hbc"))
	if err != nil || len(names) == 0 {
		t.Skip("run `make artefacts` first: there is no Hermes bytecode")
	}
	for _, name := range names {
		b := open(t, artefact(t, filepath.Base(name)))
		for text, want := range map[string][]string{
			"https://twice.example.com/":          {"usesTwice", "usesAgain"},
			"https://inner.example.com/":          {"outer"},
			"https://constructor.example.com/":    {"Client"},
			"https://method.example.com/":         {"ping"},
			"https://template.example.com/users/": {"template"},
			"https://literal.example.com/v1":      {"global"},
			"https://nested.example.com/":         {"global"},
			"two.array.example.com":               {"global"},
			"st.example.org":                      {"global"},
		} {
			s := find(t, b, text)
			var users []string
			for _, u := range b.Place(s.start, s.end).Users {
				users = append(users, u.Name)
				// The optimizer put inner into outer. A function in which nothing can fail has no place in the source.
				if want[0] != "outer" && (u.File != "strings.js" || u.Line == 0) {
					t.Errorf("%s: %q is used at %s:%d", name, text, u.File, u.Line)
				}
			}
			if !slices.Equal(users, want) {
				t.Errorf("%s: %q is used by %q, want %q", name, text, users, want)
			}
		}
		if p := b.Place(find(t, b, "st.example.org").start, find(t, b, "st.example.org").start+5); p.LiteralEnd-p.LiteralStart > len("st.example.org") {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// TestJoinedInApp has the sums that the compilers left in React Native's own code.
func TestJoinedInApp(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	open(t, artefact(t, "v96.hbc")).Joined(func(j reading.Joined) bool {
		if j.Sure {
			found[string(j.Value)] = true
		}
		return true
	})
	if !found["global_perf__timespan_start_"] {
		t.Errorf("joined %v", found)
	}
}

func BenchmarkOpen(b *testing.B) {
	data := artefact(b, "v96.hbc")
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		open(b, data)
	}
}

func BenchmarkTextsAndJoined(b *testing.B) {
	data := artefact(b, "v96.hbc")
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		d := open(b, data)
		d.Texts(func(reading.Text) bool { return true })
		d.Joined(func(reading.Joined) bool { return true })
	}
}

func BenchmarkIndex(b *testing.B) {
	data := artefact(b, "v96.hbc")
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		open(b, data).index()
	}
}

func BenchmarkPlace(b *testing.B) {
	d := open(b, artefact(b, "v96.hbc"))
	for id := range d.stringCount() {
		if d.is(id, defaultURL) {
			s := d.string(id)
			for b.Loop() {
				d.Place(s.start+8, s.start+27)
			}
		}
	}
}
