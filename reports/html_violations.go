package reports

import (
	"telltale/capture"
	"telltale/policy"
)

// violationPart is the violations: a table of all, and a card for each of the
// first.
type violationPart struct {
	Count int
	Rows  []violationRow // none where there is but one violation
	More  int            // for which the table has no room
	Cards []card
	Rules []string // of the rows, for the filter
}

// Uncarded counts the violations without a card.
func (v violationPart) Uncarded() int { return v.Count - len(v.Cards) }

type violationRow struct {
	Number                int
	Card                  bool // there is a card to go to
	Host, Rule, Severity  string
	Flows                 int
	First, Last, Interval string
	Beat                  float64 // seconds, to sort by
}

// card is one violation with its evidence and its remedy.
type card struct {
	Number               int
	Open                 bool
	Host, Rule, Severity string
	Seen                 string // in brief
	What                 string // sentence
	Explained            bool   // by a diagnosis, to which Why and Remedy refer
	Why, Remedy          []paragraph
	Evidence             []fact // sentences
	Decided              string // sentence
}

func newViolationPart(r *Report) violationPart {
	all := r.Summary.Violations
	part := violationPart{Count: len(all)}
	explained := explain(r.shownDiagnoses())
	for i, v := range all[:min(len(all), pageCards)] {
		part.Cards = append(part.Cards, newCard(r, i+1, v, explained.of(r, v, inHTML)))
	}
	if len(all) < 2 {
		return part
	}
	rules := map[string]bool{}
	for i, v := range all[:min(len(all), pageRows)] {
		row := newViolationRow(r, i+1, v)
		rules[row.Rule] = true
		part.Rows = append(part.Rows, row)
	}
	part.Rules, part.More = sortedKeys(rules), len(all)-len(part.Rows)
	return part
}

func newViolationRow(r *Report, number int, v capture.Violation) violationRow {
	f := v.Finding
	row := violationRow{
		Number: number, Card: number <= pageCards, Host: r.short(f.Host, maxHost), Rule: r.short(string(f.Rule), maxHost),
		Severity: r.short(string(f.Severity), maxMethod), Flows: v.Count, First: tableTime(v.First), Last: tableTime(v.Last), Interval: "–",
	}
	if v.Interval > 0 {
		row.Interval, row.Beat = duration(round(v.Interval)), v.Interval.Seconds()
	}
	return row
}

// newCard returns the card of a violation. Why is as in screen.violation.
func newCard(r *Report, number int, v capture.Violation, why string) card {
	f := v.Finding
	c := card{
		Number: number, Open: number <= pageOpen, Host: r.short(f.Host, maxHost), Rule: r.short(string(f.Rule), maxHost),
		Severity: r.short(string(f.Severity), maxMethod), Seen: times(v.Count), What: what(r, f, inHTML),
		Explained: why != "", Decided: decided(r, f.Source, inHTML),
	}
	if c.Explained {
		c.Why, c.Remedy = []paragraph{{Text: why}}, []paragraph{{Text: explainedRemedy}}
	} else {
		c.Why, c.Remedy = paragraphs(r.clipped(f.Message, maxProse)), paragraphs(r.clipped(f.Remedy, maxProse))
	}
	if v.Interval > 0 {
		c.Seen += ", every " + duration(round(v.Interval))
	}
	add := func(label, text string) {
		if text != "" {
			c.Evidence = append(c.Evidence, fact{label, text})
		}
	}
	add("Request", request(r, v, inHTML))
	switch {
	case v.App != "":
		add("Sender, by its own User-Agent", marked(r.short(v.App, maxText)))
	case len(v.Attributed) == 0:
		add("Sender, by its own User-Agent", "not named: no User-Agent was seen")
	}
	add("Sender, as far as it is known", senders(r, v, inHTML))
	add("Addressed to", addresses(r, v, inHTML))
	for _, k := range known(r, v, inHTML) {
		add(k.Label, k.Text)
	}
	add("Devices", devicesOf(r, v, inHTML))
	add("Seen", seen(v))
	add("Phase", phasesOf(r, v, inHTML.data))
	add("Where", place(r, v, inHTML))
	return c
}

// excuseList is violations that do not count.
type excuseList struct {
	Rows []excuse
	More int
}

type excuse struct{ Host, Rule, Seen, By, Request string }

func newExcuseList(r *Report, violations []capture.Violation) excuseList {
	n := min(len(violations), pageListed)
	out := excuseList{More: len(violations) - n}
	for _, v := range violations[:n] {
		f := v.Finding
		out.Rows = append(out.Rows, excuse{r.short(f.Host, maxHost), r.short(string(f.Rule), maxHost), times(v.Count),
			decided(r, f.Source, inHTML) + saidBeside(r, v, inHTML), request(r, v, inHTML)})
	}
	return out
}

// excused lists what the policy waives and what the baseline has.
func (p *page) excused(r *Report) {
	waived, known := excused(r)
	p.Waived, p.Known = newExcuseList(r, waived), newExcuseList(r, known)
	p.KnownFrom = baselineName(r, inHTML)
}

// kindOf names the colour and the pattern of a verdict.
func kindOf(v policy.Verdict) string {
	switch v {
	case policy.Violation, policy.Waived, policy.Allowed, policy.Ignored:
		return string(v)
	}
	return "unjudged"
}
