package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"telltale/capture"
	"telltale/exposure"
	"telltale/flow"
	"telltale/flow/plain"
	"telltale/policy"
)

// This file holds the sentences that several documents share. A style says how
// a document quotes, so that each sentence is written once.

// Limits of what a document for people shows of one text, in characters. The
// JSON has all of it.
const (
	maxText    = 300
	maxHost    = 120
	maxMethod  = 20
	maxListed  = 5 // names in one sentence
	maxEntries = 8 // places of flows
	maxProse   = 2000
)

// What lists in several documents need said of them.
const (
	contentNote = "Sent and received count the bytes of content, without headers."
	checksNote  = "Each flow was judged by these rules, as the policy sets them."
)

// style is how one kind of document shows text.
type style struct {
	data  func(string) string // text from a capture, a file name, a policy's entry
	prose func(string) string // sentences of ours, which may quote a capture
	name  func(string) string // a name that a person gave, told from our own words
}

// onTerminal shows text on a terminal.
var onTerminal = style{data: plain.Text, prose: func(s string) string { return strings.Join(plain.Lines(s), " ") }, name: quoted}

// inMarkdown shows text as Markdown.
var inMarkdown = style{data: code, prose: func(s string) string { return fit(prose, s, maxProse) }, name: code}

// mask hides never-send values.
func (r *Report) mask(s string) string {
	if r.Reveal || r.Mask == nil || s == "" {
		return s
	}
	return r.Mask(s)
}

// clipped returns at most n characters of s. What is cut is masked before: else a part of
// a never-send value could stay before the cut, where nothing would know it.
func (r *Report) clipped(s string, n int) string { return clip(r.mask(s), n) }

// clippedURL is clipped for a URL.
func (r *Report) clippedURL(s string, n int) string { return clip(r.url(s), n) }

// fitted is [fit] for prose that has to be masked.
func (r *Report) fitted(render func(string) string, s string) string {
	return fit(render, r.mask(s), maxProse)
}

// url masks a URL: never-send values, identifiers, a user's name and password, and the
// values of parameters that are called like a credential.
func (r *Report) url(s string) string {
	if r.Reveal {
		return s
	}
	return exposure.MaskURL(r.mask(flow.MaskURL(s)))
}

// URL masks a URL as reports do: its never-send values, identifiers, a user's name and
// password, and the values of parameters that are called like a credential. A nil mask shows
// everything.
func URL(s string, mask func(string) string) string {
	return (&Report{Mask: mask, Reveal: mask == nil}).url(s)
}

// heaviestFirst returns the hosts with violations first, then by name.
func heaviestFirst(hosts []capture.Host) []capture.Host {
	sorted := slices.Clone(hosts)
	slices.SortStableFunc(sorted, func(a, b capture.Host) int {
		return cmp.Or(cmp.Compare(b.Verdict.Weight(), a.Verdict.Weight()), cmp.Compare(a.Name, b.Name))
	})
	return sorted
}

// excused parts what did not count into what the policy waives and what the
// baseline has.
func excused(r *Report) (waived, known []capture.Violation) {
	for _, v := range r.Summary.Waivers {
		if v.Finding.Known {
			known = append(known, v)
		} else {
			waived = append(waived, v)
		}
	}
	return waived, known
}

// baselineName is what the baseline is called in a document.
func baselineName(r *Report, st style) string {
	if r.Baseline == nil || r.Baseline.File == "" {
		return "the baseline"
	}
	return "the baseline " + st.data(r.clipped(r.Baseline.File, maxText))
}

// warnings say why the verdict is worth little.
func warnings(r *Report, st style) []string {
	out := make([]string, 0, len(r.Warnings))
	for _, w := range r.Warnings {
		out = append(out, st.prose(r.clipped(w, maxText)))
	}
	return out
}

// violatingHosts counts the hosts with at least one violation.
func violatingHosts(s capture.Summary) int {
	n := 0
	for _, h := range s.Hosts {
		if h.Verdict == policy.Violation {
			n++
		}
	}
	return n
}

// title names the verdict. A report without one proves nothing.
func title(verdict string) string {
	switch verdict {
	case Clean:
		return "Clean"
	case Violations:
		return "Violations"
	}
	return "Inconclusive"
}

