package reports

import (
	"fmt"
	"io"
	"strings"

	"telltale/flow/plain"
	"telltale/locate"
	"telltale/policy"
)

// Limits of what was located, as text: what is more is counted, and stands in full in the
// JSON.
const (
	textFinds   = 40 // hosts and strings that were wanted
	textLeads   = 4  // leads to one that are told in full
	textPlaces  = 8  // further leads, a line each
	textListed  = 60 // hosts of one verdict in a list
	textKinds   = 12
	textNoise   = 3 // examples of one kind of noise
	leadsIndent = 3
)

const underline = "1;4" // SGR: bold and underlined

func (f *finds) writeText(w io.Writer) error {
	s := &screen{width: defaultWidth, color: f.Color}
	if f.Width > 0 {
		s.width = min(max(f.Width, minWidth), maxWidth)
	}
	var missing []find
	if f.Result.Listed {
		s.inventory(f)
	} else {
		var found []find
		found, missing = f.parted()
		s.result(f, found, missing)
		s.searched(f)
		for i, x := range found {
			if i == textFinds {
				s.more(len(found)-i, "hosts and strings")
				break
			}
			s.find(f.r, i+1, x, textLeads, textPlaces)
		}
	}
	s.missing(f, missing)
	s.list(unseenHeading(len(missing) > 0), f.Result.Hidden(f.r.inApp(onTerminal)))
	if len(missing) > 0 {
		s.list("What to try", f.advice(onTerminal))
		s.list("Where it was looked", f.looked(onTerminal))
	}
	s.WriteByte('\n')
	for _, line := range Wrap(locate.MentionNote, s.width) {
		s.WriteString(s.paint(dim, line) + "\n")
	}
	_, err := io.WriteString(w, s.String())
	return err
}

// result writes the first line: whether it was found, and in what.
func (s *screen) result(f *finds, found, missing []find) {
	word, color := "FOUND", green
	switch {
	case len(found) == 0:
		word, color = "NOT FOUND", yellow
	case len(missing) > 0:
		word, color = "PARTLY FOUND", yellow
	}
	s.labelled(0, len(word)+2, s.paint(color, word), len(word), Wrap(f.headline(found, missing), s.width-len(word)-2))
}

// headline says in one sentence what was found.
func (f *finds) headline(found, missing []find) string {
	st := f.r.inApp(onTerminal)
	apps := f.Result.Names(st)
	if apps == "" {
		apps = "the app"
	}
	n := len(found) + len(missing)
	name := func(x find) string { return st.Data(x.name) }
	switch {
	case n == 0:
		return "nothing was looked for in " + apps
	case n == 1 && len(found) == 1:
		return fmt.Sprintf("%s is mentioned in %s, in %s", name(found[0]), apps, counted(len(found[0].leads), "place", "places"))
	case n == 1:
		return fmt.Sprintf("%s is not in what could be read of %s", name(missing[0]), apps)
	case len(found) == 0:
		return fmt.Sprintf("none of %s is in what could be read of %s", f.wanted(n), apps)
	case len(missing) == 0:
		return fmt.Sprintf("all %s are mentioned in %s", f.wanted(n), apps)
	}
	return fmt.Sprintf("%s of %s %s mentioned in %s", locate.Thousands(len(found)), f.wanted(n), ending(len(found), "is", "are"), apps)
}

// wanted counts what was looked for: "3 hosts", "2 hosts and strings".
func (f *finds) wanted(n int) string {
	switch {
	case len(f.Result.Wanted.Strings) == 0:
		return counted(n, "host", "hosts")
	case len(f.Result.Wanted.Hosts) == 0:
		return counted(n, "string", "strings")
	}
	return counted(n, "host or string", "hosts and strings")
}

// counted is plural with the thousands apart.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return locate.Thousands(n) + " " + many
}

// searched writes what was searched, and for what.
func (s *screen) searched(f *finds) {
	s.WriteByte('\n')
	for i, text := range f.apps(onTerminal) {
		if i == textNotes {
			s.more(len(f.Result.Apps)-i, "apps")
			break
		}
		s.field(0, "app", text)
	}
	s.field(0, "searched", f.Result.Searched())
	if f.Capture != "" {
		s.field(0, "capture", captureName(f.r, f.Capture, onTerminal)+", whose hosts against the policy were looked for")
	}
	if f.Judge != nil {
		s.field(0, "policy", policyName(f.r, onTerminal))
	}
}

// apps says of each app what it is: "COVID Alert 1.0.2 (iOS), ca.gc.hcsc, IPA covid.ipa".
func (f *finds) apps(st style) []string {
	in := f.r.inApp(st)
	var out []string
	for i := range f.Result.Apps {
		a := &f.Result.Apps[i]
		text := a.Called(in)
		if a.ID != "" && a.Name != "" {
			text += ", " + in.Data(a.ID)
		}
		if a.Name+a.ID != "" {
			text += ", " + strings.TrimSpace(a.Kind+" "+in.Data(a.Path))
		} else if a.Kind != "" && a.Kind != "file" {
			text += ", " + a.Kind
		}
		out = append(out, text)
	}
	return out
}

