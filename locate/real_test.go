package locate

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"telltale/locate/library"
)

// artefacts is where `make artefacts` puts what it makes of packages of the npm registry.
const artefacts = "../bin/artefacts"

// artefact returns the path of a real artefact.
func artefact(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(artefacts, filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("run `make artefacts` first: %v", err)
	}
	return path
}

// searched is a search that must work.
func searched(t testing.TB, wanted Wanted, apps ...string) *Result {
	t.Helper()
	r, err := Search(context.Background(), apps, wanted, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// An oracle is what an independent program (Babel's parser, Mozilla's source-map) says of the bundles:
// locate/artefacts/expect.cjs.
type oracle struct {
	Bundles map[string]struct {
		NetInfo, Override *literal
		URLs              []literal
	}
}

type literal struct {
	Value, Source        string
	Offset, Line, Column int
	SourceLine           int
	Module               json.Number
}

func expected(t testing.TB) (o oracle) {
	t.Helper()
	data, err := os.ReadFile(artefact(t, "expected.json"))
	if err == nil {
		err = json.Unmarshal(data, &o)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Bundles) < 5 {
		t.Fatalf("the oracle knows %d bundles", len(o.Bundles))
	}
	return o
}

// The finding that telltale was made for, from each bundle alone: package, file, line, default,
// remedy, at the byte where an independent parser has it.
func TestTheProbeComesOutOfEachBundle(t *testing.T) {
	for name, want := range expected(t).Bundles {
		if want.NetInfo == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			r := searched(t, Wanted{Hosts: []string{probeHost}}, artefact(t, name))
			if len(r.Leads) != 1 || len(r.Failures) > 0 {
				t.Fatalf("%d leads, failures %v", len(r.Leads), r.Failures)
			}
			l := r.Leads[0]
			if l.Offset != int64(want.NetInfo.Offset) || l.Text != probeURL || l.Form != WholeURL {
				t.Errorf("found %s %q at %d, want it at %d", l.Form, l.Text, l.Offset, want.NetInfo.Offset)
			}
			if m := l.Place.Module; m == nil || m.ID != want.NetInfo.Module.String() {
				t.Errorf("module %+v, want %s", m, want.NetInfo.Module)
			}
			if want.NetInfo.Line > 0 && (l.Place.Line != want.NetInfo.Line || l.Place.Column != want.NetInfo.Column+1) {
				t.Errorf("line %d column %d, want %d and %d", l.Place.Line, l.Place.Column, want.NetInfo.Line, want.NetInfo.Column+1)
			}
			o := l.Origin
			if o == nil || o.Name != "@react-native-community/netinfo" || o.Confidence < library.Likely {
				t.Fatalf("the origin is %+v", o)
			}
			if !holds(o.Version, "5.9.10") {
				t.Errorf("the version is %q, which is not that of the bundle", o.Version)
			}
			if d := o.Default; d == nil || d.URL != probeURL || d.Setting != "reachabilityUrl" ||
				d.File != "src/internal/defaultConfiguration.ts" || want.NetInfo.SourceLine > 0 && d.Line != want.NetInfo.SourceLine {
				t.Errorf("the default is %+v", d)
			}
			if !strings.Contains(o.Remedy, "reachabilityUrl: ''") {
				t.Errorf("the remedy is %q", o.Remedy)
			}
			if (want.Override != nil) != (len(l.Overrides) == 1) {
				t.Fatalf("overrides %+v, want %+v", l.Overrides, want.Override)
			}
			if want.Override != nil && (l.Overrides[0].Setting.Value != want.Override.Value || l.Overrides[0].Stops != (want.Override.Value == "")) {
				t.Errorf("the app sets %+v, want %q", l.Overrides[0], want.Override.Value)
			}
		})
	}
}

// holds reports whether a version is, or lies in a range such as "5.5.0 to 6.0.6".
func holds(told, version string) bool {
	from, to, isRange := strings.Cut(told, " to ")
	if !isRange {
		return told == version || strings.HasSuffix(told, " and later")
	}
	return from <= version && version <= to
}

