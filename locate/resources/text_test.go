package resources

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"telltale/locate/reading"
)

// at is the place of a mark in a file, in one line: "3:7 path [literal]".
func at(t testing.TB, name, data, mark string) string {
	t.Helper()
	if !Is(name, []byte(data)[:min(len(data), 4096)]) {
		t.Fatalf("%s is not recognised", name)
	}
	d, err := Open(name, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	start := strings.Index(data, mark)
	if start < 0 {
		t.Fatalf("%q is not in the file", mark)
	}
	p := d.Place(start, start+len(mark))
	s := fmt.Sprintf("%d:%d %s", p.Line, p.Column, p.Section)
	if p.LiteralEnd > 0 {
		s += " [" + data[p.LiteralStart:p.LiteralEnd] + "]"
	}
	return s
}

const services = "\ufeff{\r\n  // of Google\n  \"project_info\": {\"firebase_url\": \"https://x.firebaseio.com\", \"größe\": 1, \"id\": 12},\n" +
	"  \"client\": [{}, {\"api_key\": [{\"current_key\": \"AIza\"}, {\"current_key\": \"BIza\\u0041\"}], \"a b\": {\"c\": true}}]\n}"

const layout = `<?xml version="1.0"?>
<!-- https://comment.example -->
<resources xmlns:a="urn:a">
  <string name="api_url">https://api.example/&amp;x</string>
  <item name="x"><![CDATA[https://cdata.example]]></item>
  <pref a:key="tracking" value="https://attr.example" empty=""/>
</resources>`

const page = `<!DOCTYPE html><html><head><meta name="csp" content="https://csp.example"><script>if (a < b && "</p>") x("https://inline.example")</script>
<body><br><a href='https://link.example' disabled>text</a> 1 < 2 <p>https://p.example</body></html>`

const pubspec = `name: app
dependencies:
  http: ^1.0
flutter:
  assets:
    - url: "https://asset.example" # why
    - other: x
  # https://comment.example
`

const toml = `# top
[server.api]
url = "https://toml.example"
export KEY='https://env.example'
plain: https://colon.example
nothing
`

func TestPlacesInText(t *testing.T) {
	for _, tt := range []struct{ name, data, mark, want string }{
		{"google-services.json", services, "https://x", "3:37 $.project_info.firebase_url [https://x.firebaseio.com]"},
		{"google-services.json", services, "BIza", "4:73 $.client[1].api_key[1].current_key [BIza\\u0041]"},
		{"google-services.json", services, "true", "4:101 $.client[1]['a b'].c [true]"},
		{"google-services.json", services, "größe", "3:65 $.project_info['größe'] [größe]"},
		{"noname", services, "firebase_url", "3:21 $.project_info.firebase_url [firebase_url]"},
		{"a.xml", layout, "https://api", "4:26 resources/string (api_url) [https://api.example/&amp;x]"},
		{"a.xml", layout, "https://cdata", "5:27 resources/item (x) [<![CDATA[https://cdata.example]]>]"},
		{"a.xml", layout, "https://attr", "6:33 resources/pref/@value (tracking) [https://attr.example]"},
		{"a.xml", layout, "https://comment", "2:6 comment()"},
		{"noname", layout, "tracking", "6:16 resources/pref/@a:key (tracking) [tracking]"},
		{"index.html", page, "https://csp", "1:54 html/head/meta/@content (csp) [https://csp.example]"},
		{"index.html", page, "https://inline", "1:107 html/head/script [if (a < b && \"</p>\") x(\"https://inline.example\")]"},
		{"index.html", page, "https://link", "2:20 html/head/body/a/@href [https://link.example]"},
		{"index.html", page, "https://p.", "2:69 html/head/body/p [https://p.example]"},
		{"pubspec.yaml", pubspec, "https://asset", "6:13 flutter.assets.url [https://asset.example]"},
		{"pubspec.yaml", pubspec, "^1.0", "3:9 dependencies.http [^1.0]"},
		{"pubspec.yaml", pubspec, "https://comment", "8:5 flutter.assets"},
		{"a.toml", toml, "https://toml", "3:8 server.api.url [https://toml.example]"},
		{".env.local", toml, "https://env", "4:13 server.api.KEY [https://env.example]"},
		{"a.properties", toml, "https://colon", "5:8 server.api.plain [https://colon.example]"},
		{"a.properties", toml, "nothing", "6:1 server.api"},
		{"README.txt", "one\r\nzwei ü https://a.example\n", "https", "2:8 "},
		{"Main.kt", "val x = 1\nval u = \"https://a.example\"", "https", "2:10 "},
	} {
		if got := at(t, tt.name, tt.data, tt.mark); got != tt.want {
			t.Errorf("%s: %q is at\n%s\nwant\n%s", tt.name, tt.mark, got, tt.want)
		}
	}
}

func TestSettingsInText(t *testing.T) {
	for _, tt := range []struct {
		name, data, names, want string
	}{
		{"google-services.json", services, "current_key id c client", "id=12 current_key=AIza current_key=BIzaA c=true"},
		{"a.xml", layout, "api_url tracking x", "api_url=https://api.example/&x x=<![CDATA[https://cdata.example]]> tracking=https://attr.example"},
		{"index.html", page, "csp href", "csp=https://csp.example href=https://link.example"},
		{"AndroidManifest.xml", sampleText, "api usesCleartextTraffic key", "usesCleartextTraffic=true api=https://api.example.org/v1?a=1&b=<2> key=@0x7f0a0001"},
		{"pubspec.yaml", pubspec, "url http name", "name=app http=^1.0 url=https://asset.example"},
		{".env", toml, "KEY url plain", "url=https://toml.example KEY=https://env.example plain=https://colon.example"},
		{"x.txt", "a=b", "a", ""},
	} {
		d, err := Open(tt.name, []byte(tt.data))
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, s := range d.(reading.Setter).Settings(strings.Fields(tt.names)) {
			said = append(said, s.Name+"="+s.Value)
			if !s.Known || s.End <= s.Start || s.End > len(tt.data) {
				t.Errorf("%+v", s)
			}
		}
		if got := strings.Join(said, " "); got != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestIs(t *testing.T) {
	for name, head := range map[string]string{
		"a.js": "var a", "main.jsbundle": "x", "a.ts": "x", "a.js.map": "{}", "empty": "", "a.png": "\x89PNG\r\n\x1a\n\x00", "classes.dex": "dex\n035\x00",
		"nul.txt": "a\x00b", "a.bin": "\x01\x02\x03", "lib.so": "\x7fELF", "latin1.txt": "gr\xf6\xdfe" + strings.Repeat("x", 10),
	} {
		if Is(name, []byte(head)) {
			t.Errorf("%s is taken for one of ours", name)
		}
	}
	for name, head := range map[string]string{
		"a": "text", "b.txt": "größe", "cut.txt": strings.Repeat("x", 9) + "\xc3", "wide.strings": "\xff\xfea\x00", "Info.plist": "bplist00\x00\xff", "x.plist": "\ufeff\n<?xml version='1.0'?><!DOCTYPE plist><plist>",
	} {
		if !Is(name, []byte(head)) {
			t.Errorf("%s is not recognised", name)
		}
	}
	for name, kind := range map[string]string{
		"a.kt": "Kotlin source", "noname": "text", "b.yml": "YAML", "x.plist": "property list",
	} {
		data := "x: 1"
		if name == "x.plist" {
			data = "<plist><dict/></plist>"
		}
		if d, err := Open(name, []byte(data)); err != nil || d.Kind() != kind || d.Notes() != nil {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
}

func TestJoined(t *testing.T) {
	for _, tt := range []struct{ name, code, want string }{
		{"A.java", `String u = "https://" + "a." /* c */ + "b" // d` + "\n" + `+ "/p"; char c = '"'; x("alone", "other");`, "https://a.b/p|strings added up|0 8 10 11"},
		{"A.kt", `val u = "https://" +` + "\n" + `"a.b"; val r = """raw\n""" + "x"`, "https://a.b|strings added up|0 8;raw\\nx|strings added up|0 5"},
		{"a.swift", `let u = "https://" + #"a\b"#`, "https://a\\b|strings added up|0 8"},
		{"a.dart", `final u = 'https://' "a." r'b\n';`, "https://a.b\\n|strings added up|0 8 10"},
		{"a.m", `NSString *u = @"https://" @"a.b";`, "https://a.b|strings added up|0 8"},
		{"a.c", `char *u = "\x68ttp\u0073://" "a\t\"\q";`, "https://a\t\"q|strings added up|0 8"},
		{"b.java", `x("\u0068ttps:\/\/a.example");`, "https://a.example|a string with escapes|0"},
		{"c.java", `// it's "a" + "b"` + "\n" + `don't; "x"` + "\n" + `"never closed + "y`, "xnever closed + |strings added up|0 1"},
		{"d.java", `"a" / "b"; "c", "d"; r"e"`, ""},
		{"e.java", `"a" + b + "c"`, ""},
	} {
		data := []byte(tt.code)
		d, err := Open(tt.name, data)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		d.(reading.Joiner).Joined(func(j reading.Joined) bool {
			var starts []string
			for _, p := range j.Parts {
				starts = append(starts, fmt.Sprint(p.At))
				if p.Start < 1 || p.End > len(data) || p.End < p.Start {
					t.Errorf("%+v", p)
				}
			}
			if !j.Sure {
				t.Error("it is not sure")
			}
			got = append(got, string(j.Value)+"|"+j.How+"|"+strings.Join(starts, " "))
			return true
		})
		if s := strings.Join(got, ";"); s != tt.want {
			t.Errorf("%s: %q\nwant %q", tt.code, s, tt.want)
		}
	}
}

func TestWideText(t *testing.T) {
	const text = "/* ü😀 */\n\"url\" = \"https://a.example/😀\";\n"
	data := []byte("\xff\xfe")
	for _, u := range utf16.Encode([]rune(text)) {
		data = binary.LittleEndian.AppendUint16(data, u)
	}
	for _, name := range []string{"Localizable.strings", "x.properties", "x.txt"} {
		d, err := Open(name, data)
		if err != nil {
			t.Fatal(err)
		}
		before, _, _ := strings.Cut(text, "https")
		start := 2 + 2*len(utf16.Encode([]rune(before)))
		p := d.Place(start, start+10)
		if p.Line != 2 || p.Column != 10 {
			t.Errorf("%s: %d:%d", name, p.Line, p.Column)
		}
		end := start + 2*len(utf16.Encode([]rune("https://a.example/😀")))
		if name == "Localizable.strings" && (p.Section != "url" || p.Literal != "https://a.example/😀" || p.LiteralStart != start || p.LiteralEnd != end) {
			t.Errorf("%+v", p)
		}
		d.Texts(func(x reading.Text) bool {
			if string(x.Value) != text || x.End != len(data) {
				t.Errorf("%q", x.Value)
			}
			return true
		})
	}
	for _, odd := range []string{"\xff\xfe", "\xff\xfea", "\xfe\xff\xd8\x3d", "\xfe\xff\xd8\x3d\x00"} {
		d, err := Open("x.txt", []byte(odd))
		if err != nil {
			t.Fatal(err)
		}
		d.Place(len(odd), len(odd))
	}
}

// TestBigText asks for many places of one long file: the lines and the states are found once.
func TestBigText(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"a":[`)
	for b.Len() < 20<<20 {
		b.WriteString("{\"url\":\"https://a.example/ü\"},\n")
	}
	b.WriteString(`{"last":"https://z.example"}]}`)
	data := b.String()
	d, err := Open("big.json", []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	start := strings.Index(data, "https://z")
	lines := strings.Count(data, "\n") + 1
	began := time.Now()
	const asked = 200
	for range asked {
		if p := d.Place(start, start+9); p.Line != lines || !strings.HasSuffix(p.Section, ".last") {
			t.Fatalf("%+v", p)
		}
	}
	// From the start each time, this would be 4 GB to read.
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("%d places took %s", asked, took)
	}
}
