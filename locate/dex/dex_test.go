package dex

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"telltale/locate/reading"
)

func open(t testing.TB, data []byte) *document {
	t.Helper()
	d, err := Open("classes.dex", data)
	if err != nil {
		t.Fatal(err)
	}
	return d.(*document)
}

func texts(d reading.Document) []string {
	var all []string
	d.Texts(func(x reading.Text) bool { all = append(all, string(x.Value)); return true })
	return all
}

// loading is a method that loads texts, and no more.
func loading(name string, texts ...string) methodSpec {
	return methodSpec{name: name, code: func(p *pool) []uint16 {
		var code []uint16
		for i, s := range texts {
			code = append(code, constString(byte(i%8), p.str(s))...)
		}
		return append(code, returnVoid...)
	}}
}

func TestTextsAreDecoded(t *testing.T) {
	want := []string{"", "a\x00b", "clients3.google.com", "é", "\u4e16", "\U0001f600"}
	data := write("039", 0, want)
	d := open(t, data)
	if got := texts(d); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if d.Kind() != "Android bytecode (DEX 039)" {
		t.Error(d.Kind())
	}
	n := 0
	d.Texts(func(x reading.Text) bool {
		if !x.Whole || !bytes.Equal(data[x.Start:x.End], mutf8(want[n])) || data[x.End] != 0 {
			t.Errorf("text %d from %#x to %#x holds %q", n, x.Start, x.End, data[x.Start:x.End])
		}
		n++
		return n < 3
	})
	if n != 3 {
		t.Errorf("visited %d after it was told to stop at 3", n)
	}
}

func TestHalfCharactersAreReplaced(t *testing.T) {
	for in, want := range map[string]string{
		string(unit8(0xd83d)) + "x":           "\ufffdx",
		"x" + string(unit8(0xde00)):           "x\ufffd",
		"\xff\x80":                            "\ufffd\ufffd",
		"\xe4\xb8":                            "\ufffd\ufffd",
		string(unit8(0xd83d)) + "\xed\xb8":    "\ufffd\ufffd\ufffd",
		"\xc3":                                "\ufffd",
		string(mutf8("\U0001f600\U0001f601")): "\U0001f600\U0001f601",
	} {
		if got := string(appendUTF8(nil, []byte(in))); got != want {
			t.Errorf("%x: got %q, want %q", in, got, want)
		}
	}
}

// merlin is a file with a string in code, in a field and in an annotation.
func merlin() []byte {
	const host = "https://clients3.google.com/generate_204"
	return write("035", 0, []string{"~~R8{\"version\":\"8.1.56\"}"},
		classSpec{name: "La/b/c;", methods: []methodSpec{loading("a", host, "other")}},
		classSpec{
			name: "Lcom/novoda/merlin/Endpoint;", source: "Endpoint.java",
			statics: []staticSpec{{"OTHER", "nothing", true}, {"DEFAULT", host, true}},
			methods: []methodSpec{
				{"<clinit>", [][2]int{{0, 10}, {3, 12}}, func(p *pool) []uint16 {
					return join(returnVoid, returnVoid, returnVoid, constString(0, p.str(host)), constString(1, p.str("HEAD")), constString(2, p.str(host)), returnVoid)
				}},
				loading("from", "elsewhere"),
			},
			tags: []tagSpec{{"Lretrofit2/http/GET;", "from", host}, {"Lcom/x/Named;", "", "tagged \u4e16"}, {"Lretrofit2/http/Query;", "(from)", "argument"}},
		})
}

