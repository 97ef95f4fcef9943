package inventory

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// said writes components in a line each: ecosystem name version line, a range behind ~.
func said(parts []Component) []string {
	var out []string
	for _, c := range parts {
		version := c.Version
		if c.Range != "" {
			version = "~" + c.Range
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s @%d", c.Ecosystem, c.Name, version, c.Line)))
	}
	return out
}

var examples = []struct {
	name, path, text string
	want             []string
}{
	{"npm 1", "package-lock.json", `{
  "name": "app", "version": "1.0.0", "lockfileVersion": 1,
  "dependencies": {
    "a": {
      "version": "1.2.3",
      "dependencies": {
        "@s/b": { "version": "2.0.0-rc.1" }
      }
    },
    "c": { "version": "npm:d@4.5.6" },
    "e": { "version": "git+ssh://git@example.com/e.git#abc" }
  }
}`, []string{"npm a 1.2.3 @5", "npm @s/b 2.0.0-rc.1 @7", "npm d 4.5.6 @10", "npm e ~git+ssh://git@example.com/e.git#abc @11"}},
	{"npm 2, where the newer part counts", "app/npm-shrinkwrap.json", `{"lockfileVersion": 2, "version": "9.9.9",
"dependencies": {"old": {"version": "0.1.0"}},
"packages": {"": {"name": "app", "version": "1.0.0"}, "packages/mine": {"version": "1.0.0"},
"node_modules/a": {"version": "1.0.0", "dependencies": {"version": "^3.0.0"}},
"node_modules/a/node_modules/@s/b": {"version": "2.0.0"},
"node_modules/alias": {"name": "real", "version": "3.0.0"},
"node_modules/mine": {"resolved": "packages/mine", "link": true},
"node_modules/a/node_modules/@s/c": {"version": "2.0.0"}}}`, []string{"npm a 1.0.0 @4", "npm @s/b 2.0.0 @5", "npm real 3.0.0 @6", "npm @s/c 2.0.0 @8"}},
	{"npm 3", `C:\x\node_modules\.package-lock.json`, `{"lockfileVersion": 3, "packages": {
"node_modules/@react-native-community/netinfo": {
  "version": "5.9.10"}}}`, []string{"npm @react-native-community/netinfo 5.9.10 @3"}},
	{"yarn 1", "yarn.lock", "# yarn lockfile v1\n\n\n\"@s/a@^1.0.0\", \"@s/a@^1.1.0\":\n  version \"1.2.0\"\n  dependencies:\n    version \"^9.0.0\"\n\nb@1.x:\r\n  version \"1.0.1\"\r\n\nc@npm:d@^1.0.0:\n  version \"1.5.0\"\n\n\"e@https://x.example/e.tgz\":\n  version \"0.0.1\"\n",
		[]string{"npm @s/a 1.2.0 @5", "npm b 1.0.1 @10", "npm d 1.5.0 @13", "npm e 0.0.1 @16"}},
	{"yarn berry", "yarn.lock", "__metadata:\n  version: 6\n\n\"@s/a@npm:^1.0.0, @s/a@npm:^1.1.0\":\n  version: 1.2.0\n  resolution: \"@s/a@npm:1.2.0\"\n\n\"app@workspace:.\":\n  version: 0.0.0-use.local\n\n\"c@npm:d@^1.0.0\":\n  version: 1.5.0\n",
		[]string{"npm @s/a 1.2.0 @5", "npm d 1.5.0 @12"}},
	{"pnpm 5", "pnpm-lock.yaml", "lockfileVersion: 5.4\nspecifiers:\n  a: ^1.0.0\npackages:\n\n  /a/1.0.0:\n    resolution: {integrity: x}\n    dependencies:\n      b: 2.0.0\n  /@s/b/2.0.0_react@17.0.2:\n    dev: false\n  github.com/x/y/abc:\n    dev: false\n",
		[]string{"npm a 1.0.0 @6", "npm @s/b 2.0.0 @10"}},
	{"pnpm 6", "pnpm-lock.yaml", "lockfileVersion: '6.0'\npackages:\n  /a@1.0.0:\n    x: y\n  /@s/b@2.0.0(react@17.0.2):\n    x: y\n",
		[]string{"npm a 1.0.0 @3", "npm @s/b 2.0.0 @5"}},
	{"pnpm 9", "pnpm-lock.yaml", "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a@0:\npackages:\n  a@1.0.0:\n    x: y\n  '@s/b@2.0.0':\n    x: y\n  c@file:../c:\n    x: y\nsnapshots:\n  d@1.0.0:\n    x: y\n",
		[]string{"npm a 1.0.0 @7", "npm @s/b 2.0.0 @9"}},
	{"bun", "bun.lock", "{\n  \"lockfileVersion\": 1,\n  \"workspaces\": {\n    \"\": [\"x@1.0.0\"],\n  },\n  \"packages\": {\n    \"a\": [\"a@1.0.0\", \"\", {}, \"sha\"],\n    \"z/@s/b\": [\"@s/b@2.0.0\", \"\", {}, \"sha\"],\n    \"w\": [\"w@workspace:w\"],\n  }\n}\n",
		[]string{"npm a 1.0.0 @7", "npm @s/b 2.0.0 @8"}},
	{"an installed package", "x/node_modules/@s/a/package.json", "{\n\"name\": \"@s/a\",\n\"dependencies\": {\"b\": \"^1.0.0\"},\n\"version\": \"1.2.3\"}", []string{"npm @s/a 1.2.3 @4"}},
	{"a project", "x/package.json", "{\"name\": \"app\", \"version\": \"1.0.0\",\n\"dependencies\": {\"a\": \"^1.0.0\",\n\"b\": \"5.9.10\", \"c\": \"npm:d@~2.0.0\", \"e\": \"*\", \"f\": \"1.x\"},\n\"devDependencies\": {\"g\": \"1.0.0\"}}",
		[]string{"npm a ~^1.0.0 @2", "npm b 5.9.10 @3", "npm d ~~2.0.0 @3", "npm e ~* @3", "npm f ~1.x @3"}},
	{"a package that was shipped", "base.apk!/assets/lib/package.json", `{"name": "a", "version": "1.0.0"}`, []string{"npm a 1.0.0 @1"}},
	{"a package of an app that is none", "App.app/package.json", `{"type": "module", "version": "1.0.0"}`, nil},
	{"CocoaPods", "ios/Podfile.lock", "PODS:\n  - Firebase/Core (8.15.0):\n    - Other (1.0.0)\n  - Firebase/Auth (8.15.0)\n  - \"GoogleUtilities/Env (7.13.3)\"\n  - react-native-netinfo (5.9.10):\n    - React-Core\n\nDEPENDENCIES:\n  - X (9.0.0)\n",
		[]string{"cocoapods Firebase 8.15.0 @2", "cocoapods GoogleUtilities 7.13.3 @5", "cocoapods react-native-netinfo 5.9.10 @6"}},
	{"SwiftPM 1", "Package.resolved", "{\"object\": {\"pins\": [\n{\"package\": \"Firebase\", \"repositoryURL\": \"https://github.com/firebase/Firebase-iOS-SDK.git\",\n\"state\": {\"branch\": null, \"revision\": \"abc\", \"version\": \"8.0.0\"}}]}, \"version\": 1}",
		[]string{"swiftpm firebase-ios-sdk 8.0.0 @3"}},
	{"SwiftPM 2", "App.xcodeproj/project.xcworkspace/xcshareddata/swiftpm/Package.resolved", "{\"originHash\": \"x\", \"pins\": [\n{\"identity\": \"sentry-cocoa\", \"kind\": \"remoteSourceControl\", \"location\": \"https://github.com/getsentry/sentry-cocoa\",\n\"state\": {\"revision\": \"abc\", \"version\": \"8.28.0\"}},\n{\"identity\": \"b\", \"location\": \"x\", \"state\": {\"branch\": \"main\", \"revision\": \"abc\"}}], \"version\": 3}",
		[]string{"swiftpm sentry-cocoa 8.28.0 @3", "swiftpm b ~main @4"}},
	{"Carthage", "Cartfile.resolved", "binary \"https://x.example/Mapbox.json\" \"6.4.1\"\ngithub \"rwbutler/Connectivity\" \"v5.0.0\"\ngit \"https://x.example/y.git\" \"abcdef\"\n",
		[]string{"swiftpm mapbox 6.4.1 @1", "swiftpm connectivity 5.0.0 @2", "swiftpm y ~abcdef @3"}},
	{"Gradle's lock", "app/gradle.lockfile", "# This is a Gradle generated file.\ncom.novoda:merlin:1.2.1=releaseRuntimeClasspath\nempty=debugApi\n", []string{"maven com.novoda:merlin 1.2.1 @2"}},
	{"Gradle's older locks", "app/gradle/dependency-locks/releaseRuntimeClasspath.lockfile", "com.novoda:merlin:1.2.1\n", []string{"maven com.novoda:merlin 1.2.1 @1"}},
	{"Gradle's lock of the build", "buildscript-gradle.lockfile", "com.android.tools.build:gradle:8.0.0=classpath\n", nil},
	{"a version catalogue", "gradle/libs.versions.toml", "[versions]\nokhttp = \"4.12.0\" # as of now\nsentry = { strictly = \"7.0.0\" }\n\n[libraries]\nok = { module = \"com.squareup.okhttp3:okhttp\", version.ref = \"okhttp\" }\nsentry = { group = \"io.sentry\", name = \"sentry-android\", version = { ref = \"sentry\" } }\nmerlin = \"com.novoda:merlin:1.2.1\"\nbare = { module = \"a:b\" }\n\n[plugins]\nx = { id = \"y\", version = \"1\" }\n",
		[]string{"maven com.squareup.okhttp3:okhttp ~4.12.0 @6", "maven io.sentry:sentry-android ~7.0.0 @7", "maven com.novoda:merlin ~1.2.1 @8", "maven a:b  @9"}},
	{"a build", "app/build.gradle", "dependencies {\n  implementation 'com.novoda:merlin:1.2.1'\n  // implementation 'no:no:1'\n  testImplementation 'junit:junit:4.13'\n  releaseImplementation(\"com.google.firebase:firebase-analytics\")\n  implementation platform('com.google.firebase:firebase-bom:32.0.0')\n  api \"a:b:$version@aar\"\n  classpath 'x:y:1'\n}",
		[]string{"maven com.novoda:merlin ~1.2.1 @2", "maven com.google.firebase:firebase-analytics  @5", "maven com.google.firebase:firebase-bom ~32.0.0 @6", "maven a:b ~$version @7"}},
	{"a build in Kotlin", "build.gradle.kts", "\timplementation(\"io.sentry:sentry:7.+\")\n\timplementation(libs.okhttp)\n", []string{"maven io.sentry:sentry ~7.+ @1"}},
	{"Dart", "pubspec.lock", "packages:\n  flutter:\n    dependency: \"direct main\"\n    source: sdk\n    version: \"0.0.0\"\n  internet_connection_checker_plus:\n    dependency: \"direct main\"\n    description:\n      name: x\n      version: \"9.9.9\"\n    source: hosted\n    version: \"2.5.1\"\nsdks:\n  dart: \">=3.0.0\"\n    version: \"1.0.0\"\n",
		[]string{"pub internet_connection_checker_plus 2.5.1 @12"}},
	{"androidx", "META-INF/androidx.core_core-ktx.version", "1.12.0\n", []string{"maven androidx.core:core-ktx 1.12.0 @1"}},
	{"a sentence for a version", "META-INF/androidx.core_core.version", "task ':core:core:writeVersionFile' property 'version'", nil},
	{"kotlinx", "META-INF/kotlinx_coroutines_android.version", "1.7.3", []string{"maven org.jetbrains.kotlinx:kotlinx-coroutines-android 1.7.3 @1"}},
	{"Maven", "META-INF/maven/com.novoda/merlin/pom.properties", "#Created by Maven\nartifactId=merlin\ngroupId=com.novoda\nversion=1.2.1\n", []string{"maven com.novoda:merlin 1.2.1 @4"}},
	{"Maven without a group", "META-INF/maven/x/y/pom.properties", "artifactId=merlin\nversion=1.2.1\n", nil},
	{"Firebase", "firebase-analytics.properties", "version=21.2.0\nclient=firebase-analytics\nfirebase-analytics_client=21.2.0\n", []string{"maven com.google.firebase:firebase-analytics 21.2.0 @1"}},
	{"Play services", "base.apk!/play-services-basement.properties", "version=18.1.0\n", []string{"maven com.google.android.gms:play-services-basement 18.1.0 @1"}},
	{"Kotlin", "kotlin-tooling-metadata.json", "{\"schemaVersion\": \"1.1.0\",\n\"buildPluginVersion\": \"1.8.0\"}", []string{"maven org.jetbrains.kotlin:kotlin-gradle-plugin 1.8.0 @2"}},
	{"Cordova", "assets/www/cordova_plugins.js", "cordova.define('cordova/plugin_list', function(require, exports, module) {\n  module.exports = [ { \"id\": \"a.b\", \"file\": \"1.0.0\" } ];\n  module.exports.metadata = {\n    \"cordova-plugin-device\": \"2.0.3\",\n    \"@s/x\": \"1.0.0\"\n  };\n});",
		[]string{"npm cordova-plugin-device 2.0.3 @4", "npm @s/x 1.0.0 @5"}},
	{"Capacitor", "assets/capacitor.plugins.json", "[\n{\"pkg\": \"@capacitor/app\", \"classpath\": \"com.x.Y\"}]", []string{"npm @capacitor/app  @2"}},
	{"Expo", "assets/app.config", `{"name": "x", "sdkVersion": "49.0.0"}`, []string{"npm expo ~49.x @1"}},
	{"Flutter", "assets/flutter_assets/NOTICES", "abseil-cpp\nangle\n\nApache License\n\nlower case\n" + strings.Repeat("-", 80) + "\ninternet_connection_checker\n\nMIT\n" + strings.Repeat("-", 80) + "\nhttp\n\nBSD\n",
		[]string{"pub angle  @2", "pub internet_connection_checker  @8", "pub http  @12"}},
	{"a framework", "Payload/A.app/Frameworks/Sentry.framework/Info.plist", "<plist version=\"1.0\"><dict>\n<key>CFBundleIdentifier</key><string>io.sentry.Sentry</string>\n<key>CFBundleVersion</key><string>1</string>\n<key>CFBundleShortVersionString</key><string>8.28.0</string></dict></plist>",
		[]string{"bundle io.sentry.Sentry 8.28.0 @4"}},
	{"a framework of macOS", "X.framework/Versions/A/Resources/Info.plist", "<plist version=\"1.0\"><dict><key>CFBundleIdentifier</key><string>x</string><key>CFBundleVersion</key><string>7</string></dict></plist>", []string{"bundle x 7 @1"}},
	{"a bundle without a version", "X.bundle/Info.plist", "<plist version=\"1.0\"><dict><key>CFBundleIdentifier</key><string>x</string></dict></plist>", nil},
	{"a mark of the order of bytes", "yarn.lock", "\xef\xbb\xbfa@1:\n  version \"1.0.0\"\n", []string{"npm a 1.0.0 @2"}},
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, tt := range examples {
		if !Knows(tt.path) && tt.want != nil {
			t.Errorf("%s: %s is not known", tt.name, tt.path)
		}
		parts, err := Read(tt.path, []byte(tt.text))
		if got := said(parts); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v\n got %q\nwant %q", tt.name, err, got, tt.want)
		}
		for _, c := range parts {
			if c.File != tt.path || c.Version != "" && c.Range != "" {
				t.Errorf("%s: %+v", tt.name, c)
			}
		}
	}
}

