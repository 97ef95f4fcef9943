package setup

import (
	"bytes"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"howett.net/plist"

	"telltale/ca"
)

func TestProfileGolden(t *testing.T) {
	got, err := Profile(fixedAuthority(t))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "profile.mobileconfig", got)
}

// Read back without the types that wrote it, as a device does.
func TestProfileHoldsTheRootAlone(t *testing.T) {
	a, err := ca.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := Profile(a)
	if err != nil {
		t.Fatal(err)
	}
	var top map[string]any
	if _, err := plist.Unmarshal(encoded, &top); err != nil {
		t.Fatal(err)
	}
	payloads := top["PayloadContent"].([]any)
	if top["PayloadType"] != "Configuration" || top["PayloadVersion"] != uint64(1) || top["PayloadRemovalDisallowed"] != false || len(payloads) != 1 {
		t.Errorf("profile %v", top)
	}
	root := payloads[0].(map[string]any)
	if root["PayloadType"] != "com.apple.security.root" || root["PayloadVersion"] != uint64(1) || root["PayloadDisplayName"] != a.Name() {
		t.Errorf("payload %v", root)
	}
	if !bytes.Equal(root["PayloadContent"].([]byte), a.DER()) {
		t.Error("the payload is not the root")
	}
	uuid := regexp.MustCompile(`^[0-9A-F]{8}-[0-9A-F]{4}-8[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$`)
	for _, id := range []any{top["PayloadUUID"], root["PayloadUUID"]} {
		if !uuid.MatchString(id.(string)) {
			t.Errorf("UUID %v", id)
		}
	}
	if top["PayloadUUID"] == root["PayloadUUID"] || top["PayloadIdentifier"] == root["PayloadIdentifier"] {
		t.Error("profile and payload share an identifier")
	}
}

// The same root always gives the same profile, so that it replaces itself;
// another root gives one that stays beside it.
func TestProfileFollowsFromTheRoot(t *testing.T) {
	dir := t.TempDir()
	var profiles [][]byte
	for range 2 {
		a, err := ca.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Profile(a)
		if err != nil {
			t.Fatal(err)
		}
		profiles = append(profiles, p)
	}
	if !bytes.Equal(profiles[0], profiles[1]) {
		t.Error("two profiles of one root differ")
	}
	a, err := ca.Rotate(dir)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Profile(a)
	if err != nil {
		t.Fatal(err)
	}
	ids := regexp.MustCompile(`[0-9A-F]{8}-[0-9A-F-]{27}|telltale\.ca\.[0-9a-f]+`)
	for _, id := range ids.FindAll(other, -1) {
		if bytes.Contains(profiles[0], id) {
			t.Errorf("two roots share %s", id)
		}
	}
}

func TestProfileWithProxyGolden(t *testing.T) {
	got, err := ProfileWithProxy(fixedAuthority(t), "Café <1> & Co", Place{Host: "192.168.1.5", Port: "8080"})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "profile-wifi.mobileconfig", got)
}

// Over the handler, as the form asks for it: the network is the one named, the
// proxy the address at which the visitor is, a phone's address on this machine.
func TestProfileSetsTheProxy(t *testing.T) {
	h := testHandler(t)
	for host, want := range map[string]string{"192.168.1.9:9090": "192.168.1.9 9090", "[2001:db8::1]:8080": "2001:db8::1 8080", "localhost:8080": "192.168.1.5 8080"} {
		for _, ssid := range []string{"Home", " two  spaces ", "]]></string><key>x", "網路", "👩\u200d💻", strings.Repeat("x", 32)} {
			response := visit(h, "GET", "/ca.mobileconfig?"+url.Values{"ssid": {ssid}}.Encode(), host, iPhone, "")
			var top struct {
				PayloadContent []map[string]any
			}
			if _, err := plist.Unmarshal([]byte(body(t, response)), &top); err != nil || len(top.PayloadContent) != 2 {
				t.Fatalf("%q: %s, %v, %d payloads", ssid, response.Status, err, len(top.PayloadContent))
			}
			wifi := top.PayloadContent[1]
			if got := fmt.Sprint(wifi["ProxyServer"], " ", wifi["ProxyServerPort"]); wifi["SSID_STR"] != ssid || got != want || wifi["ProxyType"] != "Manual" || wifi["Password"] != nil {
				t.Errorf("%q at %s: %v", ssid, host, wifi)
			}
		}
	}
}

