package reports

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"telltale/consequence"
	"telltale/policy"
)

// This file is the section on what followed the experiments: a sentence, and a table for
// each time in which some were on.

const (
	followedHeading = "What followed the experiments"
	maxStretches    = 5  // that have a table in documents for people
	maxFollowed     = 12 // rows of one kind in a table
)

// followed are the chapters on what followed, for documents with tables: the first has the
// sentences, and each stretch has one.
func (r *Report) followed(st style) []chapter {
	if r.Consequences == nil || len(r.Consequences.Stretches) == 0 {
		return nil
	}
	all := r.Consequences.Stretches
	chapters := []chapter{{ID: "followed", Heading: followedHeading, Lead: r.overall(st)}}
	for i := range all[:min(len(all), maxStretches)] {
		chapters = append(chapters, r.stretch(i, &all[i], st))
	}
	if len(all) == 1 {
		chapters[0].Lead, chapters[1].Lead = chapters[1].Lead, ""
	}
	last := &chapters[len(chapters)-1]
	if text := strings.Join(r.followedNotes(), " "); text != "" {
		last.Note = strings.TrimSpace(last.Note + " " + text)
	}
	return chapters
}

// overall says in one sentence what followed experiments of several times.
func (r *Report) overall(st style) string {
	var grave, different, instead, before, unknown []string
	for i := range r.Consequences.Stretches {
		s := &r.Consequences.Stretches[i]
		name := r.stretchName(s, st)
		switch {
		case len(s.Trusted) > 0:
			grave = append(grave, name)
		case s.RestUndisturbed() && s.Disturbed():
			instead = append(instead, name)
		case s.Before > 0 && s.Disturbed():
			different = append(different, name)
		case s.Undisturbed():
			before = append(before, name)
		default:
			unknown = append(unknown, name)
		}
	}
	var out []string
	add := func(names []string, what string) {
		if len(names) > 0 {
			out = append(out, "with "+joinAnd(firstOf(slices.Compact(names)))+", "+what)
		}
	}
	add(grave, "requests were sent over certificates that should have been refused")
	add(different, "more changed than what was refused or answered")
	add(instead, "other hosts were asked instead and refused or answered as well, and everything else went on as before")
	add(before, "everything else went on as before")
	add(unknown, "too little was seen to tell what followed")
	return capital(strings.Join(out, "; ")) + "."
}

// followedInShort is what followed without tables: the sentences, and how each host was tried.
func (r *Report) followedInShort() chapter {
	c := chapter{Heading: followedHeading}
	if r.Consequences == nil || len(r.Consequences.Stretches) == 0 {
		return c
	}
	all := r.Consequences.Stretches
	for i, text := range r.followedBriefly(onTerminal) {
		c.Brief = append(c.Brief, text)
		for n, g := range all[i].Targets {
			if n == maxListed || i >= maxStretches {
				break
			}
			c.Brief = append(c.Brief, r.hostIn(g.Host, onTerminal)+": "+tries(r, &all[i], g, onTerminal))
		}
	}
	c.Brief = append(c.Brief, r.followedNotes()...)
	return c
}

// followedBriefly has a sentence, or some, for each stretch.
func (r *Report) followedBriefly(st style) []string {
	if r.Consequences == nil {
		return nil
	}
	all := r.Consequences.Stretches
	var out []string
	for i := range all {
		s := &all[i]
		text := r.conclusion(s, st)
		if len(all) > 1 {
			text = fmt.Sprintf("%s, %s: %s", r.stretchName(s, st), period(s.From, s.To), text)
		}
		out = append(out, text)
	}
	return out
}

// followedNotes say what the section leaves out.
func (r *Report) followedNotes() (notes []string) {
	c := r.Consequences
	if more := len(c.Stretches) - maxStretches; more > 0 {
		notes = append(notes, fmt.Sprintf("%s: a .json report has all numbers.", plural(more, "more time has no table here", "more times have no table here")))
	}
	if c.More > 0 {
		notes = append(notes, fmt.Sprintf("Experiments were switched too often: %s not looked at.", plural(c.More, "later time was", "later times were")))
	}
	if c.Crowded {
		notes = append(notes, "There were too many hosts or kinds of requests: those that came later are not looked at.")
	}
	if c.ClockSet {
		notes = append(notes, "The clock was set back between switches: each experiment is taken to have been on from the first flow that it altered to the last.")
	} else if c.Derived {
		notes = append(notes, "The capture does not tell when experiments were switched: each is taken to have been on from the first flow that it altered to the last.")
	}
	return notes
}

