package reports

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file is where text from a capture becomes harmless. Every string that a
// document shows passes Plain, and then the quoting of its format.

// Plain returns s on one line, with everything that would not show as itself
// on a terminal or page written out: controls, escape sequences, bidirectional
// overrides, invisible and unassigned characters, broken UTF-8. A backslash is
// doubled, so that what was written out can be told from what was there.
func Plain(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	marks := maxMarks // a mark at the start has nothing to stand on
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.In(r, unicode.Mn, unicode.Me) && !invisible(r) && marks < maxMarks:
			marks++
			b.WriteRune(r)
			i += size
			continue
		case r == '\\':
			b.WriteString(`\\`)
		case shows(r):
			b.WriteRune(r)
		default:
			b.WriteString(written(r))
		}
		marks = maxMarks
		if unicode.IsLetter(r) {
			marks = 0
		}
		i += size
	}
	return b.String()
}

// maxMarks is how many combining marks may follow a letter: real scripts need
// two; a tower of them hides the lines above.
const maxMarks = 2

// isPlain reports whether s is printable ASCII without a backslash: the usual
// case, kept free of allocations.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' || s[i] == '\\' {
			return false
		}
	}
	return true
}

// shows reports whether a character that combines with nothing shows as itself.
func shows(r rune) bool {
	return unicode.IsPrint(r) && !unicode.In(r, unicode.Mn, unicode.Me) && !invisible(r)
}

// invisible reports whether r counts as printable and yet shows as nothing: the
// part of Unicode's Default_Ignorable_Code_Point that is neither a format nor an
// unassigned character, and the empty Braille pattern.
func invisible(r rune) bool {
	switch {
	case r == 0x034F, // combining grapheme joiner
		r == 0x115F, r == 0x1160, r == 0x3164, r == 0xFFA0, // Hangul fillers
		r == 0x17B4, r == 0x17B5, // Khmer inherent vowels
		r >= 0x180B && r <= 0x180F, // Mongolian variation selectors
		r == 0x2800,                // Braille pattern blank
		r >= 0xFE00 && r <= 0xFE0F, // variation selectors
		r >= 0xE0100 && r <= 0xE01EF:
		return true
	}
	return false
}

// written returns the escape of a character that does not show.
func written(r rune) string {
	switch r {
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	}
	if r < utf8.RuneSelf {
		return fmt.Sprintf(`\x%02x`, r)
	}
	return fmt.Sprintf(`\u{%x}`, r)
}

// lines returns prose, which may have several lines, as harmless lines without
// trailing space. Tabs become spaces.
func lines(s string) []string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\t", "    ")
	s = strings.Trim(s, "\n")
	if s == "" {
		return nil
	}
	all := strings.Split(s, "\n")
	for i, line := range all {
		// Prose is ours; a backslash in it is no escape.
		parts := strings.Split(strings.TrimRight(line, " "), `\`)
		for j := range parts {
			parts[j] = Plain(parts[j])
		}
		all[i] = strings.Join(parts, `\`)
	}
	return all
}

// clip returns at most n characters of s and says how many it left out.
func clip(s string, n int) string {
	length := utf8.RuneCountInString(s)
	if length <= n {
		return s
	}
	cut, seen := 0, 0
	for i := range s {
		if seen == n {
			cut = i
			break
		}
		seen++
	}
	return s[:cut] + "… (" + plural(length-n, "more character", "more characters") + ")"
}

// cells returns the columns that s takes on a terminal. It is good for what
// Plain returns: East Asian wide characters take two, marks none.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += cellsOf(r)
	}
	return n
}

func cellsOf(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && r <= 0x115F, r >= 0x2E80 && r <= 0xA4CF, r >= 0xA960 && r <= 0xA97C,
		r >= 0xAC00 && r <= 0xD7A3, r >= 0xF900 && r <= 0xFAFF, r >= 0xFE30 && r <= 0xFE6F,
		r >= 0xFF00 && r <= 0xFF60, r >= 0xFFE0 && r <= 0xFFE6, r >= 0x1F000 && r <= 0x1FAFF,
		r >= 0x20000 && r <= 0x3FFFD:
		return 2
	}
	return 1
}

// shellWord returns s as one word of a POSIX shell, so that a command can be
// pasted whatever a host is called.
func shellWord(s string) string {
	safe := s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@%+", r))
	}) < 0
	if safe {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// spreadsheetCell keeps a spreadsheet from running s as a formula (CWE-1236):
// a leading apostrophe makes it text. The full-width forms start a formula too.
func spreadsheetCell(s string) string {
	first, size := utf8.DecodeRuneInString(strings.TrimLeft(s, " "))
	if size > 0 && strings.ContainsRune("=+-@＝＋－＠", first) {
		return "'" + s
	}
	return s
}

// withoutUser redacts the user and password in a URL: they are the URL's
// spelling of an Authorization header (RFC 3986, 3.2.1). It works on text, since
// a URL from a capture need not parse.
func withoutUser(s, redacted string) string {
	start := strings.Index(s, "://")
	if start < 0 {
		return s
	}
	start += len("://")
	end := len(s)
	if i := strings.IndexAny(s[start:], `/?#\`); i >= 0 {
		end = start + i
	}
	at := strings.LastIndexByte(s[start:end], '@')
	if at < 0 {
		return s
	}
	return s[:start] + redacted + s[start+at:]
}

// credentialNames are query parameters whose values are usually secrets.
var credentialNames = map[string]bool{
	"access_token": true, "api_key": true, "apikey": true, "assertion": true, "auth": true,
	"authenticity_token": true, "client_secret": true, "code": true, "code_verifier": true, "id_token": true,
	"key": true, "passwd": true, "password": true, "pwd": true, "refresh_token": true, "samlrequest": true,
	"samlresponse": true, "secret": true, "session": true, "sessionid": true, "sid": true, "sig": true,
	"signature": true, "token": true, "x-amz-security-token": true, "x-amz-signature": true,
}

// credentialIn returns the name of the first query parameter that is called like
// a credential, "" when there is none.
func credentialIn(rawURL string) string {
	_, query, _ := strings.Cut(rawURL, "?")
	query, _, _ = strings.Cut(query, "#")
	for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
		if value != "" && credentialNames[strings.ToLower(name)] {
			return name
		}
	}
	return ""
}