func TestNamesThatNoNetworkHas(t *testing.T) {
	for ssid, why := range map[string]string{
		"": "empty", strings.Repeat("x", 33): "33 bytes", strings.Repeat("é", 17): "34 bytes", "a\xff": "UTF-8", "a\x00b": "U+0000", "a\nb": "U+000A",
		"evil\u202egnp": "U+202E", "zero\u200bwidth": "U+200B", "\x1b[31m": "U+001B", "\ufffe": "U+FFFE",
	} {
		response := visit(testHandler(t), "GET", "/ca.mobileconfig?"+url.Values{"ssid": {ssid}}.Encode(), "192.168.1.5:8080", iPhone, "")
		got := body(t, response)
		if response.StatusCode != 400 || !strings.Contains(got, why) || !strings.Contains(got, "by hand") {
			t.Errorf("%q: %s %q, want %q", ssid, response.Status, got, why)
		}
		checkSecure(t, response)
	}
}

// The two kinds stay beside each other; of one kind the newer replaces the older.
func TestKindsOfProfilesAreTold(t *testing.T) {
	a, at := fixedAuthority(t), Place{Host: "192.168.1.5", Port: "8080"}
	profileOf := func(ssid string, at Place) (identifier string, ids map[string]bool) {
		encoded, err := Profile(a)
		if ssid != "" {
			encoded, err = ProfileWithProxy(a, ssid, at)
		}
		if err != nil {
			t.Fatal(err)
		}
		var top map[string]any
		if _, err := plist.Unmarshal(encoded, &top); err != nil {
			t.Fatal(err)
		}
		ids = map[string]bool{}
		for _, id := range regexp.MustCompile(`[0-9A-F]{8}-[0-9A-F-]{27}`).FindAllString(string(encoded), -1) {
			ids[id] = true
		}
		return top["PayloadIdentifier"].(string), ids
	}
	plain, plainIDs := profileOf("", at)
	home, homeIDs := profileOf("Home", at)
	other, otherIDs := profileOf("Hone", at)
	_, movedIDs := profileOf("Home", Place{Host: "192.168.1.6", Port: "8080"})
	if plain == home || home != other {
		t.Errorf("identifiers %s, %s, %s", plain, home, other)
	}
	for _, pair := range [][2]map[string]bool{{plainIDs, homeIDs}, {homeIDs, otherIDs}, {homeIDs, movedIDs}} {
		for id := range pair[0] {
			if pair[1][id] {
				t.Errorf("%s is in two profiles", id)
			}
		}
	}
	if len(plainIDs) != 2 || len(homeIDs) != 3 {
		t.Errorf("%d and %d UUIDs", len(plainIDs), len(homeIDs))
	}
}

func FuzzSSID(f *testing.F) {
	for _, ssid := range []string{"Home", "", "\x00", "</string>", "]]>", "&amp;", "\u2028", "\ufeff", "é\xff"} {
		f.Add(ssid)
	}
	a := fixedAuthority(f)
	f.Fuzz(func(t *testing.T, ssid string) {
		encoded, err := ProfileWithProxy(a, ssid, Place{Host: "192.168.1.5", Port: "8080"})
		if err != nil {
			return
		}
		var top struct{ PayloadContent []map[string]any }
		if _, err := plist.Unmarshal(encoded, &top); err != nil || len(top.PayloadContent) != 2 || top.PayloadContent[1]["SSID_STR"] != ssid {
			t.Fatalf("%q comes back as %v, %v", ssid, top.PayloadContent, err)
		}
	})
}
