package script

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"telltale/guard/raced"
	"telltale/locate/reading"
)

// TestOpenRefuses holds that a file which cannot be read has no document: a nil *Doc in the
// interface would be one.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"a damaged RAM bundle": "\xe5\xd1\x0b\xfb\xff\xff\xff\xff\xff\xff\xff\xff rest",
		"binary data":          "\x00\x01\x02\x03",
	} {
		if d, err := Open("x.jsbundle", []byte(data)); err == nil || d != nil {
			t.Errorf("%s: document %v, error %v", name, d, err)
		}
	}
}

// TestPlacesCostLittle asks for thousands of places of a file of about 1 MB, which takes a fraction
// of a second, and would take a hundred times as long if each cost what the file does.
func TestPlacesCostLittle(t *testing.T) {
	t.Parallel()
	n := raced.Size(20_000, 2000)
	const url = "https://example.com/a/long/path/of/an/address/x%d "
	var urls, lines, array strings.Builder
	for i := range n {
		fmt.Fprintf(&urls, url, i)
		fmt.Fprintf(&lines, "f('"+url+"');\n", i)
		fmt.Fprintf(&array, "'"+url+"',", i)
	}
	for name, code := range map[string]string{
		"a template":               "x=`" + urls.String() + "`",
		"a template with holes":    "x=`${a}" + urls.String() + "${b}`",
		"a string":                 `x="` + urls.String() + `"`,
		"a string with escapes":    `x="\n` + strings.ReplaceAll(urls.String(), " ", `\n`) + `"`,
		"a comment":                "/*" + urls.String() + "*/",
		"many lines":               lines.String(),
		"one line":                 strings.ReplaceAll(lines.String(), "\n", ""),
		"an array of one property": "x={one:1,urls:[" + array.String() + "],two:2}",
		"deep in brackets":         strings.Repeat("{a:[", 200) + array.String(),
		"strings with escapes":     `x=["\u0020` + strings.Repeat(`","\u0020`+urls.String()[:40_000], len(urls.String())/40_000) + `"]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := Open("a.js", []byte(code))
			if err != nil {
				t.Fatal(err)
			}
			began, places := time.Now(), 0
			for at := 0; ; places++ {
				i := strings.Index(code[at:], "example")
				if i < 0 {
					break
				}
				at += i + 1
				if p := d.Place(at-1, at+6); p.Line == 0 {
					t.Fatalf("no line at %d", at)
				}
			}
			if took := time.Since(began); places < n/2 || took > 30*time.Second {
				t.Errorf("%d places took %v", places, took)
			}
			began = time.Now()
			d.(reading.Joiner).Joined(func(reading.Joined) bool { return true })
			d.(reading.Setter).Settings([]string{"urls", "x"})
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("what it joins and sets took %v", took)
			}
		})
	}
}
