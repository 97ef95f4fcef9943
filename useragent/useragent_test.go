package useragent

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"telltale/flow/plain"
)

const (
	webKit = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
	blink  = "AppleWebKit/537.36 (KHTML, like Gecko)"
)

// headers are what programs send, and what is read of it.
var headers = []struct {
	ua   string
	want Agent
	name string // of a device that sent only this
}{
	// Browsers of iOS.
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) " + webKit + " Version/17.5 Mobile/15E148 Safari/604.1",
		Agent{App: "Safari", OS: IOS, Version: "17.5.1", Model: "iPhone", Browser: true}, "iPhone, iOS 17.5.1"},
	{"Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) " + webKit + " Version/12.1 Mobile/15E148 Safari/604.1",
		Agent{App: "Safari", OS: IOS, Version: "12.5", Model: "iPad", Browser: true}, "iPad, iOS 12.5"},
	{"Mozilla/5.0 (iPad; CPU OS 17_4 like Mac OS X) " + webKit + " CriOS/123.0.6312.52 Mobile/15E148 Safari/604.1",
		Agent{App: "Chrome", OS: IOS, Version: "17.4", Model: "iPad", Browser: true}, "iPad, iPadOS 17.4"},
	{"Mozilla/5.0 (iPod touch; CPU iPhone OS 12_5_7 like Mac OS X) " + webKit + " Version/12.1.2 Mobile/15E148 Safari/604.1",
		Agent{App: "Safari", OS: IOS, Version: "12.5.7", Model: "iPod touch", Browser: true}, "iPod touch, iOS 12.5.7"},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) " + webKit + " Version/26.0 Mobile/15E148 Safari/604.1",
		Agent{App: "Safari", OS: IOS, Version: "26.0", Model: "iPhone", Browser: true}, "iPhone, iOS 26.0"},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) " + webKit + " Version/18.6 Mobile/15E148 Safari/604.1",
		Agent{App: "Safari", OS: IOS, Version: "18.6", Model: "iPhone", Browser: true}, "iPhone, iOS 18.6"},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) " + webKit + " Mobile/15E148",
		Agent{OS: IOS, Model: "iPhone"}, "iPhone, iOS"},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) " + webKit + " FxiOS/127.0 Mobile/15E148 Safari/605.1.15",
		Agent{App: "Firefox", OS: IOS, Version: "17.5", Model: "iPhone", Browser: true}, "iPhone, iOS 17.5"},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) " + webKit + " Version/17.0 EdgiOS/125.0.2535.96 Mobile/15E148 Safari/604.1",
		Agent{App: "Edge", OS: IOS, Version: "17.5.1", Model: "iPhone", Browser: true}, "iPhone, iOS 17.5.1"},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) " + webKit + " Version/17.5 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15",
		Agent{App: "DuckDuckGo", OS: IOS, Version: "17.5", Model: "iPhone", Browser: true}, "iPhone, iOS 17.5"},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 16_7 like Mac OS X) " + webKit + " Version/16.6 Mobile/15E148 Safari/604.1 OPT/4.6.0",
		Agent{App: "Opera", OS: IOS, Version: "16.7", Model: "iPhone", Browser: true}, "iPhone, iOS 16.7"},

	// What may be an iPad or a Mac.
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) " + webKit + " Version/17.5 Safari/605.1.15",
		Agent{App: "Safari", OS: Apple, Browser: true}, "iOS or macOS"},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) " + webKit,
		Agent{OS: Apple}, "iOS or macOS"},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) " + webKit + " CriOS/126 Version/11.1.1 Safari/605.1.15",
		Agent{App: "Chrome", OS: IOS, Browser: true}, "iOS"},

	// Web views of iOS.
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) " + webKit + " Mobile/15E148",
		Agent{OS: IOS, Version: "17.5", Model: "iPhone"}, "iPhone, iOS 17.5"},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) " + webKit + " Mobile/15E148 [FBAN/FBIOS;FBAV/459.0.0.33.106;FBDV/iPhone15,2;FBMD/iPhone;FBSN/iOS;FBSV/17.4.1]",
		Agent{App: "FBIOS", OS: IOS, Version: "17.4.1", Model: "iPhone15,2"}, "iPhone15,2, iOS 17.4.1"},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) " + webKit + " GSA/314.0.6 Mobile/15E148 Safari/604.1",
		Agent{App: "GSA", OS: IOS, Version: "17.4.1", Model: "iPhone"}, "iPhone, iOS 17.4.1"},

	// CFNetwork, and the programs of Apple's systems.
	{"CovidShield/1.0.2 CFNetwork/1128.0.1 Darwin/19.6.0", Agent{App: "CovidShield", OS: IOS, Version: "13"}, "iOS 13"},
	{"CovidShield/1.0.2 CFNetwork/1120 Darwin/19.0.0", Agent{App: "CovidShield", OS: IOS, Version: "13"}, "iOS 13"},
	{"COVID%20Alert/12 CFNetwork/978.0.7 Darwin/18.7.0", Agent{App: "COVID Alert", OS: IOS, Version: "12"}, "iOS 12"},
	{"%E6%B8%A9%E5%BA%A6/1 CFNetwork/889.9 Darwin/17.2.0", Agent{App: "温度", OS: IOS, Version: "11"}, "iOS 11"},
	{"Weather/4.2 CFNetwork/1494.0.7 Darwin/23.4.0", Agent{App: "Weather", OS: Apple, darwin: 23}, "iOS 17 or macOS 14"},
	{"Meeshy/1874 CFNetwork/3826.500.111.2.2 Darwin/24.4.0", Agent{App: "Meeshy", OS: Apple, darwin: 24}, "iOS 18 or macOS 15"},
	{"Loops/7 CFNetwork/3860.100.1 Darwin/25.0.0", Agent{App: "Loops", OS: Apple, darwin: 25}, "iOS or macOS 26"},
	{"App/1 CFNetwork/9000 Darwin/99.0.0", Agent{App: "App", OS: Apple, darwin: 99}, "iOS or macOS"},
	{"App/1.0 CFNetwork/1490 Darwin/twenty", Agent{App: "App", OS: Apple}, "iOS or macOS"},
	{"CovidShield/1.0.2 CFNetwork/1120", Agent{App: "CovidShield"}, ""},
	{"Safari/15612.1.29.41.4 CFNetwork/1128.1 Darwin/19.6.0 (x86_64)", Agent{App: "Safari", OS: MacOS, Version: "10.15"}, "macOS 10.15"},
	{"Podcasts/1410.53 CFNetwork/1111 Darwin/19.0.0 (iMac18%2C3)", Agent{App: "Podcasts", OS: MacOS, Version: "10.15"}, "macOS 10.15"},
	{"Self Service+/7570 CFNetwork/macOS/3860.600.21 Darwin/25.5.0", Agent{App: "Self Service+", OS: MacOS, Version: "26"}, "macOS 26"},
	{"MobileSafari/8617.1.17.10.9 CFNetwork/1490.0.4 Darwin/23.2.0", Agent{App: "MobileSafari", OS: IOS, Version: "17"}, "iOS 17"},
	{"trustd (unknown version) CFNetwork/1128.0.1 Darwin/19.6.0", Agent{App: "trustd", OS: IOS, Version: "13"}, "iOS 13"},
	{"com.apple.trustd/2.0", Agent{App: "com.apple.trustd"}, ""},
	{"nsurlsessiond/1.0 CFNetwork/1240.0.4 Darwin/20.6.0", Agent{App: "nsurlsessiond", OS: Apple, darwin: 20}, "iOS 14 or macOS 11"},
	{"com.apple.appstored/1.0 iOS/17.4.1 model/iPhone15,2 hwp/t8120 build/21E236 (6; dt:288) AMS/1",
		Agent{App: "com.apple.appstored", OS: IOS, Version: "17.4.1", Model: "iPhone15,2"}, "iPhone15,2, iOS 17.4.1"},
	{"iPhone15,2/17.4.1 (21E236)", Agent{OS: IOS, Version: "17.4.1", Model: "iPhone15,2"}, "iPhone15,2, iOS 17.4.1"},
	{"server-bag [iPhone OS,17.4.1,21E236,iPhone15,2]", Agent{App: "server-bag", OS: IOS, Version: "17.4.1", Model: "iPhone15,2"}, "iPhone15,2, iOS 17.4.1"},
	{"iOS/17.4.1 (21E236) dataaccessd/1.0", Agent{App: "dataaccessd", OS: IOS, Version: "17.4.1"}, "iOS 17.4.1"},
	{"Mac OS X/10.14.6 (18G103) dataaccessd/1.0", Agent{App: "dataaccessd", OS: MacOS, Version: "10.14.6"}, "macOS 10.14.6"},
	{"AppleCoreMedia/1.0.0.21E236 (iPhone; U; CPU OS 17_4_1 like Mac OS X; en_us)",
		Agent{App: "AppleCoreMedia", OS: IOS, Version: "17.4.1", Model: "iPhone"}, "iPhone, iOS 17.4.1"},
	{"AppleCoreMedia/1.0.0.21G83 (Macintosh; U; Intel Mac OS X 12_5_1; en_gb)", Agent{App: "AppleCoreMedia", OS: MacOS, Version: "12.5.1"}, "macOS 12.5.1"},
	{"CaptiveNetworkSupport-481.60.2 wispr", Agent{App: "CaptiveNetworkSupport", OS: Apple}, "iOS or macOS"},

	// Libraries of apps on iOS.
	{"CovidShield/1.0.2 (ca.gc.hcsc.canada.stopcovid; build:1; iOS 14.4.0) Alamofire/5.4.0",
		Agent{App: "CovidShield", OS: IOS, Version: "14.4.0"}, "iOS 14.4.0"},
	{"Canada Alert/3.1 (iPhone; iOS 17.4; Scale/3.00)", Agent{App: "Canada Alert", OS: IOS, Version: "17.4", Model: "iPhone"}, "iPhone, iOS 17.4"},
	{"Notes 3.2.1 (iPad13,8; iPadOS 16.6)", Agent{App: "Notes", OS: IOS, Version: "16.6", Model: "iPad13,8"}, "iPad13,8, iPadOS 16.6"},
	{"Instagram 300.0.0.0.30 (iPhone15,2; iOS 17_4; en_US; en; scale=3.00; 1179x2556; 540100)",
		Agent{App: "Instagram", OS: IOS, Version: "17.4", Model: "iPhone15,2"}, "iPhone15,2, iOS 17.4"},

	// Browsers and web views of Android.
	{"Mozilla/5.0 (Linux; Android 10; K) " + blink + " Chrome/126.0.0.0 Mobile Safari/537.36", Agent{App: "Chrome", OS: Android, Browser: true}, "Android"},
	{"Mozilla/5.0 (Linux; Android 14; Pixel 8) " + blink + " Chrome/126.0.0.0 Mobile Safari/537.36",
		Agent{App: "Chrome", OS: Android, Version: "14", Model: "Pixel 8", Browser: true}, "Pixel 8, Android 14"},
	{"Mozilla/5.0 (Linux; Android 14) " + blink + " Chrome/130.0.0.0 Mobile Safari/537.36", Agent{App: "Chrome", OS: Android, Version: "14", Browser: true}, "Android 14"},
	{"Mozilla/5.0 (Linux; Android 13; SM-S918B) " + blink + " SamsungBrowser/24.0 Chrome/117.0.0.0 Mobile Safari/537.36",
		Agent{App: "Samsung Internet", OS: Android, Version: "13", Model: "SM-S918B", Browser: true}, "SM-S918B, Android 13"},
	{"Mozilla/5.0 (Linux; Android 10; K) " + blink + " Chrome/124.0.0.0 Mobile Safari/537.36 EdgA/124.0.2478.64", Agent{App: "Edge", OS: Android, Browser: true}, "Android"},
	{"Mozilla/5.0 (Linux; Android 10; K) " + blink + " Chrome/124.0.0.0 Mobile Safari/537.36 OPR/82.0.0.0", Agent{App: "Opera", OS: Android, Browser: true}, "Android"},
	{"Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0", Agent{App: "Firefox", OS: Android, Version: "14", Browser: true}, "Android 14"},
	{"Mozilla/5.0 (Android 9; Tablet; rv:109.0) Gecko/118.0 Firefox/118.0", Agent{App: "Firefox", OS: Android, Version: "9", Browser: true}, "Android 9"},
	{"Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A.230803.041; wv) " + blink + " Version/4.0 Chrome/126.0.6478.71 Mobile Safari/537.36",
		Agent{OS: Android, Version: "14", Model: "Pixel 8"}, "Pixel 8, Android 14"},
	{"Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A.230803.041; wv) " + blink + " Version/4.0 Chrome/126.0.6478.71 Mobile Safari/537.36 CovidShield/1.1",
		Agent{App: "CovidShield", OS: Android, Version: "14", Model: "Pixel 8"}, "Pixel 8, Android 14"},
	{"Mozilla/5.0 (Linux; U; Android 4.4.2; en-us; SM-T530NU Build/KOT49H) AppleWebKit/537.16 (KHTML, like Gecko) Version/4.0 Safari/537.16",
		Agent{OS: Android, Version: "4.4.2", Model: "SM-T530NU"}, "SM-T530NU, Android 4.4.2"},

	// Libraries and services of Android.
	{"Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UD1A.230803.022)", Agent{App: "Dalvik", OS: Android, Version: "14", Model: "Pixel 8"}, "Pixel 8, Android 14"},
	{"Dalvik/2.1.0 (Linux; U; Android 14; sdk_gphone64_x86_64 Build/UE1A.230829.036.A1)",
		Agent{App: "Dalvik", OS: Android, Version: "14", Model: "sdk_gphone64_x86_64"}, "sdk_gphone64_x86_64, Android 14"},
	{"Dalvik/2.1.0 (Linux; U; Android UpsideDownCake)", Agent{App: "Dalvik", OS: Android}, "Android"},
	{"com.google.android.gms/224417045 (Linux; U; Android 12; de_DE; Pixel 3a; Build/SP2A.220505.008; Cronet/103.0.5060.71)",
		Agent{App: "com.google.android.gms", OS: Android, Version: "12", Model: "Pixel 3a"}, "Pixel 3a, Android 12"},
	{"ca.gc.hcsc.canada.stopcovid/8 (Linux; U; Android 11; en_CA; Build/RP1A; Cronet/88.0.4324.93)",
		Agent{App: "ca.gc.hcsc.canada.stopcovid", OS: Android, Version: "11"}, "Android 11"},
	{"GoogleAuth/1.4 (OP5155L1 RKQ1.211119.001); gzip", Agent{App: "GoogleAuth", OS: Android}, "Android"},
	{"Android-Finsky/37.5.24-29 [0] [PR] 565477504 (api=3,versionCode=83752410,sdk=34,device=shiba,hardware=shiba,product=shiba,platformVersionRelease=14,model=Pixel%208,buildId=UD1A,isWideScreen=0)",
		Agent{App: "Android-Finsky", OS: Android, Version: "14", Model: "Pixel 8"}, "Pixel 8, Android 14"},
	{"AndroidDownloadManager/13 (Linux; U; Android 13; SM-A536B Build/TP1A.220624.014)", Agent{App: "AndroidDownloadManager", OS: Android, Version: "13", Model: "SM-A536B"}, "SM-A536B, Android 13"},
	{"MyPlayer/1.0 (Linux;Android 13) ExoPlayerLib/2.18.1", Agent{App: "MyPlayer", OS: Android, Version: "13"}, "Android 13"},
	{"okhttp/4.12.0", Agent{App: "okhttp"}, ""},
	{"Dart/3.4 (dart:io)", Agent{App: "Dart"}, ""},
	{"ktor-client", Agent{App: "ktor-client"}, ""},

	// Desktops.
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) " + blink + " Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0", Agent{App: "Edge", OS: Windows, Browser: true}, "Windows"},
	{"Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko", Agent{App: "Internet Explorer", OS: Windows, Version: "7", Browser: true}, "Windows 7"},
	{"Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)", Agent{App: "Internet Explorer", OS: Windows, Version: "8", Browser: true}, "Windows 8"},
	{"Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.1", Agent{App: "WindowsPowerShell", OS: Windows}, "Windows"},
	{"Microsoft-CryptoAPI/10.0", Agent{App: "Microsoft-CryptoAPI", OS: Windows}, "Windows"},
	{"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) " + blink + " Chrome/126.0.0.0 Safari/537.36", Agent{App: "Chrome", OS: ChromeOS, Browser: true}, "ChromeOS"},
	{"Mozilla/5.0 (X11; Linux x86_64) " + blink + " Chrome/126.0.0.0 Safari/537.36", Agent{App: "Chrome", OS: Linux, Browser: true}, "Linux"},
	{"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", Agent{App: "Firefox", OS: Linux, Browser: true}, "Linux"},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:127.0) Gecko/20100101 Firefox/127.0", Agent{App: "Firefox", OS: MacOS, Browser: true}, "macOS"},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) " + blink + " Chrome/126.0.0.0 Safari/537.36", Agent{App: "Chrome", OS: MacOS, Browser: true}, "macOS"},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) " + blink + " Slack/4.38.125 Chrome/124.0.6367.243 Electron/30.1.0 Safari/537.36",
		Agent{App: "Slack", OS: MacOS}, "macOS"},

	// Programs without a person.
	{"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Agent{App: "Googlebot"}, ""},
	{"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) " + blink + " Chrome/126.0.6478.61 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
		Agent{App: "Googlebot"}, ""},
	{"Mozilla/5.0 (X11; Linux x86_64) " + blink + " HeadlessChrome/126.0.0.0 Safari/537.36", Agent{App: "HeadlessChrome", OS: Linux}, "Linux"},
	{"curl/8.5.0", Agent{App: "curl"}, ""},
	{"python-requests/2.31.0", Agent{App: "python-requests"}, ""},
	{"Go-http-client/2.0", Agent{App: "Go-http-client"}, ""},
	{"aws-cli/2.27.33 Python/3.13.4 Darwin/24.3.0", Agent{App: "aws-cli"}, ""},
	{"Apache-HttpClient/4.5.13 (Java/11.0.21)", Agent{App: "Apache-HttpClient"}, ""},

	// What says little, and what means harm.
	{"", Agent{}, ""},
	{"Mozilla/5.0", Agent{}, ""},
	{"-", Agent{App: "-"}, ""},
	{"(((((((((", Agent{}, ""},
	{"App/1 (iOS", Agent{App: "App", OS: IOS}, "iOS"},
	{"App%zz/1", Agent{App: "App%zz"}, ""},
	{"\x1b[2JApp/1 (Linux; Android 14; Pix\u202eel\x00 8\x07)", Agent{OS: Android, Version: "14", Model: "Pixel 8)"}, "Pixel 8), Android 14"},
	{"%1b%5b2JApp/1", Agent{App: "[2JApp"}, ""},
	{"App/1 (Linux; Android " + strings.Repeat("9", 50) + "; M)", Agent{App: "App", OS: Android, Version: strings.Repeat("9", maxVersion), Model: "M"}, "M, Android " + strings.Repeat("9", maxVersion)},
	{"App/1 (Linux; Android 14; " + strings.Repeat("長", 50) + ")", Agent{App: "App", OS: Android, Version: "14", Model: strings.Repeat("長", 30)}, strings.Repeat("長", 24) + ", Android 14"},
}