// find writes where one host or string stands, by so many leads in full and further places.
func (s *screen) find(r *Report, number int, x find, leads, places int) {
	s.WriteByte('\n')
	label := fmt.Sprintf("%d. ", number)
	s.labelled(0, len(label), label, len(label), s.strong(Wrap(r.inApp(onTerminal).Data(x.name), s.width-len(label))))
	if x.host {
		s.field(leadsIndent, "who", r.whois(x.name).who(r, onTerminal))
	}
	s.leads(r, x.leads, leads, places)
}

// leads writes the leads to one host or string: the first in full, of further ones the place.
func (s *screen) leads(r *Report, leads []locate.Lead, full, places int) {
	told := map[string]bool{}
	n := min(len(leads), full)
	for i := range leads[:n] {
		l := &leads[i]
		key := l.OriginKey()
		s.lead(r, l, key != "" && told[key])
		told[key] = true
	}
	rest := leads[n:]
	if len(rest) == 0 {
		return
	}
	s.WriteByte('\n')
	st := r.inApp(onTerminal)
	for i := range rest[:min(len(rest), places)] {
		s.item(leadsIndent, "also in", i, "-", rest[i].Briefly(st))
	}
	if more := len(rest) - places; more > 0 {
		s.labelled(leadsIndent, labelWidth, "", 0, []string{s.paint(dim, fmt.Sprintf("… and %s more; JSON has them all", locate.Thousands(more)))})
	}
}

// lead writes one lead. Again says that the same origin was told above.
func (s *screen) lead(r *Report, l *locate.Lead, again bool) {
	st := r.inApp(onTerminal)
	s.WriteByte('\n')
	s.labelled(leadsIndent, 0, "", 0, s.strong(Wrap(l.Where(st), s.width-leadsIndent)))
	s.snippet(r.snippet(l))
	told := l.Facts(st)
	if !again {
		told = append(told, l.Grounds(st)...)
	}
	for _, fact := range told {
		s.field(leadsIndent, strings.ToLower(fact.Label), fact.Text)
	}
	if !again {
		s.program("remedy", clip(r.ofApp(l.Remedy()), maxProse))
	}
	if o := l.Origin; o != nil && o.Docs != "" && !again {
		s.link("docs", st.Data(o.Docs))
	}
}

// link writes an address to copy: in one piece, where that fits into a line.
func (s *screen) link(label, address string) {
	if n := cells(address); n > s.width-leadsIndent-labelWidth && n <= s.width-leadsIndent-len(label)-1 {
		s.labelled(leadsIndent, len(label)+1, s.paint(dim, label), len(label), []string{address})
		return
	}
	s.field(leadsIndent, label, address)
}

// snippet writes what stands around a match, and marks the match: by a style in colour, else
// by a line below.
func (s *screen) snippet(sn locate.Snippet) {
	const indent = leadsIndent + 2
	sn = harmless(sn).Fit(s.width-indent, cellsOf)
	if sn == (locate.Snippet{}) {
		return
	}
	lines := underlined(sn)
	if s.color {
		lines = []string{sn.Before + s.paint(underline, sn.Match) + sn.After}
	}
	s.labelled(indent, 0, "", 0, lines)
}

// underlined is a snippet with a line below that marks the match, for where there is no style.
func underlined(s locate.Snippet) []string {
	if s == (locate.Snippet{}) {
		return nil
	}
	lines := []string{s.Before + s.Match + s.After}
	if s.Match != "" {
		lines = append(lines, strings.Repeat(" ", cells(s.Before))+strings.Repeat("^", max(1, cells(s.Match))))
	}
	return lines
}

// harmless makes every character of a snippet visible.
func harmless(s locate.Snippet) locate.Snippet {
	return locate.Snippet{Before: plain.Text(s.Before), Match: plain.Text(s.Match), After: plain.Text(s.After)}
}

// missing writes what was not found, and what to do about it.
func (s *screen) missing(f *finds, missing []find) {
	if len(missing) == 0 {
		return
	}
	s.heading("Not found")
	for i, x := range missing {
		if i == textFinds {
			s.more(len(missing)-i, "hosts and strings")
			break
		}
		text := f.r.inApp(onTerminal).Data(x.name)
		if x.host {
			if who := f.r.whois(x.name).who(f.r, onTerminal); who != "" {
				text += ": " + who
			}
		}
		s.labelled(2, 2, "-", 1, Wrap(text, s.width-4))
		s.above(f.r, x.above)
	}
}

