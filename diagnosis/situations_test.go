package diagnosis_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"telltale/diagnosis"
	"telltale/flow"
	"telltale/flow/flowtest"
)

var update = flag.Bool("update", false, "write the goldens")

// User-Agents of the devices in the situations.
const (
	iosApp      = "CovidShield/1.0.2 CFNetwork/1120 Darwin/19.0.0"
	iosBank     = "Bank/7 CFNetwork/1120 Darwin/19.0.0"
	safari      = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
	apsd        = "apsd/1 CFNetwork/1120 Darwin/19.0.0"
	androidApp  = "okhttp/4.12.0"
	androidGame = "Game/3 (Linux; U; Android 14; Pixel 8)"
	chrome      = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36"
	gms         = "com.google.android.gms/243 (Linux; U; Android 14; Pixel 8 Build/AP1A)"
	oldApp      = "Dalvik/1.6.0 (Linux; U; Android 6.0; Nexus 5 Build/MRA58K)"
	linuxChrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
	firefox     = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
)

// Alerts that clients send.
const (
	unknownCA   = "unknown_ca (48)"
	unknownCert = "certificate_unknown (46)"
	badCert     = "bad_certificate (42)"
	expired     = "certificate_expired (45)"
)

func after(seconds int) flowtest.Option { return flowtest.At(time.Duration(seconds) * time.Second) }

// times repeats what happens each ten seconds.
func times(n, from int, make func(at flowtest.Option) *flow.Flow) []*flow.Flow {
	var flows []*flow.Flow
	for i := range n {
		flows = append(flows, make(after(from+10*i)))
	}
	return flows
}

func join(flows ...[]*flow.Flow) []*flow.Flow {
	var all []*flow.Flow
	for _, f := range flows {
		all = append(all, f...)
	}
	return all
}

func these(flows ...*flow.Flow) []*flow.Flow { return flows }

// setUp is a device that fetched the certificate and trusts it.
func setUp(browser string) []*flow.Flow {
	return these(served(browser, "http://setup.telltale/"), served(browser, "http://setup.telltale/ca.cer", after(5)), read(browser, "news.example", after(30)))
}

func isApp(agent string) func(string) bool { return func(ua string) bool { return ua == agent } }

