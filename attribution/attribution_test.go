package attribution_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"telltale/attribution"
	"telltale/flow"
	"telltale/flow/flowtest"
)

const (
	covid   = "t13d1516h2_aaaaaaaaaaaa_000000000000"
	shared  = "t13d1517h2_bbbbbbbbbbbb_111111111111"
	library = "t13d1519h2_dddddddddddd_333333333333"
	strange = "t13d1518h2_cccccccccccc_222222222222"
)

var phone = flowtest.From("192.168.1.23:50000")

// audit is what a phone did while its apps were watched.
func audit() []*flow.Flow {
	return flowtest.Number(
		flowtest.Get("https://api.example/", phone, flowtest.JA4(covid)),
		flowtest.Get("https://news.example/", phone, flowtest.JA4(shared), flowtest.UserAgentOf("News/3.1 (Android 14)")),
		flowtest.Get("https://mail.example/", phone, flowtest.JA4(shared), flowtest.UserAgentOf("Mail/2 (Android 14)")),
		flowtest.Get("https://lib.example/", phone, flowtest.JA4(strange), flowtest.UserAgentOf("okhttp/4.9.1")),
		flowtest.Get("https://weather.example/", phone, flowtest.JA4(library), flowtest.UserAgentOf("Weather/3.1 (Android 14)")),
		flowtest.Get("https://ads.example/", phone, flowtest.JA4(library), flowtest.UserAgentOf("okhttp/4.9.1")),
		flowtest.Refused("pinned.example", phone, flowtest.JA4(covid)),
		flowtest.Refused("both.example", phone, flowtest.JA4(shared)),
		flowtest.Tunnel("raw.example:5223", phone),
		flowtest.Seen("tracker.example", "CovidShield", "ca.example.covid"),
		flowtest.Seen("cdn.example", "CovidShield", "ca.example.covid"),
		flowtest.Seen("cdn.example", "News", "example.news"),
		flowtest.Get("http://plain.example/", phone, flowtest.UserAgentOf("")),
	)
}

func TestWaysOfKnowing(t *testing.T) {
	tests := []struct {
		name  string
		f     *flow.Flow
		words string
		how   attribution.How
		app   string
	}{
		{"said of the flow", flowtest.Refused("x.example", phone, flowtest.JA4(shared), flowtest.AppOf("Chess", "example.chess")),
			"Chess, by the phone's own record", attribution.Said, "Chess"},
		{"said by its ID alone", flowtest.Refused("x.example", flowtest.AppOf("", "example.chess")), "example.chess, by the phone's own record", attribution.Said, "example.chess"},
		{"User-Agent", flowtest.Get("https://new.example/", phone, flowtest.JA4(shared)), "CovidShield, by its User-Agent", attribution.Agent, "CovidShield"},
		{"a person's browser", flowtest.Get("https://new.example/", phone, flowtest.UserAgentOf("Mozilla/5.0 (Android 14; Mobile; rv:125.0) Gecko/125.0 Firefox/125.0")),
			"Firefox, by its User-Agent", attribution.Agent, "Firefox"},
		{"record of the host", flowtest.Refused("tracker.example", phone, flowtest.JA4(strange)),
			"likely CovidShield: of all apps only it contacted this host, by the phone's own record", attribution.Record, "CovidShield"},
		{"record of two", flowtest.Refused("cdn.example", phone, flowtest.JA4(strange)),
			"CovidShield or News: all of them contacted this host, by the phone's own record", "", ""},
		{"fingerprint", flowtest.Refused("pinned.example", phone, flowtest.JA4(covid)),
			"likely CovidShield: of the apps that named themselves on this device, only CovidShield has used the TLS fingerprint " + covid, attribution.Fingerprint, "CovidShield"},
		{"fingerprint of two", flowtest.Refused("pinned.example", phone, flowtest.JA4(shared)),
			"Mail or News: all of them have used the TLS fingerprint " + shared + " on this device", "", ""},
		{"fingerprint on another device", flowtest.Refused("pinned.example", flowtest.From("192.168.1.99:1"), flowtest.JA4(covid)), "", "", ""},
		{"fingerprint of a library", flowtest.Get("https://lib.example/", phone, flowtest.JA4(strange), flowtest.UserAgentOf("okhttp/4.9.1")), "", "", ""},
		{"fingerprint of an app and a library", flowtest.Refused("pinned.example", phone, flowtest.JA4(library)),
			"Weather, or an app whose User-Agent names only a library: all of them have used the TLS fingerprint " + library + " on this device", "", ""},
		{"question for a host of an app or a library", flowtest.DNS("ads.example", phone),
			"Weather, or an app whose User-Agent names only a library: all of them have contacted this host on this device", "", ""},
		{"fingerprint of no device", flowtest.Refused("pinned.example", flowtest.From("0.0.0.0:0"), flowtest.JA4(covid)), "", "", ""},
		{"web view", flowtest.Get("https://x.example/", flowtest.JA4(strange), phone,
			flowtest.UserAgentOf("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148")), "", "", ""},
		{"question for a host of one app", flowtest.DNS("api.example", phone),
			"likely CovidShield: of the apps on this device only it has contacted this host", attribution.Host, "CovidShield"},
		{"question for a host known by fingerprint", flowtest.DNS("pinned.example", phone),
			"likely CovidShield: of the apps on this device only it has contacted this host", attribution.Host, "CovidShield"},
		{"question for a host of two", flowtest.DNS("both.example", phone), "Mail or News: all of them have contacted this host on this device", "", ""},
		{"question for a host of nobody known", flowtest.DNS("lib.example", phone), "", "", ""},
		{"question for a host without TLS", flowtest.DNS("raw.example", phone), "", "", ""},
		{"question that leads nowhere", flowtest.DNS("unknown.example", phone), "", "", ""},
		{"datagrams", flowtest.QUIC("192.0.2.1", "api.example", phone), "likely CovidShield: of the apps on this device only it has contacted this host", attribution.Host, "CovidShield"},
		{"a connection is no question", flowtest.Tunnel("api.example:22", phone), "", "", ""},
	}
	book := attribution.NewBook()
	for _, f := range audit() {
		book.Learn(f)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := book.Of(tt.f)
			if got.Words != tt.words || got.How != tt.how || got.App != tt.app || got.Known() != (tt.how != "") {
				t.Errorf("got %+v", got)
			}
			if again := book.OfTrace(book.Learn(&flow.Flow{Outcome: flow.Served})); again.Known() {
				t.Errorf("what telltale served has an app: %+v", again)
			}
		})
	}
}