func TestParse(t *testing.T) {
	if len(headers) < 60 {
		t.Errorf("only %d headers", len(headers))
	}
	for _, test := range headers {
		if got := Parse(test.ua); got != test.want {
			t.Errorf("%s:\n got %+v\nwant %+v", test.ua, got, test.want)
		}
		if got := DeviceName([]string{test.ua}); got != test.name {
			t.Errorf("%s: name %q, want %q", test.ua, got, test.name)
		}
	}
}

// The telling ones give a device its name, whatever else it sends, in any order.
func TestDeviceName(t *testing.T) {
	for _, test := range []struct {
		want string
		uas  []string
	}{
		{"", nil},
		{"", []string{"okhttp/4.12.0", "curl/8.5.0"}},
		{"iPhone, iOS 17.5", []string{
			"Weather/4.2 CFNetwork/1494.0.7 Darwin/23.4.0", "okhttp/4.12.0",
			"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) " + webKit + " Version/17.5 Mobile/15E148 Safari/604.1",
			"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) " + webKit + " Version/17.5 Safari/605.1.15",
			"Canada Alert/3.1 (iPhone; iOS 17.4; Scale/3.00)",
		}},
		{"iPhone15,2, iOS 17.5", []string{
			"com.apple.appstored/1.0 iOS/17.4.1 model/iPhone15,2 hwp/t8120 build/21E236 (6; dt:288) AMS/1",
			"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) " + webKit + " Mobile/15E148",
		}},
		{"Pixel 8, Android 14", []string{
			"Mozilla/5.0 (Linux; Android 10; K) " + blink + " Chrome/126.0.0.0 Mobile Safari/537.36",
			"Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UD1A.230803.022)", "GoogleAuth/1.4 (shiba UD1A)",
			"Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
		}},
		{"iOS 17 or macOS 14", []string{"a/1 CFNetwork/1494 Darwin/23.4.0", "b/1 CFNetwork/1410 Darwin/22.6.0", "CaptiveNetworkSupport-481 wispr"}},
	} {
		for range 10 {
			rand.Shuffle(len(test.uas), func(i, j int) { test.uas[i], test.uas[j] = test.uas[j], test.uas[i] })
			if got := DeviceName(test.uas); got != test.want {
				t.Errorf("%q: name %q, want %q", test.uas, got, test.want)
			}
		}
	}
}

