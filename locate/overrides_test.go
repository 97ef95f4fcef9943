package locate

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"telltale/locate/library"
)

// metro is a bundle of modules as Metro writes them, minified.
func metro(modules ...string) string {
	return "var __BUNDLE_START_TIME__=0;" + strings.Join(modules, "\n") + "\n__r(1);"
}

// What a file sets is told as the app's choice where it is sure to be one, of that library.
func TestWhatTheAppSetsOfALibrary(t *testing.T) {
	offline := map[string]string{
		"package.json": "{}",
		"node_modules/react-native-offline/src/x.js": "export default {pingServerUrl:'https://www.google.com/',shouldPing:true}",
	}
	inBundle := "__d(function(g,r,i,a,m,e,d){m.exports={pingServerUrl:'https://www.google.com/',pingTimeout:1,pingOnlyIfOffline:!1,shouldPing:!0}},1,[]);"
	for name, c := range map[string]struct {
		file, text string
		sets       bool
	}{
		"code that imports it":                {"src/a.jsx", "import {NetworkProvider} from 'react-native-offline';\nrender({shouldPing:false})", true},
		"code that requires it":               {"src/a.js", `const o = require("react-native-offline/src/x"); o.f({shouldPing: false})`, true},
		"code that has nothing to do with it": {"src/a.js", "render({shouldPing:false})", false},
		"code that imports another":           {"src/a.js", "import x from 'react-native-offline-too'; x({shouldPing:false})", false},
		"code that only names it":             {"src/a.js", "// like 'react-native-offline'\nx({shouldPing:false})", false},
		"a test":                              {"src/__tests__/a.js", "import x from 'react-native-offline'; render({shouldPing:false})", false},
		"a test by its name":                  {"src/a.test.js", "import x from 'react-native-offline'; render({shouldPing:false})", false},
		"a specification":                     {"src/a.spec.ts", "import x from 'react-native-offline'; render({shouldPing:false})", false},
		"an example":                          {"examples/a.js", "import x from 'react-native-offline'; render({shouldPing:false})", false},
		"another package":                     {"node_modules/other/lib.js", "import x from 'react-native-offline'; f({shouldPing:false})", false},
		"the library":                         {"node_modules/react-native-offline/src/y.js", "import x from 'react-native-offline'; f({shouldPing:false})", false},
		"the library's name for it":           {"src/a.js", "f({pingServerUrl:'https://a.acme.io/'})", true},
		"a minified bundle":                   {"assets/index.android.bundle", metro("__d(function(g,r,i,a,m,e,d){r(d[0]).render({shouldPing:!1})},1,[2]);"), false},
		"a minified bundle with its own name": {"assets/index.android.bundle", metro("__d(function(g,r,i,a,m,e,d){r(d[0]).render({pingServerUrl:''})},1,[2]);"), true},
		"a bundle with names":                 {"assets/index.android.bundle", metro(`__d(function(g,_$$_REQUIRE,i,a,m,e,_dependencyMap){var o=_$$_REQUIRE(_dependencyMap[0],"react-native-offline");o.render({shouldPing:false})},1,[2],"src/App.js");`), true},
		"a module of another package":         {"assets/index.android.bundle", metro(`__d(function(g,_$$_REQUIRE,i,a,m,e,_dependencyMap){var o=_$$_REQUIRE(_dependencyMap[0],"react-native-offline");o.render({shouldPing:false})},1,[2],"node_modules/other/a.js");`), false},
		"the library in the bundle":           {"assets/index.android.bundle", metro(inBundle), false},
	} {
		t.Run(name, func(t *testing.T) {
			files := maps.Clone(offline)
			files[c.file] = c.text
			r := searched(t, Wanted{Hosts: []string{"www.google.com"}}, folder(t, files))
			if len(r.Leads) == 0 {
				t.Fatal("no lead")
			}
			for _, l := range r.Leads {
				if l.Origin == nil || l.Origin.Library == nil || (len(l.Overrides) > 0) != c.sets {
					t.Errorf("%s: origin %+v, the app sets %+v", l.File, l.Origin, l.Overrides)
				}
			}
		})
	}
}

// Of property lists and manifests the app's own count.
func TestWhatAManifestSets(t *testing.T) {
	list := `<?xml version="1.0"?><plist version="1.0"><dict><key>CFBundleIdentifier</key><string>a.b</string><key>FIREBASE_ANALYTICS_COLLECTION_DEACTIVATED</key><true/></dict></plist>`
	for file, sets := range map[string]bool{
		"Payload/A.app/Info.plist": true, "Payload/A.app/Frameworks/X.framework/Info.plist": false, "Payload/A.app/X.bundle/Info.plist": false,
	} {
		r := searched(t, Wanted{Hosts: []string{"app-measurement.com"}}, folder(t, map[string]string{
			file: list, "Payload/A.app/Frameworks/FirebaseAnalytics.framework/FirebaseAnalytics": "\x00https://app-measurement.com/a\x00",
		}))
		if len(r.Leads) != 1 || (len(r.Leads[0].Overrides) > 0) != sets {
			t.Errorf("%s: %+v", file, r.Leads)
		}
	}
}

