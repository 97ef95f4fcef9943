package redact

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"telltale/exposure"
)

// quoted masks a text with strings in quotes: JSON, one document or many, whole or cut,
// scripts, event streams, and any other text, which has none. What it does not mask stays
// byte for byte.
func (m *masker) quoted(s string) string {
	if strings.IndexByte(s, '"') < 0 && strings.IndexByte(s, '\'') < 0 {
		return m.plain(s)
	}
	q := quoting{masker: m, text: s}
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case q.open < maxOpen && (c == '"' || c == '\'' && q.opens(i)):
			i = q.string(i)
		case c == '{' || c == '[':
			q.push(c)
			i++
		case c == '}' || c == ']':
			q.pop()
			i++
		case c == ',' && !q.inArray():
			q.name = ""
			i++
		case (c == '-' || c >= '0' && c <= '9') && q.isValue(i):
			i = q.number(i)
		default:
			i++
		}
	}
	return q.end(len(s))
}

// quoting is one pass over a text.
type quoting struct {
	*masker
	text  string
	out   strings.Builder
	done  int    // bytes of text that were written
	name  string // of the value that comes
	pair  string // what the member "name" before says
	inner []container
	open  int // strings that had no end
}

// maxOpen is how many strings without an end are tried: each takes a look at all the rest.
const maxOpen = 16

type container struct {
	array  bool
	name   string
	secret bool // all texts in it are secrets
}

// maxContainers bounds what is remembered of what a value stands in.
const maxContainers = 1000

func (q *quoting) push(c byte) {
	if len(q.inner) < maxContainers {
		q.inner = append(q.inner, container{c == '[', q.name, q.secret() || holdsSecrets(q.name)})
	}
	if c == '{' {
		q.name, q.pair = "", ""
	}
}

func (q *quoting) pop() {
	if n := len(q.inner); n > 0 {
		q.inner = q.inner[:n-1]
	}
	q.name, q.pair = "", ""
}

func (q *quoting) inArray() bool { return len(q.inner) > 0 && q.inner[len(q.inner)-1].array }
func (q *quoting) secret() bool  { return len(q.inner) > 0 && q.inner[len(q.inner)-1].secret }

// before returns the last character before i that is no white space, 0 for none.
func (q *quoting) before(i int) byte {
	for i--; i >= 0; i-- {
		if c := q.text[i]; c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c
		}
	}
	return 0
}

// opens reports whether an apostrophe begins a string of a script.
func (q *quoting) opens(i int) bool {
	c := q.before(i)
	return c != 0 && strings.IndexByte("=:([,{+?", c) >= 0 || c == 0 && strings.IndexByte(q.text[i+1:], '\'') > 0
}

// isValue reports whether a number at i is a value, and not part of a word.
func (q *quoting) isValue(i int) bool {
	if i > 0 && (isAlphanumeric(q.text[i-1]) || strings.IndexByte("._-", q.text[i-1]) >= 0) {
		return false
	}
	c := q.before(i)
	return c == ':' || c == '=' || q.inArray() && (c == '[' || c == ',')
}

// gap masks what stands between strings, up to i.
func (q *quoting) gap(i int) {
	if i > q.done {
		q.out.WriteString(q.plain(q.text[q.done:i]))
		q.done = i
	}
}