// state is all that a book answers, and a number that moves with it.
func state(b *attribution.Book, flows []*flow.Flow) string {
	var all strings.Builder
	for _, f := range flows {
		fmt.Fprintf(&all, "%+v\n", b.Of(f))
	}
	return all.String()
}

func TestAnswersDependOnTheFlowsAlone(t *testing.T) {
	flows := audit()
	for i := range 12 { // more apps than are remembered
		flows = append(flows, flowtest.Get("https://busy.example/", phone, flowtest.JA4("t13d_busy"), flowtest.UserAgentOf(fmt.Sprintf("App%02d/1", i))))
	}
	for i := range 6 { // more fingerprints than are remembered
		flows = append(flows, flowtest.Refused("many.example", phone, flowtest.JA4(fmt.Sprintf("t13d_%d", i))))
	}
	flows = append(flows, flowtest.DNS("many.example", phone), flowtest.DNS("busy.example", phone), flowtest.Refused("p.example", phone, flowtest.JA4("t13d_busy")))
	first := attribution.NewBook()
	for _, f := range flows {
		first.Learn(f)
	}
	want := state(first, flows)
	for seed := range uint64(20) {
		book := attribution.NewBook()
		for _, i := range rand.New(rand.NewPCG(seed, 1)).Perm(len(flows)) {
			book.Learn(flows[i])
			book.Learn(flows[i]) // in two states
		}
		if got := state(book, flows); got != want {
			t.Fatalf("seed %d:\n%s\nwant\n%s", seed, got, want)
		}
	}
}

// TestLibrariesAreNoApps reads what libraries and kits send, and what apps do that are made
// with them.
func TestLibrariesAreNoApps(t *testing.T) {
	t.Parallel()
	for agent, app := range map[string]string{
		"FBiOSSDK.18.0.2": "", "FBiOSSDK/18.0": "", "FBAndroidSDK.16.3.0": "", "SentryCocoa/8.1.0": "", "sentry-cocoa/8.2": "",
		"sentry.java.android/6.1": "", "sentry.cocoa/8.30 (iOS 17)": "", "GoogleAnalytics/3.0 (Linux; U; Android 14; en-us; Pixel 8 Build/X)": "",
		"Google Analytics/3": "", "Stripe/v1 AndroidBindings/20.34.4": "", "stripe-android/20": "", "Stripe iOS/23": "", "Datadog/1": "",
		"Embrace/i/6.1": "", "AppsFlyer/6": "", "Ktor client": "", "ktor-client": "", "KTOR-Client/2": "", "Python/3.11 aiohttp/3.9": "",
		"python-requests/2.31": "", "node-superagent/3.8": "", "axios/1.6": "", "Google-HTTP-Java-Client/1.41 (gzip)": "",
		"Apache-HttpClient/4.5 (Java/1.8)": "", "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/X)": "", "Dart/3.2 (dart:io)": "",
		"Cronet/118": "", "libcurl/8": "", "curl/8.1": "", "Go-http-client/2.0": "", "okhttp/4.9": "", "okhttp": "", "Volley": "",
		"Retrofit/2": "", "Faraday v2.7": "", "GuzzleHttp/7": "", "CFNetwork/1410.0.3 Darwin/22.6.0": "", "Alamofire/5": "",
		"Name/1 (id.example; build:1; iOS 17.0.0) Alamofire/5.8": "Name", "CovidShield/1 CFNetwork/1410.0.3 Darwin/22.6.0": "CovidShield",
		"SentrySafe/2 (Android 14)": "SentrySafe", "Curler/1": "Curler",
	} {
		f := flowtest.Get("https://x.example/", phone, flowtest.UserAgentOf(agent))
		if got := attribution.NewBook().Of(f).App; got != app {
			t.Errorf("%q is of %q, want %q", agent, got, app)
		}
	}
}

