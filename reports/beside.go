package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"telltale/capture"
	"telltale/declarations"
	"telltale/policy"
)

// This file tells what an audit was judged beside: a device at rest, what the app
// declares, and lists of trackers.

// owners says who the hosts are that somebody knows.
func (r *Report) owners(st style) chapter {
	c := chapter{ID: "owners", Heading: "Who these hosts are", Head: []string{"Host", "Who runs it", "What for", "Country", "Known from"},
		Note: "The country is the one of the company's seat: whose law it is under, not where a server stands."}
	for _, h := range heaviestFirst(r.Summary.Hosts) {
		who := r.whois(h.Name)
		if !who.known() {
			continue
		}
		host, text := st.data(r.clipped(h.Name, maxHost)), func(s string) string {
			if s == "" {
				return "–"
			}
			return st.prose(r.clipped(s, maxHost))
		}
		brief := who.who(r, st)
		from := text(who.Source)
		if sure := cmp.Or(confidences[who.Confidence], who.Confidence); sure != "" && who.Source != "" {
			from += " (" + st.prose(sure) + ")"
		}
		short := identity{Company: who.Company, Product: who.Product}
		c.Rows = append(c.Rows, []string{host, short.who(r, st), text(purpose(who.Purpose)), text(country(who.Country)), from})
		c.Brief = append(c.Brief, host+": "+brief)
	}
	return c
}

// timers tells of contacts by a timer.
func (r *Report) timers(st style) chapter {
	c := chapter{ID: "timers", Heading: "Contacts by a timer"}
	for _, s := range r.beats() {
		item := capital(r.tells(s.Host, s.Rhythm, st)) + ": " + r.shape(s.Shape, st) + ", " + times(s.Flows)
		if s.App != "" {
			item += ", by " + st.data(r.clipped(s.App, maxHost))
		}
		c.Items = append(c.Items, item+".")
	}
	return c
}

// subtracted lists what an idle baseline explains, each kind of request with the file.
func (r *Report) subtracted(st style) chapter {
	c := chapter{ID: "subtracted", Heading: "Subtracted: also happens with the app closed",
		Intro: "The device makes these contacts by itself. They are recorded, and do not count.",
		Head:  []string{"Request", "Subtracted", "Of", "With the app closed", "Baseline"}}
	for _, s := range r.subtractedShapes() {
		known, file := r.atRest(s.Shape)
		words, from := "–", "–"
		if known != "" {
			words = st.prose(r.clipped(known, maxHost))
		}
		if file != "" {
			from = st.data(r.clipped(file, maxHost))
		}
		name, of := r.shape(s.Shape, st), plural(s.Flows, "flow", "flows")
		c.Rows = append(c.Rows, []string{name, fmt.Sprint(s.Subtracted), of, words, from})
		brief := fmt.Sprintf("%s: %d of %s", name, s.Subtracted, of)
		if known != "" {
			brief += ", which come " + words + " with the app closed"
		}
		if file != "" {
			brief += " (" + from + ")"
		}
		c.Brief = append(c.Brief, brief)
	}
	return c
}

// subtractedShapes are the kinds of requests of which some were subtracted.
func (r *Report) subtractedShapes() []capture.Shape {
	return slices.DeleteFunc(slices.Clone(r.Summary.Shapes), func(s capture.Shape) bool { return s.Subtracted == 0 })
}

// atRest returns what is known of a kind of request with the app closed, and the file
// that knows it.
func (r *Report) atRest(s policy.Shape) (known, file string) {
	for _, idle := range r.Idle {
		if idle == nil {
			continue
		}
		if words, ok := idle.Shapes[s]; ok {
			return words, idle.File
		}
	}
	if len(r.Idle) == 1 && r.Idle[0] != nil {
		return "", r.Idle[0].File
	}
	return "", ""
}

// ofDeclarations are the rules about what an app declares.
var ofDeclarations = []policy.Rule{policy.UndeclaredTracking, policy.UndeclaredData, policy.NetworkSecurityConfig}

