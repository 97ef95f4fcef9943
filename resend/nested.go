package resend

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"telltale/flow"
)

// This file looks into values: texts within texts.

// maxDepth is how many texts within each other are looked into, maxRounds how often one is
// looked at again after something was taken out of it, and maxWork how many times its length
// is looked at in all.
const (
	maxDepth  = 8
	maxRounds = 4
	maxWork   = 64
)

// nested takes credentials out of a value that is itself a JSON text, a URL, a form, or one of
// these in base64 or percent-encoded.
func (t *taking) nested(value string) string {
	if t.depth == maxDepth || len(value) < minNested {
		return value
	}
	if t.depth == 0 {
		t.budget = maxWork*len(value) + 4096
	}
	if t.budget -= len(value); t.budget < 0 {
		t.took("a value of too many texts within each other")
		return ""
	}
	t.depth++
	defer func() { t.depth-- }()
	if t.learning {
		t.once(value)
		return value
	}
	for range maxRounds {
		clean := t.once(value)
		if clean == value {
			return value
		}
		value = clean
	}
	return ""
}

// minNested is the shortest text that can name a credential: "pin=1".
const minNested = 5

// once looks at a value once.
func (t *taking) once(value string) string {
	trimmed := strings.TrimSpace(value)
	if trimmed == "" {
		return value
	}
	switch one := !strings.ContainsAny(trimmed, " \t\r\n"); {
	case (trimmed[0] == '{' || trimmed[0] == '[' || trimmed[0] == '"') && json.Valid([]byte(value)):
		if clean, ok := t.json([]byte(value)); ok {
			return string(clean)
		}
	case one && (strings.Contains(value, "://") || strings.ContainsAny(value, "?#;") && strings.Contains(value, "=")):
		if clean := t.link(value); clean != value {
			return clean
		}
	case isForm(value):
		if clean := t.form(value, "form"); clean != value {
			return clean
		}
	}
	if plain := flow.Unpercent(value); plain != value {
		if clean := t.nested(plain); clean != plain {
			return url.QueryEscape(clean)
		}
	}
	if plain := decoded(trimmed); plain != "" {
		if clean := t.nested(plain); clean != plain || t.leftover(plain) != "" {
			return "" // a text in base64 goes as a whole
		}
	}
	return value
}

var formLike = regexp.MustCompile(`^[^\s=&?/"'{}<>()]+=[^\s&]*(&[^\s=&]*(=[^\s&]*)?)*$`)

// isForm reports whether a value has the form of name=value&name=value.
func isForm(value string) bool {
	return strings.IndexByte(value, '=') > 0 && formLike.MatchString(value)
}

