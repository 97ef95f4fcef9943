package catalog

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sightingOf is a request that the row must be found for: its first host and path,
// in its own manner.
func sightingOf(p *Probe) Sighting {
	s := Sighting{Host: p.Hosts[0], Read: true, Scheme: "https", Method: "GET", Path: "/", App: p.SentBy == ByApp}
	if len(p.Schemes) > 0 {
		s.Scheme = p.Schemes[0]
	}
	if len(p.Methods) > 0 {
		s.Method = p.Methods[0]
	}
	if len(p.Paths) > 0 {
		s.Path = p.Paths[0]
	}
	if len(p.UserAgents) > 0 {
		s.UserAgent = strings.ReplaceAll(p.UserAgents[0], "*", "1.0")
	}
	return s
}

func TestEveryProbeIsFoundAndOnlyThere(t *testing.T) {
	for i := range Probes() {
		p := &Probes()[i]
		s := sightingOf(p)
		m, ok := FindProbe(s)
		if !ok || m.Probe == nil || m.Probe.ID != p.ID {
			t.Errorf("%s: %+v is taken for %+v", p.ID, s, m.Probe)
		}
		elsewhere := s
		elsewhere.Host = "server.example"
		elsewhere.Path = "/v1/data"
		if m, ok := FindProbe(elsewhere); ok {
			t.Errorf("%s: %+v is taken for a probe: %+v", p.ID, elsewhere, m.Probe)
		}
		if len(p.Paths) > 0 {
			other := s
			other.Path = "/v1/data"
			if m, ok := FindProbe(other); ok && m.Probe.ID == p.ID {
				t.Errorf("%s: found at the path %s", p.ID, other.Path)
			}
		}
		below := s
		below.Host = "evil" + s.Host
		below.Path = "/v1/data"
		if _, ok := FindProbe(below); ok {
			t.Errorf("%s: found at %s", p.ID, below.Host)
		}
		unread := Sighting{Host: p.Hosts[0]}
		if m, ok := FindProbe(unread); ok != p.Dedicated && (m.Probe == nil || m.Probe.ID == p.ID) {
			t.Errorf("%s: unread contact is a probe: %v, dedicated: %v", p.ID, ok, p.Dedicated)
		}
	}
}

func TestProbeRowsAreComplete(t *testing.T) {
	ids := map[string]bool{}
	for _, p := range Probes() {
		if p.ID == "" || ids[p.ID] {
			t.Errorf("id %q is empty or stands twice", p.ID)
		}
		ids[p.ID] = true
		for name, value := range map[string]string{"what": p.What, "sender": p.Sender, "owner": p.Owner, "expected": p.Expected, "recognise": p.Recognise, "remedy": p.Remedy, "source": p.Source} {
			if strings.TrimSpace(value) == "" {
				t.Errorf("%s: %s is empty", p.ID, name)
			}
			if name != "remedy" && (strings.HasSuffix(value, ".") || strings.Contains(value, "\n")) {
				t.Errorf("%s: %s does not fit into a sentence: %q", p.ID, name, value)
			}
		}
		if !slices.Contains([]string{BySystem, ByBrowser, ByApp}, p.SentBy) || !slices.Contains([]string{"A", "S", "B", Unverified}, p.Confidence) {
			t.Errorf("%s: sent by %q, confidence %q", p.ID, p.SentBy, p.Confidence)
		}
		if p.SentBy == ByApp && p.Preset != "" {
			t.Errorf("%s: an app's probe is no noise", p.ID)
		}
		if _, ok := FindCategory(p.Class()); !ok {
			t.Errorf("%s: unknown category %q", p.ID, p.Class())
		}
		checkHosts(t, p.ID, p.Hosts)
		for _, path := range p.Paths {
			if !strings.HasPrefix(path, "/") {
				t.Errorf("%s: path %q", p.ID, path)
			}
		}
	}
}

var hostName = regexp.MustCompile(`^\.?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]+$`)

func checkHosts(t *testing.T, id string, hosts []string) {
	t.Helper()
	if len(hosts) == 0 {
		t.Errorf("%s: no hosts", id)
	}
	for _, h := range hosts {
		if _, err := netip.ParseAddr(h); err != nil && !hostName.MatchString(h) {
			t.Errorf("%s: host %q", id, h)
		}
	}
}

