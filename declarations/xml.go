package declarations

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxDepth bounds how deep elements and collections may nest. Real files have six levels.
const maxDepth = 32

// xmlReader reads elements with their lines.
type xmlReader struct {
	*reader
	d     *xml.Decoder
	depth int
}

// element is a start tag.
type element struct {
	name  string
	attrs []xml.Attr
	line  int
}

// attr returns an attribute, whatever its namespace.
func (e *element) attr(name string) (value string, ok bool) {
	for _, a := range e.attrs {
		if a.Name.Local == name {
			return a.Value, true
		}
	}
	return "", false
}

func newXMLReader(r *reader, data []byte) *xmlReader {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		if strings.EqualFold(label, "us-ascii") { // what is no UTF-8 was refused before
			return in, nil
		}
		return nil, fmt.Errorf("the file says that it is %s, expected UTF-8", clip(label))
	}
	return &xmlReader{reader: r, d: d}
}

// token returns the next start tag, end tag or text, and its line. Where the root has
// ended it returns nil.
func (x *xmlReader) token() (xml.Token, int, error) {
	for {
		line, _ := x.d.InputPos()
		t, err := x.d.Token()
		var syntax *xml.SyntaxError
		switch {
		case errors.Is(err, io.EOF):
			return nil, line, nil
		case errors.As(err, &syntax):
			return nil, 0, x.errorAt(syntax.Line, "not valid XML: "+syntax.Msg, truncated(syntax))
		case err != nil:
			return nil, 0, x.errorAt(line, strings.TrimPrefix(err.Error(), "xml: "), hintOfUTF16)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if x.depth++; x.depth > maxDepth {
				return nil, 0, x.errorAt(line, fmt.Sprintf("elements are nested deeper than %d levels", maxDepth), "")
			}
			return t, line, nil
		case xml.EndElement:
			x.depth--
			return t, line, nil
		case xml.CharData:
			return t, line, nil
		case xml.Directive:
			// Property lists have a document type, but nothing that defines entities.
			if bytes.ContainsAny(t, "[") || bytes.Contains(t, []byte("ENTITY")) {
				return nil, 0, x.errorAt(line, "the document type defines entities, expected none", "write the text out in place of each entity")
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

// root returns the first element.
func (x *xmlReader) root() (element, error) {
	for {
		t, line, err := x.token()
		switch t := t.(type) {
		case xml.StartElement:
			return element{t.Name.Local, t.Attr, line}, nil
		case xml.CharData:
			if text := strings.TrimSpace(string(t)); text != "" {
				return element{}, x.errorAt(line, "text before the first element", whatIsRead)
			}
		default:
			if err == nil {
				err = x.errorAt(0, "the file holds no element, expected <plist> or <network-security-config>", whatIsRead)
			}
			return element{}, err
		}
	}
}

// finish makes sure that nothing stands behind the root.
func (x *xmlReader) finish() error {
	for {
		t, line, err := x.token()
		if err != nil || t == nil {
			return err
		}
		if text, ok := t.(xml.CharData); !ok || strings.TrimSpace(string(text)) != "" {
			return x.errorAt(line, "something stands behind the end of the root element", "")
		}
	}
}

// child returns the next element inside the current one; ok is false at its end. Text
// between elements is an error, since both formats have none.
func (x *xmlReader) child(of string) (e element, ok bool, err error) {
	for {
		t, line, err := x.token()
		if err != nil {
			return element{}, false, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return element{t.Name.Local, t.Attr, line}, true, nil
		case xml.CharData:
			if text := strings.TrimSpace(string(t)); text != "" {
				return element{}, false, x.errorAt(line, fmt.Sprintf("text %q in <%s>, expected elements", clip(text), of), "")
			}
		default:
			return element{}, false, nil
		}
	}
}

// text returns what stands in the current element, which must hold no other.
func (x *xmlReader) text(of string) (string, error) {
	var b strings.Builder
	for {
		t, line, err := x.token()
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return "", x.errorAt(line, fmt.Sprintf("<%s> in <%s>, expected text", clip(t.Name.Local), of), "")
		case xml.CharData:
			b.Write(t)
		default:
			return b.String(), nil
		}
	}
}

// skip goes to the end of the current element.
func (x *xmlReader) skip() error {
	for depth := x.depth; x.depth >= depth; {
		if t, _, err := x.token(); err != nil || t == nil {
			return err
		}
	}
	return nil
}
