package notify

import (
	"html/template"
	"strings"
)

// maxSubject bounds the subject of an e-mail, in characters: programs show fewer.
const maxSubject = 150

// mail writes an e-mail: subject, text and the same as HTML. The subject is one line without
// controls, so that no header can be put behind it (RFC 5322, 2.2).
func mail(m Message) Payload {
	var page strings.Builder
	view := mailView{m, strings.Split(m.Text, "\n"), m.rest(), m.source(asItIs)}
	if err := mailPage.Execute(&page, view); err != nil {
		panic(err) // the template is ours, and a builder takes everything
	}
	return Payload{Subject: "[telltale] " + cut(m.Title, maxSubject), Text: mailText(m), HTML: page.String()}
}

// mailText is an e-mail for those who read no HTML.
func mailText(m Message) string {
	parts := []string{m.Title, m.Escalated, m.Text}
	for _, item := range m.Items {
		parts = append(parts, join("\n  ", item.Host, item.facts(asItIs), item.request(), item.Explanation, item.Remedy, item.App, mailEnd(item)))
	}
	parts = append(parts, m.rest(), m.Next, "-- \n"+m.source(asItIs))
	return paragraphs(parts...) + "\n"
}

func mailEnd(item Item) string {
	if item.Acknowledge != "" {
		return "Acknowledge it: " + item.Acknowledge
	}
	return item.number()
}

type mailView struct {
	Message
	Lines  []string
	Rest   string
	Source string
}

// Facts are those of an item, for the template.
func (v mailView) Facts(item Item) string { return item.facts(asItIs) }

// Request is that of an item, for the template.
func (v mailView) Request(item Item) string { return item.request() }

// Link is a link that [link] has checked: the template would refuse none of them.
func (v mailView) Link(item Item) template.URL { return template.URL(item.Acknowledge) } // #nosec G203 -- http or https, without marks

// Runs parts prose at backticks.
func (v mailView) Runs(s string) []teamsRun { return runs(s) }

var mailPage = template.Must(template.New("mail").Parse(`<!DOCTYPE html>
<html lang="en">
<body style="font-family: sans-serif; max-width: 48em">
<h1 style="font-size: 1.2em">{{.Title}}</h1>
{{- with .Escalated}}
<p><strong>{{.}}</strong></p>
{{- end}}
{{- range .Lines}}{{with .}}
<p>{{template "prose" $.Runs .}}</p>
{{- end}}{{end}}
{{- range .Items}}
<div style="border-left: 3px solid #d13438; margin: 1em 0; padding-left: 1em">
<p><strong><code>{{.Host}}</code></strong><br>{{$.Facts .}}{{with $.Request .}}<br><code>{{.}}</code>{{end}}</p>
{{- with .Explanation}}
<p>{{template "prose" $.Runs .}}</p>
{{- end}}
{{- with .Remedy}}
<p>{{template "prose" $.Runs .}}</p>
{{- end}}
<p>{{if .Acknowledge}}<a href="{{$.Link .}}">Acknowledge it</a>{{else}}Its number is <code>{{.ID}}</code>.{{end}}</p>
</div>
{{- end}}
{{- with .Rest}}
<p>{{.}}</p>
{{- end}}
{{- with .Next}}
<p>{{template "prose" $.Runs .}}</p>
{{- end}}
<p style="color: #666; font-size: 0.8em">{{.Source}}</p>
</body>
</html>
{{define "prose"}}{{range .}}{{if .Font}}<code>{{.Text}}</code>{{else}}{{.Text}}{{end}}{{end}}{{end}}`))
