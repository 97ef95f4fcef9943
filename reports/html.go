package reports

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"io"
	"strings"
	"sync"

	"telltale/flow/plain"
)

// The HTML report is one page that needs nothing else: style, script and charts
// are in it, and its content security policy forbids everything but these by
// their hash. Text of a capture reaches it through html/template alone, never as
// HTML, and never as a link. Everything is there without the script, which adds
// sorting, filtering and paging.

//go:embed page
var pageFiles embed.FS

// pageParts is what is the same on every page.
type pageParts struct {
	template *template.Template
	style    template.CSS
	script   template.JS
	policy   string // the content security policy
}

// loadPage reads the assets once. They are part of the program, so that a test
// proves them sound.
var loadPage = sync.OnceValues(func() (*pageParts, error) {
	style, err := pageFiles.ReadFile("page/page.css")
	if err != nil {
		return nil, err
	}
	script, err := pageFiles.ReadFile("page/page.js")
	if err != nil {
		return nil, err
	}
	t, err := template.New("page.html").Funcs(template.FuncMap{"segments": segments, "bare": bare, "fields": strings.Fields}).ParseFS(pageFiles, "page/*.html")
	if err != nil {
		return nil, err
	}
	return &pageParts{
		template: t,
		style:    template.CSS(style), // #nosec G203 -- ours, not a capture's
		script:   template.JS(script), // #nosec G203 -- ours, not a capture's
		policy: "default-src 'none'; style-src " + sourceHash(style) + "; script-src " + sourceHash(script) +
			"; base-uri 'none'; form-action 'none'",
	}, nil
})

// sourceHash allows one text of a style or script (CSP Level 3, 2.3.1).
func sourceHash(text []byte) string {
	sum := sha256.Sum256(text)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func writeHTML(w io.Writer, r *Report) error {
	parts, err := loadPage()
	if err != nil {
		return err
	}
	p := newPage(r)
	p.Style, p.Script, p.ContentPolicy = parts.style, parts.script, parts.policy
	return parts.template.Execute(w, p)
}

// Marks around text of a capture inside a sentence of ours. No text has them:
// plain.Text makes control characters visible.
const (
	codeStart = "\x02"
	codeEnd   = "\x03"
)

// inHTML marks text for the page's templates, which escape it.
var inHTML = style{
	data:  func(s string) string { return marked(plain.Text(s)) },
	prose: func(s string) string { return markedProse(strings.Join(plain.Lines(s), " ")) },
}

func marked(s string) string {
	if s == "" {
		return "–"
	}
	return codeStart + s + codeEnd
}

// markedProse marks what stands between backticks in a line. They pair from the
// left; one without a partner stands for itself.
func markedProse(line string) string {
	parts := strings.Split(line, "`")
	var b strings.Builder
	for i, part := range parts {
		switch {
		case i%2 == 0:
			b.WriteString(part)
		case i == len(parts)-1: // no partner
			b.WriteString("`" + part)
		case part == "":
			b.WriteString("``")
		default:
			b.WriteString(marked(part))
		}
	}
	return b.String()
}

// A segment is a part of a sentence: our words, or quoted text.
type segment struct {
	Code bool
	Text string
}

// segments takes a marked sentence apart.
func segments(s string) []segment {
	var out []segment
	for s != "" {
		before, rest, found := strings.Cut(s, codeStart)
		if before != "" {
			out = append(out, segment{Text: before})
		}
		if !found {
			break
		}
		code, after, _ := strings.Cut(rest, codeEnd)
		out = append(out, segment{Code: true, Text: code})
		s = after
	}
	return out
}

// bare takes the marks out of a sentence, for an attribute.
func bare(s string) string { return strings.NewReplacer(codeStart, "", codeEnd, "").Replace(s) }

// A paragraph is prose, or lines of a program.
type paragraph struct {
	Program bool
	Text    string // marked, unless it is a program
}

// paragraphs is block for the page.
func paragraphs(s string) []paragraph {
	var out []paragraph
	for _, p := range passages(s) {
		if p.program {
			out = append(out, paragraph{true, strings.Join(p.lines, "\n")})
			continue
		}
		lines := make([]string, len(p.lines))
		for i, line := range p.lines {
			lines[i] = markedProse(strings.TrimLeft(line, " "))
		}
		out = append(out, paragraph{Text: strings.Join(lines, " ")})
	}
	return out
}
