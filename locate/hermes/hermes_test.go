package hermes

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"telltale/locate/reading"
)

func TestIs(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]bool{
		magic: true, magic + "\x60\x00": true, deltaMagic: true, magic[:7]: false, "": false, "var __d": false,
	} {
		if got := Is("main.jsbundle", []byte(head)); got != want {
			t.Errorf("Is(%q) = %v", head, got)
		}
	}
}

// TestInstructionSets counts the opcodes of each version, as its BytecodeList.def has them.
func TestInstructionSets(t *testing.T) {
	t.Parallel()
	counts := map[int]int{
		62: 177, 71: 177, 74: 180, 76: 180, 83: 185, 84: 185, 85: 187, 89: 190, 90: 190, 94: 192, 96: 192, 98: 219, 99: 220,
	}
	for _, version := range versions {
		set, count := instructionsOf(version), 0
		for _, o := range set {
			if o.size > 0 {
				count++
			}
		}
		if count != counts[version] {
			t.Errorf("version %d has %d opcodes, want %d", version, count, counts[version])
		}
	}
	if instructionsOf(97) != nil || instructionsOf(12) != nil {
		t.Error("a version that no compiler of npm writes has opcodes")
	}
}

// overlapping has strings that share bytes, are UTF-16, or too long for the table.
func overlapping(version int) program {
	return program{
		version: version,
		storage: "first.example.org",
		strings: []string{
			"first.example", "example.org", "t.example.org", "https://état.example/日本", strings.Repeat("long.", 60), "", "e",
			"https://wide.example/\U0001F600",
		},
		functions: []routine{{}},
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		p := overlapping(version)
		b := open(t, p.bytes())
		if notes := b.Notes(); notes != nil {
			t.Errorf("version %d: notes %q", version, notes)
		}
		if kind := b.Kind(); kind != fmt.Sprintf("Hermes bytecode (version %d)", version) {
			t.Errorf("kind %q", kind)
		}
		var got []string
		b.Texts(func(x reading.Text) bool {
			got = append(got, string(x.Value))
			if !x.Whole || x.Start < b.layout.storage.start || x.End > b.layout.storage.end {
				t.Errorf("version %d: %+v", version, x)
			}
			return true
		})
		want := slices.DeleteFunc(slices.Clone(p.strings), func(s string) bool { return s == "" })
		if !slices.Equal(got, want) {
			t.Errorf("version %d: %q, want %q", version, got, want)
		}
	}
}

func TestTextsStop(t *testing.T) {
	t.Parallel()
	p := overlapping(96)
	p.tail = "\n//# sourceMappingURL=x\n"
	for stop := range 8 {
		seen := 0
		open(t, p.bytes()).Texts(func(reading.Text) bool { seen++; return seen <= stop })
		if seen != stop+1 {
			t.Errorf("visited %d texts, want %d", seen, stop+1)
		}
	}
}

func TestPlaceOfStrings(t *testing.T) {
	t.Parallel()
	b := open(t, overlapping(94).bytes())
	storage := b.layout.storage.start
	for _, c := range []struct {
		start, end int
		want       string // of the storage; "" for none
	}{
		{6, 13, "first.example"}, // "example": both of the first hold it
		{6, 17, "example.org"},
		{4, 17, "t.example.org"},
		{0, 5, "first.example"},
		{0, 17, ""}, // glued together of two
		{6, 7, "e"},
	} {
		p := b.Place(storage+c.start, storage+c.end)
		got := string(b.data[p.LiteralStart:p.LiteralEnd])
		if c.want == "first.example" && c.start == 6 {
			c.want = "example.org" // the shorter
		}
		if p.Section != "string storage" || got != c.want || p.Literal != "" {
			t.Errorf("Place(%d, %d) = %+v, that is %q, want %q", c.start, c.end, p, got, c.want)
		}
	}
	s := b.string(3)
	if p := b.Place(s.start+16, s.start+26); p.Literal != "https://état.example/日本" || p.LiteralStart != s.start {
		t.Errorf("of UTF-16: %+v", p)
	}
	if p := b.Place(s.start+17, s.start+19); p.LiteralStart != 0 {
		t.Errorf("half a character of UTF-16: %+v", p)
	}
	for at, want := range map[int]string{0: "header", headerSize: "function headers", b.layout.strings.start: "string table"} {
		if p := b.Place(at, at+1); p.Section != want {
			t.Errorf("Place(%d) is in %q, want %q", at, p.Section, want)
		}
	}
	for _, bad := range [][2]int{{-1, 3}, {5, 3}, {len(b.data) + 1, len(b.data) + 2}, {math.MaxInt - 1, math.MaxInt}} {
		if p := b.Place(bad[0], bad[1]); p.Section != "" {
			t.Errorf("Place(%v) = %+v", bad, p)
		}
	}
}

