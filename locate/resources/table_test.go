package resources

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"telltale/locate/reading"
)

// entryOf is a resource of a table that a test writes.
type entryOf struct {
	key  int
	kind byte
	data int
	bag  []int // strings of an array
}

// configOf writes a ResTable_config for a language and a region.
func configOf(language, region string) []byte {
	c := make([]byte, 64)
	c[0] = 64
	copy(c[8:], language)
	copy(c[10:], region)
	return c
}

// typeOf writes a ResTable_type in one of the ways in which offsets are written.
func typeOf(id, flags byte, config []byte, entries ...entryOf) []byte {
	var offsets, data, head writer
	for i, e := range entries {
		switch flags {
		case sparse:
			offsets.u16(2*i, data.Len()/4)
		case offset16:
			offsets.u16(data.Len() / 4)
		default:
			offsets.u32(data.Len())
		}
		if e.bag != nil {
			data.u16(16, complexEntry)
			data.u32(e.key, 0, len(e.bag))
			for n, s := range e.bag {
				data.u32(0x02000000 + n)
				data.u16(8)
				data.Write([]byte{0, typeString})
				data.u32(s)
			}
			continue
		}
		data.u16(8, 0)
		data.u32(e.key)
		data.u16(8)
		data.Write([]byte{0, e.kind})
		data.u32(e.data)
	}
	head.Write([]byte{id, flags, 0, 0})
	for offsets.Len()%4 != 0 {
		offsets.u16(0xffff)
	}
	head.u32(len(entries), 20+len(config)+offsets.Len())
	head.Write(config)
	return chunkOf(chunkType, head.Bytes(), append(offsets.Bytes(), data.Bytes()...))
}

// tableOf writes a table of one package.
func tableOf(texts, types, keys []string, chunks ...[]byte) []byte {
	typePool, keyPool := poolOf(false, types...), poolOf(true, keys...)
	var head, content, table writer
	head.u32(0x7f)
	head.Write(make([]byte, 256))
	head.u32(288, 0, 288+len(typePool), 0, 0)
	content.Write(typePool)
	content.Write(keyPool)
	for _, c := range chunks {
		content.Write(c)
	}
	table.u32(1)
	return chunkOf(chunkTable, table.Bytes(), append(poolOf(true, texts...), chunkOf(chunkPackage, head.Bytes(), content.Bytes())...))
}

var (
	tableTexts = []string{"https://api.example.org/", "https://api.example.org/fr", "1:123:android:abc", "one", "two", "unused"}
	tableKeys  = []string{"api_base_url", "google_app_id", "firebase_on", "hosts", "count"}
)

func sampleTable(flags byte) []byte {
	return tableOf(tableTexts, []string{"string", "bool", "array", "integer"}, tableKeys,
		typeOf(1, flags, configOf("", ""), entryOf{key: 0, kind: typeString, data: 0}, entryOf{key: 1, kind: typeString, data: 2}),
		typeOf(1, 0, configOf("fr", "CA"), entryOf{key: 0, kind: typeString, data: 1}),
		typeOf(1, 0, configOf("fr", ""), entryOf{key: 0, kind: typeString, data: 1}),
		typeOf(2, 0, configOf("", ""), entryOf{key: 2, kind: typeBoolean, data: 0}),
		typeOf(3, 0, configOf("", ""), entryOf{key: 3, bag: []int{3, 4}}),
		typeOf(4, 0, configOf("", ""), entryOf{key: 4, kind: typeReference, data: 0x7f040007}))
}

