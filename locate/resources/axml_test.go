package resources

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"telltale/locate/reading"
)

// writer writes little-endian numbers.
type writer struct{ bytes.Buffer }

func (w *writer) u16(values ...int) {
	for _, v := range values {
		w.Write(binary.LittleEndian.AppendUint16(nil, uint16(v)))
	}
}

func (w *writer) u32(values ...int) {
	for _, v := range values {
		w.Write(binary.LittleEndian.AppendUint32(nil, uint32(v)))
	}
}

// chunkOf writes a chunk: the rest of its header, and its content.
func chunkOf(kind int, header, content []byte) []byte {
	var w writer
	w.u16(kind, chunkHeader+len(header))
	w.u32(chunkHeader + len(header) + len(content))
	w.Write(header)
	w.Write(content)
	return w.Bytes()
}

// poolOf writes a string pool.
func poolOf(utf8 bool, texts ...string) []byte {
	var head, offsets, data writer
	flags := 0
	for _, s := range texts {
		offsets.u32(data.Len())
		units := utf16.Encode([]rune(s))
		if !utf8 {
			if len(units) > 0x7fff {
				data.u16(len(units)>>16|0x8000, len(units))
			} else {
				data.u16(len(units))
			}
			for _, u := range units {
				data.u16(int(u))
			}
			data.u16(0)
			continue
		}
		flags = 1 << 8
		for _, n := range []int{len(units), len(s)} {
			if n > 0x7f {
				data.WriteByte(byte(n>>8) | 0x80)
			}
			data.WriteByte(byte(n))
		}
		data.WriteString(s)
		data.WriteByte(0)
	}
	for data.Len()%4 != 0 {
		data.WriteByte(0)
	}
	head.u32(len(texts), 0, flags, 28+offsets.Len(), 0)
	return chunkOf(chunkPool, head.Bytes(), append(offsets.Bytes(), data.Bytes()...))
}

// manifestWriter writes binary XML; the strings at the front are names of attributes that have ids.
type manifestWriter struct {
	utf8  bool
	ids   []int
	texts []string
	nodes writer
}

func (m *manifestWriter) index(s string) int {
	for i, t := range m.texts {
		if t == s {
			return i
		}
	}
	m.texts = append(m.texts, s)
	return len(m.texts) - 1
}

// attrOf is an attribute: its name by number or by text.
type attrOf struct {
	space string
	name  int
	kind  byte
	data  int
	raw   int
}

func (m *manifestWriter) node(kind int, body []byte) {
	var head writer
	head.u32(7, -1) // line, comment
	m.nodes.Write(chunkOf(kind, head.Bytes(), body))
}

func (m *manifestWriter) start(name string, attrs ...attrOf) {
	var b writer
	b.u32(-1, m.index(name))
	b.u16(20, 20, len(attrs), 0, 0, 0)
	for _, a := range attrs {
		space := -1
		if a.space != "" {
			space = m.index(a.space)
		}
		b.u32(space, a.name, a.raw)
		b.u16(8)
		b.Write([]byte{0, a.kind})
		b.u32(a.data)
	}
	m.node(chunkElement, b.Bytes())
}

func (m *manifestWriter) end() {
	var b writer
	b.u32(-1, 0)
	m.node(chunkElementEnd, b.Bytes())
}

// android is an attribute of Android's that is a text.
func (m *manifestWriter) android(name int, value string) attrOf {
	i := m.index(value)
	return attrOf{androidSpace, name, typeString, i, i}
}

func (m *manifestWriter) bytes() []byte {
	var ids writer
	ids.u32(m.ids...)
	content := append(poolOf(m.utf8, m.texts...), chunkOf(chunkResourceIDs, nil, ids.Bytes())...)
	return chunkOf(chunkXML, nil, append(content, m.nodes.Bytes()...))
}

// The numbers of the attributes of sampleManifest.
const (
	nameAttr = iota
	valueAttr
	codeAttr
	versionAttr
	labelAttr
	resourceAttr
	clearAttr
)

// sampleManifest is a manifest whose names of attributes an obfuscator took away.
func sampleManifest(utf8 bool) []byte {
	m := &manifestWriter{utf8: utf8, ids: []int{0x01010003, 0x01010024, 0x0101021b, 0x0101021c, 0x01010001, 0x01010025, 0x010104ec},
		texts: []string{"", "x", "versionCode", "versionName", "label", "", "\u202eevil"}}
	m.start("manifest", attrOf{"", m.index("package"), typeString, m.index("org.example.app"), m.index("org.example.app")},
		attrOf{androidSpace, codeAttr, typeDecimal, 102, -1}, m.android(versionAttr, "1.0.2 ü😀"))
	m.start("application", m.android(labelAttr, "Example"), attrOf{androidSpace, clearAttr, typeBoolean, -1, -1})
	m.start("meta-data", m.android(nameAttr, "firebase_analytics_collection_deactivated"), attrOf{androidSpace, valueAttr, typeBoolean, -1, -1})
	m.end()
	m.start("meta-data", m.android(nameAttr, "api"), m.android(valueAttr, "https://api.example.org/v1?a=1&b=<2>"))
	m.end()
	m.start("meta-data", m.android(nameAttr, "key"), attrOf{androidSpace, resourceAttr, typeReference, 0x7f0a0001, -1})
	m.end()
	m.end()
	m.end()
	return m.bytes()
}