func TestUnknownVersion(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]int{{61, 62}, {86, 85}, {97, 96}, {97, 98}, {100, 99}, {1 << 30, 99}} {
		version, like := c[0], c[1]
		p := overlapping(like)
		data := p.bytes()
		binary.LittleEndian.PutUint32(data[atVersion:], uint32(version))
		b := open(t, data)
		notes := strings.Join(b.Notes(), "\n")
		if !strings.HasPrefix(notes, fmt.Sprintf("bytecode version %d is not known: ", version)) || strings.Contains(notes, "\n") {
			t.Errorf("version %d: notes %q", version, notes)
		}
		found := 0
		b.Texts(func(reading.Text) bool { found++; return true })
		if found != len(p.strings)-1 {
			t.Errorf("version %d: %d texts", version, found)
		}
		if p := b.Place(b.string(1).start, b.string(1).end); p.LiteralStart == 0 || p.Users != nil {
			t.Errorf("version %d: %+v", version, p)
		}
		b.Joined(func(reading.Joined) bool { t.Error("joined"); return false })
		if b.Settings([]string{"example.org"}) != nil {
			t.Error("settings")
		}
	}
}

func TestUnknownLayout(t *testing.T) {
	t.Parallel()
	data := slices.Concat([]byte(magic), []byte{200, 0, 0, 0}, make([]byte, 200), []byte("https://tail.example/x\x00ab\xff\xfe"), make([]byte, 40))
	for i := 12; i < 100; i++ {
		data[i] = byte(i * 7)
	}
	b := open(t, data)
	notes := strings.Join(b.Notes(), "\n")
	if !strings.Contains(notes, "bytecode version 200 is not known") || !strings.Contains(notes, "its table of strings was not found") {
		t.Errorf("notes %q", notes)
	}
	var got []string
	b.Texts(func(x reading.Text) bool {
		if x.Whole {
			t.Errorf("whole: %+v", x)
		}
		got = append(got, string(x.Value))
		return true
	})
	if !slices.Contains(got, "https://tail.example/x") {
		t.Errorf("texts %q", got)
	}
	if p := b.Place(220, 230); p.Section != "" || b.Segment() != 0 {
		t.Errorf("%+v", p)
	}
}

func TestDeltaForm(t *testing.T) {
	t.Parallel()
	b := open(t, []byte(deltaMagic+"\x60\x00\x00\x00hidden.example"))
	if b.Kind() != "Hermes bytecode (delta form, version 96)" || len(b.Notes()) != 1 {
		t.Errorf("%q %q", b.Kind(), b.Notes())
	}
	found := false
	b.Texts(func(x reading.Text) bool {
		found = found || strings.Contains(string(x.Value), "hidden.example")
		return true
	})
	if !found {
		t.Error("no texts")
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	good := overlapping(96).bytes()
	number := func(at int, v uint32) []byte {
		data := slices.Clone(good)
		binary.LittleEndian.PutUint32(data[at:], v)
		return data
	}
	for name, c := range map[string]struct {
		data []byte
		err  string
	}{
		"no bytecode":       {[]byte("__d(function(){})"), "does not begin with the magic number"},
		"only the magic":    {good[:8], "the header takes 128 bytes, the file has 8"},
		"part of a header":  {good[:100], "the header takes 128 bytes, the file has 100"},
		"functions":         {number(atFunctionCount, 1<<30), "the function headers of 1073741824 times 16 bytes at 0x80 goes beyond the end of the file"},
		"strings":           {number(atStringCount, 1<<32-1), "the string table of 4294967295 times 4 bytes"},
		"storage":           {number(atStringStorageSize, 1<<31), "the string storage of 2147483648 times 1 bytes"},
		"cut in the tables": {good[:200], "goes beyond the end of the file (0xc8)"},
		"array literals":    {number(atRest+16, 1<<20), "the array literals of 1048576 times 1 bytes"},
	} {
		if _, err := Open("x", c.data); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
		}
	}
}

func TestPartialDamage(t *testing.T) {
	t.Parallel()
	good := overlapping(96).bytes()
	cut := good[:len(good)-30]
	changed := slices.Clone(good)
	changed[headerSize+30] ^= 1
	b := open(t, good)
	beyond := slices.Clone(good)
	binary.LittleEndian.PutUint32(beyond[b.layout.strings.start:], 0x7fffff<<1|200<<24)
	binary.LittleEndian.PutUint32(beyond[b.layout.strings.start+4:], 0x7fffff<<1|longString<<24)
	binary.LittleEndian.PutUint32(beyond[b.layout.strings.start+8:], 1<<1|200<<24)
	for name, c := range map[string]struct {
		data  []byte
		notes string
	}{
		"cut off": {cut, fmt.Sprintf("the file is cut off: its header says %d bytes, it has %d", len(good), len(cut))},
		"changed": {changed, "the file was changed after it was compiled: its hash does not match"},
		"beyond":  {beyond, "string id 0 points to "},
	} {
		notes := strings.Join(open(t, c.data).Notes(), "\n")
		if !strings.Contains(notes, c.notes) {
			t.Errorf("%s: %q, want %q", name, notes, c.notes)
		}
	}
}

