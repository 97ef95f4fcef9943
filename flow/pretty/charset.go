package pretty

import (
	"bytes"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
)

// Byte order marks.
const (
	markUTF8  = "\xef\xbb\xbf"
	markUTF16 = "\xfe\xff"
	markLE16  = "\xff\xfe"
)

// characters returns data as UTF-8, and false when it is no text. A byte order
// mark goes before what the type says, as on the web (WHATWG Encoding, 6.1).
func (p *page) characters(t mediaType, data []byte) (string, bool) {
	label := strings.ToLower(strings.TrimSpace(t.params["charset"]))
	switch {
	case bytes.HasPrefix(data, []byte(markUTF8)):
		return p.undeclared(t, data[len(markUTF8):])
	case bytes.HasPrefix(data, []byte(markUTF16)), bytes.HasPrefix(data, []byte(markLE16)):
		return p.translated("utf-16", unicode.UTF16(unicode.BigEndian, unicode.UseBOM), data)
	case label == "", label == "utf-8", label == "utf8", label == "us-ascii", label == "binary":
		return p.undeclared(t, data)
	}
	charset, err := htmlindex.Get(label)
	if err != nil {
		p.note("the character encoding %q is not known", label)
		return p.undeclared(t, data)
	}
	return p.translated(label, charset, data)
}

// undeclared takes data as UTF-8. What calls itself text may be damaged.
func (p *page) undeclared(t mediaType, data []byte) (string, bool) {
	if looksLikeText(data) {
		return string(data), true
	}
	says := strings.HasPrefix(t.name, "text/") || t.is("application/json", "+json", "application/xml", "+xml", "application/javascript", "application/x-www-form-urlencoded")
	if says && bytes.IndexByte(data, 0) < 0 {
		return string(data), true
	}
	return "", false
}

// translated returns data from another character encoding as UTF-8.
func (p *page) translated(label string, from encoding.Encoding, data []byte) (string, bool) {
	out, err := from.NewDecoder().Bytes(data)
	if err != nil || bytes.IndexByte(out, 0) >= 0 {
		return "", false
	}
	p.layer(label)
	return string(out), true
}
