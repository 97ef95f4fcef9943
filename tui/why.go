package tui

import (
	"cmp"
	"fmt"
	"strings"

	"telltale/flow"
	"telltale/policy"
)

// drawWhy says what the policy thinks of a flow, which line decided, why it
// matters and what to do about it.
func drawWhy(p *paper, d *detail) {
	f, j := d.recorded.Flow, d.recorded.Judgement
	p.verdict(f, j)
	p.experimented(f)
	p.explanation(p.explained)
	for _, finding := range j.Findings {
		p.finding(finding)
	}
	p.exposures(j.Exposures(f))
	p.heading("Contact")
	p.fact("host", cmp.Or(j.Host, f.Host()))
	p.fact("category", j.Category)
	p.company(cmp.Or(j.Host, f.Host()), f.Path())
	p.noise(f)
	if len(j.Findings) == 0 {
		p.fact("decided by", j.Source.String())
	}
	p.way(f)
	p.fact("spoken", f.Speech)
	p.fact("about", wordless(f))
	p.fact("device", deviceText(f))
	p.sender(f)
	p.fact("phase", f.Phase)
	p.fact("outcome", outcomeText(f))
	p.altered(f)
	p.notes(f)
	for _, leak := range f.Leaks {
		for _, where := range leak.Where {
			p.fact("taken out", leak.Name+", "+where)
		}
	}
	p.fact("from", originText(f))
	p.whyNot(f, j)
}

// verdict writes the one sentence that the tab is about.
func (p *paper) verdict(f *flow.Flow, j policy.Judgement) {
	style := p.theme.verdictStyle(j.Verdict)
	switch j.Verdict {
	case policy.Violation:
		p.prose(fmt.Sprintf("✗ %s: %s", j.Rule(), j.Findings[0].Title), style)
	case policy.Waived:
		p.prose(fmt.Sprintf("~ Waived: %s, excused by %s", j.Rule(), j.Source.String()), style)
	case policy.Allowed:
		p.prose("✓ Allowed by "+j.Source.String(), style)
	case policy.Ignored:
		if j.Subtracted {
			p.prose("· Subtracted: it also happens with the app closed, by "+j.Source.String(), style)
			return
		}
		p.prose("· Ignored as noise of the device by "+j.Source.String(), style)
	default:
		p.prose("– Not judged: "+unjudgedText(f), style)
	}
}

// unjudgedText says why a flow is no contact.
func unjudgedText(f *flow.Flow) string {
	switch f.Outcome {
	case flow.Served:
		return "telltale itself answered, no server was contacted."
	case flow.ClientDenied:
		return "the client was turned away."
	}
	return "it names no server."
}

// askable is what the policy can be asked about a flow: its URL, or the host where the URL
// is none that anybody could ask for, as that of a question of DNS (RFC 4501).
func askable(f *flow.Flow) string {
	if url := f.URL(); strings.Contains(url, "://") {
		return url
	}
	return f.Host()
}

func (p *paper) finding(f policy.Finding) {
	p.heading(string(f.Rule) + " · " + string(f.Severity))
	p.annotations(p.said[f.Fingerprint()])
	p.styled("altered", p.shares[f.Fingerprint()], p.theme.warning)
	p.fact("decided by", f.Source.String())
	p.evidence(f)
	if f.Rule.OfContact() {
		p.fact("timer", p.timer)
	}
	p.prose(p.mask.text(f.Message), p.theme.bar)
	if f.Remedy != "" {
		p.heading("What to do")
		p.prose(f.Remedy, p.theme.bar)
	}
	p.blank()
	p.fact("about", p.mask.text(f.Subject))
	p.fact("run by", f.Owner)
	p.tests(f)
	p.fact("fingerprint", f.Fingerprint())
}

// whyNot repeats what the policy was asked, in order, as `policy explain` does.
func (p *paper) whyNot(f *flow.Flow, j policy.Judgement) {
	if j.Verdict == policy.Unjudged {
		return
	}
	explained, err := p.policy.ExplainFrom(f.Client.Addr.Addr(), f.Method(), askable(f))
	if err != nil {
		return // a URL that nobody could ask for again
	}
	p.heading("What the policy was asked")
	for _, step := range explained.Steps {
		mark := " "
		if step.Decided {
			mark = "▸"
		}
		p.prose(fmt.Sprintf("%s %s: %s", mark, step.Stage, p.mask.text(step.Text)), p.theme.bar)
		if text := step.Source.String(); text != "" && step.Matched {
			p.prose("    "+text, p.theme.dim)
		}
	}
}

// sender says which app made a flow, and how that is known.
func (p *paper) sender(f *flow.Flow) {
	p.fact("User-Agent", f.UserAgent())
	if p.apps != nil {
		p.fact("app", p.apps.Of(f).Words)
	}
}

func deviceText(f *flow.Flow) string {
	text := ""
	if f.Client.Addr.IsValid() {
		text = f.Client.Addr.String()
	}
	if f.Client.Device != "" {
		text = f.Client.Device + " (" + text + ")"
	}
	return text
}

func outcomeText(f *flow.Flow) string {
	text := string(f.Outcome)
	if f.Failure != "" {
		text += " (" + f.Failure + ")"
	}
	if f.Error != "" {
		text += ": " + f.Error
	}
	return text
}

func originText(f *flow.Flow) string {
	o := f.Origin
	if o.Entry == 0 {
		return o.Capture
	}
	text := fmt.Sprintf("%s, entry %d", o.Capture, o.Entry)
	if o.Line > 0 {
		text += fmt.Sprintf(", line %d", o.Line)
	}
	return text
}