func TestGenerationMovesWithNewsAlone(t *testing.T) {
	book := attribution.NewBook()
	f := flowtest.Get("https://a.example/", phone)
	book.Learn(f)
	before := book.Generation()
	book.Learn(f)
	book.Learn(flowtest.Get("https://a.example/other", phone))
	if book.Generation() != before {
		t.Error("what was known is news")
	}
	book.Learn(flowtest.Get("https://b.example/", phone))
	if book.Generation() == before {
		t.Error("another host is no news")
	}
}

// A way of which there is too much to remember falls silent, in any order.
func TestMemoryIsBounded(t *testing.T) {
	book := attribution.NewBook()
	known := flowtest.Get("https://a.example/", phone, flowtest.JA4(covid))
	book.Learn(known)
	for i := range 20_000 {
		book.Learn(flowtest.Get("https://a.example/", phone, flowtest.JA4(fmt.Sprintf("t13d_%d", i))))
	}
	f := flowtest.Refused("pinned.example", phone, flowtest.JA4(covid))
	if a := book.Of(f); a.Known() {
		t.Errorf("after too many fingerprints: %+v", a)
	}
	before := book.Generation()
	book.Learn(flowtest.Get("https://a.example/", phone, flowtest.JA4("t13d_more")))
	if book.Generation() != before {
		t.Error("what finds no room is news")
	}
	if a := book.Of(flowtest.DNS("a.example", phone)); a.App != "CovidShield" {
		t.Errorf("the other ways: %+v", a)
	}
}

func TestOneAppWithAndWithoutItsIdentifier(t *testing.T) {
	book := attribution.NewBook()
	book.Learn(flowtest.Get("https://a.example/", phone, flowtest.JA4(covid)))
	book.Learn(flowtest.Refused("b.example", phone, flowtest.JA4(covid), flowtest.AppOf("covidshield", "ca.example.covid")))
	book.Learn(flowtest.Refused("b.example", phone, flowtest.JA4(covid), flowtest.AppOf("", "ca.example.covid")))
	if a := book.Of(flowtest.Refused("c.example", phone, flowtest.JA4(covid))); a.ID != "ca.example.covid" || a.How != attribution.Fingerprint {
		t.Errorf("got %+v", a)
	}
	book.Learn(flowtest.Refused("b.example", phone, flowtest.JA4(covid), flowtest.AppOf("CovidShield", "evil.example")))
	if a := book.Of(flowtest.Refused("c.example", phone, flowtest.JA4(covid))); a.Known() || len(a.Others) == 0 {
		t.Errorf("two apps of one name: %+v", a)
	}
}

func FuzzTexts(f *testing.F) {
	f.Add("\x1b[31mApp\u202e", "id\n", "t13d", "App/1 (x)")
	f.Add(strings.Repeat("W", 500), "", "q13", "Mozilla/5.0")
	f.Fuzz(func(t *testing.T, name, id, ja4, agent string) {
		book := attribution.NewBook()
		flows := []*flow.Flow{
			flowtest.Get("https://a.example/", phone, flowtest.JA4(ja4), flowtest.UserAgentOf(agent)),
			flowtest.Refused("a.example", phone, flowtest.JA4(ja4), flowtest.AppOf(name, id)),
			flowtest.Refused("a.example", phone, flowtest.JA4(ja4)), flowtest.DNS("a.example", phone),
		}
		for _, fl := range flows {
			book.Learn(fl)
		}
		for _, fl := range flows {
			a := book.Of(fl)
			for _, text := range append([]string{a.App, a.ID, a.Words}, a.Others...) {
				if strings.ContainsAny(text, "\n\r\x1b\u202e\x00\u200b") || len(text) > 4096 {
					t.Errorf("%q", text)
				}
			}
		}
	})
}

func BenchmarkLearn(b *testing.B) {
	book := attribution.NewBook()
	flows := audit()
	for i := range b.N {
		book.Learn(flows[i%len(flows)])
	}
}
