package tui

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"telltale/capture"
	"telltale/policy"
	"telltale/policy/catalog"
)

// hostsView lists who was contacted: one row for each host, or for each
// registered domain with its hosts below.
type hostsView struct {
	list    list
	rows    map[string]hostRow
	order   int // index into hostOrders
	grouped bool
	widest  int               // columns of the longest title so far
	domains map[string]string // registered domains of hosts, which take a while to find
}

// hostRow is a host, or the sum of a domain.
type hostRow struct {
	*capture.Host
	domain bool            // a sum
	below  []*capture.Host // of the sum
	nested bool            // stands below its domain
}

// hostOrders are the orders that a key goes through.
var hostOrders = []struct {
	name    string
	column  string // whose title says so
	compare func(a, b *capture.Host) int
}{
	{"verdict", "VERDICT", func(a, b *capture.Host) int { return cmp.Compare(b.Verdict.Weight(), a.Verdict.Weight()) }},
	{"name", "HOST", func(_, _ *capture.Host) int { return 0 }},
	{"flows", "FLOWS", func(a, b *capture.Host) int { return cmp.Compare(b.Flows, a.Flows) }},
	{"bytes", "DOWN", func(a, b *capture.Host) int {
		return cmp.Compare(b.BytesSent+b.BytesReceived, a.BytesSent+a.BytesReceived)
	}},
	{"last contact", "LAST", func(a, b *capture.Host) int { return b.Last.Compare(a.Last) }},
}

const sparkWidth = 16

var hostColumns = []column{
	{title: "", width: 1},
	{title: "HOST", width: 24, flex: 2, host: true},
	{title: "VERDICT", width: 20, rank: 1},
	{title: "FLOWS", width: 7, right: true},
	{title: "RUN BY", width: 10, flex: 1, rank: 3},
	{title: "UP", width: 6, right: true, rank: 5},
	{title: "DOWN", width: 6, right: true, rank: 4},
	{title: "FIRST", width: 8, rank: 8},
	{title: "LAST", width: 8, rank: 2},
	{title: "ACTIVITY", width: sparkWidth, chart: true, rank: 6},
	{title: "SENT BY", width: 10, flex: 2, rank: 7},
}

// take takes over the hosts of the summary that pass the filter.
func (h *hostsView) take(m *model) {
	hits, filtered := m.search.hits()
	var all []*capture.Host
	for i := range m.news.sum.Hosts {
		x := &m.news.sum.Hosts[i]
		if filtered && hits.hosts[x.Name] == 0 {
			continue
		}
		if m.search.only.IsValid() { // what another device did there is not its doing
			own := *x
			v := hits.verdicts[x.Name]
			own.Verdict, own.Rule = v.verdict, v.rule
			x = &own
		}
		all = append(all, x)
	}
	compare := hostOrders[h.order].compare
	slices.SortStableFunc(all, func(a, b *capture.Host) int {
		return cmp.Or(compare(a, b), strings.Compare(a.Name, b.Name))
	})
	var rows []hostRow
	if h.grouped {
		rows = h.byDomain(all, compare)
	} else {
		for _, x := range all {
			rows = append(rows, hostRow{Host: x})
		}
	}
	keys := make([]string, len(rows))
	h.rows = make(map[string]hostRow, len(rows))
	for i, r := range rows {
		keys[i] = r.Name
		if r.domain {
			keys[i] = "domain " + r.Name
		}
		h.rows[keys[i]] = r
		h.widest = max(h.widest, len(r.title(mask{})))
	}
	h.list.replace(keys)
}

// rearrange brings the hosts into the order that the person asked for.
func (h *hostsView) rearrange(m *model) {
	h.list.settle = true
	h.take(m)
	h.list.settle = false
}

// byDomain puts each host below the sum of its registered domain. A domain of one
// host stands for itself.
func (h *hostsView) byDomain(hosts []*capture.Host, compare func(a, b *capture.Host) int) []hostRow {
	members := map[string][]*capture.Host{}
	var domains []hostRow
	for _, x := range hosts {
		name := h.domain(x.Name)
		members[name] = append(members[name], x)
	}
	for name, list := range members {
		domains = append(domains, hostRow{Host: sum(name, list), domain: true, below: list})
	}
	slices.SortFunc(domains, func(a, b hostRow) int {
		return cmp.Or(compare(a.Host, b.Host), strings.Compare(a.Name, b.Name))
	})
	var rows []hostRow
	for _, d := range domains {
		if list := members[d.Name]; len(list) == 1 {
			rows = append(rows, hostRow{Host: list[0]})
			continue
		}
		rows = append(rows, d)
		for _, x := range members[d.Name] {
			rows = append(rows, hostRow{Host: x, nested: true})
		}
	}
	return rows
}

// domain returns the registered domain of a host.
func (h *hostsView) domain(host string) string {
	name, known := h.domains[host]
	if !known {
		if h.domains == nil {
			h.domains = map[string]string{}
		}
		name = policy.RegisteredDomain(host)
		h.domains[host] = name
	}
	return name
}

