package reports

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"telltale/capture"
)

// This file says that experiments were on: what was seen then is not what the app does
// undisturbed, and no verdict stands without that word.

// maxExperiments is how many experiments one line names.
const maxExperiments = 4

// experimented reports whether experiments were on, or altered a flow.
func experimented(s capture.Summary) bool { return len(s.Experiments) > 0 || s.Altered > 0 }

// experimentNames lists the experiments of the audit, as many as a line takes. The name of
// one may hold that of a file.
func (r *Report) experimentNames(st style) string {
	var names []string
	for _, e := range r.Summary.Experiments {
		names = append(names, e.Name)
	}
	if len(names) == 0 {
		return "not named"
	}
	return r.namesOf(names, st)
}

// namesOf lists as many experiments as a line takes.
func (r *Report) namesOf(all []string, st style) string {
	names := make([]string, len(all))
	for i, name := range all {
		names[i] = st.prose(r.clipped(name, maxPhase))
	}
	if more := len(names) - maxExperiments; more > 0 {
		names = append(names[:maxExperiments:maxExperiments], fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// besideVerdict is what the verdict never stands without where experiments were on:
// ", with experiments: enforce". It is "" for an audit that only observed.
func (r *Report) besideVerdict(st style) string {
	if !experimented(r.Summary) {
		return ""
	}
	return ", with experiments: " + r.experimentNames(st)
}

// titled is the verdict's name and what it never stands without.
func (r *Report) titled(st style) string { return title(r.Verdict) + r.besideVerdict(st) }

// shouted is titled with the verdict in capitals, and not the names.
func (r *Report) shouted(st style) string {
	return strings.ToUpper(title(r.Verdict)) + r.besideVerdict(st)
}

// alteredWorth says how much of what was seen experiments altered, "" where none was on.
func alteredWorth(r *Report, st style) string {
	s := r.Summary
	if !experimented(s) {
		return ""
	}
	if s.Altered == 0 {
		return "Experiments were on (" + r.experimentNames(st) + "), and altered no flow."
	}
	hosts := 0
	for _, h := range s.Hosts {
		if h.Altered > 0 {
			hosts++
		}
	}
	text := fmt.Sprintf("Experiments altered %d of %s (%s)", s.Altered, plural(s.Flows, "flow", "flows"), r.experimentNames(st))
	if hosts > 0 {
		text += ", to " + plural(hosts, "host", "hosts")
	}
	return text + ". What an altered flow shows is what the app does in an experiment."
}

// alteredBy says how many flows of a violation experiments altered, "" for none.
func alteredBy(r *Report, v capture.Violation, st style) string {
	if v.Altered == 0 {
		return ""
	}
	by := r.namesOf(v.Experiments, st)
	const only = " It was seen in no flow without them, and may not happen without them."
	switch {
	case v.Altered < v.Count:
		return fmt.Sprintf("%d of its %d flows %s altered by: %s.", v.Altered, v.Count, ending(v.Altered, "was", "were"), by)
	case v.Count == 1:
		return "Its only flow was altered by: " + by + "." + only
	}
	return fmt.Sprintf("All its %d flows were altered by: %s.%s", v.Count, by, only)
}

// alwaysOn says that an audit shows nothing undisturbed, "" where it shows something.
func alwaysOn(s capture.Summary) string {
	if s.Flows == 0 || !experimented(s) || !coversAll(s) && s.Altered < s.Flows {
		return ""
	}
	names := make([]string, 0, len(s.Experiments))
	for _, e := range s.Experiments {
		names = append(names, e.Name)
	}
	text := "Never undisturbed: experiments were on all the time"
	if len(names) > 0 {
		text += " (" + strings.Join(firstOf(names), ", ") + ")"
	}
	return text + ", so that this does not show what the app does by itself. Record it without experiments, too."
}

// coversAll reports whether some experiment was on at all times from the first flow to the
// last.
func coversAll(s capture.Summary) bool {
	var all []capture.Period
	for _, e := range s.Experiments {
		all = append(all, e.Periods...)
	}
	slices.SortFunc(all, func(a, b capture.Period) int { return a.From.Compare(b.From) })
	covered := s.First // all before it is
	for i, p := range all {
		if p.From.After(covered) {
			return false
		}
		if p.To.IsZero() || !p.To.Before(s.Last) { // of a recorder that was killed, its newest flow is the end
			return true
		}
		if i == 0 || p.To.After(covered) {
			covered = p.To
		}
	}
	return false
}

// experimentEntry is one experiment, as JSON has it.
type experimentEntry struct {
	Name    string        `json:"name"`
	Flows   int           `json:"flows"` // that it altered
	Hosts   int           `json:"hosts"` // of these
	Periods []periodEntry `json:"periods"`
}

// periodEntry is a time in which it was in force; to is null while it goes on.
type periodEntry struct {
	From *string `json:"from"`
	To   *string `json:"to"`
}

func (r *Report) experiments() []experimentEntry {
	out := make([]experimentEntry, 0, len(r.Summary.Experiments))
	for _, e := range r.Summary.Experiments {
		entry := experimentEntry{Name: r.text(e.Name), Flows: e.Flows, Hosts: e.Hosts, Periods: []periodEntry{}}
		for _, p := range e.Periods {
			entry.Periods = append(entry.Periods, periodEntry{stamp(p.From), stamp(p.To)})
		}
		out = append(out, entry)
	}
	return out
}

// besideHost says how many contacts of a host could not be read, and how many were altered:
// " (2 unread, 3 altered)".
func besideHost(h capture.Host) string {
	var parts []string
	if h.Unread > 0 {
		parts = append(parts, fmt.Sprintf("%d unread", h.Unread))
	}
	if h.Altered > 0 {
		parts = append(parts, fmt.Sprintf("%d altered", h.Altered))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// ago writes the time between two things that may be at once.
func ago(d time.Duration) string {
	if d < 100*time.Millisecond {
		return "at once"
	}
	return "after " + duration(round(d))
}