func TestCompressedNotices(t *testing.T) {
	t.Parallel()
	var g, z bytes.Buffer
	for _, w := range []interface {
		Write([]byte) (int, error)
		Close() error
	}{gzip.NewWriter(&g), zlib.NewWriter(&z)} {
		if _, err := w.Write([]byte("http\n\nBSD\n")); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range map[string][]byte{"gzip": g.Bytes(), "zlib": z.Bytes()} {
		parts, err := Read("flutter_assets/NOTICES.Z", data)
		if got := said(parts); err != nil || !slices.Equal(got, []string{"pub http  @1"}) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if _, err := Read("flutter_assets/NOTICES.Z", data[:len(data)-6]); err == nil {
			t.Errorf("%s: cut off, and no error", name)
		}
	}
	var bomb bytes.Buffer
	w, err := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	for range maxNotices >> 20 {
		if _, err := w.Write(make([]byte, 1<<20+1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Read("flutter_assets/NOTICES.Z", bomb.Bytes()); err == nil || !strings.Contains(err.Error(), "only its first") {
		t.Errorf("what unfolds to more than is read: %v", err)
	}
}

func TestKnowsNoOthers(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"", "main.jsbundle", "Payload/A.app/Info.plist", "Payload/A.app/PlugIns/B.appex/Info.plist", "NOTICES", "a/b.version", "x.properties",
		"node_modules/a/lib/package.json", "node_modules/a/test/node_modules/package.json", "node_modules/package.json", "app.config", "a.lockfile", "Info.plist",
	} {
		if Knows(name) {
			t.Errorf("%s is known", name)
		}
		if parts, err := Read(name, []byte("{}")); parts != nil || err != nil {
			t.Errorf("%s: %v, %v", name, parts, err)
		}
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ path, text, want string }{
		"no JSON":        {"package-lock.json", "{\n\"packages\": {\n<<<<", "package-lock.json: line 3: "},
		"cut off":        {"package-lock.json", `{"packages": {"node_modules/a": {"version": "1.0.0"`, "unexpected EOF"},
		"empty":          {"package.json", "", "unexpected EOF"},
		"nested":         {"Package.resolved", strings.Repeat("[", maxDepth+2), "levels deep"},
		"a plist":        {"X.framework/Info.plist", "<plist><dict>", "X.framework/Info.plist: "},
		"large":          {"yarn.lock", strings.Repeat(" ", MaxSize+1), "are more than"},
		"large, a plist": {"X.framework/Info.plist", strings.Repeat(" ", 9<<20), "are more than"},
		"many":           {"gradle.lockfile", many(), "more than 50000 components"},
	} {
		if _, err := Read(tt.path, []byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	parts, err := Read("package-lock.json", []byte(`{"packages": {"node_modules/a": {"version": "1.0.0"}, "node_modules/b": {"version": "1.0`))
	if got := said(parts); err == nil || !slices.Equal(got, []string{"npm a 1.0.0 @1"}) {
		t.Errorf("what stands before the damage: %q, %v", got, err)
	}
	if parts, err := Read("yarn.lock", []byte("a@1:\n"+strings.Repeat("x", maxLine+1)+"\n  version \"1.0.0\"\n")); err != nil || len(parts) != 1 {
		t.Errorf("a line that is too long: %v, %v", parts, err)
	}
}

func many() string {
	var text strings.Builder
	for i := range maxComponents + 1 {
		fmt.Fprintf(&text, "g:a%d:1.0=x\n", i)
	}
	return text.String()
}

func TestIsVersion(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"1.2.3": true, "1": true, "1.0.0-rc.1": true, "2.0.0.RELEASE": true, "26.0.1-jre": true, "1.0.0+build.5": true, "1.2_3": true,
		"": false, "^1.0.0": false, "~1": false, "1.x": false, "1.X.0": false, "1.+": false, "1.": false, "*": false, "latest": false, "[1,2)": false, "1 || 2": false, "v1.0": false, ">=1": false, "1.0.0 ": false,
	} {
		if isVersion(version) != want {
			t.Errorf("isVersion(%q) = %v", version, !want)
		}
	}
}

func FuzzRead(f *testing.F) {
	paths := []string{}
	for _, tt := range examples {
		f.Add(len(paths), []byte(tt.text))
		paths = append(paths, tt.path)
	}
	f.Fuzz(func(t *testing.T, which int, data []byte) {
		path := paths[uint(which)%uint(len(paths))]
		parts, _ := Read(path, data)
		lines := bytes.Count(data, []byte("\n")) + 1
		for _, c := range parts {
			if c.Name == "" || c.Ecosystem == "" || c.File != path || c.Version != "" && (c.Range != "" || !isVersion(c.Version)) {
				t.Errorf("%s: %+v", path, c)
			}
			if c.Line < 0 || c.Line > lines && !strings.Contains(path, "NOTICES") {
				t.Errorf("%s: %+v stands behind the last of %d lines", path, c, lines)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	var text strings.Builder
	text.WriteString(`{"lockfileVersion": 3, "packages": {`)
	for i := range 5000 {
		fmt.Fprintf(&text, "\"node_modules/p%d\": {\n \"version\": \"1.0.%d\", \"resolved\": \"https://registry.example/p/-/p.tgz\", \"integrity\": \"sha512-abc\"},\n", i, i)
	}
	text.WriteString(`"": {}}}`)
	data := []byte(text.String())
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if parts, err := Read("package-lock.json", data); err != nil || len(parts) != 5000 {
			b.Fatal(len(parts), err)
		}
	}
}
