package pretty

import (
	"bytes"
	"errors"
	"mime"
	"strings"
	"unicode/utf8"

	"telltale/flow/content"
)

// mediaType is what a message says about its content (RFC 9110, 8.3.1).
type mediaType struct {
	name   string // "application/json", in lower case; "" when it says nothing
	params map[string]string
}

// parseType reads a Content-Type. Broken parameters leave the name.
func parseType(s string) mediaType {
	name, params, err := mime.ParseMediaType(s)
	if err != nil && name == "" {
		name, _, _ = strings.Cut(s, ";")
		name = strings.ToLower(strings.TrimSpace(name))
	}
	return mediaType{name, params}
}

// is reports whether the type is one of those given, or has the structured syntax
// suffix of one given as "+json" (RFC 6838, 4.2.8).
func (t mediaType) is(names ...string) bool {
	for _, name := range names {
		if t.name == name || strings.HasPrefix(name, "+") && strings.HasSuffix(t.name, name) {
			return true
		}
	}
	return false
}

// opaque reports whether the type says nothing about the bytes.
func (t mediaType) opaque() bool {
	return t.is("", "application/octet-stream", "binary/octet-stream", "application/unknown", "application/x-unknown")
}

// decode undoes the content codings, the declared ones and a gzip that nobody
// declared. cut says whether it left out what would have followed.
func (p *page) decode(encoding string, data []byte, truncated bool) (out []byte, cut bool) {
	if codings := content.Codings(encoding); len(codings) > 0 {
		out, err := content.Decode(encoding, data, p.opts.limit())
		switch {
		case len(out) == 0 && err != nil:
			p.note("the message says that its coding is %s, which could not be undone: %v", strings.Join(codings, ", "), err)
		default:
			for i := len(codings) - 1; i >= 0; i-- {
				p.layer(codings[i])
			}
			return out, p.ended(err, truncated)
		}
	}
	if len(data) > 2 && bytes.HasPrefix(data, []byte{0x1f, 0x8b, 8}) {
		if out, err := content.Decode("gzip", data, p.opts.limit()); len(out) > 0 {
			p.layer("gzip")
			if len(content.Codings(encoding)) == 0 {
				p.note("the message does not say that it is compressed")
			}
			return out, p.ended(err, truncated)
		}
	}
	if limit := p.opts.limit(); int64(len(data)) > limit {
		p.note("shown up to %s of %s", size(limit), size(int64(len(data))))
		return data[:limit], true
	}
	return data, false
}

// ended notes how decoding ended and reports whether something is missing. The
// end of a copy that was cut anyway needs no words.
func (p *page) ended(err error, truncated bool) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, content.ErrTooLarge):
		p.note("shown up to %s of the decoded content", size(p.opts.limit()))
	case !truncated:
		p.note("the compressed content ends early: %v", err)
	}
	return true
}

// show shows content of a type and returns its format. cut says that its end is
// missing.
func (p *page) show(t mediaType, data []byte, cut bool) string {
	if len(data) == 0 {
		return Empty
	}
	if format := p.framed(t, data, cut); format != "" {
		return format
	}
	if format := p.fact(data); format != "" {
		return format
	}
	text, ok := p.characters(t, data)
	if !ok {
		return p.binary(t, data)
	}
	return p.written(t, p.mask(text), cut)
}

// framed shows what only its type tells: bodies of parts and messages.
func (p *page) framed(t mediaType, data []byte, cut bool) string {
	switch {
	case strings.HasPrefix(t.name, "multipart/"):
		if p.multipart(t.params["boundary"], data, cut) {
			return Multipart
		}
	case strings.HasPrefix(t.name, "application/grpc-web-text"):
		p.layer("base64")
		p.messages(t, unbase64(data), cut)
		return GRPCWeb
	case strings.HasPrefix(t.name, "application/grpc-web"):
		p.messages(t, data, cut)
		return GRPCWeb
	case strings.HasPrefix(t.name, "application/grpc"):
		p.messages(t, data, cut)
		return GRPC
	case strings.HasPrefix(t.name, "application/connect+"):
		p.messages(t, data, cut)
		return Connect
	case t.isProtobuf():
		if p.protobuf(data, cut) {
			return Protobuf
		}
		p.note("the message says that it is protobuf, but it does not read as that")
	}
	return ""
}

// written shows text, by its looks before its type. Values that must not be shown
// are gone from it already.
func (p *page) written(t mediaType, text string, cut bool) string {
	declared := t.is("application/json", "text/json", "+json", "application/x-ndjson", "application/jsonl", "application/json-seq")
	if format := p.json(text, declared, cut); format != "" {
		return format
	}
	switch {
	case t.is("application/x-www-form-urlencoded"):
		p.form(text)
		return Form
	case t.is("text/event-stream"):
		p.events(text)
		return EventStream
	}
	if format := markupFormat(t, text); format != "" {
		if !p.markup(text, format == HTML) {
			p.text(Plain, p.maskEntities(text))
		}
		return format
	}
	p.text(Plain, text)
	switch {
	case t.is("text/javascript", "application/javascript", "application/x-javascript", "application/ecmascript"):
		return JavaScript
	case t.is("text/css"):
		return CSS
	}
	return Text
}

// binary shows bytes that are no text.
func (p *page) binary(t mediaType, data []byte) string {
	if t.opaque() && convincing(data) {
		p.note("nothing says that this is protobuf: it reads as that")
		p.protobuf(data, false)
		return Protobuf
	}
	p.dump(data, maxDump)
	return Binary
}

// looksLikeText reports whether data is UTF-8 without control characters that text
// does not have. The last character may be cut.
func looksLikeText(data []byte) bool {
	for i := 0; i < len(data); {
		c := data[i]
		if c < utf8.RuneSelf {
			if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != 0x1b && c != 0x1e && c != '\b' || c == 0x7f {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n <= 1 {
			return len(data)-i < utf8.UTFMax && !utf8.FullRune(data[i:])
		}
		i += n
	}
	return true
}
