package policy

import (
	"crypto/tls"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"telltale/flow"
	"telltale/flow/flowtest"
)

const (
	browser = "Mozilla/5.0 (Linux; Android 10) AppleWebKit/537.36 Chrome/85.0 Mobile Safari/537.36"
	system  = "CaptiveNetworkSupport-407.60.1 wispr"
	dalvik  = "Dalvik/2.1.0 (Linux; U; Android 10)"
	app     = "CovidShield/1.0.2 CFNetwork/1120 Darwin/19.0.0"
)

// judged is a verdict in one line: verdict, rules, and the line that decided.
func judged(j Judgement) string {
	var rules []string
	for _, f := range j.Findings {
		rules = append(rules, string(f.Rule))
	}
	at := fmt.Sprint(j.Source.Line)
	if j.Source.File == "" {
		at = j.Source.Text
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s @%s", j.Verdict, strings.Join(rules, "+"), at))
}

// testPolicy has one of everything; the numbers in TestJudge are its lines.
const testPolicy = `version: 1
app: {user-agent: "CovidShield*"}
allow:
  - "*.canada.ca"
  - host: api.example.com
    methods: [GET, POST]
    paths: ["/v1/*", "/health"]
  - host: port.example.com:8443
  - 192.0.2.7
  - graph.facebook.com
  - "*.google.com"
  - app-measurement.com
ignore:
  - preset: ios-system
  - preset: android-system
  - noise.example
deny:
  - bad.canada.ca
  - category: analytics
  - host: clients3.google.com
waivers:
  - {rule: host-not-allowed, host: waived.example, reason: x, until: 2027-01-01}
  - {rule: cleartext, host: "*.old.canada.ca", reason: x, until: 2027-01-01}
`

func TestJudge(t *testing.T) {
	p := parse(t, testPolicy)
	for _, tt := range []struct {
		name string
		f    *flow.Flow
		want string
	}{
		{"allowed", flowtest.Get("https://www.canada.ca/"), "allowed  @4"},
		{"allowed in capitals, with a dot", flowtest.Get("https://WWW.Canada.CA./"), "allowed  @4"},
		{"the apex is not below itself", flowtest.Get("https://canada.ca/"), "violation host-not-allowed @3"},
		{"a look-alike", flowtest.Get("https://evilcanada.ca/"), "violation host-not-allowed @3"},
		{"a suffix", flowtest.Get("https://www.canada.ca.example/"), "violation host-not-allowed @3"},
		{"userinfo is no host", flowtest.Get("https://www.canada.ca@evil.example/", flowtest.Asked("evil.example:443"), flowtest.SNI("evil.example"), flowtest.Host("evil.example")), "violation host-not-allowed @3"},
		{"within the limits", flowtest.Get("https://api.example.com/v1/x?y=../z"), "allowed  @5"},
		{"another method", flowtest.Request("DELETE", "https://api.example.com/v1/x"), "violation host-not-allowed @5"},
		{"another path", flowtest.Get("https://api.example.com/v2/x"), "violation host-not-allowed @5"},
		{"dots climb out", flowtest.Get("https://api.example.com/v1/../admin"), "violation host-not-allowed @5"},
		{"encoded dots climb out", flowtest.Get("https://api.example.com/v1/%2e%2E/admin"), "violation host-not-allowed @5"},
		{"encoded slashes climb out", flowtest.Get("https://api.example.com/v1/..%2fadmin"), "violation host-not-allowed @5"},
		{"twice encoded dots climb out", flowtest.Get("https://api.example.com/v1/%252e%252e/admin"), "violation host-not-allowed @5"},
		{"backslashes climb out", flowtest.Get(`https://api.example.com/v1/..\admin`), "violation host-not-allowed @5"},
		{"parameters climb out", flowtest.Get("https://api.example.com/v1/..;x/admin"), "violation host-not-allowed @5"},
		{"dots into the limits", flowtest.Get("https://api.example.com/admin/../v1/x"), "violation host-not-allowed @5"},
		{"slashes at the front", flowtest.Get("https://api.example.com//v1/x"), "violation host-not-allowed @5"},
		{"encoded letters are the same path", flowtest.Get("https://api.example.com/%761/x"), "allowed  @5"},
		{"an exact path", flowtest.Get("https://api.example.com/health?full"), "allowed  @5"},
		{"an exact path is not a prefix", flowtest.Get("https://api.example.com/healthy"), "violation host-not-allowed @5"},
		{"the port", flowtest.Get("https://port.example.com:8443/"), "allowed  @8"},
		{"another port", flowtest.Get("https://port.example.com/"), "violation host-not-allowed @3"},
		{"an address", flowtest.Get("https://192.0.2.7/"), "allowed  @9"},
		{"another address", flowtest.Get("https://192.0.2.8/"), "violation host-not-allowed @3"},
		{"deny wins", flowtest.Get("https://bad.canada.ca/"), "violation host-denied @18"},
		{"deny by pattern wins over probe", flowtest.Head("https://clients3.google.com/generate_204"), "violation host-denied @20"},
		{"deny by category wins over allow", flowtest.Post("https://app-measurement.com/a", "x"), "violation tracker @19"},
		{"another category is not denied", flowtest.Get("https://graph.facebook.com/v1/me"), "allowed  @10"},
		{"an allowed host's probe path", flowtest.Get("https://clients4.google.com/generate_204"), "allowed  @11"},
		{"tracker", flowtest.Get("https://data.emb-api.com/"), "violation tracker @3"},
		{"tracker below", flowtest.Get("https://a-123.data.emb-api.com/"), "violation tracker @3"},
		{"not every kit tracks", flowtest.Get("https://api.revenuecat.com/v1"), "violation host-not-allowed @3"},
		{"unknown probe", flowtest.Get("https://x.example/generate_204"), "violation captive-portal-probe @3"},
		{"unknown host", flowtest.Get("https://x.example/"), "violation host-not-allowed @3"},
		{"ignored by preset", flowtest.Get("http://captive.apple.com/hotspot-detect.html", flowtest.UserAgentOf(system)), "ignored  @14"},
		{"ignored by preset, unread", flowtest.Refused("gs.apple.com:443"), "ignored  @14"},
		{"a preset's limits", flowtest.Get("http://play.googleapis.com/other", flowtest.UserAgentOf(dalvik)), "violation host-not-allowed @3"},
		{"within a preset's limits", flowtest.Get("http://play.googleapis.com/generate_204", flowtest.UserAgentOf(dalvik)), "ignored  @15"},
		{"a preset does not cover the app", flowtest.Get("http://captive.apple.com/hotspot-detect.html", flowtest.UserAgentOf(app)), "violation captive-portal-probe @3"},
		{"a preset does not cover a library", flowtest.Get("https://captive.apple.com/internet-check", flowtest.UserAgentOf("Dart/3.1 (dart:io)")), "violation captive-portal-probe @3"},
		{"ignored by pattern, the app too", flowtest.Get("http://noise.example/", flowtest.UserAgentOf(app)), "ignored  @16"},
		{"waived", flowtest.Get("https://waived.example/"), "waived host-not-allowed @22"},
		{"a waiver is for its rule", flowtest.Get("https://waived.example/generate_204"), "violation captive-portal-probe @3"},
		{"cleartext", flowtest.Get("http://www.canada.ca/"), "violation cleartext @0"},
		{"cleartext WebSocket", flowtest.Get("ws://www.canada.ca/"), "violation cleartext @0"},
		{"cleartext of another protocol", flowtest.Get("mqtt://www.canada.ca/"), "violation cleartext @0"},
		{"cleartext, waived", flowtest.Get("http://www.old.canada.ca/"), "waived cleartext @23"},
		{"cleartext to a host that is not allowed", flowtest.Get("http://x.example/"), "violation host-not-allowed @3"},
		{"TLS 1.2", flowtest.Get("https://www.canada.ca/", flowtest.TLS(tls.VersionTLS12)), "allowed  @4"},
		{"TLS 1.1", flowtest.Get("https://www.canada.ca/", flowtest.TLS(tls.VersionTLS11)), "violation weak-tls @0"},
		{"TLS 1.1 to noise", flowtest.Get("https://noise.example/", flowtest.TLS(tls.VersionTLS11)), "ignored  @16"},
		{"TLS unknown", flowtest.Get("https://www.canada.ca/", flowtest.TLS(0)), "allowed  @4"},
		{"bad certificate", flowtest.Get("https://www.canada.ca/", flowtest.InvalidCertificate("expired")), "violation invalid-certificate @0"},
		{"failed on the certificate", flowtest.Failed("https://www.canada.ca/", flow.FailureCertificate), "violation invalid-certificate @0"},
		{"failed otherwise", flowtest.Failed("https://www.canada.ca/", flow.FailureRefused), "allowed  @4"},
		{"failed to a host that is not allowed", flowtest.Failed("https://x.example/", flow.FailureDNS), "violation host-not-allowed @3"},
		{"refused", flowtest.Refused("www.canada.ca:443"), "violation undecryptable @4"},
		{"refused by a limited host", flowtest.Refused("api.example.com:443"), "violation undecryptable @5"},
		{"refused, not allowed", flowtest.Refused("x.example:443"), "violation host-not-allowed @3"},
		{"refused by a host with other uses", flowtest.Refused("clients3.google.com:443"), "violation host-denied @20"},
		{"tunnelled", flowtest.Tunnel("www.canada.ca:993"), "violation undecryptable @4"},
		{"passed through", flowtest.PassedThrough("www.canada.ca:443"), "allowed  @4"},
		{"blocked", flowtest.Get("https://x.example/", flowtest.Outcome(flow.Blocked)), "violation host-not-allowed @3"},
		{"open", flowtest.Get("https://www.canada.ca/", flowtest.Outcome(flow.Open)), "allowed  @4"},
		{"served by ourselves", flowtest.Get("http://setup.telltale/", flowtest.Outcome(flow.Served)), "@"},
		{"client turned away", flowtest.Get("https://x.example/", flowtest.Outcome(flow.ClientDenied)), "@"},
		{"no host", &flow.Flow{Kind: flow.Tunnel, Outcome: flow.Malformed}, "@"},
		{"DNS", flowtest.DNS("www.canada.ca"), "allowed  @4"},
		{"DNS of another", flowtest.DNS("x.example"), "violation host-not-allowed @3"},
		{"DNS of a probe's host", flowtest.DNS("detectportal.firefox.com"), "violation captive-portal-probe @3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := p.Judge(tt.f)
			if got := judged(j); got != tt.want {
				t.Errorf("judged %q, want %q", got, tt.want)
			}
			checkJudgement(t, p, tt.f, j)
		})
	}
}