func TestManifest(t *testing.T) {
	for _, inUTF8 := range []bool{false, true} {
		data := sampleManifest(inUTF8)
		if !Is("AndroidManifest.xml", data) {
			t.Fatal("it is not recognised")
		}
		d, err := Open("AndroidManifest.xml", data)
		if err != nil {
			t.Fatal(err)
		}
		if d.Notes() != nil || d.Kind() != "Android binary XML" {
			t.Errorf("%s: %q", d.Kind(), d.Notes())
		}
		want := reading.Identity{ID: "org.example.app", Name: "Example", Version: "1.0.2 ü😀", Build: "102"}
		if got := d.(reading.Identifier).Identity(); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		placed := map[string]string{}
		d.Texts(func(text reading.Text) bool {
			p := d.Place(text.Start+2, text.End)
			if p.LiteralStart == text.Start && p.LiteralEnd == text.End && (inUTF8 || p.Literal == string(text.Value)) {
				placed[string(text.Value)] = p.Section
			}
			return true
		})
		for text, section := range map[string]string{
			"https://api.example.org/v1?a=1&b=<2>": "application/meta-data[2]/@android:value (api)",
			"org.example.app":                      "@package",
			"api":                                  "application/meta-data[2]/@android:name",
			"Example":                              "application/@android:label",
		} {
			if placed[text] != section {
				t.Errorf("%q is at %q, want %q", text, placed[text], section)
			}
		}
		if !strings.HasPrefix(placed["meta-data"], "string pool, string ") {
			t.Errorf("the name of an element is at %q", placed["meta-data"])
		}
		var said []string
		for _, s := range d.(reading.Setter).Settings([]string{"firebase_analytics_collection_deactivated", "api", "key", "usesCleartextTraffic"}) {
			said = append(said, s.Name+"="+s.Value)
			if s.Known == (s.Name == "key") || s.End <= s.Start {
				t.Errorf("%+v", s)
			}
		}
		if got := strings.Join(said, " "); got != "usesCleartextTraffic=true firebase_analytics_collection_deactivated=true api=https://api.example.org/v1?a=1&b=<2> key=" {
			t.Errorf("settings %s", got)
		}
	}
}

const sampleText = `<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="org.example.app" android:versionCode="102" android:versionName="1.0.2 ü😀">
<application android:label="Example" android:usesCleartextTraffic="true">
<meta-data android:name="firebase_analytics_collection_deactivated" android:value="true"/>
<meta-data android:name="api" android:value="https://api.example.org/v1?a=1&amp;b=&lt;2&gt;"/>
<meta-data android:name="key" android:resource="@0x7f0a0001"/>
</application>
</manifest>
`

func TestText(t *testing.T) {
	got, err := Text(sampleManifest(true))
	if err != nil || string(got) != sampleText {
		t.Errorf("%v\n%s", err, got)
	}
	again, err := Text(got)
	if err != nil || !bytes.Equal(again, got) {
		t.Errorf("text is not left alone: %v", err)
	}
	got, err = TextWith(sampleManifest(false), func(id uint32) string {
		if id == 0x7f0a0001 {
			return "string/key"
		}
		return ""
	})
	if err != nil || !strings.Contains(string(got), `android:resource="@string/key"`) {
		t.Errorf("%v\n%s", err, got)
	}
	if got, err := Text([]byte("\x03\x00\x08\x00")); err == nil {
		t.Errorf("%q", got)
	}
}

