package policy

import (
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// A field is one key of a new entry, with its text.
type field struct{ key, value string }

// fields returns the entry as it will stand in the file, the host first but for
// waivers, whose rule comes first.
func (c *checked) fields() []field {
	var out []field
	if c.kind == ChangeWaive {
		out = append(out, field{"rule", string(c.rule)})
	}
	out = append(out, field{"host", c.pattern.String()})
	if c.reason != "" {
		out = append(out, field{"reason", escapeVariables(c.reason)})
	}
	if c.kind == ChangeWaive {
		out = append(out, field{"until", c.until.Format(time.DateOnly)})
	}
	return out
}

// escapeVariables keeps ${NAME} in a text from being read as a variable.
func escapeVariables(s string) string { return strings.ReplaceAll(s, "${", "$${") }

// inline writes the entry in flow style, on one line.
func (c *checked) inline(q quoting) string {
	fields := c.fields()
	if len(fields) == 1 {
		return q.of("host").scalar(fields[0].value, true)
	}
	var parts []string
	for _, f := range fields {
		parts = append(parts, q.key(f.key)+": "+q.of(f.key).scalar(f.value, true))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// lines writes the entry in block style, with blanks before and after the dash as
// given.
func (c *checked) lines(q quoting, indent, gap string) []string {
	fields := c.fields()
	if len(fields) == 1 {
		return []string{indent + "-" + gap + q.of("host").scalar(fields[0].value, false)}
	}
	var out []string
	lead := indent + "-" + gap
	for _, f := range fields {
		out = append(out, lead+f.key+": "+q.of(f.key).scalar(f.value, false))
		lead = indent + strings.Repeat(" ", len("-"+gap))
	}
	return out
}

// quoting is how a section of the file writes its texts.
type quoting struct {
	json  bool // in double quotes, keys as well
	style map[string]quotes
}

// quotes is how the values of one key are quoted. The zero value is double quotes,
// only where they are needed.
type quotes struct {
	single bool
	always bool
}

func (q quoting) of(key string) quotes {
	if q.json {
		return quotes{always: true}
	}
	if style, known := q.style[key]; known {
		return style
	}
	return quotes{single: q.style["host"].single}
}

func (q quoting) key(key string) string {
	if q.json {
		return `"` + key + `"`
	}
	return key
}

// quotingOf learns from the entries of a section: what stands in quotes that it does
// not need shows a habit, and the latest entry counts.
func quotingOf(items []ast.Node, inFlow bool) quoting {
	q := quoting{style: map[string]quotes{}}
	learn := func(key string, n ast.Node) {
		text, ok := n.(*ast.StringNode)
		if !ok {
			return
		}
		switch text.Token.Type {
		case token.DoubleQuoteType, token.SingleQuoteType:
			style := quotes{single: text.Token.Type == token.SingleQuoteType}
			style.always = q.style[key].always || isPlain(text.Value, inFlow)
			q.style[key] = style
		default:
			q.style[key] = quotes{single: q.style[key].single}
		}
	}
	for _, item := range items {
		mapping, ok := item.(ast.MapNode)
		if !ok {
			learn("host", item)
			continue
		}
		for it := mapping.MapRange(); it.Next(); {
			learn(it.Key().GetToken().Value, it.Value())
		}
	}
	return q
}

// scalar writes a text of one line without control characters as a YAML scalar.
func (q quotes) scalar(s string, flow bool) string {
	switch {
	case !q.always && isPlain(s, flow):
		return s
	case q.single:
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// isPlain reports whether a text of one line may stand without quotes (YAML 1.2.2,
// 7.3.3) and is read as text. Where YAML and its readers differ it says no: words of
// YAML 1.1 such as yes, numbers of any kind, and digits with colons, which YAML
// 1.1 takes for a number in base 60.
func isPlain(s string, flow bool) (plain bool) {
	if s == "" || strings.TrimSpace(s) != s || strings.Contains(s, "\t") {
		return false
	}
	first := []rune(s)[0]
	if !unicode.IsLetter(first) && !unicode.IsDigit(first) && first != '.' && first != '/' && first != '(' {
		return false
	}
	if strings.Contains(s, ": ") || strings.Contains(s, " #") || strings.HasSuffix(s, ":") || strings.Count(s, ":") > 1 {
		return false
	}
	if strings.Trim(s, "0123456789:") == "" {
		return false
	}
	if flow && strings.ContainsAny(s, ",[]{}:#") {
		return false
	}
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null", ".inf", ".nan":
		return false
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil { // 1e3, which not every reader takes for one
		return false
	}
	// The reader of policies has the last word. It is foreign code: see parseYAML.
	defer func() {
		if recover() != nil {
			plain = false
		}
	}()
	tokens := lexer.Tokenize(s)
	return len(tokens) == 1 && tokens[0].Type == token.StringType && tokens[0].Value == s
}