// checkJudgement holds what is true of every judgement.
func checkJudgement(t *testing.T, p *Policy, f *flow.Flow, j Judgement) {
	t.Helper()
	if (j.Verdict == Violation) != (len(j.Findings) > 0) && j.Verdict != Waived {
		t.Errorf("verdict %q with %d findings", j.Verdict, len(j.Findings))
	}
	if j.Verdict != Unjudged && j.Host != f.Host() {
		t.Errorf("host %q, want %q", j.Host, f.Host())
	}
	contacts := 0
	for _, x := range j.Findings {
		d := detectorOf(x.Rule)
		if d == nil || x.Severity != d.Severity || x.Title == "" || x.Message == "" || x.Remedy == "" || x.Host != f.Host() || x.Source.Text == "" {
			t.Errorf("incomplete finding %+v", x)
		}
		switch x.Rule {
		case HostDenied, Tracker, CaptivePortalProbe, HostNotAllowed:
			contacts++
		}
	}
	if contacts > 1 {
		t.Errorf("a contact is a violation under %d rules", contacts)
	}
	if again := p.Judge(f); fmt.Sprint(again) != fmt.Sprint(j) {
		t.Errorf("judged twice: %v and %v", j, again)
	}
}

func TestJudgeNames(t *testing.T) {
	p := parse(t, "version: 1\nallow: [a.example, b.example]\nignore: [n.example, m.example]\ndeny: [d.example]\n")
	names := func(asked, sni, host, url, mode string) *flow.Flow {
		f := flowtest.Get(url, flowtest.Asked(asked), flowtest.Mode(mode))
		f.Server.SNI, f.Server.Host = sni, host
		return f
	}
	for _, tt := range []struct {
		name                       string
		asked, sni, host, url, way string
		want                       string
		who                        string // parts of the message
	}{
		{"all agree", "a.example:443", "a.example", "a.example", "https://a.example/", "http", "allowed  @2", ""},
		{"spelling does not matter", "A.example.:443", "a.EXAMPLE", "a.example:443", "https://a.example./", "http", "allowed  @2", ""},
		{"SNI is another allowed one", "a.example:443", "b.example", "a.example", "https://a.example/", "http", "violation host-mismatch @2", "the TLS server name is b.example"},
		{"Host is another allowed one", "a.example:443", "a.example", "b.example", "https://b.example/", "http", "violation host-mismatch @2", "the Host header says b.example"},
		{"Host is not allowed", "a.example:443", "a.example", "x.example", "https://x.example/", "http", "violation host-mismatch @2", "does not allow x.example"},
		{"Host is denied", "a.example:443", "a.example", "d.example", "https://d.example/", "http", "violation host-mismatch @2", "does not allow d.example"},
		{"asked is not allowed, the rest is", "x.example:443", "a.example", "a.example", "https://a.example/", "http", "violation host-not-allowed+host-mismatch @2", ""},
		{"asked is denied, the rest is allowed", "d.example:443", "a.example", "a.example", "https://a.example/", "http", "violation host-denied+host-mismatch @4", ""},
		{"asked is an address", "192.0.2.1:443", "a.example", "a.example", "https://a.example/", "http", "violation host-not-allowed+host-mismatch @2", ""},
		{"asked is an address, through a tunnel", "192.0.2.1:443", "a.example", "a.example", "https://a.example/", "wireguard", "allowed  @2", ""},
		{"asked is an address, by SOCKS", "[2001:db8::1]:443", "a.example", "a.example", "https://a.example/", "socks5", "allowed  @2", ""},
		{"address alone, through a tunnel", "192.0.2.1:443", "", "", "https://192.0.2.1/", "wireguard", "violation host-not-allowed @2", ""},
		{"SNI against Host, through a tunnel", "192.0.2.1:443", "a.example", "x.example", "https://x.example/", "wireguard", "violation host-mismatch @2", "does not allow x.example"},
		{"noise with a hidden host", "n.example:443", "n.example", "x.example", "https://x.example/", "http", "violation host-mismatch @3", "does not allow x.example"},
		{"noise among itself", "n.example:443", "n.example", "m.example", "https://m.example/", "http", "ignored  @3", ""},
		{"noise claims to be allowed", "n.example:443", "n.example", "a.example", "https://a.example/", "http", "violation host-mismatch @3", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := names(tt.asked, tt.sni, tt.host, tt.url, tt.way)
			j := p.Judge(f)
			if got := judged(j); got != tt.want {
				t.Errorf("judged %q, want %q", got, tt.want)
			}
			if tt.who != "" && !strings.Contains(j.Findings[len(j.Findings)-1].Message, tt.who) {
				t.Errorf("message %q lacks %q", j.Findings[len(j.Findings)-1].Message, tt.who)
			}
			checkJudgement(t, p, f, j)
		})
	}
}

