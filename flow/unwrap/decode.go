package unwrap

import (
	"bytes"
	"html"
	"unicode/utf16"
	"unicode/utf8"

	"telltale/flow"
)

// The layers that are no content coding.
const (
	layerPercent  = "percent-encoding"
	layerPlus     = "plus signs for spaces"
	layerEscapes  = "JSON escapes"
	layerEntities = "HTML entities"
	layerString   = "JSON in a string"
	layerBase64   = "base64"
	layerBase32   = "base32"
	layerHex      = "hex"
	layerUTF16    = "UTF-16"
	layerQuoted   = "quoted-printable"
	layerLabels   = "joined labels"
)

// class says what a byte may be part of; of a text, what its bytes together may be.
type class uint16

const (
	hasPercent class = 1 << iota
	hasBackslash
	hasAmpersand
	hasControl // one that text does not have
	hasHigh    // beyond ASCII
	structure  // "{", "[", "<" or "="
	notBase64
	endsBare // a literal of JSON
	hasColon
	endsString // or is an escape in it
	notWord    // no letter, no digit and no "_"
	hasPlus
	hasQuery // "?"
)

// special are the bytes that say that a text is encoded, at any length.
const special = hasPercent | hasBackslash | hasAmpersand | hasControl | hasHigh

var classes = func() (t [256]class) {
	for c := range t {
		t[c] = notBase64 | notWord
		switch b := byte(c); {
		case isWordByte(b):
			t[c] = 0
		case bytes.IndexByte([]byte("+/-="), b) >= 0:
			t[c] = notWord
		case b >= utf8.RuneSelf:
			t[c] |= hasHigh
		case b < ' ' && bytes.IndexByte([]byte("\n\r\t\f\x1e"), b) < 0, b == 0x7f:
			t[c] |= hasControl
		}
	}
	t['%'] |= hasPercent
	t['\\'] |= hasBackslash
	t['&'] |= hasAmpersand
	t[':'] |= hasColon
	t['+'] |= hasPlus
	t['?'] |= hasQuery
	t['"'] |= endsString
	t['\\'] |= endsString
	for _, c := range []byte("{[<=") {
		t[c] |= structure
	}
	for _, c := range []byte(" \t\r\n,:[]{}\"") {
		t[c] |= endsBare
	}
	return t
}()

func classify(text []byte) class {
	var flags class
	for len(text) >= 8 {
		flags |= classes[text[0]] | classes[text[1]] | classes[text[2]] | classes[text[3]] |
			classes[text[4]] | classes[text[5]] | classes[text[6]] | classes[text[7]]
		text = text[8:]
	}
	for _, c := range text {
		flags |= classes[c]
	}
	return flags
}

// A decodeStep appends what the text at i stands for to out, and returns how many bytes
// that took; 0 means that the byte is itself.
type decodeStep func(out, text []byte, i int) ([]byte, int)

// decodeAll appends text without one encoding, whose every piece starts with mark. It
// reports whether there was any.
func decodeAll(out, text []byte, mark byte, decode decodeStep) ([]byte, bool) {
	changed := false
	for {
		i := bytes.IndexByte(text, mark)
		if i < 0 {
			return append(out, text...), changed
		}
		out = append(out, text[:i]...)
		var n int
		if out, n = decode(out, text, i); n == 0 {
			out, n = append(out, mark), 1
		} else {
			changed = true
		}
		text = text[i+n:]
	}
}

// percentStep undoes percent-encoding (RFC 3986, 2.1).
func percentStep(out, text []byte, i int) ([]byte, int) {
	if c, ok := flow.PercentByte(text, i); ok {
		return append(out, c), 3
	}
	return out, 0
}

// escapeStep undoes an escape of a string in JSON (RFC 8259, 7) or JavaScript
// (ECMA-262, 12.9.4).
func escapeStep(out, text []byte, i int) ([]byte, int) {
	if i+1 >= len(text) {
		return out, 0
	}
	switch c := text[i+1]; c {
	case '"', '\\', '/', '\'':
		return append(out, c), 2
	case 'b':
		return append(out, '\b'), 2
	case 'f':
		return append(out, '\f'), 2
	case 'n':
		return append(out, '\n'), 2
	case 'r':
		return append(out, '\r'), 2
	case 't':
		return append(out, '\t'), 2
	case 'x':
		if r, ok := hexNumber(text, i+2, 2); ok {
			return utf8.AppendRune(out, r), 4
		}
	case 'u':
		return unicodeStep(out, text, i)
	}
	return out, 0
}