// TestPresetsCoverTheirProbes: a probe that names a preset as its remedy is covered
// by it.
func TestPresetsCoverTheirProbes(t *testing.T) {
	for i := range Probes() {
		p := &Probes()[i]
		if p.Preset == "" {
			if strings.Contains(p.Remedy, "preset: ") {
				t.Errorf("%s: the remedy names a preset, the row does not", p.ID)
			}
			continue
		}
		preset, ok := FindPreset(p.Preset)
		if !ok {
			t.Errorf("%s: unknown preset %q", p.ID, p.Preset)
			continue
		}
		if !strings.Contains(p.Remedy, "preset: "+p.Preset) {
			t.Errorf("%s: the remedy does not name %s", p.ID, p.Preset)
		}
		for _, host := range p.Hosts {
			s := sightingOf(p)
			s.Host = host
			if !preset.covers(s) {
				t.Errorf("%s: %s does not cover %+v", p.ID, p.Preset, s)
			}
		}
	}
}

func (p Preset) covers(s Sighting) bool {
	for i := range p.Rows {
		if slices.Contains(p.Rows[i].Hosts, s.Host) && p.Rows[i].Matches(s) {
			return true
		}
	}
	return false
}

// TestPresetsLeaveAppsAlone: hosts that apps use as well are in no preset, or only
// with limits.
func TestPresetsLeaveAppsAlone(t *testing.T) {
	for _, preset := range Presets() {
		if preset.Name == "" || preset.Title == "" || len(preset.Rows) == 0 {
			t.Errorf("preset %+v", preset)
		}
		for i := range preset.Rows {
			row := &preset.Rows[i]
			checkHosts(t, preset.Name, row.Hosts)
			if row.What == "" || row.Source == "" || row.Confidence == "" {
				t.Errorf("%s: row %+v", preset.Name, row)
			}
			for _, host := range row.Hosts {
				if p, ok := FindProduct(strings.TrimPrefix(host, "."), ""); ok {
					t.Errorf("%s ignores %s of %s", preset.Name, host, p.Owner())
				}
				limited := row.limited()
				if !limited && slices.Contains([]string{"www.google.com", "clients3.google.com", "clients4.google.com", "www.apple.com", "play.googleapis.com", "accounts.google.com"}, host) {
					t.Errorf("%s ignores %s, which apps use", preset.Name, host)
				}
				if limited && row.Matches(Sighting{Host: host}) {
					t.Errorf("%s: an unread contact with %s is within limits", preset.Name, host)
				}
				if limited && row.Matches(Sighting{Host: host, Read: true, Method: "POST", Path: "/v1/data", UserAgent: "App/1"}) {
					t.Errorf("%s: anything to %s is within limits", preset.Name, host)
				}
			}
		}
		if preset.covers(Sighting{Host: "clients3.google.com", Read: true, Scheme: "https", Method: "HEAD", Path: "/generate_204", UserAgent: "CovidShield/1 CFNetwork/1"}) {
			t.Errorf("%s hides NetInfo's probe", preset.Name)
		}
	}
}

func TestCategories(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Categories() {
		if c.Name == "" || c.Title == "" || seen[c.Name] {
			t.Errorf("category %+v", c)
		}
		verb := strings.Fields(c.Title)[0]
		if verb == "only" {
			verb = strings.Fields(c.Title)[1]
		}
		if !strings.HasSuffix(verb, "s") || strings.HasSuffix(verb, "'s") { // "which " stands before it
			t.Errorf("category %s: the title %q does not start with a verb", c.Name, c.Title)
		}
		seen[c.Name] = true
	}
	for _, name := range []string{"advertising", "analytics", "attribution", "crash-reporting", "social", "push", CaptivePortal, PublicIP} {
		if !seen[name] {
			t.Errorf("no category %s", name)
		}
	}
	if _, ok := FindCategory("none"); ok {
		t.Error("found a category that is not there")
	}
	if _, ok := FindPreset("none"); ok {
		t.Error("found a preset that is not there")
	}
}