// situations are those of docs/diagnosis.md. want is cause, certainty and app of each
// diagnosis.
var situations = []struct {
	name  string
	flows []*flow.Flow
	known diagnosis.Known
	want  []string
}{
	{"nothing", nil, diagnosis.Known{}, nil},
	{"all is read", join(setUp(safari), these(read(iosApp, "api.example"))), diagnosis.Known{App: isApp(iosApp)}, nil},
	{"plain HTTP alone", these(flowtest.Get("http://a.example/")), diagnosis.Known{}, nil},

	{"not installed, a browser refuses", join(
		times(3, 0, func(at flowtest.Option) *flow.Flow { return refused(safari, "news.example", unknownCA, at) }),
		times(2, 5, func(at flowtest.Option) *flow.Flow { return refused(iosApp, "api.example", unknownCert, at) }),
	), diagnosis.Known{}, []string{"ca-not-installed likely "}},
	{"not installed, one app was seen", times(3, 0, func(at flowtest.Option) *flow.Flow { return refused(iosApp, "api.example", "", at) }),
		diagnosis.Known{}, []string{"ca-not-installed possible " + iosApp}},
	{"not installed, the program has its own store", these(refused("Java/17.0.15", "a.example", unknownCert)),
		diagnosis.Known{}, []string{"ca-not-installed possible Java/17.0.15"}},
	{"not installed, the page's test failed", these(served(chrome, "http://setup.telltale/"), refused(chrome, flow.SetupHost, unknownCert, after(2))),
		diagnosis.Known{}, []string{"ca-not-installed likely " + chrome}},
	{"not installed, fetched afterwards and not tried again", these(refused(safari, "news.example", unknownCA), served(safari, "http://setup.telltale/ca.mobileconfig", after(60))),
		diagnosis.Known{}, []string{"ca-not-installed likely " + safari}},
	{"likewise, while it goes on", these(refused(safari, "news.example", unknownCA), served(safari, "http://setup.telltale/ca.mobileconfig", after(60))),
		diagnosis.Known{Now: flowtest.Epoch.Add(2 * time.Minute)}, nil},
	{"iOS: the second switch", join(these(served(safari, "http://setup.telltale/ca.mobileconfig")),
		times(4, 60, func(at flowtest.Option) *flow.Flow { return refused(safari, "news.example", unknownCert, at) })),
		diagnosis.Known{}, []string{"ca-not-trusted certain " + safari}},
	{"Android: downloaded, not installed", join(these(served(chrome, "http://setup.telltale/ca.cer")),
		times(4, 60, func(at flowtest.Option) *flow.Flow { return refused(chrome, "news.example", unknownCert, at) }),
		these(refused(androidApp, "api.example", unknownCert, after(70)))), diagnosis.Known{}, []string{"ca-not-trusted certain "}},
	{"Android: fetched, only an app was tried", join(these(served(chrome, "http://setup.telltale/ca.cer")),
		times(4, 60, func(at flowtest.Option) *flow.Flow { return refused(androidApp, "api.example", unknownCert, at) })),
		diagnosis.Known{}, []string{"ca-not-trusted possible " + androidApp}},
	{"desktop: the wrong store", join(these(served(linuxChrome, "http://setup.telltale/ca.pem")),
		times(2, 60, func(at flowtest.Option) *flow.Flow { return refused(linuxChrome, "news.example", unknownCert, at) })),
		diagnosis.Known{}, []string{"ca-not-trusted certain " + linuxChrome}},
	{"no longer trusted", join(setUp(safari), these(read(safari, "mail.example", after(40)), read(iosApp, "api.example", after(50)),
		refused(safari, "news.example", unknownCert, after(400)), refused(safari, "mail.example", unknownCert, after(410)), refused(iosApp, "api.example", unknownCert, after(420)))),
		diagnosis.Known{}, []string{"ca-not-trusted likely "}},
	{"no longer trusted, and two apps say so", join(setUp(safari), these(read(iosApp, "api.example", after(50)), read(iosBank, "bank.example", after(51)),
		refused(iosApp, "api.example", unknownCert, after(400)), refused(iosBank, "bank.example", unknownCert, after(410)))),
		diagnosis.Known{}, []string{"ca-not-trusted likely "}},
	{"an app that pins a part of what it does, and was seen last", join(setUp(safari), these(read(iosBank, "api.example", after(60)), read(iosBank, "cdn.example", after(61)),
		refused(iosBank, "api.example", unknownCA, after(62)), refused(iosBank, "cdn.example", unknownCA, after(63)))), diagnosis.Known{}, nil},
	{"no longer trusted, as one app says for a long time", join(setUp(safari), these(read(iosBank, "api.example", after(60)), read(iosBank, "cdn.example", after(61))),
		times(70, 70, func(at flowtest.Option) *flow.Flow { return refused(iosBank, "api.example", unknownCA, at) }),
		times(70, 71, func(at flowtest.Option) *flow.Flow { return refused(iosBank, "cdn.example", unknownCA, at) })),
		diagnosis.Known{}, []string{"ca-not-trusted likely "}},
	{"one connection of a browser is broken off", these(refused(safari, "news.example", "")), diagnosis.Known{}, []string{"ca-not-installed possible " + safari}},
	{"likewise, after it fetched the certificate", these(served(safari, "http://setup.telltale/ca.cer"), refused(safari, "news.example", "", after(3))),
		diagnosis.Known{}, []string{"ca-not-trusted possible " + safari}},
	{"a browser refused before it fetched the certificate, since then only an app", these(refused(safari, "news.example", unknownCA), served(safari, "http://setup.telltale/ca.cer", after(5)),
		refused(iosBank, "bank.example", unknownCA, after(60)), refused(iosBank, "bank.example", unknownCA, after(70))),
		diagnosis.Known{}, []string{"ca-not-trusted possible "}},

	{"Android 7 and later: the browser can be read, the app not", join(setUp(chrome),
		times(4, 60, func(at flowtest.Option) *flow.Flow { return refused(androidApp, "api.example", unknownCert, at) }),
		these(refused(androidApp, "firebase.googleapis.com", unknownCert, after(61)))),
		diagnosis.Known{App: isApp(androidApp)}, []string{"user-ca-ignored likely " + androidApp}},
	{"likewise, by the page's test", join(these(served(chrome, "https://setup.telltale/test")),
		times(4, 60, func(at flowtest.Option) *flow.Flow { return refused(androidApp, "api.example", unknownCert, at) })),
		diagnosis.Known{App: isApp(androidApp)}, []string{"user-ca-ignored likely " + androidApp}},
	{"likewise, another app can be read", join(setUp(chrome), these(read(androidGame, "game.example")),
		times(4, 60, func(at flowtest.Option) *flow.Flow { return refused(androidApp, "api.example", unknownCert, at) })),
		diagnosis.Known{App: isApp(androidApp)}, []string{"user-ca-ignored possible " + androidApp}},
	{"Android with the certificate in the system's store", join(setUp(chrome), these(read(gms, "connect.example")),
		times(4, 60, func(at flowtest.Option) *flow.Flow { return refused(androidApp, "api.example", unknownCert, at) })),
		diagnosis.Known{App: isApp(androidApp)}, []string{"app-pinning likely " + androidApp}},
	{"Android 6", join(these(read("Game/1 (Linux; U; Android 6.0; Nexus 5)", "game.example")),
		times(4, 60, func(at flowtest.Option) *flow.Flow { return refused(oldApp, "api.example", unknownCert, at) })),
		diagnosis.Known{}, []string{"app-pinning possible " + oldApp}},

	{"pinning: some hosts of the app", join(setUp(safari), times(3, 60, func(at flowtest.Option) *flow.Flow { return read(iosApp, "cdn.example", at) }),
		times(14, 61, func(at flowtest.Option) *flow.Flow { return refused(iosApp, "api.example", unknownCA, at) })),
		diagnosis.Known{App: isApp(iosApp)}, []string{"app-pinning likely " + iosApp}},
	{"pinning: once", join(setUp(safari), these(read(iosApp, "cdn.example", after(50)), refused(iosApp, "api.example", unknownCert, after(60)))),
		diagnosis.Known{}, []string{"app-pinning likely " + iosApp}},
	{"a connection broken off once", join(setUp(safari), these(read(iosApp, "cdn.example", after(50)), refused(iosApp, "api.example", "", after(60)))),
		diagnosis.Known{}, []string{"app-pinning possible " + iosApp}},
	{"a page closed while it loaded", join(setUp(safari), these(refused(safari, "news.example", "", after(60)), refused(safari, "news.example", "", after(70)))), diagnosis.Known{}, nil},
	{"pinning: every host of an app on iOS", join(setUp(safari), times(3, 60, func(at flowtest.Option) *flow.Flow { return refused(iosBank, "bank.example", "", at) })),
		diagnosis.Known{}, []string{"app-pinning likely " + iosBank}},
	{"pinning: after the handshake", join(setUp(chrome), these(read(androidApp, "cdn.example", after(50))),
		times(5, 60, func(at flowtest.Option) *flow.Flow { return silent(androidApp, "api.example", at) })),
		diagnosis.Known{}, []string{"app-pinning likely " + androidApp}},
	{"connections opened ahead", join(setUp(chrome), times(6, 60, func(at flowtest.Option) *flow.Flow { return silent(chrome, "ads.example", at) }),
		these(silent(androidApp, "api.example", after(60)), silent(androidApp, "cdn.example", after(61)))), diagnosis.Known{}, nil},
	{"pinning: connections without a name, one program has the stack", join(setUp(safari), these(read(iosApp, "cdn.example", stack("aaaaaaaaaaaa"), after(50))),
		times(3, 60, func(at flowtest.Option) *flow.Flow {
			return refused("", "api.example", unknownCert, stack("aaaaaaaaaaaa"), at)
		})),
		diagnosis.Known{}, []string{"app-pinning possible " + iosApp}},
	{"pinning: connections without a name beside some with", join(setUp(safari), these(read(iosApp, "cdn.example", stack("aaaaaaaaaaaa"), after(50)),
		refused(iosApp, "api.example", unknownCert, after(55))), times(3, 60, func(at flowtest.Option) *flow.Flow {
		return refused("", "pay.example", unknownCert, stack("aaaaaaaaaaaa"), at)
	})),
		diagnosis.Known{}, []string{"app-pinning likely " + iosApp}},
	{"pinning: two programs without a name", join(setUp(safari),
		times(3, 60, func(at flowtest.Option) *flow.Flow {
			return refused("", "api.example", unknownCert, stack("bbbbbbbbbbbb"), at)
		}),
		times(3, 61, func(at flowtest.Option) *flow.Flow {
			return refused("", "pay.example", unknownCert, stack("cccccccccccc"), at)
		})),
		diagnosis.Known{}, []string{"app-pinning likely ", "app-pinning likely "}},
	{"pinning: connections without a name, several have it", join(setUp(safari), these(read(iosApp, "cdn.example", after(50))),
		times(3, 60, func(at flowtest.Option) *flow.Flow { return refused("", "api.example", unknownCert, at) })),
		diagnosis.Known{}, []string{"app-pinning likely "}},
	{"OkHttp, and nothing says what the device is", join(these(read("Other/1", "news.example", after(30))),
		times(4, 60, func(at flowtest.Option) *flow.Flow { return refused(androidApp, "api.example", unknownCert, at) })),
		diagnosis.Known{}, []string{"user-ca-ignored possible " + androidApp}},
	{"OkHttp in a Java program", join(setUp(linuxChrome),
		times(4, 60, func(at flowtest.Option) *flow.Flow { return refused(androidApp, "api.example", unknownCert, at) })),
		diagnosis.Known{}, []string{"app-pinning possible " + androidApp}},
	{"OkHttp beside an iPhone", join(setUp(safari),
		times(4, 60, func(at flowtest.Option) *flow.Flow { return refused(androidApp, "api.example", unknownCert, at) })),
		diagnosis.Known{}, []string{"app-pinning possible " + androidApp}},
	{"two apps, each its own way", join(setUp(chrome), these(read(androidGame, "game.example", after(40))),
		times(3, 60, func(at flowtest.Option) *flow.Flow { return refused(androidGame, "pay.example", unknownCert, at) }),
		times(3, 62, func(at flowtest.Option) *flow.Flow { return refused(androidApp, "api.example", unknownCert, at) })),
		diagnosis.Known{}, []string{"user-ca-ignored possible " + androidApp, "app-pinning likely " + androidGame}},
	{"desktop: a browser with a store of its own", join(setUp(linuxChrome), times(3, 60, func(at flowtest.Option) *flow.Flow { return refused(firefox, "news.example", unknownCA, at) })),
		diagnosis.Known{}, []string{"ca-not-installed likely " + firefox}},
	{"desktop: a program with a store of its own, before another was read", join(times(3, 0, func(at flowtest.Option) *flow.Flow {
		return refused("curl/8.5.0", "a.example", unknownCA, at)
	}), these(read("Other/1", "b.example", after(60)))), diagnosis.Known{}, []string{"ca-not-installed likely curl/8.5.0"}},
	{"likewise, and then it was given the certificate", join(times(3, 0, func(at flowtest.Option) *flow.Flow {
		return refused("curl/8.5.0", "a.example", unknownCA, at)
	}), these(read("Other/1", "b.example", after(60)), read("curl/8.5.0", "b.example", after(90)))), diagnosis.Known{}, nil},
	{"desktop: the page's test fails in a browser, a program can be read", join(these(read("curl/8.5.0", "news.example")),
		times(3, 60, func(at flowtest.Option) *flow.Flow { return refused(linuxChrome, flow.SetupHost, unknownCert, at) })),
		diagnosis.Known{}, []string{"ca-not-installed likely " + linuxChrome}},
	{"the page's test failed, and then succeeded", join(these(read("curl/8.5.0", "news.example")),
		times(3, 60, func(at flowtest.Option) *flow.Flow { return refused(linuxChrome, flow.SetupHost, unknownCert, at) }),
		these(served(linuxChrome, "https://setup.telltale/test", after(200)))), diagnosis.Known{}, nil},
	{"a browser whose test fails, and which refuses other hosts, beside an app that is read", join(these(read(androidApp, "api.example")),
		these(refused(linuxChrome, flow.SetupHost, unknownCert, after(60))),
		times(2, 61, func(at flowtest.Option) *flow.Flow {
			return refused("Headless/1", "accounts.google.com", unknownCert, at)
		}),
		these(refused("Headless/1", flow.SetupHost, unknownCert, after(70)))),
		diagnosis.Known{}, []string{"ca-not-installed likely Headless/1", "ca-not-installed possible " + linuxChrome}},
	{"desktop: a program that nobody knows", join(setUp(linuxChrome), times(3, 60, func(at flowtest.Option) *flow.Flow { return refused("updater/2", "dl.example", unknownCA, at) })),
		diagnosis.Known{}, []string{"app-pinning possible updater/2"}},
	{"refused before it was trusted", join(times(5, 0, func(at flowtest.Option) *flow.Flow { return refused(iosApp, "api.example", unknownCA, at) }),
		these(read(safari, "news.example", after(300)), read(iosApp, "api.example", after(310)))), diagnosis.Known{}, nil},
	{"refused before it was trusted, and not seen since", join(times(5, 0, func(at flowtest.Option) *flow.Flow { return refused(iosApp, "api.example", unknownCA, at) }),
		these(read(safari, "news.example", after(300)))), diagnosis.Known{}, nil},
	{"refused before and after it was trusted", join(times(20, 0, func(at flowtest.Option) *flow.Flow { return refused(iosApp, "api.example", unknownCA, at) }),
		these(read(safari, "news.example", after(300)), read(iosApp, "cdn.example", after(310))),
		times(2, 320, func(at flowtest.Option) *flow.Flow { return refused(iosApp, "api.example", unknownCA, at) })),
		diagnosis.Known{}, []string{"app-pinning likely " + iosApp}},
	{"alerts of before it was trusted are none of what came since", join(times(3, 0, func(at flowtest.Option) *flow.Flow { return refused(iosApp, "api.example", unknownCA, at) }),
		these(read(safari, "news.example", after(50)), read(iosApp, "cdn.example", after(51)), refused(iosApp, "api.example", "", after(60)),
			refused(iosApp, "api.example", "", after(61)), read(iosApp, "cdn.example", after(70)))), diagnosis.Known{}, []string{"app-pinning likely " + iosApp}},
	{"closed often before it was trusted, refused with alerts since", join(times(20, 0, func(at flowtest.Option) *flow.Flow { return refused(androidApp, "api.example", "", at) }),
		these(read(chrome, "news.example", after(300)), read(androidApp, "api.example", after(310))),
		times(10, 320, func(at flowtest.Option) *flow.Flow { return refused(androidApp, "api.example", unknownCA, at) }), these(read(chrome, "news.example", after(600)))),
		diagnosis.Known{}, []string{"app-pinning possible " + androidApp}},
	{"the clock was set right, and the app pins", join(times(2, 0, func(at flowtest.Option) *flow.Flow { return refused(iosApp, "api.example", expired, at) }),
		these(read(safari, "news.example", after(50)), read(iosApp, "cdn.example", after(51))),
		times(5, 60, func(at flowtest.Option) *flow.Flow { return refused(iosApp, "api.example", unknownCA, at) })),
		diagnosis.Known{}, []string{"app-pinning likely " + iosApp}},

	{"Apple's own services", join(setUp(safari), times(3, 60, func(at flowtest.Option) *flow.Flow { return refused(apsd, "gateway.icloud.com", unknownCert, at) }),
		these(refused("itunesstored/1.0 iOS/17.5", "bag.itunes.apple.com", "", after(70)))), diagnosis.Known{}, []string{"system-pinning likely "}},
	{"Apple's own services, once", join(setUp(safari), these(refused(apsd, "gateway.icloud.com", "", after(70)))), diagnosis.Known{}, []string{"system-pinning possible "}},
	{"Apple's own services, and nothing else yet", times(3, 0, func(at flowtest.Option) *flow.Flow { return refused(apsd, "gateway.icloud.com", unknownCert, at) }),
		diagnosis.Known{}, []string{"system-pinning possible "}},
	{"an app that asks Apple, and was not set up", times(3, 0, func(at flowtest.Option) *flow.Flow { return refused(iosApp, "itunes.apple.com", unknownCert, at) }),
		diagnosis.Known{}, []string{"ca-not-installed possible " + iosApp}},
	{"Apple's own services and one app, which may pin", join(these(refused(iosBank, "bank.example", unknownCA, after(1))),
		times(3, 2, func(at flowtest.Option) *flow.Flow { return refused(apsd, "gateway.icloud.com", unknownCA, at) })),
		diagnosis.Known{}, []string{"ca-not-installed possible " + iosBank}},
	{"a host that ends like Apple's", join(setUp(safari), these(read(iosApp, "cdn.example", after(60))), times(3, 60, func(at flowtest.Option) *flow.Flow {
		return refused(iosApp, "pineapple.com", unknownCert, at)
	})), diagnosis.Known{}, []string{"app-pinning likely " + iosApp}},
	{"Google's own services", join(setUp(chrome), times(3, 60, func(at flowtest.Option) *flow.Flow {
		return refused("com.google.android.gms/243", "play.googleapis.com", unknownCert, at)
	}), times(3, 60, func(at flowtest.Option) *flow.Flow {
		return refused("com.google.android.gms/243", "www.google.com", unknownCert, at)
	})), diagnosis.Known{}, []string{"system-pinning likely "}},
	{"an app on Android that asks Firebase alone", join(setUp(chrome),
		times(4, 60, func(at flowtest.Option) *flow.Flow {
			return refused(androidGame, "firestore.googleapis.com", unknownCert, at)
		}),
		times(4, 61, func(at flowtest.Option) *flow.Flow {
			return refused(androidGame, "firebaseinstallations.googleapis.com", unknownCert, at)
		})),
		diagnosis.Known{App: isApp(androidGame)}, []string{"user-ca-ignored likely " + androidGame}},
	{"likewise, and nobody said which app is the one", join(setUp(chrome),
		times(4, 60, func(at flowtest.Option) *flow.Flow {
			return refused(androidGame, "firestore.googleapis.com", unknownCert, at)
		})),
		diagnosis.Known{}, []string{"user-ca-ignored likely " + androidGame}},
	{"likewise, and it names no program", join(setUp(chrome), times(4, 60, func(at flowtest.Option) *flow.Flow {
		return refused("", "firestore.googleapis.com", unknownCert, stack("bbbbbbbbbbbb"), at)
	})), diagnosis.Known{}, []string{"user-ca-ignored likely "}},
	{"services of Google that only the system asks, without a name", join(setUp(chrome), times(4, 60, func(at flowtest.Option) *flow.Flow {
		return refused("", "redirector.gvt1.com", unknownCert, stack("bbbbbbbbbbbb"), at)
	})), diagnosis.Known{}, []string{"system-pinning likely "}},

	{"services of both, on a system that nobody names, without a name", join(these(read("MyApp/1", "api.example")),
		times(2, 60, func(at flowtest.Option) *flow.Flow {
			return refused("", "courier.push.apple.com", unknownCA, stack("bbbbbbbbbbbb"), at)
		}),
		times(2, 61, func(at flowtest.Option) *flow.Flow {
			return refused("", "mtalk.google.com", unknownCA, stack("bbbbbbbbbbbb"), at)
		})),
		diagnosis.Known{}, []string{"system-pinning likely ", "system-pinning likely "}},
	{"services that only systems ask, and a host of somebody else, by one program", join(these(read("MyApp/1", "api.example")),
		times(2, 60, func(at flowtest.Option) *flow.Flow { return refused("x", "gateway.icloud.com", unknownCA, at) }),
		times(2, 61, func(at flowtest.Option) *flow.Flow {
			return refused("x", "evil-apple.com.example.org", unknownCA, at)
		})),
		diagnosis.Known{}, []string{"app-pinning possible x", "system-pinning likely "}},
	{"likewise, and that is the app", join(these(read("MyApp/1", "api.example")),
		times(2, 60, func(at flowtest.Option) *flow.Flow { return refused("x", "gateway.icloud.com", unknownCA, at) }),
		times(2, 61, func(at flowtest.Option) *flow.Flow { return refused("x", "evil.example.org", unknownCA, at) })),
		diagnosis.Known{App: isApp("x")}, []string{"app-pinning possible x"}},
	{"likewise, without a name", join(setUp(safari),
		times(2, 60, func(at flowtest.Option) *flow.Flow {
			return refused("", "gateway.icloud.com", unknownCA, stack("bbbbbbbbbbbb"), at)
		}),
		times(2, 61, func(at flowtest.Option) *flow.Flow {
			return refused("", "evil.example.org", unknownCA, stack("bbbbbbbbbbbb"), at)
		})),
		diagnosis.Known{}, []string{"app-pinning likely ", "system-pinning likely "}},
	{"more hosts than are kept", func() (flows []*flow.Flow) {
		for i := range 300 {
			flows = append(flows, refused("curl/8.5.0", fmt.Sprintf("h%d.example", i), unknownCA, after(i)))
		}
		return flows
	}(), diagnosis.Known{}, []string{"ca-not-installed possible curl/8.5.0"}},

	{"the clock", times(3, 0, func(at flowtest.Option) *flow.Flow { return refused(firefox, "news.example", expired, at) }), diagnosis.Known{}, []string{"wrong-clock certain " + firefox}},
	{"the clock, behind", times(3, 0, func(at flowtest.Option) *flow.Flow { return refused("curl/8.5.0", "news.example", badCert, at) }), diagnosis.Known{}, []string{"wrong-clock likely curl/8.5.0"}},
	{"the clock, and it is set right", join(times(3, 0, func(at flowtest.Option) *flow.Flow { return refused(firefox, "news.example", expired, at) }),
		these(read(firefox, "news.example", after(60)))), diagnosis.Known{}, nil},
	{"the clock, and one that says nothing of it", join(times(9, 0, func(at flowtest.Option) *flow.Flow { return refused(firefox, "news.example", expired, at) }),
		these(refused(iosApp, "api.example", unknownCert, after(60)))), diagnosis.Known{}, []string{"wrong-clock certain " + firefox}},
	{"one app says something of the date, all others refuse", join(times(6, 0, func(at flowtest.Option) *flow.Flow { return refused(safari, "news.example", unknownCA, at) }),
		these(refused(iosBank, "bank.example", expired, after(9)))), diagnosis.Known{}, []string{"ca-not-installed likely " + safari, "wrong-clock possible " + iosBank}},
	{"the page's test says something of the date", join(times(3, 0, func(at flowtest.Option) *flow.Flow { return refused(firefox, flow.SetupHost, expired, at) }),
		times(3, 0, func(at flowtest.Option) *flow.Flow { return refused(firefox, "news.example", expired, at) })),
		diagnosis.Known{}, []string{"wrong-clock certain " + firefox}},
	{"Firefox without the certificate, which takes us for an interceptor", join(
		times(2, 0, func(at flowtest.Option) *flow.Flow { return refused(firefox, "news.example", unknownCA, at) }),
		these(refused(firefox, "mitmdetection.services.mozilla.com", unknownCA, after(21))),
		times(5, 30, func(at flowtest.Option) *flow.Flow { return refused(firefox, "mail.example", badCert, at) })),
		diagnosis.Known{}, []string{"ca-not-installed likely " + firefox}},
	{"likewise, seen only from then on", join(these(silent(firefox, "mitmdetection.services.mozilla.com")),
		times(3, 30, func(at flowtest.Option) *flow.Flow { return refused(firefox, "mail.example", badCert, at) })),
		diagnosis.Known{}, []string{"ca-not-installed likely " + firefox}},
	{"likewise, beside a browser that has it", join(setUp(linuxChrome), these(refused(firefox, "news.example", unknownCA, after(60)),
		refused(firefox, "mail.example", unknownCA, after(61)), refused(firefox, "maps.example", badCert, after(62)))),
		diagnosis.Known{}, []string{"ca-not-installed likely " + firefox}},
	{"the clock is set wrong, or the authority runs out, after programs were read", join(these(read("curl/8.5.0", "a.example"), read("curl/8.5.0", "b.example", after(1))),
		times(3, 60, func(at flowtest.Option) *flow.Flow { return refused("curl/8.5.0", "a.example", expired, at) })),
		diagnosis.Known{}, []string{"wrong-clock likely curl/8.5.0"}},
	{"likewise, and a browser says nothing of the date", join(setUp(safari), these(read(iosApp, "api.example", after(50)), read(iosApp, "cdn.example", after(51)),
		refused(iosApp, "api.example", expired, after(400)), refused(iosApp, "cdn.example", expired, after(410)), read(safari, "news.example", after(420)))),
		diagnosis.Known{}, []string{"wrong-clock possible " + iosApp}},
	{"no version in common", these(failed("Old/1", "a.example", "", func(f *flow.Flow) {
		f.Error, f.Client.Hello.Versions = "the TLS handshake failed: tls: client offered only unsupported versions: [300]", []uint16{0x0300}
	})), diagnosis.Known{}, []string{"no-common-tls certain Old/1"}},
	{"no cipher in common", these(failed("Odd/1", "a.example", "handshake_failure (40)")), diagnosis.Known{}, []string{"no-common-tls likely Odd/1"}},
	{"Encrypted ClientHello", these(failed(chrome, "a.example", "ech_required (121)")), diagnosis.Known{}, []string{"no-common-tls certain " + chrome}},
	{"neither a cipher in common, nor without Encrypted ClientHello", these(failed("Odd/1", "a.example", "handshake_failure (40)"), failed("Odd/1", "b.example", "ech_required (121)", after(5))),
		diagnosis.Known{}, []string{"no-common-tls likely Odd/1", "no-common-tls certain Odd/1"}},
	{"TLS that failed once and then worked", these(failed(chrome, "a.example", "protocol_version (70)"), read(chrome, "a.example", after(1))), diagnosis.Known{}, nil},

	{"the app ignores the proxy", join(setUp(chrome), times(9, 60, func(at flowtest.Option) *flow.Flow { return read(chrome, "news.example", at) })),
		diagnosis.Known{App: isApp("Flutter/1")}, []string{"proxy-ignored possible "}},
	{"likewise, and another device showed it", join(setUp(chrome), times(9, 60, func(at flowtest.Option) *flow.Flow { return read(chrome, "news.example", at) })),
		diagnosis.Known{App: isApp("Flutter/1"), AppSeen: true}, nil},
	{"likewise, too early to say", setUp(chrome), diagnosis.Known{App: isApp("Flutter/1"), Now: flowtest.Epoch.Add(80 * time.Second)}, nil},
	{"likewise, nobody said which app", join(setUp(chrome), times(9, 60, func(at flowtest.Option) *flow.Flow { return read(chrome, "news.example", at) })), diagnosis.Known{}, nil},
	{"likewise, but somebody without a name refuses", join(setUp(chrome), times(9, 60, func(at flowtest.Option) *flow.Flow {
		return refused("", "api.example", unknownCert, stack("bbbbbbbbbbbb"), at)
	})), diagnosis.Known{App: isApp("Flutter/1")}, []string{"user-ca-ignored likely "}},
	{"names that are looked up and never contacted", join(setUp(chrome), these(flowtest.DNS("api.flutter.example", after(31), beside), flowtest.DNS("news.example", beside), read(chrome, "news.example", after(200)))),
		diagnosis.Known{}, []string{"proxy-ignored possible "}},
	{"likewise, through the tunnel, which nothing ignores", join(setUp(chrome), these(flowtest.DNS("api.flutter.example", after(31)), flowtest.DNS("news.example"), read(chrome, "news.example", after(200)))),
		diagnosis.Known{App: isApp("Flutter/1")}, nil},
	{"a relay", join(setUp(safari), these(flowtest.Tunnel("mask.icloud.com:443", after(60)), flowtest.Tunnel("mask-h2.icloud.com:443", after(61)))), diagnosis.Known{}, []string{"hidden-by-relay possible "}},
	{"a relay that refuses", join(setUp(safari), these(refused("", "mask.icloud.com", unknownCA, after(60)), refused(safari, "mask-h2.icloud.com", unknownCA, after(61)))),
		diagnosis.Known{}, []string{"hidden-by-relay possible ", "system-pinning likely "}},
	{"Apple's own services, without a name, with the TLS stack of a browser", join(setUp(safari), times(2, 60, func(at flowtest.Option) *flow.Flow {
		return refused("", "gateway.icloud.com", unknownCA, at)
	})), diagnosis.Known{}, []string{"system-pinning likely "}},
	{"resolvers over HTTPS", join(setUp(chrome), these(read(chrome, "dns.google", after(60)), flowtest.DNS("news.example"))), diagnosis.Known{}, []string{"hidden-by-relay possible "}},
	{"a relay that telltale answered for", join(setUp(safari), these(flowtest.DNS("mask.icloud.com", flowtest.Outcome(flow.Served), after(60)), flowtest.DNS("mask-h2.icloud.com", flowtest.Outcome(flow.Served), after(61)))),
		diagnosis.Known{}, nil},
	{"a resolver over TLS", join(setUp(chrome), these(flowtest.PassedThrough("dns.google:853", after(60)), flowtest.DNS("dns.google"))), diagnosis.Known{}, []string{"hidden-by-relay possible "}},
	{"resolvers over TLS, QUIC and HTTPS", join(setUp(chrome), these(flowtest.PassedThrough("dns.google:853", after(60)), read(chrome, "dns.google", after(61)), flowtest.Datagrams("dns.quad9.net:853", after(62)), flowtest.DNS("dns.google"))), diagnosis.Known{}, []string{"hidden-by-relay possible "}},
	{"a resolver in clear", join(setUp(chrome), these(flowtest.Datagrams("dns.google:53", flowtest.Speech(flow.SpeechDNS), after(60)), flowtest.DNS("dns.google"))), diagnosis.Known{}, nil},
	{"a resolver that was only looked up", join(setUp(chrome), these(flowtest.DNS("dns.google"))), diagnosis.Known{}, []string{"hidden-by-relay possible "}},
	{"a relay, and resolvers over HTTPS", join(setUp(safari), these(flowtest.Tunnel("mask.icloud.com:443", after(60)), read(safari, "dns.google", after(61)), flowtest.DNS("news.example"))),
		diagnosis.Known{}, []string{"hidden-by-relay possible ", "hidden-by-relay possible "}},
	{"two devices behind one address", join(setUp(safari), these(read(chrome, "news.example", after(40))), times(3, 60, func(at flowtest.Option) *flow.Flow { return refused(androidGame, "game.example", unknownCert, at) })),
		diagnosis.Known{}, []string{"user-ca-ignored likely " + androidGame}},
	{"passed through", join(setUp(safari), these(flowtest.PassedThrough("bank.example"))), diagnosis.Known{}, nil},
	{"hostile names", join(setUp(safari), these(read("\x1b[2JEvil\u202e/1", "cdn.example", after(50))), times(3, 60, func(at flowtest.Option) *flow.Flow {
		return refused("\x1b[2JEvil\u202e/1", "\x1b]0;owned\x07\u202e"+strings.Repeat("a", 300)+".evil.example", "\x1b[31m (48)", at)
	})), diagnosis.Known{}, []string{"app-pinning likely \\x1b[2JEvil\\u{202e}/1"}},
}

