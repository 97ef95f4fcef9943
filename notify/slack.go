package notify

import (
	"strings"
	"unicode/utf8"
)

// Limits of Slack: of a header and of the text of a section, in characters, and of all blocks
// together as people have found it.
//   - https://docs.slack.dev/reference/block-kit/blocks/header-block
//   - https://docs.slack.dev/reference/block-kit/blocks/section-block
//   - https://github.com/slackapi/bolt-js/issues/2509
const (
	slackHeader = 150
	slackText   = 3000
	slackTotal  = 12_000 // of JSON
)

type slackMessage struct {
	Text        string       `json:"text"` // of the notification, and where blocks cannot be shown
	Blocks      []slackBlock `json:"blocks"`
	UnfurlLinks bool         `json:"unfurl_links"`
	UnfurlMedia bool         `json:"unfurl_media"`
}

type slackBlock struct {
	Type     string        `json:"type"`
	Text     *slackObject  `json:"text,omitempty"`
	Elements []slackObject `json:"elements,omitempty"`
}

type slackObject struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Emoji    *bool  `json:"emoji,omitempty"`    // of plain_text
	Verbatim *bool  `json:"verbatim,omitempty"` // of mrkdwn: no links, channels or mentions are made of the text
}

// slack writes the body of an incoming webhook: Block Kit, with a text for notifications.
// Mentions, channels and links are written between < and >, which are escaped.
//   - https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
//   - https://docs.slack.dev/messaging/formatting-message-text#escaping
func slack(m Message) (Payload, error) {
	document, err := fitting(m, func(m Message) ([]byte, error) { return encode(slackBlocks(m)) },
		func(b []byte) bool { return utf8.RuneCount(b) <= slackTotal })
	return Payload{JSON: document}, err
}

func slackBlocks(m Message) slackMessage {
	no := false
	out := slackMessage{Text: slackEscape(m.Title), Blocks: []slackBlock{
		{Type: "header", Text: &slackObject{Type: "plain_text", Text: cut(m.Title, slackHeader), Emoji: &no}},
	}}
	section := func(text string) {
		if text != "" {
			out.Blocks = append(out.Blocks, slackBlock{Type: "section", Text: mrkdwn(text)})
		}
	}
	section(slackProse(m.Escalated))
	section(slackLines(m.Text))
	for _, item := range m.Items {
		section(slackItem(item))
	}
	section(slackEscape(m.rest()))
	section(slackProse(m.Next))
	out.Blocks = append(out.Blocks, slackBlock{Type: "context", Elements: []slackObject{*mrkdwn(m.source(slackCode))}})
	return out
}

func mrkdwn(text string) *slackObject {
	yes := true
	return &slackObject{Type: "mrkdwn", Text: cut(text, slackText), Verbatim: &yes}
}

func slackItem(item Item) string {
	lines := []string{"*" + slackCode(item.Host) + "*  " + item.facts(slackCode)}
	if s := item.request(); s != "" {
		lines = append(lines, slackCode(s))
	}
	for _, text := range []string{item.Explanation, item.Remedy} {
		if text != "" {
			lines = append(lines, slackProse(text))
		}
	}
	end := slackProse(item.number())
	if item.Acknowledge != "" {
		end = "<" + slackEscape(item.Acknowledge) + "|Acknowledge it>"
	}
	return strings.Join(append(lines, end), "\n")
}

func slackEscape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

func slackCode(s string) string { return slackEscape(code(s)) }

func slackProse(s string) string { return slackEscape(prose(s)) }

func slackLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = slackProse(line)
	}
	return strings.Join(lines, "\n")
}
