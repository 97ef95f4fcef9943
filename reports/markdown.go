package reports

import (
	"fmt"
	"io"
	"strings"
	"time"

	"telltale/capture"
	"telltale/policy"
)

// GitHub takes 65,536 characters in an issue. Each part has a share of that, in
// bytes; what does not fit is counted and stands in full in the JSON.
const (
	budgetViolations = 21_500 // written out, less what the chapters take
	budgetOrigins    = 5_000  // where they come from in the app
	budgetDiff       = 28_000 // violations of a comparison
	budgetRest       = 4_000  // violations beyond, a line each
	budgetHosts      = 7_000
	budgetWorth      = 4_000 // what the verdict is worth
	budgetDiagnoses  = 4_000
	budgetSentences  = 1_500 // evidence of one diagnosis, or its steps
	budgetDevices    = 2_500
	budgetList       = 2_500 // any other list
)

// markdown builds the audit.
type markdown struct {
	strings.Builder
	r         *Report
	explained explanations // of the diagnoses that were written
}

func writeMarkdown(w io.Writer, r *Report) error {
	r = r.indexed()
	m := &markdown{r: r}
	if beside := r.besideVerdict(inMarkdown); beside != "" {
		m.line("# %s%s\n\n%s.", title(r.Verdict), beside, headline(r, inMarkdown))
	} else {
		m.line("# %s: %s", title(r.Verdict), headline(r, inMarkdown))
	}
	m.warnings()
	m.opening()
	followed := r.inMarkdown(r.followed(inMarkdown)...)
	m.WriteString(followed)
	m.worth()
	m.coverage()
	m.diagnoses()
	m.devices()
	m.contacted()
	owners, sent, beside := r.inMarkdown(r.owners(inMarkdown)), r.inMarkdown(r.sent(inMarkdown)...), r.inMarkdown(r.beside(inMarkdown)...)
	m.WriteString(owners)
	m.phases()
	origins := r.origins(inMarkdown).inMarkdown(r)
	m.violations(budgetViolations - len(followed) - len(owners) - len(sent) - len(beside) - len(origins))
	m.WriteString(origins)
	m.WriteString(sent)
	m.excused()
	m.WriteString(beside)
	m.allowed()
	m.checks()
	m.reproduce()
	m.provenance()
	_, err := io.WriteString(w, m.String())
	return err
}

func (m *markdown) line(format string, args ...any) { fmt.Fprintf(m, format+"\n", args...) }

func (m *markdown) heading(text string) { m.line("\n## %s\n", text) }

// warnings stand beside the verdict, which they make worth less.
func (m *markdown) warnings() {
	rows := warnings(m.r, inMarkdown)
	shown := roomFor(rows, budgetList)
	for _, row := range rows[:shown] {
		m.line("\n> **Warning:** %s", row)
	}
	if left := len(rows) - shown; left > 0 {
		m.line("\n> **Warning:** … and %d more", left)
	}
}

// opening says in two or three sentences what was recorded and what was found.
func (m *markdown) opening() {
	m.WriteByte('\n')
	m.line("**Policy:** %s", policyName(m.r, inMarkdown))
	m.WriteByte('\n')
	m.line("%s", recorded(m.r))
	if n := len(m.r.Summary.Violations); n > 0 {
		m.line("\n%s, with the evidence, why it matters and how to make it stop.",
			plural(n, "violation is described below", "violations are described below"))
	}
	m.next()
}

// next says what to do about a verdict that proves nothing.
func (m *markdown) next() {
	if steps := next(m.r); len(steps) > 0 {
		m.heading("What to do next")
		m.items(steps, budgetList)
	}
}

// worth says what the verdict is worth, before anything else is claimed.
func (m *markdown) worth() {
	items := worthBeside(m.r, inMarkdown)
	if len(items) == 0 {
		return
	}
	m.heading("What this verdict is worth")
	m.items(items, budgetWorth)
	if rows := m.unread(); len(rows) > 0 {
		m.WriteByte('\n')
		m.table("| Host that could not be read | Connections | Why |\n| --- | ---: | --- |", rows, budgetList, "")
	}
}

// unread lists the hosts whose connections could not be read, and why.
func (m *markdown) unread() []string {
	var rows []string
	for _, u := range silences(m.r) {
		rows = append(rows, fmt.Sprintf("| %s | %d | %s |", cell(m.r.clipped(u.host, maxHost)), u.connections, prose(u.why)))
	}
	return rows
}

