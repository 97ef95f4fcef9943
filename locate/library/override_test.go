package library

import (
	"strings"
	"testing"

	"telltale/locate/reading"
)

func TestOverridden(t *testing.T) {
	t.Parallel()
	literal := func(name, value, call string) reading.Setting {
		return reading.Setting{Name: name, Value: value, Known: true, Call: call}
	}
	for _, tt := range []struct {
		name, id, file string
		s              reading.Setting
		want           string // "" for none; what it does before a |
	}{
		{"stopped", "netinfo", "A.ipa!/Payload/A.app/main.jsbundle", literal("reachabilityUrl", "", "configure"), "stops|the app sets reachabilityUrl to ''"},
		{"stopped, by an object that the call has", "netinfo", "main.jsbundle", literal("reachabilityUrl", "", "r.default.configure"), "stops|the app sets reachabilityUrl to ''"},
		{"stopped, where the call is not known", "netinfo", "main.jsbundle", literal("reachabilityUrl", "", ""), "stops|the app sets reachabilityUrl to ''"},
		{"another's call", "netinfo", "main.jsbundle", literal("reachabilityUrl", "", "setup"), ""},
		{"moved", "netinfo", "main.jsbundle", literal("reachabilityUrl", "https://health.example/up", "configure"), "moves|the app sets reachabilityUrl to 'https://health.example/up', which the library then contacts instead"},
		{"the default itself", "netinfo", "main.jsbundle", literal("reachabilityUrl", probe, ""), ""},
		{"decided by code", "netinfo", "main.jsbundle", reading.Setting{Name: "reachabilityUrl", Call: "configure"}, "|the app's code decides the value of reachabilityUrl"},
		{"decided by code, with what it decides", "netinfo", "main.jsbundle", reading.Setting{Name: "reachabilityShouldRun", Call: "configure"}, "|the app's code decides the value of reachabilityShouldRun, which decides whether the check runs"},
		{"neither", "netinfo", "main.jsbundle", literal("useNativeReachability", "false", "configure"), "|the app sets useNativeReachability to false, which decides whether Android is asked instead (true, the default) or the URL (false)"},
		{"no setting of it", "netinfo", "main.jsbundle", literal("dsn", "", "init"), ""},
		{"a setting of code in a manifest", "netinfo", "AndroidManifest.xml", literal("reachabilityUrl", "", ""), ""},
		{"an ordinary word without its call", "posthog", "main.jsbundle", literal("host", "https://x.example", ""), ""},
		{"an ordinary word in another's call", "posthog", "main.jsbundle", literal("host", "https://x.example", "connect"), ""},
		{"an ordinary word in its call", "posthog", "main.jsbundle", literal("host", "https://x.example", "PostHog"), "moves|the app sets host to 'https://x.example', which the library then contacts instead"},
		{"an ordinary word in the other of its calls", "posthog", "main.jsbundle", literal("host", "https://x.example", "PostHogProvider"), "moves|the app sets host to 'https://x.example', which the library then contacts instead"},
		{"a manifest", "firebase-analytics", "base.apk!/AndroidManifest.xml", literal("firebase_analytics_collection_enabled", "false", ""), "stops|the app sets firebase_analytics_collection_enabled to false"},
		{"a manifest with a number", "firebase-analytics", "base.apk!/AndroidManifest.xml", literal("firebase_analytics_collection_deactivated", "-1", ""), "stops|the app sets firebase_analytics_collection_deactivated to '-1'"},
		{"a manifest that leaves it on", "firebase-analytics", "base.apk!/AndroidManifest.xml", literal("firebase_analytics_collection_enabled", "true", ""), "|the app sets firebase_analytics_collection_enabled to true, which does not stop the contact"},
		{"a setting of manifests in a property list", "firebase-analytics", "Info.plist", literal("firebase_analytics_collection_enabled", "false", ""), ""},
		{"a property list", "facebook", "A.app/Info.plist", literal("FacebookAutoLogAppEventsEnabled", "NO", ""), "|the app sets FacebookAutoLogAppEventsEnabled to 'NO', which decides whether it logs events by itself"},
		{"minified truth", "stripe", "main.jsbundle", literal("advancedFraudSignals", "!1", "setLoadParameters"), "stops|the app sets advancedFraudSignals to '!1'"},
		{"JSON", "firebase-crashlytics", "firebase.json", literal("crashlytics_auto_collection_enabled", "false", ""), "stops|the app sets crashlytics_auto_collection_enabled to false"},
		{"a word that stops", "expo-updates", "Expo.plist", literal("EXUpdatesCheckOnLaunch", "NEVER", ""), "stops|the app sets EXUpdatesCheckOnLaunch to 'NEVER'"},
		{"a word that does not", "expo-updates", "Expo.plist", literal("EXUpdatesCheckOnLaunch", "ALWAYS", ""), "|the app sets EXUpdatesCheckOnLaunch to 'ALWAYS', which decides when it looks for updates"},
		{"an empty DSN", "sentry", `C:\x\AndroidManifest.xml`, literal("io.sentry.dsn", "", ""), "stops|the app sets io.sentry.dsn to ''"},
		{"what is no address", "netinfo", "src/App.js", literal("reachabilityUrl", "null", "configure"), ""},
		{"a long value", "sentry", "AndroidManifest.xml", literal("io.sentry.dsn", "https://"+strings.Repeat("x", 193), ""), "moves|the app sets io.sentry.dsn to a text of 201 bytes, which the library then contacts instead"},
	} {
		o := Find(tt.id).Overridden(tt.s, tt.file)
		got := ""
		if o != nil {
			got = map[bool]string{true: "stops"}[o.Stops] + map[bool]string{true: "moves"}[o.Moves] + "|" + o.Says
			if o.Setting != tt.s || o.File != tt.file {
				t.Errorf("%s: %+v", tt.name, o)
			}
		}
		if got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestTakers(t *testing.T) {
	t.Parallel()
	const code = "src/a.js"
	for _, tt := range []struct {
		name, file, set, call, text string
		want                        string
	}{
		{"a call of the library", code, "reachabilityUrl", "configure", "", "netinfo"},
		{"another's call", code, "reachabilityUrl", "setup", "import x from '@react-native-community/netinfo'", ""},
		{"no call", code, "reachabilityUrl", "", "", ""},
		{"no call, and an import", code, "reachabilityUrl", "", "import NetInfo from '@react-native-community/netinfo'", "netinfo"},
		{"a word that several take", code, "shouldPing", "render", "", ""},
		{"an import", code, "shouldPing", "render", `import {A} from "react-native-offline"`, "react-native-offline"},
		{"an import for what it does", code, "shouldPing", "", "import 'react-native-offline/x';", "react-native-offline"},
		{"an import at run time", code, "shouldPing", "", "await import( 'react-native-offline' )", "react-native-offline"},
		{"the import of a bundle", code, "shouldPing", "", "require('react-native-offline')" + strings.Repeat(" ", mostImporting), ""},
		{"Java", "A.java", "defaultOptIn", "", "import com.posthog.android.PostHogAndroid;", "posthog"},
		{"Dart", "main.dart", "defaultOptIn", "", "import 'package:posthog_flutter/posthog_flutter.dart';", "posthog"},
		{"a name of its own", code, "pingServerUrl", "networkSaga", "", "react-native-offline"},
		{"a method of another's class", "classes.dex", "dsn", "com.bugsnag.android.Bugsnag.init", "", ""},
		{"a manifest", "AndroidManifest.xml", "firebase_crashlytics_collection_enabled", "", "", "firebase-crashlytics"},
	} {
		var got []string
		for _, l := range Takers(reading.Setting{Name: tt.set, Call: tt.call}, tt.file, Imported([]byte(tt.text), nil)) {
			got = append(got, l.ID)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, got, tt.want)
		}
	}
}
