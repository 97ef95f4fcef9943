package har

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"math"
	"strings"
	"unicode/utf8"

	"telltale/flow"
	"telltale/flow/content"
)

// bodyDraft is the content of a message as the file has it.
type bodyDraft struct {
	text     []byte // its first bytes, decoded from JSON and not from base64
	size     int64  // of the whole text
	tail     [2]byte
	present  bool // there is a text
	base64   bool
	sent     bool // of a request
	raw      bool // from _content, which beats the rest
	mime     string
	declared int64 // content.size; -1 when not known
	params   []byte
	attached string // name of the file beside the HAR that has the content; "" for none
	digest   string // hex SHA-256 of that file; "" when not known
	expires  bool   // the HAR says until when that file is kept
}

// emptied returns an empty draft that uses the same memory.
func (b bodyDraft) emptied() bodyDraft {
	const most = 4 << 20 // do not hold on to the memory of one giant
	if cap(b.text) > most {
		b.text = nil
	}
	return bodyDraft{text: b.text[:0], params: b.params[:0], declared: -1}
}

// limit is how many bytes of a content are kept.
func (d *reader) limit(b *bodyDraft) int64 {
	if d.opts.Sent && b.sent {
		return max(d.opts.BodyLimit, sentLimit)
	}
	return d.opts.BodyLimit
}

// kept reports whether the contents of a draft are wanted.
func (d *reader) kept(b *bodyDraft) bool { return d.opts.Bodies || d.opts.Sent && b.sent }

// content reads postData of a request or content of a response.
func (d *reader) content(b *bodyDraft) error {
	return d.objectValue(func(name []byte) (err error) {
		switch string(name) {
		case "mimeType":
			b.mime, err = d.textValue()
		case "size":
			b.declared, err = d.wholeValue(-1)
		case "text":
			err = d.bodyText(b, false)
		case "encoding":
			var encoding string
			encoding, err = d.textValue()
			b.base64 = b.base64 || !b.raw && strings.EqualFold(encoding, "base64")
		case "params":
			err = d.params(b)
		case "_file": // Playwright's, and ours
			b.attached, err = d.textValue()
		case "_sha1": // the name of the file, in Playwright until its version 1.23
			var name string
			if name, err = d.textValue(); b.attached == "" {
				b.attached = name
			}
		case "_sha256": // ours, with _file
			b.digest, err = d.textValue()
		case "_expires":
			var until string
			until, err = d.textValue()
			b.expires = until != ""
		default:
			err = d.s.skip()
		}
		return err
	})
}

// rawContent reads _content, where HTTP Toolkit and we keep binary requests: an
// object like content, or the base64 text alone.
func (d *reader) rawContent(b *bodyDraft) error {
	if d.s.kind() == kindObject {
		return d.s.object(func(name []byte) error {
			if string(name) == "text" {
				return d.bodyText(b, true)
			}
			return d.s.skip()
		})
	}
	return d.bodyText(b, true)
}

// bodyText reads the text, of which it keeps what the limit allows.
func (d *reader) bodyText(b *bodyDraft, raw bool) error {
	if kind := d.s.kind(); kind == kindNull || kind == kindObject || kind == kindArray || kind == 0 || b.raw && !raw {
		return d.s.skip()
	}
	if d.s.kind() != kindString {
		text, err := d.s.scalar()
		b.text, b.size, b.present = append(b.text[:0], text...), int64(len(text)), true
		return err
	}
	keep := 0
	if d.kept(b) {
		keep = int(min(d.limit(b), math.MaxInt32/2)/3*4 + 8) // base64 is longer
	}
	text, size, err := d.s.str(keep)
	b.text, b.size, b.tail, b.present = append(b.text[:0], text...), size, d.s.tail, true
	if raw {
		b.raw, b.base64 = true, true
	}
	return err
}

// params reads the parameters of a form, for files that have no text. They are
// joined as they stand: some producers encode them and some do not.
func (d *reader) params(b *bodyDraft) error {
	return d.arrayValue(func() error {
		var name, value string
		err := d.objectValue(d.nameValue(&name, &value))
		if err != nil || len(b.params) > maxHeaders {
			return err
		}
		if len(b.params) > 0 {
			b.params = append(b.params, '&')
		}
		b.params = append(append(append(b.params, name...), '='), value...)
		return nil
	})
}

