package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"telltale/declarations"
	"telltale/policy/catalog"
	"telltale/policy/lists"
)

// A Policy judges flows. It is made by [Load], [Parse] or [New] and safe for
// concurrent use once [Policy.AllowAlso], [Policy.AddList] and [Policy.Declare] are no
// longer called.
type Policy struct {
	name   string
	file   string
	text   []byte   // of the file; nil without one
	flags  []string // patterns of --allow
	userAg string   // glob; "" where the policy does not say which flows are the app's

	allow   []allowRule
	ignore  []ignoreRule
	deny    []denyRule
	consent []denyRule
	waivers []waiver
	devices []device
	secrets []Secret
	forms   *secretForms // of the secrets; nil without one
	// identifiers is what the file says of kinds of package exposure, by their names.
	identifiers map[string]identifierRule
	declared    []declarations.Declaration
	lists       []*lists.List
	require     requirements
	// deniesProbes says that deny names a category of probes.
	deniesProbes bool
	nothing      Source // where "nothing allows it" points

	notify     Notify
	actions    []Action
	recording  Recording
	literals   []literal // secrets of notify that stand in the file itself
	recordLine int       // of the section record; 0 without one

	mu    sync.RWMutex
	hosts map[hostKey]*hostFacts // memo of hostFacts; bounded by maxHosts
}

type allowRule struct {
	Pattern Pattern
	Methods []string // empty: any
	Paths   []string // empty: any
	Reason  string
	Source  Source
	column  int
}

func (r *allowRule) limited() bool { return len(r.Methods)+len(r.Paths) > 0 }

type ignoreRule struct {
	Pattern Pattern
	Row     *catalog.Row // limits of a preset's row; nil for a host pattern
	Preset  string       // "" for a host pattern
	Reason  string
	Source  Source
	column  int
}

type denyRule struct {
	Pattern  Pattern // zero for a category
	Category string  // "" for a pattern
	Reason   string
	Source   Source
	column   int
}

type waiver struct {
	Rule    Rule
	Pattern Pattern
	Reason  string
	Until   time.Time
	Source  Source
	column  int
	// violation is the fingerprint of the one that is excused, whatever Rule and Pattern
	// say. Until is a moment then, and excuses the flows that began before; else it is the
	// last day on which the file is valid.
	violation string
}

type requirements struct {
	HTTPS       bool
	TLS         uint16
	Certificate bool
	// Where each stands; the default's text where the file does not say.
	httpsAt, tlsAt, certificateAt Source
}

// New returns a policy that allows the hosts that match one of the patterns, as
// --allow does without a file. Without a pattern it allows no host.
func New(patterns []string) (*Policy, error) {
	p := &Policy{
		name:    "no host is allowed",
		require: defaultRequirements(""),
		nothing: Source{Text: "nothing in allow names this host"},
	}
	for _, pattern := range patterns {
		if err := p.AllowAlso(pattern); err != nil {
			return nil, err
		}
	}
	if len(patterns) > 0 {
		p.name = "only " + strings.Join(patterns, ", ")
	}
	return p, nil
}

// AllowAlso adds a pattern of --allow. It must not be called while flows are judged.
// The error is a [*PatternError].
func (p *Policy) AllowAlso(pattern string) error {
	parsed, err := ParsePattern(pattern)
	if err != nil {
		return err
	}
	p.flags = append(p.flags, pattern)
	p.allowAlso(allowRule{Pattern: parsed, Source: Source{Text: "--allow '" + pattern + "'"}})
	for i := range p.devices {
		if own := p.devices[i].policy; own != nil {
			own.allowAlso(p.allow[len(p.allow)-1])
		}
	}
	return nil
}

func (p *Policy) allowAlso(r allowRule) {
	p.allow = append(p.allow, r)
	p.forgetHosts()
}

// Name returns the policy's name, never "".
func (p *Policy) Name() string { return p.name }

// File returns the file as the user named it, "" without one.
func (p *Policy) File() string { return p.file }

