package resources

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/guard/raced"
	"telltale/locate/reading"
	"telltale/plist"
)

// TestOpenRefuses holds that a file which cannot be read has no document.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"resources.arsc":      "\x02\x00\x0c\x00\xff\xff\xff\xff\x01\x00\x00\x00",
		"AndroidManifest.xml": "\x03\x00\x08\x00\xff\xff\xff\xff\x01\x00\x1c\x00\x08\x00\x00\x00",
		"Info.plist":          "bplist00 and no table",
		"x.plist":             "<?xml version='1.0'?><plist><dict><key>a</key></plist>",
	} {
		if d, err := Open(name, []byte(data)); err == nil || d != nil {
			t.Errorf("%s: document %v, error %v", name, d, err)
		}
	}
	// What is damaged further on is a document with notes, or none.
	for _, name := range []string{"resources.pb", "x.xml"} {
		if d, err := Open(name, []byte("\x0a\xff\xff\xff\xff\xff")); (err == nil) == (d == nil) {
			t.Errorf("%s: document %v, error %v", name, d, err)
		}
	}
}

// TestListsBeyondALimitAreNoFailure holds that a property list which is too large or too deep, or a
// file that only has the name of one, is searched with a note.
func TestListsBeyondALimitAreNoFailure(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file, data string
		line       int
	}{
		"large":                {"Big.bin", "bplist00" + strings.Repeat("x", plist.MaxSize), 0},
		"large text":           {"Info.plist", "<?xml version='1.0'?>\n<plist>" + strings.Repeat("x", plist.MaxSize), 2},
		"deep":                 {"Info.plist", "<?xml version='1.0'?>\n<plist>" + strings.Repeat("<array>", 100) + "x", 2},
		"deep in the old form": {"a.strings", "a =\n " + strings.Repeat("(", 100) + "x", 2},
		"two semicolons":       {"a.strings", "\"key\" =\n \"x\";;\n", 2},
		"none at all":          {"a.strings", "Some words,\n and x more.", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := Open(test.file, []byte(test.data))
			if err != nil {
				t.Fatal(err)
			}
			if notes := d.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "only its bytes are searched") {
				t.Errorf("notes %q", notes)
			}
			if p := d.Place(strings.LastIndexByte(test.data, 'x'), len(test.data)); p.Line != test.line {
				t.Errorf("line %d, want %d", p.Line, test.line)
			}
			texts := 0
			d.Texts(func(reading.Text) bool { texts++; return true })
			if (texts == 1) != (test.line > 0) {
				t.Errorf("%d texts", texts)
			}
		})
	}
}

// TestEscapesOfJSONAreUndone holds that hosts written with escapes are found.
func TestEscapesOfJSONAreUndone(t *testing.T) {
	t.Parallel()
	data := `{"a":"https:\/\/clients3\u002egoogle.com\/x", "b": "plain", "c\u0020d": ["\ud83d\ude00\b\f\n", 1]}`
	d, err := Open("h.json", []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	d.(reading.Joiner).Joined(func(j reading.Joined) bool {
		if !j.Sure || j.How != "escapes undone" || len(j.Parts) != 1 {
			t.Errorf("%+v", j)
		}
		got = append(got, string(j.Value)+" of "+data[j.Parts[0].Start:j.Parts[0].End])
		return true
	})
	want := []string{
		`https://clients3.google.com/x of https:\/\/clients3\u002egoogle.com\/x`,
		`c d of c\u0020d`,
		"😀\b\f\n of " + `\ud83d\ude00\b\f\n`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	d.(reading.Joiner).Joined(func(reading.Joined) bool {
		if got == nil {
			t.Error("it goes on where it was told to stop")
		}
		got = nil
		return false
	})
}

// TestPlacesCostLittle asks for thousands of places of a file of about 1 MB, which takes a fraction
// of a second, and would take a hundred times as long if each cost what the file does.
func TestPlacesCostLittle(t *testing.T) {
	t.Parallel()
	n := raced.Size(20_000, 2000)
	const url = "https://example.com/a/long/path/of/an/address/x%d "
	lines := func(format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, fmt.Sprintf(url, i))
		}
		return b.String()
	}
	urls := lines("%s")
	for name, test := range map[string]struct{ file, data string }{
		"an array of JSON":         {"a.json", `{"a":[` + lines(`"%s",`) + `1]}`},
		"a text of JSON":           {"a.json", `{"a":"` + urls + `"}`},
		"escapes of JSON":          {"a.json", `{"a":"` + strings.ReplaceAll(urls, " ", `\n`) + `"}`},
		"wide JSON":                {"a.json", wideLE(`{"a":"` + urls[:len(urls)/2] + `"}`)},
		"a list of YAML":           {"a.yaml", "a:\n" + lines("  - %s\n")},
		"YAML that is no list":     {"a.yaml", " " + strings.Repeat("x\n", 100_000) + lines("  - %s\n")},
		"keys of YAML":             {"a.yaml", lines("k%.0s:\n  url: %[1]s\n")},
		"properties":               {"a.properties", lines("a=%s\n")},
		"one line of a properties": {"a.properties", "a=" + urls},
		"sections":                 {"a.toml", "[x]\n" + lines("a=\"%s\"\n")},
		"XML":                      {"a.xml", "<a>" + lines("<b c='%s'/>") + "</a>"},
		"one text of XML":          {"a.xml", "<a>" + urls + "</a>"},
		"one tag of XML":           {"a.xml", "<a " + lines("b='%s' ") + "/>"},
		"a comment of XML":         {"a.xml", "<a><!--" + urls + "--></a>"},
		"a script of HTML":         {"a.html", "<html><script>" + strings.ReplaceAll(urls, " ", "<") + "</script></html>"},
		"plain text":               {"a.txt", urls},
		"a list":                   {"a.plist", "<plist><array>" + lines("<string>%s</string>") + "</array></plist>"},
		"strings of a list":        {"a.strings", lines("a = \"%s\";\n")},
		"source":                   {"a.kt", "val x = '" + strings.Repeat(`\'`, 200_000) + "'\nval a = listOf(" + lines(`"%s", `) + ")"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			d, err := Open(test.file, []byte(test.data))
			if err != nil {
				t.Fatal(err)
			}
			mark, places := "example", 0
			if strings.HasPrefix(test.data, "\xff\xfe") {
				mark = wideLE(mark)[2:]
			}
			for at := 0; ; places++ {
				i := strings.Index(test.data[at:], mark)
				if i < 0 {
					break
				}
				at += i + 1
				if p := d.Place(at-1, at-1+len(mark)); p.Line == 0 {
					t.Fatalf("no line at %d", at)
				}
			}
			if s, ok := d.(reading.Setter); ok {
				s.Settings([]string{"a", "url"})
			}
			if j, ok := d.(reading.Joiner); ok {
				j.Joined(func(reading.Joined) bool { return true })
			}
			if took := time.Since(began); places < n/2-1 || took > 30*time.Second {
				t.Errorf("%d places took %v", places, took)
			}
		})
	}
}

// wideLE is ASCII in UTF-16.
func wideLE(s string) string {
	out := []byte("\xff\xfe")
	for i := range len(s) {
		out = append(out, s[i], 0)
	}
	return string(out)
}
