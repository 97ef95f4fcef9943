package declarations

import (
	"strings"
	"testing"
)

var infoPlist = infoOf(`<dict>
	<key>NSAllowsArbitraryLoads</key><false/>
	<key>NSAllowsArbitraryLoadsInWebContent</key><true/>
	<key>NSAllowsLocalNetworking</key><true/>
	<key>NSExceptionDomains</key>
	<dict>
		<key>old.example</key>
		<dict>
			<key>NSIncludesSubdomains</key><true/>
			<key>NSExceptionAllowsInsecureHTTPLoads</key><true/>
			<key>NSExceptionMinimumTLSVersion</key><string>TLSv1.0</string>
			<key>NSExceptionRequiresForwardSecrecy</key><false/>
		</dict>
		<key>safe.old.example</key><dict/>
		<key>earlier.example</key>
		<dict><key>NSTemporaryExceptionAllowsInsecureHTTPLoads</key><true/></dict>
		<key>https://wrong.example/</key><dict/>
	</dict>
	<key>NSPinnedDomains</key>
	<dict>
		<key>safe.old.example</key><dict/>
		<key>pinned.example</key><dict><key>NSIncludesSubdomains</key><true/></dict>
	</dict>
</dict>`)

func TestTransportFor(t *testing.T) {
	for _, data := range [][]byte{[]byte(infoPlist), asBinary(t, []byte(infoPlist))} {
		d, err := Read("Info.plist", data)
		if err != nil {
			t.Fatal(err)
		}
		if d.What() != "Info.plist" || d.Transport.Bundle != "org.example.app" || d.Transport.WebContent != Permitted || d.Transport.Media != Unsaid {
			t.Errorf("%q, %+v", d.What(), d.Transport)
		}
		for _, tt := range []struct {
			host, by  string
			cleartext Permission
			least     string
			weak, pin bool
		}{
			{"other.example", "", Forbidden, "", false, false},
			{"old.example", "old.example", Permitted, "TLSv1.0", true, false},
			{"a.b.old.example", "old.example", Permitted, "TLSv1.0", true, false},
			{"notold.example", "", Forbidden, "", false, false},
			{"safe.old.example", "safe.old.example", Forbidden, "", false, true},
			{"x.safe.old.example", "old.example", Permitted, "TLSv1.0", true, false},
			{"earlier.example", "earlier.example", Permitted, "", false, false},
			{"x.earlier.example", "", Forbidden, "", false, false},
			{"x.pinned.example", "pinned.example", Forbidden, "", false, true},
			{"printer.local", "", Permitted, "", false, false},
			{"192.0.2.1", "", Permitted, "", false, false},
			{"[2001:db8::1]", "", Permitted, "", false, false},
		} {
			c, by := d.Transport.For(tt.host)
			if by != tt.by || c.Cleartext != tt.cleartext || c.MinimumTLS != tt.least || c.NoForwardSecrecy != tt.weak || c.Pinned != tt.pin {
				t.Errorf("%s: by %q, %+v", tt.host, by, c)
			}
		}
		if notes := strings.Join(d.Notes, "\n"); !strings.Contains(notes, "wrong.example") || !strings.Contains(notes, "permitted to old.example") {
			t.Errorf("notes %q", d.Notes)
		}
	}
}

func TestTransportDefaults(t *testing.T) {
	for name, tt := range map[string]struct {
		data      string
		cleartext Permission
		local     Permission
		note      string
	}{
		"nothing said":       {plistOf("<dict><key>CFBundleIdentifier</key><string>a</string></dict>"), Forbidden, Unsaid, "has no NSAppTransportSecurity"},
		"a framework":        {plistOf("<dict><key>CFBundleIdentifier</key><string>a</string><key>CFBundlePackageType</key><string>FMWK</string></dict>"), Unsaid, Unsaid, "(FMWK)"},
		"all":                {infoOf("<dict><key>NSAllowsArbitraryLoads</key><true/></dict>"), Permitted, Permitted, "every host"},
		"all, but overruled": {infoOf("<dict><key>NSAllowsArbitraryLoads</key><true/><key>NSAllowsLocalNetworking</key><false/></dict>"), Forbidden, Forbidden, "overlooked by iOS 10"},
	} {
		d, err := Read("x.plist", []byte(tt.data))
		if err != nil {
			t.Fatal(name, err)
		}
		far, _ := d.Transport.For("a.example")
		near, _ := d.Transport.For("nas")
		if far.Cleartext != tt.cleartext || near.Cleartext != tt.local || !strings.Contains(strings.Join(d.Notes, " "), tt.note) {
			t.Errorf("%s: %v, %v, %q", name, far.Cleartext, near.Cleartext, d.Notes)
		}
	}
}

const androidManifest = `<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="org.example.app">
  <uses-sdk android:minSdkVersion="21" android:targetSdkVersion="27"/>
  <application android:debuggable="true"><meta-data android:name="a" android:value="b"/></application>
</manifest>`

func TestManifest(t *testing.T) {
	const sdk = `<uses-sdk android:minSdkVersion="21" android:targetSdkVersion="27"/>`
	for name, tt := range map[string]struct {
		old, new  string
		cleartext Permission
		note      string
	}{
		"an old target":   {"", "", Permitted, "API level 27"},
		"a new target":    {`"27"`, `"28"`, Forbidden, "debuggable"},
		"the least":       {` android:targetSdkVersion="27"`, "", Permitted, "API level 27"},
		"no target":       {sdk, "", Unsaid, "debuggable"},
		"permitted":       {"<application", `<application android:usesCleartextTraffic="true"`, Permitted, "MASTG-TEST-0235"},
		"forbidden":       {"<application", `<application android:usesCleartextTraffic="False"`, Forbidden, "debuggable"},
		"a resource":      {"<application", `<application android:usesCleartextTraffic="@bool/plain"`, Permitted, "@bool/plain"},
		"a configuration": {"<application", `<application android:usesCleartextTraffic="true" android:networkSecurityConfig="@xml/net"`, Unsaid, "res/xml/net.xml"},
		"compiled":        {"<application", `<application android:networkSecurityConfig="@0x7f120001"`, Unsaid, "@0x7f120001"},
	} {
		d, err := Read("AndroidManifest.xml", []byte(strings.Replace(androidManifest, tt.old, tt.new, 1)))
		if err != nil {
			t.Fatal(name, err)
		}
		if m := d.Manifest; m.Package != "org.example.app" || !m.Debuggable || m.Permits() != tt.cleartext || !strings.Contains(strings.Join(d.Notes, " "), tt.note) {
			t.Errorf("%s: %+v permits %v, notes %q", name, m, m.Permits(), d.Notes)
		}
		if d.What() != "Android manifest" {
			t.Errorf("%q", d.What())
		}
	}
}