// TestPackersTricks holds damage that Android overlooks, as packers make it.
func TestPackersTricks(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"wrong type of the file":   func(d []byte) []byte { d[0], d[1] = 0, 0; return d },
		"wrong size of the file":   func(d []byte) []byte { binary.LittleEndian.PutUint32(d[4:], 1<<30); return d },
		"junk behind the end":      func(d []byte) []byte { return append(d, bytes.Repeat([]byte{0xff}, 1000)...) },
		"styles that are not":      func(d []byte) []byte { binary.LittleEndian.PutUint32(d[8+12:], 0x10000); return d },
		"more strings than real":   func(d []byte) []byte { binary.LittleEndian.PutUint32(d[8+8:], u32(d, 8+8)+3); return d },
		"an unknown chunk":         func(d []byte) []byte { return insert(d, 8, chunkOf(0x7777, nil, make([]byte, 40))) },
		"a longer header":          func(d []byte) []byte { d = insert(d, 8, make([]byte, 16)); d[2] = 24; return d },
		"a second pool is ignored": func(d []byte) []byte { return insert(d, 8+int(u32(d, 12)), poolOf(true, "a", "b")) },
	} {
		data := change(sampleManifest(true))
		if !Is("AndroidManifest.xml", data) && name != "an unknown chunk" {
			t.Errorf("%s: it is not recognised", name)
		}
		got, err := Text(data)
		if err != nil || string(got) != sampleText {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}

func insert(data []byte, at int, more []byte) []byte {
	return append(append(append([]byte{}, data[:at]...), more...), data[at:]...)
}

func TestDamagedXML(t *testing.T) {
	whole := sampleManifest(true)
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"short":            {whole[:20], "expected at least 28"},
		"no pool":          {chunkOf(chunkXML, nil, chunkOf(chunkElement, nil, make([]byte, 40))), "no string pool"},
		"count of 2^32":    {with32(whole, 8+8, 0xffffffff), "says that it has 4294967295 strings"},
		"strings start":    {with32(whole, 8+20, 0x7fffffff), "behind its end"},
		"tiny pool":        {chunkOf(chunkXML, nil, chunkOf(chunkPool, nil, make([]byte, 8))), "expected at least 28"},
		"chunk of size 0":  {with32(whole, 12, 0), "cut off or damaged"},
		"chunk of size -1": {with32(whole, 12, 0xffffffff), "no element"},
	} {
		if text, err := Text(tt.data); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %q", name, err, text)
		}
	}
	cut, err := Open("a.xml", whole[:len(whole)-30])
	if err != nil || len(cut.Notes()) != 1 || !strings.Contains(cut.Notes()[0], "<manifest> is not closed") {
		t.Errorf("%v, %q", err, cut)
	}
	if id := cut.(reading.Identifier).Identity(); id.ID != "org.example.app" {
		t.Errorf("what is there is not read: %+v", id)
	}
	far := with32(whole, 8+28+4*7, 0x7ffffff0) // a string beyond the end
	d, err := Open("a.xml", far)
	if err != nil || len(d.Notes()) != 1 || !strings.Contains(d.Notes()[0], "1 of") {
		t.Errorf("%v, %v", err, d.Notes())
	}
	var deep manifestWriter
	for range 3 * maxNesting {
		deep.start("a")
	}
	d, err = Open("a.xml", deep.bytes())
	if err != nil || len(d.Notes()) != 1 || !strings.Contains(d.Notes()[0], "nest deeper") {
		t.Errorf("%v, %v", err, d.Notes())
	}
}

func with32(data []byte, at int, v uint32) []byte {
	data = bytes.Clone(data)
	binary.LittleEndian.PutUint32(data[at:], v)
	return data
}

func TestPoolTexts(t *testing.T) {
	long := strings.Repeat("ä", 40000)
	for _, inUTF8 := range []bool{false, true} {
		texts := []string{"", "a", strings.Repeat("b", 127), strings.Repeat("c", 128), "größe 😀", strings.Repeat("d", 20000)}
		if !inUTF8 {
			texts = append(texts, long)
		}
		data := poolOf(inUTF8, texts...)
		c, _ := chunkAt(data, 0, len(data))
		p, err := readPool(data, c)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range texts {
			if got := p.text(uint32(i)); got != want {
				t.Errorf("string %d is %.20q (%d), want %.20q (%d)", i, got, len(got), want, len(want))
			}
			start, end, _ := p.span(uint32(i))
			if n, ok := p.find(start); want != "" && (!ok || int(n) != i) || end < start {
				t.Errorf("string %d is found as %d, %v", i, n, ok)
			}
		}
		if p.text(100) != "" || p.damage() != "" {
			t.Error("there is a string 100, or one is lost")
		}
	}
	// In UTF-8, lengths have fifteen bits; what is longer ends at its zero.
	data := poolOf(true, strings.Repeat("e", 40000))
	c, _ := chunkAt(data, 0, len(data))
	p, err := readPool(data, c)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.text(0); len(got) != 40000 {
		t.Errorf("%d bytes", len(got))
	}
	// Modified UTF-8: a surrogate in three bytes each; one that is alone stays as it is.
	if got := string(appendModified(nil, []byte("a\xed\xa0\xbd\xed\xb8\x80b\xed\xa0\xbd"))); got != "a😀b\xed\xa0\xbd" {
		t.Errorf("%q", got)
	}
}

// TestSharedBytes holds a pool whose strings all are the same long one: reading it must not cost more
// than a few times its size.
func TestSharedBytes(t *testing.T) {
	const n = 20000
	texts := make([]string, n)
	data := poolOf(true, append(texts, strings.Repeat("x", 30000))...)
	last := u32(data, 28+4*n)
	for i := range n {
		binary.LittleEndian.PutUint32(data[28+4*i:], last)
	}
	d, err := Open("a.xml", chunkOf(chunkXML, nil, data))
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	d.Texts(func(text reading.Text) bool { total += len(text.Value); return true })
	if total > unfolds*len(data)+1<<16 || total == 0 {
		t.Errorf("%d bytes of text come of %d", total, len(data))
	}
	if notes := d.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "share bytes") {
		t.Errorf("%q", notes)
	}
}