// sum adds hosts up: the heaviest verdict, all flows and bytes.
func sum(name string, hosts []*capture.Host) *capture.Host {
	total := &capture.Host{Name: name}
	for _, x := range hosts {
		if x.Verdict.Weight() > total.Verdict.Weight() || total.Flows == 0 {
			total.Verdict, total.Rule, total.Source = x.Verdict, x.Rule, x.Source
		}
		total.Flows += x.Flows
		total.Violating += x.Violating
		total.Altered += x.Altered
		total.Unread += x.Unread
		total.BytesSent += x.BytesSent
		total.BytesReceived += x.BytesReceived
		if total.First.IsZero() || !x.First.IsZero() && x.First.Before(total.First) {
			total.First = x.First
		}
		if x.Last.After(total.Last) {
			total.Last = x.Last
		}
	}
	return total
}

func (h *hostsView) selected() (selection, bool) {
	r, ok := h.rows[h.list.key()]
	if !ok {
		return selection{}, false
	}
	return selection{host: r.Name, domain: r.domain}, true
}

func (h *hostsView) draw(m *model, width, height int) []string {
	if len(h.list.keys) == 0 {
		return m.emptyText(width, "No host was contacted.")
	}
	columns, altered := slices.Clone(hostColumns), m.withExperiments()
	if altered {
		columns = withAltered(columns)
	}
	widths := fitColumns(columns, width-2, h.widest)
	for i := range columns {
		if columns[i].title == hostOrders[h.order].column {
			columns[i].title += "▾"
		}
	}
	lines := []string{h.list.head(&m.theme, drawHead(&m.theme, columns, widths), width)}
	from, to := h.list.visible()
	first, last := m.news.sum.First, m.news.at
	if !m.cfg.Live {
		last = m.news.sum.Last
	}
	for i := from; i < to && len(lines) < height; i++ {
		row := h.rows[h.list.keys[i]]
		cells := h.cells(m, row, first, last)
		if altered {
			cells = insertAltered(columns, cells, cell{alteredText(row.Altered, row.Flows), m.theme.warning})
		}
		lines = append(lines, drawRow(&m.theme, columns, widths, cells, i == h.list.cursor))
	}
	return lines
}

// cells returns the cells of hostColumns. first and last bound the sparklines.
func (h *hostsView) cells(m *model, r hostRow, first, last time.Time) []cell {
	t, secrets := &m.theme, m.mask(false)
	style, title, figures := t.verdictStyle(r.Verdict), t.title, t.bar
	verdict, who := verdictWord(r.Verdict, r.Rule), ""
	if !r.domain {
		who = runBy(r.Name)
		n, _ := catalog.NoiseOf(catalog.Sighting{Host: r.Name})
		verdict = marked(verdict, r.Verdict, n.Class)
		if n.Class == catalog.ClassNoise && r.Verdict != policy.Violation {
			title, figures = t.dim, t.dim
		}
	}
	return []cell{
		{verdicts[r.Verdict].mark, style},
		{r.title(secrets), title},
		{verdict, style},
		{m.flowsOf(r.below, r.Host), figures},
		{secrets.shown(who), t.dim},
		{bytesText(r.BytesSent), figures},
		{bytesText(r.BytesReceived), figures},
		{clock(r.First), t.dim},
		{clock(r.Last), t.dim},
		{sparks(r.activity(first, last)), style},
		{secrets.shown(m.sendersOf(r.Host)), t.dim},
	}
}

func (r *hostRow) title(secrets mask) string {
	name := secrets.shown(r.Name)
	switch {
	case r.domain:
		return "." + name + "  " + plural(len(r.below), "host")
	case r.nested:
		return "  " + name
	}
	return name
}

// activity spreads the flows over the width of a sparkline; a sum has those of all
// its hosts.
func (r *hostRow) activity(first, last time.Time) []int {
	counts := r.Activity.Spread(first, last, sparkWidth)
	for _, x := range r.below {
		for i, n := range x.Activity.Spread(first, last, sparkWidth) {
			counts[i] += n
		}
	}
	return counts
}

// flowsOf counts the flows of a row, and those of them that the filter picks.
func (m *model) flowsOf(below []*capture.Host, row *capture.Host) string {
	hits, filtered := m.search.hits()
	if !filtered {
		return count(row.Flows)
	}
	picked := hits.hosts[row.Name]
	if below != nil {
		picked = 0
	}
	for _, x := range below {
		picked += hits.hosts[x.Name]
	}
	return share(picked, row.Flows)
}

// sendersOf says who talks to a host: apps as they name themselves, else those that were
// found out, else devices.
func (m *model) sendersOf(h *capture.Host) string {
	if len(h.Apps) > 0 {
		return strings.Join(h.Apps, ", ")
	}
	return cmp.Or(foundOut(h.Attributed), m.namesOf(h.Clients))
}

// verdictWord names a verdict, by its rule where one was broken.
func verdictWord(v policy.Verdict, rule policy.Rule) string {
	if rule != "" {
		if v == policy.Waived {
			return "waived " + string(rule)
		}
		return string(rule)
	}
	return verdicts[v].word
}
