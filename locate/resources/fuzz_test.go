package resources

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"testing"
	"unicode/utf8"

	"telltale/locate/reading"
)

// exercise asks a document everything that it can be asked, and holds its promises.
func exercise(t *testing.T, d reading.Document, size int) {
	t.Helper()
	within := func(what string, start, end int) {
		if start < 0 || end < start || end > size {
			t.Fatalf("%s from %d to %d of %d bytes", what, start, end, size)
		}
	}
	place := func(at int) {
		p := d.Place(at, at+1)
		within("literal", p.LiteralStart, p.LiteralEnd)
		if p.Line < 0 || (p.Line > 0) != (p.Column > 0) || len(p.Section) > 2*maxSection {
			t.Fatalf("%+v", p)
		}
	}
	n, total := 0, 0
	d.Texts(func(x reading.Text) bool {
		within("text", x.Start, x.End)
		if total += len(x.Value); n < 50 {
			place(x.Start)
		}
		n++
		return true
	})
	if total > 100*size+1<<20 {
		t.Fatalf("%d bytes of text come of %d", total, size)
	}
	for i := range 10 {
		place(size * i / 10)
	}
	place(size)
	d.Notes()
	if s, ok := d.(reading.Setter); ok {
		for _, set := range s.Settings([]string{"name", "a", "api", "key", "url"}) {
			within("setting", set.Start, set.End)
		}
	}
	if i, ok := d.(reading.Identifier); ok {
		i.Identity()
	}
	if j, ok := d.(reading.Joiner); ok {
		j.Joined(func(x reading.Joined) bool {
			for _, p := range x.Parts {
				if within("part", p.Start, p.End); p.At > len(x.Value) {
					t.Fatalf("%+v of %q", p, x.Value)
				}
			}
			return true
		})
	}
}

// opened fuzzes files of a name.
func opened(f *testing.F, name string) {
	f.Helper()
	f.Fuzz(func(t *testing.T, data []byte) {
		head := data[:min(len(data), 4096)]
		if d, err := Open(name, data); err == nil && Is(name, head) {
			exercise(t, d, len(data))
		}
	})
}

func FuzzOpenXML(f *testing.F) {
	f.Add(sampleManifest(true))
	f.Add(sampleManifest(false))
	f.Add(message(1, message(1, message(1, "android", 2, androidSpace), 3, "manifest", 4, message(1, androidSpace, 2, "name", 3, "v"), 5, message(2, "t"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, is := range []bool{isBinaryXML("", data), isProtoXML(data)} {
			if !is {
				continue
			}
			if d, err := Open("a.xml", data); err == nil {
				exercise(t, d, len(data))
			}
			text, err := Text(data)
			if err != nil {
				continue
			}
			if !utf8.Valid(text) {
				t.Fatalf("%q is not UTF-8", text)
			}
			for d := xml.NewDecoder(bytes.NewReader(text)); ; {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%v: %q", err, text)
				}
			}
		}
	})
}

func FuzzOpenTable(f *testing.F) {
	f.Add(sampleTable(0))
	f.Add(sampleTable(sparse))
	f.Add(sampleTable(offset16))
	opened(f, "resources.arsc")
}

func FuzzOpenBundle(f *testing.F) {
	f.Add(sampleBundle())
	opened(f, "base/resources.pb")
}

func FuzzOpenList(f *testing.F) {
	f.Add([]byte(infoPlist))
	f.Add([]byte("bplist00\xd1\x01\x02\x51a\x51b\x08\x0b\x0d" + "\x00\x00\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0f"))
	f.Add([]byte("\"a\" = \"b\"; // c\n"))
	f.Add([]byte("\xff\xfea\x00;\x00"))
	opened(f, "a.strings")
}

func FuzzOpenText(f *testing.F) {
	for i, seed := range []string{services, layout, page, pubspec, toml, `x = "a" + "b" /* c */ + @"d\u0041"; 'c'; """e"""`} {
		f.Add(uint8(i), []byte(seed))
	}
	f.Add(uint8(0), []byte("\xff\xfe{\x00"))
	names := []string{"a.json", "a.xml", "a.html", "a.yaml", "a.properties", "a.kt", "a.dart", "noname"}
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		exercise(t, openAsText(names[int(kind)%len(names)], data), len(data))
	})
}
