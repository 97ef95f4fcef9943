// Package elements reads XML that is data: elements with their lines and offsets, one after
// the other, as property lists and configurations are.
//
// It promises that hostile input costs no more than its size: no entity is expanded beyond
// the five of XML, a document type that defines some is refused, nesting is bounded. It
// knows no namespaces, and reads UTF-8 alone. To debug a file that is refused, look at the
// line of the [*Error].
package elements

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// MaxDepth bounds how deep elements may nest. Real files have six levels.
const MaxDepth = 32

// hintOfUTF16 says what to do with another character set.
const hintOfUTF16 = "save it as UTF-8"

// An Error says what is wrong with a document, and where.
type Error struct {
	Line    int    // 1-based; 0 where it is the whole
	Message string // lower case, without a full stop; it may quote the file
	// Limit says that the document is larger or deeper than is read. It may be well formed.
	Limit bool
	hint  string
}

// Error returns the line and the message.
func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %s", e.Line, e.Message)
	}
	return e.Message
}

// Hint says what to do about it, "" when that is not known.
func (e *Error) Hint() string { return e.hint }

// Errorf makes an error at a line.
func Errorf(line int, format string, args ...any) *Error {
	return &Error{Line: line, Message: fmt.Sprintf(format, args...)}
}

// Limitf makes an error of a document that is larger or deeper than is read.
func Limitf(line int, format string, args ...any) *Error {
	e := Errorf(line, format, args...)
	e.Limit = true
	return e
}

// WithHint returns the error with what to do about it.
func (e *Error) WithHint(hint string) *Error {
	e.hint = hint
	return e
}

// A Reader goes through the elements of a document.
type Reader struct {
	d     *xml.Decoder
	depth int
	start int // where the last token began
}

// An Element is a start tag.
type Element struct {
	Name  string
	Line  int // 1-based
	Start int // offset of the tag, in bytes
	attrs []xml.Attr
}

// Attr returns an attribute, whatever its namespace.
func (e *Element) Attr(name string) (value string, ok bool) {
	for _, a := range e.attrs {
		if a.Name.Local == name {
			return a.Value, true
		}
	}
	return "", false
}

// New returns a reader of a document in UTF-8.
func New(data []byte) *Reader {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		if strings.EqualFold(label, "us-ascii") { // a part of UTF-8
			return in, nil
		}
		return nil, fmt.Errorf("the file says that it is %s, expected UTF-8", Clip(label))
	}
	return &Reader{d: d}
}

// Offset returns where the reader is in the document, in bytes.
func (r *Reader) Offset() int { return int(r.d.InputOffset()) }

// token returns the next start tag, end tag or text, and its line. Where the root has
// ended it returns nil.
func (r *Reader) token() (xml.Token, int, error) {
	for {
		line, _ := r.d.InputPos()
		r.start = r.Offset()
		t, err := r.d.Token()
		var syntax *xml.SyntaxError
		switch {
		case errors.Is(err, io.EOF):
			return nil, line, nil
		case errors.As(err, &syntax):
			return nil, 0, &Error{Line: syntax.Line, Message: "not valid XML: " + syntax.Msg, hint: truncated(syntax)}
		case err != nil:
			return nil, 0, &Error{Line: line, Message: strings.TrimPrefix(err.Error(), "xml: "), hint: hintOfUTF16}
		}
		switch t := t.(type) {
		case xml.StartElement:
			if r.depth++; r.depth > MaxDepth {
				return nil, 0, Limitf(line, "elements are nested deeper than %d levels", MaxDepth)
			}
			return t, line, nil
		case xml.EndElement:
			r.depth--
			return t, line, nil
		case xml.CharData:
			return t, line, nil
		case xml.Directive:
			// Property lists have a document type, but nothing that defines entities.
			if bytes.ContainsAny(t, "[") || bytes.Contains(t, []byte("ENTITY")) {
				return nil, 0, Errorf(line, "the document type defines entities, expected none").WithHint("write the text out in place of each entity")
			}
		}
	}
}

func truncated(e *xml.SyntaxError) string {
	if strings.Contains(e.Msg, "EOF") {
		return "the file seems to be cut off: copy it again"
	}
	return ""
}

// Root returns the first element.
func (r *Reader) Root() (Element, error) {
	for {
		t, line, err := r.token()
		switch t := t.(type) {
		case xml.StartElement:
			return Element{t.Name.Local, line, r.start, t.Attr}, nil
		case xml.CharData:
			if text := strings.TrimSpace(string(t)); text != "" {
				return Element{}, Errorf(line, "text before the first element")
			}
		default:
			if err == nil {
				err = Errorf(0, "the file holds no element")
			}
			return Element{}, err
		}
	}
}

// Finish makes sure that nothing stands behind the root.
func (r *Reader) Finish() error {
	for {
		t, line, err := r.token()
		if err != nil || t == nil {
			return err
		}
		if text, ok := t.(xml.CharData); !ok || strings.TrimSpace(string(text)) != "" {
			return Errorf(line, "something stands behind the end of the root element")
		}
	}
}

// Child returns the next element inside the current one, whose name is of; ok is false
// at its end. Text between elements is an error: data has none there.
func (r *Reader) Child(of string) (e Element, ok bool, err error) {
	for {
		t, line, err := r.token()
		if err != nil {
			return Element{}, false, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return Element{t.Name.Local, line, r.start, t.Attr}, true, nil
		case xml.CharData:
			if text := strings.TrimSpace(string(t)); text != "" {
				return Element{}, false, Errorf(line, "text %q in <%s>, expected elements", Clip(text), of)
			}
		default:
			return Element{}, false, nil
		}
	}
}

// Text returns what stands in the current element, whose name is of and which must hold
// no other; start and end are its bytes in the document.
func (r *Reader) Text(of string) (text string, start, end int, err error) {
	var b strings.Builder
	for start = r.Offset(); ; {
		t, line, err := r.token()
		if err != nil {
			return "", 0, 0, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return "", 0, 0, Errorf(line, "<%s> in <%s>, expected text", Clip(t.Name.Local), of)
		case xml.CharData:
			b.Write(t)
		default:
			return b.String(), start, max(start, r.start), nil
		}
	}
}

// Leave goes to the end of the current element.
func (r *Reader) Leave() error {
	for depth := r.depth; r.depth >= depth; {
		if t, _, err := r.token(); err != nil || t == nil {
			return err
		}
	}
	return nil
}

// Clip shortens a text of the file for a message, and puts it in one line.
func Clip(s string) string {
	const most = 80
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return s
}
