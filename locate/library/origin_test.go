package library

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"telltale/locate/inventory"
	"telltale/locate/reading"
)

// module59 is NetInfo's default configuration as Metro and terser leave it of version 5.9.
const module59 = `__d(function(g,r,i,a,m,e,d){Object.defineProperty(e,"__esModule",{value:!0}),e.default=void 0;e.default={reachabilityUrl:'https://clients3.google.com/generate_204',reachabilityTest:function(t){return Promise.resolve(204===t.status)},reachabilityShortTimeout:5e3,reachabilityLongTimeout:6e4,reachabilityRequestTimeout:15e3}},424,[]);`

const (
	probe     = "https://clients3.google.com/generate_204"
	probeHTTP = "http://clients3.google.com/generate_204"
)

func in(module string) reading.Place {
	return reading.Place{Module: &reading.Module{ID: "1", Name: module}}
}

func from(source string) reading.Place {
	return reading.Place{Source: &reading.Source{File: source, Line: 2, By: "main.jsbundle.map"}}
}

func usedBy(names ...string) reading.Place {
	var p reading.Place
	for _, name := range names {
		u := reading.User{Name: name, Package: name}
		if at := strings.LastIndexByte(name, '.'); at > 0 {
			u.Package = name[:at]
		}
		p.Users = append(p.Users, u)
	}
	return p
}

