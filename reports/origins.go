package reports

import (
	"fmt"
	"strings"

	"telltale/capture"
	"telltale/locate"
)

// This file says where in the app the hosts of violations come from, in the documents of an
// audit. A mention is a lead: it changes no verdict.

const (
	originsID      = "origins"
	originsHeading = "Where it comes from"
)

// Limits of what a document for people shows of it. The JSON has all.
const (
	originHosts  = 20 // hosts with leads
	originLeads  = 2  // leads to one that are told in full
	originPlaces = 4  // further leads, a line each
	originNotes  = 12 // lines of any other list

	snippetColumns = 76
	snippetSide    = 120 // characters on either side of a match, in JSON
	pageColumns    = 120 // of the page, which breaks lines by itself
)

// located are the finds of an audit, nil where no app was at hand.
func (r *Report) located() *finds {
	if r.Origins == nil {
		return nil
	}
	return &finds{&Located{Result: r.Origins, Mask: r.Mask, Reveal: r.Reveal}, r}
}

// originParts are where the violations come from, ready for a document.
type originParts struct {
	Intro   string       // what was searched, and what a lead is worth
	Hosts   []originHost // with leads
	found   []find       // that these are of
	More    int          // for which there is no room
	Missing sentences    // sentences on hosts without leads
	Hidden  sentences    // what could not be read
	Advice  sentences
}

// originHost is a host of violations with its leads.
type originHost struct {
	Host  string // quoted
	Leads []originLead
	Rest  []string // sentences
	More  int
}

// originLead is one lead.
type originLead struct {
	Where   string         // sentence
	Snippet locate.Snippet // harmless, in full
	Facts   []fact
	Remedy  string // prose of several lines
	Docs    string
}

// origins returns where the violations come from, nil where no app was at hand or nothing is
// to be said.
func (r *Report) origins(st style) *originParts {
	f := r.located()
	if f == nil || len(r.Summary.Violations) == 0 {
		return nil
	}
	in := r.inApp(st)
	out := &originParts{Intro: fmt.Sprintf("%s was searched: %s. %s", f.Result.Names(in), f.Result.Searched(), locate.MentionNote)}
	var missing []string
	seen := map[string]bool{}
	for _, v := range r.Summary.Violations {
		x, known := r.lookup().origins[v.Finding.Host]
		if !known || seen[x.name] {
			continue
		}
		seen[x.name] = true
		switch {
		case len(x.leads) == 0:
			missing = append(missing, r.unmentioned(x, st))
		case len(out.Hosts) == originHosts:
			out.More++
		default:
			out.Hosts, out.found = append(out.Hosts, r.originHost(x, st)), append(out.found, x)
		}
	}
	out.Missing, out.Hidden = noted(missing), noted(f.Result.Hidden(in))
	if len(missing) > 0 {
		out.Advice = noted(f.advice(st))
	}
	return out
}

// noted are sentences, of which a document shows the first.
func noted(all []string) sentences {
	n := min(len(all), originNotes)
	return sentences{all[:n], len(all) - n}
}

// unmentioned says that a host stands nowhere, and where a domain above it does.
func (r *Report) unmentioned(x find, st style) string {
	in := r.inApp(st)
	text := in.Data(x.name) + " is not in what could be read"
	if len(x.above) > 0 {
		above := &x.above[0]
		text += fmt.Sprintf("; its name may be built from %s, which is there: %s", in.Data(above.Text), above.Where(in))
	}
	return text + "."
}

func (r *Report) originHost(x find, st style) originHost {
	in := r.inApp(st)
	out := originHost{Host: in.Data(x.name)}
	told := map[string]bool{}
	n := min(len(x.leads), originLeads)
	for i := range x.leads[:n] {
		l := &x.leads[i]
		key := l.OriginKey()
		out.Leads = append(out.Leads, r.originLead(l, key != "" && told[key], st))
		told[key] = true
	}
	rest := x.leads[n:]
	for i := range rest[:min(len(rest), originPlaces)] {
		out.Rest = append(out.Rest, rest[i].Briefly(in))
	}
	out.More = len(rest) - len(out.Rest)
	return out
}

// originLead is a lead; again says that the same origin was told above.
func (r *Report) originLead(l *locate.Lead, again bool, st style) originLead {
	in := r.inApp(st)
	out := originLead{Where: l.Where(in), Snippet: harmless(r.snippet(l))}
	told := l.Facts(in)
	if !again {
		told = append(told, l.Grounds(in)...)
		out.Remedy = clip(r.ofApp(l.Remedy()), maxProse)
		if l.Origin != nil && l.Origin.Docs != "" {
			out.Docs = in.Data(l.Origin.Docs)
		}
	}
	for _, f := range told {
		out.Facts = append(out.Facts, fact(f))
	}
	return out
}

