package redact

import (
	"mime"
	"slices"
	"strings"

	"telltale/flow"
)

func (m *masker) request(r *flow.Request) *flow.Request {
	if r == nil {
		return nil
	}
	out := *r
	out.Method, out.Proto = m.words(r.Method), m.words(r.Proto)
	out.URL = m.target(r.URL)
	out.Header, out.Trailer = m.fields(r.Header), m.fields(r.Trailer)
	out.Body = m.body(r.Header, r.Body)
	return &out
}

func (m *masker) response(r *flow.Response) *flow.Response {
	if r == nil {
		return nil
	}
	out := *r
	out.Reason, out.Proto = m.words(r.Reason), m.words(r.Proto)
	out.Header, out.Trailer = m.fields(r.Header), m.fields(r.Trailer)
	out.Body = m.body(r.Header, r.Body)
	return &out
}

// authorityEnds are the characters that end the authority of a URL (RFC 3986, 3.2), as people
// and browsers write it.
const authorityEnds = `/?#\`

// target masks the URL of a request.
func (m *masker) target(s string) string {
	end := 0 // of the authority
	if i := strings.Index(s, "://"); i >= 0 {
		if end = len(s); strings.ContainsAny(s[i+3:], authorityEnds) {
			end = i + 3 + strings.IndexAny(s[i+3:], authorityEnds)
		}
	}
	// The values of the policy first, since they may go over what separates parts; not in the
	// host, which stays a name.
	return m.url(s[:end] + m.secrets(s[end:]))
}

// plainFields say what a message is and nothing of who sent it.
var plainFields = set(`accept accept-charset accept-encoding accept-language accept-ranges access-control-allow-credentials access-control-allow-headers
	access-control-allow-methods access-control-allow-origin access-control-expose-headers access-control-max-age age allow alt-svc cache-control connection
	content-encoding content-language content-length content-type date expires grpc-accept-encoding grpc-encoding grpc-status host keep-alive last-modified pragma
	sec-fetch-dest sec-fetch-mode sec-fetch-site sec-websocket-version server strict-transport-security te transfer-encoding upgrade upgrade-insecure-requests
	user-agent vary via x-content-type-options x-frame-options`)

func (m *masker) fields(fields []flow.Field) []flow.Field {
	if fields == nil {
		return nil
	}
	out := make([]flow.Field, 0, len(fields))
	for _, f := range fields {
		name := f.Name
		if len(name) >= minWord && !plainFields[strings.ToLower(name)] {
			name = m.words(name)
		}
		out = append(out, flow.NewField(name, m.field(f)))
	}
	return out
}

// field masks the value of a header field.
func (m *masker) field(f flow.Field) string {
	text := f.Reveal()
	if text == "" || isMask(text) {
		return text
	}
	switch name := strings.ToLower(strings.TrimSpace(f.Name)); name {
	case "host", ":authority":
		return m.host(text)
	case "content-length", "date", "accept-encoding", "connection":
		return m.secrets(text)
	case "user-agent": // names the app and the system; only what was found in it goes
		return m.found(m.secrets(text))
	case "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate", "authentication-info":
		return m.authorization(name, text)
	case "cookie":
		return m.cookies(text)
	case "set-cookie", "set-cookie2":
		return m.setCookie(text)
	case "referer", "location", "content-location", "origin", "refresh", "link", "x-original-url", "x-rewrite-url", ":path":
		return m.links(m.secrets(text))
	case "content-type":
		return m.secrets(text) // a boundary has to stay that of the content
	case "content-disposition":
		return m.disposition(text)
	default:
		return m.named(strings.TrimSuffix(f.Name, binarySuffix), m.secrets(text))
	}
}

// binarySuffix ends the names of metadata that gRPC writes in base64 (grpc.io, PROTOCOL-HTTP2).
const binarySuffix = "-bin"

// named masks the value of a field by its name and its text.
func (m *masker) named(name, text string) string {
	if kindByName(name, text) != "" || flow.Sensitive(name) {
		if isMask(text) {
			return text
		}
		return m.take(Credential, strings.TrimSpace(text))
	}
	return m.value(name, text)
}

// found masks what the search found in the flow, and no more.
func (m *masker) found(s string) string {
	for _, phrase := range m.phrases {
		if strings.Contains(s, phrase) {
			s = replaceWord(s, phrase, func() string { return m.put(m.known[phrase]) })
		}
	}
	return s
}

// authorization masks credentials and keeps their scheme (RFC 9110, 11.4). What a server
// says of its realm is masked where it is a value.
func (m *masker) authorization(name, text string) string {
	if strings.HasSuffix(name, "authenticate") {
		return m.value("", m.secrets(text))
	}
	scheme, rest, ok := strings.Cut(strings.TrimSpace(text), " ")
	rest = strings.TrimSpace(rest)
	if !ok || rest == "" || len(scheme) > 32 || strings.ContainsAny(scheme, "=,.@") {
		return m.take(Credential, strings.TrimSpace(text))
	}
	if isMask(rest) {
		return text
	}
	return scheme + " " + m.take(Credential, rest)
}

// cookies masks the values of a Cookie field (RFC 6265, 4.2).
func (m *masker) cookies(text string) string {
	parts := strings.Split(text, ";")
	for i, part := range parts {
		parts[i] = m.cookie(part)
	}
	return strings.Join(parts, ";")
}

// cookie masks one cookie, whatever its value is.
func (m *masker) cookie(part string) string {
	name, val, ok := strings.Cut(part, "=")
	if !ok { // without a name (RFC 6265bis, 5.6)
		name, val = "", part
	}
	trimmed := strings.Trim(strings.TrimSpace(val), `"`)
	if name != "" {
		name = m.words(name) + "="
	}
	if trimmed == "" || isMask(trimmed) {
		return name + val
	}
	if plain := unescaped(trimmed); plain != trimmed {
		m.r.remember(plain, value{Cookie, digestOf(trimmed)})
	}
	space := ""
	if !ok && strings.HasPrefix(val, " ") {
		space = " "
	}
	return name + space + m.take(Cookie, trimmed)
}