// string masks the string that begins at i, and returns where what follows begins.
func (q *quoting) string(i int) int {
	quote := q.text[i]
	end := i + 1
	for end < len(q.text) && q.text[end] != quote {
		if q.text[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(q.text) { // it was cut, or is none
		q.open++
		if end = len(q.text); q.before(i) != ':' && q.before(i) != '=' && !q.cut {
			return i + 1
		}
	}
	raw := q.text[i+1 : end]
	text := unquoted(raw)
	after := end + 1
	for after < len(q.text) && (q.text[after] == ' ' || q.text[after] == '\t' || q.text[after] == '\n' || q.text[after] == '\r') {
		after++
	}
	if after < len(q.text) && q.text[after] == ':' && !(q.inArray() && len(q.inner) > 0) { // a name
		q.name = text
		if len(text) >= minWord {
			q.replace(i+1, end, text, q.masker.value("", text))
		}
		return after + 1
	}
	q.replace(i+1, end, text, q.member(i, text))
	return min(end+1, len(q.text))
}

// member masks the value of a member, whose string begins at i.
func (q *quoting) member(i int, text string) string {
	name := q.name
	if name == "" {
		name = q.assigned(i)
	}
	b := bare(name)
	if b == "value" && q.pair != "" {
		name = q.pair
	}
	if name == "" && q.inArray() {
		name = q.inner[len(q.inner)-1].name
	}
	masked := q.masker.value(name, text)
	if masked == text && q.secret() && len(text) >= 4 && !isMask(text) && !isWord(text) {
		masked = q.take(Credential, text)
	}
	if (b == "name" || b == "key") && len(text) <= maxName {
		q.pair = text
	}
	return masked
}

// assigned returns the word to which a script assigns what comes: token = "…".
func (q *quoting) assigned(at int) string {
	s := strings.TrimRight(q.text[max(0, at-2*maxName):at], " \t")
	s, ok := strings.CutSuffix(s, "=")
	if !ok {
		if s, ok = strings.CutSuffix(s, ":"); !ok {
			return ""
		}
	}
	s = strings.TrimRight(s, " \t")
	i := len(s)
	for i > 0 && len(s)-i < maxName && (isAlphanumeric(s[i-1]) || s[i-1] == '_' || s[i-1] == '-' || s[i-1] == '.') {
		i--
	}
	return s[i:]
}

// number masks the number at i, where its name or an earlier find says what it is.
func (q *quoting) number(i int) int {
	end := i + 1
	for end < len(q.text) && (isAlphanumeric(q.text[end]) || q.text[end] == '.' || q.text[end] == '+' || q.text[end] == '-') {
		end++
	}
	text := q.text[i:end]
	name := q.name
	if name == "" && q.inArray() {
		name = q.inner[len(q.inner)-1].name
	}
	if bare(name) == "value" && q.pair != "" {
		name = q.pair
	}
	masked := text
	if v, ok := q.lookup(text); ok {
		masked = q.put(v)
	} else if kind := q.kindOf(name, text); kind != "" {
		masked = q.take(kind, text)
	}
	if masked != text {
		q.gap(i)
		q.out.WriteString(`"` + masked + `"`)
		q.done = end
	}
	return end
}

// kindOf returns what a number is: by its name, its look, or what it stands in.
func (q *quoting) kindOf(name, text string) string {
	kind := kindByName(name, text)
	switch {
	case kind != "" && (len(text) >= 4 || numberNames[bare(name)]):
		return kind
	case isCard(text):
		return Identifier
	case !isDegrees(text):
		return ""
	}
	for _, c := range q.inner {
		if exposure.Promises(c.name, text) {
			return exposure.Location
		}
	}
	return ""
}

// replace writes what stands for the string between two places.
func (q *quoting) replace(start, end int, text, masked string) {
	q.gap(start)
	if masked == text {
		q.out.WriteString(q.text[start:end])
	} else {
		q.out.WriteString(escapedIn(masked, q.text[start-1]))
	}
	q.done = end
}

func (q *quoting) end(at int) string {
	if q.done == 0 {
		return q.plain(q.text)
	}
	q.gap(at)
	return q.out.String()
}

// unquoted undoes the escapes of a string (RFC 8259, 7), and those of a script.
func unquoted(raw string) string {
	if strings.IndexByte(raw, '\\') < 0 {
		return raw
	}
	var out string
	if json.Unmarshal([]byte(`"`+raw+`"`), &out) == nil {
		return out
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 == len(raw) {
			b.WriteByte(raw[i])
			continue
		}
		i++
		switch c := raw[i]; {
		case c == 'n':
			b.WriteByte('\n')
		case c == 't':
			b.WriteByte('\t')
		case c == 'r':
			b.WriteByte('\r')
		case c == 'x' && i+2 < len(raw):
			if d, ok := hexByte(raw[i+1 : i+3]); ok {
				b.WriteRune(rune(d))
				i += 2
			}
		case c == 'u' && i+4 < len(raw):
			hi, ok1 := hexByte(raw[i+1 : i+3])
			lo, ok2 := hexByte(raw[i+3 : i+5])
			if ok1 && ok2 {
				b.WriteRune(rune(hi)<<8 | rune(lo))
				i += 4
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func hexByte(s string) (byte, bool) {
	var n byte
	for i := range len(s) {
		c := s[i] | 0x20
		switch {
		case s[i] >= '0' && s[i] <= '9':
			n = n<<4 | (s[i] - '0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | (c - 'a' + 10)
		default:
			return 0, false
		}
	}
	return n, true
}

// escapedIn writes a text as a string of JSON or of a script, without its quotes.
func escapedIn(text string, quote byte) string {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\ufffd")
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(text) != nil { // no string fails
		return ""
	}
	out := strings.TrimSuffix(b.String(), "\n")
	out = out[1 : len(out)-1]
	if quote == '\'' {
		out = strings.ReplaceAll(strings.ReplaceAll(out, `\"`, `"`), `'`, `\'`)
	}
	return out
}
