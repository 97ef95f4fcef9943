package reports

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"telltale/capture"
	"telltale/compare"
	"telltale/policy"
)

// This file holds the sentences on comparisons that several documents share.

// diffTitle names the result of a comparison.
func diffTitle(r compare.Result) string {
	switch r {
	case compare.Worse:
		return "Worse"
	case compare.AllFixed:
		return "Fixed"
	case compare.Better:
		return "Partly fixed"
	case compare.Unproven:
		return "Not proven"
	case compare.Unchanged:
		return "Not fixed"
	case compare.Clean:
		return "Clean"
	}
	return "Inconclusive"
}

// diffTitled is the name of the result and what it never stands without.
func diffTitled(d *Diff) string {
	name := diffTitle(d.Comparison.Result)
	if len(d.Comparison.Caveats) > 0 {
		name += ", with experiments"
	}
	return name
}

// stateNames are the states in words.
var stateNames = map[compare.State]string{
	compare.New: "new", compare.StillThere: "still there", compare.NotExercised: "not exercised",
	compare.Fixed: "fixed", compare.Excused: "excused",
}

// diffHeadline says the result in one sentence without its name.
func diffHeadline(d *Diff, st style) string {
	c := &d.Comparison
	switch c.Result {
	case compare.Worse:
		return alone(d, compare.New, st, func(v *compare.Violation) string {
			return fmt.Sprintf("is new (%s)", times(v.After.Count))
		}, "violations are new")
	case compare.AllFixed:
		return alone(d, compare.Fixed, st, func(v *compare.Violation) string {
			use := ", in the same use"
			if v.TimeAfter >= time.Second {
				use = ", in " + duration(v.TimeAfter) + " of the same use"
			}
			return fmt.Sprintf("no longer happens (%s before, 0 after%s)", times(v.Before.Count), use)
		}, "violations no longer happen")
	case compare.Unproven:
		return alone(d, compare.NotExercised, st, func(v *compare.Violation) string {
			return fmt.Sprintf("did not happen (%s before, 0 after), but nothing shows that it would have", times(v.Before.Count))
		}, "violations did not happen, but nothing shows that they would have")
	case compare.Unchanged:
		return alone(d, compare.StillThere, st, func(v *compare.Violation) string {
			return fmt.Sprintf("still happens (%s before, %s after)", times(v.Before.Count), times(v.After.Count))
		}, "violations still happen")
	case compare.Better:
		return tally(c)
	case compare.Clean:
		return "neither capture has a violation"
	}
	return inconclusiveDiff(d)
}

// alone says what became of the only violation of a state, or of how many. Others are
// counted behind it.
func alone(d *Diff, state compare.State, st style, became func(*compare.Violation) string, several string) string {
	c := &d.Comparison
	of := c.Counting(state)
	text := fmt.Sprintf("%d %s", len(of), several)
	switch len(of) {
	case 0:
		return "what broke the policy is excused by it now"
	case 1:
		f := of[0].Finding()
		text = fmt.Sprintf("%s on %s %s", st.data(string(f.Rule)), st.data(d.side(d.After).clipped(f.Host, maxHost)), became(&of[0]))
	}
	if len(of) < len(c.Violations)-c.Count(compare.Excused) {
		text += "; in all, " + tally(c)
	}
	return text
}

// tally counts the violations of each state.
func tally(c *compare.Comparison) string {
	var parts []string
	for _, state := range compare.States {
		if n := c.Count(state); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, stateNames[state]))
		}
	}
	return joinAnd(parts)
}

func inconclusiveDiff(d *Diff) string {
	var parts []string
	for _, s := range []struct {
		name string
		Side
	}{{"before", d.Before}, {"after", d.After}} {
		switch {
		case damagedAny(s.Captures):
			parts = append(parts, fmt.Sprintf("the capture %s could not be read to its end", s.name))
		case s.Summary.Flows == 0:
			parts = append(parts, fmt.Sprintf("the capture %s has no contact", s.name))
		}
	}
	if len(parts) == 0 {
		parts = []string{"a capture could not be read"}
	}
	return joinAnd(parts) + ", so nothing is proven"
}

// occurred says how often a violation was seen on one side, and in how long a use.
func occurred(v *capture.Violation, waived bool, use time.Duration) string {
	if v == nil {
		return "never" + within(use)
	}
	text := seen(*v) + within(use)
	if waived {
		text += " (excused by the policy)"
	}
	return text
}