// stretchName names what was in force.
func (r *Report) stretchName(s *consequence.Stretch, st style) string {
	return r.namesOf(s.Experiments, st)
}

func (r *Report) hostIn(name string, st style) string { return st.data(r.clipped(name, maxHost)) }

// kindIn names a kind of request.
func (r *Report) kindIn(k consequence.Kind, st style) string {
	return r.shape(policy.Shape{Method: k.Method, Host: k.Host, Path: k.Path}, st)
}

// conclusion says what followed in sentences: what matters most first.
func (r *Report) conclusion(s *consequence.Stretch, st style) string {
	var out []string
	if text := r.trusted(s, st); text != "" {
		out = append(out, text)
	}
	subject := r.with(s, st)
	lacking, other := s.Lacking(), " else"
	if len(s.Targets)+len(s.Rewritten) == 0 {
		other = ""
	}
	instead := r.fallbacks(s, st)
	if s.RestUndisturbed() {
		if instead != "" {
			subject += ", " + instead + ";"
		} else {
			subject += ","
		}
		out = append(out, subject+" "+everything(s, other))
	} else {
		all := r.differences(s, st)
		if instead != "" {
			all = append([]string{instead}, all...)
		}
		if len(all) > 0 {
			out = append(out, subject+", "+joinAnd(all)+".")
		}
	}
	if len(lacking) > 0 {
		if len(out) == 0 {
			out = append(out, subject+", it is not known whether everything"+other+" went on as before: "+joinAnd(r.lacks(s, lacking, st))+".")
		} else {
			out = append(out, "Whether everything"+other+" went on as before is not known: "+joinAnd(r.lacks(s, lacking, st))+".")
		}
	}
	if s.Link != nil {
		out = append(out, linkWords(s.Link)+".")
	}
	if text := r.recovered(s, st); text != "" {
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// everything says that all else went on as before, as far as it repeats.
func everything(s *consequence.Stretch, other string) string {
	went := fmt.Sprintf("went on as before (%s, %s)", plural(len(s.Kept), "host", "hosts"), plural(s.KeptFlows(), "request", "requests"))
	switch {
	case s.Unseen > 0:
		return fmt.Sprintf("everything%s that repeats %s; %s before and not in this time, too seldom to mean anything.", other, went,
			plural(s.Unseen, "host was contacted", "hosts were contacted"))
	case s.Fewer():
		return fmt.Sprintf("everything%s that repeats %s; to other hosts went %s, and as often as before it would have been %d.", other, went,
			plural(s.Else, "contact", "contacts"), s.Usual)
	}
	return "everything" + other + " " + went + "."
}

// with names what was done: "With clients3.google.com refused". Hosts that were asked instead
// are no part of it.
func (r *Report) with(s *consequence.Stretch, st style) string {
	refused := len(s.Targets) > 0 && len(s.Rewritten) == 0
	instead := len(s.Fallbacks()) > 0
	var names []string
	for _, t := range s.Targets {
		if instead && t.Behind != "" {
			continue
		}
		refused = refused && t.Blocked == t.Tries
		names = append(names, r.hostIn(t.Host, st))
	}
	name := r.stretchName(s, st)
	switch {
	case refused && len(names) <= 3:
		return "With " + joinAnd(names) + " refused"
	case refused:
		return fmt.Sprintf("With %d hosts refused", len(names))
	case len(s.Rewritten) > 0:
		return fmt.Sprintf("With %s on, which altered %s", name, r.altered(s, names, st))
	case len(names) > 3:
		return fmt.Sprintf("With %s on, which took contacts to %d hosts", name, len(names))
	case len(names) > 0:
		return fmt.Sprintf("With %s on, which took contacts to %s", name, joinAnd(names))
	}
	return "With " + name + " on"
}

// trusted says to whom requests were sent over a bad certificate.
func (r *Report) trusted(s *consequence.Stretch, st style) string {
	if len(s.Trusted) == 0 {
		return ""
	}
	n := 0
	var names []string
	for _, h := range s.Trusted {
		n += h.Flows
		names = append(names, fmt.Sprintf("%s (flow %d)", r.hostIn(h.Name, st), h.Flow))
	}
	return fmt.Sprintf("Grave: %s sent over a connection whose certificate the client should have refused, to %s. Anybody on the way can read and change what is sent so.",
		plural(n, "request was", "requests were"), joinAnd(firstOf(names)))
}

// altered says what was rewritten, and of which hosts contacts were taken besides.
func (r *Report) altered(s *consequence.Stretch, taken []string, st style) string {
	n := 0
	var names []string
	for _, h := range s.Rewritten {
		n += h.Flows
		names = append(names, r.hostIn(h.Name, st))
	}
	text := fmt.Sprintf("%s to %s", plural(n, "request", "requests"), joinAnd(firstOf(names)))
	if len(taken) > 0 {
		text += " and took contacts to " + joinAnd(firstOf(taken))
	}
	return text
}

// fallbacks names hosts that were contacted for the first time behind a contact that was
// taken, and whose contacts were taken, too; "" for none.
func (r *Report) fallbacks(s *consequence.Stretch, st style) string {
	refused := true
	var names []string
	for _, t := range s.Fallbacks() {
		refused = refused && t.Blocked == t.Tries
		names = append(names, fmt.Sprintf("%s (%s)", r.hostIn(t.Host, st), r.behindWords(t.Behind, t.Delay, st)))
	}
	if len(names) == 0 {
		return ""
	}
	text := "the app asked " + joinAnd(firstOf(names)) + " instead, which " + ending(len(names), "was", "were")
	if refused {
		return text + " refused as well"
	}
	return text + " not let through either"
}

// differences are what was not as before.
func (r *Report) differences(s *consequence.Stretch, st style) (out []string) {
	add := func(n int, one, many, example string) {
		if n > 0 {
			text := plural(n, one, many)
			if example != "" {
				text += " (" + example + ")"
			}
			out = append(out, text)
		}
	}
	kinds := func(all []consequence.Kind) string {
		var names []string
		for _, k := range all {
			names = append(names, r.kindIn(k, st))
		}
		return strings.Join(firstOf(names), ", ")
	}
	hosts := func(all []consequence.Host) string {
		var names []string
		for _, h := range all {
			names = append(names, r.hostIn(h.Name, st))
		}
		return strings.Join(firstOf(names), ", ")
	}
	add(len(s.Stopped), "kind of request stopped", "kinds of requests stopped", kinds(s.Stopped))
	add(len(s.Failed), "host that answered before did not", "hosts that answered before did not", hosts(s.Failed))
	add(len(s.Otherwise), "kind of request was answered otherwise", "kinds of requests were answered otherwise", r.otherwise(s.Otherwise, st))
	add(len(s.Instead), "host was contacted that was not before", "hosts were contacted that were not before", hosts(s.Instead))
	add(len(s.Changed), "kind of request was made much more or less often", "kinds of requests were made much more or less often", kinds(s.Changed))
	if s.Before == 0 {
		return nil
	}
	if n := len(s.Kept); n > 0 && len(out) > 0 {
		out = append(out, fmt.Sprintf("%s went on as before (%s)", plural(n, "other host", "other hosts"), plural(s.KeptFlows(), "request", "requests")))
	}
	return out
}

// otherwise names what was answered otherwise, with the numbers that say so.
func (r *Report) otherwise(all []consequence.Kind, st style) string {
	var names []string
	for _, k := range all {
		names = append(names, fmt.Sprintf("%s: %d of %d without an error, and %d of %d before", r.kindIn(k, st), k.Good, k.During, k.GoodBefore, k.Before))
	}
	return strings.Join(firstOf(names), ", ")
}

// lacks say why it is not known whether everything else went on.
func (r *Report) lacks(s *consequence.Stretch, all []consequence.Lack, st style) (out []string) {
	for _, lack := range all {
		switch lack {
		case consequence.NothingBefore:
			out = append(out, "nothing was recorded before the experiment (run it without first, or switch it on at the screen, with X, after a while)")
		case consequence.NothingAltered:
			out = append(out, "no contact was altered")
		case consequence.NothingElse:
			if r.allTaken(s) {
				out = append(out, "no contact in this time was let through")
			} else {
				out = append(out, "no other host answered both before and in this time")
			}
		case consequence.FewElse:
			out = append(out, fmt.Sprintf("only %s to other hosts (use more of the app)", plural(s.KeptFlows(), "request went", "requests went")))
		case consequence.TooMuch:
			out = append(out, "there were too many hosts or kinds of requests to look at all")
		case consequence.UsedLess:
			out = append(out, fmt.Sprintf("the app was used less than before: to other hosts went %s, and as often as before it would have been %d (use it alike)",
				plural(s.Else, "contact", "contacts"), s.Usual))
		case consequence.MostUnseen:
			out = append(out, fmt.Sprintf("%d of %d other hosts were not contacted at all (use the app alike)", s.Unseen, s.Unseen+len(s.Kept)))
		case consequence.SeveralDevices:
			out = append(out, "several devices were recorded, and are not told apart (record one alone)")
		case consequence.ClockSet:
			out = append(out, "times do not fit those of the recording, as when the clock was set or a masked copy joined several recordings")
		case consequence.TooShort:
			k := s.Short[0]
			for _, other := range s.Short {
				if other.Every > k.Every {
					k = other
				}
			}
			out = append(out, fmt.Sprintf("%s is too short for what comes every %s, such as %s (leave it on for at least %s)",
				duration(s.To.Sub(s.From)), duration(round(k.Every)), r.kindIn(k, st), duration((3*k.Every).Round(time.Second)+time.Second)))
		}
	}
	return out
}

// allTaken reports whether every contact of a stretch was taken.
func (r *Report) allTaken(s *consequence.Stretch) bool {
	n := 0
	for _, t := range s.Targets {
		n += t.Tries
	}
	return n >= s.Flows
}

func linkWords(l *consequence.Link) string {
	var parts []string
	if l.Flows > 0 && l.BeforeFlows > 0 && l.Median < l.BeforeMedian+50*time.Millisecond {
		parts = append(parts, fmt.Sprintf("between telltale and the servers, requests took no longer than before (%s and %s, median of %d and of %d): the slow link lies before that", duration(l.Median), duration(l.BeforeMedian), l.Flows, l.BeforeFlows))
	} else if l.Flows > 0 && l.BeforeFlows > 0 {
		parts = append(parts, fmt.Sprintf("requests took %s, and %s before (median of %d and of %d)", duration(l.Median), duration(l.BeforeMedian), l.Flows, l.BeforeFlows))
	} else {
		parts = append(parts, "no kind of request was made both before and in this time, so that durations cannot be compared")
	}
	parts = append(parts, fmt.Sprintf("%d ended by a timeout and %d before", l.Timeouts, l.BeforeTimeouts),
		fmt.Sprintf("the client abandoned %d and %d before", l.Abandoned, l.BeforeAbandoned))
	return capital(strings.Join(parts, "; "))
}

// recovered says what was answered again afterwards, of what was taken or had failed.
func (r *Report) recovered(s *consequence.Stretch, st style) string {
	if s.After == 0 || len(s.Targets) == 0 {
		return ""
	}
	var back, not []string
	for _, t := range s.Targets {
		name := r.hostIn(t.Host, st)
		switch {
		case t.Recovery.Flow != 0:
			back = append(back, fmt.Sprintf("%s %s", name, ago(t.Recovery.After)))
		case t.Recovery.Tried > 0:
			not = append(not, name)
		}
	}
	var out []string
	if len(back) > 0 {
		out = append(out, "Once that was off, answered again: "+strings.Join(firstOf(back), ", ")+".")
	}
	if len(not) > 0 {
		out = append(out, "Not answered afterwards, though asked again: "+strings.Join(firstOf(not), ", ")+".")
	}
	return strings.Join(out, " ")
}
