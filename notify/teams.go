package notify

import "strings"

// teamsTotal is the largest message that Teams takes, 28 KB, less some room, in bytes.
// https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
const teamsTotal = 27_000

type teamsMessage struct {
	Type        string            `json:"type"`
	Attachments []teamsAttachment `json:"attachments"`
}

type teamsAttachment struct {
	ContentType string    `json:"contentType"`
	ContentURL  *string   `json:"contentUrl"`
	Content     teamsCard `json:"content"`
}

type teamsCard struct {
	Schema  string            `json:"$schema"`
	Type    string            `json:"type"`
	Version string            `json:"version"`
	MSTeams map[string]string `json:"msteams"`
	Body    []teamsElement    `json:"body"`
}

// teamsElement is a RichTextBlock, or a container of some.
type teamsElement struct {
	Type      string         `json:"type"`
	Separator bool           `json:"separator,omitempty"`
	Spacing   string         `json:"spacing,omitempty"`
	Inlines   []teamsRun     `json:"inlines,omitempty"`
	Items     []teamsElement `json:"items,omitempty"`
}

type teamsRun struct {
	Type   string            `json:"type"`
	Text   string            `json:"text"`
	Size   string            `json:"size,omitempty"`
	Weight string            `json:"weight,omitempty"`
	Color  string            `json:"color,omitempty"`
	Font   string            `json:"fontType,omitempty"`
	Subtle bool              `json:"isSubtle,omitempty"`
	Select map[string]string `json:"selectAction,omitempty"`
}

// teams writes an Adaptive Card in the envelope of a message, as the webhooks of Workflows
// take it. All text is in TextRuns: other than TextBlocks they know no Markdown, and a mention
// needs an entity, of which there are none.
//   - https://learn.microsoft.com/power-automate/teams/send-a-message-in-teams
//   - https://adaptivecards.io/explorer/RichTextBlock.html
//   - https://adaptivecards.io/explorer/TextRun.html
func teams(m Message) (Payload, error) {
	document, err := fitting(m, func(m Message) ([]byte, error) { return encode(teamsEnvelope(m)) },
		func(b []byte) bool { return len(b) <= teamsTotal })
	return Payload{JSON: document}, err
}

func teamsEnvelope(m Message) teamsMessage {
	color := map[int]string{0xd13438: "Attention", 0xf2a100: "Warning"}[m.color()]
	body := []teamsElement{rich(teamsRun{Text: m.Title, Size: "Large", Weight: "Bolder", Color: color})}
	for _, line := range append([]string{m.Escalated}, strings.Split(m.Text, "\n")...) {
		if line != "" {
			body = append(body, rich(runs(line)...))
		}
	}
	for _, item := range m.Items {
		body = append(body, teamsItem(item))
	}
	for i, text := range []string{m.rest(), m.Next} {
		if text != "" {
			e := rich(runs(text)...)
			e.Separator = i == 1
			body = append(body, e)
		}
	}
	body = append(body, rich(teamsRun{Text: m.source(asItIs), Size: "Small", Subtle: true}))
	return teamsMessage{Type: "message", Attachments: []teamsAttachment{{
		ContentType: "application/vnd.microsoft.card.adaptive",
		Content: teamsCard{
			Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.4",
			MSTeams: map[string]string{"width": "Full"}, Body: body,
		},
	}}}
}

func teamsItem(item Item) teamsElement {
	lines := []teamsElement{rich(teamsRun{Text: item.Host, Weight: "Bolder", Font: "Monospace"}, teamsRun{Text: "  " + item.facts(asItIs)})}
	if s := item.request(); s != "" {
		lines = append(lines, rich(teamsRun{Text: s, Font: "Monospace"}))
	}
	for _, text := range []string{item.Explanation, item.Remedy} {
		if text != "" {
			lines = append(lines, rich(runs(text)...))
		}
	}
	end := teamsRun{Text: item.number(), Subtle: true}
	if item.Acknowledge != "" {
		end = teamsRun{Text: "Acknowledge it", Select: map[string]string{"type": "Action.OpenUrl", "url": item.Acknowledge}}
	}
	for i := range lines {
		if i > 0 {
			lines[i].Spacing = "Small"
		}
	}
	last := rich(end)
	last.Spacing = "Small"
	return teamsElement{Type: "Container", Separator: true, Items: append(lines, last)}
}

func rich(texts ...teamsRun) teamsElement {
	for i := range texts {
		texts[i].Type = "TextRun"
	}
	return teamsElement{Type: "RichTextBlock", Inlines: texts}
}

// maxRuns bounds the parts of a text: each costs more than its characters.
const maxRuns = 21

// runs parts prose at backticks: what stands between two is code.
func runs(s string) []teamsRun {
	var out []teamsRun
	parts := strings.Split(s, "`")
	if len(parts) > maxRuns {
		parts = []string{strings.ReplaceAll(s, "`", "'")}
	}
	for i, part := range parts {
		run := teamsRun{Text: part}
		if i%2 == 1 {
			run.Font = "Monospace"
		}
		if part != "" {
			out = append(out, run)
		}
	}
	return out
}
