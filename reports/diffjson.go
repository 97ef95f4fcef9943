package reports

import (
	"io"
	"time"

	"telltale/capture"
	"telltale/compare"
)

// diffDocument is the JSON of a comparison. Unknown times are null, lists are never
// null, and a side that lacks something has zeros.
type diffDocument struct {
	Schema    string     `json:"schema"`
	Tool      tool       `json:"tool"`
	Generated string     `json:"generated"`
	Policy    policyInfo `json:"policy"`
	Before    diffSide   `json:"before"`
	After     diffSide   `json:"after"`
	Result    string     `json:"result"`
	// Caveats are what experiments keep the captures from showing.
	Caveats    []string       `json:"caveats,omitempty"`
	Counts     map[string]int `json:"counts"` // violations by state
	Hosts      []diffHost     `json:"hosts"`
	Violations []diffViolated `json:"violations"`
	Command    string         `json:"command,omitempty"`
}

type diffSide struct {
	Captures []captureEntry `json:"captures"`
	// Experiments that were on while the side was recorded.
	Experiments []experimentEntry `json:"experiments,omitempty"`
	Summary     Summary           `json:"summary"`
	Warnings    []string          `json:"warnings"`
}

type diffHost struct {
	Host   string       `json:"host"`
	Change string       `json:"change"` // came, went, stayed
	Before diffHostSide `json:"before"`
	After  diffHostSide `json:"after"`
}

type diffHostSide struct {
	Flows   int    `json:"flows"`
	Verdict string `json:"verdict"` // "" where it was not contacted
	Rule    string `json:"rule"`
	Unread  int    `json:"unread"`
}

type diffViolated struct {
	ID          string       `json:"id"`
	State       string       `json:"state"`
	Rule        string       `json:"rule"`
	Severity    string       `json:"severity"`
	Title       string       `json:"title"`
	Host        string       `json:"host"`
	Subject     string       `json:"subject"`
	Category    string       `json:"category"`
	Owner       string       `json:"owner"`
	Method      string       `json:"method"`
	URL         string       `json:"url"`
	App         string       `json:"app"`
	Explanation string       `json:"explanation"`
	Remedy      string       `json:"remedy"`
	Decided     *source      `json:"decided"`
	Before      diffOccurred `json:"before"`
	After       diffOccurred `json:"after"`
	Reasons     []diffAnswer `json:"reasons"`  // why it is not shown to be fixed
	Evidence    []diffAnswer `json:"evidence"` // what speaks for a fix
}

// diffOccurred is one violation on one side.
type diffOccurred struct {
	Count    int         `json:"count"`
	First    *string     `json:"first"`
	Last     *string     `json:"last"`
	Interval *float64    `json:"interval_seconds"` // median between flows
	Use      float64     `json:"use_seconds"`      // for how long the app was in use
	Waived   bool        `json:"waived"`
	Phases   []string    `json:"phases,omitempty"` // "": some flows had none
	Flows    []reference `json:"flows"`
}

// diffAnswer is an answer to a question, in words and with what it goes by.
type diffAnswer struct {
	Question string   `json:"question"`
	Text     string   `json:"text"`
	Flows    *int     `json:"flows,omitempty"`
	Unread   *int     `json:"unread,omitempty"`
	Failed   *int     `json:"failed,omitempty"`
	Needed   *float64 `json:"needed_seconds,omitempty"`
	Had      *float64 `json:"had_seconds,omitempty"`
	Phases   []string `json:"phases,omitempty"`
	Seen     []string `json:"phases_seen,omitempty"`
	Made     []string `json:"made,omitempty"`
	Missed   []string `json:"missed,omitempty"`
	// Experiments that were on afterwards, which altered so many of the flows.
	Experiments []string `json:"experiments,omitempty"`
	Altered     *int     `json:"altered,omitempty"`
}

func writeDiffJSON(w io.Writer, d *Diff) error {
	return writeIndented(w, newDiffDocument(d), "the comparison as JSON")
}

