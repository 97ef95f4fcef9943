package capture

import (
	"errors"
	"strings"

	"telltale/flow"
)

// Header blocks are kept as text that reads like HTTP/1: "Name: value" and a
// line feed each. A backslash, carriage return or line feed within a name or a
// value, and a colon within a name other than at the start of a pseudo-header's,
// is escaped with a backslash, so that every block can be read back exactly.

const (
	specialInValue = "\\\r\n"
	specialInName  = "\\\r\n:"
)

// appendFields appends the text of a header block.
func appendFields(dst []byte, fields []flow.Field) []byte {
	for _, f := range fields {
		name := f.Name
		if isPseudo(name) {
			dst, name = append(dst, ':'), name[1:]
		}
		dst = appendEscaped(dst, name, specialInName)
		dst = append(dst, ": "...)
		dst = appendEscaped(dst, f.Reveal(), specialInValue)
		dst = append(dst, '\n')
	}
	return dst
}

// isPseudo reports whether s starts like a pseudo-header field (RFC 9113, 8.3).
func isPseudo(s string) bool { return len(s) > 1 && s[0] == ':' && 'a' <= s[1] && s[1] <= 'z' }

func appendEscaped(dst []byte, s, special string) []byte {
	for {
		i := strings.IndexAny(s, special)
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(append(dst, s[:i]...), '\\')
		switch s[i] {
		case '\n':
			dst = append(dst, 'n')
		case '\r':
			dst = append(dst, 'r')
		case '\t':
			dst = append(dst, 't')
		default:
			dst = append(dst, s[i])
		}
		s = s[i+1:]
	}
}

var errFields = errors.New("header block is not in the form Name: value")

// parseFields reads a header block back.
func parseFields(text string) ([]flow.Field, error) {
	if text == "" {
		return nil, nil
	}
	fields := make([]flow.Field, 0, strings.Count(text, "\n"))
	for text != "" {
		line, rest, ok := strings.Cut(text, "\n")
		if !ok {
			return nil, errFields
		}
		text = rest
		f, err := parseField(line)
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return fields, nil
}

func parseField(line string) (flow.Field, error) {
	// An escaped colon is preceded by a backslash and an escaped backslash is
	// two of them, so the end of the name is found by walking, not by searching.
	end := 0
	if isPseudo(line) {
		end = 1
	}
	for end < len(line) && line[end] != ':' {
		if line[end] == '\\' {
			end++
		}
		end++
	}
	if end+1 >= len(line) || line[end+1] != ' ' {
		return flow.Field{}, errFields
	}
	name, err := unescape(line[:end])
	if err != nil {
		return flow.Field{}, err
	}
	value, err := unescape(line[end+2:])
	if err != nil {
		return flow.Field{}, err
	}
	return flow.NewField(name, value), nil
}

func unescape(s string) (string, error) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", errFields
		}
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case '\\', ':', '@':
			b.WriteByte(s[i])
		default:
			return "", errFields
		}
	}
	return b.String(), nil
}
