package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func picture(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	if err := draw(strings.NewReader(text), &out, "t & t"); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("an escape sequence reached the picture")
	}
	for d := xml.NewDecoder(strings.NewReader(out.String())); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return out.String()
		} else if err != nil {
			t.Fatalf("the picture is no XML: %v\n%s", err, out.String())
		}
	}
}

func TestDraw(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"escapes text":    {"in <host>", []string{`>in &lt;host&gt;</text>`, `t &amp; t`}},
		"keeps columns":   {"ab  cd", []string{`x="18" y="47" textLength="18"`, `x="54" y="47" textLength="18"`, ">ab<", ">cd<"}},
		"bold and colour": {"\x1b[1;31mviolation\x1b[0m no", []string{`font-weight="bold" fill="#f87171">violation</text>`, `textLength="18" lengthAdjust="spacingAndGlyphs">no</text>`}},
		"lasts on":        {"\x1b[2mdim\nstill\x1b[22m not", []string{`opacity="0.65">dim`, `opacity="0.65">still`, `lengthAdjust="spacingAndGlyphs">not`}},
		"background":      {"\x1b[104mx\x1b[49my", []string{`<path fill="#93c5fd" d="M18 34h9v18h-9z"/>`}},
		"reverse":         {"\x1b[7mrow \x1b[27m", []string{`<path fill="#e5e7eb" d="M18 34h36v18h-36z"/>`, `fill="#111827">row<`}},
		"reverse, dyed":   {"\x1b[7;31;42mx", []string{`<path fill="#f87171" d=`, `fill="#4ade80">x<`}},
		"underline":       {"\x1b[4mab\x1b[24mc", []string{`d="M18 49h9v1h-9zM27 49h9v1h-9z"`}},
		"256 colours":     {"\x1b[38;5;196mx\x1b[38;5;244my\x1b[48;5;15;38;5;0mz", []string{`fill="#ff0000">x`, `fill="#808080">y`, `fill="#0b0f19">z`, `<path fill="#ffffff"`}},
		"true colours":    {"\x1b[38;2;1;2;300mx", []string{`fill="#0102ff">x`}},
		"wide characters": {"日本x", []string{`<text x="27" y="47" text-anchor="middle">日<`, `<text x="45" y="47" text-anchor="middle">本<`, `<text x="54" y="47" textLength="9"`}},
		"marks stay put":  {"✓ ok", []string{`<text x="22.5" y="47" text-anchor="middle">✓<`, `<text x="36" y="47" textLength="18"`}},
		"half blocks":     {"\x1b[30;107m▀▄█", []string{`<path fill="#ffffff" d="M18 34h27v18h-27z"/>`, `<path fill="#0b0f19" d="M18 34h9v9h-9zM27 43h9v9h-9zM36 34h9v18h-9z"/>`}},
		"tabs":            {"a\tb", []string{`<text x="90" y="47"`}},
		"drops the rest":  {"\x1b[2J\x1b]0;title\x07a\x1b[99mb", []string{`textLength="18" lengthAdjust="spacingAndGlyphs">ab<`}},
		"cut short":       {"a\x1b[38;5m\x1b[38mb", []string{">ab<"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := picture(t, c.text)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("%s is missing in\n%s", want, got)
				}
			}
		})
	}
}

func TestPictureIsAsWideAsItsWidestLine(t *testing.T) {
	if got := picture(t, strings.Repeat("日", 50)); !strings.Contains(got, `width="936" height="70"`) {
		t.Error(got[:200])
	}
}

// Whatever a program prints, the picture is XML without escape sequences.
func FuzzDraw(f *testing.F) {
	f.Add("\x1b[1;38;5;300;4:3mx\x1b[0")
	f.Add("\x1b]8;;http://x\x07\u202e\x00<&>\xff")
	f.Fuzz(func(t *testing.T, text string) { picture(t, strings.ReplaceAll(text, "\n", " ")) })
}
