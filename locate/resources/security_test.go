package resources

import (
	"strings"
	"testing"

	"telltale/declarations"
)

// compiledConfig is a network security configuration as an APK has it.
func compiledConfig() []byte {
	m := &manifestWriter{utf8: true, texts: []string{"cleartextTrafficPermitted", "includeSubdomains", "src", "digest", "expiration"}}
	plain := func(name int, value string) attrOf {
		return attrOf{"", name, typeString, m.index(value), m.index(value)}
	}
	text := func(s string) {
		var b writer
		b.u32(m.index(s))
		b.u16(8, 0)
		b.u32(0)
		m.node(chunkText, b.Bytes())
	}
	m.start("network-security-config")
	m.start("base-config", attrOf{"", 0, typeBoolean, 0, -1})
	m.start("trust-anchors")
	m.start("certificates", attrOf{"", 2, typeReference, 0x7f0f0001, -1})
	m.end()
	m.end()
	m.end()
	m.start("domain-config", attrOf{"", 0, typeBoolean, -1, -1})
	m.start("domain", attrOf{"", 1, typeBoolean, -1, -1})
	text("plain.example")
	m.end()
	m.start("pin-set", plain(4, "2027-01-31"))
	m.start("pin", plain(3, "SHA-256"))
	text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	m.end()
	m.end()
	m.end()
	m.end()
	return m.bytes()
}

// TestDeclarationsReadText holds what Text makes against what reads it.
func TestDeclarationsReadText(t *testing.T) {
	text, err := Text(compiledConfig())
	if err != nil {
		t.Fatal(err)
	}
	d, err := declarations.Read("network_security_config.xml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	c, by := d.Network.For("a.plain.example")
	if by != "plain.example" || c.Cleartext != declarations.Permitted || c.Pins == nil || len(c.Pins.Digests) != 1 || d.Network.Base.Cleartext != declarations.Forbidden || d.Network.Base.Anchors[0].Source != "@0x7f0f0001" {
		t.Errorf("%+v by %q, %+v", c, by, d.Network.Base)
	}
	text, err = Text(sampleManifest(true))
	if err != nil {
		t.Fatal(err)
	}
	d, err = declarations.Read("AndroidManifest.xml", text)
	if err != nil || d.Manifest.Package != "org.example.app" || d.Manifest.Cleartext != declarations.Permitted {
		t.Errorf("%v, %+v", err, d.Manifest)
	}
	for _, apk := range []string{"settings", "api-demos", "selendroid-test-app", "contact-manager"} {
		text, err := Text(member(t, artefact(t, "apk/"+apk+".apk"), "AndroidManifest.xml"))
		if err != nil {
			t.Fatal(err)
		}
		d, err := declarations.Read("AndroidManifest.xml", text)
		if err != nil || !strings.Contains(d.Manifest.Package, ".") {
			t.Errorf("%s: %v, %+v", apk, err, d.Manifest)
		}
	}
}
