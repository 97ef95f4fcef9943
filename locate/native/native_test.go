package native

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"telltale/locate/reading"
)

func fmtInt(n int) string { return strconv.Itoa(n) }

func open(t testing.TB, file string, data []byte) reading.Document {
	t.Helper()
	if !Is(file, data[:min(16, len(data))]) {
		t.Errorf("%s is not recognised", file)
	}
	d, err := Open(file, data)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// texts are the texts of a document; + marks those that are whole.
func texts(d reading.Document) (all []string) {
	d.Texts(func(x reading.Text) bool {
		mark := ""
		if x.Whole {
			mark = "+"
		}
		all = append(all, mark+string(x.Value))
		return true
	})
	return all
}

// at is where a text is in data, and what is said of it.
func place(d reading.Document, data []byte, text string) (int, reading.Place) {
	at := bytes.Index(data, []byte(text))
	return at, d.Place(at, at+len(text))
}

func TestELF(t *testing.T) {
	for machine, name := range map[uint16]string{183: "arm64", 62: "x86-64"} {
		data := library(machine)
		d := open(t, "lib/x.so", data)
		if d.Kind() != "native code (ELF, "+name+")" || d.Notes() != nil {
			t.Errorf("%s %v", d.Kind(), d.Notes())
		}
		if got, want := texts(d), []string{"+first text", "+clients3.google.com", "wider"}; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		at, p := place(d, data, "google")
		if p.Section != ".rodata" || p.LiteralStart != at-9 || p.LiteralEnd != at+10 || p.Literal != "" {
			t.Errorf("%+v", p)
		}
		if len(p.Users) != 1 || p.Users[0].Name != "Java_com_facebook_react_Probe_send" || p.Users[0].Package != "com.facebook.react" || p.Users[0].Offset < 120 || p.Users[0].Offset > 124 {
			t.Errorf("%s: %+v", name, p.Users)
		}
		if _, p := place(d, data, "first"); len(p.Users) != 1 || p.Users[0].Name != "kFirst" {
			t.Errorf("%+v", p)
		}
		if _, p := place(d, data, "Java_com"); p.Section != ".dynstr" {
			t.Errorf("%+v", p)
		}
		if p := d.Place(len(data)+5, len(data)+6); p.Section != "" {
			t.Errorf("%+v", p)
		}
	}
}

func TestSectionsWithoutTexts(t *testing.T) {
	data := writeELF64(62, []part{
		{name: ".comment", kind: shtProgbits, body: []byte("the compiler\x00")},
		{name: ".eh_frame", kind: shtProgbits, flags: shfAlloc, body: []byte("unwinding\x00")},
		{name: ".data", kind: shtProgbits, flags: shfAlloc, body: []byte("one text\x00another\x00")},
	})
	d := open(t, "x.so", data)
	if got := texts(d); !slices.Equal(got, []string{"+one text", "+another"}) {
		t.Errorf("%q", got)
	}
	if _, p := place(d, data, "text\x00another"); p.Section != ".data" || p.LiteralEnd != 0 {
		t.Errorf("what goes beyond a text is in it: %+v", p)
	}
	data = writeMachO(0x0100000c, 0, 0, sectionMachO{"__TEXT", "__objc_methname", typeCString, []byte("setHost:\x00")}, sectionMachO{"__DWARF", "__debug_str", 0, []byte("debug\x00")})
	if got := texts(open(t, "X", data)); got != nil {
		t.Errorf("%q", got)
	}
}

func TestTextsOfGoAreGlued(t *testing.T) {
	first := uint64(dataAt)
	second := first + uint64(len("first.example"))
	code := slices.Concat(x86Ref(codeAt, first)[:7], x86Ref(codeAt+7, second)[:9])
	data := writeELF64(62, []part{
		{name: ".text", kind: shtProgbits, flags: shfAlloc | shfExec, body: code},
		{name: ".rodata", kind: shtProgbits, flags: shfAlloc, body: []byte("first.examplehttps://clients3.google.com/x\x00")},
		{name: ".go.buildinfo", kind: shtProgbits, flags: shfAlloc, body: []byte{0}},
	}, symbolELF{"example.com/net.(*Probe).Ask", sttFunc, codeAt, 16}, symbolELF{"example.com/other.Ask", sttFunc, codeAt + 16, 16})
	d := open(t, "libgojni.so", data)
	if got := texts(d); !slices.Equal(got, []string{"first.examplehttps://clients3.google.com/x"}) {
		t.Errorf("%q", got)
	}
	_, p := place(d, data, "clients3")
	if p.LiteralEnd != 0 || len(p.Users) != 1 || p.Users[0].Package != "example.com/net" || !slices.Equal(p.Users[0].Strings, []string{"first.example"}) {
		t.Errorf("%+v", p)
	}
}

func TestThumbFunctions(t *testing.T) {
	data := writeELF64(40, []part{{name: ".text", kind: shtProgbits, flags: shfAlloc | shfExec, body: make([]byte, 16)}}, symbolELF{"thumb", sttFunc, codeAt | 1, 16})
	if p := open(t, "x.so", data).Place(codeAt-base, codeAt-base+1); len(p.Users) != 1 || p.Users[0].Name != "thumb" {
		t.Errorf("%+v", p)
	}
}

func TestAddressesFarApartAreNone(t *testing.T) {
	for between, want := range map[int]int{0: 1, 15: 1, 16: 0} {
		ref := arm64Ref(0x1000, 0x5678)
		code := slices.Concat(ref[:4], make([]byte, 4*between), ref[4:])
		n := 0
		refsARM64(code, 0x1000, func(_, target uint64) bool {
			if n++; target != 0x5678 {
				t.Errorf("%#x", target)
			}
			return true
		})
		if n != want {
			t.Errorf("%d instructions between: %d", between, n)
		}
	}
}

func TestELFWithoutSections(t *testing.T) {
	data := library(183)
	copy(data[40:], make([]byte, 8)) // where the section headers are
	copy(data[60:], make([]byte, 4))
	d := open(t, "lib/x.so", data)
	if got := texts(d); !slices.Contains(got, "+clients3.google.com") {
		t.Errorf("%q", got)
	}
	if _, p := place(d, data, "google"); p.Section != "segment R-X" || d.Notes() != nil {
		t.Errorf("%+v %v", p, d.Notes())
	}
	binary.LittleEndian.PutUint64(data[40:], 1<<40)
	d = open(t, "lib/x.so", data)
	if notes := d.Notes(); len(notes) != 1 || !strings.HasPrefix(notes[0], "the 0 section headers at 0x10000000000 go beyond the end of the file") {
		t.Errorf("%q", notes)
	}
}

func TestELFSaysWhatItIs(t *testing.T) {
	note := packedBytes(binary.LittleEndian, uint32(4), uint32(4), uint32(3), "GNU\x00", []byte{0xca, 0xfe, 1, 2})
	data := writeELF64(62, []part{{name: ".note.gnu.build-id", kind: shtNote, flags: shfAlloc, body: note}})
	if id := open(t, "x", data).(reading.Identifier).Identity(); id.Build != "cafe0102" {
		t.Errorf("%+v", id)
	}
}

func TestTextsBetweenZeros(t *testing.T) {
	for in, want := range map[string][]string{
		"\x00whole\x00":            {"+whole"},
		"start\x00":                {"+start"},
		"\x01broken\x00":           {"broken"},
		"\x00no end":               {"no end"},
		"\x00abc\x00":              nil,
		"\x00é😀 Größe\x00":         {"+é😀 Größe"},
		"\x00\xff\xfeabcd\xc3\x00": {"abcd"},
		"\x00\x00\x00" + string(widen("http://x")) + "\x00\x00": {"+http://x"},
		"\x00a\nb\tc\r\n\x00":     {"+a\nb\tc\r\n"},
		"\x00right\u202eleft\x00": {"right", "left"},
	} {
		var got []string
		runs([]byte(in), 0, len(in), 100, false, func(x reading.Text) bool {
			mark := ""
			if x.Whole {
				mark = "+"
			}
			got = append(got, mark+string(x.Value))
			return true
		})
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestPlaceOfWideTexts(t *testing.T) {
	data := writeELF64(62, []part{{name: ".rodata", kind: shtProgbits, flags: shfAlloc, body: []byte("\x00\x00" + string(widen("clients3.google.com")) + "\x00\x00\x00")}})
	d := open(t, "x.so", data)
	if at, p := place(d, data, string(widen("google"))); p.Literal != "clients3.google.com" || p.LiteralStart != at-18 {
		t.Errorf("%+v", p)
	}
}

func TestMachO(t *testing.T) {
	data := program(0)
	d := open(t, "Payload/X.app/X", data)
	if d.Kind() != "native code (Mach-O, arm64)" || d.Notes() != nil {
		t.Errorf("%s %v", d.Kind(), d.Notes())
	}
	if got, want := texts(d), []string{"+other", "+clients3.google.com"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	_, p := place(d, data, "clients3")
	if p.Section != "__TEXT,__cstring" || len(p.Users) != 1 || p.Users[0].Name != "ask" {
		t.Errorf("%+v", p)
	}
	data[len(data)-22] = 0x2e // the symbol is for debuggers
	if _, p := place(open(t, "X", data), data, "clients3"); len(p.Users) != 0 {
		t.Errorf("%+v", p)
	}
	if kind := open(t, "x", writeMachO(0x0100000c, 2, 0)).Kind(); kind != "native code (Mach-O, arm64e)" {
		t.Error(kind)
	}
}

func TestEncryptedMachO(t *testing.T) {
	data := program(1)
	d := open(t, "Payload/X.app/X", data)
	if got := texts(d); got != nil {
		t.Errorf("%q", got)
	}
	want := fmt.Sprintf("the code of this binary is encrypted by the App Store (FairPlay), so its own strings cannot be seen: bytes %d to %d", 328, len(data)-26)
	if notes := d.Notes(); !slices.Equal(notes, []string{want}) {
		t.Errorf("got %q, want %q", notes, want)
	}
	if _, p := place(d, data, "clients3"); p.Section != "__TEXT,__cstring" || p.LiteralEnd != 0 || p.Users != nil {
		t.Errorf("%+v", p)
	}
}

func TestFatMachO(t *testing.T) {
	data := fat(writeMachO(0x01000007, 3, 0), program(0), []byte("no Mach-O"))
	d := open(t, "X", data)
	if d.Kind() != "native code (Mach-O, x86-64 + arm64)" || !slices.Contains(texts(d), "+clients3.google.com") {
		t.Errorf("%s %q", d.Kind(), texts(d))
	}
	if notes := d.Notes(); len(notes) != 1 || !strings.HasPrefix(notes[0], "slice 3 at 0x") {
		t.Error(notes)
	}
	at, p := place(d, data, "clients3")
	if p.LiteralStart != at || len(p.Users) != 1 || data[p.Users[0].Offset+3] != 0x91 {
		t.Errorf("%+v", p)
	}
	twice := fat(program(0), program(0))
	copy(twice[8+20+8:], twice[8+8:8+12])
	if notes := open(t, "X", twice).Notes(); !slices.Equal(notes, []string{"slice 2 at 0x30 stands in another one"}) {
		t.Error(notes)
	}
	if Is("X.class", []byte("\xca\xfe\xba\xbe\x00\x00\x00\x37\x00\x00")) {
		t.Error("a Java class is taken for Mach-O")
	}
}

func TestStaticLibrary(t *testing.T) {
	data := archive(append(library(183), 0), program(0)) // one of an odd length
	d := open(t, "libx.a", data)
	if d.Kind() != "static library (Mach-O, arm64)" || d.Notes() != nil {
		t.Errorf("%s %v", d.Kind(), d.Notes())
	}
	if at, p := place(d, data, "clients3"); p.Section != "probe.o: .rodata" || p.LiteralStart != at {
		t.Errorf("%+v", p)
	}
	cut := open(t, "libx.a", data[:len(data)-10])
	if notes := cut.Notes(); len(notes) != 1 || !strings.HasPrefix(notes[0], "the archive is damaged at 0x") {
		t.Error(notes)
	}
	if notes := open(t, "x.a", []byte(magicAr)).Notes(); !slices.Equal(notes, []string{"no member of the archive is native code"}) {
		t.Error(notes)
	}
}

func TestDartSnapshot(t *testing.T) {
	hash := "0123456789abcdef0123456789abcdef"
	body := "\xf5\xf5\xdc\xdc" + strings.Repeat("\x00", 16) + hash + "product arm64 android\x00\xa8https://clients3.google.com/\x8b"
	data := writeELF64(183, []part{{name: ".rodata", kind: shtProgbits, flags: shfAlloc, body: []byte(body)}}, symbolELF{"_kDartVmSnapshotData", sttObject, codeAt, uint64(len(body))})
	d := open(t, "lib/arm64-v8a/libapp.so", data)
	id := d.(reading.Identifier).Identity()
	if d.Kind() != "Dart AOT snapshot (Flutter)" || id.Build != hash || id.Name != "Dart product arm64 android" {
		t.Errorf("%s %+v", d.Kind(), id)
	}
	if got := texts(d); !slices.Contains(got, "https://clients3.google.com/") {
		t.Errorf("%q", got)
	}
	data[bytes.Index(data, []byte(hash))] = 'x'
	if d := open(t, "libapp.so", data); d.Kind() != "Dart AOT snapshot (Flutter)" || d.(reading.Identifier).Identity().Build != "" {
		t.Errorf("%s %+v", d.Kind(), d.(reading.Identifier).Identity())
	}
}

func TestProtectionsAreNoted(t *testing.T) {
	upx := library(183)
	copy(upx[200:], "UPX!")
	for file, want := range map[string]string{
		"lib/arm64-v8a/libjiagu_a64.so":  `it belongs to the protection "360 Jiagu", which encrypts code until it runs`,
		"lib/arm64-v8a/libDexHelper.so":  `it belongs to the protection "SecNeo (Bangcle)"`,
		"lib/arm64-v8a/libpairipcore.so": `it belongs to the protection "Google Play's automatic integrity protection"`,
	} {
		if notes := open(t, file, library(183)).Notes(); len(notes) != 1 || !strings.HasPrefix(notes[0], want) {
			t.Errorf("%s: %q", file, notes)
		}
	}
	if notes := open(t, "libx.so", upx).Notes(); !slices.Equal(notes, []string{"it is packed by UPX: its own strings are compressed and not seen"}) {
		t.Error(notes)
	}
}

func TestPackageOfAFunction(t *testing.T) {
	m := &image{}
	for name, want := range map[string]string{
		"Java_com_facebook_react_Probe_send": "com.facebook.react", "Java_com_my_1app_X_y": "com.my_app", "SSL_read": "",
	} {
		if got := m.packageOf(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	m.golang = true
	for name, want := range map[string]string{"github.com/x/y.(*T).Do": "github.com/x/y", "main.main": "main", "go": ""} {
		if got := m.packageOf(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