// columns is at least as many as a terminal needs.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me):
		case r < 0x1100:
			n++
		default:
			n += 2
		}
	}
	return n
}

func FuzzParse(f *testing.F) {
	for _, test := range headers {
		f.Add(test.ua)
	}
	f.Fuzz(func(t *testing.T, ua string) {
		a := Parse(ua)
		for _, s := range []string{a.App, string(a.OS), a.Version, a.Model, DeviceName([]string{ua})} {
			if !utf8.ValidString(s) || strings.ReplaceAll(plain.Text(s), `\\`, `\`) != s || columns(s) > MaxColumns {
				t.Errorf("%q: %q", ua, s)
			}
		}
		if a != Parse(ua) {
			t.Errorf("%q is read in two ways", ua)
		}
	})
}

// Who sends the longest header does not slow the audit down.
func BenchmarkParse(b *testing.B) {
	for _, test := range []struct{ name, ua string }{
		{"browser", headers[0].ua}, {"app", "CovidShield/1.0.2 CFNetwork/1128.0.1 Darwin/19.6.0"},
		{"brackets", strings.Repeat("(", 1<<20)}, {"words", strings.Repeat("a ", 1<<20)}, {"fields", "(" + strings.Repeat("Android;", 1<<20)},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Parse(test.ua)
			}
		})
	}
}
