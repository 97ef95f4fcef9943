package notify

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"telltale/event"
	"telltale/guard/raced"
	"telltale/policy"
)

// crowded is a message of which every part is as long as it can be, of characters that take
// the most room everywhere.
func crowded(filler string) Message {
	long := strings.Repeat(filler, 1000)
	var events []event.Event
	for i := range 40 {
		e := violation(fmt.Sprintf("%02x", i), long, "tracker", i+1)
		e.Violation.URL, e.Violation.Explanation, e.Violation.Remedy, e.Violation.Method = long, long, long, long
		e.Device, e.Phase, e.Policy, e.Capture, e.Audit = long, long, long, long, long
		events = append(events, e, event.Event{Kind: event.OfTrouble, Message: fmt.Sprint(i) + long})
	}
	links := map[string]string{}
	for i := range 40 {
		links[fmt.Sprintf("%02x", i)] = "https://h.example/" + strings.Repeat("x", 700)
	}
	return Compose(events, Composition{ID: "m", Escalated: long, Acknowledge: links, Report: strings.Repeat("```\n"+strings.Repeat(filler, 20)+"\n", 60_000/len(filler))})
}

func TestLimits(t *testing.T) {
	fillers := []string{"&<> ", "word ", "😀 ", "\"\\` ", "e\u0301 "}
	for _, filler := range fillers[:raced.Size(len(fillers), 1)] {
		many, name := crowded(filler), fmt.Sprintf("%+q", filler)
		few := many
		few.Items, few.More = many.Items[:3], 0 // few have their explanations
		for _, m := range []Message{many, few} {
			checkSlack(t, name, render(t, policy.Slack, m))
			checkDiscord(t, name, render(t, policy.Discord, m))
			if n := len(render(t, policy.Teams, m).JSON); n > 28*1024 {
				t.Errorf("%s: Teams: %d bytes", name, n)
			}
			if n := len(render(t, policy.Mattermost, m).JSON); n > 16_383 {
				t.Errorf("%s: Mattermost: %d bytes", name, n)
			}
			for kind, f := range map[policy.DestinationKind]forge{policy.GitHub: github, policy.GitLab: gitlab} {
				p := render(t, kind, m)
				if len(p.Text) > f.body || utf8.RuneCountInString(p.Subject) > f.title || !strings.Contains(p.Text, "The report is cut") {
					t.Errorf("%s: %s: %d bytes, title of %d", name, kind, len(p.Text), utf8.RuneCountInString(p.Subject))
				}
				if strings.Count(p.Text, "\n```")%2 != 0 {
					t.Errorf("%s: %s: a block of code is left open", name, kind)
				}
			}
		}
	}
}