func TestTable(t *testing.T) {
	for _, flags := range []byte{0, sparse, offset16} {
		data := sampleTable(flags)
		if !Is("resources.arsc", data[:100]) {
			t.Fatal("it is not recognised")
		}
		d, err := Open("resources.arsc", data)
		if err != nil || d.Notes() != nil {
			t.Fatal(err, d.Notes())
		}
		var got []string
		d.Texts(func(text reading.Text) bool {
			p := d.Place(text.Start, text.End)
			got = append(got, string(text.Value)+" "+p.Section)
			if string(data[p.LiteralStart:p.LiteralEnd]) != string(text.Value) {
				t.Errorf("%q has wrong bounds", text.Value)
			}
			return true
		})
		want := []string{"https://api.example.org/ string/api_base_url", "https://api.example.org/fr string/api_base_url (fr-rCA) and 1 more",
			"1:123:android:abc string/google_app_id", "one array/hosts[0]", "two array/hosts[1]", "unused string pool, string 5"}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("flags %d:\n%s", flags, strings.Join(got, "\n"))
		}
		if p := d.Place(strings.Index(string(data), "google_app_id"), 0); p.Section != "names of resources" {
			t.Errorf("a name is at %q", p.Section)
		}
		var said []string
		for _, s := range d.(reading.Setter).Settings([]string{"google_app_id", "firebase_on", "count", "hosts"}) {
			said = append(said, s.Name+"="+s.Value)
		}
		if got := strings.Join(said, " "); got != "google_app_id=1:123:android:abc firebase_on=false count=" {
			t.Errorf("settings %s", got)
		}
		resolve, err := Names(data)
		second := map[byte]uint32{sparse: 0x7f010002}[flags]
		if second == 0 {
			second = 0x7f010001
		}
		if err != nil || resolve(0x7f010000) != "string/api_base_url" || resolve(second) != "string/google_app_id" || resolve(0x7f0100ff) != "" || resolve(0x01040000) != "" {
			t.Errorf("%v, %q, %q", err, resolve(0x7f010000), resolve(second))
		}
	}
}

func TestCompactEntries(t *testing.T) {
	var head, data writer
	head.Write([]byte{1, 0, 0, 0})
	head.u32(1, 20+64+4)
	head.Write(configOf("de", ""))
	data.u32(0)
	data.u16(1, compactEntry|typeString<<8)
	data.u32(0)
	x, err := readTable(tableOf([]string{"https://a.example"}, []string{"string"}, []string{"x", "url"}, chunkOf(chunkType, head.Bytes(), data.Bytes())))
	if err != nil {
		t.Fatal(err)
	}
	start, end, _ := x.pool.span(0)
	if p := x.Place(start, end); p.Section != "string/url (de)" || x.resolve(0x7f010000) != "string/url" {
		t.Errorf("%+v, %q", p, x.resolve(0x7f010000))
	}
}

