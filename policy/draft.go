package policy

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"

	"telltale/flow"
	"telltale/policy/catalog"
)

// A DraftHost is a host that was seen in a capture, for [Draft].
type DraftHost struct {
	Name  string // canonical
	Flows int
	// Method, URL and UserAgent are of one of its flows; "" when unknown. They tell
	// probes from other requests.
	Method, URL, UserAgent string
}

// Draft returns a first policy, with comments that explain it. With hosts, it allows
// those that no table of the catalogue knows, grouped by registered domain, names the
// presets that fit, and explains probes and trackers in comments: a person must read
// it before it means anything. Without hosts it is a template. What it returns always
// parses.
func Draft(name string, hosts []DraftHost) []byte {
	if strings.TrimSpace(name) == "" {
		name = "hosts that the app may contact"
	}
	d := &draft{}
	d.line("# What an app may contact. Reference: docs/policy.md; check with `telltale policy lint`.")
	d.line("version: 1")
	d.line("name: %s", quote(name))
	d.line("")
	if len(hosts) == 0 {
		d.template()
	} else {
		d.fromHosts(hosts)
	}
	d.footer()
	return []byte(d.b.String())
}

type draft struct{ b strings.Builder }

func (d *draft) line(format string, args ...any) {
	fmt.Fprintf(&d.b, format+"\n", args...)
}

// quote writes a double-quoted YAML scalar (YAML 1.2.2, 7.3.1) on one line.
func quote(s string) string {
	return strconv.QuoteToASCII(strings.ToValidUTF8(s, "�"))
}

// comment writes text as comment lines.
func (d *draft) comment(indent, text string) {
	for _, line := range strings.Split(text, "\n") {
		d.line("%s", strings.TrimRight(indent+"# "+line, " "))
	}
}

func (d *draft) template() {
	d.line("# Which requests are the app's own, by their User-Agent.")
	d.line("# app:")
	d.line("#   user-agent: \"MyApp/*\"")
	d.line("")
	d.line("# Hosts that the app may contact: everything else is a violation.")
	d.line("#   canada.ca     that host alone")
	d.line("#   *.canada.ca   every name below it, not canada.ca itself (quotes needed)")
	d.line("#   .canada.ca    both")
	d.line("allow:")
	d.line("  - \"*.example.com\"")
	d.line("  # - host: api.example.com:8443")
	d.line("  #   methods: [GET, POST]")
	d.line("  #   paths: [\"/v1/*\"]")
	d.line("  #   reason: why the app needs it")
	d.line("")
	d.line("# The device's own noise: recorded, never a violation. Presets:")
	for _, p := range catalog.Presets() {
		d.line("#   %-16s %s", p.Name, p.Title)
	}
	d.line("# ignore:")
	d.line("#   - preset: ios-system")
	d.line("")
}

// draftGroup is the hosts of one registered domain.
type draftGroup struct {
	domain string
	hosts  []DraftHost
	flows  int
}

func (d *draft) fromHosts(hosts []DraftHost) {
	var plain []DraftHost
	var notes []string
	presets := map[string]int{}
	invalid := 0
	for _, h := range hosts {
		h.Name = flow.CanonicalHost(h.Name)
		if p, err := ParsePattern(h.Name); err != nil || p.kind != exactName && !p.prefix.IsSingleIP() {
			invalid++
			continue
		}
		kind, note := classifyDraft(h)
		switch {
		case note != "":
			notes = append(notes, note)
		case kind != "":
			presets[kind]++
		default:
			plain = append(plain, h)
		}
	}
	d.allowGroups(groupHosts(plain))
	d.notes(notes)
	if invalid > 0 {
		d.line("# Left out: %d names in the capture that are no host names.", invalid)
		d.line("")
	}
	d.presets(presets)
}

// classifyDraft returns the preset that covers a host, or a note on why it is not in
// allow, or neither.
func classifyDraft(h DraftHost) (preset, note string) {
	s := catalog.Sighting{Host: h.Name}
	if h.URL != "" {
		scheme, _, _ := strings.Cut(h.URL, ":")
		s.Read, s.Scheme, s.Method, s.UserAgent = true, strings.ToLower(scheme), h.Method, h.UserAgent
		s.Path = pathOf(h.URL).normal
	}
	m, probe := catalog.FindProbe(s)
	if probe && m.Probe != nil && m.Probe.SentBy == catalog.ByApp {
		return "", fmt.Sprintf("%s: %s, likely sent by %s.", h.Name, m.Probe.What, m.Probe.Sender)
	}
	if name := presetOf(s); name != "" {
		return name, ""
	}
	switch t, tracked := catalog.FindProduct(h.Name, s.Path); {
	case probe && m.Probe != nil:
		return "", fmt.Sprintf("%s: %s, likely sent by %s.", h.Name, m.Probe.What, m.Probe.Sender)
	case tracked && t.Category != catalog.CDN: // what a CDN delivers is its customer's
		c, _ := catalog.FindCategory(t.Category)
		return "", fmt.Sprintf("%s: %s, which %s (%s).", h.Name, t.Owner(), c.Title, t.Category)
	case probe:
		return "", fmt.Sprintf("%s: looks like a check whether the internet works.", h.Name)
	}
	return "", ""
}