func TestAttribute(t *testing.T) {
	t.Parallel()
	app := reading.Identity{ID: "ca.gc.hcsc.canada.stopcovid"}
	netinfo := []inventory.Component{{Ecosystem: inventory.NPM, Name: "@react-native-community/netinfo", Version: "5.9.10", File: "package-lock.json", Line: 812}}
	sentry := []inventory.Component{{Ecosystem: inventory.Maven, Name: "io.sentry:sentry-android", Version: "7.0.0", File: "gradle.lockfile", Line: 3}}
	for _, tt := range []struct {
		name  string
		e     Evidence
		parts []inventory.Component
		want  string // name | confidence | version; "" for none
	}{
		// A source map.
		{"a source map", Evidence{URL: probe, Place: from("../node_modules/@react-native-community/netinfo/src/internal/defaultConfiguration.ts")}, nil, "@react-native-community/netinfo|certain|"},
		{"a source map on Windows", Evidence{URL: probe, Place: from(`C:\x\node_modules\react-native-offline\src\utils\constants.ts`)}, nil, "react-native-offline|certain|"},
		{"a source map, the innermost package", Evidence{URL: probe, Place: from("node_modules/a/node_modules/@sentry/core/index.js")}, nil, "Sentry|certain|"},
		{"a source map, pnpm", Evidence{URL: probe, Place: from("node_modules/.pnpm/x@1.0.0/node_modules/x/index.js")}, nil, "x|certain|"},
		{"a source map, unknown package", Evidence{URL: "https://x.example/", Place: from("node_modules/@s/x/index.js")}, nil, "@s/x|certain|"},
		{"a source map, unknown package of the inventory", Evidence{URL: "https://x.example/", Place: from("node_modules/x/index.js")}, []inventory.Component{{Ecosystem: inventory.NPM, Name: "x", Version: "1.0.0", File: "yarn.lock", Line: 5}}, "x|certain|1.0.0"},
		{"a source map, own code", Evidence{URL: probe, Place: from("src/api.ts")}, nil, OwnCode + "|certain|"},
		{"a source map, own code of webpack", Evidence{URL: probe, Place: from("webpack:///./src/App.vue?1234")}, nil, OwnCode + "|certain|"},
		{"a source map, what the bundler adds", Evidence{URL: "https://x.example/", Place: from("__prelude__")}, nil, ""},
		{"a source map, webpack's own", Evidence{URL: "https://x.example/", Place: from("webpack/runtime/load.js")}, nil, ""},
		{"a source map of a library's own", Evidence{URL: probe, File: "node_modules/@react-native-community/netinfo/lib/commonjs/internal/defaultConfiguration.js", Place: from("defaultConfiguration.ts")}, nil, "@react-native-community/netinfo|certain|"},
		{"a source map beats the code around", Evidence{URL: probe, Place: from("src/api.ts"), Around: []byte(module59)}, nil, OwnCode + "|certain|"},
		// The name of a module.
		{"a named module", Evidence{URL: probe, Place: in("node_modules/@react-native-community/netinfo/src/index.ts"), Around: []byte("reachabilityShortTimeout")}, nil, "@react-native-community/netinfo|certain|5.0.0 to 5.3.3"},
		{"a named module, own code", Evidence{URL: probe, Place: in("settings.own.js")}, nil, OwnCode + "|certain|"},
		{"a named module, code of a folder that only sounds so", Evidence{URL: "https://x.example/", Place: in("src/old_node_modules/x/a.js")}, nil, OwnCode + "|certain|"},
		{"a module without a name", Evidence{URL: "https://x.example/", Place: in("")}, nil, ""},
		// Classes.
		{"a class of a library", Evidence{URL: "https://connectivitycheck.android.com/generate_204", Place: usedBy("com.novoda.merlin.Endpoint")}, nil, "com.novoda:merlin|certain|"},
		{"a method of a library", Evidence{URL: probeHTTP, Place: usedBy("com.github.pwittchen.reactivenetwork.library.rx2.Settings.<clinit>")}, nil, "com.github.pwittchen:reactivenetwork|certain|"},
		{"the closest package", Evidence{Host: "x.example", Place: usedBy("com.facebook.ads.internal.A.b")}, nil, "Meta Audience Network|certain|"},
		{"a class that is in the table itself", Evidence{Host: "x.example", Place: usedBy("com.facebook.FacebookSdk.getDomain")}, nil, "Facebook SDK|certain|"},
		{"a neighbour of a library's package", Evidence{Host: "x.example", Place: usedBy("com.facebook.react.bridge.X")}, nil, "com.facebook.react|certain|"},
		{"a package of Google's kits for Android", Evidence{Host: "x.example", Place: usedBy("com.google.android.gms.common.Scopes")}, nil, "com.google.android.gms|certain|"},
		{"a package that only begins like a library's", Evidence{Host: "x.example", Place: usedBy("io.sentryx.a.B")}, nil, "io.sentryx.a|certain|"},
		{"an unknown package", Evidence{Host: "x.example", Place: usedBy("com.example.sdk.internal.Net.call")}, nil, "com.example.sdk|certain|"},
		{"a short unknown package", Evidence{Host: "x.example", Place: usedBy("okhttp3.Request")}, nil, "okhttp3|certain|"},
		{"the app's own package", Evidence{Host: "x.example", Place: usedBy("ca.gc.hcsc.canada.stopcovid.net.Api.call"), App: app}, nil, OwnCode + "|certain|"},
		{"the app's own package itself", Evidence{Host: "x.example", Place: usedBy("ca.gc.hcsc.canada.stopcovid.Main"), App: app}, nil, OwnCode + "|certain|"},
		{"a package that only begins like the app's", Evidence{Host: "x.example", Place: usedBy("ca.gc.hcsc.canada.stopcovidx.Main"), App: app}, nil, "ca.gc.hcsc|certain|"},
		{"shortened names", Evidence{Host: "x.example", Place: reading.Place{Users: []reading.User{{Name: "a.b.c.d", Package: "a.b.c", Obfuscated: true}}}}, nil, ""},
		{"shortened names that the reader took for real ones", Evidence{Host: "x.example", Place: usedBy("a.bc.D")}, nil, ""},
		{"shortened names, then real ones", Evidence{Host: "x.example", Place: usedBy("a.b.c", "com.novoda.merlin.X")}, nil, "com.novoda:merlin|certain|"},
		{"a function of JavaScript", Evidence{Host: "x.example", Place: reading.Place{Users: []reading.User{{Name: "fetchReachability"}}}}, nil, ""},
		{"a function whose file is known", Evidence{Host: "x.example", Place: reading.Place{Users: []reading.User{{Name: "f", File: "/x/node_modules/mixpanel-react-native/index.js"}}}}, nil, "Mixpanel|certain|"},
		// Folders.
		{"a package's folder", Evidence{URL: probe, File: "app/node_modules/@react-native-community/netinfo/src/index.ts"}, nil, "@react-native-community/netinfo|certain|"},
		{"a framework", Evidence{Host: "x.example", File: "A.ipa!/Payload/A.app/Frameworks/Sentry.framework/Sentry"}, nil, "Sentry|certain|"},
		{"a framework with its version", Evidence{Host: "x.example", File: "A.ipa!/Payload/A.app/Frameworks/Sentry.framework/Sentry"}, []inventory.Component{{Ecosystem: inventory.Bundled, Name: "org.cocoapods.Sentry", Version: "8.28.0", File: "A.ipa!/Payload/A.app/Frameworks/Sentry.framework/Info.plist", Line: 4}}, "Sentry|certain|8.28.0"},
		{"an unknown framework", Evidence{Host: "x.example", File: "Payload/A.app/Frameworks/Foo.framework/Foo"}, []inventory.Component{{Ecosystem: inventory.Bundled, Name: "com.foo", Version: "1.0", File: "Payload/A.app/Frameworks/Foo.framework/Info.plist"}}, "Foo|certain|1.0"},
		{"the framework of Flutter's own code", Evidence{Host: "x.example", File: "Payload/A.app/Frameworks/App.framework/App"}, nil, ""},
		{"a resource bundle", Evidence{Host: "x.example", File: "Payload/A.app/FirebaseCrashlytics_Privacy.bundle/PrivacyInfo.xcprivacy"}, nil, "Firebase Crashlytics|certain|"},
		{"a native library", Evidence{Host: "x.example", File: "base.apk!/lib/arm64-v8a/libsentry.so"}, nil, "Sentry|certain|"},
		{"an unknown native library", Evidence{Host: "x.example", File: "base.apk!/lib/arm64-v8a/libfoo.so"}, nil, ""},
		{"a pod", Evidence{Host: "x.example", File: "ios/Pods/FirebaseAnalytics/Frameworks/x.h"}, nil, "Google Analytics for Firebase|certain|"},
		{"a checkout of SwiftPM", Evidence{Host: "x.example", File: ".build/checkouts/sentry-cocoa/Sources/a.m"}, nil, "Sentry|certain|"},
		{"assets of a Flutter package", Evidence{Host: "x.example", File: "base.apk!/assets/flutter_assets/packages/posthog_flutter/assets/a.json"}, nil, "PostHog|certain|"},
		{"a plug-in of Cordova", Evidence{Host: "x.example", File: "assets/www/plugins/cordova-plugin-firebase-analytics/www/a.js"}, nil, "Google Analytics for Firebase|certain|"},
		{"a plug-in of Cordova with a scope", Evidence{Host: "x.example", File: "assets/www/plugins/@s/x/www/a.js"}, nil, "@s/x|certain|"},
		{"a checkout of Carthage", Evidence{Host: "x.example", File: "ios/Carthage/Checkouts/Connectivity/a.h"}, nil, "Connectivity|certain|"},
		{"a package of the app's own tree", Evidence{Host: "x.example", File: "packages/app/src/api.ts"}, nil, OwnCode + "|certain|"},
		{"a source file", Evidence{URL: "https://x.example", File: "src/api.ts"}, nil, OwnCode + "|certain|"},
		{"a source file that somebody else wrote", Evidence{URL: "https://x.example", File: "third_party/a.java"}, nil, ""},
		{"a script of a source tree", Evidence{URL: "https://x.example", File: "settings.own.js"}, nil, OwnCode + "|likely|"},
		{"a script that a build made", Evidence{URL: "https://x.example", File: "dist/main.js"}, nil, ""},
		{"a script in an app", Evidence{URL: "https://x.example", File: "A.apk!/assets/main.js"}, nil, ""},
		{"a bundle", Evidence{URL: "https://x.example", File: "index.bundle.js"}, nil, ""},
		{"what only declares", Evidence{URL: "https://x.example", File: "src/a.d.ts"}, nil, ""},
		{"a file that says nothing", Evidence{URL: "https://x.example", File: "base.apk!/res/raw/a.json"}, nil, ""},
		// Signatures and defaults.
		{"a signature", Evidence{URL: probe, Place: in(""), Around: []byte(module59)}, nil, "@react-native-community/netinfo|likely|5.5.0 to 6.0.6"},
		{"a signature of texts of one function", Evidence{URL: probe, Place: reading.Place{Users: []reading.User{{Name: "f", Strings: []string{"reachabilityTest", "reachabilityRequestTimeout"}}}}}, nil, "@react-native-community/netinfo|likely|5.5.0 and later"},
		{"one name of a signature", Evidence{URL: probe, Around: []byte("reachabilityTest")}, nil, "@react-native-community/netinfo|possible|"},
		{"names that only hold those of a signature", Evidence{URL: probe, Around: []byte("xreachabilityTest reachabilityShortTimeouts")}, nil, "@react-native-community/netinfo|possible|"},
		{"a signature without the default", Evidence{URL: "https://x.example/", Around: []byte(module59)}, nil, ""},
		{"a signature inside of a framework", Evidence{URL: probe, File: "Payload/A.app/Frameworks/JitsiMeet.framework/main.jsbundle", Place: in(""), Around: []byte(module59)}, nil, "@react-native-community/netinfo|likely|5.5.0 to 6.0.6"},
		{"a default inside of a framework that is somebody else's", Evidence{URL: probe, File: "Payload/A.app/Frameworks/Foo.framework/Foo"}, nil, "Foo|certain|"},
		{"a default alone", Evidence{URL: probe}, nil, "@react-native-community/netinfo|possible|"},
		{"a default alone, and the library is there", Evidence{URL: probe}, netinfo, "@react-native-community/netinfo|likely|5.9.10"},
		{"over http", Evidence{URL: probeHTTP}, nil, "com.github.pwittchen:reactivenetwork|possible|"},
		{"over http, and a library that uses https is there", Evidence{URL: probeHTTP}, netinfo, "com.github.pwittchen:reactivenetwork|possible|"},
		{"the bare host", Evidence{Host: "clients3.google.com"}, nil, "@react-native-community/netinfo|possible|"},
		{"the bare host, in capitals", Evidence{Host: "Clients3.Google.com"}, nil, "@react-native-community/netinfo|possible|"},
		{"another path", Evidence{URL: "https://clients3.google.com/complete"}, nil, ""},
		{"more behind the path", Evidence{URL: "https://featureassets.org/v1/initialize"}, nil, "Statsig|possible|"},
		{"a default with anything below", Evidence{URL: "https://u.expo.dev/1234-5678"}, nil, "expo-updates|possible|"},
		{"a front page", Evidence{URL: "https://www.google.com/"}, nil, ""},
		{"a front page, and a library that asks for it", Evidence{URL: "https://www.google.com/"}, []inventory.Component{{Ecosystem: inventory.NPM, Name: "react-native-offline", Range: "^6.0.0", File: "package.json", Line: 9}}, "react-native-offline|likely|"},
		{"merlin over http, as Android itself", Evidence{URL: "http://connectivitycheck.android.com/generate_204"}, nil, "com.novoda:merlin|possible|"},
		{"a class of ReactiveNetwork with https", Evidence{URL: probe, Place: usedBy("com.github.pwittchen.reactivenetwork.library.rx2.A.b")}, nil, "com.github.pwittchen:reactivenetwork|certain|"},
		{"merlin", Evidence{URL: "https://connectivitycheck.android.com/generate_204"}, nil, "com.novoda:merlin|possible|"},
		{"Connectivity", Evidence{URL: "https://captive.apple.com/hotspot-detect.html"}, nil, "Connectivity|possible|"},
		{"the Flutter package", Evidence{URL: "https://jsonplaceholder.typicode.com/albums/1"}, []inventory.Component{{Ecosystem: inventory.Pub, Name: "internet_connection_checker", Version: "1.0.0", File: "pubspec.lock", Line: 7}}, "internet_connection_checker|likely|1.0.0"},
		// The product catalogue.
		{"a host of a product", Evidence{URL: "https://o1.ingest.sentry.io/api/2/envelope/"}, nil, "Sentry|possible|"},
		{"a host of a product, and the library is there", Evidence{URL: "https://o1.ingest.sentry.io/api/2/envelope/"}, sentry, "Sentry|likely|7.0.0"},
		{"a host of a product that no row has", Evidence{Host: "plausible.io"}, nil, "Plausible Analytics|possible|"},
		{"a path of a product", Evidence{URL: "https://graph.facebook.com/v17.0/1/activities"}, nil, "Facebook SDK|possible|"},
		{"a host that nobody knows", Evidence{URL: "https://x.example/"}, nil, ""},
		{"nothing", Evidence{}, nil, ""},
		{"a URL that is none", Evidence{URL: "https://", Host: "x.example"}, nil, ""},
		{"versions of two ecosystems", Evidence{URL: probe}, append([]inventory.Component{{Ecosystem: inventory.Pod, Name: "react-native-netinfo", Version: "9.5.0", File: "Podfile.lock", Line: 1}}, netinfo...), "@react-native-community/netinfo|likely|5.9.10"},
		{"the version of another ecosystem", Evidence{URL: probe}, []inventory.Component{{Ecosystem: inventory.Pod, Name: "react-native-netinfo", Version: "9.5.0", File: "Podfile.lock", Line: 1}}, "@react-native-community/netinfo|likely|9.5.0"},
		{"two versions", Evidence{URL: probe}, append([]inventory.Component{{Ecosystem: inventory.NPM, Name: "@react-native-community/netinfo", Version: "9.5.0", File: "yarn.lock", Line: 1}}, netinfo...), "@react-native-community/netinfo|likely|9.5.0 or 5.9.10"},
	} {
		o := Attribute(tt.e, Index(tt.parts))
		got := ""
		if o != nil {
			got = o.Name + "|" + map[Confidence]string{Possible: "possible", Likely: "likely", Certain: "certain"}[o.Confidence] + "|" + o.Version
			if len(o.Reasons) == 0 || (o.Name == OwnCode) != o.Own || o.Version != "" && o.VersionBy == "" {
				t.Errorf("%s: %+v", tt.name, o)
			}
		}
		if got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// TestTheStoryOfNetInfo is the finding that this package was made for: from the text of a
// minified module alone.
func TestTheStoryOfNetInfo(t *testing.T) {
	t.Parallel()
	module := []byte(module59)
	if bundle, err := os.ReadFile("../../bin/artefacts/rn/main.jsbundle"); err == nil {
		at := bytes.Index(bundle, []byte(probe))
		start, end := bytes.LastIndex(bundle[:at], []byte("__d(")), at+bytes.Index(bundle[at:], []byte("\n"))
		module = bundle[start:end]
	}
	o := Attribute(Evidence{Host: "clients3.google.com", URL: probe, File: "A.ipa!/Payload/A.app/main.jsbundle", Place: in(""), Around: module}, nil)
	if o == nil || o.Library == nil || o.Default == nil {
		t.Fatalf("%+v", o)
	}
	got := fmt.Sprintf("%s, %s (by %s), %d: %s\n%s is %s, %s line %d (%s); %s", o.Name, o.Version, o.VersionBy, o.Confidence, strings.Join(o.Reasons, "; "),
		o.Default.Setting, o.Default.URL, o.Default.File, o.Default.Line, o.Default.Versions, o.Default.When)
	want := `@react-native-community/netinfo, 5.5.0 to 6.0.6 (by its code, which has reachabilityRequestTimeout and lacks reachabilityShouldRun), 2: its default is https://clients3.google.com/generate_204; the code around it has names that only this library has together: reachabilityTest, reachabilityShortTimeout, reachabilityLongTimeout and 1 more
reachabilityUrl is https://clients3.google.com/generate_204, src/internal/defaultConfiguration.ts line 2 (5.5.0 to 7.1.11); every 60 s while the internet is reachable and every 5 s while it is not; before 5.6 the other way round`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !strings.Contains(o.Remedy, "NetInfo.configure({reachabilityUrl: ''});") || o.Docs == "" || o.Ecosystem != inventory.NPM {
		t.Errorf("%+v", o)
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	part := func(version, asked string) []inventory.Component {
		return []inventory.Component{{Ecosystem: inventory.NPM, Name: "@react-native-community/netinfo", Version: version, Range: asked, File: "yarn.lock", Line: 3}}
	}
	for _, tt := range []struct {
		name  string
		e     Evidence
		parts []inventory.Component
		want  string
	}{
		{"the module", Evidence{URL: probe, Place: in("node_modules/@react-native-community/netinfo/a.js")}, nil, "the bundle names its module node_modules/@react-native-community/netinfo/a.js"},
		{"the map", Evidence{URL: probe, Place: from("src/api.ts")}, nil, "main.jsbundle.map says that it was src/api.ts line 2"},
		{"the class", Evidence{Host: "x.example", Place: usedBy("com.novoda.merlin.A.b")}, nil, "the code that uses it is com.novoda.merlin.A.b"},
		{"the folder", Evidence{Host: "x.example", File: "A.ipa!/Payload/A.app/Frameworks/Sentry.framework/Sentry"}, nil, "the file lies in Frameworks/Sentry.framework"},
		{"the package's folder", Evidence{Host: "x.example", File: "x/node_modules/@s/x/a/b.js"}, nil, "the file lies in x/node_modules/@s/x"},
		{"https, shared", Evidence{URL: probe}, nil, "others have the same address: com.github.pwittchen:reactivenetwork"},
		{"https", Evidence{URL: probeHTTP}, nil, "over https it would be the default of @react-native-community/netinfo"},
		{"the system", Evidence{URL: probeHTTP}, nil, "others have the same address: Android itself (before 7)"},
		{"other libraries", Evidence{Host: "clients3.google.com"}, nil, "others have the same address: com.github.pwittchen:reactivenetwork"},
		{"what brought it", Evidence{URL: probe, File: "Frameworks/JitsiMeet.framework/main.jsbundle", Around: []byte(module59)}, nil, "it came with JitsiMeetSDK: the file lies in Frameworks/JitsiMeet.framework"},
		{"what brought it, unknown", Evidence{URL: probe, File: "Frameworks/Foo.framework/main.jsbundle", Around: []byte(module59)}, nil, "it came with Foo: the file lies in Frameworks/Foo.framework"},
		{"shortened names", Evidence{URL: probe, Place: usedBy("a.b.c")}, nil, "the code that uses it has shortened names (a.b.c), which name no library"},
		{"a range", Evidence{URL: probe}, part("", "^5.9.0"), "yarn.lock line 3 asks for version ^5.9.0"},
		{"the inventory", Evidence{URL: probe}, part("5.9.10", ""), "the app is made with it: yarn.lock line 3"},
		{"a version at odds with the code", Evidence{URL: probe, Place: in(""), Around: []byte(module59)}, part("9.5.0", ""), "by its code, which has reachabilityRequestTimeout and lacks reachabilityShouldRun, it is version 5.5.0 to 6.0.6, and not the 9.5.0 of yarn.lock line 3"},
		{"a version without the default", Evidence{URL: probe}, part("3.2.1", ""), "version 3.2.1 is not among those that are known to have this default (4.1.0 to 4.7.0, 5.0.0 to 5.3.3, 5.5.0 to 7.1.11, 7.1.12 and later)"},
		{"a row that is not verified", Evidence{Host: "x.example", Place: usedBy("com.vungle.ads.A")}, nil, "what the catalogue says of Vungle is not verified"},
		{"a product", Evidence{Host: "o1.ingest.sentry.io"}, nil, "the address is one of Sentry"},
	} {
		o := Attribute(tt.e, Index(tt.parts))
		if o == nil || !slices.Contains(o.Reasons, tt.want) {
			t.Errorf("%s: %+v lacks %q", tt.name, o, tt.want)
		}
	}
}

func TestEcosystems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		e    Evidence
		want string
	}{
		{"of its name", Evidence{URL: probe}, inventory.NPM},
		{"of a class", Evidence{Host: "x.example", Place: usedBy("io.sentry.A")}, inventory.Maven},
		{"of a folder", Evidence{Host: "x.example", File: "node_modules/@sentry/core/a.js"}, inventory.NPM},
		{"of a framework", Evidence{Host: "x.example", File: "Frameworks/Sentry.framework/Sentry"}, inventory.Bundled},
		{"of what people call it", Evidence{Host: "o1.ingest.sentry.io"}, ""},
		{"of a pod alone", Evidence{URL: "https://captive.apple.com/hotspot-detect.html"}, inventory.Pod},
		{"of the app's own code", Evidence{URL: probe, Place: from("src/a.ts")}, ""},
	} {
		if o := Attribute(tt.e, nil); o == nil || o.Ecosystem != tt.want {
			t.Errorf("%s: %+v", tt.name, o)
		}
	}
}

func TestDefaultOfAVersion(t *testing.T) {
	t.Parallel()
	for version, line := range map[string]int{"4.7.0": 12, "5.0.1": 16, "5.9.10": 2, "7.1.11": 2, "7.1.12": 4, "12.0.1": 4, "99.0.0": 4} {
		parts := []inventory.Component{{Ecosystem: inventory.NPM, Name: "@react-native-community/netinfo", Version: version, File: "yarn.lock"}}
		o := Attribute(Evidence{URL: probe}, Index(parts))
		if o == nil || o.Default == nil || o.Default.Line != line || o.VersionBy != "yarn.lock" {
			t.Errorf("%s: %+v", version, o)
		}
	}
	for _, tt := range []struct {
		name   string
		e      Evidence
		remedy bool
	}{
		{"an address that is no default", Evidence{URL: "https://github.com/x", Place: in("node_modules/@react-native-community/netinfo/a.js")}, false},
		{"the default", Evidence{URL: probe, Place: in("node_modules/@react-native-community/netinfo/a.js")}, true},
		{"the default of a class", Evidence{URL: probe, Place: usedBy("com.github.pwittchen.reactivenetwork.library.rx2.A.b")}, true},
		{"a host of its product", Evidence{Host: "api.eu.amplitude.com", Place: in("node_modules/@amplitude/x/a.js")}, true},
		{"a host of another's product", Evidence{Host: "o1.ingest.sentry.io", Place: in("node_modules/@amplitude/x/a.js")}, false},
	} {
		if o := Attribute(tt.e, nil); o == nil || (o.Remedy != "") != tt.remedy {
			t.Errorf("%s: %+v", tt.name, o)
		}
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	ordered := []string{"0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2", "1.10", "2", "10.0.0", "18446744073709551616"}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := compareVersions(a, b), max(-1, min(1, i-j)); got != want {
				t.Errorf("compareVersions(%q, %q) = %d", a, b, got)
			}
		}
	}
	for _, same := range [][2]string{{"1", "1.0.0"}, {"v1.2", "1.2"}, {"1.0.0+5", "1.0.0+6"}} {
		if compareVersions(same[0], same[1]) != 0 {
			t.Errorf("%s differs from %s", same[0], same[1])
		}
	}
	for want, s := range map[string]span{"": {}, "up to 2": {"", "2"}, "1 and later": {"1", ""}, "1 to 2": {"1", "2"}, "1": {"1", "1"}} {
		if s.String() != want {
			t.Errorf("%+v: %q", s, s)
		}
	}
	for _, tt := range []struct {
		a, b  span
		meets bool
	}{{span{}, span{"1", "2"}, true}, {span{"1", "2"}, span{"2", "3"}, true}, {span{"1", "2"}, span{"3", ""}, false}, {span{"", "2"}, span{"2.1", ""}, false}} {
		if tt.a.meets(tt.b) != tt.meets || tt.b.meets(tt.a) != tt.meets {
			t.Errorf("%s meets %s: %v", tt.a, tt.b, !tt.meets)
		}
	}
}

