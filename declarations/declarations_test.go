package declarations

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"howett.net/plist"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// binaryOf writes a property list in the binary form.
func binaryOf(t testing.TB, v any) []byte {
	t.Helper()
	data, err := plist.Marshal(v, plist.BinaryFormat)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// asBinary turns the XML form into the binary one, with another's reader.
func asBinary(t testing.TB, xml []byte) []byte {
	t.Helper()
	var v any
	if _, err := plist.Unmarshal(xml, &v); err != nil {
		t.Fatal(err)
	}
	return binaryOf(t, v)
}

// asText is what was read, without what only tells two files of one content apart.
func asText(t *testing.T, d Declaration) string {
	t.Helper()
	d.File, d.Digest = "", ""
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

func TestRead(t *testing.T) {
	manifest := sample(t, "PrivacyInfo.xcprivacy")
	for _, tt := range []struct {
		golden string
		data   []byte
		what   string
	}{
		{"privacy.json", manifest, "privacy manifest"},
		{"privacy.json", append([]byte("\xef\xbb\xbf"), manifest...), "privacy manifest"},
		{"privacy.json", []byte(strings.ReplaceAll(string(manifest), "\n", "\r\n")), "privacy manifest"},
		{"privacy.json", asBinary(t, manifest), "privacy manifest"},
		{"network.json", sample(t, "network_security_config.xml"), "network security configuration"},
	} {
		d, err := Read("file", tt.data)
		if err != nil {
			t.Fatal(err)
		}
		if d.What() != tt.what || d.File != "file" || len(d.Digest) != 64 {
			t.Errorf("%q, file %q, digest %q", d.What(), d.File, d.Digest)
		}
		path, got := filepath.Join("testdata", tt.golden), asText(t, d)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil { //nolint:gosec // a golden
				t.Fatal(err)
			}
		}
		if want := sample(t, tt.golden); got != string(want) {
			t.Errorf("%s: read\n%s\nwant\n%s", tt.golden, got, want)
		}
	}
}

func TestManifestAnswers(t *testing.T) {
	d, err := Read("x", sample(t, "PrivacyInfo.xcprivacy"))
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{
		"app-measurement.com": true, "region1.app-measurement.com": true, "tracker.example.com": true,
		"xapp-measurement.com": false, "app-measurement.com.example": false, "example.com": false,
	} {
		if got := d.Privacy.Tracks(host); got != want {
			t.Errorf("Tracks(%q) = %v", host, got)
		}
	}
	if !d.Privacy.Collects("x", "NSPrivacyCollectedDataTypeDeviceID") || d.Privacy.Collects("NSPrivacyCollectedDataTypeUserID") || d.Privacy.Collects() {
		t.Error("Collects does not say what is collected")
	}
}

// TestFor holds the entries against how Android picks and inherits them.
func TestFor(t *testing.T) {
	d, err := Read("x", sample(t, "network_security_config.xml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		host, by  string
		cleartext Permission
		pinned    bool
		anchors   int
	}{
		{"other.example", "", Forbidden, false, 1},
		{"example.com", "example.com", Forbidden, true, 1},
		{"a.b.example.com", "example.com", Forbidden, true, 1},
		{"notexample.com", "", Forbidden, false, 1},
		{"plain.example.com", "plain.example.com", Permitted, true, 1},
		{"x.plain.example.com", "example.com", Forbidden, true, 1},
		{"x.deep.example.com", "deep.example.com", Forbidden, true, 2},
		{"resource.example", "resource.example", Forbidden, false, 1},
	} {
		c, by := d.Network.For(tt.host)
		if by != tt.by || c.Cleartext != tt.cleartext || (c.Pins != nil) != tt.pinned || len(c.Anchors) != tt.anchors {
			t.Errorf("%s: by %q, cleartext %v, pins %v, anchors %v", tt.host, by, c.Cleartext, c.Pins, c.Anchors)
		}
	}
	deep, _ := d.Network.For("deep.example.com")
	if trusts, overrides := deep.TrustsUser(); !trusts || !overrides {
		t.Error("deep.example.com trusts the person's authorities without a pin")
	}
	if trusts, overrides := d.Network.Debug.TrustsUser(); !trusts || !overrides {
		t.Error("debug-overrides let authorities pass without a pin by default")
	}
	last := time.Date(2027, 1, 30, 23, 59, 59, 0, time.UTC)
	if deep.Pins.Expired(last) || !deep.Pins.Expired(last.Add(time.Second)) || (&PinSet{}).Expired(last) {
		t.Error("the pins hold until the day of their expiration begins")
	}
}

func plistOf(body string) string {
	return "<?xml version=\"1.0\"?>\n<plist version=\"1.0\">\n" + body + "\n</plist>\n"
}

func infoOf(transport string) string {
	return plistOf("<dict><key>CFBundleIdentifier</key><string>org.example.app</string>\n<key>NSAppTransportSecurity</key>" + transport + "</dict>")
}

func networkOf(body string) string {
	return "<network-security-config>\n" + body + "\n</network-security-config>\n"
}

// badFiles are files that are refused: with the line, and what the message and the hint say.
var badFiles = []struct {
	name, data string
	line       int
	message    string
	hint       string
}{
	{"empty", "", 0, "the file is empty", "PrivacyInfo.xcprivacy"},
	{"blank", " \n\n", 0, "the file is empty", ""},
	{"JSON", "\n{\"NSPrivacyTracking\": true}", 2, "not XML, expected <plist> or <network-security-config>", ""},
	{"OpenStep property list", "{ NSPrivacyTracking = 1; }", 1, "not XML", ""},
	{"bytes", "\x7fELF\x80\xff", 1, "neither XML in UTF-8 nor a binary property list", ""},
	{"UTF-16", "\xff\xfe<\x00p\x00", 1, "UTF-16", "UTF-8"},
	{"declared UTF-16", "<?xml version=\"1.0\" encoding=\"UTF-16\"?><plist/>", 1, "says that it is UTF-16, expected UTF-8", "UTF-8"},
	{"compiled XML", "\x03\x00\x08\x00\x10\x00\x00\x00", 0, "compiled Android XML", "apktool d app.apk"},
	{"archive", "PK\x03\x04xxxx", 0, "archive", "apktool"},
	{"comment only", "<!-- nothing -->", 0, "holds no element", ""},
	{"text before", "<?xml version=\"1.0\"?>hello<plist/>", 1, "text before the first element", ""},
	{"other root", "<html></html>", 1, "the root is <html>, expected <plist>, <network-security-config> or <manifest>", ""},
	{"app's manifest, a wrong word", "<manifest package=\"a\">\n<application usesCleartextTraffic=\"no\"/></manifest>", 2, `usesCleartextTraffic is "no", expected true or false`, ""},
	{"app's manifest, debuggable as number", "<manifest package=\"a\">\n<application debuggable=\"1\"/></manifest>", 2, "debuggable is \"1\"", ""},
	{"app's manifest, cut off", "<manifest>\n<application>", 2, "unexpected EOF", "cut off"},
	{"truncated", "<plist>\n<dict>\n<key>NSPrivacyTracking</key>\n", 4, "unexpected EOF", "cut off"},
	{"unbalanced", "<plist>\n<dict>\n</array></plist>", 3, "not valid XML", ""},
	{"behind the root", plistOf("<dict><key>NSPrivacyTracking</key><true/></dict>") + "<plist/>", 5, "behind the end", ""},
	{"unknown entity", plistOf("<dict><key>&lol;</key><true/></dict>"), 3, "invalid character entity &lol;", ""},
	{"entities", "<!DOCTYPE plist [\n<!ENTITY a \"aaaaaaaa\">\n<!ENTITY b \"&a;&a;&a;&a;\">\n]>\n<plist><string>&b;</string></plist>", 1, "defines entities", "write the text out"},
	{"foreign entity", "<!DOCTYPE x SYSTEM \"file:///etc/passwd\" [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><plist/>", 1, "defines entities", ""},
	{"too deep", plistOf(strings.Repeat("<array>", 40)), 3, "deeper than 32", ""},
	{"empty plist", plistOf(""), 0, "the property list is empty", ""},
	{"plist of text", plistOf("<string>x</string>"), 3, "the property list is a text, expected a dictionary", ""},
	{"two values", plistOf("<dict><key>NSPrivacyTracking</key><true/></dict>\n<dict/>"), 4, "a second value <dict>", ""},
	{"unknown element", plistOf("<dict>\n<key>NSPrivacyTracking</key><yes/></dict>"), 4, "<yes/>"[:4] + "> is no value", ""},
	{"value for a key", plistOf("<dict>\n<string>x</string></dict>"), 4, "<string> in <dict>, expected <key>", ""},
	{"key without value", plistOf("<dict>\n<key>NSPrivacyTracking</key></dict>"), 3, `the key "NSPrivacyTracking" has no value`, ""},
	{"key behind key", plistOf("<dict>\n<key>a</key><key>b</key></dict>"), 4, `the key "a" has no value`, ""},
	{"key twice", plistOf("<dict>\n<key>a</key><true/>\n<key>a</key><true/></dict>"), 5, `the key "a" stands here twice`, ""},
	{"text between", plistOf("<dict>\nhello</dict>"), 3, `text "hello" in <dict>`, ""},
	{"element in text", plistOf("<string>\n<b/></string>"), 4, "<b> in <string>, expected text", ""},
	{"no manifest", plistOf("<dict><key>x</key><true/></dict>"), 3, "neither a privacy manifest nor Info.plist", "PrivacyInfo.xcprivacy"},
	{"transport as text", infoOf("\n<string>x</string>"), 5, "NSAppTransportSecurity is a text, expected a dictionary", ""},
	{"all as text", infoOf("<dict><key>NSAllowsArbitraryLoads</key>\n<string>YES</string></dict>"), 5, "NSAllowsArbitraryLoads is a text, expected true or false", ""},
	{"exceptions as array", infoOf("<dict><key>NSExceptionDomains</key>\n<array/></dict>"), 5, "NSExceptionDomains is an array, expected a dictionary", ""},
	{"an exception as text", infoOf("<dict><key>NSExceptionDomains</key><dict><key>a.example</key>\n<string/></dict></dict>"), 5, "an entry of NSExceptionDomains is a text", ""},
	{"subdomains as number", infoOf("<dict><key>NSExceptionDomains</key><dict><key>a.example</key><dict><key>NSIncludesSubdomains</key>\n<integer>1</integer></dict></dict></dict>"), 5, "NSIncludesSubdomains is a number", ""},
	{"insecure as text", infoOf("<dict><key>NSExceptionDomains</key><dict><key>a.example</key><dict><key>NSExceptionAllowsInsecureHTTPLoads</key>\n<string/></dict></dict></dict>"), 5, "NSExceptionAllowsInsecureHTTPLoads is a text", ""},
	{"version as number", infoOf("<dict><key>NSExceptionDomains</key><dict><key>a.example</key><dict><key>NSExceptionMinimumTLSVersion</key>\n<real>1.0</real></dict></dict></dict>"), 5, "NSExceptionMinimumTLSVersion is a number", ""},
	{"pins as text", infoOf("<dict><key>NSPinnedDomains</key>\n<string/></dict>"), 5, "NSPinnedDomains is a text", ""},
	{"tracking as text", plistOf("<dict><key>NSPrivacyTracking</key>\n<string>YES</string></dict>"), 4, "NSPrivacyTracking is a text, expected true or false", ""},
	{"domains as text", plistOf("<dict><key>NSPrivacyTrackingDomains</key>\n<string>a.example</string></dict>"), 4, "NSPrivacyTrackingDomains is a text, expected an array", ""},
	{"domain as number", plistOf("<dict><key>NSPrivacyTrackingDomains</key><array>\n<integer>1</integer></array></dict>"), 4, "an entry of NSPrivacyTrackingDomains is a number, date or data, expected a text", ""},
	{"types as dict", plistOf("<dict><key>NSPrivacyCollectedDataTypes</key>\n<dict/></dict>"), 4, "NSPrivacyCollectedDataTypes is a dictionary, expected an array", ""},
	{"type as text", plistOf("<dict><key>NSPrivacyCollectedDataTypes</key><array>\n<string>x</string></array></dict>"), 4, "an entry of NSPrivacyCollectedDataTypes is a text, expected a dictionary", ""},
	{"type without name", plistOf("<dict><key>NSPrivacyCollectedDataTypes</key><array>\n<dict/></array></dict>"), 4, "has no NSPrivacyCollectedDataType", ""},
	{"type of a wrong name", plistOf("<dict><key>NSPrivacyCollectedDataTypes</key><array><dict><key>NSPrivacyCollectedDataType</key>\n<true/></dict></array></dict>"), 4, "expected a text", ""},
	{"linked as text", plistOf("<dict><key>NSPrivacyCollectedDataTypes</key><array><dict><key>NSPrivacyCollectedDataType</key><string>x</string><key>NSPrivacyCollectedDataTypeLinked</key>\n<string/></dict></array></dict>"), 4, "NSPrivacyCollectedDataTypeLinked is a text", ""},
	{"purposes as text", plistOf("<dict><key>NSPrivacyCollectedDataTypes</key><array><dict><key>NSPrivacyCollectedDataType</key><string>x</string><key>NSPrivacyCollectedDataTypePurposes</key>\n<string/></dict></array></dict>"), 4, "NSPrivacyCollectedDataTypePurposes is a text", ""},
	{"interfaces as text", plistOf("<dict><key>NSPrivacyAccessedAPITypes</key>\n<string/></dict>"), 4, "NSPrivacyAccessedAPITypes is a text", ""},
	{"two base-configs", networkOf("<base-config/>\n<base-config/>"), 3, "a second <base-config>", ""},
	{"two debug-overrides", networkOf("<debug-overrides/>\n<debug-overrides/>"), 3, "a second <debug-overrides>", ""},
	{"no domain", networkOf("\n<domain-config/>"), 3, "<domain-config> without a <domain>", "includeSubdomains"},
	{"domain in base", networkOf("<base-config>\n<domain>a.example</domain></base-config>"), 3, "<domain> in <base-config>, expected it in <domain-config>", ""},
	{"pins in base", networkOf("<base-config>\n<pin-set/></base-config>"), 3, "<pin-set> in <base-config>", ""},
	{"nested in base", networkOf("<base-config>\n<domain-config/></base-config>"), 3, "<domain-config> in <base-config>", ""},
	{"a URL as domain", networkOf("<domain-config>\n<domain>https://a.example/</domain></domain-config>"), 3, `the domain is "https://a.example/", expected a host name`, "without scheme"},
	{"an empty domain", networkOf("<domain-config>\n<domain/></domain-config>"), 3, "expected a host name", ""},
	{"a domain twice", networkOf("<domain-config><domain>a.example</domain></domain-config>\n<domain-config>\n<domain>A.example.</domain></domain-config>"), 4, "stands in line 2 already", ""},
	{"cleartext as word", networkOf("<base-config\n cleartextTrafficPermitted=\"no\"/>"), 2, `cleartextTrafficPermitted is "no", expected true or false`, ""},
	{"subdomains as word", networkOf("<domain-config>\n<domain includeSubdomains=\"yes\">a.example</domain></domain-config>"), 3, "includeSubdomains", ""},
	{"two anchors", networkOf("<base-config><trust-anchors/>\n<trust-anchors/></base-config>"), 3, "a second <trust-anchors>", ""},
	{"unknown source", networkOf("<base-config><trust-anchors>\n<certificates src=\"users\"/></trust-anchors></base-config>"), 3, `src of <certificates> is "users", expected system, user`, ""},
	{"no source", networkOf("<base-config><trust-anchors>\n<certificates/></trust-anchors></base-config>"), 3, `src of <certificates> is ""`, ""},
	{"override as word", networkOf("<base-config><trust-anchors>\n<certificates src=\"user\" overridePins=\"1\"/></trust-anchors></base-config>"), 3, "overridePins", ""},
	{"a wrong date", networkOf("<domain-config><domain>a.example</domain>\n<pin-set expiration=\"31.01.2027\"/></domain-config>"), 3, `expiration of <pin-set> is "31.01.2027", expected a date`, ""},
	{"a wrong digest", networkOf("<domain-config><domain>a.example</domain><pin-set>\n<pin digest=\"SHA-1\">x</pin></pin-set></domain-config>"), 3, `digest of <pin> is "SHA-1", expected SHA-256`, ""},
	{"a wrong pin", networkOf("<domain-config><domain>a.example</domain><pin-set>\n<pin digest=\"SHA-256\">AAAA</pin></pin-set></domain-config>"), 3, "expected the base64 of 32 bytes", ""},
	{"text in the configuration", networkOf("hello"), 1, `text "hello" in <network-security-config>`, ""},
	{"cut off configuration", "<network-security-config>\n<domain-config>\n<domain>a.exa", 3, "unexpected EOF", "cut off"},
	{"binary, cut off", "bplist00\xd1", 0, "cut off", ""},
	{"binary of a new version", "bplist15" + strings.Repeat("\x00", 40), 0, "of a version that is not known", ""},
	{"binary without a table", "bplist00" + strings.Repeat("\xff", 40), 0, "the end of the binary property list is damaged", ""},
	{"huge", "<plist>" + strings.Repeat(" ", MaxSize), 0, "larger than 1048576 bytes", ""},
}

func TestReadBadFiles(t *testing.T) {
	for _, tt := range badFiles {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Read("a/b.xml", []byte(tt.data))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("Read = %+v, %v; want an *Error", d, err)
			}
			if e.File != "a/b.xml" || e.Line != tt.line || !strings.Contains(e.Message, tt.message) || !strings.Contains(e.Hint(), tt.hint) {
				t.Errorf("%v (hint %q)\nwant line %d, %q, hint %q", e, e.Hint(), tt.line, tt.message, tt.hint)
			}
			want := "a/b.xml: " + e.Message
			if e.Line > 0 {
				want = fmt.Sprintf("a/b.xml:%d: %s", e.Line, e.Message)
			}
			if e.Error() != want || len(want) > 400 {
				t.Errorf("Error() = %q", e.Error())
			}
		})
	}
}

