package setup

import "strings"

// Steps returns the steps for a platform as plain text for a terminal, one
// string each; further lines of a step are to be indented like the first.
func Steps(platform Platform, at Place) []string {
	return plainSteps(platform.Steps, at)
}

// UndoSteps returns what takes the proxy and the certificate off a device again,
// in the form of [Steps].
func UndoSteps(platform Platform, at Place) []string {
	return plainSteps(platform.Undo, at)
}

func plainSteps(steps []Step, at Place) []string {
	var lines []string
	for _, step := range steps {
		lines = append(lines, step.plain(at))
	}
	return lines
}

// Brief returns the steps for a platform in three, for a screen that shows the
// QR code of the set-up page beside them; each fits two lines of 60 columns.
// There are none for computers, which nobody connects by scanning a code, nor for
// a browser whose steps are those of its phone and one more.
func Brief(platform Platform, at Place) []string {
	var steps []string
	for _, step := range platform.brief {
		var b strings.Builder
		for _, part := range parse(step, at) {
			b.WriteString(part.Text)
		}
		steps = append(steps, b.String())
	}
	return steps
}

// String returns the step as plain text, with words where the place of the proxy
// would stand.
func (s Step) String() string {
	return s.plain(Place{Host: "this machine's address", Port: "the proxy's port", Authority: "the telltale CA"})
}

func (s Step) plain(at Place) string {
	var b strings.Builder
	for _, part := range parse(s.Text, at) {
		b.WriteString(part.Text)
		if link := fill(s.Link, at); part.Kind == linkPart && link != "/" {
			b.WriteString(" (http://" + Host + link + ")")
		}
	}
	if s.Why != "" {
		b.WriteString("\n")
		for _, part := range parse(s.Why, at) {
			b.WriteString(part.Text)
		}
	}
	if s.Code != "" {
		b.WriteString("\n\n  " + strings.ReplaceAll(fill(s.Code, at), "\n", "\n  ") + "\n")
	}
	return b.String()
}

// part is a run of text of one kind.
type part struct {
	Kind string
	Text string
}

// Kinds of parts.
const (
	plainPart   = "plain"
	literalPart = "literal" // stands on the screen, or is typed
	linkPart    = "link"
)

// fill puts the place into a text.
func fill(text string, at Place) string {
	return strings.NewReplacer("{host}", at.Host, "{port}", at.Port, "{address}", at.String(),
		"{page}", at.Page(), "{authority}", at.Authority, "{android}", at.Android).Replace(text)
}

// parse parts a text in the markup of [Step]. The place is filled in afterwards,
// so that nothing in it can be taken for markup.
func parse(text string, at Place) []part {
	var parts []part
	for text != "" {
		kind, end := plainPart, strings.IndexAny(text, "`[")
		switch {
		case end < 0:
			end = len(text)
		case end == 0 && text[0] == '`':
			kind, text = literalPart, text[1:]
			end = strings.IndexByte(text, '`')
		case end == 0:
			kind, text = linkPart, text[1:]
			end = strings.IndexByte(text, ']')
		}
		if end < 0 { // never closed; a test keeps that out of the table
			end = len(text)
		}
		parts = append(parts, part{kind, fill(text[:end], at)})
		text = text[end:]
		if kind != plainPart && text != "" {
			text = text[1:]
		}
	}
	return parts
}
