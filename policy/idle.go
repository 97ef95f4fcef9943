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
}

// Without returns an idle that lacks some shapes.
func (i *Idle) Without(shapes ...Shape) *Idle {
	out := &Idle{File: i.File, Shapes: maps.Clone(i.Shapes)}
	for _, s := range shapes {
		delete(out.Shapes, s)
	}
	return out
}

// Beside returns a judge that judges as the given one does, except that contacts which
// the device makes anyway are ignored and marked as subtracted: those of a shape that the
// baseline has, if nothing else speaks against them than who was contacted and that an
// identifier was sent. What only leads up to contacts ([flow.Flow.IsPrelude]) names a host
// and no shape: it follows a host of which the baseline has any shape.
//
// What the policy says is the app's own is never subtracted, nor is a value under
// never-send, a server that is named in different ways, or anything about how an allowed
// host is spoken to. What a waiver excuses stays waived.
func (i *Idle) Beside(judge Judge) Judge {
	if i == nil || len(i.Shapes) == 0 {
		return judge
	}
	hosts := map[string]bool{}
	for s := range i.Shapes {
		hosts[s.Host] = true
	}
	return besideIdle{judge, i, hosts}
}

type besideIdle struct {
	judge Judge
	idle  *Idle
	hosts map[string]bool // of its shapes
}

// ReadsContent says what the judge beside it does.
func (j besideIdle) ReadsContent() bool { return ReadsContent(j.judge) }

// DeviceName says what the judge beside it does.
func (j besideIdle) DeviceName(addr netip.Addr) string { return DeviceName(j.judge, addr) }

// IsApp says what the judge beside it does.
func (j besideIdle) IsApp(userAgent string) bool { return IsApp(j.judge, userAgent) }

// Judge takes the findings away that the baseline explains.
func (j besideIdle) Judge(f *flow.Flow) Judgement {
	judged := j.judge.Judge(f)
	if judged.Verdict != Violation || !j.hosts[judged.Host] || IsApp(j.judge, f.UserAgent()) {
		return judged
	}
	left := slices.DeleteFunc(slices.Clone(judged.Findings), func(x Finding) bool {
		return x.Rule.OfContact() || x.Rule == IdentifierLeaked
	})
	if len(left) == len(judged.Findings) {
		return judged
	}
	source, ok := j.idle.explains(f)
	switch {
	case !ok:
	case len(left) > 0:
		judged.Findings, judged.Source = left, left[0].Source
	case len(judged.Excused) > 0:
		judged.Verdict, judged.Findings, judged.Excused = Waived, judged.Excused, nil
		judged.Source = judged.Findings[0].Source
	default:
		judged.Verdict, judged.Findings, judged.Source, judged.Subtracted = Ignored, nil, source, true
	}
	return judged
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
