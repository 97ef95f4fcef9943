package policy

import (
	"net/netip"
	"strings"
	"testing"

	"telltale/flow"
	"telltale/policy/lists"
)

const listedPolicy = `version: 1
name: lists
app:
  user-agent: "Shield/*"
allow:
  - "*.allowed.example"
  - host: limited.example
    methods: [GET]
ignore:
  - noise.example
deny:
  - category: advertising
  - bad.example
waivers:
  - rule: tracker
    host: waived.example
    reason: until it is removed
    until: 2030-01-01
devices:
  - name: phone
    address: 192.168.1.20
    allow: [own.example]
`

const hostsList = "0.0.0.0 stats.example\n0.0.0.0 a.allowed.example\n0.0.0.0 noise.example\n0.0.0.0 t.appsflyer.com\n0.0.0.0 limited.example\n" +
	"0.0.0.0 waived.example\n0.0.0.0 d111.cloudfront.net\n0.0.0.0 own.example\n0.0.0.0 bad.example\n0.0.0.0 probe.example\n"

const servicesList = `{"categories": {"Advertising": [{"Ads Inc": {"https://ads.example/": ["ads.example", "ads.allowed.example"]}}],
"Analytics": [{"Count Ltd": {"https://count.example/": ["stats.example", "count.example"]}}]}}`

const pathsList = "||paths.example/collect/\n||allpaths.example^\n"

