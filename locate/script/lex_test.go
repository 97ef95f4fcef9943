package script

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// parts lists the strings, templates, regular expressions and comments of code, a line each.
func parts(src []byte) []string {
	l := lexer{src: src}
	var lines []string
	for k := l.next(); k != ended; k = l.next() {
		switch t := l.tok; k {
		case str:
			lines = append(lines, fmt.Sprintf("s %d %d", t.start, t.end))
		case pattern:
			lines = append(lines, fmt.Sprintf("r %d %d", t.start, t.end))
		case remark:
			lines = append(lines, fmt.Sprintf("c %d %d", t.start, t.end))
		case chunk:
			in := inside(src, t)
			lines = append(lines, fmt.Sprintf("t %d %d", in.start, in.end))
		}
	}
	return lines
}

// TestTokensAgreeWithAParser compares with what acorn 8, a parser of the whole language, found in a
// file of all that is hard to tell: tokens.acorn is its output.
func TestTokensAgreeWithAParser(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("testdata/tokens.js")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/tokens.acorn")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(golden)), "\n")
	if diff := cmp.Diff(want, parts(src)); diff != "" {
		t.Errorf("acorn and we disagree (-acorn +we):\n%s", diff)
	}
}

// TestBrokenCodeIsReadOn holds what is found of strings in code that no parser accepts.
func TestBrokenCodeIsReadOn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code string
		want []string
	}{
		"apostrophe in JSX":      {"<Text>Don't</Text>\nvar a = \"x\"", []string{`"x"`}},
		"element that is closed": {`<View></View>; var a = "x"`, []string{`"x"`}},
		"string not ended":       {"var a = 'abc\nvar b = 'd'", []string{`'d'`}},
		"quotes after such":      {`var a = "\"\"\"` + "\n" + `b = "c"`, []string{`"c"`}},
		"bracket not opened":     {`) ] } var a = "x"`, []string{`"x"`}},
		"bracket not closed":     {"`${ ( `; \"x\"", []string{"`${", "` ( `", `"x"`}},
		"template not ended":     {"a = `b; c = 'd'", []string{`'d'`}},
		"regexp not ended":       {"a = /b; c = 'd'", []string{`'d'`}},
		"comment not ended":      {"a = 'b' /* c = 'd'", []string{`'b'`, "/* c = 'd'"}},
		"string at the end":      {`a = "`, nil},
		"escape at the end":      {`a = "\`, nil},
		"hole at the end":        {"`${", []string{"`${"}},
		"empty":                  {"", nil},
		"byte order mark":        {"\ufeff'a'", []string{"'a'"}},
		"not UTF-8":              {"\xff\xfe 'a\xff'", []string{"'a\xff'"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := lexer{src: []byte(test.code)}
			var got []string
			for k := l.next(); k != ended; k = l.next() {
				if k == str || k == chunk || k == remark || k == pattern {
					got = append(got, string(l.text(l.tok)))
				}
			}
			if name == "bracket not closed" { // what the hole holds is of no matter, what follows is
				return
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", test.code, diff)
			}
		})
	}
}

// TestEscapes decodes literals as ECMA-262 has it.
func TestEscapes(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`plain`:                                 "plain",
		`\x63lients3`:                           "clients3",
		`\u0063\u{63}\u{0063}`:                  "ccc",
		`https:\/\/a`:                           "https://a",
		"a\\\nb\\\r\nc":                         "abc",
		`\n\t\r\b\v\f\0`:                        "\n\t\r\b\v\f\x00",
		`\'\"\\\c`:                              `'"\c`,
		`\ud834\udd1e`:                          "𝄞",
		`\ud834x`:                               "\ufffdx",
		`\101\60a\400`:                          "A0a 0",
		`\x6`:                                   `\x6`,
		`\u{110000}\u{}\u00`:                    `\u{110000}\u{}\u00`,
		`a\`:                                    `a\`,
		`\u{` + strings.Repeat("0", 20) + `63}`: `\u{` + strings.Repeat("0", 20) + `63}`,
	} {
		if got := string(decoded([]byte(raw), nil)); got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}

// TestTimeIsLinear reads files that would take minutes if any part of them were looked at again and again.
func TestTimeIsLinear(t *testing.T) {
	t.Parallel()
	const size = 1 << 17
	for name, piece := range map[string]string{
		"regexps":       "=/[",
		"quotes":        `"\"`,
		"apostrophes":   `'\'`,
		"backticks":     "`\\`",
		"holes":         "`${",
		"holes closed":  "`${a}b",
		"pieces":        "`}",
		"brackets":      "([{",
		"closed":        ")]}",
		"comments":      "/*!*/",
		"paths":         "// a/b.js\n",
		"modules":       "__d(()=>0,1);\n",
		"cut modules":   "\n__d(",
		"boxes":         "webpack({1:function(){",
		"sums":          `"a"+`,
		"names":         `n="ab",c=n+n+n+n+n+n,`,
		"arrays":        `["a","b"],`,
		"nested arrays": `["a",`,
		"concats":       `"a".concat(`,
		"joins":         `["a","b"].join("x").`,
		"settings":      "({reachabilityUrl:1,reachabilityUrl,",
		"assignments":   ";a.reachabilityUrl=",
		"dependencies":  `_dependencyMap[1],"a",`,
		"package.json":  `exports={name:"a",`,
		"lines":         "\n",
		"wide spaces":   "\u2028",
		"parameters":    `var n="a";(n,n)=>n,`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			everything([]byte(strings.Repeat(piece, size/len(piece))), nil)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("a file of %d bytes of %q takes %v", size, piece, took)
			}
		})
	}
}

