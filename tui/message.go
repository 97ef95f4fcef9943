package tui

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"telltale/flow"
	"telltale/flow/plain"
	"telltale/flow/pretty"
)

// drawRequest shows what the client sent: line, query, fields, body, and the
// messages of a WebSocket in both directions.
func drawRequest(p *paper, d *detail) {
	f := d.recorded.Flow
	p.experimented(f)
	if f.Request == nil && p.asked(f) {
		return
	}
	if f.Request == nil {
		p.prose("No request was read: "+outcomeText(f)+".", p.theme.warning)
		p.bytes(f)
		return
	}
	r := f.Request
	p.prose(strings.TrimSpace(r.Method+" "+p.mask.url(r.URL)+" "+r.Proto), p.theme.title)
	p.fields("", r.Header)
	if _, query, ok := strings.Cut(r.URL, "?"); ok {
		query, _, _ = strings.Cut(query, "#")
		p.heading("Query")
		p.document(pretty.Query(query, p.options()))
	}
	p.body(d, r.Header, r.Body)
	p.fields("Trailers", r.Trailer)
	if f.Kind == flow.WebSocket {
		p.frames(d)
	}
}

// drawResponse shows what came back.
func drawResponse(p *paper, d *detail) {
	f := d.recorded.Flow
	p.experimented(f)
	if f.Response == nil && p.answered(f) {
		return
	}
	if f.Response == nil {
		text := "No response came: " + outcomeText(f) + "."
		if !f.Ended() {
			text = "No response yet."
		}
		p.prose(text, p.theme.warning)
		p.bytes(f)
		return
	}
	r := f.Response
	for _, status := range r.Interim {
		p.prose(fmt.Sprintf("%d %s", status, http.StatusText(status)), p.theme.dim)
	}
	reason := r.Reason
	if reason == "" {
		reason = http.StatusText(r.Status)
	}
	p.prose(strings.TrimSpace(fmt.Sprintf("%s %d %s", r.Proto, r.Status, reason)), p.theme.title)
	p.fields("", r.Header)
	p.body(d, r.Header, r.Body)
	p.fields("Trailers", r.Trailer)
	switch {
	case f.Kind == flow.WebSocket:
		p.frames(d)
	case !f.Ended():
		p.heading("Body")
		p.prose("The response is still under way: its body shows when it ends.", p.theme.warning)
	}
}

// bytes says how much passed through a connection that was not read.
func (p *paper) bytes(f *flow.Flow) {
	p.blank()
	p.fact("spoken", f.Speech)
	p.way(f)
	p.fact("sent", plural(int(f.BytesSent()), "byte"))
	p.fact("received", plural(int(f.BytesReceived()), "byte"))
}

func (p *paper) fields(title string, fields []flow.Field) {
	if len(fields) == 0 {
		return
	}
	if title != "" {
		p.heading(title)
	}
	for _, f := range fields {
		p.field(f.Name, p.mask.field(f))
	}
}

func (p *paper) options() pretty.Options {
	return pretty.Options{Mask: p.mask.values, Reveal: p.mask.reveals()}
}

// notRecorded says why there is no content (flow.Flow.Omitted).
const notRecorded = "Not recorded, as the policy asks, or left out of a redacted copy. It was searched and judged before."

func (p *paper) body(d *detail, header []flow.Field, b flow.Body) {
	if b.Size == 0 && len(b.Content) == 0 {
		return
	}
	if d.trouble != "" && b.Content == nil {
		p.heading("Body")
		p.prose("It could not be read from the capture: "+d.trouble, p.theme.violation)
		return
	}
	if d.recorded.Flow.Omitted && len(b.Content) == 0 && b.Digest == "" {
		p.heading("Body · " + plural(int(b.Size), "byte"))
		p.prose(notRecorded, p.theme.dim)
		return
	}
	doc := pretty.Body(flow.Get(header, "Content-Type"), flow.Get(header, "Content-Encoding"), b, p.options())
	title := "Body · " + doc.Format + " · " + plural(int(b.Size), "byte")
	if len(doc.Layers) > 0 {
		title += " · " + strings.Join(doc.Layers, ", ")
	}
	p.heading(title)
	p.document(doc)
}

// frames shows the messages of a WebSocket.
func (p *paper) frames(d *detail) {
	title := plural(len(d.frames), "message")
	if len(d.frames) == maxFrames {
		title = "The first " + title
	}
	p.heading(title)
	if d.recorded.Flow.Omitted && slices.ContainsFunc(d.frames, omitted) {
		p.prose(notRecorded, p.theme.dim)
	}
	for _, frame := range d.frames {
		direction, style := "◂ server", p.theme.number
		if frame.FromClient {
			direction, style = "▸ client", p.theme.literal
		}
		doc := pretty.Frame(frame, p.options())
		p.lines = append(p.lines, style.Render(direction)+p.theme.dim.Render(plain.Text(fmt.Sprintf("  %s  %s  %s",
			frame.Time.Local().Format("15:04:05.000"), doc.Format, plural(int(frame.Size), "byte")))))
		if !d.recorded.Flow.Omitted || !omitted(frame) {
			p.document(doc)
		}
	}
}

// omitted reports whether nothing of a message was kept.
func omitted(f flow.Frame) bool { return f.Truncated && len(f.Data) == 0 }