// TestOneURLManySenders tells the senders of one URL apart.
func TestOneURLManySenders(t *testing.T) {
	const iosApp, browser = "App/1.0 CFNetwork/1120 Darwin/19.0.0", "Mozilla/5.0 (Linux; Android 10) Chrome/85.0 Mobile"
	for _, tt := range []struct {
		s      Sighting
		id     string
		others int
	}{
		{Sighting{Host: "clients3.google.com", Method: "HEAD", Scheme: "https", Path: "/generate_204", UserAgent: iosApp}, "netinfo", 2},
		{Sighting{Host: "clients3.google.com", Method: "HEAD", Scheme: "https", Path: "/generate_204"}, "netinfo", 2},
		{Sighting{Host: "clients3.google.com", Method: "GET", Scheme: "https", Path: "/generate_204", UserAgent: iosApp}, "netinfo", 2},
		{Sighting{Host: "clients3.google.com", Method: "GET", Scheme: "http", Path: "/generate_204", UserAgent: "Dalvik/2.1.0", App: true}, "reactive-network", 2},
		{Sighting{Host: "clients3.google.com", Method: "GET", Scheme: "http", Path: "/generate_204", UserAgent: "Dalvik/2.1.0"}, "android-older", 2},
		{Sighting{Host: "clients4.google.com", Method: "HEAD", Scheme: "https", Path: "/generate_204", UserAgent: iosApp}, "netinfo-like-clients4", 1},
		{Sighting{Host: "clients4.google.com", Method: "HEAD", Scheme: "https", Path: "/generate_204", UserAgent: "Shield/1", App: true}, "netinfo-like-clients4", 1},
		{Sighting{Host: "clients4.google.com", Method: "HEAD", Scheme: "https", Path: "/generate_204", UserAgent: browser}, "chrome-android", 0},
		{Sighting{Host: "clients4.google.com", Method: "GET", Scheme: "https", Path: "/generate_204", UserAgent: browser}, "chrome-android", 0},
		{Sighting{Host: "captive.apple.com", Method: "GET", Scheme: "http", Path: "/hotspot-detect.html", UserAgent: "CaptiveNetworkSupport-407 wispr"}, "apple-captive", 1},
		{Sighting{Host: "captive.apple.com", Method: "GET", Scheme: "http", Path: "/hotspot-detect.html"}, "apple-captive", 1},
		{Sighting{Host: "captive.apple.com", Method: "GET", Scheme: "https", Path: "/hotspot-detect.html", UserAgent: iosApp}, "connectivity-ios", 1},
		{Sighting{Host: "connectivitycheck.android.com", Method: "GET", Scheme: "https", Path: "/generate_204"}, "merlin", 1},
		{Sighting{Host: "connectivitycheck.android.com", Method: "GET", Scheme: "http", Path: "/generate_204"}, "android-older-check", 1},
	} {
		tt.s.Read = true
		m, ok := FindProbe(tt.s)
		if !ok || m.Probe == nil || m.Probe.ID != tt.id || len(m.Others) != tt.others {
			var others []string
			for _, o := range m.Others {
				others = append(others, o.ID)
			}
			t.Errorf("%+v is taken for %+v, others %v; want %s and %d others", tt.s, m.Probe, others, tt.id, tt.others)
		}
	}
}

func TestIsProbePath(t *testing.T) {
	for path, want := range map[string]bool{
		"/generate_204": true, "/a/gen_204": true, "/Generate_204": true, "/generate_204/": true, "/hotspot-detect.html": true,
		"/connecttest.txt": true, "/ncsi.txt": true, "/success.txt": true, "/nm-check.txt": true,
		"/": false, "": false, "/generate_2045": false, "/xgenerate_204": false, "/generate_204/x": false,
	} {
		if IsProbePath(path) != want {
			t.Errorf("IsProbePath(%q) = %v", path, !want)
		}
	}
	if m, ok := FindProbe(Sighting{Host: "x.example", Read: true, Path: "/generate_204"}); !ok || m.Probe != nil {
		t.Errorf("unknown host: %+v, %v", m, ok)
	}
	if _, ok := FindProbe(Sighting{Host: "x.example", Path: "/generate_204"}); ok {
		t.Error("an unread contact has no path")
	}
}

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "a/b", true}, {"a", "a", true}, {"a", "b", false},
		{"/v1/*", "/v1/", true}, {"/v1/*", "/v1", false}, {"/v1/*", "/v1/a/b", true}, {"*/x", "/a/x", true}, {"*/x", "/a/xy", false},
		{"a*b*c", "aXbYc", true}, {"a*b*c", "abcb", false}, {"a*b*c", "abcbc", true}, {"**", "x", true}, {"CovidShield*", "CovidShield/1", true},
		{"CovidShield*", "XCovidShield", false}, {"a*", "", false}, {"*a*a*a*a*b", strings.Repeat("a", 2000), false},
	} {
		if got := Glob(tt.pattern, tt.s); got != tt.want {
			t.Errorf("Glob(%q, %.20q) = %v", tt.pattern, tt.s, got)
		}
	}
}

func BenchmarkFindProduct(b *testing.B) {
	for i := 0; b.Loop(); i++ {
		FindProduct("retrieval.covid-notification.alpha.canada.ca", "/v1/data")
	}
}

func ExampleFindProduct() {
	p, _ := FindProduct("a-123.data.emb-api.com", "/v2/spans")
	fmt.Println(p.Owner(), p.Category, p.Country)
	// Output: Embrace performance US
}

func TestDigestIsThatOfTheTables(t *testing.T) {
	if d := Digest(); len(d) != 64 || d != Digest() {
		t.Errorf("digest %q", d)
	}
}
