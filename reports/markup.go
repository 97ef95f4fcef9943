package reports

import (
	"strings"

	"telltale/flow/plain"
)

// This file quotes text for GitHub's Markdown. Two things make that harder than
// CommonMark: bare URLs, mentions, issue references and emoji names become links
// after escapes were resolved, so escapes do not stop them; and in a table a pipe
// ends the cell even inside code. Text from a capture is therefore always code.

// code returns text from a capture as a code span, harmless in a heading, a list
// or a paragraph.
func code(s string) string { return span(plain.Text(s)) }

// cell is code for a table. A pipe is written like the other characters that
// cannot be shown: GitHub's own escape breaks next to a backslash.
func cell(s string) string { return span(strings.ReplaceAll(plain.Text(s), "|", `\x7c`)) }

// span returns one line of harmless text as a code span (CommonMark 0.31, 6.1).
func span(s string) string {
	if s == "" {
		return "–"
	}
	fence := strings.Repeat("`", longestRun(s, '`')+1)
	// One space on each side is stripped again. It is needed where the content
	// starts or ends with a backtick, or would be stripped itself.
	if strings.ContainsRune("` ", rune(s[0])) || strings.ContainsRune("` ", rune(s[len(s)-1])) {
		s = " " + s + " "
	}
	return fence + s + fence
}

// longestRun returns the length of the longest run of c in s.
func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := 0; i < len(s); i++ {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// prose returns a sentence of ours, which may quote a capture, as inline
// Markdown: `code` and bare URLs become code, everything else is literal.
func prose(s string) string {
	return strings.Join(proseLines(plain.Lines(s)), " ")
}

// block returns prose of several lines: paragraphs, and indented or fenced code
// as fenced code.
func block(s string) string {
	var parts []string
	for _, p := range passages(s) {
		if p.program {
			parts = append(parts, fenced("", p.lines))
		} else {
			parts = append(parts, strings.Join(proseLines(p.lines), "\n"))
		}
	}
	return strings.Join(parts, "\n\n")
}

// A passage is lines that belong together: a paragraph, or a piece of a program.
type passage struct {
	program bool
	lines   []string // harmless
}

// passages divides prose of several lines. What is indented by four spaces or
// stands between fences is a program.
func passages(s string) []passage {
	var out []passage
	var text, program []string
	end := func() {
		if len(text) > 0 {
			out = append(out, passage{lines: text})
		}
		if len(program) > 0 {
			out = append(out, passage{true, program})
		}
		text, program = nil, nil
	}
	inside := false
	for _, line := range plain.Lines(s) {
		isProgram := inside || strings.HasPrefix(line, "    ")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = !inside
			end()
		case line == "" && !inside:
			end()
		case isProgram:
			if len(text) > 0 {
				end()
			}
			if !inside {
				line = line[4:]
			}
			program = append(program, line)
		default:
			if len(program) > 0 {
				end()
			}
			text = append(text, line)
		}
	}
	end()
	return out
}

// fit renders as much of s as makes limit characters, and less where quoting
// would more than double them: a text of nothing but markup must not crowd out
// the document.
func fit(render func(string) string, s string, limit int) string {
	for n := limit; ; n /= 2 {
		if out := render(clip(s, n)); len(out) <= 2*limit+len("… (1234567 more characters)") || n == 0 {
			return out
		}
	}
}

// fenced returns harmless lines as a fenced code block.
func fenced(language string, program []string) string {
	run := 2
	for _, line := range program {
		run = max(run, longestRun(line, '`'))
	}
	fence := strings.Repeat("`", run+1)
	return fence + language + "\n" + strings.Join(program, "\n") + "\n" + fence
}

func proseLines(in []string) []string {
	out := make([]string, len(in))
	for i, line := range in {
		out[i] = proseLine(strings.TrimLeft(line, " "))
	}
	return out
}

// proseLine quotes one line. Backticks pair from the left; one without a partner
// is literal. Whatever text it quotes, both sides of a pair are harmless.
func proseLine(line string) string {
	parts := strings.Split(line, "`")
	var b strings.Builder
	for i, part := range parts {
		switch {
		case i%2 == 0:
			b.WriteString(literal(part))
		case i == len(parts)-1: // no partner
			b.WriteString("&#96;" + literal(part))
		case part == "":
			b.WriteString("&#96;&#96;")
		default:
			b.WriteString(span(part))
		}
	}
	return b.String()
}

// literal returns text that shows as itself and links to nothing. A word that
// GitHub would make a link of is code.
func literal(s string) string {
	words := strings.Split(s, " ")
	for i, word := range words {
		if strings.Contains(word, "://") || strings.Contains(strings.ToLower(word), "www.") {
			link := strings.TrimRight(word, ".,;:!?)>]\"'")
			words[i] = span(link) + escaped(word[len(link):])
			continue
		}
		words[i] = escaped(word)
	}
	return strings.Join(words, " ")
}

// split keeps apart what GitHub acts on after escapes were resolved. It is a
// zero-width space.
const split = "&#8203;"

// escaped returns a word without any meaning to Markdown, HTML or GitHub.
func escaped(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch r {
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		case '|':
			b.WriteString("&#124;")
		case '$': // mathematics
			b.WriteString("&#36;" + split)
		case '@': // mentions, e-mail addresses
			b.WriteString("&#64;" + split)
		case '#': // issues, headings
			b.WriteString("&#35;" + split)
		case ':':
			b.WriteByte(':')
			if i+1 < len(s) && !isDigit(s[i+1]) { // emoji names
				b.WriteString(split)
			}
		default:
			if r < 0x80 && hasMeaning(s, i) {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		}
	}
	return strings.NewReplacer("GH-", "GH"+split+"-", "gh-", "gh"+split+"-").Replace(b.String())
}

// hasMeaning reports whether the character at i needs a backslash. Those that
// mean something at the start of a line only are spared inside a word, which
// keeps the source readable.
func hasMeaning(s string, i int) bool {
	switch s[i] {
	case '\\', '`', '*', '_', '[', ']', '~':
		return true
	case '-', '+', '=': // list items, underlines of headings
		return i == 0
	case '.', ')': // numbered list items
		return i > 0 && i == len(s)-1 && strings.Trim(s[:i], "0123456789") == ""
	}
	return false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
