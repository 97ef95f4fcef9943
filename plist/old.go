package plist

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"telltale/plist/elements"
)

// oldReader reads the old text form.
type oldReader struct {
	data []byte
	at   int
	line int
}

// readOld reads the old form: one value, or the entries of a dictionary without its braces,
// as .strings files have them.
func readOld(data []byte) (*Value, error) {
	r := &oldReader{data: data, line: 1}
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		r.at = 3
	}
	var v Value
	var err error
	switch c := r.next(); {
	case c == 0 && r.at >= len(data):
		return nil, elements.Errorf(0, "the property list is empty")
	case c == '{' || c == '(' || c == '<':
		v, err = r.value(0)
	default:
		v = Value{Kind: Dictionary, Line: r.line, Start: r.at}
		err = r.entries(&v, 0)
	}
	if err == nil && r.next() != 0 {
		err = elements.Errorf(r.line, "something stands behind the end of the property list")
	}
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// next goes over blanks and comments, and returns the byte that follows; 0 at the end.
func (r *oldReader) next() byte {
	for r.at < len(r.data) {
		rest := r.data[r.at:]
		switch c := rest[0]; {
		case c == '\n':
			r.line++
			r.at++
		case c == ' ' || c == '\t' || c == '\r':
			r.at++
		case bytes.HasPrefix(rest, []byte("//")):
			n := bytes.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			r.at += n
		case bytes.HasPrefix(rest, []byte("/*")):
			n := bytes.Index(rest, []byte("*/"))
			if n < 0 {
				n = len(rest) - 2
			}
			r.line += bytes.Count(rest[:n], []byte("\n"))
			r.at += n + 2
		default:
			return c
		}
	}
	return 0
}

// value reads what comes next.
func (r *oldReader) value(depth int) (v Value, err error) {
	if depth > elements.MaxDepth {
		return v, elements.Limitf(r.line, "values are nested deeper than %d levels", elements.MaxDepth)
	}
	c := r.next()
	v.Line, v.Start = r.line, r.at
	switch c {
	case '{':
		v.Kind = Dictionary
		r.at++
		if err = r.entries(&v, depth); err != nil {
			return v, err
		}
		if r.next() != '}' {
			return v, elements.Errorf(r.line, "a dictionary is not closed, expected }")
		}
		r.at++
	case '(':
		v.Kind = Array
		r.at++
		err = r.items(&v, depth)
	case '<':
		v.Kind = Data
		n := bytes.IndexByte(r.data[r.at:], '>')
		if n < 0 {
			return v, elements.Errorf(r.line, "data is not closed, expected >")
		}
		v.Text = string(r.data[r.at+1 : r.at+n])
		r.line += strings.Count(v.Text, "\n")
		r.at += n + 1
	default:
		v.Kind = Text
		v.Text, v.Start, v.End, err = r.text()
		return v, err
	}
	v.End = r.at
	return v, err
}

// items reads the values of an array up to its end.
func (r *oldReader) items(v *Value, depth int) error {
	for r.next() != ')' {
		item, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		v.Items = append(v.Items, item)
		switch r.next() {
		case ',':
			r.at++
		case ')':
		default:
			return elements.Errorf(r.line, "an array is not closed, expected a comma or )")
		}
	}
	r.at++
	return nil
}

// entries reads keys and values up to the end of the dictionary or the file. A key alone
// is its own value, as Apple's reader has it.
func (r *oldReader) entries(v *Value, depth int) error {
	for {
		if c := r.next(); c == 0 || c == '}' {
			v.End = r.at
			return nil
		}
		key := Key{Line: r.line}
		var err error
		if key.Name, key.Start, key.End, err = r.text(); err != nil {
			return err
		}
		item := Value{Kind: Text, Line: key.Line, Start: key.Start, End: key.End, Text: key.Name}
		if r.next() == '=' {
			r.at++
			if item, err = r.value(depth + 1); err != nil {
				return err
			}
		}
		if r.next() != ';' {
			return elements.Errorf(r.line, "the value of the key %q does not end, expected ;", elements.Clip(key.Name))
		}
		r.at++
		v.Keys, v.Items = append(v.Keys, key), append(v.Items, item)
	}
}

// text reads a text with or without quotes; start and end are what is between them.
func (r *oldReader) text() (text string, start, end int, err error) {
	quote := r.next()
	if quote != '"' && quote != '\'' {
		for start = r.at; r.at < len(r.data) && plain(r.data[r.at]); {
			r.at++
		}
		if r.at == start {
			if quote == 0 {
				return "", 0, 0, elements.Errorf(r.line, "the property list is cut off, expected a text")
			}
			c, _ := utf8.DecodeRune(r.data[start:])
			return "", 0, 0, elements.Errorf(r.line, "%q stands here, expected a text", c)
		}
		return string(r.data[start:r.at]), start, r.at, nil
	}
	line := r.line
	r.at++
	escaped := false
	for start = r.at; r.at < len(r.data); r.at++ {
		switch c := r.data[r.at]; c {
		case quote:
			end = r.at
			r.at++
			text = string(r.data[start:end])
			if escaped {
				text = unescape(text)
			}
			return text, start, end, nil
		case '\\':
			escaped = true
			if r.at+1 < len(r.data) && r.data[r.at+1] != '\n' {
				r.at++
			}
		case '\n':
			r.line++
		}
	}
	return "", 0, 0, elements.Errorf(line, "a text is not closed, expected %q", rune(quote))
}

// plain reports whether a byte may be in a text without quotes.
func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_$/:.-+", c) >= 0 || c >= utf8.RuneSelf
}

// unescape resolves what follows a backslash.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'U', 'u':
			r, size := unit16(s[i+1:])
			if size > 0 && utf16.IsSurrogate(r) && strings.HasPrefix(s[i+1+size:], "\\") {
				if low, more := unit16(s[min(i+3+size, len(s)):]); more > 0 {
					r, size = utf16.DecodeRune(r, low), size+2+more
				}
			}
			if size == 0 {
				r = rune(c)
			}
			b.WriteRune(r)
			i += size
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unit16 reads four hexadecimal digits.
func unit16(s string) (r rune, size int) {
	if len(s) < 4 {
		return 0, 0
	}
	n, err := strconv.ParseUint(s[:4], 16, 16)
	if err != nil {
		return 0, 0
	}
	return rune(n), 4
}