// declared says what the app declares, and whether it keeps to it.
func (r *Report) declared(st style) chapter {
	c := chapter{ID: "declared", Heading: "What the app declares"}
	for _, d := range r.Declarations {
		file := st.data(r.clipped(d.File, maxText))
		c.Items = append(c.Items, file+": "+declares(r, d, st))
		for _, note := range firstOf(d.Notes) {
			c.Items = append(c.Items, file+": "+sentence(st.prose(r.clipped(note, maxText))))
		}
	}
	if len(c.Items) == 0 {
		return c
	}
	var hosts []string
	n := 0
	for _, v := range r.Summary.Violations {
		if slices.Contains(ofDeclarations, v.Finding.Rule) {
			n++
			if host := st.data(r.clipped(v.Finding.Host, maxHost)); !slices.Contains(hosts, host) {
				hosts = append(hosts, host)
			}
		}
	}
	if n == 0 {
		c.Items = append(c.Items, "No mismatch was seen. That holds for what was recorded, and no further.")
	} else {
		c.Items = append(c.Items, fmt.Sprintf("%s what was seen: %s. They are among the violations.",
			plural(n, "statement does not fit", "statements do not fit"), joinAnd(firstOf(hosts))))
	}
	return c
}

// declares says what a declaration is, and what it says.
func declares(r *Report, d declarations.Declaration, st style) string {
	switch {
	case d.Privacy != nil:
		p := d.Privacy
		text := "Apple's privacy manifest. It says that the app does not track"
		if p.Tracking {
			text = "Apple's privacy manifest. It says that the app tracks"
		}
		if n := len(p.TrackingDomains); n > 0 {
			names := make([]string, n)
			for i, domain := range p.TrackingDomains {
				names[i] = st.data(r.clipped(domain, maxHost))
			}
			text += ", at " + joinAnd(firstOf(names))
		}
		if len(p.Collected) == 0 {
			return text + ", and that it collects no data."
		}
		var kinds []string
		for _, c := range p.Collected {
			kinds = append(kinds, st.prose(r.clipped(collected(c.Type), maxHost)))
		}
		return text + ", and that it collects: " + joinAnd(firstOf(kinds)) + "."
	case d.Network != nil:
		return "Android's network security configuration. It " + permits(d.Network) + "."
	case d.Transport != nil:
		return "Info.plist. Its App Transport Security " + permitsTransport(d.Transport) + "."
	case d.Manifest != nil:
		return "Android's manifest. It " + cleartext[d.Manifest.Permits()] + "."
	}
	return "nothing that is known of declarations."
}

// cleartext says what a declaration permits.
var cleartext = map[declarations.Permission]string{
	declarations.Permitted: "permits unencrypted traffic",
	declarations.Forbidden: "forbids unencrypted traffic",
	declarations.Unsaid:    "does not say whether traffic may be unencrypted",
}

// permitsTransport says what App Transport Security permits.
func permitsTransport(t *declarations.TransportSecurity) string {
	text, exceptions := cleartext[t.Base.Cleartext], 0
	for _, d := range t.Domains {
		if d.Cleartext != t.Base.Cleartext {
			exceptions++
		}
	}
	if exceptions > 0 {
		text += ", with " + plural(exceptions, "exception", "exceptions")
	}
	return text
}

// permits says what a network security configuration permits, and which hosts it pins.
func permits(n *declarations.NetworkSecurity) string {
	parts := []string{cleartext[n.Base.Cleartext]}
	exceptions, pinned := 0, 0
	for _, c := range n.Domains {
		if c.Cleartext != n.Base.Cleartext {
			exceptions++
		}
		if c.Pins != nil {
			pinned++
		}
	}
	if exceptions > 0 {
		parts[0] += ", with " + plural(exceptions, "exception", "exceptions")
	}
	if pinned > 0 {
		parts = append(parts, "pins certificates in "+plural(pinned, "entry", "entries"))
	}
	if trusts, _ := n.Base.TrustsUser(); trusts {
		parts = append(parts, "trusts authorities that the person installed")
	}
	return joinAnd(parts)
}

