package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// cell is one column of a line. A wide character has its text in the first of its
// cells; the others are empty.
type cell struct {
	text  string
	width int
	style style
}

// style is what the escape sequences so far have switched on. Colours are those of
// the picture, "" for those that the terminal has.
type style struct {
	bold, dim, underline, reverse bool
	fore, back                    string
}

// Ground and ink are the terminal's own colours.
const (
	ground = "#111827"
	ink    = "#e5e7eb"
)

// palette is what the sixteen colours look like on the ground of the picture.
var palette = [16]string{
	"#0b0f19", "#f87171", "#4ade80", "#facc15", "#60a5fa", "#e879f9", "#22d3ee", "#d1d5db",
	"#9ca3af", "#fca5a5", "#86efac", "#fde047", "#93c5fd", "#f0abfc", "#67e8f9", "#ffffff",
}

// foreground is the colour of what is written.
func (s style) foreground() string {
	fore, back := s.fore, s.back
	if s.reverse {
		fore = or(back, ground)
	}
	return or(fore, ink)
}

// ground is the colour behind it, "" for that of the picture.
func (s style) ground() string {
	if s.reverse {
		return or(s.fore, ink)
	}
	return s.back
}

func or(colour, otherwise string) string {
	if colour == "" {
		return otherwise
	}
	return colour
}

// attributes writes the style of a text.
func (s style) attributes() string {
	var b strings.Builder
	if s.bold {
		b.WriteString(` font-weight="bold"`)
	}
	if s.dim {
		b.WriteString(` opacity="0.65"`)
	}
	if colour := s.foreground(); colour != ink {
		fmt.Fprintf(&b, ` fill="%s"`, colour)
	}
	return b.String()
}

// tab is how far apart tab stops are.
const tab = 8

// cells parts a line into cells. The style is carried on to the next line.
func cells(line string, pen *style) (out []cell) {
	// XML 1.0 (2.2) has neither broken UTF-8 nor these two.
	line = strings.NewReplacer("\ufffe", "\ufffd", "\uffff", "\ufffd").Replace(strings.ToValidUTF8(line, "\ufffd"))
	var state byte
	for line != "" {
		seq, width, n, next := ansi.DecodeSequence(line, state, nil)
		state, line = next, line[n:]
		switch {
		case width > 0:
			out = append(out, cell{seq, width, *pen})
			for range width - 1 {
				out = append(out, cell{"", 0, *pen})
			}
		case seq == "\t":
			for more := true; more; more = len(out)%tab != 0 {
				out = append(out, cell{" ", 1, *pen})
			}
		case strings.HasPrefix(seq, "\x1b[") && strings.HasSuffix(seq, "m"):
			pen.apply(seq[2 : len(seq)-1])
		}
	}
	for len(out) > 0 && out[len(out)-1].text == " " && out[len(out)-1].style.ground() == "" {
		out = out[:len(out)-1]
	}
	return out
}

// apply takes over the parameters of one SGR sequence.
func (s *style) apply(parameters string) {
	codes := strings.Split(parameters, ";")
	for i := 0; i < len(codes); i++ {
		code, sub, _ := strings.Cut(codes[i], ":")
		n, _ := strconv.Atoi(code) // an empty parameter is 0
		switch n {
		case 38, 48:
			colour, used := extended(codes[i+1:])
			if i += used; n == 38 {
				s.fore = colour
			} else {
				s.back = colour
			}
		case 4:
			s.underline = sub != "0"
		default:
			s.set(n)
		}
	}
}

// set takes over a parameter that stands alone.
func (s *style) set(n int) {
	switch n {
	case 0:
		*s = style{}
	case 1:
		s.bold = true
	case 2:
		s.dim = true
	case 7:
		s.reverse = true
	case 22:
		s.bold, s.dim = false, false
	case 24:
		s.underline = false
	case 27:
		s.reverse = false
	case 39:
		s.fore = ""
	case 49:
		s.back = ""
	default:
		s.colour(n)
	}
}

// colour takes over one of the sixteen colours.
func (s *style) colour(n int) {
	switch {
	case n >= 30 && n <= 37:
		s.fore = palette[n-30]
	case n >= 40 && n <= 47:
		s.back = palette[n-40]
	case n >= 90 && n <= 97:
		s.fore = palette[n-90+8]
	case n >= 100 && n <= 107:
		s.back = palette[n-100+8]
	}
}

// extended reads the parameters behind 38 and 48: 5 and one of 256 colours, or 2 and
// three numbers.
func extended(codes []string) (colour string, used int) {
	at := func(i int) int {
		if i >= len(codes) {
			return 0
		}
		n, _ := strconv.Atoi(codes[i])
		return max(0, min(n, 255))
	}
	switch {
	case at(0) == 5 && len(codes) >= 2:
		return indexed(at(1)), 2
	case at(0) == 2 && len(codes) >= 4:
		return fmt.Sprintf("#%02x%02x%02x", at(1), at(2), at(3)), 4
	}
	return "", 1
}

// indexed is one of the 256 colours: the sixteen, a cube of 6×6×6, 24 greys.
func indexed(n int) string {
	switch {
	case n < 16:
		return palette[n]
	case n < 232:
		level := func(n int) int {
			if n == 0 {
				return 0
			}
			return 55 + 40*n
		}
		n -= 16
		return fmt.Sprintf("#%02x%02x%02x", level(n/36), level(n/6%6), level(n%6))
	}
	grey := 8 + 10*(n-232)
	return fmt.Sprintf("#%02x%02x%02x", grey, grey, grey)
}