func TestAppended(t *testing.T) {
	t.Parallel()
	p := overlapping(84)
	p.tail, p.segment = "\n//# sourceMappingURL=https://maps.example/x.map\n\xff\xfe", 3
	b := open(t, p.bytes())
	if b.Notes() != nil {
		t.Errorf("notes %q", b.Notes())
	}
	var last reading.Text
	b.Texts(func(x reading.Text) bool { last = x; last.Value = slices.Clone(x.Value); return true })
	if string(last.Value) != "//# sourceMappingURL=https://maps.example/x.map" || last.Whole {
		t.Errorf("%+v", last)
	}
	if place := b.Place(last.Start, last.End); place.Section != "after the bytecode" {
		t.Errorf("%+v", place)
	}
	if line, column := b.MapPosition(41); line != 4 || column != 42 {
		t.Errorf("a segment's address is at %d:%d of the map", line, column)
	}
}

// TestOldModuleTable has a table whose entries are shorter in old versions.
func TestOldModuleTable(t *testing.T) {
	t.Parallel()
	for _, version := range []int{62, 83} {
		p := overlapping(version)
		p.static = true
		if b := open(t, p.bytes()); b.stringCount() != len(p.strings) {
			t.Errorf("version %d: %d strings", version, b.stringCount())
		}
	}
}

// TestHostileSizes has files whose tables name far more than they hold.
func TestHostileSizes(t *testing.T) {
	crowd := program{version: 96, storage: strings.Repeat("abcdefgh", 1<<10), functions: []routine{{}}}
	for range 1 << 12 {
		crowd.strings = append(crowd.strings, crowd.storage)
	}
	same := program{version: 96, strings: []string{"a", "b"}, arrays: slices.Repeat([]byte{0x9f, 0xff}, 1<<8)}
	e := emit(t, 96)
	for range 1 << 10 {
		e.op("NewArrayWithBuffer", 0, 9, 65535, 0).op("LoadConstString", 1, 0).op("Add", 1, 1, 1)
	}
	same.functions = make([]routine, 1<<10)
	same.functions[0].code = e.code
	data := same.bytes()
	for i := range same.functions { // all have the same code
		copy(data[headerSize+16*i:], data[headerSize:headerSize+16])
	}
	for name, data := range map[string][]byte{"strings": crowd.bytes(), "functions": data} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		useAll(t, data)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(64*len(data))+1<<20 {
			t.Errorf("%s: %d bytes of memory for a file of %d", name, took, len(data))
		}
	}
	if notes := strings.Join(open(t, crowd.bytes()).Notes(), "\n"); !strings.Contains(notes, "its 4096 strings overlap beyond reason") {
		t.Errorf("notes %q", notes)
	}
}

// useAll calls every method, and checks what a document promises of each answer.
func useAll(t testing.TB, data []byte) {
	t.Helper()
	d, err := Open("x", data)
	if err != nil {
		if d != nil {
			t.Fatal("a document and an error")
		}
		return
	}
	b := d.(*Bytecode)
	_, _, _ = b.Kind(), b.Notes(), b.Segment()
	texts, last := 0, span{}
	b.Texts(func(x reading.Text) bool {
		checkSpan(t, data, x.Start, x.End)
		last = span{x.Start, x.End}
		texts++
		return true
	})
	sure := 0
	b.Joined(func(j reading.Joined) bool {
		at := 0
		for _, p := range j.Parts {
			checkSpan(t, data, p.Start, p.End)
			if p.At < at || p.At > len(j.Value) {
				t.Fatalf("part at %d of %d", p.At, len(j.Value))
			}
			at = p.At
		}
		if j.Sure {
			sure++
		}
		return true
	})
	for _, s := range b.Settings([]string{"reachabilityUrl", "a", "b", "default"}) {
		checkSpan(t, data, s.Start, s.End)
	}
	for _, at := range []int{0, 140, len(data) / 2, len(data) - 1, last.start, last.end - 1} {
		p := b.Place(at, at+1)
		checkSpan(t, data, p.LiteralStart, p.LiteralEnd)
	}
}

func checkSpan(t testing.TB, data []byte, start, end int) {
	t.Helper()
	if start < 0 || end < start || end > len(data) {
		t.Fatalf("%d to %d of %d bytes", start, end, len(data))
	}
}

func FuzzOpen(f *testing.F) {
	for _, version := range versions {
		f.Add(overlapping(version).bytes())
		f.Add(netinfo(f, version).bytes())
	}
	small, _ := filepath.Glob(filepath.Join(artefacts, "strings-*.hbc"))
	for _, name := range small {
		if data, err := os.ReadFile(name); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { useAll(t, data) })
}