func TestSituations(t *testing.T) {
	var b strings.Builder
	for _, s := range situations {
		got := diagnosis.Of(collect(s.flows...), s.known)
		fmt.Fprintf(&b, "## %s\n\n", s.name)
		var short []string
		keys := map[string]bool{}
		for _, d := range got {
			short = append(short, fmt.Sprintf("%s %s %s", d.Cause, d.Certainty, d.App))
			write(&b, d)
			check(t, s.name, d)
			if keys[d.Key] {
				t.Errorf("%s: two have the key %s", s.name, d.Key)
			}
			keys[d.Key] = true
		}
		if len(got) == 0 {
			b.WriteString("no diagnosis\n\n")
		}
		if fmt.Sprint(short) != fmt.Sprint(s.want) {
			t.Errorf("%s:\n got %q\nwant %q", s.name, short, s.want)
		}
	}
	golden(t, "situations.txt", b.String())
}

func write(b *strings.Builder, d diagnosis.Diagnosis) {
	fmt.Fprintf(b, "%s (%s, %s)\n", d.Title, d.Cause, d.Certainty)
	if d.Connections > 0 {
		fmt.Fprintf(b, "  %d connections (at least: %v), %s to %s\n", d.Connections, d.AtLeast, d.First.Format("15:04:05"), d.Last.Format("15:04:05"))
	}
	for _, e := range d.Evidence {
		fmt.Fprintf(b, "  - %s\n", e)
	}
	for _, n := range d.Next {
		fmt.Fprintf(b, "  > %s\n", n)
	}
	b.WriteString("\n")
}