// What no resolver takes for one name may be read as another host by a lenient
// client: a wildcard under allow or ignore does not cover it, one under deny does.
func TestWildcardsAllowOnlyNames(t *testing.T) {
	p := parse(t, "version: 1\nallow: [.canada.ca, \"[2001:db8::1]\"]\nignore: [\"*.noise.example\"]\ndeny: [\"*.bad.example\"]\n")
	for host, want := range map[string]Verdict{
		"evil.example%2f.canada.ca": Violation, "evil.example\n.canada.ca": Violation, "evil.example .canada.ca": Violation,
		"evil.example\x00.canada.ca": Violation, "evil.example／.canada.ca": Violation, "a b.noise.example": Violation,
		"a_b.canada.ca": Allowed, "été.canada.ca": Allowed, "WWW.canada.ca.": Allowed, "a.noise.example": Ignored, "[2001:db8::1]": Allowed,
	} {
		j := p.Judge(&flow.Flow{Kind: flow.HTTP, Server: flow.Server{Asked: host + ":443"}, Request: &flow.Request{URL: "https://" + host + "/"}})
		if j.Verdict != want {
			t.Errorf("%q: %s, want %s", host, j.Verdict, want)
		}
	}
	j := p.Judge(&flow.Flow{Kind: flow.Tunnel, Server: flow.Server{Asked: "a b.bad.example:443"}})
	if j.Rule() != HostDenied {
		t.Errorf("a name that deny covers: %+v", j)
	}
}