func TestPlaceNamesWhoUsesAString(t *testing.T) {
	data := merlin()
	d := open(t, data)
	at := bytes.Index(data, []byte("clients3"))
	p := d.Place(at, at+8)
	start := bytes.Index(data, []byte("https://clients3"))
	if p.Section != "string table" || p.LiteralStart != start || p.LiteralEnd != start+40 || p.Literal != "" {
		t.Errorf("%+v", p)
	}
	var got []string
	for _, u := range p.Users {
		got = append(got, fmt.Sprintf("%s|%s|%v|%s:%d|%s", u.Name, u.Package, u.Obfuscated, u.File, u.Line, strings.Join(u.Strings, ",")))
	}
	want := []string{
		"com.novoda.merlin.Endpoint.<clinit>|com.novoda.merlin|false|Endpoint.java:12|HEAD,nothing,elsewhere",
		"field com.novoda.merlin.Endpoint.DEFAULT|com.novoda.merlin|false|Endpoint.java:0|nothing,HEAD,elsewhere",
		"annotation @GET of com.novoda.merlin.Endpoint.from|com.novoda.merlin|false|Endpoint.java:0|nothing,HEAD,elsewhere",
		"a.b.c.a|a.b|true|:0|other",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	load := p.Users[0].Offset
	if data[load] != opConstString || int(binary.LittleEndian.Uint16(data[load+2:])) != slices.Index(texts(d), "https://clients3.google.com/generate_204") {
		t.Errorf("the code at %#x does not load it", load)
	}
}

func TestPlaceOfOtherStrings(t *testing.T) {
	data := merlin()
	d := open(t, data)
	for _, c := range []struct{ text, section, user string }{
		{"tagged", "string table", "annotation @Named of com.novoda.merlin.Endpoint"},
		{"argument", "string table", "annotation @Query of com.novoda.merlin.Endpoint.from"},
		{"Lcom/novoda/merlin/Endpoint;", "string table, as the name of a type", ""},
		{"DEFAULT", "string table, as the name of a field", ""},
		{"from", "string table, as the name of a method", ""},
		{"Endpoint.java", "string table, as the name of a source file", ""},
		{"~~R8", "string table", ""},
	} {
		at := bytes.Index(data, []byte("\x00"+c.text)) // not in the middle of another
		if at < 0 {
			at = bytes.Index(data, []byte(c.text)) - 1
		}
		p := d.Place(at+1, at+2)
		user := ""
		if len(p.Users) > 0 {
			user = p.Users[0].Name
		}
		if p.Section != c.section || user != c.user {
			t.Errorf("%s: section %q, user %q", c.text, p.Section, user)
		}
		if want := c.text == "tagged"; (p.Literal == "tagged \u4e16") != want {
			t.Errorf("%s: literal %q", c.text, p.Literal)
		}
	}
	if p := d.Place(0, 4); p.Section != "header" || p.LiteralEnd != 0 {
		t.Errorf("the header: %+v", p)
	}
	if p := d.Place(len(data)+10, len(data)+12); p.Section != "" {
		t.Errorf("beyond the end: %+v", p)
	}
}

func TestPlaceOfBytesInCode(t *testing.T) {
	hidden := "hidden.example.com"
	data := write("035", 0, nil, classSpec{name: "Lcom/x/Key;", methods: []methodSpec{{name: "get", code: func(*pool) []uint16 {
		code := []uint16{0x0026, 4, 0, opReturnVoid, 0x0300, 1, uint16(len(hidden)), 0}
		for i := 0; i < len(hidden); i += 2 {
			code = append(code, uint16(hidden[i])|uint16(hidden[i+1])<<8)
		}
		return code
	}}}})
	d := open(t, data)
	at := bytes.LastIndex(data, []byte(hidden))
	if p := d.Place(at, at+5); len(p.Users) != 1 || p.Users[0].Name != "com.x.Key.get" {
		t.Errorf("%+v", p)
	}
	if notes := d.Notes(); notes != nil {
		t.Error(notes)
	}
}

func TestLinesGoBack(t *testing.T) {
	data := write("035", 0, nil, classSpec{name: "Lcom/x/Loop;", source: "Loop.kt", methods: []methodSpec{{"run", [][2]int{{0, 40}, {2, 12}, {4, 70}}, func(p *pool) []uint16 {
		return join(constString(0, p.str("first")), constString(0, p.str("second")), constString(0, p.str("third")), returnVoid)
	}}}})
	d := open(t, data)
	for text, want := range map[string]int{"first": 40, "second": 12, "third": 70} {
		at := bytes.Index(data, []byte(text))
		if p := d.Place(at, at+1); len(p.Users) != 1 || p.Users[0].Line != want {
			t.Errorf("%s: %+v", text, p.Users)
		}
	}
}

func TestManyUsersAreCounted(t *testing.T) {
	var methods []methodSpec
	for i := range 40 {
		methods = append(methods, loading(fmt.Sprintf("m%02d", i), "shared.example.com"))
	}
	data := write("035", 0, nil, classSpec{name: "Lcom/x/Many;", methods: methods})
	at := bytes.Index(data, []byte("shared"))
	if p := open(t, data).Place(at, at+1); len(p.Users) != maxUsers || p.More != 40-maxUsers {
		t.Errorf("%d users and %d more", len(p.Users), p.More)
	}
}

func TestShortenedNames(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "ab$c": true, "a.b.c": true, "o.xy": true, "rx0.a": true, "obf.a": true, "u2.f": true,
		"Main": false, "rx.Observable": false, "io.realm.Realm": false, "com.novoda.merlin.a": false,
		"com.google.android.gms.internal.measurement.zzab": false, "okhttp3.OkHttpClient": false, "me.x.App": false,
	} {
		if got := shortened(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestNotesTellShortenedNames(t *testing.T) {
	data := write("035", 0, []string{`~~R8{"backend":"dex","version":"8.1.56"}`}, classSpec{name: "La/a;"}, classSpec{name: "La/b;"}, classSpec{name: "Lcom/x/Main;"})
	want := []string{"the names of 2 of its 3 classes were shortened by R8 8.1.56: they do not tell whose code it is"}
	if got := open(t, data).Notes(); !slices.Equal(got, want) {
		t.Error(got)
	}
}