// headline says the verdict in one sentence without its name.
func headline(r *Report, st style) string {
	s := r.Summary
	switch r.Verdict {
	case Violations:
		if len(s.Violations) == 1 {
			v := s.Violations[0]
			return about(r, v, st)
		}
		return fmt.Sprintf("%s, on %d of %s", plural(len(s.Violations), "violation", "violations"),
			violatingHosts(s), plural(len(s.Hosts), "host", "hosts"))
	case Clean:
		if s.Flows == 0 {
			return "no contact was recorded, and the audit was told to accept that"
		}
		if n, _ := unread(s.Health); n > 0 {
			return fmt.Sprintf("%s to %s, none against the policy, but %s",
				plural(s.Flows, "flow", "flows"), plural(len(s.Hosts), "host", "hosts"), couldNotRead(n))
		}
		return fmt.Sprintf("%s to %s, none against the policy", plural(s.Flows, "flow", "flows"), plural(len(s.Hosts), "host", "hosts"))
	}
	if s.Flows == 0 {
		return "no contact was recorded, so nothing is proven"
	}
	if !damagedAny(r.Captures) {
		return fmt.Sprintf("%s to %s, none against the policy, but they prove too little", plural(s.Flows, "flow", "flows"), plural(len(s.Hosts), "host", "hosts"))
	}
	return "not everything could be read; what could be read is not against the policy"
}

// about says in one sentence what broke the policy.
func about(r *Report, v capture.Violation, st style) string {
	host := st.data(r.clipped(v.Finding.Host, maxHost))
	if v.Finding.Rule.OfContact() {
		return fmt.Sprintf("%s was contacted %s against the policy", host, times(v.Count))
	}
	if v.Count == 1 {
		return fmt.Sprintf("1 flow to %s breaks the policy", host)
	}
	return fmt.Sprintf("%d flows to %s break the policy", v.Count, host)
}

func couldNotRead(n int) string {
	if n == 1 {
		return "1 of them could not be read"
	}
	return fmt.Sprintf("%d of them could not be read", n)
}

// next says what to do about a verdict that proves nothing.
func next(r *Report) []string {
	if !r.inconclusive() {
		return nil
	}
	var out []string
	if damagedAny(r.Captures) {
		out = append(out, "Export or record the damaged capture again, and judge that.")
	}
	if r.Summary.Flows == 0 {
		out = append(out, "Check that the device uses the proxy and trusts its CA: telltale setup shows how, and the proxy's own page tests it.",
			"Use the app while the recording runs, then look whether telltale flows lists its requests.")
	}
	if len(out) == 0 && len(r.Warnings) > 0 {
		out = append(out, "Use more of the app while it is recorded, and see what each warning says.")
	}
	return out
}

// inconclusive reports whether the audit proves nothing.
func (r *Report) inconclusive() bool { return r.Verdict != Clean && r.Verdict != Violations }

// damagedAny reports whether an input could not be read to its end.
func damagedAny(captures []CaptureInfo) bool {
	return slices.ContainsFunc(captures, func(c CaptureInfo) bool { return c.Error != "" })
}

// request is the request line of a violation's first flow.
func request(r *Report, v capture.Violation, st style) string {
	return st.data(strings.TrimSpace(r.clipped(v.Method, maxMethod) + " " + r.clippedURL(v.URL, maxText)))
}

// policyName says what judged: the policy's name, its file and --allow patterns.
func policyName(r *Report, st style) string {
	p := r.Policy
	name := ""
	if p.Name != "" {
		name = st.prose(r.clipped(p.Name, maxText))
	}
	if p.File != "" {
		file := st.data(r.mask(p.File))
		if name == "" {
			name = file
		} else {
			name += " (" + file + ")"
		}
	}
	if name == "" && len(p.Allow) == 0 {
		return "none"
	}
	if len(p.Allow) > 0 && (p.File != "" || name == "") {
		patterns := make([]string, 0, len(p.Allow))
		for i, pattern := range p.Allow {
			if i == maxListed {
				patterns = append(patterns, fmt.Sprintf("and %d more", len(p.Allow)-i))
				break
			}
			patterns = append(patterns, st.data(r.clipped(pattern, maxHost)))
		}
		if name != "" {
			name += ", with "
		}
		name += "--allow " + strings.Join(patterns, ", ")
	}
	return name
}