func render(t testing.TB, kind policy.DestinationKind, m Message) Payload {
	t.Helper()
	p, err := Render(kind, m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func checkSlack(t *testing.T, name string, p Payload) {
	t.Helper()
	var m slackMessage
	if err := json.Unmarshal(p.JSON, &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Blocks) > 50 || utf8.RuneCount(p.JSON) > slackTotal {
		t.Errorf("%s: Slack: %d blocks, %d bytes", name, len(m.Blocks), len(p.JSON))
	}
	for _, b := range m.Blocks {
		if b.Text == nil {
			continue
		}
		if n := utf8.RuneCountInString(b.Text.Text); n > 3000 || b.Type == "header" && n > 150 || n == 0 {
			t.Errorf("%s: Slack: a %s has %d characters", name, b.Type, n)
		}
	}
}

func checkDiscord(t *testing.T, name string, p Payload) {
	t.Helper()
	var m discordMessage
	if err := json.Unmarshal(p.JSON, &m); err != nil {
		t.Fatal(err)
	}
	e := m.Embeds[0]
	if e.length() > 6000 || units(e.Title) > 256 || units(e.Description) > 4096 || len(e.Fields) > 25 || units(e.Footer.Text) > 2048 {
		t.Errorf("%s: Discord: %d characters, title %d, description %d, %d fields", name, e.length(), units(e.Title), units(e.Description), len(e.Fields))
	}
	for _, f := range e.Fields {
		if units(f.Name) > 256 || units(f.Value) > 1024 || f.Name == "" || f.Value == "" {
			t.Errorf("%s: Discord: a field of %d and %d characters", name, units(f.Name), units(f.Value))
		}
	}
}

var codeSpan = regexp.MustCompile("`[^`\n]*`")

// meaning is what a chat room or a tracker would act on outside of code.
var meaning = regexp.MustCompile(`[@#<>~\[\]*_|\\]|://|(?m:^/)|(?i:gh-\d)|:[a-z]+:`)

var titleMeaning = regexp.MustCompile("[@#!~`<>\\[\\]/\\\\|]|(?i:gh-)")

// TestHostileTextMeansNothing takes apart what is sent, as the receivers do: outside of code
// spans nothing of the wire has a meaning.
func TestHostileTextMeansNothing(t *testing.T) {
	m := hostile()
	for _, kind := range []policy.DestinationKind{policy.GitHub, policy.GitLab, policy.Discord, policy.Mattermost, policy.Slack} {
		for _, text := range markdownOf(t, kind, m) {
			bare := codeSpan.ReplaceAllString(text, "")
			bare = strings.ReplaceAll(bare, "**", "") // ours, around code
			if found := meaning.FindString(bare); found != "" {
				t.Errorf("%s: %q has a meaning in\n%s\nof\n%s", kind, found, bare, text)
			}
		}
	}
}

// markdownOf returns the parts of a payload in which Markdown holds, without what is ours.
func markdownOf(t *testing.T, kind policy.DestinationKind, m Message) (texts []string) {
	t.Helper()
	p := render(t, kind, m)
	switch kind {
	case policy.Slack:
		var s slackMessage
		if err := json.Unmarshal(p.JSON, &s); err != nil {
			t.Fatal(err)
		}
		for _, b := range s.Blocks {
			switch {
			case b.Text == nil:
				texts = append(texts, b.Elements[0].Text)
			case b.Text.Type == "mrkdwn":
				texts = append(texts, strings.Trim(b.Text.Text, "*"))
			}
			if b.Text != nil && b.Text.Type == "mrkdwn" && strings.ContainsAny(b.Text.Text, "<>") {
				t.Errorf("a mention can be forged: %s", b.Text.Text)
			}
		}
		if strings.ContainsAny(s.Text, "<>") {
			t.Errorf("a mention can be forged: %s", s.Text)
		}
		for i := range texts {
			texts[i] = strings.ReplaceAll(texts[i], "*", "")
		}
	case policy.Discord:
		var d discordMessage
		if err := json.Unmarshal(p.JSON, &d); err != nil {
			t.Fatal(err)
		}
		if d.Mentions.Parse == nil || len(d.Mentions.Parse) > 0 {
			t.Error("mentions are allowed")
		}
		texts = append(texts, d.Embeds[0].Title, d.Embeds[0].Description)
		for _, f := range d.Embeds[0].Fields {
			texts = append(texts, f.Name, f.Value)
		}
	case policy.Mattermost:
		var mm mattermostMessage
		if err := json.Unmarshal(p.JSON, &mm); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, mm.Text, mm.Attachments[0].Text)
	default:
		body, _, _ := strings.Cut(strings.TrimPrefix(p.Text, p.Marker), "\n---\n")
		texts = append(texts, body)
		if found := titleMeaning.FindString(p.Subject); found != "" {
			t.Errorf("%q has a meaning in the title %s", found, p.Subject)
		}
	}
	return texts
}

func TestMarkers(t *testing.T) {
	one := render(t, policy.GitHub, one())
	if one.Marker != "<!-- telltale:1f2e3d4c5b6a7988 -->" || strings.Count(one.Text, one.Marker) != 1 {
		t.Errorf("marker %s", one.Marker)
	}
	if evil := render(t, policy.GitLab, hostile()); strings.Contains(evil.Text, "telltale:0000000000000000 -->") && strings.Contains(evil.Text, "<!-- telltale:0000000000000000") {
		t.Error("a marker can be forged")
	}
	seen := map[string]string{}
	for _, m := range messages {
		p := render(t, policy.GitHub, m.make())
		if other, ok := seen[p.Marker]; ok && other != "one" && m.name != "escalation" && m.name != "hostile" {
			t.Errorf("%s and %s have the marker %s", other, m.name, p.Marker)
		}
		seen[p.Marker] = m.name
	}
	m := test()
	m.ID = "x --> <b>"
	if p := render(t, policy.GitHub, m); p.Marker != "<!-- telltale:message-x.--...b. -->" && strings.Count(p.Marker, ">") != 1 {
		t.Errorf("marker %s", p.Marker)
	}
}

func TestMailHasOneSubject(t *testing.T) {
	m := hostile()
	m.Title = "a\r\nBcc: x@example.ca\r\n\r\nb\u2028c"
	p := render(t, policy.Mail, m)
	if strings.ContainsFunc(p.Subject, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' }) {
		t.Errorf("subject %q", p.Subject)
	}
	for _, bad := range []string{"<script", "javascript:1\"", "<U1", "<!channel"} {
		if strings.Contains(p.HTML, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
}

func TestRenderUnknownKind(t *testing.T) {
	if p, err := Render("pigeon", one()); err == nil || !strings.Contains(err.Error(), `"pigeon"`) {
		t.Errorf("%+v, %v", p, err)
	}
}

// Whatever an app sends, each format can be written, is valid, and shows no control.
func FuzzRender(f *testing.F) {
	f.Add(evil, "a.example", 3)
	f.Add("word `code` word", "x", 12)
	f.Add("``` a `b", "`", 1)
	f.Fuzz(func(t *testing.T, text, host string, count int) {
		e := violation("aa", host, "tracker", count)
		e.Violation.URL, e.Violation.Explanation, e.Violation.Remedy, e.Device, e.Policy = text, text, text, text, text
		m := Compose([]event.Event{e, {Kind: event.OfTrouble, Message: text}}, Composition{ID: "m", Escalated: text, File: text})
		for _, kind := range policy.DestinationKinds {
			p := render(t, kind, m)
			for _, s := range []string{p.Subject, p.Text, p.HTML, string(p.JSON)} {
				if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' || r >= 0x202a && r <= 0x202e }) {
					t.Errorf("%s: %q", kind, s)
				}
			}
			if p.JSON != nil && !json.Valid(p.JSON) {
				t.Errorf("%s: %s", kind, p.JSON)
			}
		}
		for _, kind := range []policy.DestinationKind{policy.GitHub, policy.GitLab, policy.Mattermost} {
			for _, text := range markdownOf(t, kind, m) {
				bare := strings.ReplaceAll(codeSpan.ReplaceAllString(text, ""), "**", "")
				if found := meaning.FindString(bare); found != "" {
					t.Errorf("%s: %q in %q of %q", kind, found, bare, text)
				}
			}
		}
	})
}
