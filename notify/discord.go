package notify

import (
	"strings"
	"time"
	"unicode/utf16"
)

// Limits of an embed of Discord, in characters (UTF-16 code units, to be on the safe side).
// https://discord.com/developers/docs/resources/message#embed-object-embed-limits
const (
	discordTitle       = 256
	discordDescription = 4096
	discordName        = 256
	discordValue       = 1024
	discordFooter      = 2048
	discordTotal       = 6000
)

type discordMessage struct {
	Embeds   []discordEmbed  `json:"embeds"`
	Mentions discordMentions `json:"allowed_mentions"`
}

// discordMentions says who may be called by the text: nobody.
type discordMentions struct {
	Parse []string `json:"parse"`
}

type discordEmbed struct {
	Title       string         `json:"title"`
	Description string         `json:"description,omitempty"`
	Color       int            `json:"color"`
	Fields      []discordField `json:"fields,omitempty"`
	Footer      *discordFoot   `json:"footer,omitempty"`
	Timestamp   string         `json:"timestamp,omitempty"` // RFC 3339
}

type discordField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type discordFoot struct {
	Text string `json:"text"`
}

// discord writes the body that a webhook of Discord takes: one embed, with a field for each
// violation.
//   - https://discord.com/developers/docs/resources/webhook#execute-webhook
//   - https://discord.com/developers/docs/resources/message#allowed-mentions-object
func discord(m Message) (Payload, error) {
	message, err := fitting(m, func(m Message) (discordMessage, error) { return discordOf(m), nil },
		func(d discordMessage) bool { return d.Embeds[0].length() <= discordTotal })
	if err != nil {
		return Payload{}, err
	}
	document, err := encode(message)
	return Payload{JSON: document}, err
}

func discordOf(m Message) discordMessage {
	e := discordEmbed{Title: clipUnits(prose(m.Title), discordTitle), Color: m.color(), Footer: &discordFoot{clipUnits(m.source(asItIs), discordFooter)}}
	if !m.Last.IsZero() {
		e.Timestamp = m.Last.UTC().Format(time.RFC3339)
	}
	e.Description = clipUnits(paragraphs(prose(m.Escalated), proseLines(m.Text), m.rest(), prose(m.Next)), discordDescription/2)
	for _, item := range m.Items {
		e.Fields = append(e.Fields, discordField{clipUnits(code(item.Host), discordName), discordItem(item)})
	}
	return discordMessage{[]discordEmbed{e}, discordMentions{[]string{}}}
}

func discordItem(item Item) string {
	end := prose(item.number())
	if item.Acknowledge != "" {
		end = "[Acknowledge it](" + item.Acknowledge + ")"
	}
	text := join("\n", item.facts(code), code(item.request()), prose(item.Explanation), prose(item.Remedy))
	return clipUnits(text, discordValue-units(end)-1) + "\n" + end
}

// length is what Discord counts of an embed.
func (e discordEmbed) length() int {
	n := units(e.Title) + units(e.Description) + units(e.Footer.Text)
	for _, f := range e.Fields {
		n += units(f.Name) + units(f.Value)
	}
	return n
}

func units(s string) int { return len(utf16.Encode([]rune(s))) }

// clipUnits cuts Markdown to that many UTF-16 code units. A code span that is cut is closed.
func clipUnits(s string, most int) string {
	if units(s) <= most {
		return s
	}
	n, b := 2, strings.Builder{}
	for _, r := range s {
		if n += len(utf16.Encode([]rune{r})); n > most {
			break
		}
		b.WriteRune(r)
	}
	short := b.String()
	if strings.Count(short, "`")%2 == 1 {
		return strings.TrimSuffix(short, "`") + "…`"
	}
	return short + "…"
}

// join joins the parts that are there.
func join(separator string, parts ...string) string {
	var out []string
	for _, part := range parts {
		if part != "" {
			out = append(out, part)
		}
	}
	return strings.Join(out, separator)
}

func paragraphs(parts ...string) string { return join("\n\n", parts...) }

// proseLines is prose of text in lines.
func proseLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = prose(line)
	}
	return strings.Join(lines, "\n")
}
