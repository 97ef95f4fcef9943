package pretty

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"telltale/flow"
	"telltale/flow/plain"
)

var update = flag.Bool("update", false, "write the golden files anew")

// marked returns a document as text in which each span names its class.
func marked(d Document) string {
	var b strings.Builder
	fmt.Fprintf(&b, "format: %s\n", d.Format)
	for _, l := range d.Layers {
		fmt.Fprintf(&b, "layer: %s\n", l)
	}
	for _, n := range d.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	for _, l := range d.Lines {
		sign := "|"
		if l.Continued {
			sign = "+"
		}
		b.WriteString(sign + strings.Repeat("  ", l.Indent))
		for _, s := range l.Spans {
			if s.Class == Plain || s.Class == Punctuation {
				b.WriteString(s.Text)
				continue
			}
			fmt.Fprintf(&b, "⟨%s %s⟩", s.Class, s.Text)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// shown returns the lines of a document as text.
func shown(d Document) string {
	var b strings.Builder
	for _, l := range d.Lines {
		b.WriteString(strings.Repeat("  ", l.Indent) + l.Text() + "\n")
	}
	return b.String()
}

func body(content string) flow.Body {
	return flow.Body{Size: int64(len(content)), Content: []byte(content)}
}

func sample(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// hold checks what every document promises.
func hold(t testing.TB, d Document, opts Options) {
	t.Helper()
	most := opts.MaxLines
	if most <= 0 {
		most = defaultMaxLines
	}
	if len(d.Lines) > most {
		t.Fatalf("%d lines, at most %d", len(d.Lines), most)
	}
	if len(d.Notes) > maxNotes+1 {
		t.Fatalf("%d notes", len(d.Notes))
	}
	safe := func(what, s string) {
		if !utf8.ValidString(s) {
			t.Fatalf("%s %q is not UTF-8", what, s)
		}
		if once := strings.ReplaceAll(plain.Text(s), `\\`, `\`); once != s {
			// Marks in a row are judged with the letter before them.
			for _, r := range s {
				if !plain.Shows(r) && plain.Text("a"+string(r)) != "a"+string(r) {
					t.Fatalf("%s %q shows as %q", what, s, once)
				}
			}
		}
	}
	safe("format", d.Format)
	for _, s := range append(append([]string{}, d.Layers...), d.Notes...) {
		safe("note", s)
	}
	for _, l := range d.Lines {
		if l.Indent < 0 || l.Indent > maxIndent {
			t.Fatalf("indent %d", l.Indent)
		}
		if n := len(l.Text()); n > maxLine+100 {
			t.Fatalf("a line of %d bytes", n)
		}
		for _, s := range l.Spans {
			if s.Text == "" {
				t.Fatal("an empty span")
			}
			safe("span", s.Text)
		}
	}
}

func TestJSONKeepsItsSpelling(t *testing.T) {
	d := Body("application/json", "", body(`{"b":1.0e3,"a":12345678901234567890,"a":"x\/\u00e9\u202e\n","e":[],"o":{},"l":[true,null]}`), Options{})
	hold(t, d, Options{})
	want := `{
  "b": 1.0e3,
  "a": 12345678901234567890,
  "a": "x/é\u202e\n",
  "e": [],
  "o": {},
  "l": [
    true,
    null
  ]
}
`
	if got := shown(d); d.Format != JSON || got != want || len(d.Notes) > 0 {
		t.Errorf("%s %q\n%s", d.Format, d.Notes, got)
	}
}

func TestHexDump(t *testing.T) {
	d := Body("", "", body("\x00\x01\x02telltale dumps bytes\xff"), Options{})
	hold(t, d, Options{})
	want := `00000000  00 01 02 74 65 6c 6c 74  61 6c 65 20 64 75 6d 70  |...telltale dump|
00000010  73 20 62 79 74 65 73 ff                           |s bytes.|
`
	if got := shown(d); d.Format != Binary || got != want {
		t.Errorf("%s %q\n%s", d.Format, d.Notes, got)
	}
}
