package setup

import (
	"bytes"
	"regexp"
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
