package dex

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"telltale/guard/raced"
)

// TestOpenRefuses holds that a file which cannot be read has no document.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	good := string(write("035", 0, []string{"x"}))
	for _, data := range []string{"", "no DEX at all", good[:40], "dey\n036\x00", "dey\n036\x00" + strings.Repeat("\xff", 40), "dex\n035\x00" + strings.Repeat("\xff", 200)} {
		if d, err := Open("classes.dex", []byte(data)); err == nil || d != nil {
			t.Errorf("%.10q: document %v, error %v", data, d, err)
		}
	}
}

// TestPlacesCostLittle asks for thousands of places of a file of about 1 MB, which takes a fraction
// of a second, and would take a hundred times as long if each cost what the file does.
func TestPlacesCostLittle(t *testing.T) {
	t.Parallel()
	n := raced.Size(10_000, 1000)
	names := make([]string, n)
	var methods []methodSpec
	for i := range names {
		names[i] = fmt.Sprintf("https://example.com/a/path/%05d", i)
	}
	for i := range n / 4 {
		methods = append(methods, loading(fmt.Sprintf("example%05d", i), "https://example.com/of/all"))
	}
	urls := strings.Join(names, " ")
	for name, data := range map[string][]byte{
		"strings that nothing uses": write("035", 0, names),
		"one string":                write("035", 0, []string{urls}),
		"one string beyond ASCII":   write("035", 0, []string{"é" + urls}),
		"one string of many":        write("035", 0, nil, classSpec{name: "La/B;", methods: methods}),
		"a string of a class": write("035", 0, nil, classSpec{name: "La/B;", methods: append([]methodSpec{
			loading("a", urls), loading("b", names[:n/4]...),
		}, methods...)}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, data)
			began, places := time.Now(), 0
			for at := 0; ; places++ {
				i := strings.Index(string(data[at:min(len(data), at+2048)]), "example")
				if i < 0 && at+2048 >= len(data) {
					break
				}
				if i < 0 {
					at += 2048 - len("example")
					places--
					continue
				}
				at += i + 1
				if p := d.Place(at-1, at+6); p.LiteralEnd == 0 {
					t.Fatalf("no literal at %#x", at)
				}
			}
			for at := 0; at < len(data); at += len(data) / n {
				d.Place(at, at+1)
			}
			d.Settings([]string{"url"})
			if took := time.Since(began); places < n/5 || took > 30*time.Second {
				t.Errorf("%d places took %v", places, took)
			}
		})
	}
}

// TestNamesAndMethodsAreFound holds what the indexes say against the tables themselves.
func TestNamesAndMethodsAreFound(t *testing.T) {
	t.Parallel()
	data := write("035", 0, []string{"nothing"}, classSpec{name: "La/B;", source: "B.java",
		methods: []methodSpec{loading("first", "one"), loading("second", "two", "three")}})
	d := open(t, data)
	for text, want := range map[string]string{
		"nothing": "string table", "La/B;": "string table, as the name of a type", "B.java": "string table, as the name of a source file",
		"second": "string table, as the name of a method",
	} {
		at := strings.Index(string(data), string(leb(len(text)))+text) + 1
		if p := d.Place(at, at+1); p.Section != want {
			t.Errorf("%s: %q, want %q", text, p.Section, want)
		}
	}
	p := d.parts[0]
	for i, m := range p.code().methods {
		insns, _ := p.insns(m.item)
		for _, at := range []int{m.item, m.item + codeHeader + len(insns) - 1} {
			if got, ok := p.methodAt(at); !ok || got != i {
				t.Errorf("%#x is of method %d, %v; want %d", at, got, ok, i)
			}
		}
	}
	for _, at := range []int{0, len(data) - 1} {
		if _, ok := p.methodAt(at); ok {
			t.Errorf("%#x is of a method", at)
		}
	}
}