func TestConfigs(t *testing.T) {
	set := func(values ...int) []byte {
		c := make([]byte, 64)
		c[0] = 64
		for i := 0; i < len(values); i += 2 {
			c[values[i]] = byte(values[i+1])
		}
		return c
	}
	for want, config := range map[string][]byte{
		"":               set(),
		"fr-rCA":         configOf("fr", "CA"),
		"mcc310-mnc04":   set(4, 0x36, 5, 1, 6, 4),
		"mnc00":          set(6, 0xff, 7, 0xff),
		"fil":            set(8, 0xad, 9, 0x05),
		"b+sr+Latn":      set(8, 's', 9, 'r', 36, 'L', 37, 'a', 38, 't', 39, 'n'),
		"sr":             set(8, 's', 9, 'r', 36, 'L', 37, 'a', 38, 't', 39, 'n', 52, 1),
		"b+ar+u+nu+arab": set(8, 'a', 9, 'r', 53, 'a', 54, 'r', 55, 'a', 56, 'b'),
		"feminine-ldrtl-sw600dp-w720dp-h480dp-large-long-round-widecg-highdr-land-watch-night-xhdpi-finger-keyssoft-qwerty-navhidden-wheel-640x480-v26": set(
			19, 2, 28, 0x80|0x20|3, 30, 0x58, 31, 2, 32, 0xd0, 33, 2, 34, 0xe0, 35, 1, 48, 2, 49, 2|8, 12, 2, 29, 0x20|6, 14, 64, 15, 1, 13, 3, 18, 3|8, 16, 2, 17, 4, 20, 0x80, 21, 2, 22, 0xe0, 23, 1, 24, 26),
		"anydpi": set(14, 0xfe, 15, 0xff), "333dpi": set(14, 0x4d, 15, 1), "v4": set(24, 4)[:28],
	} {
		if got := configName(config); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for tag, want := range map[string]string{"fr": "fr", "fr-CA": "fr-rCA", "es-419": "es-r419", "sr-Latn": "b+sr+Latn", "zh-Hans-CN": "b+zh+Hans+CN"} {
		if got := tagOf(tag); got != want {
			t.Errorf("%s: %q", tag, got)
		}
	}
}

func TestDamagedTables(t *testing.T) {
	whole := sampleTable(0)
	pool := 12
	pack := pool + int(u32(whole, pool+4))
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"no pool":            {whole[:12], "no string pool"},
		"no types":           {with32(whole, pack+268, 0x7fffffff), "names of its types are at"},
		"keys that are none": {with32(whole, pack+276, 292), "names of its names are at"},
		"package cut off":    {whole[:pack+100], "has a header of"},
	} {
		if _, err := Open("resources.arsc", tt.data); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	at := strings.LastIndex(string(whole), string([]byte{1, 2, 84, 0})) // the last type
	for name, data := range map[string][]byte{
		"entries":   with32(whole, at+12, 0x7fffffff),
		"cut off":   whole[:len(whole)-100],
		"zero size": with32(whole, at+4, 0),
	} {
		d, err := Open("resources.arsc", data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p := d.Place(strings.Index(string(data), "https://api.example.org/"), 0); p.Section != "string/api_base_url" {
			t.Errorf("%s: the rest is not read: %+v", name, p)
		}
		if name != "cut off" && len(d.Notes()) != 1 {
			t.Errorf("%s: %q", name, d.Notes())
		}
	}
}

// TestSharedEntries holds a type all of whose entries are one array.
func TestSharedEntries(t *testing.T) {
	bag := make([]int, 2000)
	entries := make([]entryOf, 4000)
	entries[0].bag = bag
	for i := 1; i < len(entries); i++ {
		entries[i] = entryOf{kind: typeDecimal}
	}
	chunk := typeOf(1, 0, configOf("", ""), entries...)
	for i := range entries {
		copy(chunk[84+4*i:], []byte{0, 0, 0, 0})
	}
	data := tableOf([]string{"https://a.example"}, []string{"array"}, []string{"x"}, chunk)
	x, err := readTable(data)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	x.visit(func(*resource) bool { n++; return true })
	if n == 0 || n > len(data) {
		t.Errorf("%d values come of %d bytes", n, len(data))
	}
}

// message writes protobuf: numbers of fields, and what they hold, by turns.
func message(parts ...any) (out []byte) {
	for i := 0; i < len(parts); i += 2 {
		number := protowire.Number(parts[i].(int))
		switch v := parts[i+1].(type) {
		case int:
			out = protowire.AppendVarint(protowire.AppendTag(out, number, protowire.VarintType), uint64(v))
		case string:
			out = protowire.AppendString(protowire.AppendTag(out, number, protowire.BytesType), v)
		case []byte:
			out = protowire.AppendBytes(protowire.AppendTag(out, number, protowire.BytesType), v)
		}
	}
	return out
}

func sampleBundle() []byte {
	text := func(s string) []byte { return message(2, message(1, s)) }
	value := func(config string, item []byte) []byte {
		return message(1, message(3, config, 24, 21), 2, message(4, item))
	}
	array := message(4, message(1, message(3, text("one")), 1, message(3, text("two"))))
	plural := message(5, message(1, message(3, 5, 4, text("many of them"))))
	style := message(2, message(3, message(3, message(2, 0x01010054, 3, "android:windowBackground"), 4, text("url of a style"))))
	return message(1, message(1, "pool"), 2, message(1, message(1, 0x7f), 2, "org.example.app",
		3, message(1, message(1, 1), 2, "string",
			3, message(1, message(1, 0), 2, "api", 6, value("fr-CA", text("https://api.example.org/")), 6, message(2, message(4, text("https://en.example.org/")))),
			3, message(1, message(1, 1), 2, "google_app_id", 6, message(2, message(4, text("1:2:3"))))),
		3, message(1, message(1, 2), 2, "array", 3, message(1, message(1, 0), 2, "hosts", 6, message(2, message(5, array)))),
		3, message(1, message(1, 3), 2, "plurals", 3, message(2, "n", 6, message(2, message(5, plural)))),
		3, message(1, message(1, 4), 2, "style", 3, message(2, "S", 6, message(2, message(5, style)))),
		3, message(1, message(1, 5), 2, "bool", 3, message(2, "on", 6, message(2, message(4, message(7, message(8, 1))))))))
}

func TestBundle(t *testing.T) {
	data := sampleBundle()
	if !Is("base/resources.pb", data) || Is("BundleConfig.pb", data) {
		t.Fatal("it is not recognised, or too much is")
	}
	d, err := Open("base/resources.pb", data)
	if err != nil || d.Notes() != nil {
		t.Fatal(err, d.Notes())
	}
	var got []string
	d.Texts(func(text reading.Text) bool {
		got = append(got, string(text.Value)+" "+d.Place(text.Start+1, text.End).Section)
		return true
	})
	want := "https://api.example.org/ string/api (fr-rCA-v21)\nhttps://en.example.org/ string/api\n1:2:3 string/google_app_id\none array/hosts[0]\n" +
		"two array/hosts[1]\nmany of them plurals/n/other\nurl of a style style/S/android:windowBackground"
	if strings.Join(got, "\n") != want {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
	var said []string
	for _, s := range d.(reading.Setter).Settings([]string{"google_app_id", "on", "hosts"}) {
		said = append(said, s.Name+"="+s.Value)
	}
	if got := strings.Join(said, " "); got != "google_app_id=1:2:3 on=true" {
		t.Errorf("settings %s", got)
	}
	resolve, err := Names(data)
	if err != nil || resolve(0x7f010001) != "string/google_app_id" || resolve(1) != "" {
		t.Errorf("%v, %q", err, resolve(0x7f010001))
	}
	if _, err := Open("base/resources.pb", data[:len(data)-3]); err == nil || !strings.Contains(err.Error(), "damaged at") {
		t.Error(err)
	}
	broken := []byte(strings.Replace(string(data), "https://en.example.org/", "https://en.example.org", 1) + "\x00")
	if d, err := Open("base/resources.pb", broken[:len(data)]); err == nil && d.Notes() == nil {
		t.Error("damage inside is not noted")
	}
}

func TestBundleManifest(t *testing.T) {
	attr := func(space, name, value string, id int, item []byte) []byte {
		m := message(1, space, 2, name, 3, value, 5, id)
		if item != nil {
			m = append(m, message(6, item)...)
		}
		return m
	}
	meta := message(1, message(3, "meta-data", 4, attr(androidSpace, "name", "api", 0x01010003, nil), 4, attr(androidSpace, "value", "https://api.example.org", 0x01010024, nil)))
	flag := message(1, message(3, "meta-data", 4, attr(androidSpace, "", "on", 0x01010003, nil), 4, attr(androidSpace, "value", "", 0x01010024, message(7, message(8, 0))),
		4, attr(androidSpace, "resource", "", 0x01010025, message(1, message(2, 0x7f010002, 3, "string/x"))), 4, attr("urn:other", "kind", "?attr/y", 0, message(1, message(1, 1, 3, "attr/y")))))
	app := message(1, message(3, "application", 5, meta, 5, flag, 5, message(2, " text ")), 3, message(1, 12))
	data := message(1, message(1, message(1, "android", 2, androidSpace), 1, message(1, "o", 2, "urn:other"), 3, "manifest", 4, attr("", "package", "org.example.app", 0, nil), 5, app))
	if !Is("base/manifest/AndroidManifest.xml", data) {
		t.Fatal("it is not recognised")
	}
	d, err := Open("base/manifest/AndroidManifest.xml", data)
	if err != nil || d.Notes() != nil || d.(reading.Identifier).Identity().ID != "org.example.app" {
		t.Fatal(err, d.Notes())
	}
	if p := d.Place(strings.Index(string(data), "https://"), 0); p.Section != "application/meta-data[1]/@android:value (api)" || p.Literal != "" || p.LiteralEnd-p.LiteralStart != 23 {
		t.Errorf("%+v", p)
	}
	if s := d.(reading.Setter).Settings([]string{"on"}); len(s) != 1 || s[0].Value != "false" || !s[0].Known {
		t.Errorf("%+v", s)
	}
	text, err := Text(data)
	if err != nil || !strings.Contains(string(text), `<meta-data android:name="on" android:value="false" android:resource="@string/x" o:kind="?attr/y"/>`) {
		t.Errorf("%v\n%s", err, text)
	}
	if d, err = Open("base/manifest/AndroidManifest.xml", data[:len(data)-4]); err != nil || len(d.Notes()) != 1 {
		t.Errorf("%v, %v", err, d)
	}
}
