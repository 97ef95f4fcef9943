package library

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"telltale/locate/inventory"
	"telltale/policy/catalog"
)

var ecosystems = []string{inventory.NPM, inventory.Maven, inventory.Pod, inventory.Swift, inventory.Pub, inventory.Bundled}

func TestRowsAreComplete(t *testing.T) {
	t.Parallel()
	if len(All()) < 60 {
		t.Errorf("only %d rows", len(All()))
	}
	ids := map[string]bool{}
	for i := range All() {
		l := &All()[i]
		if l.ID == "" || ids[l.ID] || Find(l.ID) != l {
			t.Errorf("id %q is empty, stands twice or is not found", l.ID)
		}
		ids[l.ID] = true
		for name, value := range map[string]string{"name": l.Name, "what": l.What, "docs": l.Docs, "source": l.Source} {
			if strings.TrimSpace(value) == "" || strings.HasSuffix(value, ".") || strings.Contains(value, "\n") {
				t.Errorf("%s: %s does not fit into a sentence: %q", l.ID, name, value)
			}
		}
		if !slices.Contains([]string{"S", "L", catalog.Unverified}, l.Confidence) || !strings.HasPrefix(l.Docs, "https://") {
			t.Errorf("%s: confidence %q, docs %q", l.ID, l.Confidence, l.Docs)
		}
		if len(l.Names)+len(l.Packages)+len(l.Bundles) == 0 {
			t.Errorf("%s: nothing leads to it", l.ID)
		}
		for ecosystem, names := range l.Names {
			if !slices.Contains(ecosystems, ecosystem) || len(names) == 0 {
				t.Errorf("%s: ecosystem %q with names %q", l.ID, ecosystem, names)
			}
		}
		if l.Probe != "" && l.probe() == nil {
			t.Errorf("%s: there is no probe %s", l.ID, l.Probe)
		}
		if l.Probe != "" && l.Remedy != "" {
			t.Errorf("%s: its remedy and that of probe %s are two texts on one thing", l.ID, l.Probe)
		}
		if n := len(l.Signature); n > 0 && n < enough {
			t.Errorf("%s: %d names are too few to name it", l.ID, n)
		}
	}
}

func TestDefaultsOfRows(t *testing.T) {
	t.Parallel()
	number := regexp.MustCompile(`^(\d+\.\d+\.\d+)?$`)
	for i := range All() {
		l := &All()[i]
		for _, d := range l.Defaults {
			at, err := takeApart(d.URL)
			if err != nil || at.host == "" || strings.HasPrefix(d.URL, "http") != (at.scheme != "") {
				t.Errorf("%s: default %q", l.ID, d.URL)
			}
			if p, ok := catalog.FindProduct(at.host, at.path); ok && len(l.Products) > 0 && !slices.Contains(l.Products, p.Name) && p.Category != "cdn" {
				t.Errorf("%s: the catalogue has %s as one of %s", l.ID, d.URL, p.Name)
			}
			if !number.MatchString(d.First) || !number.MatchString(d.Last) || !number.MatchString(d.Read) || d.First != "" && d.Last != "" && compareVersions(d.First, d.Last) > 0 {
				t.Errorf("%s: versions of %s: %q to %q, read in %q", l.ID, d.URL, d.First, d.Last, d.Read)
			}
			if (d.Line > 0) != (d.File != "") || d.Line > 0 && d.Versions == "" {
				t.Errorf("%s: %s stands in file %q, line %d, of versions %q", l.ID, d.URL, d.File, d.Line, d.Versions)
			}
		}
		for _, tell := range l.Tells {
			if compareVersions(tell.Before, tell.Since) >= 0 {
				t.Errorf("%s: %s came with %s and lacks in %s", l.ID, tell.Name, tell.Since, tell.Before)
			}
		}
		for _, name := range l.Products {
			if !slices.ContainsFunc(catalog.Products(), func(p catalog.Product) bool { return p.Name == name }) {
				t.Errorf("%s: the catalogue has no product %q", l.ID, name)
			}
		}
		if l.Confidence == "S" && !slices.ContainsFunc(l.Defaults, func(d Default) bool { return d.File != "" }) {
			t.Errorf("%s: it is called read in its source, and no default says where", l.ID)
		}
		if len(l.Products) == 0 && len(l.Defaults) == 0 {
			t.Errorf("%s: it contacts nobody", l.ID)
		}
	}
}

func TestSettingsOfRows(t *testing.T) {
	t.Parallel()
	names := SettingNames()
	for i := range All() {
		l := &All()[i]
		for _, s := range l.Settings {
			if !slices.Contains([]string{InCode, InManifest, InPlist, InJSON}, s.Where) {
				t.Errorf("%s: %s stands in %q", l.ID, s.Name, s.Where)
			}
			if len(s.Stops) == 0 && !s.Moves && s.Does == "" {
				t.Errorf("%s: %s does nothing", l.ID, s.Name)
			}
			if s.Call == "" && ordinary(s.Name) {
				t.Errorf("%s: anybody may call something %s: it takes a call", l.ID, s.Name)
			}
			if !slices.Contains(names, s.Name) {
				t.Errorf("%s: SettingNames lacks %s", l.ID, s.Name)
			}
		}
		fix := l.Fix()
		if len(l.Settings) > 0 && fix == "" {
			t.Errorf("%s: it has settings, and nothing is said of how to stop it", l.ID)
		}
		if fix != "" && !strings.HasSuffix(fix, "\n") {
			t.Errorf("%s: the last line of its remedy is open", l.ID)
		}
	}
	if n := len(names); n != len(slices.Compact(slices.Sorted(slices.Values(names)))) {
		t.Error("a name of a setting stands twice")
	}
}

func TestRowsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"an unknown key":           "- {id: a, nam: b}",
		"no list":                  "id: a",
		"a URL that is none":       `- {id: a, defaults: [{url: "https://"}]}`,
		"a package of two rows":    "- {id: a, packages: [x.y]}\n- {id: b, packages: [x.y]}",
		"a name of two rows":       "- {id: a, names: {npm: [x]}}\n- {id: b, names: {npm: [X]}}",
		"an open name of two rows": "- {id: a, names: {npm: [\"x*\"]}}\n- {id: b, names: {npm: [\"x*\"]}}",
		"a bundle of two rows":     "- {id: a, bundles: [x]}\n- {id: b, bundles: [x]}",
	} {
		if _, err := parse([]byte(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestFixWritesTheLines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		id   string
		want []string
	}{
		{"firebase-analytics", []string{
			`    <meta-data android:name="firebase_analytics_collection_deactivated" android:value="true" />`,
			"    <key>FIREBASE_ANALYTICS_COLLECTION_ENABLED</key><false/>", `    "analytics_auto_collection_enabled": false`,
		}},
		{"launchdarkly", []string{"    streamUri: 'https://your-server.example/'"}},
		{"expo-updates", []string{"    <key>EXUpdatesCheckOnLaunch</key><string>NEVER</string>", `    "checkAutomatically": "NEVER"`}},
		{"stripe", []string{"    setLoadParameters({advancedFraudSignals: false})"}},
		{"netinfo", []string{"    NetInfo.configure({reachabilityUrl: ''});"}},
	} {
		for _, line := range tt.want {
			if !slices.Contains(strings.Split(Find(tt.id).Fix(), "\n"), line) {
				t.Errorf("%s lacks %q:\n%s", tt.id, line, Find(tt.id).Fix())
			}
		}
	}
}
