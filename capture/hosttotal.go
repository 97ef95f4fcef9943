package capture

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"telltale/attribution"
	"telltale/flow"
	"telltale/policy"
	"telltale/useragent"
)

// hostTotal sums the flows to one host.
type hostTotal struct {
	name             string
	worst            weighed
	flows, violating int
	sent, received   int64
	span             span
	activity         activityTotal
	apps             []string // sorted, as are clients; neither is changed in place: summaries share them
	clients          clientSet
	phases           phaseSet
	unread           map[flow.Outcome]int
	unreadShown      map[flow.Outcome]int // copy of unread that was handed out; nil when it has changed since
	unreadCount      int
	quicRefused      int
	unnamed          unnamedApps
	altered          int
	experiments      []string // that altered flows to it: as in phaseSet
}

func newHost(name string) *hostTotal { return &hostTotal{name: name} }

// weighed is the judgement that decides a host's verdict: the heaviest, and of
// equals that of the first flow that is more than a prelude.
type weighed struct {
	verdict  policy.Verdict
	severity int
	lead     lead
	id       flow.ID
	rule     policy.Rule
	category string
	source   policy.Source
}

func weigh(f *flow.Flow, j policy.Judgement) weighed {
	w := weighed{verdict: j.Verdict, lead: leadOf(f), id: f.ID, category: j.Category, source: j.Source, rule: j.Rule()}
	for _, finding := range j.Findings {
		w.severity = max(w.severity, severityRank(finding.Severity))
	}
	return w
}

func (w weighed) heavierThan(o weighed) bool {
	if a, b := w.verdict.Weight(), o.verdict.Weight(); a != b {
		return a > b
	}
	if w.severity != o.severity {
		return w.severity > o.severity
	}
	if w.lead != o.lead {
		return w.lead < o.lead
	}
	return w.id < o.id
}

func severityRank(s policy.Severity) int {
	switch s {
	case policy.SeverityError:
		return 2
	case policy.SeverityWarning:
		return 1
	}
	return 0
}

func (h *hostTotal) clone() *hostTotal {
	c := *h
	c.activity, c.unread = h.activity.clone(), maps.Clone(h.unread)
	return &c
}

func (h *hostTotal) add(f *flow.Flow, j policy.Judgement, trace attribution.Trace) {
	if w := weigh(f, j); h.flows == 0 || w.heavierThan(h.worst) {
		h.worst = w
	}
	h.flows++
	if j.Verdict == policy.Violation {
		h.violating++
	}
	h.sent += f.BytesSent()
	h.received += f.BytesReceived()
	h.span.add(f)
	if f.Outcome == flow.QUICRefused {
		h.quicRefused++
	}
	h.unnamed.add(trace)
	if f.Unread() {
		if h.unread == nil {
			h.unread = map[flow.Outcome]int{}
		}
		h.unread[f.Outcome]++
		h.unreadShown = nil
		h.unreadCount++
	}
	h.activity.add(f.Times.Start)
	h.clients = h.clients.with(f.Client.Addr.Addr())
	h.apps = withFirst(h.apps, appOf(f), MaxApps)
	h.phases = h.phases.with(f.Phase)
}

// maxApp bounds the bytes that are kept of a User-Agent, from its beginning. Servers
// take headers of up to 256 KiB, and names are kept for each device, host and violation.
const maxApp = useragent.MaxLength

// appOf returns the program that sent a flow as it names itself, at most maxApp bytes,
// "" for none.
func appOf(f *flow.Flow) string {
	app := f.UserAgent()
	if len(app) <= maxApp {
		return app
	}
	end := maxApp
	for end > maxApp-utf8.UTFMax && !utf8.RuneStart(app[end]) {
		end--
	}
	return app[:end]
}

// withFirst is insertFirst for names of which "" is none.
func withFirst(names []string, name string, limit int) []string {
	if name == "" {
		return names
	}
	return insertFirst(names, name, limit)
}

// insertFirst returns the sorted names with another one, the first limit of them:
// which ones are kept must not depend on which flow ended first.
func insertFirst(names []string, name string, limit int) []string {
	i, found := slices.BinarySearch(names, name)
	if found || i >= limit {
		return names
	}
	name = strings.Clone(name) // else all of the header that it was cut from stays in memory
	return slices.Concat(names[:i], []string{name}, names[i:min(len(names), limit-1)])
}

func (h *hostTotal) row(book *attribution.Book) Host {
	return Host{
		Name: h.name, Verdict: h.worst.verdict, Rule: h.worst.rule, Category: h.worst.category, Source: h.worst.source,
		Flows: h.flows, Violating: h.violating, Unread: h.unreadCount, First: h.span.first, Last: h.span.last,
		BytesSent: h.sent, BytesReceived: h.received, Apps: slices.Clip(h.apps), Clients: slices.Clip(h.clients.names),
		Phases: h.phases.names(), Activity: h.activity.activity(), QUICRefused: h.quicRefused, Altered: h.altered, Attributed: h.unnamed.attributed(book),
	}
}

// shownUnread returns the counts of unread. It will not change.
func (h *hostTotal) shownUnread() map[flow.Outcome]int {
	if h.unreadShown == nil {
		h.unreadShown = maps.Clone(h.unread)
	}
	return h.unreadShown
}
