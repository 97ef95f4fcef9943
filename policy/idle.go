package policy

import (
	"maps"
	"net/netip"
	"slices"

	"telltale/flow"
)

// An Idle is the contacts that a device made while the app under audit was closed.
// docs/idle.md says how one is made, and how far its word goes.
type Idle struct {
	File   string
	Shapes map[Shape]string // what is known of each, in words: "every minute"; may be ""
	// Sent are the kinds of identifiers ([flow.Exposure.Kind]) that each was seen to send.
	Sent map[Shape][]string
}

// Without returns an idle that lacks some shapes.
func (i *Idle) Without(shapes ...Shape) *Idle {
	out := &Idle{File: i.File, Shapes: maps.Clone(i.Shapes), Sent: i.Sent}
	for _, s := range shapes {
		delete(out.Shapes, s)
	}
	return out
}

// Beside returns a judge that judges as the given one does, except that contacts which
// the device makes anyway are ignored and marked as subtracted: those of a shape that the
// baseline has, if nothing else speaks against them than who was contacted and that
// identifiers were sent which this shape sends in the baseline, too. What only leads up to
// contacts ([flow.Flow.IsPrelude]) names a host and no shape: it follows a host of which the
// baseline has any shape.
//
// What the policy says is the app's own is never subtracted, nor is a value under
// never-send, a server that is named in different ways, or anything about an allowed host.
// What a waiver excuses stays waived.
func (i *Idle) Beside(judge Judge) Judge {
	if i == nil || len(i.Shapes) == 0 {
		return judge
	}
	hosts := map[string]bool{}
	for s := range i.Shapes {
		hosts[s.Host] = true
	}
	if other, ok := judge.(besideIdle); ok { // one explains what another does not
		maps.Copy(hosts, other.hosts)
		return besideIdle{other.judge, append(slices.Clip(other.idles), i), hosts}
	}
	return besideIdle{judge, []*Idle{i}, hosts}
}

type besideIdle struct {
	judge Judge
	idles []*Idle
	hosts map[string]bool // of their shapes
}

// ReadsContent says what the judge beside it does.
func (j besideIdle) ReadsContent() bool { return ReadsContent(j.judge) }

// DeviceName says what the judge beside it does.
func (j besideIdle) DeviceName(addr netip.Addr) string { return DeviceName(j.judge, addr) }

// IsApp says what the judge beside it does.
func (j besideIdle) IsApp(userAgent string) bool { return IsApp(j.judge, userAgent) }

// Judge takes the findings away that a baseline explains.
func (j besideIdle) Judge(f *flow.Flow) Judgement {
	judged := j.judge.Judge(f)
	if judged.Verdict != Violation || !j.hosts[judged.Host] || IsApp(j.judge, f.UserAgent()) || !judged.unwanted() {
		return judged
	}
	left, sources := judged.Findings, []Source(nil)
	for _, idle := range j.idles {
		if source, ok := idle.explains(f); ok {
			left, sources = idle.unexplained(f, left, judged.found(ValueLeaked)), append(sources, source)
		}
	}
	switch {
	case len(left) == len(judged.Findings):
	case len(left) > 0:
		judged.Findings, judged.Source = left, left[0].Source
	case len(judged.Excused) > 0:
		judged.Verdict, judged.Findings, judged.Excused = Waived, judged.Excused, nil
		judged.Source = judged.Findings[0].Source
	default:
		judged.Verdict, judged.Findings, judged.Source, judged.Subtracted = Ignored, nil, sources[0], true
	}
	return judged
}

// unwanted reports whether the policy does not want the contact as such: of a host that it
// allows, how it is spoken to counts, whoever speaks.
func (j Judgement) unwanted() bool {
	ofContact := func(x Finding) bool { return x.Rule.OfContact() }
	return slices.ContainsFunc(j.Findings, ofContact) || slices.ContainsFunc(j.Excused, ofContact)
}

// found reports whether a rule was broken, excused or not.
func (j Judgement) found(rule Rule) bool {
	broken := func(x Finding) bool { return x.Rule == rule }
	return slices.ContainsFunc(j.Findings, broken) || slices.ContainsFunc(j.Excused, broken)
}

// unexplained returns the findings about a flow whose shape the baseline has that are about
// more than what the device does anyway. secret says that a value under never-send was sent.
func (i *Idle) unexplained(f *flow.Flow, findings []Finding, secret bool) []Finding {
	sent := i.Sent[ShapeOf(f)]
	return slices.DeleteFunc(slices.Clone(findings), func(x Finding) bool {
		switch x.Rule {
		case IdentifierLeaked:
			return contains(sent, x.Subject)
		case UndeclaredTracking:
			return true
		case UndeclaredData:
			return !secret && !slices.ContainsFunc(f.Exposures, func(e flow.Exposure) bool {
				return isCollected(x.Subject, e.Kind) && !contains(sent, e.Kind)
			})
		}
		return x.Rule.OfContact()
	})
}

// explains returns what the baseline says of a flow to one of its hosts, false for nothing.
func (i *Idle) explains(f *flow.Flow) (Source, bool) {
	shape := ShapeOf(f)
	words, ok := i.Shapes[shape]
	if !ok && !f.IsPrelude() {
		return Source{}, false
	}
	text := "idle baseline: " + shape.String()
	switch {
	case !ok:
		text = "idle baseline: contacts of " + shape.Host
	case words != "":
		text += ", " + words
	}
	return Source{File: i.File, Text: text}, true
}
