package tui

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"telltale/cadence"
	"telltale/capture"
	"telltale/exposure"
	"telltale/flow"
	"telltale/policy"
	"telltale/policy/catalog"
)

// This file shows what was sent, not only to whom: identifiers and their receivers, who
// stands behind a host, contacts by a timer, and what a device does by itself.

// openSent shows what was told to whom.
func (m *model) openSent() {
	m.open(&pager{title: "What was told to whom", text: sentText})
}

func sentText(m *model, width int) []string {
	p := &paper{theme: &m.theme, width: max(20, width-2), mask: m.mask(false)}
	trails := m.news.sum.Trails
	if len(trails) == 0 {
		p.prose("No identifier of the person, the device or the installation was found in what could be read so far.", m.theme.dim)
	}
	for _, told := range exposure.ByReceiver(trails) {
		p.heading(told.Receiver)
		for _, t := range told.Trails {
			p.item("· ", namedTrail(t)+aboutTrail(t))
		}
	}
	p.section("Values that link companies", linkTexts(trails))
	p.section("Contacts by a timer", m.timerTexts())
	p.section("Also happens with the app closed", m.idleTexts())
	p.section("What these identifiers are", kindTexts(trails))
	return p.lines
}

// section writes sentences below a heading, where there are any.
func (p *paper) section(title string, texts []string) {
	if len(texts) == 0 {
		return
	}
	p.heading(title)
	for _, text := range texts {
		p.item("· ", text)
	}
}

// namedTrail is what a value is called: "advertising identifier 6d92…".
func namedTrail(t exposure.Trail) string {
	title := exposure.KindOf(t.Kind).Title
	switch {
	case t.Masked != "":
		return title + " " + t.Masked
	case t.Label != "":
		return title + " (" + t.Label + ")"
	}
	return title
}

// aboutTrail says under which names a value was sent, how often, and whether it keeps.
func aboutTrail(t exposure.Trail) string {
	text := ""
	if len(t.Names) > 0 {
		text = ", as " + strings.Join(firstOf(t.Names), ", ")
	}
	text += ", in " + plural(t.Count, "flow")
	switch t.Lasting {
	case exposure.Stable:
		text += "; the same in different sessions"
	case exposure.Session:
		text += "; a new one in each session"
	}
	return text
}

// maxNamed is how many names a sentence has.
const maxNamed = 5

func firstOf(names []string) []string {
	if more := len(names) - maxNamed; more > 0 {
		return append(names[:maxNamed:maxNamed], count(more)+" more")
	}
	return names
}

// linkTexts say which values join what several receivers know.
func linkTexts(trails []exposure.Trail) (texts []string) {
	for _, t := range trails {
		if !t.Links() {
			continue
		}
		names := firstOf(t.Receivers)
		last := len(names) - 1
		texts = append(texts, fmt.Sprintf("The same %s went to %s and %s: they can join what they know.", namedTrail(t), strings.Join(names[:last], ", "), names[last]))
	}
	return texts
}

// timerTexts say what repeats.
func (m *model) timerTexts() (texts []string) {
	for _, s := range m.news.sum.Shapes {
		if s.Rhythm.Count > 0 {
			texts = append(texts, capital(m.tells(s.Host, s.Rhythm))+": "+shapeText(s.Shape))
		}
	}
	return texts
}

// tells says what a rhythm amounts to: "tells Google every minute that the app is open".
func (m *model) tells(host string, beat cadence.Rhythm) string {
	what := "the app is open"
	n, _ := catalog.NoiseOf(catalog.Sighting{Host: host})
	if n.Class == catalog.ClassNoise || m.hostOf(host).Verdict == policy.Ignored {
		what = "the device is on"
	}
	return fmt.Sprintf("tells %s %s that %s", cmp.Or(runBy(host), host), beat, what)
}

// hostOf returns the row of a host, a zero one where it has none.
func (m *model) hostOf(name string) capture.Host {
	hosts := m.news.sum.Hosts // sorted by name
	i, ok := slices.BinarySearchFunc(hosts, name, func(h capture.Host, name string) int { return cmp.Compare(h.Name, name) })
	if !ok {
		return capture.Host{}
	}
	return hosts[i]
}

// timerOf says what repeats at a host, "" for nothing.
func (m *model) timerOf(host string) string {
	beat := m.hostOf(host).Rhythm
	if beat.Count == 0 {
		return ""
	}
	return "it " + m.tells(host, beat)
}

