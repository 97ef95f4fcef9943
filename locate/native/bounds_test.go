package native

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"telltale/guard/raced"
	"telltale/locate/reading"
)

// TestOpenRefuses holds that a file which cannot be read has no document.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"no native code":     "plain text",
		"ELF":                "\x7fELF\x02\x01\x01",
		"Mach-O":             "\xcf\xfa\xed\xfe\x0c\x00",
		"fat":                string(fat(program(0))[:12]),
		"assembly":           "MZ" + strings.Repeat("\x00", 62) + "BSJB\x01\x00",
		"metadata":           magicUnity + "\x18\x00\x00\x00",
		"metadata, literals": magicUnity + "\x18\x00\x00\x00" + strings.Repeat("\xff", 32),
	} {
		if d, err := Open("x.dll", []byte(data)); err == nil || d != nil {
			t.Errorf("%s: document %v, error %v", name, d, err)
		}
	}
}

// TestPlacesCostLittle asks for thousands of places of a file of about 1 MB, which takes a fraction
// of a second, and would take a hundred times as long if each cost what the file does.
func TestPlacesCostLittle(t *testing.T) {
	t.Parallel()
	n := raced.Size(20_000, 2000)
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("https://example.com/a/path/%05d", i)
	}
	of := func(separator string) []byte {
		literals := "\x00" + strings.Join(names, separator) + "\x00\x00"
		code := strings.Repeat(string(arm64Ref(codeAt, dataAt+20_000)), 20_000)
		return writeELF64(183, []part{
			{name: ".text", kind: shtProgbits, flags: shfAlloc | shfExec, body: []byte(code)},
			{name: ".rodata", kind: shtProgbits, flags: shfAlloc, body: []byte(literals)},
		}, symbolELF{"send", sttFunc, codeAt, uint64(len(code))})
	}
	var members [][]byte
	for range 500 {
		members = append(members, library(183))
	}
	for name, test := range map[string]struct {
		data []byte
		mark string
		most int
	}{
		"literals":            {of("\x00"), "example", n},
		"literals in one":     {of(" "), "example", n},
		"a literal of a heap": {metadata(24, strings.Join(names, " ")), "example", n},
		"literals of a heap":  {metadata(24, names...), "example", n},
		"an assembly":         {assembly(names...), string(widen("example")), n},
		"an archive":          {archive(members...), "google", 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := Open("x.dll", test.data)
			if err != nil {
				t.Fatal(err)
			}
			text := string(test.data)
			began, places := time.Now(), 0
			for at := 0; ; places++ {
				i := strings.Index(text[at:], test.mark)
				if i < 0 {
					break
				}
				at += i + 1
				if p := d.Place(at-1, at-1+len(test.mark)); p.Section == "" {
					t.Fatalf("no section at %#x", at)
				}
			}
			d.Texts(func(reading.Text) bool { return true })
			if took := time.Since(began); places < test.most || took > 30*time.Second {
				t.Errorf("%d places took %v", places, took)
			}
		})
	}
}
