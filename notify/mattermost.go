package notify

import "fmt"

// mattermostTotal is how much of text a post of Mattermost takes, in characters, less some
// room; what is longer is parted into several posts.
// https://developers.mattermost.com/integrate/webhooks/incoming/#tips-and-best-practices
const mattermostTotal = 15_000

type mattermostMessage struct {
	Text        string                 `json:"text"`
	Attachments []mattermostAttachment `json:"attachments,omitempty"`
}

type mattermostAttachment struct {
	Fallback string `json:"fallback"`
	Color    string `json:"color"`
	Text     string `json:"text"`
	Footer   string `json:"footer,omitempty"`
}

// mattermostFooter bounds the footer of an attachment, in characters.
const mattermostFooter = 300

// mattermost writes the body of an incoming webhook, text with one attachment. Markdown holds
// in both, and so would mentions: text of the wire is code.
//   - https://developers.mattermost.com/integrate/webhooks/incoming/
//   - https://developers.mattermost.com/integrate/reference/message-attachments/
func mattermost(m Message) (Payload, error) {
	document, err := fitting(m, func(m Message) ([]byte, error) { return encode(mattermostOf(m)) },
		func(b []byte) bool { return len(b) <= mattermostTotal })
	return Payload{JSON: document}, err
}

func mattermostOf(m Message) mattermostMessage {
	parts := []string{prose(m.Escalated), proseLines(m.Text)}
	for _, item := range m.Items {
		parts = append(parts, markdownItem(item))
	}
	parts = append(parts, m.rest(), prose(m.Next))
	title := prose(m.Title)
	return mattermostMessage{Text: "**" + title + "**", Attachments: []mattermostAttachment{{
		Fallback: title, Color: fmt.Sprintf("#%06x", m.color()), Text: paragraphs(parts...), Footer: cut(m.source(asItIs), mattermostFooter),
	}}}
}

// markdownItem is a violation in a few lines of Markdown.
func markdownItem(item Item) string {
	end := prose(item.number())
	if item.Acknowledge != "" {
		end = "[Acknowledge it](" + item.Acknowledge + ")"
	}
	return join("  \n", "**"+code(item.Host)+"** "+item.facts(code), code(item.request()), prose(item.Explanation), prose(item.Remedy), end)
}