// diagnoses says why connections could not be read, the most important first.
func (m *markdown) diagnoses() {
	all := m.r.diagnoses()
	if len(all) == 0 {
		return
	}
	m.heading(unreadHeading)
	used := 0
	for i, d := range all {
		text := diagnosisInMarkdown(m.r, d, "###", findings(m.r, d, inMarkdown))
		if used += len(text); i > 0 && (used > budgetDiagnoses || i == maxDiagnoses) {
			m.explained = explain(all[:i])
			m.line("\n… and %s; a `.json` report has them all.", plural(len(all)-i, "more diagnosis", "more diagnoses"))
			return
		}
		if i > 0 {
			m.WriteByte('\n')
		}
		m.WriteString(text)
	}
	m.explained = explain(all)
}

// diagnosisInMarkdown writes out one, with these of its facts.
func diagnosisInMarkdown(r *Report, d diagnosed, heading string, facts []fact) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n\n", heading, found(r, d, inMarkdown))
	for _, f := range facts {
		fmt.Fprintf(&b, "- %s: %s\n", f.Label, f.Text)
	}
	list := func(title string, items []string) {
		items = items[:roomFor(items, budgetSentences)]
		if len(items) > 0 {
			fmt.Fprintf(&b, "\n**%s.**\n\n- %s\n", title, strings.Join(items, "\n- "))
		}
	}
	list("Evidence", evidenceOf(r, d.Diagnosis, inMarkdown))
	list("What to do", stepsOf(r, d.Diagnosis, inMarkdown))
	return b.String()
}

// devices is the table of devices, where they have to be told apart.
func (m *markdown) devices() {
	if !m.r.listsDevices() {
		return
	}
	m.heading("Devices")
	var rows []string
	for _, d := range m.r.Summary.Health.Devices {
		name := "–"
		if d.Name != "" {
			name = cell(m.r.clipped(d.Name, maxHost))
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %d | %d | %s | %d | %s |", name, cell(m.r.clipped(d.Addr, maxHost)),
			d.Flows, d.Hosts, m.r.judgedInWords(d), d.Violating, readableSince(d)))
	}
	m.table("| Device | Address | Flows | Hosts | Verdict | Against the policy | TLS read since (UTC) |\n| --- | --- | ---: | ---: | --- | ---: | --- |",
		rows, budgetDevices, "")
}

// contacted is the table of hosts, the heaviest verdict first.
func (m *markdown) contacted() {
	m.heading("What was contacted")
	if len(m.r.Summary.Hosts) == 0 {
		m.line("Nothing.")
		return
	}
	rows := make([]string, 0, len(m.r.Summary.Hosts))
	for _, h := range heaviestFirst(m.r.Summary.Hosts) {
		verdict := string(h.Verdict)
		if h.Verdict == policy.Violation {
			verdict = "**violation**"
		}
		if noise := noiseWords(h.Name); noise != "" {
			verdict += ", " + noise
		}
		flows := fmt.Sprint(h.Flows) + besideHost(h)
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s |", cell(m.r.clipped(h.Name, maxHost)),
			verdict, flows, size(h.BytesSent), size(h.BytesReceived), tableTime(h.First), tableTime(h.Last)))
	}
	m.table("| Host | Verdict | Flows | Sent | Received | First (UTC) | Last (UTC) |\n| --- | --- | ---: | ---: | ---: | --- | --- |",
		rows, budgetHosts, fmt.Sprintf("All %d hosts", len(rows)))
	m.WriteByte('\n')
	m.line("%s", contentNote)
	if notesNoise(m.r.Summary.Hosts) {
		m.line("%s", noiseNote)
	}
}