// Each URL that a parser sees in a bundle is listed, at its place.
func TestEveryURLOfABundleIsListed(t *testing.T) {
	for name, want := range expected(t).Bundles {
		if len(want.URLs) == 0 {
			continue
		}
		r := searched(t, Wanted{}, artefact(t, name))
		for _, u := range want.URLs {
			parsed, err := url.Parse(u.Value)
			if err != nil || parsed.Hostname() == "" || !strings.HasPrefix(parsed.Scheme, "http") {
				continue
			}
			host := strings.ToLower(parsed.Hostname())
			if !slices.ContainsFunc(r.Leads, func(l Lead) bool { return l.Wanted == host }) {
				t.Errorf("%s: %s is not listed", name, u.Value)
			}
		}
	}
}

// Bytecode of each version names the library too, from the strings that its code uses.
func TestTheProbeComesOutOfBytecode(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(artefact(t, "hermes"), "v*.hbc"))
	if err != nil || len(files) < 8 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			r := searched(t, Wanted{Hosts: []string{probeHost}}, file)
			if len(r.Leads) != 1 || len(r.Failures) > 0 || len(r.Unread) > 0 {
				t.Fatalf("%d leads, failures %v, unread %v", len(r.Leads), r.Failures, r.Unread)
			}
			l := r.Leads[0]
			if l.Text != probeURL || len(l.Place.Users) == 0 {
				t.Errorf("found %q, used by %v", l.Text, l.Place.Users)
			}
			if l.Origin == nil || l.Origin.Name != "@react-native-community/netinfo" || l.Origin.Default == nil {
				t.Errorf("the origin is %+v", l.Origin)
			}
		})
	}
}

func TestSourceMapsSayWhereItWasWritten(t *testing.T) {
	for _, c := range []struct{ name, bundle, sourceMap string }{
		{"bundle", "rn/main.jsbundle", "rn/main.jsbundle.map"},
		{"bytecode", "hermes/plain.hbc", "hermes/plain.hbc.map"},
	} {
		t.Run(c.name, func(t *testing.T) {
			maps := []string{artefact(t, c.sourceMap), artefact(t, "rn/main.hermes.js.map")}
			r, err := Search(context.Background(), []string{artefact(t, c.bundle)}, Wanted{Hosts: []string{probeHost}}, Options{SourceMaps: maps})
			if err != nil || len(r.Leads) != 1 {
				t.Fatalf("%+v, %v", r, err)
			}
			s := r.Leads[0].Place.Source
			if s == nil || !strings.HasSuffix(s.File, "node_modules/@react-native-community/netinfo/src/internal/defaultConfiguration.ts") || s.Line > 2 {
				t.Errorf("the source is %+v", s)
			}
			if o := r.Leads[0].Origin; o == nil || o.Confidence != library.Certain {
				t.Errorf("the origin is %+v", o)
			}
		})
	}
}

func TestContainers(t *testing.T) {
	for _, name := range []string{"apk/rn.apk", "apk/rn-hermes.apk", "apk/rn.apks", "apk/rn.xapk", "apk/rn.apkm", "ipa/Example.ipa", "ipa/Hermes.ipa", "ipa/Example.app", "source"} {
		t.Run(name, func(t *testing.T) {
			r := searched(t, Wanted{Hosts: []string{probeHost}}, artefact(t, name))
			if len(r.Failures) > 0 {
				t.Errorf("failures: %v", r.Failures)
			}
			if len(r.Leads) == 0 || r.Leads[0].Origin == nil || r.Leads[0].Origin.Name != "@react-native-community/netinfo" {
				t.Fatalf("%d leads, the first %+v from %+v", len(r.Leads), r.Leads[:min(len(r.Leads), 1)], r.Leads[0].Origin)
			}
			if strings.HasPrefix(name, "ipa") && !strings.HasPrefix(r.Apps[0].ID, "com.example") && r.Apps[0].ID == "" {
				t.Errorf("the app is %+v", r.Apps[0])
			}
		})
	}
}

func TestEncryptedBinaryIsSaid(t *testing.T) {
	r := searched(t, Wanted{Hosts: []string{"nowhere.example"}}, artefact(t, "ipa/Encrypted.ipa"))
	if !slices.ContainsFunc(r.Unread, func(u Unread) bool { return strings.Contains(u.Why, "FairPlay") }) {
		t.Errorf("unread: %v", r.Unread)
	}
	if r.Found() || len(r.Advice()) == 0 || !strings.Contains(r.Advice()[0], "encrypted") {
		t.Errorf("advice: %q", r.Advice())
	}
}