func within(use time.Duration) string {
	if use < time.Second {
		return ""
	}
	return ", in " + duration(use) + " of use"
}

// reasons puts the answers that speak against a fix, and those that speak for it, in
// words.
func reasons(d *Diff, v *compare.Violation, st style) (against, favour []string) {
	for i := range v.Answers {
		a := &v.Answers[i]
		text := answer(d, v, a, st)
		if a.Yes {
			favour = append(favour, text)
		} else {
			against = append(against, text)
		}
	}
	return against, favour
}

// answer puts one answer in words.
func answer(d *Diff, v *compare.Violation, a *compare.Answer, st style) string {
	switch a.Question {
	case compare.WasUsed:
		return usedAnswer(d, a, st)
	case compare.WasAnswered:
		return fmt.Sprintf("Afterwards %d of %s did not complete, as with a device that is offline. An app that gets no answers does not do what it does elsewhere.",
			a.Failed, plural(a.Flows, "flow", "flows"))
	case compare.WasObserved:
		r := d.side(d.After)
		return fmt.Sprintf("The capture after was recorded with experiments (%s), which altered %d of %s: they may be why it did not happen.",
			r.namesOf(a.Experiments, st), a.Altered, plural(a.Flows, "flow", "flows"))
	case compare.WasContacted:
		return contactedAnswer(d, v, a, st)
	case compare.WasInPhase:
		if a.Yes {
			return fmt.Sprintf("It happened in no phase but %s, and %s was recorded again.", phaseList(d, a.Phases, st), phaseList(d, a.Seen, st))
		}
		return fmt.Sprintf("It happened in no phase but %s, and the capture after has nothing of the app in any of these.", phaseList(d, a.Phases, st))
	case compare.WasLongEnough:
		return lengthAnswer(d, a, st)
	case compare.WasDone:
		return doneAnswer(d, a, st)
	case compare.WasReadable:
		if a.Unread == 0 {
			return fmt.Sprintf("Everything sent to the hosts of these requests could be read (%s).", plural(a.Flows, "flow", "flows"))
		}
		return fmt.Sprintf("Of %s to the hosts of these requests, %d could not be read.", plural(a.Flows, "flow", "flows"), a.Unread)
	}
	return "The capture after could not be read to its end: it may have been in the rest."
}

func usedAnswer(d *Diff, a *compare.Answer, st style) string {
	of := ""
	switch {
	case a.OwnApp:
		of = " of the app that the policy names"
	case a.App != "":
		of = " of " + st.data(d.side(d.After).clipped(a.App, maxHost))
	}
	switch {
	case a.Yes:
		return fmt.Sprintf("The capture after has %s%s.", plural(a.Flows, "flow", "flows"), of)
	case a.App != "":
		return fmt.Sprintf("The capture after has no flow%s, which sent it. Where the app has another name now, app.user-agent in the policy can say so.", of)
	}
	return fmt.Sprintf("The capture after has no flow%s.", of)
}

func contactedAnswer(d *Diff, v *compare.Violation, a *compare.Answer, st style) string {
	host := st.data(d.side(d.After).clipped(a.Host, maxHost))
	ofContact := v.Finding().Rule.OfContact()
	switch {
	case a.Rule != "":
		return fmt.Sprintf("The app still contacts %s against the policy, now as %s.", host, st.data(string(a.Rule)))
	case !a.Yes && a.Flows > 0:
		return fmt.Sprintf("Of %s to %s afterwards, %d could not be read: it may have been among them.", plural(a.Flows, "flow", "flows"), host, a.Unread)
	case !a.Yes:
		return fmt.Sprintf("Nothing was sent to %s afterwards, so that nothing could be sent in this way.", host)
	case a.Flows == 0:
		return fmt.Sprintf("Nothing contacted %s afterwards.", host)
	case ofContact:
		return fmt.Sprintf("Afterwards %s was contacted within the policy alone (%s).", host, times(a.Flows))
	}
	return fmt.Sprintf("Afterwards %s was contacted in other ways alone (%s).", host, times(a.Flows))
}

