package script

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"telltale/locate/reading"
)

// digits writes numbers as a segment of mappings.
func digits(numbers ...int) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	var out strings.Builder
	for _, n := range numbers {
		v := n << 1
		if n < 0 {
			v = -n<<1 | 1
		}
		for {
			digit := v & 31
			v >>= 5
			if v > 0 {
				digit |= 32
			}
			out.WriteByte(digits[digit])
			if v == 0 {
				break
			}
		}
	}
	return out.String()
}

// mapped is a map of three lines: the first has a name, and a part that nobody wrote.
func mapped() string {
	return strings.Join([]string{
		digits(0, 0, 0, 0, 0) + "," + digits(10, 0, 2, 4) + "," + digits(20),
		"",
		digits(3, 1, -1, 1, 1),
	}, ";")
}

func openMap(t *testing.T, fields map[string]any) *Map {
	t.Helper()
	data, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	m, err := OpenMap("x.map", data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMapTellsPlaces holds what a map says of places on, before, between and behind its segments.
func TestMapTellsPlaces(t *testing.T) {
	t.Parallel()
	m := openMap(t, map[string]any{
		"version": 3, "file": "out.js", "sources": []any{"a.js", "https://b/c.js"}, "sourceRoot": "src",
		"names": []string{"one", "two"}, "mappings": mapped(), "x_google_ignoreList": []int{1},
		"sourcesContent": []any{"first\r\nsecond \"é\"\nthird\\n", nil},
	})
	source := func(file string, line, column int, name, text string) *reading.Source {
		return &reading.Source{File: file, Line: line, Column: column, Name: name, Text: text, By: "x.map"}
	}
	for _, test := range []struct {
		line, column int
		want         *reading.Source
	}{
		{1, 0, source("src/a.js", 1, 1, "one", "first")},
		{1, 9, source("src/a.js", 1, 1, "one", "first")},
		{1, 10, source("src/a.js", 3, 5, "", `third\n`)},
		{1, 29, source("src/a.js", 3, 5, "", `third\n`)},
		{1, 30, nil}, {1, 1 << 40, nil},
		{2, 0, nil},
		{3, 2, nil},
		{3, 3, source("https://b/c.js", 2, 6, "two", "")},
		{0, 0, nil}, {-1, 5, nil}, {4, 0, nil}, {1 << 40, 0, nil},
	} {
		if diff := cmp.Diff(test.want, m.At(test.line, test.column)); diff != "" {
			t.Errorf("line %d, column %d (-want +got):\n%s", test.line, test.column, diff)
		}
	}
	if diff := cmp.Diff([]string{"src/a.js", "https://b/c.js"}, m.Files()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestIndexMap reads sections: the column of one counts in its first line alone.
func TestIndexMap(t *testing.T) {
	t.Parallel()
	section := func(line, column int, name string) any {
		return map[string]any{
			"offset": map[string]int{"line": line, "column": column},
			"map":    map[string]any{"version": 3, "sources": []string{name}, "mappings": digits(0, 0, 0, 0) + ";" + digits(0, 0, 1, 0)},
		}
	}
	m := openMap(t, map[string]any{"version": 3, "sections": []any{section(5, 0, "c.js"), section(0, 0, "a.js"), section(2, 10, "b.js")}})
	for _, test := range []struct {
		line, column int
		want         string
	}{
		{1, 0, "a.js:1"}, {2, 3, "a.js:2"}, {3, 9, "<nil>"}, {3, 10, "b.js:1"}, {4, 0, "b.js:2"}, {6, 0, "c.js:1"}, {9, 0, "<nil>"},
	} {
		got := "<nil>"
		if s := m.At(test.line, test.column); s != nil {
			got = fmt.Sprintf("%s:%d", s.File, s.Line)
		}
		if got != test.want {
			t.Errorf("line %d, column %d: %s, want %s", test.line, test.column, got, test.want)
		}
	}
}

// TestMapOfFunctions names the function that encloses a place, as Metro's maps do.
func TestMapOfFunctions(t *testing.T) {
	t.Parallel()
	functions := []any{[]any{map[string]any{
		"names":    []string{"<global>", "fetch", "inner"},
		"mappings": digits(0, 0, 0) + ";" + digits(2, 1, 1) + "," + digits(10, 1) + "," + digits(5, -1) + ";" + digits(1, -1, 3),
	}}, nil}
	m := openMap(t, map[string]any{
		"version": 3, "sources": []string{"a.js", "b.js"}, "x_facebook_sources": functions,
		"mappings": digits(0, 0, 0, 0) + "," + digits(1, 0, 1, 2) + "," + digits(1, 0, 0, 10) + "," + digits(1, 0, 0, 5) + "," + digits(1, 0, 3, 0) + "," + digits(1, 1, 0, 0),
	})
	for column, want := range []string{"", "fetch", "inner", "fetch", "", ""} {
		if s := m.At(1, column); s == nil || s.Name != want {
			t.Errorf("column %d: %+v, want %q", column, s, want)
		}
	}
}

// TestMapOfBytecode holds that a map of one line with many segments answers at once for each of them:
// in bytecode the column is an offset.
func TestMapOfBytecode(t *testing.T) {
	t.Parallel()
	const segments = 50_000
	var mappings bytes.Buffer
	for i := range segments {
		if i > 0 {
			mappings.WriteByte(',')
		}
		mappings.WriteString(digits(7, 0, 1, 0))
	}
	m := openMap(t, map[string]any{"version": 3, "sources": []string{"a.js"}, "mappings": mappings.String()})
	began := time.Now()
	for i := 1; i <= segments; i += 97 {
		for _, off := range []int{0, 6} {
			if s := m.At(1, i*7+off); s == nil || s.Line != i+1 {
				t.Fatalf("offset %d: %+v, want line %d", i*7+off, s, i+1)
			}
		}
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("%d answers took %v", segments/97, took)
	}
}

// TestBadMaps names what is wrong with a map, or reads what it can of it.
func TestBadMaps(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                            `ends at byte 0, where '{' was expected`,
		`[]`:                          `'[' at byte 0`,
		`{"version":3`:                `ends at byte 12`,
		`{"version":3,"mappings":"AA`: `the end of a string`,
		`{"version":2,"mappings":""}`: `version 2, only 3 is known`,
		`{"version":3}`:               `it has no "mappings"`,
		`{"version":3,"mappings":7}`:  `'7' at byte 24`,
		`{"version":3,"sources":{},"mappings":""}`: `'{' at byte 23`,
		`{"a":]}`:              `a value was expected`,
		`{"a":[1,2}`:           `where`,
		`{"a":,"mappings":""}`: `a value was expected`,
		`{"version":3,"sections":[{"map":{"sections":[{"map":{"sections":[{"map":{"sections":[]}}]}}]}}]}`: `sections within sections`,
		`{"sections":[` + strings.Repeat(`{"map":{"mappings":""}},`, mostSections+1) + `]}`:                `more than 65536 sections`,
		strings.Repeat("[", 1<<20):           `'[' at byte 0`,
		`{"a":` + strings.Repeat("[", 1<<20): `ends at byte`,
	} {
		_, err := OpenMap("x.map", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: got %v, want %s", text, err, want)
		}
	}
	for _, mappings := range []string{
		"!!!", "A", "AAA", digits(0, 9, 0, 0), digits(0, -1, 0, 0), digits(0, 0, -5, 0), digits(0, 0, 0, 0, 99),
		"gggggggggggggggggggggB", "AAAAAAAAAAAA", "AAAA\x00AAAA", strings.Repeat(";", 100), ",,,",
	} {
		m := openMap(t, map[string]any{"version": 3, "sources": []string{"a"}, "names": []string{"n"}, "mappings": mappings})
		for line := range 3 {
			if s := m.At(line, 5); s != nil && (s.File != "a" || s.Line < 1 || s.Column < 1) {
				t.Errorf("%q: %+v", mappings, s)
			}
		}
	}
}

// TestMapNames finds the map that a file names, and decodes one that it holds.
func TestMapNames(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"a\n//# sourceMappingURL=main.jsbundle.map":                      "main.jsbundle.map",
		"//# sourceMappingURL=one.map\na\n/*# sourceMappingURL=b.map */": "b.map",
		"a='# sourceMappingURL=x.map'":                                   "",
		"a":                                                              "",
		"":                                                               "",
		"# sourceMappingURL=":                                            "",
	} {
		d, err := open("a.js", []byte(code))
		if err != nil {
			t.Fatal(err)
		}
		if got := d.MapName(); got != want {
			t.Errorf("%q: %q, want %q", code, got, want)
		}
	}
	for name, want := range map[string]string{
		"data:application/json;charset=utf-8;base64,e30=": "{}",
		"data:application/json;base64,e30":                "{}",
		"data:application/json,%7B%7D":                    "{}",
		"data:application/json;base64,!":                  "no",
		"data:x":                                          "no",
		"main.map":                                        "no",
	} {
		got, ok := DataURL(name)
		if ok != (want != "no") || ok && string(got) != want {
			t.Errorf("%q: %q, %v", name, got, ok)
		}
	}
}

// TestColumnsAreUTF16 holds that a map's columns count UTF-16 units, where a Place counts characters.
func TestColumnsAreUTF16(t *testing.T) {
	t.Parallel()
	m := openMap(t, map[string]any{"version": 3, "sources": []string{"a.js"}, "mappings": digits(0, 0, 0, 0) + "," + digits(10, 0, 7, 0)})
	const code = "'é𝄞𝄞𝄞';'x'" // 11 bytes more than units, three units more than characters
	d, err := open("a.js", []byte(code))
	if err != nil {
		t.Fatal(err)
	}
	i := strings.Index(code, "'x'")
	p := d.WithMap(m).Place(i, i+1)
	if p.Column != 8 || p.Source == nil || p.Source.Line != 8 {
		t.Errorf("column %d, source %+v", p.Column, p.Source)
	}
	if d.Place(i, i+1).Source != nil {
		t.Error("a document without a map has a source")
	}
}