// TestEveryCutIsRefused cuts files all along their length: no part is taken for the whole.
func TestEveryCutIsRefused(t *testing.T) {
	manifest := sample(t, "PrivacyInfo.xcprivacy")
	for name, data := range map[string][]byte{"XML": manifest, "binary": asBinary(t, manifest), "network": sample(t, "network_security_config.xml")} {
		whole := len(strings.TrimRight(string(data), "\n"))
		if name == "binary" {
			whole = len(data)
		}
		for n := 0; n < whole; n += 7 {
			if _, err := Read("x", data[:n]); err == nil {
				t.Errorf("%s: %d of %d bytes are taken for a file", name, n, len(data))
			}
		}
	}
}

func TestAnEmptyManifestDeclaresNothing(t *testing.T) {
	d, err := Read("App.app/PrivacyInfo.xcprivacy", []byte(plistOf("<dict/>")))
	if err != nil || d.Privacy == nil || d.Privacy.Tracking || len(d.Privacy.Collected) > 0 {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := Read("other.plist", []byte(plistOf("<dict/>"))); err == nil {
		t.Error("any empty property list is taken for a manifest")
	}
}

// bplistOf writes a binary property list of objects by hand, with references and offsets
// of two bytes. The first object is the top one.
func bplistOf(objects ...[]byte) []byte {
	data := []byte("bplist00")
	var table []byte
	for _, o := range objects {
		table = append(table, byte(len(data)>>8), byte(len(data)))
		data = append(data, o...)
	}
	trailer := make([]byte, 32)
	trailer[6], trailer[7] = 2, 2
	trailer[14], trailer[15] = byte(len(objects)>>8), byte(len(objects))
	trailer[30], trailer[31] = byte(len(data)>>8), byte(len(data))
	return append(append(data, table...), trailer...)
}

// TestBinaryBombs holds files whose objects refer to each other, or to one object again
// and again, so that they would unfold to more than any machine holds.
func TestBinaryBombs(t *testing.T) {
	wide := func(of byte, n int) []byte { // an array of one object, n times
		o := []byte{0xaf, 0x11, byte(n >> 8), byte(n)}
		for range n {
			o = append(o, 0, of)
		}
		return o
	}
	laughs := [][]byte{}
	for i := range 12 {
		laughs = append(laughs, wide(byte(i+1), 10))
	}
	laughs = append(laughs, []byte{0x09})
	long := append([]byte{0x5f, 0x11, 0x40, 0x00}, make([]byte, 0x4000)...)
	for name, data := range map[string][]byte{
		"cycle":              bplistOf([]byte{0xa1, 0, 0}),
		"cycle of a pair":    bplistOf([]byte{0xd1, 0, 1, 0, 0}, []byte{0x51, 'a'}),
		"billion laughs":     bplistOf(laughs...),
		"two wide arrays":    bplistOf(wide(1, 5000), wide(2, 5000), []byte{0x09}),
		"one text many":      bplistOf(wide(1, 5000), long),
		"length of 2^63":     bplistOf([]byte{0xaf, 0x13, 0x80, 0, 0, 0, 0, 0, 0, 0}),
		"text of 2^63":       bplistOf([]byte{0x6f, 0x13, 0x80, 0, 0, 0, 0, 0, 0, 0}),
		"dictionary of 2^40": bplistOf([]byte{0xdf, 0x13, 0, 0, 1, 0, 0, 0, 0, 0}),
		"no length":          bplistOf([]byte{0x5f, 0x09}),
		"unknown object":     bplistOf([]byte{0xd1, 0, 1, 0, 2}, []byte{0x51, 'a'}, []byte{0xf0}),
		"missing object":     bplistOf([]byte{0xa1, 0, 9}),
		"key that is a list": bplistOf([]byte{0xd1, 0, 1, 0, 1}, []byte{0xa0}),
	} {
		t.Run(name, func(t *testing.T) {
			var e *Error
			if _, err := Read("PrivacyInfo.xcprivacy", data); !errors.As(err, &e) || !strings.Contains(e.Message, "binary property list") {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func TestBinaryTexts(t *testing.T) {
	d, err := Read("x", binaryOf(t, map[string]any{
		keyTracking: false, keyDomains: []string{"bücher.example", strings.Repeat("a", 40) + ".example"},
		keyCollected: []any{map[string]any{keyType: "NSPrivacyCollectedDataTypeName", keyLinked: true}}, "when": time.Unix(0, 0), "n": 3.5, "b": []byte("x"),
	}))
	if err != nil {
		t.Fatal(err)
	}
	if m := d.Privacy; m.TrackingDomains[0] != "xn--bcher-kva.example" || len(m.TrackingDomains) != 2 || !m.Collected[0].Linked {
		t.Errorf("%+v", m)
	}
}

// kinds counts what a declaration is.
func kinds(d *Declaration) (n int) {
	for _, is := range []bool{d.Privacy != nil, d.Network != nil, d.Transport != nil, d.Manifest != nil} {
		if is {
			n++
		}
	}
	return n
}

func FuzzRead(f *testing.F) {
	manifest := sample(f, "PrivacyInfo.xcprivacy")
	f.Add(manifest)
	f.Add(asBinary(f, manifest))
	f.Add(sample(f, "network_security_config.xml"))
	f.Add([]byte(infoPlist))
	f.Add([]byte(androidManifest))
	for _, tt := range badFiles {
		if len(tt.data) < 2000 {
			f.Add([]byte(tt.data))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Read("x", data)
		var e *Error
		switch {
		case err != nil && !errors.As(err, &e):
			t.Fatalf("%T: %v", err, err)
		case err == nil && kinds(&d) != 1:
			t.Fatalf("%+v is of %d kinds", d, kinds(&d))
		case err == nil && d.Transport != nil:
			d.Transport.For("a.example.com")
		case err == nil && d.Network != nil:
			d.Network.For("a.example.com")
		}
	})
}
