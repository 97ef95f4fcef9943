// Command picture turns what a program printed to a terminal into an SVG for the
// documentation: bold, dim and the sixteen colours, nothing else. It promises the
// same picture for the same text, so that a changed picture means a changed
// program. It does not emulate a terminal: the input is lines, not screens.
//
//	CLICOLOR_FORCE=1 telltale demo 2>&1 | go run ./docs/picture -title 'telltale demo' > docs/demo.svg
package main

import (
	"bufio"
	"flag"
	"fmt"
	"html"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Sizes in pixels: a monospaced glyph at 14 px is about 8.4 wide.
const (
	glyphWidth = 8.43
	lineHeight = 19
	margin     = 18
	titleBar   = 34
)

// colours maps SGR codes 30–37 and 90–97 (ECMA-48, 8.3.117) to a palette that is
// readable on the dark ground of the picture.
var colours = map[string]string{
	"30": "#6b7280", "31": "#f87171", "32": "#4ade80", "33": "#facc15", "34": "#60a5fa", "35": "#e879f9", "36": "#22d3ee", "37": "#e5e7eb",
	"90": "#9ca3af", "91": "#fca5a5", "92": "#86efac", "93": "#fde047", "94": "#93c5fd", "95": "#f0abfc", "96": "#67e8f9", "97": "#ffffff",
}

var sgr = regexp.MustCompile("\x1b\\[([0-9;]*)m")

func main() {
	title := flag.String("title", "", "title of the window")
	flag.Parse()
	if err := draw(os.Stdin, os.Stdout, *title); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func draw(r io.Reader, w io.Writer, title string) error {
	var lines []string
	columns := 60
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		line := strings.ReplaceAll(strings.TrimRight(scanner.Text(), " \r"), "\t", "        ")
		lines = append(lines, line)
		columns = max(columns, utf8.RuneCountInString(sgr.ReplaceAllString(line, "")))
	}
	if err := scanner.Err(); err != nil {
		return err
	}
	width := int(float64(columns)*glyphWidth) + 2*margin
	height := titleBar + len(lines)*lineHeight + margin
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="%s in a terminal">`+"\n", width, height, width, height, html.EscapeString(title))
	fmt.Fprintf(out, `<rect width="%d" height="%d" rx="8" fill="#111827"/>`+"\n", width, height)
	for i, fill := range []string{"#f87171", "#facc15", "#4ade80"} {
		fmt.Fprintf(out, `<circle cx="%d" cy="17" r="5.5" fill="%s"/>`+"\n", margin+2+i*18, fill)
	}
	fmt.Fprintf(out, `<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14" fill="#e5e7eb">`+"\n")
	fmt.Fprintf(out, `<text x="%d" y="22" text-anchor="middle" fill="#9ca3af">%s</text>`+"\n", width/2, html.EscapeString(title))
	style := style{}
	for i, line := range lines {
		fmt.Fprintf(out, `<text x="%d" y="%d" xml:space="preserve">%s</text>`+"\n", margin, titleBar+(i+1)*lineHeight-4, style.spans(line))
	}
	fmt.Fprintln(out, "</g>\n</svg>")
	return out.Flush()
}

// style is what the escape sequences so far have switched on.
type style struct {
	bold, dim bool
	colour    string
}

// spans writes one line as tspans and carries the style on to the next line.
func (s *style) spans(line string) string {
	var b strings.Builder
	for line != "" {
		at := sgr.FindStringSubmatchIndex(line)
		text := line
		if at != nil {
			text = line[:at[0]]
		}
		if text != "" {
			fmt.Fprintf(&b, "<tspan%s>%s</tspan>", s.attributes(), html.EscapeString(text))
		}
		if at == nil {
			break
		}
		s.apply(line[at[2]:at[3]])
		line = line[at[1]:]
	}
	return b.String()
}

func (s *style) apply(codes string) {
	for _, code := range strings.Split(codes, ";") {
		switch code {
		case "", "0":
			*s = style{}
		case "1":
			s.bold = true
		case "2":
			s.dim = true
		case "22":
			s.bold, s.dim = false, false
		case "39":
			s.colour = ""
		default:
			if colour, ok := colours[code]; ok {
				s.colour = colour
			}
		}
	}
}

func (s *style) attributes() string {
	var b strings.Builder
	if s.bold {
		b.WriteString(` font-weight="bold"`)
	}
	if s.dim {
		b.WriteString(` opacity="0.65"`)
	}
	if s.colour != "" {
		fmt.Fprintf(&b, ` fill="%s"`, s.colour)
	}
	return b.String()
}