func lengthAnswer(d *Diff, a *compare.Answer, st style) string {
	if a.Untimed {
		return "A capture has no times, or more recordings and devices than can be told apart, so that nobody knows whether the app was in use for long enough."
	}
	in := ""
	if len(a.Seen) > 0 {
		in = " in the phase " + phaseList(d, a.Seen, st)
	}
	before := fmt.Sprintf("it appeared %s after the first flow", duration(a.First))
	if a.First < time.Millisecond {
		before = "it appeared with the first flow"
	}
	if a.Interval > 0 {
		before += fmt.Sprintf(" and came %s", interval(a.Interval))
	}
	had := fmt.Sprintf("The app was in use for %s afterwards%s", duration(a.Had), in)
	if a.Had == 0 { // one flow, or several at once
		had = fmt.Sprintf("The app was seen for a moment alone afterwards%s", in)
	}
	if a.Yes {
		return fmt.Sprintf("%s. Before, %s.", had, before)
	}
	return fmt.Sprintf("%s, and %s are needed. Before, %s.", had, duration(a.Needed), before)
}

func doneAnswer(d *Diff, a *compare.Answer, st style) string {
	made, missed := companions(d, a.Made, st), companions(d, a.Missed, st)
	switch {
	case len(a.Missed) == 0:
		return fmt.Sprintf("The app did again what came before it as a rule: %s.", made)
	case len(a.Made) == 0:
		return fmt.Sprintf("The app did nothing of what came before it as a rule: %s.", missed)
	}
	return fmt.Sprintf("The app did %d of the %d things that came before it as a rule: %s; and not: %s.", len(a.Made), len(a.Made)+len(a.Missed), made, missed)
}

func companions(d *Diff, all []compare.Companion, st style) string {
	r := d.side(d.After)
	parts := make([]string, len(all))
	for i, c := range all {
		parts[i] = st.data(r.clipped(c.Action, maxHost))
	}
	return strings.Join(parts, ", ")
}

func phaseList(d *Diff, names []string, st style) string {
	r := d.side(d.After)
	parts := make([]string, 0, len(names))
	for i, name := range names {
		if i == maxListed {
			parts = append(parts, fmt.Sprintf("%d more", len(names)-i))
			break
		}
		parts = append(parts, phaseName(r, name, st.name))
	}
	return joinAnd(parts)
}

// diffNext says what to do about a result that proves nothing.
func diffNext(d *Diff) []string {
	var out []string
	if d.Comparison.Count(compare.NotExercised) > 0 {
		out = append(out, "Record the capture after again: the same app, the same steps, the same phases, and at least as long as before. What was lacking stands with each violation.")
	}
	if damagedAny(d.Before.Captures) || damagedAny(d.After.Captures) {
		out = append(out, "Export or record the damaged capture again, and compare that.")
	}
	return out
}

// sideLine says what one side is made of.
func sideLine(d *Diff, s Side, st style) string {
	r := d.side(s)
	names := make([]string, 0, len(s.Captures))
	for _, c := range s.Captures {
		name := captureName(r, c.File, st)
		if c.Error != "" {
			name += " (damaged)"
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		names = []string{"nothing"}
	}
	text := fmt.Sprintf("%s: %s to %s", joinAnd(firstOf(names)), plural(s.Summary.Flows, "flow", "flows"), plural(len(s.Summary.Hosts), "host", "hosts"))
	if !s.Summary.First.IsZero() {
		text += ", " + period(s.Summary.First, s.Summary.Last)
	}
	return text + ", " + plural(len(s.Summary.Violations), "violation", "violations") + r.besideVerdict(st)
}

// sideWorth says why the comparison is worth little: experiments, and what is wrong with a side.
func sideWorth(d *Diff, st style) []string {
	var out []string
	for _, caveat := range d.Comparison.Caveats {
		out = append(out, st.prose(d.side(d.After).clipped(caveat, maxText)))
	}
	for _, s := range []struct {
		name string
		Side
	}{{"Before", d.Before}, {"After", d.After}} {
		r := d.side(s.Side)
		for _, text := range slices.Concat(damage(r, st), warnings(r, st)) {
			out = append(out, s.name+": "+text)
		}
	}
	return out
}

// hostSide says what a side has of a host.
func hostSide(h *capture.Host) string {
	if h == nil {
		return "–"
	}
	verdict := string(h.Verdict)
	if h.Verdict == policy.Unjudged {
		verdict = "unjudged"
	}
	return fmt.Sprintf("%d %s", h.Flows, verdict)
}
