package catalog

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestNoiseOf(t *testing.T) {
	const iosApp, browser = "App/1.0 CFNetwork/1120 Darwin/19.0.0", "Mozilla/5.0 (Linux; Android 10) Chrome/85.0 Mobile"
	read := func(s Sighting) Sighting { s.Read = true; return s }
	for _, tt := range []struct {
		s        Sighting
		class    Class
		platform string
	}{
		{Sighting{Host: "time.apple.com"}, ClassNoise, "ios"},
		{Sighting{Host: "1-courier.push.apple.com"}, ClassNoise, "ios"},
		{Sighting{Host: "mtalk.google.com"}, ClassNoise, "android"},
		{Sighting{Host: "connectivitycheck.gstatic.com"}, ClassNoise, "android"},
		{Sighting{Host: "dms.ospserver.net"}, ClassNoise, "android"},
		{Sighting{Host: "224.0.0.251"}, ClassNoise, ""},
		{Sighting{Host: "ff02::fb"}, ClassNoise, ""},
		// The same name, told apart by who asks.
		{Sighting{Host: "captive.apple.com"}, ClassAmbiguous, "ios"},
		{read(Sighting{Host: "captive.apple.com", Scheme: "http", Method: "GET", Path: "/hotspot-detect.html", UserAgent: "CaptiveNetworkSupport-407 wispr"}), ClassNoise, "ios"},
		{read(Sighting{Host: "captive.apple.com", Scheme: "https", Method: "GET", Path: "/hotspot-detect.html", UserAgent: iosApp}), "", ""},
		{read(Sighting{Host: "captive.apple.com", Scheme: "https", Method: "GET", Path: "/internet-check", UserAgent: "Dart/3.1 (dart:io)"}), "", ""},
		{read(Sighting{Host: "connectivitycheck.android.com", Scheme: "http", Method: "GET", Path: "/generate_204"}), ClassNoise, "android"},
		{read(Sighting{Host: "connectivitycheck.android.com", Scheme: "https", Method: "GET", Path: "/generate_204"}), "", ""},
		{Sighting{Host: "connectivitycheck.android.com"}, ClassAmbiguous, "android"},
		{Sighting{Host: "clients3.google.com"}, ClassAmbiguous, ""},
		{read(Sighting{Host: "clients3.google.com", Scheme: "https", Method: "HEAD", Path: "/generate_204", UserAgent: iosApp}), "", ""},
		{read(Sighting{Host: "clients3.google.com", Scheme: "http", Method: "GET", Path: "/generate_204", UserAgent: "Dalvik/2.1.0"}), ClassAmbiguous, ""},
		{read(Sighting{Host: "clients4.google.com", Scheme: "https", Method: "GET", Path: "/generate_204", UserAgent: browser}), ClassNoise, ""},
		{read(Sighting{Host: "clients4.google.com", Scheme: "https", Method: "HEAD", Path: "/generate_204", UserAgent: iosApp}), "", ""},
		{Sighting{Host: "clients4.google.com"}, ClassAmbiguous, ""},
		{Sighting{Host: "www.google.com"}, ClassAmbiguous, ""},
		{read(Sighting{Host: "www.google.com", Scheme: "https", Method: "GET", Path: "/generate_204"}), ClassAmbiguous, "android"},
		{read(Sighting{Host: "www.google.com", Scheme: "https", Method: "GET", Path: "/recaptcha/api2/anchor"}), "", ""},
		// A product that is named more closely is the app's.
		{Sighting{Host: "storage.googleapis.com"}, ClassAmbiguous, "android"},
		{Sighting{Host: "firebaseinstallations.googleapis.com"}, "", ""},
		{Sighting{Host: "graph.facebook.com"}, ClassAmbiguous, ""},
		{read(Sighting{Host: "graph.facebook.com", Scheme: "https", Method: "POST", Path: "/v17.0/1/activities"}), "", ""},
		{Sighting{Host: "iadsdk.apple.com"}, "", ""},
		{Sighting{Host: "www.apple.com"}, ClassAmbiguous, "ios"},
		{Sighting{Host: "d1.cloudfront.net"}, ClassAmbiguous, ""},
		{Sighting{Host: "data.mistat.xiaomi.com"}, ClassAmbiguous, "android"},
		// The app is the app, whatever it contacts.
		{read(Sighting{Host: "time.apple.com", App: true}), "", ""},
		{Sighting{Host: "api.server.example"}, "", ""},
		{Sighting{}, "", ""},
	} {
		n, ok := NoiseOf(tt.s)
		if n.Class != tt.class || n.Platform != tt.platform || ok != (tt.class != "") {
			t.Errorf("%+v: %+v, want %q %q", tt.s, n, tt.class, tt.platform)
		}
		if ok && (n.What == "" || n.Source == "" || n.Confidence == "") {
			t.Errorf("%+v: incomplete: %+v", tt.s, n)
		}
	}
}

