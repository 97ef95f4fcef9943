package reports

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"telltale/capture"
	"telltale/flow/plain"
	"telltale/policy"
)

// Limits of the page: what is more is counted, and stands in full in the JSON.
const (
	pageCards    = 100  // violations that are written out
	pageOpen     = 5    // of them unfolded from the start
	pageRows     = 2000 // of a table
	pageListed   = 200  // of any other list
	pageCaptures = 20
)

// page is what the templates show. Strings are harmless text, sentences are
// marked: see segments.
type page struct {
	Style         template.CSS
	Script        template.JS
	ContentPolicy string

	Tool       string
	Kind       string // Clean, Violations or Inconclusive
	Verdict    string
	With       string // sentence: what the verdict never stands without; "" for nothing
	Headline   string // sentence
	Policy     string // sentence
	Baseline   string // sentence
	Generated  string
	Warnings   sentences
	Recorded   string
	Tiles      []tile
	Worth      sentences
	Coverage   []coveragePart
	UnreadRows []unreadRow
	UnreadMore int
	Next       []string
	Share      string // sentence: what to look at before sharing

	Diagnoses    diagnosisPart
	Devices      devicePart
	Violations   violationPart
	Origins      *pageOrigins // where they come from in the app; nil where nobody looked
	Contacts     contactPart
	Followed     []chapter // what followed experiments
	Owners       []chapter
	Sent         []chapter // what was told to whom, and when
	Beside       []chapter // what the audit was judged beside
	Phases       []phaseRow
	PhasesNote   string
	Waived       excuseList
	Known        excuseList
	KnownFrom    string // sentence
	Permitted    sentences
	Checks       []ruleRow
	ChecksMore   int
	Steps        []pageStep
	Provenance   []fact
	Captures     []fact
	CapturesMore int
	Revealed     bool
}

// sentences are marked text, and how many of them there was no room for.
type sentences struct {
	Items []string
	More  int
}

func sentencesOf(items []string) sentences {
	n := min(len(items), pageListed)
	return sentences{items[:n], len(items) - n}
}

// tile is one number at the top.
type tile struct {
	Kind  string // verdict whose colour it has; "" for none
	Value string
	Label string
	Note  string
}

// fact is a line of a description list.
type fact struct{ Label, Text string }

type unreadRow struct {
	Host, Why   string
	Connections int
}

type phaseRow struct {
	Number                   int
	Name, From, To           string
	Flows, Hosts, Violations int
}

type ruleRow struct{ Rule, Title, Help string }

// short makes a text harmless and at most n characters long.
func (r *Report) short(s string, n int) string { return plain.Text(r.clipped(s, n)) }

func newPage(r *Report) *page {
	r = r.indexed()
	kind := r.Verdict
	if r.inconclusive() {
		kind = Inconclusive
	}
	p := &page{
		Tool: plain.Text(strings.TrimSpace(r.Tool.Name + " " + r.Tool.Version)), Kind: kind, Verdict: title(r.Verdict), With: strings.TrimPrefix(r.besideVerdict(inHTML), ", "),
		Headline: capital(headline(r, inHTML)), Policy: policyName(r, inHTML), Generated: pageMoment(r.Generated),
		Warnings: sentencesOf(warnings(r, inHTML)), Recorded: recorded(r), Tiles: tiles(r), Worth: sentencesOf(worthBeside(r, inHTML)), Next: next(r),
		Coverage: newCoverageParts(r), Share: credentialWarning(r, inHTML), Violations: newViolationPart(r), Origins: newPageOrigins(r), Contacts: newContactPart(r),
		Diagnoses: newDiagnosisPart(r), Devices: newDevicePart(r), Permitted: sentencesOf(permitted(r, inHTML)), Steps: pageSteps(r), Revealed: r.Reveal,
	}
	p.Owners, p.Sent, p.Beside = chaptersOf(pageListed, r.owners(inHTML)), chaptersOf(pageListed, r.sent(inHTML)...), chaptersOf(pageListed, r.beside(inHTML)...)
	p.Followed = chaptersOf(pageListed, r.followed(inHTML)...)
	p.unread(r)
	p.phases(r)
	p.excused(r)
	p.checks(r)
	p.provenance(r)
	if b := r.Baseline; b != nil {
		p.Baseline = fmt.Sprintf("%s, %s", marked(r.short(b.File, maxText)), plural(b.Violations, "violation", "violations"))
	}
	return p
}

// pageMoment is moment for a time that may be unknown.
func pageMoment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return moment(t)
}