func TestJudgeRequirements(t *testing.T) {
	p := parse(t, "version: 1\nallow: [a.example]\nrequire:\n  https: false\n  tls: \"1.3\"\n  certificate: any\n")
	for name, tt := range map[string]struct {
		f    *flow.Flow
		want string
	}{
		"cleartext may be": {flowtest.Get("http://a.example/"), "allowed  @2"},
		"TLS 1.2":          {flowtest.Get("https://a.example/", flowtest.TLS(tls.VersionTLS12)), "violation weak-tls @5"},
		"TLS 1.3":          {flowtest.Get("https://a.example/", flowtest.TLS(tls.VersionTLS13)), "allowed  @2"},
		"any certificate":  {flowtest.Get("https://a.example/", flowtest.InvalidCertificate("expired")), "allowed  @2"},
	} {
		if got := judged(p.Judge(tt.f)); got != tt.want {
			t.Errorf("%s: judged %q, want %q", name, got, tt.want)
		}
	}
	strict := parse(t, "version: 1\nallow: [a.example]\nrequire: {https: true, certificate: valid}\n")
	j := strict.Judge(flowtest.Get("http://a.example/"))
	if j.Source.Line != 3 || j.Source.Text != "require: https: true" {
		t.Errorf("source %+v", j.Source)
	}
}

