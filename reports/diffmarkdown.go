package reports

import (
	"fmt"
	"io"
	"strings"

	"telltale/compare"
	"telltale/policy"
)

func writeDiffMarkdown(w io.Writer, d *Diff) error {
	m := &markdown{r: d.side(d.After)}
	m.line("# %s: %s", diffTitled(d), diffHeadline(d, inMarkdown))
	m.line("\n**Policy:** %s\n", policyName(m.r, inMarkdown))
	m.line("- Before: %s", sideLine(d, d.Before, inMarkdown))
	m.line("- After: %s", sideLine(d, d.After, inMarkdown))
	if items := sideWorth(d, inMarkdown); len(items) > 0 {
		m.heading("What this is worth")
		m.items(items, budgetWorth)
	}
	if steps := diffNext(d); len(steps) > 0 {
		m.heading("What to do next")
		m.items(steps, budgetList)
	}
	m.diffViolations(d)
	m.diffHosts(d)
	m.diffProvenance(d)
	_, err := io.WriteString(w, m.String())
	return err
}

// diffViolations writes out as many violations as fit; the others get a line each.
func (m *markdown) diffViolations(d *Diff) {
	all := d.Comparison.Violations
	if len(all) == 0 {
		return
	}
	m.heading("Violations")
	if warning := credentialWarning(m.r, inMarkdown); warning != "" {
		m.line("> **Before you share this:** %s\n", warning)
	}
	if done := m.writeOut(len(all), budgetDiff, func(i int) string { return diffViolation(d, i+1, &all[i]) }); done < len(all) {
		m.diffRest(d, done)
	}
	m.line("\n*Fixed* means that what triggers a violation was done again, as far as the captures show. *Not exercised* means that it is gone, but that this is not shown.")
}

func (m *markdown) diffRest(d *Diff, done int) {
	all := d.Comparison.Violations[done:]
	rows := make([]string, 0, len(all))
	for i := range all {
		f := all[i].Finding()
		rows = append(rows, fmt.Sprintf("| %s | %s | %s |", stateNames[all[i].State], cell(m.r.clipped(f.Host, maxHost)), cell(string(f.Rule))))
	}
	m.line("\n### The other %d violations\n", len(rows))
	m.table("| Now | Host | Rule |\n| --- | --- | --- |", rows, budgetRest, "")
}

// diffViolation writes out one violation.
func diffViolation(d *Diff, number int, v *compare.Violation) string {
	var b strings.Builder
	r, f := d.newest(v), v.Finding()
	fmt.Fprintf(&b, "### %d. %s: %s on %s\n\n", number, capital(stateNames[v.State]), code(string(f.Rule)), code(r.clipped(f.Host, maxHost)))
	point := func(what, text string) {
		if text != "" {
			fmt.Fprintf(&b, "- %s: %s\n", what, text)
		}
	}
	point("What it is", fit(prose, capital(r.mask(f.Title)), maxText))
	point("Request", request(r, *v.Newest(), inMarkdown))
	if app := v.Newest().App; app != "" {
		point("Sender, by its own `User-Agent`", code(r.clipped(app, maxText)))
	}
	point("Before", occurred(v.Before, v.WaivedBefore, v.TimeBefore))
	point("After", occurred(v.After, v.WaivedAfter, v.TimeAfter))
	point("Phase", phasesOf(r, *v.Newest(), code))
	if v.After != nil {
		point("Where", place(r, *v.After, inMarkdown))
		point("Deciding policy line", decided(r, f.Source, inMarkdown))
	}
	against, favour := reasons(d, v, inMarkdown)
	paragraph := func(title string, items []string) {
		if len(items) > 0 {
			fmt.Fprintf(&b, "\n%s\n\n- %s\n", title, strings.Join(items, "\n- "))
		}
	}
	paragraph("Why this is not shown to be fixed:", against)
	if len(against) > 0 {
		paragraph("What speaks for it:", favour)
	} else {
		paragraph("Why this counts as fixed:", favour)
	}
	if v.State == compare.New {
		if remedy := r.fitted(block, f.Remedy); remedy != "" {
			fmt.Fprintf(&b, "\n**Likely cause and remedy.** %s\n", remedy)
		}
	}
	return b.String()
}

// diffHosts is the table of hosts: those that came, went and stayed.
func (m *markdown) diffHosts(d *Diff) {
	if len(d.Comparison.Hosts) == 0 {
		return
	}
	m.heading("Hosts")
	rows := make([]string, 0, len(d.Comparison.Hosts))
	for _, h := range d.Comparison.Hosts {
		after := hostSide(h.After)
		if verdictOf(h.After) == policy.Violation {
			after = "**" + after + "**"
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |", h.Change, cell(m.r.clipped(h.Name, maxHost)), hostSide(h.Before), after))
	}
	m.table("| | Host | Before | After |\n| --- | --- | --- | --- |", rows, budgetHosts, fmt.Sprintf("All %d hosts", len(rows)))
	m.line("\nBefore and after have the number of flows and the verdict.")
}

// diffProvenance says what made the comparison, and from what.
func (m *markdown) diffProvenance(d *Diff) {
	m.heading("Provenance")
	rows := []string{"- Tool: " + code(strings.TrimSpace(d.Tool.Name+" "+d.Tool.Version))}
	if !d.Generated.IsZero() {
		rows = append(rows, "- Generated: "+moment(d.Generated))
	}
	if d.Command != "" {
		rows = append(rows, "- Command: "+code(m.r.clipped(d.Command, maxText)))
	}
	rows = append(rows, "- Policy: "+policyName(m.r, inMarkdown)+digest(d.Policy.Digest))
	for _, s := range []struct {
		name string
		Side
	}{{"Before", d.Before}, {"After", d.After}} {
		for _, c := range s.Captures {
			rows = append(rows, fmt.Sprintf("- %s: %s, %s%s", s.name, captureName(m.r, c.File, inMarkdown), plural(c.Entries, "entry", "entries"), digest(c.SHA256)))
		}
	}
	m.capped(rows, budgetList)
	if d.Reveal {
		m.line("\nSecrets are shown in this document, because it was made with `--reveal`.")
	}
}
