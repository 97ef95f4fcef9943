package tui

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"telltale/attribution"
	"telltale/capture"
	"telltale/flow"
	"telltale/flow/plain"
	"telltale/policy"
)

// violationsView lists what breaks the policy: one row for each violation, the
// newest first, with its count.
type violationsView struct {
	list list
	rows map[string]capture.Violation

	widest int  // columns of the longest host so far
	known  bool // somebody acknowledged one of them
}

var violationColumns = []column{
	{title: "", width: 1},
	{title: "RULE", width: 20, rank: 1},
	{title: "HOST", width: 18, flex: 2, host: true},
	{title: "REQUEST", width: 12, flex: 4, rank: 2},
	{title: "FLOWS", width: 6, right: true},
	{title: "FIRST", width: 8, rank: 5},
	{title: "LAST", width: 8, rank: 3},
	{title: "EVERY", width: 6, right: true, rank: 6},
	{title: "SENT BY", width: 12, flex: 2, rank: 4},
}

// take takes over the violations of the summary that pass the filter.
func (v *violationsView) take(m *model) {
	all := slices.Clone(m.news.sum.Violations)
	if hits, on := m.search.hits(); on {
		all = slices.DeleteFunc(all, func(x capture.Violation) bool { return hits.violations[x.ID] == 0 })
	}
	slices.SortStableFunc(all, func(a, b capture.Violation) int {
		return cmp.Or(b.First.Compare(a.First), strings.Compare(a.ID, b.ID))
	})
	keys := make([]string, len(all))
	v.known = false
	v.rows = make(map[string]capture.Violation, len(all))
	for i, x := range all {
		keys[i], v.rows[x.ID] = x.ID, x
		v.widest = max(v.widest, len(x.Finding.Host))
		if _, ok := acknowledged(x.Annotations); ok {
			v.known = true
		}
	}
	v.list.replace(keys)
}

func (v *violationsView) selected() (selection, bool) {
	x, ok := v.rows[v.list.key()]
	if !ok {
		return selection{}, false
	}
	return selection{host: x.Finding.Host, violation: &x, flow: x.LastFlow}, true
}

func (v *violationsView) draw(m *model, width, height int) []string {
	if len(v.list.keys) == 0 {
		return m.emptyText(width, "No violation.")
	}
	columns := violationColumns
	if v.known { // room for a second mark
		columns = slices.Clone(columns)
		columns[0].width = 2
	}
	altered := m.withExperiments()
	if altered {
		columns = withAltered(columns)
	}
	widths := fitColumns(columns, width-2, v.widest)
	lines := []string{v.list.head(&m.theme, drawHead(&m.theme, columns, widths), width)}
	from, to := v.list.visible()
	for i := from; i < to && len(lines) < height; i++ {
		row := v.rows[v.list.keys[i]]
		cells := v.cells(m, row)
		if altered {
			cells = insertAltered(columns, cells, cell{alteredText(row.Altered, row.Count), m.theme.warning})
		}
		lines = append(lines, drawRow(&m.theme, columns, widths, cells, i == v.list.cursor))
	}
	return lines
}

// cells returns the cells of violationColumns.
func (v *violationsView) cells(m *model, x capture.Violation) []cell {
	t, secrets := &m.theme, m.mask(false)
	mark, style := "✗", t.violation
	if x.Finding.Severity == policy.SeverityWarning {
		mark, style = "!", t.warning
	}
	if _, ok := acknowledged(x.Annotations); ok {
		mark += "✓"
	}
	flows := count(x.Count)
	if hits, filtered := m.search.hits(); filtered {
		flows = share(hits.violations[x.ID], x.Count)
	}
	every := ""
	if x.Count > 2 && x.Interval >= time.Second { // less is one burst
		every = durationText(x.Interval)
	}
	return []cell{
		{mark, style},
		{string(x.Finding.Rule), style},
		{secrets.shown(x.Finding.Host), t.title},
		plainCell(secrets.shown(x.Method) + " " + plain.Text(withoutHost(secrets.url(x.URL), x.Finding.Host))),
		plainCell(flows),
		{clock(x.First), t.dim},
		{clock(x.Last), t.dim},
		plainCell(every),
		{secrets.shown(m.senderOf(x)), t.dim},
	}
}

// senderOf says who sends a violation: the app as it names itself, else the one that it
// was found out to be, else the device.
func (m *model) senderOf(x capture.Violation) string {
	if x.App != "" {
		return x.App
	}
	return cmp.Or(foundOut(x.Attributed), m.namesOf(x.Clients))
}

// foundOut names apps that no User-Agent names, in brief: the detail of a flow says how
// they are known. What is but a conclusion is marked.
func foundOut(all []attribution.Attribution) string {
	var names []string
	for _, a := range all {
		switch {
		case !a.Known():
		case a.How == attribution.Said:
			names = append(names, a.App)
		default:
			names = append(names, "likely "+a.App)
		}
	}
	return strings.Join(names, ", ")
}

// withoutHost shortens a URL to what its row does not say already: the path.
func withoutHost(url, host string) string {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		return url
	}
	if flow.CanonicalHost(flow.Authority(url)) == host {
		return rest[strings.IndexAny(rest+"/", "/?#"):]
	}
	return rest
}
