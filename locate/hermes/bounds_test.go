package hermes

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"telltale/guard/raced"
	"telltale/locate/reading"
)

// TestOpenRefuses holds that a file which cannot be read has no document.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	good := string(program{version: 96, strings: []string{"x"}, functions: []routine{{}}}.bytes())
	for _, data := range []string{"", "no bytecode", magic, magic + "\x60\x00\x00\x00", good[:100], good[:headerSize]} {
		if d, err := Open("main.jsbundle", []byte(data)); err == nil || d != nil {
			t.Errorf("%d bytes: document %v, error %v", len(data), d, err)
		}
	}
}

// TestPlacesCostLittle asks for thousands of places of a file of about 1 MB, which takes a fraction
// of a second, and would take a hundred times as long if each cost what the file does.
func TestPlacesCostLittle(t *testing.T) {
	t.Parallel()
	n := raced.Size(1_000, 100)
	var apart, inOne, crowd program
	apart.version, inOne.version, crowd.version = 96, 96, 96
	e := emit(t, 96)
	for i := range n {
		apart.strings = append(apart.strings, fmt.Sprintf("https://example.com/a/path/%05d", i))
		e.op("LoadConstString", 0, i)
	}
	apart.functions = []routine{{code: e.code}}
	urls := strings.Repeat(strings.Join(apart.strings, " ")+" ", 16)
	inOne.strings = []string{urls, "é" + urls}
	inOne.functions = append([]routine{{}}, make([]routine, n)...)
	for i := range inOne.functions {
		inOne.functions[i].code = emit(t, 96).op("LoadConstString", 0, 0).op("LoadConstString", 1, 1).code
	}
	crowd.storage = urls // one string goes over all others
	crowd.strings = append([]string{urls}, apart.strings...)
	crowd.functions = []routine{{}}
	for name, p := range map[string]program{"apart": apart, "in one": inOne, "one over all": crowd} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := p.bytes()
			d, err := Open("main.jsbundle", data)
			if err != nil {
				t.Fatal(err)
			}
			text, places := string(data), 0
			began := time.Now()
			for _, mark := range []string{"example", wide("example")} {
				for at := 0; ; places++ {
					i := strings.Index(text[at:], mark)
					if i < 0 {
						break
					}
					at += i + 1
					if p := d.Place(at-1, at-1+len(mark)); p.LiteralEnd == 0 {
						t.Fatalf("no literal at %#x", at)
					}
				}
			}
			for at := 0; at < len(data); at += max(1, len(data)/n) {
				d.Place(at, at+1)
			}
			d.(reading.Setter).Settings([]string{"url"})
			d.(reading.Joiner).Joined(func(reading.Joined) bool { return true })
			if took := time.Since(began); places < n || took > 30*time.Second {
				t.Errorf("%d places took %v", places, took)
			}
		})
	}
}

// wide is a text in UTF-16, as the string storage has it.
func wide(s string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		out = append(out, byte(unit), byte(unit>>8))
	}
	return string(out)
}