// above writes where a domain above a missing host stands.
func (s *screen) above(r *Report, leads []locate.Lead) {
	st := r.inApp(onTerminal)
	for i := range leads {
		if i == textNoise {
			s.labelled(4, 3, "", 0, []string{s.paint(dim, "… and "+locate.Thousands(len(leads)-i)+" more")})
			return
		}
		text := fmt.Sprintf("its name may be built from %s, which is there: %s", st.Data(leads[i].Text), leads[i].Where(st))
		s.labelled(4, 3, "->", 2, Wrap(text, s.width-7))
	}
}

// looked says where it was looked.
func (f *finds) looked(st style) []string {
	kinds := f.Result.Read(f.r.inApp(st))
	if n := len(kinds) - textKinds; n > 1 {
		kinds = append(kinds[:textKinds:textKinds], locate.Thousands(n)+" more kinds of files")
	}
	return append([]string{f.Result.Searched() + ", byte for byte, in every form that telltale knows"}, kinds...)
}

// advice says what to try.
func (f *finds) advice(st style) []string {
	var out []string
	for _, text := range f.Result.Advice() {
		out = append(out, st.prose(f.r.ofApp(text)))
	}
	return out
}

// unseenHeading is what the list is called of what could not be read.
func unseenHeading(missing bool) string {
	if missing {
		return "What could not be read, and may hold it"
	}
	return "What could not be read"
}

// inventory writes the hosts that the app mentions.
func (s *screen) inventory(f *finds) {
	all := f.listed()
	groups := byVerdict(all)
	n := 0
	for _, g := range groups {
		n += len(g)
	}
	word, color := "LISTED", green
	against := 0
	if f.Judge != nil && len(groups) > 0 && groups[0][0].judged.Verdict == policy.Violation {
		against, color = len(groups[0]), yellow
	}
	text := fmt.Sprintf("%s %s mentioned in %s", counted(n, "host", "hosts"), ending(n, "is", "are"), f.Result.Names(f.r.inApp(onTerminal)))
	switch {
	case against == n && n == 1:
		text += "; a contact to it would break the policy"
	case against > 0:
		text += fmt.Sprintf("; a contact to %s of them would break the policy", locate.Thousands(against))
	}
	s.labelled(0, len(word)+2, s.paint(color, word), len(word), Wrap(text, s.width-len(word)-2))
	s.searched(f)
	for _, g := range groups {
		s.group(f, g)
	}
	s.noise(f, all)
}

// would are the headings of a list, by what the policy would say of a contact.
var would = map[policy.Verdict]string{
	policy.Violation: "What would break the policy", policy.Waived: "What the policy would waive",
	policy.Allowed: "What the policy allows", policy.Ignored: "What the policy ignores",
}

// group writes the hosts of one verdict.
func (s *screen) group(f *finds, hosts []listedHost) {
	title := would[hosts[0].judged.Verdict]
	if title == "" {
		title = "What the app could contact"
	}
	s.heading(fmt.Sprintf("%s (%s)", title, locate.Thousands(len(hosts))))
	const layout = "%7s  "
	s.WriteString(s.paint(dim, fmt.Sprintf(layout, "places")+"host, by whom, and where") + "\n")
	indent := len(fmt.Sprintf(layout, ""))
	for i, h := range hosts {
		if i == textListed {
			s.more(len(hosts)-i, "hosts")
			return
		}
		left := fmt.Sprintf(layout, locate.Thousands(h.places))
		label := left
		if h.judged.Verdict == policy.Violation {
			label = s.paint(red, left)
		}
		name := f.r.inApp(onTerminal).Data(h.name)
		if h.pattern {
			name += " (filled in while the app runs)"
		}
		if who := f.r.whois(h.name).who(f.r, onTerminal); who != "" {
			name += ": " + who
		}
		s.labelled(0, indent, label, len(left), Wrap(name, s.width-indent))
		for _, line := range Wrap(h.leads[0].Briefly(f.r.inApp(onTerminal)), s.width-indent-2) {
			s.WriteString(strings.Repeat(" ", indent+2) + s.paint(dim, line) + "\n")
		}
	}
}

// noise writes what looks like a host and is hardly ever contacted, a line for each reason.
func (s *screen) noise(f *finds, all []listedHost) {
	var items []string
	for _, group := range noises(all) {
		var names []string
		for i, h := range group {
			if i == textNoise {
				names = append(names, "…")
				break
			}
			names = append(names, f.r.inApp(onTerminal).Data(h.name))
		}
		items = append(items, fmt.Sprintf("%s: %s (%s)", f.r.inApp(onTerminal).Data(capital(group[0].noise)), locate.Thousands(len(group)), strings.Join(names, ", ")))
	}
	s.list("What is hardly ever contacted", items)
}