// idleTexts say what an idle baseline explains.
func (m *model) idleTexts() (texts []string) {
	for _, s := range m.news.sum.Shapes {
		if s.Subtracted > 0 {
			texts = append(texts, fmt.Sprintf("%s: %s of %s", shapeText(s.Shape), count(s.Subtracted), plural(s.Flows, "flow")))
		}
	}
	return texts
}

// kindTexts say what whoever gets an identifier can do.
func kindTexts(trails []exposure.Trail) (texts []string) {
	for _, name := range exposure.KindsOf(trails) {
		if k := exposure.KindOf(name); k.Why != "" {
			texts = append(texts, capital(k.Title)+": "+k.Why)
		}
	}
	return texts
}

func shapeText(s policy.Shape) string { return strings.TrimSpace(s.Method + " " + s.Host + s.Path) }

// runBy names the company behind a host, "" where nobody knows.
func runBy(host string) string {
	if c, ok := catalog.FindCompany(host); ok {
		return c.Name
	}
	return ""
}

// company says who stands behind a host: the product, the company with its country, and
// what it is for.
func (p *paper) company(host, path string) {
	product, ok := catalog.FindProduct(host, path)
	if !ok {
		if c, ok := catalog.FindCompany(host); ok {
			p.fact("company", withCountry(c.Name, c.Country))
		}
		return
	}
	if product.Name != product.Company {
		p.fact("product", product.Name)
	}
	p.fact("company", withCountry(product.Company, product.Country))
	if c, ok := catalog.FindCategory(product.Category); ok {
		p.fact("purpose", c.Title)
	}
	p.fact("known from", product.Source)
}

func withCountry(name, country string) string {
	if country == "" {
		return name
	}
	return name + " (" + country + ")"
}

// evidence says where a value stood that must not be there, and which tests of OWASP's
// MASTG that bears on.
func (p *paper) evidence(f policy.Finding) {
	for _, e := range f.Evidence {
		text := exposure.Place(e.Where, e.Layers)
		if e.Form != "" {
			form := e.Form
			if first, _ := utf8.DecodeRuneInString(form); unicode.IsUpper(first) { // the name of a hash
				form = "as " + form
			}
			text += ", " + form
		}
		if e.Masked != "" {
			text += ": " + e.Masked
		}
		p.fact("found", text)
	}
}

// tests names the tests of OWASP's MASTG that a finding bears on.
func (p *paper) tests(f policy.Finding) {
	for _, t := range catalog.Tests(string(f.Rule), f.Subject) {
		text := t.ID + ": " + t.Title
		if t.Weakness != "" {
			text += " (" + t.Weakness + ")"
		}
		p.fact("OWASP test", text)
	}
}

// exposures lists the identifiers that a flow carried, masked.
func (p *paper) exposures(all []flow.Exposure) {
	if len(all) == 0 {
		return
	}
	p.heading("Identifiers that it carried")
	for _, e := range all {
		text := exposure.KindOf(e.Kind).Title
		if e.Masked != "" {
			text += " " + e.Masked
		}
		p.item("· ", text+", "+exposure.Place(e.Where, e.Layers))
	}
}

// noise says that devices make a contact by themselves, in the words of [noiseWords].
func (p *paper) noise(f *flow.Flow) {
	n, ok := catalog.NoiseOf(sighting(f))
	if !ok {
		return
	}
	text := noiseWords[n.Class]
	if n.What != "" {
		text += ": " + n.What
	}
	p.fact("by itself", text)
}

// noiseWords say what a class of hosts means.
var noiseWords = map[catalog.Class]string{
	catalog.ClassNoise:     "system noise: only the device's system or a browser does this",
	catalog.ClassAmbiguous: "system or app: both do this, so that the host alone does not tell who it was",
}

// marked adds to the word of a verdict that devices make a contact by themselves. The
// name of a rule keeps its room.
func marked(word string, v policy.Verdict, c catalog.Class) string {
	if v == policy.Allowed || v == policy.Ignored {
		word += map[catalog.Class]string{catalog.ClassNoise: ", system", catalog.ClassAmbiguous: ", system?"}[c]
	}
	return word
}

// sighting is what the catalogue is asked about a flow.
func sighting(f *flow.Flow) catalog.Sighting {
	s := catalog.Sighting{Host: f.Host(), Read: f.Request != nil, Method: f.Method(), UserAgent: f.UserAgent()}
	if u, err := url.Parse(f.URL()); err == nil && s.Read {
		s.Scheme, s.Path = strings.ToLower(u.Scheme), u.Path
	}
	return s
}