func TestJudgeOrderOfTheContract(t *testing.T) {
	// A waiver comes before ignore: the example of the contract has both.
	p := parse(t, contractPolicy)
	j := p.Judge(flowtest.Get("http://captive.apple.com/hotspot-detect.html", flowtest.UserAgentOf(system)))
	if got := judged(j); got != "waived captive-portal-probe @23" {
		t.Errorf("judged %q", got)
	}
	checkJudgement(t, p, flowtest.Get("http://captive.apple.com/hotspot-detect.html", flowtest.UserAgentOf(system)), j)
	if got := judged(p.Judge(flowtest.Get("https://time.apple.com/"))); !strings.HasPrefix(got, "violation") {
		t.Errorf("the app's own request is noise: %q", got)
	}
	if got := judged(p.Judge(flowtest.Get("https://time.apple.com/", flowtest.UserAgentOf("timed/1")))); got != "ignored  @12" {
		t.Errorf("noise: %q", got)
	}
}

func TestJudgeWaivesPartly(t *testing.T) {
	p := parse(t, "version: 1\nallow: [a.example]\nwaivers: [{rule: cleartext, host: a.example, reason: x, until: 2027-01-01}]\n")
	f := flowtest.Get("http://a.example/", flowtest.Asked("a.example:80"))
	f.Server.Host = "b.example"
	j := p.Judge(f)
	if got := judged(j); got != "violation host-mismatch @2" {
		t.Errorf("judged %q", got)
	}
}

