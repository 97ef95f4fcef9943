package filter

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"telltale/flow"
)

// splitWords splits at white space. A quote at the start of a word keeps it
// together up to the next quote that ends one, or to the end of the text: the
// person may not have typed that quote yet. Quotes inside of words are letters
// like others, as in "name":"value".
func splitWords(s string) []string {
	var words []string
	for s = strings.TrimLeftFunc(s, unicode.IsSpace); s != ""; s = strings.TrimLeftFunc(s, unicode.IsSpace) {
		var word string
		if s[0] == '"' {
			word, s = cutQuoted(s[1:])
		} else if end := strings.IndexFunc(s, unicode.IsSpace); end >= 0 {
			word, s = s[:end], s[end:]
		} else {
			word, s = s, ""
		}
		if word = string(appendLower(nil, word)); word != "" && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}

func cutQuoted(s string) (quoted, rest string) {
	for i := range len(s) {
		if s[i] != '"' {
			continue
		}
		if r, _ := utf8.DecodeRuneInString(s[i+1:]); i+1 == len(s) || unicode.IsSpace(r) {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// appendLower appends s in lower case, letter by letter and the same in every
// country. Bytes that are no UTF-8 stay as they are.
func appendLower[T string | []byte](b []byte, s T) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			b = append(b, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)]))
		if r == utf8.RuneError {
			b = append(b, s[i:i+size]...)
		} else {
			b = utf8.AppendRune(b, unicode.ToLower(r))
		}
		i += size
	}
	return b
}

func containsLower(lines []byte, word string) bool {
	return bytes.Contains(lines, []byte(word))
}

// appendLines appends what words are looked for in, in lower case: what a list or
// a page of details would show of the flow, a line for each value, and bodies
// where they are loaded.
func appendLines(b []byte, s *sighting) []byte {
	f, j := s.flow, s.judgement
	line := func(text string) {
		if text != "" {
			b = append(appendLower(b, text), '\n')
		}
	}
	url := f.URL()
	line(url)
	if strings.Contains(url, "%") {
		line(f.Path())
	}
	line(f.Host())
	line(f.Method())
	if status := f.Status(); status != 0 {
		b = append(strconv.AppendInt(b, int64(status), 10), '\n')
	}
	line(f.Protocol())
	for _, text := range []string{
		string(f.Kind), f.Mode, string(f.Outcome), f.Failure, f.Error, f.Phase, string(j.Verdict), string(j.Rule()), j.Category,
		client(s), device(s), f.Server.Asked, f.Server.SNI, address(s), alpn(s), ja4(s),
		f.Client.App.Name, f.Client.App.ID, destination(s), f.Server.Resolved, f.Speech, question(s), code(s), answers(s),
	} {
		line(text)
	}
	for _, texts := range [...][]string{f.Altered, f.Experiments, f.Notes} {
		for _, text := range texts {
			line(text)
		}
	}
	if f.Request != nil {
		b = appendHeader(b, f.Request.Header)
	}
	if f.Response != nil {
		b = appendHeader(b, f.Response.Header)
	}
	eachContent(f, func(part []byte) { b = append(appendLower(b, part), '\n') })
	return b
}

func appendHeader(b []byte, fields []flow.Field) []byte {
	for _, h := range fields {
		b = append(appendLower(b, h.Name), ": "...)
		b = append(appendLower(b, h.Value()), '\n')
	}
	return b
}
