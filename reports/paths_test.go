package reports

import (
	"net/url"
	"strings"
	"testing"
)

func TestPaths(t *testing.T) {
	for _, test := range []struct{ file, folder, name, uri string }{
		{"audit.har", "/work", "audit.har", "audit.har"},
		{"./captures//audit.har", "/work", "captures/audit.har", "captures/audit.har"},
		{"captures/../a b.har", "/work", "a b.har", "a%20b.har"},
		{"/work/captures/a.har", "/work", "captures/a.har", "captures/a.har"},
		{"/work/captures/a.har", "/work/", "captures/a.har", "captures/a.har"},
		{"/workshop/a.har", "/work", "/workshop/a.har", "file:///workshop/a.har"},
		{"/tmp/a.har", "", "/tmp/a.har", "file:///tmp/a.har"},
		{"../a.har", "/work/app", "/work/a.har", "file:///work/a.har"},
		{"../app/a.har", "/work/app", "a.har", "a.har"},
		{"../a.har", "", "../a.har", "../a.har"},
		{`C:\work\captures\a.har`, `C:\work`, "captures/a.har", "captures/a.har"},
		{`c:\Work\a.har`, `C:\work`, "a.har", "a.har"},
		{`C:\Users\Jo Doe\a#1.har`, "/work", "C:/Users/Jo Doe/a#1.har", "file:///C:/Users/Jo%20Doe/a%231.har"},
		{`\\server\share\a.har`, "/work", "//server/share/a.har", "file://server/share/a.har"},
		{"é?%.har", "/work", "é?%.har", "%C3%A9%3F%25.har"},
		{"javascript:alert(1)", "/work", "javascript:alert(1)", "javascript%3Aalert%281%29"},
		{"a\r\nb\xff", "/work", "a\r\nb\xff", "a%0D%0Ab%FF"},
		{"-", "/work", "-", "-"},
		{"", "/work", "", ""},
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
		uri := uriOf(slashed(file, "/work"))
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
