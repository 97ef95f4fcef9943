package resources

import (
	"strings"
	"testing"

	"howett.net/plist"

	"telltale/locate/reading"
)

const infoPlist = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>CFBundleIdentifier</key><string>org.example.app</string>
	<key>CFBundleName</key><string>Example</string>
	<key>CFBundleShortVersionString</key><string>1.0.2</string>
	<key>CFBundleVersion</key><string>102</string>
	<key>FirebaseAutomaticScreenReportingEnabled</key><false/>
	<key>NSAppTransportSecurity</key>
	<dict><key>NSExceptionDomains</key><dict>
		<key>plain.example</key><dict><key>NSExceptionAllowsInsecureHTTPLoads</key><true/></dict>
	</dict></dict>
	<key>urls</key><array><string>https://a.example</string><dict><key>u</key><string>https://b.example/ü</string></dict></array>
	<!-- https://comment.example -->
</dict>
</plist>`

func TestList(t *testing.T) {
	var v any
	if _, err := plist.Unmarshal([]byte(infoPlist), &v); err != nil {
		t.Fatal(err)
	}
	binary, err := plist.Marshal(v, plist.BinaryFormat)
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{infoPlist, string(binary)} {
		if !Is("Info.plist", []byte(data)) {
			t.Fatal("it is not recognised")
		}
		d, err := Open("Info.plist", []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		want := reading.Identity{ID: "org.example.app", Name: "Example", Version: "1.0.2", Build: "102"}
		if got := d.(reading.Identifier).Identity(); got != want {
			t.Errorf("%+v", got)
		}
		for mark, section := range map[string]string{
			"plain.example":     "NSAppTransportSecurity/NSExceptionDomains/plain.example",
			"https://a.example": "urls[0]",
			"urls":              "urls",
		} {
			start := strings.Index(data, mark)
			p := d.Place(start+1, start+2)
			if p.Section != section || data[p.LiteralStart:p.LiteralEnd] != mark {
				t.Errorf("%q: %+v", mark, p)
			}
		}
		var texts []string
		d.Texts(func(text reading.Text) bool {
			texts = append(texts, string(text.Value))
			if p := d.Place(text.Start, text.End); strings.HasPrefix(string(text.Value), "https://b") && (p.Section != "urls[1]/u" || p.Literal != "https://b.example/ü") {
				t.Errorf("%+v", p)
			}
			return true
		})
		if all := strings.Join(texts, " "); !strings.Contains(all, "https://b.example/ü") || !strings.Contains(all, "org.example.app") {
			t.Errorf("texts %q", texts)
		}
		var said []string
		for _, s := range d.(reading.Setter).Settings([]string{"FirebaseAutomaticScreenReportingEnabled", "NSExceptionAllowsInsecureHTTPLoads", "u", "urls"}) {
			said = append(said, s.Name+"="+s.Value)
		}
		if got := strings.Join(said, " "); got != "FirebaseAutomaticScreenReportingEnabled=false NSExceptionAllowsInsecureHTTPLoads=true u=https://b.example/ü" {
			t.Errorf("%s", got)
		}
	}
	d, err := Open("Info.plist", []byte(infoPlist))
	if err != nil {
		t.Fatal(err)
	}
	if p := d.Place(strings.Index(infoPlist, "https://a.example"), 0); p.Line != 14 || p.Column != 32 {
		t.Errorf("%+v", p)
	}
	if p := d.Place(strings.Index(infoPlist, "https://comment"), 0); p.Line != 15 || p.Section != "" {
		t.Errorf("%+v", p)
	}
	if _, err := Open("Info.plist", []byte(infoPlist[:400])); err == nil || !strings.Contains(err.Error(), "line ") {
		t.Error(err)
	}
	d, err = Open("x.plist", []byte("<plist><array/></plist>"))
	if err != nil || d.(reading.Identifier).Identity() != (reading.Identity{}) {
		t.Errorf("%v, %v", d, err)
	}
}