// TestNoiseIsNeverAnSDK: whatever any table says that SDKs and libraries contact is never
// called noise, read or not.
func TestNoiseIsNeverAnSDK(t *testing.T) {
	mustNot := func(who string, s Sighting) {
		if n, ok := NoiseOf(s); ok && n.Class == ClassNoise {
			t.Errorf("%s contacts %+v, which is called noise: %s", who, s, n.What)
		}
	}
	for i := range Products() {
		p := &Products()[i]
		for _, host := range p.Hosts {
			name, below := strings.CutPrefix(host, ".")
			for _, path := range append([]string{"", "/", "/v1/x"}, p.Paths...) {
				path = strings.ReplaceAll(path, "*", "x")
				for _, method := range []string{"GET", "POST", "HEAD"} {
					s := Sighting{Host: name, Read: path != "", Scheme: "https", Method: method, Path: path, UserAgent: "okhttp/4.9.0"}
					mustNot(p.Owner(), s)
					if below {
						s.Host = "a." + name
						mustNot(p.Owner(), s)
					}
				}
			}
		}
	}
	for i := range Probes() {
		p := &Probes()[i]
		if p.SentBy != ByApp {
			continue
		}
		for _, host := range p.Hosts {
			mustNot(p.ID, Sighting{Host: host})
			s := sightingOf(p)
			s.Host, s.App = host, false
			for _, ua := range []string{"", s.UserAgent, "okhttp/4.9.0", "Dart/3.1 (dart:io)", "App/1 CFNetwork/1 Darwin/1"} {
				for _, path := range append([]string{s.Path}, p.Paths...) {
					s.UserAgent, s.Path = ua, path
					mustNot(p.ID, s)
				}
			}
		}
	}
}

// TestNoise lists what screens dim, for people to read the difference of a change.
func TestNoise(t *testing.T) {
	var lines []string
	for _, r := range load().presetRows {
		for _, host := range r.row.Hosts {
			limits := ""
			for _, l := range [][]string{r.row.Schemes, r.row.Methods, r.row.Paths, r.row.UserAgents} {
				limits += strings.TrimRight(" "+strings.Join(l, ","), " ")
			}
			lines = append(lines, fmt.Sprintf("%-9s %-40s %-8s %s %s%s", r.row.Class, host, r.preset.Platform, r.row.Confidence, r.preset.Name, limits))
		}
	}
	for _, r := range load().shared {
		for _, host := range r.Hosts {
			lines = append(lines, fmt.Sprintf("%-9s %-40s %-8s %s shared", ClassAmbiguous, host, r.Platform, r.Confidence))
		}
	}
	slices.Sort(lines)
	golden(t, "noise.txt", strings.Join(lines, "\n")+"\n")
}

func TestNoiseRowsAreComplete(t *testing.T) {
	for _, r := range load().presetRows {
		if r.row.Class != ClassNoise && r.row.Class != ClassAmbiguous {
			t.Errorf("%s: %s: class %q", r.preset.Name, r.row.What, r.row.Class)
		}
	}
	seen := map[string]bool{}
	for _, r := range load().shared {
		checkHosts(t, r.What, r.Hosts)
		if r.What == "" || r.Source == "" || !slices.Contains([]string{"A", "B", Unverified}, r.Confidence) {
			t.Errorf("row %+v", r)
		}
		for _, h := range r.Hosts {
			if seen[h] {
				t.Errorf("%s stands twice", h)
			}
			seen[h] = true
		}
	}
}

func BenchmarkNoiseOf(b *testing.B) {
	s := Sighting{Host: "firebaseinstallations.googleapis.com", Read: true, Scheme: "https", Method: "POST", Path: "/v1/projects/x/installations"}
	for b.Loop() {
		NoiseOf(s)
	}
}
