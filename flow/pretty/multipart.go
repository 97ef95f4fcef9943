package pretty

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"slices"
	"strings"

	"telltale/flow"
)

// maxParts is how many parts of one multipart body are shown.
const maxParts = 1000

// multipart shows a multipart body (RFC 2046, 5.1) and reports whether it had a
// part.
func (p *page) multipart(boundary string, data []byte, cut bool) bool {
	if boundary == "" || len(boundary) > 200 {
		return false
	}
	r := multipart.NewReader(bytes.NewReader(data), boundary)
	shown := p.nested(0, func() {
		for n := 0; ; n++ {
			part, err := r.NextRawPart()
			if err == io.EOF && n > 0 {
				return
			}
			if err != nil {
				if n > 0 && !cut {
					p.note("the multipart body is damaged after part %d: %v", n, err)
				}
				boundary = emptyUnless(n > 0, boundary)
				return
			}
			if n == maxParts || p.full() {
				p.note("the parts from number %d on are left out", n+1)
				return
			}
			p.part(n+1, part, cut)
		}
	})
	return shown && boundary != ""
}

func emptyUnless(keep bool, s string) string {
	if keep {
		return s
	}
	return ""
}

// part shows one part: its headers and, indented, its content.
func (p *page) part(number int, part *multipart.Part, cut bool) {
	p.line(0)
	p.add(Comment, "part "+thousands(int64(number)))
	names := make([]string, 0, len(part.Header))
	for name := range part.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range part.Header[name] {
			p.header(name, value)
		}
	}
	data, err := io.ReadAll(part)
	if err != nil && !cut {
		p.note("part %d ends early: %v", number, err)
	}
	if len(data) > 0 && p.hides(part.FormName()) {
		p.line(1)
		p.add(String, flow.Redacted)
		return
	}
	data = p.transferred(part.Header, data)
	t := parseType(part.Header.Get("Content-Type"))
	p.nested(1, func() {
		if p.show(t, data, err != nil) == Empty {
			p.line(0)
			p.add(Comment, Empty)
		}
	})
}

// header shows a header field inside of a body.
func (p *page) header(name, value string) {
	if !p.opts.Reveal {
		value = flow.NewField(name, value).Value()
	}
	p.line(0)
	p.add(Key, p.mask(name))
	p.add(Punctuation, ": ")
	p.add(String, p.mask(value))
}

// transferred undoes the transfer encoding of a part (RFC 2045, 6).
func (p *page) transferred(h textproto.MIMEHeader, data []byte) []byte {
	switch encoding := strings.ToLower(strings.TrimSpace(h.Get("Content-Transfer-Encoding"))); encoding {
	case "base64":
		if out := unbase64(data); len(out) > 0 {
			return out
		}
	case "quoted-printable":
		// What cannot be decoded ends the text; the rest is still there.
		if out, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(data))); err == nil {
			return out
		}
	}
	return data
}

// unbase64 decodes base64 up to its first damage. Padding may stand between, as
// where gRPC-Web puts pieces behind each other.
func unbase64(data []byte) []byte {
	out := make([]byte, 0, len(data)*3/4)
	var group [4]byte
	n := 0
	flush := func() bool {
		text := bytes.TrimRight(group[:n], "=")
		buf, err := base64.RawStdEncoding.DecodeString(string(text))
		out = append(out, buf...)
		n = 0
		return err == nil
	}
	for _, c := range data {
		switch c {
		case '\r', '\n', ' ', '\t':
			continue
		case '-':
			c = '+'
		case '_':
			c = '/'
		}
		group[n] = c
		if n++; n == len(group) && !flush() {
			return out
		}
	}
	if n > 1 {
		flush()
	}
	return out
}