func newDiffDocument(d *Diff) *diffDocument {
	r, c := d.side(d.After), &d.Comparison
	out := &diffDocument{
		Schema: DiffSchema, Tool: tool{d.Tool.Name, d.Tool.Version}, Generated: d.Generated.UTC().Format(time.RFC3339),
		Policy: newPolicyInfo(r), Before: newDiffSide(d, d.Before), After: newDiffSide(d, d.After),
		Result: string(c.Result), Caveats: r.texts(c.Caveats), Counts: map[string]int{}, Command: r.text(d.Command),
		Hosts: []diffHost{}, Violations: []diffViolated{},
	}
	for _, state := range compare.States {
		out.Counts[string(state)] = c.Count(state)
	}
	for _, h := range c.Hosts {
		out.Hosts = append(out.Hosts, diffHost{r.text(h.Name), string(h.Change), newDiffHostSide(h.Before), newDiffHostSide(h.After)})
	}
	for i := range c.Violations {
		out.Violations = append(out.Violations, newDiffViolated(d, &c.Violations[i]))
	}
	return out
}

func newDiffSide(d *Diff, s Side) diffSide {
	r := d.side(s)
	return diffSide{Captures: newCaptures(r), Experiments: r.experiments(), Summary: NewSummary(r), Warnings: r.texts(s.Warnings)}
}

func newDiffHostSide(h *capture.Host) diffHostSide {
	if h == nil {
		return diffHostSide{}
	}
	return diffHostSide{Flows: h.Flows, Verdict: string(h.Verdict), Rule: string(h.Rule), Unread: h.Unread}
}

func newDiffViolated(d *Diff, v *compare.Violation) diffViolated {
	w := d.newest(v).violation(*v.Newest(), nil)
	out := diffViolated{
		ID: w.ID, State: string(v.State), Rule: w.Rule, Severity: w.Severity, Title: w.Title, Host: w.Host, Subject: w.Subject,
		Category: w.Category, Owner: w.Owner, Method: w.Method, URL: w.URL, App: w.App, Explanation: w.Explanation,
		Remedy: w.Remedy, Decided: w.Decided, Reasons: []diffAnswer{}, Evidence: []diffAnswer{},
		Before: newDiffOccurred(d.side(d.Before), v.Before, v.WaivedBefore, v.TimeBefore),
		After:  newDiffOccurred(d.side(d.After), v.After, v.WaivedAfter, v.TimeAfter),
	}
	for i := range v.Answers {
		a := &v.Answers[i]
		if a.Yes {
			out.Evidence = append(out.Evidence, newDiffAnswer(d, v, a))
		} else {
			out.Reasons = append(out.Reasons, newDiffAnswer(d, v, a))
		}
	}
	return out
}

func newDiffOccurred(r *Report, v *capture.Violation, waived bool, use time.Duration) diffOccurred {
	if v == nil {
		return diffOccurred{Use: use.Seconds(), Flows: []reference{}}
	}
	w := r.violation(*v, nil)
	return diffOccurred{Count: w.Count, First: w.First, Last: w.Last, Interval: w.Interval, Use: use.Seconds(), Waived: waived, Phases: w.Phases, Flows: w.Flows}
}

func newDiffAnswer(d *Diff, v *compare.Violation, a *compare.Answer) diffAnswer {
	r := d.side(d.After)
	out := diffAnswer{Question: string(a.Question), Text: validText(answer(d, v, a, inData))}
	switch a.Question {
	case compare.WasUsed:
		out.Flows = &a.Flows
	case compare.WasObserved:
		out.Flows, out.Altered, out.Experiments = &a.Flows, &a.Altered, r.texts(a.Experiments)
	case compare.WasAnswered:
		out.Flows, out.Failed = &a.Flows, &a.Failed
	case compare.WasContacted, compare.WasReadable:
		out.Flows, out.Unread = &a.Flows, &a.Unread
	case compare.WasLongEnough:
		out.Seen = r.texts(a.Seen)
		if !a.Untimed {
			needed, had := a.Needed.Seconds(), a.Had.Seconds()
			out.Needed, out.Had = &needed, &had
		}
	case compare.WasInPhase:
		out.Phases, out.Seen = r.texts(a.Phases), r.texts(a.Seen)
	case compare.WasDone:
		out.Made, out.Missed = actionNames(r, a.Made), actionNames(r, a.Missed)
	}
	return out
}

func actionNames(r *Report, all []compare.Companion) []string {
	out := make([]string, len(all))
	for i, c := range all {
		out[i] = r.text(c.Action)
	}
	return out
}

// inData shows text within JSON, whose encoder makes it harmless.
var inData = style{
	data:  func(s string) string { return s },
	prose: func(s string) string { return s },
	name:  func(s string) string { return `"` + s + `"` },
}