// tiles are the numbers at the top. Those that every audit has come first.
func tiles(r *Report) []tile {
	s := r.Summary
	breaking := ""
	if s.Violating > 0 {
		breaking = "in " + plural(s.Violating, "flow", "flows")
	}
	hosts := ""
	if n := violatingHosts(s); n > 0 {
		hosts = fmt.Sprintf("%d with a violation", n)
	}
	out := []tile{
		{string(policy.Violation), fmt.Sprint(len(s.Violations)), ending(len(s.Violations), "violation", "violations"), breaking},
		{"", fmt.Sprint(len(s.Hosts)), ending(len(s.Hosts), "host", "hosts"), hosts},
		{"", fmt.Sprint(s.Flows), ending(s.Flows, "flow", "flows"), lasting(s)},
		{"", fmt.Sprint(s.Allowed), "allowed " + ending(s.Allowed, "flow", "flows"), ""},
	}
	if len(s.Violations) == 0 {
		out[0].Kind = ""
	}
	add := func(n int, label, note string) {
		if n > 0 {
			out = append(out, tile{"", fmt.Sprint(n), label, note})
		}
	}
	waived, known := excused(r)
	add(len(waived), "waived "+ending(len(waived), "violation", "violations"), "by the policy")
	add(len(known), "known "+ending(len(known), "violation", "violations"), "from the baseline")
	add(s.Altered, "altered "+ending(s.Altered, "flow", "flows"), "by experiments")
	add(s.Ignored, "ignored "+ending(s.Ignored, "flow", "flows"), "noise of the device")
	n, _ := unread(s.Health)
	add(n, "unread "+ending(n, "connection", "connections"), "judged by name alone")
	return out
}

// lasting says how long the recording took.
func lasting(s capture.Summary) string {
	if d := s.Last.Sub(s.First); d >= time.Second {
		return "in " + duration(d)
	}
	return ""
}

// unread lists the hosts whose connections could not be read.
func (p *page) unread(r *Report) {
	rows := silences(r)
	n := min(len(rows), pageListed)
	for _, row := range rows[:n] {
		p.UnreadRows = append(p.UnreadRows, unreadRow{r.short(row.host, maxHost), plain.Text(row.why), row.connections})
	}
	p.UnreadMore = len(rows) - n
}

func (p *page) phases(r *Report) {
	s := r.Summary
	violations := violationsByPhase(s)
	for i, ph := range s.Phases {
		p.Phases = append(p.Phases, phaseRow{i + 1, phaseName(r, ph.Name, plain.Text), tableTime(ph.First), tableTime(ph.Last), ph.Flows, ph.Hosts, violations[ph.Name]})
	}
	if len(s.Phases) == 0 {
		return
	}
	p.PhasesNote = phasesNote
	if n := flowsInOtherPhases(s); n > 0 {
		p.PhasesNote += " " + plural(n, "more flow was", "more flows were") + " in further phases."
	}
}

func (p *page) checks(r *Report) {
	checks := r.checks()
	n := min(len(checks), pageListed)
	for _, c := range checks[:n] {
		p.Checks = append(p.Checks, ruleRow{plain.Text(clip(string(c.Rule), maxHost)), inHTML.prose(clip(c.Title, maxText)), inHTML.prose(clip(c.Help, maxProse))})
	}
	p.ChecksMore = len(checks) - n
}

// A pageStep is one command to paste, and what it is good for.
type pageStep struct{ Why, Command string }

// pageSteps are the commands to get the same result. Those of reproduce show as
// themselves.
func pageSteps(r *Report) []pageStep {
	var out []pageStep
	for _, s := range reproduce(r) {
		out = append(out, pageStep{s.why, s.command})
	}
	return out
}

// provenance says what made the report, and from what.
func (p *page) provenance(r *Report) {
	add := func(label, text string) {
		if text != "" {
			p.Provenance = append(p.Provenance, fact{label, text})
		}
	}
	add("Tool", p.Tool)
	add("Generated", p.Generated)
	add("Policy", p.Policy+pageDigest(r.Policy.Digest))
	add("Baseline", p.Baseline)
	n := min(len(r.Captures), pageCaptures)
	for _, c := range r.Captures[:n] {
		text := plural(c.Entries, "entry", "entries")
		if c.Producer != "" {
			text += ", by " + marked(r.short(c.Producer, maxText))
		}
		if c.Error != "" {
			text += ", damaged"
		}
		p.Captures = append(p.Captures, fact{captureName(r, c.File, inHTML), text + pageDigest(c.SHA256)})
	}
	p.CapturesMore = len(r.Captures) - n
}

func pageDigest(hex string) string {
	if hex == "" {
		return ""
	}
	return ", SHA-256 " + marked(plain.Text(hex))
}