// check holds what every diagnosis promises.
func check(t *testing.T, name string, d diagnosis.Diagnosis) {
	t.Helper()
	if d.Title == "" || strings.HasSuffix(d.Title, ".") || len(d.Evidence) == 0 || len(d.Next) == 0 || len(d.Hosts) > diagnosis.MaxHosts {
		t.Errorf("%s: incomplete: %+v", name, d)
	}
	if d.Connections > 0 && (d.First.IsZero() || d.Last.Before(d.First)) || d.Connections < 0 {
		t.Errorf("%s: %d connections from %v to %v", name, d.Connections, d.First, d.Last)
	}
	if !regexp.MustCompile(`^[a-z/-]+(/[0-9a-f]{16})?$`).MatchString(d.Key) || !strings.HasPrefix(d.Key, string(d.Cause)) {
		t.Errorf("%s: the key is %q", name, d.Key)
	}
	for _, line := range append(append([]string{d.Title, d.App}, append(d.Hosts, d.Evidence...)...), d.Next...) {
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%s: %q is not harmless", name, line)
		}
		if strings.Count(line, "`")%2 != 0 {
			t.Errorf("%s: a backtick is left open: %s", name, line)
		}
	}
	for _, line := range d.Evidence {
		if !strings.HasSuffix(line, ".") {
			t.Errorf("%s: no sentence: %s", name, line)
		}
	}
	if n := utf8.RuneCountInString(d.Title); n > 100 {
		t.Errorf("%s: a title of %d columns: %s", name, n, d.Title)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s is out of date; look at the difference and run go test -update", file)
	}
}
