package pretty

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"telltale/flow"
	"telltale/flow/plain"
)

// Bounds of a page beside those of Options.
const (
	maxIndent = 64
	maxLine   = 2000 // bytes of a line; the rest goes on in the next
	maxNotes  = 20
	maxDepth  = 5 // bodies within bodies: JSON in a string in a part of a multipart …
	tab       = "    "
)

// page is a document in the making.
type page struct {
	opts   Options
	doc    Document
	max    int // lines
	left   int // lines that found no room
	width  int // bytes of the current line
	open   bool
	indent int // of what is shown now, added to that of each line
	depth  int // of bodies within bodies
}

func newPage(opts Options) *page {
	p := &page{opts: opts, max: opts.MaxLines}
	if p.max <= 0 {
		p.max = defaultMaxLines
	}
	return p
}

// mask hides what must not be shown in a decoded text.
func (p *page) mask(s string) string {
	if p.opts.Mask == nil || s == "" {
		return s
	}
	return p.opts.Mask(s)
}

// tookOut reports whether a masked text starts with the sign that something was
// taken out, which looks like an array of JSON.
func (p *page) tookOut(s string) bool {
	return p.opts.Mask != nil && strings.HasPrefix(s, flow.Redacted)
}

// hides reports whether the value of this name is shown as [flow.Redacted].
func (p *page) hides(name string) bool { return !p.opts.Reveal && flow.CredentialName(name) }

// hidesMember is hides for members of JSON objects, where "code" is that of an
// error and "key" that of a map far more often than a secret.
func (p *page) hidesMember(name string) bool {
	return !strings.EqualFold(name, "code") && !strings.EqualFold(name, "key") && p.hides(name)
}

// note adds a sentence. Texts of the message in it become harmless here.
func (p *page) note(format string, args ...any) {
	s := strings.Join(plain.Lines(p.mask(fmt.Sprintf(format, args...))), " ")
	for _, have := range p.doc.Notes {
		if have == s {
			return
		}
	}
	if len(p.doc.Notes) < maxNotes {
		p.doc.Notes = append(p.doc.Notes, s)
	}
}

// layer says that an encoding was undone.
func (p *page) layer(name string) { p.doc.Layers = append(p.doc.Layers, name) }

// full reports whether further lines would find no room.
func (p *page) full() bool { return len(p.doc.Lines) >= p.max }

// line starts a line. What is added goes to it.
func (p *page) line(indent int) { p.start(indent+p.indent, false) }

func (p *page) start(indent int, continued bool) {
	if p.full() {
		p.open = false
		p.left++
		return
	}
	p.doc.Lines = append(p.doc.Lines, Line{Indent: min(indent, maxIndent), Continued: continued})
	p.open, p.width = true, 0
}

// add adds a text to the current line, made harmless.
func (p *page) add(class Class, s string) {
	for s != "" && p.open {
		n := printable(s)
		switch {
		case n > 0:
			p.put(class, s[:n])
		case s[0] == '\t':
			n = 1
			p.put(class, tab)
		default:
			_, n = utf8.DecodeRuneInString(s)
			p.put(Escape, plain.Text(s[:n]))
		}
		s = s[n:]
	}
}

// put adds a harmless text, on further lines when it is long.
func (p *page) put(class Class, s string) {
	for s != "" && p.open {
		if p.width >= maxLine {
			if p.full() {
				p.open = false
				p.left++
				return
			}
			p.start(p.doc.Lines[len(p.doc.Lines)-1].Indent, true)
		}
		n := len(s)
		if room := maxLine - p.width; n > room {
			n = room
			for n < len(s) && !utf8.RuneStart(s[n]) {
				n++
			}
			n += marksAt(s[n:]) // they stay with their letter
		}
		line := &p.doc.Lines[len(p.doc.Lines)-1]
		if last := len(line.Spans) - 1; last >= 0 && line.Spans[last].Class == class {
			line.Spans[last].Text += s[:n]
		} else {
			line.Spans = append(line.Spans, Span{class, s[:n]})
		}
		p.width += n
		s = s[n:]
	}
}

// printable returns how many bytes at the start of s show as themselves. It looks
// no further than a few lines.
func printable(s string) int {
	const far = 2 * maxLine
	i := 0
	for i < len(s) && i < far {
		if c := s[i]; c >= ' ' && c <= '~' {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n <= 1 || !plain.Shows(r) {
			return i + marks(s[:i], s[i:])
		}
		i += n
	}
	return i
}

// marksAt returns how many bytes of combining marks s starts with.
func marksAt(s string) int {
	n := 0
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		if !unicode.In(r, unicode.Mn, unicode.Me) {
			break
		}
		n += size
	}
	return n
}

// marks returns how many bytes of combining marks at the start of s belong to the
// letter at the end of before.
func marks(before, s string) int {
	if _, size := utf8.DecodeRuneInString(s); size < 2 {
		return 0
	}
	letter, size := utf8.DecodeLastRuneInString(before)
	if size == 0 || !unicode.IsLetter(letter) {
		return 0
	}
	n := 0
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		with := before[len(before)-utf8.RuneLen(letter):] + s[:n+size]
		if !unicode.In(r, unicode.Mn, unicode.Me) || plain.Text(with) != with {
			break
		}
		n += size
	}
	return n
}

// text shows lines of text.
func (p *page) text(class Class, s string) {
	for s != "" {
		line, rest, _ := strings.Cut(s, "\n")
		p.line(0)
		p.add(class, strings.TrimSuffix(line, "\r"))
		s = rest
	}
}

// nested shows what stands inside of something, indented. It reports false when
// it stands too deep.
func (p *page) nested(indent int, show func()) bool {
	if p.depth >= maxDepth {
		return false
	}
	p.depth++
	p.indent += indent
	show()
	p.indent -= indent
	p.depth--
	return true
}

// document ends the page.
func (p *page) document(format string) Document {
	if p.left > 0 {
		lines := "lines are"
		if p.left == 1 {
			lines = "line is"
		}
		p.doc.Notes = append(p.doc.Notes, fmt.Sprintf("%s more %s left out", thousands(int64(p.left)), lines))
	}
	p.doc.Format = format
	return p.doc
}

func (p *page) nothing(passed int64) Document {
	if passed == 0 {
		return p.document(Empty)
	}
	p.note("%s passed, none of it was recorded", size(passed))
	return p.document(Missing)
}

// size writes a number of bytes for people.
func size(n int64) string {
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " bytes"
	}
	f, i := float64(n)/1024, 0
	for f >= 1023.95 && i < len(units)-1 {
		f /= 1024
		i++
	}
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0") + " " + units[i]
}

// thousands writes a number with separators: 12,345.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
