package redact

import (
	"bytes"
	"mime"
	"strings"

	"telltale/flow"
	"telltale/flow/content"
)

// maxContent is how many bytes of a content are masked: more than the searches look
// through could not be checked.
const maxContent = 4 << 20

// Reasons for which a content is left out.
const (
	whyTooLarge   = "larger than is looked through"
	whyDamaged    = "damaged, or cut while compressed"
	whyUnreadable = "no text: a picture, an archive, encrypted or unknown"
)

// body masks a content, without its content coding, or leaves it out. The size stays that of
// the original.
func (m *masker) body(header []flow.Field, b flow.Body) flow.Body {
	b.Digest = "" // whoever has a guess at the content could test it
	if len(b.Content) == 0 {
		b.Content = nil
		b.Truncated = b.Truncated || b.Size > 0
		return b
	}
	data := b.Content
	if coding := flow.Get(header, "Content-Encoding"); !b.Decoded && len(content.Codings(coding)) > 0 {
		plain, err := content.Decode(coding, data, maxContent)
		switch {
		case err != nil && len(plain) >= maxContent:
			return m.leave(b, whyTooLarge)
		case err != nil:
			return m.leave(b, whyDamaged)
		}
		data, b.Decoded = plain, true
	}
	if len(data) > maxContent {
		return m.leave(b, whyTooLarge)
	}
	m.cut = b.Truncated
	masked, why := m.typed(flow.Get(header, "Content-Type"), flow.Get(header, "Grpc-Encoding"), data)
	m.cut = false
	if why != "" {
		return m.leave(b, why)
	}
	b.Content = masked
	return b
}

func (m *masker) leave(b flow.Body, why string) flow.Body {
	m.leftOut[why]++
	b.Content, b.Truncated = nil, b.Size > 0
	return b
}

// typed masks a content of a type, which is a claim: the bytes decide where they can.
func (m *masker) typed(contentType, grpcEncoding string, data []byte) (masked []byte, why string) {
	kind, params, _ := mime.ParseMediaType(contentType)
	switch {
	case strings.HasPrefix(kind, "multipart/") || bytes.HasPrefix(data, []byte("--")) && bytes.Contains(data, []byte("Content-Disposition:")):
		if masked, ok := m.multipart(params["boundary"], data); ok {
			return masked, ""
		}
	case strings.HasPrefix(kind, "application/grpc") && !strings.Contains(kind, "text") || strings.HasPrefix(kind, "application/connect+"):
		if masked, ok := m.grpc(grpcEncoding, data); ok {
			return masked, ""
		}
		return nil, whyUnreadable
	}
	if isText(data) && !strings.Contains(kind, "protobuf") {
		return []byte(m.content(string(data))), ""
	}
	return m.binary(data, true)
}

// content masks a whole text.
func (m *masker) content(s string) string {
	if m.cut {
		s = withoutTail(s)
	}
	return m.text(m.secrets(s))
}

// withoutTail leaves out the last word of a text that was cut: the beginning of a value may
// no longer look like one.
func withoutTail(s string) string {
	if i := strings.LastIndexAny(s, " \t\r\n\"',;&<>{}[]()="); i >= 0 {
		return s[:i+1]
	}
	return ""
}

// binary masks what is no text: protobuf, where it reads as that. Otherwise it says why it
// cannot.
func (m *masker) binary(data []byte, mayBeProtobuf bool) (masked []byte, why string) {
	if rest, ok := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); ok && isText(rest) {
		return []byte(m.content(string(rest))), ""
	}
	if mayBeProtobuf && !m.cut {
		if masked, ok := m.protobuf(data, 0); ok {
			return masked, ""
		}
	}
	return nil, whyUnreadable
}

// multipart masks a content of several parts (RFC 2046, 5.1): each by its name and type. It
// reports false where it has none.
func (m *masker) multipart(boundary string, data []byte) ([]byte, bool) {
	delimiter := "--" + boundary
	if boundary == "" || !bytes.Contains(data, []byte(delimiter)) {
		line, _, ok := bytes.Cut(data, []byte("\n"))
		delimiter = string(bytes.TrimRight(line, "\r "))
		if !ok || len(delimiter) < 3 || len(delimiter) > 200 || !strings.HasPrefix(delimiter, "--") {
			return nil, false
		}
	}
	parts := bytes.Split(data, []byte(delimiter))
	if len(parts) < 2 || m.depth >= maxDepth {
		return nil, false
	}
	m.depth++
	defer func() { m.depth-- }()
	var out bytes.Buffer
	for i, part := range parts {
		if i > 0 {
			out.WriteString(delimiter)
		}
		switch {
		case i == 0 || bytes.HasPrefix(part, []byte("--")): // preamble and epilogue
			if isText(part) {
				out.WriteString(m.words(string(part)))
			}
		default:
			out.Write(m.part1(part))
		}
	}
	return out.Bytes(), true
}

// part1 masks one part: its header, then its content, which is replaced where it cannot be
// looked into.
func (m *masker) part1(part []byte) []byte {
	head, rest, ok := bytes.Cut(part, []byte("\r\n\r\n"))
	gap := "\r\n\r\n"
	if !ok {
		if head, rest, ok = bytes.Cut(part, []byte("\n\n")); !ok {
			return []byte("\r\n\r\n" + flow.Redacted + "\r\n")
		}
		gap = "\n\n"
	}
	name, kind, transfer := "", "", ""
	var out bytes.Buffer
	for i, line := range strings.Split(string(head), "\n") {
		if i > 0 {
			out.WriteByte('\n')
		}
		field, text, has := strings.Cut(strings.TrimRight(line, "\r"), ":")
		if !has {
			out.WriteString(m.words(line))
			continue
		}
		text = strings.TrimSpace(text)
		switch strings.ToLower(field) {
		case "content-disposition":
			_, params, _ := mime.ParseMediaType(text)
			name = params["name"]
		case "content-type":
			kind = text
		case "content-transfer-encoding":
			transfer = strings.ToLower(text)
		}
		out.WriteString(m.words(field) + ": " + m.field(flow.NewField(field, text)))
		if strings.HasSuffix(line, "\r") {
			out.WriteByte('\r')
		}
	}
	out.WriteString(gap)
	end := len(bytes.TrimRight(rest, "\r\n"))
	out.Write(m.partContent(name, kind, transfer, rest[:end]))
	out.Write(rest[end:])
	return out.Bytes()
}

func (m *masker) partContent(name, kind, transfer string, data []byte) []byte {
	if len(data) == 0 {
		return nil
	}
	if transfer == "base64" || transfer == "quoted-printable" {
		return []byte(m.opaque(string(data)))
	}
	if isText(data) {
		text := string(data)
		if masked := m.value(name, m.secrets(text)); masked != text {
			return []byte(masked)
		}
	}
	masked, why := m.typed(kind, "", data)
	if why != "" {
		m.leftOut["part of a form: "+why]++
		return []byte(m.opaque(string(data)))
	}
	return masked
}