func withLists(t *testing.T) *Policy {
	t.Helper()
	p, err := Parse("telltale.yaml", []byte(listedPolicy), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Judge(get("https://stats.example/")).Rule() != HostNotAllowed { // fills the memo
		t.Fatal("stats.example is listed before there is a list")
	}
	for name, text := range map[string]string{"hosts.txt": hostsList, "services.json": servicesList, "paths.txt": pathsList} {
		if _, err := lists.Read(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range []struct{ name, text string }{{"/lists/hosts.txt", hostsList}, {"services.json", servicesList}, {"paths.txt", pathsList}} {
		read, err := lists.Read(l.name, []byte(l.text))
		if err != nil {
			t.Fatal(err)
		}
		p.AddList(read)
	}
	return p
}

func get(url string) *flow.Flow {
	f, err := imagine("GET", url)
	if err != nil {
		panic(err)
	}
	return f
}

func TestLists(t *testing.T) {
	p := withLists(t)
	for _, tt := range []struct {
		url      string
		verdict  Verdict
		rule     Rule
		category string
		owner    string
		source   string
		message  string
	}{
		{"https://stats.example/x", Violation, Tracker, "analytics", "Count Ltd", "services.json:2: Count Ltd: stats.example", "(analytics). It is also on the list hosts.txt, line 1."},
		{"https://count.example/x", Violation, Tracker, "analytics", "Count Ltd", "services.json:2: Count Ltd: count.example", "as Count Ltd, which measures what people do in the app (analytics)."},
		{"https://a.allowed.example/", Allowed, "", "", "", "telltale.yaml:6: *.allowed.example", ""},
		{"https://noise.example/", Ignored, "", "", "", "telltale.yaml:10: noise.example", ""},
		// Deny wins over allow, by the category of the list too.
		{"https://ads.allowed.example/", Violation, Tracker, "advertising", "Ads Inc", "telltale.yaml:12: category: advertising", "services.json, line 1 (Ads Inc: ads.allowed.example), as Ads Inc, which shows or sells advertising (advertising)."},
		{"https://x.ads.example/", Violation, Tracker, "advertising", "Ads Inc", "telltale.yaml:12: category: advertising", "The policy denies this category."},
		{"https://bad.example/", Violation, HostDenied, "", "", "telltale.yaml:13: bad.example", "It is also on the list hosts.txt, line 9."},
		// The catalogue has the better name.
		{"https://t.appsflyer.com/", Violation, Tracker, "attribution", "AppsFlyer", "telltale.yaml:5: nothing in allow names this host", "AppsFlyer has its head office in Israel. It is also on the list hosts.txt, line 4."},
		{"https://d111.cloudfront.net/", Violation, Tracker, "cdn", "CloudFront (Amazon)", "/lists/hosts.txt:7: d111.cloudfront.net", "It belongs to CloudFront (Amazon)"},
		{"https://limited.example/", Allowed, "", "", "", "telltale.yaml:7: host: limited.example", ""},
		{"https://waived.example/", Waived, "", "", "", "telltale.yaml:15: waiver: tracker at waived.example until 2030-01-01: until it is removed", ""},
		{"https://probe.example/generate_204", Violation, CaptivePortalProbe, "captive-portal", "", "telltale.yaml:5: nothing in allow names this host", ""},
		{"dns:stats.example", Violation, Tracker, "analytics", "Count Ltd", "services.json:2: Count Ltd: stats.example", "everyone on the way"},
		{"stats.example", Violation, Tracker, "analytics", "Count Ltd", "services.json:2: Count Ltd: stats.example", ""},
		// Paths.
		{"https://paths.example/collect/x", Violation, Tracker, "", "", "paths.txt:1: ||paths.example/collect/", ""},
		{"https://paths.example/other", Violation, HostNotAllowed, "", "", "telltale.yaml:5: nothing in allow names this host", ""},
		{"paths.example", Violation, HostNotAllowed, "", "", "telltale.yaml:5: nothing in allow names this host", ""},
		{"https://x.allpaths.example/", Violation, Tracker, "", "", "paths.txt:2: ||allpaths.example^", ""},
		{"https://unlisted.example/", Violation, HostNotAllowed, "", "", "telltale.yaml:5: nothing in allow names this host", ""},
	} {
		j := p.Judge(get(tt.url))
		var first Finding
		if len(j.Findings) > 0 {
			first = j.Findings[0]
		}
		if j.Verdict != tt.verdict || j.Rule() != tt.rule || j.Category != tt.category || tt.verdict == Violation && first.Owner != tt.owner || j.Source.String() != tt.source || !strings.Contains(first.Message, tt.message) {
			t.Errorf("%s: %s %s, category %q, owner %q, %s\n%s", tt.url, j.Verdict, j.Rule(), j.Category, first.Owner, j.Source, first.Message)
		}
		// Explain says the same.
		method, url := "GET", tt.url
		e, err := p.Explain(method, url)
		if err != nil {
			t.Fatal(err)
		}
		decided := ""
		for _, step := range e.Steps {
			if step.Decided && step.Stage != "waiver" {
				decided = step.Source.String()
			}
		}
		if e.Verdict != j.Verdict || tt.verdict != Waived && decided != tt.source {
			t.Errorf("%s: explained as %s by %q: %+v", tt.url, e.Verdict, decided, e.Steps)
		}
	}
}

func TestListsOfDevices(t *testing.T) {
	p := withLists(t)
	f := get("https://own.example/")
	if j := p.Judge(f); j.Rule() != Tracker {
		t.Errorf("own.example: %+v", j)
	}
	f.Client.Addr = netip.MustParseAddrPort("192.168.1.20:5000")
	if j := p.Judge(f); j.Verdict != Allowed {
		t.Errorf("own.example from the phone: %+v", j)
	}
	f = get("https://stats.example/")
	f.Client.Addr = netip.MustParseAddrPort("192.168.1.20:5000")
	if j := p.Judge(f); j.Rule() != Tracker {
		t.Errorf("stats.example from the phone: %+v", j)
	}
}

func TestListsAreInTheDigest(t *testing.T) {
	with, without := withLists(t), unlisted(t)
	if with.Digest() == without.Digest() {
		t.Error("a list changes verdicts and not the digest")
	}
	if got := with.Lists(); len(got) != 3 || got[1].Name != "services.json" {
		t.Errorf("%+v", got)
	}
}

// unlisted is the policy of these tests without lists.
func unlisted(t *testing.T) *Policy {
	t.Helper()
	p, err := Parse("telltale.yaml", []byte(listedPolicy), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDeniedCategoriesByPath(t *testing.T) {
	p, err := Parse("telltale.yaml", []byte("version: 1\nallow: [graph.facebook.com, www.google.com, '*.cloudfront.net']\ndeny:\n  - category: analytics\n  - category: security\n  - category: cdn\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]Rule{
		"https://graph.facebook.com/v17.0/1/activities":    Tracker,
		"https://graph.facebook.com/v17.0/1/%61ctivities":  Tracker,
		"https://graph.facebook.com/v17.0/me":              "",
		"https://www.google.com/recaptcha/api2/anchor?a=b": HostDenied,
		"https://www.google.com/search":                    "",
		"https://d1.cloudfront.net/x":                      HostDenied,
		"graph.facebook.com":                               "",
	} {
		if j := p.Judge(get(url)); j.Rule() != want {
			t.Errorf("%s: %s, %s", url, j.Verdict, j.Rule())
		}
	}
	f := p.Judge(get("https://graph.facebook.com/v17.0/1/activities")).Findings[0]
	for _, part := range []string{"Facebook App Events (Meta)", "measures what people do in the app", "Meta has its head office in the United States", "The policy denies this category"} {
		if !strings.Contains(f.Message, part) {
			t.Errorf("the message lacks %q: %s", part, f.Message)
		}
	}
}

func TestReceiver(t *testing.T) {
	for host, want := range map[string]string{
		"www.google.com": "Google", "firebaseinstallations.googleapis.com": "Google", "googleads.g.doubleclick.net": "Google",
		"graph.facebook.com": "Meta", "www.facebook.com": "Meta", "t.appsflyer.com": "AppsFlyer", "x.appsflyersdk.com": "AppsFlyer",
		"a.b.canada.ca": "canada.ca", "api.server.example": "server.example", "192.0.2.1": "192.0.2.1", "localhost": "localhost",
		"d111.cloudfront.net": "d111.cloudfront.net", "": "",
	} {
		if got := Receiver(host); got != want {
			t.Errorf("Receiver(%q) = %q, want %q", host, got, want)
		}
	}
}

// TestDraftOfProducts: what a product's hosts are for is for a person to decide; a CDN's
// hosts are the app's own.
func TestDraftOfProducts(t *testing.T) {
	for host, want := range map[string]string{
		"api.stripe.com":      "api.stripe.com: Stripe, which handles purchases (payments).",
		"t.appsflyer.com":     "t.appsflyer.com: AppsFlyer, which tells which advertisement led to an installation (attribution).",
		"d111.cloudfront.net": "",
		"api.server.example":  "",
	} {
		if _, note := classifyDraft(DraftHost{Name: host}); note != want {
			t.Errorf("%s: %q, want %q", host, note, want)
		}
	}
}
