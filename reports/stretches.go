package reports

import (
	"fmt"
	"strings"
	"time"

	"telltale/cadence"
	"telltale/consequence"
	"telltale/flow"
)

// This file is the table of one time in which experiments were on.

// stretch is the chapter on one, which counts from 0.
func (r *Report) stretch(i int, s *consequence.Stretch, st style) chapter {
	c := chapter{
		ID: fmt.Sprintf("stretch-%d", i+1), Sub: true, Heading: fmt.Sprintf("With %s, %s", r.stretchName(s, st), period(s.From, s.To)),
		Head: []string{"What", "Host or request", "Before", "In this time", "Afterwards", "Flow"},
		Note: r.stretchNote(s), Lead: r.conclusion(s, st),
	}
	if len(r.Consequences.Stretches) > 1 {
		c.Heading = fmt.Sprintf("%d. %s", i+1, c.Heading)
	}
	t := &stretchRows{chapter: &c, r: r, s: s, st: st}
	t.hosts("sent over a bad certificate", s.Trusted, func(h consequence.Host) string {
		return plural(h.Flows, "request that should not have been sent", "requests that should not have been sent")
	})
	t.targets()
	t.hosts("contacted for the first time", s.Instead, func(h consequence.Host) string { return r.insteadWords(h, st) })
	t.kinds("stopped", s.Stopped, func(consequence.Kind) string { return "none" })
	t.hosts("failed", s.Failed, func(h consequence.Host) string {
		return fmt.Sprintf("%d of %s answered", h.Answered, plural(h.Flows, "contact", "contacts"))
	})
	t.kinds("answered otherwise", s.Otherwise, func(k consequence.Kind) string {
		return fmt.Sprintf("%d of %s without an error, and %d of %d before", k.Good, plural(k.During, "answer", "answers"), k.GoodBefore, k.Before)
	})
	t.hosts("altered", s.Rewritten, func(h consequence.Host) string { return plural(h.Flows, "request altered", "requests altered") })
	more, less := parted(s)
	during := func(k consequence.Kind) string { return plural(k.During, "request", "requests") + oftenness(k, s) }
	t.kinds("made more often", more, during)
	t.kinds("made less often", less, during)
	t.kinds("too short to tell", s.Short, func(consequence.Kind) string { return "none" })
	t.kept()
	return c
}

// stretchNote says what is compared with what.
func (r *Report) stretchNote(s *consequence.Stretch) string {
	text := fmt.Sprintf("%s in %s, %d of them altered.", plural(s.Flows, "contact", "contacts"), duration(s.To.Sub(s.From)), s.Altered)
	if s.Before > 0 {
		text += fmt.Sprintf(" Compared with %s without experiments before it (%s).", duration(s.Before), plural(s.BeforeFlows, "contact", "contacts"))
	} else {
		text += " Nothing was recorded before it without experiments."
	}
	if s.After > 0 {
		text += fmt.Sprintf(" Afterwards, %s without experiments were recorded (%s).", duration(s.After), plural(s.AfterFlows, "contact", "contacts"))
	} else {
		text += " Nothing was recorded afterwards without experiments."
	}
	return text
}

// maxDone is how much a table has of what was done to a flow.
const maxDone = 200

// stretchRows fills a table.
type stretchRows struct {
	*chapter
	r  *Report
	s  *consequence.Stretch
	st style
}

func (t *stretchRows) row(what, name, before, during, after string, id flow.ID) {
	example := "–"
	if id != 0 {
		example = fmt.Sprint(id)
	}
	t.Rows = append(t.Rows, []string{what, name, before, during, after, example})
}

func (t *stretchRows) more(what string, n int) {
	if n > maxFollowed {
		t.row(what, fmt.Sprintf("… and %d more", n-maxFollowed), "", "", "", 0)
	}
}

func (t *stretchRows) targets() {
	for i, g := range t.s.Targets {
		if i == maxFollowed {
			break
		}
		t.row(taken(g), t.r.hostIn(g.Host, t.st), t.contacts(g.Before, g.Previous), tries(t.r, t.s, g, t.st), t.afterwards(g.Recovery), g.Example)
	}
	t.more("refused or answered", len(t.s.Targets))
}

func (t *stretchRows) hosts(what string, all []consequence.Host, during func(consequence.Host) string) {
	for i, h := range all {
		if i == maxFollowed {
			break
		}
		t.row(what, t.r.hostIn(h.Name, t.st), t.contacts(h.Before, cadence.Rhythm{}), during(h), t.afterwards(h.Recovery), h.Flow)
	}
	t.more(what, len(all))
}

// kept are the hosts that went on: afterwards, only the number of contacts says something.
func (t *stretchRows) kept() {
	const what = "went on"
	for i, h := range t.s.Kept {
		if i == maxFollowed {
			break
		}
		after := "not known"
		if t.s.After > 0 {
			after = plural(h.Recovery.Tried, "contact", "contacts")
		}
		t.row(what, t.r.hostIn(h.Name, t.st), plural(h.Before, "contact", "contacts"), plural(h.Flows, "contact", "contacts"), after, h.Flow)
	}
	t.more(what, len(t.s.Kept))
}

func (t *stretchRows) kinds(what string, all []consequence.Kind, during func(consequence.Kind) string) {
	for i, k := range all {
		if i == maxFollowed {
			break
		}
		before := plural(k.Before, "request", "requests")
		if k.Rhythm.Count > 0 {
			before += ", " + k.Rhythm.String()
		} else if k.Every > 0 {
			before += ", one in " + duration(round(k.Every))
		}
		t.row(what, t.r.kindIn(k, t.st), before, during(k), t.afterwards(k.Recovery), k.Flow)
	}
	t.more(what, len(all))
}