// Digest identifies what the policy says: the lower-case hex SHA-256 of the file, the
// patterns of --allow, and each list and declaration. Values of variables are not part of
// it.
func (p *Policy) Digest() string {
	h := sha256.New()
	h.Write(p.text)
	for _, f := range p.flags {
		h.Write([]byte("\x00--allow\x00" + f))
	}
	for _, l := range p.lists {
		h.Write([]byte("\x00--list\x00" + l.Digest))
	}
	for i := range p.declared {
		h.Write([]byte("\x00--declaration\x00" + p.declared[i].Digest))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// ReadsContent reports whether Judge looks into bodies and frames: only where there
// are values that must not be sent. Who judges many recorded flows need not load
// them otherwise.
func (p *Policy) ReadsContent() bool { return len(p.secrets) > 0 }

// KnowsApp reports whether the policy says which User-Agents are the app's own.
func (p *Policy) KnowsApp() bool { return p.userAg != "" }

// IsApp reports whether a User-Agent is the app's own. Without app.user-agent in the
// policy it is false for all.
func (p *Policy) IsApp(userAgent string) bool {
	return p.userAg != "" && catalog.Glob(p.userAg, userAgent)
}

func defaultRequirements(file string) requirements {
	return requirements{
		HTTPS: true, TLS: tlsVersions[2].value, Certificate: true,
		httpsAt:       Source{File: file, Text: "require: https: true (default)"},
		tlsAt:         Source{File: file, Text: `require: tls: "1.2" (default)`},
		certificateAt: Source{File: file, Text: "require: certificate: valid (default)"},
	}
}

// build turns a checked document into a policy.
func build(file string, data []byte, doc *document, lines []string) *Policy {
	p := &Policy{name: doc.Name.Value, file: file, text: data, userAg: doc.App.UserAgent.Value, require: defaultRequirements(file)}
	if p.name == "" {
		p.name = filepath.Base(file)
	}
	source := func(at place, text string) Source { return Source{File: file, Line: at.Line, Text: text} }
	var secrets []Secret
	for i := range doc.NeverSend {
		e := &doc.NeverSend[i]
		secrets = append(secrets, Secret{e.Name.Value, e.Value.Value, source(e.place, "never-send: "+e.Name.written)})
	}
	p.setSecrets(secrets)
	p.addIdentifiers(&doc.Identifiers, source)
	p.buildRequirements(&doc.Require, source)
	p.nothing = source(place{Line: keyLine(lines, "allow", doc.Line)}, "nothing in allow names this host")
	p.addEntries(doc.Allow, doc.Ignore, doc.Deny, doc.Waivers, source)
	p.addConsent(doc.Consent, source)
	for i := range doc.Devices {
		p.addDevice(&doc.Devices[i], source)
	}
	p.addTelling(doc, source)
	return p
}

// addEntries takes what stands in the sections of the file, or of one device.
func (p *Policy) addEntries(allow []allowEntry, ignore []ignoreEntry, deny []denyEntry, waivers []waiverEntry, source func(place, string) Source) {
	for i := range allow {
		e := &allow[i]
		r := allowRule{Pattern: e.Host.Pattern, Reason: e.Reason.Value, Source: source(e.place, e.text()), column: e.Column}
		for _, m := range e.Methods {
			r.Methods = append(r.Methods, m.Value)
		}
		for _, g := range e.Paths {
			r.Paths = append(r.Paths, g.Value)
		}
		p.allow = append(p.allow, r)
	}
	for i := range ignore {
		e := &ignore[i]
		r := ignoreRule{Pattern: e.Host.Pattern, Preset: e.Preset.Value, Reason: e.Reason.Value, Source: source(e.place, e.text()), column: e.Column}
		p.ignore = append(p.ignore, expandPreset(r)...)
	}
	for i := range deny {
		e := &deny[i]
		p.deny = append(p.deny, denyRule{e.Host.Pattern, e.Category.Value, e.Reason.Value, source(e.place, e.text()), e.Column})
	}
	for i := range waivers {
		e := &waivers[i]
		text := fmt.Sprintf("waiver: %s at %s until %s: %s", e.Rule.Value, e.Host.written, e.Until.written, e.Reason.Value)
		p.waivers = append(p.waivers, waiver{
			Rule: e.Rule.Value, Pattern: e.Host.Pattern, Reason: e.Reason.Value, Until: e.Until.Value, Source: source(e.place, text), column: e.Column,
		})
	}
	p.noteProbes()
}

func (p *Policy) buildRequirements(e *requireEntry, source func(place, string) Source) {
	if e.HTTPS.present() {
		p.require.HTTPS = e.HTTPS.Value
		p.require.httpsAt = source(e.HTTPS.place, "require: https: "+e.HTTPS.written)
	}
	if e.TLS.present() {
		p.require.TLS = e.TLS.Value
		p.require.tlsAt = source(e.TLS.place, "require: tls: "+e.TLS.written)
	}
	if e.Certificate.present() {
		p.require.Certificate = !e.Certificate.Any
		p.require.certificateAt = source(e.Certificate.place, "require: certificate: "+e.Certificate.written)
	}
}

// The deciding text of an entry, as written: the short form, or its first key.

func (e *allowEntry) text() string { return orHost(e.place, e.Host.place) }

func (e *ignoreEntry) text() string {
	if e.Preset.present() {
		return "preset: " + e.Preset.written
	}
	return orHost(e.place, e.Host.place)
}

func (e *denyEntry) text() string {
	if e.Category.present() {
		return "category: " + e.Category.written
	}
	return orHost(e.place, e.Host.place)
}

func orHost(entry, host place) string {
	if entry.written != "" {
		return entry.written
	}
	return "host: " + host.written
}

// expandPreset returns one rule for each host of a preset, or the rule itself.
func expandPreset(r ignoreRule) []ignoreRule {
	preset, ok := catalog.FindPreset(r.Preset)
	if !ok {
		return []ignoreRule{r}
	}
	var out []ignoreRule
	for i := range preset.Rows {
		for _, host := range preset.Rows[i].Hosts {
			pattern, err := ParsePattern(host)
			if err != nil { // held by a test of the catalogue
				continue
			}
			part := r
			part.Pattern, part.Row = pattern, &preset.Rows[i]
			out = append(out, part)
		}
	}
	return out
}

// keyLine returns the 1-based line of a top-level key, or another where the file
// lacks it.
func keyLine(lines []string, key string, otherwise int) int {
	for i, line := range lines {
		if rest, ok := strings.CutPrefix(line, key); ok && strings.HasPrefix(strings.TrimSpace(rest), ":") {
			return i + 1
		}
	}
	return otherwise
}
