// Command picture turns what a program printed to a terminal into an SVG for the
// documentation. It promises the same picture for the same text, so that a changed
// picture means a changed program, and the same columns in every font: each run of
// letters is stretched to its cells, and blocks, bars and lines are drawn as
// shapes, so that a QR code in a picture can be read by a phone.
//
// It knows styles (ECMA-48, 8.3.117) and the width of characters. It does not
// emulate a terminal: the input is lines, such as those of a program's output or of
// `tmux capture-pane -e -p`; escape sequences that move the cursor are dropped.
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
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sizes in pixels. A cell is twice as high as wide, so that half blocks are
// squares; both are whole numbers, so that shapes have sharp edges. The font's own
// advance is close to a cell.
const (
	cellWidth  = 9
	cellHeight = 18
	fontSize   = 15
	baseline   = 13 // of a line, from its top
	margin     = 18
	titleBar   = 34
)

// minColumns is the width of a picture of a few words.
const minColumns = 60

func main() {
	title := flag.String("title", "", "title of the window")
	flag.Parse()
	if err := draw(os.Stdin, os.Stdout, *title); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// draw reads lines and writes the picture of them.
func draw(r io.Reader, w io.Writer, title string) error {
	var p page
	columns, rows := minColumns, 0
	pen := style{}
	scanner := bufio.NewScanner(r)
	for ; scanner.Scan(); rows++ {
		line := cells(strings.TrimRight(scanner.Text(), "\r"), &pen)
		columns = max(columns, len(line))
		p.row(line, titleBar+rows*cellHeight)
	}
	if err := scanner.Err(); err != nil {
		return err
	}
	width, height := columns*cellWidth+2*margin, titleBar+rows*cellHeight+margin
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="%s in a terminal">`+"\n", width, height, width, height, html.EscapeString(title))
	fmt.Fprintf(out, `<rect width="%d" height="%d" rx="8" fill="%s"/>`+"\n", width, height, ground)
	for i, fill := range []string{"#f87171", "#facc15", "#4ade80"} {
		fmt.Fprintf(out, `<circle cx="%d" cy="17" r="5.5" fill="%s"/>`+"\n", margin+2+i*18, fill)
	}
	p.write(out)
	fmt.Fprintf(out, `<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="%d" fill="%s">`+"\n", fontSize, ink)
	fmt.Fprintf(out, `<text x="%d" y="22" text-anchor="middle" fill="#9ca3af">%s</text>`+"\n", width/2, html.EscapeString(title))
	fmt.Fprint(out, p.text.String())
	fmt.Fprintln(out, "</g>\n</svg>")
	return out.Flush()
}

// page collects what is drawn: shapes by their colour, then text above them.
type page struct {
	grounds, shapes layer
	text            strings.Builder
}

func (p *page) write(w io.Writer) {
	p.grounds.write(w)
	p.shapes.write(w)
}

// layer is a set of rectangles, in the order in which their colours came. All of
// one colour are one path: neighbours then meet without a seam at any scale.
type layer struct {
	order []string
	paths map[string]*strings.Builder
}

func (l *layer) add(colour string, x, y, width, height float64) {
	if l.paths == nil {
		l.paths = map[string]*strings.Builder{}
	}
	path := l.paths[colour]
	if path == nil {
		path = &strings.Builder{}
		l.paths[colour] = path
		l.order = append(l.order, colour)
	}
	fmt.Fprintf(path, "M%s %sh%sv%sh%sz", number(x), number(y), number(width), number(height), number(-width))
}

func (l *layer) write(w io.Writer) {
	for _, colour := range l.order {
		fmt.Fprintf(w, `<path fill="%s" d="%s"/>`+"\n", colour, l.paths[colour])
	}
}

// number writes at most two decimals.
func number(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(f, 'f', 2, 64), "0"), ".")
}

// row draws a line of cells whose top is at y.
func (p *page) row(line []cell, y int) {
	for at := 0; at < len(line); {
		end := at + 1
		for end < len(line) && line[end].style.ground() == line[at].style.ground() {
			end++
		}
		if colour := line[at].style.ground(); colour != "" {
			p.grounds.add(colour, float64(x(at)), float64(y), float64((end-at)*cellWidth), cellHeight)
		}
		at = end
	}
	for at := 0; at < len(line); {
		at = p.glyphs(line, at, y)
	}
}

// x is the left edge of a column.
func x(column int) int { return margin + column*cellWidth }

// glyphs draws what begins at a column, and returns the column behind it.
func (p *page) glyphs(line []cell, at, y int) (next int) {
	c := line[at]
	if c.style.underline {
		p.shapes.add(c.style.foreground(), float64(x(at)), float64(y+baseline+2), cellWidth, 1)
	}
	rects, isShape := shapes[c.text]
	switch {
	case isShape:
		for _, r := range rects {
			p.shapes.add(c.style.foreground(), float64(x(at))+r[0]*cellWidth, float64(y)+r[1]*cellHeight, r[2]*cellWidth, r[3]*cellHeight)
		}
		return at + 1
	case c.text == " " || c.text == "":
		return at + 1
	case !isLetters(c.text):
		width := c.width * cellWidth
		fmt.Fprintf(&p.text, `<text x="%s" y="%d" text-anchor="middle"%s>%s</text>`+"\n",
			number(float64(x(at))+float64(width)/2), y+baseline, c.style.attributes(), html.EscapeString(c.text))
		return at + c.width
	}
	end, text := run(line, at)
	for column := at + 1; column < end; column++ {
		if line[column].style.underline {
			p.shapes.add(c.style.foreground(), float64(x(column)), float64(y+baseline+2), cellWidth, 1)
		}
	}
	fmt.Fprintf(&p.text, `<text x="%d" y="%d" textLength="%d" lengthAdjust="spacingAndGlyphs"%s>%s</text>`+"\n",
		x(at), y+baseline, (end-at)*cellWidth, c.style.attributes(), html.EscapeString(text))
	return end
}

// run returns the letters of one style from a column on, with single spaces between
// them: a picture's text can be marked and searched.
func run(line []cell, at int) (end int, text string) {
	same := func(column int) bool {
		return column < len(line) && line[column].style == line[at].style && isLetters(line[column].text)
	}
	var b strings.Builder
	for end = at; ; end++ {
		switch {
		case same(end):
			b.WriteString(line[end].text)
		case end < len(line) && line[end].text == " " && line[end].style == line[at].style && same(end+1):
			b.WriteByte(' ')
		default:
			return end, b.String()
		}
	}
}

// isLetters accepts what every monospaced font has at the width of one cell.
func isLetters(text string) bool {
	r, n := utf8.DecodeRuneInString(text)
	return n == len(text) && r > ' ' && (r < 0x250 || r == '–' || r == '…') && unicode.IsPrint(r)
}
