package reports

import (
	"regexp"
	"strings"
	"testing"
)

// This file reads Markdown as CommonMark and GitHub do, as far as it takes to
// see what a text could make of a document. It shares nothing with the writer.

// outsideCode returns what remains of inline Markdown without its code spans: a
// run of backticks opens one if a run of the same length follows.
func outsideCode(s string) string {
	var rest strings.Builder
	for i := 0; i < len(s); {
		if s[i] == '\\' && i+1 < len(s) {
			rest.WriteString(s[i : i+2])
			i += 2
			continue
		}
		if s[i] != '`' {
			rest.WriteByte(s[i])
			i++
			continue
		}
		n := runAt(s, i)
		end := closing(s, i+n, n)
		if end < 0 {
			rest.WriteString(s[i : i+n])
			i += n
			continue
		}
		i = end
	}
	return rest.String()
}

func runAt(s string, i int) int {
	n := 0
	for i+n < len(s) && s[i+n] == '`' {
		n++
	}
	return n
}

// closing returns the end of the run of n backticks that follows i, -1 for none.
func closing(s string, i, n int) int {
	for i < len(s) {
		if s[i] != '`' {
			i++
			continue
		}
		m := runAt(s, i)
		i += m
		if m == n {
			return i
		}
	}
	return -1
}

var fenceLine = regexp.MustCompile("^(`{3,})([^`]*)$")

// outsideFences returns Markdown without its fenced code blocks.
func outsideFences(t testing.TB, s string) string {
	var rest []string
	fence := ""
	for _, line := range strings.Split(s, "\n") {
		m := fenceLine.FindStringSubmatch(line)
		switch {
		case fence == "" && m != nil:
			fence = m[1]
		case fence != "" && m != nil && len(m[1]) >= len(fence) && m[2] == "":
			fence = ""
		case fence == "":
			rest = append(rest, line)
		}
	}
	if fence != "" {
		t.Errorf("a fence is never closed in %q", s)
	}
	return strings.Join(rest, "\n")
}

// active finds what would mean something to Markdown, HTML or GitHub.
var active = []*regexp.Regexp{
	regexp.MustCompile(`[<>|@$]`),
	regexp.MustCompile(`&[^#a-z]|&$`),                         // an entity that is not ours
	regexp.MustCompile("(^|[^\\\\])(\\\\\\\\)*[`*_~\\[\\]]"),  // unescaped
	regexp.MustCompile(`(?m)^ {0,3}([-+=]|\d{1,9}[.)]( |$))`), // a list, a rule, an underline
	regexp.MustCompile(`(?m)^(    |\t)`),                      // indented code
	regexp.MustCompile(`(^|[^&])#`),                           // a heading, an issue
	regexp.MustCompile(`(?i)(https?|ftp)://|www\.`),           // a link
	regexp.MustCompile(`:[A-Za-z+\-_][A-Za-z0-9+\-_]*:`),      // an emoji's name
	regexp.MustCompile(`(?i)gh-\d`),                           // an issue
}

// activeMarkup returns the first such place in text without code, "" for none.
func activeMarkup(s string) string {
	for _, pattern := range active {
		if m := pattern.FindString(s); m != "" {
			return m
		}
	}
	return ""
}

// ours is the markup that the documents themselves have.
var ours = regexp.MustCompile(`(?m)^#{1,3} (\d+\. )?|^- |^> |^</?details>(<summary>[\w ]+</summary>)?$|\*\*[A-Za-z -]+[.:]?\*\*|\*\*Before you share this:\*\*`)

// TestMarkdownCannotBeForged checks that no markup in a document comes from the
// capture, and that the document's outline is the one that we gave it.
func TestMarkdownCannotBeForged(t *testing.T) {
	f, _ := ByName("markdown")
	for name, build := range cases {
		text := outsideFences(t, render(t, f, build()))
		head := "" // of the table that the line is in
		for i, line := range strings.Split(text, "\n") {
			bare := ours.ReplaceAllString(outsideCode(line), "")
			if strings.HasPrefix(line, "|") {
				if head == "" {
					head = line
				}
				checkRow(t, name, head, line)
				bare = strings.ReplaceAll(bare, "|", "")
				bare = strings.TrimSpace(strings.NewReplacer("---:", "", "---", "").Replace(bare))
			} else {
				head = ""
			}
			if meaning := activeMarkup(bare); meaning != "" {
				t.Errorf("%s, line %d: %q is active in %q", name, i+1, meaning, line)
			}
		}
		if n := strings.Count("\n"+text, "\n# "); n != 1 {
			t.Errorf("%s has %d titles", name, n)
		}
		if !strings.HasPrefix(text, "# ") {
			t.Errorf("%s does not start with the verdict", name)
		}
	}
}

// checkRow checks that a table's row has as many cells as its head, which is one
// of ours.
func checkRow(t *testing.T, name, head, row string) {
	t.Helper()
	n := strings.Count(row, "|")
	if n != strings.Count(head, "|") || n < 3 || n > 8 {
		t.Errorf("%s: a row of %d pipes below %s: %s", name, n, head, row)
	}
}

// TestMarkdownSections checks the outline, in order, of each kind of document.
func TestMarkdownSections(t *testing.T) {
	for name, want := range map[string]string{
		"violations":   "What this verdict is worth, What this audit can have seen, What was contacted, Who these hosts are, Violations, What was allowed, What was checked, How to reproduce, Provenance",
		"clean":        "What this verdict is worth, What this audit can have seen, Devices, What was contacted, What was allowed, What was checked, How to reproduce, Provenance",
		"inconclusive": "What to do next, What this verdict is worth, What this audit can have seen, What was contacted, What was checked, How to reproduce, Provenance",
		"phases":       "What this verdict is worth, What this audit can have seen, What was contacted, Who these hosts are, Phases, Violations, What was allowed, What was checked, How to reproduce, Provenance",
		"unread":       "What this verdict is worth, What this audit can have seen, Devices, What was contacted, Who these hosts are, What was waived, What was allowed, What was checked, How to reproduce, Provenance",
	} {
		f, _ := ByName("markdown")
		var got []string
		for _, line := range strings.Split(render(t, f, cases[name]()), "\n") {
			if section, ok := strings.CutPrefix(line, "## "); ok {
				got = append(got, section)
			}
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s has the sections %q, want %q", name, got, want)
		}
	}
}

// TestMarkdownFitsAnIssue checks GitHub's limit with more of everything than can
// be shown, and that what is left out is counted.
func TestMarkdownFitsAnIssue(t *testing.T) {
	const limit = 65_536 // characters of an issue's body
	f, _ := ByName("markdown")
	for _, n := range []int{1, 30, 1000} {
		got := render(t, f, huge(n))
		if len(got) > limit {
			t.Errorf("%d of everything give %d bytes", n, len(got))
		}
		if n == 1000 {
			for _, want := range []string{"1000 violations", "<details><summary>All 2000 hosts</summary>", "and 99", "The other 99"} {
				if !strings.Contains(got, want) {
					t.Errorf("%d of everything do not say %q", n, want)
				}
			}
		}
		outsideFences(t, got)
	}
}