func FuzzAttribute(f *testing.F) {
	f.Add("clients3.google.com", probe, "A.ipa!/Payload/A.app/Frameworks/X.framework/main.jsbundle", "node_modules/@a/b/c.js", "com.example.A", []byte(module59))
	f.Add("", "https://[", "plugins/@", "node_modules/@", ".", []byte(nil))
	f.Add("", "%", "Pods//", "?", "..", []byte(nil))
	f.Fuzz(func(t *testing.T, host, url, file, module, user string, around []byte) {
		for _, place := range []reading.Place{{}, in(module), from(module), usedBy(user), {Users: []reading.User{{Name: user, Package: user, File: module}}}} {
			o := Attribute(Evidence{Host: host, URL: url, File: file, Place: place, Around: around}, nil)
			if o != nil && (o.Name == "" || o.Confidence == 0 || len(o.Reasons) == 0) {
				t.Errorf("%+v", o)
			}
		}
	})
}

func BenchmarkAttribute(b *testing.B) {
	e := Evidence{Host: "clients3.google.com", URL: probe, Place: in(""), Around: []byte(module59)}
	for b.Loop() {
		Attribute(e, nil)
	}
}

// Where several use one text, the one that is known to contact the address comes first, and is not certain.
func TestSeveralUsers(t *testing.T) {
	t.Parallel()
	netinfo, merlin := "com.reactnativecommunity.netinfo.X.y", "com.novoda.merlin.Endpoint.a"
	for _, tt := range []struct {
		name  string
		users []string
		want  string // name | confidence | who else
	}{
		{"the library behind a stranger", []string{"com.acme.harmless.Foo.bar", netinfo, merlin}, "@react-native-community/netinfo|likely|others have the same text: com.acme.harmless and com.novoda:merlin"},
		{"strangers", []string{"com.acme.harmless.Foo.bar", "org.example.other.B.c"}, "com.acme.harmless|possible|others have the same text: org.example.other"},
		{"one stranger", []string{"com.acme.harmless.Foo.bar", "com.acme.harmless.B.c"}, "com.acme.harmless|certain|"},
		{"one library", []string{netinfo, netinfo}, "@react-native-community/netinfo|certain|"},
	} {
		o := Attribute(Evidence{URL: probe, File: "classes.dex", Place: usedBy(tt.users...)}, nil)
		if o == nil {
			t.Fatal(tt.name)
		}
		others := ""
		for _, reason := range o.Reasons {
			if strings.HasPrefix(reason, "others have the same text") {
				others = reason
			}
		}
		if got := fmt.Sprintf("%s|%s|%s", o.Name, [...]string{"", "possible", "likely", "certain"}[o.Confidence], others); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
		if o.Library != nil && o.Remedy == "" {
			t.Errorf("%s: no remedy", tt.name)
		}
	}
}

// A version that lacks the default is no sign for the library.
func TestVersionsThatLackTheDefault(t *testing.T) {
	t.Parallel()
	part := func(version string) inventory.Component {
		return inventory.Component{Ecosystem: inventory.NPM, Name: "@react-native-community/netinfo", Version: version, File: "package-lock.json", Line: 1}
	}
	for _, tt := range []struct {
		parts []inventory.Component
		want  Confidence
	}{
		{[]inventory.Component{part("3.0.0")}, Possible},
		{[]inventory.Component{part("3.0.0"), part("3.1.0")}, Possible},
		{[]inventory.Component{part("3.0.0"), part("5.9.10")}, Likely},
		{[]inventory.Component{part("3.0.0"), part("")}, Likely},
		{[]inventory.Component{part("5.9.10")}, Likely},
	} {
		if o := Attribute(Evidence{URL: probe}, Index(tt.parts)); o == nil || o.Confidence != tt.want {
			t.Errorf("%v: %+v", tt.parts, o)
		}
	}
}