// body makes the body of a message of what the file has.
func (d *reader) body(m *message) flow.Body {
	b := &m.body
	attached := d.attach(b)
	if !attached && (!b.present || b.size == 0) && len(b.params) > 0 {
		b.text, b.size, b.base64 = append(b.text[:0], b.params...), int64(len(b.params)), false
	}
	data, size := b.text, b.size
	if !attached {
		data, size = b.decoded()
	}
	if size == 0 && !attached {
		size = m.knownSize()
	}
	codings := content.Codings(flow.Get(m.header, "Content-Encoding"))
	out := flow.Body{Size: size, Decoded: len(codings) > 0 && !stillCoded(codings, data)}
	if d.kept(b) && len(data) > 0 {
		out.Content = bytes.Clone(data[:min(int64(len(data)), d.limit(b))])
	}
	out.Truncated = int64(len(out.Content)) < size || m.cut
	return out
}

// knownSize is the size of content that is not in the file: the one on the wire
// rather than the one after decoding, except of content in a file beside it.
func (m *message) knownSize() int64 {
	wire, decoded := max(m.bodySize, 0), max(m.body.declared, 0)
	if m.body.attached != "" {
		return cmp.Or(decoded, wire)
	}
	return cmp.Or(wire, decoded)
}

// decoded returns the kept bytes and the size of the whole after base64.
func (b *bodyDraft) decoded() ([]byte, int64) {
	whole := int64(len(b.text)) == b.size
	if !b.base64 && !(whole && isBinary(b.mime) && looksBase64(b.text)) {
		return b.text, b.size
	}
	data, ok := decodeBase64(b.text)
	if !ok {
		return b.text, b.size
	}
	if whole {
		return data, int64(len(data))
	}
	size := b.size / 4 * 3
	for _, c := range b.tail {
		if c == '=' {
			size--
		}
	}
	if rest := b.size % 4; rest > 1 { // without padding
		size += rest - 1
	}
	return data, size
}

// decodeBase64 accepts either alphabet, with or without padding and line ends,
// and a text that was cut. It reports false when the text is something else.
func decodeBase64(text []byte) ([]byte, bool) {
	clean := bytes.Map(func(r rune) rune {
		switch r {
		case '-':
			return '+'
		case '_':
			return '/'
		case ' ', '\t', '\r', '\n', '=':
			return -1
		}
		return r
	}, text)
	if len(clean)%4 == 1 { // cut in the middle of a group
		clean = clean[:len(clean)-1]
	}
	data := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, err := base64.RawStdEncoding.Decode(data, clean)
	return data[:n], err == nil
}

// isBinary reports whether content of this type is never text, so that what looks
// like base64 is: old browsers forget to say so.
func isBinary(mime string) bool {
	mime = strings.ToLower(mime)
	for _, prefix := range []string{"image/", "audio/", "video/", "font/", "application/octet-stream", "application/font", "application/x-font"} {
		if strings.HasPrefix(mime, prefix) {
			return !strings.Contains(mime, "xml")
		}
	}
	return false
}

func looksBase64(text []byte) bool {
	if len(text) < 8 || len(text)%4 != 0 {
		return false
	}
	for _, c := range bytes.TrimRight(text, "=") {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '+' && c != '/' {
			return false
		}
	}
	return true
}

// stillCoded reports whether content is in the coding that its header names. Most
// producers undo it; old ones do not.
func stillCoded(codings []string, data []byte) bool {
	switch codings[len(codings)-1] {
	case "gzip", "x-gzip":
		return bytes.HasPrefix(data, []byte{0x1f, 0x8b})
	case "zstd":
		return bytes.HasPrefix(data, []byte{0x28, 0xb5, 0x2f, 0xfd})
	case "deflate":
		zlib := len(data) > 2 && data[0]&0x0f == 8 && (int(data[0])<<8|int(data[1]))%31 == 0
		return !utf8.Valid(data) && (zlib || unpacks("deflate", data)) // many send it without zlib's header
	case "br": // which has no signature
		return !utf8.Valid(data) && unpacks("br", data)
	}
	return false
}

// unpacks reports whether data can be what a coding made.
func unpacks(coding string, data []byte) bool {
	const enough = 4 << 10
	out, err := content.Decode(coding, data, enough)
	return len(out) > 0 && (err == nil || errors.Is(err, content.ErrTooLarge))
}
