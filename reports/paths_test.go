package reports

import (
	"net/url"
	"strings"
	"testing"
)

func TestPaths(t *testing.T) {
	for _, test := range []struct{ file, folder, name, uri string }{
		{"audit.har", "/srv", "audit.har", "audit.har"},
		{"./captures//audit.har", "/srv", "captures/audit.har", "captures/audit.har"},
		{"captures/../a b.har", "/srv", "a b.har", "a%20b.har"},
		{"/srv/captures/a.har", "/srv", "captures/a.har", "captures/a.har"},
		{"/srv/captures/a.har", "/srv/", "captures/a.har", "captures/a.har"},
		{"/srvother/a.har", "/srv", "/srvother/a.har", "file:///srvother/a.har"},
		{"/tmp/a.har", "", "/tmp/a.har", "file:///tmp/a.har"},
		{"../a.har", "/srv/app", "/srv/a.har", "file:///srv/a.har"},
		{"../app/a.har", "/srv/app", "a.har", "a.har"},
		{"../a.har", "", "../a.har", "../a.har"},
		{`C:\srv\captures\a.har`, `C:\srv`, "captures/a.har", "captures/a.har"},
		{`c:\Srv\a.har`, `C:\srv`, "a.har", "a.har"},
		{`C:\data\Jo Doe\a#1.har`, "/srv", "C:/data/Jo Doe/a#1.har", "file:///C:/data/Jo%20Doe/a%231.har"},
		{`\\server\share\a.har`, "/srv", "//server/share/a.har", "file://server/share/a.har"},
		{"é?%.har", "/srv", "é?%.har", "%C3%A9%3F%25.har"},
		{"javascript:alert(1)", "/srv", "javascript:alert(1)", "javascript%3Aalert%281%29"},
		{"a\r\nb\xff", "/srv", "a\r\nb\xff", "a%0D%0Ab%FF"},
		{"-", "/srv", "standard-input", "standard-input"},
		{"", "/srv", "", ""},
	} {
		name := slashed(test.file, test.folder)
		if name != test.name {
			t.Errorf("slashed(%q, %q) = %q, want %q", test.file, test.folder, name, test.name)
		}
		uri := uriOf(name)
		if uri != test.uri {
			t.Errorf("uriOf(%q) = %q, want %q", name, uri, test.uri)
		}
		u, err := url.Parse(uri)
		if err != nil || strings.HasPrefix(u.Scheme, "java") || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%q is read as %+v, %v", uri, u, err)
		}
	}
}

// FuzzPaths checks that every name becomes a URI that names it and nothing else.
func FuzzPaths(f *testing.F) {
	for _, file := range []string{"a.har", "../a", `C:\a`, `\\s\a`, "/a/../b", "a:b", "//", "\x00", "%41"} {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file string) {
		uri := uriOf(slashed(file, "/srv"))
		u, err := url.Parse(uri)
		if err != nil {
			if strings.HasPrefix(uri, "file://") {
				return // a server's name that no server has
			}
			t.Fatalf("%q: %v", uri, err)
		}
		if u.Scheme != "" && u.Scheme != "file" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			t.Errorf("%q of %q is read as %+v", uri, file, u)
		}
		for i := range len(uri) {
			if uri[i] <= ' ' || uri[i] > '~' {
				t.Fatalf("%q is no URI", uri)
			}
		}
	})
}
