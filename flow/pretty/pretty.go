// Package pretty shows the body of a message to a person.
//
// It knows JSON, forms, multipart, protobuf without its schema, gRPC, XML, event
// streams, images as facts, WebSocket messages, and the hex dump for the rest. A
// content type is a claim: the bytes decide where they can.
//
// It promises that whatever comes, the result is bounded ([Options]), that each
// text in it is safe on a terminal (package plain; here a backslash is not
// doubled, but what is written out has the class [Escape]), and that values which
// Options.Mask hides do not show, however they were encoded. Values that are called
// like a credential are redacted where the format names its values: in forms, parts
// and JSON that is whole, not in free text. A body that is cut
// or damaged is shown up to the damage, with a note that says where it breaks.
//
// It does not decode pixels, run scripts, colour or wrap. To see why a body is
// shown as it is, read Document.Format, Layers and Notes: each guess is a note.
package pretty

import (
	"strings"

	"telltale/flow"
)

// A Document is a body as text for people.
type Document struct {
	// Format is what the body was shown as, one of the constants, or the name
	// of a format of images or archives: "PNG", "ZIP".
	Format string
	// Layers are the encodings that were undone on the way, outermost first:
	// "gzip", "base64".
	Layers []string
	Lines  []Line
	// Notes are plain sentences on what is not as it should be, what was left
	// out, and what is a guess.
	Notes []string
}

// The formats.
const (
	Empty       = "empty"
	Missing     = "not recorded"
	JSON        = "JSON"
	JSONLines   = "JSON lines"
	Form        = "form"
	Multipart   = "multipart"
	Protobuf    = "protobuf"
	GRPC        = "gRPC"
	GRPCWeb     = "gRPC-Web"
	Connect     = "Connect"
	XML         = "XML"
	HTML        = "HTML"
	JavaScript  = "JavaScript"
	CSS         = "CSS"
	EventStream = "event stream"
	Text        = "text"
	Binary      = "binary"
)

// A Line is one line of a document. It has no line breaks and no tabs.
type Line struct {
	Indent int // levels, at most 64
	// Continued says that the text is one long line with the line above.
	Continued bool
	Spans     []Span
}

// Text returns the line without its indent and classes.
func (l Line) Text() string {
	var b strings.Builder
	for _, s := range l.Spans {
		b.WriteString(s.Text)
	}
	return b.String()
}

// A Span is a run of text of one class. Its text is safe on a terminal.
type Span struct {
	Class Class
	Text  string
}

// A Class says what a text is, for a screen that has colours.
type Class string

// The classes.
const (
	Plain       Class = "plain"
	Key         Class = "key"         // name of a value: member, parameter, field, tag
	String      Class = "string"      // text value
	Number      Class = "number"      // number
	Literal     Class = "literal"     // true, false, null
	Punctuation Class = "punctuation" // what the format puts between
	Comment     Class = "comment"     // ours, or the format's own comment
	Escape      Class = "escape"      // written out, since it would not show as itself: \x1b, \u{202e}
	Offset      Class = "offset"      // position in a hex dump
	Hex         Class = "hex"         // bytes
)

// Options bound a document and hide values. The zero value is good.
type Options struct {
	Limit    int64 // bytes that are decoded; 0 means 1 MiB
	MaxLines int   // lines of the document; 0 means 5,000
	// Mask puts [flow.Redacted] in the place of values that must not be shown.
	// Nil hides nothing.
	Mask func(string) string
	// Reveal shows what is otherwise redacted by its name: credentials in headers
	// inside of a body ([flow.Sensitive]), and values of parameters, parts of forms
	// and members of JSON objects that are called like one ([flow.CredentialName]).
	Reveal bool
}

// Defaults of Options.
const (
	defaultLimit    = 1 << 20
	defaultMaxLines = 5000
)

func (o Options) limit() int64 {
	if o.Limit <= 0 {
		return defaultLimit
	}
	return o.Limit
}

// Body returns the body of a request or response, whose Content must be loaded.
// contentType and contentEncoding are the values of the message's fields of that
// name, "" where it has none.
func Body(contentType, contentEncoding string, b flow.Body, opts Options) Document {
	p := newPage(opts)
	if len(b.Content) == 0 {
		return p.nothing(b.Size)
	}
	cut := b.Truncated
	if cut {
		p.note("the recorded copy was cut at %s of %s", size(int64(len(b.Content))), size(b.Size))
	}
	if b.Decoded {
		contentEncoding = ""
	}
	data, cutHere := p.decode(contentEncoding, b.Content, cut)
	format := p.show(parseType(contentType), data, cut || cutHere)
	return p.document(format)
}

// Query returns the query of a URL, without its question mark, as one line a
// parameter.
func Query(rawQuery string, opts Options) Document {
	p := newPage(opts)
	if rawQuery == "" {
		return p.document(Empty)
	}
	if limit := p.opts.limit(); int64(len(rawQuery)) > limit {
		p.note("shown up to %s of %s", size(limit), size(int64(len(rawQuery))))
		rawQuery = rawQuery[:limit]
	}
	p.form(p.mask(rawQuery))
	return p.document(Form)
}