// what names a violation: its title, and who is behind the host.
func what(r *Report, f policy.Finding, st style) string {
	parts := []string{sentence(st.prose(capital(r.clipped(f.Title, maxText))))}
	if f.Owner != "" {
		parts = append(parts, "Operator or sender: "+sentence(st.prose(r.clipped(f.Owner, maxText))))
	}
	if f.Category != "" {
		parts = append(parts, "Category: "+sentence(st.prose(f.Category)))
	}
	if f.Severity != "" {
		parts = append(parts, "Severity: "+sentence(st.prose(string(f.Severity))))
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}

// capital makes the first letter of a title that of a sentence.
func capital(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError {
		return s
	}
	return string(unicode.ToUpper(r)) + s[size:]
}

// sentence ends s with a full stop where it has no end of its own.
func sentence(s string) string {
	if s == "" || strings.ContainsRune(".!?", rune(s[len(s)-1])) {
		return s
	}
	return s + "."
}

// permittedNote explains the numbers in what permitted returns.
const permittedNote = "The number of flows is in brackets."

// permitted says which hosts were allowed or ignored, a sentence for each line of
// the policy that did it.
func permitted(r *Report, st style) []string {
	type line struct {
		verdict policy.Verdict
		source  policy.Source
	}
	groups := map[line][]string{}
	var order []line
	for _, h := range r.Summary.Hosts {
		if h.Verdict != policy.Allowed && h.Verdict != policy.Ignored {
			continue
		}
		key := line{h.Verdict, h.Source}
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], fmt.Sprintf("%s (%d)", st.data(r.clipped(h.Name, maxHost)), h.Flows))
	}
	slices.SortStableFunc(order, func(a, b line) int { return b.verdict.Weight() - a.verdict.Weight() })
	rows := make([]string, 0, len(order))
	for _, key := range order {
		by := decided(r, key.source, st)
		if by == "" {
			by = "the policy"
		}
		hosts := groups[key]
		const shown = 10
		if len(hosts) > shown {
			hosts = append(hosts[:shown:shown], fmt.Sprintf("and %d more", len(hosts)-shown))
		}
		did := "Allowed"
		if key.verdict == policy.Ignored {
			did = "Ignored"
		}
		rows = append(rows, fmt.Sprintf("%s by %s: %s", did, by, strings.Join(hosts, ", ")))
	}
	return rows
}

// recorded says what was recorded and how the policy judged it.
func recorded(r *Report) string {
	s := r.Summary
	if s.Flows == 0 {
		return "The capture shows no HTTP exchange and no connection. That does not mean that the app contacts nobody: most often the device was not connected, or the app was not used."
	}
	when := ""
	if !s.First.IsZero() {
		when = ", " + period(s.First, s.Last)
	}
	return fmt.Sprintf("The capture shows %s to %s%s. %s", plural(s.Flows, "flow", "flows"),
		plural(len(s.Hosts), "host", "hosts"), when, shares(r))
}

// shares says how the flows divide by verdict, in a sentence.
func shares(r *Report) string {
	s := r.Summary
	excuse := "a waiver"
	if r.Baseline != nil {
		excuse = "a waiver or the baseline"
	}
	var parts []string
	add := func(n int, one, many string) {
		switch {
		case n == s.Flows && n > 1:
			parts = append(parts, "all "+many)
		case n > 0:
			parts = append(parts, plural(n, one, many))
		}
	}
	add(s.Violating, "breaks the policy", "break the policy")
	add(s.Waived, "is excused by "+excuse, "are excused by "+excuse)
	add(s.Allowed, "is allowed", "are allowed")
	add(s.Ignored, "is ignored as noise of the device", "are ignored as noise of the device")
	if len(parts) == 0 {
		return ""
	}
	return "Of these flows, " + joinAnd(parts) + "."
}

func joinAnd(parts []string) string {
	if n := len(parts); n > 1 {
		return strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
	return strings.Join(parts, "")
}

// standardInput is the name of a capture that came by a pipe.
const standardInput = "-"

// captureName is what a capture is called in a document.
func captureName(r *Report, file string, st style) string {
	switch file {
	case "":
		return "the live capture"
	case standardInput:
		return "standard input"
	}
	return st.data(r.clipped(file, maxText))
}

// captureOf returns the name of the capture that holds a flow: of one that was
// live, the file that it was kept in.
func (r *Report) captureOf(ref capture.Reference) string {
	if ref.Capture == "" && len(r.Captures) == 1 {
		return r.Captures[0].File
	}
	return ref.Capture
}

// ending picks the end of a noun by how many there are.
func ending(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// decided says which line of the policy decided.
func decided(r *Report, s policy.Source, st style) string {
	where := ""
	switch {
	case s.File != "" && s.Line > 0:
		where = fmt.Sprintf("%s line %d", st.data(r.mask(s.File)), s.Line)
	case s.File != "":
		where = st.data(r.mask(s.File))
	}
	text := ""
	if s.Text != "" {
		text = st.data(r.clipped(s.Text, maxText))
	}
	switch {
	case where == "":
		return text
	case text == "":
		return where
	}
	return where + ": " + text
}

// interval says the median time between flows.
func interval(d time.Duration) string { return "every " + duration(round(d)) + " (median)" }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