func (t *stretchRows) contacts(n int, beat cadence.Rhythm) string {
	switch {
	case t.s.Before == 0:
		return "not known"
	case n == 0:
		return "none"
	case beat.Count > 0:
		return plural(n, "contact", "contacts") + ", " + beat.String()
	}
	return plural(n, "contact", "contacts")
}

func (t *stretchRows) afterwards(rec consequence.Recovery) string {
	switch {
	case t.s.After == 0:
		return "not known"
	case rec.Flow != 0:
		return fmt.Sprintf("answered %s (flow %d)", ago(rec.After), rec.Flow)
	case rec.Tried > 0:
		return plural(rec.Tried, "contact, not answered", "contacts, none answered")
	}
	return "not contacted"
}

// taken says what was done to the contacts of a host.
func taken(g consequence.Target) string {
	switch {
	case g.Blocked == g.Tries:
		return "refused"
	case g.Distrusted == g.Tries:
		return "refused by the client, as it should"
	}
	return "taken by the experiment"
}

// tries says how a host was tried.
func tries(r *Report, s *consequence.Stretch, g consequence.Target, st style) string {
	parts := []string{plural(g.Tries, "try", "tries")}
	retry := g.Retry
	switch {
	case retry.Factor > 0:
		text := fmt.Sprintf("further and further apart: %s, each about %.2g times the one before", spans(retry), retry.Factor)
		if retry.Most > 0 {
			text += ", up to " + duration(round(retry.Most))
		}
		parts = append(parts, text)
	case retry.Rhythm.Count > 0:
		parts = append(parts, retry.Rhythm.String())
	case len(retry.Intervals) > 0:
		parts = append(parts, duration(round(retry.Median))+" apart (median)")
	}
	text := strings.Join(parts, ", ")
	if pace := paceWords(g.Pace); pace != "" {
		text += ": " + pace
	}
	if g.Passed > 0 {
		text += fmt.Sprintf("; %d more came through", g.Passed)
	}
	if g.Behind != "" {
		text += "; the first " + r.behindWords(g.Behind, g.Delay, st)
	}
	switch {
	case g.End == consequence.GaveUp && g.Alone:
		text += fmt.Sprintf("; then none for %s, in which nothing else was contacted either", duration(round(g.Last)))
	case g.End == consequence.GaveUp:
		text += fmt.Sprintf("; it gave up: none in the last %s", duration(round(g.Last)))
	case g.End == consequence.StillTrying:
		text += "; still trying at the end"
	}
	if length := s.To.Sub(s.From); g.End == consequence.NotKnown && g.Previous.Count > 0 && length < 3*g.Previous.Every {
		text += fmt.Sprintf("; %s is too short to tell how it goes on (%s before)", duration(round(length)), g.Previous.String())
	}
	if g.Done != "" {
		text += ". Done to the first: " + st.prose(r.clipped(g.Done, maxDone))
	}
	return text
}

// spans are the first intervals that grew.
func spans(retry consequence.Retry) string {
	var out []string
	for i, d := range retry.Intervals {
		if i > retry.Grown || i == 5 {
			out = append(out, "…")
			break
		}
		out = append(out, duration(round(d)))
	}
	return strings.Join(out, ", ")
}

// paceWords compares how often a host was tried with how often it was contacted before.
func paceWords(pace float64) string {
	switch {
	case pace == 0:
		return ""
	case pace > 0.8 && pace < 1.25:
		return "as often as before"
	case pace >= 1.25:
		return factorWords(pace) + " times as often as before"
	}
	return factorWords(1/pace) + " times as seldom as before"
}

func factorWords(f float64) string {
	if f >= 9.5 {
		return fmt.Sprintf("%.0f", f)
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0")
}

// parted tells the kinds of requests that were made more often from the others.
func parted(s *consequence.Stretch) (more, less []consequence.Kind) {
	for _, k := range s.Changed {
		if float64(k.During)*s.Before.Seconds() > float64(k.Before)*s.To.Sub(s.From).Seconds() {
			more = append(more, k)
		} else {
			less = append(less, k)
		}
	}
	return more, less
}

// oftenness compares how often a kind of request was made, where that is known.
func oftenness(k consequence.Kind, s *consequence.Stretch) string {
	expected := float64(k.Before) * s.To.Sub(s.From).Seconds() / s.Before.Seconds()
	if expected <= 0 || k.During == 0 {
		return ""
	}
	return ", " + paceWords(float64(k.During)/expected)
}

// insteadWords says when a host was contacted for the first time.
func (r *Report) insteadWords(h consequence.Host, st style) string {
	text := plural(h.Flows, "contact", "contacts")
	if h.Questions {
		text = plural(h.Flows, "question for its name alone", "questions for its name alone")
	}
	if h.Behind == "" {
		return text + ", the first after a contact was refused"
	}
	return text + ", the first " + r.behindWords(h.Behind, h.Delay, st)
}

// behindWords says how long after a contact that was taken something came.
func (r *Report) behindWords(host string, delay time.Duration, st style) string {
	behind := "at once after"
	if delay >= 100*time.Millisecond {
		behind = duration(round(delay)) + " after"
	}
	return fmt.Sprintf("%s one to %s", behind, r.hostIn(host, st))
}
