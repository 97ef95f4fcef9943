package notify

import (
	"regexp"
	"strings"
	"unicode"

	"telltale/event"
)

// A forge is what differs between trackers of issues.
type forge struct {
	title int  // longest title, in characters
	body  int  // longest body, in bytes, which are never fewer than characters
	slash bool // a line that starts with a slash is a command
}

// Limits of the trackers.
//   - GitHub answers 422 "body is too long (maximum is 65536 characters)" to
//     https://docs.github.com/rest/issues/issues#create-an-issue
//   - https://docs.gitlab.com/development/issuable-like-models/ (1 megabyte)
var (
	github = forge{title: 256, body: 65_536}
	gitlab = forge{title: 255, body: 1_000_000, slash: true}
)

// issue writes an issue: of one violation under its fingerprint, which the marker holds, so
// that it can be found and updated. A message with several violations has a marker of its own:
// who wants one issue for each composes one message for each (see [Apart]).
func issue(m Message, f forge) Payload {
	p := Payload{Marker: marker(m), Subject: cut(titleWords(issueTitle(m)), f.title)}
	p.Text, _ = fitting(m, func(m Message) (string, error) { return p.Marker + "\n\n" + issueText(m), nil },
		func(text string) bool { return len(text) <= f.body/2 })
	if m.Report == "" {
		return p
	}
	report := unmarked(m.Report)
	if f.slash {
		report = slashCommand.ReplaceAllString(report, `\/`)
	}
	const rule, notice = "\n---\n\n", "The report is cut: it is longer than an issue may be.\n"
	room := f.body - len(p.Text) - len(rule)
	if len(report) > room {
		p.Text += "\n" + notice
		report = cutReport(report, room-len(notice)-1)
	}
	p.Text += rule + report
	return p
}

func issueText(m Message) string {
	parts := []string{prose(m.Escalated), proseLines(m.Text)}
	for _, item := range m.Items {
		parts = append(parts, markdownItem(item))
	}
	return paragraphs(append(parts, m.rest(), prose(m.Next), m.source(code))...) + "\n"
}

// slashCommand is the beginning of a quick action.
// https://docs.gitlab.com/user/project/quick_actions/
var slashCommand = regexp.MustCompile(`(?m)^/`)

// unmarked breaks up what looks like a marker of ours.
func unmarked(s string) string { return strings.ReplaceAll(s, "<!-- telltale:", "<!-- telltale :") }

// marker is a comment, which nobody sees, that only the issue of this violation has.
func marker(m Message) string {
	key := "message-" + m.ID
	switch {
	case len(m.Items) == 1 && m.More == 0:
		key = m.Items[0].ID
	case m.Kind == event.OfTrouble || m.Kind == event.OfSummary:
		key = string(m.Kind) + "-" + m.Audit
	}
	key = strings.Map(func(r rune) rune {
		if r == '-' || r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return '.'
	}, key)
	return "<!-- telltale:" + cut(key, 100) + " -->"
}

// issueTitle is the title of an issue. Of one violation it says nothing that changes.
func issueTitle(m Message) string {
	if len(m.Items) != 1 || m.More > 0 {
		return m.Title
	}
	item := m.Items[0]
	s := cut(item.Host, 2*maxName) + ": " + item.Rule
	if item.Title != "" {
		s = cut(item.Host, 2*maxName) + ": " + item.Title
	}
	return s
}

// numbered is the other form of a reference on GitHub, GH-1.
// https://docs.github.com/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls
var numbered = regexp.MustCompile(`(?i)(gh)-`)

// titleWords takes out of a title what a tracker could give a meaning: titles have no escape
// and no code, and GitLab looks for mentions in them.
func titleWords(s string) string {
	s = numbered.ReplaceAllString(s, "$1·")
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("@#!$%&~*^|[]<>`\\/{}\"", r) {
			return '·'
		}
		return r
	}, s)
}

// cutReport cuts Markdown behind a line, and ends the block of code in which that is.
func cutReport(s string, most int) string {
	const longestFence = 16
	s = cutBytes(s, max(0, most-longestFence))
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		s = s[:i+1]
	}
	fence := ""
	for line := range strings.Lines(s) {
		mark := fenceMark.FindString(strings.TrimLeft(line, " "))
		switch {
		case mark == "":
		case fence == "" && len(mark) < longestFence:
			fence = mark
		case fence != "" && strings.HasPrefix(mark, fence):
			fence = ""
		}
	}
	if fence != "" {
		s += fence + "\n"
	}
	return s
}

// fenceMark opens or closes a block of code (CommonMark 0.31, 4.5).
var fenceMark = regexp.MustCompile("^(?:`{3,}|~{3,})")
