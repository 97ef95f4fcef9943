package capture

import (
	"slices"

	"telltale/flow"
	"telltale/policy"
)

// Where the policy asks for it, the contents of a flow are not kept. They are searched and
// judged first; what is written then has the sizes, says that it was left out, and names
// the never-send values that stood in it, so that the flow is a violation whenever it is
// judged again. They count in Health.Omitted: nobody can look for other values in them.

// omit decides what of a batch is kept. Of a flow that is open only the frames can be:
// whether the bodies are is known at its end.
func (k *worker) omit(batch []*entry) {
	keep := k.store.opts.KeepBodies
	if keep == nil {
		return
	}
	for _, e := range batch {
		frames := keep(e.flow, e.judged)
		e.learnLeaks(k.store.opts.Leaks)
		if !frames {
			e.omitted = withoutFrames(e.frames) || e.omitted
		}
		stored, held := e.flow, false
		if !frames || !e.ended {
			stored, held = withoutContent(e.flow)
		}
		if e.omitted || held && e.ended {
			c := *stored
			c.Omitted, c.Leaks = true, joinLeaks(c.Leaks, e.leaks)
			stored = &c
		}
		e.stored = stored
	}
}

// learnLeaks notes which values that must not leave stand in a state of a flow.
func (e *entry) learnLeaks(find func(*flow.Flow) []flow.Leak) {
	leaked := func(f policy.Finding) bool { return f.Rule == policy.ValueLeaked }
	if find == nil || !slices.ContainsFunc(e.judged.Findings, leaked) && !slices.ContainsFunc(e.judged.Excused, leaked) {
		return
	}
	e.leaks = joinLeaks(e.leaks, find(e.flow))
}

// joinLeaks returns a list with those of another that it lacks. It changes neither.
func joinLeaks(list, more []flow.Leak) []flow.Leak {
	list = slices.Clip(list)
	for _, l := range more {
		if !slices.ContainsFunc(list, func(known flow.Leak) bool { return known.Name == l.Name }) {
			list = append(list, l)
		}
	}
	return list
}

// withoutContent returns the flow with its bodies left out, and whether they held anything.
func withoutContent(f *flow.Flow) (without *flow.Flow, held bool) {
	c := *f
	if f.Request != nil {
		r := *f.Request
		held = omitBody(&r.Body)
		c.Request = &r
	}
	if f.Response != nil {
		r := *f.Response
		held = omitBody(&r.Body) || held
		c.Response = &r
	}
	return &c, held
}

// omitBody leaves out what a body holds, and reports whether it held anything.
func omitBody(b *flow.Body) bool {
	if len(b.Content) == 0 && b.Digest == "" {
		return false
	}
	b.Size = max(b.Size, int64(len(b.Content)))
	b.Content, b.Digest, b.Truncated = nil, "", true
	return true
}

// withoutFrames leaves out what frames hold, and reports whether they held anything. The
// frames themselves are the flow's, which must not change.
func withoutFrames(parts []frames) (held bool) {
	for i := range parts {
		part := slices.Clone(parts[i].frames)
		for j := range part {
			if f := &part[j]; len(f.Data) > 0 {
				f.Size = max(f.Size, int64(len(f.Data)))
				f.Data, f.Truncated, held = nil, true, true
			}
		}
		parts[i].frames = part
	}
	return held
}