// presetOf returns the first preset that covers the request.
func presetOf(s catalog.Sighting) string {
	for _, preset := range catalog.Presets() {
		for _, r := range expandPreset(ignoreRule{Preset: preset.Name}) {
			if r.Pattern.matchHost(s.Host) && r.Row.Matches(s) {
				return preset.Name
			}
		}
	}
	return ""
}

// groupHosts groups by registered domain, the busiest first.
func groupHosts(hosts []DraftHost) []draftGroup {
	byDomain := map[string]*draftGroup{}
	for _, h := range hosts {
		domain := RegisteredDomain(h.Name)
		g := byDomain[domain]
		if g == nil {
			g = &draftGroup{domain: domain}
			byDomain[domain] = g
		}
		g.hosts = append(g.hosts, h)
		g.flows += h.Flows
	}
	groups := make([]draftGroup, 0, len(byDomain))
	for _, g := range byDomain {
		sort.Slice(g.hosts, func(i, j int) bool { return g.hosts[i].Name < g.hosts[j].Name })
		groups = append(groups, *g)
	}
	sort.Slice(groups, func(i, j int) bool {
		if groups[i].flows != groups[j].flows {
			return groups[i].flows > groups[j].flows
		}
		return groups[i].domain < groups[j].domain
	})
	return groups
}

// RegisteredDomain returns the domain that somebody registered, or the host itself
// where there is none: addresses, single labels and public suffixes.
func RegisteredDomain(host string) string {
	if isAddress(host) {
		return host
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return host
	}
	return domain
}

func (d *draft) allowGroups(groups []draftGroup) {
	if len(groups) == 0 {
		d.line("# Nothing in the capture looks like the app's own server. Name its hosts here:")
		d.line("# allow:")
		d.line("#   - \"*.example.com\"")
		d.line("")
		return
	}
	d.line("# Read every line: these hosts were contacted, not approved. Remove what you do not")
	d.line("# expect, and say why the rest is needed.")
	d.line("allow:")
	for _, g := range groups {
		d.line("  # %s: %s in the capture", g.domain, count(g.flows, "flow"))
		below := 0
		for _, h := range g.hosts {
			if h.Name != g.domain {
				below++
			}
			d.line("  - %s", quote(h.Name))
		}
		if below > 1 {
			d.line("  # or every name below it, if one owner has them all: %s", quote("*."+g.domain))
		}
	}
	d.line("")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func (d *draft) notes(notes []string) {
	if len(notes) == 0 {
		return
	}
	sort.Strings(notes)
	d.line("# Not allowed, because these are known for something else. They stay violations")
	d.line("# until the app stops or you decide otherwise:")
	for _, note := range notes {
		d.comment("", "  "+note)
	}
	d.line("")
}

func (d *draft) presets(found map[string]int) {
	if len(found) == 0 {
		return
	}
	d.line("# The device's own noise: recorded, never a violation.")
	d.line("ignore:")
	for _, p := range catalog.Presets() {
		if n := found[p.Name]; n > 0 {
			d.line("  - preset: %-16s # %s of the capture", p.Name, count(n, "host"))
		}
	}
	d.line("")
}

func (d *draft) footer() {
	d.line("# Forbidden even where allow names it.")
	d.line("deny:")
	d.line("  - category: advertising")
	d.line("")
	d.line("# How connections to allowed hosts must be secured (these are the defaults).")
	d.line("require:")
	d.line("  https: true")
	d.line("  tls: \"1.2\"")
	d.line("  certificate: valid")
	d.line("")
	d.line("# Values that must not leave the device, whatever the host.")
	d.line("# never-send:")
	d.line("#   - name: e-mail of the test account")
	d.line("#     value: ${TEST_EMAIL}")
	d.line("")
	d.line("# Identifiers are looked for without being told their values. Who must not get which:")
	d.line("# never (nobody may have it), third-parties (hosts under allow may) or ignore.")
	d.line("# identifiers:")
	d.line("#   e-mail: never")
	d.line("")
	d.line("# Violations that are excused until a date.")
	d.line("# waivers:")
	d.line("#   - rule: captive-portal-probe")
	d.line("#     host: captive.apple.com")
	d.line("#     reason: made by iOS itself")
	d.line("#     until: 2027-01-31")
}