func tableTime(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// violations writes out as many as fit into these bytes; the others get a line each.
func (m *markdown) violations(budget int) {
	violations := m.r.Summary.Violations
	if len(violations) == 0 {
		return
	}
	m.heading("Violations")
	if warning := credentialWarning(m.r, inMarkdown); warning != "" {
		m.line("> **Before you share this:** %s\n", warning)
	}
	done := m.writeOut(len(violations), budget, func(i int) string { return m.violation(i+1, violations[i]) })
	if done < len(violations) {
		m.rest(done, violations[done:])
	}
}

// writeOut writes as many of n violations as fit into the budget, at least one, and
// returns how many.
func (m *markdown) writeOut(n, budget int, violation func(i int) string) int {
	used := 0
	for i := range n {
		text := violation(i)
		if i > 0 {
			text = "\n" + text
		}
		if used += len(text); used > budget && i > 0 {
			return i
		}
		m.WriteString(text)
	}
	return n
}

// rest lists the violations for which there was no room.
func (m *markdown) rest(done int, violations []capture.Violation) {
	rows := make([]string, 0, len(violations))
	for _, v := range violations {
		rows = append(rows, fmt.Sprintf("| %s | %s | %d |", cell(m.r.clipped(v.Finding.Host, maxHost)), cell(string(v.Finding.Rule)), v.Count))
	}
	m.line("\n### The other %d violations\n", len(rows))
	m.line("The first %d are described above; a `.json` report describes all.\n", done)
	m.table("| Host | Rule | Flows |\n| --- | --- | ---: |", rows, budgetRest, "")
}

// violation writes out one.
func (m *markdown) violation(number int, v capture.Violation) string {
	var b strings.Builder
	r, f := m.r, v.Finding
	fmt.Fprintf(&b, "### %d. %s: %s\n\n", number, code(r.clipped(f.Host, maxHost)), code(string(f.Rule)))
	section := func(title, text string) {
		if text != "" {
			fmt.Fprintf(&b, "**%s.** %s\n\n", title, text)
		}
	}
	section("What it is", what(r, f, inMarkdown))
	why := m.explained.of(r, v, inMarkdown)
	if why != "" {
		section("Why", why)
	} else {
		section("Why it matters", r.fitted(block, f.Message))
	}
	fmt.Fprintf(&b, "**Evidence.** The capture shows:\n\n")
	evidence := func(what, text string) {
		if text != "" {
			fmt.Fprintf(&b, "- %s: %s\n", what, text)
		}
	}
	evidence("Request", request(r, v, inMarkdown))
	if v.App != "" {
		evidence("Sender, by its own `User-Agent`", code(r.clipped(v.App, maxText)))
	} else if len(v.Attributed) == 0 {
		evidence("Sender", "not named: no `User-Agent` was seen")
	}
	evidence("Sender, as far as it is known", senders(r, v, inMarkdown))
	evidence("Addressed to", addresses(r, v, inMarkdown))
	for _, k := range m.known(v) {
		evidence(k.Label, k.Text)
	}
	evidence("Devices", devicesOf(r, v, inMarkdown))
	evidence("Seen", seen(v))
	evidence("Phase", phasesOf(r, v, code))
	evidence("Where", place(r, v, inMarkdown))
	b.WriteByte('\n')
	if why != "" {
		section("Remedy", explainedRemedy)
	} else {
		section("Likely cause and remedy", r.fitted(block, f.Remedy))
	}
	section("Deciding policy line", decided(r, f.Source, inMarkdown))
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// known returns what there is room for of what is known of a violation.
func (m *markdown) known(v capture.Violation) []fact {
	all := known(m.r, v, inMarkdown)
	rows := make([]string, len(all))
	for i, k := range all {
		rows[i] = k.Text
	}
	n := roomFor(rows, budgetSentences)
	if left := len(all) - n; left > 0 {
		return append(all[:n:n], fact{"And", plural(left, "more fact", "more facts") + "; a `.json` report has them all"})
	}
	return all
}

// excused lists what did not count: what the policy waives, and what the baseline
// has.
func (m *markdown) excused() {
	waived, known := excused(m.r)
	list := func(heading, why, by string, violations []capture.Violation) {
		if len(violations) == 0 {
			return
		}
		m.heading(heading)
		m.line("%s\n", why)
		rows := make([]string, 0, len(violations))
		for _, v := range violations {
			rows = append(rows, fmt.Sprintf("- %s: %s, %s. %s: %s", code(m.r.clipped(v.Finding.Host, maxHost)),
				code(string(v.Finding.Rule)), times(v.Count), by, decided(m.r, v.Finding.Source, inMarkdown)+saidBeside(m.r, v, inMarkdown)))
		}
		m.capped(rows, budgetList)
	}
	list("What was waived", "These would be violations; the policy excuses them.", "Waiver", waived)
	list("Known from "+baselineName(m.r, inMarkdown), "These were there before and do not count; what is new does.", "Deciding policy line", known)
}

// allowed says which hosts were allowed or ignored, by the line that did it.
func (m *markdown) allowed() {
	rows := permitted(m.r, inMarkdown)
	if len(rows) == 0 {
		return
	}
	m.heading("What was allowed")
	m.items(rows, budgetList)
	m.WriteByte('\n')
	m.line("%s", permittedNote)
}

// checks lists the rules that were applied.
func (m *markdown) checks() {
	checks := m.r.checks()
	m.heading("What was checked")
	m.line("%s\n", checksNote)
	rows := make([]string, 0, len(checks))
	for _, c := range checks {
		row := fmt.Sprintf("- %s", code(string(c.Rule)))
		if c.Title != "" {
			row += ": " + fit(prose, c.Title, maxText)
		}
		rows = append(rows, row)
	}
	m.capped(rows, budgetList)
}

// reproduce lists the commands to get the same result.
func (m *markdown) reproduce() {
	steps := reproduce(m.r)
	if len(steps) == 0 {
		return
	}
	m.heading("How to reproduce")
	var program []string
	why := ""
	for _, s := range steps {
		if s.why != why {
			program = append(program, "# "+s.why)
			why = s.why
		}
		program = append(program, s.command)
	}
	m.line("%s", fenced("sh", program))
}

// provenance says what made the report, and from what.
func (m *markdown) provenance() {
	r := m.r
	m.heading("Provenance")
	rows := []string{"- Tool: " + code(strings.TrimSpace(r.Tool.Name+" "+r.Tool.Version))}
	if !r.Generated.IsZero() {
		rows = append(rows, "- Generated: "+moment(r.Generated))
	}
	rows = append(rows, "- Policy: "+policyName(r, inMarkdown)+digest(r.Policy.Digest))
	if b := r.Baseline; b != nil {
		rows = append(rows, fmt.Sprintf("- Baseline: %s, %s", code(r.clipped(b.File, maxText)), plural(b.Violations, "violation", "violations")))
	}
	for _, c := range r.Captures {
		row := fmt.Sprintf("- Capture: %s, %s", captureName(r, c.File, inMarkdown), plural(c.Entries, "entry", "entries"))
		if c.Producer != "" {
			row += ", by " + code(r.clipped(c.Producer, maxText))
		}
		if c.Error != "" {
			row += ", **damaged**"
		}
		rows = append(rows, row+digest(c.SHA256))
	}
	m.capped(rows, budgetList)
	if r.Reveal {
		m.line("\nSecrets are shown in this report, because it was made with `--reveal`.")
	}
}

func digest(hex string) string {
	if hex == "" {
		return ""
	}
	return ", SHA-256 " + code(hex)
}

// items writes a list.
func (m *markdown) items(texts []string, budget int) {
	rows := make([]string, len(texts))
	for i, text := range texts {
		rows[i] = "- " + text
	}
	m.capped(rows, budget)
}

// capped writes the rows that fit and counts the others.
func (m *markdown) capped(rows []string, budget int) {
	shown := roomFor(rows, budget)
	for _, row := range rows[:shown] {
		m.line("%s", row)
	}
	if left := len(rows) - shown; left > 0 {
		m.line("- … and %d more", left)
	}
}

// A table of more than longTable rows is folded away but for the first.
const (
	longTable  = 25
	foldedRows = 10
)

// table writes a table. One with a summary is folded behind it when it is long,
// after its first rows.
func (m *markdown) table(head string, rows []string, budget int, summary string) {
	all := len(rows)
	rows = rows[:roomFor(rows, budget)]
	write := func(rows []string) {
		m.line("%s", head)
		for _, row := range rows {
			m.line("%s", row)
		}
	}
	if summary != "" && all > longTable {
		write(rows[:min(foldedRows, len(rows))])
		m.line("\n<details><summary>%s</summary>\n", summary)
		defer m.line("\n</details>")
	}
	write(rows)
	if left := all - len(rows); left > 0 {
		m.line("\n… and %d more; a `.json` report has them all.", left)
	}
}

// roomFor returns how many rows fit into a budget of bytes, at least one.
func roomFor(rows []string, budget int) int {
	for i, row := range rows {
		if budget -= len(row) + 1; budget < 0 && i > 0 {
			return i
		}
	}
	return len(rows)
}