// comesFrom says in one line where the host of a violation comes from: "" where nobody looked.
func (r *Report) comesFrom(host string, st style) string {
	x, known := r.lookup().origins[host]
	switch {
	case !known:
		return ""
	case len(x.leads) == 0:
		return "not in what could be read of the app"
	}
	text := x.leads[0].Briefly(r.inApp(st))
	if more := len(x.leads) - 1; more > 0 {
		text += ", and " + counted(more, "more place", "more places")
	}
	if x.leads[0].Stopped() {
		text += "; the app turns that default off"
	}
	return text
}

// origins writes the section in text.
func (s *screen) origins(r *Report) {
	parts := r.origins(onTerminal)
	if parts == nil {
		return
	}
	s.heading(originsHeading)
	for _, line := range Wrap(parts.Intro, s.width) {
		s.WriteString(line + "\n")
	}
	for i, x := range parts.found {
		s.find(r, i+1, x, originLeads, originPlaces)
	}
	if parts.More > 0 {
		s.more(parts.More, "hosts")
	}
	s.list("Not found in the app", parts.Missing.Items)
	s.list("What of the app could not be read", parts.Hidden.Items)
	s.list("What to try", parts.Advice.Items)
}

// inMarkdown writes the section in Markdown.
func (p *originParts) inMarkdown(r *Report) string {
	if p == nil {
		return ""
	}
	m := &markdown{r: r}
	m.heading(originsHeading)
	m.line("%s", p.Intro)
	used := 0
	for i, h := range p.Hosts {
		text := h.inMarkdown()
		if used += len(text); i > 0 && used > budgetOrigins {
			p.More += len(p.Hosts) - i
			break
		}
		m.WriteString(text)
	}
	if p.More > 0 {
		m.line("\n… and %s; a `.json` report has them all.", plural(p.More, "more host", "more hosts"))
	}
	for _, part := range []struct {
		title string
		all   sentences
	}{{"Not found", p.Missing}, {"What could not be read", p.Hidden}, {"What to try", p.Advice}} {
		if len(part.all.Items) == 0 {
			continue
		}
		m.line("\n**%s.**\n", part.title)
		m.items(part.all.Items, budgetChapter)
	}
	return m.String()
}

func (h *originHost) inMarkdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### %s\n", h.Host)
	for _, l := range h.Leads {
		fmt.Fprintf(&b, "\n%s\n", l.Where)
		if program := underlined(l.Snippet.Fit(snippetColumns, cellsOf)); len(program) > 0 {
			fmt.Fprintf(&b, "\n%s\n", fenced("", program))
		}
		b.WriteByte('\n')
		for _, f := range l.Facts {
			fmt.Fprintf(&b, "- %s: %s\n", f.Label, f.Text)
		}
		if l.Docs != "" {
			fmt.Fprintf(&b, "- Docs: %s\n", l.Docs)
		}
		if l.Remedy != "" {
			fmt.Fprintf(&b, "\n**Remedy.** %s\n", fit(block, l.Remedy, maxProse))
		}
	}
	for i, text := range h.Rest {
		if i == 0 {
			b.WriteString("\nAlso in:\n\n")
		}
		fmt.Fprintf(&b, "- %s\n", text)
	}
	if h.More > 0 {
		fmt.Fprintf(&b, "- … and %s more\n", locate.Thousands(h.More))
	}
	return b.String()
}

// origins are the lines in the app that mention the host of a violation, as related locations
// numbered from after. A file without lines has none: code scanning wants a line.
func (s *sarif) origins(v capture.Violation, after, limit int) []sarifLocation {
	var out []sarifLocation
	leads := s.r.lookup().origins[v.Finding.Host].leads
	for i := range leads {
		l := &leads[i]
		if l.Place.Line == 0 || len(out) == limit {
			continue
		}
		region := &sarifRegion{Start: l.Place.Line, StartColumn: max(l.Place.Column, 1), End: l.Place.Line, ByteOffset: &l.Offset}
		out = append(out, sarifLocation{
			ID: after + len(out) + 1, Physical: sarifPlace{s.file(s.r.ofApp(s.r.inContainer(l))), region},
			Message: &sarifMessage{Text: "It stands in the app: " + l.Briefly(s.r.inApp(inSARIF)) + "."},
		})
	}
	return out
}

// inAppLinks link to these locations.
func inAppLinks(all []sarifLocation) string {
	if len(all) == 0 {
		return ""
	}
	out := make([]string, len(all))
	for i, at := range all {
		out[i] = fmt.Sprintf("[line %d, column %d](%d)", at.Physical.Region.Start, at.Physical.Region.StartColumn, at.ID)
	}
	return "In the app: " + strings.Join(out, ", ") + "."
}

// inContainer names a file with the app that holds it: "covid-alert.ipa!/Payload/x", "src/app.js".
func (r *Report) inContainer(l *locate.Lead) string {
	if l.App < 0 || l.App >= len(r.Origins.Apps) {
		return l.File
	}
	return r.Origins.Apps[l.App].Inside(l.File)
}
