package unwrap

import (
	"bytes"
	"mime"
	"slices"
	"strings"
	"unicode/utf8"

	"telltale/flow"
	"telltale/flow/content"
)

// mediaType is what a message says about its content (RFC 9110, 8.3.1).
type mediaType struct {
	name   string // "application/json", in lower case; "" when it says nothing
	params map[string]string
}

// parseType reads a Content-Type. Broken parameters leave the name.
func parseType(s string) mediaType {
	name, rest, _ := strings.Cut(s, ";")
	name = strings.ToLower(strings.TrimSpace(name))
	if !strings.HasPrefix(name, "multipart/") || rest == "" {
		return mediaType{name: name}
	}
	_, params, _ := mime.ParseMediaType(s)
	return mediaType{name, params}
}

// is reports whether the type is one of those given, or has the structured syntax
// suffix of one given as "+json" (RFC 6838, 4.2.8).
func (t mediaType) is(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return t.name == name || name[0] == '+' && strings.HasSuffix(t.name, name)
	})
}

// requestBody takes the body of a request apart.
func (w *walk) requestBody(r *flow.Request) {
	data := r.Body.Content
	if len(data) == 0 || w.over {
		return
	}
	w.appeared(data)
	t := parseType(flow.Get(r.Header, "Content-Type"))
	protocol := rpcProtocol(t)
	look := func() {
		coding := flow.Get(r.Header, "Content-Encoding")
		switch codings := content.Codings(coding); {
		case len(codings) == 0:
		case r.Body.Decoded: // by who recorded it; on the wire it was not
			before := w.layers
			w.layers = undone(codings)
			w.requestContent(r, t, protocol, data)
			w.layers = before
			return
		default:
			out, _ := content.Decode(coding, data, int64(max(w.wire, 0))) // as far as it goes
			if len(out) > 0 {
				w.decodings(codings, out, func() { w.requestContent(r, t, protocol, out) })
				return
			}
		}
		w.requestContent(r, t, protocol, data)
	}
	if protocol != "" {
		look()
		return
	}
	w.at(step{kind: atPart, label: body}, look)
}

// undone returns codings in the order in which they are undone.
func undone(codings []string) []string {
	layers := slices.Clone(codings)
	slices.Reverse(layers)
	return layers
}

// decodings looks at what stood in a stack of codings.
func (w *walk) decodings(codings []string, out []byte, look func()) {
	before := w.layers
	w.layers = slices.Concat(before, undone(codings[1:]))
	w.unpacked(codings[0], out, look)
	w.layers = before
}

// unpacked looks at what the protocol had compressed, which has a bound of its own: what is
// found in one message must not keep the next one closed.
func (w *walk) unpacked(layer string, out []byte, look func()) {
	w.wire -= len(out)
	if len(out) == 0 {
		return
	}
	w.within(layer, func() {
		w.appeared(out)
		look()
	})
}

func (w *walk) requestContent(r *flow.Request, t mediaType, protocol string, data []byte) {
	if protocol != "" {
		w.messages(r, t, protocol, data)
		return
	}
	w.content(t, data)
}

// content takes apart what is of a type, or shows it as it is.
func (w *walk) content(t mediaType, data []byte) {
	switch {
	case len(data) == 0 || w.over:
	case strings.HasPrefix(t.name, "multipart/") && w.multipart(t.params["boundary"], data):
	case isJSON(data[:min(len(data), 64)]):
		w.json(data)
	case t.isProtobuf() && (tiles(data) || startsAsField(data) && !looksLikeText(data)):
		w.protobuf(data)
	case looksLikeText(data):
		w.written(t, data)
	case w.binary(data):
	case bytes.HasPrefix(data, []byte("--")) && w.multipart("", data):
	case t.saysText():
		w.written(t, data)
	default:
		w.show(data)
		w.passages(data)
	}
}

// saysText reports whether a type is one of texts, which may be damaged.
func (t mediaType) saysText() bool {
	return strings.HasPrefix(t.name, "text/") ||
		t.is("application/json", "+json", "application/xml", "+xml", "application/javascript", "application/x-www-form-urlencoded", "application/graphql")
}

// binary takes apart bytes that are no text, and reports whether they are something.
func (w *walk) binary(data []byte) bool {
	if w.exhausted() {
		return false
	}
	if rest, ok := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); ok && looksLikeText(rest) {
		w.written(mediaType{}, rest)
		return true
	}
	if w.decompress(data) || w.plist(data) {
		return true
	}
	if bigEndian, ok := utf16Order(data); ok && len(data) <= w.left {
		if text := appendUTF16(w.room(2*len(data)), data, bigEndian); looksLikeText(text) {
			w.decoded(layerUTF16, w.keep(text), func(b []byte) { w.written(mediaType{}, b) })
			return true
		}
	}
	if convincing(data) {
		w.within("", func() { w.protobuf(data) })
		return true
	}
	return false
}

// written takes apart a text by its looks before its type.
func (w *walk) written(t mediaType, data []byte) {
	if rest, ok := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); ok {
		data = rest
	}
	text := bytes.TrimLeft(data, " \t\r\n")
	switch {
	case isJSON(text):
		w.json(text)
	case isMarkup(text):
		w.markup(text, markupFormat(t, text))
	case t.is("application/x-www-form-urlencoded"), isForm(text):
		w.form(text)
	case bytes.HasPrefix(text, []byte("--")) && w.multipart("", text):
	default:
		w.leaf(data)
		w.embedded(data)
	}
}

// embedded takes apart JSON within a text that is something else, such as a script or an
// event stream.
func (w *walk) embedded(text []byte) {
	if i := bytes.Index(text, []byte(`{"`)); i >= 0 {
		w.within("", func() { w.json(text[i:]) })
	}
}

const (
	minPassage  = 6 // bytes of text among others that are shown
	maxPassages = 1000
	maxOpaque   = 1 << 20 // bytes of an unknown format that are looked at
)

// passages shows the texts within bytes of an unknown format.
func (w *walk) passages(data []byte) {
	data = data[:min(len(data), maxOpaque)]
	for n := 0; len(data) >= minPassage && n < maxPassages && !w.over; {
		end := 0
		for end < len(data) {
			r, size := utf8.DecodeRune(data[end:])
			if r == utf8.RuneError && size <= 1 || r < utf8.RuneSelf && classes[byte(r)]&hasControl != 0 {
				break
			}
			end += size
		}
		if end >= minPassage {
			n++
			w.leaf(data[:end])
		}
		data = data[min(end+1, len(data)):]
	}
}