// collected writes a type of Apple's as words: "email address".
func collected(name string) string {
	name = strings.TrimPrefix(name, "NSPrivacyCollectedDataType")
	var b strings.Builder
	for i, c := range name {
		if unicode.IsUpper(c) && i > 0 && unicode.IsLower(rune(name[i-1])) {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return strings.ToLower(b.String())
}

// listed names the lists of trackers that were used.
func (r *Report) listed(st style) chapter {
	c := chapter{ID: "lists", Heading: "Lists of trackers that were used"}
	for _, l := range r.Lists {
		if l == nil {
			continue
		}
		text := fmt.Sprintf("%s: %s", st.data(r.clipped(l.Name, maxText)), plural(l.Rules, "rule", "rules"))
		if l.Format != "" {
			text += ", read as " + st.prose(r.clipped(l.Format, maxHost))
		}
		if l.Skipped > 0 {
			text += "; " + plural(l.Skipped, "rule is", "rules are") + " about pages and not about contacts, and did not count"
		}
		c.Items = append(c.Items, sentence(text))
		for _, note := range firstOf(l.Notes) {
			c.Items = append(c.Items, st.data(r.clipped(l.Name, maxText))+": "+sentence(st.prose(r.clipped(note, maxText))))
		}
	}
	return c
}

// subtraction is a kind of request that an idle baseline explains, as JSON has it.
type subtraction struct {
	Host       string `json:"host"`
	Method     string `json:"method"`
	Path       string `json:"path"`
	Flows      int    `json:"flows"`
	Subtracted int    `json:"subtracted"`
	Idle       string `json:"idle"` // what is known of it with the app closed, in words
	File       string `json:"file"` // the capture that knows it
}

func (r *Report) subtractions() []subtraction {
	out := []subtraction{}
	for _, s := range r.subtractedShapes() {
		known, file := r.atRest(s.Shape)
		out = append(out, subtraction{r.text(s.Host), r.text(s.Method), r.text(s.Path), s.Flows, s.Subtracted, r.text(known), r.text(file)})
	}
	return out
}

// timer is a contact by a timer, as JSON has it.
type timer struct {
	Host    string  `json:"host"`
	Method  string  `json:"method"`
	Path    string  `json:"path"`
	Company string  `json:"company"`
	Every   float64 `json:"every_seconds"`
	Words   string  `json:"words"`
	Count   int     `json:"count"` // contacts that keep it
	Flows   int     `json:"flows"`
	App     string  `json:"app"`
}

func (r *Report) rhythms() []timer {
	out := []timer{}
	for _, s := range r.beats() {
		out = append(out, timer{r.text(s.Host), r.text(s.Method), r.text(s.Path), r.text(r.whois(s.Host).Company),
			s.Rhythm.Every.Seconds(), s.Rhythm.String(), s.Rhythm.Count, s.Flows, r.text(s.App)})
	}
	return out
}

// declaration is what an app says of its own privacy, as JSON has it.
type declaration struct {
	File      string   `json:"file"`
	SHA256    string   `json:"sha256,omitempty"`
	Kind      string   `json:"kind"`     // "privacy-manifest" or "network-security-config"
	Tracking  *bool    `json:"tracking"` // of a privacy manifest
	Domains   []string `json:"tracking_domains"`
	Collected []string `json:"collected"`
	Notes     []string `json:"notes"`
}

func (r *Report) declarations() []declaration {
	out := []declaration{}
	for _, d := range r.Declarations {
		one := declaration{File: r.text(d.File), SHA256: d.Digest, Notes: r.texts(d.Notes), Domains: []string{}, Collected: []string{}}
		switch {
		case d.Privacy != nil:
			one.Kind, one.Tracking, one.Domains = "privacy-manifest", &d.Privacy.Tracking, r.texts(d.Privacy.TrackingDomains)
			for _, c := range d.Privacy.Collected {
				one.Collected = append(one.Collected, r.text(c.Type))
			}
		case d.Network != nil:
			one.Kind = "network-security-config"
		}
		out = append(out, one)
	}
	return out
}

// listEntry is a list of trackers that was used, as JSON has it.
type listEntry struct {
	File    string   `json:"file"`
	SHA256  string   `json:"sha256,omitempty"`
	Format  string   `json:"format"`
	Rules   int      `json:"rules"`
	Skipped int      `json:"skipped"` // rules about pages
	Notes   []string `json:"notes"`
}

func (r *Report) lists() []listEntry {
	out := []listEntry{}
	for _, l := range r.Lists {
		if l != nil {
			out = append(out, listEntry{r.text(l.Name), l.Digest, r.text(l.Format), l.Rules, l.Skipped, r.texts(l.Notes)})
		}
	}
	return out
}
