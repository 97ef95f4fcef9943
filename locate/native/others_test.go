package native

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"telltale/locate/reading"
)

func TestUnityMetadata(t *testing.T) {
	data := metadata(29, "https://cdp.cloud.unity3d.com", "", "größe", "more")
	d := open(t, "assets/bin/Data/Managed/Metadata/global-metadata.dat", data)
	if d.Kind() != "IL2CPP metadata (Unity), version 29" || d.Notes() != nil {
		t.Errorf("%s %v", d.Kind(), d.Notes())
	}
	if got, want := texts(d), []string{"+https://cdp.cloud.unity3d.com", "+größe", "+more"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if at, p := place(d, data, "cdp"); p.Section != "string literals" || p.LiteralStart != at-8 || p.LiteralEnd != at+21 {
		t.Errorf("%+v", p)
	}
	if p := d.Place(0, 4); p.Section != "" {
		t.Errorf("%+v", p)
	}
	if notes := open(t, "x", metadata(99, "a")).Notes(); len(notes) != 1 || !strings.HasPrefix(notes[0], "this version of IL2CPP metadata is not known") {
		t.Error(notes)
	}
	if notes := open(t, "Metadata/global-metadata.dat", []byte("encrypted bytes")).Notes(); len(notes) != 1 || !strings.Contains(notes[0], "the app encrypts it") {
		t.Error(notes)
	}
}

func TestAssembly(t *testing.T) {
	long := strings.Repeat("long ", 30)
	data := assembly("https://clients3.google.com", "größe 😀", long)
	d := open(t, "assemblies/X.dll", data)
	want := []string{"+https://clients3.google.com", "+größe " + string(rune(0xf600)), "+" + long} // widen cuts the emoji
	if got := texts(d); !slices.Equal(got, want) || d.Kind() != ".NET assembly" {
		t.Errorf("%s %q", d.Kind(), got)
	}
	if at, p := place(d, data, string(widen("google"))); p.Section != "#US" || p.Literal != "https://clients3.google.com" || p.LiteralStart != at-34 || p.LiteralEnd != at+20 {
		t.Errorf("%+v", p)
	}
	if notes := open(t, "setup.exe", []byte("MZ and no more")).Notes(); len(notes) != 1 || !strings.Contains(notes[0], "no .NET assembly") {
		t.Error(notes)
	}
	if Is("photo.jpg", []byte("MZ and no more..")) {
		t.Error("any file with MZ is taken for a program")
	}
}

func TestUTF16OfAssemblies(t *testing.T) {
	if got := string(appendUTF16(nil, []byte{0x3d, 0xd8, 0x00, 0xde, 0x3d, 0xd8, 'x', 0})); got != "\U0001f600\ufffdx" {
		t.Errorf("%q", got)
	}
}

func TestWhatIsCompressedIsNoted(t *testing.T) {
	for file, c := range map[string]struct{ data, kind, note string }{
		"assemblies/assemblies.blob": {"XABA\x02\x00\x00\x00....XALZ....", ".NET assembly store (Xamarin)", "its assemblies are compressed by Xamarin"},
		"assemblies/X.dll":           {"XALZ\x00\x00\x00\x00", ".NET assembly (compressed by Xamarin)", "it is compressed by Xamarin"},
		"assets/bin/Data/data.unity": {"UnityFS\x00\x00\x00\x00\x08", "Unity asset bundle", "it is a Unity asset bundle, mostly compressed"},
	} {
		d := open(t, file, []byte(c.data))
		if notes := d.Notes(); d.Kind() != c.kind || len(notes) != 1 || !strings.HasPrefix(notes[0], c.note) {
			t.Errorf("%s: %s %q", file, d.Kind(), notes)
		}
	}
	library := writeELF64(183, []part{{name: "payload", kind: shtProgbits, body: []byte("XABA\x03...XALZ...")}})
	if notes := open(t, "libassemblies.arm64-v8a.blob.so", library).Notes(); len(notes) != 1 || !strings.HasPrefix(notes[0], "its assemblies are compressed by Xamarin") {
		t.Error(notes)
	}
	if notes := open(t, "assemblies.blob", []byte("XABA\x02\x00\x00\x00....MZ....")).Notes(); notes != nil {
		t.Error(notes)
	}
}

// with returns a copy of data with another number at a place.
func with(data []byte, at int, v uint32) []byte {
	data = bytes.Clone(data)
	binary.LittleEndian.PutUint32(data[at:], v)
	return data
}

func TestDamageIsNamed(t *testing.T) {
	so, exe, dll, unity := library(183), program(0), assembly("abc"), metadata(29, "abc")
	bsjb := bytes.Index(dll, []byte("BSJB"))
	for want, data := range map[string][]byte{
		"the ELF header ends after 20 bytes":                                              so[:20],
		"the ELF header ends after 60 bytes":                                              so[:60],
		"the 1 program headers at 0x40 go beyond the end of the file (0x64)":              so[:100],
		"it has no program headers":                                                       with(with(so, 32, 0), 40, 0),
		"the Mach-O header ends after 8 bytes":                                            exe[:8],
		"the load commands take 0x128 bytes from 0x20, beyond the end of the file (0x3c)": exe[:60],
		"load command 1 of 4 at 0x20 goes beyond the end of the commands":                 with(exe, 36, 0xffffffff),
		"load command 2 of 4 at 0x108 goes beyond the end of the commands":                with(exe, 32+72+160+4, 0),
		"the fat header has 30 slices, and the file ends after 9 bytes":                   []byte("\xca\xfe\xba\xbe\x00\x00\x00\x1e."),
		"no slice of the fat file can be read: slice 1 at 0x1c is no Mach-O":              fat([]byte("x")),
		"the metadata at 0x40 goes beyond the end of the file (0x45)":                     dll[:bsjb+5],
		"the metadata at 0x40 goes beyond the end of the file (0x76)":                     dll[:bsjb+54],
		"the literal at ": append(dll[:len(dll)-8:len(dll)-8], 0x7f, 1, 1, 1, 1, 1, 1, 1),
		"the header of IL2CPP metadata ends after 10 bytes":                                                          unity[:10],
		"the table of literals is at 0x18+0xffffffff and their texts at 0x20+0x3, beyond the end of the file (0x23)": with(unity, 12, 0xffffffff),
		"literal 0 is at 0xffff+0x3, beyond the end of the texts (0x3)":                                              with(unity, 28, 0xffff),
		"no native code: it begins with \"text\"":                                                                    []byte("text"),
	} {
		_, err := Open("x", data)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// exercise calls all methods of what can be opened.
func exercise(t *testing.T, file string, data []byte) {
	d, err := Open(file, data)
	if err != nil {
		return
	}
	_, _ = d.Kind(), d.Notes()
	last := 0
	d.Texts(func(x reading.Text) bool {
		if x.Start < 0 || x.Start >= x.End || x.End > len(data) {
			t.Fatalf("text from %d to %d of %d", x.Start, x.End, len(data))
		}
		last++
		return last < 10_000
	})
	for at := 0; at < len(data); at += 1 + len(data)/50 {
		p := d.Place(at, at+1)
		if p.LiteralStart < 0 || p.LiteralStart > p.LiteralEnd || p.LiteralEnd > len(data) {
			t.Fatalf("%+v", p)
		}
	}
	if i, ok := d.(reading.Identifier); ok {
		i.Identity()
	}
}

func FuzzELF(f *testing.F) {
	f.Add(library(183))
	f.Add(library(62))
	f.Add(writeELF64(183, nil, symbolELF{"_kDartVmSnapshotData", sttObject, codeAt, 8}))
	f.Add(archive(library(62)))
	f.Fuzz(func(t *testing.T, data []byte) { exercise(t, "lib.so", data) })
}

func FuzzMachO(f *testing.F) {
	f.Add(program(0))
	f.Add(program(1))
	f.Add(fat(program(0), writeMachO(0x01000007, 3, 0)))
	f.Fuzz(func(t *testing.T, data []byte) { exercise(t, "X", data) })
}

func FuzzOthers(f *testing.F) {
	f.Add(metadata(29, "abc", "https://x"))
	f.Add(assembly("abc", "https://x"))
	f.Add([]byte("XABA\x02\x00\x00\x00"))
	f.Add([]byte("UnityFS\x00"))
	f.Fuzz(func(t *testing.T, data []byte) { exercise(t, "X.dll", data) })
}
