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

// with returns a copy of data with another number at a place.
func with(data []byte, at int, v uint32) []byte {
	data = bytes.Clone(data)
	binary.LittleEndian.PutUint32(data[at:], v)
	return data
}

func TestDamageIsNamed(t *testing.T) {
	good := merlin()
	strings0 := int(binary.LittleEndian.Uint32(good[0x3c:]))
	for want, data := range map[string][]byte{
		"a DEX header ends after 3 bytes":                                             good[:3],
		"no DEX: it begins with \"PK\\x03\\x04\"":                                     []byte("PK\x03\x04aaaa"),
		"the header at 0x0 goes beyond the end of the file (0x50)":                    good[:0x50],
		"the mark of the byte order is 0x78563412 and not 0x12345678":                 with(good, 0x28, 0x78563412),
		"the header says that 4294967295 bytes follow":                                with(good, 0x20, 0xffffffff),
		"the table of strings has 4294967295 rows from":                               with(good, 0x38, 0xffffffff),
		"the table of classes has 2 rows from 0xffffff00, beyond the end of the file": with(good, 0x64, 0xffffff00),
		"string id 2 points to 0xffffff, beyond the end of the file":                  with(good, strings0+8, 0xffffff),
		"string id 1 at 0x8 is longer than the file":                                  with(with(good, strings0+4, 8), 8, 0xffffffff),
		"an ODEX header ends after 8 bytes":                                           []byte("dey\n036\x00"),
		"the ODEX header points to 0x28+0xffffffff, beyond the end of the file":       odex(good, 0xffffffff),
		"the ODEX header points to 0x28, where no DEX is":                             odex(make([]byte, headerSize), headerSize),
	} {
		_, err := Open("classes.dex", data)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// odex wraps a DEX as dexopt did.
func odex(inner []byte, length uint32) []byte {
	head := append([]byte("dey\n036\x00"), binaryOf(40, length, 0, 0, 0, 0, 0, 0)...)
	return append(head, inner...)
}

func TestWrappersAreOpened(t *testing.T) {
	inner := write("035", 0, []string{"clients3.google.com"}, classSpec{name: "Lcom/x/Y;", methods: []methodSpec{loading("m", "used")}})
	vdex := slices.Concat([]byte("vdex021\x00"), make([]byte, 52), []byte("dex\n035\x00"), inner, []byte("between"), inner)
	for kind, c := range map[string]struct {
		data  []byte
		texts int
	}{
		"Android bytecode (ODEX)":     {odex(inner, uint32(len(inner))), 5},
		"Android bytecode (VDEX 021)": {vdex, 10},
	} {
		d := open(t, c.data)
		if d.Kind() != kind || len(texts(d)) != c.texts || d.Notes() != nil {
			t.Errorf("%s: %q %v", d.Kind(), texts(d), d.Notes())
		}
		at := bytes.Index(c.data, []byte("used"))
		p := d.Place(at, at+4)
		if len(p.Users) != 1 || p.LiteralStart != at || c.data[p.Users[0].Offset] != opConstString {
			t.Errorf("%s: %+v", kind, p)
		}
	}
}

func TestWhatIsNotUnderstoodIsNoted(t *testing.T) {
	for note, data := range map[string][]byte{
		"it is compact DEX":               []byte("cdex001\x00"),
		"it holds no DEX that can be":     []byte("vdex027\x00\x00\x00\x00\x00"),
		"its version \"042\" of DEX":      []byte("dex\n042\x00"),
		"its version \"0\\xff5\" of DEX ": []byte("dex\n0\xff5\x00"),
	} {
		d := open(t, data)
		if !Is("x", data) || len(d.Notes()) != 1 || !strings.HasPrefix(d.Notes()[0], note) || len(texts(d)) != 0 {
			t.Errorf("%q: %q", data, d.Notes())
		}
		if d.Place(0, 2).Section != "" || d.Settings([]string{"x"}) != nil {
			t.Errorf("%q has places", data)
		}
	}
	if Is("classes.dex", []byte("PK\x03\x04....")) || Is("classes.dex", []byte("dex\n")) {
		t.Error("other files are taken for DEX")
	}
}

func TestContainerHasSeveralParts(t *testing.T) {
	first := write("041", 0, []string{"first.example"}, classSpec{name: "Lcom/x/A;", methods: []methodSpec{loading("a", "one")}})
	second := write("041", len(first), []string{"second.example"}, classSpec{name: "Lcom/x/B;", methods: []methodSpec{loading("b", "two")}})
	data := slices.Concat(first, second)
	d := open(t, data)
	if got := texts(d); !slices.Contains(got, "first.example") || !slices.Contains(got, "second.example") {
		t.Errorf("%q", got)
	}
	at := bytes.LastIndex(data, []byte("two"))
	if p := d.Place(at, at+3); len(p.Users) != 1 || p.Users[0].Name != "com.x.B.b" || d.Notes() != nil {
		t.Errorf("%+v %v", p, d.Notes())
	}
	d = open(t, with(data, len(first)+0x28, 7))
	if notes := d.Notes(); len(notes) != 1 || notes[0] != "part 2 of the container cannot be read: the mark of the byte order is 0x7 and not 0x12345678" {
		t.Error(notes)
	}
	d = open(t, slices.Concat(first, []byte("no header")))
	if notes := d.Notes(); len(notes) != 1 || !strings.HasPrefix(notes[0], "part 2 of the container cannot be read: the header at ") {
		t.Error(notes)
	}
	var many []byte
	for range maxParts + 5 {
		many = append(many, write("041", len(many), nil)...)
	}
	if notes := open(t, many).Notes(); !slices.Equal(notes, []string{"only the first 100 parts of the container are read"}) {
		t.Error(notes)
	}
}

func TestCodeWithoutSenseIsCounted(t *testing.T) {
	data := write("035", 0, nil, classSpec{name: "Lcom/x/Packed;", methods: []methodSpec{
		{name: "a", code: func(p *pool) []uint16 { return join(constString(0, p.str("seen")), []uint16{0x003e, 0x0040}) }},
		{name: "b", code: func(*pool) []uint16 { return []uint16{opConstString} }},
		{name: "c", code: func(*pool) []uint16 { return nil }},
		loading("d", "fine"),
	}})
	want := []string{"the code of 3 of its 4 methods makes no sense (packed, encrypted or damaged): the strings that it uses are not known"}
	d := open(t, data)
	if got := d.Notes(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	at := bytes.Index(data, []byte("seen"))
	if p := d.Place(at, at+1); len(p.Users) != 1 {
		t.Errorf("what stands before the damage is lost: %+v", p)
	}
}

// A file whose classes all have the same large code must not take longer than its size allows.
func TestSharedCodeIsBounded(t *testing.T) {
	many := make([]classSpec, 1000)
	for i := range many {
		many[i] = classSpec{name: fmt.Sprintf("Lcom/x/C%04d;", i)}
	}
	many[0].methods = []methodSpec{{name: "m", code: func(p *pool) []uint16 {
		return slices.Repeat(constString(0, p.str(strings.Repeat("long", 200))), 20_000)
	}}}
	data := write("035", 0, nil, many...)
	defs := int(binary.LittleEndian.Uint32(data[0x64:]))
	for i := range many {
		copy(data[defs+32*i+24:], data[defs+24:defs+28])
	}
	d := open(t, data)
	if !d.parts[0].code().cut {
		t.Error("all of the code was followed")
	}
	made := 0
	d.Joined(func(j reading.Joined) bool { made += len(j.Value); return true })
	if loads := len(d.parts[0].code().loads); loads > 2*len(data) || made > 9*len(data)+1<<20 {
		t.Errorf("%d loads and %d bytes joined of %d", loads, made, len(data))
	}
	if notes := d.Notes(); !slices.Contains(notes, "its tables repeat the same code so often that not all of it was followed") {
		t.Error(notes)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(merlin())
	f.Add(odex(merlin(), uint32(len(merlin()))))
	f.Add(slices.Concat([]byte("vdex021\x00"), merlin()))
	f.Add(write("041", 0, []string{"\U0001f600", "a\x00b"}, classSpec{name: "La/b;", statics: []staticSpec{{"A", "x", true}}, methods: []methodSpec{
		{"run", [][2]int{{0, 1}}, func(p *pool) []uint16 { return newBuilder(p).text("a").text("b").end() }},
		{name: "tables", code: func(*pool) []uint16 {
			return []uint16{0x002b, 4, 0, opReturnVoid, 0x0100, 1, 0, 0, 0, 0, 0x0200, 1, 0, 0, 3, 0, 0x0300, 1, 2, 0, 7}
		}},
	}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := Open("f", data)
		if err != nil {
			return
		}
		d := doc.(*document)
		_ = d.Kind()
		d.Texts(func(x reading.Text) bool {
			if x.Start > x.End || x.End > len(data) || x.Start < 0 {
				t.Fatalf("text from %d to %d of %d", x.Start, x.End, len(data))
			}
			return true
		})
		d.Joined(func(j reading.Joined) bool {
			for _, p := range j.Parts {
				if p.Start > p.End || p.End > len(data) || p.At > len(j.Value) {
					t.Fatalf("part %+v", p)
				}
			}
			return true
		})
		for at := 0; at < len(data); at += 1 + len(data)/50 {
			if p := d.Place(at, at+1); p.LiteralStart > p.LiteralEnd || p.LiteralEnd > len(data) {
				t.Fatalf("%+v", p)
			}
		}
		for _, s := range d.Settings([]string{"host", "value", "run"}) {
			if s.Start > s.End || s.End > len(data) {
				t.Fatalf("%+v", s)
			}
		}
		d.Notes()
	})
}