func TestJudgeDeniedProbes(t *testing.T) {
	p := parse(t, "version: 1\nallow: [\"*.google.com\"]\ndeny: [{category: captive-portal}, {category: public-ip}]\n")
	for name, tt := range map[string]struct {
		f    *flow.Flow
		want string
	}{
		"probe":           {flowtest.Head("https://clients3.google.com/generate_204"), "violation captive-portal-probe @3"},
		"no probe":        {flowtest.Head("https://clients3.google.com/other"), "allowed  @2"},
		"public address":  {flowtest.Get("https://icanhazip.com/"), "violation captive-portal-probe @3"},
		"public address2": {flowtest.Get("https://api.ipify.org/"), "violation host-denied @3"},
	} {
		if got := judged(p.Judge(tt.f)); got != tt.want {
			t.Errorf("%s: judged %q, want %q", name, got, tt.want)
		}
	}
}

func TestJudgeWithoutFile(t *testing.T) {
	p, err := New([]string{"*.canada.ca"})
	if err != nil {
		t.Fatal(err)
	}
	if got := judged(p.Judge(flowtest.Get("https://a.canada.ca/"))); got != "allowed  @--allow '*.canada.ca'" {
		t.Errorf("judged %q", got)
	}
	if got := judged(p.Judge(flowtest.Get("https://x.example/"))); got != "violation host-not-allowed @nothing in allow names this host" {
		t.Errorf("judged %q", got)
	}
	if err := p.AllowAlso("x.example"); err != nil {
		t.Fatal(err)
	}
	if got := judged(p.Judge(flowtest.Get("https://x.example/"))); got != "allowed  @--allow 'x.example'" {
		t.Errorf("after AllowAlso: judged %q", got)
	}
}

// TestTheProbe holds the finding that telltale was made for: what it says, not only
// that it is there.
func TestTheProbe(t *testing.T) {
	p := parse(t, contractPolicy)
	for _, tt := range []struct {
		f    *flow.Flow
		says []string
		not  []string
	}{
		{flowtest.Head("https://clients3.google.com/generate_204", flowtest.UserAgentOf(app)),
			[]string{"Likely sent by @react-native-community/netinfo", "tells Google who runs this app", app, "IP address", "every 60 s", "NetInfo.configure({reachabilityUrl: ''})", "iOS"},
			[]string{"not verified"}},
		{flowtest.Head("https://clients4.google.com/generate_204", flowtest.UserAgentOf(app)),
			[]string{"Likely sent by a library inside the app", "tells Google who runs this app", "NetInfo.configure({reachabilityUrl: ''})", "Chrome for Android"}, nil},
		{flowtest.Get("https://clients4.google.com/generate_204", flowtest.UserAgentOf(browser)),
			[]string{"Likely sent by Chrome for Android", "preset: chrome-browser"}, []string{"NetInfo.configure", "who runs this app"}},
		{flowtest.Get("http://clients3.google.com/generate_204", flowtest.UserAgentOf(dalvik)),
			[]string{"Likely sent by", "ReactiveNetwork", "Android itself"}, []string{"NetInfo.configure"}},
		{flowtest.Get("http://connectivity.samsung.com/", flowtest.UserAgentOf(dalvik)),
			[]string{"not verified"}, []string{"who runs this app"}},
	} {
		j := p.Judge(tt.f)
		if j.Rule() != CaptivePortalProbe || j.Category != "captive-portal" || j.Findings[0].Owner == "" {
			t.Fatalf("%s: judged %+v", tt.f.URL(), j)
		}
		text := j.Findings[0].Title + "\n" + j.Findings[0].Message + "\n" + j.Findings[0].Remedy
		for _, s := range tt.says {
			if !strings.Contains(text, s) {
				t.Errorf("%s %s lacks %q:\n%s", tt.f.Method(), tt.f.URL(), s, text)
			}
		}
		for _, s := range tt.not {
			if strings.Contains(text, s) {
				t.Errorf("%s %s says %q:\n%s", tt.f.Method(), tt.f.URL(), s, text)
			}
		}
	}
}