const (
	listWithATS = `<?xml version="1.0"?><plist version="1.0"><dict><key>CFBundleIdentifier</key><string>x.y</string><key>NSAppTransportSecurity</key><dict><key>NSAllowsArbitraryLoads</key><true/></dict></dict></plist>`
	permitting  = `<network-security-config><domain-config cleartextTrafficPermitted="true"><domain>old.acme.io</domain></domain-config></network-security-config>`
)

// iOS asks the main bundle's property list of an app or an extension, and Android the configuration that
// the manifest names.
func TestDeclarationsAreThoseInForce(t *testing.T) {
	manifest := func(config string) string {
		return `<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="a.b"><application ` + config + `/></manifest>`
	}
	const named = `android:networkSecurityConfig="@xml/network_security_config"`
	for name, c := range map[string]struct {
		files map[string]string
		want  string // the file that says so, "" for none
	}{
		"an app":             {map[string]string{"Payload/A.app/Info.plist": listWithATS}, "Payload/A.app/Info.plist"},
		"an extension":       {map[string]string{"Payload/A.app/PlugIns/X.appex/Info.plist": listWithATS}, "Payload/A.app/PlugIns/X.appex/Info.plist"},
		"a framework":        {map[string]string{"Payload/A.app/Frameworks/X.framework/Info.plist": listWithATS}, ""},
		"a bundle":           {map[string]string{"Payload/A.app/X.bundle/Info.plist": listWithATS}, ""},
		"a package":          {map[string]string{"node_modules/x/ios/Info.plist": listWithATS}, ""},
		"named":              {map[string]string{"AndroidManifest.xml": manifest(named), "res/xml/network_security_config.xml": permitting}, "res/xml/network_security_config.xml"},
		"named by a number":  {map[string]string{"AndroidManifest.xml": manifest(`android:networkSecurityConfig="@0x7f120001"`), "res/aB.xml": permitting}, "res/aB.xml"},
		"one of two":         {map[string]string{"AndroidManifest.xml": manifest(named), "res/xml/network_security_config.xml": permitting, "res/xml/sdk.xml": permitting}, "res/xml/network_security_config.xml"},
		"one of two numbers": {map[string]string{"AndroidManifest.xml": manifest(`android:networkSecurityConfig="@0x7f120001"`), "res/a.xml": permitting, "res/b.xml": permitting}, ""},
		"another is named":   {map[string]string{"AndroidManifest.xml": manifest(named), "res/xml/sdk.xml": permitting}, ""},
		"none is named":      {map[string]string{"AndroidManifest.xml": manifest(""), "res/xml/sdk.xml": permitting}, ""},
		"no manifest":        {map[string]string{"res/xml/network_security_config.xml": permitting}, ""},
		"a build for debugging": {map[string]string{"app/src/main/AndroidManifest.xml": manifest(""), "app/src/debug/AndroidManifest.xml": manifest(named),
			"app/src/debug/res/xml/network_security_config.xml": permitting}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := maps.Clone(c.files)
			files["x.js"] = "f('http://old.acme.io/x')"
			r := searched(t, Wanted{Hosts: []string{"old.acme.io"}}, folder(t, files))
			says := ""
			for _, clause := range r.Leads[0].Declared {
				says += clause
			}
			if c.want == "" && says != "" || !strings.HasSuffix(says, c.want) {
				t.Errorf("it says %q", says)
			}
		})
	}
}

func TestPlatforms(t *testing.T) {
	got := map[string]string{}
	for _, kind := range []string{
		"APK", "AAB", "AAR", "split APKs (.xapk)", "folder (unpacked APK)", "folder (unpacked AAB)",
		"IPA", "folder (unpacked IPA)", "iOS app folder (.app)", "folder", "source tree", "file", "",
	} {
		got[platform(kind)] += kind + "; "
	}
	want := map[string]string{
		"Android": "APK; AAB; AAR; split APKs (.xapk); folder (unpacked APK); folder (unpacked AAB); ",
		"iOS":     "IPA; folder (unpacked IPA); iOS app folder (.app); ",
		"":        "folder; source tree; file; ; ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A bundle may say itself whose a module is.
func TestWhatABundleSaysOfItsModules(t *testing.T) {
	for name, c := range map[string]struct {
		bundle, version string
		confidence      library.Confidence
	}{
		"licence":  {metro("__d(function(){/*! acme-sdk v2.1.0 | MIT */fetch('https://sdk.acme.io/x')},1,[]);"), "2.1.0", library.Possible},
		"required": {metro(`__d(function(g,_$$_REQUIRE,i,a,m,e,_dependencyMap){_$$_REQUIRE(_dependencyMap[0],"acme-sdk")},1,[2]);`, "__d(function(){fetch('https://sdk.acme.io/x')},2,[]);"), "", library.Certain},
		"path":     {metro(`__d(function(){fetch('https://sdk.acme.io/x')},1,[],"node_modules/acme-sdk/lib/a.js");`), "", library.Certain},
	} {
		t.Run(name, func(t *testing.T) {
			r := searched(t, Wanted{Hosts: []string{"sdk.acme.io"}}, folder(t, map[string]string{"main.jsbundle": c.bundle}))
			if len(r.Leads) != 1 || r.Leads[0].Origin == nil {
				t.Fatalf("%+v", r.Leads)
			}
			if o := r.Leads[0].Origin; o.Name != "acme-sdk" || o.Version != c.version || o.Confidence != c.confidence {
				t.Errorf("%+v", o)
			}
		})
	}
}
