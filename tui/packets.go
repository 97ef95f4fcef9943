package tui

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"telltale/coverage"
	"telltale/flow"
)

// This file shows what has no request: questions of DNS, packets, and contacts that
// somebody else saw. All names and answers in them come from the wire.

// wordless says on one line what a flow without a request is about: what stands where
// others have their path. It is "" for a flow that has no more to say than its outcome.
func wordless(f *flow.Flow) string {
	switch f.Kind {
	case flow.DNS:
		return questionText(f)
	case flow.UDP, flow.ICMP, flow.IP:
		if f.Outcome == flow.QUICRefused {
			return "QUIC refused: apps come back over TCP"
		}
		packets := fmt.Sprintf("%s up, %s down", count(int(f.DatagramsSent)), count(int(f.DatagramsReceived)))
		return strings.Join(nonEmpty(f.Speech, packets), ", ")
	case flow.Tunnel:
		if f.Speech != "" {
			return f.Speech + ", " + string(f.Outcome)
		}
	case flow.Contact:
		return "seen by " + sourceText(f)
	}
	return ""
}

// questionText says what was asked of DNS and what came back: "AAAA → 2001:db8::7".
func questionText(f *flow.Flow) string {
	q := f.DNS
	if q == nil {
		return ""
	}
	if len(q.Answers) == 0 {
		return strings.TrimSpace(q.Type + " → " + codeText(q, f))
	}
	const shown = 3
	var data []string
	for _, a := range q.Answers {
		if a.Type == q.Type || len(q.Answers) == 1 { // the name behind an alias is what was asked for
			data = append(data, a.Data)
		}
	}
	if len(data) == 0 {
		data = append(data, q.Answers[0].Type+" "+q.Answers[0].Data)
	}
	if more := len(data) - shown; more > 0 {
		data = append(data[:shown:shown], fmt.Sprintf("%d more", more))
	}
	return q.Type + " → " + strings.Join(data, ", ")
}

// codeText says how a question without an answer ended.
func codeText(q *flow.Question, f *flow.Flow) string {
	switch q.Code {
	case "NOERROR":
		return "nothing of that type"
	case "NXDOMAIN":
		return "no such name"
	case "":
		if !f.Ended() {
			return "…"
		}
		return cmp.Or(f.Error, "no answer")
	}
	return q.Code
}

// codeWords are the codes of DNS in a word that fits a table (RFC 1035, 4.1.1; RFC 6895,
// 2.3).
var codeWords = map[string]string{"NXDOMAIN": "no name", "SERVFAIL": "failed", "REFUSED": "refused", "FORMERR": "broken", "NOTIMP": "refused"}

// sourceText names who saw a contact.
func sourceText(f *flow.Flow) string {
	if way, ok := coverage.Of(f.Mode); ok {
		return "the " + way.Title
	}
	return cmp.Or(f.Mode, "somebody else")
}

// appText names the app that a source says a flow is of.
func appText(f *flow.Flow) string {
	app := f.Client.App
	text := cmp.Or(app.Name, app.ID)
	if app.Name != "" && app.ID != "" {
		text += " (" + app.ID + ")"
	}
	return text
}

// asked is the Request tab of a flow without a request; false where it was to have one.
func (p *paper) asked(f *flow.Flow) bool {
	switch f.Kind {
	case flow.DNS:
		p.heading("Question")
		if q := f.DNS; q != nil {
			p.fact("name", q.Name)
			p.fact("type", q.Type)
		}
		p.way(f)
		p.fact("sent", plural(int(f.Sent), "byte"))
	case flow.UDP, flow.ICMP, flow.IP:
		p.heading("Packets of the device")
		p.fact("protocol", f.Protocol())
		p.fact("count", count(int(f.DatagramsSent)))
		p.fact("sent", plural(int(f.Sent), "byte"))
		p.way(f)
		p.notes(f)
	case flow.Contact:
		p.prose("That this contact was made is known from "+sourceText(f)+". What was sent is not.", p.theme.dim)
		p.fact("app", appText(f))
	default:
		return false
	}
	return true
}

// answered is the Response tab of a flow without a response; false where it was to have
// one.
func (p *paper) answered(f *flow.Flow) bool {
	switch f.Kind {
	case flow.DNS:
		p.heading("Answer")
		if f.DNS == nil {
			return true
		}
		p.fact("code", f.DNS.Code)
		if len(f.DNS.Answers) == 0 {
			p.prose(capital(codeText(f.DNS, f))+".", p.theme.dim)
		}
		for _, a := range f.DNS.Answers {
			p.fact(a.Type, a.Data+"  for "+ttlText(a.TTL)+"  ("+a.Name+")")
		}
		p.fact("received", plural(int(f.Received), "byte"))
		p.altered(f)
	case flow.UDP, flow.ICMP, flow.IP:
		p.heading("Packets that came back")
		p.fact("count", count(int(f.DatagramsReceived)))
		p.fact("received", plural(int(f.Received), "byte"))
		if f.Outcome == flow.QUICRefused {
			p.prose("telltale refused QUIC, so that the app comes back over TCP, where it can be read. Nothing reached the server.", p.theme.dim)
		}
	case flow.Contact:
		p.prose("What came back is not known from "+sourceText(f)+".", p.theme.dim)
	default:
		return false
	}
	return true
}

// way says where packets were meant to go, and where they went.
func (p *paper) way(f *flow.Flow) {
	p.fact("destination", f.Server.AddressedTo())
	p.fact("resolved", f.Server.Resolved)
	if f.Server.Destination.IsValid() && f.Server.Dialed.IsValid() && f.Server.Dialed != f.Server.Destination {
		p.fact("reached", f.Server.Dialed.String())
	}
}

// notes writes what was noticed beside the outcome.
func (p *paper) notes(f *flow.Flow) {
	for _, note := range f.Notes {
		p.styled("note", note, p.theme.warning)
	}
}

func ttlText(ttl time.Duration) string {
	if ttl < time.Second {
		return "0s"
	}
	return durationText(ttl)
}