// unicodeStep undoes \u0040, a pair of surrogates among them, and \u{40}.
func unicodeStep(out, text []byte, i int) ([]byte, int) {
	if i+2 < len(text) && text[i+2] == '{' {
		end := bytes.IndexByte(text[i:min(i+11, len(text))], '}')
		if r, ok := hexNumber(text, i+3, end-3); ok {
			return utf8.AppendRune(out, r), end + 1
		}
		return out, 0
	}
	r, ok := hexNumber(text, i+2, 4)
	if !ok {
		return out, 0
	}
	if utf16.IsSurrogate(r) && i+7 < len(text) && text[i+6] == '\\' && text[i+7] == 'u' {
		if low, ok := hexNumber(text, i+8, 4); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return utf8.AppendRune(out, pair), 12
			}
		}
	}
	return utf8.AppendRune(out, r), 6
}

// hexNumber reads n hexadecimal digits at i.
func hexNumber(text []byte, i, n int) (rune, bool) {
	if n <= 0 || i+n > len(text) {
		return 0, false
	}
	var r rune
	for _, c := range text[i : i+n] {
		d := hexDigits[c]
		if d < 0 {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

var hexDigits = digits("0123456789abcdef", "0123456789ABCDEF")

// digits returns the value of each byte in the alphabets, -1 for others.
func digits(alphabets ...string) (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for _, alphabet := range alphabets {
		for i, c := range []byte(alphabet) {
			t[c] = int8(i)
		}
	}
	return t
}

// maxEntity is the length of the longest entity of HTML.
const maxEntity = 33

// entityStep undoes a character reference of HTML or XML that ends as it should
// (WHATWG HTML, 13.5).
func entityStep(out, text []byte, i int) ([]byte, int) {
	end := bytes.IndexByte(text[i:min(i+maxEntity, len(text))], ';')
	if end < 2 {
		return out, 0
	}
	entity := string(text[i : i+end+1])
	if plain := html.UnescapeString(entity); plain != entity {
		return append(out, plain...), end + 1
	}
	return out, 0
}

// utf16Order returns how text is UTF-16: nil when it is not. Without a byte order mark,
// nearly every other byte of what is sent in it is zero.
func utf16Order(data []byte) (bigEndian, ok bool) {
	if len(data) < 4 {
		return false, false
	}
	switch {
	case data[0] == 0xff && data[1] == 0xfe:
		return false, true
	case data[0] == 0xfe && data[1] == 0xff:
		return true, true
	}
	var zeros [2]int
	sample := data[:min(len(data), 512)&^1]
	for i, c := range sample {
		if c == 0 {
			zeros[i&1]++
		}
	}
	half := len(sample) / 2
	switch {
	case zeros[1]*4 >= half*3 && zeros[0] == 0:
		return false, true
	case zeros[0]*4 >= half*3 && zeros[1] == 0:
		return true, true
	}
	return false, false
}

// appendUTF16 appends UTF-16 as UTF-8.
func appendUTF16(out, data []byte, bigEndian bool) []byte {
	unit := func(i int) rune {
		if bigEndian {
			return rune(data[i])<<8 | rune(data[i+1])
		}
		return rune(data[i+1])<<8 | rune(data[i])
	}
	for i := 0; i+1 < len(data); i += 2 {
		r := unit(i)
		if r == 0xfeff && i == 0 {
			continue
		}
		if utf16.IsSurrogate(r) && i+3 < len(data) {
			if pair := utf16.DecodeRune(r, unit(i+2)); pair != utf8.RuneError {
				r = pair
				i += 2
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

// looksLikeText reports whether data is UTF-8 without control characters that text does
// not have. The last character may be cut.
func looksLikeText(data []byte) bool {
	for i := 0; i < len(data); {
		c := data[i]
		if c < utf8.RuneSelf {
			if classes[c]&hasControl != 0 {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n <= 1 {
			return i > 0 && !utf8.FullRune(data[i:])
		}
		i += n
	}
	return true
}