// setCookie masks the value of a Set-Cookie field and keeps its attributes (RFC 6265, 4.1).
func (m *masker) setCookie(text string) string {
	first, attributes, has := strings.Cut(text, ";")
	out := m.cookie(first)
	if has {
		out += ";" + m.words(attributes)
	}
	return out
}

// links masks a field that has URLs, relative ones among them.
func (m *masker) links(text string) string {
	if !strings.Contains(text, "://") && !strings.ContainsAny(text, " <\"") {
		return m.reference(m.found(text))
	}
	if open := strings.IndexByte(text, '<'); open >= 0 && !strings.Contains(text, "://") { // Link with relative references (RFC 8288, 3)
		var b strings.Builder
		for {
			i := strings.IndexByte(text, '<')
			n := strings.IndexByte(text[max(i, 0):], '>')
			if i < 0 || n < 0 {
				return b.String() + m.plain(text)
			}
			b.WriteString(m.plain(text[:i]) + "<" + m.reference(text[i+1:i+n]))
			text = text[i+n:]
		}
	}
	return m.plain(text)
}

// disposition masks the names of files, which people give (RFC 6266; RFC 7578, 4.2).
func (m *masker) disposition(text string) string {
	kind, params, err := mime.ParseMediaType(text)
	if err != nil || params["filename"] == "" {
		return m.value("", m.secrets(text))
	}
	file := params["filename"]
	ext := ""
	if i := strings.LastIndexByte(file, '.'); i > 0 && len(file)-i <= 6 {
		ext = file[i:]
	}
	params["filename"] = m.take(Identifier, file) + m.words(ext)
	if name, ok := params["name"]; ok {
		params["name"] = m.words(name)
	}
	return mime.FormatMediaType(kind, params)
}

// frames masks the messages of a WebSocket.
func (m *masker) frames(frames []flow.Frame) []flow.Frame {
	if frames == nil {
		return nil
	}
	out := make([]flow.Frame, len(frames))
	for i, f := range frames {
		out[i] = m.frame(f)
	}
	return out
}

// Codes of WebSocket frames (RFC 6455, 5.2).
const (
	frameText  = 1
	frameClose = 8
)

func (m *masker) frame(f flow.Frame) flow.Frame {
	if len(f.Data) == 0 {
		return f
	}
	data, status := f.Data, []byte(nil)
	if f.Opcode == frameClose && len(data) >= 2 {
		status, data = data[:2:2], data[2:]
	}
	if f.Compressed {
		return m.without(f, "compressed message of a WebSocket")
	}
	m.cut = f.Truncated
	defer func() { m.cut = false }()
	var masked []byte
	why := ""
	if isText(data) {
		masked = []byte(m.content(string(data)))
	} else if masked, why = m.binary(data, f.Opcode != frameText); why != "" {
		return m.without(f, "binary message of a WebSocket")
	}
	f.Data = slices.Concat(status, masked)
	if !f.Truncated {
		f.Size = int64(len(f.Data))
	}
	return f
}

func (m *masker) without(f flow.Frame, why string) flow.Frame {
	m.leftOut[why]++
	f.Data, f.Truncated = nil, true
	return f
}
