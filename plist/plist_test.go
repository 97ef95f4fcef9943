package plist

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	howett "howett.net/plist"
)

const sample = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>CFBundleIdentifier</key>
	<string>org.example.app</string>
	<key>Größe &amp; mehr</key>
	<array><integer>-7</integer><real>2.5</real><true/><false/></array>
	<key>when</key><date>2026-11-21T20:00:00Z</date>
	<key>raw</key><data>aGVsbG8=</data>
	<key>text</key><string>https://bücher.example/?a=1&amp;b=😀</string>
	<key>empty</key><dict/>
</dict>
</plist>
`

// written is a value in one line, without places.
func written(v *Value) string {
	switch v.Kind {
	case Dictionary, Array:
		var parts []string
		for i := range v.Items {
			s := written(&v.Items[i])
			if v.Kind == Dictionary {
				s = fmt.Sprintf("%q: %s", v.Keys[i].Name, s)
			}
			parts = append(parts, s)
		}
		if v.Kind == Dictionary {
			return "{" + strings.Join(parts, ", ") + "}"
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case Boolean:
		return fmt.Sprint(v.Truth)
	case Text:
		return fmt.Sprintf("%q", v.Text)
	}
	return v.Text
}

// binaryOf turns the XML form into the binary one, with another's reader and writer.
func binaryOf(t testing.TB, data string) []byte {
	t.Helper()
	var v any
	if _, err := howett.Unmarshal([]byte(data), &v); err != nil {
		t.Fatal(err)
	}
	out, err := howett.Marshal(v, howett.BinaryFormat)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFormsAgree(t *testing.T) {
	inXML, err := Read([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	binary, err := Read(binaryOf(t, sample))
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range inXML.Keys { // the other writer sorts
		one, other := &inXML.Items[i], binary.Get(key.Name)
		if other == nil || written(one) != written(other) || one.Kind != other.Kind {
			t.Errorf("%s: XML has %s, binary %v", key.Name, written(one), other)
		}
	}
	const want = `[-7, 2.5, true, false]`
	if got := written(inXML.Get("Größe & mehr")); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestPlaces(t *testing.T) {
	v, err := Read([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]struct {
		line int
		text string
	}{
		"CFBundleIdentifier": {6, "org.example.app"},
		"Größe & mehr":       {8, "<array><integer>-7</integer><real>2.5</real><true/><false/></array>"},
		"raw":                {10, "aGVsbG8="},
		"text":               {11, "https://bücher.example/?a=1&amp;b=😀"},
		"empty":              {12, "<dict/>"},
	} {
		item := v.Get(key)
		if got := sample[item.Start:item.End]; got != want.text || item.Line != want.line {
			t.Errorf("%s: line %d, %q", key, item.Line, got)
		}
	}
	for _, k := range v.Keys {
		if got := strings.ReplaceAll(sample[k.Start:k.End], "&amp;", "&"); got != k.Name {
			t.Errorf("the key %q stands at %q", k.Name, got)
		}
	}
	truth := v.Get("Größe & mehr").Items[2]
	if got := sample[truth.Start:truth.End]; got != "<true/>" {
		t.Errorf("true stands at %q", got)
	}

	data := binaryOf(t, sample)
	v, err = Read(data)
	if err != nil {
		t.Fatal(err)
	}
	id, text := v.Get("CFBundleIdentifier"), v.Get("text")
	if string(data[id.Start:id.End]) != id.Text || id.Line != 0 {
		t.Errorf("%+v stands at %q", id, data[id.Start:id.End])
	}
	units := utf16.Encode([]rune(text.Text))
	if text.End-text.Start != 2*len(units) || binary.BigEndian.Uint16(data[text.Start:]) != units[0] {
		t.Errorf("%+v", text)
	}
}

const strs = "\xef\xbb\xbf/* Title\n of it */\n\"title\" = \"Say \\\"hi\\\"\\n\\U00fc\";\n// more\nurl = \"https://a.example/x\";\nalone;\n"

func TestOldForm(t *testing.T) {
	for in, want := range map[string]string{
		strs:                                    `{"title": "Say \"hi\"\nü", "url": "https://a.example/x", "alone": "alone"}`,
		`{ a = (1, "b c", ); d = { e = f; }; }`: `{"a": ["1", "b c"], "d": {"e": "f"}}`,
		`( )`:                                   `[]`,
		`{ d = <68 65>; s = '\Ud83d\Ude00\q\t\r\\'; }`: `{"d": 68 65, "s": "😀q\t\r\\"}`,
		`"\U12" = "\Ud83dx";`:                          "{\"U12\": \"\uFFFDx\"}",
	} {
		v, err := Read([]byte(in))
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if got := written(v); got != want {
			t.Errorf("%q:\n%s\nwant\n%s", in, got, want)
		}
	}
	v, err := Read([]byte(strs))
	if err != nil {
		t.Fatal(err)
	}
	if u := v.Get("url"); u.Line != 5 || strs[u.Start:u.End] != u.Text || v.Keys[0].Line != 3 || strs[v.Keys[0].Start:v.Keys[0].End] != "title" {
		t.Errorf("%+v", u)
	}
	units := utf16.Encode([]rune(strings.TrimPrefix(strs, "\xef\xbb\xbf")))
	little, big := []byte("\xff\xfe"), []byte("\xfe\xff")
	for _, u := range units {
		little, big = binary.LittleEndian.AppendUint16(little, u), binary.BigEndian.AppendUint16(big, u)
	}
	for _, data := range [][]byte{little, big} {
		got, err := Read(data)
		if err != nil || written(got) != written(v) {
			t.Errorf("UTF-16: %v, %v", got, err)
		}
	}
}

func TestBadLists(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "empty",
		" /* never closed":              "empty",
		"<html/>":                       "the root is <html>, expected <plist>",
		"<plist/>":                      "the property list is empty",
		"<plist><dict/><dict/></plist>": "a second value <dict>",
		"<plist><dict/></plist>x":       "behind the end",
		"<plist><string>a":              "unexpected EOF",
		"<?xml version='1.0' encoding='latin1'?><plist/>": "says that it is latin1",
		"{ a = b }":                              "does not end, expected ;",
		"{ a = b;\n":                             "line 2: a dictionary is not closed",
		"( a b )":                                "an array is not closed",
		"(a":                                     "an array is not closed",
		"a = \"b":                                "a text is not closed",
		"a = <00":                                "data is not closed",
		"{ = b; }":                               "'=' stands here, expected a text",
		"{ a = ":                                 "cut off, expected a text",
		"{} {}":                                  "behind the end",
		"\x80\x81":                               "neither text in UTF-8",
		"\xff\xfe":                               "empty",
		strings.Repeat("(", 100):                 "nested deeper than 32",
		strings.Repeat("{a=", 100):               "nested deeper than 32",
		"<plist>" + strings.Repeat(" ", MaxSize): "larger than",
		"bplist00":                               "cut off",
	} {
		v, err := Read([]byte(in))
		if err == nil {
			t.Errorf("%.40q is taken for %s", in, written(v))
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", in, err, want)
		}
	}
}

// list writes a binary property list by hand; the first object is the top one.
func list(objects ...string) []byte {
	out, table := []byte("bplist00"), []byte{}
	for _, o := range objects {
		table = append(table, byte(len(out)>>8), byte(len(out)))
		out = append(out, o...)
	}
	trailer := make([]byte, trailerSize)
	trailer[6], trailer[7], trailer[15] = 2, 1, byte(len(objects))
	trailer[30], trailer[31] = byte(len(out)>>8), byte(len(out))
	return append(append(out, table...), trailer...)
}

func TestBinaryScalars(t *testing.T) {
	for in, want := range map[string]string{
		"\x10\xff": "255", "\x13\xff\xff\xff\xff\xff\xff\xff\xfe": "-2", "\x12\xff\xff\xff\xff": "4294967295",
		"\x14" + strings.Repeat("\x00", 15) + "\x05": "5", "\x22\x3f\x80\x00\x00": "1", "\x23\x40\x04\x00\x00\x00\x00\x00\x00": "2.5",
		"\x33" + strings.Repeat("\x00", 8): time.Unix(secondsTo2001, 0).UTC().Format(time.RFC3339),
		"\x43abc":                          base64.StdEncoding.EncodeToString([]byte("abc")), "\x00": "", "\x80\x07": "", "\x20\x00": "",
	} {
		v, err := Read(list(in))
		if err != nil || v.Text != want {
			t.Errorf("%q is %+v, %v; want %q", in, v, err, want)
		}
	}
}

func TestBinaryBombs(t *testing.T) {
	wide := "\xaf\x11\x13\x88" + strings.Repeat("\x01", 5000)
	for name, objects := range map[string][]string{
		"cycle":          {"\xa1\x00"},
		"wide":           {wide, "\xaf\x11\x13\x88" + strings.Repeat("\x02", 5000), "\x09"},
		"one text often": {wide, "\x5f\x11\x40\x00" + strings.Repeat("a", 0x4000)},
		"number cut off": {"\x1e"},
		"data of 2^63":   {"\x4f\x13\x80\x00\x00\x00\x00\x00\x00\x00"},
	} {
		if v, err := Read(list(objects...)); err == nil || !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), "at byte") {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{sample, strs, "{ a = (1, \"b c\"); }", "<plist><dict/></plist>", "\xff\xfea\x00;\x00"} {
		f.Add([]byte(seed))
	}
	f.Add(binaryOf(f, sample))
	f.Add(list("\xa1\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Read(data)
		if err != nil {
			return
		}
		var within func(v *Value)
		within = func(v *Value) {
			if v.Start < 0 || v.End < v.Start {
				t.Fatalf("%+v", v)
			}
			if !bytes.HasPrefix(data, []byte("\xff\xfe")) && !bytes.HasPrefix(data, []byte("\xfe\xff")) && v.End > len(data) {
				t.Fatalf("%+v ends behind the file (%d)", v, len(data))
			}
			if v.Kind == Dictionary && len(v.Keys) != len(v.Items) {
				t.Fatalf("%d keys, %d items", len(v.Keys), len(v.Items))
			}
			for i := range v.Items {
				within(&v.Items[i])
			}
		}
		within(v)
	})
}

// TestLimitsAreToldFromDamage holds that what is too large or too deep is not said to be damaged.
func TestLimitsAreToldFromDamage(t *testing.T) {
	for name, test := range map[string]struct {
		data  []byte
		limit bool
	}{
		"large":           {append([]byte("bplist00"), make([]byte, MaxSize)...), true},
		"deep XML":        {[]byte("<plist>" + strings.Repeat("<array>", 100)), true},
		"deep old form":   {[]byte(strings.Repeat("(", 100)), true},
		"cycle":           {list("\xa1\x00"), true},
		"no end":          {[]byte("<plist><array>"), false},
		"number cut off":  {list("\x1e"), false},
		"two semicolons":  {[]byte("a = b;;"), false},
		"no binary table": {[]byte("bplist00"), false},
	} {
		var e *Error
		if _, err := Read(test.data); !errors.As(err, &e) || e.Limit != test.limit {
			t.Errorf("%s: %v, limit %v", name, err, !test.limit)
		}
	}
}