func TestJudgeConcurrently(t *testing.T) {
	p := parse(t, testPolicy)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				url := fmt.Sprintf("https://h%d.canada.ca/", (g*i)%6000)
				if j := p.Judge(flowtest.Get(url)); j.Verdict != Allowed {
					t.Errorf("%s: %+v", url, j)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestJudgeBoundsItsMemory(t *testing.T) {
	p := parse(t, testPolicy)
	for i := range 3 * maxHosts {
		p.Judge(&flow.Flow{Kind: flow.Tunnel, Outcome: flow.PassedThrough, Server: flow.Server{Asked: fmt.Sprintf("h%d.x.example:443", i)}})
	}
	if len(p.hosts) > maxHosts {
		t.Errorf("%d hosts are kept", len(p.hosts))
	}
}

func TestEveryRuleHasADetector(t *testing.T) {
	seen := map[Rule]bool{}
	for _, d := range Detectors {
		if seen[d.Rule] || d.Title == "" || d.Help == "" || d.Detect == nil || d.Severity != SeverityError && d.Severity != SeverityWarning {
			t.Errorf("detector %+v", d)
		}
		seen[d.Rule] = true
	}
	for _, r := range Rules {
		if !seen[r] {
			t.Errorf("no detector for %s", r)
		}
	}
}

func benchmarkPolicy(b *testing.B) *Policy {
	b.Helper()
	p, err := Parse("telltale.yaml", []byte(contractPolicy), options())
	if err != nil {
		b.Fatal(err)
	}
	return p
}

const benchURL = "https://retrieval.covid-notification.alpha.canada.ca/exposure-configuration/CA.json"

func BenchmarkJudgeAllowed(b *testing.B) {
	p := benchmarkPolicy(b)
	p.secrets = nil
	f := flowtest.Get(benchURL)
	b.ReportAllocs()
	for b.Loop() {
		p.Judge(f)
	}
}

func BenchmarkJudgeAllowedWithSecret(b *testing.B) {
	p := benchmarkPolicy(b)
	f := flowtest.Get(benchURL)
	b.ReportAllocs()
	for b.Loop() {
		p.Judge(f)
	}
}

func BenchmarkJudgeLimited(b *testing.B) {
	p := benchmarkPolicy(b)
	p.secrets = nil
	f := flowtest.Get("https://ocsp.digicert.com/MFEwTzBNMEswSTAJBgUrDgMCGgUABBTk45WiKdPUwcMf8")
	b.ReportAllocs()
	for b.Loop() {
		p.Judge(f)
	}
}

func BenchmarkJudgeProbe(b *testing.B) {
	p := benchmarkPolicy(b)
	p.secrets = nil
	f := flowtest.Head("https://clients3.google.com/generate_204")
	b.ReportAllocs()
	for b.Loop() {
		p.Judge(f)
	}
}

func BenchmarkJudgeNewHosts(b *testing.B) {
	p := benchmarkPolicy(b)
	p.secrets = nil
	flows := make([]*flow.Flow, 2*maxHosts)
	for i := range flows {
		flows[i] = flowtest.Get(fmt.Sprintf("https://h%d.canada.ca/", i))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p.Judge(flows[i%len(flows)])
	}
}

func BenchmarkParse(b *testing.B) {
	opts := Options{Env: options().Env, Now: func() time.Time { return today }}
	for b.Loop() {
		if _, err := Parse("telltale.yaml", []byte(contractPolicy), opts); err != nil {
			b.Fatal(err)
		}
	}
}