// link takes the credentials out of a URL, whole or relative: its user, its query, its
// fragment, and the parameters of its path.
func (t *taking) link(value string) string {
	if scheme, rest, ok := strings.Cut(value, "://"); ok && !strings.ContainsAny(scheme, "?#;=") {
		end := strings.IndexAny(rest, `/?#\`)
		if end < 0 {
			end = len(rest)
		}
		if at := strings.LastIndexByte(rest[:end], '@'); at >= 0 {
			t.took("user of a URL")
			value = scheme + "://" + rest[at+1:]
		}
	}
	value, fragment, _ := strings.Cut(value, "#")
	before, query, _ := strings.Cut(value, "?")
	out := t.path(before)
	if query = t.form(query, "query"); query != "" {
		out += "?" + query
	}
	switch {
	case strings.ContainsAny(fragment, "?;"):
		fragment = t.nested(fragment)
	default:
		fragment = t.form(fragment, "fragment")
	}
	if fragment != "" {
		out += "#" + fragment
	}
	return out
}

// path takes parameters out of a path that are called like a credential: ";jsessionid=…".
func (t *taking) path(path string) string {
	if strings.IndexByte(path, ';') < 0 && !strings.Contains(strings.ToLower(path), "%3b") {
		return path
	}
	return pathParameter.ReplaceAllStringFunc(path, func(parameter string) string {
		m := pathParameter.FindStringSubmatch(parameter)
		name, value := flow.Unpercent(m[2]), flow.Unpercent(m[3])
		if !isCredential(name, value) {
			return parameter
		}
		if given, ok := t.replacement(name, value); ok {
			if !t.shown {
				given = url.PathEscape(given)
			}
			return m[1] + m[2] + "=" + given
		}
		return ""
	})
}

var pathParameter = regexp.MustCompile(`(?i)(;|%3b)([^;/?#=]+?)(?:=|%3d)([^;/?#]+)`)

// botToken is how Telegram and others write a token into a path.
var botToken = regexp.MustCompile(`[0-9]{5,}:[A-Za-z0-9_-]{20,}`)

// inPath reports whether a path has a part that is a credential by the part before it.
func inPath(path string) bool {
	if botToken.MatchString(path) {
		return true
	}
	before := ""
	for part := range strings.SplitSeq(path, "/") {
		if len(part) >= minLearned && strings.ContainsAny(part, "0123456789") && before != "" && !weakNames[bare(before)] && isCredential(before, part) {
			return true
		}
		before = part
	}
	return false
}

// leftover returns the name of a credential that a text still has, with a value behind it:
// text that was not understood, such as a query of GraphQL with a password in it.
func (t *taking) leftover(text string) string {
	for range 3 {
		if name := named(text); name != "" {
			return name
		}
		plain := flow.Unpercent(text)
		if plain == text {
			break
		}
		text = plain
	}
	return ""
}

var (
	nameThenValue = regexp.MustCompile(`([A-Za-z_][\w.$\[\]-]*)(\\*["'])?\s*([=:])\s*(\\*["'])?`)
	userOfURL     = regexp.MustCompile(`://[^\s/?#"'<>@]*:[^\s/?#"'<>@]*@`)
	graphQLType   = regexp.MustCompile(`^(\$\w*|\[*[A-Z][A-Za-z]*!?\]*!?)$`)
)

// maxValue is how much of a value is looked at.
const maxValue = 512

func named(text string) string {
	if strings.IndexByte(text, '=') < 0 && strings.IndexByte(text, ':') < 0 {
		return ""
	}
	if userOfURL.MatchString(text) {
		return "user of a URL"
	}
	const some = 1000 // at a time, which bounds what they take
	for {
		found := nameThenValue.FindAllStringSubmatchIndex(text, some)
		for _, m := range found {
			if namesValue(text, m) {
				return text[m[2]:m[3]]
			}
		}
		if len(found) < some {
			return ""
		}
		text = text[found[some-1][1]:]
	}
}

// namesValue reports whether what was found in a text is the name of a credential, and its value.
func namesValue(text string, m []int) bool {
	name, value := text[m[2]:m[3]], text[m[1]:min(len(text), m[1]+maxValue)]
	if end := strings.IndexAny(value, " \t\r\n\"'\\&,;(){}<>"); end >= 0 {
		value = value[:end]
	}
	if value == "" || !isCredential(name, value) {
		return false
	}
	digit := strings.ContainsAny(value, "0123456789")
	quotedName, isColon, quotedValue := m[4] >= 0, text[m[6]] == ':', m[8] >= 0
	switch {
	case weakNames[bare(name)] && (len(value) < minWord || !digit):
		return false
	case !isColon || quotedValue:
		return true
	case value == "null" || value == "true" || value == "false":
		return false
	}
	return quotedName || !graphQLType.MatchString(value) && (digit || len(value) >= minLearned)
}

// inRun are the letters of base64, in both of its alphabets, and of hexadecimal.
var inRun = regexp.MustCompile(`[A-Za-z0-9+/_-]{11,}`)

// decoded returns the text that a value is the base64 or hexadecimal of, "" where it is none.
func decoded(value string) string {
	if plain := undone(strings.TrimRight(value, "=")); utf8.Valid(plain) {
		return string(plain)
	}
	return ""
}

// undone returns what a run of letters encodes, nil for nothing.
func undone(run string) []byte {
	if len(run) < minLearned {
		return nil
	}
	if len(run)%2 == 0 {
		if plain, err := hex.DecodeString(run); err == nil {
			return plain
		}
	}
	alphabet := base64.RawStdEncoding
	if strings.ContainsAny(run, "-_") {
		alphabet = base64.RawURLEncoding
	}
	if plain, err := alphabet.DecodeString(run); err == nil {
		return plain
	}
	return nil
}

// hidden reports whether a known credential stands in a text in base64 or hexadecimal.
func (c *credentials) hidden(text string, depth int) bool {
	if c.find == nil || depth == 0 {
		return false
	}
	for _, run := range inRun.FindAllString(text, -1) {
		if c.inRun(run, depth) {
			return true
		}
		if strings.IndexByte(run, '/') >= 0 { // the parts of a path, too
			for part := range strings.SplitSeq(run, "/") {
				if c.inRun(part, depth) {
					return true
				}
			}
		}
	}
	return false
}

func (c *credentials) inRun(run string, depth int) bool {
	plain := string(undone(run))
	return plain != "" && (c.find.Replace(plain) != plain || c.hidden(plain, depth-1))
}