// TestKindsAreTold tells JavaScript by name and by content.
func TestKindsAreTold(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		path, head string
		is         bool
		kind       string
	}{
		{"main.jsbundle", "var __BUNDLE_START_TIME__=this.nativePerformanceNow?", true, "React Native bundle (JavaScript)"},
		{"assets/index.android.bundle", "var __BUNDLE_START_TIME__=", true, "React Native bundle (JavaScript)"},
		{"assets/blob", "__d(function(g,r,i,a,m,e,d){},0,[]);", true, "JavaScript"},
		{"main.jsbundle", "\xe5\xd1\x0b\xfb\x00\x00\x00\x00\x00\x00\x00\x00", true, "React Native bundle (JavaScript, RAM)"},
		{"main.jsbundle", "\xc6\x1f\xbc\x03\xc1\x03\x19\x1f\x60\x00\x00\x00", false, ""}, // bytecode of Hermes
		{"www/js/App.JS", "alert(1)", true, "JavaScript"},
		{"src/a.tsx", "const a: string = ''", true, "TypeScript"},
		{"a.mjs", "\ufeffexport default 1", true, "JavaScript"},
		{"a.js", "", true, "JavaScript"},
		{"a.json", "{}", false, ""},
		{"a.bundle", "bplist00\x00\x01", false, ""},
	} {
		if got := Is(test.path, []byte(test.head)); got != test.is {
			t.Errorf("Is(%q, %q) = %v", test.path, test.head, got)
		}
		d, err := Open(test.path, []byte(test.head))
		switch {
		case test.is && err != nil:
			t.Errorf("Open(%q): %v", test.path, err)
		case test.is && d.Kind() != test.kind:
			t.Errorf("Open(%q).Kind() = %q, want %q", test.path, d.Kind(), test.kind)
		case !test.is && test.path != "a.json" && (err == nil || !strings.Contains(err.Error(), "control characters")):
			t.Errorf("Open(%q) of binary data: %v", test.path, err)
		}
	}
}

// TestPlacesDoNotDependOnWhereReadingBegins compares the bounds of strings far into a file with those of reading it from its start.
func TestPlacesDoNotDependOnWhereReadingBegins(t *testing.T) {
	t.Parallel()
	var src bytes.Buffer
	for i := range 6000 {
		fmt.Fprintf(&src, "f%d({key%d:/'/.test(`${'é%d'}`)?`x`:'y%d'});\n", i, i, i, i)
	}
	d, err := open("a.js", src.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if len(d.indexed().checks) < 10 {
		t.Fatalf("only %d places to begin at", len(d.indexed().checks))
	}
	l := d.lexer()
	seen := 0
	for k := l.next(); k != ended; k = l.next() {
		if k != str {
			continue
		}
		if seen++; seen%37 != 0 {
			continue
		}
		in := inside(d.src, l.tok)
		p := d.Place(int(in.start), int(in.end))
		if p.LiteralStart != int(in.start) || p.LiteralEnd != int(in.end) {
			t.Fatalf("string at %d to %d: Place says %d to %d", in.start, in.end, p.LiteralStart, p.LiteralEnd)
		}
		before := d.src[:in.start]
		line := bytes.Count(before, []byte("\n")) + 1
		column := len([]rune(string(before[bytes.LastIndexByte(before, '\n')+1:]))) + 1
		if p.Line != line || p.Column != column {
			t.Fatalf("string at %d: line %d, column %d, want %d, %d", in.start, p.Line, p.Column, line, column)
		}
		if want := fmt.Sprintf("key%d", line-1); len(p.Users) != 1 || p.Users[0].Name != want {
			t.Fatalf("string at %d: used by %+v, want %s", in.start, p.Users, want)
		}
	}
}
